"""What the tables of the figures say of the paper's empirical claims: verdicts, page and JSON.

Every claim of `paper_figures.abstract` has a statistic with one number for every seed.  Its mean,
with a 95% interval (Student's t) over the seeds, decides: see `Support`.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Any

from numerics.statistics import Interval, mean_interval
from paper_figures.abstract import CLAIMS, Claim
from paper_figures.build import read_built
from paper_figures.recipes import discover, load
from paper_figures.stale import changes, command
from paper_figures.tables import from_csv

__all__ = ["Finding", "Support", "document", "find", "page", "stale"]

#: Fewer seeds decide nothing.
ENOUGH_SEEDS = 5
SOURCE = "abstract of arXiv:2311.17539v5, in our words"


class Support(StrEnum):
    """What the seeds say."""

    SUPPORTED = "supported"
    NOT_SUPPORTED = "not supported"
    INCONCLUSIVE = "inconclusive at this size"
    NOT_RUN = "not run"


RULES = {
    Support.SUPPORTED: "the whole interval is on the claimed side of the value without effect; "
    "where the claim is a number, the interval also reaches it.",
    Support.NOT_SUPPORTED: "the whole interval is on the other side.",
    Support.INCONCLUSIVE: f"neither, or fewer than {ENOUGH_SEEDS} seeds.",
    Support.NOT_RUN: "the figure has not been built.",
}


@dataclass(frozen=True)
class Finding:
    """What one table says of one claim.

    Attributes:
        claim: with its statistic.
        preset: of the figure that was read, empty if it has not been built.
        effect: the mean over the seeds with its interval; None if there is none.
    """

    claim: Claim
    preset: str = ""
    effect: Interval | None = None

    @property
    def verdict(self) -> Support:
        """By the rules above."""
        if self.effect is None:
            return Support.NOT_RUN
        sign, null, value = self.claim.sign, self.claim.null, self.claim.value
        # The ends of the interval, the one that lies less far in the claimed direction first.
        near, far = sorted((sign * self.effect.low, sign * self.effect.high))
        if self.effect.count < ENOUGH_SEEDS:
            return Support.INCONCLUSIVE
        if far < sign * null:
            return Support.NOT_SUPPORTED
        reaches = value is None or far >= sign * value
        return Support.SUPPORTED if near > sign * null and reaches else Support.INCONCLUSIVE


def find(folder: Path, claims: Sequence[Claim] = CLAIMS) -> list[Finding]:
    """Decide every claim from the figures built in `folder`, or in folders there with their names.

    Raises:
        ValueError: if `folder` is no folder, or a table is damaged or lacks what is asked of it.
    """
    if not folder.is_dir():
        raise ValueError(f"{folder} is not a folder: give the one with the built figures")
    return [_decide(claim, folder) for claim in claims]


def _place(figure: str, folder: Path) -> Path | None:
    """Where a figure has been built, in a folder of its own or in this one."""
    places = (folder / figure, folder)
    return next((place for place in places if (place / f"{figure}.csv").is_file()), None)


def _decide(claim: Claim, folder: Path) -> Finding:
    place = _place(claim.figure, folder)
    if place is None:
        return Finding(claim)
    text, manifest = read_built(load(discover()[claim.figure]), place)
    try:
        effect = mean_interval(claim.of_seeds(from_csv(text)))
    except ValueError as error:
        raise ValueError(f"figure {claim.figure} in {place}: {error}") from None
    return Finding(claim, manifest["preset"], effect)


def stale(folder: Path, claims: Sequence[Claim] = CLAIMS) -> list[str]:
    """A line for every table of the claims whose code or statements have changed since."""
    lines = []
    for name in dict.fromkeys(claim.figure for claim in claims):
        place = _place(name, folder)
        if place is not None:
            recipe = load(discover()[name])
            _, manifest = read_built(recipe, place)
            what = changes(recipe, manifest)
            if what:
                shown = ", ".join(what[:3]) + (", ..." if what[3:] else "")
                lines.append(f"stale: {name}: {shown}: rebuild with `{command(recipe, manifest)}`")
    return lines


def document(findings: Sequence[Finding]) -> str:
    """All findings as one JSON document."""
    described = [
        {
            "claim": finding.claim.sentence,
            "figure": finding.claim.figure,
            "statistic": finding.claim.statistic,
            "supported_if": "above" if finding.claim.sign > 0 else "below",
            "no_effect": finding.claim.null,
            "claimed": finding.claim.value,
            "verdict": finding.verdict,
            "preset": finding.preset or None,
            "effect": _numbers(finding.effect),
        }
        for finding in findings
    ]
    return json.dumps({"source": SOURCE, "claims": described}, indent=1, allow_nan=False) + "\n"


def _numbers(effect: Interval | None) -> dict[str, Any] | None:
    if effect is None:
        return None
    return {
        "mean": effect.mean,
        "low": effect.low,
        "high": effect.high,
        "confidence": effect.confidence,
        "seeds": effect.count,
    }


def page(findings: Sequence[Finding]) -> str:
    """All findings as a page in Markdown."""
    lines = [
        "# The paper's empirical claims, measured",
        "",
        f"Source of the claims: {SOURCE}.",
        "Each is decided by a statistic with one number for every seed, so that algorithms, sizes",
        "and settings are compared within seeds. The effect is its mean with a 95% interval",
        "(Student's t) over the seeds; one in twenty of such intervals misses what it encloses.",
        "No effect is 0 where no other number is named. Where a laptop's figure has 20 seeds, 5",
        "had left a claim undecided: it was looked at twice, and one in ten may miss.",
        "`sam-figures claims --results docs/results` prints this page, and refuses",
        "tables whose code or statements have changed since they were computed or verified.",
        "",
        *(f"- **{verdict}**: {rule}" for verdict, rule in RULES.items()),
    ]
    sentences = dict.fromkeys(finding.claim.sentence for finding in findings)
    for sentence in sentences:
        lines += [
            "",
            f"## {sentence.removesuffix('.')}",
            "",
            "| statistic | mean and interval | verdict | figure, preset, seeds |",
            "| --- | --- | --- | --- |",
            *(_line(finding) for finding in findings if finding.claim.sentence == sentence),
        ]
    return "\n".join(lines) + "\n"


def _line(finding: Finding) -> str:
    claim, effect = finding.claim, finding.effect
    interval, figure = "", f"`{claim.figure}`"
    if effect is not None:
        interval = f"{effect.mean:.3g} [{effect.low:.3g}, {effect.high:.3g}]"
        figure += f", {finding.preset}, {effect.count}"
    numbers = [f"no effect: {claim.null:.3g}"] if claim.null else []
    numbers += [] if claim.value is None else [f"claimed: {claim.value:.3g}"]
    statistic = claim.statistic + (f" ({', '.join(numbers)})" if numbers else "")
    return f"| {statistic} | {interval} | {finding.verdict} | {figure} |"
