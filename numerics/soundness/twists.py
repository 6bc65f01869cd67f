"""The grammar of what is done to a model: usual wrappers, and everything that could mislead."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.utils import parametrizations, prune
from torch.utils.checkpoint import checkpoint

from numerics.soundness.dice import Dice
from numerics.soundness.functions import Complex, Energy, Once, Packed, Proper, Skewed, Sparse

__all__ = ["TWISTS", "Twist", "plain"]

Twist = Callable[[Dice, nn.Module, Tensor], "tuple[nn.Module, Tensor] | None"]
"""From the choices, a model and its inputs to new ones; None where it does not apply."""


class Around(nn.Module):
    """A module of its own around a model, which changes inputs or outputs in one of many ways."""

    def __init__(self, inner: nn.Module, kind: str, *, ideal: bool, strength: Tensor) -> None:
        super().__init__()
        self.inner, self.kind, self.ideal = inner, kind, ideal
        self.register_buffer("strength", strength)
        self.outside: tuple[Any, ...] = ()
        if kind == "gain":
            self.gain = nn.Parameter(strength.clone())

    def forward(self, x: Tensor) -> Any:
        """The model, changed."""
        change = getattr(self, f"_{self.kind}")
        return change(x)

    def _nothing(self, x: Tensor) -> Tensor:
        return self.inner(x)

    def _gain(self, x: Tensor) -> Tensor:
        return self.gain * self.inner(x)

    def _pair(self, x: Tensor) -> tuple[Tensor, Tensor]:
        z = self.inner(x)
        return z, z.square()

    def _named(self, x: Tensor) -> dict[str, Tensor]:
        return {"scores": self.inner(x)}

    def _checkpoint(self, x: Tensor) -> Tensor:
        return self.inner(x) if self.ideal else checkpoint(self.inner, x, use_reentrant=False)

    def _reentrant(self, x: Tensor) -> Tensor:
        if self.ideal:
            return self.inner(x)
        again = x.detach().requires_grad_(True) if x.is_floating_point() else x
        return checkpoint(self.inner, again, use_reentrant=True)

    def _keeps(self, x: Tensor) -> Tensor:
        self.last = self.inner(x)
        return self.last

    def _collects(self, x: Tensor) -> Tensor:
        z = self.inner(x)
        self.outside = (*self.outside[-1:], z)
        return z

    def _in_place(self, x: Tensor) -> Tensor:
        if self.ideal:
            return self.inner((x - 0.25) / 2)
        x -= 0.25
        x /= 2
        return self.inner(x)

    def _once(self, x: Tensor) -> Tensor:
        z = self.inner(x)
        return z.sin() if self.ideal else Once.apply(z)

    def _skewed(self, x: Tensor) -> Tensor:
        z = self.inner(x)
        return z.sin() if self.ideal else Skewed.apply(z)

    def _proper(self, x: Tensor) -> Tensor:
        z = self.inner(x)
        return z.sin() if self.ideal else Proper.apply(z)

    def _cast(self, x: Tensor) -> Tensor:
        z = self.inner(x)
        return z.tanh() if self.ideal else z.float().tanh().to(z.dtype)

    def _noise(self, x: Tensor) -> Tensor:
        z = self.inner(x)
        return z + 0.1 * torch.randn_like(z)

    def _small_noise(self, x: Tensor) -> Tensor:
        z = self.inner(x)
        return z * (1 + 1e-6 * torch.rand_like(z))

    def _mask(self, x: Tensor) -> Tensor:
        return nn.functional.dropout(self.inner(x), 0.4, training=True)

    def _mean(self, x: Tensor) -> Tensor:
        z = self.inner(x)
        return z + self.strength * z.mean(0, keepdim=True).tanh()

    def _neighbour(self, x: Tensor) -> Tensor:
        """The first sample stays as it is; each other sees the one before it."""
        z = self.inner(x)
        return torch.cat([z[:1], z[1:] + self.strength * z[:-1]])

    def _follower(self, x: Tensor) -> Tensor:
        """The last sample stays as it is; each other sees the one after it."""
        z = self.inner(x)
        return torch.cat([z[:-1] + self.strength * z[1:], z[-1:]])

    def _middle(self, x: Tensor) -> Tensor:
        """Only the second sample sees another one, the first."""
        z = self.inner(x)
        return torch.cat([z[:1], z[1:2] + self.strength * z[:1] * (len(z) > 1), z[2:]])

    def _largest(self, x: Tensor) -> Tensor:
        z = self.inner(x)
        return z / (1 + z.abs().amax(0, keepdim=True))

    def _outside(self, x: Tensor) -> Tensor:
        """Parameters that were kept beside the registered ones take part."""
        extra = sum(p.square().sum() for p in self.outside)
        return self.inner(x) * (1 + 0.3 * torch.tanh(extra))

    def _sum_rule(self, x: Tensor) -> Tensor:
        """A branch on the data."""
        z = self.inner(x)
        return z.sin() if bool((z > -1e9).all()) else z

    def _exact_zero(self, x: Tensor) -> Tensor:
        return torch.sqrt(torch.relu(self.inner(x)))


def _around(kind: str) -> Twist:
    def twist(dice: Dice, model: nn.Module, inputs: Tensor) -> tuple[nn.Module, Tensor] | None:
        strength = dice.pick((0.7, 0.7, 0.01)) * torch.ones((), dtype=torch.float64)
        if kind == "in_place" and not inputs.is_floating_point():
            return None
        wrapped = Around(model, kind, ideal=dice.ideal, strength=strength)
        wrapped.train(model.training)
        if kind == "outside":
            chosen = dice.pick(list(model.parameters()))
            wrapped.outside = (chosen,)
        return wrapped, inputs

    twist.__name__ = kind
    return twist


def plain(dice: Dice, model: nn.Module, inputs: Tensor) -> tuple[nn.Module, Tensor]:
    """Nothing is done."""
    return model, inputs


def frozen(dice: Dice, model: nn.Module, inputs: Tensor) -> tuple[nn.Module, Tensor] | None:
    """One parameter is a constant."""
    trainable = [p for p in model.parameters() if p.requires_grad]
    if len(trainable) < 2:
        return None
    dice.pick(trainable).requires_grad_(False)
    return model, inputs


def _parts(model: nn.Module) -> list[nn.Module]:
    return [m for m in model.modules() if not isinstance(m, nn.Flatten)]


def replaced(dice: Dice, model: nn.Module, inputs: Tensor) -> tuple[nn.Module, Tensor] | None:
    """An instance's forward is replaced, of a part or of the whole."""
    simple = (nn.Linear, nn.Conv1d, nn.Conv2d, nn.Tanh, nn.ReLU, nn.Sequential)
    options = [m for m in model.modules() if type(m) in simple]
    if not options:
        return None
    part, factor = dice.pick(options), dice.pick((3.0, 0.5))
    forward = part.forward
    part.forward = lambda x: factor * forward(x)  # type: ignore[method-assign, assignment]
    return model, inputs


def hooked(dice: Dice, model: nn.Module, inputs: Tensor) -> tuple[nn.Module, Tensor] | None:
    """A hook changes inputs or outputs, or only looks."""
    options = [m for m in model.modules() if type(m) in (nn.Linear, nn.Conv1d, nn.Conv2d, nn.Tanh)]
    if not options:
        return None
    part, kind = dice.pick(options), dice.pick(("after", "before", "looks", "backward"))
    if kind == "after":
        part.register_forward_hook(lambda module, given, z: 2 * z)
    elif kind == "before":
        part.register_forward_pre_hook(lambda module, given: (given[0] + 1,))
    elif kind == "looks":
        part.register_forward_hook(lambda module, given, z: None)
    elif not dice.ideal:
        part.register_full_backward_hook(lambda module, after, before: None)
    return model, inputs


def extra(dice: Dice, model: nn.Module, inputs: Tensor) -> tuple[nn.Module, Tensor] | None:
    """A parameter that nothing uses, on any part."""
    part = dice.pick(_parts(model))
    part.register_parameter("beside", nn.Parameter(dice.normal(dice.whole(1, 2))))
    return model, inputs


def _unit_rows(length: Tensor, direction: Tensor) -> Tensor:
    """Weight normalisation by plain operations: torch's own has a wrong second derivative."""
    norm = direction.flatten(1).norm(dim=1).view(-1, *[1] * (direction.ndim - 1))
    return direction * (length / norm)


def reparametrised(dice: Dice, model: nn.Module, inputs: Tensor) -> tuple[nn.Module, Tensor] | None:
    """Weight and spectral normalisation, old and new, and pruning."""
    options = [m for m in model.modules() if type(m) in (nn.Linear, nn.Conv1d, nn.Conv2d)]
    if not options:
        return None
    part, kind = dice.pick(options), dice.pick(("old", "new", "spectral", "prune", "fresh-prune"))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        if kind == "old":
            nn.utils.weight_norm(part)
            if dice.ideal:
                hook: Any = next(iter(part._forward_pre_hooks.values()))
                hook.compute_weight = lambda owner: _unit_rows(owner.weight_g, owner.weight_v)
        elif kind == "new":
            parametrizations.weight_norm(part)
            if dice.ideal:
                new: Any = part.parametrizations
                new.weight[0].forward = _unit_rows
        elif kind == "spectral":
            parametrizations.spectral_norm(part).eval()
            model.eval()
        else:
            prune.l1_unstructured(part, "weight", 0.4)
    return model, inputs


def coefficients(dice: Dice, model: nn.Module, inputs: Tensor) -> tuple[nn.Module, Tensor] | None:
    """Complex parameters in front of the model."""
    if not inputs.is_floating_point() or inputs.ndim != 2:
        return None
    pairs = dice.normal(inputs.shape[1] // 2 + 1, 2)
    real = dice.chance(0.5)  # the twin always has pairs of real numbers
    return Complex(pairs, model, real=real or dice.ideal), inputs


def strange(dice: Dice, model: nn.Module, inputs: Tensor) -> tuple[nn.Module, Tensor]:
    """Another model altogether, of a kind that torch's transforms have trouble with."""
    n, kind = len(inputs), dice.pick(("energy", "packed", "sparse"))
    if kind == "energy":
        return dice.fill(Energy()), dice.normal(n, 3)
    if kind == "sparse":
        return dice.fill(Sparse()), dice.normal(n, 3, 2)
    tokens = 1 + dice.integers(4, n, 4)
    tokens[0, 2:] = 0
    return dice.fill(Packed()), tokens


class _Doubling(nn.Linear):
    """A subclass that computes something else."""

    def forward(self, x: Tensor) -> Tensor:
        return 2 * super().forward(x)


def subclassed(dice: Dice, model: nn.Module, inputs: Tensor) -> tuple[nn.Module, Tensor] | None:
    """A layer is an instance of a subclass."""
    options = [m for m in model.modules() if type(m) is nn.Linear]
    if not options:
        return None
    dice.pick(options).__class__ = _Doubling
    return model, inputs


def shared(dice: Dice, model: nn.Module, inputs: Tensor) -> tuple[nn.Module, Tensor] | None:
    """A layer is used twice, or two layers have one weight."""
    if not isinstance(model, nn.Sequential) or not isinstance(model[-1], nn.Linear):
        return None
    width = model[-1].out_features
    layer, other = nn.Linear(width, width).double(), nn.Linear(width, width).double()
    dice.fill(layer)
    if dice.chance(0.5):
        other = layer
    elif dice.chance(0.5):
        other.weight = layer.weight
    else:
        other.bias = layer.bias
    tail = (nn.Tanh(), layer, nn.Tanh(), other)
    nested = dice.chance(0.4)
    return nn.Sequential(*((model,) if nested else model), *tail), inputs


def nested(dice: Dice, model: nn.Module, inputs: Tensor) -> tuple[nn.Module, Tensor]:
    """One container in another."""
    return nn.Sequential(model, nn.Identity()), inputs


def steep(dice: Dice, model: nn.Module, inputs: Tensor) -> tuple[nn.Module, Tensor]:
    """Parameters or inputs much larger or smaller than usual."""
    factor = dice.pick((30.0, 5.0, 1e-3, 1e-8))
    if inputs.is_floating_point() and dice.chance(0.5):
        return model, inputs * factor
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.mul_(factor)
    return model, inputs


def counted(dice: Dice, model: nn.Module, inputs: Tensor) -> tuple[nn.Module, Tensor]:
    """Token frequencies scale the gradient of a table: a backward that is no derivative."""
    table = nn.Embedding(4, 2, scale_grad_by_freq=not dice.ideal)
    tokens = dice.integers(4, len(inputs), 4)
    return dice.fill(nn.Sequential(table, nn.Tanh(), nn.Flatten(), nn.Linear(8, 2))), tokens


def compiled(dice: Dice, model: nn.Module, inputs: Tensor) -> tuple[nn.Module, Tensor] | None:
    """Wrapped by DataParallel or scripted."""
    if dice.chance(0.5) or not isinstance(model, nn.Sequential):
        return (model if dice.ideal else nn.DataParallel(model)), inputs
    if dice.ideal:
        return model, inputs
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return torch.jit.script(model), inputs


TWISTS: dict[Twist, float] = {
    plain: 26,
    frozen: 3,
    replaced: 3,
    hooked: 3,
    extra: 3,
    reparametrised: 3,
    coefficients: 1.5,
    strange: 2,
    counted: 1,
    compiled: 1,
    subclassed: 1.5,
    shared: 2,
    nested: 1.5,
    steep: 2,
    **{_around(kind): 2 for kind in ("pair", "named", "nothing", "gain", "proper", "sum_rule")},
    **{_around(kind): 2 for kind in ("checkpoint", "keeps", "in_place", "cast")},
    **{_around(kind): 1.5 for kind in ("once", "skewed", "outside", "mean", "neighbour")},
    **{_around(kind): 1 for kind in ("follower", "middle", "largest", "noise", "mask")},
    **{_around(kind): 0.5 for kind in ("small_noise", "reentrant", "collects", "exact_zero")},
}
