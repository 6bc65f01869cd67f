r"""A perceptron on MNIST that interpolates exactly, and the true dynamics beside that minimum.

One output and the parity of the digit as target, $\pm 1$: n samples are n equations, so a few
hundred samples interpolate with a few times as many parameters, and the joint range of the Hessians
has dimension n.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from numerics.data.mnist import mnist_subset
from numerics.hessians.generic import FlatModel
from numerics.networks.interpolating import InterpolatingMinimum, interpolating_minimum, linearise
from numerics.networks.perceptrons import NetworkProblem
from numerics.stability.simulation import Step, draw_batches
from numerics.training.to_loss import Member, train_ensemble
from theory.trusted.algorithms import SAM, SGD, SamSpec

__all__ = ["MnistParity", "network_step", "trained_minimum"]

#: Size of a displacement from the minimum: the cubic term of the loss changes a step by about this
#: share, and round-off in the gradient by 1e-16 over it.
DISPLACEMENT = 1e-6
RANK_TOLERANCE = 1e-10


@dataclass(frozen=True)
class MnistParity:
    r"""SGD on the parity of MNIST digits, then Gauss-Newton to exact interpolation.

    Images are pooled to 7 x 7 and standardised; the perceptron has one hidden layer of tanh units.

    Attributes:
        samples: n, balanced over the digits.
        hidden: width of the hidden layer.
        step_size: $\eta$ of the training.
        batch_size: of the training.
        target_loss: mean of $\tfrac12 (z - y)^2$ at which SGD hands over to Gauss-Newton.
        max_steps: steps after which the training gives up.
        seed: of the initial weights and the batches.
        data_seed: of the draw of images.
    """

    samples: int = 200
    hidden: int = 24
    step_size: float = 0.05
    batch_size: int = 20
    target_loss: float = 1e-3
    max_steps: int = 100_000
    seed: int = 0
    data_seed: int = 0

    def problem(self, device: str | torch.device = "cpu") -> NetworkProblem:
        """The data and the architecture."""
        data = mnist_subset(self.samples, seed=self.data_seed, pool=4, device=device)
        parity = (1 - 2 * (data.labels % 2)).to(data.inputs.dtype)
        widths = (data.inputs.shape[1], self.hidden, 1)
        name = f"{data.name}-parity perceptron {'-'.join(map(str, widths))}"
        return NetworkProblem(name, data.inputs, parity.unsqueeze(1), widths)

    def minimum(self, device: str | torch.device = "cpu") -> InterpolatingMinimum:
        """Train, and go on to the interpolating minimum beside.

        Raises:
            ValueError: if training or Gauss-Newton does not get there.
        """
        member = Member(self.seed, SGD, self.step_size, 0.0, self.batch_size)
        return trained_minimum(
            self.problem(device), member, target_loss=self.target_loss, max_steps=self.max_steps
        )


def trained_minimum(
    problem: NetworkProblem, member: Member, *, target_loss: float, max_steps: int
) -> InterpolatingMinimum:
    """The interpolating minimum beside the one where a single training ends.

    Args:
        problem: the network and its data.
        member: the training.
        target_loss: where it hands over to Gauss-Newton.
        max_steps: steps after which it gives up.

    Raises:
        ValueError: if training or Gauss-Newton does not get there.
    """
    (run,) = train_ensemble(
        problem.build,
        problem.loss,
        problem.inputs,
        problem.targets,
        (member,),
        target_loss=target_loss,
        max_steps=max_steps,
    )
    if not run.converged:
        raise ValueError(
            f"{problem.name}: loss {run.loss:.3g} after {run.steps} steps of size "
            f"{member.step_size:g}; raise max_steps or lower the step size"
        )
    return interpolating_minimum(problem, run)


def network_step(
    problem: NetworkProblem,
    minimum: InterpolatingMinimum,
    step_size: float,
    radius: float = 0.0,
    spec: SamSpec = SAM,
    *,
    batch_size: int = 1,
) -> Step:
    r"""One step of the algorithm on the network itself, in coordinates of the joint range.

    A direction y of the range is the displacement $\epsilon V y$ from the minimum, $\epsilon$
    small; after the step its part in the range is measured again.  What leaves the range moves
    along the minima and has no part in stability.

    Args:
        problem: the network.
        minimum: where it interpolates.
        step_size: $\eta$.
        radius: $\rho$.
        spec: an algorithm that uses one batch and is not normalised.
        batch_size: samples in a batch, drawn without replacement.
    """
    model = problem.build(0)
    flat = FlatModel(model, problem.loss, problem.inputs.dtype)
    _, jacobian = linearise(model, minimum.parameters, problem)
    _, values, rows = torch.linalg.svd(jacobian.flatten(0, 1), full_matrices=False)
    rows = rows[values > RANK_TOLERANCE * values[0]]

    def mean_loss(point: Tensor, inputs: Tensor, targets: Tensor) -> Tensor:
        return flat.losses(point, inputs, targets).mean()

    gradients = torch.func.vmap(torch.func.grad(mean_loss))

    def step(points: Tensor, generator: torch.Generator) -> Tensor:
        batch = draw_batches(problem.samples, batch_size, len(points), generator)
        inputs, targets = problem.inputs[batch], problem.targets[batch]
        where = minimum.parameters + DISPLACEMENT * (points @ rows)
        after = spec.step(where, step_size, radius, lambda at: gradients(at, inputs, targets))
        return (after - minimum.parameters) @ rows.T / DISPLACEMENT

    return step
