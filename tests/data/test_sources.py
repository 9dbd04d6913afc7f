"""Laws of finding out what DATA is."""

import inspect
import subprocess
import sys
from dataclasses import fields
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from PIL import Image

import equipoise.data
from equipoise.data.cifar import CIFAR10
from equipoise.data.options import ReadOptions
from equipoise.data.sources import load, load_unlabelled
from equipoise.errors import InputError

OPTIONS = ReadOptions()


def _picture(path: Path, shade: int = 0) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.new("RGB", (4, 4), (shade, 10, 20)).save(path)
    return path


def _idx_folder(folder: Path) -> Path:
    folder.mkdir()
    pixels = bytes([0, 0, 8, 3, 0, 0, 0, 2, 0, 0, 0, 1, 0, 0, 0, 1, 50, 60])
    (folder / "train-images-idx3-ubyte").write_bytes(pixels)
    labels = bytes([0, 0, 8, 1, 0, 0, 0, 2, 7, 9])
    (folder / "train-labels-idx1-ubyte").write_bytes(labels)
    return folder


def test_each_form_goes_to_its_reader(tmp_path: Path) -> None:
    """Class folders, idx folders, CIFAR, arrays, tables and indexes are told apart."""
    for shade, name in enumerate(("cat", "dog")):
        _picture(tmp_path / "pets" / name / "1.png", shade)
    assert load(tmp_path / "pets").ids.tolist() == ["cat/1.png", "dog/1.png"]
    assert load(str(_idx_folder(tmp_path / "idx"))).classes == ("7", "9")
    (tmp_path / "bin").mkdir()
    for at, name in enumerate(CIFAR10.files):
        (tmp_path / "bin" / name).write_bytes(bytes([at]) + bytes(3072))
    assert load(tmp_path / "bin").classes[0] == "airplane"
    arrays = {"images": np.zeros((4, 2, 2), np.uint8), "labels": np.array([0, 1, 0, 1])}
    np.savez(tmp_path / "a.NPZ.npz", allow_pickle=False, **arrays)
    assert np.shape(load(tmp_path / "a.NPZ.npz").X) == (4, 2, 2, 1)
    frame = pd.DataFrame({"a": [1, 2], "y": ["u", "v"]})
    for name in ("t.csv", "t.CSV", "t.txt"):
        frame.to_csv(tmp_path / name, index=False)
        assert load(tmp_path / name).kind == "table"
    frame.to_csv(tmp_path / "t.tsv", index=False, sep="\t")
    assert load(tmp_path / "t.tsv").classes == ("u", "v")
    frame.to_parquet(tmp_path / "t.parquet")
    assert load(tmp_path / "t.parquet").classes == ("u", "v")
    index = pd.DataFrame({"path": ["pets/cat/1.png", "pets/dog/1.png"], "y": ["u", "v"]})
    index.to_csv(tmp_path / "index.csv", index=False)
    listed = load(tmp_path / "index.csv")
    assert (listed.kind, listed.classes) == ("images", ("u", "v"))
    index.to_parquet(tmp_path / "index.parquet")
    assert load(tmp_path / "index.parquet").kind == "images"


def test_a_table_is_the_same_through_every_door(tmp_path: Path) -> None:
    """Options reach the reader, and notes on the reading are kept."""
    path = tmp_path / "t.csv"
    path.write_text(",a,b,kind\n0,1,5,u\n1,2,6,v\n")
    data = load(path, ReadOptions(label="kind", drop=("b",)))
    assert isinstance(data.X, pd.DataFrame)
    assert (list(data.X), data.name) == (["a"], "t")
    assert any("first column" in note for note in data.notes)


def test_options_may_be_given_as_keywords(tmp_path: Path) -> None:
    """Keywords are the fields of `ReadOptions`, and come before those of `options`."""
    path = tmp_path / "t.csv"
    path.write_text("a,b,c,kind\n1,5,x,u\n-9,6,y,v\n3,7,z,u\n4,8,x,v\n")
    data = load(path, label="kind", drop="b", missing="-9")
    same = load(path, ReadOptions(label="kind", drop=("b",), missing=("-9",)))
    for each in data, same, load(path, ReadOptions(label="c", drop=("b",)), label="kind"):
        assert isinstance(each.X, pd.DataFrame)
        assert (list(each.X), each.classes) == (["a", "c"], ("u", "v"))
    assert data.X.isna().to_numpy().sum() == 1  # type: ignore[union-attr]
    assert len(load(path, label="kind", drop=["b", "c"]).X.columns) == 1  # type: ignore[union-attr]
    for shade, name in enumerate(("cat", "dog")):
        _picture(tmp_path / "pets" / name / "1.png", shade)
    pets = load(tmp_path / "pets", size=2, channels="grey", cache=str(tmp_path / "cache"))
    assert np.shape(pets.X) == (2, 2, 2, 1)
    assert (tmp_path / "cache" / "images").is_dir()


def test_every_option_of_reading_is_a_keyword() -> None:
    """Only `kinds`, which a run knows, is given as an option alone."""
    keywords = set(inspect.signature(load).parameters) - {"source", "options", "download"}
    assert keywords == {field.name for field in fields(ReadOptions)} - {"kinds"}


def test_names_win_over_paths_given_as_text(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """`digits` is the catalog's even beside a folder of that name; ./digits is the folder."""
    monkeypatch.chdir(tmp_path)
    assert load("digits").notes == ()
    _idx_folder(Path("digits"))
    named = load("digits")
    assert len(named) == 1797
    assert "./digits" in named.notes[-1]
    assert len(load("./digits")) == len(load(Path("digits"))) == 2


def test_a_home_folder_may_be_abbreviated(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A tilde stands for the user's folder."""
    monkeypatch.setenv("HOME", str(tmp_path))
    _idx_folder(tmp_path / "mine")
    assert len(load("~/mine")) == 2


def test_what_does_not_exist_is_answered_with_near_names(tmp_path: Path) -> None:
    """Names beside the missing path, and of the catalog, are suggested."""
    (tmp_path / "flowers.csv").write_text("")
    with pytest.raises(InputError, match=r"Did you mean .*flowers\.csv\?"):
        load(tmp_path / "flower.csv")
    with pytest.raises(InputError, match=r"Did you mean cifar10 or cifar100|cifar100 or cifar10"):
        load("cifar1")
    with pytest.raises(InputError, match="catalog has digits, fashion-mnist"):
        load("zzzz")


@pytest.mark.parametrize(("name", "found"), [("a.xlsx", "ends in '.xlsx'"), ("a", "no ending")])
def test_unknown_forms_are_answered_with_the_known_ones(
    tmp_path: Path, name: str, found: str
) -> None:
    """The message lists the endings that are read."""
    (tmp_path / name).write_text("x")
    for read in (load, load_unlabelled):
        with pytest.raises(InputError, match=rf"\.npz, \.csv, .*\.parquet.*{found}"):
            read(tmp_path / name, OPTIONS)


def test_new_rows_need_no_label_and_do_not_use_one(tmp_path: Path) -> None:
    """With or without label and dropped columns, the features are the same."""
    frame = pd.DataFrame({"a": [1, 2], "b": [3, 4], "kind": ["u", "u"]})
    options = ReadOptions(label="kind", drop=("b",))
    for columns in (["a"], ["a", "kind"], ["b", "a", "kind"]):
        frame[columns].to_csv(tmp_path / "new.csv", index=False)
        X, ids = load_unlabelled(tmp_path / "new.csv", options)
        assert isinstance(X, pd.DataFrame)
        assert X.to_dict("list") == {"a": [1, 2]}
        assert ids.tolist() == ["0", "1"]
    frame.rename(columns={"kind": "Target"}).to_csv(tmp_path / "new.csv", index=False)
    assert list(load_unlabelled(tmp_path / "new.csv", OPTIONS)[0]) == ["a", "b"]


def test_new_images_need_no_class_folders(tmp_path: Path) -> None:
    """A file, a folder at any depth, arrays and an index give images and their paths."""
    _picture(tmp_path / "new" / "b.png", 1)
    _picture(tmp_path / "new" / "deep" / "a.png", 2)
    _picture(tmp_path / "new" / ".hidden" / "c.png", 3)
    X, ids = load_unlabelled(tmp_path / "new", OPTIONS)
    assert ids.tolist() == ["b.png", "deep/a.png"]
    assert np.asarray(X)[:, 0, 0, 0].tolist() == [1, 2]
    single, name = load_unlabelled(tmp_path / "new" / "deep" / "a.png", OPTIONS)
    np.testing.assert_array_equal(single, np.asarray(X)[1:])
    assert name.tolist() == ["a.png"]
    np.savez(tmp_path / "a.npz", allow_pickle=False, images=np.asarray(X))
    np.testing.assert_array_equal(load_unlabelled(tmp_path / "a.npz", OPTIONS)[0], X)
    np.savez(tmp_path / "grey.npz", allow_pickle=False, images=np.asarray(X)[..., 0])
    assert np.shape(load_unlabelled(tmp_path / "grey.npz", OPTIONS)[0]) == (2, 4, 4, 1)
    pd.DataFrame({"file": ["new/deep/a.png"]}).to_csv(tmp_path / "index.csv", index=False)
    listed, ids = load_unlabelled(tmp_path / "index.csv", OPTIONS)
    np.testing.assert_array_equal(listed, single)
    assert ids.tolist() == ["new/deep/a.png"]


def test_labelled_data_can_be_predicted_too(tmp_path: Path) -> None:
    """Named data sets, idx folders and labelled arrays give their examples."""
    assert len(load_unlabelled("digits", OPTIONS)[0]) == 1797
    assert len(load_unlabelled(_idx_folder(tmp_path / "idx"), OPTIONS)[0]) == 2
    arrays = {"images": np.zeros((4, 2, 2), np.uint8), "labels": np.array([0, 1, 0, 1])}
    np.savez(tmp_path / "a.npz", allow_pickle=False, **arrays)
    assert len(load_unlabelled(tmp_path / "a.npz", OPTIONS)[0]) == 4


def test_new_examples_that_are_none_are_refused(tmp_path: Path) -> None:
    """Empty folders, wrong arrays, and paths that lead out or do not exist are input errors."""
    (tmp_path / "empty").mkdir()
    with pytest.raises(InputError, match="must hold image files"):
        load_unlabelled(tmp_path / "empty", OPTIONS)
    np.savez(tmp_path / "a.npz", allow_pickle=False, images=np.zeros((2, 4, 4)))
    with pytest.raises(InputError, match="type uint8"):
        load_unlabelled(tmp_path / "a.npz", OPTIONS)
    _picture(tmp_path / "out.png")
    index = tmp_path / "empty" / "index.csv"
    pd.DataFrame({"image": ["../out.png"]}).to_csv(index, index=False)
    with pytest.raises(InputError, match=r"stay inside.*'../out.png'"):
        load_unlabelled(index, OPTIONS)
    with pytest.raises(InputError, match="--image"):
        load_unlabelled(index, ReadOptions(image="pictures"))
    with pytest.raises(InputError, match="existing folder"):
        load_unlabelled(tmp_path / "none", OPTIONS)


def test_every_public_name_is_where_the_package_says() -> None:
    """Each name of the package can be had, and no other."""
    for name in equipoise.data.__all__:
        assert getattr(equipoise.data, name) is not None
    assert dir(equipoise.data) == sorted(equipoise.data.__all__)
    with pytest.raises(AttributeError, match="'loud'"):
        equipoise.data.loud  # noqa: B018


def test_data_never_needs_torch() -> None:
    """Reading, encoding and describing a table, and listing the catalog, load no torch."""
    program = (
        "import sys, equipoise.data as d; assert not {'pandas', 'numpy'} & set(sys.modules);"
        "import pandas as pd;"
        "f = d.from_frame(pd.DataFrame({'a': [1., 2, 3, 4], 'y': list('uuvv')}));"
        "d.TableEncoder('quantile').fit(f.X).transform(f.X); d.describe(f); d.catalog_entries();"
        "d.load('digits'); assert not {'torch', 'torchvision'} & set(sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, check=False)
    assert done.returncode == 0, done.stderr.decode()
