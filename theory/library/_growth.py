"""Lower bounds along a trajectory: how instability is proved."""

from __future__ import annotations

from dataclasses import replace

from theory.building import NOW, add, times
from theory.certificates import AlongOf, Cone, Fact, Induction, Start, Tower
from theory.expressions.terms import Along, Scalar, substitute
from theory.statements import ITERATE, Lemma, Theorem


def geometric_growth(quantity: Scalar, factor: Cone, one_step: str) -> Induction:
    r"""From $E_b\Phi(x^+) \ge q\,\Phi(x)$ for all x to $E\,\Phi(x_t) \ge q^t \Phi(x_0)$.

    Args:
        quantity: $\Phi$, an expression in `x`.
        factor: a cone whose value is $q$.
        one_step: the name of the one-step lemma.
    """
    return Induction(
        base=Start(quantity),
        step=add(
            times(factor, Fact("induction")), AlongOf(Fact(one_step), NOW), Tower(quantity, NOW)
        ),
    )


def with_growth(
    theorem: Theorem, one_step: str, quantity: Scalar, factor: Scalar, reason: Cone
) -> Theorem:
    r"""The theorem followed by $E\,\Phi(x_t) \ge q^t \Phi(x_0)$, from its one-step lemma.

    Args:
        theorem: it names the algorithm, and has the step `one_step`.
        one_step: the name of the step $E_b\Phi(x^+) \ge q\,\Phi(x)$.
        quantity: $\Phi$, an expression in `x`.
        factor: $q$.
        reason: a cone whose value is $q$.

    Raises:
        ValueError: if the theorem runs no algorithm.
    """
    if theorem.dynamics is None:
        raise ValueError(f"{theorem.id} runs no algorithm, so there is no iterate t")
    growth = Lemma(
        "growth",
        factor**NOW * substitute(quantity, ITERATE, theorem.dynamics.start) <= Along(quantity, NOW),
        geometric_growth(quantity, reason, one_step),
        "Induction on t by the tower rule.",
    )
    return replace(
        theorem, proof=(*theorem.proof, growth), conclusion=(*theorem.conclusion, growth.name)
    )
