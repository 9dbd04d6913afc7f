import os
import tempfile
from pathlib import Path

import pytest
from PIL import Image

from equipoise.data.folders import list_class_folder
from equipoise.errors import InputError


def plant(root: Path, *names: str) -> Path:
    """Make files, empty but for a tiny picture where the name says so."""
    for name in names:
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        if path.suffix.lower() in (".png", ".jpg"):
            Image.new("L", (2, 2)).save(path)
        else:
            path.touch()
    return root


def test_the_order_is_that_of_torchvision(tmp_path):
    """Classes, files and their labels come as from torchvision's ImageFolder."""
    datasets = pytest.importorskip("torchvision.datasets")
    names = [f"{c}/{n}" for c in ("b", "B", "10", "9", "a b") for n in ("2.png", "10.png", "Z.JPG")]
    plant(tmp_path, *names, "b/deep/1.png", "b/deep/er/0.png", "b/a/3.png", "b/deep.png")
    reference = datasets.ImageFolder(str(tmp_path))
    found = list_class_folder(tmp_path)
    assert found.classes == reference.classes
    assert found.parts is None
    expected = [(Path(p).relative_to(tmp_path).as_posix(), code) for p, code in reference.samples]
    codes = [found.classes.index(label) for label in found.labels]
    assert [*zip(found.names, codes, strict=True)] == expected


def test_every_ending_counts_in_any_case(tmp_path):
    """All documented endings are images, and nothing else is."""
    images = ["a/1.PNG", "a/2.jpg", "a/3.jpeg", "a/4.webp", "a/5.bmp", "b/6.tif", "b/7.TIFF"]
    plant(tmp_path, *images, "a/8.gif", "b/readme", "b/9.png.txt")
    found = list_class_folder(tmp_path)
    assert found.names == images
    assert found.notes == ["3 files that are no images were ignored."]


def test_hidden_files_are_passed_over(tmp_path):
    """Hidden files and folders at any depth do not exist for the reader, nor for its notes."""
    plant(tmp_path, "a/1.png", "a/.2.png", "a/.git/3.png", ".b/4.png", ".DS_Store")
    found = list_class_folder(tmp_path)
    assert found.names == ["a/1.png"]
    assert found.notes == []


def test_files_outside_classes_are_counted(tmp_path):
    """Files beside the class folders belong to no class; a note counts them."""
    plant(tmp_path, "a/1.png", "2.png", "notes.txt")
    assert list_class_folder(tmp_path).notes == ["2 files outside the class folders were ignored."]


@pytest.mark.parametrize("val", ["val", "valid", "validation"])
def test_parts_are_found_by_their_names(tmp_path, val):
    """Train, validation under each of its names, and test become parts, in this order."""
    plant(tmp_path, "test/b/1.png", "train/b/1.png", "train/a/2.png", f"{val}/a/x/3.png", "4.png")
    plant(tmp_path, "train/5.png")
    found = list_class_folder(tmp_path)
    assert found.names == ["train/a/2.png", "train/b/1.png", f"{val}/a/x/3.png", "test/b/1.png"]
    assert found.labels == ["a", "b", "a", "b"]
    assert found.parts == ["train", "train", "validation", "test"]
    assert found.classes == ["a", "b"]
    assert found.notes == ["2 files outside the class folders were ignored."]


@pytest.mark.parametrize("others", [["bus", "car"], ["bus"], ["Test", "Val"]])
def test_a_class_may_be_called_train(tmp_path, others):
    """A folder ``train`` beside folders that are no parts is a class."""
    plant(tmp_path, "train/1.png", *(f"{name}/1.png" for name in others))
    found = list_class_folder(tmp_path)
    assert found.classes == sorted(["train", *others])
    assert found.parts is None


@pytest.mark.parametrize("names", [("train", "test", "bus"), ("train", "val", "validation")])
def test_a_mixture_of_parts_and_classes_is_refused(tmp_path, names):
    """Neither stray folders beside parts nor two folders for one part are guessed about."""
    plant(tmp_path, *(f"{name}/a/1.png" for name in names))
    with pytest.raises(InputError, match="either classes, or the parts"):
        list_class_folder(tmp_path)


def test_an_empty_class_is_still_a_class(tmp_path):
    """A class folder without images is listed, so that it can be refused by its name."""
    plant(tmp_path, "a/1.png", "b/readme.txt")
    assert list_class_folder(tmp_path).classes == ["a", "b"]


def test_folders_that_are_none_are_told_apart(tmp_path):
    """A missing path, a file, an empty folder and unsorted images each have their message."""
    plant(tmp_path, "file.png", "loose/1.png")
    (tmp_path / "empty").mkdir()
    for name, found in [
        ("missing", "There is no"),
        ("file.png", "is a file"),
        ("empty", "No image lies below a folder"),
        ("loose", "No image lies below a folder"),
    ]:
        with pytest.raises(InputError, match=found):
            list_class_folder(tmp_path / name)


@pytest.mark.parametrize("target", ["outside", "outside/1.png", "outside/missing.png"])
def test_links_that_lead_outside_are_refused(tmp_path, target):
    """No link, to a file, a folder or nothing, may leave the folder."""
    plant(tmp_path, "outside/1.png", "data/a/1.png")
    (tmp_path / "data" / "a" / "link.png").symlink_to(tmp_path / target)
    with pytest.raises(InputError, match=r"link\.png leads to"):
        list_class_folder(tmp_path / "data")


def test_a_class_folder_that_is_a_link_outside_is_refused(tmp_path):
    """The rule holds for class folders themselves."""
    plant(tmp_path, "outside/1.png", "data/a/1.png")
    (tmp_path / "data" / "b").symlink_to(tmp_path / "outside", target_is_directory=True)
    with pytest.raises(InputError, match="must stay inside"):
        list_class_folder(tmp_path / "data")


def test_links_inside_are_followed(tmp_path):
    """Links within the folder, and the folder itself as a link, are as good as files."""
    plant(tmp_path, "data/a/1.png", "data/a/deep/2.png", "data/b/3.png")
    (tmp_path / "data" / "b" / "4.png").symlink_to(Path("..", "a", "1.png"))
    (tmp_path / "data" / "b" / "deep").symlink_to(Path("..", "a", "deep"))
    (tmp_path / "link").symlink_to("data", target_is_directory=True)
    found = list_class_folder(tmp_path / "link")
    assert found.names == ["a/1.png", "a/deep/2.png", "b/3.png", "b/4.png", "b/deep/2.png"]


@pytest.mark.parametrize(("link", "target"), [("a/up", ".."), ("a/self", "../a"), ("a/b", "../b")])
def test_circular_links_are_refused(tmp_path, link, target):
    """A link to a folder above it, directly or through another link, ends with an error."""
    plant(tmp_path, "a/1.png", "b/1.png")
    (tmp_path / link).symlink_to(target, target_is_directory=True)
    (tmp_path / "b" / "back").symlink_to("../a", target_is_directory=True)
    with pytest.raises(InputError, match="circle"):
        list_class_folder(tmp_path)


@pytest.mark.skipif(os.name != "posix", reason="names are bytes only there")
def test_names_must_be_text(tmp_path):
    """A file name that is no text in the system's encoding is refused with its name."""
    plant(tmp_path, "a/1.png")
    try:
        Path(os.fsdecode(bytes(tmp_path / "a") + b"/\xff.png")).touch()
    except OSError:
        pytest.skip("this file system takes text only")
    with pytest.raises(InputError, match="must be text"):
        list_class_folder(tmp_path)


@pytest.mark.skipif(not hasattr(os, "geteuid"), reason="file permissions are POSIX")
@pytest.mark.parametrize("closed", [".", "a", "a/deep"])
def test_forbidden_folders_are_an_error(closed):
    """A folder that may not be read is named; it is not taken for an empty one."""
    with tempfile.TemporaryDirectory() as folder:
        root = plant(Path(folder, "data"), "a/deep/1.png", "b/2.png")
        Path(folder).chmod(0o755)
        (root / closed).chmod(0)
        administrator = os.geteuid() == 0
        if administrator:  # who may read everything
            os.seteuid(65534)
        try:
            with pytest.raises(InputError, match="cannot be read: Permission denied"):
                list_class_folder(root)
        finally:
            if administrator:
                os.seteuid(0)
            (root / closed).chmod(0o755)
