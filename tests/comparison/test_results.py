"""Laws of reading a comparison: what is compared is what all methods have, tested alike."""

from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest
from sklearn.metrics import balanced_accuracy_score, f1_score, log_loss

from equipoise.comparison.leaderboard import COLUMNS, leaderboard
from equipoise.comparison.results import read_results
from equipoise.comparison.verdict import conclude, concluded
from equipoise.errors import InputError
from equipoise.metrics import evaluate
from equipoise.runs import Run


def test_figures_are_those_of_an_independent_library(folder: Path, written: ModuleType) -> None:
    """Means over seeds, as trained and corrected by hand."""
    rows = {row["method"]: row for row in leaderboard(read_results(folder))}
    for method in ("plain", "good"):
        logits = [
            Run(folder / "runs" / method / f"seed{s}").read_arrays("predictions.npz")["test_logits"]
            for s in (0, 1)
        ]
        even = [each - np.log(np.array(written.COUNTS)) for each in logits]
        found = {name: figure["value"] for name, figure in rows[method].items() if name in COLUMNS}

        def mean(score: Any, values: list[np.ndarray]) -> float:
            return float(np.mean([score(written.CODES, each) for each in values]))

        def accuracy(codes: np.ndarray, values: np.ndarray) -> float:
            return balanced_accuracy_score(codes, values.argmax(axis=1))

        def rarest(codes: np.ndarray, values: np.ndarray) -> float:
            return float(
                (values.argmax(axis=1) == codes)[codes == 2].mean()
            )  # one of three classes

        def f1(codes: np.ndarray, values: np.ndarray) -> float:
            return f1_score(codes, values.argmax(axis=1), average="macro")

        def loss(codes: np.ndarray, values: np.ndarray) -> float:
            proba = np.exp(values - values.max(axis=1, keepdims=True))
            return log_loss(codes, proba / proba.sum(axis=1, keepdims=True))

        assert found["balanced_accuracy"] == pytest.approx(mean(accuracy, logits))
        assert found["balanced_accuracy_corrected"] == pytest.approx(mean(accuracy, even))
        assert found["rarest_recall_corrected"] == pytest.approx(mean(rarest, even))
        assert found["macro_f1"] == pytest.approx(mean(f1, logits))
        assert found["log_loss"] == pytest.approx(mean(loss, logits))


def test_no_figure_is_surer_than_the_metrics_of_its_run(
    tmp_path: Path, written: ModuleType
) -> None:
    """Of one seed all are those of `evaluate`, also where no example of a class was found."""
    written.tell(tmp_path, "plain")
    logits = written.write(tmp_path, "plain", 0, -3.0)
    assert not (logits.argmax(axis=1) == written.CODES)[written.CODES == 2].any()
    told = {
        prior: evaluate(
            logits,
            written.CODES,
            classes=["a", "b", "<c>"],
            train_counts=written.COUNTS,
            prior=np.full(3, 1 / 3) if prior == "balanced" else None,
            n_bootstrap=10,
        )
        for prior in ("as_trained", "balanced")
    }
    [row] = leaderboard(read_results(tmp_path))
    for name, (metric, prior) in COLUMNS.items():
        overall, groups = told[prior]["overall"], told[prior]["groups"]
        expected = groups["medium"]["recall"] if metric == "recall" else overall[metric]
        assert row[name] == pytest.approx(expected), name
    assert row["rarest_recall"]["high"] > 0.2


def test_the_rarest_are_those_of_each_run(tmp_path: Path, written: ModuleType) -> None:
    """Another order of the classes makes others rare; they are named only where all agree."""
    sizes = {0: [900, 600, 300, 50], 1: [50, 900, 600, 300]}
    written.tell(tmp_path, "plain", "good")
    logits = {
        order: written.write(tmp_path, "plain", 0, 1.0, order=order, counts=counts)
        for order, counts in sizes.items()
    }
    for order, counts in sizes.items():
        written.write(tmp_path, "good", 0, 3.0, order=order, counts=counts)
    results = read_results(tmp_path)
    assert results.repeats == [(0, 0), (0, 1)]
    assert results.rarest() == [[2, 3], [0, 3]]  # no more than half of the classes
    assert concluded(results)["rarest"] == []
    [row] = [row for row in leaderboard(results) if row["method"] == "plain"]
    expected = []
    for order, rare in ((0, [2, 3]), (1, [0, 3])):
        right = logits[order].argmax(axis=1) == written.FOUR
        expected.append(np.mean([right[code == written.FOUR].mean() for code in rare]))
    assert row["rarest_recall"]["value"] == pytest.approx(np.mean(expected))


def test_the_rarest_have_test_examples(tmp_path: Path, written: ModuleType) -> None:
    """Those without any are named, and the rarest of the others are those of a verdict."""
    counts = [900, 300, 100, 50]
    written.tell(tmp_path, "plain", "good")
    right = {}
    for method, skill in (("plain", 1.0), ("good", 3.0)):
        logits = written.write(tmp_path, method, 0, skill, counts=counts)
        run = Run(tmp_path / "runs" / method / "seed0")
        arrays, here = run.read_arrays("predictions.npz"), written.FOUR < 2
        run.write_arrays("predictions.npz", {name: own[here] for name, own in arrays.items()})
        right[method] = (logits.argmax(axis=1) == 1)[written.FOUR == 1].mean()
    results = read_results(tmp_path)
    assert results.rarest() == [[1]]  # one, for two are tested
    found = conclude(tmp_path)
    assert found["rarest"] == ["b"]
    assert [line for line in found["cautions"] if "examples of <c> and d are lacking" in line]
    for row in found["leaderboard"]:
        assert row["rarest_recall"]["value"] == pytest.approx(right[row["method"]])


def test_orders_are_no_seeds(folder: Path, written: ModuleType) -> None:
    """Three orders with one seed know nothing of training noise; with two, seeds are counted."""
    for order in (1, 2):
        for seed in (0, 1):
            for method, skill in (("plain", 1.0), ("focal", 1.0), ("good", 6.0)):
                written.write(folder, method, seed, skill, order=order)
    told = concluded(read_results(folder))["balanced"]
    assert (told["facts"]["n_seeds"], told["facts"]["n_runs"]) == (2, 6)
    assert told["sentences"][0].endswith("the mean over 2 seeds x 3 orders of classes.")
    for path in folder.glob("runs/*/seed1*/DONE"):
        path.unlink()
    told = concluded(read_results(folder))["balanced"]
    assert told["sentences"][0].endswith("the mean over 3 orders of classes with 1 seed.")
    assert told["reading"][0].startswith("With 1 seed, intervals and tests know nothing")
    assert not told["facts"]["holds_seed_noise"]


def test_costs_are_means_over_the_runs(folder: Path) -> None:
    """By hand: 10 and 11 seconds, four epochs each, and two looks in two runs."""
    [row] = [row for row in leaderboard(read_results(folder)) if row["method"] == "plain"]
    assert (row["seconds"], row["epochs"], row["trials"], row["looks"]) == (10.5, 4.0, 1.0, 2)
    assert (row["parameters"], row["multiply_adds"], row["n"]) == (100.0, 90.0, 2)


def test_time_is_the_wall_clock_of_the_whole_run(folder: Path) -> None:
    """Where a run says it; else the clock of its search, else that of its training."""
    run = Run(folder / "runs" / "plain" / "seed0")
    (run.path / "search").mkdir()
    (run.path / "search" / "clock.json").write_text('{"used": 50.0}')

    def seconds() -> float:
        return {row["method"]: row["seconds"] for row in leaderboard(read_results(folder))}["plain"]

    assert seconds() == (50 + 11) / 2
    config = {k: v for k, v in run.config.items() if k != "format"}
    config["environment"]["wall_seconds"] = 75.0
    run.write_config(config)
    assert seconds() == (75 + 11) / 2


def test_heuristic_corrections_are_marked(folder: Path) -> None:
    """By what a run says, or by the name of its loss."""
    losses = {"focal": "Focal()", "good": "LDAM(scale=30.0)", "plain": "CrossEntropy()"}
    for name, loss in losses.items():
        for seed in (0, 1):
            run = Run(folder / "runs" / name / f"seed{seed}")
            config = {k: v for k, v in run.config.items() if k != "format"}
            run.write_config({**config, "classifier": {"loss": loss}})
    found = concluded(read_results(folder))
    assert [row["method"] for row in found["leaderboard"] if not row["exact_prior"]] == ["good"]
    assert "heuristic for good: what it predicts need not be" in found["cautions"][0]
    for name, told in (("good", True), ("focal", False)):
        run = Run(folder / "runs" / name / "seed1")
        config = {k: v for k, v in run.config.items() if k != "format"}
        config["network"]["exact_prior"] = told
        run.write_config(config)
    [caution] = concluded(read_results(folder))["cautions"]
    assert "good and focal: what they predict" in caution  # one seed of good is enough


@pytest.mark.parametrize(
    "part",
    [
        {"classifier": {"posthoc": "TauNorm()"}},
        {"classifier": {"posthoc": "NearestMean(scale=2.0)"}},
        {"opponent": {"name": "balanced-forest"}, "classifier": {}},
    ],
)
def test_corrections_that_earlier_versions_took_for_exact_are_marked(
    part: dict[str, Any], folder: Path
) -> None:
    """Whatever such a run says of itself."""
    run = Run(folder / "runs" / "good" / "seed1")
    config = {k: v for k, v in run.config.items() if k != "format"}
    run.write_config({**config, **part, "network": {**config["network"], "exact_prior": True}})
    found = concluded(read_results(folder))
    assert [row["method"] for row in found["leaderboard"] if not row["exact_prior"]] == ["good"]


def test_seeds_that_do_not_count_are_named_with_the_method_that_lacks_them(folder: Path) -> None:
    """They are left out for all methods, which no number shows."""
    (folder / "runs" / "focal" / "seed1" / "DONE").unlink()
    [caution] = concluded(read_results(folder))["cautions"]
    assert "all methods have, here 1: focal has not finished seed 1." in caution


@pytest.mark.parametrize(("metric", "is_told"), [("g_mean", True), ("macro_f1", False)])
def test_a_metric_without_a_verdict_is_told(
    metric: str, is_told: bool, folder: Path, written: ModuleType
) -> None:
    """Epochs were chosen by it, and methods cannot be compared by it."""
    written.tell(folder, "plain", "focal", "good", setup={"metric": metric})
    found = " ".join(concluded(read_results(folder))["cautions"])
    assert (f"chosen by {metric}, by which methods cannot be compared" in found) == is_told


@pytest.mark.parametrize(
    ("metric", "column", "prior"),
    [
        ("macro_f1", "macro_f1", "as_trained"),
        ("accuracy", "accuracy", "as_trained"),
        ("balanced_log_loss", "balanced_log_loss_corrected", "balanced"),
    ],
)
def test_the_metric_of_a_comparison_has_a_verdict(
    metric: str, column: str, prior: str, folder: Path, written: ModuleType
) -> None:
    """By it, with a column, beside that by balanced accuracy, which is what it was."""
    plain = concluded(read_results(folder))
    assert plain["by_metric"] is None
    written.tell(folder, "plain", "focal", "good", setup={"metric": metric})
    found = conclude(folder)
    assert found["balanced"] == plain["balanced"]
    own = found["by_metric"]
    assert (own["metric"], own["column"]) == (metric, column)
    assert ("balanced" in own) == (prior == "balanced")  # others it would make worse
    assert own["as_trained"]["facts"]["metric"] == metric
    for row in found["leaderboard"]:
        assert own[prior]["facts"]["means"][row["method"]] == row[column]
        assert own["as_trained"]["facts"]["means"][row["method"]] == row[metric]
    assert f"{column}_low" in (folder / "leaderboard.csv").read_text()


def test_a_metric_that_cannot_be_compared_leaves_balanced_accuracy(
    folder: Path, written: ModuleType
) -> None:
    """G-mean is no sum over examples."""
    written.tell(folder, "plain", "focal", "good", setup={"metric": "g_mean"})
    assert concluded(read_results(folder))["by_metric"] is None


def test_the_verdict_names_what_was_planted(folder: Path) -> None:
    """The good method is told from both others, which are not told apart."""
    found = concluded(read_results(folder))
    to_best = {fact["method"]: fact["told_apart"] for fact in found["balanced"]["facts"]["to_best"]}
    assert found["balanced"]["facts"]["best"] == "good"
    to_control = {f["method"]: f["told_apart"] for f in found["balanced"]["facts"]["to_control"]}
    assert to_best.keys() == {"plain", "focal"}
    assert not to_control["focal"]
    assert found["rarest"] == ["<c>"]


def test_seeds_that_one_method_lacks_are_left_out(folder: Path, written: ModuleType) -> None:
    """A third seed of two methods changes nothing until the third has it."""
    before = concluded(read_results(folder))["balanced"]
    written.write(folder, "plain", 2, 1.0)
    written.write(folder, "focal", 2, 1.0)
    results = read_results(folder)
    assert results.repeats == [(0, 0), (1, 0)]
    assert concluded(results)["balanced"] == before
    written.write(folder, "good", 2, 6.0)
    assert read_results(folder).repeats == [(0, 0), (1, 0), (2, 0)]


def test_unfinished_runs_are_not_read(folder: Path, written: ModuleType) -> None:
    """Nor do folders of other names matter; a method without any run is named."""
    (folder / "runs" / "good" / "seed1" / "DONE").unlink()
    (folder / "runs" / "good" / "notes").mkdir()
    assert read_results(folder).repeats == [(0, 0)]
    written.tell(folder, "plain", "focal", "good", "late")
    assert concluded(read_results(folder))["unfinished"] == ["late"]


def test_other_test_examples_are_refused(folder: Path, written: ModuleType) -> None:
    """Differences would not be paired."""
    written.tell(folder, "plain", "focal", "good", "odd")
    written.write(folder, "odd", 0, 1.0, ids=np.arange(len(written.CODES)) + 7)
    with pytest.raises(InputError, match=r"same test examples.*odd"):
        read_results(folder)


def test_no_comparison_is_refused(tmp_path: Path, folder: Path, written: ModuleType) -> None:
    """An empty folder, one without finished runs, and one without a common seed."""
    with pytest.raises(InputError, match=r"comparison\.json"):
        read_results(tmp_path / "nowhere")
    other = tmp_path / "other"
    other.mkdir()
    written.tell(other, "plain")
    with pytest.raises(InputError, match="finished"):
        read_results(other)
    for seed in (0, 1):
        (folder / "runs" / "good" / f"seed{seed}" / "DONE").unlink()
    written.write(folder, "good", 5, 6.0)
    with pytest.raises(InputError, match="no such seed"):
        conclude(folder)


@pytest.mark.parametrize(
    "text",
    [
        "{",
        "[]",
        "{}",
        '{"methods": ["plain"]}',
        '{"methods": {"../plain": {}}}',
        '{"methods": {"..": {}}}',
        '{"methods": {"": {}}}',
        '{"methods": {"=1+1": {}}}',  # a formula in the leaderboard's table
        '{"methods": {"plain": {}}, "setup": []}',
        '{"methods": {"plain": {}}, "setup": null}',
        '{"methods": {"plain": {}}, "setup": {"metric": []}}',
        '{"methods": {"plain": {}}, "setup": {"fingerprint": {}}}',
        '{"methods": {"plain": {}}, "setup": {"budget": "1m"}}',
        '{"methods": {"plain": {}}, "setup": {"order": 1}}',
        '{"methods": {"plain": {}}, "setup": {"split_seed": "0"}}',
        '{"methods": {"plain": {}}, "terms": ["cpu"]}',
        '{"methods": {"plain": {}}, "choices": 1}',
    ],
)
def test_a_damaged_comparison_is_told_in_words(text: str, folder: Path) -> None:
    """Also a stranger's, which must not lead out of its folder."""
    (folder / "comparison.json").write_text(text)
    with pytest.raises(InputError):
        read_results(folder)


def test_a_damaged_run_is_told_in_words(folder: Path) -> None:
    """With the folder that is to be removed."""
    run = Run(folder / "runs" / "focal" / "seed1")
    config = run.config
    for section in ("network", "environment", "test"):
        run.write_config({k: v for k, v in config.items() if k not in (section, "format")})
        with pytest.raises(InputError, match="focal"):
            read_results(folder)
