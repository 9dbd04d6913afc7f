"""Laws of constraints: projections onto balls, of what they are for and of nothing else."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor, nn

from equipoise.errors import InputError
from equipoise.spec import resolve
from equipoise.standard.backbones.base import Extractor
from equipoise.standard.constraints import CONSTRAINTS, MaxNorm, project_rows
from equipoise.standard.networks import Network


def _network() -> Network:
    torch.manual_seed(0)
    layers = [("conv", nn.Conv2d(2, 4, 3)), ("norm", nn.BatchNorm2d(4)), ("flat", nn.Flatten())]
    network = Network(Extractor(layers, 4), nn.Linear(4, 3))
    with torch.no_grad():
        for parameter in network.parameters():
            parameter.mul_(10).add_(1)
    return network


def _state(network: nn.Module) -> dict[str, Tensor]:
    return {name: value.detach().clone() for name, value in network.named_parameters()}


@pytest.mark.parametrize("radius", [0.3, 1.0, 4.0])
@pytest.mark.parametrize("shape", [(5, 7), (4, 3, 3, 3), (6, 1), (1, 2, 5)])
def test_the_projection_is_pytorchs(radius: float, shape: tuple[int, ...]) -> None:
    """Rows and filters equal those of `torch.renorm`, which adds 1e-7 to each norm."""
    weight = torch.randn(shape, generator=torch.Generator().manual_seed(0))
    expected = torch.renorm(weight, p=2, dim=0, maxnorm=radius)
    project_rows(weight, radius)
    torch.testing.assert_close(weight, expected, rtol=1e-6, atol=1e-6)


@settings(deadline=None, derandomize=True, max_examples=50)
@given(radius=st.floats(1e-3, 1e3), seed=st.integers(0, 1000))
def test_the_projection_is_the_nearest_point_of_the_ball(radius: float, seed: int) -> None:
    """No row is outside, those inside are kept bit for bit, and directions never change."""
    generator = torch.Generator().manual_seed(seed)
    before = torch.randn((6, 4), generator=generator) * torch.logspace(-3, 3, 6)[:, None]
    after = before.clone()
    project_rows(after, radius)
    norms = before.norm(dim=1)
    assert bool((after.norm(dim=1) <= radius * (1 + 1e-6)).all())
    inside = norms <= radius
    assert torch.equal(after[inside], before[inside])
    torch.testing.assert_close(after / after.norm(dim=1)[:, None], before / norms[:, None])
    torch.testing.assert_close(after[~inside].norm(dim=1), norms[~inside].clamp(max=radius))


def test_a_row_of_zeros_stays() -> None:
    """There is no direction to scale along, and nothing to scale."""
    weight = torch.zeros(2, 3)
    project_rows(weight, 0.5)
    assert torch.equal(weight, torch.zeros(2, 3))


def test_the_head_alone_is_bounded_by_default() -> None:
    """One norm a class; the head's bias and the backbone keep their values."""
    network = _network()
    before = _state(network)
    MaxNorm(radius=2.0).apply(network)
    after = _state(network)
    torch.testing.assert_close(after["head.weight"].norm(dim=1), torch.full((3,), 2.0))
    changed = {name for name, value in after.items() if not torch.equal(value, before[name])}
    assert changed == {"head.weight"}


def test_a_share_is_a_radius_between_the_shortest_and_the_longest_row() -> None:
    """Of rows of length 5, 1 and 3: 1 and a quarter of 4; of rows of zeros the longest."""
    network = _network()
    rows = torch.tensor([[5.0, 0, 0, 0], [0, 1.0, 0, 0], [0, 0, 3.0, 0]])
    network.head.weight.data.copy_(rows)  # type: ignore[union-attr]
    begun = MaxNorm(share=0.25).begun(network)
    assert repr(begun) == repr(MaxNorm(radius=2.0))
    begun.apply(network)
    torch.testing.assert_close(
        _state(network)["head.weight"].norm(dim=1), torch.tensor([2.0, 1, 2])
    )
    network.head.weight.data[1] = 0.0  # type: ignore[union-attr]
    assert MaxNorm(share=0.0).begun(network).radius == pytest.approx(2.0)
    fixed = MaxNorm(radius=0.3)
    assert fixed.begun(network) is fixed


def test_all_layers_means_matrices_and_kernels() -> None:
    """A norm for each output filter; biases and normalisation keep their values."""
    network = _network()
    before = _state(network)
    MaxNorm(radius=0.5, layers="all").apply(network)
    after = _state(network)
    filters = after["backbone.conv.weight"].flatten(1).norm(dim=1)
    torch.testing.assert_close(filters, torch.full((4,), 0.5))
    changed = {name for name, value in after.items() if not torch.equal(value, before[name])}
    assert changed == {"head.weight", "backbone.conv.weight"}


def test_frozen_weights_are_left_alone() -> None:
    """What is not trained is not moved."""
    network = _network()
    network.backbone.requires_grad_(False)
    before = _state(network)
    MaxNorm(layers="all").apply(network)
    assert torch.equal(_state(network)["backbone.conv.weight"], before["backbone.conv.weight"])
    assert not torch.equal(_state(network)["head.weight"], before["head.weight"])


def test_memory_layout_and_gradients_stay() -> None:
    """Channels-last kernels stay so, and the step after finds leaves that take gradients."""
    network = _network().to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    weight = network.get_parameter("backbone.conv.weight")
    stride = weight.stride()
    MaxNorm(layers="all").apply(network)
    assert weight.stride() == stride
    assert weight.is_leaf
    assert weight.requires_grad


@pytest.mark.parametrize(
    "text",
    [
        "MaxNorm(radius=0)",
        "MaxNorm(layers='body')",
        "MaxNorm(share=1.1)",
        "MaxNorm(share=0.1, layers='all')",
    ],
)
def test_values_outside_their_range_are_refused(text: str) -> None:
    """A radius is above 0, and layers are the head or all."""
    with pytest.raises(InputError):
        resolve(text, CONSTRAINTS, "constraint")


def test_every_constraint_is_listed_under_its_name() -> None:
    """The name in a configuration is the name of the class."""
    assert all(kind.__name__ == name for name, kind in CONSTRAINTS.items())
