"""TabM, beside the package of its authors."""

from typing import Literal

import pytest
import tabm
import torch
from torch import Tensor
from torch.nn import functional as F

from equipoise.standard.backbones import MLP, TableInput
from equipoise.standard.backbones.ensembles import SharedLinear, TabM, random_scales
from equipoise.standard.heads import Cosine, Head, Linear, Normalized
from equipoise.standard.losses import CrossEntropy, Loss
from equipoise.standard.networks import Network, build_network, member_losses

TABLE = TableInput(3, (4, 7, 4))
SMALL = TabM(members=5, layers=2, width=16, dropout=0.0, numeric=None)
THEIRS = {"weight": "weight", "scale_in": "r", "scale_out": "s", "bias": "bias"}


def _rows(count: int) -> Tensor:
    codes = [torch.randint(0, n, (count, 1)).float() for n in TABLE.cardinalities]
    return torch.cat([torch.randn(count, TABLE.n_numeric), *codes], dim=1)


def _network(head: Head | None = None) -> Network:
    return build_network(SMALL, head or Linear(), TableInput(3), 4)


def test_a_shared_layer_is_the_authors_batch_ensemble() -> None:
    """With the weights of `tabm.LinearBatchEnsemble` outputs are equal."""
    theirs = tabm.LinearBatchEnsemble(6, 4, k=5, scaling_init="normal")
    ours = SharedLinear(6, 4, members=5)
    ours.load_state_dict({name: theirs.get_parameter(own) for name, own in THEIRS.items()})
    values = torch.randn(7, 5, 6)
    torch.testing.assert_close(ours(values), theirs(values))
    torch.testing.assert_close(
        ours(values[:, 0]), theirs(values[:, :1].expand(-1, 5, -1).contiguous())
    )


def test_the_network_is_the_authors_tabm() -> None:
    """With the weights of `tabm.TabM`, every member has the same logits."""
    theirs = tabm.TabM(
        n_num_features=3,
        cat_cardinalities=[],
        d_out=4,
        n_blocks=2,
        d_block=16,
        dropout=0.0,
        k=5,
        arch_type="tabm",
        start_scaling_init="random-signs",
    )
    state: dict[str, Tensor] = {
        f"backbone.hidden.{i}.0.{name}": theirs.get_parameter(f"backbone.blocks.{i}.0.{own}")
        for i in range(2)
        for name, own in THEIRS.items()
    }
    state["head.weight"] = theirs.get_parameter("output.weight").transpose(1, 2).reshape(20, 16)
    state["head.bias"] = theirs.get_parameter("output.bias").flatten()
    network, rows = _network().train(), torch.randn(7, 3)
    network.load_state_dict(state)
    torch.testing.assert_close(network(rows), theirs(rows))
    mean = theirs(rows).softmax(dim=2).mean(dim=1)
    torch.testing.assert_close(network.eval()(rows).softmax(dim=1), mean)


def test_one_member_with_scales_of_one_is_an_mlp() -> None:
    """Given the same weights it is the multi-layer perceptron."""
    single = TabM(members=1, layers=2, width=16, n_bins=4).build(TABLE, _rows(30)).eval()
    plain = MLP(layers=2, width=16, n_bins=4).build(TABLE).eval()
    first = single.get_parameter("hidden.0.0.scale_in")
    assert set(first.unique().tolist()) != {1.0}
    torch.nn.init.ones_(first)
    state = {n: v for n, v in single.state_dict().items() if "scale" not in n}
    plain.load_state_dict({n: v.view_as(plain.state_dict()[n]) for n, v in state.items()})
    rows = _rows(6)
    torch.testing.assert_close(single(rows)[:, 0], plain(rows))


def test_a_shared_layer_starts_as_the_authors_does() -> None:
    """Scales at one, biases equal for all members, weights uniform in 1 / sqrt(n_in)."""
    torch.manual_seed(0)
    ours = SharedLinear(100, 80, members=3)
    theirs = tabm.LinearBatchEnsemble(100, 80, k=3, scaling_init="ones")
    for name, own in THEIRS.items():
        mine, reference = ours.get_parameter(name), theirs.get_parameter(own)
        assert mine.shape == reference.shape
        torch.testing.assert_close(mine.std(), reference.std(), rtol=0.2, atol=1e-3)
        torch.testing.assert_close(mine.mean(), reference.mean(), rtol=0, atol=0.02)
    assert torch.equal(ours.bias[0], ours.bias[2])


@pytest.mark.parametrize("numeric", ["piecewise", "linear", None])
def test_what_stands_for_a_column_gets_one_first_scale(
    numeric: Literal["piecewise", "linear"] | None,
) -> None:
    """All numbers that a column is embedded as share a scale within a member, columns do not."""
    torch.manual_seed(0)
    backbone = TabM(members=4, layers=1, width=8, numeric=numeric, embedding_width=3, n_bins=4)
    network = backbone.build(TABLE, _rows(50)).eval()
    scales = network.get_parameter("hidden.0.0.scale_in")
    embedding, row = network.get_submodule("embedding"), _rows(1)
    if numeric is None:
        assert set(scales.unique().tolist()) == {-1.0, 1.0}
    else:
        assert scales.unique().numel() == 4 * 6
    seen = torch.zeros(scales.shape[1])
    for column in range(6):
        others = row.repeat(60, 1)
        others[:, column] = torch.randn(60) if column < 3 else torch.arange(60) % 4
        changed = embedding(others).std(dim=0) > 1e-4
        assert changed.any()
        assert all(len(set(member)) == 1 for member in scales[:, changed].tolist())
        seen += changed
    assert seen.max() == 1


def test_random_scales_are_standard() -> None:
    """Signs have mean 0 and are 1 in size; the others have mean 0 and variance 1."""
    torch.manual_seed(0)
    signs = random_scales([1] * 2000, 2, signs=True)
    normal = random_scales([1] * 2000, 2, signs=False)
    assert torch.equal(signs.abs(), torch.ones_like(signs))
    for scales in (signs, normal):
        assert abs(scales.mean().item()) < 0.06
        assert abs(scales.std().item() - 1) < 0.06
    assert normal.unique().numel() == 4000


@pytest.mark.parametrize("head", [Linear(), Cosine(learned=True), Normalized()], ids=repr)
def test_the_mode_decides_between_members_and_their_mean(head: Head) -> None:
    """Training gives each member's logits, evaluation the logarithm of their mean probability."""
    network, rows = _network(head), torch.randn(7, 3)
    each, pooled = network.train()(rows), network.eval()(rows)
    assert each.shape == (7, 5, 4)
    assert pooled.shape == (7, 4)
    torch.testing.assert_close(pooled.exp(), each.softmax(dim=2).mean(dim=1))
    torch.testing.assert_close(pooled.exp().sum(dim=1), torch.ones(7))


def test_far_logits_stay_finite() -> None:
    """Members who are certain of different classes have finite pooled logits."""
    network = _network()
    torch.nn.init.constant_(network.head.get_parameter("weight"), 0.0)
    with torch.no_grad():
        network.head.get_parameter("bias").copy_(1e4 * torch.eye(5, 4).flatten())
    pooled = network.eval()(torch.randn(2, 3))
    assert pooled.isfinite().all()
    torch.testing.assert_close(pooled.exp()[0], torch.tensor([0.25, 0.25, 0.25, 0.25]))


def test_features_are_the_mean_over_members() -> None:
    """Diagnosis sees one vector an example."""
    network, rows = _network().eval(), torch.randn(7, 3)
    expected = torch.stack([network.backbone(rows)[:, m] for m in range(5)]).mean(dim=0)
    torch.testing.assert_close(network.features(rows), expected)


def test_member_losses_are_the_mean_of_each_ones_loss() -> None:
    """Of an ensemble, the mean over members of PyTorch's cross-entropy; else the loss itself."""
    labels, counts = torch.tensor([0, 3, 1]), torch.ones(4)
    logits, targets = torch.randn(3, 5, 4), torch.softmax(torch.randn(3, 4), dim=1)
    each = [F.cross_entropy(logits[:, m], targets, reduction="none") for m in range(5)]
    found = member_losses(CrossEntropy(), logits, targets, labels, counts)
    torch.testing.assert_close(found, torch.stack(each).mean(dim=0))
    plain = member_losses(CrossEntropy(), logits[:, 0], targets, labels, counts)
    torch.testing.assert_close(plain, each[0])


class Picked(Loss):
    """The logit of the label, weighed by its class's count: what reads labels and counts."""

    def __call__(self, logits: Tensor, targets: Tensor, labels: Tensor, counts: Tensor) -> Tensor:
        """Return one value an example; targets are not read."""
        assert targets.shape == logits.shape
        return logits[torch.arange(len(labels)), labels] * counts[labels]


def test_members_keep_the_labels_of_their_examples() -> None:
    """A loss that reads labels and counts gets those of the example for each member."""
    labels, counts = torch.tensor([0, 3, 1]), torch.tensor([1.0, 2.0, 3.0, 4.0])
    logits = torch.randn(3, 5, 4)
    expected = torch.stack([logits[i, :, k].mean() * counts[k] for i, k in enumerate(labels)])
    found = member_losses(Picked(), logits, torch.zeros(3, 4), labels, counts)
    torch.testing.assert_close(found, expected)


def test_no_member_learns_from_another_ones_error() -> None:
    """The gradient of a member's own parameters is a fifth of that of its loss alone."""
    network, rows = _network().train(), torch.randn(7, 3)
    labels = torch.tensor([0, 1, 2, 3, 0, 1, 2])
    targets, own = F.one_hot(labels, 4).float(), network.get_parameter("backbone.hidden.1.0.bias")
    logits = network(rows)
    total = member_losses(CrossEntropy(), logits, targets, labels, torch.ones(4)).mean()
    (joint,) = torch.autograd.grad(total, own, retain_graph=True)
    (alone,) = torch.autograd.grad(F.cross_entropy(logits[:, 2], labels), own)
    torch.testing.assert_close(joint[2], alone[2] / 5)
    assert torch.equal(alone[1], torch.zeros(16))
