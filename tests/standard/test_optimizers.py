"""Laws of optimizers: PyTorch's own updates, with decay on matrices and kernels alone."""

import sys
from collections.abc import Callable

import pytest
import pytorch_optimizer
import torch
from torch import Tensor, nn

from equipoise.errors import InputError
from equipoise.spec import resolve
from equipoise.standard import libraries
from equipoise.standard.optimizers import (
    OPTIMIZERS,
    SGD,
    Adam,
    AdamW,
    Optimizer,
    PytorchOptimizer,
    TorchOptim,
    parameter_groups,
)

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
    (
        Adam(lr=0.01, weight_decay=0.3, beta1=0.7, beta2=0.95),
        lambda n: torch.optim.Adam(_by_hand(n, 0.3), lr=0.01, betas=(0.7, 0.95)),
    ),
    (
        TorchOptim(lr=0.01, weight_decay=0.3, options=(("momentum", 0.9), ("centered", True))),
        lambda n: torch.optim.RMSprop(_by_hand(n, 0.3), lr=0.01, momentum=0.9, centered=True),
    ),
    (
        TorchOptim(name="NAdam", lr=0.02),
        lambda n: torch.optim.NAdam(n.parameters(), lr=0.02),
    ),
    (
        PytorchOptimizer(lr=0.01, weight_decay=0.3, options=(("betas", (0.8, 0.9)),)),
        lambda n: pytorch_optimizer.Lion(_by_hand(n, 0.3), lr=0.01, betas=(0.8, 0.9)),
    ),
    (
        PytorchOptimizer(name="AdaBelief", lr=0.01),
        lambda n: pytorch_optimizer.AdaBelief(n.parameters(), lr=0.01, weight_decay=0.0),
    ),
]


@pytest.mark.parametrize(
    ("component", "reference"), REFERENCES, ids=lambda v: getattr(v, "__name__", repr(v))[:40]
)
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


def test_the_penalty_of_adam_is_in_the_gradient() -> None:
    """Unlike with decoupled decay, a weight without a gradient moves by the whole rate."""
    network = nn.Linear(1, 1, bias=False)
    nn.init.constant_(network.weight, 5.0)
    optimizer = Adam(lr=0.1, weight_decay=0.01).build(network)
    network.weight.grad = torch.zeros_like(network.weight)
    optimizer.step()
    torch.testing.assert_close(network.weight.detach(), torch.tensor([[4.9]]))


@pytest.mark.parametrize("component", [SGD(), Adam(), AdamW()])
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
    assert group == {"params": [network[4].bias], "weight_decay": 0.0, "lr_scale": 1.0}


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
    "text",
    [
        "SGD(lr=-1)",
        "SGD(momentum=1.0)",
        "AdamW(beta2=1.0)",
        "AdamW(weight_decay=-0.1)",
        "Adam(beta1=1.0)",
        "TorchOptim(weight_decay=-1)",
        "PytorchOptimizer(lr=-1)",
    ],
)
def test_values_outside_their_range_are_refused(text: str) -> None:
    """Bounds are checked before anything is built."""
    with pytest.raises(InputError):
        resolve(text, OPTIMIZERS, "optimizer")


def test_groups_are_split_by_decay_and_by_scale() -> None:
    """Decayed ones first; each parameter is in the one group of its decay and its scale."""
    network = _network()
    scales = {"0.weight": 0.1, "0.bias": 0.1, "1.bias": 0.5, "4.bias": 1.0}
    groups = parameter_groups(network, 0.3, scales)
    convolution, norm, linear = network[0], network[1], network[4]
    expected = [
        (0.3, 0.1, [convolution.weight]),
        (0.3, 1.0, [linear.weight]),
        (0.0, 0.1, [convolution.bias]),
        (0.0, 1.0, [norm.weight, linear.bias]),
        (0.0, 0.5, [norm.bias]),
    ]
    found = [(g["weight_decay"], g["lr_scale"], g["params"]) for g in groups]
    assert [f[:2] for f in found] == [e[:2] for e in expected]
    for (*_, members), (*_, wanted) in zip(found, expected, strict=True):
        assert [id(p) for p in members] == [id(p) for p in wanted]


def test_scales_of_one_change_nothing() -> None:
    """No scales, and a scale of 1 for each parameter, give the same groups."""
    network = _network()
    ones = {name: 1.0 for name, _ in network.named_parameters()}
    keys = [
        [(g["weight_decay"], g["lr_scale"], [id(p) for p in g["params"]]) for g in groups]
        for groups in (parameter_groups(network, 0.1), parameter_groups(network, 0.1, ones))
    ]
    assert keys[0] == keys[1]
    assert len(keys[0]) == 2


@pytest.mark.parametrize("component", [kind() for kind in OPTIMIZERS.values()], ids=repr)
def test_every_optimizer_keeps_the_scale_in_its_groups(component: Optimizer) -> None:
    """Training finds `lr_scale` in each group, and may set the rate by it."""
    network, before = _network(), _network()
    optimizer = component.build(network, {"4.weight": 0.0, "4.bias": 0.0})
    for group in optimizer.param_groups:
        group["lr"] = component.lr * group["lr_scale"]
    _step(network, optimizer)
    _step(network, optimizer)
    still = [
        torch.equal(a, b)
        for a, b in zip(network[4].parameters(), before[4].parameters(), strict=True)
    ]
    assert still == [True, True]
    assert not torch.equal(network.state_dict()["0.weight"], before.state_dict()["0.weight"])


def test_a_scale_of_no_parameter_is_an_error() -> None:
    """A name that the module does not have is not passed over; either name of a tie is one."""
    network = nn.Sequential(nn.Linear(2, 2), nn.Linear(2, 2))
    network[1].weight = network[0].weight
    with pytest.raises(ValueError, match=r"2\.weight"):
        parameter_groups(network, 0.1, {"2.weight": 0.1})
    decayed, _ = parameter_groups(network, 0.1, {"0.weight": 0.5, "1.weight": 0.1})
    assert decayed["lr_scale"] == 0.5
    assert len(decayed["params"]) == 1


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("TorchOptim(name='LBFGS')", "closure"),
        ("TorchOptim(name='SparseAdam')", "sparse"),
        ("TorchOptim(name='Muon')", "matrices"),
        ("TorchOptim(name='Optimizer')", "'Optimizer'"),
        ("TorchOptim(name='lr_scheduler')", "'lr_scheduler'"),
        ("TorchOptim(options=('momentum', 0.9))", "both commas"),
        ("TorchOptim(options=(('momentum',),))", "both commas"),
        ("TorchOptim(options=(('moment', 0.9),))", "no `moment`.*`momentum`"),
        ("TorchOptim(options=(('eps', 1e-8), ('eps', 1e-7)))", "twice"),
        ("TorchOptim(options=(('lr', 0.9),))", "field `lr`"),
        ("TorchOptim(options=(('maximize', True),))", "minimises"),
        ("TorchOptim(options=(('momentum', -1.0),))", "Invalid momentum"),
        ("TorchOptim(options=(('momentum', 'much'),))", "not supported"),
        ("TorchOptim(name='Rprop', weight_decay=0.1)", "must be 0"),
        ("PytorchOptimizer(name='SAM')", "field of its own"),
        ("PytorchOptimizer(name='ScheduleFreeAdamW')", "train and when to evaluate"),
        ("PytorchOptimizer(name='Lookahead')", "wraps"),
        ("PytorchOptimizer(name='ASGD')", "sets the learning rate itself"),
        ("PytorchOptimizer(name='load_optimizer')", "'load_optimizer'"),
        ("PytorchOptimizer(options=(('kwargs', 1),))", "no `kwargs`"),
        ("PytorchOptimizer(options=(('betas', (2.0, 0.9)),))", "Lion"),
        ("PytorchOptimizer(name='SM3', weight_decay=0.1)", "must be 0"),
    ],
)
def test_what_cannot_be_used_is_refused_with_a_reason(text: str, message: str) -> None:
    """Names outside the list, and options that the class does not take, say why."""
    with pytest.raises(InputError, match=message):
        resolve(text, OPTIMIZERS, "optimizer")


def test_without_the_package_the_message_says_how_to_install_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The extra is named; nothing else needs the package."""
    monkeypatch.setitem(sys.modules, "pytorch_optimizer", None)
    with pytest.raises(InputError, match=r'pip install "equipoise\[optimizers\]"'):
        resolve("PytorchOptimizer()", OPTIMIZERS, "optimizer")
    resolve("TorchOptim()", OPTIMIZERS, "optimizer").build(_network())


def test_text_gives_back_the_options() -> None:
    """What `repr` writes is read back as the same component."""
    component = TorchOptim(name="Adagrad", options=(("lr_decay", 0.1), ("eps", 1e-9)))
    again = resolve(repr(component), OPTIMIZERS, "optimizer")
    assert repr(again) == repr(component)
    assert again.build(_network()).param_groups[0]["lr_decay"] == 0.1


def test_every_optimizer_of_the_libraries_is_listed_or_refused() -> None:
    """A release that brings a new one, or drops one, is noticed; no name is on both lists."""
    for library, names in (
        (torch.optim, libraries.TORCH),
        (pytorch_optimizer, libraries.PYTORCH_OPTIMIZER),
    ):
        there = {
            name
            for name, kind in vars(library).items()
            if isinstance(kind, type)
            and issubclass(kind, torch.optim.Optimizer)
            and kind.__module__.startswith(library.__name__)
        }
        assert set(names) <= there
        assert there - {"Optimizer"} <= set(names) | libraries.REFUSED.keys()
    assert not set(libraries.PYTORCH_OPTIMIZER) & libraries.REFUSED.keys()


EVERY = [TorchOptim(name=name, lr=0.01) for name in libraries.TORCH] + [
    PytorchOptimizer(name=name, lr=0.01) for name in libraries.PYTORCH_OPTIMIZER
]


@pytest.mark.parametrize("component", EVERY, ids=lambda c: f"{c.library}.{c.name}")
def test_every_listed_optimizer_learns_by_step_alone(component: Optimizer) -> None:
    """It is made, steps without a closure on channels-last kernels, and stays finite."""
    component.validate()
    network = _network().to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    before = _network()
    optimizer = component.build(network)
    for _ in range(8):
        optimizer.zero_grad()
        network(INPUTS).square().mean().backward()
        optimizer.step()
    moved = [
        not torch.equal(a, b)
        for a, b in zip(network.parameters(), before.parameters(), strict=True)
    ]
    assert any(moved)
    assert all(bool(p.isfinite().all()) for p in network.parameters())
