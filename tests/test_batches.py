"""Laws of batches: every example once, and never the whole of a memory map in memory."""

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from equipoise import batches
from equipoise.batches import Source, in_order, shuffled

SIZES = st.integers(1, 300)


@settings(deadline=None, derandomize=True)
@given(n=SIZES, batch_size=SIZES, seed=st.integers(0, 99))
def test_every_position_is_drawn_once(n: int, batch_size: int, seed: int) -> None:
    """An epoch's batches together are a permutation of all positions."""
    drawn = shuffled(n, batch_size, torch.Generator().manual_seed(seed))
    assert sorted(np.concatenate(drawn)) == list(range(n))


@settings(deadline=None, derandomize=True)
@given(n=SIZES, batch_size=SIZES)
def test_batches_are_as_few_and_as_even_as_can_be(n: int, batch_size: int) -> None:
    """Sizes differ by one at most, never exceed `batch_size`, and no batch is needless."""
    sizes = [len(b) for b in shuffled(n, batch_size, torch.Generator())]
    assert max(sizes) - min(sizes) <= 1
    assert max(sizes) <= batch_size
    assert (len(sizes) - 1) * batch_size < n


def test_the_order_is_the_generators() -> None:
    """The same generator gives the same order, another one another; none is the sorted one."""
    first, again, other = (
        np.concatenate(shuffled(50, 8, torch.Generator().manual_seed(seed))) for seed in (1, 1, 2)
    )
    assert np.array_equal(first, again)
    assert not np.array_equal(first, other)
    assert not np.array_equal(first, np.arange(50))


def test_every_place_in_the_order_is_uniform() -> None:
    """Over many epochs each example comes first equally often, within five standard errors."""
    generator, draws = torch.Generator().manual_seed(0), 4000
    first = [shuffled(5, 2, generator)[0][0] for _ in range(draws)]
    seen = np.bincount(first, minlength=5) / draws
    assert np.abs(seen - 0.2).max() < 5 * (0.2 * 0.8 / draws) ** 0.5


@settings(deadline=None, derandomize=True)
@given(n=st.integers(0, 300), batch_size=SIZES)
def test_in_order_is_in_order(n: int, batch_size: int) -> None:
    """Batches for prediction are full, but for the last, and joined they count up."""
    found = list(in_order(n, batch_size))
    assert [i for batch in found for i in batch] == list(range(n))
    assert all(len(batch) == batch_size for batch in found[:-1])


def test_images_come_channels_first_in_channels_last_memory() -> None:
    """The tensor is (batch, channels, height, width), and no pixel was moved to make it."""
    array = np.arange(5 * 2 * 4 * 3, dtype=np.uint8).reshape(5, 2, 4, 3)
    rows, positions = np.array([4, 2, 0]), np.array([2, 0])
    taken = Source(array, rows).take(positions)
    assert taken.shape == (2, 3, 2, 4)
    assert taken.dtype == torch.uint8
    assert taken.is_contiguous(memory_format=torch.channels_last)
    assert np.array_equal(taken.numpy(), array[[0, 4]].transpose(0, 3, 1, 2))


def test_rows_of_a_table_come_as_they_are() -> None:
    """Positions count within the rows of the source, repeated ones included."""
    array = np.arange(12, dtype=np.float32).reshape(6, 2)
    source = Source(array, np.array([5, 1, 3]))
    assert len(source) == 3
    assert source.take(np.array([1, 1, 0])).tolist() == [[2, 3], [2, 3], [10, 11]]


def test_what_is_taken_is_a_copy() -> None:
    """A batch can be changed in place without changing the data."""
    array = np.ones((3, 2), np.float32)
    Source(array, np.arange(3)).take(np.arange(3)).zero_()
    assert (array == 1).all()


@pytest.mark.parametrize("view", [lambda a: a, lambda a: np.asarray(a)[5:]], ids=["map", "view"])
def test_a_memory_map_gives_the_rows_of_the_array(
    view, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Pages are handed back between batches, and read again, without any change of values."""
    monkeypatch.setattr(batches, "KEPT_BYTES", 0)
    monkeypatch.setattr(batches, "RELEASE_BYTES", 10_000)
    array = np.random.default_rng(0).integers(256, size=(300, 8, 8, 3), dtype=np.uint8)
    np.save(tmp_path / "a.npy", array)
    mapped = Source(view(np.load(tmp_path / "a.npy", mmap_mode="r")), np.arange(295))
    plain = Source(view(array), np.arange(295))
    for positions in shuffled(295, 20, torch.Generator()):
        assert torch.equal(mapped.take(positions), plain.take(positions))


def test_changes_to_a_private_map_survive(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A copy-on-write map holds its changes in memory alone, so its pages are kept."""
    monkeypatch.setattr(batches, "KEPT_BYTES", 0)
    monkeypatch.setattr(batches, "RELEASE_BYTES", 0)
    np.save(tmp_path / "a.npy", np.zeros((4, 3), np.float32))
    array = np.load(tmp_path / "a.npy", mmap_mode="c")
    array[2] = 7
    source = Source(array, np.arange(4))
    for _ in range(2):
        assert source.take(np.array([2])).tolist() == [[7, 7, 7]]


PASS_OVER_A_MAP = """
import sys
import numpy as np
import torch
from equipoise import batches

def resident():
    with open("/proc/self/status") as status:
        return next(int(line.split()[1]) for line in status if line.startswith("VmRSS")) / 1024

def peak(source, n_batches):
    most = 0
    order = batches.shuffled(len(source), 100, torch.Generator().manual_seed(0))
    for positions in order[:n_batches]:
        assert source.take(positions).sum() >= 0
        most = max(most, resident())
    return most

batches.RELEASE_BYTES = 32 * 2**20
in_memory = batches.Source(np.zeros((100, 32, 32, 3), np.uint8), np.arange(100))
before = peak(in_memory, 1)
array = np.load(sys.argv[1], mmap_mode="r")
for view in array, np.asarray(array):
    print(peak(batches.Source(view, np.arange(len(view))), 250) - before)
"""


@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="memory is read from /proc")
def test_a_memory_map_is_never_held_as_a_whole(tmp_path: Path) -> None:
    """A quarter of 300 MB is read, all over the file, and the process grows by a third at most.

    This holds of the map, and of a plain array that is a view of it.
    """
    path, shape = tmp_path / "images.npy", (100_000, 32, 32, 3)
    np.lib.format.open_memmap(path, "w+", np.uint8, shape).flush()
    done = subprocess.run(
        [sys.executable, "-c", PASS_OVER_A_MAP, str(path)],
        capture_output=True,
        text=True,
        check=True,
    )
    path.unlink()
    once, twice = map(float, done.stdout.split())
    assert once < 2 * 32
    assert twice < 3 * 32  # what the first source still holds, and the second
