"""Mean-square stability a second time: numpy, every batch listed, full Kronecker matrices."""

from __future__ import annotations

from itertools import combinations, product

import numpy as np


def batch_means(matrices, size):
    """H_B for every batch."""
    return [sum(matrices[i] for i in b) / size for b in combinations(range(len(matrices)), size)]


def step_matrices(matrices, radius, size, kind):
    """K_b for every equally likely outcome: the step is x - eta K_b x."""
    if kind == "sample":  # each sample ascends on its own
        return batch_means([h + radius * h @ h for h in matrices], size)
    batches = batch_means(matrices, size)
    if kind == "same":
        return [h + radius * h @ h for h in batches]
    return [h @ (np.eye(len(h)) + radius * other) for h, other in product(batches, batches)]


def mean_square_radius(steps, step_size):
    """Spectral radius of X -> E[M X M'] from its full matrix."""
    kronecker = 0
    for k in steps:
        m = np.eye(len(k)) - step_size * k
        kronecker = kronecker + np.kron(m, m) / len(steps)
    return np.abs(np.linalg.eigvals(kronecker)).max()


def threshold(steps):
    """2 / lambda_max(C^+ D), from the full Kronecker matrices and the pseudo-inverse."""
    size = len(steps[0])
    mean = sum(steps) / len(steps)
    second = sum(np.kron(k, k) for k in steps) / len(steps)
    lyapunov = (np.kron(mean, np.eye(size)) + np.kron(np.eye(size), mean)) / 2
    pencil = np.linalg.pinv(lyapunov, rcond=1e-10) @ second
    return 2 / np.linalg.eigvals(pencil).real.max()


def one_step_threshold(steps):
    """Largest eta with lambda_max(E M'M) <= 1, by bisection."""
    size = len(steps[0])

    def holds(eta):
        second = sum((np.eye(size) - eta * k).T @ (np.eye(size) - eta * k) for k in steps) / len(
            steps
        )
        return np.linalg.eigvalsh(second)[-1] <= 1

    low, high = 0.0, 4 / np.linalg.eigvalsh(sum(steps) / len(steps))[-1]
    for _ in range(200):
        middle = (low + high) / 2
        low, high = (middle, high) if holds(middle) else (low, middle)
    return low


def directional_threshold(steps, points=20001):
    """min over the unit circle of 2 u'Ku / E(u'K_b u)^2: d = 2, by brute force."""
    angles = np.linspace(0, np.pi, points)
    u = np.stack([np.cos(angles), np.sin(angles)])
    forms = np.array([np.einsum("ip,ij,jp->p", u, k, u) for k in steps])
    return (2 * forms.mean(0) / (forms**2).mean(0)).min()
