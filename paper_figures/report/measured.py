"""What `sam-measure check --json` says, theorem by theorem."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from numerics.confrontations.verdicts import Measurement, Outcome, Point

__all__ = ["NOT_MEASURED", "WEIGHTIEST", "Measured", "measure", "read", "read_file"]

NOT_MEASURED = "not measured"
WEIGHTIEST = (Outcome.VIOLATED, Outcome.CONSISTENT, Outcome.INCONCLUSIVE)


@dataclass(frozen=True)
class Measured:
    """The verdicts of measurements.

    Attributes:
        version: of the toolkit that measured.
        device: where.
        seeds: how many trainings.
        verdicts: theorem id -> one for each problem.
    """

    version: str
    device: str
    seeds: int
    verdicts: Mapping[str, tuple[Measurement, ...]]

    def outcome(self, theorem: str) -> str:
        """All problems together: one violation outweighs, one consistent measurement counts."""
        found = {verdict.outcome for verdict in self.verdicts.get(theorem, ())}
        return next((outcome.value for outcome in WEIGHTIEST if outcome in found), NOT_MEASURED)


def read(text: str, known: Collection[str], origin: str) -> Measured:
    """The document, checked.

    Args:
        text: one JSON document.
        known: the ids of the library.
        origin: where the text is from, for messages.

    Raises:
        ValueError: if it is not such a document, or speaks of a theorem that is not known.
    """
    verdicts: dict[str, tuple[Measurement, ...]] = {}
    try:
        document = json.loads(text)
        for entry in document["verdicts"]:
            found = _verdict(**entry)
            verdicts[found.theorem] = (*verdicts.get(found.theorem, ()), found)
        result = Measured(document["version"], document["device"], len(document["seeds"]), verdicts)
    except (ValueError, LookupError, TypeError) as problem:
        raise ValueError(
            f"{origin} is not what `sam-measure check --json` prints "
            f"({type(problem).__name__}: {problem}): measure again"
        ) from None
    unknown = [theorem for theorem in verdicts if theorem not in known]
    if unknown:
        raise ValueError(f"{origin} speaks of {unknown[0]!r}, not in the library: measure again")
    return result


def _verdict(
    outcome: str, worst: Mapping[str, Any] | None, file: str = "", **others: Any
) -> Measurement:
    """One entry of the document as the verdict that was written; its file says no more."""
    return Measurement(outcome=Outcome(outcome), worst=Point(**worst) if worst else None, **others)


def read_file(path: Path, known: Collection[str]) -> Measured:
    """The document in a file.

    Raises:
        ValueError: if it cannot be read, or as `read`.
    """
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError):
        raise ValueError(f"{path} cannot be read: give the file that holds the JSON") from None
    return read(text, known, str(path))


def measure(known: Collection[str]) -> Measured:
    """Confront every theorem with every problem now; takes minutes and shows its progress.

    Raises:
        ValueError: if the measurement failed.
    """
    command = [sys.executable, "-m", "numerics", "check", "--json"]
    done = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=False)
    if done.returncode not in (0, 1):  # 1: something is violated, and is reported
        raise ValueError(f"sam-measure check ended with status {done.returncode}: see its message")
    return read(done.stdout, known, "sam-measure check")
