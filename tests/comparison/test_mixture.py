"""Laws of what is said where several comparisons are read as one."""

from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from equipoise.comparison.ranking import rank_comparisons


@pytest.fixture
def make(tmp_path: Path, written: ModuleType):
    """Return a function that writes a comparison of two methods and returns its folder."""

    def make(
        name: str,
        seeds: int = 2,
        methods: dict[str, Any] | None = None,
        terms: dict[str, Any] | None = None,
        **setup: Any,
    ) -> Path:
        folder = tmp_path / name
        folder.mkdir()
        known = {"plain": {}, "good": {}} if methods is None else methods
        alike = {"fingerprint": name, "budget": 60.0, "metric": "balanced_accuracy", "params": {}}
        written.tell(folder, methods=known, setup={**alike, **setup}, terms=terms or {})
        for seed in range(seeds):
            for method, skill in (("plain", 1.0), ("good", 3.0)):
                written.write(folder, method, seed, skill)
        return folder

    return make


def test_comparisons_that_are_alike_need_no_caution(make) -> None:
    """Two seeds, the same methods, the same settings."""
    assert rank_comparisons([make("a"), make("b")])["cautions"] == []


def test_wins_of_a_single_seed_are_told_to_be_unsure(make) -> None:
    """Where a comparison has several nothing is said of it."""
    [line] = rank_comparisons([make("a", seeds=1), make("b")])["cautions"]
    assert line.startswith("With a single seed, a cannot tell")


def test_seeds_that_a_method_lacks_are_told_with_the_comparison(make) -> None:
    """They are left out there for all methods."""
    folders = [make("a"), make("b")]
    (folders[1] / "runs" / "good" / "seed1" / "DONE").unlink()
    one_seed, lacks = rank_comparisons(folders)["cautions"]
    assert "a single seed, b" in one_seed
    assert lacks.startswith("b: Of each method only the runs count")


def test_settings_that_differ_are_told(make) -> None:
    """Times in words; what is alike is not mentioned."""
    folders = [make("a"), make("b", budget=15.0), make("c", budget=None)]
    [line] = rank_comparisons(folders)["cautions"]
    assert line == "Comparisons differ in the time of a run: 1m in a; 15s in b; no limit in c."


@pytest.mark.parametrize(
    ("key", "values", "told"),
    [
        ("n_trials", (12, None), "the recipes that a search tries: 12 in a; no limit in b"),
        (
            "network",
            ("MLP()", None),
            "the network of methods that set none: MLP() in a; that of their recipes in b",
        ),
        ("test", (0.2, 0.5), "the share of test examples: 0.2 in a; 0.5 in b"),
        (
            "rare",
            ("drop", "merge"),
            "what is done with classes of a single example: drop in a; merge in b",
        ),
    ],
)
def test_every_setting_that_changes_runs_is_told(
    make, key: str, values: tuple[Any, Any], told: str
) -> None:
    """And a folder of an earlier version, which did not keep it, is not said to differ."""
    folders = [make(name, **{key: value}) for name, value in zip("ab", values, strict=True)]
    [line] = rank_comparisons([*folders, make("c")])["cautions"]
    assert line == f"Comparisons differ in {told}."


def test_other_devices_are_told(make) -> None:
    """They are kept beside the settings, as versions are."""
    folders = [make("a", terms={"device": "cpu"}), make("b", terms={"device": "cuda (H200)"})]
    [line] = rank_comparisons([*folders, make("c")])["cautions"]
    assert line == "Comparisons differ in the device: cpu in a; cuda (H200) in b."


def test_methods_of_one_name_that_are_made_of_other_things_are_told(make) -> None:
    """As one's own may be, whose file has changed in between."""
    losses = {"a": "Focal()", "b": "Focal()", "c": "LDAM()"}
    made = [
        make(name, methods={"plain": {}, "good": {"params": {"loss": loss}}})
        for name, loss in losses.items()
    ]
    assert rank_comparisons(made[:2])["cautions"] == []
    assert rank_comparisons(made)["cautions"] == ["good is not made of the same in a and in c."]


def test_heuristic_corrections_are_told_where_ranks_rest_on_them(make, written) -> None:
    """Not where methods are ranked as they were trained."""
    folders = [make("a"), make("b")]
    written.write(folders[0], "ldam", 0, 1.0, classifier={"loss": "LDAM()"})
    for folder in folders:
        written.tell(folder, methods={"plain": {}, "ldam": {}}, setup={"fingerprint": folder.name})
    for folder in folders:
        for seed in range(2):
            if (folder, seed) != (folders[0], 0):
                written.write(folder, "ldam", seed, 1.0, classifier={"loss": "LDAM()"})
    [line] = rank_comparisons(folders)["cautions"]
    assert line.startswith("Correction to equal classes is a heuristic for ldam:")
    assert rank_comparisons(folders, prior="as_trained")["cautions"] == []
