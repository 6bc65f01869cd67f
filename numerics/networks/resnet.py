r"""ResNet-18 for images of 32 x 32, with any number of filters.

The stem is one 3 x 3 convolution without pooling; four stages of two blocks have k, 2k, 4k and 8k
filters.  k = 64 is the network of the literature; k = 4 ... 256 gives 0.04 to 179 million
parameters.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn

from numerics.checks import check_count

__all__ = ["ResNet18", "ResidualBlock"]


class ResidualBlock(nn.Module):
    r"""$\varphi(x) = \mathrm{ReLU}(F(x) + S(x))$: two 3 x 3 convolutions F beside a short cut S.

    S is the identity, or a 1 x 1 convolution where the block changes size.

    Args:
        filters: of the input.
        wider: of the output.
        stride: of the first convolution.
    """

    def __init__(self, filters: int, wider: int, stride: int) -> None:
        super().__init__()
        self.residual = nn.Sequential(
            _convolution(filters, wider, 3, stride),
            nn.BatchNorm2d(wider),
            nn.ReLU(),
            _convolution(wider, wider, 3),
            nn.BatchNorm2d(wider),
        )
        same = stride == 1 and filters == wider
        self.short_cut = (
            nn.Identity()
            if same
            else nn.Sequential(_convolution(filters, wider, 1, stride), nn.BatchNorm2d(wider))
        )

    def forward(self, x: Tensor) -> Tensor:
        """Shape (n, filters, s, s) to (n, wider, s / stride, s / stride)."""
        return torch.relu(self.residual(x) + self.short_cut(x))


class ResNet18(nn.Module):
    r"""Stem, four stages of two `Block`s, mean over the image, one linear layer.

    A convolution of side s to w filters starts at $N(0, 2 / (s^2 w))$ (He, fan-out), batch
    normalisation at the identity, the linear layer at $N(0, 1/8k)$ with zero bias: all from the
    seed, drawn on the CPU in float32, whatever the global state.

    Args:
        filters: k, of the first stage.
        classes: outputs.
        seed: of the weights.
        dtype: of the parameters.
        device: of the parameters.

    Raises:
        ValueError: if a count is not positive.

    Source: He, Zhang, Ren, Sun 2016, Deep residual learning for image recognition.
    """

    def __init__(
        self,
        filters: int = 64,
        classes: int = 10,
        seed: int = 0,
        dtype: torch.dtype = torch.float32,
        device: str | torch.device = "cpu",
    ) -> None:
        super().__init__()
        check_count("filters", filters)
        check_count("classes", classes)
        generator = torch.Generator().manual_seed(check_count("seed", seed, least=0))
        self.stem = nn.Sequential(_convolution(3, filters, 3), nn.BatchNorm2d(filters), nn.ReLU())
        widths = [filters * 2**stage for stage in range(4)]
        blocks, before = [], filters
        for stage, width in enumerate(widths):
            blocks += [
                ResidualBlock(before, width, 1 if stage == 0 else 2),
                ResidualBlock(width, width, 1),
            ]
            before = width
        self.blocks = nn.Sequential(*blocks)
        self.head = nn.utils.skip_init(nn.Linear, before, classes)
        with torch.no_grad():
            for module in self.modules():
                if isinstance(module, nn.Conv2d):
                    fan_out = module.out_channels * math.prod(module.kernel_size)
                    module.weight.normal_(std=math.sqrt(2 / fan_out), generator=generator)
            self.head.weight.normal_(std=1 / math.sqrt(before), generator=generator)
            self.head.bias.zero_()
        self.to(device=device, dtype=dtype)

    def forward(self, x: Tensor) -> Tensor:
        """Images of shape (n, 3, s, s) to outputs of shape (n, classes)."""
        return self.head(self.blocks(self.stem(x)).mean((2, 3)))


def _convolution(filters: int, wider: int, side: int, stride: int = 1) -> nn.Conv2d:
    """Padded to keep the size, without bias; its weights are drawn by the network."""
    padding = side // 2
    return nn.utils.skip_init(
        nn.Conv2d, filters, wider, side, stride=stride, padding=padding, bias=False
    )
