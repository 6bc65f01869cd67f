"""Matrix factorisation against its formula, and exact descent on it."""

import numpy as np
import pytest
import torch

from numerics.networks.matrix_factorisation import MatrixFactorisation
from numerics.training.to_loss import Member, train_ensemble
from theory import GD

PROBLEM = MatrixFactorisation(width=4, rows=6, columns=5, rank=2)


def factors(model):
    v, u = (layer.weight.detach().numpy() for layer in model)
    return u, v


def test_matrix_has_the_stated_rank_and_norm():
    values = np.linalg.svd(PROBLEM.targets.numpy().T, compute_uv=False)
    assert PROBLEM.targets.shape == (5, 6)
    assert values[0] == pytest.approx(1.0, rel=1e-13)
    assert (values[:2] > 1e-3).all() and (values[2:] < 1e-14).all()


def test_losses_are_distances_of_columns():
    model = PROBLEM.build(0)
    u, v = factors(model)
    found = PROBLEM.loss(model(PROBLEM.inputs), PROBLEM.targets).detach().numpy()
    expected = ((u @ v - PROBLEM.targets.numpy().T) ** 2).sum(0) / 2
    np.testing.assert_allclose(found, expected, rtol=1e-13)  # two orders of the same sums
    assert PROBLEM.size == u.size + v.size == sum(p.numel() for p in model.parameters())


def test_descent_equals_the_gradient_formula():
    """U' = U - eta E V^T / n and V' = V - eta U^T E / n with E = U V - A."""
    (run,) = train_ensemble(
        PROBLEM.build,
        PROBLEM.loss,
        PROBLEM.inputs,
        PROBLEM.targets,
        [Member(1, GD, 0.3)],
        target_loss=1e-300,
        max_steps=30,
    )
    u, v = factors(PROBLEM.build(1))
    for _ in range(30):
        error = (u @ v - PROBLEM.targets.numpy().T) / 5
        u, v = u - 0.3 * error @ v.T, v - 0.3 * u.T @ error
    expected = torch.from_numpy(np.concatenate([v.ravel(), u.ravel()]))
    # 30 contracting steps on numbers of order 1.
    torch.testing.assert_close(run.parameters, expected, rtol=0, atol=1e-13)
