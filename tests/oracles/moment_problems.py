r"""The largest $E\,T^k - (E\,T)^k$ under SAM's one-step condition, by linear programming.

Along a unit vector the condition is $E\,(1 - T - rT^2)^2 \le 1$ for a random $T \ge 0$.  The law is
put on a grid, and on one more atom: a mass $\varepsilon$ at $N \to \infty$ with
$\varepsilon N^4 = z$, which adds $r^2z$ to the condition, $z$ to $E\,T^4$ and nothing to the rest.
"""

from __future__ import annotations

import cvxpy as cp
import numpy as np


def largest_gap(order: int, ratio: float, rounds: int = 2) -> float:
    r"""The largest $E\,T^k - (E\,T)^k$ over laws on a grid: never above the true supremum.

    Args:
        order: k, 3 or 4.
        ratio: $r = \rho/\eta$, positive.
        rounds: how often the grid is refined around the heaviest atoms of the last optimum.  The
            first spacing is 1/300 of the range, each round divides it by 15, and the value is
            off by the square of the last spacing times a curvature.
    """
    edge = (np.sqrt(1 + 8 * ratio) - 1) / (2 * ratio)
    top = 2 * edge + 2 / ratio  # above both points of the best law for k = 3
    grid = np.linspace(0, top, 301)
    for spacing in top / 300 / 15 ** np.arange(1, rounds + 1):
        _, weights = on_grid(order, ratio, grid)
        heaviest = grid[np.argsort(weights)[-8:]]
        near = heaviest[:, None] + spacing * np.arange(-20, 21)
        grid = np.unique(np.clip(near, 0, None))
    value, _ = on_grid(order, ratio, grid)
    return value


def on_grid(order: int, ratio: float, grid: np.ndarray) -> tuple[float, np.ndarray]:
    """The optimum over the laws on a grid with an atom at infinity, and the weights by size."""
    excess = (1 - grid - ratio * grid**2) ** 2 - 1
    scale = 1 / (1 + np.abs(excess))  # far atoms have small weights: make the variables alike
    scaled, escaping = cp.Variable(len(grid), nonneg=True), cp.Variable(nonneg=True)
    weights = cp.multiply(scale, scaled)
    moment = grid**order @ weights + (escaping / ratio**2 if order == 4 else 0)
    problem = cp.Problem(
        cp.Maximize(moment - cp.power(grid @ weights, order)),
        [cp.sum(weights) == 1, excess @ weights + escaping <= 0],
    )
    problem.solve(cp.CLARABEL)
    assert problem.status == cp.OPTIMAL, problem.status
    return float(problem.value), np.asarray(scaled.value)
