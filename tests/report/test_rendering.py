"""The page as text: escaping, structure, determinism."""

import base64
import hashlib
import html
import itertools
import re
from html.parser import HTMLParser
from pathlib import Path

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


PAGES = ["images", "table", "hundred", "partial", "several"]


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


def test_several_runs_start_with_an_overview(
    pages: dict[str, str], run_folders: dict[str, Path]
) -> None:
    """Each run has a row that links to its section."""
    overview = pages["several"].split("<main")[0]
    for k, name in enumerate(run_folders, start=1):
        assert f'<a href="#run-{k}">{name}</a>' in overview
    assert "These runs differ in their imbalance" in overview


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
