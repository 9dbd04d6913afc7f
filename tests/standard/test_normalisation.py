"""Batch norm replaced or frozen."""

import copy
import pickle

import pytest
import torch
from timm.layers.norm_act import BatchNormAct2d, GroupNormAct
from torch import Tensor, nn

from equipoise.errors import InputError
from equipoise.standard.backbones import Backbone, ImageInput, ResNet, Timm, WideResNet
from equipoise.standard.heads import Linear
from equipoise.standard.networks import Network, build_network
from equipoise.standard.normalisation import (
    apply_norm,
    freeze_batch_norm,
    has_batch_norm,
    replace_batch_norm,
    thaw_batch_norm,
)

IMAGES = ImageInput(16, 16, 3, (0.5,) * 3, (0.25,) * 3)
BACKBONES = [
    ResNet(depth=8, width=4),
    WideResNet(depth=10, widen=1),
    Timm(name="efficientnet_lite0", size=32),
]
LAYERS = [
    (nn.BatchNorm1d(8), (5, 8), 1),
    (nn.BatchNorm2d(8), (5, 8, 3, 4), 2),
    (nn.BatchNorm3d(12), (5, 12, 2, 3, 2), 3),
    (BatchNormAct2d(8, act_layer=nn.SiLU), (5, 8, 3, 4), 2),
]


def _network(backbone: Backbone) -> Network:
    network = build_network(backbone, Linear(), IMAGES, 5)
    with torch.no_grad():
        for _ in range(3):  # moves the running statistics off their start
            network(_pixels(6))
    return network


def _pixels(count: int) -> Tensor:
    return torch.randint(0, 256, (count, 3, 16, 16), dtype=torch.uint8)


def _randomised(layer: nn.Module) -> nn.Sequential:
    layer = copy.deepcopy(layer)
    for value in (*layer.parameters(), *layer.buffers()):
        if value.is_floating_point():
            nn.init.uniform_(value, 0.5, 2.0)
    return nn.Sequential(layer)


def _act(layer: nn.Module, values: Tensor) -> Tensor:
    return values * values.sigmoid() if isinstance(layer, BatchNormAct2d) else values


@pytest.mark.parametrize(("layer", "shape", "groups"), LAYERS, ids=lambda x: type(x).__name__)
def test_group_norm_is_its_own_definition(
    layer: nn.Module, shape: tuple[int, ...], groups: int
) -> None:
    """Each example's groups are standardised in float64, then scaled by the carried weights."""
    network, values = _randomised(layer), torch.randn(shape) * 3 + 1
    weight, bias = (p.double().clone() for p in network[0].parameters())
    assert replace_batch_norm(network) == 1
    parts = values.double().view(shape[0], groups, -1)
    centred = parts - parts.mean(dim=2, keepdim=True)
    normal = centred / (parts.var(dim=2, keepdim=True, unbiased=False) + 1e-5).sqrt()
    column = (1, -1, *[1] * (len(shape) - 2))
    expected = _act(layer, normal.view(shape) * weight.view(column) + bias.view(column))
    torch.testing.assert_close(network(values).double(), expected, rtol=1e-4, atol=1e-4)
    assert isinstance(network[0], GroupNormAct) == isinstance(layer, BatchNormAct2d)


@pytest.mark.parametrize("backbone", BACKBONES, ids=repr)
def test_without_batch_norm_neighbours_change_nothing(backbone: Backbone) -> None:
    """Every batch norm is replaced; in training a batch of one gives what a larger one gives."""
    network = _network(backbone)
    n_norms = sum(isinstance(m, nn.BatchNorm2d) for m in network.modules())
    n_parameters = sum(p.numel() for p in network.parameters())
    assert has_batch_norm(network)
    assert replace_batch_norm(network) == n_norms > 0
    assert not has_batch_norm(network)
    assert sum(p.numel() for p in network.parameters()) == n_parameters
    for part in network.modules():  # random by intent
        if isinstance(part, nn.Dropout):
            part.p = 0.0
    pixels = _pixels(3)
    network.train()
    torch.testing.assert_close(network(pixels)[1:2], network(pixels[1:2]), rtol=1e-3, atol=1e-4)
    network(pixels[:1]).sum().backward()
    assert all(p.grad is not None and p.grad.isfinite().all() for p in network.parameters())


@pytest.mark.parametrize(
    ("channels", "groups"),
    [(512, 32), (128, 32), (64, 16), (16, 4), (24, 6), (10, 2), (7, 1), (3, 1), (2, 1), (132, 22)],
)
def test_groups_have_four_channels_or_more(channels: int, groups: int) -> None:
    """The most groups, up to 32, that divide the channels and leave four in each; else one."""
    network = nn.Sequential(nn.BatchNorm2d(channels), nn.BatchNorm1d(channels))
    assert replace_batch_norm(network) == 2
    assert [layer.num_groups for layer in network] == [groups, 1]


def test_a_number_of_groups_that_does_not_divide_is_refused() -> None:
    """Nothing is replaced then, not even layers that it would suit."""
    network = nn.Sequential(nn.BatchNorm2d(8), nn.BatchNorm2d(6))
    with pytest.raises(InputError, match="6 channels"):
        replace_batch_norm(network, groups=4)
    assert all(isinstance(layer, nn.BatchNorm2d) for layer in network)
    replace_batch_norm(network, groups=2)
    assert [layer.num_groups for layer in network] == [2, 2]


@pytest.mark.parametrize("backbone", BACKBONES[1:], ids=repr)
def test_group_norm_survives_storage(backbone: Backbone) -> None:
    """The state of one network makes another, built and converted alike, the same."""
    first, second = _network(backbone), _network(backbone)
    for network in (first, second):
        apply_norm(network.eval(), "group")
    second.load_state_dict(first.state_dict())
    pixels = _pixels(2)
    assert torch.equal(first(pixels), second(pixels))


@pytest.mark.parametrize(("layer", "shape", "groups"), LAYERS, ids=lambda x: type(x).__name__)
def test_a_frozen_norm_is_its_own_definition(
    layer: nn.Module, shape: tuple[int, ...], groups: int
) -> None:
    """In training too it standardises by the running statistics, then scales and shifts."""
    assert groups  # of the other family
    network, values = _randomised(layer), torch.randn(shape)
    held = {name: value.clone() for name, value in network[0].state_dict().items()}
    assert freeze_batch_norm(network) == ["0"]
    column = (1, -1, *[1] * (len(shape) - 2))
    mean, variance, weight, bias = (
        held[name].view(column) for name in ("running_mean", "running_var", "weight", "bias")
    )
    expected = _act(layer, (values - mean) / (variance + 1e-5).sqrt() * weight + bias)
    torch.testing.assert_close(network.train()(values), expected)
    torch.testing.assert_close(network(values[:1]), expected[:1])


@pytest.mark.parametrize("backbone", BACKBONES, ids=repr)
def test_training_does_not_thaw(backbone: Backbone) -> None:
    """In training mode statistics stay, logits are those of evaluation, norms get gradients."""
    network, pixels = _network(backbone).eval(), _pixels(3)
    expected = network(pixels)
    n_norms = sum(isinstance(m, nn.BatchNorm2d) for m in network.modules())
    assert len(freeze_batch_norm(network)) == n_norms
    assert freeze_batch_norm(network) == []
    assert not has_batch_norm(network)
    before = {name: value.clone() for name, value in network.state_dict().items()}
    network.train()
    for part in network.modules():
        if isinstance(part, nn.Dropout):
            part.p = 0.0
    logits = network(pixels)
    torch.testing.assert_close(logits, expected, rtol=1e-4, atol=1e-5)
    logits.square().sum().backward()
    assert all(p.grad is not None for p in network.parameters())
    assert all(torch.equal(value, before[name]) for name, value in network.state_dict().items())


def test_frozen_norms_survive_copies_and_storage() -> None:
    """Copies and pickles stay frozen; a plain network takes the state dict and is equal."""
    network, plain, pixels = _network(BACKBONES[0]), _network(BACKBONES[0]).eval(), _pixels(2)
    apply_norm(network, "frozen")
    plain.load_state_dict(network.state_dict())
    for copied in (copy.deepcopy(network), pickle.loads(pickle.dumps(network))):
        torch.testing.assert_close(copied.train()(pixels), plain(pixels))


def test_recomputing_statistics_passes_over_frozen_norms() -> None:
    """PyTorch's `update_bn` resets what it takes for batch norm, and these it does not."""
    network = _network(BACKBONES[0])
    freeze_batch_norm(network)
    before = {name: value.clone() for name, value in network.state_dict().items()}
    torch.optim.swa_utils.update_bn([_pixels(4)], network)
    assert all(torch.equal(value, before[name]) for name, value in network.state_dict().items())


def test_thawing_gives_batch_norm_back() -> None:
    """A thawed layer normalises by the batch again and moves its statistics."""
    network, values = nn.Sequential(nn.BatchNorm1d(3)), torch.randn(20, 3) * 5 + 2
    freeze_batch_norm(network)
    thaw_batch_norm(network[0])
    found = network.train()(values)
    torch.testing.assert_close(found.mean(dim=0), torch.zeros(3), rtol=0, atol=1e-5)
    torch.testing.assert_close(network[0].running_mean, 0.1 * values.mean(dim=0))
    assert has_batch_norm(network)


def test_a_norm_without_statistics_is_not_frozen() -> None:
    """What keeps no running statistics has none to be frozen at."""
    network = nn.Sequential(nn.BatchNorm1d(3, track_running_stats=False))
    assert freeze_batch_norm(network) == []
    assert has_batch_norm(network)


def test_batch_norm_as_it_is() -> None:
    """`apply_norm` with "batch" changes nothing."""
    network = _network(BACKBONES[0])
    modules = list(network.modules())
    apply_norm(network, "batch")
    assert all(a is b for a, b in zip(network.modules(), modules, strict=True))
