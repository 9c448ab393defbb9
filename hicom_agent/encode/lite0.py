"""EfficientNet-Lite0: a picture becomes a grid of 1280-wide features and, cell by cell, 1000 class logits."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch
from torch import nn
from torch.nn import functional as F  # noqa: N812
from torch.nn.utils.fusion import fuse_conv_bn_eval

STRIDE_PX = 32  # one grid cell is made for each 32 x 32 pixels


class _Conv(nn.Module):
    """A convolution that has swallowed its batch norm, padded as TensorFlow pads.

    At stride 2 that is one row and column more at the end. A kernel with a row and column of zeros in front says the
    same with even padding, in one operation: padding the pictures first took a sixth of the network's time.
    """

    def __init__(self, conv: Any, norm: nn.BatchNorm2d, relu: bool) -> None:
        super().__init__()
        size, stride = conv.weight.shape[-1], conv.stride[0]
        fused: Any = fuse_conv_bn_eval(conv, norm)
        zeros = 1 if stride == 2 else 0
        weight = F.pad(fused.weight, (zeros, 0, zeros, 0))
        padding, groups = size // 2, conv.groups
        self.conv = nn.Conv2d(conv.in_channels, conv.out_channels, size + zeros, stride, padding, groups=groups)
        self.conv.weight, self.conv.bias = nn.Parameter(weight), fused.bias
        self.relu = relu

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = self.conv(x)
        return F.relu6(x, inplace=True) if self.relu else x


class _Block(nn.Module):
    """An inverted bottleneck without squeeze-and-excitation."""

    def __init__(self, block: Any) -> None:
        super().__init__()
        steps = [_Conv(block._expand_conv, block._bn0, relu=True)] if hasattr(block, "_expand_conv") else []
        steps += [_Conv(block._depthwise_conv, block._bn1, relu=True)]
        self.skip = (
            steps[-1].conv.stride == (1, 1) and block._block_args.input_filters == block._block_args.output_filters
        )
        self.steps = nn.Sequential(*steps, _Conv(block._project_conv, block._bn2, relu=False))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        y: torch.Tensor = self.steps(x)
        return x + y if self.skip else y


class Lite0(nn.Module):
    """The network with batch norms and padding folded into convolutions, channels last; for even sizes."""

    def __init__(self, plain: Any) -> None:
        super().__init__()
        stem = _Conv(plain._conv_stem, plain._bn0, relu=True)
        head = _Conv(plain._conv_head, plain._bn1, relu=True)
        blocks = [_Block(block) for block in plain._blocks]
        self.trunk = nn.Sequential(stem, *blocks, head).to(memory_format=torch.channels_last)  # type: ignore[call-overload]
        self.classifier = plain._fc

    def forward(self, pictures: torch.Tensor) -> torch.Tensor:
        """Return class logits [b, h, w, 1000] for RGB uint8 pictures [b, H, W, 3], sides multiples of 32."""
        x = (
            pictures.permute(0, 3, 1, 2).to(torch.float32).div_(127.5).sub_(1)
        )  # [b, 3, H, W], memory stays channels last
        return self.classifier(self.trunk(x).permute(0, 2, 3, 1))  # type: ignore[no-any-return]


def load_lite0(path: Path) -> Lite0:
    """Return the network with the weights in `path`, which are read without unpickling objects."""
    from efficientnet_lite_pytorch import EfficientNet

    plain = EfficientNet.from_name("efficientnet-lite0").eval()
    plain.load_state_dict(torch.load(path, map_location="cpu", weights_only=True))
    return Lite0(plain).eval().requires_grad_(False)
