"""Laws of sharpness: exact Hessians of small networks, in double precision."""

import pytest
import torch
from torch import nn
from torch.nn import functional as F

from equipoise.diagnosis import sharpness
from equipoise.diagnosis.sharpness import LossSurface


def _network(seed: int = 0) -> nn.Sequential:
    torch.manual_seed(seed)
    return nn.Sequential(nn.Linear(4, 5), nn.Tanh(), nn.Linear(5, 3)).double()


def _surface(network: nn.Module, weights: torch.Tensor | None = None) -> LossSurface:
    generator = torch.Generator().manual_seed(1)
    inputs = torch.randn(12, 4, generator=generator, dtype=torch.float64)
    labels = torch.randint(0, 3, (12,), generator=generator)
    return LossSurface(network, inputs, labels, weights)


def _exact(surface: LossSurface) -> torch.Tensor:
    """All eigenvalues, from the Hessian that torch makes entry by entry."""
    names, shapes = zip(*((k, w.shape) for k, w in surface.weights.items()), strict=True)

    def loss(flat: torch.Tensor) -> torch.Tensor:
        pieces = flat.split([s.numel() for s in shapes])
        own = {n: p.view(s) for n, p, s in zip(names, pieces, shapes, strict=True)}
        logits = torch.func.functional_call(surface.network, own, (surface.inputs,))
        each = F.cross_entropy(logits, surface.labels, reduction="none")
        return (each * surface.shares.double()).sum()

    flat = torch.cat([w.flatten() for w in surface.weights.values()])
    hessian = torch.autograd.functional.hessian(loss, flat)
    return torch.linalg.eigvalsh(hessian)  # type: ignore[arg-type]


@pytest.mark.parametrize("seed", [0, 1, 2])
def test_the_top_eigenvalue_is_that_of_the_whole_hessian(seed: int) -> None:
    """The Hessian entry by entry, and all its eigenvalues."""
    surface = _surface(_network(seed))
    found = surface.top_eigenvalue(iterations=2000)
    assert found == pytest.approx(float(_exact(surface)[-1]), rel=2e-2)


def test_it_is_the_largest_even_where_another_is_larger_in_size() -> None:
    """Of a saddle whose steepest direction falls."""

    class Saddle(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.weight = nn.Parameter(torch.zeros(2, dtype=torch.float64))

        def forward(self, inputs: torch.Tensor) -> torch.Tensor:
            bent = -9 * self.weight[0] ** 2 + self.weight[1] ** 2
            return torch.stack([-bent, bent]).expand(len(inputs), 2)

    surface = LossSurface(Saddle(), torch.zeros(3, 1), torch.zeros(3, dtype=torch.int64))
    exact = _exact(surface)
    assert exact.tolist() == pytest.approx([-18.0, 2.0])
    assert surface.top_eigenvalue() == pytest.approx(2.0, rel=1e-2)


def test_the_rise_is_that_of_a_step_along_the_gradient() -> None:
    """The weights are moved by hand; examples count by their weights."""
    network = _network()
    weights = torch.arange(1.0, 13.0)
    surface = _surface(network, weights)
    shares = (weights / weights.sum()).double()

    def loss() -> torch.Tensor:
        each = F.cross_entropy(network(surface.inputs), surface.labels, reduction="none")
        return (each * shares).sum()

    before = loss()
    before.backward()
    length = torch.sqrt(sum((p.grad**2).sum() for p in network.parameters()))  # type: ignore[misc, arg-type]
    found = surface.rise(0.05)
    with torch.no_grad():
        for p in network.parameters():
            p.add_(0.05 * p.grad / length)  # type: ignore[operator]
        after = loss()
    assert found == pytest.approx(after.item() - before.item(), rel=1e-5)


def test_a_network_is_left_as_it_was() -> None:
    """Weights, gradients and batch statistics are untouched; frozen weights are not moved."""
    network = nn.Sequential(nn.Linear(4, 6), nn.BatchNorm1d(6), nn.ReLU(), nn.Linear(6, 3)).double()
    network[0].weight.requires_grad_(False)
    before = {k: v.clone() for k, v in network.state_dict().items()}
    surface = _surface(network)
    surface.rise(0.1)
    surface.top_eigenvalue(iterations=5)
    assert "0.weight" not in surface.weights
    assert all(torch.equal(before[k], v) for k, v in network.state_dict().items())
    assert all(p.grad is None for p in network.parameters())


def test_examples_in_pieces_are_the_same_surface(monkeypatch: pytest.MonkeyPatch) -> None:
    """No more than a piece is ever in the network, and the numbers are those of all at once."""
    network = _network()
    weights = torch.arange(1.0, 13.0)
    whole = _surface(network, weights)
    wanted = whole.rise(0.05), whole.top_eigenvalue()
    monkeypatch.setattr(sharpness, "AT_ONCE", 4 * 5)  # five rows of four values
    seen: list[int] = []
    network.register_forward_hook(lambda _, given, __: seen.append(len(given[0])))
    own = _surface(network, weights)
    found = own.rise(0.05), own.top_eigenvalue()
    assert max(seen) == 5
    assert found == pytest.approx(wanted, rel=1e-6)
