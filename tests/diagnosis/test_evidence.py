"""Laws of what a diagnosis looks at: the run's own network, its own parts, its own data."""

import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from equipoise.configuration import trained_prior
from equipoise.data.options import ReadOptions
from equipoise.data.sources import load
from equipoise.diagnosis.evidence import Evidence, observe
from equipoise.errors import InputError
from equipoise.metrics import shift_logits
from equipoise.runs import Run


def _observed(folder: Path, **options: int) -> Evidence:
    run = Run.open(folder)
    return observe(run, load(run.config["data"]["source"], ReadOptions()), **options)


def test_predictions_are_the_ones_that_the_run_has_kept(run: Path) -> None:
    """Example by example, on both parts that were kept."""
    kept, evidence = Run(run).read_arrays("predictions.npz"), _observed(run)
    prior = np.asarray(trained_prior(Run(run).config))
    for part in ("validation", "test"):
        seen = evidence.parts[part]
        ids = evidence.dataset.ids[seen.places]
        order = {name: i for i, name in enumerate(kept[f"{part}_ids"].tolist())}
        rows = [order[name] for name in ids.tolist()]
        assert sorted(rows) == list(range(len(kept[f"{part}_ids"])))
        assert seen.codes.tolist() == kept[f"{part}_labels"][rows].tolist()
        logits = kept[f"{part}_logits"][rows]
        assert seen.logits == pytest.approx(logits, abs=1e-4)
        shifted = shift_logits(seen.logits, prior, np.full(10, 0.1))
        assert (seen.corrected == shifted).all()


@pytest.mark.parametrize("head", ["Linear()", "Cosine()", "Normalized()"])
def test_a_head_as_rows_gives_the_networks_logits(
    head: str, make: Callable[..., Path], tmp_path: Path
) -> None:
    """Whatever head it is, cosines included."""
    evidence = _observed(make(tmp_path / "run", head=head))
    assert evidence.head is not None
    for seen in evidence.parts.values():
        found = evidence.head.logits(seen.features)
        assert found == pytest.approx(seen.logits, abs=1e-3)


def test_members_of_an_ensemble_are_one_head_over_all_their_features(
    make: Callable[..., Path], tmp_path: Path
) -> None:
    """The mean of the members' logits, in the place of the logarithm of their mean probability."""
    random = np.random.default_rng(0)
    y = np.repeat(["a", "b", "c"], (150, 60, 20))
    X = (
        random.normal(size=(230, 4))
        + np.array([0, 2, 4])[np.searchsorted(["a", "b", "c"], y)][:, None]
    )
    table = tmp_path / "t.csv"
    pd.DataFrame(X, columns=list("wxuv")).assign(label=y).to_csv(table, index=False)
    backbone = "TabM(members=3, layers=1, width=8, numeric=None)"
    folder = make(tmp_path / "run", str(table), None, backbone=backbone, epochs=20)
    evidence = _observed(folder)
    seen = evidence.parts["train"]
    assert seen.features.shape[1] == 24
    assert evidence.head is not None
    found = evidence.head.logits(seen.features)
    centred = [z - z.mean(axis=1, keepdims=True) for z in (found, seen.logits)]
    assert np.corrcoef(*map(np.ravel, centred))[0, 1] > 0.98


def test_each_look_at_the_test_set_is_counted(run: Path) -> None:
    """In the run's configuration, as `evaluate` counts its own."""
    before = Run(run).config["test"]["looks"]
    _observed(run)
    assert Run(run).config["test"]["looks"] == before + 1


def test_samples_have_as_many_of_each_class_and_come_from_their_part(run: Path) -> None:
    """At most the given number; the same seed takes the same ones."""
    index = Run(run).read_arrays("split.npz")
    small, again, other = _observed(run, per_class=4), _observed(run, per_class=4), None
    other = _observed(run, per_class=4, seed=1)
    for part, seen in small.parts.items():
        sizes = np.bincount(seen.codes, minlength=10)
        codes = small.dataset.codes[index[part]]
        assert (sizes == np.minimum(np.bincount(codes, minlength=10), 4)).all()
        assert np.isin(seen.places, index[part]).all()
        assert (seen.places == again.parts[part].places).all()
    assert (small.parts["test"].places != other.parts["test"].places).any()
    assert "the same number of each class" in small.notes[0]


def test_other_data_is_refused(run: Path) -> None:
    """A table of the same form but other content would give wrong numbers."""
    opened = Run.open(run)
    data = load("digits", ReadOptions())
    with pytest.raises(InputError, match="unchanged"):
        observe(opened, replace(data, fingerprint="0" * 64))


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"opponent": {"name": "lightgbm"}}, "no opponent"),
        ({"network": {"members": 2}}, "looks into one network"),
    ],
)
def test_what_has_no_single_network_is_refused(
    change: dict[str, object], words: str, run: Path, tmp_path: Path
) -> None:
    """Runs of other libraries, and ensembles of runs."""
    folder = tmp_path / "copy"
    shutil.copytree(run, folder)
    opened = Run.open(folder)
    opened.write_config({**opened.config, **change})
    with pytest.raises(InputError, match=words):
        _observed(folder)


def test_without_validation_examples_advice_rests_on_the_test_set(
    make: Callable[..., Path], tmp_path: Path
) -> None:
    """And says what that costs."""
    evidence = _observed(make(tmp_path / "run", validation=0.0))
    assert evidence.held_out is evidence.parts["test"]
    assert any(
        "too good to judge by" in note and "a shift of the test set cannot be told" in note
        for note in evidence.notes
    )
