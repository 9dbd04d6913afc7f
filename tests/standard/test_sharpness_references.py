"""Sharpness-aware gradients beside another library, explicit formulas and hand-worked numbers."""

from collections.abc import Callable, Mapping

import pytest
import pytorch_optimizer
import torch
from sklearn.datasets import load_digits
from torch import Tensor, nn
from torch.func import functional_call
from torch.nn import functional as F

from equipoise.standard.sharpness import (
    ASAM,
    SAM,
    SAMA,
    FocalSAM,
    Gradients,
    ImbSAM,
    Sharpness,
)

Losses = Callable[[], Tensor]


class Coordinates(nn.Module):
    """Two numbers; the loss of class k is half the square of the k-th, so its slope is itself."""

    def __init__(self, weight: float, bias: float) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.tensor(weight, dtype=torch.float64))
        self.bias = nn.Parameter(torch.tensor(bias, dtype=torch.float64))

    def losses(self) -> Tensor:
        """Return the losses of a batch of one example of each class."""
        return torch.stack([self.weight, self.bias]).square() / 2


def closure_of(
    network: nn.Module, losses: Losses, labels: Tensor
) -> Callable[..., tuple[Tensor, list[Gradients]]]:
    """Return the closure of the contract for a network and the losses of a batch."""

    def closure(*weights: Tensor | None) -> tuple[Tensor, list[Gradients]]:
        values = losses()
        totals = [(values if w is None else values * w[labels]).mean() for w in weights]
        parameters = list(network.parameters())
        found = [list(torch.autograd.grad(t, parameters, retain_graph=True)) for t in totals]
        return values.detach().mean(), found  # type: ignore[return-value]

    return closure


@pytest.mark.parametrize(
    ("method", "start", "counts", "expected"),
    [
        # g = (3, 4) / 2 has the direction (0.6, 0.8), so the move is (0.3, 0.4).
        (SAM(rho=0.5), (3, 4), (5, 2), (1.65, 2.2)),
        # T = 6 + 1, and 1 for the bias: T g = (21, 28), norm 35, so the move is 0.5 (4.2, 0.8).
        (ASAM(rho=0.5, eta=1.0), (6, 56), (5, 2), (4.05, 28.2)),
        # w = (1, 5 / 2): g_w = (7.5, 10), norm 12.5; g = (7.5, 4), norm 8.5.
        (SAMA(rho=1.7, gamma=1.0), (15, 8), (5, 2), (8.01, 4.68)),
        (SAMA(rho=1.7, gamma=1.0, reading="radius"), (15, 8), (5, 2), (8.25, 5.0)),
        # Only the second class is moved, by the whole radius.
        (ImbSAM(rho=1.7), (15, 8), (5, 2), (7.5, 4.85)),
        (ImbSAM(rho=1.7, threshold=1), (15, 8), (5, 2), (7.5, 4.0)),
        # Shares 3/4 and 1/4: L^1 counts (1/4, 3/4), its gradient is (4.5, 6), the move (0.3, 0.4);
        # the plain gradient (18, 8) gains 2 (1/4 * 0.3, 3/4 * 0.4) / 2.
        (FocalSAM(rho=0.5, gamma=1.0, weight=2.0), (36, 16), (3, 1), (18.075, 8.3)),
    ],
    ids=lambda v: getattr(v, "__name__", repr(v)),
)
def test_the_gradient_of_two_parabolas_is_the_one_worked_by_hand(
    method: Sharpness,
    start: tuple[float, float],
    counts: tuple[float, float],
    expected: tuple[float, float],
) -> None:
    """Each class has a coordinate of its own, so every formula can be followed with a pencil."""
    network = Coordinates(*map(float, start))
    closure = closure_of(network, network.losses, torch.tensor([0, 1]))
    loss, found = method.gradient(closure, network, torch.tensor(counts).double(), done=0)
    assert [g.item() for g in found if g is not None] == pytest.approx(expected, rel=1e-12)
    assert loss.item() == (start[0] ** 2 + start[1] ** 2) / 4


PIXELS, CODES = load_digits(return_X_y=True)
INPUTS = torch.as_tensor(PIXELS) / 16
LABELS = torch.as_tensor(CODES).long()
N_CLASSES = 10


def _network(bias: bool = True) -> nn.Sequential:
    torch.manual_seed(0)
    layers = nn.Linear(64, 16, bias=bias), nn.Tanh(), nn.Linear(16, N_CLASSES, bias=bias)
    return nn.Sequential(*layers).double()


@pytest.mark.parametrize("adaptive", [False, True])
@pytest.mark.parametrize("every", [1, 2])
def test_the_trajectory_is_that_of_pytorch_optimizer(adaptive: bool, every: int) -> None:
    """Eight steps of SGD on digits; adaptive without `eta` and biases, which differ there."""
    ours, theirs = _network(not adaptive), _network(not adaptive)
    start = ours.state_dict()["0.weight"].clone()
    method = (ASAM(rho=0.5, eta=0.0) if adaptive else SAM(rho=0.5)).set_params(every=every)
    sgd = torch.optim.SGD(ours.parameters(), lr=0.5, momentum=0.9)
    reference = pytorch_optimizer.SAM(
        theirs.parameters(), torch.optim.SGD, 0.5, adaptive, lr=0.5, momentum=0.9
    )
    for done in range(8):
        batch = slice(50 * done, 50 * done + 50)
        inputs, labels = INPUTS[batch], LABELS[batch]

        def losses(network: nn.Module, inputs: Tensor = inputs, labels: Tensor = labels) -> Tensor:
            return F.cross_entropy(network(inputs), labels, reduction="none")

        def again(losses: Callable[[nn.Module], Tensor] = losses) -> Tensor:
            reference.zero_grad()
            loss = losses(theirs).mean()
            loss.backward()
            return loss

        closure = closure_of(ours, lambda losses=losses: losses(ours), labels)
        _, found = method.gradient(closure, ours, torch.ones(10).double(), done)
        for parameter, gradient in zip(ours.parameters(), found, strict=True):
            parameter.grad = gradient
        sgd.step()
        again()
        if done % every == every - 1:
            reference.step(again)  # type: ignore[arg-type]
        else:
            reference.base_optimizer.step()
    for a, b in zip(ours.parameters(), theirs.parameters(), strict=True):
        torch.testing.assert_close(a, b, rtol=0, atol=1e-6)
    assert (ours.state_dict()["0.weight"] - start).abs().max() > 0.1


Point = Mapping[str, Tensor]
Objective = Callable[[Point], Tensor]


def _slope(objective: Objective, point: Point) -> Point:
    leaves = {name: value.detach().clone().requires_grad_() for name, value in point.items()}
    found = torch.autograd.grad(objective(leaves), list(leaves.values()))
    return dict(zip(leaves, found, strict=True))


def _norm(vectors: Point) -> Tensor:
    return torch.cat([v.flatten() for v in vectors.values()]).norm()


def _plus(point: Point, move: Point, factor: Tensor) -> dict[str, Tensor]:
    return {name: value + factor * move[name] for name, value in point.items()}


def _sum_of(first: Point, second: Point) -> dict[str, Tensor]:
    return {name: value + second[name] for name, value in first.items()}


class Problem:
    """A network with biases and an imbalanced batch of digits, as a function of its parameters."""

    def __init__(self) -> None:
        self.network = _network()
        self.point = {name: p.detach().clone() for name, p in self.network.named_parameters()}
        self.inputs, self.labels = INPUTS[:60], LABELS[:60]
        self.counts = torch.tensor([500.0, 300, 180, 110, 65, 39, 23, 14, 8, 5]).double()

    def loss(self, point: Point, weights: Tensor | None = None) -> Tensor:
        """Return the mean over the batch of each loss times the weight of its class."""
        logits = functional_call(self.network, dict(point), (self.inputs,))
        losses = F.cross_entropy(logits, self.labels, reduction="none")
        return (losses if weights is None else losses * weights[self.labels]).sum() / 60

    def moved(self, weights: Tensor | None, rho: float, by_plain: bool = False) -> Point:
        """Return the point moved along the gradient of a weighted loss."""
        ascent = _slope(lambda point: self.loss(point, weights), self.point)
        norm = _norm(_slope(self.loss, self.point) if by_plain else ascent)
        return _plus(self.point, ascent, rho / norm)


def _sama(problem: Problem, by_plain: bool) -> Point:
    weights = (500 / problem.counts) ** 0.7
    return _slope(problem.loss, problem.moved(weights, 0.4, by_plain))


def _imbsam(problem: Problem) -> Point:
    tail = torch.tensor([0.0, 0, 0, 0, 0, 1, 1, 1, 1, 1]).double()
    there = problem.moved(tail, 0.4)
    head = _slope(lambda point: problem.loss(point, 1 - tail), problem.point)
    return _sum_of(head, _slope(lambda point: problem.loss(point, tail), there))


def _focal(problem: Problem) -> Point:
    weights = (1 - problem.counts / 1244) ** 3
    move = {
        name: value - problem.point[name] for name, value in problem.moved(weights, 0.4).items()
    }

    def objective(point: Point) -> Tensor:
        rise = problem.loss(_sum_of(point, move), weights) - problem.loss(point, weights)
        return problem.loss(point) + 1.5 * rise

    return _slope(objective, problem.point)


def _asam(problem: Problem) -> Point:
    slope = _slope(problem.loss, problem.point)
    sizes = {
        name: torch.ones_like(p) if name.endswith("bias") else p.abs() + 0.05
        for name, p in problem.point.items()
    }
    norm = _norm({name: sizes[name] * g for name, g in slope.items()})
    move = {name: sizes[name] ** 2 * g for name, g in slope.items()}
    return _slope(problem.loss, _plus(problem.point, move, 0.4 / norm))


@pytest.mark.parametrize(
    ("method", "formula"),
    [
        (SAM(rho=0.4), lambda problem: _slope(problem.loss, problem.moved(None, 0.4))),
        (ASAM(rho=0.4, eta=0.05), _asam),
        (SAMA(rho=0.4, gamma=0.7), lambda problem: _sama(problem, by_plain=False)),
        (
            SAMA(rho=0.4, gamma=0.7, reading="radius"),
            lambda problem: _sama(problem, by_plain=True),
        ),
        (ImbSAM(rho=0.4), _imbsam),
        (ImbSAM(rho=0.4, threshold=39), _imbsam),
        (FocalSAM(rho=0.4, gamma=3.0, weight=1.5), _focal),
    ],
    ids=lambda v: getattr(v, "__name__", repr(v)),
)
def test_the_gradient_is_that_of_the_formula(
    method: Sharpness, formula: Callable[[Problem], Point]
) -> None:
    """The published formula, written out in functions of the parameters, in float64."""
    problem = Problem()
    expected = formula(problem)

    def losses() -> Tensor:
        logits = problem.network(problem.inputs)
        return F.cross_entropy(logits, problem.labels, reduction="none")

    closure = closure_of(problem.network, losses, problem.labels)
    _, found = method.gradient(closure, problem.network, problem.counts, done=0)
    plain = _slope(problem.loss, problem.point)
    for name, gradient in zip(problem.point, found, strict=True):
        assert gradient is not None
        torch.testing.assert_close(gradient, expected[name], rtol=1e-9, atol=1e-14)
        assert not torch.allclose(gradient, plain[name], rtol=1e-3)
