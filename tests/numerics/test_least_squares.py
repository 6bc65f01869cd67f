import math

import numpy as np
import pytest
import torch

from numerics.data.mnist import mnist_subset
from numerics.problems import FiniteSum, LeastSquares


@pytest.fixture(params=["wide", "tall", "mnist"], scope="module")
def problem(request):
    if request.param == "wide":
        return LeastSquares.gaussian(6, 15, seed=1)
    if request.param == "tall":
        return LeastSquares.gaussian(15, 6, seed=2)
    return LeastSquares.mnist(20, pool=4)


def points(problem, count, seed=0):
    rng = np.random.default_rng(seed)
    return torch.from_numpy(rng.normal(size=(count, problem.d)))


def test_is_a_finite_sum(problem):
    assert isinstance(problem, FiniteSum)


def test_losses_from_the_definition(problem):
    a, b = problem.features.numpy(), problem.targets.numpy()
    x = points(problem, 2)
    for row, losses, loss in zip(x, problem.losses(x), problem.loss(x), strict=True):
        expected = [(a[i] @ row.numpy() - b[i]) ** 2 / 2 for i in range(problem.n)]
        # Two orders of summing d products.
        np.testing.assert_allclose(losses.numpy(), expected, rtol=1e-11, atol=1e-13)
        assert float(loss) == pytest.approx(np.mean(expected), rel=1e-12)


def test_gradients_by_central_differences(problem):
    x = points(problem, 1)[0]
    # Central differences are exact for a quadratic: what is left is round-off / step.
    step = 1e-3
    basis = step * torch.eye(problem.d, dtype=torch.float64)
    differences = (problem.losses(x + basis) - problem.losses(x - basis)).mT / (2 * step)
    torch.testing.assert_close(problem.gradients(x), differences, rtol=0, atol=1e-10)
    mean = problem.gradients(x).mean(dim=0)
    torch.testing.assert_close(problem.gradient(x), mean, rtol=0, atol=1e-14)


def test_minimiser_is_the_projection(problem):
    x0 = points(problem, 1)[0]
    nearest = problem.minimiser(x0)
    a, b = problem.features.numpy(), problem.targets.numpy()
    expected = x0.numpy() + np.linalg.lstsq(a, b - a @ x0.numpy(), rcond=None)[0]
    # Conditioning: singular values of the features span at most four decades.
    np.testing.assert_allclose(nearest.numpy(), expected, rtol=0, atol=1e-10)
    assert float(problem.loss(nearest)) < 1e-24
    again = problem.minimiser(nearest)
    torch.testing.assert_close(again, nearest, rtol=0, atol=1e-10)


def test_constants_against_dense_eigenvalues(problem):
    constants = problem.constants()
    a = problem.features.numpy()
    spectrum = np.linalg.eigvalsh(a.T @ a / problem.n)
    rank = min(problem.n, problem.d)
    beta = max(np.linalg.eigvalsh(np.outer(row, row))[-1] for row in a)
    assert constants.beta == pytest.approx(beta, rel=1e-13)
    assert constants.smoothness == pytest.approx(spectrum[-1], rel=1e-13)
    # Forming A'A loses eps * lambda_max on every eigenvalue.
    assert constants.mu == pytest.approx(spectrum[-rank], abs=1e-14 * spectrum[-1])
    assert 0 <= constants.interpolation_gap < 1e-24
    assert constants.mu <= constants.smoothness <= constants.beta
    assert str(rank) in constants.how


def test_constants_bound_random_points_and_are_attained(problem):
    constants = problem.constants()
    x, y = points(problem, 200), points(problem, 200, seed=1)
    gradients, slack = problem.gradient(x), 1 + 1e-12
    assert bool(((gradients**2).sum(1) / 2 * slack >= constants.mu * problem.loss(x)).all())
    change = torch.linalg.vector_norm(problem.gradient(y) - gradients, dim=1)
    length = torch.linalg.vector_norm(y - x, dim=1)
    assert bool((change <= constants.smoothness * length * slack).all())
    # PL and smoothness are attained along the extreme singular directions.
    _, sigma, right = problem.factors
    for column, constant in ((-1, constants.mu), (0, constants.smoothness)):
        far = problem.minimiser() + 100 * right[:, column]
        ratio = float((problem.gradient(far) ** 2).sum() / (2 * problem.loss(far)))
        # Round-off of the minimiser, relative to the small residual along this direction.
        assert ratio == pytest.approx(constant, rel=1e-6)
        assert float(sigma[column]) ** 2 / problem.n == constant


def test_mnist_targets_are_the_parity_of_real_labels():
    problem = LeastSquares.mnist(20, seed=4)
    assert (problem.n, problem.d) == (20, 784)
    assert torch.equal(problem.targets.abs(), torch.ones(20, dtype=torch.float64))
    labels = mnist_subset(20, seed=4).labels
    assert {int(digit) for digit in labels[problem.targets == 1]} == {0, 2, 4, 6, 8}
    assert {int(digit) for digit in labels[problem.targets == -1]} == {1, 3, 5, 7, 9}
    assert problem.constants().beta == pytest.approx(1, abs=1e-14)


@pytest.mark.parametrize(
    ("features", "targets", "message"),
    [
        ([[1.0, 0.0], [1.0, 0.0]], [0.0, 1.0], "2 equations of rank 1 are inconsistent"),
        ([[math.nan, 0.0]], [0.0], "features has 1 NaN"),
        ([[1.0, 0.0]], [math.inf], "targets has 1 NaN or infinite"),
        ([[1.0, 0.0]], [0.0, 1.0], r"targets has shape \(2,\): give a vector of 1 entries"),
        ([1.0, 0.0], [0.0], "features have shape"),
        (np.zeros((0, 3)), [], "features is empty"),
        ([[0.0, 0.0]], [0.0], "the loss ignores the parameters"),
    ],
)
def test_bad_data(features, targets, message):
    with pytest.raises(ValueError, match=message):
        LeastSquares(features, torch.tensor(targets))


def test_more_mnist_rows_than_pooled_pixels_do_not_interpolate():
    with pytest.raises(ValueError, match=r"100 equations of rank \d\d are inconsistent"):
        LeastSquares.mnist(100, pool=4)


def test_consistent_duplicates_are_accepted():
    problem = LeastSquares(torch.tensor([[1, 2], [1, 2], [2, 4]]), torch.tensor([1, 1, 2]))
    assert problem.features.dtype == torch.float64
    # Rank one: |a|^2 is 5, 5, 20, so A'A / 3 has the one nonzero eigenvalue 10.
    assert problem.constants().mu == pytest.approx(10, rel=1e-14)
    assert problem.constants().smoothness == problem.constants().mu


def test_caller_is_left_alone():
    features, targets = torch.randn(3, 5, dtype=torch.float64), torch.randn(3)
    copy, state = features.clone(), torch.get_rng_state()
    problem = LeastSquares(features, targets)
    LeastSquares.gaussian(3, 5, seed=7)
    assert torch.equal(torch.get_rng_state(), state)
    features.zero_()
    assert torch.equal(problem.features, copy)
