"""From examples to logits, or to features."""

from collections.abc import Callable, Iterator

import numpy as np
import torch
from torch import Tensor, nn

from equipoise.batches import JoinedSource, Source, in_order
from equipoise.devices import Device
from equipoise.distributed import World
from equipoise.standard.networks import Network

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
    share = range(*(len(source) * (world.rank + i) // world.size for i in (0, 1)))
    batches = list(_outputs(network, source, device, share))
    if not len(source):
        return np.empty((0, 0), np.float32)
    return world.gather(np.concatenate(batches) if batches else None)


@torch.no_grad()
def predict_features(network: Network, source: Source, device: Device) -> Iterator[np.ndarray]:
    """Give the features of every example of a source, batch after batch, in its order.

    Yields
    ------
    ndarray of float32, shape (batch, members, features)
        Those of each member of an ensemble; of another network as of one member.
    """
    network.eval()
    for features in _outputs(network.backbone, source, device, range(len(source))):
        yield features if features.ndim == 3 else features[:, None]


def _outputs(
    module: Callable[[Tensor], Tensor],
    source: Source | JoinedSource,
    device: Device,
    places: range,
) -> Iterator[np.ndarray]:
    """Give what a module makes of some examples, batch after batch."""
    batch_size = min(500, max(1, PREDICTION_VALUES // int(np.prod(source.shape))))
    for positions in in_order(len(places), batch_size):
        inputs = source.take(places.start + positions).to(device.name)
        with device.autocast():
            found = module(inputs)
        yield found.float().cpu().numpy()
