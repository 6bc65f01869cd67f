"""Hessians and their moments, typed a second time: numpy, explicit loops, no structure used."""

from __future__ import annotations

import itertools

import numpy as np


def perceptron_gradient(point, widths, x, y, loss):
    """Gradient of one sample's loss for a tanh perceptron; `point` may be complex.

    Parameters in the order weight (row by row), bias, layer by layer.
    """
    weights, biases, start = [], [], 0
    for inputs, outputs in itertools.pairwise(widths):
        weights.append(point[start : start + inputs * outputs].reshape(outputs, inputs))
        start += inputs * outputs
        biases.append(point[start : start + outputs])
        start += outputs
    layers = [np.asarray(x)]
    for weight, bias in zip(weights[:-1], biases[:-1], strict=True):
        layers.append(np.tanh(weight @ layers[-1] + bias))
    z = weights[-1] @ layers[-1] + biases[-1]
    if loss == "square":
        delta = z - y
    else:
        exponentials = np.exp(z)
        delta = exponentials / exponentials.sum()
        delta[y] -= 1
    pieces = []
    for level in reversed(range(len(weights))):
        pieces.append((np.outer(delta, layers[level]).ravel(), delta))
        delta = (weights[level].T @ delta) * (1 - layers[level] ** 2)
    return np.concatenate([part for weight_bias in reversed(pieces) for part in weight_bias])


def perceptron_hessian(point, widths, x, y, loss):
    """One sample's Hessian by the complex step: no subtraction, hence no cancellation.

    Im g(x + i h e) / h = H e + O(h^2); with h = 1e-30 the error is round-off alone.
    """
    h = 1e-30
    rows = []
    for index in range(len(point)):
        shifted = point.astype(complex)
        shifted[index] += 1j * h
        rows.append(perceptron_gradient(shifted, widths, x, y, loss).imag / h)
    return np.array(rows)


def central_difference_hessian(gradient, point, h):
    """(g(x + h e) - g(x - h e)) / 2h, column by column."""
    columns = []
    for index in range(len(point)):
        unit = np.zeros(len(point))
        unit[index] = h
        columns.append((gradient(point + unit) - gradient(point - unit)) / (2 * h))
    return np.array(columns)


def one_hidden_unit_hessian(w, b, v, c, x, y):
    """Of (v tanh(w x + b) + c - y)^2 / 2 in the order w, b, v, c, differentiated by hand."""
    t = np.tanh(w * x + b)
    t1, t2 = 1 - t**2, -2 * t * (1 - t**2)
    r = v * t + c - y
    j = np.array([v * t1 * x, v * t1, t, 1.0])
    second = np.zeros((4, 4))
    second[0, 0] = v * t2 * x * x
    second[0, 1] = second[1, 0] = v * t2 * x
    second[1, 1] = v * t2
    second[0, 2] = second[2, 0] = t1 * x
    second[1, 2] = second[2, 1] = t1
    return np.outer(j, j) + r * second


def batch_matrices(matrices, batch_size, replacement=False):
    """Mean matrix of every batch, all equally likely."""
    places = range(len(matrices))
    if replacement:
        batches = itertools.product(places, repeat=batch_size)
    else:
        batches = itertools.combinations(places, batch_size)
    return np.array([matrices[list(batch)].mean(0) for batch in batches])


def moment_roots(matrices):
    """(a, s_2, s_3, s_4) of a list of equally likely symmetric matrices."""
    mean = matrices.mean(0)
    values = [np.linalg.eigvalsh(mean)[-1]]
    for k in (2, 3, 4):
        average = np.mean([np.linalg.matrix_power(m, k) for m in matrices], axis=0)
        top = np.linalg.eigvalsh(average - np.linalg.matrix_power(mean, k))[-1]
        values.append(max(top, 0.0) ** (1 / k))
    return np.array(values)


def step_matrices(matrices, step_size, radius):
    """I - eta H (I + rho H) for each matrix."""
    eye = np.eye(matrices.shape[1])
    return np.array([eye - step_size * m @ (eye + radius * m) for m in matrices])


def mean_square_radius(matrices, step_size, radius):
    """Spectral radius of E[M kron M], a d^2 x d^2 matrix, on the joint range of the matrices."""
    values, vectors = np.linalg.eigh(np.mean([m @ m for m in matrices], axis=0))
    kept = vectors[:, values > 1e-10 * values[-1]]
    inside = np.array([kept.T @ m @ kept for m in matrices])
    steps = step_matrices(inside, step_size, radius)
    return np.abs(np.linalg.eigvals(np.mean([np.kron(m, m) for m in steps], axis=0))).max()
