"""Laws of counting: hand-worked layers, published sizes, and a network that stays as it was."""

import copy

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from equipoise.standard.backbones import ResNet
from equipoise.standard.backbones.base import ImageInput, TableInput
from equipoise.standard.counting import NetworkSize, describe_network
from equipoise.standard.heads import Linear
from equipoise.standard.networks import build_network

COLOUR = ImageInput(32, 32, 3, (0.5,) * 3, (0.25,) * 3)


class FromBytes(nn.Module):
    """A layer that is given images as floating point."""

    def __init__(self, layer: nn.Module) -> None:
        super().__init__()
        self.layer = layer

    def forward(self, images: Tensor) -> Tensor:
        return self.layer(images.float())


class Attention(nn.Module):
    """Attention among 5 tokens of 4 numbers, without weights."""

    def forward(self, rows: Tensor) -> Tensor:
        tokens = rows.view(-1, 1, 5, 4)
        return F.scaled_dot_product_attention(tokens, tokens, tokens)


@pytest.mark.parametrize("bias", [False, True])
def test_a_linear_layer_uses_each_weight_once(bias: bool) -> None:
    """Multiply-adds are inputs times outputs; the bias adds parameters only."""
    size = describe_network(nn.Linear(7, 5, bias=bias), TableInput(4, (3, 2, 9)))
    assert size == NetworkSize(parameters=35 + 5 * bias, trainable=35 + 5 * bias, multiply_adds=35)


def test_a_convolution_uses_each_weight_at_every_position() -> None:
    """3x3 kernels, 3 to 8 channels, stride 2 on 32x32: 216 weights at 16 x 16 positions."""
    layer = FromBytes(nn.Conv2d(3, 8, 3, stride=2, padding=1, bias=False))
    assert describe_network(layer, COLOUR) == NetworkSize(
        parameters=216, trainable=216, multiply_adds=216 * 16 * 16
    )


def test_groups_of_channels_share_the_work() -> None:
    """A depthwise 3x3 convolution does 9 multiply-adds for each channel and position."""
    layer = FromBytes(nn.Conv2d(3, 3, 3, padding=1, groups=3, bias=False))
    assert describe_network(layer, COLOUR).multiply_adds == 9 * 3 * 32 * 32


def test_attention_is_counted() -> None:
    """Scores and averages are matrix products too: 5 x 5 x 4 of each."""
    assert describe_network(Attention(), TableInput(20)).multiply_adds == 2 * 5 * 5 * 4


def test_resnet32_has_its_published_size() -> None:
    """0.46 million parameters and 69 million multiply-adds, counted stage by stage."""
    network = build_network(ResNet(depth=32), Linear(), COLOUR, n_classes=10)
    stage1 = (3 + 10 * 16) * 16 * 9 * 32**2
    stage2 = (16 + 9 * 32) * 32 * 9 * 16**2
    stage3 = (32 + 9 * 64) * 64 * 9 * 8**2
    assert describe_network(network, COLOUR) == NetworkSize(
        parameters=464_154, trainable=464_154, multiply_adds=stage1 + stage2 + stage3 + 640
    )


def test_frozen_parameters_are_kept_and_not_trained() -> None:
    """A frozen backbone leaves the head to train."""
    network = build_network(ResNet(depth=8), Linear(), COLOUR, n_classes=10)
    network.backbone.requires_grad_(False)
    size = describe_network(network, COLOUR)
    assert size.trainable == 650
    assert size.parameters > size.trainable


def test_the_network_is_left_as_it_was() -> None:
    """Training flags, weights, running statistics and the random generator do not change."""
    network = build_network(ResNet(depth=8), Linear(), COLOUR, n_classes=3)
    network.train()
    network.head.eval()
    before = copy.deepcopy(network.state_dict())
    modes = {name: module.training for name, module in network.named_modules()}
    draws = torch.random.get_rng_state()
    describe_network(network, COLOUR)
    assert {name: module.training for name, module in network.named_modules()} == modes
    assert all(torch.equal(value, before[name]) for name, value in network.state_dict().items())
    assert all(p.requires_grad and p.grad is None for p in network.parameters())
    assert torch.equal(torch.random.get_rng_state(), draws)
    assert torch.is_grad_enabled()


@pytest.mark.parametrize(
    ("count", "text"),
    [
        (999_999, "999,999 multiply-adds"),
        (68_862_592, "68.9 million multiply-adds"),
        (4_089_184_256, "4.1 billion multiply-adds"),
    ],
)
def test_large_counts_are_rounded(count: int, text: str) -> None:
    """Below a million every digit is shown, above it one decimal."""
    size = NetworkSize(parameters=1200, trainable=650, multiply_adds=count)
    assert str(size) == f"1,200 parameters (650 trained), {text} an example"
