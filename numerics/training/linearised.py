r"""A network's linearisation in its parameters: the regime of the neural tangent kernel."""

from __future__ import annotations

import copy
import functools
import warnings

import torch
from torch import Tensor, nn

from numerics.hessians.guards import check_deterministic

__all__ = ["Linearised"]


class Linearised(nn.Module):
    r"""$x \mapsto f(x; \theta_0) + J(x; \theta_0)\,(\theta - \theta_0)$, trained in $\theta$.

    $J$ is the Jacobian of the outputs with respect to the parameters; $\theta$ starts at
    $\theta_0$, where the linearisation and the network agree.  The product $J(\theta - \theta_0)$
    is one forward-mode derivative; no Jacobian is formed.

    In an ensemble (see `numerics.training.ensembles`) all members have to share $\theta_0$.

    Args:
        model: the network at $\theta_0$; copied, not touched.

    Raises:
        ValueError: if the network has buffers, or a layer that makes its outputs random.

    Source: Jacot, Gabriel, Hongler 2018, Neural tangent kernel; Lee et al. 2019, Wide neural
        networks of any depth evolve as linear models under gradient descent.
    """

    def __init__(self, model: nn.Module) -> None:
        super().__init__()
        _load_forward_mode()
        named = {name: parameter.detach() for name, parameter in model.named_parameters()}
        check_deterministic(model)
        for name, _ in model.named_buffers():
            raise ValueError(
                f"the network has the buffer {name}: linearise one with parameters only"
            )
        self._names = list(named)
        self._structure = [copy.deepcopy(model)]  # in a list: its parameters are not trained
        self.moving = nn.ParameterList([nn.Parameter(p.clone()) for p in named.values()])
        for index, parameter in enumerate(named.values()):
            self.register_buffer(f"start_{index}", parameter.clone())

    def forward(self, x: Tensor) -> Tensor:
        """The linearised outputs, of the shape of the network's."""
        start = {name: getattr(self, f"start_{k}") for k, name in enumerate(self._names)}
        change = {
            name: parameter - start[name]
            for name, parameter in zip(self._names, self.moving, strict=True)
        }

        def outputs(parameters: dict[str, Tensor]) -> Tensor:
            return torch.func.functional_call(self._structure[0], parameters, (x,))

        # [:2] since jvp is typed as if it could always return auxiliary outputs, too.
        value, slope = torch.func.jvp(outputs, (start,), (change,))[:2]
        return value + slope


@functools.cache
def _load_forward_mode() -> None:
    """The first forward-mode derivative loads a part of torch that warns of its own deprecation."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        torch.func.jvp(torch.sin, (torch.zeros(()),), (torch.zeros(()),))
