"""``tuning.json``, read from a run that a stranger may have made."""

import copy
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from equipoise.errors import InputError
from equipoise.report import render, summarise
from equipoise.report.search import read_search


@pytest.fixture(scope="module")
def found(run_folders: dict[str, Path]) -> dict[str, Any]:
    return json.loads((run_folders["tuned"] / "tuning.json").read_text())


def changed(found: dict[str, Any], path: Sequence[str | int], value: Any) -> dict[str, Any]:
    """Return a copy in which one value is another."""
    copied = copy.deepcopy(found)
    inner: Any = copied
    for key in path[:-1]:
        inner = inner[key]
    inner[path[-1]] = value
    return copied


def test_what_a_search_has_found_is_kept(found: dict[str, Any]) -> None:
    """Numbers and texts are those of the file."""
    search = read_search(found)
    assert search["metric"] == "balanced_accuracy"
    assert [search[key] for key in ("taken", "best", "alike")] == [10, 5, 3]
    assert search["roles"][0]["candidates"] == found["mattered"]["roles"][0]["candidates"]
    assert search["fields"][0]["ranges"] == found["mattered"]["fields"][0]["ranges"]
    assert search["said"] == found["mattered"]["said"]
    assert [t["score"] for t in search["trials"][:3]] == [
        t["scores"]["balanced_accuracy"] for t in found["trials"][:3]
    ]


def test_changes_are_those_of_the_prescription(found: dict[str, Any]) -> None:
    """A trial lists the parts that differ from the first trial's, and no others."""
    trials = read_search(found)["trials"]
    assert trials[0]["changes"] == {}
    assert trials[1]["changes"] == {"optimizer": "AdamW()"}
    assert set(trials[2]["changes"]) == {"optimizer", "smoothing"}


def test_time_goes_on_from_trial_to_trial(found: dict[str, Any]) -> None:
    """What has elapsed at the end of a trial is the sum of the seconds up to it."""
    trials = read_search(found)["trials"]
    seconds = [trial["seconds"] for trial in found["trials"]]
    assert trials[4]["elapsed"] == pytest.approx(sum(seconds[:5]))


def test_choices_of_both_recipes_are_told_apart(found: dict[str, Any]) -> None:
    """Numbers stay numbers, for they stand on an axis."""
    search = read_search(found)
    assert search["prescribed"]["optimizer.SGD.lr"] == 0.1
    assert search["chosen"] == found["trials"][10]["choices"]


def test_an_earlier_version_told_less(found: dict[str, Any]) -> None:
    """Without what mattered, the rest is still shown."""
    earlier = {k: v for k, v in found.items() if k not in ("mattered", "compared")}
    search = read_search(earlier)
    assert search["roles"] == search["fields"] == search["compared"] == search["said"] == []


def test_an_ensemble_and_what_none_beats_are_shown(make_run, found: dict[str, Any]) -> None:
    """On the page, with trials, weights and values."""
    folder = make_run(classes=("a", "b"), counts=(9, 3), n_test=(3, 3), done_epochs=1)
    ensemble = {"weights": {"10": 0.75, "0": 0.25}, "score": 0.8, "alone": 0.75}
    front = [{"number": 10, "values": {"balanced_accuracy": 0.75, "seconds": 0.3125}}]
    (folder / "tuning.json").write_text(json.dumps({**found, "ensemble": ensemble, "front": front}))
    page = render([summarise(folder)])
    assert "Trials 10 (0.75), 0 (0.25) predict together" in page
    assert "none beats in one metric without losing in another" in page
    assert "0.3125</td>" in page


HOSTILE: list[tuple[tuple[str | int, ...], Any]] = [
    (("metrics",), []),
    (("metrics", 0), "<script>"),
    (("metrics", 0), "seconds"),
    (("taken",), "0"),
    (("validation",), float("nan")),
    (("validation",), 10**400),
    (("choices",), "none"),
    (("choices", 0, "reason"), ["<b>"]),
    (("mattered",), [1]),
    (("mattered", "said"), "one text"),
    (("mattered", "said"), [{"a": 1}]),
    (("mattered", "roles", 0, "importance"), 1.5),
    (("mattered", "roles", 0, "importance"), -0.5),
    (("mattered", "roles", 0, "p"), "small"),
    (("mattered", "roles", 0, "name"), None),
    (("mattered", "roles", 0, "candidates", 0, "error"), -1.0),
    (("mattered", "roles", 0, "candidates", 0, "mean"), None),
    (("mattered", "fields", 0, "ranges", 0, "low"), 5.0),
    (("mattered", "fields", 0, "ranges", 0, "high"), 1e300),
    (("compared", 0), "a row"),
    (("compared", 0, "taken"), {"a": 1}),
    (("ensemble",), [1]),
    (("ensemble",), {"weights": {"<b>": 1.0}, "score": 0.5, "alone": 0.5}),
    (("ensemble",), {"weights": [0.5], "score": 0.5, "alone": 0.5}),
    (("ensemble",), {"weights": {"0": 2.0}, "score": 0.5, "alone": 0.5}),
    (("ensemble",), {"weights": {"0": 1.0}, "score": "high", "alone": 0.5}),
    (("front",), "all"),
    (("front",), [{"number": 0, "values": [1]}]),
    (("front",), [{"number": "0", "values": {"accuracy": 0.5}}]),
    (("front",), [{"number": 0, "values": {"accuracy": "<i>"}}]),
    (("trials",), []),
    (("trials", 3), None),
    (("trials", 3, "state"), "<i>"),
    (("trials", 3, "seconds"), -1),
    (("trials", 10, "choices"), ["a"]),
    (("trials", 0, "choices", "optimizer"), ["a"]),
    (("trials", 3, "params"), {"optimizer": ["a"]}),
    (("trials", 3, "epochs"), 2.5),
]


@pytest.mark.parametrize(("path", "value"), HOSTILE)
def test_a_value_of_another_kind_is_refused_in_words(
    path: tuple[str | int, ...], value: Any, make_run, found: dict[str, Any]
) -> None:
    """Never a traceback, and never a page with half of it."""
    folder = make_run(classes=("a", "b"), counts=(9, 3), n_test=(3, 3), done_epochs=1)
    (folder / "tuning.json").write_text(json.dumps(changed(found, path, value)))
    with pytest.raises(InputError, match="does not fit together"):
        summarise(folder)


def test_texts_of_a_stranger_never_become_markup(make_run, found: dict[str, Any]) -> None:
    """Wherever a text stands, it is shown as text."""
    attack = "</td><script>window.__xss=1</script><img src=x onerror=alert(1)>"

    def spoilt(value: Any, key: str = "") -> Any:
        if isinstance(value, dict):
            is_free = key in ("params", "choices") and "field" not in value
            return {f"{k}{attack}" if is_free else k: spoilt(v, k) for k, v in value.items()}
        if isinstance(value, list):
            return [spoilt(v, key) for v in value]
        is_text = isinstance(value, str) and key not in ("metrics", "state")
        return f"{value}{attack}" if is_text else value

    folder = make_run(classes=("a", "b"), counts=(9, 3), n_test=(3, 3))
    (folder / "tuning.json").write_text(json.dumps(spoilt(found)))
    page = render([summarise(folder)])
    assert page.count("&lt;script&gt;window.__xss") > 50
    assert page.count("<script") == 1
    assert "<img src=x" not in page
    assert "</td><script" not in page


def test_extreme_values_can_be_drawn(make_run, found: dict[str, Any]) -> None:
    """Tiny ranges, a zero on a logarithmic axis, many rows, no time at all."""
    folder = make_run(classes=("a", "b"), counts=(9, 3), n_test=(3, 3))
    ends = ((0.0, 0.0), (1e-11, 2e-11), (3.0, 9e11))
    wide = [{"low": a, "high": b, "n": 1, "mean": 1e-9, "error": None} for a, b in ends]
    extreme = changed(found, ("mattered", "fields", 0, "ranges"), wide)
    extreme = changed(extreme, ("mattered", "fields", 0, "importance"), 1)
    extreme["mattered"]["roles"] *= 60
    many = enumerate(extreme["trials"] * 9)
    extreme["trials"] = [{**trial, "seconds": 0, "number": k} for k, trial in many]
    (folder / "tuning.json").write_text(json.dumps(extreme))
    page = render([summarise(folder)])
    assert "The first 200 of 369." in page
    assert len(page) < 1_000_000
