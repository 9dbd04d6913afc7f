"""Plain data from run folders."""

import base64
import io
import json
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from equipoise.errors import InputError
from equipoise.report import summarise
from equipoise.report.pictures import LARGEST, data_uri


@pytest.fixture
def copied(run_folders: dict[str, Path], tmp_path: Path) -> Path:
    """A finished run that a test may damage."""
    return Path(shutil.copytree(run_folders["table"], tmp_path / "copied"))


@pytest.mark.parametrize("name", ["images", "table", "hundred", "partial", "pretraining", "scarce"])
def test_a_summary_is_plain_data(run_folders: dict[str, Path], name: str) -> None:
    """A summary survives the way through JSON unchanged."""
    summary = summarise(run_folders[name])
    assert json.loads(json.dumps(summary, allow_nan=False)) == summary


def test_numbers_are_those_of_the_test_set(run_folders: dict[str, Path]) -> None:
    """The headline shows what metrics.json says about the test part, before and after."""
    metrics = json.loads((run_folders["table"] / "metrics.json").read_text())["test"]
    headline = summarise(run_folders["table"])["headline"]
    for prior in ("as_is", "balanced"):
        overall, shown = metrics[prior]["overall"], headline[prior]
        assert shown["balanced_accuracy"] == overall["balanced_accuracy"]
        assert shown["worst_class_recall"] == overall["worst_class_recall"]
        assert shown["worst"]["recall"]["value"] == overall["worst_class_recall"]["value"]
        assert shown["few"]["recall"] == metrics[prior]["groups"]["few"]["recall"]


def test_counts_belong_to_their_classes(run_folders: dict[str, Path]) -> None:
    """Each class carries its own three counts; the ratio is largest over smallest."""
    summary = summarise(run_folders["table"])
    assert summary["classes"][2] == {"name": "graphic", "train": 18, "validation": 3, "test": 3}
    assert summary["ratio"] == pytest.approx(3144 / 18)


def test_an_unfinished_run_tells_how_far_it_is(run_folders: dict[str, Path]) -> None:
    """Without DONE there is progress, but no result."""
    summary = summarise(run_folders["partial"])
    assert summary["progress"] == {"epoch": 7, "epochs": 40}
    assert summary["results"] is None
    assert summary["headline"] is None
    assert summary["seconds"] == pytest.approx(7 * 6.5)
    assert not summary["complete"]


def test_a_run_that_has_just_begun_can_be_summarised(make_run) -> None:
    """A folder with nothing but its configuration is a run."""
    folder = make_run(
        classes=("a", "b"), counts=(5, 0), n_test=(1, 1), done_epochs=0, finished=False
    )
    summary = summarise(folder)
    assert summary["history"] == []
    assert summary["best_epoch"] is None
    assert summary["ratio"] is None
    assert summary["seconds"] is None


def test_the_kept_epoch_is_the_last_one_marked(copied: Path) -> None:
    """Each new best epoch is marked; the last of them is the one whose weights are kept."""
    rows = [json.loads(line) for line in (copied / "history.jsonl").read_text().splitlines()]
    for row in rows:
        row["best"] = row["epoch"] in (3, 5, 9)
    (copied / "history.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    assert summarise(copied)["best_epoch"] == 9


def test_mistakes_are_named_and_shown_pixel_by_pixel(run_folders: dict[str, Path]) -> None:
    """A picture in the page holds the same pixels as the run, under the names of its classes."""
    arrays = np.load(run_folders["images"] / "mistakes.npz", allow_pickle=False)
    summary = summarise(run_folders["images"])
    classes = [c["name"] for c in summary["classes"]]
    for k in (0, 7):
        mistake = summary["mistakes"][k]
        encoded = mistake["picture"].partition(",")[2]
        pixels = np.asarray(Image.open(io.BytesIO(base64.b64decode(encoded))))
        np.testing.assert_array_equal(pixels, arrays["images"][k, :, :, 0])
        assert mistake["true"] == classes[arrays["true"][k]]
        assert mistake["predicted"] == classes[arrays["predicted"][k]]


def test_large_pictures_are_scaled_down() -> None:
    """No picture makes the page large; its shape stays."""
    uri = data_uri(np.zeros((400, 800, 3), dtype=np.uint8))
    picture = Image.open(io.BytesIO(base64.b64decode(uri.partition(",")[2])))
    assert picture.size == (LARGEST, LARGEST // 2)


def test_a_table_shows_the_rows_of_its_mistakes(run_folders: dict[str, Path]) -> None:
    """Mistakes on a table carry the columns of the row."""
    first = summarise(run_folders["table"])["mistakes"][0]
    assert list(first["row"]) == summarise(run_folders["table"])["data"]["columns"]
    assert isinstance(first["true"], str)


def test_a_run_of_another_format_is_refused(copied: Path) -> None:
    """The format version is checked before anything is read from the folder."""
    text = (copied / "config.toml").read_text()
    (copied / "config.toml").write_text(text.replace("format = 1\n", "format = 99\n"))
    with pytest.raises(InputError, match="99"):
        summarise(copied)


def test_a_folder_that_is_no_run_is_refused(tmp_path: Path) -> None:
    """The message names the folder."""
    with pytest.raises(InputError, match=str(tmp_path)):
        summarise(tmp_path)


@pytest.mark.parametrize(
    ("file", "text"),
    [
        ("metrics.json", "{"),
        ("metrics.json", '{"test": {"as_is": {}, "balanced": {}}}'),
        ("metrics.json", "[]"),
        ("history.jsonl", '{"seconds": 1.0}\n'),
        ("config.toml", "format = 1\n[data]\nname = 'x'\n"),
        ("mistakes.json", '[{"id": "1", "true": 99, "predicted": 0}]'),
    ],
)
def test_damaged_files_are_told_without_a_traceback(copied: Path, file: str, text: str) -> None:
    """Whatever a file holds, the user gets an InputError that names the folder."""
    (copied / file).write_text(text)
    with pytest.raises(InputError, match="copied"):
        summarise(copied)


@pytest.mark.parametrize("line", ["prior = [0.5]", 'prior = "even"', 'parameters = "many"'])
def test_a_damaged_network_is_told_without_a_traceback(copied: Path, line: str) -> None:
    """The newer keys are checked like the others."""
    head = (copied / "config.toml").read_text().partition("[network]")[0]
    (copied / "config.toml").write_text(f"{head}[network]\n{line}\n")
    with pytest.raises(InputError, match="copied"):
        summarise(copied)


def test_an_older_configuration_still_opens(copied: Path) -> None:
    """A run that kept only the number of parameters, or nothing of the network, is a run."""
    head = (copied / "config.toml").read_text().partition("[network]")[0]
    for table, parameters in (("[network]\nparameters = 7\n", 7), ("", None)):
        (copied / "config.toml").write_text(head + table)
        network = summarise(copied)["network"]
        assert network["parameters"] == parameters
        assert network["prior"] is None


def test_pretraining_claims_no_results(run_folders: dict[str, Path]) -> None:
    """It has a loss and settings; no epoch was chosen, nothing was measured."""
    summary = summarise(run_folders["pretraining"])
    assert summary["pretraining"]["objective"] == "SimCLR()"
    assert summary["title"] == "Fashion-MNIST, pre-training of ResNet(depth=32)"
    for name in ("best_epoch", "results", "headline", "counted_accuracy"):
        assert summary[name] is None
    assert summary["cautions"] == summary["mistakes"] == []
    assert summarise(run_folders["images"])["pretraining"] is None


def test_without_validation_no_epoch_was_chosen(copied: Path) -> None:
    """The last epoch is kept then, which is no choice by validation examples."""
    rows = [json.loads(line) for line in (copied / "history.jsonl").read_text().splitlines()]
    assert summarise(copied)["best_epoch"] is not None
    bare = [json.dumps(row | {"validation": {}, "best": True}) for row in rows]
    (copied / "history.jsonl").write_text("\n".join(bare) + "\n")
    assert summarise(copied)["best_epoch"] is None


def test_pickles_are_refused(run_folders: dict[str, Path], tmp_path: Path) -> None:
    """Opening a stranger's run executes no code."""
    folder = Path(shutil.copytree(run_folders["images"], tmp_path / "run"))
    objects = np.array([{"code": 1}], dtype=object)
    np.savez(folder / "mistakes.npz", images=objects, ids=objects)
    with pytest.raises(InputError, match="mistakes"):
        summarise(folder)


def test_reports_need_neither_torch_nor_pyplot(run_folders: dict[str, Path]) -> None:
    """A summary loads no plotting library, and a page loads no torch and no global figures."""
    program = (
        "import sys; from pathlib import Path; from equipoise import report;"
        f"summary = report.summarise(Path({str(run_folders['images'])!r}));"
        "assert 'matplotlib' not in sys.modules; report.render([summary]);"
        "loaded = {'torch', 'pandas', 'matplotlib.pyplot'} & set(sys.modules);"
        "sys.exit(str(loaded) if loaded else 0)"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], check=False, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
