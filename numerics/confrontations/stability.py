r"""Stability theorems at interpolating minima: exact Hessians against the theorems' own bounds.

Everything happens in the joint range of the $H_b$.  Beyond it $M_b = I$ and nothing moves, so an
eigenvalue 1 of $E M_b^2$ there is neither a reason for nor against stability.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction
from functools import cached_property

import torch
from numpy.polynomial import Polynomial
from torch import Tensor

from numerics.confrontations.registry import (
    AT_MINIMA,
    admits,
    assumed,
    computable,
    rules_of,
    unestablished,
)
from numerics.confrontations.verdicts import Point
from numerics.hessians import (
    Estimate,
    Moments,
    SampleHessians,
    mean_square_map,
    moments,
    step_polynomial,
)
from numerics.hessians.batches import batch_mean_powers
from numerics.hessians.spectra import extreme_eigenvalue
from numerics.hessians.steps import combine_powers
from numerics.stability.bounds import measured_power, order_of
from numerics.stability.laws import check_semidefinite
from theory.evaluation import evaluate, parameters, value
from theory.library import sam_stability_s2_sharp
from theory.proving.assumptions import positive_semidefinite
from theory.trusted.algorithms import SAM
from theory.trusted.notation import H, H_b, x_0
from theory.trusted.statements import Assumption, Condition, Dynamics, Theorem
from theory.trusted.terms import (
    Apply,
    Const,
    Inner,
    Mean,
    Named,
    Operator,
    Param,
    Power,
    Product,
    Scalar,
    Scale,
    Sum,
    Vector,
    VectorSum,
    nodes,
    norm2,
)

__all__ = ["Evaluator", "Site", "moment_points", "worst_growth"]

#: Step sizes as shares of 2/a, and radii as shares of the step size: from 1/2 on the published
#: bounds say nothing, and the sharp ones on s_3 and s_4 change form at 3/8 and beyond 3 and 7.
STEP_SHARES = (0.005, 0.02, 0.1, 0.3, 0.6, 0.9, 1.1, 1.4)
RADIUS_SHARES = (0.0, 0.1, 0.25, 0.4, 1.0, 8.0)
#: Times at which E|x_t|² is computed, for the worst starting point.
TIMES = (1, 2, 5, 10)
#: What an identity may be off by, relative: four products with H_b of some thousand terms each.
IDENTITY = 1e-11
ONE_STEP = assumed(sam_stability_s2_sharp.THEOREM, "one-step condition")
#: The rules that hold at every site, the one-step condition where a setting is admitted.
ESTABLISHED = rules_of(ONE_STEP, *(positive_semidefinite("H >= 0", each, "") for each in (H, H_b)))


@dataclass(frozen=True)
class Site:
    """A minimum of every sample, where the linearised dynamics is examined.

    Attributes:
        name: says which.
        hessians: of every sample, in the joint range.
        batch_size: samples in a batch, drawn without replacement.

    Raises:
        ValueError: if the Hessian of a sample is not positive semidefinite: theorems assume it.
    """

    name: str
    hessians: SampleHessians
    batch_size: int = 1

    def __post_init__(self) -> None:
        check_semidefinite(self.hessians)

    @cached_property
    def powers(self) -> tuple[Tensor, ...]:
        r"""$E[H_B^k]$ for k = 1, 2, 3, 4."""
        return tuple(batch_mean_powers(self.hessians, self.batch_size))

    @cached_property
    def moments(self) -> Moments:
        """Sharpness and non-uniformity."""
        return moments(self.hessians, batch_size=self.batch_size, method="dense")

    @cached_property
    def admitted(self) -> tuple[tuple[float, float], ...]:
        r"""The settings where the one-step condition $\lambda_{\max}(E M_B^2) \le 1$ holds."""
        return tuple(s for s in self.settings() if self.step_second_moment(*s).value <= 1)

    def step_second_moment(self, step_size: float, radius: float) -> Estimate:
        r"""$\lambda_{\max}(E M_B^2)$."""
        step = Polynomial(step_polynomial(step_size, radius))
        matrix, scale = combine_powers(self.powers, step**2)
        return extreme_eigenvalue(matrix, scale=scale)

    def settings(self) -> Iterator[tuple[float, float]]:
        """Step sizes and radii on both sides of the edge of stability."""
        for share in STEP_SHARES:
            step_size = share * 2 / self.moments.sharpness
            for of_step in RADIUS_SHARES:
                yield step_size, of_step * step_size

    def random_vector(self, generator: torch.Generator) -> Tensor:
        """A normal vector in the space of the parameters, drawn on the CPU for every device."""
        like = self.hessians
        return torch.randn(like.size, generator=generator, dtype=like.dtype).to(like.device)

    def where(self, step_size: float, radius: float, **more: float) -> dict[str, float | str]:
        """A setting as it is reported."""
        site: dict[str, float | str] = {"minimum": self.name, "batch_size": self.batch_size}
        return {**site, "step_size": step_size, "radius": radius, **more}


@AT_MINIMA.like(
    "sam-stability-expansion",
    words="both sides of the identity at a random vector, relative difference",
    because="one vector stands for all that are named",
    reads=("expansion",),
)
def expansion_points(theorem: Theorem, site: Site) -> Iterator[Point]:
    """The theorem's own expressions, every inner product in them measured sample by sample."""
    claim = theorem.proof[-1].claim
    generator = torch.Generator().manual_seed(0)
    vector = site.random_vector(generator)
    for step_size, radius in site.settings():
        at = Evaluator(site.hessians, vector, {"step_size": step_size, "radius": radius})
        left, right = float(at.scalar(claim.left)), float(at.scalar(claim.right))
        scale = max(abs(left), abs(right))
        yield Point(abs(left - right) / scale, 0.0, IDENTITY, site.where(step_size, radius))


class Evaluator:
    """Evaluates the expressions of a statement on measured Hessians, one vector for every name."""

    def __init__(self, hessians: SampleHessians, vector: Tensor, given: dict[str, float]) -> None:
        self.hessians, self.named, self.given = hessians, vector, given

    def scalar(self, tree: Scalar) -> Tensor:
        """A number, or one for every sample."""
        match tree:
            case Mean(argument):
                return self.scalar(argument).mean()
            case Inner(left, right):
                return (self.vector(left) * self.vector(right)).sum(-1)
            case Sum(parts):
                return torch.stack(torch.broadcast_tensors(*map(self.scalar, parts))).sum(0)
            case Product(parts):
                return torch.stack(torch.broadcast_tensors(*map(self.scalar, parts))).prod(0)
        return torch.as_tensor(value(tree, **self.given))

    def vector(self, tree: Vector) -> Tensor:
        """A vector, or one for every sample."""
        match tree:
            case Scale(coefficient, inner):
                return self.scalar(coefficient) * self.vector(inner)
            case VectorSum(parts):
                return torch.stack(torch.broadcast_tensors(*map(self.vector, parts))).sum(0)
            case Apply(operator, inner):
                return self.apply(operator, self.vector(inner))
        return self.named

    def apply(self, operator: Operator, vector: Tensor) -> Tensor:
        """H to one vector, or H_b to one vector or to each sample's own."""
        if vector.ndim == 1:
            product = self.hessians.matvec if operator.sampled else self.hessians.mean_matvec
            return product(vector)
        if not operator.sampled:
            return self.hessians.mean_matvec(vector.mT).mT
        return torch.diagonal(self.hessians.matvec(vector.mT), dim1=0, dim2=2).mT


@AT_MINIMA.like(
    "sam-stability-sufficient",
    words=f"exact E|x_t|² at t in {TIMES}, for the worst unit start, where the condition holds",
    because="the condition holds only at the settings that are looked for",
)
def step_points(_: Theorem, site: Site) -> Iterator[Point]:
    """The largest eigenvalues of T^t(I), T the mean-square map."""
    for step_size, radius in site.admitted:
        for time, growth in worst_growth(site, step_size, radius):
            yield Point(growth.value, 1.0, growth.error, site.where(step_size, radius, t=time))


def worst_growth(site: Site, step_size: float, radius: float) -> Iterator[tuple[int, Estimate]]:
    r"""$\max_{\|x_0\| = 1} E\|x_t\|^2 = \lambda_{\max}(T^t(I))$ at the chosen times."""
    apply = mean_square_map(site.hessians, step_size, radius)
    matrix = torch.eye(site.hessians.size, dtype=site.hessians.dtype, device=site.hessians.device)
    for time in range(1, max(TIMES) + 1):
        matrix = apply(matrix)
        if time in TIMES:
            yield time, extreme_eigenvalue(matrix, scale=time * float(matrix.norm()))


@AT_MINIMA.like(
    "sam-stability-sharpness",
    words=f"R^(2t) against the exact worst E|x_t|² at t in {TIMES}, where the bound on a is "
    "violated",
    because="it starts at an eigenvector, and the worst start is measured",
    ignores=("left", "limit"),
)
def sharpness_points(theorem: Theorem, site: Site) -> Iterator[Point]:
    """The proved growth against the exact one."""
    a = site.moments.sharpness
    for step_size, radius in site.settings():
        growth = evaluate(theorem, "growth", a=a, step_size=step_size, radius=radius)
        if not growth.covered:
            continue
        for time, worst in worst_growth(site, step_size, radius):
            proved = float(growth.value) ** (2 * time)
            # the error of a enters R^(2t) with the factor 2t
            error = worst.error + 2 * time * proved * site.moments.sharpness_error / a
            yield Point(proved, worst.value, error, site.where(step_size, radius, t=time))


def moment_lacks(theorem: Theorem) -> tuple[str, ...] | None:
    r"""What a theorem lacks for `moment_points`; None if it does not bound a power of one s_k.

    It claims that s_k^n is at most its quantity `bound`, for
    $s_k^k = \langle u, (E H_b^k - H^k)u\rangle$ at a unit vector u, under the one-step condition.
    """
    bound = next((q.expression for q in theorem.quantities if q.name == "bound"), None)
    claims = {step.name: step.claim for step in theorem.proof}
    claim = next((claim for claim in claims.values() if claim.right == bound), None)
    if bound is None or claim is None or claim not in [claims[n] for n in theorem.conclusion]:
        return None
    match claim.left:
        case Power(Param(("s_2" | "s_3" | "s_4") as name), int(power)) if power > 0:
            s, order = Param(name), int(name[2:])
        case _:
            return None
    if claim.sign == "==":
        return None
    stated = {h.relation for h in theorem.hypotheses if isinstance(h, Condition)}
    rules = rules_of(*(h for h in theorem.hypotheses if isinstance(h, Assumption)))
    unit = [
        u
        for u in nodes(theorem.hypotheses)
        if isinstance(u, Named)
        and norm2(u).equals(1) in stated
        and (s**order).equals(gap(order, u)) in stated
    ]
    known = {"step_size", "radius", "contact"}
    lacks = []
    if theorem.dynamics not in (None, Dynamics(SAM, H, x_0)):
        lacks.append("it is about another algorithm, or another minimum, than SAM at the origin")
    if not rules_of(ONE_STEP) <= rules:
        lacks.append("it does not assume the one-step condition")
    if not unit:
        lacks.append(f"it does not define {name} at a unit vector")
    else:
        granted = {norm2(unit[0]).equals(1), (s**order).equals(gap(order, unit[0]))}
        lacks += unestablished(
            theorem, ESTABLISHED, known, {*granted, s >= Const(Fraction(0))}.__contains__
        )
    if len([n for n in parameters(theorem) if n.startswith("s_")]) > 1:
        lacks.append("it speaks of more than one s_k")
    if not computable(theorem, bound, known):
        lacks.append("its bound has parameters that no equation determines")
    return tuple(lacks)


def gap(order: int, u: Vector) -> Scalar:
    r"""$\langle u, (E H_b^k - H^k)u\rangle$."""
    powers = [u, u]
    for _ in range(order):
        powers = [H_b(powers[0]), H(powers[1])]
    return Mean(Inner(u, powers[0])) - Inner(u, powers[1])


def moment_words(theorem: Theorem) -> str:
    """What `moment_points` measures."""
    order = order_of(theorem)
    return f"s_{order}^{order} against its bound, where the one-step condition holds"


@AT_MINIMA.shape(moment_lacks, moment_words)
def moment_points(theorem: Theorem, site: Site) -> Iterator[Point]:
    """Where the one-step condition holds, the theorem's own left side as measured, and its bound.

    A theorem with a free parameter `contact` gives a bound for every one; this is the one of the
    closed form, next to the best.
    """
    power = measured_power(theorem, site.moments)
    family = "contact" in parameters(theorem)
    for step_size, radius in site.admitted:
        ratio = radius / step_size
        given = {"step_size": step_size, "radius": radius}
        if family:
            given["contact"] = (1 - ratio) ** 2 + ratio**2
        allowed = evaluate(theorem, "bound", **given)
        if allowed.covered and admits(theorem, given):
            where = site.where(step_size, radius)
            yield Point(power.value, float(allowed.value), power.error, where)
