"""Laws of reading messy tables on the command line: what fit learnt, predict and evaluate know."""

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from equipoise.cli import main
from equipoise.experiment import Experiment, prepare
from equipoise.runs import Run

FAST = ["--epochs", "1", "--backbone", "MLP(layers=1, width=8)", "--device", "cpu"]


def _patients(n: int = 120) -> pd.DataFrame:
    """A hospital's export: decimal commas, thousands, German dates, and an umlaut."""
    random = np.random.default_rng(0)
    y = np.where(np.arange(n) % 4 == 0, "Fußödem", "Gesund")
    ill = y == "Fußödem"
    frame = {
        "Pat ID": [f"P{i:05d}" for i in range(n)],
        "Aufnahme": [f"{1 + i % 28:02d}.{1 + i % 12:02d}.{2020 + i % 3}" for i in range(n)],
        "Kosten": [_german(value) for value in random.normal(2500 + 900 * ill, 400)],
        "CRP": [_german(value) for value in random.normal(20 + 30 * ill, 5)],
        "Station": random.choice(["Chirurgie", "Innere"], n),
        "Diagnose": y,
    }
    return pd.DataFrame(frame)


def _german(value: float) -> str:
    return f"{value:,.2f}".replace(",", "_").replace(".", ",").replace("_", ".")


def _write(frame: pd.DataFrame, path: Path, encoding: str = "utf-8") -> str:
    frame.to_csv(path, index=False, sep=";", encoding=encoding)
    return str(path)


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run on patients, in a Western encoding, with a text that means missing."""
    folder = tmp_path_factory.mktemp("patients")
    frame = _patients()
    frame.loc[3, ["CRP", "Station"]] = "k.A."
    frame.loc[5, "CRP"] = "<0,5"
    data = _write(frame, folder / "patients.csv", "cp1252")
    options = ["--encoding", "cp1252", "--missing", "k.A.", "--label", "Diagnose"]
    assert main(["fit", data, *options, "--out", str(folder / "run"), *FAST]) == 0
    return folder / "run"


def _predicted(run: Path, frame: pd.DataFrame, folder: Path, *options: str) -> pd.DataFrame:
    data = _write(frame, folder / "new.csv", "cp1252")
    arguments = ["predict", str(run), data, "--out", str(folder / "p.csv"), "--device", "cpu"]
    assert main([*arguments, *options]) == 0
    predicted = pd.read_csv(folder / "p.csv")
    (folder / "p.csv").unlink()
    return predicted


def test_a_run_keeps_how_its_table_was_read(run: Path) -> None:
    """Options stand in its configuration, and so does the mark that the numbers proved."""
    reading = Run.open(run).config["data"]["reading"]
    assert reading["decimal"] == "comma"
    assert (reading["missing"], reading["encoding"], reading["dates"]) == (
        ["k.A."],
        "cp1252",
        "auto",
    )


def test_a_single_row_is_predicted_as_in_the_whole_file(run: Path, tmp_path: Path) -> None:
    """Decimal mark, order of dates, kinds and missing texts come from the run, row by row."""
    frame = _patients().drop(columns="Diagnose").head(12)
    frame.loc[3, ["CRP", "Station"]] = "k.A."
    whole = _predicted(run, frame, tmp_path)
    for row in (0, 3, 7):
        alone = _predicted(run, frame.iloc[[row]], tmp_path)
        np.testing.assert_allclose(alone.iloc[0, 2:], whole.iloc[row, 2:].astype(float), rtol=1e-5)


def test_known_odd_text_is_missing_at_any_share(run: Path, tmp_path: Path, capsys) -> None:
    """<0,5 stood in training: a file of two rows with one of it is predicted, with a note."""
    frame = _patients().drop(columns="Diagnose").head(2)
    frame.loc[1, "CRP"] = "<0,5"
    frame.loc[0, "Station"] = "Kardiologie"
    _predicted(run, frame, tmp_path, "--json")
    notes = " ".join(json.loads(capsys.readouterr().out)["notes"])
    assert "'CRP', 1 of 2 rows counts as missing" in notes
    assert "'<0,5' (row 1)" in notes
    assert "'Station', 1 of 2 rows has a category" in notes
    assert "'Kardiologie' (row 0)" in notes


def test_new_odd_text_is_refused_with_its_row_and_can_be_allowed(
    run: Path, tmp_path: Path, capsys
) -> None:
    """Above 5 % the message names row and remedy; the remedy works and adds to what was known."""
    frame = _patients().drop(columns="Diagnose").head(4)
    frame.loc[2, "CRP"] = "unter Nachweis"
    frame.loc[3, "CRP"] = "k.A."
    data = _write(frame, tmp_path / "new.csv", "cp1252")
    out = ["--out", str(tmp_path / "p.csv"), "--device", "cpu"]
    assert main(["predict", str(run), data, *out]) == 2
    told = capsys.readouterr().err
    assert "'CRP' must hold numbers" in told
    assert "'unter Nachweis' in row 2" in told
    assert "--missing 'unter Nachweis'" in told
    assert not (tmp_path / "p.csv").exists()
    assert main(["predict", str(run), data, *out, "--missing", "unter Nachweis"]) == 0


def test_the_other_decimal_mark_is_refused_not_misread(run: Path, tmp_path: Path, capsys) -> None:
    """A file with decimal points is read if that is said, and then gives the same predictions."""
    frame = _patients().drop(columns="Diagnose").head(6)
    expected = _predicted(run, frame, tmp_path)
    for name in ("Kosten", "CRP"):
        frame[name] = frame[name].str.replace(".", "").str.replace(",", ".")
    data = _write(frame, tmp_path / "points.csv")
    out = ["--out", str(tmp_path / "p.csv"), "--device", "cpu"]
    assert main(["predict", str(run), data, *out]) == 2
    told = capsys.readouterr().err
    assert "can only separate thousands" in told
    assert "--decimal point" in told
    assert main(["predict", str(run), data, *out, "--decimal", "point"]) == 0
    pd.testing.assert_frame_equal(pd.read_csv(tmp_path / "p.csv"), expected)


@pytest.mark.parametrize("mark", [",", "."])
def test_text_in_test_rows_alone_does_not_stop_a_fit(tmp_path: Path, mark: str) -> None:
    """What stands among numbers in the sealed rows only counts as missing there."""
    frame = _patients()
    frame["CRP"] = frame["CRP"].str.replace(".", "").str.replace(",", mark)
    frame["Kosten"] = frame["Kosten"].str.replace(".", "").str.replace(",", mark)
    data = _write(frame, tmp_path / "t.csv")
    sealed = prepare(Experiment(source=data, options=_options()), 0.1).test
    frame.loc[sealed[:3], "CRP"] = "k.A."
    frame.loc[sealed[4], "Aufnahme"] = "unbekannt"
    data = _write(frame, tmp_path / "t.csv")
    arguments = ["fit", data, "--label", "Diagnose", "--out", str(tmp_path / "run"), *FAST]
    assert main(arguments) == 0
    config = Run.open(tmp_path / "run").config
    note = next(note for note in config["data"]["notes"] if "'CRP'" in note)
    assert "3 of 120 values are no numbers and count as missing: 'k.A.'" in note
    assert all(str(row) in note for row in sorted(sealed[:3]))


def _options():
    from equipoise.data.options import ReadOptions  # noqa: PLC0415

    return ReadOptions(label="Diagnose")


def test_a_start_that_cannot_read_the_table_is_refused_before_training(
    run: Path, tmp_path: Path, capsys
) -> None:
    """Categories where the earlier run had numbers end the fit before a run folder is made."""
    frame = _patients()
    frame["CRP"] = np.where(np.arange(len(frame)) % 2, "hoch", "normal")
    frame["Pat ID"] = [f"Q{i:05d}" for i in range(len(frame))]
    data = _write(frame, tmp_path / "t.csv")
    arguments = ["fit", data, "--label", "Diagnose", "--initial", str(run), *FAST[:2], *FAST[4:]]
    assert main([*arguments, "--out", str(tmp_path / "run")]) == 2
    assert "'CRP' must hold numbers" in capsys.readouterr().err
    assert not (tmp_path / "run").exists()


def test_text_in_test_rows_does_not_stop_a_fit_from_an_earlier_run(
    run: Path, tmp_path: Path
) -> None:
    """What the earlier run did not know but is rare in the table counts as missing in all parts."""
    frame = _patients()
    frame["Pat ID"] = [f"Q{i:05d}" for i in range(len(frame))]
    data = _write(frame, tmp_path / "t.csv")
    sealed = prepare(Experiment(source=data, options=_options()), 0.1).test
    frame.loc[sealed[:4], "CRP"] = "nicht bestimmt"
    data = _write(frame, tmp_path / "t.csv")
    arguments = ["fit", data, "--label", "Diagnose", "--initial", str(run), *FAST[:2], *FAST[4:]]
    assert main([*arguments, "--out", str(tmp_path / "run")]) == 0


def test_rows_without_labels_are_sent_to_predict(run: Path, tmp_path: Path, capsys) -> None:
    """`evaluate` says which command takes them."""
    data = _write(_patients().drop(columns="Diagnose"), tmp_path / "new.csv", "cp1252")
    assert main(["evaluate", str(run), data, "--device", "cpu"]) == 2
    told = capsys.readouterr().err
    assert "'Diagnose' must be in the table" in told
    assert "use `equipoise predict`" in told


def test_evaluate_reads_labelled_data_as_fit_did(run: Path, tmp_path: Path, capsys) -> None:
    """Two labelled rows with known odd text are measured, and the text is told."""
    frame = _patients().iloc[[0, 1]].copy()
    frame["CRP"] = "<0,5"
    data = _write(frame, tmp_path / "two.csv", "cp1252")
    assert main(["evaluate", str(run), data, "--device", "cpu", "--json"]) == 0
    printed = capsys.readouterr()
    assert json.loads(printed.out)["n"] == 2
    assert "'<0,5'" in printed.err


def test_description_tells_what_fit_will_do(tmp_path: Path, capsys) -> None:
    """Columns left out with the reason, text among numbers, categories, dates, decimal mark."""
    frame = _patients()
    frame.loc[3, "CRP"] = "k.A."
    data = _write(frame, tmp_path / "t.csv")
    assert main(["data", "describe", data, "--label", "Diagnose"]) == 0
    shown = " ".join(capsys.readouterr().out.split())
    for words in ("left out", "2 categories", "2020-01-01 to 2022-", "comma", "0 + 1 text"):
        assert words in shown
    assert main(["data", "describe", data, "--label", "Diagnose", "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert any("'k.A.' (row 3)" in note for note in found["notes"])


def test_a_text_that_begins_with_a_hyphen_can_mean_missing(tmp_path: Path, capsys) -> None:
    """--missing takes `-` and `-9`, once for each."""
    (tmp_path / "t.csv").write_text("a,b,y\n" + "1,-,u\n-9,x,v\n3,x,u\n4,z,v\n")
    arguments = ["data", "describe", str(tmp_path / "t.csv"), "--missing", "-", "--missing", "-9"]
    assert main([*arguments, "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert [column["missing"] for column in found["columns"]] == [1, 1]
