"""Laws of the page of a comparison: every figure is there, nothing is executed or fetched."""

import re
import subprocess
import sys
from html import escape
from html.parser import HTMLParser
from pathlib import Path
from types import ModuleType

import pytest

from equipoise.cli import main
from equipoise.errors import InputError
from equipoise.report import write_report
from equipoise.report.comparisons import summarise_comparison
from equipoise.report.plots.comparison import (
    cost_and_quality,
    differences_to_control,
    pareto_front,
)
from equipoise.report.plots.ranks import critical_differences
from equipoise.report.plots.theme import themed

EVIL = "<script>alert(1)</script>"


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory, written: ModuleType) -> Path:
    """Two seeds of four methods, one of which has a name that would run in a careless page."""
    made = tmp_path_factory.mktemp("made") / "mine & yours"
    made.mkdir()
    evil = EVIL.replace("/", "")
    written.tell(made, "plain", "focal", "good", evil, choices=[EVIL])
    for seed in (0, 1):
        for method, skill in (("plain", 1.0), ("focal", 1.1), ("good", 6.0), (evil, 2.0)):
            written.write(made, method, seed, skill)
    return made


@pytest.fixture(scope="module")
def page(folder: Path, tmp_path_factory: pytest.TempPathFactory) -> str:
    """The page as text."""
    out = tmp_path_factory.mktemp("page") / "page.html"
    write_report([folder], out)
    return out.read_text("utf-8")


class _Tags(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.text: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))

    def handle_data(self, data: str) -> None:
        self.text.append(data)


def _parsed(page: str) -> _Tags:
    parser = _Tags()
    parser.feed(page)
    return parser


def test_the_page_says_all_that_the_verdict_says(folder: Path, page: str) -> None:
    """Every sentence, and every figure of the leaderboard with its interval."""
    found, text = summarise_comparison(folder), " ".join(" ".join(_parsed(page).text).split())
    for prior in ("as_trained", "balanced"):
        for sentence in found[prior]["sentences"]:
            assert " ".join(sentence.split()) in text
    assert len(found["reading"]) >= 2
    for sentence in found["reading"]:
        assert text.count(" ".join(sentence.split())) == 1
    for row in found["leaderboard"]:
        for column in found["columns"]:
            value = row[column["name"]]["value"]
            shown = f"{100 * value:.1f}" if column["in_percent"] else f"{value:.3f}"
            assert shown in text


def test_four_pictures_say_in_words_what_they_show(page: str) -> None:
    """Prior bias, differences, cost of a run, cost of a prediction."""
    labels = [a["aria-label"] for tag, a in _parsed(page).tags if a.get("role") == "img"]
    assert len(labels) == 4
    assert all("good" in str(text) for text in labels)
    assert page.count("<svg") == 4


def test_a_gain_is_told_in_points_and_not_in_percent() -> None:
    """From 60 to 80.4 % are 20.4 points, in the words, the tips and on the axis."""
    fact = {"method": "good", "value": 0.204, "low": 0.1, "high": 0.308, "told_apart": True}
    with themed("x"):
        picture = differences_to_control([fact], "plain")
    assert picture is not None
    assert picture.description.endswith("good 20.4 points (10.0 to 30.8), told apart.")
    assert "good, told apart: 20.4 points (10.0 to 30.8)" in picture.svg
    assert "points better than plain" in picture.svg
    assert "%" not in picture.description + re.sub(r"<[^>]*>", "", picture.svg)


def test_nothing_of_a_comparison_is_executed_or_fetched(page: str) -> None:
    """One script, ours; no address of another file."""
    tags = _parsed(page).tags
    assert sum(tag == "script" for tag, _ in tags) == 1
    assert "alert(1)" in page
    for _, attributes in tags:
        for name in ("src", "href", "action"):
            assert (attributes.get(name) or "#").startswith(("#", "data:"))


def test_a_page_is_called_by_what_it_is_about(folder: Path, page: str, tmp_path: Path) -> None:
    """One comparison by its name, several by their number."""
    assert "<title>mine &amp; yours</title>" in page
    write_report([folder, folder], tmp_path / "both.html")
    assert "<title>2 comparisons</title>" in (tmp_path / "both.html").read_text("utf-8")


def test_several_comparisons_stand_on_one_page(folder: Path, tmp_path: Path) -> None:
    """Each with its own pictures."""
    out = tmp_path / "both.html"
    write_report([folder, folder], out)
    parsed = _parsed(out.read_text("utf-8"))
    assert sum(tag == "section" for tag, _ in parsed.tags) == 2
    assert len([1 for tag, a in parsed.tags if a.get("role") == "img"]) == 8
    ids = [a["id"] for _, a in parsed.tags if "id" in a]
    assert len(ids) == len(set(ids))


def test_runs_and_comparisons_have_pages_of_their_own(folder: Path, tmp_path: Path) -> None:
    """Mixed they are refused, and a run of a comparison is a run."""
    with pytest.raises(InputError, match="about runs, about comparisons"):
        write_report([folder, folder / "runs" / "plain" / "seed0"], tmp_path / "x.html")
    assert not (tmp_path / "x.html").exists()


def test_cautions_are_said(tmp_path: Path, written: ModuleType) -> None:
    """One seed, no control, and few epochs."""
    written.tell(tmp_path, "focal", "late", "slow")
    written.write(tmp_path, "focal", 0, 1.0)
    written.write(tmp_path, "slow", 0, 1.0)
    history = tmp_path / "runs" / "slow" / "seed0" / "history.jsonl"
    history.write_text(history.read_text().splitlines()[0] + "\n")
    said = " ".join(summarise_comparison(tmp_path)["cautions"])
    for words in ("one seed", "no finished run of plain", "slow had less than half", "run: late"):
        assert words in said


def test_what_was_noted_and_chosen_by_is_on_the_page(tmp_path: Path, written: ModuleType) -> None:
    """Cautions of the comparison, the verdict by its metric, and heuristic corrections."""
    written.tell(tmp_path, "plain", "ldam", setup={"metric": "macro_f1"}, cautions=["Mind <this>."])
    for method in ("plain", "ldam"):
        written.write(tmp_path, method, 0, 2.0, classifier={"loss": f"{method.upper()}()"})
    out = tmp_path / "page.html"
    write_report([tmp_path], out)
    text = " ".join(" ".join(_parsed(out.read_text("utf-8")).text).split())
    assert "Mind <this>." in text
    assert "The verdict by macro-F1, by which epochs and numbers were chosen" in text
    assert "The best macro-F1 is that of" in text
    assert "The best balanced accuracy is that of" in text
    assert "heuristic for ldam: what it predicts need not be probabilities" in text
    assert "ldam *" in text


def test_points_tell_what_the_leaderboard_says(folder: Path, page: str) -> None:
    """Each method in each picture, with its interval; the page offers to pick one."""
    told = page.replace("\N{NO-BREAK SPACE}", " ")
    found = summarise_comparison(folder)
    for row in found["leaderboard"]:
        name = escape(row["method"])
        assert told.count(f'data-of="{name}"') == 7 - (row["method"] == found["control"])
        for key, title in (
            ("balanced_accuracy", "as trained"),
            ("balanced_accuracy_corrected", "corrected"),
            ("balanced_accuracy_corrected", "corrected, 10.5 s"),
            ("balanced_accuracy_corrected", "corrected, 90 multiply-adds"),
        ):
            value, low, high = (f"{100 * row[key][end]:.1f}" for end in ("value", "low", "high"))
            assert f"<title>{name}, {title}: {value} % ({low}–{high})</title>" in told  # noqa: RUF001
    for fact in found["balanced"]["facts"]["to_control"]:
        is_told = "told apart" if fact["told_apart"] else "not told apart"
        gain = f"{100 * fact['value']:.1f} point"
        assert f"<title>{escape(fact['method'])}, {is_told}: {gain}" in told
    assert 'data-picks="method"' in page


def test_ranks_tell_which_methods_are_alike() -> None:
    """By hand: the bar joins the first two; names are escaped."""
    with themed("x"):
        picture = critical_differences({"<a>": 1.25, "b": 1.75, "c": 3.0}, [["<a>", "b"]], 1.0)
    assert re.findall("<title>(.*?)</title>", picture.svg) == [
        "&lt;a&gt;: average rank 1.25, not told apart from b",
        "b: average rank 1.75, not told apart from &lt;a&gt;",
        "c: average rank 3.00, told apart from all others",
    ]


def test_a_method_of_unknown_cost_is_left_out_of_that_picture() -> None:
    """And named; the others stay."""
    figure = {"value": 0.5, "low": 0.4, "high": 0.6}
    rows = [
        {"method": name, "balanced_accuracy_corrected": figure, "multiply_adds": cost}
        for name, cost in (("plain", 90.0), ("lightgbm", None), ("quick", 0.0))
    ]
    with themed("x"):
        picture = cost_and_quality(rows, "multiply_adds", "cost")
        assert cost_and_quality(rows[1:], "multiply_adds", "cost") is None
    assert picture is not None
    assert "better and cheaper than plain." in picture.description
    assert picture.description.endswith("Not shown, for it is unknown: lightgbm, quick.")


def test_a_page_needs_no_torch(folder: Path, tmp_path: Path) -> None:
    """Results open without it."""
    program = (
        "import sys; from equipoise.report import write_report;"
        f"write_report([{str(folder)!r}], {str(tmp_path / 'p.html')!r});"
        "loaded = {'torch', 'matplotlib.pyplot'} & set(sys.modules);"
        "sys.exit(str(loaded) if loaded else 0)"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], check=False, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr


def test_the_command_writes_it_beside_the_runs(folder: Path) -> None:
    """As report.html."""
    assert main(["report", str(folder)]) == 0
    assert (folder / "report.html").is_file()


def test_the_front_holds_what_is_not_beaten() -> None:
    """By hand: the third costs more than the second and is worse; equal ones both stay."""
    assert pareto_front([1, 2, 3, 2], [0.5, 0.7, 0.6, 0.7]) == [0, 1, 3]
