"""Least squares a second time: numpy, sample by sample, from the definitions."""

from __future__ import annotations

from itertools import combinations, product

import numpy as np


def batch_gradient(a, b, x, batch):
    return sum((a[i] @ x - b[i]) * a[i] for i in batch) / len(batch)


def sam_step(a, b, x, eta, rho, batch, ascent_batch, normalized=False):
    ascent = batch_gradient(a, b, x, ascent_batch)
    size = np.sqrt(ascent @ ascent)
    if normalized:
        ascent = ascent / size if size > 0 else 0 * ascent
    return x - eta * batch_gradient(a, b, x + rho * ascent, batch)


def mean_loss(a, b, x):
    return sum((row @ x - target) ** 2 for row, target in zip(a, b, strict=True)) / (2 * len(b))


def enumerated_losses(a, b, x, *settings, **algorithm):
    """E f(x_t) as the plain average over every sequence of batches."""
    return enumerated(lambda point: mean_loss(a, b, point), a, b, x, *settings, **algorithm)


def enumerated_distances(a, b, x, *settings, **algorithm):
    """E|x_t - x*|², x* being the solution nearest to x_0, over every sequence of batches."""
    best = x + np.linalg.lstsq(a, b - a @ x, rcond=None)[0]
    return enumerated(lambda y: (y - best) @ (y - best), a, b, x, *settings, **algorithm)


def enumerated(measure, a, b, x, eta, rho, steps, size, *, normalized=False, fresh=False):
    """The mean of a function of x_t over every sequence of batches."""
    batches = list(combinations(range(len(b)), size))
    pairs = list(product(batches, batches)) if fresh else [(batch, batch) for batch in batches]
    points, curve = [x], [measure(x)]
    for _ in range(steps):
        points = [
            sam_step(a, b, point, eta, rho, batch, ascent, normalized)
            for point in points
            for batch, ascent in pairs
        ]
        curve.append(np.mean([measure(point) for point in points]))
    return np.array(curve)
