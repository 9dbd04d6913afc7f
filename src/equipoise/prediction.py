"""From examples to logits."""

import numpy as np
import torch
from torch import nn

from equipoise.batches import JoinedSource, Source, in_order
from equipoise.devices import Device
from equipoise.distributed import World

PREDICTION_VALUES = 500 * 32 * 32 * 3
"""Predictions are made in batches of at most 500 examples and this many input values."""


@torch.no_grad()
def predict_logits(
    network: nn.Module,
    source: Source | JoinedSource,
    device: Device,
    world: World = World(),  # noqa: B008 (never changed)
) -> np.ndarray:
    """Return the logits of every example of a source, float32, shape ``(examples, classes)``.

    Several processes predict a part each, and every one of them gets all logits.
    """
    network.eval()
    values = int(np.prod(source.shape))
    batch_size = min(500, max(1, PREDICTION_VALUES // values))
    start, stop = (len(source) * (world.rank + i) // world.size for i in (0, 1))
    batches = []
    for positions in in_order(stop - start, batch_size):
        inputs = source.take(start + positions).to(device.name)
        with device.autocast():
            batches.append(network(inputs).float().cpu().numpy())
    if not len(source):
        return np.empty((0, 0), np.float32)
    return world.gather(np.concatenate(batches) if batches else None)
