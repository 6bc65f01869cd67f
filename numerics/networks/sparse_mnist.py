r"""MNIST with perceptrons pruned at initialisation: large and sparse, or small and dense."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

from numerics.checks import check_choice, check_count
from numerics.networks.scaled_mnist import SIDE, ScaledMnist, check_window
from numerics.training.ensembles import generator
from numerics.training.epochs import Data
from numerics.training.pruning import apply_mask, kept_by_layer, random_mask, snip_mask

__all__ = ["SparseMnist"]

_METHODS = ("random", "snip")


@dataclass(frozen=True)
class SparseMnist(ScaledMnist):
    r"""The perceptrons of `ScaledMnist` with a fixed mask, chosen once before training.

    Pruned weights are zero throughout: neither SAM's ascent step, nor its norm, nor momentum or
    weight decay sees them.  All biases are kept.

    Attributes:
        remaining: parameters that are left, biases included; None prunes nothing.
        pruning: `random` keeps the same share of each layer, `snip` the weights with the highest
            connection sensitivity on one batch.
        pruning_batch: samples of that batch, drawn from the training set by the training's seed.
        rescaled: whether each layer's weights are multiplied by a number, after pruning, that gives
            the layer its Frobenius norm back. Without it the outputs of a network at 99% sparsity
            start near zero, and short trainings end there.
        pool: side of the window over which images are averaged, a divisor of 28. With fewer pixels
            a small dense network has wider layers: at 6300 parameters 30 and 10 units for 14 x 14
            pixels, but 8 and 2 for 28 x 28.
    """

    remaining: int | None = None
    pruning: str = "random"
    pruning_batch: int = 128
    rescaled: bool = True
    pool: int = 1

    @property
    def pixels(self) -> int:
        """Inputs of the network."""
        return super().pixels // self.pool**2

    def data(self, seed: int = 0, device: str | torch.device = "cpu") -> Data:
        """The three sets, images averaged.

        Raises:
            ValueError: as for `ScaledMnist`, or if the window is no divisor of 28.
        """
        check_window("pool", self.pool)
        whole = super().data(seed, device)
        if self.pool == 1:
            return whole
        parts = (whole.training, whole.validation, whole.test)
        return Data(*((self._pooled(inputs), labels) for inputs, labels in parts))

    def _pooled(self, inputs: Tensor) -> Tensor:
        images = inputs.unflatten(1, (1, SIDE, SIDE))
        return functional.avg_pool2d(images, self.pool).flatten(1)

    @property
    def size(self) -> int:
        """Number of parameters that remain."""
        return super().size if self.remaining is None else self.remaining

    def prune(self, model: nn.Module, seed: int, data: Data) -> Tensor | None:
        """Set the pruned weights of a fresh network to zero, and scale the others.

        Returns:
            Which parameters are left, shape (d,), bool; None where all are.

        Raises:
            ValueError: if the method is unknown, `remaining` or the batch out of range, or the
                network linearised (around parameters that are not pruned).
        """
        if self.remaining is None:
            return None
        check_choice("pruning", self.pruning, _METHODS)
        if self.linearised:
            raise ValueError("linearised is True: a pruned network is trained as it is")
        if self.pruning == "random":
            mask = random_mask(model, self.remaining, seed)
        else:
            inputs, labels = data.training
            check_count("pruning_batch", self.pruning_batch, most=len(inputs))
            order = torch.randperm(len(inputs), generator=generator(seed, "pruning batch"))
            batch = order[: self.pruning_batch].to(inputs.device)
            mask = snip_mask(model, self.loss, inputs[batch], labels[batch], self.remaining)
        apply_mask(model, mask, rescaled=self.rescaled)
        return mask

    def outcome(self, seed: int, device: str | torch.device = "cpu") -> dict[str, Any]:
        """That of any comparison, and the share of its weights that each layer keeps."""
        model = self.build(seed, device)
        mask = self.prune(model, seed, self.data(seed, device))
        kept = {} if mask is None else kept_by_layer(model, mask)
        return {**super().outcome(seed, device), "kept": kept}
