"""Fine-tuning: what is trained, how fast, and what is left when it is done."""

import copy
from collections.abc import Mapping
from typing import Any

import pytest
import timm
import timm.optim
import torch
from torch import Tensor, nn

from equipoise.errors import InputError
from equipoise.spec import resolve
from equipoise.standard.backbones import (
    MLP,
    Backbone,
    ImageInput,
    ResNet,
    TableInput,
    TabularResNet,
    Timm,
    WideResNet,
)
from equipoise.standard.backbones.ensembles import TabM
from equipoise.standard.blocks import parameter_blocks
from equipoise.standard.finetuning import (
    FINETUNINGS,
    FineTuning,
    Full,
    HeadOnly,
    LastBlocks,
    LowRank,
)
from equipoise.standard.heads import Linear
from equipoise.standard.losses import CrossEntropy
from equipoise.standard.networks import Network, build_network, member_losses, rebuild_network
from equipoise.standard.normalisation import apply_norm, has_batch_norm

IMAGES = ImageInput(16, 16, 3, (0.5,) * 3, (0.25,) * 3)
TABLE = TableInput(3, (4,))
BACKBONES: dict[str, Backbone] = {
    "resnet": ResNet(depth=8, width=4),
    "wide": WideResNet(depth=10, widen=1, dropout=0.3),
    "resnet18": Timm(name="resnet18", size=32),
    "vit": Timm(name="vit_tiny_patch16_224", size=32),
    "lite": Timm(name="efficientnet_lite0", size=32),
    "mlp": MLP(layers=2, width=16, n_bins=4),
    "tabular": TabularResNet(blocks=2, width=16, n_bins=4),
    "tabm": TabM(members=3, layers=2, width=16, n_bins=4),
}
KINDS = [
    Full(rate_decay=0.5),
    HeadOnly(),
    LastBlocks(blocks=1, rate_decay=0.5),
    LowRank(rank=2, rate_decay=0.5),
]
SMALL = ("resnet", "wide", "mlp", "tabular", "tabm")


def _inputs(name: str, count: int = 4) -> Tensor:
    if BACKBONES[name].modality == "images":
        return torch.randint(0, 256, (count, 3, 16, 16), dtype=torch.uint8)
    return torch.cat([torch.randn(count, 3), torch.randint(0, 4, (count, 1))], dim=1)


def _format(name: str) -> ImageInput | TableInput:
    return IMAGES if BACKBONES[name].modality == "images" else TABLE


@pytest.fixture(scope="module")
def built() -> dict[str, Network]:
    """Networks with random weights and running statistics off their start; not to be changed."""
    networks = {}
    for name, backbone in BACKBONES.items():
        network = build_network(backbone, Linear(), _format(name), 3, _inputs(name, 20))
        with torch.no_grad():
            network(_inputs(name, 8))
        networks[name] = network.eval()
    return networks


def _state(network: nn.Module) -> dict[str, Tensor]:
    return {name: value.clone() for name, value in network.state_dict().items()}


def _train(network: Network, name: str, kind: FineTuning, steps: int = 2) -> None:
    scales = kind.scales(network)
    groups = [
        {"params": [p], "lr": 0.02 * scales[each]}
        for each, p in network.named_parameters()
        if p.requires_grad
    ]
    optimizer = torch.optim.SGD(groups)
    network.train()
    for _ in range(steps):
        labels = torch.tensor([0, 1, 2, 0])
        targets = nn.functional.one_hot(labels, 3).float()
        logits, counts = network(_inputs(name)), torch.ones(3)
        losses = member_losses(CrossEntropy(), logits, targets, labels, counts)
        optimizer.zero_grad()
        losses.sum().backward()
        optimizer.step()


def _changed(before: Mapping[str, Tensor], after: Mapping[str, Tensor]) -> set[str]:
    return {name for name in before if not torch.equal(before[name], after[name])}


@pytest.mark.parametrize("kind", KINDS, ids=repr)
@pytest.mark.parametrize("name", BACKBONES)
def test_training_changes_what_is_trained_and_merging_leaves_a_plain_network(
    kind: FineTuning, name: str, built: dict[str, Network]
) -> None:
    """Only what has a rate changes; after merging nothing tells that it was fine-tuned."""
    network = copy.deepcopy(built[name])
    before, modules = _state(network), [type(module) for module in network.modules()]
    inputs = _inputs(name)
    start = network(inputs)
    kind.prepare(network)
    torch.testing.assert_close(network.eval()(inputs), start, rtol=1e-5, atol=1e-5)
    trained = {each for each, p in network.named_parameters() if p.requires_grad}
    assert set(kind.scales(network)) == trained
    _train(network, name, kind)
    tuned = network.eval()(inputs)
    assert not torch.allclose(tuned, start, atol=1e-6)
    kind.merge(network)
    torch.testing.assert_close(network(inputs), tuned, rtol=1e-5, atol=1e-5)

    after = network.state_dict()
    assert list(after) == list(before)
    assert [type(module) for module in network.modules()] == modules
    assert all(p.requires_grad for p in network.parameters())
    assert all(part.training for part in network.train().modules())
    moved = _changed(before, after)
    assert {"head.weight", "head.bias"} <= moved
    if isinstance(kind, LowRank):
        # timm's residual branches start at zero, through which no gradient flows.
        assert set() < moved - {"head.weight", "head.bias"} <= _matrix_names(network)
    elif not isinstance(kind, Full):
        assert moved <= trained | _own_buffers(network, trained)
    fresh = rebuild_network(BACKBONES[name], Linear(), _format(name), 3)
    fresh.load_state_dict(after)
    torch.testing.assert_close(fresh.eval()(inputs), tuned, rtol=1e-5, atol=1e-5)


def _matrix_names(network: Network) -> set[str]:
    """Names of the weights of linear layers and convolutions, found by shape and by role."""
    layers = {
        name.removesuffix(".weight")
        for name, p in network.backbone.named_parameters()
        if name.endswith(".weight") and p.ndim in (2, 4)
    }
    embeddings = {n for n, m in network.backbone.named_modules() if isinstance(m, nn.Embedding)}
    return {f"backbone.{name}.weight" for name in layers - embeddings}


def _own_buffers(network: Network, trained: set[str]) -> set[str]:
    """Statistics of batch norms whose weights are trained."""
    norms = {name.rpartition(".")[0] for name in trained}
    return {name for name, _ in network.named_buffers() if name.rpartition(".")[0] in norms}


@pytest.mark.parametrize(
    ("name", "last"),
    [
        ("resnet", "stage3.0."),
        ("wide", ("stage3.0.", "norm.")),
        ("resnet18", "model.layer4.1."),
        ("vit", ("model.blocks.11.", "model.norm.")),
        ("lite", ("model.blocks.6.0.", "model.conv_head.", "model.bn2.")),
        ("mlp", "hidden.1."),
        ("tabular", ("blocks.1.", "norm.")),
        ("tabm", "hidden.1."),
    ],
)
def test_the_last_block_is_the_one_before_the_head(
    name: str, last: str | tuple[str, ...], built: dict[str, Network]
) -> None:
    """`LastBlocks(blocks=1)` trains this block, its trailing norm and the head."""
    network = copy.deepcopy(built[name])
    LastBlocks().prepare(network)
    trained = {n for n, p in network.named_parameters() if p.requires_grad}
    names = {n for n, _ in network.backbone.named_parameters() if n.startswith(last)}
    assert trained == {f"backbone.{n}" for n in names} | {"head.weight", "head.bias"}


@pytest.mark.parametrize("name", ["resnet18", "vit", "lite"])
def test_layer_wise_rates_are_those_of_timm(name: str, built: dict[str, Network]) -> None:
    """Factors equal timm's `param_groups_layer_decay`, the head's being 1."""
    backbone = BACKBONES[name]
    assert isinstance(backbone, Timm)
    model: Any = timm.create_model(backbone.name, num_classes=3)
    optim: Any = timm.optim
    names = {id(p): n for n, p in model.named_parameters()}
    classifiers = {id(p) for p in model.get_classifier().parameters()}
    expected = {}
    for group in optim.param_groups_layer_decay(model, layer_decay=0.8):
        for p in group["params"]:
            if id(p) not in classifiers:
                expected[f"backbone.model.{names[id(p)]}"] = group["lr_scale"]
    found = Full(rate_decay=0.8).scales(built[name])
    assert found.pop("head.weight") == found.pop("head.bias") == 1
    assert found == pytest.approx(expected)
    assert len(set(expected.values())) > 8


def test_the_rates_of_a_transformer_are_those_of_the_literature(built: dict[str, Network]) -> None:
    """Twelve blocks have the powers 1 to 12 from the last on, what is before them the 13th."""
    scales = Full(rate_decay=0.5).scales(built["vit"])
    for block in range(12):
        assert scales[f"backbone.model.blocks.{block}.mlp.fc1.bias"] == 0.5 ** (12 - block)
    for stem in ("cls_token", "pos_embed", "patch_embed.proj.weight"):
        assert scales[f"backbone.model.{stem}"] == 0.5**13
    assert scales["backbone.model.norm.weight"] == 0.5


def test_the_rates_of_own_networks_follow_their_layers(built: dict[str, Network]) -> None:
    """Hand-worked: embeddings and stems deepest, one power a block, the head 1."""
    tabular, resnet = (Full(rate_decay=0.5).scales(built[name]) for name in ("tabular", "resnet"))
    layers = ("embedding.numeric.1.weight", "widen.bias", "blocks.0.branch.1.weight", "norm.bias")
    assert [tabular[f"backbone.{n}"] for n in layers] == [0.0625, 0.125, 0.25, 0.5]
    layers = ("stem.weight", "norm.weight", "stage1.0.conv2.weight", "stage3.0.norm2.bias")
    assert [resnet[f"backbone.{n}"] for n in layers] == [0.0625, 0.0625, 0.125, 0.25 * 2]
    assert set(Full().scales(built["resnet"]).values()) == {1.0}


@pytest.mark.parametrize("name", BACKBONES)
def test_every_parameter_is_in_one_block(name: str, built: dict[str, Network]) -> None:
    """Blocks partition the parameters, and each holds a matrix."""
    backbone = built[name].backbone
    blocks = parameter_blocks(backbone)
    names = [each for block in blocks for each in block]
    assert sorted(names) == sorted(n for n, _ in backbone.named_parameters())
    assert all(any(backbone.get_parameter(n).ndim > 1 for n in block) for block in blocks)


@pytest.mark.parametrize("name", BACKBONES)
@pytest.mark.parametrize("norm", ["batch", "frozen"])
def test_a_linear_probe_sees_the_features_of_evaluation(
    name: str, norm: Any, built: dict[str, Network]
) -> None:
    """In training mode the frozen backbone is in evaluation mode, dropout and norm included."""
    network, inputs = copy.deepcopy(built[name]), _inputs(name)
    expected = network.features(inputs)
    apply_norm(network, norm)
    HeadOnly().prepare(network)
    torch.testing.assert_close(network.train().features(inputs), expected, rtol=1e-5, atol=1e-5)
    assert network.features(inputs).requires_grad is False
    assert not has_batch_norm(network)
    HeadOnly().merge(network)
    normed = name in ("resnet", "wide", "resnet18", "lite")
    assert has_batch_norm(network) == (norm == "batch" and normed)


def test_dropout_is_off_in_frozen_blocks_and_on_in_trained_ones() -> None:
    """Features before the last block repeat; after it they do not. Under low rank none repeat."""
    backbone = MLP(layers=2, width=64, dropout=0.5, numeric=None)
    network, rows = build_network(backbone, Linear(), TableInput(3), 2).train(), torch.randn(5, 3)
    first = network.get_submodule("backbone.hidden.0")
    LastBlocks().prepare(network)
    assert torch.equal(first(rows), first(rows))
    assert not torch.equal(network(rows), network(rows))
    LastBlocks().merge(network)
    LowRank().prepare(network)
    assert not torch.equal(first(rows), first(rows))


@pytest.mark.parametrize("name", SMALL)
def test_a_low_rank_update_is_the_papers(name: str, built: dict[str, Network]) -> None:
    """Each weight gains alpha / rank times B A, a matrix of this rank; at first B is zero."""
    network, kind = copy.deepcopy(built[name]), LowRank(rank=2, alpha=6.0)
    before = _state(network)
    kind.prepare(network)
    ups = {n: p for n, p in network.named_parameters() if n.endswith("0.up")}
    assert len(ups) == len(_matrix_names(built[name]))
    assert all(not p.any() for p in ups.values())
    _train(network, name, kind)
    expected = {}
    for each, up in ups.items():
        down = network.get_parameter(each.removesuffix("up") + "down")
        original = each.replace(".parametrizations.weight.0.up", ".weight")
        expected[original] = 3 * torch.einsum("or,ri->oi", up, down)
    kind.merge(network)
    for original, update in expected.items():
        gained = (network.get_parameter(original) - before[original]).flatten(1)
        torch.testing.assert_close(gained, update, rtol=1e-3, atol=1e-6)
        assert 1 <= torch.linalg.matrix_rank(update.detach(), rtol=1e-4) <= 2


def test_low_rank_factors_start_at_unit_gain() -> None:
    """A is normal with deviation 1 / sqrt(n_in), so that A x is as large as x."""
    torch.manual_seed(0)
    backbone = MLP(layers=1, width=8, numeric=None)
    network = build_network(backbone, Linear(), TableInput(2500), 2)
    LowRank(rank=8).prepare(network)
    down = network.get_parameter("backbone.hidden.0.0.parametrizations.weight.0.down")
    assert down.shape == (8, 2500)
    torch.testing.assert_close(down.std().item(), 0.02, rtol=0.03, atol=0)


def test_low_rank_is_exact_under_bfloat16() -> None:
    """The weight that autocast trains with is the merged one, not one of eight bits."""
    network = build_network(MLP(layers=1, width=64, numeric=None), Linear(), TableInput(3), 2)
    kind, layer = LowRank(), "backbone.hidden.0.0"
    kind.prepare(network)
    nn.init.normal_(network.get_parameter(f"{layer}.parametrizations.weight.0.up"))
    with torch.autocast("cpu", torch.bfloat16):
        used: Any = network.get_submodule(layer).weight
    kind.merge(network)
    assert used.dtype == torch.float32
    assert torch.equal(used, network.get_parameter(f"{layer}.weight"))


@pytest.mark.parametrize("kind", KINDS[1:], ids=repr)
def test_statistics_of_frozen_norms_survive_a_recomputation(
    kind: FineTuning, built: dict[str, Network]
) -> None:
    """Neither training nor PyTorch's `update_bn` touches them, on a copy as averages are."""
    network = copy.deepcopy(built["resnet"])
    kind.prepare(network)
    before = _state(network)
    _train(network, "resnet", kind)
    average = copy.deepcopy(network)
    torch.optim.swa_utils.update_bn([_inputs("resnet")], average)
    frozen = {n for n in before if "running" in n and not n.startswith("backbone.stage3")}
    assert not frozen & _changed(before, average.state_dict())


def test_two_stages_may_follow_each_other(built: dict[str, Network]) -> None:
    """After one kind is merged another can be prepared, as if on a new network."""
    network = copy.deepcopy(built["resnet"])
    for kind in KINDS:
        kind.prepare(network)
        trained = {n for n, p in network.named_parameters() if p.requires_grad}
        assert set(kind.scales(network)) == trained
        kind.merge(network)
    assert list(network.state_dict()) == list(built["resnet"].state_dict())


def test_more_blocks_than_there_are_is_refused(built: dict[str, Network]) -> None:
    """The message says how many there are; all of them are allowed."""
    network = copy.deepcopy(built["mlp"])
    with pytest.raises(InputError, match="It is 4, and there are 3"):
        LastBlocks(blocks=4).prepare(network)
    LastBlocks(blocks=3).prepare(network)
    assert all(p.requires_grad for p in network.parameters())


@pytest.mark.parametrize("text", ["Full(rate_decay=0.0)", "LowRank(rank=0)", "LowRank(alpha=0)"])
def test_what_would_train_nothing_is_refused(text: str) -> None:
    """Rates, ranks and factors are above zero."""
    with pytest.raises(InputError):
        resolve(text, FINETUNINGS, "fine-tuning")
