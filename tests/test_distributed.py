"""Laws of processes that train together: none has more or less than the others."""

import importlib
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from equipoise.distributed import World
from equipoise.parallel import companions


@pytest.fixture
def worlds(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    """The module `worlds` beside this one, which other processes can import too."""
    monkeypatch.syspath_prepend(str(Path(__file__).parent))
    return importlib.import_module("worlds")


@settings(deadline=None, derandomize=True)
@given(n=st.integers(0, 50), size=st.integers(1, 8))
def test_shares_of_a_batch_are_all_of_it_and_even(n: int, size: int) -> None:
    """Every position is in one share, and shares differ by one example at most."""
    positions = np.random.default_rng(0).permutation(n)
    shares = [World(rank, size).share(positions) for rank in range(size)]
    assert sorted(np.concatenate(shares)) == list(range(n))
    assert max(map(len, shares)) - min(map(len, shares)) <= 1


def test_one_process_alone_changes_nothing() -> None:
    """It is the first, its sums are its values, and it needs nobody to meet."""
    world, values = World(), [torch.tensor([1.0, 2.0])]
    world.total(values)
    assert values[0].tolist() == [1, 2]
    assert world.is_first
    assert world.share(np.arange(3)).tolist() == [0, 1, 2]
    assert world.gather(np.arange(3)).tolist() == [0, 1, 2]
    norm = torch.nn.BatchNorm1d(2)
    world.share_buffers(norm)
    assert norm.state_dict()["running_var"].tolist() == [1, 1]


def test_two_processes_have_the_same(worlds: ModuleType, tmp_path: Path) -> None:
    """Sums, means of buffers and logits are the same in both, and those worked by hand."""
    with companions(2, "cpu", worlds.gathered, (tmp_path,)):
        found = worlds.part(0)
    with np.load(tmp_path / "1.npz") as stored:
        other = dict(stored)
    assert found.keys() == other.keys()
    for name, value in found.items():
        assert np.array_equal(value, other[name]), name
    assert found["total"].tolist() == [[3.0] * 3] * 2
    assert found["scalar"] == 10
    assert found["mean"].tolist() == [0.5, 0.5]
    assert found["tracked"] == 5
    assert found["some"].tolist() == [[1]]
    for n in 1, 7:
        expected = worlds.ROWS[:n].sum(axis=1, keepdims=True).repeat(3, axis=1)
        assert np.array_equal(found[f"logits {n}"], expected)
    assert len(found["logits 0"]) == 0
