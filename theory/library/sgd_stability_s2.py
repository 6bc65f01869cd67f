r"""SGD's mean-square stability bounds s_2 by a constant that grows with the dimension, not by 1/η.

$X \mapsto E\,M_b X M_b$ is self-adjoint and maps positive matrices to positive ones, so its largest
eigenvalue $\Lambda$ has a positive semidefinite eigenmatrix $W$.  A Lyapunov matrix P makes
$\Lambda\langle P, W\rangle = \langle P, E\,M_b W M_b\rangle = \langle E\,M_b P M_b, W\rangle \le
\langle P, W\rangle$, so $\Lambda \le 1$.  At $Y = uu^{\mathsf T} +
\tfrac12(I - uu^{\mathsf T})$, with u the direction of s_2, $\langle Y, E\,M_b Y M_b\rangle \le
\langle Y, Y\rangle$ is the bound.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from theory.language import *
from theory.library import _stability as st
from theory.library import lyapunov
from theory.library._stability import eta, u

WU_MA_E = "Wu, Ma, E 2018, How SGD selects the global minima in over-parameterized learning"
linearised = Dynamics(SGD, H, x_0)
w, z = Named("w"), Named("z")
ONE = Const(Fraction(1))
UNIT = Condition("u is a unit vector", norm2(u).equals(1))
#: Four samples in the plane: at step size 1/22 stable, and η² s_2² = 5/4.
PLANE = [[[41, 22], [22, 22]], [[41, -22], [-22, 22]], [[5, 0], [0, 22]], [[1, 0], [0, 22]]]
STEP_SIZE = Fraction(1, 22)
spread = st.gap(2, u, u)
top = Param("spectral_radius")


def moved(vector: Vector) -> Vector:
    """M_b applied to a vector."""
    return substitute(linearised.step(), x, vector)


def pairs(basis: tuple[Named, ...]) -> Iterator[tuple[str, Named, Named, Scalar, Fraction]]:
    """Pairs of basis vectors: name of the rule, both vectors, inner product, weight of the pair."""
    for i, p in enumerate(basis):
        for j, q in enumerate(basis):
            first, second = sorted((p.name, q.name))
            weight = Fraction(1, 2) ** ((i > 0) + (j > 0))
            yield f"<{first}, {second}>", p, q, ONE if i == j else ZERO, weight


@dataclass(frozen=True)
class Eigenmatrix:
    r"""$W = \sum_i c_i w_i w_i^{\mathsf T}$ for the largest eigenvalue of $X \mapsto E\,M_b X M_b$.

    Attributes:
        basis: an orthonormal basis, by the hypothesis `orthonormal basis`.
    """

    basis: tuple[Named, ...]

    @property
    def parts(self) -> Iterator[tuple[Param, Named, str]]:
        """The weights, the vectors, and the names of the hypotheses that weights are not negative.

        One for each basis vector.
        """
        for i in range(1, len(self.basis) + 1):
            yield Param(f"c_{i}"), Named(f"w_{i}"), f"c_{i} >= 0"

    def form(self, left: Vector, right: Vector, *, step: bool) -> Scalar:
        """<left, W right>, or <left, E M_b W M_b right>."""
        pairs_of = ((c, moved(v) if step else v) for c, v, _ in self.parts)
        products = tuple(c * (Inner(left, v) * Inner(v, right)) for c, v in pairs_of)
        return Mean(Sum(products)) if step else Sum(products)

    @property
    def paired(self) -> Scalar:
        """<P, W>."""
        return Sum(tuple(c * lyapunov.energy(v) for c, v, _ in self.parts))

    def hypotheses(self, contraction: Scalar, most: Scalar) -> tuple[Hypothesis, ...]:
        """That W belongs to the largest eigenvalue, compared at one matrix Y, and is not 0."""
        size = Sum(tuple(c * norm2(v) for c, v, _ in self.parts))
        return (
            Assumption(
                "top eigenmatrix",
                "W = Σ c_i w_i w_i' belongs to the largest eigenvalue Λ of X ↦ E M_b X M_b",
                "spectral theorem, Perron and Frobenius, in finite dimension",
                (
                    Rule(
                        "eigen",
                        (w, z),
                        self.form(w, z, step=True).equals(top * self.form(w, z, step=False)),
                    ),
                    Rule("rayleigh", (), contraction <= top * most),
                ),
                implicit=True,
            ),
            *(Condition(name, c >= ZERO, implicit=True) for c, _, name in self.parts),
            Condition("W is not 0", size > ZERO, implicit=True),
        )

    def product(self, left: Vector, right: Vector) -> Cone:
        """Zero: <left, right> less its expansion in the basis, by polarisation."""
        quarter, complete = Const(Fraction(1, 4)), ("orthonormal basis", "complete")
        return add(
            Multiple(quarter, RuleAt(*complete, (left + right,))),
            Multiple(-quarter, RuleAt(*complete, (left - right,))),
        )

    def steps(self) -> tuple[Step, ...]:
        """Λ ≤ 1."""
        P = lyapunov.P
        positive = add(
            *(
                times(Fact(name), RuleAt(lyapunov.ABOVE_IDENTITY.name, "at", (v,)))
                for _, v, name in self.parts
            ),
            Fact("W is not 0"),
        )
        later = Sum(tuple(c * lyapunov.stepped_energy(v, linearised) for c, v, _ in self.parts))
        return (
            Step(
                "adjoint",
                later.equals(top * self.paired),
                add(
                    *(
                        Multiple(c, MeanOf(self.product(moved(v), P(moved(v)))))
                        for c, v, _ in self.parts
                    ),
                    *(
                        Multiple(ONE, RuleAt("top eigenmatrix", "eigen", (e, P(e))))
                        for e in self.basis
                    ),
                    *(Multiple(-top * c, self.product(v, P(v))) for c, v, _ in self.parts),
                ),
                "⟨E M_b P M_b, W⟩ = ⟨P, E M_b W M_b⟩ = Λ⟨P, W⟩.",
            ),
            Step(
                "spectral radius",
                top <= 1,
                times(
                    Invert(positive),
                    add(
                        minus(Fact("adjoint")),
                        *(
                            times(Fact(name), RuleAt("P does not increase", "at", (v,)))
                            for _, v, name in self.parts
                        ),
                    ),
                ),
                "⟨E M_b P M_b, W⟩ ≤ ⟨P, W⟩, and ⟨P, W⟩ > 0.",
            ),
        )


def bound(dimension: int) -> Theorem:
    """The theorem in a space of this dimension, with u the first vector of a basis."""
    basis = (u, *(Named(f"v_{i}") for i in range(1, dimension)))
    share = Fraction(dimension + 3, 4)
    limit, most = Const(share), f"{share.numerator}/({share.denominator}η²)"
    mean = Inner(u, H(u))
    inner_products = {
        name: Rule(name, (), Inner(p, q).equals(d)) for name, p, q, d, _ in pairs(basis)
    }
    matrix = Eigenmatrix(basis)
    contraction = Sum(tuple(c * Mean(Inner(p, moved(q)) ** 2) for _, p, q, _, c in pairs(basis)))
    entries = Sum(tuple(c * Mean(Inner(p, H_b(q)) ** 2) for _, p, q, _, c in pairs(basis)))
    trace = Sum(tuple(c * Inner(p, H(q)) for _, p, q, d, c in pairs(basis) if d == ONE))

    def known(name: str) -> Cone:
        return RuleAt("orthonormal basis", name, ())

    def expanded() -> Iterator[Cone]:
        yield RuleAt("top eigenmatrix", "rayleigh", ())
        yield times(number(share), Fact("spectral radius"))
        for name, p, q, d, c in pairs(basis):
            yield Multiple(-c * (Inner(p, q) + d - 2 * eta * Inner(p, H(q))), known(name))

    def remainder() -> Iterator[Cone]:
        for _, p, q, d, c in pairs(basis):
            if p != u and q != u:
                yield times(number(c), MeanOf(Square(d - eta * Inner(p, H_b(q)))))

    return Theorem(
        id=f"sgd-stability-s2-dimension-{dimension}",
        title=f"In dimension {dimension}, a stable minimum of SGD has s_2² ≤ {most}",
        title_says=("orthonormal basis", "P >= I", "P does not increase", "bound"),
        statement=(
            said(
                f"In dimension d = {dimension} let u be a unit vector, completed to an orthonormal "
                "basis, and let the linearised SGD x⁺ = M_b x, M_b = I - ηH_b, be mean-square "
                "stable, with Lyapunov matrix P ⪰ I.",
                *("algorithm", "orthonormal basis", "P >= I", "P does not increase"),
            ),
            said(
                "Let W ⪰ 0, not 0, be an eigenmatrix for the largest eigenvalue Λ of the "
                "self-adjoint X ↦ E M_b X M_b, so that ⟨Y, E M_b Y M_b⟩ ≤ Λ⟨Y, Y⟩ for Y = uu' + "
                "(I - uu')/2: there is one in finite dimension.",
                *("top eigenmatrix", "W is not 0", *(name for _, _, name in matrix.parts)),
            ),
            said(
                f"Then Λ ≤ 1 and η²(E|H_b u|² - |Hu|²) ≤ (d + 3)/4 = {share}.",
                *("spectral radius", "bound"),
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
            lyapunov.ABOVE_IDENTITY,
            lyapunov.decrease(linearised),
            *matrix.hypotheses(contraction, limit),
        ),
        divisors=(),
        proof=(
            *matrix.steps(),
            Step(
                "expanded",
                eta**2 * entries <= 2 * eta * trace,
                add(*expanded()),
                "M_b = I - ηH_b in the basis.",
            ),
            Step(
                "bound",
                eta**2 * spread <= limit,
                add(
                    Fact("expanded"),
                    Multiple(eta**2, MeanOf(RuleAt("orthonormal basis", "complete", (H_b(u),)))),
                    times(Square(eta), Norm(H(u) - mean * u)),
                    Multiple(eta**2 * mean**2, known("<u, u>")),
                    Square(1 - eta * mean),
                    *remainder(),
                ),
                "2m - m² ≤ 1 for u, and c - c² ≤ 1/4 for half of every other direction.",
            ),
        ),
        conclusion=("spectral radius", "bound"),
        witness=instance(dimension),
        quantities=(Quantity("bound", limit, "upper bound on (step_size s_2)^2"),),
        findings=(
            "Attained in the plane by the witness, whose Lyapunov and eigenmatrix is diag(2, 1)."
            if dimension == 2
            else "Other weights than 1/2 give a larger bound, so this Y is the best of its kind.",
        ),
    )


def instance(dimension: int) -> Witness:
    """The extremal example in the plane; elsewhere one curvature for each direction, turned."""
    unit = diagonal((1,) * dimension)
    vectors = {"u": unit[0], **{f"v_{i}": unit[i] for i in range(1, dimension)}}
    vectors |= {f"w_{i + 1}": unit[i] for i in range(dimension)}
    weights = (2, 1) if dimension == 2 else (1,) * dimension
    given = {f"c_{i + 1}": Fraction(weight) for i, weight in enumerate(weights)}
    if dimension == 2:
        given |= {"step_size": STEP_SIZE, "spectral_radius": ONE.value}
        return witness(given, vectors, PLANE, {"P": diagonal((2, 1))})
    half = Fraction(1, 2)
    factors = [1 - half * h for h in range(dimension)]
    square = sum((m * m for m in factors), start=Fraction(0)) / dimension
    given |= {"step_size": half, "spectral_radius": square}
    turned = [diagonal([(h + i) % dimension for h in range(dimension)]) for i in range(dimension)]
    return witness(given, vectors, turned, {"P": unit})


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
        Step(
            "s_2 bound",
            spread <= 1 / eta**2,
            UNPROVED,
            "s_2² is the largest of these over unit vectors u.",
        ),
    ),
    conclusion=("s_2 bound",),
    expected=Status.REFUTED,
    refutation=witness({"step_size": STEP_SIZE}, {"u": [1, 0]}, PLANE, {"P": [[2, 0], [0, 1]]}),
    repaired_by="sgd-stability-s2-dimension-2",
    findings=(
        "The largest ratio possible in the plane: η² s_2² = 5/4, by sgd-stability-s2-dimension-2.",
        "The bound s_2 ≤ 1/η does follow from the one-step condition: sam-stability-s2-sharp at "
        "ρ = 0.",
    ),
)

THEOREMS = (*(bound(dimension) for dimension in (2, 3, 4)), REFUTED)
