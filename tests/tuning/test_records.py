"""Laws of records: what a trial leaves behind is read back as it was."""

from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from equipoise.errors import InputError
from equipoise.runs import Run
from equipoise.tuning.records import (
    Record,
    fold_folder,
    folder_of,
    read_held_out,
    read_record,
    read_records,
    remove_models,
    save_held_out,
)
from equipoise.tuning.scores import HeldOut

RECORD = Record(
    number=7,
    choices={"optimizer": "SGD", "optimizer.SGD.lr": 0.1, "backbone.MLP.numeric": None},
    params={"optimizer": "SGD()", "mixing": None},
    epochs=20,
    pace=0.25,
    state="complete",
    best_epochs=(10, 15),
    scores={"accuracy": 1 / 3},
    seconds=12.5,
    message='a "message"',
)


def _held(rows: list[int]) -> HeldOut:
    logits = np.random.default_rng(0).normal(size=(len(rows), 3))
    return HeldOut(np.array(rows), np.array(rows) % 3, logits)


def test_a_record_is_read_back_as_it_was_written(tmp_path: Path) -> None:
    """To the last digit, with None, and with epochs that cannot be changed."""
    RECORD.save(tmp_path)
    assert read_record(tmp_path) == RECORD


def test_a_folder_without_a_record_has_none(tmp_path: Path) -> None:
    """A trial that was killed before it wrote anything has not begun."""
    folder_of(tmp_path, 0).mkdir(parents=True)
    RECORD.save(folder_of(tmp_path, 7))
    assert read_record(tmp_path) is None
    assert read_records(tmp_path) == [RECORD]
    assert read_records(tmp_path / "none") == []


@pytest.mark.parametrize(
    ("changes", "fault"),
    [
        ({"shadow": 1}, "shadow is unknown"),
        ({"number": None}, "number is not a whole number"),
        ({"number": -1}, "number is -1"),
        ({"epochs": 2.5}, "epochs is not a whole number"),
        ({"pace": "fast"}, "pace is not a number"),
        ({"state": "done"}, "state is 'done'"),
        ({"best_epochs": 3}, "best_epochs is no list"),
        ({"scores": {"accuracy": "high"}}, "scores.accuracy is not a number"),
        ({"choices": []}, "choices is no object"),
    ],
)
def test_a_record_of_another_shape_is_refused(
    changes: dict[str, Any], fault: str, tmp_path: Path
) -> None:
    """It may be a stranger's: what is wrong with it is said, and which file it is."""
    RECORD.save(tmp_path)
    known = Run(tmp_path).read_json("trial.json")
    Run(tmp_path).write_json("trial.json", {**known, **changes})
    with pytest.raises(InputError, match=f"trial.json of a search .*trial.json`, {fault}"):
        read_record(tmp_path)


@pytest.mark.parametrize("name", asdict(RECORD))
def test_a_record_that_lacks_a_key_is_refused(name: str, tmp_path: Path) -> None:
    """None is guessed."""
    found = {key: value for key, value in asdict(RECORD).items() if key != name}
    Run(tmp_path).write_json("trial.json", found)
    with pytest.raises(InputError, match=f"lacks {name}"):
        read_record(tmp_path)


def test_records_come_by_number(tmp_path: Path) -> None:
    """Ten thousand and more come after nine thousand."""
    numbers = [10_000, 2, 9_999, 0, 123]
    for number in numbers:
        Record(number=number).save(folder_of(tmp_path, number))
    assert [record.number for record in read_records(tmp_path)] == sorted(numbers)


def test_the_share_is_worked_out() -> None:
    """Of 20 epochs the best ones, 10 and 15, came after 62.5 % on average."""
    assert RECORD.best_share == 0.625


def test_predictions_of_folds_are_joined_in_the_order_of_the_rows(tmp_path: Path) -> None:
    """Each fold can be had alone, too, and is stored in single precision."""
    folds = [_held([4, 0, 9]), _held([2, 7])]
    for number, held in enumerate(folds):
        save_held_out(tmp_path, number, held)
    folds = [replace(held, logits=held.logits.astype(np.float32)) for held in folds]
    alone, joined = read_held_out(tmp_path, 1), read_held_out(tmp_path)
    assert alone is not None
    assert joined is not None
    assert np.array_equal(alone.logits, folds[1].logits)
    assert joined.rows.tolist() == [0, 2, 4, 7, 9]
    assert joined.codes.tolist() == [0, 2, 1, 1, 0]
    assert np.array_equal(joined.logits[2], folds[0].logits[0])
    assert np.array_equal(joined.logits[3], folds[1].logits[1])


def test_without_predictions_there_are_none(tmp_path: Path) -> None:
    """Not of a trial that failed at once, nor of a fold that was not reached."""
    assert read_held_out(tmp_path) is None
    save_held_out(tmp_path, 0, _held([1]))
    assert read_held_out(tmp_path, 1) is None


def test_models_are_removed_and_nothing_else(tmp_path: Path) -> None:
    """Of all folds, however many there are."""
    for fold in (0, 1, 12):
        fold_folder(tmp_path, fold).mkdir()
        for name in ("model.safetensors", "preprocessing.json", "network.json"):
            (fold_folder(tmp_path, fold) / name).touch()
        (tmp_path / f"fold{fold}.npz").touch()
    remove_models(tmp_path)
    assert {path.name for path in tmp_path.iterdir()} == {"fold0.npz", "fold1.npz", "fold12.npz"}
    remove_models(tmp_path)
