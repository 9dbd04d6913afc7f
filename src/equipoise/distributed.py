"""Several processes that train one network together.

Each takes its share of every batch; gradients are averaged before anything is done with
them, so clipping, sharpness and the optimizer see the gradient of the whole batch.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
import torch.distributed as dist
from torch import Tensor, nn


@dataclass(frozen=True)
class World:
    """The processes of one training, seen from one of them.

    Parameters
    ----------
    rank : int, default=0
        Number of this process, from 0.
    size : int, default=1
        Number of processes.

    Examples
    --------
    >>> import numpy as np
    >>> World(rank=1, size=2).share(np.arange(5))
    array([1, 3])
    """

    rank: int = 0
    size: int = 1

    @property
    def is_first(self) -> bool:
        """Whether this process writes files and reports progress."""
        return self.rank == 0

    def share(self, positions: np.ndarray) -> np.ndarray:
        """Return this process's part of the positions in a batch."""
        return positions[self.rank :: self.size]

    def total(self, values: Sequence[Tensor]) -> None:
        """Replace tensors by their sums over all processes, in place."""
        if self.size == 1 or not values:
            return
        joined = torch.cat([value.detach().flatten() for value in values])
        dist.all_reduce(joined)
        parts = joined.split([value.numel() for value in values])
        with torch.no_grad():
            for value, part in zip(values, parts, strict=True):
                value.copy_(part.view_as(value))

    def gather(self, array: np.ndarray | None) -> np.ndarray:
        """Return the float32 rows of all processes, in the order of ranks; None: no rows here."""
        if self.size == 1:
            assert array is not None
            return array
        device = torch.device("cuda") if dist.get_backend() == "nccl" else torch.device("cpu")
        shape = torch.tensor([0, 0] if array is None else array.shape, device=device)
        shapes = [torch.empty_like(shape) for _ in range(self.size)]
        dist.all_gather(shapes, shape)
        rows = [int(each[0]) for each in shapes]
        padded = torch.zeros(max(rows), int(max(each[1] for each in shapes)), device=device)
        if array is not None:
            padded[: len(array)] = torch.from_numpy(array)
        parts = [torch.empty_like(padded) for _ in rows]
        dist.all_gather(parts, padded)
        return torch.cat([part[:n] for part, n in zip(parts, rows, strict=True)]).cpu().numpy()

    def share_buffers(self, module: nn.Module) -> None:
        """Give every process the mean of the floating-point buffers, such as batch statistics."""
        buffers = [b for b in module.buffers() if b.is_floating_point()]
        self.total(buffers)
        for buffer in buffers if self.size > 1 else ():
            buffer.div_(self.size)


def join(rank: int, size: int, meeting: Path, kind: str) -> World:
    """Meet the other processes at a file, and return their world.

    Parameters
    ----------
    rank, size : int
        Number of this process, and of all.
    meeting : Path
        A file, not there yet, in a folder that all of them can write to.
    kind : {"cpu", "cuda"}
        Where tensors live.
    """
    backend = "nccl" if kind == "cuda" else "gloo"
    dist.init_process_group(backend, init_method=f"file://{meeting}", rank=rank, world_size=size)
    return World(rank, size)


def leave() -> None:
    """End this process's part in the world it joined, if it joined one."""
    if dist.is_initialized():
        dist.destroy_process_group()
