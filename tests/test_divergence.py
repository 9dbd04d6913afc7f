"""Laws of divergence: what is not finite is named, and what is finite passes."""

import math

import numpy as np
import pytest
import torch
from torch import nn

from equipoise.divergence import require_finite
from equipoise.errors import TrainingError
from equipoise.standard.optimizers import SGD


def _network(value: float = 1.0) -> nn.Module:
    network = nn.Linear(2, 2)
    with torch.no_grad():
        network.weight[0, 0] = value
    return network


@pytest.mark.parametrize(
    ("value", "loss", "logit", "named"),
    [
        (1.0, math.nan, 0.0, ["training loss"]),
        (math.inf, 1.0, 0.0, ["weights"]),
        (1.0, 1.0, math.nan, ["validation logits"]),
        (math.nan, math.inf, -math.inf, ["training loss", "weights", "validation logits"]),
    ],
)
def test_each_thing_that_is_not_finite_is_named(
    value: float, loss: float, logit: float, named: list[str]
) -> None:
    """The message has the epoch, the optimizer, and nothing that is whole."""
    with pytest.raises(TrainingError) as caught:
        require_finite(
            _network(value), loss, np.array([[0.0, logit]]), epoch=7, optimizer=SGD(lr=3.0)
        )
    told = str(caught.value)
    things = ("training loss", "weights", "validation logits")
    assert [thing for thing in things if thing in told] == named
    assert "in epoch 7." in told
    assert "SGD(lr=3.0)" in told


def test_finite_numbers_pass() -> None:
    """However large they are; and there may be no validation examples."""
    logits = np.array([[1e30, -1e30]])
    for found in (logits, logits[:0]):
        require_finite(_network(), 1e30, found, epoch=1, optimizer=SGD())
