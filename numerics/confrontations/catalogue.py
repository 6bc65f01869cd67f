"""The catalogue's theorems: which measurement speaks to which."""

from __future__ import annotations

from collections.abc import Iterable

from numerics.confrontations import full_gradient, second_moments
from numerics.confrontations.noisy_rates import NOISY_RATES
from numerics.confrontations.stability import Site
from numerics.confrontations.verdicts import Verdict, judge
from theory.trusted.statements import Theorem

__all__ = ["CATALOGUE", "NOISY_RATES"]

CHECKS = full_gradient.CHECKS | second_moments.CHECKS


def confront_at_minima(theorem: Theorem, problem: str, sites: Iterable[Site]) -> Verdict:
    """The verdict of what is measured at minima with exact Hessians."""
    words, points = CHECKS[theorem.id]
    return judge(
        theorem.id, problem, words, (point for site in sites for point in points(theorem, site))
    )


CATALOGUE = dict.fromkeys(CHECKS, confront_at_minima)
