"""Laws of written predictions: what says which row is which, and what is never overwritten."""

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from equipoise.cli import main
from equipoise.loading import load_run

Predict = Callable[..., int]
N = 40


def _frame() -> pd.DataFrame:
    random = np.random.default_rng(0)
    sick = np.arange(N) % 4 == 0
    return pd.DataFrame(
        {
            "patient": [f"{number:03d}" for number in range(N)],
            "age": random.normal(size=N) + 2 * sick,
            "note": [f"text {random.integers(10**9)}" for _ in range(N)],
            "ward": np.where(random.random(N) < 0.5, "1e5", "002"),
            "outcome": np.where(sick, "sick", "well"),
        }
    )


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run that leaves out the columns `patient` and `note`."""
    folder = tmp_path_factory.mktemp("predict")
    _frame().to_csv(folder / "t.csv", index=False)
    fit = ["fit", str(folder / "t.csv"), "--label", "outcome", "--drop", "patient"]
    assert main([*fit, "--out", str(folder / "run"), "--epochs", "2", "--device", "cpu"]) == 0
    return folder / "run"


@pytest.fixture
def predict(run: Path, tmp_path: Path) -> Predict:
    """Predict a frame into ``p.csv``, or another file, and return the status."""

    def call(frame: pd.DataFrame, *options: str, out: str = "p.csv") -> int:
        frame.to_csv(tmp_path / "new.csv", index=False)
        command = ["predict", str(run), str(tmp_path / "new.csv"), "--device", "cpu"]
        return main([*command, "--out", str(tmp_path / out), *options])

    return call


def _written(tmp_path: Path) -> pd.DataFrame:
    return pd.read_csv(tmp_path / "p.csv", dtype=str)


def test_columns_are_carried_over_as_they_are_written(predict: Predict, tmp_path: Path) -> None:
    """Dropped columns, free text, features and the label come along, zeros in front included."""
    carried = ["note", "patient", "ward", "outcome", "age"]
    assert predict(_frame(), *(word for name in carried for word in ("--id", name))) == 0
    written, given = _written(tmp_path), pd.read_csv(tmp_path / "new.csv", dtype=str)
    assert list(written)[:6] == [*carried, "predicted"]
    pd.testing.assert_frame_equal(written[carried], given[carried])


def test_carrying_columns_changes_no_prediction(predict: Predict, tmp_path: Path) -> None:
    """Probabilities are the same with and without, and the row number is the usual id."""
    assert predict(_frame(), "--id", "patient") == 0
    carried = _written(tmp_path)
    assert predict(_frame(), "--overwrite") == 0
    plain = _written(tmp_path)
    assert plain["id"].tolist() == [str(row) for row in range(N)]
    pd.testing.assert_frame_equal(carried.drop(columns="patient"), plain.drop(columns="id"))


def test_probabilities_have_six_digits_and_still_sum_to_one(
    predict: Predict, run: Path, tmp_path: Path
) -> None:
    """What is written is the classifier's probability to within a part in a million."""
    frame = _frame()
    assert predict(frame) == 0
    columns = ["probability of sick", "probability of well"]
    written = _written(tmp_path)[columns]
    assert all(len(text.replace(".", "").lstrip("0")) <= 6 for text in written.stack())
    values = written.astype(float).to_numpy()
    assert np.abs(values.sum(axis=1) - 1).max() < 2e-6
    expected = load_run(run, "cpu").predict_proba(frame)
    np.testing.assert_allclose(values, expected, rtol=2e-6)


def test_text_that_spreadsheets_execute_is_written_as_it_is_and_pointed_out(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Labels are read back equal to those of training; Parquet is for machines."""
    names = {"sick": "=cmd|' /C calc'!A0", "well": "-1"}
    frame = _frame().assign(outcome=lambda t: t["outcome"].map(names))
    frame.to_csv(tmp_path / "t.csv", index=False)
    quick = ["--epochs", "2", "--device", "cpu", "--drop", "patient"]
    fit = ["fit", str(tmp_path / "t.csv"), "--label", "outcome", "--out", str(tmp_path / "run")]
    assert main([*fit, *quick]) == 0
    command = ["predict", str(tmp_path / "run"), str(tmp_path / "t.csv"), "--id", "outcome"]
    capsys.readouterr()
    for out, is_said in ("p.csv", True), ("p.parquet", False):
        assert main([*command, "--json", "--out", str(tmp_path / out)]) == 0
        notes = json.loads(capsys.readouterr().out)["notes"]
        told = [note for note in notes if note.startswith(f"Text such as {names['sick']!r} is")]
        assert len(told) == is_said
    written = _written(tmp_path)
    assert written["outcome"].tolist() == frame["outcome"].tolist()
    assert set(written["predicted"]) <= set(names.values())


def test_an_existing_file_is_kept_unless_told_otherwise(
    predict: Predict, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Without --overwrite nothing is read and the file stays."""
    (tmp_path / "p.csv").write_text("mine")
    assert predict(_frame()) == 2
    assert "--overwrite" in capsys.readouterr().err
    assert (tmp_path / "p.csv").read_text() == "mine"
    assert predict(_frame(), "--overwrite") == 0
    assert len(_written(tmp_path)) == N


def test_parquet_keeps_every_digit(predict: Predict, run: Path, tmp_path: Path) -> None:
    """Only text is rounded."""
    frame = _frame()
    assert predict(frame, "--id", "patient", out="p.parquet") == 0
    written = pd.read_parquet(tmp_path / "p.parquet")
    assert written["patient"].tolist() == frame["patient"].tolist()
    proba = load_run(run, "cpu").predict_proba(frame)
    np.testing.assert_array_equal(written["probability of sick"], proba[:, 0])


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (["--id", "pateint"], "Did you mean 'patient'?"),
        (["--id", "patient", "--id", "patient"], "twice"),
        (["--id", "predicted"], "twice"),
    ],
)
def test_columns_that_cannot_be_carried_are_refused(
    predict: Predict, options: list[str], words: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """A column that is not there, is named twice, or has a name of the result's own."""
    assert predict(_frame().assign(predicted=1), *options) == 2
    assert words in capsys.readouterr().err


def test_no_prior_can_be_asked_for(predict: Predict, tmp_path: Path) -> None:
    """`--prior none` is what the network gives, as the run's own prior `train` is here."""
    assert predict(_frame(), "--prior", "none") == 0
    plain = _written(tmp_path)
    assert predict(_frame(), "--overwrite") == 0
    pd.testing.assert_frame_equal(plain, _written(tmp_path))
    assert predict(_frame(), "--overwrite", "--prior", "balanced") == 0
    assert not plain.equals(_written(tmp_path))


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ([], "for the class frequencies of training, as the run was made (--prior changes it)."),
        (["--prior", "balanced"], "for equally frequent classes."),
        (["--prior", "none"], "as the network gives them."),
        (["--prior", "em"], "for the class frequencies that are estimated."),
        (["--prior", "sick=0.2,well=0.8"], "for the class frequencies that are given."),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)
def test_it_is_told_which_frequencies_predictions_are_for(
    given: list[str], words: str, predict: Predict, capsys: pytest.CaptureFixture[str]
) -> None:
    """In words, and for machines the probability of each class; none where none was asked for."""
    assert predict(_frame(), *given) == 0
    assert words in " ".join(capsys.readouterr().err.split())
    assert predict(_frame(), *given, "--overwrite", "--json") == 0
    told = json.loads(capsys.readouterr().out)["prior"]
    assert (told is None) == (given == ["--prior", "none"])
    if given == ["--prior", "balanced"]:
        assert set(told.values()) == {1 / len(told)}


def test_an_index_of_images_carries_its_columns(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Rows of files that are left out as broken are left out; a folder has no columns."""
    rows = []
    for at in range(20):
        pixels = np.random.default_rng(at).integers(0, 256, (8, 8), dtype=np.uint8)
        Image.fromarray(pixels).save(tmp_path / f"{at}.png")
        rows.append({"image": f"{at}.png", "label": "ab"[at % 2], "patient": f"{at:02d}"})
    frame = pd.DataFrame(rows)
    frame.to_csv(tmp_path / "index.csv", index=False)
    data, out = str(tmp_path / "index.csv"), str(tmp_path / "run")
    small = ["--backbone", "ResNet(depth=8, width=4)", "--epochs", "1", "--device", "cpu"]
    assert main(["fit", data, "--out", out, *small]) == 0
    (tmp_path / "3.png").write_bytes(b"")
    command = ["predict", out, data, "--out", str(tmp_path / "p.csv"), "--device", "cpu"]
    assert main([*command, "--skip-broken", "--id", "patient", "--id", "image"]) == 0
    written, kept = _written(tmp_path), frame.drop(index=3)
    assert written["patient"].tolist() == kept["patient"].tolist()
    assert written["image"].tolist() == kept["image"].tolist()
    command[2] = str(tmp_path)
    assert main([*command, "--overwrite", "--skip-broken", "--id", "patient"]) == 2
    assert "--id" in capsys.readouterr().err


@pytest.mark.parametrize("method", ["em", "bbse", "EM"])
def test_frequencies_can_be_estimated_from_the_examples(
    method: str, predict: Predict, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """They are told with intervals, and what is written is corrected to them."""
    assert predict(_frame(), "--prior", method, "--json") == 0
    found = json.loads(capsys.readouterr().out)["estimated_prior"]
    assert found["method"] == method.lower()
    shares = {name: own["value"] for name, own in found["classes"].items()}
    assert sum(shares.values()) == pytest.approx(1)
    assert all(own["low"] <= own["high"] for own in found["classes"].values())
    estimated = _written(tmp_path)
    given = ",".join(f"{name}={value!r}" for name, value in shares.items())
    assert predict(_frame(), "--prior", given, "--overwrite") == 0
    assert _written(tmp_path).equals(estimated)


def test_estimates_from_few_examples_are_told_to_be_unsure(
    predict: Predict, capsys: pytest.CaptureFixture[str]
) -> None:
    """With fewer than ten for each class there is a note; with more there is none."""
    for rows, is_noted in ((19, True), (20, False)):
        assert predict(_frame()[:rows], "--prior", "em", "--json", "--overwrite") == 0
        notes = json.loads(capsys.readouterr().out)["notes"]
        assert any(f"from {rows} examples" in note for note in notes) == is_noted


def test_without_held_out_examples_bbse_says_what_else_to_do(
    run: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """A run that has learnt from all keeps none, and nothing is written."""
    table, out = str(run.parent / "t.csv"), str(tmp_path / "run")
    fit = ["fit", table, "--label", "outcome", "--validation", "0", "--epochs", "1"]
    assert main([*fit, "--device", "cpu", "--out", out]) == 0
    written = tmp_path / "p.csv"
    assert main(["predict", out, table, "--prior", "bbse", "--out", str(written)]) == 2
    assert "This run has kept none: it has learnt from all" in capsys.readouterr().err
    assert not written.exists()
