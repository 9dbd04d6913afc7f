"""A backbone and a head, joined."""

from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file
from torch import Tensor

from equipoise.errors import InputError
from equipoise.standard.backbones import (
    MLP,
    Backbone,
    ImageInput,
    ResNet,
    ResNet18,
    TableInput,
    TabM,
    TabularResNet,
    Timm,
    WideResNet,
)
from equipoise.standard.heads import Cosine, Head, Linear, Normalized
from equipoise.standard.networks import (
    Network,
    build_network,
    count_parameters,
    decay_groups,
    pooled_logits,
    rebuild_network,
)

IMAGES = ImageInput(16, 16, 3, (0.5, 0.4, 0.3), (0.25, 0.2, 0.3))
TABLE = TableInput(3, (4, 7))
CASES = [
    (ResNet(depth=8, width=4), IMAGES),
    (ResNet18(width=4), IMAGES),
    (WideResNet(depth=10, widen=1, dropout=0.1), IMAGES),
    (Timm(name="resnet10t", size=32), IMAGES),
    (MLP(layers=2, width=16), TABLE),
    (MLP(layers=2, width=16, numeric="periodic"), TABLE),
    (TabularResNet(blocks=1, width=16), TABLE),
    (TabM(members=3, layers=2, width=16), TABLE),
]
HEADS = [Linear(), Cosine(learned=True), Normalized()]
Inputs = ImageInput | TableInput


def _batch(inputs: Inputs, count: int = 4) -> Tensor:
    if isinstance(inputs, ImageInput):
        return torch.randint(0, 256, (count, 3, 16, 16), dtype=torch.uint8)
    return torch.cat([torch.randn(count, 3), torch.randint(0, 4, (count, 2))], dim=1)


@pytest.mark.parametrize(
    ("backbone", "inputs", "head"),
    [
        *((*case, Linear()) for case in CASES),
        *((*case, head) for case in (CASES[0], CASES[-1]) for head in HEADS[1:]),
    ],
)
def test_stored_weights_restore_the_network(
    backbone: Backbone, inputs: Inputs, head: Head, tmp_path: Path
) -> None:
    """A rebuilt network filled from a safetensors file gives the very same logits."""
    network = build_network(backbone, head, inputs, 5, _batch(inputs, 30))
    network(_batch(inputs))  # moves the running statistics off their start
    save_file(network.eval().state_dict(), tmp_path / "model.safetensors")
    again = rebuild_network(backbone, head, inputs, 5).eval()
    again.load_state_dict(load_file(tmp_path / "model.safetensors"))
    batch = _batch(inputs)
    assert torch.equal(network(batch), again(batch))


@pytest.mark.parametrize(("backbone", "inputs"), CASES)
def test_rebuilding_draws_no_random_number(backbone: Backbone, inputs: Inputs) -> None:
    """Rebuilding leaves torch's global generator as it was; building draws from it alone."""
    torch.manual_seed(3)
    state = torch.get_rng_state()
    rebuild_network(backbone, Linear(), inputs, 5)
    assert torch.equal(torch.get_rng_state(), state)
    first = build_network(backbone, Linear(), inputs, 5).state_dict()
    torch.manual_seed(3)
    second = build_network(backbone, Linear(), inputs, 5).state_dict()
    third = build_network(backbone, Linear(), inputs, 5).state_dict()
    assert all(torch.equal(first[name], second[name]) for name in first)
    assert not all(torch.equal(first[name], third[name]) for name in first)


@pytest.mark.parametrize(("backbone", "inputs"), CASES)
def test_bfloat16_logits_are_near_and_float32(backbone: Backbone, inputs: Inputs) -> None:
    """Under autocast logits are float32 numbers, of full precision, near the exact ones."""
    torch.manual_seed(0)
    network = build_network(backbone, Linear(), inputs, 5, _batch(inputs, 30)).train()
    batch = _batch(inputs, 8)
    network.eval()
    exact = network(batch)
    with torch.autocast("cpu", torch.bfloat16):
        features, logits = network.features(batch), network(batch)
        unpooled = network.backbone(batch).float()
    assert logits.dtype == features.dtype == torch.float32
    each = network.head(unpooled)
    torch.testing.assert_close(logits, each if each.ndim == 2 else pooled_logits(each))
    scale = exact.abs().max()
    assert (logits - exact).abs().max() < 0.05 * scale
    network.train()
    with torch.autocast("cpu", torch.bfloat16):
        network(batch).sum().backward()
    assert all(p.grad is not None and p.grad.dtype == p.dtype for p in network.parameters())


def test_logits_are_the_head_of_the_features() -> None:
    """Features have `n_features` columns and the head maps them to one logit a class."""
    network = build_network(ResNet(depth=8, width=4), Linear(), IMAGES, 7).eval()
    batch = _batch(IMAGES)
    assert network.features(batch).shape == (4, network.backbone.n_features)
    assert network(batch).shape == (4, 7)
    assert torch.equal(network(batch), network.head(network.features(batch)))


@pytest.mark.parametrize(("backbone", "inputs"), [(MLP(), IMAGES), (ResNet(), TABLE)])
def test_the_wrong_kind_of_backbone_is_refused(backbone: Backbone, inputs: Inputs) -> None:
    """A table network for images, or the reverse, is refused by name."""
    for build in (build_network, rebuild_network):
        with pytest.raises(InputError, match=type(backbone).__name__):
            build(backbone, Linear(), inputs, 3)


@pytest.mark.parametrize(("backbone", "inputs"), CASES)
def test_each_parameter_decays_or_does_not(backbone: Backbone, inputs: Inputs) -> None:
    """Every parameter is in one group; biases, norms and frequencies are in the second."""
    network = build_network(backbone, Linear(), inputs, 5)
    decay, no_decay = decay_groups(network)
    assert {id(p) for p in decay}.isdisjoint(id(p) for p in no_decay)
    assert len(decay) + len(no_decay) == len(list(network.parameters()))
    assert sum(p.numel() for p in decay + no_decay) == count_parameters(network)
    spared = {name for name, p in network.named_parameters() if any(p is q for q in no_decay)}
    for name, parameter in network.named_parameters():
        small = parameter.ndim == 1 or name.endswith(
            ("bias", "frequencies", "scale_in", "scale_out")
        )
        assert (name in spared) == small


def test_what_timm_spares_from_decay_is_spared() -> None:
    """The position embedding of a vision transformer does not decay, its matrices do."""
    vit = Timm(name="vit_tiny_patch16_224", size=32)
    network = build_network(vit, Linear(), IMAGES, 5)
    decay, no_decay = decay_groups(network)
    model = network.backbone.get_submodule("model")
    assert any(p is model.get_parameter("pos_embed") for p in no_decay)
    assert any(p is model.get_parameter("blocks.0.attn.qkv.weight") for p in decay)


def test_frozen_parameters_are_in_no_group() -> None:
    """A parameter without gradient is left to no optimizer."""
    network = build_network(MLP(layers=1, width=4), Linear(), TABLE, 5)
    network.head.requires_grad_(False)
    decay, no_decay = decay_groups(network)
    frozen = {id(p) for p in network.head.parameters()}
    assert frozen.isdisjoint(id(p) for p in decay + no_decay)


def _wide() -> Network:
    return build_network(WideResNet(depth=10, widen=1, dropout=0.5), Linear(), IMAGES, 5)


def test_what_is_held_stays_in_evaluation_mode() -> None:
    """Training mode reaches all but the held submodules; after thawing it reaches these too."""
    network = _wide()
    network.freeze([], ["backbone.stage1"])
    for mode in (True, False, True):
        network.train(mode)
        assert not any(part.training for part in network.get_submodule("backbone.stage1").modules())
        assert network.get_submodule("backbone.stage2").training == mode
    network.thaw()
    assert all(part.training for part in network.modules())


def test_freezing_is_undone_for_what_it_froze() -> None:
    """A parameter that had no gradient before is without one after freezing and thawing too."""
    network = _wide()
    network.get_parameter("backbone.stem.weight").requires_grad_(False)
    network.freeze(["backbone.stem.weight", "head.bias"])
    assert not network.get_parameter("head.bias").requires_grad
    network.thaw()
    without = [name for name, p in network.named_parameters() if not p.requires_grad]
    assert without == ["backbone.stem.weight"]
