"""One objective for all results: tested once, never stale, and its operators against matrices."""

from __future__ import annotations

import warnings

import numpy as np
import pytest
import torch
from scipy.sparse.linalg import eigsh
from torch import nn

from numerics.hessians import (
    CROSS_ENTROPY,
    SQUARE_LOSS,
    Objective,
    SampleHessians,
    exact,
    layer_blocks,
    objectives,
    operator,
    per_sample,
)


class Scaled(nn.Module):
    """A perceptron with a buffer and a plain number behind it, and dropout if it is trained."""

    def __init__(self):
        super().__init__()
        torch.manual_seed(0)
        self.body = nn.Sequential(nn.Linear(3, 4), nn.Tanh(), nn.Linear(4, 2)).double()
        self.dropout = nn.Dropout(0.5)
        self.register_buffer("shift", torch.zeros(2, dtype=torch.float64))
        self.factor = 1.0
        self.eval()

    def forward(self, x):
        return self.dropout(self.factor * self.body(x) ** 2 + self.shift)


def pieces():
    torch.manual_seed(1)
    model = Scaled()
    return model, torch.randn(5, 3, dtype=torch.float64), torch.randn(5, 2, dtype=torch.float64)


@pytest.fixture
def tests_made(monkeypatch):
    """How often a model has been put to the test."""
    made, real = [], objectives.check_model

    def counted(*arguments):
        made.append(None)
        return real(*arguments)

    monkeypatch.setattr(objectives, "check_model", counted)
    return made


@pytest.mark.parametrize("part", objectives.PARTS)
@pytest.mark.parametrize("reduction", ["mean", "sum"])
def test_one_objective_gives_what_the_functions_give(part, reduction, tests_made):
    model, x, y = pieces()
    objective = Objective(model.body, SQUARE_LOSS, x, y, reduction=reduction, part=part)
    whole, vector = objective.exact(), torch.randn(26, dtype=torch.float64)
    parts, samples = objective.layer_blocks(), objective.per_sample()
    product = objective.operator(samples_at_once=2) @ vector
    assert len(tests_made) == 1
    given = {"reduction": reduction, "part": part}
    assert torch.equal(whole, exact(model.body, SQUARE_LOSS, x, y, **given))
    for name, block in layer_blocks(model.body, SQUARE_LOSS, x, y, **given).items():
        assert torch.equal(parts[name], block)
    expected = per_sample(model.body, SQUARE_LOSS, x, y, part=part)
    assert torch.equal(samples.to_dense(), expected.to_dense())
    many = operator(model.body, SQUARE_LOSS, x, y, **given, samples_at_once=2)
    assert torch.equal(product, many @ vector)
    assert torch.allclose(product, whole @ vector, atol=1e-12)


def in_place(model, x, y):
    with torch.no_grad():
        model.body[0].weight.mul_(2)


def behind_the_version_counter(model, x, y):
    model.body[0].weight.data.mul_(2)


def another_storage(model, x, y):
    nn.utils.vector_to_parameters(torch.ones(26, dtype=torch.float64), model.parameters())


def a_buffer(model, x, y):
    model.shift.add_(1)


def a_plain_number(model, x, y):
    model.factor = 3.0


def frozen(model, x, y):
    model.body[0].weight.requires_grad_(False)


def inputs_shared_with_numpy(model, x, y):
    x.numpy()[0, 0] = 7.0


def the_targets(model, x, y):
    y[0] += 1


CHANGES = [
    in_place,
    behind_the_version_counter,
    another_storage,
    a_buffer,
    a_plain_number,
    frozen,
    inputs_shared_with_numpy,
    the_targets,
]


@pytest.mark.parametrize("change", CHANGES, ids=lambda change: change.__name__)
def test_what_has_changed_is_used_and_tested_again(change, tests_made):
    model, x, y = pieces()
    objective = Objective(model, SQUARE_LOSS, x, y)
    before = objective.exact()
    change(model, x, y)
    after, samples = objective.exact(), objective.per_sample()
    assert len(tests_made) == 2
    fresh = exact(model, SQUARE_LOSS, x, y)
    assert torch.equal(after, fresh)
    assert torch.allclose(samples.mean_power(1), fresh, atol=1e-12)
    assert after.shape != before.shape or not torch.allclose(after, before)


def trained(model, x, y):
    model.train()


def a_custom_derivative(model, x, y):
    model.body[1].register_full_backward_hook(lambda module, inner, outer: (2 * inner[0],))


def nothing_a_number(model, x, y):
    x[0, 0] = torch.nan


def no_parameters(model, x, y):
    model.requires_grad_(False)


def shorter_targets(model, x, y):
    y.resize_(4, 2)


def detached(model, x, y):
    model.forward = lambda x: model.body(x).detach()


REFUSED = [
    (trained, "is in training mode"),
    (a_custom_derivative, "not the one of its values"),
    (nothing_a_number, "inputs"),
    (no_parameters, "nothing to differentiate"),
    (shorter_targets, "targets 4"),
    (detached, "does not depend on the parameters"),
]


@pytest.mark.parametrize(("change", "why"), REFUSED, ids=lambda x: getattr(x, "__name__", ""))
def test_what_has_become_wrong_is_refused_and_mended_is_taken_again(change, why):
    model, x, y = pieces()
    objective = Objective(model, SQUARE_LOSS, x, y)
    objective.exact()
    change(model, x, y)
    for _ in range(2):
        with pytest.raises(ValueError, match=why) as caught:
            objective.operator()
        assert "\n" not in str(caught.value)
    if change is trained:
        model.eval()
        assert torch.equal(objective.exact(), exact(model, SQUARE_LOSS, x, y))


def test_results_do_not_follow_the_data_afterwards():
    model, x, y = pieces()
    made = Objective(model, SQUARE_LOSS, x, y).operator(samples_at_once=2)
    before = made.to_dense()
    x.zero_()
    assert torch.equal(made.to_dense(), before)


def test_a_model_that_fails_elsewhere_is_just_tested_each_time(tests_made):
    model, x, y = pieces()
    here = model.body[0].weight.detach().clone()

    def forward(z):
        if (model.body[0].weight - here).abs().max() > 1e-3:
            raise ArithmeticError("too far")
        return model.body(z)

    model.forward = forward
    objective = Objective(model, SQUARE_LOSS, x, y)
    assert torch.equal(objective.exact(), objective.exact())
    assert len(tests_made) == 2


def test_the_caller_keeps_generators_gradients_and_modes():
    model, x, y = pieces()
    objective, state = Objective(model, SQUARE_LOSS, x, y), torch.get_rng_state()
    objective.exact()
    objective.exact()
    assert torch.equal(torch.get_rng_state(), state)
    assert all(p.grad is None for p in model.parameters()) and not model.training


def test_a_demanded_route_is_demanded_of_the_operator_too():
    model, x, y = pieces()
    with pytest.raises(ValueError, match="route is 'structured' and the model is a Scaled"):
        Objective(model, SQUARE_LOSS, x, y, route="structured").operator()
    generic = Objective(model.body, SQUARE_LOSS, x, y, route="generic").operator()
    structured = Objective(model.body, SQUARE_LOSS, x, y, route="structured").operator()
    assert generic.exact_trace is None
    assert structured.exact_trace == pytest.approx(float(generic.to_dense().trace()), rel=1e-12)


@pytest.mark.parametrize(
    ("given", "why"),
    [({"part": "all"}, "part"), ({"reduction": "max"}, "reduction"), ({"route": "r"}, "route")],
)
def test_choices_are_refused_when_it_is_built(given, why):
    model, x, y = pieces()
    with pytest.raises(ValueError, match=why):
        Objective(model, SQUARE_LOSS, x, y, **given)


@pytest.mark.parametrize("build", [Objective, operator], ids=["objective", "function"])
def test_the_warning_of_few_digits_names_the_line_that_asks(build):
    model, x, y = pieces()
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        build(model.body, SQUARE_LOSS, x, y, dtype=torch.float32)
    assert [warning.filename for warning in caught] == [__file__]


def test_it_says_what_it_is():
    model = nn.Linear(3, 2)
    x, y = torch.ones(5, 3), torch.zeros(5, dtype=torch.int64)
    assert repr(Objective(model, CROSS_ENTROPY, x, y, part="residual")) == (
        "Objective(CrossEntropy of Linear, d=8, n=5, mean, residual, float64)"
    )


class TestOperators:
    """Shape, dtype, device and @ as matrices have them."""

    def made(self):
        model, x, y = pieces()
        objective = Objective(model, SQUARE_LOSS, x, y)
        return objective, objective.exact()

    def test_the_hessian(self):
        objective, dense = self.made()
        product = objective.operator()
        assert (product.shape, product.dtype, product.device) == (
            dense.shape,
            dense.dtype,
            dense.device,
        )
        block = torch.randn(26, 3, dtype=torch.float64)
        assert torch.allclose(product @ block, dense @ block, atol=1e-12)
        assert torch.allclose(product @ block[:, 0], dense @ block[:, 0], atol=1e-12)
        assert torch.allclose(product.to_dense(), dense, atol=1e-12)

    def test_samples(self):
        objective, _ = self.made()
        samples = objective.per_sample()
        dense = samples.to_dense()
        assert samples.shape == dense.shape == (5, 26, 26)
        block = torch.randn(26, 3, dtype=torch.float64)
        assert torch.allclose(samples @ block, dense @ block, atol=1e-12)
        assert torch.allclose(samples @ block[:, 0], dense @ block[:, 0], atol=1e-12)

    @pytest.mark.parametrize("mean", [False, True], ids=["operator", "mean of samples"])
    def test_scipy(self, mean):
        objective, dense = self.made()
        made = (objective.per_sample().mean() if mean else objective.operator()).to_scipy()
        assert made.shape == (26, 26) and made.dtype == np.float64
        block = np.random.default_rng(0).standard_normal((26, 3))
        np.testing.assert_allclose(made @ block, dense.numpy() @ block, atol=1e-12)
        np.testing.assert_allclose(made.T @ block[:, 0], dense.numpy() @ block[:, 0], atol=1e-12)
        top = eigsh(made, k=1, which="LA", v0=block[:, 0])[0][0]
        assert top == pytest.approx(float(torch.linalg.eigvalsh(dense)[-1]), rel=1e-9)

    @pytest.mark.parametrize("kind", ["operator", "per_sample"])
    @pytest.mark.parametrize("shape", [(25,), (25, 26), (26, 2, 2), ()])
    def test_shapes_are_checked(self, kind, shape):
        objective, _ = self.made()
        with pytest.raises(ValueError, match=r"shape .*: give \(26,\) or \(26, m\)"):
            getattr(objective, kind)() @ torch.ones(shape, dtype=torch.float64)

    @pytest.mark.parametrize("kind", ["operator", "per_sample"])
    def test_what_is_no_tensor_is_refused(self, kind):
        objective, _ = self.made()
        with pytest.raises(TypeError, match="unsupported operand"):
            getattr(objective, kind)() @ 2.0

    def test_rank_one(self):
        rows = torch.randn(4, 3, dtype=torch.float64)
        samples = SampleHessians.from_rank_one(rows)
        vector = torch.randn(3, dtype=torch.float64)
        assert torch.allclose(samples @ vector, (rows @ vector).unsqueeze(1) * rows)
