"""Laws of weight averaging: an exponential moving average of everything a network holds."""

import pytest
import torch
from torch import Tensor, nn

from equipoise.standard.averaging import AVERAGES, EMA


def _network() -> nn.Sequential:
    torch.manual_seed(0)
    return nn.Sequential(nn.Linear(3, 2), nn.BatchNorm1d(2))


def _wander(network: nn.Module, generator: torch.Generator) -> None:
    """Change weights at random, and statistics by a pass forward."""
    with torch.no_grad():
        for parameter in network.parameters():
            parameter.add_(torch.randn(parameter.shape, generator=generator))
    network.train()(torch.randn((5, 3), generator=generator))


def _copy(network: nn.Module) -> dict[str, Tensor]:
    return {name: value.clone() for name, value in network.state_dict().items()}


@pytest.mark.parametrize("decay", [0.0, 0.15, 0.5, 0.998])
def test_the_average_is_the_sequence_worked_by_hand(decay: float) -> None:
    """Twelve steps of d a + (1 - d) w with d = min(decay, (1 + t)/(10 + t)), in float64."""
    network, generator = _network(), torch.Generator().manual_seed(0)
    average = EMA(decay=decay).start(network)
    expected = {name: value.double() for name, value in _copy(network).items()}
    for step in range(12):
        _wander(network, generator)
        EMA(decay=decay).update(average, network, step)
        memory = min(decay, (1 + step) / (10 + step))
        for name, value in network.state_dict().items():
            expected[name] = memory * expected[name] + (1 - memory) * value.double()
    for name, value in average.state_dict().items():
        if value.is_floating_point():
            torch.testing.assert_close(value.double(), expected[name], rtol=1e-5, atol=1e-6)
    assert not torch.equal(average.state_dict()["1.running_mean"], torch.zeros(2))


def test_counts_are_copied_not_averaged() -> None:
    """Whole numbers, such as the batches that batch norm has seen, are taken as they are."""
    network, generator = _network(), torch.Generator().manual_seed(0)
    average = EMA(decay=0.9).start(network)
    for step in range(3):
        _wander(network, generator)
        EMA(decay=0.9).update(average, network, step)
    seen = average.state_dict()["1.num_batches_tracked"]
    assert seen.dtype == torch.int64
    assert seen.item() == 3


def test_no_memory_follows_the_network() -> None:
    """With decay 0 the average is the network, bit for bit."""
    network, generator = _network(), torch.Generator().manual_seed(0)
    average = EMA(decay=0.0).start(network)
    for step in range(4):
        _wander(network, generator)
        EMA(decay=0.0).update(average, network, step)
        for name, value in network.state_dict().items():
            assert torch.equal(average.state_dict()[name], value)


def test_a_network_that_stands_still_is_its_own_average() -> None:
    """Averaging equal weights adds no rounding error."""
    network = _network()
    average = EMA().start(network)
    for step in range(50):
        EMA().update(average, network, step)
    for name, value in network.state_dict().items():
        assert torch.equal(average.state_dict()[name], value)


def test_the_network_is_left_alone() -> None:
    """Averaging reads the trained weights and never writes them."""
    network, generator = _network(), torch.Generator().manual_seed(0)
    average = EMA().start(network)
    _wander(network, generator)
    before = _copy(network)
    EMA().update(average, network, 0)
    for name, value in network.state_dict().items():
        assert torch.equal(value, before[name])


def test_averages_are_not_trained() -> None:
    """The average takes no gradient and is in evaluation mode; the network is not changed."""
    network = _network().train()
    average = EMA().start(network)
    assert not any(parameter.requires_grad for parameter in average.parameters())
    assert not average.training
    assert all(parameter.requires_grad for parameter in network.parameters())
    assert network.training


def test_the_average_starts_as_a_copy() -> None:
    """At first it has the network's values, in memory of its own and of the same layout."""
    network = nn.Conv2d(3, 4, 3).to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    average = EMA().start(network)
    held, new = average.state_dict()["weight"], network.state_dict()["weight"]
    assert torch.equal(held, new)
    assert held.data_ptr() != new.data_ptr()
    assert held.stride() == new.stride()


def test_every_average_is_listed_under_its_name() -> None:
    """The name in a configuration is the name of the class."""
    assert {name: kind.__name__ for name, kind in AVERAGES.items()} == {"EMA": "EMA"}
