"""Models of timm, with and without weights."""

import struct
from pathlib import Path
from typing import Any

import huggingface_hub.constants
import pytest
import timm
import torch
from safetensors.torch import load_file, save_file
from torch import Tensor
from torch.nn import functional as F

from equipoise.errors import InputError
from equipoise.spec import resolve
from equipoise.standard.backbones import BACKBONES, ImageInput, Timm
from equipoise.standard.networks import count_parameters

COLOUR = ImageInput(48, 48, 3, (0.1, 0.2, 0.3), (0.4, 0.3, 0.2))
GREY = ImageInput(48, 48, 1, (0.1,), (0.2,))


def _pixels(inputs: ImageInput, count: int = 2) -> Tensor:
    size = (count, inputs.channels, inputs.height, inputs.width)
    return torch.randint(0, 256, size, dtype=torch.uint8)


@pytest.fixture(scope="session")
def lite(assets: Path) -> str:
    """Path of real weights of EfficientNet-Lite0."""
    return str(assets / "efficientnet_lite0.safetensors")


@pytest.fixture
def small(tmp_path: Path) -> str:
    """Path of weights of a small model with a classifier of seven classes."""
    torch.manual_seed(0)
    model = timm.create_model("resnet10t", num_classes=7)
    save_file(model.state_dict(), tmp_path / "small.safetensors")
    return str(tmp_path / "small.safetensors")


def test_weights_from_a_file_are_timms_model(lite: str) -> None:
    """Features equal those of timm's own model with the file loaded, standardised timm's way."""
    plain: Any = timm.create_model("tf_efficientnet_lite0", num_classes=1000)
    plain.load_state_dict(load_file(lite))
    network = Timm(name="tf_efficientnet_lite0", weights=lite, size=48).build(COLOUR)
    pixels = _pixels(COLOUR)
    with torch.no_grad():
        maps = plain.eval().forward_features((pixels / 255 - 0.5) / 0.5)
        expected = plain.forward_head(maps, pre_logits=True)
        found = network.eval()(pixels)
    assert found.shape == (2, network.n_features) == (2, 1280)
    torch.testing.assert_close(found, expected, rtol=1e-4, atol=1e-4)


def test_grey_images_look_to_a_colour_model_as_if_stored_in_colour(lite: str) -> None:
    """A grey image has the features of the same image with its channel repeated."""
    backbone = Timm(name="tf_efficientnet_lite0", weights=lite, size=48)
    pixels = _pixels(GREY)
    with torch.no_grad():
        grey = backbone.build(GREY).eval()(pixels)
        colour = backbone.build(COLOUR).eval()(pixels.repeat(1, 3, 1, 1))
    torch.testing.assert_close(grey, colour, rtol=1e-5, atol=1e-5)


def test_a_file_needs_no_classifier_and_may_have_any(small: str, tmp_path: Path) -> None:
    """The classifier is left out, whether it has seven classes or is not in the file."""
    state = load_file(small)
    headless = {name: value for name, value in state.items() if not name.startswith("fc.")}
    assert len(headless) == len(state) - 2
    save_file(headless, tmp_path / "headless.safetensors")
    for path in (small, str(tmp_path / "headless.safetensors")):
        network = Timm(name="resnet10t", weights=path).build(COLOUR)
        found = network.get_submodule("model").state_dict()
        assert found.keys() == headless.keys()
        assert all(torch.equal(found[name], headless[name]) for name in headless)


def test_weights_bring_their_own_size(small: str) -> None:
    """Without `size`, images are scaled to what the weights were trained with, bicubically."""
    published = timm.models.get_pretrained_cfg("resnet10t")
    assert published is not None
    network = Timm(name="resnet10t", weights=small).build(COLOUR).eval()
    pixels = _pixels(COLOUR)
    larger = F.interpolate(pixels.float(), published.input_size[1:], mode="bicubic", antialias=True)
    seen: list[Tensor] = []
    network.get_submodule("model").register_forward_pre_hook(lambda _, args: seen.append(args[0]))
    network(pixels)
    mean, std = (torch.tensor(v).view(3, 1, 1) for v in (published.mean, published.std))
    torch.testing.assert_close(seen[0], (larger / 255 - mean) / std, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("inputs", [COLOUR, GREY])
def test_without_weights_the_data_decide(inputs: ImageInput) -> None:
    """Untrained, a model takes the data's size and channels, and their mean and deviation."""
    network = Timm(name="resnet10t").build(inputs)
    pixels = _pixels(inputs)
    seen: list[Tensor] = []
    network.get_submodule("model").register_forward_pre_hook(lambda _, args: seen.append(args[0]))
    network(pixels)
    mean, std = (torch.tensor(v).view(-1, 1, 1) for v in (inputs.mean, inputs.std))
    torch.testing.assert_close(seen[0], (pixels / 255 - mean) / std, rtol=1e-4, atol=1e-4)


def test_a_transformer_is_built_for_the_size_it_gets() -> None:
    """A vision transformer has one token a patch of the size, and one for the class."""
    inputs = ImageInput(32, 64, 3, (0.5,) * 3, (0.25,) * 3)
    positions = {
        size: Timm(name="vit_tiny_patch16_224", size=size)
        .build(inputs)
        .get_parameter("model.pos_embed")
        .shape[1]
        for size in (None, 48)
    }
    assert positions == {None: 2 * 4 + 1, 48: 3 * 3 + 1}


def test_rebuilding_needs_no_file(small: str) -> None:
    """The same network is rebuilt, standardisation included, after the file is gone."""
    backbone = Timm(name="resnet10t", weights=small, size=32)
    network = backbone.build(GREY).eval()
    Path(small).unlink()
    again = resolve(repr(backbone), BACKBONES, "backbone").rebuild(GREY).eval()
    again.load_state_dict(network.state_dict())
    pixels = _pixels(GREY)
    assert torch.equal(network(pixels), again(pixels))
    with pytest.raises(InputError, match="cannot be read"):
        backbone.build(GREY)


def test_another_models_weights_are_refused(small: str) -> None:
    """Weights that do not fill the whole model are refused."""
    for name in ("resnet18", "resnet14t"):
        with pytest.raises(InputError, match=f"those of timm's '{name}'"):
            Timm(name=name, weights=small).build(COLOUR)


def test_a_lenient_family_is_not_left_random(small: str, tmp_path: Path) -> None:
    """Where timm itself would load nothing and go on, the weights are refused."""
    headless = {k: v for k, v in load_file(small).items() if not k.startswith("fc.")}
    save_file(headless, tmp_path / "headless.safetensors")
    with pytest.raises(InputError, match="it has no 'base_layer"):
        Timm(name="dla34", weights=str(tmp_path / "headless.safetensors")).build(COLOUR)


def test_an_incomplete_file_is_refused(small: str, tmp_path: Path) -> None:
    """A file that lacks one tensor is refused; nothing is left random in silence."""
    state = load_file(small)
    del state["layer2.0.conv2.weight"]
    save_file(state, tmp_path / "less.safetensors")
    with pytest.raises(InputError, match=r"layer2\.0\.conv2\.weight"):
        Timm(name="resnet10t", weights=str(tmp_path / "less.safetensors")).build(COLOUR)


def test_files_that_are_no_safetensors_are_refused(tmp_path: Path) -> None:
    """A pickle is refused by its ending, unopened; damage and absence are told as such."""
    torch.save({}, tmp_path / "weights.pth")
    (tmp_path / "cut.safetensors").write_bytes(struct.pack("<Q", 10**9) + b"{}")
    for name, reason in (
        ("weights.pth", "another ending"),
        ("cut.safetensors", "cannot be read"),
        ("gone.safetensors", "cannot be read"),
    ):
        with pytest.raises(InputError, match=reason):
            Timm(name="resnet10t", weights=str(tmp_path / name)).build(COLOUR)


@pytest.mark.parametrize(
    ("name", "near"), [("resnet81", "resnet18"), ("resnet18.a1_in2k", "resnet18.a1_in1k")]
)
def test_unknown_names_are_refused_with_near_ones(name: str, near: str) -> None:
    """A misspelt model or tag is refused, and near ones are named."""
    with pytest.raises(InputError, match=near):
        resolve(f"Timm(name={name!r})", BACKBONES, "backbone")


def test_values_that_are_no_text_are_refused() -> None:
    """A number for a name or a path is bad input, not a crash."""
    for values in ({"name": 18}, {"weights": 18}):
        with pytest.raises(InputError, match="must be text"):
            Timm().set_params(**values).validate()


def test_offline_weights_are_refused_with_a_remedy(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """Without network and cache, pretrained=True says how to give a local file."""
    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_OFFLINE", True)
    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_CACHE", str(tmp_path))
    with pytest.raises(InputError, match=r"file\.safetensors"):
        Timm(name="resnet10t", pretrained=True).build(COLOUR)


def test_images_too_small_for_a_model_are_refused() -> None:
    """A model that cannot shrink the images enough says so, and names `size`."""
    with pytest.raises(InputError, match="size=224"):
        Timm(name="inception_v3").build(COLOUR)


def test_channels_that_no_weights_know_are_refused(small: str) -> None:
    """Weights for colour take colour and grey, not two channels."""
    with pytest.raises(InputError, match="The images have 2"):
        Timm(name="resnet10t", weights=small).build(ImageInput(32, 32, 2, (0.5,) * 2, (0.5,) * 2))


def test_no_classifier_is_left() -> None:
    """The network ends at the features: its parameters are timm's less the classifier's."""
    whole = timm.create_model("resnet10t", num_classes=10)
    network = Timm(name="resnet10t").build(COLOUR)
    assert count_parameters(network) == count_parameters(whole) - 513 * 10
    assert network.training
