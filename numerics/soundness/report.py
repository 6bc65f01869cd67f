"""What was drawn and what came of it, counted."""

from __future__ import annotations

import platform
import subprocess
import time
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch

from numerics.soundness.calls import STATUSES
from numerics.soundness.dice import Dice
from numerics.soundness.judge import Judgement, judge_model, judgement
from numerics.soundness.spectra import judge_spectrum

__all__ = ["Tally", "judge", "judge_some", "provenance", "tally"]

_SPECTRA = 4
"""One draw in so many is one of matrices alone."""

_SHOWN = 5


def judge(seed: int, index: int) -> Judgement:
    """Judge one draw: the same for the same two numbers, whatever was drawn before."""
    torch.set_num_threads(1)
    if index % _SPECTRA == _SPECTRA - 1:
        verdicts, sound, words = judge_spectrum(Dice(seed, index))
        return judgement(index, verdicts, core=sound, words=words)
    return judge_model(seed, index)


def judge_some(seed: int, indices: Sequence[int]) -> list[Judgement]:
    """Judge some draws, in a process."""
    return [judge(seed, index) for index in indices]


@dataclass
class Tally:
    """Counts over all draws.

    Attributes:
        statuses: how many draws are of each status.
        calls: how many calls were judged.
        reasons: why calls were refused or raw: status and kind -> draws, with one of each.
        wrong: every draw with a wrong call, in words.
        core_refused: ordinary draws that were not right, in words.
    """

    statuses: Counter[str] = field(default_factory=Counter)
    calls: int = 0
    reasons: dict[str, dict[str, list[int]]] = field(default_factory=dict)
    wrong: list[dict[str, Any]] = field(default_factory=list)
    core_refused: list[dict[str, Any]] = field(default_factory=list)

    @property
    def drawn(self) -> int:
        """How many draws were judged."""
        return self.statuses.total()

    def add(self, found: Judgement) -> None:
        """Count one draw."""
        self.statuses[found.status] += 1
        self.calls += found.calls
        for status in ("refused", "raw"):
            kinds = {v.kind.partition(": ")[2] for v in found.verdicts if v.status == status}
            for kind in kinds:
                self.reasons.setdefault(status, {}).setdefault(kind, []).append(found.index)
        lines = [f"{v.call}: {v.reason}" for v in found.verdicts if v.status == "wrong"]
        if lines:
            self.wrong.append({"index": found.index, "drawn": found.words, "wrong": lines})
        matrices = found.words.startswith("matrices")
        refused = [
            f"{v.call}: {v.reason}"
            for v in found.verdicts
            if matrices or v.call in ("exact", "layer_blocks", "per_sample", "operator")
        ]
        if found.core and refused:
            self.core_refused.append(
                {"index": found.index, "drawn": found.words, "refused": refused}
            )

    def lines(self, seed: int) -> list[str]:
        """The report, line by line."""
        found = [f"{self.drawn} drawn, {self.calls} calls judged"]
        found += [f"{self.statuses[status]:>7} {status}" for status in STATUSES]
        for status in ("refused", "raw"):
            kinds = sorted(self.reasons.get(status, {}).items(), key=lambda item: -len(item[1]))
            if kinds:
                found.append(f"{status}, by reason (draws; one of them):")
            found += [f"{len(at):>7} {kind}  (--only {at[0]})" for kind, at in kinds]
        wrong = Counter(
            f"{line.partition(': ')[0]} | {item['drawn'].split(' | ')[1]}"
            for item in self.wrong
            for line in item["wrong"]
        )
        if wrong:
            found.append("wrong, by call and by what was done to the model:")
        found += [f"{count:>7} {kind}" for kind, count in wrong.most_common()]
        for title, items, key in (
            ("ordinary draws that were refused", self.core_refused, "refused"),
            ("wrong", self.wrong, "wrong"),
        ):
            if items:
                found.append(f"{title}:")
            for item in items:
                found.append(f"  --seed {seed} --only {item['index']}: {item['drawn']}")
                found += [f"      {line}" for line in item[key][:_SHOWN]]
        return found

    def document(self) -> dict[str, Any]:
        """The same for JSON."""
        return {
            "drawn": self.drawn,
            "calls": self.calls,
            **{status: self.statuses[status] for status in STATUSES},
            "reasons": {
                status: {
                    kind: {"draws": len(at), "one of them": at[0]}
                    for kind, at in sorted(kinds.items(), key=lambda item: -len(item[1]))
                }
                for status, kinds in self.reasons.items()
            },
            "ordinary_refused": self.core_refused,
            "wrong_draws": self.wrong,
        }


def tally(judgements: Iterable[Judgement]) -> Tally:
    """Count some judgements."""
    total = Tally()
    for found in judgements:
        total.add(found)
    return total


def provenance() -> dict[str, Any]:
    """Where and by what a report was made."""
    return {
        "commit": _commit(),
        "torch": torch.__version__,
        "instruction_set": torch.backends.cpu.get_cpu_capability(),
        "processor": _processor(),
        "python": platform.python_version(),
        "date": time.strftime("%Y-%m-%d", time.gmtime()),
    }


def _commit() -> str:
    """The commit of the code, with a mark if files were changed; `unknown` without git."""
    folder = Path(__file__).parent
    try:
        answers = [
            subprocess.run(
                ["git", *words], cwd=folder, capture_output=True, text=True, check=True, timeout=20
            ).stdout.strip()
            for words in (("rev-parse", "HEAD"), ("status", "--porcelain", "--", "."))
        ]
    except (OSError, subprocess.SubprocessError):
        return "unknown"
    return answers[0] + (" (changed)" if answers[1] else "")


def _processor() -> str:
    """The processor's name."""
    try:
        text = Path("/proc/cpuinfo").read_text()
    except OSError:
        return platform.processor() or platform.machine()
    names = [line.partition(":")[2].strip() for line in text.splitlines() if "model name" in line]
    return names[0] if names else platform.machine()
