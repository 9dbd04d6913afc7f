"""From arrays, in memory or memory-mapped, to batches of tensors."""

import mmap
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cached_property

import numpy as np
import torch
from torch import Tensor

from equipoise._tensors import Inputs

KEPT_BYTES = 256 * 2**20
"""A memory map of at most this size stays in memory once it was read."""

RELEASE_BYTES = 64 * 2**20
"""After reading this much from a larger one, its pages are handed back to the system."""

READ_AROUND_BYTES = 256 * 2**10
"""The system maps up to this much more than was read, around each row (measured on Linux)."""


@dataclass(eq=False)
class Source:
    """Rows of an array, as tensors; of a large memory map only a part stays in memory.

    Parameters
    ----------
    array : ndarray
        uint8 images ``(examples, height, width, channels)`` or float32 table rows
        ``(examples, features)``.
    rows : ndarray of int
        Which examples of the array belong to this source; positions given to `take` count
        within these.

    Examples
    --------
    >>> import numpy as np
    >>> source = Source(np.zeros((5, 8, 8, 3), np.uint8), np.array([1, 3]))
    >>> source.take(np.array([0, 1])).shape
    torch.Size([2, 3, 8, 8])
    """

    array: np.ndarray
    rows: np.ndarray
    _values: np.ndarray = field(init=False)
    _pages: mmap.mmap | None = field(init=False)
    _unreleased: int = field(default=0, init=False)

    def __post_init__(self) -> None:
        # As a plain array: indexing a memmap itself costs several microseconds more.
        self._values = np.asarray(self.array)
        self._pages = _large_memory_map(self.array)

    def __len__(self) -> int:
        return len(self.rows)

    @property
    def shape(self) -> tuple[int, ...]:
        """Shape of one example, as it is stored."""
        return self.array.shape[1:]

    def take(self, positions: np.ndarray) -> Inputs:
        """Return examples as a tensor: images as ``(batch, channels, height, width)``."""
        taken = self._values[self.rows[positions]]
        self._release(taken)
        tensor = torch.from_numpy(taken)
        return tensor.permute(0, 3, 1, 2) if tensor.ndim == 4 else tensor

    def _release(self, taken: np.ndarray) -> None:
        # Pages of a memory map count as this process's memory until they are handed back;
        # they stay in the system's cache, so reading them again is cheap.
        if self._pages is None:
            return
        self._unreleased += taken.nbytes + len(taken) * READ_AROUND_BYTES
        if self._unreleased > RELEASE_BYTES:
            self._pages.madvise(mmap.MADV_DONTNEED)
            self._unreleased = 0


def _large_memory_map(array: np.ndarray) -> mmap.mmap | None:
    """Return the memory map under an array if its pages can and should be handed back."""
    # A view of a memory map may be a plain array that only knows the map as its base. Changes
    # made to a copy-on-write map live in its pages alone: these must not be handed back.
    base: object = array
    while isinstance(base, np.ndarray):
        if isinstance(base, np.memmap):
            pages: mmap.mmap = base._mmap  # type: ignore[attr-defined]
            kept = base.mode == "c" or len(pages) <= KEPT_BYTES
            return None if kept or not hasattr(mmap, "MADV_DONTNEED") else pages
        base = base.base
    return None


@dataclass(frozen=True, eq=False)
class JoinedSource:
    """The examples of one source, then those of another.

    Parameters
    ----------
    first, second : Source
        Of examples of equal shape.

    Examples
    --------
    >>> import numpy as np
    >>> halves = [Source(np.full((2, 1), i, np.float32), np.arange(2)) for i in (0, 1)]
    >>> JoinedSource(*halves).take(np.array([3, 0])).flatten()
    tensor([1., 0.])
    """

    first: Source
    second: Source

    def __len__(self) -> int:
        return len(self.first) + len(self.second)

    @property
    def shape(self) -> tuple[int, ...]:
        """Shape of one example, as it is stored."""
        return self.first.shape

    def take(self, positions: np.ndarray) -> Inputs:
        """Return examples as a tensor, as `Source.take` does."""
        is_second = positions >= len(self.first)
        found = [
            self.first.take(positions[~is_second]),
            self.second.take(positions[is_second] - len(self.first)),
        ]
        order = np.argsort(np.argsort(is_second, kind="stable"), kind="stable")
        return torch.cat(found)[torch.from_numpy(order)]


@dataclass(frozen=True, eq=False)
class Examples:
    """Inputs with their class codes and, for training, their weights.

    Parameters
    ----------
    source : Source or JoinedSource
        The inputs.
    codes : ndarray of int64, shape (examples,)
        Class of each.
    weights : ndarray of float, shape (examples,), or None, default=None
        What the loss of each is multiplied by; of mean 1, lest they change the learning rate.
    """

    source: Source | JoinedSource
    codes: np.ndarray
    weights: np.ndarray | None = None

    def __len__(self) -> int:
        return len(self.source)

    def draw(self, shares: Tensor, n: int, generator: torch.Generator) -> np.ndarray:
        """Return the positions of `n` examples, drawn with replacement.

        Parameters
        ----------
        shares : Tensor of float, shape (classes,)
            Probability of each class, 0 where there are no examples; those of one class are
            equally likely.
        n : int
            How many.
        generator : torch.Generator
            The only source of randomness, on the CPU.

        Returns
        -------
        ndarray of int64, shape (n,)
        """
        drawn = torch.multinomial(shares.cpu().double(), n, replacement=True, generator=generator)
        return self.draw_of(drawn.numpy(), generator)

    def draw_of(self, codes: np.ndarray, generator: torch.Generator) -> np.ndarray:
        """Return the position of a random example for each of some classes that have any.

        >>> source = Source(np.zeros((3, 1), np.float32), np.arange(3))
        >>> examples = Examples(source, np.array([1, 0, 1]))
        >>> examples.draw_of(np.array([0, 0]), torch.Generator()).tolist()
        [1, 1]
        """
        order, starts = self._by_class
        places = torch.rand(len(codes), dtype=torch.float64, generator=generator).numpy()
        return order[starts[codes] + (places * np.diff(starts)[codes]).astype(np.int64)]

    @cached_property
    def _by_class(self) -> tuple[np.ndarray, np.ndarray]:
        """Positions sorted by class, and where each class begins, with the end."""
        starts = np.concatenate([[0], np.cumsum(np.bincount(self.codes))])
        return np.argsort(self.codes, kind="stable"), starts


def shuffled(n: int, batch_size: int, generator: torch.Generator) -> list[np.ndarray]:
    """Return the positions 0 to n - 1 in random order, in batches of nearly equal size.

    No example is dropped and no batch is much smaller than the others, which batch norm
    would suffer from: sizes differ by one at most and never exceed `batch_size`.

    Examples
    --------
    >>> [len(b) for b in shuffled(10, 4, torch.Generator().manual_seed(0))]
    [4, 3, 3]
    """
    order = torch.randperm(n, generator=generator).numpy()
    return np.array_split(order, -(-n // batch_size))


def in_order(n: int, batch_size: int) -> Iterator[np.ndarray]:
    """Yield the positions 0 to n - 1 in order, in batches."""
    for start in range(0, n, batch_size):
        yield np.arange(start, min(start + batch_size, n))
