"""Laws of runs that train without labels first: on their own examples, within their own time."""

from pathlib import Path

import numpy as np
import pytest
import torch

from equipoise import training as training_module
from equipoise.checkpoints import read_tensors
from equipoise.comparison.carrying import carry_out, pretraining_of
from equipoise.comparison.contest import Contest, make_contest
from equipoise.comparison.methods import make_method
from equipoise.comparison.setup import Unit
from equipoise.errors import InputError
from equipoise.experiment import Experiment
from equipoise.initial import example_hashes, read_learnt
from equipoise.plan import Plan
from equipoise.progress import Progress
from equipoise.runs import Run

SMALL = {"backbone": "ResNet(depth=8, width=4)", "device": "cpu", "epochs": 3}


class Stop(Exception):  # noqa: N818 (no error: it is raised to stop)
    """Raised by an observer."""


def _contest(folder: Path, *, budget: float | None = None, **params: object) -> Contest:
    first, plain = (
        make_method(name, {"augmentation": None}, over="plain", pretrain=pretrain)
        for name, pretrain in (("first", "SimCLR()"), ("without", None))
    )
    experiment = Experiment(source="digits", ratio=20.0, examples=300, params={**SMALL, **params})
    return make_contest(
        experiment, folder, methods=[first], control=plain, n_seeds=2, budget=budget, search=False
    )


def _job(contest: Contest, seed: int, method: str = "first"):
    contest.folder.mkdir(exist_ok=True)
    return contest._job(Unit(method=method, seed=seed))


def _places(contest: Contest, seed: int) -> tuple[Run, Run]:
    """Return a run and what it has learnt before."""
    own = Unit(method="first", seed=seed).folder(contest.folder)
    before = contest.folder / "pretrained" / "first" / f"seed{seed}"
    return Run.open(own), Run.open(before)


@pytest.fixture(scope="module")
def contest(tmp_path_factory: pytest.TempPathFactory) -> Contest:
    """One with two seeds of a method that trains without labels first."""
    contest = _contest(tmp_path_factory.mktemp("made") / "kept")
    for seed in (0, 1):
        carry_out(_job(contest, seed))
    return contest


def test_only_training_examples_of_the_run_are_learnt_from(contest: Contest) -> None:
    """Exactly those of its own cut, seed by seed, none held out and none of the test set."""
    for seed in (0, 1):
        run, before = _places(contest, seed)
        job = _job(contest, seed)
        plan = Plan.make(job.unit.experiment(job.setup, job.method.params, "plain"))
        parts = plan.parts
        learnt, own = read_learnt(before), example_hashes(parts.dataset.X, parts.train)
        assert sorted(learnt.tolist()) == sorted(own.tolist())
        sealed = np.concatenate([parts.validation, parts.test])
        assert not np.isin(example_hashes(parts.dataset.X, sealed), learnt).any()
        for name, positions in run.read_arrays("split.npz").items():
            assert (before.read_arrays("split.npz")[name] == positions).all()
        assert not before.has("predictions.npz")


def test_training_starts_from_it_and_nothing_else_changes(contest: Contest) -> None:
    """Its weights are where training begins; settings but the start are those of the control."""
    carry_out(_job(contest, 0, "without"))
    run, before = _places(contest, 0)
    job = _job(contest, 0)
    experiment = job.unit.experiment(job.setup, job.method.params, "plain")
    started = Plan.make(
        Experiment(**{**vars(experiment), "params": {**experiment.params, "initial": before.path}})
    )
    kept = read_tensors(before.path / "model.safetensors")
    state = started.fit.training.network.state_dict()
    own = [name for name in kept if name.startswith("backbone.")]
    assert len(own) > 10
    assert all(torch.equal(state[name].cpu(), kept[name]) for name in own)
    other = Run.open(Unit(method="without", seed=0).folder(contest.folder)).config["classifier"]
    changed = {k for k, v in run.config["classifier"].items() if other.get(k) != v}
    assert changed == {"initial"}
    assert Path(run.config["classifier"]["initial"]) == before.path.absolute()


def test_its_time_counts(contest: Contest) -> None:
    """The time of a run is at least that of the epochs of both."""
    run, before = _places(contest, 0)
    spent = [sum(row["seconds"] for row in each.history) for each in (run, before)]
    assert len(before.history) == 3
    assert run.config["environment"]["wall_seconds"] >= sum(spent) - 0.1


def test_runs_do_not_share_it(contest: Contest) -> None:
    """Each seed has weights of its own."""
    first, second = (
        read_tensors(_places(contest, seed)[1].path / "model.safetensors") for seed in (0, 1)
    )
    name = next(name for name, value in first.items() if value.ndim == 4)
    assert not torch.equal(first[name], second[name])


def test_what_is_stopped_goes_on_with_the_same_numbers(
    contest: Contest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Stopped in the midst of learning without labels, it ends as if it had not been."""
    monkeypatch.setattr(training_module, "CHECKPOINT_SHARE", 1e9)
    other = _contest(tmp_path / "other")
    job = _job(other, 0)

    def stop(progress: Progress) -> None:
        if progress.row is not None and progress.epoch == 2:
            raise Stop

    chosen = {"monitor": job.setup.metric, "prior": "balanced"}
    experiment = job.unit.experiment(job.setup, {**chosen, **job.method.params}, "plain")
    plan, folder = pretraining_of(job, experiment, "SimCLR()")
    with pytest.raises(Stop):
        plan.run(folder, observers=[stop])
    carry_out(job)
    (run, before), (whole, _) = _places(other, 0), _places(contest, 0)
    assert len(before.history) == 3
    for name, values in whole.read_arrays("predictions.npz").items():
        assert (run.read_arrays("predictions.npz")[name] == values).all()


def test_with_a_budget_it_leaves_half_of_it(tmp_path: Path) -> None:
    """Epochs without end are cut by time, both times; together they keep to the budget."""
    contest = _contest(tmp_path / "timed", budget=16.0, epochs=10_000)
    carry_out(_job(contest, 0))
    run, before = _places(contest, 0)
    spent = [sum(row["seconds"] for row in each.history) for each in (before, run)]
    assert 0 < spent[0] <= 8.0
    assert spent[1] > 0
    assert sum(spent) <= 16.0
    assert "ended" in before.config["environment"]


def test_a_start_that_is_given_to_all_is_refused(tmp_path: Path) -> None:
    """A run starts from its own pre-training or from that of the user, not from both."""
    contest = _contest(tmp_path / "kept")
    carry_out(_job(contest, 0))
    with pytest.raises(InputError, match="sets initial"):
        _contest(tmp_path / "other", initial=str(_places(contest, 0)[1].path))
