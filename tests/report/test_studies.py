"""Laws of the page of a study: every figure is there, nothing is executed or fetched."""

import html
import re
import shutil
from pathlib import Path

import pytest

from equipoise.cli import main
from equipoise.errors import InputError
from equipoise.report import write_report
from equipoise.report.studies import is_study, summarise_study

QUICK = ["--device", "cpu", "--backbone", "ResNet(depth=8, width=4)", "--epochs", "1"]
COMMAND = [
    *("study", "smoothing", "digits", "--examples", "120", *QUICK, "--ratios", "1,10"),
    *("--seeds", "2", "--values", "None", "Uniform()", "--test-ratios", "1,10"),
]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A small study with places of use."""
    out = tmp_path_factory.mktemp("made") / "mine & yours"
    assert main([*COMMAND, "--out", str(out)]) == 0
    return out


@pytest.fixture(scope="module")
def page(folder: Path, tmp_path_factory: pytest.TempPathFactory) -> str:
    """The page as text."""
    out = tmp_path_factory.mktemp("page") / "page.html"
    assert main(["report", str(folder), "--out", str(out)]) == 0
    return out.read_text("utf-8")


def _text(page: str) -> str:
    return html.unescape(" ".join(re.sub(r"<[^>]+>", " ", page.partition("<body>")[2]).split()))


def test_the_page_says_all_that_was_found(folder: Path, page: str) -> None:
    """Every sentence, the paper's claim, every cell of both tables, and a warning."""
    found, text = summarise_study(folder), _text(page)
    assert found["claim"] in text
    assert "Two seeds tell only large changes" in text
    for prior in ("balanced", "as_trained"):
        for sentence in found[prior]["sentences"]:
            assert sentence in text
        for row in found["tables"][prior]:
            for _, cell in row["cells"]:
                assert " ".join(cell.split()) in text


def test_of_one_seed_no_error_over_seeds_is_told(page: str, tmp_path: Path) -> None:
    """Neither in the caption nor where a point of the picture of groups is pointed at."""
    out = tmp_path / "one"
    command = [*COMMAND, "--seeds", "1", "--out", str(out)]
    del command[command.index("--seeds") : command.index("--seeds") + 2]  # the two of above
    assert main(command) == 0
    assert main(["report", str(out), "--out", str(tmp_path / "page.html")]) == 0
    alone = (tmp_path / "page.html").read_text("utf-8")
    assert "with one standard error over seeds" in _text(page)
    assert "standard error over seeds" not in _text(alone)
    assert "how they differ over seeds is not known from one" in _text(alone)
    for text, told in ((page, True), (alone, False)):
        said = re.findall(r"[^\"<>]*, (?:few|all), corrected: [^\"<>]*", html.unescape(text))
        assert said
        assert {"±" in each for each in said} == {told}


def test_three_pictures_say_in_words_what_they_show(page: str) -> None:
    """Change from the best value, groups of classes, places of use."""
    labels = re.findall(r'role="img" aria-label="([^"]*)"', page)
    assert [label.split()[0] for label in labels] == ["Change", "Corrected", "Accuracy,"]
    assert page.count("<svg") == 3
    assert labels[-1].count(" ± ") == 4  # each accuracy with its standard error


def test_nothing_is_fetched(page: str) -> None:
    """No address but that of the SVG name space, and no script but the page's own."""
    assert not re.search(r"(src|href)=\"(?!#|data:)", page)
    assert page.count("<script") == 1


def test_a_study_without_its_reference_is_refused_and_without_another_value_read(
    folder: Path, tmp_path: Path
) -> None:
    """Where all runs of a value have failed at one ratio."""
    for value, other in (("no-smoothing", None), ("Uniform()", "no-smoothing")):
        copy = shutil.copytree(folder, tmp_path / value)
        shutil.rmtree(copy / "ratio10" / "runs" / value)
        if other is None:
            with pytest.raises(InputError, match="no smoothing is not finished at every ratio"):
                summarise_study(copy)
        else:
            read = summarise_study(copy)
            assert list(read["balanced"]["ratios"]["1"]["means"]) == [other]
            left_out = "Uniform() is left out of all numbers: no run of it is finished at ratio 10."
            assert any(line.startswith(left_out) for line in read["cautions"])


def test_studies_and_other_things_are_not_mixed(folder: Path, tmp_path: Path) -> None:
    """A run inside a study is a run; with the study itself there is no page."""
    run = next(folder.glob("ratio1/runs/*/seed0"))
    assert is_study(folder)
    assert not is_study(run)
    with pytest.raises(InputError, match=r"a study.*a run"):
        write_report([folder, run], tmp_path / "page.html")
    write_report([folder / "ratio1"], tmp_path / "page.html")  # a ratio is a comparison
    assert "Equipoise comparison" in (tmp_path / "page.html").read_text("utf-8")


def test_findings_of_a_stranger_make_no_page(
    folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """The command says what is wrong with them; going on with the study mends it."""
    out = tmp_path / "s"
    shutil.copytree(folder, out)
    (out / "findings.json").write_text('{"deployment": [1]}')
    assert main(["report", str(out), "--out", str(tmp_path / "page.html")]) == 2
    assert "The findings of a study must be as" in capsys.readouterr().err
    assert not (tmp_path / "page.html").exists()
    assert main([*COMMAND, "--out", str(out), "--resume"]) == 0
    assert main(["report", str(out), "--out", str(tmp_path / "page.html")]) == 0
