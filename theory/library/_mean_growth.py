r"""Instability in the mean: a step that overshoots on average grows in the mean square.

Along an eigenvector w of the symmetric $E\,M_b$ with eigenvalue $\lambda$ the mean coordinate is
multiplied by $\lambda$ in every step, and $E|x_t|^2 \ge (E\langle w, x_t\rangle)^2$.
"""

from __future__ import annotations

from theory.language import *
from theory.library._stability import u

v, w = Named("v"), Named("w")
eigenvalue = Param("eigenvalue")
OF_SAM = Dynamics(SAM, H, w)
V_UNIT = Condition("v is a unit vector", norm2(v).equals(1))
W_UNIT = Condition("w is a unit vector", norm2(w).equals(1))
v_is_unit, w_is_unit = Fact(V_UNIT.name), Fact(W_UNIT.name)
#: v is any unit vector, and w is there in finite dimension.
VECTORS_SAY = (
    "Let w be a unit eigenvector of E M_b for its smallest eigenvalue, which has one in finite "
    "dimension."
)
VECTORS = ("bottom eigenpair", W_UNIT.name)


def moved(dynamics: Dynamics, vector: Vector) -> Vector:
    """M_b applied to a vector."""
    return substitute(dynamics.step(), x, vector)


def bottom_eigenpair(dynamics: Dynamics = OF_SAM) -> Assumption:
    """What the spectral theorem says of E M_b."""
    return Assumption(
        "bottom eigenpair",
        "w is an eigenvector of the symmetric operator E M_b for its smallest eigenvalue λ",
        "spectral theorem in finite dimension",
        (
            Rule(
                "eigen",
                (u,),
                Mean(Inner(u, moved(dynamics, w))).equals(eigenvalue * Inner(u, w)),
            ),
            Rule("rayleigh", (u,), eigenvalue * norm2(u) <= Mean(Inner(u, moved(dynamics, u)))),
        ),
        implicit=True,
    )


def growth_positive(*above_one: Cone) -> Cone:
    """A cone for R, from cones whose product is R - 1."""
    return add(times(*above_one), number(1))


def quotient_at_v() -> Cone:
    """Rayleigh's quotient at the unit vector v: λ ≤ 1 - η⟨v, E G_b v⟩."""
    return add(RuleAt("bottom eigenpair", "rayleigh", (v,)), Multiple(1 - eigenvalue, v_is_unit))


def diverging(growth: Scalar, positive: Cone, dynamics: Dynamics = OF_SAM) -> tuple[Step, ...]:
    """From the steps `eigenvalue`, λ ≤ -R, to E|x_t|² ≥ R^(2t).

    Args:
        growth: R.
        positive: a cone for R.
        dynamics: the step, started at w.
    """
    coordinate = Inner(w, x)
    now = Along(coordinate, Time())
    later = Along(coordinate, Time(shift=1))
    first = Along(coordinate, Time(symbolic=False))
    return (
        Step(
            "squared eigenvalue",
            growth**2 <= eigenvalue**2,
            times(Fact("eigenvalue"), add(Fact("eigenvalue"), times(number(2), positive))),
            "λ ≤ -R < 0.",
        ),
        Step(
            "mean dynamics",
            Mean(Inner(w, dynamics.step())).equals(eigenvalue * coordinate),
            RuleAt("bottom eigenpair", "eigen", (x,)),
            "E M_b is symmetric, so w is also a left eigenvector.",
        ),
        Step(
            "growth of the mean",
            (growth**2) ** Time() <= now**2,
            Induction(
                base=add(
                    Multiple(first + norm2(w), Start(coordinate)),
                    Multiple(-1 - norm2(w), w_is_unit),
                ),
                step=add(
                    Multiple(later + eigenvalue * now, Tower(coordinate, NOW)),
                    Multiple(-later - eigenvalue * now, AlongOf(Fact("mean dynamics"), NOW)),
                    times(Square(eigenvalue), Fact("induction")),
                    times(Fact("squared eigenvalue"), PowerOf(Square(growth), NOW)),
                ),
            ),
            "Started at w, E<w, x_t> = λ^t.",
        ),
        Step(
            "divergence",
            (growth**2) ** Time() <= Along(norm2(x), Time()),
            add(
                Fact("growth of the mean"),
                AlongOf(Norm(x - now * w), NOW),
                Multiple(now**2, w_is_unit),
            ),
            "E|x_t|² ≥ (E<w, x_t>)², the variance being non-negative.",
        ),
    )
