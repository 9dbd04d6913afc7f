import numpy as np
import pytest

from equipoise.data.parts import PART_NAMES, check_classes, own_split
from equipoise.errors import InputError


def test_every_name_stands_for_one_of_three_parts():
    """Folders and columns may use several names, in lower case, for the three parts."""
    assert set(PART_NAMES.values()) == {"train", "validation", "test"}
    assert all(name == name.lower() for name in PART_NAMES)
    assert all(PART_NAMES[part] == part for part in PART_NAMES.values())


@pytest.mark.parametrize("others", [["test"], ["validation"], ["validation", "test"]])
def test_a_split_needs_training_data_and_something_else(others):
    """Parts are kept if there are several; training alone is no split, others alone no data."""
    parts = np.array(["train", *others])
    assert own_split(parts) is parts
    assert own_split(np.array(["train"])) is None
    with pytest.raises(InputError, match="must have training examples"):
        own_split(np.array(others))


def test_every_class_must_be_trained_on():
    """A class may be absent from any part but the training part."""
    parts = np.array(["train", "train", "validation", "test"])
    assert check_classes(np.array([0, 1, 0, 1]), ["a", "b"], parts) == [
        "The test part has no example of a.",
        "The validation part has no example of b.",
    ]
    with pytest.raises(InputError, match="These have none: c"):
        check_classes(np.array([0, 1, 2, 2]), ["a", "b", "c"], parts)
    with pytest.raises(InputError, match="These have none: b"):
        check_classes(np.array([0, 0, 0, 0]), ["a", "b"], None)


@pytest.mark.parametrize("classes", [[], ["only"]])
def test_one_class_cannot_be_learned(classes):
    """Fewer than two classes are refused."""
    with pytest.raises(InputError, match="at least two classes"):
        check_classes(np.zeros(1, np.int64), classes, None)
