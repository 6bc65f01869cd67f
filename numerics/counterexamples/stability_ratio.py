r"""How far s_2 can exceed 1/η at a minimum that is mean-square stable for SGD.

SGD on the quadratics $H_b$ is mean-square stable for step sizes up to
$$ \eta_{\max} = 1/\lambda, \qquad
   \lambda = \max_Y \frac{E\,\mathrm{tr}(Y H_b Y H_b)}{2\,\mathrm{tr}(H Y^2)}, \quad H = E H_b, $$
over symmetric Y: the largest eigenvalue of a symmetric pencil on symmetric matrices.  Its
eigenmatrix at $\eta_{\max}$ is the Perron matrix of $X \mapsto E\,M_b X M_b$.  The ratio
$\eta_{\max}^2 \lambda_{\max}(E H_b^2 - H^2)$ does not change when all $H_b$ are scaled; it is
maximised over $H_b = L_b L_b^{\mathsf T}$ by a quasi-Newton method from random starts.

Source: Mulayoff and Michaeli 2024, for the threshold; the ratio is bounded by the theorems
`sgd-stability-s2-dimension-*`.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import minimize

from numerics.checks import check_count

__all__ = ["RatioSearch", "SgdThreshold", "largest_ratio", "log_ratio", "threshold"]

Floats = NDArray[np.float64]
#: Below this share of the largest one, an eigenvalue of H ⊕ H counts as zero.
NEGLIGIBLE = 1e-9
#: Restarts that end this close to the best one, relative, found the same maximum.
SAME = 1e-6
ITERATIONS = 400


@dataclass(frozen=True)
class SgdThreshold:
    r"""The exact mean-square threshold of SGD.

    Attributes:
        step_size: $\eta_{\max}$.
        matrix: the Perron matrix Y there, symmetric, shape (d, d), unit Frobenius norm.
        residual: Frobenius norm of $E\,M_b Y M_b - Y$ at $\eta_{\max}$.
    """

    step_size: float
    matrix: Floats = field(repr=False)
    residual: float


@dataclass(frozen=True)
class RatioSearch:
    r"""The largest ratio $\eta^2 s_2^2$ that was found.

    Attributes:
        samples: n.
        dimension: d.
        rank: the largest rank of a sample's matrix.
        seed: of the starting points.
        restarts: how many starting points were tried.
        hits: how many of them ended at the largest ratio, within `SAME`.
        ratio: the ratio at the stability threshold of the best instance.
        residual: of that threshold, see `Threshold`.
        curvatures: the matrices $\eta_{\max} H_b$, shape (n, d, d), in coordinates whose first
            axis is the direction of s_2.
    """

    samples: int
    dimension: int
    rank: int
    seed: int
    restarts: int
    hits: int
    ratio: float
    residual: float
    curvatures: Floats = field(repr=False)


def threshold(curvatures: Floats) -> SgdThreshold:
    """The largest mean-square stable step size of SGD on quadratics.

    Args:
        curvatures: symmetric positive semidefinite matrices H_b, shape (n, d, d), float64; not
            all zero.

    Raises:
        ValueError: for another shape, or if all of them are zero.
    """
    if curvatures.ndim != 3 or curvatures.shape[1] != curvatures.shape[2]:
        raise ValueError(f"curvatures have shape {curvatures.shape}: give n matrices (n, d, d)")
    n, d, _ = curvatures.shape
    mean, unit = curvatures.mean(0), np.eye(d)
    both = np.kron(mean, unit) + np.kron(unit, mean)
    squares = np.einsum("nij,nkl->ikjl", curvatures, curvatures).reshape(d * d, d * d) / n
    values, vectors = np.linalg.eigh(both)
    if values[-1] <= 0:
        raise ValueError("all curvatures are zero: every step size is stable")
    kept = values > NEGLIGIBLE * values[-1]
    basis = vectors[:, kept] / np.sqrt(values[kept])
    eigenvalues, eigenvectors = np.linalg.eigh(basis.T @ squares @ basis)
    matrix = (basis @ eigenvectors[:, -1]).reshape(d, d)
    matrix = matrix + matrix.T
    matrix /= np.linalg.norm(matrix) * (1 if np.trace(matrix) > 0 else -1)
    step = unit - curvatures / eigenvalues[-1]
    residual = float(np.linalg.norm((step @ matrix @ step).mean(0) - matrix))
    return SgdThreshold(1 / float(eigenvalues[-1]), matrix, residual)


def log_ratio(factors: Floats) -> tuple[float, Floats]:
    r"""$\log(\eta_{\max}^2 s_2^2)$ and its gradient.

    Args:
        factors: the $L_b$, shape (n, d, r), float64.

    Returns:
        The value, and the gradient of the same shape as `factors`; the gradient is that of one
        branch where eigenvalues coincide.
    """
    curvatures = factors @ factors.transpose(0, 2, 1)
    n, mean = len(curvatures), curvatures.mean(0)
    stable = threshold(curvatures)
    y, rate = stable.matrix, 1 / stable.step_size
    spread, directions = np.linalg.eigh((curvatures @ curvatures).mean(0) - mean @ mean)
    u = np.outer(directions[:, -1], directions[:, -1])
    of_spread = curvatures @ u + u @ curvatures - mean @ u - u @ mean
    of_rate = 2 * (y @ curvatures @ y - rate * y @ y) / (2 * np.trace(mean @ y @ y))
    gradient = (of_spread / spread[-1] - 2 * of_rate / rate) / n
    return float(np.log(spread[-1]) - 2 * np.log(rate)), 2 * gradient @ factors


def largest_ratio(
    samples: int, dimension: int, rank: int, *, restarts: int = 30, seed: int = 0
) -> RatioSearch:
    """Search for the largest ratio with this many samples of this dimension and rank.

    Args:
        samples: n, at least 2.
        dimension: d.
        rank: at most d.
        restarts: how many random starting points.
        seed: of the starting points.

    Raises:
        ValueError: for a number of samples, a rank or a number of restarts that makes no sense.
    """
    check_count("samples", samples, least=2)
    check_count("dimension", dimension)
    check_count("rank", rank, most=dimension)
    check_count("restarts", restarts)
    found = list(_maxima((samples, dimension, rank), restarts, seed))
    best, factors = max(found, key=lambda pair: pair[0])
    curvatures = factors @ factors.transpose(0, 2, 1)
    stable = threshold(curvatures)
    curvatures = stable.step_size * curvatures
    mean = curvatures.mean(0)
    _, directions = np.linalg.eigh((curvatures @ curvatures).mean(0) - mean @ mean)
    axes = directions[:, ::-1]
    return RatioSearch(
        samples=samples,
        dimension=dimension,
        rank=rank,
        seed=seed,
        restarts=restarts,
        hits=sum(value > best - SAME for value, _ in found),
        ratio=float(np.exp(best)),
        residual=stable.residual,
        curvatures=axes.T @ curvatures @ axes,
    )


def _maxima(
    shape: tuple[int, int, int], restarts: int, seed: int
) -> Iterator[tuple[float, Floats]]:
    """Local maxima of the ratio's logarithm, from random starts."""
    generator = np.random.default_rng(seed)

    def negative(flat: Floats) -> tuple[float, Floats]:
        value, gradient = log_ratio(flat.reshape(shape))
        return -value, -gradient.ravel()

    for _ in range(restarts):
        scales = generator.uniform(0.2, 2, (shape[0], 1, 1))
        start = (generator.standard_normal(shape) * scales).ravel()
        end = minimize(
            negative, start, jac=True, method="L-BFGS-B", options={"maxiter": ITERATIONS}
        )
        yield -float(end.fun), end.x.reshape(shape)
