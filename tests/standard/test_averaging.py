"""Laws of weight averaging: means of what a network holds, and their batch-norm statistics."""

from contextlib import nullcontext

import pytest
import torch
from torch import Tensor, nn
from torch.optim.swa_utils import AveragedModel, update_bn

from equipoise.errors import InputError
from equipoise.spec import resolve
from equipoise.standard.averaging import AVERAGES, EMA, SWA, Average, recompute_statistics

TOTAL = 50


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
        EMA(decay=decay).update(average, network, step, TOTAL)
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
        EMA(decay=0.9).update(average, network, step, TOTAL)
    seen = average.state_dict()["1.num_batches_tracked"]
    assert seen.dtype == torch.int64
    assert seen.item() == 3


def test_no_memory_follows_the_network() -> None:
    """With decay 0 the average is the network, bit for bit."""
    network, generator = _network(), torch.Generator().manual_seed(0)
    average = EMA(decay=0.0).start(network)
    for step in range(4):
        _wander(network, generator)
        EMA(decay=0.0).update(average, network, step, TOTAL)
        for name, value in network.state_dict().items():
            assert torch.equal(average.state_dict()[name], value)


@pytest.mark.parametrize("component", [EMA(), SWA(begin=0.1)], ids=repr)
def test_a_network_that_stands_still_is_its_own_average(component: Average) -> None:
    """Averaging equal weights adds no rounding error."""
    network = _network()
    average = component.start(network)
    for step in range(50):
        component.update(average, network, step, TOTAL)
    for name, value in network.state_dict().items():
        assert torch.equal(average.state_dict()[name], value)


@pytest.mark.parametrize("component", [EMA(), SWA(), SWA(begin=0)], ids=repr)
def test_the_network_is_left_alone(component: Average) -> None:
    """Averaging reads the trained weights and never writes them."""
    network, generator = _network(), torch.Generator().manual_seed(0)
    average = component.start(network)
    _wander(network, generator)
    before = _copy(network)
    for step in range(2):
        component.update(average, network, step, TOTAL)
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
    assert {name: kind.__name__ for name, kind in AVERAGES.items()} == {
        "EMA": "EMA",
        "SWA": "SWA",
    }
    assert not EMA().needs_statistics(9, 10)
    late = SWA(begin=0.5)  # steps 5 to 9 of ten are averaged; after step 6 there are two
    assert [late.needs_statistics(done, 10) for done in (5, 6, 7, 10)] == [False, False, True, True]


class Tied(nn.Module):
    """Two layers with one weight between them."""

    def __init__(self) -> None:
        super().__init__()
        self.first, self.second = nn.Linear(1, 1, bias=False), nn.Linear(1, 1, bias=False)
        self.second.weight = self.first.weight


@pytest.mark.parametrize(("component", "expected"), [(EMA(decay=0.05), 0.95), (SWA(), 1.0)])
def test_tied_weights_are_averaged_once(component: Average, expected: float) -> None:
    """A weight of two names moves as one of a single name does, and stays tied."""
    network = Tied()
    nn.init.zeros_(network.first.weight)
    average = component.start(network)
    nn.init.ones_(network.first.weight)
    component.update(average, network, 0, TOTAL)
    values = [value.item() for value in average.state_dict().values()]
    assert values == pytest.approx([expected, expected])
    assert average.get_parameter("first.weight") is average.get_parameter("second.weight")


@pytest.mark.parametrize(
    ("begin", "total", "first"),
    [(0.0, 8, 0), (0.75, 8, 6), (0.28, 25, 7), (0.71, 10, 8), (1.0, 10, 9), (0.5, 1, 0)],
)
def test_swa_is_the_mean_of_late_weights(begin: float, total: int, first: int) -> None:
    """Before `begin` it is the network; from there on it is the mean in float64, and PyTorch's."""
    network, generator = _network(), torch.Generator().manual_seed(0)
    component, late, theirs = SWA(begin=begin), [], None
    average = component.start(network)
    for step in range(total):
        _wander(network, generator)
        component.update(average, network, step, total)
        if step < first:
            assert all(torch.equal(average.state_dict()[k], v) for k, v in _copy(network).items())
            continue
        late.append(network.get_parameter("0.weight").detach().double().clone())
        theirs = theirs or AveragedModel(network)
        theirs.update_parameters(network)
        mean = torch.stack(late).mean(dim=0)
        torch.testing.assert_close(
            average.get_parameter("0.weight").double(), mean, rtol=1e-5, atol=1e-6
        )
    assert len(late) == total - first
    assert theirs is not None
    for name, value in theirs.module.state_dict().items():
        torch.testing.assert_close(average.state_dict()[name], value, rtol=1e-5, atol=1e-6)


def test_the_buffers_under_swa_are_the_networks() -> None:
    """Statistics are not averaged, as they are computed anew; counts are copied."""
    network, generator = _network(), torch.Generator().manual_seed(0)
    average = SWA(begin=0).start(network)
    for step in range(4):
        _wander(network, generator)
        SWA(begin=0).update(average, network, step, 4)
    for name, value in network.named_buffers():
        assert torch.equal(average.state_dict()[name], value)
    assert not torch.equal(average.state_dict()["0.weight"], network.state_dict()["0.weight"])


def _deep() -> nn.Sequential:
    torch.manual_seed(1)
    return nn.Sequential(
        nn.Conv2d(2, 3, 3), nn.BatchNorm2d(3, momentum=0.3), nn.ReLU(), nn.Conv2d(3, 2, 2),
        nn.BatchNorm2d(2), nn.Flatten(), nn.Linear(2 * 3 * 3, 2),
    )  # fmt: skip


def test_recomputed_statistics_are_pytorchs() -> None:
    """As `update_bn` of PyTorch computes them, through two layers, whatever was there before."""
    ours, theirs = _deep(), _deep()
    batches = [torch.randn(n, 2, 6, 6) for n in (5, 4, 2)]
    ours.eval()(batches[0])
    ours.get_buffer("1.running_mean").fill_(9.0)
    recompute_statistics(ours, batches, nullcontext)
    update_bn(batches, theirs)
    for name, value in theirs.state_dict().items():
        torch.testing.assert_close(ours.state_dict()[name], value)
    mean = torch.stack([theirs[0](batch).mean(dim=(0, 2, 3)) for batch in batches]).mean(dim=0)
    torch.testing.assert_close(ours[1].running_mean, mean)


def test_recomputing_leaves_modes_momenta_and_weights() -> None:
    """Afterwards all is as before but the statistics; nothing is dropped meanwhile."""
    network = nn.Sequential(nn.Dropout(0.5), nn.BatchNorm1d(3, momentum=0.3), nn.Linear(3, 2))
    network.train()
    network[2].eval()
    before = [p.clone() for p in network.parameters()]
    batches = [torch.randn(6, 3) + 2 for _ in range(3)]
    recompute_statistics(network, batches, nullcontext)
    modes = (network.training, *(part.training for part in network))
    assert modes == (True, True, True, False)
    assert network[1].momentum == 0.3
    assert all(torch.equal(a, b) for a, b in zip(before, network.parameters(), strict=True))
    torch.testing.assert_close(network[1].running_mean, torch.cat(batches).mean(dim=0))


def test_recomputing_calls_the_network_under_autocast() -> None:
    """The given context is entered for each batch."""
    network, seen = nn.BatchNorm1d(2), []
    network.register_forward_hook(lambda *_: seen.append(torch.is_autocast_enabled("cpu")))
    batches = [torch.randn(3, 2)] * 2
    recompute_statistics(network, batches, lambda: torch.autocast("cpu", torch.bfloat16))
    assert seen == [True, True]


def test_a_single_example_is_no_batch() -> None:
    """It has no spread: it is passed over, and alone it is an error; modes come back."""
    norm, pair = nn.BatchNorm1d(2).eval(), torch.tensor([[0.0, 1.0], [2.0, 3.0]])
    recompute_statistics(norm, [pair, pair[:1]], nullcontext)
    assert norm.running_mean is not None
    assert norm.running_mean.tolist() == [1.0, 2.0]
    with pytest.raises(ValueError, match="two examples"):
        recompute_statistics(norm, [pair[:1]], nullcontext)
    assert not norm.training
    assert norm.momentum == 0.1


def test_without_batch_norm_no_batch_is_taken() -> None:
    """A network of other parts needs no pass over the data."""
    batches = iter([torch.zeros(2, 2)])
    recompute_statistics(nn.Linear(2, 2), batches, nullcontext)
    assert len(list(batches)) == 1


@pytest.mark.parametrize("text", ["EMA(decay=1)", "SWA(begin=1.1)", "SWA(begin=-0.1)"])
def test_values_outside_their_range_are_refused(text: str) -> None:
    """Shares are from 0 to 1, and some memory is lost at each step."""
    with pytest.raises(InputError):
        resolve(text, AVERAGES, "average")
