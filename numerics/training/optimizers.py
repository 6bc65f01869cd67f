"""Sharpness-aware minimisation as a torch optimiser, driven by `SamSpec`."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import asdict, replace
from typing import Any

import torch
from torch import Tensor
from torch.optim import Optimizer

from numerics.checks import check_nonnegative
from numerics.norms import power_of_two
from theory.trusted.algorithms import SamSpec

__all__ = ["SAM"]

Closure = Callable[[], Tensor | float]


class SAM(Optimizer):
    r"""Any algorithm of `SamSpec`, with heavy-ball momentum and weight decay.

    With the batch gradients $g_{b'}(x)$ and $g_b$, one step is
    $$ h = g_b(x + s\, g_{b'}(x)) + \lambda x, \qquad v^+ = \gamma v + h, \qquad
       x^+ = x - \eta v^+, $$
    where $s$ is `SamSpec.ascent_scale`, with one gradient norm over all parameters of all groups.
    The weight decay acts at $x$ and is not perturbed.  Without perturbation and with the same
    arguments this is `torch.optim.SGD`.

    The closure follows the usual convention of torch: it computes the loss of its batch, calls
    `backward` and returns the loss.  It is called once, or twice for a perturbed algorithm, and
    must use the same batch both times.  Gradients are cleared before each call, so that a closure
    may, but need not, call `zero_grad`; several `backward` calls in one closure add up.  Layers
    with running statistics (batch normalisation in training mode) see both calls, and dropout draws
    a mask in each: `training.batch_norm.sam_closure` is a closure that updates statistics once and
    repeats the mask.

    The gradient norm is taken of gradients scaled by a power of two, and added up in float64: it
    neither overflows nor underflows in any dtype.  Sparse gradients are taken as dense ones.

    Args:
        params: parameters or groups; the keys `lr` ($\eta$), `radius`, `momentum` and
            `weight_decay` of a group override the arguments below.
        spec: the algorithm.
        step_size: $\eta$, stored as `lr` so that the schedulers of torch find it.
        radius: $\rho$; unused if the algorithm is not perturbed.
        momentum: $\gamma$, heavy ball.
        weight_decay: $\lambda$.

    Raises:
        ValueError: if a number is negative or not finite.

    Source: Foret et al. 2021 (normalised); Andriushchenko and Flammarion 2022 (unnormalised).
    """

    def __init__(
        self,
        params: Iterable[Any],
        spec: SamSpec,
        step_size: float,
        radius: float = 0.0,
        momentum: float = 0.0,
        weight_decay: float = 0.0,
    ) -> None:
        defaults = {
            "lr": check_nonnegative("step_size", step_size),
            "radius": check_nonnegative("radius", radius),
            "momentum": check_nonnegative("momentum", momentum),
            "weight_decay": check_nonnegative("weight_decay", weight_decay),
            "algorithm": asdict(spec),
        }
        super().__init__(params, defaults)

    @property
    def spec(self) -> SamSpec:
        """The algorithm."""
        return SamSpec(**self.defaults["algorithm"])

    def add_param_group(self, param_group: dict[str, Any]) -> None:
        """Add a group of parameters.

        Raises:
            ValueError: if a number of the group is negative or not finite, or the group asks for
                another algorithm.
        """
        for key in ("lr", "radius", "momentum", "weight_decay"):
            check_nonnegative(key, param_group.get(key, self.defaults[key]))
        if param_group.get("algorithm", self.defaults["algorithm"]) != self.defaults["algorithm"]:
            raise ValueError("a parameter group asks for another algorithm: use one optimiser each")
        super().add_param_group(param_group)

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Load the state of an optimiser of the same algorithm.

        Raises:
            ValueError: if the state belongs to another algorithm.
        """
        for group in state_dict["param_groups"]:
            if group.get("algorithm") != self.defaults["algorithm"]:
                raise ValueError(
                    f"the state belongs to {group.get('algorithm')}: "
                    f"this optimiser is {self.defaults['algorithm']}"
                )
        super().load_state_dict(state_dict)

    @torch.no_grad()
    def step(  # type: ignore[override]  # torch's own may do without a closure; SAM needs one
        self, closure: Closure, ascent_closure: Closure | None = None
    ) -> Tensor:
        """Make one step.

        If a closure raises, the parameters are bitwise what they were before the step.

        Args:
            closure: computes the loss and the gradients on the batch of the descent step.
            ascent_closure: the same on the batch of the ascent step; needed exactly when the
                algorithm ascends on a fresh batch.

        Returns:
            The loss at the parameters before the step, detached: of the ascent batch if that is a
            fresh one, else of the only batch.

        Raises:
            ValueError: if a closure is missing or superfluous, or no parameter gets a gradient.
            FloatingPointError: if a loss or a gradient is NaN or infinite.
        """
        spec = self.spec
        if closure is None:
            raise ValueError("step needs a closure that computes the loss and its gradients")
        if (spec.perturbed and spec.fresh_batch) != (ascent_closure is not None):
            wanted = "needs" if ascent_closure is None else "has no use for"
            raise ValueError(f"{spec.name} {wanted} an ascent_closure")
        loss = self._evaluate(ascent_closure or closure)
        if spec.perturbed:
            before = [(p, p.clone()) for _, p in self._parameters() if p.grad is not None]
            try:
                self._perturb(spec)
                self._evaluate(closure)
            finally:
                for parameter, value in before:
                    parameter.copy_(value)
        self._descend()
        return loss

    def _evaluate(self, closure: Closure) -> Tensor:
        self.zero_grad()
        with torch.enable_grad():
            loss = closure()
        if loss is None:
            raise ValueError("the closure returned None: return the loss")
        loss = torch.as_tensor(loss).detach()
        if not torch.isfinite(loss).all():
            bad = int((~torch.isfinite(loss)).sum())
            what = f"{bad} of {loss.numel()} losses are" if loss.numel() > 1 else "the loss is"
            value = "NaN or infinite" if loss.numel() > 1 else f"{loss.item()}"
            raise FloatingPointError(f"{what} {value}: lower the step size or the radius")
        if not any(parameter.grad is not None for _, parameter in self._parameters()):
            raise ValueError("no parameter got a gradient: does the closure call loss.backward()?")
        if not torch.isfinite(self._largest()):
            raise FloatingPointError(
                "a gradient has NaN or infinite entries: lower the step size, the radius, or the "
                "factor of a scaled loss"
            )
        return loss

    def _largest(self) -> Tensor:
        """The largest absolute entry of all gradients, in float64; NaN if one is."""
        found = [
            torch.linalg.vector_norm(gradient, torch.inf).double()
            for _, _, gradient in self._moving()
            if gradient.numel()
        ]
        device = found[0].device if found else None
        return torch.stack(
            [torch.zeros((), device=device, dtype=torch.float64)]
            + [one.to(device) for one in found]
        ).max()

    def _perturb(self, spec: SamSpec) -> None:
        """Move to the ascent point."""
        moving = self._moving()
        if not spec.normalized:
            for group, parameter, gradient in moving:
                parameter.add_(gradient * spec.ascent_scale(group["radius"]))
            return
        # In units of 2^k: the spec's quotient is the same for gradient, norm and epsilon in them.
        unit = power_of_two(self._largest())
        norms = [torch.linalg.vector_norm(_scaled(g, unit)).to(unit.device) for _, _, g in moving]
        norm = torch.linalg.vector_norm(torch.stack(norms))
        # At a zero gradient the perturbation is zero: dividing by infinity says so.
        norm = torch.where(norm == 0, torch.inf, norm)
        scaled = replace(spec, epsilon=spec.epsilon / float(unit))
        for group, parameter, gradient in moving:
            factor = scaled.ascent_scale(group["radius"], norm).to(parameter.device)
            parameter.add_(_scaled(gradient, unit) * factor)

    def _descend(self) -> None:
        for group, parameter, gradient in self._moving():
            if group["weight_decay"]:
                gradient = gradient.add(parameter, alpha=group["weight_decay"])
            if group["momentum"]:
                state = self.state[parameter]
                if "momentum_buffer" not in state:
                    state["momentum_buffer"] = gradient.clone()
                else:
                    state["momentum_buffer"].mul_(group["momentum"]).add_(gradient)
                gradient = state["momentum_buffer"]
            parameter.add_(gradient, alpha=-group["lr"])

    def _parameters(self) -> list[tuple[dict[str, Any], Tensor]]:
        return [(group, p) for group in self.param_groups for p in group["params"]]

    def _moving(self) -> list[tuple[dict[str, Any], Tensor, Tensor]]:
        """Group, parameter and gradient, made dense, of every parameter that has one."""
        return [
            (group, p, p.grad if p.grad.layout is torch.strided else p.grad.to_dense())
            for group, p in self._parameters()
            if p.grad is not None
        ]


def _scaled(gradient: Tensor, unit: Tensor) -> Tensor:
    """The gradient in units of a power of two, in double precision."""
    wide = torch.promote_types(gradient.dtype, torch.float64)
    return gradient.to(wide) / unit.to(gradient.device)
