"""Laws of ranks over data sets: those of the sets' own verdicts and of an independent library."""

import json
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest
from scipy import stats

from equipoise.cli import main
from equipoise.comparison.ranking import rank_comparisons
from equipoise.comparison.results import read_results
from equipoise.comparison.verdict import concluded
from equipoise.errors import InputError
from equipoise.runs import Run

SKILLS = {"plain": (1.0, 1.2, 0.8, 1.1), "good": (1.8, 4.0, 6.0, 1.0), "bad": (0.1, 0.2, 0.1, 0.1)}


@pytest.fixture(scope="module")
def folders(tmp_path_factory: pytest.TempPathFactory, written: ModuleType) -> list[Path]:
    """Comparisons on four data sets; on the last two methods are alike, the first has one more."""
    made = []
    for i in range(4):
        folder = tmp_path_factory.mktemp(f"set{i}")
        written.tell(folder, *SKILLS, *(["only"] if i == 0 else []))
        for seed in range(3):
            for method, skills in SKILLS.items():
                written.write(folder, method, seed, skills[i], salt=i)
            if i == 0:
                written.write(folder, "only", seed, 1.0)
        made.append(folder)
    return made


def test_ranks_are_those_of_the_means(folders: list[Path]) -> None:
    """By SciPy, from the leaderboards."""
    found = rank_comparisons(folders)
    means = []
    for folder in folders:
        facts = concluded(read_results(folder))["balanced"]["facts"]["means"]
        means.append([facts[name]["value"] for name in SKILLS])
    ranks = stats.rankdata([[-m for m in row] for row in means], axis=1).mean(axis=0)
    assert {name: row["rank"] for name, row in found["methods"].items()} == pytest.approx(
        dict(zip(SKILLS, ranks, strict=True))
    )
    chi2 = stats.friedmanchisquare(*zip(*means, strict=True))
    assert found["friedman"]["chi2"] == pytest.approx(chi2.statistic)
    assert [list(row.values()) for row in found["sets"].values()] == means


def test_methods_that_tie_for_the_best_rank_are_all_named(
    tmp_path: Path, written: ModuleType
) -> None:
    """Each of two methods is first on one of two data sets."""
    made = []
    for i, first in enumerate(("good", "other")):
        folder = tmp_path / first
        folder.mkdir()
        written.tell(folder, "plain", "good", "other")
        for seed in range(2):
            for name in ("plain", "good", "other"):
                skill = {"plain": 0.5, first: 6.0}.get(name, 2.0)
                written.write(folder, name, seed, skill, salt=i)
        made.append(folder)
    said = rank_comparisons(made)["sentences"][0]
    assert said.startswith("Over 2 data sets good and other have the best average rank by ")


def test_wins_are_what_each_verdict_tells(folders: list[Path]) -> None:
    """Counted over the data sets, against the control; others' methods are in the family, too."""
    found = rank_comparisons(folders)["methods"]
    assert "only" not in found
    for name in ("good", "bad"):
        told = []
        for folder in folders:
            facts = concluded(read_results(folder))["balanced"]["facts"]["to_control"]
            told += [fact for fact in facts if fact["method"] == name]
        wins = sum(fact["told_apart"] and fact["value"] > 0 for fact in told)
        losses = sum(fact["told_apart"] and fact["value"] < 0 for fact in told)
        row = found[name]
        assert (row["wins"], row["losses"]) == (wins, losses)
        assert row["wins"] + row["ties"] + row["losses"] == 4
    assert found["good"]["wins"] == 2  # of the first, not with a method less: 2 p < 0.05 < 3 p
    assert "rank" in found["plain"]


def test_methods_that_one_comparison_lacks_are_left_out(
    folders: list[Path], tmp_path: Path, written: ModuleType
) -> None:
    """And named; with fewer than two left there is nothing to rank."""
    written.tell(tmp_path, "plain", "good", "new")
    for method in ("plain", "good", "new"):
        written.write(tmp_path, method, 0, 1.0)
    found = rank_comparisons([*folders, tmp_path])
    assert list(found["methods"]) != []
    assert found["left_out"] == ["bad", "new", "only"]
    assert "Left out" in found["sentences"][-1]
    written.tell(tmp_path, "new")
    with pytest.raises(InputError, match="at least two methods"):
        rank_comparisons([*folders, tmp_path])


def test_the_command_prints_and_writes(
    folders: list[Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """JSON that is what the function returns; a page with the diagram before the comparisons."""
    out = tmp_path / "ranks.html"
    assert main(["rank", *map(str, folders), "--json", "--out", str(out)]) == 0
    assert json.loads(capsys.readouterr().out) == json.loads(json.dumps(rank_comparisons(folders)))
    page = out.read_text("utf-8")
    assert "Over 4 data sets" in page
    assert page.count("<svg") == 1 + 4 * 4
    assert main(["rank", *map(str, folders)]) == 0
    assert "average rank" in capsys.readouterr().out


def test_predictions_are_corrected_where_classes_count_alike(
    folders: list[Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """By default; other scores are those of the logits as they were trained, and so it is said."""
    for metric, prior in (("balanced_log_loss", "balanced"), ("macro_f1", "as_trained")):
        assert rank_comparisons(folders, metric=metric)["prior"] == prior
    out = tmp_path / "ranks.html"
    assert main(["rank", *map(str, folders), "--metric", "accuracy", "--out", str(out)]) == 0
    printed = capsys.readouterr().out
    found = rank_comparisons(folders, metric="accuracy")
    runs = [Run(folders[1] / "runs" / "good" / f"seed{seed}") for seed in range(3)]
    arrays = [run.read_arrays("predictions.npz") for run in runs]
    right = [a["test_logits"].argmax(axis=1) == a["test_labels"] for a in arrays]
    assert list(found["sets"].values())[1]["good"] == pytest.approx(np.mean(right))
    for text in (" ".join(printed.split()), found["sentences"][0], out.read_text("utf-8")):
        assert "accuracy, as trained" in text
    assert printed.startswith("accuracy, as trained, 4 data sets")
    given = rank_comparisons(folders, metric="accuracy", prior="balanced")
    assert "by accuracy, corrected to equal classes: " in given["sentences"][0]
    assert given["sets"] != found["sets"]


@pytest.mark.parametrize(
    "wrong",
    [["--metric", "acuracy"], ["--metric", "recall"], ["--prior", "even"], ["--out", "x.pdf"]],
)
def test_bad_options_are_told_in_words(
    wrong: list[str], folders: list[Path], capsys: pytest.CaptureFixture[str]
) -> None:
    """Exit status 2."""
    assert main(["rank", *map(str, folders), *wrong]) == 2
    assert capsys.readouterr().err.count("equipoise: ") == 1


def test_one_comparison_cannot_be_ranked(folders: list[Path]) -> None:
    """Nor twice the same, alone or beside others."""
    for given in (folders[:1], [folders[0], folders[0]], [*folders, folders[0]]):
        with pytest.raises(InputError, match="at least two comparisons"):
            rank_comparisons(given)


def _of_data(
    root: Path, written: ModuleType, data: dict[str, tuple[str, float, dict[str, float]]]
) -> list[Path]:
    """Comparisons by path, each of a fingerprint at a ratio, with skills by method."""
    made = []
    for i, (name, (fingerprint, ratio, skills)) in enumerate(data.items()):
        folder = root / name
        folder.mkdir(parents=True)
        written.tell(folder, *skills, setup={"fingerprint": fingerprint, "ratio": ratio})
        for method, skill in skills.items():
            written.write(folder, method, 0, skill, salt=i)
        made.append(folder)
    return made


def test_the_same_data_at_other_ratios_counts_once(tmp_path: Path, written: ModuleType) -> None:
    """Its means are ranked as one data set, by SciPy; alike it is refused, and alone too."""
    ahead, behind = {"plain": 1.0, "good": 5.0}, {"plain": 5.0, "good": 1.5}
    folders = _of_data(
        tmp_path,
        written,
        {"a/set": ("one", 10, ahead), "b/set": ("one", 100, behind), "two": ("two", 10, behind)},
    )
    found = rank_comparisons(folders)
    rows = {name: list(row.values()) for name, row in found["sets"].items()}
    assert list(rows) == ["a/set", "b/set", "two"]
    joined = [(x + y) / 2 for x, y in zip(rows["a/set"], rows["b/set"], strict=True)]
    ranks = stats.rankdata([[-x for x in joined], [-x for x in rows["two"]]], axis=1)
    assert [found["methods"][m]["rank"] for m in ("plain", "good")] == list(ranks.mean(axis=0))
    assert found["n_sets"] == 2
    assert found["joined"] == [["a/set", "b/set"]]
    assert "a/set and b/set are of the same data" in found["sentences"][-1]
    with pytest.raises(InputError, match="at least two data sets"):
        rank_comparisons(folders[:2])
    again = _of_data(tmp_path / "more", written, {"set": ("one", 10, ahead)})
    with pytest.raises(InputError, match="of the same data, thinned alike"):
        rank_comparisons([*folders, *again])


def test_wins_are_counted_against_a_method_that_all_have(folders: list[Path]) -> None:
    """The comparisons' own control by default; an unknown one is refused, not ignored."""
    assert rank_comparisons(folders)["control"] == "plain"
    assert "wins" in rank_comparisons(folders, control="bad")["methods"]["plain"]
    for unknown in ("plian", "only"):
        with pytest.raises(InputError, match="control must be one of"):
            rank_comparisons(folders, control=unknown)


def _always_ahead(root: Path, written: ModuleType, n: int) -> list[str]:
    """Return comparisons on some data sets, in each of which one method is ahead of plain."""
    made = []
    for i in range(n):
        folder = root / f"set{i}"
        folder.mkdir()
        written.tell(folder, "plain", "good")
        for method, skill in (("plain", 0.5), ("good", 6.0)):
            written.write(folder, method, 0, skill, salt=i)
        made.append(str(folder))
    return made


@pytest.mark.parametrize(("n", "told"), [(5, "none"), (7, "plain and good (p = 0.016)")])
def test_what_wilcoxons_test_tells_is_said_and_on_the_page(
    n: int, told: str, tmp_path: Path, written: ModuleType, capsys: pytest.CaptureFixture[str]
) -> None:
    """Two methods, always the same one ahead: p = 2 / 2^n."""
    made = _always_ahead(tmp_path, written, n)
    assert main(["rank", *made, "--out", str(tmp_path / "r.html")]) == 0
    line = f"test of each pair (Holm's correction over 1 pair) tells apart {told}."
    assert line in " ".join(capsys.readouterr().out.split())
    page = (tmp_path / "r.html").read_text("utf-8")
    _, row = page.split("<h3>Wilcoxon", 1)
    assert f'data-of="good">good</td><td class="number" data-value="{2 / 2**n}">' in row


@pytest.mark.parametrize("n", [2, 4])
def test_few_data_sets_that_agree_are_no_proof(
    n: int, tmp_path: Path, written: ModuleType, capsys: pytest.CaptureFixture[str]
) -> None:
    """Two methods, always the same one ahead: by chance with probability 2^(1 - n)."""
    made = _always_ahead(tmp_path, written, n)
    assert main(["rank", *made, "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert found["friedman"]["p"] == pytest.approx(2.0 ** (1 - n))
    assert found["friedman"]["f"] is None
    assert found["cliques"] == [["good", "plain"]]
    assert "does not tell the methods apart" in found["sentences"][1]
    assert main(["rank", *made, "--out", str(tmp_path / "r.html")]) == 0
    assert "no ranks differ" in (tmp_path / "r.html").read_text("utf-8")
