"""Functions whose backward is not what it seems, and parts that reach around the model."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn

__all__ = ["Complex", "Energy", "Once", "Packed", "Proper", "Skewed", "Sparse"]


class _Sine(torch.autograd.Function):
    """sin, its derivative still to be said."""

    generate_vmap_rule = True

    @staticmethod
    def forward(x: Tensor) -> Tensor:
        """The value."""
        return x.sin()

    @staticmethod
    def setup_context(ctx: Any, inputs: Any, output: Any) -> None:
        """Keep the input."""
        ctx.save_for_backward(inputs[0])


class Once(_Sine):
    """sin, whose derivative torch takes for a constant."""

    @staticmethod
    @torch.autograd.function.once_differentiable
    def backward(ctx: Any, slope: Tensor) -> Tensor:
        """The first derivative."""
        return slope * ctx.saved_tensors[0].cos()


class Skewed(_Sine):
    """sin with a backward that is 5% too large where x is positive: no gradient of anything."""

    @staticmethod
    def backward(ctx: Any, slope: Tensor) -> Tensor:
        """Not the derivative."""
        (x,) = ctx.saved_tensors
        return slope * x.cos() * (1 + 0.05 * (x > 0))


class Proper(torch.autograd.Function):
    """sin with its right derivative, in the old style (one context for both)."""

    @staticmethod
    def forward(ctx: Any, x: Tensor) -> Tensor:
        """The value."""
        ctx.save_for_backward(x)
        return x.sin()

    @staticmethod
    def backward(ctx: Any, slope: Tensor) -> Tensor:
        """The derivative."""
        return slope * ctx.saved_tensors[0].cos()


class Complex(nn.Module):
    """A layer of Fourier coefficients, as complex numbers or as pairs of real ones."""

    def __init__(self, coefficients: Tensor, inner: nn.Module, *, real: bool) -> None:
        super().__init__()
        self.real, self.inner = real, inner
        pairs = coefficients.clone().contiguous()
        self.w = nn.Parameter(pairs if real else torch.view_as_complex(pairs))

    def forward(self, x: Tensor) -> Tensor:
        """Filter the last axis, then the inner model."""
        w = torch.view_as_complex(self.w.contiguous()) if self.real else self.w
        return self.inner(
            torch.fft.irfft(torch.fft.rfft(x) * w.to(x.dtype.to_complex()), x.shape[-1])
        )


class Energy(nn.Module):
    """The gradient of a network in its inputs, as energy and Hamiltonian networks have it."""

    def __init__(self) -> None:
        super().__init__()
        self.a, self.b = nn.Linear(3, 3), nn.Linear(3, 1)

    def forward(self, x: Tensor) -> Tensor:
        """Minus a force, the shape of x."""
        with torch.enable_grad():
            x = x.detach().clone().requires_grad_(True)
            energy = self.b(torch.tanh(self.a(x))).sum()
            return torch.autograd.grad(energy, x, create_graph=True)[0]


class Packed(nn.Module):
    """A recurrent network on sequences of different lengths; token 0 is padding."""

    def __init__(self) -> None:
        super().__init__()
        self.table, self.cell, self.head = (
            nn.Embedding(5, 2),
            nn.RNN(2, 2, batch_first=True),
            nn.Linear(2, 2),
        )

    def forward(self, tokens: Tensor) -> Tensor:
        """Class scores from the last state."""
        packed = nn.utils.rnn.pack_padded_sequence(
            self.table(tokens), (tokens != 0).sum(1), batch_first=True, enforce_sorted=False
        )
        return self.head(self.cell(packed)[1][-1])


class Sparse(nn.Module):
    """A graph network with a sparse adjacency matrix between three nodes of each sample."""

    def __init__(self) -> None:
        super().__init__()
        self.a, self.b = nn.Linear(2, 3), nn.Linear(3, 2)
        links = torch.tensor([[1.0, 0.5, 0.0], [0.5, 1.0, 0.5], [0.0, 0.5, 1.0]])
        self.register_buffer("links", links.double().to_sparse())

    def forward(self, x: Tensor) -> Tensor:
        """Class scores, averaged over the nodes."""
        h = [torch.sparse.mm(self.links.to(x.dtype), node) for node in self.a(x)]
        return self.b(torch.tanh(torch.stack(h))).mean(1)
