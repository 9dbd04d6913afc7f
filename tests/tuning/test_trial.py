"""Laws of a trial: what it says of a recipe is true, and the same after any stop."""

import math
import time
from dataclasses import replace
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import optuna
import pytest
from sklearn.metrics import balanced_accuracy_score

from equipoise import training as training_module
from equipoise.checkpoints import Checkpoint, read_tensors
from equipoise.fitting import Fit
from equipoise.loading import rebuild_model
from equipoise.metrics import shift_logits
from equipoise.progress import Progress
from equipoise.runs import Run
from equipoise.seeds import derive_seed
from equipoise.specialized.resampling import RandomOverSampling
from equipoise.tuning import trial as trial_module
from equipoise.tuning.folds import folds_of
from equipoise.tuning.job import Job
from equipoise.tuning.records import Record, read_held_out, read_record
from equipoise.tuning.starts import MOST_STARTS
from equipoise.tuning.stopping import Rungs, Stop
from equipoise.tuning.study import RUNGS, Address, StudyLost, journal, open_study
from equipoise.tuning.trial import run_trial


@pytest.fixture(scope="module")
def calm(searches: ModuleType, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a trial that nothing disturbed; not to be changed."""
    folder = tmp_path_factory.mktemp("calm")
    assert run_trial(searches.trial(folder)).state == "complete"
    return folder


def _record(folder: Path) -> Record:
    record = read_record(folder)
    assert record is not None
    return record


def _equal(first: Path, second: Path, n_folds: int = 2) -> bool:
    """Whether two trials have predicted the same, to the last digit."""
    pairs = [[read_held_out(folder, n) for folder in (first, second)] for n in range(n_folds)]
    return all(
        a is not None and b is not None and np.array_equal(a.logits, b.logits) for a, b in pairs
    )


def test_each_example_is_predicted_once_by_a_model_that_has_not_seen_it(
    calm: Path, searches: ModuleType
) -> None:
    """Over the folds all examples of training and validation are held out, and no other."""
    held, task = read_held_out(calm), searches.task()
    assert held is not None
    assert held.rows.tolist() == sorted([*task.train, *task.validation])
    assert np.array_equal(held.codes, task.codes[held.rows])


def test_scores_are_those_of_all_held_out_examples_together(calm: Path) -> None:
    """By scikit-learn, from the predictions that are kept."""
    held, record = read_held_out(calm), _record(calm)
    assert held is not None
    expected = balanced_accuracy_score(held.codes, held.logits.argmax(axis=1))
    assert record.scores["balanced_accuracy"] == pytest.approx(expected)
    assert record.scores == held.scores()
    assert expected > 0.5


def test_a_fold_is_trained_as_any_fit(calm: Path, searches: ModuleType) -> None:
    """The same network, made step by step: its logits, corrected by Bayes' rule, are kept."""
    task, record = searches.task(), _record(calm)
    for number, fold in enumerate(folds_of(task, 2, seed=0)):
        part = replace(task, train=fold.train, validation=fold.validation)
        params = {**searches.PARAMS, "epochs": 6}
        fit = Fit.prepare(part, params, derive_seed(0, "fold", number))
        fit.run()
        held = read_held_out(calm, number)
        assert held is not None
        logits = fit.model.logits(task.X, fold.validation).astype(np.float64)
        expected = shift_logits(logits, fit.prior, np.full(3, 1 / 3))
        differences = held.logits - expected
        # The shift holds up to a constant for each example, which no prediction depends on.
        assert np.allclose(differences, differences[:, :1], atol=1e-5)
        assert record.best_epochs[number] == fit.training.selection.best_epoch + 1


def test_rows_are_resampled_within_each_fold(
    searches: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A fold's training rows are, and nothing else: what it holds out is predicted as it is."""
    task, given = searches.task(), []
    resample = RandomOverSampling.resample

    def watched(self: RandomOverSampling, inputs: np.ndarray, *rest: Any) -> Any:
        given.append(inputs)
        return resample(self, inputs, *rest)

    monkeypatch.setattr(RandomOverSampling, "resample", watched)
    base = {**searches.PARAMS, "resampling": "RandomOverSampling()", "scaling": "none"}
    assert run_trial(searches.trial(tmp_path, base=base, most_epochs=2)).state == "complete"
    assert len(given) == 2
    for number, (fold, inputs) in enumerate(zip(folds_of(task, 2, seed=0), given, strict=True)):
        expected = task.X.iloc[fold.train].to_numpy(np.float32)
        assert np.array_equal(inputs, expected)
        held = read_held_out(tmp_path, number)
        assert held is not None
        assert held.rows.tolist() == sorted(fold.validation)


@pytest.mark.parametrize("stages", ["CRT(start=0.5)", "DRW(start=0.5)"])
def test_a_stop_in_a_later_stage_leaves_what_the_first_one_kept(
    stages: str, searches: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """In the first epoch of the second stage, whose head may be a fresh one: that of the first."""
    kept: list[dict[str, Any]] = []

    class _Stopped(trial_module.Watch):
        def __call__(self, progress: Progress) -> None:
            if progress.epoch == 4:
                raise Stop("unfinished")
            kept[:] = [{k: v.clone() for k, v in self.training.best.items()}]
            super().__call__(progress)

    monkeypatch.setattr(trial_module, "Watch", _Stopped)
    base = {**searches.PARAMS, "stages": stages}
    record = run_trial(searches.trial(tmp_path, base=base, n_folds=1))
    rows = Run(tmp_path).history
    assert (record.state, len(rows)) == ("unfinished", 3)
    assert record.best_epochs == (max(row["epoch"] for row in rows if row["best"]),)
    weights = read_tensors(tmp_path / "fold0" / "model.safetensors")
    assert all(bool((weights[name] == value).all()) for name, value in kept[0].items())


def test_an_ended_trial_leaves_what_is_needed_and_no_more(calm: Path) -> None:
    """Predictions of each fold, the model of the first and its history; no checkpoint."""
    names = {path.name for path in calm.iterdir()}
    assert names == {
        *("trial.json", "history.jsonl", "fold0.npz", "fold1.npz"),
        "fold0",
    }
    kept = {path.name for path in (calm / "fold0").iterdir()}
    assert kept == {"model.safetensors", "preprocessing.json", "network.json"}
    assert len(Run(calm).history) == 6


def test_the_length_follows_from_the_time_and_has_an_end(
    searches: ModuleType, tmp_path: Path
) -> None:
    """No time is one epoch, plenty is the most that a trial may have; the pace is noted."""
    for seconds, epochs in ((1e-9, 1), (1e9, 4)):
        job = searches.trial(tmp_path / str(epochs), seconds=seconds, most_epochs=4)
        record = run_trial(job)
        assert record.epochs == epochs == len(Run(job.folder).history)
        assert record.pace > 0


def test_a_recipe_without_time_for_an_epoch_has_failed(
    searches: ModuleType, tmp_path: Path
) -> None:
    """It would overrun; the prescription alone is tried all the same."""
    job = searches.trial(tmp_path, seconds=1e-9, record=Record(number=1))
    record = run_trial(job)
    assert (record.state, record.epochs, record.scores) == ("failed", 0, {})
    assert "One epoch takes" in record.message


def test_steps_that_are_held_equal_make_passes_of_other_number(
    searches: ModuleType, tmp_path: Path
) -> None:
    """Twice the reference batch, so twice the passes for the same steps; none counts twice."""
    size = 'BatchSize(size=32, reference=16, budget="steps")'
    job = searches.trial(tmp_path, base={**searches.PARAMS, "batch_size": size}, most_epochs=3)
    record = run_trial(job)
    assert (record.state, record.epochs, record.unit, record.passes) == ("complete", 3, 2.0, 6)
    assert len(Run(tmp_path).history) == 6
    assert 0 < record.best_share <= 1
    short = searches.trial(
        tmp_path / "short",
        base={**searches.PARAMS, "batch_size": size},
        seconds=2 * 4 * record.pace,
        most_epochs=100,
    )
    assert run_trial(short).passes <= 16  # 4 by the time of before, on a machine that may be busy


def test_a_prior_that_is_given_is_the_one_that_is_judged(
    searches: ModuleType, tmp_path: Path
) -> None:
    """Without correction the network's own logits are kept."""
    job = searches.trial(tmp_path, base={**searches.PARAMS, "prior": None}, n_folds=1)
    run_trial(job)
    fit = Fit.prepare(job.data, {**job.params, "epochs": 6}, derive_seed(0, "fold", 0))
    fit.run()
    held = read_held_out(tmp_path)
    assert held is not None
    assert np.allclose(held.logits, fit.model.logits(job.data.X, job.data.validation), atol=1e-5)


def test_epochs_that_are_known_are_not_measured_again(searches: ModuleType, tmp_path: Path) -> None:
    """So a resumed trial goes on with those of its start."""
    Record(number=0, epochs=2, pace=0.5).save(tmp_path)
    record = run_trial(searches.trial(tmp_path, seconds=1e-9))
    assert (record.epochs, record.pace) == (2, 0.5)
    assert len(Run(tmp_path).history) == 2


def test_one_fold_is_the_split_of_the_task(searches: ModuleType, tmp_path: Path) -> None:
    """What is held out there is predicted, and nothing else."""
    job = searches.trial(tmp_path, n_folds=1)
    record, held = run_trial(job), read_held_out(tmp_path)
    assert held is not None
    assert held.rows.tolist() == searches.task().validation.tolist()
    assert len(record.best_epochs) == 1


@pytest.mark.parametrize(
    ("params", "words"),
    [
        ({"optimizer": "SGD(lr=1e9)"}, "TrainingError: Training diverged"),
        ({"optimizer": "SGD(lr=-1.0)"}, "InputError: `lr` of `SGD`"),
        ({"augmentation": "CropFlip()"}, "InputError: The augmentation must be one for tables"),
        ({"batch_size": 10**6, "backbone": "Nonsense()"}, "InputError: The backbone must be"),
    ],
)
def test_a_recipe_that_cannot_be_trained_has_failed(
    params: dict[str, Any], words: str, searches: ModuleType, tmp_path: Path
) -> None:
    """The record says why; nothing is raised, so a search goes on."""
    found = run_trial(searches.trial(tmp_path, record=Record(number=3, params=params)))
    assert found.state == "failed"
    assert found.message.startswith(words)
    assert found == _record(tmp_path)
    assert not list(tmp_path.glob("fold*.safetensors"))


def test_an_update_of_low_rank_can_be_searched_over(searches: ModuleType, tmp_path: Path) -> None:
    """What is merged into the network after training does not keep a trial from its end."""
    base = {**searches.PARAMS, "finetuning": "LowRank(rank=2)"}
    record = run_trial(searches.trial(tmp_path, base=base))
    assert (record.state, record.message) == ("complete", "")


def test_no_time_is_no_epoch(searches: ModuleType, tmp_path: Path) -> None:
    """The clock ends a trial before its first epoch; there is nothing to judge it by."""
    record = run_trial(searches.trial(tmp_path, until=0.0, record=Record(number=1)))
    assert record.state == "unfinished"
    assert (record.scores, record.best_epochs) == ({}, ())
    assert read_held_out(tmp_path) is None


def test_without_time_a_step_of_the_prescription_is_trained(
    searches: ModuleType, tmp_path: Path
) -> None:
    """So that there is a model, whatever else happens."""
    record = run_trial(searches.trial(tmp_path, until=0.0))
    assert (record.state, record.best_epochs) == ("unfinished", (1,))
    assert record.scores
    assert (tmp_path / "fold0" / "model.safetensors").exists()


def test_the_clock_ends_a_trial_in_its_middle(searches: ModuleType, tmp_path: Path) -> None:
    """What was trained until then is judged, and its best epoch is kept."""
    record, seconds = Record(number=0), 1.0
    while not record.best_epochs:  # on a busy machine an epoch may take long
        Record(number=0, epochs=10**5, pace=1.0).save(tmp_path)
        record = run_trial(searches.trial(tmp_path, until=time.time() + seconds))
        seconds *= 2
    assert record.state == "unfinished"
    assert len(record.best_epochs) == 1
    history = Run(tmp_path).history
    assert 1 <= record.best_epochs[0] <= len(history) < 10**5
    held = read_held_out(tmp_path)
    assert held is not None
    assert record.scores == held.scores()
    [best] = [row for row in history if row["epoch"] == record.best_epochs[0]]
    score = best["validation"]["balanced_accuracy"]
    assert record.scores["balanced_accuracy"] == pytest.approx(score)


def test_what_is_sealed_is_never_looked_at(
    calm: Path, searches: ModuleType, tmp_path: Path
) -> None:
    """With other test rows and other test labels every prediction is the same."""
    task = searches.task()
    sealed = np.setdiff1d(np.arange(len(task.codes)), [*task.train, *task.validation])
    assert len(sealed)
    X, codes = task.X.copy(), task.codes.copy()
    X.iloc[sealed] = 1e6
    codes[sealed] = (codes[sealed] + 1) % 3
    record = run_trial(searches.trial(tmp_path, data=replace(task, X=X, codes=codes)))
    assert _equal(calm, tmp_path)
    assert searches.without_times(record) == searches.without_times(_record(calm))


def _press_ctrl_c(monkeypatch: pytest.MonkeyPatch, fold: int, epoch: int) -> None:
    """Interrupt this process, once, after the state of an epoch of a fold was written."""
    monkeypatch.setattr(training_module, "CHECKPOINT_SHARE", 1e9)
    write, left = training_module.write_checkpoint, [epoch]

    def pressed(path: Path, checkpoint: Checkpoint) -> None:
        write(path, checkpoint)
        left[0] -= path.name == f"fold{fold}.safetensors"
        if left[0] == 0:
            left[0] = -1
            raise KeyboardInterrupt

    monkeypatch.setattr(training_module, "write_checkpoint", pressed)


@pytest.mark.parametrize("fold", [0, 1])
def test_a_trial_that_ctrl_c_has_stopped_ends_as_if_nothing_had_happened(
    fold: int, searches: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Stopped in the middle of either fold, it goes on from there, to the same numbers."""
    calm, torn = (searches.trial(tmp_path / name, most_epochs=12) for name in ("calm", "torn"))
    expected = run_trial(calm)
    _press_ctrl_c(monkeypatch, fold, epoch=5)
    with pytest.raises(KeyboardInterrupt):
        run_trial(torn)
    stopped = _record(torn.folder)
    assert stopped.state == "running"
    assert len(stopped.best_epochs) == fold + 1
    held = read_held_out(torn.folder)
    assert held is not None
    assert stopped.scores == held.scores()
    record = run_trial(torn)
    assert searches.without_times(record) == searches.without_times(expected)
    assert _equal(calm.folder, torn.folder)
    weights = [read_tensors(job.folder / "fold0" / "model.safetensors") for job in (calm, torn)]
    assert all(bool((weights[1][name] == value).all()) for name, value in weights[0].items())


@pytest.mark.parametrize("posthoc", ["TauNorm(tau=1.0)", "NearestMean()", "Thresholds()"])
def test_a_trial_that_was_stopped_has_the_head_of_its_method(
    posthoc: str, searches: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What Ctrl-C leaves could be taken as it is; gone on with, nothing shows of the stop."""
    base = {**searches.PARAMS, "posthoc": posthoc}
    calm, torn = (
        searches.trial(tmp_path / name, most_epochs=12, base=base) for name in ("calm", "torn")
    )
    run_trial(calm)
    _press_ctrl_c(monkeypatch, 0, epoch=5)
    with pytest.raises(KeyboardInterrupt):
        run_trial(torn)
    place = torn.folder / "fold0"
    stopped, kept = (Run(place).read_json(f"{n}.json") for n in ("network", "posthoc"))
    assert stopped["prior"] == kept["prior"]
    held = read_held_out(torn.folder)
    assert held is not None
    model = rebuild_model(place, stopped, "cpu")
    logits = model.logits(searches.task().X, held.rows)
    corrected = shift_logits(logits, model.prior, np.full(3, 1 / 3))
    np.testing.assert_allclose(corrected, held.logits, atol=1e-5)
    run_trial(torn)
    assert _equal(calm.folder, torn.folder)
    assert Run(calm.folder / "fold0").read_json("posthoc.json") == Run(place).read_json(
        "posthoc.json"
    )


def test_a_trial_that_has_ended_is_not_trained_again(calm: Path, searches: ModuleType) -> None:
    """A kill may have come before the study was told: the record is all that is needed."""
    before = _record(calm)
    assert run_trial(searches.trial(calm)) == before
    assert _record(calm) == before


def _asked(folder: Path, n: int) -> optuna.Study:
    study = open_study(journal(folder), ["balanced_accuracy"])
    for _ in range(n):
        study.ask()
    return study


def test_a_trial_reports_once_at_each_rung(searches: ModuleType, tmp_path: Path) -> None:
    """At a ninth, a third and all of it: the mean over the folds of the best score so far."""
    study = _asked(tmp_path, 1)
    job = searches.trial(tmp_path / "0", most_epochs=9, address=journal(tmp_path))
    record = run_trial(job)
    reported = study.trials[0].intermediate_values
    assert sorted(reported) == [1, 3, 9]
    assert record.state == "complete"
    rows = Run(job.folder).history
    kept = [[row for row in rows[:n] if row["best"]][-1] for n in (2, 6)]
    best = [row["validation"]["balanced_accuracy"] for row in kept]
    folds = [read_held_out(job.folder, n) for n in (0, 1)]
    means = [fold.scores()["balanced_accuracy"] for fold in folds if fold is not None]
    assert [reported[1], reported[3]] == best
    assert reported[9] == pytest.approx(np.mean(means))


def test_the_worse_trial_is_stopped_and_the_best_is_not(
    searches: ModuleType, tmp_path: Path
) -> None:
    """A recipe that learns nothing ends at its first rung, a ninth of the way."""
    study = _asked(tmp_path, 3)
    still = {"optimizer": "SGD(lr=0.0)"}
    records = [
        run_trial(
            searches.trial(
                tmp_path / str(number),
                record=Record(number=number, params=params),
                most_epochs=9,
                address=journal(tmp_path),
            )
        )
        for number, params in enumerate(({}, still, {}))
    ]
    assert [record.state for record in records] == ["complete", "stopped", "complete"]
    assert [sorted(trial.intermediate_values) for trial in study.trials] == [
        [1, 3, 9],
        [1],
        [1, 3, 9],
    ]
    stopped = records[1]
    assert len(Run(tmp_path / "1").history) == 2
    assert len(stopped.best_epochs) == 1
    assert stopped.scores


def test_the_prescription_is_not_stopped(searches: ModuleType, tmp_path: Path) -> None:
    """However bad it is: all others are compared with it."""
    study = _asked(tmp_path, 3)
    for number, params in ((1, {}), (2, {}), (0, {"optimizer": "SGD(lr=0.0)"})):
        record = run_trial(
            searches.trial(
                tmp_path / str(number),
                record=Record(number=number, params=params),
                most_epochs=9,
                address=journal(tmp_path),
            )
        )
    assert record.state == "complete"
    assert sorted(study.trials[0].intermediate_values) == [1, 3, 9]


def test_epochs_that_are_given_are_kept(searches: ModuleType, tmp_path: Path) -> None:
    """Whatever the time would allow."""
    base = {**searches.PARAMS, "epochs": 3}
    for name, seconds in (("much", 1e9), ("none", 1e-9)):
        job = searches.trial(
            tmp_path / name, base=base, seconds=seconds, record=Record(number=1), most_epochs=2
        )
        assert run_trial(job).epochs == 3


def test_none_is_stopped_before_the_first_rung(searches: ModuleType, tmp_path: Path) -> None:
    """Where a ninth is too early to tell, the same recipe goes on until a third."""
    study = _asked(tmp_path, 3)
    still = {"optimizer": "SGD(lr=0.0)"}
    for number, params in enumerate(({}, {}, still)):
        run_trial(
            searches.trial(
                tmp_path / str(number),
                record=Record(number=number, params=params),
                most_epochs=9,
                address=journal(tmp_path, first_rung=3),
            )
        )
    assert sorted(study.trials[2].intermediate_values) == [1, 3]


def test_a_resumed_trial_reports_what_an_undisturbed_one_does(
    searches: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The best score before the stop counts, so no rung is left out or reported as unknown."""
    found = []
    for name in ("calm", "torn"):
        study = _asked(tmp_path / name, 1)
        # A rate of 0: the first epoch stays the best, before the stop and after it.
        job = searches.trial(
            tmp_path / name / "0",
            record=Record(number=0, params={"optimizer": "SGD(lr=0.0)"}),
            most_epochs=9,
            address=journal(tmp_path / name),
        )
        if name == "torn":
            _press_ctrl_c(monkeypatch, fold=0, epoch=1)
            with pytest.raises(KeyboardInterrupt):
                run_trial(job)
        assert run_trial(job).state == "complete"
        found.append(study.trials[0].intermediate_values)
    assert found[0] == found[1]
    assert not any(map(math.isnan, found[1].values()))


STILL = {"optimizer": "SGD(lr=0.0)"}
"""A recipe that learns nothing."""


def _third(searches: ModuleType, folder: Path, **changes: Any) -> Job:
    """Return the trial of a recipe that learns nothing, after two that do and are at each rung."""
    study = _asked(folder, 3)
    for number in (0, 1):
        trial = optuna.Trial(study, study.trials[number]._trial_id)
        for rung in RUNGS:
            trial.report(0.9, rung)
    settings = {"most_epochs": 9, "address": journal(folder), **changes}
    record = Record(number=2, params=STILL)
    return searches.trial(folder / "trials" / "2", record=record, **settings)


MOMENTS = {
    "before it was told": (Rungs, "report"),
    "before it was judged": (optuna.Trial, "set_user_attr"),
    "while it was stopped": (trial_module, "_take_best"),
    "before its record": (trial_module._Trial, "_ended"),
}
"""What a trial does at the rung where it is stopped, in this order."""


@pytest.mark.parametrize("moment", MOMENTS)
@pytest.mark.parametrize("saves", [True, False])
def test_a_trial_that_was_to_be_stopped_is_stopped_after_a_kill(
    saves: bool,
    moment: str,
    searches: ModuleType,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """At the same epoch with the same predictions, whatever the kill came before."""
    calm, torn = (_third(searches, tmp_path / name) for name in ("calm", "torn"))
    expected = run_trial(calm)
    assert (expected.state, len(Run(calm.folder).history)) == ("stopped", 2)
    monkeypatch.setattr(training_module, "CHECKPOINT_SHARE", 1e9 if saves else 1e-9)

    class _Killed(BaseException):
        pass

    def killed(*_: Any) -> None:
        raise _Killed

    with monkeypatch.context() as patch:
        patch.setattr(*MOMENTS[moment], killed)
        with pytest.raises(_Killed):
            run_trial(torn)
    record = run_trial(torn)
    assert searches.without_times(record) == searches.without_times(expected)
    assert Run(torn.folder).history[-1]["epoch"] == 2
    assert _equal(calm.folder, torn.folder, n_folds=1)
    told = [open_study(job.address, ["balanced_accuracy"]).trials[2] for job in (calm, torn)]
    assert told[0].intermediate_values == told[1].intermediate_values


def test_a_slow_recipe_is_judged_where_it_has_a_score(searches: ModuleType, tmp_path: Path) -> None:
    """Its first epoch of three ends at a third: what came to a ninth is no concern of it."""
    job = _third(searches, tmp_path, most_epochs=3, n_folds=1)
    study = open_study(journal(tmp_path), ["balanced_accuracy"])
    assert run_trial(job).state == "stopped"
    assert sorted(study.trials[2].intermediate_values) == [3]
    assert len(Run(job.folder).history) == 1


def test_a_study_that_cannot_be_reached_is_no_fault_of_the_recipe(
    searches: ModuleType, tmp_path: Path
) -> None:
    """The trial has not failed: it is gone on with, and no start of it is counted."""
    address = Address(f"sqlite:///{tmp_path}/none/s.db")
    job = searches.trial(tmp_path / "trials" / "0", most_epochs=1, address=address)
    for _ in range(MOST_STARTS + 1):
        with pytest.raises(StudyLost, match="cannot be opened"):
            run_trial(job)
        assert _record(job.folder).state == "running"
    open_study(journal(tmp_path), ["balanced_accuracy"]).ask()
    assert run_trial(replace(job, address=journal(tmp_path))).state == "complete"
