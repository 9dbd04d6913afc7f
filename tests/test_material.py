"""Laws of a fit whose training rows are resampled: what is touched by it, and what is not."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch
from sklearn.base import clone
from sklearn.datasets import load_digits
from sklearn.metrics import balanced_accuracy_score
from sklearn.model_selection import GridSearchCV, StratifiedKFold

from equipoise import Classifier
from equipoise import training as training_module
from equipoise.data.options import ReadOptions
from equipoise.data.tables import read_table
from equipoise.defaults import DataFacts, automatic_batch_size
from equipoise.errors import InputError
from equipoise.experiment import Experiment
from equipoise.fitting import Fit
from equipoise.pace import measure_pace
from equipoise.plan import Plan
from equipoise.pretraining import Pretraining
from equipoise.progress import Progress
from equipoise.recipes import find_recipe
from equipoise.specialized.resampling import SMOTE, RandomOverSampling

COUNTS = [140, 40, 12, 1]
SMALL: dict[str, Any] = {
    "backbone": "MLP(layers=1, width=8)",
    "optimizer": "AdamW(lr=0.01)",
    "average": None,
    "batch_size": 32,
    "epochs": 2,
    "device": "cpu",
}
EVERY = ["RandomOverSampling(ratio=2.0)", "RandomUnderSampling(ratio=20.0)", "SMOTE(neighbours=3)"]


def _table() -> tuple[pd.DataFrame, np.ndarray]:
    """Return numbers with gaps, categories and labels; every row has a number of its own."""
    random = np.random.default_rng(0)
    codes = random.permutation(np.repeat(np.arange(len(COUNTS)), COUNTS))
    numbers = random.normal(size=(len(codes), 2)) + codes[:, None]
    numbers[random.random(numbers.shape) < 0.03] = np.nan
    frame = pd.DataFrame(numbers, columns=["a", "b"])
    frame["own"] = np.arange(len(codes), dtype=float)
    return frame.assign(
        kind=np.array(list("wxyz"))[(codes + random.integers(0, 2, 193)) % 4]
    ), codes


FRAME, CODES = _table()


def _fit(**params: Any) -> Fit:
    return Classifier(**{**SMALL, **params}).prepare(FRAME, CODES)[1]


def _learnt(fit: Fit) -> tuple[np.ndarray, np.ndarray]:
    examples = fit.examples[0]
    return examples.source.take(np.arange(len(examples))).numpy(), examples.codes


def _weights(fit: Fit) -> dict[str, torch.Tensor]:
    return fit.training.network.state_dict()


def _assert_equal(first: Fit, second: Fit) -> None:
    a, b = _weights(first), _weights(second)
    assert all(torch.equal(a[name], b[name]) for name in a)


@pytest.fixture
def resampled(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """How many rows SMOTE was given, each time that it was asked."""
    calls: list[int] = []
    resample = SMOTE.resample

    def counted(self: SMOTE, *given: Any) -> Any:
        calls.append(len(given[1]))
        return resample(self, *given)

    monkeypatch.setattr(SMOTE, "resample", counted)
    return calls


def _timeless(fit: Fit) -> list[dict[str, Any]]:
    times = ("seconds", "examples_per_second")
    return [{k: v for k, v in row.items() if k not in times} for row in fit.training.history]


# Training rows and no others


@pytest.mark.parametrize("resampling", EVERY)
def test_no_row_that_is_held_out_is_learnt_from(resampling: str) -> None:
    """Every row to learn from is a training row, or lies between two such; the others stay."""
    fit, plain = _fit(resampling=resampling, validation=0.3), _fit(validation=0.3)
    rows, codes = _learnt(fit)
    before, classes = _learnt(plain)
    assert np.array_equal(np.bincount(classes), plain.task.counts)
    assert np.array_equal(np.bincount(codes), fit.material.counts)
    numbers, found = set(before[:, 2].tolist()), rows[:, 2]
    copied = np.array([number in numbers for number in found.tolist()])
    assert copied.all() == ("SMOTE" not in resampling)
    for row, code in zip(rows[~copied], codes[~copied], strict=True):
        own = before[classes == code]
        assert (own.min(axis=0) <= row + 1e-6).all()
        assert (row - 1e-6 <= own.max(axis=0)).all()
    held, same = fit.examples[1], plain.examples[1]
    assert np.array_equal(held.codes, same.codes)
    everything = np.arange(len(held))
    assert torch.equal(held.source.take(everything), same.source.take(everything))


def test_what_starts_from_data_is_shown_the_data() -> None:
    """Bins and replaced values are taken from real rows, and so is the scaling."""
    fit, plain = _fit(resampling="SMOTE()"), _fit()
    assert torch.equal(fit.material.shown, plain.material.shown)  # type: ignore[arg-type]
    assert fit.preprocessing.to_state() == plain.preprocessing.to_state()
    _assert_equal(fit, plain)


def test_without_resampling_nothing_changes() -> None:
    """One that leaves the rows as they are gives the very training without one."""
    fits = [_fit(), _fit(resampling="RandomOverSampling(ratio=1000.0)")]
    for fit in fits:
        fit.run()
    _assert_equal(*fits)
    assert _timeless(fits[0]) == _timeless(fits[1])


def test_the_same_seed_resamples_alike() -> None:
    """Another seed does otherwise."""
    first, again, other = (
        _learnt(_fit(resampling="SMOTE()", random_state=seed, validation=0.0))[0]
        for seed in (0, 0, 1)
    )
    assert np.array_equal(first, again)
    assert not np.array_equal(first, other)


def test_rows_of_other_parts_do_not_change_what_is_made(resampled: list[int]) -> None:
    """With other validation rows, and the same training rows, the same rows are made."""
    fit = _fit(resampling="SMOTE()", validation=0.3)
    task = replace(fit.task, validation=fit.task.validation[:5])
    other = Fit.prepare(task, fit.params, fit.seed)
    assert np.array_equal(_learnt(fit)[0], _learnt(other)[0])
    assert resampled == [len(task.train)] * 2


# Classes


METHODS: dict[str, tuple[dict[str, Any], list[float]]] = {
    "repeated": ({"resampling": "RandomOverSampling(ratio=2.0)"}, [2, 1, 1]),
    "left out": ({"resampling": "RandomUnderSampling(ratio=2.0)"}, [2, 2, 1]),
    "made": ({"resampling": "SMOTE(neighbours=3)"}, [1, 1, 1]),
    "made and weighted": (
        {"resampling": "SMOTE(neighbours=3)", "weighting": "Inverse(power=0.5)"},
        [160**-0.5, 30**-0.5, 10**-0.5],
    ),
    "repeated and sampled": (
        {"resampling": "RandomOverSampling(ratio=4.0)", "sampler": "SquareRoot()"},
        [2, 1, 1],
    ),
    "repeated, then the logits shifted": (
        {"resampling": "RandomOverSampling()", "loss": "LogitAdjusted(tau=0.5)"},
        [160**-0.5, 30**-0.5, 10**-0.5],
    ),
    "repeated and mixed": (
        {"resampling": "RandomOverSampling(ratio=2.0)", "mixing": "Mixup()"},
        [2, 1, 1],
    ),
    "repeated, then the head anew": (
        {"resampling": "RandomOverSampling(ratio=2.0)", "stages": "CRT(start=0.5)"},
        [1, 1, 1],
    ),
}
"""Settings, and the prior that they leave with classes of 160, 30 and 10 rows, up to a factor."""


@pytest.mark.parametrize("name", METHODS)
def test_what_knows_nothing_predicts_the_shares_after_resampling(name: str) -> None:
    """With rows that say nothing, the trained network's probabilities are the prior by hand."""
    params, relative = METHODS[name]
    codes = np.repeat([0, 1, 2], [160, 30, 10])
    frame = pd.DataFrame({"a": np.arange(200.0) % 2})
    given = {**SMALL, "optimizer": "AdamW(lr=0.03, weight_decay=0.0)", "average": "EMA()"}
    given |= {"epochs": 80, "batch_size": 50, "validation": 0.0, **params}
    fit = Classifier(**given).prepare(frame, codes)[1]
    expected = np.array(relative) / sum(relative)
    np.testing.assert_allclose(fit.prior, expected, atol=1e-6)
    fit.run()
    logits = torch.from_numpy(fit.model.logits(frame.iloc[:2]))
    np.testing.assert_allclose(logits.softmax(dim=1).mean(dim=0), expected, atol=0.03)


def test_correction_starts_from_the_shares_after_resampling() -> None:
    """To balanced classes nothing is left to correct; to the data's shares by their logarithm."""
    params = {**SMALL, "resampling": "SMOTE()", "validation": 0.0}
    fit = _fit(resampling="SMOTE()", prior="balanced")
    logits = np.zeros((1, len(COUNTS)))
    assert fit.corrected_after(logits, fit.training.stages[0]) is logits
    shares = np.array(COUNTS) / sum(COUNTS)
    model = Classifier(**params).fit(FRAME, CODES)
    logits = model.predict_logits(FRAME.iloc[:20]).astype(float)
    weighed = np.exp(logits) * shares
    found = model.set_params(prior=shares).predict_proba(FRAME.iloc[:20])
    np.testing.assert_allclose(found, weighed / weighed.sum(axis=1, keepdims=True), rtol=1e-6)


@pytest.mark.parametrize("resampling", EVERY)
def test_losses_and_groups_know_the_real_counts(resampling: str) -> None:
    """Margins, weights, smoothing and the groups of a report are those of the data."""
    fit = _fit(resampling=resampling)
    real = np.bincount(CODES[fit.task.train]).tolist()
    assert fit.training.counts.tolist() == fit.training.learning.assembly.counts.tolist() == real
    assert fit.model.counts.tolist() == fit.network["counts"] == real
    assert fit.material.counts.tolist() != real


# Epochs and time


@pytest.mark.parametrize("resampling", [None, *EVERY])
def test_an_epoch_goes_through_the_rows_after_resampling(resampling: str | None) -> None:
    """Once through each, in as many steps as they take; what depends on their number follows."""
    fit = _fit(resampling=resampling, batch_size="auto", epochs="auto")
    n = int(fit.material.counts.sum())
    assert n == len(fit.examples[0]) == len(fit.examples[0].codes)
    facts = DataFacts(kind="table", n_train=n, pixels=0, channels=0, device="cpu")
    assert fit.settings.batch_size.size == automatic_batch_size(facts)
    steps: list[int] = []
    fit = fit.lasting(1)
    fit.run(observers=[lambda progress: steps.append(progress.steps)])
    assert max(steps) == -(-n // fit.settings.batch_size.size)


def test_over_sampling_takes_about_as_many_steps_in_all() -> None:
    """The automatic epochs are fewer where each is longer."""
    codes = np.repeat([0, 1], [3000, 100])
    frame = pd.DataFrame({"a": np.random.default_rng(0).normal(size=3100)})
    given = {**SMALL, "batch_size": "auto", "epochs": "auto", "validation": 0.0}

    def steps(resampling: str | None) -> int:
        fit = Classifier(**given, resampling=resampling).prepare(frame, codes)[1]
        n = int(fit.material.counts.sum())
        return fit.settings.epochs * -(-n // fit.settings.batch_size.size)

    assert steps("RandomOverSampling()") == pytest.approx(steps(None), rel=0.05)


def test_a_time_budget_counts_the_rows_after_resampling(resampled: list[int]) -> None:
    """The measured epoch has their steps, and they are resampled once, not again to train."""
    fit = _fit(resampling="SMOTE()", batch_size=4)
    plain = measure_pace(_fit(batch_size=4), 0.2).epoch
    ratio = len(fit.examples[0]) / len(_fit().examples[0])
    assert ratio > 2.8
    assert ratio / 2 < measure_pace(fit, 0.2).epoch / plain < 2 * ratio
    fit.lasting(1).run()
    assert resampled == [len(fit.task.train)]


def test_batches_are_of_rows_after_resampling() -> None:
    """Too few for the devices is said of what is left, not of what there was."""
    with pytest.raises(InputError, match="With 4 training examples"):
        _fit(resampling="RandomUnderSampling()", devices=5, batch_size=4)


# Stopping, and other components


@pytest.mark.parametrize("resampling", EVERY)
def test_a_stop_does_not_show_in_the_end(
    resampling: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Stopped after the first epoch and gone on from there, weights and history are the same."""
    monkeypatch.setattr(training_module, "CHECKPOINT_SHARE", 1e9)
    path = tmp_path / "state.safetensors"

    def stop(progress: Progress) -> None:
        if progress.row is not None:
            raise KeyboardInterrupt

    whole, stopped, resumed = (_fit(resampling=resampling, epochs=3) for _ in range(3))
    whole.run()
    with pytest.raises(KeyboardInterrupt):
        stopped.run(observers=[stop], checkpoint=path)
    seen: list[int] = []
    resumed.run(observers=[lambda progress: seen.append(progress.epoch)], checkpoint=path)
    assert set(seen) == {2, 3}
    _assert_equal(whole, resumed)
    assert _timeless(whole) == _timeless(resumed)


@pytest.mark.parametrize(
    "params",
    [
        {"augmentation": "FeatureSwap()", "mixing": "Mixup()", "smoothing": "ClassConditional()"},
        {"auxiliary": "SCARF()", "sharpness": "SAM()"},
        {"mixing": "Remix()", "weighting": "EffectiveNumber()", "loss": "LDAM()"},
        {"sampler": "ClassBalanced()", "stages": "CRT(start=0.5)", "backbone": "TabM(members=2)"},
        {"average": "SWA()", "backbone": "MLP(numeric='piecewise', layers=1, width=8)"},
        {"backbone": "TabularResNet()", "scaling": "quantile"},
    ],
    ids="-".join,
)
def test_it_goes_with_other_components(params: dict[str, Any]) -> None:
    """All train to finite numbers on rows that were made."""
    model = Classifier(**{**SMALL, "resampling": "SMOTE(ratio=2.0)", **params}).fit(FRAME, CODES)
    proba = model.predict_proba(FRAME)
    assert np.isfinite(proba).all()
    assert model.n_iter_ == 2


# What is refused


def test_images_are_refused() -> None:
    """Between two images there is none: the message names what there is for them."""
    pixels, target = map(np.asarray, load_digits(return_X_y=True))
    images = (pixels.reshape(-1, 8, 8, 1) * 15).astype(np.uint8)
    with pytest.raises(InputError, match=r"rows of a table.*images.*--sampler"):
        Classifier(resampling="SMOTE()", device="cpu").fit(images, target)


def test_weights_of_rows_are_refused() -> None:
    """What is made has none."""
    model = Classifier(**SMALL, resampling=RandomOverSampling())
    with pytest.raises(InputError, match=r"sample_weight.*RandomOverSampling"):
        model.fit(FRAME, CODES, sample_weight=np.ones(len(CODES)))


def test_pre_training_is_refused(tmp_path: Path) -> None:
    """It knows no labels."""
    FRAME.assign(label=CODES).iloc[:190].to_csv(tmp_path / "t.csv", index=False)
    reading = ReadOptions(label="label")
    params = {"resampling": "SMOTE()"}
    experiment = Experiment(
        source=str(tmp_path / "t.csv"), options=reading, params=params, rare="drop"
    )
    with pytest.raises(InputError, match=r"without labels"):
        Pretraining.make(experiment, "SCARF()")


# The edges


def test_what_was_made_is_told() -> None:
    """A note says how many rows there are, and the run's configuration keeps it."""
    [note] = _fit(resampling="SMOTE()", validation=0.0).notes
    assert note.startswith("SMOTE() makes 560 training rows of 193: an imbalance ratio of 1")
    assert "instead of 140" in note
    assert _fit().notes == ()


def test_fields_are_searched_by_scikit_learn() -> None:
    """Whole texts, None among them, and fields of an object; the rest stays as it was."""
    many = CODES != 3
    folds = StratifiedKFold(3, shuffle=True, random_state=0)
    model = clone(Classifier(**SMALL, resampling=SMOTE(ratio=2.0)))
    assert repr(model.resampling) == "SMOTE(ratio=2.0)"
    space: list[dict[str, Any]] = [
        {"resampling__ratio": [1.0, 5.0]},
        {"resampling": [None, "RandomUnderSampling(ratio=3.0)"]},
    ]
    search = GridSearchCV(model, space, cv=folds, scoring="balanced_accuracy")
    search.fit(FRAME[many], CODES[many])
    scores = search.cv_results_["mean_test_score"]
    assert np.isfinite(scores).all()
    assert len(set(scores)) > 1


@pytest.mark.parametrize("name", ["smote", "over-sampling", "under-sampling"])
def test_recipes_of_resampling_are_for_tables(name: str) -> None:
    """Their one setting is the resampling, over plain training."""
    recipe = find_recipe(name)
    assert recipe.kinds == ("table",)
    assert "resampling" in recipe.within
    assert (
        recipe.on("table")["resampling"]
        == find_recipe(f"{name}+prescribed").on("table")["resampling"]
    )


@pytest.mark.parametrize(
    ("table", "resampling"),
    [("german", "SMOTE()"), ("german", "RandomUnderSampling()"), ("car", "SMOTE(ratio=3.0)")],
)
def test_a_real_table_is_learnt_end_to_end(
    assets: Path, tmp_path: Path, table: str, resampling: str
) -> None:
    """Numbers and categories, and categories alone: a run, kept and resumed, better than chance."""
    path = assets / "keel" / f"{table}.csv"
    if not path.is_file():
        pytest.skip(f"real data absent: {path} (make it with `python benchmarks/assets`)")
    params = {**SMALL, "epochs": 5, "batch_size": 64, "resampling": resampling, "prior": "balanced"}
    experiment = Experiment(source=str(path), options=ReadOptions(), params=params)
    plan = Plan.make(experiment)
    run = plan.run(tmp_path / "run")
    assert run.config["classifier"]["resampling"] == resampling
    assert any(note.startswith(resampling) for note in run.config["data"]["notes"])
    n = run.config["data"]["counts_train"]
    shares = plan.fit.settings.resampling.targets(np.array(n))  # type: ignore[union-attr]
    assert run.config["network"]["prior"] == pytest.approx((shares / shares.sum()).tolist())
    data = read_table(path, ReadOptions())
    test = plan.parts.test
    codes = plan.model.logits(data.X.iloc[test]).argmax(axis=1)
    assert balanced_accuracy_score(data.codes[test], codes) > 1.2 / len(n)
