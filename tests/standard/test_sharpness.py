"""Laws of sharpness-aware gradients: what a step costs, moves, leaves alone and reports."""

import math
from collections.abc import Callable

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor, nn
from torch.nn import functional as F

from equipoise.errors import InputError
from equipoise.spec import resolve
from equipoise.standard.sharpness import (
    ASAM,
    SAM,
    SAMA,
    SHARPNESSES,
    FocalSAM,
    Gradients,
    ImbSAM,
    Sharpness,
)

COUNTS = torch.tensor([90.0, 30.0, 10.0], dtype=torch.float64)
EQUAL = torch.full((3,), 40.0, dtype=torch.float64)
METHODS: list[Sharpness] = [
    SAM(rho=0.3),
    ASAM(rho=0.3),
    SAMA(rho=0.3),
    SAMA(rho=0.3, reading="radius"),
    ImbSAM(rho=0.3),
    FocalSAM(rho=0.3),
]


class Batch:
    """A closure of the contract over a fixed batch; it records what it was asked and where."""

    def __init__(
        self, network: nn.Module, labels: Tensor, seed: int = 0, micro: int | None = None
    ) -> None:
        generator = torch.Generator().manual_seed(seed)
        self.network = network
        self.labels = labels
        self.inputs = torch.randn((len(labels), 4), generator=generator, dtype=torch.float64)
        self.micro = micro or len(labels)
        self.asked: list[int] = []
        self.visited: list[list[Tensor]] = []

    def __call__(self, *weights: Tensor | None) -> tuple[Tensor, list[Gradients]]:
        torch.manual_seed(7)  # the same dropout masks in every pass
        self.asked.append(len(weights))
        self.visited.append([p.detach().clone() for p in self.network.parameters()])
        parts = zip(self.inputs.split(self.micro), self.labels.split(self.micro), strict=True)
        passes = [self._pass(inputs, labels, weights) for inputs, labels in parts]
        loss = torch.stack([loss for loss, _ in passes]).sum()
        found = [gradients for _, gradients in passes]
        return loss, [_summed([each[i] for each in found]) for i in range(len(weights))]

    def _pass(
        self, inputs: Tensor, labels: Tensor, weights: tuple[Tensor | None, ...]
    ) -> tuple[Tensor, list[Gradients]]:
        losses = F.cross_entropy(self.network(inputs), labels, reduction="none")
        parameters = [p for p in self.network.parameters() if p.requires_grad]
        gradients = []
        for w in weights:
            weighted = losses if w is None else losses * w[labels]
            total = weighted.sum() / len(self.labels)
            found = torch.autograd.grad(total, parameters, retain_graph=True, allow_unused=True)
            gradients.append(list(found))
        return losses.detach().sum() / len(self.labels), gradients


def _summed(parts: list[Gradients]) -> Gradients:
    pairs = zip(*parts, strict=True)
    return [None if pieces[0] is None else torch.stack(pieces).sum(0) for pieces in pairs]


def _network(*extra: nn.Module) -> nn.Sequential:
    torch.manual_seed(1)
    return nn.Sequential(nn.Linear(4, 5), *extra, nn.Tanh(), nn.Linear(5, 3)).double()


def _labels() -> Tensor:
    return torch.tensor([0, 0, 0, 0, 0, 1, 1, 2])


def _same(first: Gradients, second: Gradients, **tolerance: float) -> None:
    for a, b in zip(first, second, strict=True):
        assert a is not None
        assert b is not None
        torch.testing.assert_close(a, b, **tolerance)  # type: ignore[arg-type]


def _length(batch: Batch) -> float:
    start, moved = batch.visited[0], batch.visited[1]
    return math.sqrt(sum((a - b).square().sum().item() for a, b in zip(start, moved, strict=True)))


@pytest.mark.parametrize("method", METHODS, ids=repr)
def test_no_radius_is_plain_training_bit_for_bit(method: Sharpness) -> None:
    """With rho = 0 there is one pass with one gradient, the plain one."""
    network = _network()
    batch = Batch(network, _labels())
    expected_loss, (expected,) = batch(None)
    flat = type(method)(**{**method.get_params(), "rho": 0.0})
    loss, found = flat.gradient(batch, network, COUNTS, done=0)
    assert torch.equal(loss, expected_loss)
    assert all(map(torch.equal, found, expected))  # type: ignore[arg-type]
    assert batch.asked == [1, 1]


@pytest.mark.parametrize(
    ("method", "counts", "asked"),
    [
        (SAM(), COUNTS, [1, 1]),
        (ASAM(), COUNTS, [1, 1]),
        (SAMA(), COUNTS, [1, 1]),
        (SAMA(reading="radius"), COUNTS, [2, 1]),
        (ImbSAM(), COUNTS, [2, 1]),
        (ImbSAM(threshold=100), COUNTS, [1, 1]),
        (ImbSAM(threshold=5), COUNTS, [1]),
        (FocalSAM(), COUNTS, [2, 1]),
        (FocalSAM(gamma=0.0), COUNTS, [1, 1]),
        (FocalSAM(weight=0.0), COUNTS, [1]),
    ],
    ids=repr,
)
def test_passes_and_gradients_are_no_more_than_needed(
    method: Sharpness, counts: Tensor, asked: list[int]
) -> None:
    """Each entry is a forward pass, its value the number of backward passes."""
    network = _network()
    batch = Batch(network, _labels())
    method.gradient(batch, network, counts, done=0)
    assert batch.asked == asked


@pytest.mark.parametrize("method", METHODS, ids=repr)
def test_the_loss_is_that_of_the_unmoved_weights_which_come_back(method: Sharpness) -> None:
    """The second pass is elsewhere and its loss is not reported; weights return bit for bit."""
    network = _network()
    before = [p.detach().clone() for p in network.parameters()]
    batch = Batch(network, _labels())
    loss, _ = method.gradient(batch, network, COUNTS, done=0)
    assert torch.equal(loss, Batch(network, _labels())(None)[0])
    assert _length(batch) > 0.01
    assert all(map(torch.equal, before, network.parameters()))
    assert all(p.grad is None for p in network.parameters())


@pytest.mark.parametrize("method", METHODS, ids=repr)
def test_weights_and_statistics_come_back_when_the_second_pass_fails(method: Sharpness) -> None:
    """Whatever the closure raises leaves the network as it was found."""
    network = _network(nn.BatchNorm1d(5))
    batch = Batch(network, _labels())

    def closure(*weights: Tensor | None) -> tuple[Tensor, list[Gradients]]:
        if batch.asked:
            batch.visited.append([p.detach().clone() for p in network.parameters()])
            raise MemoryError("second pass")
        return batch(*weights)

    before = [p.detach().clone() for p in network.parameters()]
    with pytest.raises(MemoryError, match="second pass"):
        method.gradient(closure, network, COUNTS, done=0)
    assert _length(batch) > 0.01
    assert all(map(torch.equal, before, network.parameters()))
    assert network[1].track_running_stats


@pytest.mark.parametrize("every", [1, 2, 3])
def test_the_last_of_every_k_steps_is_moved(every: int) -> None:
    """Steps every - 1, 2 * every - 1, ... take two passes and the others one."""
    network = _network()
    moved = []
    for done in range(6):
        batch = Batch(network, _labels())
        SAM(every=every).gradient(batch, network, COUNTS, done)
        moved.append(len(batch.asked) == 2)
    assert moved == [done % every == every - 1 for done in range(6)]


SAME_AS_SAM = [
    (SAMA(rho=0.3, gamma=2.0), EQUAL),
    (SAMA(rho=0.3, gamma=2.0, reading="radius"), EQUAL),
    (SAMA(rho=0.3, gamma=0.0), COUNTS),
    (SAMA(rho=0.3, gamma=0.0, reading="radius"), COUNTS),
    (ImbSAM(rho=0.3), EQUAL),
    (ImbSAM(rho=0.3, threshold=90), COUNTS),
    (FocalSAM(rho=0.3, gamma=0.0), COUNTS),
]


@pytest.mark.parametrize(("method", "counts"), SAME_AS_SAM, ids=repr)
def test_without_imbalance_or_its_weights_it_is_sam(method: Sharpness, counts: Tensor) -> None:
    """Where every class counts alike, each method finds SAM's gradient, which is not plain."""
    network = _network()
    _, found = method.gradient(Batch(network, _labels()), network, counts, done=0)
    _, sam = SAM(rho=0.3).gradient(Batch(network, _labels()), network, counts, done=0)
    _same(found, sam, rtol=1e-12, atol=1e-15)
    _, (plain,) = Batch(network, _labels())(None)
    assert not torch.allclose(plain[0], sam[0], rtol=1e-3)  # type: ignore[arg-type]


@pytest.mark.parametrize("method", METHODS[2:4], ids=repr)
def test_the_loss_of_the_rarest_class_rises_more_than_under_sam(method: Sharpness) -> None:
    """The weights are moved further uphill for rare examples, and the more so the rarer."""
    rises = []
    for counts in (EQUAL, COUNTS, torch.tensor([900.0, 30.0, 1.0], dtype=torch.float64)):
        network = _network()
        batch = Batch(network, _labels())
        method.gradient(batch, network, counts, done=0)
        losses = []
        for weights in batch.visited:
            nn.utils.vector_to_parameters(torch.cat([w.flatten() for w in weights]), _p(network))
            losses.append(F.cross_entropy(network(batch.inputs[-1:]), batch.labels[-1:]).item())
        rises.append(losses[1] - losses[0])
    assert rises[0] < rises[1] < rises[2]


def _p(network: nn.Module) -> list[nn.Parameter]:
    return list(network.parameters())


@settings(deadline=None, derandomize=True, max_examples=20)
@given(label=st.integers(0, 2), rho=st.floats(0.01, 2.0))
def test_the_move_of_a_class_alone_grows_with_rarity_in_radius_only(label: int, rho: float) -> None:
    """A batch of class k moves by rho, in `radius` by rho * (n_max / n_k) ** gamma."""
    network = _network()
    labels = torch.full((4,), label)
    factor = (COUNTS.max() / COUNTS[label]).item() ** 0.5
    for reading, length in (("direction", rho), ("radius", rho * factor)):
        batch = Batch(network, labels)
        SAMA(rho=rho, gamma=0.5, reading=reading).gradient(batch, network, COUNTS, done=0)
        assert _length(batch) == pytest.approx(length, rel=1e-9)


def test_a_batch_without_tail_examples_is_plain_in_a_single_pass() -> None:
    """ImbSAM has nothing to move along, and the gradient is the plain one."""
    network = _network()
    batch = Batch(network, torch.tensor([0, 0, 1, 1]))
    _, found = ImbSAM(rho=0.3, threshold=20).gradient(batch, network, COUNTS, done=0)
    assert batch.asked == [2]
    _same(found, batch(None)[1][0], rtol=1e-12, atol=1e-15)


@pytest.mark.parametrize(
    ("threshold", "counts", "expected"),
    [
        (None, [50, 40, 30, 20], [0, 0, 1, 1]),
        (None, [20, 50, 30, 40, 60], [1, 0, 1, 0, 0]),
        (None, [9, 1], [0, 1]),
        (None, [50, 30, 30, 30], [0, 1, 1, 1]),
        (None, [50, 50, 50, 5], [0, 0, 0, 1]),
        (None, [5, 5, 5], [1, 1, 1]),
        (20, [50, 21, 20, 19], [0, 0, 1, 1]),
        (4, [5, 5, 5], [0, 0, 0]),
        (5, [5, 5, 5], [1, 1, 1]),
    ],
)
def test_the_tail_is_what_it_is_said_to_be(
    threshold: int | None, counts: list[float], expected: list[int]
) -> None:
    """Threshold inclusive; else the smaller half, ties together, never the largest of several."""
    tail = ImbSAM(threshold=threshold).tail(torch.tensor(counts, dtype=torch.float32))
    assert tail.tolist() == [bool(e) for e in expected]


@settings(deadline=None, derandomize=True, max_examples=25)
@given(counts=st.lists(st.integers(0, 500), min_size=2, max_size=6), data=st.data())
def test_renaming_classes_renames_weights(counts: list[int], data: st.DataObject) -> None:
    """Weights follow their classes, and are finite also for classes without examples."""
    counts[0] = max(counts[0], 1)
    order = torch.tensor(data.draw(st.permutations(range(len(counts)))))
    sizes = torch.tensor(counts, dtype=torch.float64)
    for method in METHODS:
        first, renamed = method.weights(sizes), method.weights(sizes[order])
        for name in ("ascent", "there", "here"):
            found, expected = getattr(renamed, name), getattr(first, name)
            assert (found is None) == (expected is None)
            if found is not None:
                torch.testing.assert_close(found, expected[order])
                assert found.isfinite().all()


@pytest.mark.parametrize("method", METHODS, ids=repr)
def test_batch_norm_and_dropout_are_those_of_a_plain_step(method: Sharpness) -> None:
    """Running statistics move once, by the unmoved weights; every pass draws the same masks."""
    states = []
    for each in (SAM(rho=0.0), method):
        network = _network(nn.BatchNorm1d(5), nn.Dropout(0.5))
        masks: list[Tensor] = []
        network[2].register_forward_hook(_keep_zeros(masks))
        each.gradient(Batch(network, _labels()), network, COUNTS, done=0)
        assert len(masks) == (1 if each.rho == 0 else 2)
        assert all(torch.equal(mask, masks[0]) for mask in masks)
        states.append((dict(network[1].named_buffers()), masks[0], torch.get_rng_state()))
    (plain, plain_mask, plain_rng), (found, mask, rng) = states
    assert found["num_batches_tracked"] == 1
    assert all(torch.equal(plain[name], found[name]) for name in plain)
    assert torch.equal(mask, plain_mask)
    assert torch.equal(rng, plain_rng)


def _keep_zeros(masks: list[Tensor]) -> Callable[[nn.Module, tuple[Tensor, ...], Tensor], None]:
    def keep(module: nn.Module, inputs: tuple[Tensor, ...], output: Tensor) -> None:  # noqa: ARG001
        masks.append(output == 0)

    return keep


@pytest.mark.parametrize("method", METHODS, ids=repr)
def test_micro_batches_sum_to_the_large_batch(method: Sharpness) -> None:
    """A closure that accumulates gives the gradient of one that does not."""
    network = _network()
    _, whole = method.gradient(Batch(network, _labels()), network, COUNTS, done=0)
    _, parts = method.gradient(Batch(network, _labels(), micro=3), network, COUNTS, done=0)
    _same(parts, whole, rtol=1e-10, atol=1e-14)


@pytest.mark.parametrize("method", METHODS, ids=repr)
def test_unused_and_frozen_parameters_are_passed_over(method: Sharpness) -> None:
    """A parameter without a gradient is not moved; one that is frozen has no entry."""
    network = _network()
    network.register_parameter("unused", nn.Parameter(torch.ones(2, dtype=torch.float64)))
    network[0].weight.requires_grad_(False)
    batch = Batch(network, _labels())
    _, found = method.gradient(batch, network, COUNTS, done=0)
    names = [name for name, p in network.named_parameters() if p.requires_grad]
    assert [name for name, g in zip(names, found, strict=True) if g is None] == ["unused"]
    order = [name for name, _ in network.named_parameters()]
    still = [torch.equal(a, b) for a, b in zip(*batch.visited, strict=True)]
    assert [name for name, same in zip(order, still, strict=True) if same] == ["unused", "0.weight"]


@pytest.mark.parametrize("method", METHODS, ids=repr)
def test_a_zero_gradient_moves_nothing(method: Sharpness) -> None:
    """Where there is no uphill the gradient is the plain one, zero, and never undefined."""
    network = _network()
    batch = Batch(network, _labels())
    batch.inputs.zero_()
    for parameter in network.parameters():
        nn.init.zeros_(parameter)
    batch.labels = torch.tensor([0, 1, 2])
    batch.inputs = batch.inputs[:3]
    batch.micro = 3
    flat = torch.ones(3, dtype=torch.float64)
    loss, found = method.gradient(batch, network, flat, done=0)
    assert loss.item() == pytest.approx(math.log(3))
    for gradient in found:
        torch.testing.assert_close(gradient, torch.zeros_like(gradient))  # type: ignore[arg-type]


@pytest.mark.parametrize("method", METHODS, ids=repr)
@pytest.mark.parametrize("value", [math.nan, math.inf])
def test_what_is_not_finite_comes_through(method: Sharpness, value: float) -> None:
    """The undefined loss is reported and the weights are neither moved nor spoilt."""
    network = _network()
    batch = Batch(network, _labels())
    batch.inputs[-1] = value
    loss, found = method.gradient(batch, network, COUNTS, done=0)
    assert loss.isnan()
    assert any(g is not None and g.isnan().any() for g in found)
    assert all(p.isfinite().all() for p in network.parameters())
    assert all(v.isfinite().all() for visited in batch.visited for v in visited)


@pytest.mark.parametrize(
    "text",
    ["SAM(rho=-0.1)", "SAM(every=0)", "SAMA(reading='both')", "ImbSAM(threshold=0)"],
)
def test_values_outside_their_range_are_refused(text: str) -> None:
    """Bounds are checked before anything is trained."""
    with pytest.raises(InputError):
        resolve(text, SHARPNESSES, "sharpness")


@pytest.mark.parametrize("name", SHARPNESSES)
def test_its_text_is_read_back(name: str) -> None:
    """What `repr` writes resolves to the same component."""
    method = SHARPNESSES[name](rho=0.25, every=3)
    assert repr(resolve(repr(method), SHARPNESSES, "sharpness")) == f"{name}(rho=0.25, every=3)"
