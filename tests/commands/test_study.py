"""Laws of the command that studies a component."""

import csv
import json
import shutil
from pathlib import Path
from typing import Any, get_args

import numpy as np
import pytest
import torch

from equipoise.cli import main
from equipoise.commands.study import Compared
from equipoise.report.studies import summarise_study
from equipoise.runs import Run
from equipoise.statistics.scores import METRICS
from equipoise.studies.design import Study, make_study
from small_studies import SMALL, TWICE, stamps, study, three_classes


def test_a_study_ends_with_its_findings(whole: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A cell for each ratio, value and seed; JSON, a table and a sentence for each ratio."""
    assert study(whole, *TWICE, "--resume", "--json") == 0  # nothing is left to do
    found = json.loads(capsys.readouterr().out)
    assert found["ratios"] == ["1", "10"]
    assert found["seeds"] == [0, 1]
    assert len(found["balanced"]["sentences"]) == 4 + 2
    assert found["balanced"]["sentences"][0] == found["balanced"]["unjudged"]
    assert found["balanced"]["unjudged"].startswith("The paper's claim is undecided here: ")
    assert len(found["deployment"]) == 2 * 2 * 2
    assert len(stamps(whole)) == 8
    with (whole / "study.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert {(row["ratio"], row["setting"]) for row in rows} == {
        (ratio, value) for ratio in ("1", "10") for value in ("no smoothing", "Uniform()")
    }


def test_settings_are_shared_and_examples_nested_before_some_are_held_out(tmp_path: Path) -> None:
    """Learnt and held-out examples of a larger ratio together are among those of a smaller one."""
    out = tmp_path / "s"
    assert study(out, "--ratios", "1,10", "--seeds", "2", "--augmentation", "None") == 0
    runs = {
        (ratio, value, seed): Run.open(out / f"ratio{ratio}/runs/{value}/seed{seed}")
        for ratio in (1, 10)
        for value in ("no-smoothing", "Uniform()")
        for seed in (0, 1)
    }
    settings = {key: run.config["classifier"] for key, run in runs.items()}
    for own in settings.values():
        changed = {k for k, v in own.items() if v != settings[1, "no-smoothing", 0][k]}
        assert changed <= {"smoothing", "random_state"}
    orders = [runs[10, "Uniform()", seed].config["data"]["counts_train"] for seed in (0, 1)]
    assert orders[0] != orders[1]  # other classes are rare
    for seed in (0, 1):
        few, many = (
            np.union1d(
                *(
                    runs[r, "Uniform()", seed].read_arrays("split.npz")[p]
                    for p in ("train", "validation")
                )
            )
            for r in (10, 1)
        )
        assert np.isin(few, many).all()
        assert few.size <= 120 < many.size
        tests = [
            runs[r, v, seed].read_arrays("split.npz")["test"]
            for r, v in ((1, "Uniform()"), (10, "no-smoothing"))
        ]
        assert np.array_equal(tests[0], tests[1])


def test_the_terminal_and_json_tell_the_cautions_of_the_page(
    whole: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Of one seed and of two; that batch sizes were not retuned; before any number."""
    one = ["study", "batch-size", *SMALL[:-3], "--values", "16", "64", "--ratios", "5"]
    one += ["--seeds", "1", "--out", str(tmp_path / "one")]
    two = ["study", "smoothing", *SMALL, *TWICE, "--out", str(whole), "--resume"]
    for command, words in (
        (one, ["All of this is from one seed", "Rate and weight decay were not tuned"]),
        (two, ["Two seeds tell only large changes"]),
    ):
        assert main(command) == 0
        printed = " ".join(capsys.readouterr().out.split())
        folder = Path(command[command.index("--out") + 1])
        told = json.loads((folder / "findings.json").read_text("utf-8"))["cautions"]
        assert summarise_study(folder)["cautions"] == told
        assert len(told) == len(words)
        for caution, word in zip(told, words, strict=True):
            assert caution.startswith(word)
            assert -1 < printed.find(caution) < printed.index("As trained:")


def test_the_study_of_the_training_ratio_answers_its_question(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """In the terminal, with errors: accuracy for each ratio of training and use, and the best."""
    out = tmp_path / "s"
    command = ["study", "train-ratio", *SMALL[:-3], *TWICE, "--out", str(out)]
    assert main(command) == 0
    printed = " ".join(capsys.readouterr().out.split())
    found = json.loads((out / "findings.json").read_text("utf-8"))
    assert len(found["deployment"]) == 4
    for row in found["deployment"]:
        for kind in ("as_trained", "corrected"):
            mean, error = 100 * np.mean(row[kind]), 100 * row[f"{kind}_error"]
            assert f"{mean:.1f} ± {error:.1f}" in printed
    for prior in ("as_trained", "balanced"):
        said = found[prior]["sentences"]
        assert [line.split(", training")[0] for line in said[-2:]] == [
            f"Where classes have the ratio {ratio}" for ratio in (1, 10)
        ]
        assert all(line in printed for line in said)
        assert "which training ratio is best for each of --test-ratios is told" in said[0]


def test_values_are_compared_by_what_is_named_until_something_else_is(
    whole: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """In files, output and report; --resume without a name keeps it, damaged findings do not."""
    out = Path(shutil.copytree(whole, tmp_path / "s"))

    def told() -> str:
        capsys.readouterr()
        return json.loads((out / "findings.json").read_text("utf-8"))["metric"]

    assert study(out, *TWICE, "--resume", "--compare-by", "balanced_log_loss") == 0
    assert told() == "balanced_log_loss"
    for _ in range(2):
        assert study(out, *TWICE, "--resume") == 0
        printed = capsys.readouterr().out
        assert "As trained: balanced log loss" in " ".join(printed.split())
        assert "nats" in printed
    assert summarise_study(out)["metric"] == told() == "balanced_log_loss"
    assert study(out, *TWICE, "--resume", "--compare-by", "accuracy") == 0
    assert told() == "accuracy"
    (out / "findings.json").write_text("[]", "utf-8")
    assert study(out, *TWICE, "--resume") == 0
    assert told() == "balanced_accuracy"
    assert set(get_args(Compared)) == METRICS.keys() - {"recall"}
    assert study(out, *TWICE, "--resume", "--compare-by", "recall") == 2


def test_with_a_fixed_total_all_ratios_have_as_many_examples(tmp_path: Path) -> None:
    """But for what whole examples do not allow."""
    out = tmp_path / "s"
    assert study(out, "--ratios", "1,10", "--seeds", "1", "--fixed", "total") == 0
    sizes = [
        sum(len(each) for name, each in run.read_arrays("split.npz").items() if name != "test")
        for run in (Run(out / f"ratio{r}/runs/Uniform()/seed0") for r in (1, 10))
    ]
    assert all(105 < size <= 120 for size in sizes)


def test_what_is_retuned_is_searched_in_each_cell(tmp_path: Path) -> None:
    """The optimizer's numbers and those of smoothing, where there is any; as often as was said."""
    out = tmp_path / "s"
    more = ["--ratios", "10", "--seeds", "1", "--retune", "rate,smoothing", "--trials", "2"]
    assert study(out, *more) == 0
    for value in ("no-smoothing", "Uniform()"):
        run = Run.open(out / f"ratio10/runs/{value}/seed0")
        trials = run.read_json("tuning.json")["trials"]
        assert len(trials) == 2
        assert all(("smoothing" in trial["params"]) == (value == "Uniform()") for trial in trials)


@pytest.mark.parametrize(
    ("more", "said"),
    [
        (["--ratio", "10"], "--ratios"),
        (["--smoothing", "Uniform()"], "must not be given as well"),
        (["--ratios", "1,x"], "numbers with commas"),
        (["--test-ratios", "1,0"], "--test-ratios are above 0"),
        (["--test-ratios", "nan"], "--test-ratios are above 0"),
        (["--seeds", "0"], "seeds"),
        (["--retune", "nothing"], "--retune rate"),
    ],
)
def test_studies_that_make_no_sense_are_refused(
    more: list[str], said: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """In words, and nothing is left behind."""
    assert study(tmp_path / "s", *more) == 2
    assert said in capsys.readouterr().err
    assert not (tmp_path / "s").exists()


def test_a_ratio_out_of_reach_names_the_class_its_order_and_what_can_be_done(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """A draw makes the smallest class the largest; each remedy that is named is one."""
    table = three_classes(tmp_path)
    command = ["study", "smoothing", str(table), "--label", "target", "--epochs", "1", "--dry-run"]
    command += ["--values", "None", "Uniform()", "--out", str(tmp_path / "s"), "--seeds", "1"]
    for seed in range(1, 9):  # one in three makes the smallest class the largest
        own = [*command, "--split-seed", str(seed)]
        capsys.readouterr()
        if main([*own, "--ratios", "1,60"]) == 2:
            break
    else:
        pytest.fail("no draw was refused")
    said = " ".join(capsys.readouterr().err.split())
    assert f"drawn by seed {seed}, rare is to be the largest and has 10 examples" in said
    assert "the largest class there is, common, has 240" in said
    most = said.partition("ratio of at most ")[2].partition(",")[0]
    assert main([*own, "--ratios", f"1,{most}"]) == 0
    assert main([*own, "--ratios", "1,60", "--order", "size"]) == 0
    assert "--order size" in said
    assert main([*own, "--ratios", "own"]) == 0
    assert "--ratios own" in said
    others = [*command[:-1], "2", "--split-seed", str(seed - 1)]
    assert main([*others, "--ratios", "1,60"]) == 2
    assert "At ratio 60, seed 1: " in " ".join(capsys.readouterr().err.split())


def test_sizes_that_differ_over_ratios_are_told_everywhere(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Before training, in the study's files and findings, and on its page."""
    table = three_classes(tmp_path)
    out, said = tmp_path / "s", "10 at ratio 1 and 240 at ratio 60"
    command = ["study", "smoothing", str(table), "--label", "target", "--order", "size"]
    command += ["--ratios", "1,60", "--values", "None", "Uniform()", "--out", str(out)]
    command += ["--seeds", "1", "--epochs", "1", "--device", "cpu"]
    assert main([*command, "--dry-run"]) == 0
    assert said in " ".join(capsys.readouterr().err.split())
    assert main(command) == 0
    assert said in " ".join(capsys.readouterr().out.split())
    assert said in json.loads((out / "study.json").read_text("utf-8"))["cautions"][0]
    assert main(["report", str(out), "--out", str(tmp_path / "p.html")]) == 0
    page = (tmp_path / "p.html").read_text("utf-8")
    assert said in page
    assert "the largest class is not the same at all ratios" in page


def test_a_dry_run_for_machines_prints_the_cells(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """As JSON, and nothing is written."""
    assert study(tmp_path / "s", "--ratios", "1,10", "--seeds", "2", "--dry-run", "--json") == 0
    laid = json.loads(capsys.readouterr().out)
    assert laid["ratios"] == [1, 10]
    assert [value["label"] for value in laid["values"]] == ["no smoothing", "Uniform()"]
    assert (laid["n_runs"], laid["n_missing"]) == (8, 8)
    assert not (tmp_path / "s").exists()


def test_machines_are_measured_with_the_threads_of_a_worker(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """While a study is laid out, and not after it."""
    laid, before = [], torch.get_num_threads()

    def make(*args: Any, **options: Any) -> Study:
        laid.append(torch.get_num_threads())
        return make_study(*args, **options)

    monkeypatch.setattr("equipoise.commands.study.make_study", make)
    more = ["--ratios", "1,10", "--seeds", "1", "--dry-run", "--executor", "processes"]
    assert study(tmp_path / "s", *more, "--workers", "2", "--threads", str(before + 2)) == 0
    assert study(tmp_path / "s", "--ratios", "1,10", "--seeds", "1", "--dry-run") == 0
    assert laid == [before + 2, before]
    assert torch.get_num_threads() == before


@pytest.mark.parametrize(
    ("more", "metric", "search"),
    [
        (
            ["--ratios", "1,10"],
            "balanced_log_loss (as fits ratio 10, the largest: with 1 held-out example",
            "no, for there is no time budget",
        ),
        (["--ratios", "10", "--budget", "9s"], "balanced_log_loss (with 1 held", "no, for nothing"),
        (
            ["--ratios", "1,10", "--metric", "macro_f1", "--budget", "9s", "--retune", "rate"],
            "macro_f1 (as given)",
            "yes, as given",
        ),
    ],
)
def test_only_what_was_given_is_said_to_be(
    more: list[str], metric: str, search: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """A metric that follows from the data says from which ratio, and why."""
    assert study(tmp_path / "s", *more, "--seeds", "1", "--dry-run", "--json") == 0
    notes = json.loads(capsys.readouterr().out)["notes"]
    for start, said in (("metric", metric), ("search", search)):
        assert [note for note in notes if note.startswith(f"{start}: {said}")], notes


def test_a_folder_that_cannot_hold_a_study_is_refused_before_data_is_read(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """The data need not even exist: a file in the way, other things, and a study that is there."""
    study = ["study", "smoothing", "nowhere.csv", "--out"]
    (tmp_path / "file").touch()
    for place, said in (
        (tmp_path / "file" / "s", "a folder that can be written to"),
        (tmp_path, "holds something else"),
    ):
        assert main([*study, str(place)]) == 2
        assert said in capsys.readouterr().err
    told = {**dict.fromkeys(("claim", "fixed", "hold", "data"), ""), "unit": None, "retune": []}
    told |= {"component": "epochs", "reference": "one", "ratios": [None]}
    told |= {"values": [{"label": "one", "number": 1, "method": "one"}]}
    (tmp_path / "study.json").write_text(json.dumps(told))
    assert main([*study, str(tmp_path)]) == 2
    assert "holds a study already" in capsys.readouterr().err
    assert main([*study, str(tmp_path), "--resume"]) == 2
    assert "a study of epochs, and smoothing is asked for" in capsys.readouterr().err
    (tmp_path / "study.json").write_text("{}")
    assert main([*study, str(tmp_path), "--resume"]) == 2
    assert "A study must be as `equipoise study` wrote it." in capsys.readouterr().err
