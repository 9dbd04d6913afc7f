"""Networks for tables."""

from typing import Literal

import pytest
import torch
from torch import Tensor

from equipoise.errors import InputError
from equipoise.standard.backbones import MLP, TableInput, TabularResNet
from equipoise.standard.networks import count_parameters

NUMERIC = ("piecewise", "periodic", "linear", None)
BACKBONES = [
    *(MLP(layers=2, width=16, numeric=kind, n_bins=4, n_frequencies=3) for kind in NUMERIC),
    MLP(layers=1, width=16, numeric="periodic", shared=False),
    TabularResNet(blocks=2, width=16, residual_dropout=0.1, n_bins=4),
]
FORMATS = [TableInput(3, (4, 7)), TableInput(3), TableInput(0, (4, 7)), TableInput(1)]
TableBackbones = MLP | TabularResNet


def _rows(count: int, inputs: TableInput) -> Tensor:
    numbers = torch.randn(count, inputs.n_numeric)
    codes = [torch.randint(0, n, (count, 1)).float() for n in inputs.cardinalities]
    return torch.cat([numbers, *codes], dim=1)


@pytest.mark.parametrize("backbone", BACKBONES)
@pytest.mark.parametrize("inputs", FORMATS)
@pytest.mark.parametrize("n_examples", [None, 1, 50])
def test_every_mix_of_columns_trains_on_one_row(
    backbone: TableBackbones, inputs: TableInput, n_examples: int | None
) -> None:
    """Numbers only, categories only or both, from any number of examples, in batches of one."""
    examples = None if n_examples is None else _rows(n_examples, inputs)
    network = backbone.build(inputs, examples).train()
    features = network(_rows(1, inputs))
    assert features.shape == (1, network.n_features)
    features.square().sum().backward()
    assert all(p.grad is not None and p.grad.isfinite().all() for p in network.parameters())


@pytest.mark.parametrize("backbone", BACKBONES)
@pytest.mark.parametrize("inputs", FORMATS)
def test_examples_change_no_shape(backbone: TableBackbones, inputs: TableInput) -> None:
    """A network built without examples takes the state of one built with them, and is it then."""
    first = backbone.build(inputs, _rows(30, inputs)).eval()
    second = backbone.rebuild(inputs).eval()
    second.load_state_dict(first.state_dict())
    rows = _rows(6, inputs)
    assert torch.equal(first(rows), second(rows))


def test_bin_edges_come_from_the_numeric_examples() -> None:
    """Bins lie where the examples do, whatever the category codes beside them are."""
    inputs = TableInput(1, (9,))
    examples = torch.stack([torch.linspace(100, 104, 41), torch.full((41,), 8.0)], dim=1)
    state = MLP(n_bins=4).build(inputs, examples).state_dict()
    left, slope = state["embedding.numeric.0.bins"][:2, 0]
    torch.testing.assert_close(left, torch.tensor([100.0, 101.0, 102.0, 103.0]))
    torch.testing.assert_close(slope, torch.ones(4), rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("backbone", BACKBONES)
def test_neighbours_in_a_batch_change_nothing(backbone: TableBackbones) -> None:
    """A row has the same features alone as among others."""
    inputs = TableInput(3, (4, 7))
    network, rows = backbone.build(inputs, _rows(30, inputs)).eval(), _rows(7, inputs)
    torch.testing.assert_close(network(rows)[2:3], network(rows[2:3]))


@pytest.mark.parametrize("backbone", BACKBONES)
def test_every_column_reaches_the_features(backbone: TableBackbones) -> None:
    """A change in any one column changes the features."""
    torch.manual_seed(0)
    inputs = TableInput(2, (4, 7))
    network = backbone.build(inputs, _rows(50, inputs)).eval()
    row = torch.tensor([[0.1, -0.2, 1.0, 3.0]])
    for column, other in enumerate((0.6, 0.5, 2.0, 6.0)):
        changed = row.clone()
        changed[0, column] = other
        assert not torch.allclose(network(row), network(changed), atol=1e-6)


def test_the_mlp_is_its_own_definition() -> None:
    """Without embeddings, each layer is ReLU of a linear map: written out on its weights."""
    network = MLP(layers=2, width=8, numeric=None).build(TableInput(3)).eval()
    weights, rows = list(network.parameters()), torch.randn(5, 3)
    hidden = (rows @ weights[0].T + weights[1]).relu()
    expected = (hidden @ weights[2].T + weights[3]).relu()
    torch.testing.assert_close(network(rows), expected)


def test_the_residual_network_is_its_own_definition() -> None:
    """One block: x + W2 relu(W1 norm(x)), between a linear map and a last norm and ReLU."""
    backbone = TabularResNet(blocks=1, width=6, expansion=1.5, numeric=None)
    network = backbone.build(TableInput(3)).eval()
    state, rows = dict(network.named_parameters()), torch.randn(5, 3)

    def linear(values: Tensor, name: str) -> Tensor:
        return values @ state[f"{name}.weight"].T + state[f"{name}.bias"]

    def norm(values: Tensor) -> Tensor:
        spread = values.var(dim=1, unbiased=False, keepdim=True)
        return (values - values.mean(dim=1, keepdim=True)) / (spread + 1e-5).sqrt()

    assert state["blocks.0.branch.1.weight"].shape == (9, 6)
    outer = linear(rows, "widen")
    inner = linear(norm(outer), "blocks.0.branch.1").relu()
    expected = norm(outer + linear(inner, "blocks.0.branch.4")).relu()
    torch.testing.assert_close(network(rows), expected, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize(
    ("backbone", "by_hand"),
    [
        (MLP(layers=1, width=2, numeric="linear", embedding_width=5), 2 * 3 * 5),
        (MLP(layers=1, width=2, embedding_width=5, n_bins=4), 3 * (4 + 1) * 5),
        (
            MLP(layers=1, width=2, numeric="periodic", embedding_width=5, n_frequencies=4),
            3 * 4 + (8 + 1) * 5,
        ),
        (
            MLP(
                layers=1,
                width=2,
                numeric="periodic",
                embedding_width=5,
                n_frequencies=4,
                shared=False,
            ),
            3 * 4 + 3 * (8 + 1) * 5,
        ),
    ],
)
def test_embeddings_have_the_parameters_of_their_definition(backbone: MLP, by_hand: int) -> None:
    """Three columns of five numbers each: encoding, then one linear layer, shared or not."""
    network = backbone.build(TableInput(3))
    assert count_parameters(network.get_submodule("embedding")) == by_hand
    assert count_parameters(network) == by_hand + (3 * 5 + 1) * 2


@pytest.mark.parametrize("kind", NUMERIC[:3])
def test_embedded_numbers_are_rectified(kind: Literal["piecewise", "periodic", "linear"]) -> None:
    """Whatever the encoding, ReLU comes last: some numbers are zero and none is negative."""
    torch.manual_seed(0)
    inputs = TableInput(3)
    embedding = MLP(numeric=kind).build(inputs, _rows(30, inputs)).get_submodule("embedding")
    numbers = embedding(_rows(20, inputs))
    assert (numbers == 0).any()
    assert (numbers >= 0).all()
    assert (numbers > 0).any()


def test_dropout_acts_in_training_only() -> None:
    """Dropout makes two passes differ in training and not in evaluation."""
    for backbone in (MLP(dropout=0.5), TabularResNet(dropout=0.5)):
        network, rows = backbone.build(TableInput(3)), torch.randn(4, 3)
        assert not torch.equal(network(rows), network(rows))
        network.eval()
        assert torch.equal(network(rows), network(rows))


def test_a_table_without_columns_is_refused() -> None:
    """No column at all is bad input, told as such."""
    with pytest.raises(InputError, match="at least one column"):
        MLP().build(TableInput(0))
