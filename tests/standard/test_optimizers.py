"""Laws of optimizers: PyTorch's own updates, with decay on matrices and kernels alone."""

from collections.abc import Callable

import pytest
import torch
from torch import Tensor, nn

from equipoise.errors import InputError
from equipoise.spec import resolve
from equipoise.standard.optimizers import OPTIMIZERS, SGD, AdamW, Optimizer, parameter_groups

INPUTS = torch.randn((6, 2, 4, 4), generator=torch.Generator().manual_seed(0))


def _network() -> nn.Sequential:
    torch.manual_seed(0)
    return nn.Sequential(
        nn.Conv2d(2, 3, 3), nn.BatchNorm2d(3), nn.ReLU(), nn.Flatten(), nn.Linear(12, 2)
    )


def _step(network: nn.Module, optimizer: torch.optim.Optimizer) -> Tensor:
    def closure() -> Tensor:
        optimizer.zero_grad()
        loss = network(INPUTS).square().mean()
        loss.backward()
        return loss

    # torch's types want a number, its documentation a tensor.
    return optimizer.step(closure)  # type: ignore[call-overload, return-value]


def _by_hand(network: nn.Sequential, decay: float) -> list[dict[str, object]]:
    """Return groups in which convolution and linear weights decay, named one by one."""
    convolution, norm, linear = network[0], network[1], network[4]
    decayed = [convolution.weight, linear.weight]
    spared = [convolution.bias, norm.weight, norm.bias, linear.bias]
    return [
        {"params": decayed, "weight_decay": decay},
        {"params": spared, "weight_decay": 0.0},
    ]


REFERENCES: list[tuple[Optimizer, Callable[[nn.Sequential], torch.optim.Optimizer]]] = [
    (
        SGD(lr=0.1, momentum=0.8, nesterov=True, weight_decay=0.3),
        lambda n: torch.optim.SGD(_by_hand(n, 0.3), lr=0.1, momentum=0.8, nesterov=True),
    ),
    (
        SGD(lr=0.1, momentum=0.8, nesterov=False, weight_decay=0.3),
        lambda n: torch.optim.SGD(_by_hand(n, 0.3), lr=0.1, momentum=0.8),
    ),
    (
        SGD(lr=0.1, momentum=0.0, weight_decay=0.0),
        lambda n: torch.optim.SGD(n.parameters(), lr=0.1),
    ),
    (
        AdamW(lr=0.01, weight_decay=0.3, beta1=0.7, beta2=0.95),
        lambda n: torch.optim.AdamW(_by_hand(n, 0.3), lr=0.01, betas=(0.7, 0.95)),
    ),
]


@pytest.mark.parametrize(("component", "reference"), REFERENCES, ids=lambda v: repr(v)[:40])
def test_the_trajectory_is_pytorchs(
    component: Optimizer, reference: Callable[[nn.Sequential], torch.optim.Optimizer]
) -> None:
    """Five steps equal those of the PyTorch optimizer with groups written by hand."""
    ours, theirs = _network(), _network()
    pairs = [(ours, component.build(ours)), (theirs, reference(theirs))]
    for _ in range(5):
        for network, optimizer in pairs:
            _step(network, optimizer)
    for found, expected in zip(ours.parameters(), theirs.parameters(), strict=True):
        assert torch.equal(found, expected)
    assert not torch.equal(ours.state_dict()["4.weight"], _network().state_dict()["4.weight"])


@pytest.mark.parametrize(
    "component", [SGD(momentum=0.0, weight_decay=0.5), AdamW(weight_decay=0.5)]
)
def test_without_a_gradient_only_matrices_and_kernels_shrink(component: Optimizer) -> None:
    """Norms and biases are not decayed; weights shrink by lr times decay."""
    network, before = _network(), _network()
    optimizer = component.build(network)
    for parameter in network.parameters():
        parameter.grad = torch.zeros_like(parameter)
    optimizer.step()
    shrunk = 1 - component.lr * 0.5
    for now, then in zip(network.parameters(), before.parameters(), strict=True):
        torch.testing.assert_close(now, then * shrunk if then.ndim > 1 else then)


@pytest.mark.parametrize("component", [SGD(), AdamW()])
def test_a_step_returns_the_loss_before_it(component: Optimizer) -> None:
    """The closure is called once, at the weights before the step, and its loss is returned."""
    network = _network()
    optimizer = component.build(network)
    expected = network(INPUTS).square().mean().item()
    loss = _step(network, optimizer)
    assert loss.item() == expected
    assert network(INPUTS).square().mean().item() < expected


def test_frozen_parameters_are_left_out() -> None:
    """What is not trained has no state and no decay; a group without members is not made."""
    network = _network()
    for parameter in network.parameters():
        parameter.requires_grad_(parameter is network[4].bias)
    (group,) = parameter_groups(network, 0.1)
    assert group == {"params": [network[4].bias], "weight_decay": 0.0}


class Positions(nn.Module):
    """A table of vectors that says, as timm's do, that it should not decay."""

    def __init__(self) -> None:
        super().__init__()
        self.table = nn.Parameter(torch.ones(5, 2))

    def no_weight_decay(self) -> set[str]:
        """Return the names of parameters that do not decay."""
        return {"table"}


def test_what_a_module_spares_is_spared() -> None:
    """Names that a module returns from `no_weight_decay` are not decayed, at any depth."""
    network = nn.Sequential(nn.Linear(2, 2), nn.Sequential(Positions()))
    decayed, spared = parameter_groups(network, 0.1)
    assert decayed["params"] == [network[0].weight]  # type: ignore[index]
    assert len(spared["params"]) == 2  # type: ignore[arg-type]
    assert spared["weight_decay"] == 0.0


@pytest.mark.parametrize(
    "text", ["SGD(lr=-1)", "SGD(momentum=1.0)", "AdamW(beta2=1.0)", "AdamW(weight_decay=-0.1)"]
)
def test_values_outside_their_range_are_refused(text: str) -> None:
    """Bounds are checked before anything is built."""
    with pytest.raises(InputError):
        resolve(text, OPTIMIZERS, "optimizer")
