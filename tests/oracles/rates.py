"""Rates of SAM typed a second time, and the worst case of a step on given quadratics."""

import itertools

import cvxpy as cp
import numpy as np
from scipy.linalg import eigh


def square_root_factor(step_size, radius, beta, L, mu):
    """The factor of two angles, as the certificate's weight gives it before it is simplified."""
    q = beta * radius
    inside = beta * (mu * (1 - 2 * L * step_size) + beta * L**2 * step_size**2)
    quadratic = beta * L * step_size**2 * (1 + q**2)
    return 1 - 2 * step_size * mu + quadratic + 2 * step_size * q * np.sqrt(inside)


def sine_factor(tilt, spread, L, mu):
    """1 - (μ/L) sin²(arcsin √(μ/c) - arcsin σ)."""
    return 1 - mu / L * np.sin(np.arcsin(np.sqrt(mu / spread)) - np.arcsin(tilt)) ** 2


def batches(matrices, size):
    """The mean matrices of all batches without replacement."""
    groups = itertools.combinations(range(len(matrices)), size)
    return [np.mean([matrices[i] for i in group], axis=0) for group in groups]


def worst_ratio(matrices, weight, step_size, radius):
    """The largest E x⁺'W x⁺ / x'W x of a step of SAM on f_b = x'H_b x/2."""
    eye = np.eye(len(weight))
    steps = [eye - step_size * H @ (eye + radius * H) for H in matrices]
    after = np.mean([M.T @ weight @ M for M in steps], axis=0)
    return eigh(after, weight, eigvals_only=True)[-1]


def random_matrices(rng, count, size):
    """Positive semidefinite matrices of rank 1 up to full, with a definite mean."""
    roots = [rng.normal(size=(size, rng.integers(1, size + 1))) for _ in range(count)]
    return [root @ root.T for root in roots]


def huber(slope, x):
    """Value and derivative of a 1-smooth convex function that is linear beyond `slope`."""
    inside = np.abs(x) <= slope
    return (
        np.where(inside, x**2 / 2, slope * np.abs(x) - slope**2 / 2),
        np.clip(x, -slope, slope),
    )


def decrement_with_a_lead_point(mu, step_size, radius, n=4):
    """What E f surely loses in a step if beta = L = f(x) = 1, by performance estimation.

    Component j is looked at in x, in its own perturbed point x + rho grad f_j(x), and in that of
    the mean, x + rho grad f(x), where f is PL as well; the step itself is bounded by the descent
    lemma.  The gradients at these points are the rows of three n x n blocks of the identity.
    """
    own, ahead, lead = np.split(np.eye(3 * n), 3)
    gram = cp.Variable((3 * n, 3 * n), PSD=True)
    values = cp.Variable((3, n))

    def inner(a, b):
        return cp.sum(cp.multiply(gram, (np.outer(a, b) + np.outer(b, a)) / 2))

    mean = own.mean(axis=0)
    rows = [cp.sum(values[0]) == n]
    for block, value in ((own, values[0]), (lead, values[2])):
        rows.append(inner(block.mean(axis=0), block.mean(axis=0)) >= 2 * mu * cp.sum(value) / n)
    for j in range(n):
        points = [0 * mean, radius * own[j], radius * mean]
        slopes = [own[j], ahead[j], lead[j]]
        rows += [values[a, j] >= inner(slopes[a], slopes[a]) / 2 for a in range(3)]
        for a, b in itertools.permutations(range(3), 2):
            move, turn = points[a] - points[b], slopes[a] - slopes[b]
            bend = inner(turn, turn) - inner(move, move) + 2 * inner(turn, move)
            rows.append(values[a, j] >= values[b, j] + inner(slopes[b], move) + bend / 4)
    squares = sum(inner(h, h) for h in ahead) / n
    loss = -step_size * inner(mean, ahead.mean(axis=0)) + step_size**2 / 2 * squares
    problem = cp.Problem(cp.Maximize(loss), rows)
    problem.solve(solver=cp.CLARABEL)
    assert problem.status == cp.OPTIMAL
    return -problem.value
