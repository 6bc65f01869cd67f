r"""The linearised step as a random matrix: $x^+ = (I - \eta K_b)x$ in the joint range of the $H_b$.

Unnormalised SAM that ascends and descends on one batch is SGD on the surrogate Hessians
$K_b = H_b + \rho H_b^2$.  All that mean-square stability asks of the law of $K_b$ is its mean and
the map $X \mapsto E[K_b X K_b^\top]$ on symmetric matrices; this module gives both, without drawing
or listing a batch.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from numerics.checks import check_count, check_nonnegative
from numerics.hessians import SampleHessians, step_polynomial
from numerics.hessians.batches import word_weights
from numerics.stability.words import BatchSquares
from theory.trusted.algorithms import SAM, SamSpec

__all__ = ["RANGE_TOLERANCE", "StepLaw", "check_semidefinite", "joint_range", "step_law"]

#: An eigenvalue of $E H_b$, or of a sample, below this share of the largest counts as zero.
RANGE_TOLERANCE = 1e-12

Map = Callable[[Tensor], Tensor]


@dataclass(frozen=True)
class StepLaw:
    r"""What mean-square stability needs of $K_b$, in the eigenbasis of $E K_b$ on the joint range.

    Attributes:
        curvatures: eigenvalues of $E K_b$, shape (R,), all positive.
        directions: orthonormal eigenvectors in the caller's coordinates, shape (d, R).
        congruence: $X \mapsto E[K_b X K_b^\top]$ on symmetric matrices of shape (R, R).
        along: $u \mapsto E[K_b u u^\top K_b^\top]\,u$, shape (R,) to itself.
        symmetric: whether every $K_b$ is, so that `congruence` is its own adjoint.
        radius: $\rho$.
        batch_size: samples in a batch, drawn without replacement.
        name: of the algorithm.
    """

    curvatures: Tensor
    directions: Tensor
    congruence: Map
    along: Map
    symmetric: bool
    radius: float
    batch_size: int
    name: str

    @property
    def dimension(self) -> int:
        """R, the dimension of the joint range."""
        return len(self.curvatures)

    def mean_product(self, matrix: Tensor) -> Tensor:
        r"""$C X = (\bar K X + X \bar K) / 2$ with $\bar K = E K_b$."""
        return 0.5 * (self.curvatures[:, None] + self.curvatures) * matrix


def joint_range(hessians: SampleHessians) -> tuple[SampleHessians, Tensor]:
    r"""The Hessians on their joint range, the range of $E H_b$ (for $H_b \succeq 0$).

    Returns:
        The restricted Hessians, of size R, and the orthonormal directions, shape (d, R).

    Raises:
        ValueError: if all Hessians vanish, or one is not positive semidefinite.
    """
    check_semidefinite(hessians)
    values, vectors = torch.linalg.eigh(hessians.mean_power(1))
    top = float(values[-1])
    if not top > 0:
        raise ValueError(f"the mean Hessian has no positive eigenvalue ({top:g}): nothing moves")
    directions = vectors[:, values > RANGE_TOLERANCE * top]
    return hessians.restricted(directions), directions


def check_semidefinite(hessians: SampleHessians) -> None:
    r"""Refuse Hessians that are not positive semidefinite, each by itself.

    Their mean does not tell: it can be, where every sample has a direction that grows.

    Raises:
        ValueError: if an eigenvalue of one is below -1e-12 times the largest of all.
    """
    cores = hessians.cores
    if hessians.basis.gram() is None:  # Cholesky takes a tenth of the time
        room = RANGE_TOLERANCE * cores.diagonal(dim1=1, dim2=2).max().clamp(min=0)
        identity = torch.eye(hessians.size, dtype=cores.dtype, device=cores.device)
        if not bool(torch.linalg.cholesky_ex(cores + room * identity).info.any()):
            return
    lowest, highest = hessians.extreme_eigenvalues()
    top = max(float(highest.max()), -float(lowest.min()))
    growing = lowest < -RANGE_TOLERANCE * top
    if bool(growing.any()):
        worst = int(lowest.argmin())
        raise ValueError(
            f"the Hessian of sample {worst} has an eigenvalue of {float(lowest[worst]) / top:.3g} "
            f"times the largest of all samples, and {int(growing.sum())} of {len(lowest)} are not "
            "positive semidefinite: stability is about minima of every sample; train on to "
            "interpolation, or take per_sample(..., part='gauss_newton'), equal there and "
            "semidefinite everywhere"
        )


def step_law(
    hessians: SampleHessians,
    radius: float = 0.0,
    spec: SamSpec = SAM,
    *,
    batch_size: int = 1,
    ascent_per_sample: bool = False,
) -> StepLaw:
    r"""The law of $K_b$ for SGD or unnormalised SAM with batches of B drawn without replacement.

    - same batch: $K_B = H_B + \rho H_B^2$, from the words of up to four letters in the $H_i$;
    - ascent per sample (m-sharpness, m = 1): $K_B = \frac1B\sum_{i \in B} (H_i + \rho H_i^2)$;
    - independent ascent batch (`spec.fresh_batch`): $K = H_B (I + \rho H_{B'})$, not symmetric.

    Args:
        hessians: positive semidefinite $H_i$ at an interpolating minimum, d parameters.
        radius: $\rho \ge 0$; 0 is SGD.
        spec: an unnormalised algorithm; a deterministic one takes the full batch.
        batch_size: B, in 1 ... n.
        ascent_per_sample: whether each sample of the batch has an ascent step of its own.

    Raises:
        ValueError: if an argument is out of range, the Hessians are not positive semidefinite, the
            algorithm is not linear in the gradient, or memory does not suffice.
    """
    check_nonnegative("radius", radius)
    n = hessians.samples
    size = check_count("batch_size", batch_size, most=n) if spec.stochastic else n
    if spec.fresh_batch and ascent_per_sample:
        raise ValueError("a fresh ascent batch has no ascent per sample: choose one of the two")
    one_batch = replace(spec, fresh_batch=False)
    surrogate = [0.0, *(-c for c in step_polynomial(1.0, radius, one_batch)[1:])]
    inside, directions = joint_range(hessians)
    build = _per_sample if size == 1 or ascent_per_sample or len(surrogate) == 2 else _same_batch
    build = _fresh_ascent if spec.fresh_batch and len(surrogate) > 2 else build
    curvatures, axes = torch.linalg.eigh(_mean(inside, surrogate, size, build))
    congruence, along = build(inside.restricted(axes), surrogate, size)
    return StepLaw(
        curvatures,
        directions @ axes,
        congruence,
        along,
        symmetric=build is not _fresh_ascent,
        radius=float(radius),
        batch_size=size,
        name=spec.name,
    )


def _mean(inside: SampleHessians, surrogate: list[float], size: int, build: object) -> Tensor:
    r"""$E K_b$; $E H_B^2$ is a mixture of $E H_i^2$ and $H^2$, and only $H^2$ for a fresh batch."""
    mean = inside.mean_power(1)
    if len(surrogate) == 2 or build is _per_sample:
        return inside.mean_polynomial(surrogate)
    weights = {"aa": 0.0, "ab": 1.0}
    if build is _same_batch:
        weights = word_weights(2, inside.samples, size)
    square = weights["ab"] * mean @ mean + weights["aa"] * inside.mean_power(2)
    total = surrogate[1] * mean + surrogate[2] * square
    return 0.5 * (total + total.T)


def _per_sample(inside: SampleHessians, surrogate: list[float], size: int) -> tuple[Map, Map]:
    r"""$(1-p)\,G X G + p\,E[G_i X G_i]$ with $p = (n-B)/(B(n-1))$, where $G_B$ averages $G_i$."""
    own = word_weights(2, inside.samples, size)["aa"]
    core = inside.polynomial_core(surrogate)
    each = SampleHessians(inside.basis, core, memory_limit=inside.memory_limit)
    mean = each.mean_power(1).diagonal().clone()

    def congruence(matrix: Tensor) -> Tensor:
        mixed = (1 - own) * mean[:, None] * matrix * mean
        return mixed + own * inside.mean_congruence(matrix, core)

    def along(vector: Tensor) -> Tensor:
        products = each.matvec(vector)
        mixed = (1 - own) * (vector @ (mean * vector)) * (mean * vector)
        return mixed + own * ((products @ vector) @ products) / inside.samples

    return congruence, along


def _same_batch(inside: SampleHessians, surrogate: list[float], size: int) -> tuple[Map, Map]:
    r"""$E[G_B X G_B]$ for $G_B = c_1 H_B + c_2 H_B^2$."""
    return _with_along(BatchSquares(inside, surrogate[1], surrogate[2], size))


def _fresh_ascent(inside: SampleHessians, surrogate: list[float], size: int) -> tuple[Map, Map]:
    r"""$E[H_B A X A H_B]$ with $A = c_1 I + c_2 H_{B'}$ independent of $H_B$: two maps in turn."""
    own = word_weights(2, inside.samples, size)["aa"]
    core, mean = inside.cores, inside.mean_power(1)
    first, second = surrogate[1:]

    def descent(matrix: Tensor) -> Tensor:
        return (1 - own) * mean @ matrix @ mean + own * inside.mean_congruence(matrix, core)

    def congruence(matrix: Tensor) -> Tensor:
        cross = first * second * mean @ matrix
        return descent(first**2 * matrix + cross + cross.T + second**2 * descent(matrix))

    return _with_along(congruence)


def _with_along(congruence: Map) -> tuple[Map, Map]:
    return congruence, lambda vector: congruence(torch.outer(vector, vector)) @ vector
