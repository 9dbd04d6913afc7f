"""Laws of augmentations in general: joining them, and strengths that differ by class."""

from dataclasses import dataclass
from typing import ClassVar

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from equipoise.errors import InputError
from equipoise.spec import bounded, resolve
from equipoise.standard.augmentation import (
    AUGMENTATIONS,
    Augmentation,
    Blur,
    ColorJitter,
    CropFlip,
    Cutout,
    Graded,
    Pipeline,
    RandomErasing,
    RandomResizedCrop,
    Rotation,
    Transform,
)
from equipoise.standard.backbones.base import ImageInput, InputFormat, Modality

FORMAT = ImageInput(height=4, width=4, channels=1, mean=(0.5,), std=(0.25,))


@dataclass(eq=False, repr=False, kw_only=True)
class Add(Augmentation):
    """Adds a number, which `bind` doubles."""

    amount: float = bounded(1.0)

    def __call__(
        self,
        inputs: Tensor,
        generator: torch.Generator,  # noqa: ARG002
        rarity: Tensor | None = None,  # noqa: ARG002
    ) -> Tensor:
        return inputs + self.amount

    def bind(self, inputs: InputFormat, examples: Tensor | None = None) -> Transform:  # noqa: ARG002
        return Add(amount=2 * self.amount)


@dataclass(eq=False, repr=False, kw_only=True)
class Multiply(Graded):
    """Multiplies by the strength of each example."""

    def __call__(
        self,
        inputs: Tensor,
        generator: torch.Generator,  # noqa: ARG002
        rarity: Tensor | None = None,
    ) -> Tensor:
        return inputs * self.strength(len(inputs), rarity).reshape(-1, 1, 1, 1)


@dataclass(eq=False, repr=False, kw_only=True)
class OfTables(Add):
    """Adds a number to tables."""

    modality: ClassVar[Modality] = "table"


CHOICES: dict[str, type[Augmentation]] = {
    kind.__name__: kind for kind in (Add, Multiply, CropFlip, Cutout, OfTables)
}
parts = st.one_of(
    st.builds(Add, amount=st.floats(-9, 9)),
    st.builds(Multiply, tail_scale=st.floats(0, 9)),
    st.builds(CropFlip, padding=st.integers(0, 9), flip=st.booleans()),
    st.builds(Cutout, size=st.floats(0, 1)),
)


def _generator(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def _joined(each: list[Augmentation]) -> Augmentation:
    result = each[0]
    for part in each[1:]:
        result = result | part
    return result


@settings(deadline=None, derandomize=True, max_examples=50)
@given(each=st.lists(parts, min_size=1, max_size=5))
def test_the_text_of_joined_augmentations_is_read_back(each: list[Augmentation]) -> None:
    """What `repr` writes makes the same parts in the same order."""
    text = repr(_joined(each))
    again = resolve(text, CHOICES, "augmentation", Pipeline)
    assert repr(again) == text == " | ".join(map(repr, each))
    found = again.parts if isinstance(again, Pipeline) else (again,)
    assert [type(part) for part in found] == [type(part) for part in each]
    assert [part.get_params() for part in found] == [part.get_params() for part in each]


def test_joining_is_associative() -> None:
    """A pipeline in a pipeline is taken apart, on either side."""
    first, second, third = Add(), Multiply(), CropFlip()
    for whole in ((first | second) | third, first | (second | third)):
        assert isinstance(whole, Pipeline)
        assert whole.parts == (first, second, third)


def test_the_left_part_comes_first() -> None:
    """(1 + 1) * 3 and 1 * 3 + 1 differ, called or bound; binding binds each part."""
    ones, rarest = torch.ones(1, 1, 1, 1), torch.ones(1)
    add, triple = Add(), Multiply(tail_scale=3)
    assert (add | triple)(ones, _generator(), rarest).item() == 6
    assert (triple | add)(ones, _generator(), rarest).item() == 4
    assert (add | triple).bind(FORMAT)(ones, _generator(), rarest).item() == 9
    assert (triple | add).bind(FORMAT)(ones, _generator(), rarest).item() == 5


def test_images_and_tables_are_not_joined() -> None:
    """Parts for images and for tables are refused together, and each kind alone is taken."""
    with pytest.raises(InputError, match=r"all be for images or all for tables.*Add\(\) \| OfTab"):
        (Add() | OfTables()).validate()
    for whole, kind in ((Add() | Add(), "images"), (OfTables() | OfTables(), "table")):
        whole.validate()
        assert whole.modality == kind


def test_a_pipeline_of_nothing_is_refused() -> None:
    """No parts are no augmentation: None is."""
    with pytest.raises(InputError):
        Pipeline().validate()


@pytest.mark.parametrize("text", ["CropFlip() | Cutout(size=2)", "Cutout(size=2) | CropFlip()"])
def test_every_part_is_validated(text: str) -> None:
    """A value out of bounds is found in any place."""
    with pytest.raises(InputError, match=r"`size` of `Cutout` must be a number in \[0, 1\]"):
        resolve(text, CHOICES, "augmentation", Pipeline)


def test_a_pipeline_draws_from_one_generator() -> None:
    """Equal seeds give equal images, others differ, and later parts go on where earlier ended."""
    images = torch.randint(256, (8, 3, 9, 9), generator=_generator(1)).to(torch.uint8)
    pipeline = CropFlip() | Cutout()
    assert torch.equal(pipeline(images, _generator(3)), pipeline(images, _generator(3)))
    assert not torch.equal(pipeline(images, _generator(3)), pipeline(images, _generator(4)))
    source = _generator(3)
    by_hand = Cutout()(CropFlip()(images, source), source)
    assert torch.equal(pipeline(images, _generator(3)), by_hand)


@settings(deadline=None, derandomize=True, max_examples=50)
@given(scale=st.floats(0, 20), rarity=st.lists(st.floats(0, 1), min_size=1, max_size=8))
def test_strength_goes_from_one_to_the_tail_scale(scale: float, rarity: list[float]) -> None:
    """The largest class keeps 1, the smallest has the tail scale, others lie between, linearly."""
    found = Multiply(tail_scale=scale).strength(len(rarity), torch.tensor(rarity))
    expected = torch.tensor([(1 - r) * 1 + r * scale for r in rarity])
    torch.testing.assert_close(found, expected, rtol=1e-5, atol=1e-5)


def test_strength_is_one_without_rarity() -> None:
    """Where nothing is known of the classes, all are treated alike."""
    assert Multiply(tail_scale=5).strength(3, None).tolist() == [1, 1, 1]
    assert Multiply().strength(2, torch.tensor([0.0, 1.0])).tolist() == [1, 1]


GRADED = (Blur, ColorJitter, Cutout, RandomErasing, RandomResizedCrop, Rotation)


@pytest.mark.parametrize("kind", GRADED)
def test_a_larger_strength_changes_rare_images_more(kind: type[Graded], pictures: Tensor) -> None:
    """With a tail scale of 0, 1 and 2, images of the rarest class change more and more."""
    images, rarest = pictures.float(), torch.ones(len(pictures))
    changes = []
    for scale in (0, 1, 2):
        augmentation = kind(tail_scale=scale)
        if isinstance(augmentation, RandomResizedCrop):
            augmentation.scale_low, augmentation.flip = 0.6, False
        found = augmentation(images, _generator(), rarest)
        changes.append((found - images).abs().mean().item())
    assert changes[0] < 1e-3 < changes[1] < changes[2]


@pytest.mark.parametrize("kind", GRADED)
def test_common_images_are_not_changed_by_the_tail_scale(
    kind: type[Graded], pictures: Tensor
) -> None:
    """For rarity 0 every tail scale gives the same images."""
    common = torch.zeros(len(pictures))
    found = kind(tail_scale=4)(pictures, _generator(), common)
    assert torch.equal(found, kind()(pictures, _generator()))


OF_IMAGES = [kind for kind in AUGMENTATIONS.values() if kind.modality == "images"]


@pytest.mark.parametrize("kind", OF_IMAGES)
@pytest.mark.parametrize("channels", [1, 3])
def test_images_keep_shape_type_and_memory_format(
    kind: type[Augmentation], channels: int, pictures: Tensor
) -> None:
    """Bytes stay bytes, floats floats, in 0..255; the input is left alone, whatever its size."""
    for images in (pictures[:, :channels], pictures[:3, :channels, :7, :12].float()):
        before = images.clone()
        found = kind()(images, _generator(), torch.ones(len(images)))
        assert found.shape == images.shape
        assert found.dtype == images.dtype
        assert found.is_contiguous(memory_format=torch.channels_last)
        assert -1e-3 <= found.min() <= found.max() <= 255 + 1e-3
        found.zero_()
        assert torch.equal(images, before)


@pytest.mark.parametrize("kind", OF_IMAGES)
def test_the_generator_is_the_only_source_of_randomness(
    kind: type[Augmentation], pictures: Tensor
) -> None:
    """Equal seeds give equal images, other seeds others, and torch's own state is not touched."""
    state = torch.get_rng_state()
    first, again, other = (kind()(pictures, _generator(seed)) for seed in (1, 1, 2))
    assert torch.equal(first, again)
    assert not torch.equal(first, other)
    assert torch.equal(torch.get_rng_state(), state)


@pytest.mark.parametrize("kind", OF_IMAGES)
def test_images_of_a_batch_are_changed_apart(kind: type[Augmentation], pictures: Tensor) -> None:
    """Copies of one image do not all come out alike."""
    found = kind()(pictures[:1].expand(32, -1, -1, -1), _generator())
    assert len({image.numpy().tobytes() for image in found}) > 1
