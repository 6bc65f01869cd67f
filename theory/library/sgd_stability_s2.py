r"""SGD's mean-square stability bounds s_2 by a constant that grows with the dimension, not by 1/η.

With $T_b = \eta H_b$, stability makes $X \mapsto E\,M_b X M_b$, which is self-adjoint and maps
positive matrices to positive ones, a contraction.  At $Y = uu^{\mathsf T} +
\tfrac12(I - uu^{\mathsf T})$, with u the direction of s_2, $\langle Y, E\,M_b Y M_b\rangle \le
\langle Y, Y\rangle$ is the bound.
"""

from __future__ import annotations

from collections.abc import Iterator
from fractions import Fraction

from theory.algorithms import SGD
from theory.assumptions import ZERO
from theory.building import UNPROVED, add, number, times
from theory.certificates import Cone, Fact, Instance, MeanOf, Multiple, Norm, Square
from theory.expressions.terms import Const, Inner, Mean, Named, Scalar, Sum, norm2, substitute
from theory.library import _stability as st
from theory.library import lyapunov
from theory.library._stability import eta, u
from theory.notation import H, H_b, x, x_0
from theory.prose import said, unchecked
from theory.scenes import diagonal
from theory.statements import (
    Assumption,
    Attribution,
    Condition,
    Dynamics,
    Kind,
    Lemma,
    Quantity,
    Rule,
    Source,
    Status,
    Theorem,
    Witness,
)
from theory.witnesses import witness

WU_MA_E = "Wu, Ma, E 2018, How SGD selects the global minima in over-parameterized learning"
linearised = Dynamics(SGD, H, x_0)
w = Named("w")
ONE = Const(Fraction(1))
UNIT = Condition("u is a unit vector", norm2(u).equals(1))
#: Four samples in the plane: at step size 1/22 stable, and η² s_2² = 5/4.
PLANE = [[[41, 22], [22, 22]], [[41, -22], [-22, 22]], [[5, 0], [0, 22]], [[1, 0], [0, 22]]]
STEP_SIZE = Fraction(1, 22)
spread = st.gap(2, u, u)


def pairs(basis: tuple[Named, ...]) -> Iterator[tuple[str, Named, Named, Scalar, Fraction]]:
    """Pairs of basis vectors: name of the rule, both vectors, inner product, weight of the pair."""
    for i, p in enumerate(basis):
        for j, q in enumerate(basis):
            first, second = sorted((p.name, q.name))
            weight = Fraction(1, 2) ** ((i > 0) + (j > 0))
            yield f"<{first}, {second}>", p, q, ONE if i == j else ZERO, weight


def bound(dimension: int) -> Theorem:
    """The theorem in a space of this dimension, with u the first vector of a basis."""
    basis = (u, *(Named(f"v_{i}") for i in range(1, dimension)))
    top = Fraction(dimension + 3, 4)
    limit, most = Const(top), f"{top.numerator}/({top.denominator}η²)"
    mean = Inner(u, H(u))
    inner_products = {
        name: Rule(name, (), Inner(p, q).equals(d)) for name, p, q, d, _ in pairs(basis)
    }
    moved = {q: substitute(linearised.step(), x, q) for q in basis}
    contraction = Sum(tuple(c * Mean(Inner(p, moved[q]) ** 2) for _, p, q, _, c in pairs(basis)))
    entries = Sum(tuple(c * Mean(Inner(p, H_b(q)) ** 2) for _, p, q, _, c in pairs(basis)))
    trace = Sum(tuple(c * Inner(p, H(q)) for _, p, q, d, c in pairs(basis) if d == ONE))

    def known(name: str) -> Cone:
        return Instance("orthonormal basis", name, ())

    def expanded() -> Iterator[Cone]:
        yield Fact("contraction")
        for name, p, q, d, c in pairs(basis):
            yield Multiple(-c * (Inner(p, q) + d - 2 * eta * Inner(p, H(q))), known(name))

    def remainder() -> Iterator[Cone]:
        for _, p, q, d, c in pairs(basis):
            if p != u and q != u:
                yield times(number(c), MeanOf(Square(d - eta * Inner(p, H_b(q)))))

    return Theorem(
        id=f"sgd-stability-s2-dimension-{dimension}",
        title=f"In dimension {dimension}, s_2² ≤ {most} if SGD does not expand Y",
        title_says=("orthonormal basis", "contraction", "bound"),
        statement=(
            said(
                f"In dimension d = {dimension} let u be a unit vector, completed to an orthonormal "
                "basis, Y = uu' + (I - uu')/2 and M_b = I - ηH_b, with ⟨Y, E M_b Y M_b⟩ ≤ ⟨Y, Y⟩.",
                *("algorithm", "orthonormal basis", "contraction"),
            ),
            said(
                f"Then η²(E|H_b u|² - |Hu|²) ≤ (d + 3)/4 = {top}.",
                "bound",
            ),
            unchecked(
                "The inequality at Y holds at every mean-square stable minimum, whether or not "
                "H_b ⪰ 0, since X ↦ E M_b X M_b is self-adjoint and stability makes its spectral "
                "radius at most 1."
            ),
        ),
        source=Source("this toolkit", "repairs " + WU_MA_E, Attribution.DERIVED),
        kind=Kind.NECESSARY,
        dynamics=linearised,
        hypotheses=(
            Assumption(
                "orthonormal basis",
                f"u and {dimension - 1} more vectors are an orthonormal basis",
                "definition",
                (
                    *inner_products.values(),
                    Rule(
                        "complete",
                        (w,),
                        norm2(w).equals(Sum(tuple(Inner(p, w) ** 2 for p in basis))),
                    ),
                ),
            ),
            Condition(
                "contraction",
                contraction <= limit,
                "⟨Y, E M_b Y M_b⟩ ≤ ⟨Y, Y⟩; so it is where X ↦ E M_b X M_b has spectral radius at "
                "most 1",
                implicit=True,
            ),
        ),
        divisors=(),
        proof=(
            Lemma(
                "expanded",
                eta**2 * entries <= 2 * eta * trace,
                add(*expanded()),
                "M_b = I - ηH_b in the basis.",
            ),
            Lemma(
                "bound",
                eta**2 * spread <= limit,
                add(
                    Fact("expanded"),
                    Multiple(eta**2, MeanOf(Instance("orthonormal basis", "complete", (H_b(u),)))),
                    times(Square(eta), Norm(H(u) - mean * u)),
                    Multiple(eta**2 * mean**2, known("<u, u>")),
                    Square(1 - eta * mean),
                    *remainder(),
                ),
                "2m - m² ≤ 1 for u, and c - c² ≤ 1/4 for half of every other direction.",
            ),
        ),
        conclusion=("bound",),
        witness=instance(dimension),
        quantities=(Quantity("bound", limit, "upper bound on (step_size s_2)^2"),),
        findings=(
            "Attained in the plane by the witness, whose Lyapunov matrix is diag(2, 1)."
            if dimension == 2
            else "Other weights than 1/2 give a larger bound, so this Y is the best of its kind.",
        ),
    )


def instance(dimension: int) -> Witness:
    """The extremal example in the plane; two samples elsewhere."""
    unit = diagonal((1,) * dimension)
    vectors = {"u": unit[0], **{f"v_{i}": unit[i] for i in range(1, dimension)}}
    if dimension == 2:
        return witness({"step_size": STEP_SIZE}, vectors, PLANE)
    return witness({"step_size": "1/2"}, vectors, [unit, diagonal(range(dimension))])


REFUTED = Theorem(
    id="sgd-stability-s2-published",
    title="s_2 ≤ 1/η as a necessary condition for SGD's mean-square stability",
    title_says=("P >= I", "P does not increase", "s_2 bound"),
    statement=(
        said(
            "Read as a necessary condition for stability itself: if H_b ⪰ 0 and the linearised "
            "SGD x⁺ = x - ηH_b x is mean-square stable, with Lyapunov matrix P ⪰ I, then E|H_b "
            "u|² - |Hu|² ≤ 1/η² for every unit vector u, that is s_2 ≤ 1/η.",
            *("algorithm", "H_b >= 0", "step > 0", "P >= I", "P does not increase"),
            *("u is a unit vector", "s_2 bound"),
        ),
    ),
    source=Source(
        WU_MA_E,
        "non-uniformity bound; proved there for the one-step condition E|x⁺|² ≤ |x|², and read "
        "here as necessary for stability itself",
        Attribution.RECONSTRUCTED,
    ),
    kind=Kind.NECESSARY,
    dynamics=linearised,
    hypotheses=(
        st.SAMPLES_PSD,
        st.STEP,
        lyapunov.ABOVE_IDENTITY,
        lyapunov.decrease(linearised),
        UNIT,
    ),
    divisors=(),
    proof=(
        Lemma(
            "s_2 bound",
            spread <= 1 / eta**2,
            UNPROVED,
            "s_2² is the largest of these over unit vectors u.",
        ),
    ),
    conclusion=("s_2 bound",),
    expected=Status.REFUTED,
    refutation=witness({"step_size": STEP_SIZE}, {"u": [1, 0]}, PLANE, {"P": [[2, 0], [0, 1]]}),
    repaired_by="sam-stability-s2-sharp",
    findings=(
        "The bound s_2 ≤ 1/η does follow from the one-step condition: that is the repaired "
        "theorem at ρ = 0.",
        "From stability itself follows η²s_2² ≤ 5/4 in the plane, attained here: by "
        "sgd-stability-s2-dimension-2, whose hypothesis on the spectral radius stands in for P.",
    ),
)

THEOREMS = (*(bound(dimension) for dimension in (2, 3, 4)), REFUTED)
