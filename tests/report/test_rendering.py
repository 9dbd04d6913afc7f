"""The page as text: escaping, structure, determinism."""

import base64
import hashlib
import html
import itertools
import json
import re
import unicodedata
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pytest

from equipoise.errors import InputError
from equipoise.report import render, summarise, write_report

VOID = {"meta", "br", "img"}
HOSTILE = (
    "<script>window.__xss=1</script>",
    '"><img src=x onerror="window.__xss=1">',
    "日本語 \N{RIGHT-TO-LEFT OVERRIDE} مرحبا",
    "$x_1$ & 'q' \\$ {{ 7*7 }}",
    "ê" * 200,
    "#010001",
)


class Outline(HTMLParser):
    """Elements of a page in order, and whether every one was closed."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.open: list[str] = []
        self.feed(page)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag, f"</{tag}> closes another element"

    def all(self, tag: str) -> list[dict[str, str | None]]:
        return [attributes for name, attributes in self.elements if name == tag]


@pytest.fixture(scope="module")
def hostile(make_run_once) -> str:
    """The page of a run whose names try to be more than text."""
    folder = make_run_once(
        classes=HOSTILE,
        counts=(300, 100, 50, 9, 2, 1),
        n_test=(50, 50, 20, 3, 1, 0),
        name="<b>data</b>",
        columns=("<i>col</i>", "a&b", "'"),
    )
    return render([summarise(folder)])


PAGES = ["images", "table", "hundred", "partial", "pretraining", "tuned", "scarce", "several"]


@pytest.mark.parametrize("name", PAGES)
def test_every_element_is_closed_in_order(pages: dict[str, str], name: str) -> None:
    """The page is well formed."""
    assert Outline(pages[name]).open == []


@pytest.mark.parametrize("name", PAGES)
def test_identifiers_are_unique_and_links_lead_somewhere(pages: dict[str, str], name: str) -> None:
    """No two elements share an id, and every reference within the page has its target."""
    outline = Outline(pages[name])
    ids = [a["id"] for _, a in outline.elements if "id" in a]
    assert len(ids) == len(set(ids))
    targets = {str(a["href"]) for _, a in outline.elements if "href" in a}
    targets |= {f"#{reference}" for reference in re.findall(r"url\(#(\w+)\)", pages[name])}
    assert targets
    assert targets <= {f"#{identifier}" for identifier in ids}


@pytest.mark.parametrize("name", PAGES)
def test_headings_do_not_skip_a_level(pages: dict[str, str], name: str) -> None:
    """There is one h1, and each heading is at most one level below the one before."""
    levels = [
        int(tag[1]) for tag, _ in Outline(pages[name]).elements if re.fullmatch("h[1-6]", tag)
    ]
    assert levels.count(1) == 1
    assert levels[0] == 1
    assert all(b - a <= 1 for a, b in itertools.pairwise(levels))


@pytest.mark.parametrize("name", PAGES)
def test_tables_and_pictures_can_be_heard(pages: dict[str, str], name: str) -> None:
    """Header cells have a scope, drawings a description, pictures an alternative text."""
    outline = Outline(pages[name])
    assert all(a.get("scope") for a in outline.all("th"))
    assert all(a.get("alt") for a in outline.all("img"))
    drawings = [a for a in outline.all("div") if a.get("role") == "img"]
    assert len(drawings) == len(outline.all("svg")) >= 2
    assert all(len(a.get("aria-label") or "") > 30 for a in drawings)
    assert outline.all("html")[0]["lang"] == "en"


@pytest.mark.parametrize("name", PAGES)
def test_nothing_is_loaded_from_elsewhere(pages: dict[str, str], name: str) -> None:
    """Sources are data, references stay within the page, no style imports anything."""
    outline = Outline(pages[name])
    sources = [str(a["src"]) for _, a in outline.elements if "src" in a]
    assert all(source.startswith("data:image/png;base64,") for source in sources)
    assert all(str(a["href"]).startswith("#") for _, a in outline.elements if "href" in a)
    assert not outline.all("link")
    assert "@import" not in pages[name]


@pytest.mark.parametrize("name", PAGES)
def test_only_the_script_of_the_page_may_run(pages: dict[str, str], name: str) -> None:
    """The policy names the hash of the one script, and allows no other."""
    (script,) = re.findall(r"<script>(.*?)</script>", pages[name], flags=re.DOTALL)
    digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
    policy = next(a for a in Outline(pages[name]).all("meta") if "http-equiv" in a)["content"]
    assert policy is not None
    assert f"script-src 'sha256-{digest}';" in policy
    assert policy.startswith("default-src 'none'; img-src data:;")


def test_names_from_the_data_never_become_markup(hostile: str) -> None:
    """Hostile class, column and data set names appear as text, in full, and as nothing else."""
    outline = Outline(hostile)
    assert len(outline.all("script")) == 1
    assert not outline.all("img")
    assert not outline.all("i")
    assert not any(key.startswith("on") for _, a in outline.elements for key in a)
    for name in (*HOSTILE, "<i>col</i>", "<b>data</b>"):
        assert html.escape(name).replace("&quot;", "&#34;").replace("&#x27;", "&#39;") in hostile


def test_dollars_in_names_are_not_mathematics(hostile: str) -> None:
    """A class may be called $x$; the picture writes it as it is."""
    drawn = re.findall(r"<text[^>]*>([^<]*)</text>", hostile)
    assert any(text.startswith("$x_1$ &amp;") for text in drawn)


def test_a_name_that_looks_like_a_placeholder_colour_stays(hostile: str) -> None:
    """Only colours are replaced, never text."""
    drawn = re.findall(r"<text[^>]*>([^<]*)</text>", hostile)
    assert "#010001" in drawn


def test_an_unfinished_run_says_so_first(pages: dict[str, str]) -> None:
    """The banner tells the epoch, and no section promises results."""
    assert "This run has not finished: epoch 7 of 40." in pages["partial"]
    assert "All measures" not in pages["partial"]
    assert "has not finished" not in pages["images"]


def test_a_finished_run_without_test_results_says_so(make_run) -> None:
    """A run may end without a look at the test set."""
    folder = make_run(classes=("a", "b"), counts=(9, 3), n_test=(1, 1))
    (folder / "metrics.json").unlink()
    page = render([summarise(folder)])
    assert "This run has no test results." in page


def test_a_run_without_an_epoch_can_be_shown(make_run) -> None:
    """Even the first minute of a run gives a page."""
    folder = make_run(
        classes=("a", "b"), counts=(9, 0), n_test=(1, 0), done_epochs=0, finished=False
    )
    page = render([summarise(folder)])
    assert "no epoch has ended yet" in page


def test_equal_runs_give_equal_pages(pages: dict[str, str], run_folders: dict[str, Path]) -> None:
    """No time, no chance and no address of memory enters the page."""
    assert render([summarise(run_folders["images"])]) == pages["images"]


def test_several_runs_start_with_an_overview(pages: dict[str, str]) -> None:
    """Each run has a row that links to its section."""
    overview = pages["several"].split("<main")[0]
    for k, name in enumerate(("images", "table", "hundred", "partial"), start=1):
        assert f'<a href="#run-{k}">{name}</a>' in overview
    assert "These runs differ in their imbalance" in overview


def plain(page: str) -> str:
    """Return the text of a page, spaces and dashes made plain."""
    text = html.unescape(re.sub(r"<[^>]+>", " ", page.partition("<main")[2]))
    return re.sub(r"\s+", " ", unicodedata.normalize("NFKC", text).replace("\N{EN DASH}", "-"))


def row_of(page: str, name: str) -> list[str]:
    """Return the numbers in the row of a measure, each with its interval."""
    table = page.partition('aria-label="All measures"')[2].partition("</table>")[0]
    (row,) = (r for r in table.split("<tr>") if f'<th scope="row">{name} <span' in r)
    return [plain(f"<main{cell}").strip("> ") for cell in row.split("<td")[1:]]


@pytest.mark.parametrize("name", ["images", "table", "hundred"])
def test_the_worst_class_has_one_interval(pages, run_folders, name: str) -> None:
    """Card, table of measures and overview show that of metrics.json."""
    metrics = json.loads((run_folders[name] / "metrics.json").read_text())["test"]["balanced"]
    worst = metrics["overall"]["worst_class_recall"]
    value, low, high = (f"{100 * worst[k]:.1f}" for k in ("value", "low", "high"))
    card = plain(pages[name]).partition("Worst-class recall")[2]
    assert card.strip().startswith(f"{value} % {low}-{high} smallest of")
    assert row_of(pages[name], "Worst-class recall")[1].endswith(f"{value} % {low}-{high}")
    row = pages["several"].partition(f">{name}</a>")[2].partition("</tr>")[0]
    assert f"{low}\N{EN DASH}{high}" in row


def test_the_card_names_the_worst_class_in_quotation_marks(pages: dict[str, str]) -> None:
    """A class may be called 7."""
    assert "smallest of 3 classes: “rare”, 3 test examples" in plain(pages["scarce"])


def test_both_accuracies_stand_in_the_table(pages, run_folders) -> None:
    """One is weighed as the column says, the other counted on the test set as it is."""
    both = json.loads((run_folders["scarce"] / "metrics.json").read_text())["test"]
    weighed = [both[k]["overall"]["accuracy"]["value"] for k in ("as_is", "balanced")]
    confusions = [np.array(both[k]["confusion"]) for k in ("as_is", "balanced")]
    counted = [np.trace(c) / c.sum() for c in confusions]
    assert weighed[1] != pytest.approx(counted[1], abs=0.01)
    rows = {"Accuracy": weighed, "Accuracy on the test set as it is": counted}
    for name, values in rows.items():
        for cell, value in zip(row_of(pages["scarce"], name), values, strict=True):
            assert f"{100 * value:.1f} % " in cell
    assert f"{100 * counted[1]:.1f} % after correction" in plain(pages["scarce"])


def test_measures_that_are_no_shares_are_no_percentages(pages: dict[str, str]) -> None:
    """AUROC and calibration errors are decimals everywhere on the page."""
    for name in ("Macro-AUROC", "Macro-AUPRC", "Top-label calibration error", "Log-loss"):
        assert all("%" not in cell for cell in row_of(pages["table"], name))
    assert re.search(r"0\.\d{3} as trained", pages["table"])
    table = pages["table"].partition('aria-label="Table of classes"')[2].partition("</table>")[0]
    cells = [row.split("<td")[-2:] for row in table.split("<tr data-of")[1:]]
    assert cells
    assert not any("%" in cell for row in cells for cell in row)


def test_a_hardly_known_class_is_cautioned_about_before_the_figures(pages) -> None:
    """The banner comes first, and only where it is due."""
    first = pages["scarce"].partition('<dl class="headline">')[0]
    assert 'class="banner" role="note"' in first
    assert "“rare” has 1 training example, and yet" in plain(f"<main{first}")
    assert 'class="banner"' not in pages["images"]


def test_a_run_that_was_searched_for_has_a_section(pages: dict[str, str]) -> None:
    """It is in the contents, and only there where it leads somewhere."""
    assert '<a href="#run-1-search">Search</a>' in pages["tuned"]
    assert ">Search</h2>" in pages["tuned"]
    assert "search" not in Outline(pages["images"]).all("nav")[0]
    assert "-search" not in pages["images"]


def test_both_recipes_stand_side_by_side(pages: dict[str, str]) -> None:
    """Part by part, long numbers rounded, with importance and mean difference."""
    table = pages["tuned"].partition('<table class="compared">')[2].partition("</table>")[0]
    optimizer, smoothing = (plain(f"<main {row}") for row in table.split("<tr>")[2:])
    assert optimizer.endswith("optimizer SGD(lr=0.1) SGD(lr=0.0123) 70 % ± 5 % - ")
    assert smoothing.endswith(
        "smoothing none Uniform(eps=0.1) 70 % ± 5 % -2.0 points ± 1.2 points "
    )


def test_trials_are_listed_the_best_first(pages: dict[str, str]) -> None:
    """Scores of trainings that were cut short stand in brackets, and are not sorted by."""
    after = pages["tuned"].partition('aria-label="Trials of the search"')[2]
    table = after.partition("</table>")[0]
    rows = table.partition("<tbody>")[2].split("<tr>")[1:]
    scores = [re.findall(r'<td class="number" data-value="([^"]*)">', row)[0] for row in rows]
    known = [float(score) for score in scores if score]
    assert len(rows) == 41
    assert len(known) == 9
    assert known == sorted(known, reverse=True)
    assert scores[9:] == [""] * 32
    assert sum('<span class="small">(' in row for row in rows[9:]) == 31
    assert "The loss is not finite." in table


def test_settings_that_are_not_used_stand_in_one_line(pages: dict[str, str]) -> None:
    """They are named, and take no rows; a reason keeps its row."""
    text = plain(pages["images"])
    assert "Not used: auxiliary , mixing , sharpness , initial ." in text
    assert '<th scope="row"><code>mixing</code>' not in pages["images"]
    assert '<th scope="row"><code>epochs</code>' in pages["images"]


def test_a_setting_that_is_off_for_a_reason_keeps_its_row(run_folders) -> None:
    """Why something was switched off is never lost."""
    summary = summarise(run_folders["images"])
    choice = {"field": "mixing", "value": "None", "reason": "none for tables"}
    page = render([summary | {"choices": [choice]}])
    assert '<th scope="row"><code>mixing</code>' in page
    assert "Not used: auxiliary , sharpness , initial ." in plain(page)


def test_a_partly_trained_network_says_so(run_folders) -> None:
    """The first sentence tells how many parameters were trained, where it was not all."""
    summary = summarise(run_folders["images"])
    few = render([summary | {"network": summary["network"] | {"trainable": 650}}])
    everything = render([summary])
    assert "464\N{NARROW NO-BREAK SPACE}154 parameters, 650 of them trained, was" in few
    assert "464\N{NARROW NO-BREAK SPACE}154 parameters was" in everything


def test_a_page_about_pretraining_says_what_it_is(pages: dict[str, str]) -> None:
    """Objective, further examples and the next step; nothing about tests that are missing."""
    page = pages["pretraining"]
    assert "This is pre-training: the network has learnt features, but no classes." in page
    assert "pre-trained with <code>SimCLR()</code>" in page
    assert ", and 1\N{NARROW NO-BREAK SPACE}200 further images" in page
    assert "<code>equipoise fit DATA --initial pretraining</code>" in page
    for absent in ("no test results", "All measures", "chose the epoch", "95 %", "classes with an"):
        assert absent not in page


def test_unfinished_pretraining_tells_how_far_it_is(make_run) -> None:
    """It promises neither results nor a network to start from."""
    folder = make_run(
        classes=("a", "b"),
        counts=(9, 9),
        n_test=(1, 1),
        objective="SimCLR()",
        done_epochs=3,
        finished=False,
    )
    page = render([summarise(folder)])
    assert "This pre-training has not finished: epoch 3 of 40." in page
    assert "--initial" not in page


def test_pretraining_beside_its_classifier_is_marked(run_folders) -> None:
    """The overview names it, and does not warn about comparing what it has not."""
    runs = [summarise(run_folders[name]) for name in ("images", "pretraining")]
    overview = render(runs).partition("<main")[0]
    assert "; pre-training</span>" in overview
    assert "These runs differ" not in overview


def test_runs_on_the_same_data_need_no_caution(run_folders: dict[str, Path]) -> None:
    """The warning about comparing appears only where it holds."""
    page = render([summarise(run_folders[name]) for name in ("images", "partial")])
    assert "These runs differ" not in page


def test_a_page_needs_a_run() -> None:
    """An empty report is refused."""
    with pytest.raises(InputError, match="at least one run"):
        render([])


def test_a_failed_report_leaves_the_old_one(run_folders: dict[str, Path], tmp_path: Path) -> None:
    """A file is replaced only by a whole one, and nothing else stays behind."""
    out = tmp_path / "report.html"
    write_report([run_folders["partial"]], out)
    before = out.read_text(encoding="utf-8")
    with pytest.raises(InputError):
        write_report([run_folders["images"], tmp_path], out)
    assert out.read_text(encoding="utf-8") == before
    assert [path.name for path in tmp_path.iterdir()] == ["report.html"]


def test_a_folder_is_not_overwritten_by_a_page(
    run_folders: dict[str, Path], tmp_path: Path
) -> None:
    """An output that is a folder is refused with a better name."""
    with pytest.raises(InputError, match=re.escape(str(tmp_path / "report.html"))):
        write_report([run_folders["partial"]], tmp_path)
