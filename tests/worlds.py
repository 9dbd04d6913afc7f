"""What `test_distributed` runs in another process: here, for a new process must import it."""

from pathlib import Path

import numpy as np
import torch
from torch import nn

from equipoise.batches import Source
from equipoise.devices import Device
from equipoise.distributed import World
from equipoise.prediction import predict_logits

SIZE = 2
ROWS = np.arange(14, dtype=np.float32).reshape(7, 2)


def network() -> nn.Module:
    """Return a network whose logits tell which example they are of."""
    layer = nn.Linear(2, 3, bias=False)
    nn.init.constant_(layer.weight, 1.0)
    return layer


def part(rank: int, *_: object) -> dict[str, np.ndarray]:
    """Use everything that processes do together; return what this one has then, by name."""
    world = World(rank, SIZE)
    values = [torch.full((2, 3), float(rank + 1)), torch.tensor(10.0 * rank)]
    world.total(values)
    norm = nn.BatchNorm1d(2)
    norm.running_mean.fill_(rank)  # type: ignore[union-attr]
    norm.num_batches_tracked.fill_(5)  # type: ignore[union-attr]
    world.share_buffers(norm)
    found = {
        "total": values[0].numpy(),
        "scalar": values[1].numpy(),
        "mean": norm.state_dict()["running_mean"].numpy(),
        "tracked": norm.state_dict()["num_batches_tracked"].numpy(),
        "some": world.gather(np.arange(rank, 2, dtype=np.float32)[:, None] if rank else None),
    }
    for n in 0, 1, 7:
        source = Source(ROWS, np.arange(n))
        found[f"logits {n}"] = predict_logits(network(), source, Device("cpu"), world)
    return found


def gathered(rank: int, folder: Path) -> None:
    """Write what `part` finds to a file."""
    np.savez(folder / f"{rank}.npz", **part(rank))  # type: ignore[arg-type]
