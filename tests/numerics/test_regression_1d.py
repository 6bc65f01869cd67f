"""One-dimensional regression against the piecewise linear function written out."""

import math

import numpy as np
import pytest
import torch

from numerics.networks.regression_1d import Regression1d

PROBLEM = Regression1d(neurons=8, steps=60)


@pytest.fixture(scope="module")
def found():
    return PROBLEM.find((0, 3))


def weights(one):
    model = one.run.load_into(PROBLEM.build(0))
    return [p.detach().flatten().numpy() for p in model.parameters()]


def test_all_trainings_take_the_same_steps_from_the_same_start(found):
    names = [(one.run.member.spec.name, one.run.member.seed) for one in found]
    assert names == [("GD", 0), ("GD", 3), ("normalised SAM", 0), ("normalised SAM", 3)]
    assert {one.run.steps for one in found} == {60}
    for gd, sam in zip(found[:2], found[2:], strict=True):
        assert float(gd.run.losses[0]) == float(sam.run.losses[0]) > gd.run.loss


def test_kinks_and_bends_give_the_function_back(found):
    """Value and slope at the left end, then the slope changes by each bend at its kink."""
    x = np.linspace(-1, 1, 401)
    for one in found:
        w, b, v, c = weights(one)
        function = np.maximum(np.outer(x, w) + b, 0) @ v + c
        slope = (w * v)[w * -1 + b > 0].sum()
        places, bends = one.kinks.numpy(), one.bends.numpy()
        rebuilt = function[0] + slope * (x + 1) + np.maximum(x[:, None] - places, 0) @ bends
        # A few dozen float64 operations on numbers of order 1.
        np.testing.assert_allclose(rebuilt, function, atol=1e-12)
        assert (np.diff(places) >= 0).all() and (np.abs(places) < 1).all()
        big = np.abs(bends) >= 0.01 * np.abs(bends).sum()
        assert one.pieces == 1 + big.sum()


def test_trace_is_that_of_the_squared_gradients(found):
    """Second derivatives on the diagonal vanish, so tr H = mean of the squared gradient of f."""
    x, _ = PROBLEM.data()
    for one in found:
        w, b, v, _ = weights(one)
        z = np.outer(x.flatten().numpy(), w) + b
        squares = np.maximum(z, 0) ** 2 + (z > 0) * v**2 * (1 + x.numpy() ** 2)
        assert one.trace == pytest.approx(1 + squares.sum(1).mean(), rel=1e-12)
        assert 0 < one.sharpness < one.trace + 1


def test_a_step_of_gd_and_of_sam_by_hand():
    x, y = (t.flatten().numpy() for t in PROBLEM.data())

    def gradient(w, b, v, c):
        z = np.outer(x, w) + b
        error = (np.maximum(z, 0) @ v + c - y) / len(x)
        back = np.outer(error, v) * (z > 0)
        return [back.T @ x, back.sum(0), np.maximum(z, 0).T @ error, error.sum(keepdims=True)]

    start = [p.detach().flatten().numpy() for p in PROBLEM.build(0).parameters()]
    once = Regression1d(neurons=8, steps=1).find((0,))
    for one, radius in zip(once, (0.0, 0.2), strict=True):
        g = gradient(*start)
        norm = math.sqrt(sum((part**2).sum() for part in g))
        up = [p + radius / norm * q for p, q in zip(start, g, strict=True)]
        end = [p - 0.5 / 8 * q for p, q in zip(start, gradient(*up), strict=True)]
        expected = torch.from_numpy(np.concatenate(end))
        # A dozen roundings of numbers of order 1.
        torch.testing.assert_close(one.run.parameters, expected, rtol=0, atol=1e-13)


@pytest.fixture(scope="module")
def paths():
    return PROBLEM.paths(3, records=12, grid=5)


def test_ways_end_where_the_trainings_end(found, paths):
    """Pythagoras, at the ends and at a step between them."""
    assert paths.steps[0] == 0 and paths.steps[-1] == 60
    assert (paths.steps.diff() > 0).all()
    middle = int(paths.steps[6])
    early = Regression1d(neurons=8, steps=middle).find((3,))
    start = torch.nn.utils.parameters_to_vector(PROBLEM.build(3).parameters()).detach()
    for k, name in enumerate(("GD", "normalised SAM")):
        place, distance = paths.places[name], paths.distances[name]
        for at, one in ((-1, found[2 * k + 1]), (6, early[k])):
            moved = (one.run.parameters - start).norm()
            # Sums of 25 squares of order 1.
            assert float(place[at].norm() ** 2 + distance[at] ** 2) ** 0.5 == pytest.approx(
                float(moved), rel=1e-12
            )
        assert float(distance[0]) == 0 and float(distance[-1]) < 1e-13
    assert float(paths.places["GD"][-1, 0]) > 0 < float(paths.places["normalised SAM"][-1, 1])
    assert abs(float(paths.places["GD"][-1, 1])) < 1e-13


def test_losses_on_the_plane_are_those_of_the_network(found, paths):
    """The plane is rebuilt by Gram and Schmidt from start and ends."""
    start = torch.nn.utils.parameters_to_vector(PROBLEM.build(3).parameters()).detach()
    gd, sam = (found[k].run.parameters - start for k in (1, 3))
    first = gd / gd.norm()
    second = sam - (sam @ first) * first
    second /= second.norm()
    x, y = PROBLEM.data()
    for i, j in ((0, 0), (1, 3), (4, 2)):
        point = start + paths.axes[0][i] * first + paths.axes[1][j] * second
        model = PROBLEM.build(0)
        torch.nn.utils.vector_to_parameters(point, model.parameters())
        expected = float(((model(x) - y).detach() ** 2).mean() / 2)
        # Rounding of the basis, 1e-15, times a slope of order 10.
        assert float(paths.losses[i, j]) == pytest.approx(expected, rel=1e-12)
    for k in (0, 1):
        seen = torch.cat([place[:, k] for place in paths.places.values()])
        assert paths.axes[k][0] < seen.min() and seen.max() < paths.axes[k][-1]
