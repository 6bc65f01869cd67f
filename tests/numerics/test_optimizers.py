import copy
import io
import math
from dataclasses import replace

import mpmath
import pytest
import torch

from numerics.training.optimizers import SAM as Optimizer
from theory import GD, NORMALIZED_SAM, SAM, SGD

FRESH = replace(SAM, name="fresh SAM", fresh_batch=True)
HESSIAN = torch.tensor([[2.0, 0.5, 0.0], [0.5, 1.0, 0.3], [0.0, 0.3, 0.7]], dtype=torch.float64)
START = [1.0, -2.0, 0.5]


def parameter(values=START, dtype=torch.float64):
    return torch.nn.Parameter(torch.tensor(values, dtype=dtype))


def quadratic(x, hessian=HESSIAN, calls=None):
    def closure():
        if calls is not None:
            calls.append(x.detach().clone())
        loss = x @ hessian.to(x) @ x / 2
        loss.backward()
        return loss

    return closure


def test_unnormalised_step_by_hand():
    x, calls = parameter(), []
    loss = Optimizer([x], SAM, 0.1, 0.3).step(quadratic(x, calls=calls))
    start = torch.tensor(START, dtype=torch.float64)
    gradient = HESSIAN @ start
    assert float(loss) == float(start @ gradient / 2)
    assert len(calls) == 2 and torch.equal(calls[0], start)
    # Two roundings of numbers below 4.
    torch.testing.assert_close(calls[1], start + 0.3 * gradient, rtol=0, atol=1e-15)
    expected = start - 0.1 * HESSIAN @ (start + 0.3 * gradient)
    torch.testing.assert_close(x.detach(), expected, rtol=0, atol=1e-15)


def test_normalised_step_by_hand_over_several_groups():
    x, y = parameter([3.0, 0.0]), parameter([1.0])

    def closure():
        loss = (x**2).sum() / 2 + 2 * (y**2).sum()
        loss.backward()
        return loss

    groups = [{"params": [x]}, {"params": [y], "radius": 1.0, "lr": 0.25}]
    Optimizer(groups, replace(NORMALIZED_SAM, epsilon=0.0), 0.5, 2.0).step(closure)
    # Gradient (3, 0, 4) of norm 5: ascent to (3 + 6/5, 0) and 1 + 4/5; gradients 4.2 and 7.2.
    assert x.tolist() == pytest.approx([3 - 0.5 * 4.2, 0.0], abs=1e-15)
    assert y.tolist() == pytest.approx([1 - 0.25 * 7.2], abs=1e-15)


def test_epsilon_of_the_spec_is_used():
    x = parameter([1.0])
    Optimizer([x], replace(NORMALIZED_SAM, epsilon=1.0), 1.0, 0.5).step(quadratic(x, torch.eye(1)))
    # Gradient 1, scale 0.5 / (1 + 1): ascent to 1.25, so x = 1 - 1.25.
    assert x.item() == -0.25


@pytest.mark.parametrize("spec", [GD, SGD, replace(SAM, name="SAM at radius 0")])
@pytest.mark.parametrize(("momentum", "decay"), [(0.0, 0.0), (0.9, 0.0), (0.0, 0.1), (0.9, 0.1)])
def test_without_perturbation_it_is_torch_sgd(spec, momentum, decay):
    ours, theirs = parameter(), parameter()
    radius = 0.0 if spec.perturbed else 0.7
    optimizer = Optimizer([ours], spec, 0.1, radius, momentum=momentum, weight_decay=decay)
    reference = torch.optim.SGD([theirs], 0.1, momentum=momentum, weight_decay=decay)
    for _ in range(20):
        optimizer.step(quadratic(ours))
        reference.zero_grad()
        reference.step(quadratic(theirs))
        assert torch.equal(ours, theirs)


def test_momentum_and_weight_decay_are_not_perturbed():
    x = parameter()
    optimizer = Optimizer([x], SAM, 0.1, 0.3, momentum=0.9, weight_decay=0.2)
    point, velocity = torch.tensor(START, dtype=torch.float64), torch.zeros(3)
    for _ in range(5):
        optimizer.step(quadratic(x))
        ascended = point + 0.3 * HESSIAN @ point
        velocity = 0.9 * velocity + HESSIAN @ ascended + 0.2 * point
        point = point - 0.1 * velocity
        # A few roundings per step of numbers below 10.
        torch.testing.assert_close(x.detach(), point, rtol=0, atol=1e-14)


@pytest.mark.parametrize("epsilon", [0.0, 1e-12])
def test_zero_gradient_stays_put(epsilon):
    x = parameter([0.0, 0.0, 0.0])
    optimizer = Optimizer([x], replace(NORMALIZED_SAM, epsilon=epsilon), 0.1, 0.05, momentum=0.9)
    for _ in range(3):
        assert float(optimizer.step(quadratic(x))) == 0
    assert x.tolist() == [0.0, 0.0, 0.0]


def test_fresh_batch_ascends_on_the_other_loss():
    x = parameter([1.0, 1.0])
    ascent, descent = torch.diag(torch.tensor([4.0, 0.0])), torch.eye(2)
    loss = Optimizer([x], FRESH, 0.5, 0.25).step(quadratic(x, descent), quadratic(x, ascent))
    assert float(loss) == 2.0
    # Ascent by 0.25 * (4, 0) to (2, 1), then half of the gradient (2, 1).
    assert x.tolist() == [0.0, 0.5]


def test_ascent_closure_must_fit_the_algorithm():
    x = parameter()
    with pytest.raises(ValueError, match="fresh SAM needs an ascent_closure"):
        Optimizer([x], FRESH, 0.1, 0.1).step(quadratic(x))
    for spec in (SAM, replace(SGD, fresh_batch=True)):
        with pytest.raises(ValueError, match="has no use for an ascent_closure"):
            Optimizer([x], spec, 0.1, 0.1).step(quadratic(x), quadratic(x))
    with pytest.raises(ValueError, match="step needs a closure"):
        Optimizer([x], SAM, 0.1, 0.1).step(None)


def second_call(x, action):
    calls = []

    def closure():
        loss = quadratic(x, calls=calls)()
        return action(loss) if len(calls) == 2 else loss

    return closure


def interrupt(_):
    raise KeyboardInterrupt


@pytest.mark.parametrize(
    ("action", "error"),
    [(interrupt, KeyboardInterrupt), (lambda loss: loss * math.nan, FloatingPointError)],
)
def test_parameters_are_restored_bitwise_when_the_second_call_fails(action, error):
    # In float32, adding and subtracting the perturbation would not restore these.
    x = parameter([1.0, 1e-7, -3.3], dtype=torch.float32)
    optimizer = Optimizer([x], SAM, 0.1, 1e5, momentum=0.9)
    with pytest.raises(error):
        optimizer.step(second_call(x, action))
    assert torch.equal(x, torch.tensor([1.0, 1e-7, -3.3]))
    assert not optimizer.state[x]


def test_descent_starts_from_the_bitwise_restored_point():
    x = parameter([1.0, 1e-7, -3.3], dtype=torch.float32)
    Optimizer([x], SAM, 0.0, 1e5).step(quadratic(x))
    assert torch.equal(x, torch.tensor([1.0, 1e-7, -3.3]))


@pytest.mark.parametrize("value", [math.nan, math.inf])
def test_a_loss_that_is_not_finite_stops_the_step(value):
    x = parameter()
    with pytest.raises(FloatingPointError, match=r"^the loss is \w+: lower the step size"):
        Optimizer([x], SGD, 0.1).step(lambda: torch.tensor(value))
    assert x.tolist() == START


def test_closures_that_give_nothing_are_named():
    x = parameter()
    optimizer = Optimizer([x], SAM, 0.1, 0.1)
    with pytest.raises(ValueError, match="the closure returned None"):
        optimizer.step(lambda: None)
    with pytest.raises(ValueError, match="no parameter got a gradient"):
        optimizer.step(lambda: torch.tensor(1.0))


def test_stale_gradients_do_not_count_and_backward_calls_add_up():
    x, y = parameter(), parameter()
    y.grad = torch.full_like(y, 1e3)

    def twice():
        return quadratic(y, HESSIAN / 4)() + quadratic(y, HESSIAN * 3 / 4)()

    Optimizer([x], SAM, 0.1, 0.3).step(quadratic(x))
    Optimizer([y], SAM, 0.1, 0.3).step(twice)
    # Two partial sums rounded once more.
    torch.testing.assert_close(y, x, rtol=0, atol=2e-15)


def test_unused_and_frozen_parameters_are_left_alone():
    x, unused = parameter(), parameter()
    frozen = torch.ones(2)
    Optimizer([x, unused, frozen], NORMALIZED_SAM, 0.1, 0.3, weight_decay=0.5).step(quadratic(x))
    assert unused.tolist() == START and frozen.tolist() == [1.0, 1.0] and x.tolist() != START


def test_state_round_trip_through_a_file():
    x = parameter()
    optimizer = Optimizer([x], NORMALIZED_SAM, 0.1, 0.3, momentum=0.9)
    optimizer.step(quadratic(x))
    file = io.BytesIO()
    torch.save(optimizer.state_dict(), file)
    file.seek(0)
    y = torch.nn.Parameter(x.detach().clone())
    resumed = Optimizer([y], NORMALIZED_SAM, 9.0)
    resumed.load_state_dict(torch.load(file, weights_only=True))
    for _ in range(3):
        optimizer.step(quadratic(x))
        resumed.step(quadratic(y))
    assert torch.equal(x, y)
    with pytest.raises(ValueError, match="the state belongs to"):
        Optimizer([y], SAM, 0.1).load_state_dict(optimizer.state_dict())


def test_deep_copy_keeps_the_algorithm():
    optimizer = Optimizer([parameter()], FRESH, 0.1, 0.3)
    assert copy.deepcopy(optimizer).spec == FRESH


def test_schedulers_of_torch_drive_the_step_size():
    x = parameter()
    optimizer = Optimizer([x], SAM, 0.1, 0.3)
    scheduler = torch.optim.lr_scheduler.StepLR(optimizer, step_size=1, gamma=0.0)
    optimizer.step(quadratic(x))
    scheduler.step()
    after_one = x.detach().clone()
    optimizer.step(quadratic(x))
    assert torch.equal(x, after_one) and x.tolist() != START


@pytest.mark.parametrize("key", ["step_size", "radius", "momentum", "weight_decay"])
@pytest.mark.parametrize("value", [-0.1, math.nan])
def test_bad_numbers(key, value):
    with pytest.raises(ValueError, match=f"{key} is"):
        Optimizer([parameter()], SAM, **{"step_size": 0.1} | {key: value})


def test_bad_groups():
    with pytest.raises(ValueError, match="lr is -1"):
        Optimizer([{"params": [parameter()], "lr": -1}], SAM, 0.1)
    with pytest.raises(ValueError, match="another algorithm"):
        Optimizer([{"params": [parameter()], "algorithm": {"name": "SGD"}}], SAM, 0.1)


def ascent_of(gradient, dtype, epsilon, radius=0.5):
    """Where the optimiser evaluates the second gradient, from a start at zero."""
    x, seen = torch.nn.Parameter(torch.zeros(len(gradient), dtype=dtype)), []

    def closure():
        seen.append(x.detach().clone())
        x.grad = torch.as_tensor(gradient, dtype=dtype)
        return 0.0

    Optimizer([x], replace(NORMALIZED_SAM, epsilon=epsilon), 0.0, radius).step(closure)
    return seen[1]


@pytest.mark.parametrize("epsilon", [0.0, 1e-12])
@pytest.mark.parametrize(
    ("dtype", "size", "count"),
    [
        (torch.float16, 100.0, 10**6),
        (torch.float16, 3e4, 10),
        (torch.float16, 6e-8, 10),
        (torch.bfloat16, 1e20, 10),
        (torch.bfloat16, 1e-20, 10),
        (torch.float32, 1e20, 10),
        (torch.float32, 3e38, 3),
        (torch.float32, 1e-23, 10),
        (torch.float32, 1e-44, 10),
        (torch.float64, 1e170, 10),
        (torch.float64, 1.7e308, 2),
        (torch.float64, 1e-170, 10),
        (torch.float64, 5e-324, 3),
    ],
)
def test_normalised_ascent_at_every_size_and_dtype(dtype, size, count, epsilon):
    gradient = torch.full((count,), size, dtype=dtype)
    entry = float(gradient[0])
    moved = ascent_of(gradient, dtype, epsilon)
    # radius g / (|g| + epsilon), without rounding |g|, which may overflow
    expected = float(mpmath.mpf("0.5") / (mpmath.sqrt(count) + mpmath.mpf(epsilon) / entry))
    unit = torch.finfo(dtype)
    assert moved.double().max() == moved.double().min()
    assert abs(float(moved[0]) - expected) <= unit.eps * expected + unit.smallest_normal * unit.eps


@pytest.mark.parametrize("bad", [math.inf, -math.inf, math.nan])
@pytest.mark.parametrize("spec", [SGD, SAM, NORMALIZED_SAM])
def test_a_gradient_that_is_not_finite_stops_the_step(spec, bad):
    x, y = parameter([1.0, 2.0]), parameter([3.0])

    def closure():
        x.grad, y.grad = torch.tensor([1.0, bad], dtype=torch.float64), torch.ones_like(y)
        return 0.0

    with pytest.raises(FloatingPointError, match="a gradient has NaN or infinite entries"):
        Optimizer([x, y], spec, 0.1, 0.1).step(closure)
    assert x.tolist() == [1.0, 2.0] and y.tolist() == [3.0]


def test_losses_of_many_samples_that_are_not_finite():
    x = parameter()

    def closure():
        losses = x * torch.tensor([1.0, math.nan, 1.0])
        losses.sum().backward()
        return losses

    with pytest.raises(FloatingPointError, match="1 of 3 losses are NaN or infinite"):
        Optimizer([x], SGD, 0.1).step(closure)


@pytest.mark.parametrize("spec", [SGD, SAM, NORMALIZED_SAM])
@pytest.mark.parametrize(("momentum", "decay"), [(0.0, 0.0), (0.9, 0.1)])
def test_sparse_gradients_are_those_of_the_dense_embedding(spec, momentum, decay):
    tokens, targets = torch.tensor([0, 3, 3, 5]), torch.tensor([0, 1, 1, 0])
    reached = []
    for sparse in (True, False):
        torch.manual_seed(0)
        table, head = torch.nn.Embedding(9, 3, sparse=sparse), torch.nn.Linear(3, 2)
        parameters = [*table.parameters(), *head.parameters()]
        optimizer = Optimizer(parameters, spec, 0.1, 0.05, momentum=momentum, weight_decay=decay)

        def closure(table=table, head=head):
            loss = torch.nn.functional.cross_entropy(head(table(tokens)), targets)
            loss.backward()
            return loss

        for _ in range(3):
            optimizer.step(closure)
        reached.append(torch.nn.utils.parameters_to_vector(parameters))
    # repeated tokens are added up in another order
    torch.testing.assert_close(*reached, rtol=1e-6, atol=1e-7)
