"""Embeddings of table columns, against the reference package of their authors."""

import numpy as np
import pytest
import rtdl_num_embeddings
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from torch import nn

from equipoise.standard.backbones import TableInput
from equipoise.standard.backbones.embeddings import (
    CategoryEmbedding,
    ColumnLinear,
    Periodic,
    PiecewiseLinear,
    RowEmbedding,
    category_width,
    quantile_edges,
)
from equipoise.standard.networks import count_parameters


def _skewed(rows: int, seed: int = 0) -> torch.Tensor:
    """Three columns: normal, long-tailed, and one of few distinct values."""
    random = np.random.default_rng(seed)
    columns = [random.normal(size=rows), random.exponential(size=rows) ** 2]
    columns.append(random.integers(0, 4, size=rows).astype(float))
    return torch.tensor(np.stack(columns, axis=1), dtype=torch.float32)


def test_edges_are_the_references_edges() -> None:
    """Quantile edges, equal ones merged, are those of the authors' `compute_bins`."""
    values = _skewed(500)
    reference = rtdl_num_embeddings.compute_bins(values, n_bins=12)
    ours = quantile_edges(values, n_bins=12)
    for column, expected in enumerate(reference):
        torch.testing.assert_close(ours[:, column].unique(), expected)
    assert len(reference[2]) < len(reference[0])


def test_piecewise_encoding_is_the_references_encoding() -> None:
    """Components are those of the authors' encoding, as long as no value is a bin too far out."""
    values = _skewed(500)
    bins = rtdl_num_embeddings.compute_bins(values, n_bins=12)
    expected = rtdl_num_embeddings.PiecewiseLinearEncoding(bins)(values)
    found = PiecewiseLinear(quantile_edges(values, n_bins=12))(values)
    used = [found[:, column, : len(edges) - 1] for column, edges in enumerate(bins)]
    unused = [found[:, column, len(edges) - 1 :] for column, edges in enumerate(bins)]
    torch.testing.assert_close(torch.cat(used, dim=1), expected, rtol=1e-4, atol=1e-4)
    assert not torch.cat(unused, dim=1).any()


def test_values_out_of_the_range_are_told_apart_up_to_one_bin() -> None:
    """Half a bin out of the range reads -0.5 or 1.5; anything beyond a bin, -1 or 2."""
    encoding = PiecewiseLinear(torch.tensor([[0.0], [2.0], [3.0]]))
    found = encoding(torch.tensor([[-1.0], [-1e9], [3.5], [1e9]])).squeeze(1)
    expected = torch.tensor([[-0.5, 0.0], [-1.0, 0.0], [1.0, 1.5], [1.0, 2.0]])
    torch.testing.assert_close(found, expected)


@settings(deadline=None, derandomize=True, max_examples=50)
@given(arrays(np.float32, (9, 2), elements=st.floats(-1e6, 1e6, width=32)), st.integers(1, 6))
def test_piecewise_encoding_is_finite_and_rises(values: np.ndarray, n_bins: int) -> None:
    """Whatever the data, every component is finite, in [-1, 2], and never falls as x rises."""
    rows = torch.from_numpy(values)
    codes = PiecewiseLinear(quantile_edges(rows, n_bins))(rows.sort(dim=0).values)
    assert codes.shape == (9, 2, n_bins)
    assert codes.isfinite().all()
    assert codes.min() >= -1
    assert codes.max() <= 2
    assert (codes.diff(dim=0) >= 0).all()


def test_edges_that_nearly_meet_stay_finite() -> None:
    """Two edges too close for a finite slope give finite components."""
    encoding = PiecewiseLinear(torch.tensor([[0.0], [1e-42], [1.0]]))
    codes = encoding(torch.tensor([[-1.0], [0.0], [1e-42], [0.5], [3e38]]))
    assert codes.isfinite().all()
    torch.testing.assert_close(codes[3, 0], torch.tensor([1.0, 0.5]))


def test_constant_columns_and_single_rows_encode_to_zero() -> None:
    """Where the data show one value only there is no bin, and nothing is not a number."""
    for values in (torch.full((5, 1), 7.0), torch.tensor([[7.0]])):
        encoding = PiecewiseLinear(quantile_edges(values, n_bins=4))
        assert not encoding(torch.tensor([[7.0], [-3.0]])).any()


@pytest.mark.parametrize("lite", [True, False])
def test_periodic_embedding_is_the_references_embedding(lite: bool) -> None:
    """With the same weights, values equal those of the authors' `PeriodicEmbeddings`."""
    torch.manual_seed(0)
    reference = rtdl_num_embeddings.PeriodicEmbeddings(
        3, 6, n_frequencies=5, frequency_init_scale=0.7, lite=lite
    )
    linear = nn.Linear(10, 6) if lite else ColumnLinear(3, 10, 6)
    ours = nn.Sequential(Periodic(3, 5, sigma=0.1), linear, nn.ReLU())
    state = [value.view(p.shape) for value, p in zip(*_parameters(reference, ours), strict=True)]
    ours.load_state_dict(dict(zip(ours.state_dict(), state, strict=True)))
    values = _skewed(20)
    torch.testing.assert_close(ours(values), reference(values), rtol=1e-4, atol=1e-5)


def test_piecewise_embedding_is_the_references_embedding() -> None:
    """Encoding, a linear layer a column and ReLU are the authors' embedding, version A."""
    torch.manual_seed(0)
    values = _skewed(60)[:, :2]  # without ties, so that both fill all of their bins
    bins = rtdl_num_embeddings.compute_bins(values, n_bins=6)
    reference = rtdl_num_embeddings.PiecewiseLinearEmbeddings(bins, 5, activation=True, version="A")
    ours = nn.Sequential(
        PiecewiseLinear(quantile_edges(values, 6)), ColumnLinear(2, 6, 5), nn.ReLU()
    )
    with torch.no_grad():
        for value, parameter in zip(*_parameters(reference, ours), strict=True):
            parameter.copy_(value.view(parameter.shape))
    torch.testing.assert_close(ours(values), reference(values), rtol=1e-4, atol=1e-5)


def _parameters(*modules: nn.Module) -> list[list[nn.Parameter]]:
    return [list(module.parameters()) for module in modules]


def test_frequencies_start_with_scale_sigma() -> None:
    """Frequencies start centred, with deviation near sigma, and none beyond three sigma."""
    torch.manual_seed(0)
    frequencies = Periodic(50, 200, sigma=0.5).frequencies.detach()
    assert frequencies.mean().item() == pytest.approx(0, abs=0.02)
    assert frequencies.std().item() == pytest.approx(0.5, rel=0.05)
    assert frequencies.abs().max() <= 1.5


def test_each_category_has_its_own_vector() -> None:
    """No two codes share a vector, in one column or in two, and equal codes always do."""
    torch.manual_seed(0)
    embedding = CategoryEmbedding((3, 9, 3))
    assert embedding.n_features == 2 + 5 + 2
    assert count_parameters(embedding) == (3 + 3) * 2 + 9 * 5
    codes = torch.tensor([[a, b, a] for a in range(3) for b in range(9)])
    vectors = embedding(codes)
    assert len(torch.unique(vectors, dim=0)) == 27
    torch.testing.assert_close(embedding(codes[4:5]), vectors[4:5])
    one_changed = embedding(torch.tensor([[1, 4, 1], [1, 5, 1], [2, 4, 1], [1, 4, 2]]))
    changed = (one_changed[1:] != one_changed[0]).sum(dim=1)
    assert changed.tolist() == [5, 2, 2]
    first, last = embedding(torch.tensor([[1, 0, 0], [0, 0, 1]]))
    assert not torch.isin(first[first != 0], last).any()


def test_an_unseen_category_says_nothing_at_first() -> None:
    """Code 0 of each column starts as zeros, and no other code does."""
    embedding = CategoryEmbedding((3, 9, 3))
    assert not embedding(torch.zeros(1, 3, dtype=torch.int64)).any()
    assert embedding(torch.ones(1, 3, dtype=torch.int64)).all()


def test_category_width_is_half_the_codes_up_to_fifty() -> None:
    """Widths rise with the number of codes, from 1 to 50."""
    assert [category_width(n) for n in (1, 2, 3, 4, 99, 100, 101, 10**6)] == [
        *(1, 1, 2, 2, 50, 50, 50, 50)
    ]


def test_rows_are_split_at_the_last_numeric_column() -> None:
    """Numbers pass through in order, and categories follow from the trailing columns."""
    embedding = RowEmbedding(TableInput(2, (4,)), None, 1)
    table, rows = embedding.get_submodule("categories"), torch.tensor([[0.25, -7.0, 3.0]])
    assert embedding(rows)[0, :2].tolist() == [0.25, -7.0]
    assert torch.equal(embedding(rows)[0, 2:], table(torch.tensor([[3]]))[0])
