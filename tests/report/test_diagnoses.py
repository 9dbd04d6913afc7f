"""Laws of the page of a diagnosis: everything is there, nothing is executed or fetched."""

import html
import json
import re
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from equipoise.cli import main
from equipoise.diagnosis import storage
from equipoise.diagnosis.storage import store
from equipoise.errors import InputError
from equipoise.report import diagnoses, write_report
from equipoise.report.diagnoses import is_diagnosis, summarise_diagnosis


@pytest.fixture(scope="module")
def folder(diagnosed: Path) -> Path:
    """A diagnosis of five runs that differ by their seeds."""
    return diagnosed


@pytest.fixture(scope="module")
def page(folder: Path, tmp_path_factory: pytest.TempPathFactory) -> str:
    """The page as text."""
    out = tmp_path_factory.mktemp("page") / "page.html"
    assert main(["report", str(folder), "--out", str(out)]) == 0
    return out.read_text("utf-8")


def _text(page: str) -> str:
    return html.unescape(" ".join(re.sub(r"<[^>]+>", " ", page.partition("<body>")[2]).split()))


def test_the_page_says_all_that_was_found(folder: Path, page: str) -> None:
    """Headline, advice, readings and every measure of every class, of every run."""
    text = _text(page)
    for run in summarise_diagnosis(folder)["runs"]:
        for sentence in (run["headline"], *run["readings"].values()):
            assert " ".join(sentence.split()) in text
        for advice in run["advice"]:
            assert " ".join(advice["remedy"].split()) in text
        for row in run["rows"]:
            assert all(cell in text for _, cell in row["cells"] if cell)


def test_pictures_say_in_words_what_they_show(folder: Path, page: str) -> None:
    """Four of each run, and what orders the runs."""
    labels = re.findall(r'role="img" aria-label="([^"]*)"', page)
    n = len(summarise_diagnosis(folder)["runs"])
    assert len(labels) == 4 * n + 1
    assert labels[0].startswith("Rank correlations over 5 runs")
    assert sum(label.startswith("Where 100 points") for label in labels) == n


def test_names_of_runs_are_text(page: str) -> None:
    """A folder's name is no markup, and nothing is fetched."""
    assert "<b>seed" not in page
    assert "&lt;b&gt;seed 0" in page
    assert re.findall(r'(?:src|href)="(?!data:|#)[^"]*"', page) == []


def test_pictures_of_suspects_are_on_the_page(folder: Path, page: str) -> None:
    """As many as there are, each with its label."""
    n = sum(len(run["suspects"]) for run in summarise_diagnosis(folder)["runs"])
    assert page.count('alt="Training example') == n


def test_rows_of_a_table_are_shown_as_rows(folder: Path, tmp_path: Path) -> None:
    """With their columns, escaped."""
    stored = json.loads((folder / "diagnosis.json").read_text("utf-8"))
    suspect = {
        "place": 3,
        "id": "row 3",
        "label": "a",
        "kind": "looks mislabelled",
        "looks_like": "b",
        "strength": 0.9,
        "row": {"<i>age": "<script>1</script>"},
    }
    run = {**stored["runs"][0], "suspects": [suspect]}
    store(tmp_path / "table", [run], stored["order"], [None])
    write_report([tmp_path / "table"], tmp_path / "page.html")
    page = (tmp_path / "page.html").read_text("utf-8")
    assert "&lt;script&gt;1" in page
    assert "&lt;i&gt;age" in page


def test_errors_side_by_side_are_all_before_a_temperature(folder: Path, tmp_path: Path) -> None:
    """Those after one have rows of their own; also where they once had the name of the others."""
    copy = shutil.copytree(folder, tmp_path / "copy")
    stored = json.loads((copy / "diagnosis.json").read_text("utf-8"))
    before = []
    for number, told in enumerate(stored["runs"]):
        plain, tempered = (each for each in told["calibration"] if each["corrected"])
        assert plain["temperature"] == 1 != tempered["temperature"]
        before.append(plain["log_loss"])
        if number == 0:  # it has no validation examples
            told["calibration"] = [c for c in told["calibration"] if c["temperature"] == 1]
        else:  # an earlier version made it
            told["overall"]["log_loss_corrected"] = tempered["log_loss"]
            told["overall"].pop("log_loss_tempered", None)
    (copy / "diagnosis.json").write_text(json.dumps(stored), "utf-8")
    rows = {row["name"]: row["cells"] for row in summarise_diagnosis(copy)["beside"]}
    assert [value for value, _ in rows["log-loss, corrected"]] == before
    after = [value for value, _ in rows["log-loss, corrected, after a temperature"]]
    assert not set(after) & set(before)


def test_damage_is_told(folder: Path, tmp_path: Path) -> None:
    """Half a file, a file that lacks something, pictures that lack, two diagnoses on one page."""
    stored = json.loads((folder / "diagnosis.json").read_text("utf-8"))
    assert is_diagnosis(folder)
    broken = tmp_path / "broken"
    broken.mkdir()
    for text in ("{", "{}", json.dumps({**stored, "runs": [{"by_class": {}}]})):
        (broken / "diagnosis.json").write_text(text, "utf-8")
        with pytest.raises(InputError):
            write_report([broken], tmp_path / "page.html")
    with pytest.raises(InputError, match="one diagnosis"):
        write_report([folder, broken], tmp_path / "page.html")
    assert not (tmp_path / "page.html").exists()


@pytest.mark.parametrize(
    ("place", "wrong"),
    [
        (("format",), 1),
        (("runs",), []),
        (("runs", 0, "name"), None),
        (("runs", 0, "classes"), []),
        (("runs", 0, "classes", 0), -1),
        (("runs", 0, "counts", 0), "many"),
        (("runs", 0, "notes"), -1),
        (("runs", 0, "by_class", "recall_test"), [0.5]),
        (("runs", 0, "ledger", 0, "low"), float("nan")),
        (("runs", 0, "overall", "nc3"), "x"),
        (("runs", 0, "readings"), []),
        (("runs", 0, "calibration", 0, "brier"), None),
        (("runs", 0, "groups", 0), "none"),
        (("runs", 0, "groups"), ["many"]),
        (("runs", 0, "course", "held_out", 0), [0.5]),
        (("runs", 0, "course", "by_group", "train"), []),
        (("order", "orders", 0, "correlation"), {}),
    ],
)
def test_what_a_stranger_has_changed_is_told(
    place: tuple[str | int, ...], wrong: Any, folder: Path, tmp_path: Path
) -> None:
    """What a page cannot show is refused in words that name it, and there is no page."""
    stored = json.loads((folder / "diagnosis.json").read_text("utf-8"))
    inside = stored
    for key in place[:-1]:
        inside = inside[key]
    inside[place[-1]] = wrong
    (tmp_path / "diagnosis.json").write_text(json.dumps(stored), "utf-8")
    named = [str(key) for key in place if not isinstance(key, int)][-1]
    with pytest.raises(InputError, match="run" if wrong == [] and len(place) == 1 else named):
        write_report([tmp_path], tmp_path / "page.html")
    assert not (tmp_path / "page.html").exists()


def test_the_version_that_is_read_is_the_one_that_is_written() -> None:
    """One number in two places, for pages open without torch."""
    assert diagnoses.FORMAT == storage.FORMAT


def test_old_pictures_go_with_their_diagnosis(folder: Path, tmp_path: Path) -> None:
    """A diagnosis that replaces another leaves none of its pictures."""
    stored = json.loads((folder / "diagnosis.json").read_text("utf-8"))
    run = {**stored["runs"][0], "suspects": []}
    out = tmp_path / "out"
    store(out, [run], stored["order"], [np.zeros((1, 8, 8, 1), np.uint8)])
    assert (out / "suspects-0.npz").exists()
    store(out, [run, run], stored["order"], [None, np.zeros((1, 8, 8, 1), np.uint8)])
    store(out, [run], stored["order"], [None])
    assert [path.name for path in out.iterdir()] == ["diagnosis.json"]
