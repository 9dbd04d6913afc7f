"""Laws of the data sets that have a name."""

import gzip
import io
import shutil
import socket
import tarfile
from dataclasses import replace
from hashlib import md5
from pathlib import Path

import numpy as np
import pytest
from sklearn.datasets import load_digits

from equipoise.data import catalog
from equipoise.data.catalog import (
    catalog_entries,
    data_folders,
    download_entry,
    find,
    load_catalog,
)
from equipoise.data.cifar import CIFAR10
from equipoise.data.downloads import Remote
from equipoise.data.entries import CATALOG, IDX_STEMS, Entry, catalog_name
from equipoise.data.options import ReadOptions
from equipoise.errors import InputError

OPTIONS = ReadOptions()


@pytest.fixture(autouse=True)
def _nowhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Look for data in folders that a test makes, and in no others."""
    monkeypatch.setenv("EQUIPOISE_DATA", str(tmp_path / "given"))
    monkeypatch.setenv("EQUIPOISE_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "caches"))
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(
        catalog, "data_folders", lambda options: data_folders(options)[:-1], raising=True
    )
    return tmp_path


def _idx(values: np.ndarray) -> bytes:
    head = bytes([0, 0, 8, values.ndim]) + b"".join(n.to_bytes(4, "big") for n in values.shape)
    return head + values.tobytes()


def _fashion() -> dict[str, bytes]:
    """Return the four files of a tiny data set in the form of Fashion-MNIST."""
    random = np.random.default_rng(0)
    files = {}
    for part, n in (("train", 20), ("t10k", 10)):
        pixels = random.integers(0, 256, (n, 28, 28), dtype=np.uint8)
        labels = np.arange(n, dtype=np.uint8) % 10
        files[f"{part}-images-idx3-ubyte.gz"] = gzip.compress(_idx(pixels), mtime=0)
        files[f"{part}-labels-idx1-ubyte.gz"] = gzip.compress(_idx(labels), mtime=0)
    return files


def _put(folder: Path, files: dict[str, bytes]) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    for name, content in files.items():
        (folder / name).write_bytes(content)


def _remotes(folder: Path, url: str, files: dict[str, bytes]) -> tuple[Remote, ...]:
    """Serve these files; return where they are."""
    _put(folder, files)
    return tuple(
        Remote(url=f"{url}/{name}", md5=md5(content, usedforsecurity=False).hexdigest())
        for name, content in files.items()
    )


def _cifar_archive(extra: str | None = None) -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w:gz") as tar:
        for at, name in enumerate([*CIFAR10.files, *([extra] if extra else [])]):
            records = b"".join(bytes([(at + k) % 10]) + bytes([k]) * 3072 for k in range(10))
            info = tarfile.TarInfo(f"{CIFAR10.folder}/{name}")
            info.size = len(records)
            tar.addfile(info, io.BytesIO(records))
    return buffer.getvalue()


def test_digits_are_always_here_as_bytes() -> None:
    """The digits of scikit-learn, with 16 levels spread over 0 to 255."""
    data = load_catalog("digits", OPTIONS)
    pixels, codes = load_digits(return_X_y=True)
    assert data.X.dtype == np.uint8  # pyright: ignore[reportAttributeAccessIssue]
    np.testing.assert_array_equal(
        np.asarray(data.X)[..., 0], np.rint(np.asarray(pixels).reshape(-1, 8, 8) * 255 / 16)
    )
    assert data.codes.tolist() == np.asarray(codes).tolist()
    assert data.classes == tuple("0123456789")
    assert len(data.fingerprint) == 64


@pytest.mark.parametrize("text", ["CIFAR-10", "cifar_10", "Cifar10"])
def test_spelling_does_not_matter(text: str) -> None:
    """Case, dashes and underscores do not count; paths are no names."""
    assert catalog_name(text) == "cifar10"
    assert catalog_name(f"./{text}") is None
    assert catalog_name(f"{text}.npz") is None


@pytest.mark.parametrize(
    "place", ["given", "data", "home/data", "cache/data", "caches/imbalance-assets"]
)
@pytest.mark.parametrize("form", ["fashion-mnist", "fashion_mnist", "FashionMNIST/raw"])
def test_idx_folders_are_found_in_the_usual_places(tmp_path: Path, place: str, form: str) -> None:
    """Every folder of the list and every form of the name is looked at."""
    _put(tmp_path / place / form, _fashion())
    found = find(CATALOG["fashion-mnist"], OPTIONS)
    assert found is not None
    assert found.resolve() == tmp_path / place / form


def test_the_given_folder_comes_first(tmp_path: Path) -> None:
    """What the environment names wins over the usual folders."""
    for place in ("given", "data"):
        _put(tmp_path / place / "fashion-mnist", _fashion())
    assert find(CATALOG["fashion-mnist"], OPTIONS) == tmp_path / "given" / "fashion-mnist"


def test_debians_folder_is_among_the_places() -> None:
    """The package dataset-fashion-mnist puts its files below /usr/share/datasets."""
    assert data_folders(OPTIONS)[-1] == Path("/usr/share/datasets")


def test_incomplete_folders_are_passed_over(tmp_path: Path) -> None:
    """Three of four files are not the data set; a complete copy elsewhere is found."""
    _put(tmp_path / "given" / "fashion-mnist", _fashion())
    (tmp_path / "given" / "fashion-mnist" / f"{IDX_STEMS[3]}.gz").unlink()
    assert find(CATALOG["fashion-mnist"], OPTIONS) is None
    _put(tmp_path / "data" / "fashion-mnist", _fashion())
    assert find(CATALOG["fashion-mnist"], OPTIONS) == Path("data/fashion-mnist")


def test_numbered_classes_get_their_names(tmp_path: Path) -> None:
    """Idx files know numbers only; the catalog knows what they mean, and notes the place."""
    _put(tmp_path / "given" / "fashion-mnist", _fashion())
    data = load_catalog("fashion-mnist", OPTIONS)
    assert data.classes == CATALOG["fashion-mnist"].classes
    assert data.y[:3].tolist() == ["T-shirt/top", "Trouser", "Pullover"]
    assert data.name == "fashion-mnist"
    assert data.parts is not None
    assert np.unique(data.parts, return_counts=True)[1].tolist() == [10, 20]
    assert str(tmp_path / "given") in data.notes[0]


@pytest.mark.parametrize("name", ["cifar10.npz", "cifar-10.npz", "cifar_10.npz"])
def test_arrays_are_found_by_every_spelling(tmp_path: Path, name: str) -> None:
    """An .npz file is the data set if shape and classes are; else it is refused by its path."""
    pixels = np.zeros((20, 32, 32, 3), np.uint8)
    (tmp_path / "given").mkdir()
    arrays = {"train_images": pixels, "train_labels": np.arange(20) % 10}
    np.savez(tmp_path / "given" / name, allow_pickle=False, **arrays)
    assert load_catalog("cifar10", OPTIONS).classes[:2] == ("airplane", "automobile")
    arrays["train_labels"] = np.arange(20) % 3
    np.savez(tmp_path / "given" / name, allow_pickle=False, **arrays)
    with pytest.raises(InputError, match=r"32 x 32 x 3 and 10 classes.* has .* 3 classes"):
        load_catalog("cifar10", OPTIONS)


def test_what_is_not_here_is_refused_with_the_places() -> None:
    """The message lists the folders and says how to fetch."""
    with pytest.raises(InputError, match=r"given, data, .*imbalance-assets\..*--download"):
        load_catalog("cifar10", OPTIONS)


def test_pickles_are_never_opened(tmp_path: Path) -> None:
    """If only the form for Python is here, the message says why it is not read."""
    folder = tmp_path / "given" / "cifar-10-batches-py"
    _put(folder, {"data_batch_1": b"cos\nsystem\n(S'touch evil'\ntR."})
    with pytest.raises(InputError, match=r"cifar-10-batches-py is here: pickles.*--download"):
        load_catalog("cifar10", OPTIONS)
    assert not (tmp_path / "evil").exists()


def test_the_list_says_what_is_where(tmp_path: Path) -> None:
    """Every data set is listed, with its place or None."""
    _put(tmp_path / "given" / "fashion-mnist", _fashion())
    found = {entry["name"]: entry["found"] for entry in catalog_entries()}
    assert list(found) == list(CATALOG)
    assert found["digits"] == "scikit-learn"
    assert found["fashion-mnist"] == str(tmp_path / "given" / "fashion-mnist")
    assert found["cifar10"] is None


def test_files_are_fetched_when_asked_and_only_then(
    tmp_path: Path, served: tuple[Path, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Fetching fills the data folder once; afterwards the data is found there."""
    remotes = _remotes(*served, _fashion())
    entry = replace(CATALOG["fashion-mnist"], remotes=remotes)
    monkeypatch.setitem(CATALOG, "fashion-mnist", entry)
    with pytest.raises(InputError, match="--download"):
        load_catalog("fashion-mnist", OPTIONS)
    fetched = load_catalog("fashion-mnist", OPTIONS, download=True)
    shutil.rmtree(served[0])
    again = load_catalog("fashion-mnist", OPTIONS, download=True)
    assert again.fingerprint == fetched.fingerprint
    assert find(entry, OPTIONS) == tmp_path / "cache" / "data" / "fashion-mnist"


def test_fetching_goes_on_where_it_was_cut_off(tmp_path: Path, served: tuple[Path, str]) -> None:
    """Files that are already there are not fetched again."""
    files = _fashion()
    remotes = _remotes(*served, files)
    first = next(iter(files))
    _put(tmp_path / "new" / "fashion-mnist", {first: files[first]})
    (served[0] / first).unlink()
    place = download_entry(
        replace(CATALOG["fashion-mnist"], remotes=remotes), tmp_path / "new", OPTIONS
    )
    assert {path.name for path in place.iterdir()} == set(files)


def _cifar_entry(served: tuple[Path, str], archive: bytes) -> Entry:
    remotes = _remotes(*served, {"cifar-10-binary.tar.gz": archive})
    return replace(CATALOG["cifar10"], remotes=remotes)


def test_cifar_is_unpacked_and_the_archive_removed(
    tmp_path: Path, served: tuple[Path, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The binary form is read after fetching, and only its files are kept."""
    archive = _cifar_archive(extra="readme.html")
    monkeypatch.setitem(CATALOG, "cifar10", _cifar_entry(served, archive))
    data = load_catalog("cifar10", OPTIONS, download=True)
    assert (len(data), data.classes[0]) == (60, "airplane")
    kept = [path.name for path in (tmp_path / "cache" / "data").rglob("*") if path.is_file()]
    assert sorted(kept) == sorted(CIFAR10.files)


def test_hostile_archives_unpack_nothing(tmp_path: Path, served: tuple[Path, str]) -> None:
    """A name that leads out of the archive's folder stops everything."""
    entry = _cifar_entry(served, _cifar_archive(extra="../../evil.sh"))
    with pytest.raises(InputError, match="leads out"):
        download_entry(entry, tmp_path / "new", OPTIONS)
    assert [path.name for path in tmp_path.rglob("*.sh")] == []
    assert find(entry, OPTIONS) is None


def test_a_wrong_sum_stops_the_fetching(tmp_path: Path, served: tuple[Path, str]) -> None:
    """Nothing of a changed archive is unpacked or kept."""
    entry = _cifar_entry(served, _cifar_archive())
    (served[0] / "cifar-10-binary.tar.gz").write_bytes(_cifar_archive(extra="more.bin"))
    with pytest.raises(InputError, match="MD5 sum"):
        download_entry(entry, tmp_path / "new", OPTIONS)
    assert [path for path in tmp_path.rglob("*") if path.is_file()] == []


def test_without_a_network_fetching_is_an_input_error(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The message names the server and what to do."""
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{unused.getsockname()[1]}/cifar-10-binary.tar.gz"
    entry = replace(CATALOG["cifar10"], remotes=(Remote(url=url, md5="0" * 32),))
    monkeypatch.setitem(CATALOG, "cifar10", entry)
    with pytest.raises(InputError, match=r"reachable.*refused.*put it into the data folder"):
        load_catalog("cifar10", OPTIONS, download=True)
    assert [path for path in tmp_path.rglob("*") if path.is_file()] == []


def test_real_fashion_mnist_is_the_same_in_both_forms(
    assets: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The idx files and the .npz file hold equal images, labels and names."""
    forms = []
    for name in ("fashion-mnist", "fashion_mnist.npz"):
        place = tmp_path / name
        place.mkdir()
        (place / name).symlink_to(assets / name)
        monkeypatch.setenv("EQUIPOISE_DATA", str(place))
        forms.append(load_catalog("fashion-mnist", OPTIONS))
    np.testing.assert_array_equal(forms[0].X[::97], forms[1].X[::97])
    np.testing.assert_array_equal(forms[0].codes, forms[1].codes)
    assert forms[0].classes == forms[1].classes
    assert forms[0].counts.tolist() == [7000] * 10
