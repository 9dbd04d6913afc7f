"""Residual networks for small images."""

import pytest
import torch
import torchvision
from torch import Tensor, nn
from torch.nn import functional as F

from equipoise.errors import InputError
from equipoise.spec import resolve
from equipoise.standard.backbones import BACKBONES, ImageInput, ResNet, ResNet18, WideResNet
from equipoise.standard.backbones.residual import BasicBlock, PaddedShortcut
from equipoise.standard.networks import count_parameters

COLOUR = ImageInput(32, 32, 3, (0.5, 0.4, 0.3), (0.25, 0.2, 0.3))
GREY = ImageInput(28, 28, 1, (0.3,), (0.35,))
SMALL = [ResNet(depth=8, width=4), ResNet18(width=4), WideResNet(depth=10, widen=1, dropout=0.3)]


def _images(count: int, inputs: ImageInput = COLOUR) -> Tensor:
    size = (count, inputs.channels, inputs.height, inputs.width)
    return torch.randint(0, 256, size, dtype=torch.uint8)


@pytest.mark.parametrize(
    ("depth", "millions"), [(20, 0.27), (32, 0.46), (44, 0.66), (56, 0.85), (110, 1.7)]
)
def test_resnets_have_the_published_sizes(depth: int, millions: float) -> None:
    """With ten classes the parameters are those of table 6 of He et al. (2016)."""
    with torch.device("meta"):
        network = ResNet(depth=depth).build(COLOUR)
    count = count_parameters(network) + 65 * 10
    assert round(count / 1e6, 2 if millions < 1 else 1) == millions


def test_resnet_32_has_464154_parameters() -> None:
    """Stem, ten 3x3 convolutions a stage, two numbers a channel and norm, a head of 650."""
    stage1 = 10 * 16 * 16 * 9
    stage2 = 16 * 32 * 9 + 9 * 32 * 32 * 9
    stage3 = 32 * 64 * 9 + 9 * 64 * 64 * 9
    norms = 2 * (16 * 11 + 32 * 10 + 64 * 10)
    by_hand = 3 * 16 * 9 + stage1 + stage2 + stage3 + norms
    with torch.device("meta"):
        network = ResNet(depth=32).build(COLOUR)
    assert count_parameters(network) == by_hand == 464_154 - 650


@pytest.mark.parametrize(
    ("depth", "widen", "millions"), [(40, 4, 8.9), (16, 8, 11.0), (28, 10, 36.5)]
)
def test_wide_resnets_have_the_published_sizes(depth: int, widen: int, millions: float) -> None:
    """With ten classes the parameters are those of Zagoruyko and Komodakis (2016)."""
    with torch.device("meta"):
        network = WideResNet(depth=depth, widen=widen).build(COLOUR)
    count = count_parameters(network) + (64 * widen + 1) * 10
    assert round(count / 1e6, 1) == millions


def test_resnet18_is_torchvisions_with_a_small_stem() -> None:
    """With the same weights, features equal those of torchvision's, its stem made 3x3."""
    torch.manual_seed(0)
    ours = ResNet18().build(COLOUR).eval()
    theirs = torchvision.models.resnet18(num_classes=10)
    theirs.conv1 = nn.Conv2d(3, 64, 3, padding=1, bias=False)
    theirs.add_module("maxpool", nn.Identity())
    theirs.add_module("fc", nn.Identity())
    for name, values in theirs.state_dict().items():
        if "running" in name:  # fresh running statistics would hide a misplaced norm
            values.uniform_(0.5, 2)
    ours.load_state_dict({_our_name(k): v for k, v in theirs.state_dict().items()})
    images = _images(2)
    mean, std = (torch.tensor(v).view(3, 1, 1) for v in (COLOUR.mean, COLOUR.std))
    with torch.no_grad():
        expected = theirs.eval()((images / 255 - mean) / std)
        torch.testing.assert_close(ours(images), expected, rtol=1e-4, atol=1e-4)


def _our_name(name: str) -> str:
    if name.startswith("conv1"):
        return name.replace("conv1", "stem")
    if name.startswith("bn1"):
        return name.replace("bn1", "norm")
    return name.replace("layer", "stage").replace("bn", "norm").replace("downsample", "shortcut")


def test_padded_shortcut_is_every_second_pixel_between_zeros() -> None:
    """Pixel (2i, 2j) of channel c comes out at (i, j) of channel c + half the new ones."""
    maps = torch.arange(1.0, 51.0).view(1, 2, 5, 5)
    found = PaddedShortcut(2, 6, stride=2)(maps)
    assert found.shape == (1, 6, 3, 3)
    assert torch.equal(found[0, 3, 1, 2], maps[0, 1, 2, 4])
    assert torch.equal(found[:, 2:4], maps[:, :, ::2, ::2])
    assert found[:, [0, 1, 4, 5]].count_nonzero() == 0


def test_a_silent_block_passes_its_shortcut_through_relu() -> None:
    """With its second norm at zero, a block returns the positive part of its shortcut."""
    block = BasicBlock(4, 8, stride=2, projected=False)
    nn.init.zeros_(block.norm2.weight)
    maps = torch.randn(2, 4, 6, 6)
    torch.testing.assert_close(block(maps)[:, 2:6], maps[:, :, ::2, ::2].clamp_min(0))


def test_wide_resnet_is_its_own_definition() -> None:
    """The whole network equals the paper's equations, written out on the same weights."""
    torch.manual_seed(0)
    network = WideResNet(depth=10, widen=2).build(COLOUR).train()
    weights = dict(network.named_parameters())
    images = _images(4)
    mean, std = (torch.tensor(v).view(3, 1, 1) for v in (COLOUR.mean, COLOUR.std))

    def active(maps: Tensor, name: str) -> Tensor:
        scaled = F.batch_norm(
            maps, None, None, weights[f"{name}.weight"], weights[f"{name}.bias"], training=True
        )
        return scaled.relu()

    def conv(maps: Tensor, name: str, stride: int = 1) -> Tensor:
        kernel = weights[f"{name}.weight"]
        return F.conv2d(maps, kernel, stride=stride, padding=kernel.shape[-1] // 2)

    maps = conv((images / 255 - mean) / std, "stem")
    for stage, stride in ((1, 1), (2, 2), (3, 2)):
        block = f"stage{stage}.0"
        first = active(maps, f"{block}.norm1")
        inner = active(conv(first, f"{block}.conv1", stride), f"{block}.norm2")
        maps = conv(inner, f"{block}.conv2") + conv(first, f"{block}.projection", stride)
    expected = active(maps, "norm").mean((2, 3))
    torch.testing.assert_close(network(images), expected, rtol=1e-4, atol=1e-4)


def test_kernels_start_at_the_variance_of_he() -> None:
    """A 3x3 kernel from 128 to 256 channels starts with variance 2 / (9 * 256) and mean zero."""
    torch.manual_seed(0)
    kernel = ResNet18(width=64).build(COLOUR).get_parameter("stage3.0.conv1.weight")
    assert kernel.var().item() == pytest.approx(2 / (9 * 256), rel=0.01)
    assert kernel.mean().item() == pytest.approx(0, abs=1e-3)


@pytest.mark.parametrize("backbone", SMALL)
@pytest.mark.parametrize("inputs", [COLOUR, GREY, ImageInput(9, 13, 3, (0.5,) * 3, (0.2,) * 3)])
def test_any_size_and_channels_give_features(
    backbone: ResNet | ResNet18 | WideResNet, inputs: ImageInput
) -> None:
    """Grey or colour, square or not, odd or even: one vector of `n_features` an image."""
    network = backbone.build(inputs)
    assert network(_images(2, inputs)).shape == (2, network.n_features)


@pytest.mark.parametrize("backbone", SMALL)
def test_a_batch_of_one_trains(backbone: ResNet | ResNet18 | WideResNet) -> None:
    """A single image runs forward and backward in training mode, with finite gradients."""
    network = backbone.build(COLOUR).train()
    network(_images(1)).square().sum().backward()
    assert all(p.grad is not None and p.grad.isfinite().all() for p in network.parameters())


@pytest.mark.parametrize("backbone", SMALL)
def test_memory_format_changes_nothing(backbone: ResNet | ResNet18 | WideResNet) -> None:
    """Features of channels-last images by channels-last weights are those of contiguous ones."""
    torch.manual_seed(0)
    network, images = backbone.build(COLOUR).eval(), _images(3)
    with torch.no_grad():
        expected = network(images)
        network = network.to(memory_format=torch.channels_last)
        found = network(images.contiguous(memory_format=torch.channels_last))
    torch.testing.assert_close(found, expected, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("backbone", SMALL)
def test_neighbours_in_a_batch_change_nothing(backbone: ResNet | ResNet18 | WideResNet) -> None:
    """In evaluation an image has the same features alone as among others."""
    torch.manual_seed(0)
    network, images = backbone.build(COLOUR).eval(), _images(5)
    with torch.no_grad():
        torch.testing.assert_close(network(images)[3:4], network(images[3:4]), rtol=1e-4, atol=1e-4)


def test_dropout_acts_in_training_only() -> None:
    """Dropout makes two passes differ in training and not in evaluation."""
    network, images = WideResNet(depth=10, widen=1, dropout=0.5).build(COLOUR), _images(2)
    network.train()
    assert not torch.equal(network(images), network(images))
    network.eval()
    assert torch.equal(network(images), network(images))


@pytest.mark.parametrize(
    ("text", "near"), [("ResNet(depth=30)", "26 and 32"), ("WideResNet(depth=32)", "28 and 34")]
)
def test_impossible_depths_are_refused_with_the_nearest(text: str, near: str) -> None:
    """A depth between two networks is refused, and both neighbours are named."""
    with pytest.raises(InputError, match=near):
        resolve(text, BACKBONES, "backbone")
