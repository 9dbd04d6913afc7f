"""Laws of frozen statistics: batch norm uses its batch and remembers nothing of it."""

import math

import pytest
import torch
from torch import nn
from torch.nn import functional as F

from equipoise.standard.sharpness import frozen_statistics


def test_frozen_layers_normalise_by_the_batch_and_stay() -> None:
    """Outputs are those of training mode; the running statistics and their count are not moved."""
    torch.manual_seed(0)
    inputs = torch.randn(6, 3) * 2 + 1
    layer = nn.BatchNorm1d(3)
    with frozen_statistics(layer):
        torch.testing.assert_close(layer(inputs), F.batch_norm(inputs, None, None, training=True))
    assert layer.num_batches_tracked == 0
    assert torch.equal(layer.running_mean, torch.zeros(3))  # type: ignore[arg-type]
    assert torch.equal(layer.running_var, torch.ones(3))  # type: ignore[arg-type]
    layer(inputs)
    assert layer.num_batches_tracked == 1
    torch.testing.assert_close(layer.running_mean, 0.1 * inputs.mean(0))


def test_a_layer_in_evaluation_mode_uses_what_it_has() -> None:
    """Only layers that would update anything are touched."""
    inputs = torch.tensor([[1.0], [3.0]])
    layer = nn.BatchNorm1d(1).eval()
    with frozen_statistics(nn.Sequential(layer)):
        torch.testing.assert_close(layer(inputs), inputs / math.sqrt(1 + 1e-5))


def test_every_layer_is_as_before_also_after_an_error() -> None:
    """Layers that track go on tracking, those that never did do not begin to."""
    layers = [nn.BatchNorm1d(1), nn.BatchNorm2d(1), nn.BatchNorm1d(1, track_running_stats=False)]
    with pytest.raises(ZeroDivisionError), frozen_statistics(nn.Sequential(*layers)):
        raise ZeroDivisionError
    assert [layer.track_running_stats for layer in layers] == [True, True, False]
