r"""Networks that interpolate: seeded perceptrons, and the MNIST setting of the figures."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import torch
from torch import Tensor, nn

from numerics.checks import check_choice, check_count
from numerics.data.mnist import mnist_subset
from numerics.hessians import SQUARE_LOSS, Moments, SampleHessians, moments, per_sample
from numerics.hessians.losses import Loss
from numerics.training.to_loss import Member, TrainingRun, train_ensemble
from theory.trusted.algorithms import NORMALIZED_SAM, SAM, SGD

__all__ = ["Minimum", "MnistMlp", "NetworkProblem", "mlp"]

_ACTIVATIONS: dict[str, type[nn.Module]] = {
    "gelu": nn.GELU,
    "identity": nn.Identity,
    "relu": nn.ReLU,
    "sigmoid": nn.Sigmoid,
    "softplus": nn.Softplus,
    "tanh": nn.Tanh,
}


def mlp(
    widths: Sequence[int],
    activation: str = "tanh",
    seed: int = 0,
    dtype: torch.dtype = torch.float64,
    device: str | torch.device = "cpu",
) -> nn.Sequential:
    r"""A multilayer perceptron with weights $N(0, 1/h)$, h the width of the input, and biases 0.

    The weights are drawn on the CPU in float64 from a generator of their own: one seed gives the
    same network on every device, in every dtype (up to rounding) and whatever the global state.

    Args:
        widths: input, hidden ..., output; at least two.
        activation: between the layers: gelu, identity, relu, sigmoid, softplus or tanh.
        seed: of the weights.
        dtype: of the parameters.
        device: of the parameters.

    Raises:
        ValueError: if a width is not positive or the activation unknown.
    """
    if len(widths) < 2:
        raise ValueError(f"widths are {tuple(widths)}: give at least the input and output widths")
    for width in widths:
        check_count("width", width)
    check_choice("activation", activation, tuple(_ACTIVATIONS))
    generator = torch.Generator().manual_seed(check_count("seed", seed, least=0))
    modules: list[nn.Module] = []
    for inputs, outputs in pairwise(widths):
        if modules:
            modules.append(_ACTIVATIONS[activation]())
        layer = nn.utils.skip_init(nn.Linear, inputs, outputs, dtype=torch.float64)
        with torch.no_grad():
            layer.weight.normal_(std=1 / math.sqrt(inputs), generator=generator)
            layer.bias.zero_()
        modules.append(layer)
    return nn.Sequential(*modules).to(device=device, dtype=dtype)


@dataclass(frozen=True)
class NetworkProblem:
    r"""A perceptron, a loss and data: $f(x) = \frac1n \sum_i \ell(\text{net}_x(\xi_i), y_i)$.

    Attributes:
        name: identifies the problem in tables.
        inputs: shape (n, inputs), float64.
        targets: what the loss takes.
        widths: of the layers, input and output included.
        activation: between the layers.
        loss: per-sample loss; `SQUARE_LOSS` has the attainable minimum 0 with one-hot targets.
    """

    name: str
    inputs: Tensor
    targets: Tensor
    widths: tuple[int, ...]
    activation: str = "tanh"
    loss: Loss = SQUARE_LOSS

    @property
    def samples(self) -> int:
        """Number of samples n."""
        return len(self.inputs)

    @property
    def size(self) -> int:
        """Number of parameters d."""
        return sum((inputs + 1) * outputs for inputs, outputs in pairwise(self.widths))

    @property
    def overparameterisation(self) -> float:
        r"""Parameters over equations, $d / (n c)$; interpolation is generic above 1 only."""
        return self.size / (self.samples * self.widths[-1])

    def build(self, seed: int) -> nn.Sequential:
        """A fresh network."""
        return mlp(self.widths, self.activation, seed, self.inputs.dtype, self.inputs.device)

    def hessians(self, run: TrainingRun) -> SampleHessians:
        """Every sample's exact Hessian where a training ended."""
        model = run.load_into(self.build(0))
        return per_sample(model, self.loss, self.inputs, self.targets)


@dataclass(frozen=True)
class Minimum:
    """Where a training ended, and how sharp and how uniform it is there.

    Attributes:
        run: the training.
        moments: of one sample's Hessian; None if the training did not reach the target loss.
    """

    run: TrainingRun
    moments: Moments | None


@dataclass(frozen=True)
class MnistMlp:
    r"""SGD, unnormalised SAM and normalised SAM, trained to one loss on a part of MNIST.

    Images are average-pooled to 7 x 7 and standardised like full ones, so that $E\|\xi\|^2$ is
    about 29 rather than 784: sharpness stays near 10 and steps near 0.1 are stable.  60 images and
    1450 parameters make 2.4 parameters for each of the 600 equations $\text{net}(\xi_i) = y_i$, so
    interpolation is attainable.  Step size, radii and batch size were chosen on this problem:
    large enough that SGD's sharpness reaches its edge $2/\eta$, and that all three algorithms reach
    the target loss from every seed; $\rho < \eta/2$ as the published bound on $s_2$ requires.
    Members with one seed share initial weights and batches, so comparisons are paired.

    Attributes:
        samples: images, six of each class by default.
        hidden: width of the hidden layer.
        step_size: $\eta$, common to all.
        radius: $\rho$ of unnormalised SAM.
        normalized_radius: $\rho$ of normalised SAM.
        batch_size: samples per step.
        target_loss: mean of $\tfrac12\|z - y\|^2$ at which every training stops.
        max_steps: steps after which a training gives up.
        seeds: of the trainings.
        data_seed: of the draw of images.
    """

    samples: int = 60
    hidden: int = 24
    step_size: float = 0.1
    radius: float = 0.04
    normalized_radius: float = 0.02
    batch_size: int = 12
    target_loss: float = 1e-3
    max_steps: int = 40_000
    seeds: tuple[int, ...] = (0, 1, 2, 3, 4)
    data_seed: int = 0

    def problem(self, device: str | torch.device = "cpu") -> NetworkProblem:
        """The data and the architecture."""
        data = mnist_subset(
            self.samples, seed=self.data_seed, pool=4, targets="one-hot", device=device
        )
        widths = (data.inputs.shape[1], self.hidden, data.targets.shape[1])
        name = f"{data.name} perceptron {'-'.join(map(str, widths))}"
        return NetworkProblem(name, data.inputs, data.targets, widths)

    def members(
        self, radii: Sequence[float] = (), normalized_radii: Sequence[float] = ()
    ) -> tuple[Member, ...]:
        """The trainings: SGD, SAM and normalised SAM at each radius, by default the setting's.

        Seeds follow each other.
        """
        chosen = [(SGD, 0.0)]
        chosen += [(SAM, radius) for radius in radii or (self.radius,)]
        chosen += [
            (NORMALIZED_SAM, radius) for radius in normalized_radii or (self.normalized_radius,)
        ]
        return tuple(
            Member(seed, spec, self.step_size, radius, self.batch_size)
            for spec, radius in chosen
            for seed in self.seeds
        )

    def train(
        self, device: str | torch.device = "cpu", members: Sequence[Member] = ()
    ) -> tuple[TrainingRun, ...]:
        """Run the trainings, by default all of `members()`, and return them in order."""
        problem = self.problem(device)
        return train_ensemble(
            problem.build,
            problem.loss,
            problem.inputs,
            problem.targets,
            members or self.members(),
            target_loss=self.target_loss,
            max_steps=self.max_steps,
        )

    def minima(
        self, device: str | torch.device = "cpu", members: Sequence[Member] = ()
    ) -> tuple[Minimum, ...]:
        """Run the trainings, as `train` does, and measure where they end."""
        problem = self.problem(device)
        return tuple(
            Minimum(run, _moments(problem, run) if run.converged else None)
            for run in self.train(device, members)
        )


def _moments(problem: NetworkProblem, run: TrainingRun) -> Moments:
    """By Lanczos, which takes a fraction of the dense method's time at this size."""
    return moments(problem.hessians(run), method="lanczos")
