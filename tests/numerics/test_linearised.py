"""The linearisation against finite differences, its training against a loop with its features."""

import pytest
import torch
from torch import nn

from numerics.hessians import SQUARE_LOSS
from numerics.networks.perceptrons import mlp
from numerics.networks.scaled_mnist import ScaledMnist
from numerics.training.ensembles import Stack
from numerics.training.epochs import Data, fit_ensemble
from numerics.training.linearised import Linearised
from numerics.training.to_loss import Member
from theory.trusted.algorithms import NORMALIZED_SAM, SAM, SGD

WIDTHS = (4, 6, 3)
X, Y = (torch.randn(12, k, generator=torch.Generator().manual_seed(k)).double() for k in (4, 3))


def network(seed=0):
    return mlp(WIDTHS, "tanh", seed)


def vector(model):
    return nn.utils.parameters_to_vector(model.parameters()).detach().clone()


def at(model, parameters):
    nn.utils.vector_to_parameters(parameters, model.parameters())
    return model(X).detach()


def features(h=1e-5):
    """The Jacobian at the start by central differences: error h^2 times a third derivative."""
    start, size = vector(network()), len(vector(network()))
    steps = h * torch.eye(size, dtype=torch.float64)
    slopes = [(at(network(), start + s) - at(network(), start - s)) / (2 * h) for s in steps]
    return torch.stack(slopes, -1)


def test_at_the_start_it_is_the_network():
    assert torch.equal(Linearised(network())(X), network()(X))


def test_it_is_affine_with_the_slope_of_the_network():
    start = vector(network())
    move = torch.randn(start.shape, generator=torch.Generator().manual_seed(1)).double()
    expected = network()(X).detach() + features() @ move
    # h^2 = 1e-10 and round-off 1e-16 / h = 1e-11, summed over 45 parameters.
    torch.testing.assert_close(at(Linearised(network()), start + move), expected, rtol=0, atol=1e-7)
    far = at(Linearised(network()), start + 1000 * move)
    # Exactly affine: round-off of numbers near 1e3.
    slope = at(Linearised(network()), start + move) - network()(X).detach()
    torch.testing.assert_close(far, network()(X).detach() + 1000 * slope, rtol=1e-10, atol=1e-10)


@pytest.mark.parametrize("spec", [SGD, SAM, NORMALIZED_SAM], ids=lambda s: s.name)
def test_training_it_is_training_its_features(spec):
    """Full batches: a linear model on the Jacobian of finite differences, in so many words."""
    eta, rho, gamma, steps = 0.05, 0.1, 0.9, 20
    data = Data((X, Y), (X, Y), (X, Y))
    member = Member(0, spec, eta, rho, len(X), gamma)
    (found,) = fit_ensemble(
        lambda seed: Linearised(network(seed)), SQUARE_LOSS, data, [member], epochs=steps
    )
    jacobian, value = features(), network()(X).detach()
    start = vector(network())
    change, velocity = torch.zeros_like(start), torch.zeros_like(start)

    def gradient(moved):
        errors = value + jacobian @ moved - Y
        return (jacobian * errors.unsqueeze(-1)).sum((0, 1)) / len(X)

    for _ in range(steps):
        ascent = gradient(change)
        scale = {SGD: 0.0, SAM: rho}.get(spec, rho / ascent.norm())
        velocity = gamma * velocity + gradient(change + scale * ascent)
        change = change - eta * velocity
    # The finite differences' 1e-9, over 20 stable steps.
    torch.testing.assert_close(found.parameters, start + change, rtol=0, atol=1e-7)
    assert found.training_loss < 0.8 * float(SQUARE_LOSS(value, Y).mean())


def test_members_have_to_share_the_start():
    members = [Member(seed, SGD, 0.1, 0.0, 4) for seed in (0, 1)]
    models = [Linearised(network(seed)) for seed in (0, 1)]
    with pytest.raises(ValueError, match="buffer start_0 differs between members"):
        Stack(models, SQUARE_LOSS, members)
    Stack([models[0], Linearised(network(0))], SQUARE_LOSS, members)


def test_the_network_is_copied_and_not_trained():
    model = network()
    linear = Linearised(model)
    assert vector(linear).equal(vector(model)) and len(list(linear.parameters())) == 4
    linear(X).sum().backward()
    assert all(p.grad is None for p in model.parameters())
    before = linear(X).detach()
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.zero_()
    assert torch.equal(linear(X).detach(), before)


@pytest.mark.parametrize(
    ("layer", "message"),
    [
        (nn.Dropout(0.5), "Dropout layer .* is in training mode"),
        (nn.BatchNorm1d(4).eval(), "the network has the buffer 0.running_mean"),
    ],
)
def test_other_networks_are_refused(layer, message):
    with pytest.raises(ValueError, match=message):
        Linearised(nn.Sequential(layer, nn.Linear(4, 2)))


def test_scaled_mnist_has_its_linearisation():
    plain, linear = (ScaledMnist(scale=0.1, linearised=flag) for flag in (False, True))
    assert linear.size == plain.size and isinstance(linear.build(3), Linearised)
    assert torch.equal(vector(linear.build(3)), vector(plain.build(3)))
