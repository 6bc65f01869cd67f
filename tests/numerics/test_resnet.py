"""ResNet-18 and its training: sizes, running statistics, steps against a plain loop."""

import copy

import pytest
import torch
from torch import nn

from numerics.hessians import CROSS_ENTROPY
from numerics.networks.resnet import ResNet18
from numerics.training.batch_norm import fit_module, frozen_statistics, mean_score, sam_closure
from numerics.training.ensembles import Member, generator
from numerics.training.epochs import Data, StepSchedule, mistakes
from numerics.training.optimizers import SAM as Optimizer
from theory.trusted.algorithms import NORMALIZED_SAM, SAM, SGD, SamSpec


def images(n, seed=0):
    g = torch.Generator().manual_seed(seed)
    labels = torch.randint(0, 3, (n,), generator=g)
    noise = torch.randn(n, 3, 8, 8, generator=g, dtype=torch.float64)
    return noise + labels.view(-1, 1, 1, 1), labels


def small(seed=0):
    return ResNet18(2, 3, seed, torch.float64)


def size(model):
    return sum(parameter.numel() for parameter in model.parameters())


def test_the_usual_width_has_the_known_size():
    assert size(ResNet18(64)) == 11_173_962


def counted(k):
    """Weights and biases of all layers, by hand.

    Kernels: 27 k in the stem, 4 of 9 k^2 in the first stage; a stage of width w that follows one of
    w / 2 has 9 w^2 (1/2 + 3) and w^2 / 2 in its short cut, and w = 2k, 4k, 8k.  Each normalisation
    of w filters has 2 w: one in the stem, 4 in the first stage, 5 in each other.
    """
    later = [2 * k, 4 * k, 8 * k]
    kernels = 27 * k + 36 * k**2 + sum(32 * w**2 for w in later)
    return kernels + 10 * k + sum(10 * w for w in later) + 80 * k + 10


@pytest.mark.parametrize("filters", [1, 2, 3, 8, 64])
def test_size_is_that_of_the_layers_counted_by_hand(filters):
    assert size(ResNet18(filters)) == counted(filters) == 2724 * filters**2 + 257 * filters + 10


def test_widths_span_the_published_sizes():
    assert round(counted(4) / 1e6, 2) == 0.04 and round(counted(256) / 1e6) == 179


def test_stages_halve_the_image_and_double_the_filters():
    shapes = []
    model = small()
    for block in model.blocks:
        block.register_forward_hook(lambda _m, _i, out: shapes.append(tuple(out.shape)))
    assert model(torch.zeros(1, 3, 32, 32).double()).shape == (1, 3)
    sides = [(2, 32), (2, 32), (4, 16), (4, 16), (8, 8), (8, 8), (16, 4), (16, 4)]
    assert shapes == [(1, filters, side, side) for filters, side in sides]


def test_one_seed_one_network_whatever_the_global_state():
    state = torch.get_rng_state()
    first = nn.utils.parameters_to_vector(small(1).parameters())
    assert torch.equal(state, torch.get_rng_state())
    torch.manual_seed(5)
    assert torch.equal(first, nn.utils.parameters_to_vector(small(1).parameters()))
    torch.set_rng_state(state)
    assert not torch.equal(first, nn.utils.parameters_to_vector(small(2).parameters()))


def test_he_initialisation():
    weight = ResNet18(32).blocks[-1].residual[3].weight
    # 590 thousand weights: the sample deviation is exact to 0.1%, five times that is allowed.
    assert float(weight.detach().std()) == pytest.approx((2 / (9 * 256)) ** 0.5, rel=5e-3)


def statistics(model):
    return [b.clone() for name, b in model.named_buffers() if "running" in name]


@pytest.mark.parametrize("spec", [SGD, SAM, NORMALIZED_SAM], ids=lambda s: s.name)
def test_running_statistics_follow_the_first_pass_only(spec):
    """By hand: 0.9 old + 0.1 batch, in the stem, at the parameters before the step."""
    model, (x, y) = small().train(), images(16)
    with torch.no_grad():
        before = model.stem[0](x).transpose(0, 1).flatten(1)
    mean, variance = before.mean(1), before.var(1)
    optimizer = Optimizer(model.parameters(), spec, 0.1, 0.5)
    optimizer.step(sam_closure(model, CROSS_ENTROPY, x, y))
    norm = model.stem[1]
    assert int(norm.num_batches_tracked) == 1
    # Sums of 1024 terms in another order.
    torch.testing.assert_close(norm.running_mean, 0.1 * mean, rtol=0, atol=1e-13)
    torch.testing.assert_close(norm.running_var, 0.9 + 0.1 * variance, rtol=0, atol=1e-13)


def test_a_frozen_pass_has_the_outputs_of_a_training_pass_and_is_restored():
    model, (x, _) = small().train(), images(8)
    before = statistics(model)
    with frozen_statistics(model):
        frozen = model(x)
    assert all(torch.equal(a, b) for a, b in zip(before, statistics(model), strict=True))
    assert torch.equal(frozen, model(x))  # by the batch's own statistics, as in training
    assert not torch.equal(before[0], statistics(model)[0])
    kept = statistics(model)
    with pytest.raises(RuntimeError), frozen_statistics(model):
        model(x)
        raise RuntimeError
    assert all(torch.equal(a, b) for a, b in zip(kept, statistics(model), strict=True))


@pytest.mark.parametrize("spec", [SAM, NORMALIZED_SAM], ids=lambda s: s.name)
def test_steps_lower_the_loss_of_the_batch(spec):
    model, (x, y) = small().train(), images(32)
    optimizer = Optimizer(model.parameters(), spec, 0.1, 0.05)
    losses = [float(optimizer.step(sam_closure(model, CROSS_ENTROPY, x, y))) for _ in range(6)]
    assert losses[1] < losses[0] and losses[-1] < 0.8 * losses[0]


DATA = Data(images(22, 0), images(12, 1), images(12, 2))


def fit(member, model=None, data=DATA, **options):
    settings = {"epochs": 4, "schedule": StepSchedule((0.5,)), "score": mistakes} | options
    return fit_module(model or small(member.seed), CROSS_ENTROPY, data, member, **settings)


def by_hand(member):
    """Normalised SAM with heavy ball in so many words; returns the models after each epoch."""
    model, (x, y) = small(member.seed).train(), DATA.training
    parameters = list(model.parameters())
    velocity = [torch.zeros_like(p) for p in parameters]
    order, states = generator(member.seed, "epochs"), []

    def gradients(batch, track):
        for module in model.modules():
            if isinstance(module, nn.BatchNorm2d):
                module.momentum = 0.1 if track else 0.0
        loss = nn.functional.cross_entropy(model(x[batch]), y[batch])
        return torch.autograd.grad(loss, parameters)

    for epoch in range(4):
        shuffled = torch.randperm(len(x), generator=order)
        for batch in (shuffled[:10], shuffled[10:20]):
            ascent = gradients(batch, track=True)
            norm = torch.sqrt(sum((g**2).sum() for g in ascent))
            start = [p.detach().clone() for p in parameters]
            with torch.no_grad():
                for p, g in zip(parameters, ascent, strict=True):
                    p += member.radius * g / norm
            descent = gradients(batch, track=False)
            with torch.no_grad():
                for p, s, g, v in zip(parameters, start, descent, velocity, strict=True):
                    v.mul_(member.momentum).add_(g + member.weight_decay * s)
                    p.copy_(s - member.step_size * (0.1 if epoch >= 2 else 1.0) * v)
        states.append(copy.deepcopy(model).eval())
    return states


def test_a_fit_equals_a_plain_loop():
    member = Member(1, NORMALIZED_SAM, 0.05, 0.05, 10, 0.9, 1e-3)
    found, states = fit(member), by_hand(member)
    last = nn.utils.parameters_to_vector(states[-1].parameters()).detach()
    # Eight steps amplify round-off of 1e-16 by far less than 1e5.
    torch.testing.assert_close(found.parameters, last, rtol=0, atol=1e-11)
    x, y = DATA.validation
    errors = [float((state(x).argmax(1) != y).double().mean()) for state in states]
    assert found.validation_scores.tolist() == pytest.approx(errors, abs=1e-15)
    assert found.best_epoch == 1 + errors.index(min(errors))
    x, y = DATA.test
    tested = [float((s(x).argmax(1) != y).double().mean()) for s in states]
    assert (found.test_last, found.test_best) == pytest.approx(
        (tested[-1], tested[found.best_epoch - 1]), abs=1e-15
    )
    assert not found.diverged and found.member is member


def test_augmentation_is_used_paired_and_for_training_only():
    seen = []

    def recorded(x, stream):
        seen.append((len(x), int(torch.randint(1 << 30, (1,), generator=stream))))
        return x

    members = [Member(3, spec, 0.05, 0.05, 10) for spec in (SGD, NORMALIZED_SAM)]
    plain, augmented = fit(members[0]), fit(members[0], augmentation=recorded)
    first, seen = seen, []
    fit(members[1], augmentation=recorded)
    assert first == seen and [n for n, _ in seen] == [10] * 8  # one draw for both passes
    assert torch.equal(plain.parameters, augmented.parameters)  # it changed nothing


def test_divergence_is_reported():
    # The scale of weights before a normalisation does not matter: only overflow diverges surely.
    found = fit(Member(0, SGD, 1e308, 0.0, 10))
    assert found.diverged and torch.isinf(found.validation_scores[-1])


def test_fitting_leaves_the_model_and_the_global_state_alone():
    model = small().eval()
    before = copy.deepcopy(model.state_dict())
    state = torch.get_rng_state()
    fit(Member(0, NORMALIZED_SAM, 0.1, 0.05, 10), model)
    assert torch.equal(state, torch.get_rng_state()) and not model.training
    after = model.state_dict()
    assert all(torch.equal(before[name], after[name]) for name in before)
    assert all(p.grad is None for p in model.parameters())
    mean_score(model.train(), mistakes, *DATA.test)
    assert model.training


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: fit(Member(0, SGD, 0.1, 0.0, 23)), "batch_size is 23: it must be in 1 ... 22"),
        (lambda: fit(Member(0, SGD, 0.1, 0.0, 5), epochs=0), "epochs is 0"),
        (lambda: fit(Member(0, SamSpec("f", fresh_batch=True), 0.1)), "f ascends on fresh batches"),
        (lambda: ResNet18(0), "filters is 0"),
        (lambda: ResNet18(2, seed=-1), "seed is -1"),
    ],
)
def test_bad_input_is_one_clear_line(call, message):
    with pytest.raises(ValueError, match=message):
        call()


class Everything(nn.Module):
    """Layers that change buffers or draw random numbers in training mode."""

    def __init__(self):
        super().__init__()
        self.first = nn.utils.parametrizations.spectral_norm(nn.Conv1d(1, 4, 2))
        self.old = nn.utils.spectral_norm(nn.Conv1d(4, 4, 1))
        self.norms = nn.Sequential(
            nn.InstanceNorm1d(4, track_running_stats=True), nn.BatchNorm1d(4), nn.Dropout(0.5)
        )
        self.head = nn.Linear(16, 3)
        self.masks = []

    def forward(self, x):
        x = self.norms(self.old(self.first(x)))
        self.masks.append((x == 0).detach())
        return self.head(torch.tanh(x).flatten(1))


@pytest.mark.filterwarnings("ignore:.*spectral_norm.*deprecated")
def test_all_buffers_follow_the_first_pass_and_masks_repeat():
    torch.manual_seed(0)
    model = Everything().double().train()
    x, y = torch.randn(6, 1, 5, dtype=torch.float64), torch.tensor([0, 1, 2, 0, 1, 2])
    reference = copy.deepcopy(model)
    torch.manual_seed(1)
    reference(x)
    state = torch.get_rng_state()
    torch.manual_seed(1)
    optimizer = Optimizer(model.parameters(), NORMALIZED_SAM, 0.1, 0.5)
    optimizer.step(sam_closure(model, CROSS_ENTROPY, x, y))
    assert torch.equal(torch.get_rng_state(), state)  # as much as one pass draws
    assert len(list(model.buffers())) > 6
    for (name, found), expected in zip(model.named_buffers(), reference.buffers(), strict=True):
        assert torch.equal(found, expected), name
    first, second = model.masks
    assert torch.equal(first, second) and 0 < int(first.sum()) < first.numel()


def test_scores_leave_every_module_its_mode():
    model, (x, y) = small().train(), images(12)
    model.stem[1].eval()  # frozen
    modes = [module.training for module in model.modules()]
    before = [buffer.clone() for buffer in model.buffers()]
    mean_score(model, mistakes, x, y)
    assert [module.training for module in model.modules()] == modes

    def broken(outputs, targets):
        raise ArithmeticError

    with pytest.raises(ArithmeticError):
        mean_score(model, broken, x, y)
    assert [module.training for module in model.modules()] == modes
    assert all(torch.equal(a, b) for a, b in zip(before, model.buffers(), strict=True))
