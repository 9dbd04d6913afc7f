import shutil
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from equipoise.data.images import is_image_index, read_class_folder, read_image_index
from equipoise.data.options import ReadOptions
from equipoise.errors import InputError


def grow(root: Path, *names: str, side: int = 4) -> dict[str, np.ndarray]:
    """Write a different picture under each name."""
    pixels = {}
    for at, name in enumerate(names):
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        pixels[name] = np.random.default_rng(at).integers(0, 256, (side, side, 3), dtype=np.uint8)
        Image.fromarray(pixels[name]).save(path)
    return pixels


@pytest.fixture
def options(tmp_path):
    return ReadOptions(cache=tmp_path / "cache")


def test_a_class_folder_becomes_a_data_set(tmp_path, options):
    """Pixels, codes, classes, identifiers and name are those of the files."""
    pixels = grow(tmp_path / "pets", "dog/2.png", "cat/1.png", "dog/1.png")
    data = read_class_folder(tmp_path / "pets", options)
    assert data.name == "pets"
    assert data.classes == ("cat", "dog")
    assert data.codes.tolist() == [0, 1, 1]
    assert data.ids.tolist() == ["cat/1.png", "dog/1.png", "dog/2.png"]
    np.testing.assert_array_equal(data.X, [pixels[name] for name in data.ids])
    assert data.parts is None
    assert data.notes == ()


def test_part_folders_become_parts(tmp_path, options):
    """Each example knows its part, and a part without a class is noted."""
    grow(tmp_path / "pets", "train/cat/1.png", "train/dog/1.png", "valid/cat/1.png")
    grow(tmp_path / "pets", "test/dog/1.png", "test/cat/2.png")
    data = read_class_folder(tmp_path / "pets", options)
    assert data.parts.tolist() == ["train", "train", "validation", "test", "test"]
    assert data.codes.tolist() == [0, 1, 0, 0, 1]
    assert data.notes == ("The validation part has no example of dog.",)


def test_training_data_alone_are_not_split(tmp_path, options):
    """A single folder ``train`` does not make a split."""
    grow(tmp_path / "pets", "train/cat/1.png", "train/dog/1.png")
    data = read_class_folder(tmp_path / "pets", options)
    assert data.parts is None
    assert data.classes == ("cat", "dog")


def test_the_fingerprint_is_that_of_the_content(tmp_path, options):
    """It stays when files move or are touched, and changes with any pixel, name or label."""
    grow(tmp_path / "pets", "cat/1.png", "dog/1.png")
    first = read_class_folder(tmp_path / "pets", options).fingerprint
    shutil.copytree(tmp_path / "pets", tmp_path / "copy")
    assert read_class_folder(tmp_path / "copy", options).fingerprint == first
    (tmp_path / "copy" / "dog" / "1.png").rename(tmp_path / "copy" / "dog" / "2.png")
    renamed = read_class_folder(tmp_path / "copy", options).fingerprint
    (tmp_path / "copy" / "dog").rename(tmp_path / "copy" / "fox")
    relabelled = read_class_folder(tmp_path / "copy", options).fingerprint
    shutil.copy(tmp_path / "pets" / "cat" / "1.png", tmp_path / "pets" / "dog" / "1.png")
    repainted = read_class_folder(tmp_path / "pets", options).fingerprint
    assert len({first, renamed, relabelled, repainted}) == 4


@pytest.mark.parametrize(
    ("names", "fault"),
    [
        (("cat/1.png",), "at least two classes"),
        (("train/cat/1.png", "train/dog/1.png", "test/fox/1.png"), "examples to train on.*fox"),
        (("test/cat/1.png", "val/dog/1.png"), "must have training examples"),
    ],
)
def test_classes_that_cannot_be_learned_are_refused(tmp_path, options, names, fault):
    """One class, a class that occurs only in the test part, and data without training fail."""
    grow(tmp_path / "pets", *names)
    with pytest.raises(InputError, match=fault):
        read_class_folder(tmp_path / "pets", options)


def test_an_empty_class_folder_is_refused(tmp_path, options):
    """A class folder without an image is named in the error."""
    grow(tmp_path / "pets", "cat/1.png", "dog/1.png")
    (tmp_path / "pets" / "eel").mkdir()
    with pytest.raises(InputError, match="eel"):
        read_class_folder(tmp_path / "pets", options)


def test_broken_files_leave_the_others_aligned(tmp_path):
    """Leaving files out takes their labels, identifiers and parts along."""
    options = ReadOptions(cache=tmp_path / "cache", skip_broken=True)
    names = [f"{part}/{c}/{n}.png" for part in ("train", "test") for c in "ab" for n in (1, 2)]
    pixels = grow(tmp_path / "data", *names)
    for name in names[0], names[5]:
        (tmp_path / "data" / name).write_bytes(b"")
    data = read_class_folder(tmp_path / "data", options)
    kept = [*names[1:5], *names[6:]]
    assert data.ids.tolist() == kept
    assert data.y.tolist() == [name.split("/")[1] for name in kept]
    assert data.parts.tolist() == [name.split("/")[0] for name in kept]
    np.testing.assert_array_equal(data.X, [pixels[name] for name in kept])
    assert data.notes[0].startswith("2 broken files left out: train/a/1.png (is empty)")


@pytest.mark.parametrize(
    ("part", "fault"),
    [("", "All files of eel are broken"), ("train/", "examples to train on.*none: eel")],
)
def test_a_class_must_not_become_empty(tmp_path, part, fault):
    """A class of which every file (to train on) is broken is an error even when skipping."""
    options = ReadOptions(cache=tmp_path / "cache", skip_broken=True)
    grow(tmp_path / "data", *(f"{part}{name}/1.png" for name in ("cat", "dog", "eel")))
    if part:
        grow(tmp_path / "data", "test/cat/1.png", "test/eel/1.png")
    (tmp_path / "data" / f"{part}eel" / "1.png").write_bytes(b"")
    with pytest.raises(InputError, match=fault):
        read_class_folder(tmp_path / "data", options)


@pytest.fixture
def index(tmp_path):
    """An index of four pictures in two folders; the file itself is never read here."""
    grow(tmp_path / "data", "a/1.png", "a/2.png", "b/1.png", "3.png")
    frame = pd.DataFrame(
        {
            "image": ["a/1.png", "./b/1.png", "3.png", "b/../a/2.png"],
            "label": ["yes", "no", "no", "yes"],
        }
    )
    return tmp_path / "data" / "index.csv", frame


def test_an_index_becomes_a_data_set(index, options):
    """Rows keep their order; paths are relative to the index and written the short way."""
    path, frame = index
    data = read_image_index(path, frame, options)
    assert (data.name, data.classes) == ("index", ("no", "yes"))
    assert data.y.tolist() == frame["label"].tolist()
    assert data.ids.tolist() == ["a/1.png", "b/1.png", "3.png", "a/2.png"]
    expected = [np.asarray(Image.open(path.parent / name)) for name in data.ids]
    np.testing.assert_array_equal(data.X, expected)
    assert data.notes == ("The label is the column 'label', chosen by its name.",)


def test_an_index_works_from_any_folder(index, options, monkeypatch):
    """Neither the working folder nor a relative or linked path to the index matters."""
    path, frame = index
    expected = read_image_index(path, frame, options).fingerprint
    monkeypatch.chdir(path.parent / "a")
    assert read_image_index(Path("..", "index.csv"), frame, options).fingerprint == expected
    (path.parent.parent / "link").symlink_to(path.parent, target_is_directory=True)
    link = path.parent.parent / "link" / "index.csv"
    assert read_image_index(link, frame, options).fingerprint == expected


def test_absolute_paths_may_stay_inside(index, options):
    """An absolute path below the index's folder is as good as a relative one."""
    path, frame = index
    absolute = frame.assign(image=[str(path.parent / name) for name in frame["image"]])
    assert read_image_index(path, absolute, options).ids.tolist()[1] == "b/1.png"


@pytest.mark.parametrize("name", ["../secret.png", "a/../../secret.png", "/secret.png", "x\0.png"])
def test_paths_that_lead_outside_are_refused(index, options, name):
    """No path may leave the folder of the index, whether the file exists or not."""
    path, frame = index
    grow(path.parent.parent, "secret.png")
    with pytest.raises(InputError, match=r"does not; such are row 2\."):
        read_image_index(path, frame.assign(image=["a/1.png", "3.png", name, "a/2.png"]), options)


def test_links_in_an_index_must_stay_inside(index, options):
    """A link inside the folder does not lead outside either."""
    path, frame = index
    grow(path.parent.parent, "secret.png")
    (path.parent / "link.png").symlink_to(Path("..", "secret.png"))
    with pytest.raises(InputError, match="stay inside"):
        read_image_index(path, frame.replace("3.png", "link.png"), options)


@pytest.mark.parametrize("missing", [None, float("nan"), pd.NA])
@pytest.mark.parametrize("column", ["image", "label"])
def test_missing_cells_are_named_by_their_rows(index, options, missing, column):
    """A missing path or label is told with its row."""
    path, frame = index
    frame[column] = frame[column].astype(object)
    frame.loc[[1, 3], column] = missing
    with pytest.raises(InputError, match=r"missing in 2.*rows 1, 3"):
        read_image_index(path, frame, options)


def test_listed_files_must_exist(index, options):
    """A file that is not there is a broken one: an error, or left out."""
    path, frame = index
    frame.loc[0, "image"] = "a/none.png"
    with pytest.raises(InputError, match=r"a/none\.png does not exist"):
        read_image_index(path, frame, options)
    skipping = ReadOptions(cache=options.cache, skip_broken=True)
    data = read_image_index(path, frame, skipping)
    assert data.ids.tolist() == ["b/1.png", "3.png", "a/2.png"]
    assert data.y.tolist() == ["no", "no", "yes"]


@pytest.mark.parametrize("column", ["split", "Part"])
def test_a_column_may_give_the_parts(index, options, column):
    """Each name of a part is understood in any case."""
    path, frame = index
    data = read_image_index(
        path, frame.assign(**{column: ["train", "Train", "VAL", "test "]}), options
    )
    assert data.parts.tolist() == ["train", "train", "validation", "test"]
    assert f"The column {column!r} was taken as the data's own split." in data.notes


def test_a_column_of_something_else_is_no_split(index, options):
    """A column called like one that names no part is ignored with a note; half a split fails."""
    path, frame = index
    data = read_image_index(path, frame.assign(part=["hand", "foot", "hand", "foot"]), options)
    assert data.parts is None
    assert "The column 'part' names no parts and was ignored." in data.notes
    with pytest.raises(InputError, match="It says hold-out in row 3"):
        read_image_index(path, frame.assign(split=["train", "train", "test", "hold-out"]), options)


def test_labels_belong_to_the_fingerprint(index, options):
    """Other labels or parts over the same images differ, and share the decoded images."""
    path, frame = index
    frames = [
        frame,
        frame.assign(label=["yes", "yes", "no", "no"]),
        frame.assign(label=["da", "net", "net", "da"]),
        frame.assign(split=["train", "train", "train", "test"]),
        frame.assign(split=["train", "train", "test", "train"]),
    ]
    prints = {read_image_index(path, f, options).fingerprint for f in frames}
    assert len(prints) == len(frames)
    assert len([*(options.cache / "images").glob("*.npy")]) == 1


def test_repeated_files_are_noted(index, options):
    """A file in two rows is two examples, and the user is told."""
    path, frame = index
    data = read_image_index(path, pd.concat([frame, frame[:1]], ignore_index=True), options)
    assert len(data) == 5
    assert "1 row repeats the file of an earlier row." in data.notes


def test_columns_can_be_named(index):
    """Given columns win over the names that would be chosen."""
    path, frame = index
    frame = frame.assign(thumbnail=frame["image"][::-1].tolist(), kind=[1, 2, 1, 2])
    cache = path.parent / "cache"
    data = read_image_index(path, frame, ReadOptions(cache=cache, image="thumbnail", label="kind"))
    assert data.ids.tolist() == ["a/2.png", "3.png", "b/1.png", "a/1.png"]
    assert data.classes == ("1", "2")


def test_the_image_column_must_be_clear(index, options):
    """A missing column, several that fit, and none that fits are told apart."""
    path, frame = index
    for made, column, fault in [
        (frame, "imag", "Did you mean 'image'"),
        (frame.assign(path=frame["image"]), None, "These could be it: image, path"),
        (frame.rename(columns={"image": "x"}).assign(x="a"), None, "There is none"),
    ]:
        with pytest.raises(InputError, match=fault):
            read_image_index(path, made, ReadOptions(cache=options.cache, image=column))


@pytest.mark.parametrize(
    ("columns", "expected"),
    [
        ({"image": ["x.png", "y.JPG"]}, True),
        ({"File_Name": ["x.png", None]}, True),
        ({"anything": ["a/1.png", "x.png"]}, True),
        ({"anything": ["x.png", "a/1.png"]}, False),
        ({"image": ["x.png", "y.txt"]}, False),
        ({"image": [1, 2]}, False),
        ({"image": [None, None]}, False),
        ({"text": ["see a.png for more", "b"]}, False),
        ({0: [1.0, 2.0]}, False),
    ],
)
def test_an_index_is_told_from_a_table(index, columns, expected):
    """A column is one of images by all its values, and by its name or its first file."""
    assert is_image_index(pd.DataFrame(columns), index[0], ReadOptions()) is expected


def test_naming_the_image_column_makes_an_index(index):
    """Who names an image column wants images, even if the column is not there."""
    assert is_image_index(pd.DataFrame({"a": [1]}), index[0], ReadOptions(image="b"))


def test_real_images_come_back_from_files(assets, tmp_path):
    """Real images written as PNG files and read back are the same, in the same classes."""
    with np.load(assets / "fashion_mnist.npz") as archive:
        pixels, labels = archive["test_images"][:200], archive["test_labels"][:200].ravel()
    for at, (image, label) in enumerate(zip(pixels, labels, strict=True)):
        folder = tmp_path / "data" / str(label)
        folder.mkdir(parents=True, exist_ok=True)
        Image.fromarray(image).save(folder / f"{at:03d}.png")
    data = read_class_folder(tmp_path / "data", ReadOptions(cache=tmp_path / "cache"))
    order = np.argsort(labels, kind="stable")
    np.testing.assert_array_equal(data.X[..., 0], pixels[order])
    assert data.y.tolist() == [str(label) for label in labels[order]]
