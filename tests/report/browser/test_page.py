"""The page in a real browser."""

from pathlib import Path

import pytest

from equipoise.report import write_report


@pytest.mark.parametrize("name", ["images", "hundred", "tuned", "several"])
def test_the_page_opens_offline_and_without_complaint(browser, files, name: str) -> None:
    """Nothing but the file itself is requested, and the console stays empty."""
    browser.visit(files[name])
    assert browser.requests() <= {"file", "data"}
    assert browser.complaints() == []


@pytest.mark.parametrize("name", ["images", "hundred", "pretraining", "tuned", "scarce", "several"])
@pytest.mark.parametrize("width", [360, 1200])
def test_the_page_never_scrolls_sideways(browser, files, name: str, width: int) -> None:
    """Wide tables scroll in their own frame, down to the width of a small phone."""
    browser.visit(files[name], width)
    assert browser.script("return document.documentElement.scrollWidth") <= width


def test_colours_follow_the_theme_of_the_reader(browser, files) -> None:
    """Page, text and pictures change between light and dark."""
    script = (
        "const bar = document.querySelector('svg [style*=\"--bar\"]');"
        "return [getComputedStyle(document.body).backgroundColor,"
        "getComputedStyle(document.body).color, getComputedStyle(bar).fill]"
    )
    browser.visit(files["images"], theme="light")
    light = browser.script(script)
    browser.visit(files["images"], theme="dark")
    dark = browser.script(script)
    assert light[0] == "rgb(252, 252, 250)"
    assert dark[0] == "rgb(21, 23, 26)"
    assert all(a != b for a, b in zip(light, dark, strict=True))


def test_a_header_sorts_the_classes(browser, files) -> None:
    """Numbers sort largest first, then smallest first."""
    browser.visit(files["images"])
    read = (
        "return [...document.querySelectorAll('table.wide tbody tr')]"
        ".map(row => Number(row.cells[4].dataset.value))"
    )
    click = "document.querySelector('table.wide th[data-column=\"4\"] button').click()"
    before = browser.script(read)
    browser.script(click)
    assert browser.script(read) == sorted(before, reverse=True)
    browser.script(click)
    assert browser.script(read) == sorted(before)


def test_trials_sort_by_their_score(browser, files) -> None:
    """The best first, then the worst, and those without a score that counts always last."""
    browser.visit(files["tuned"])
    read = (
        "return [...document.querySelectorAll('table.trials tbody tr')]"
        ".map(row => row.cells[1].dataset.value)"
    )
    click = "document.querySelector('table.trials th[data-column=\"1\"] button').click()"
    for is_reversed in (True, False):
        browser.script(click)
        scores = browser.script(read)
        assert scores[9:] == [""] * 32
        assert scores[:9] == sorted(scores[:9], key=float, reverse=is_reversed)


@pytest.mark.parametrize("width", [390, 1200])
def test_words_about_the_search_are_never_cut_off(browser, files, width: int) -> None:
    """Notes and captions wrap; only tables may scroll."""
    browser.visit(files["tuned"], width)
    texts = browser.script(
        "return [...document.querySelectorAll('#run-1-search ~ p, #run-1-search ~ ul li,"
        " #run-1-search ~ .figures figcaption')].map(e => e.getBoundingClientRect().right)"
    )
    assert len(texts) > 8
    assert max(texts) <= width


def test_hostile_names_run_nothing(browser, make_run, tmp_path: Path) -> None:
    """Markup in names of classes, columns and data stays text in a real browser."""
    attack = "<img src=x onerror=window.__xss=1><script>window.__xss=1</script>"
    folder = make_run(
        classes=(attack, f'">{attack}', "ê" * 200),
        counts=(50, 20, 3),
        n_test=(5, 5, 2),
        name=f"</title>{attack}",
        columns=(attack, f"'>{attack}"),
    )
    write_report([folder], tmp_path / "report.html")
    browser.visit(tmp_path / "report.html", width=360)
    assert browser.script("return window.__xss === undefined")
    assert browser.script("return document.images.length") == 0
    assert attack in browser.script(
        "return [...document.querySelectorAll('.picker option')].map(each => each.value)"
    )
    assert browser.script("return document.documentElement.scrollWidth") <= 360
    assert browser.complaints() == []


@pytest.mark.parametrize("name", ["images", "pretraining"])
@pytest.mark.parametrize("width", [390, 1200])
def test_reasons_of_settings_are_never_cut_off(browser, files, name: str, width: int) -> None:
    """On a phone a reason stands under its value, and no word of it needs scrolling."""
    browser.visit(files[name], width)
    frame = "document.querySelector('.settings').parentElement"
    assert browser.script(f"return {frame}.scrollWidth <= {frame}.clientWidth")
    reasons = browser.script(
        "return [...document.querySelectorAll('.settings td:last-child')]"
        ".filter(cell => cell.innerText.trim() !== '').map(cell => [cell.getBoundingClientRect(),"
        " cell.previousElementSibling.getBoundingClientRect()])"
    )
    assert len(reasons) == 2
    for reason, value in reasons:
        assert reason["right"] <= width
        assert (reason["top"] >= value["bottom"]) == (width == 390)


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_a_caution_is_seen_without_scrolling(browser, files, theme: str) -> None:
    """It stands above the figures that it is about, on a ground of its own."""
    browser.visit(files["scarce"], theme=theme)
    banner, figures, ground, page = browser.script(
        "const box = s => document.querySelector(s).getBoundingClientRect();"
        "const ground = s => getComputedStyle(document.querySelector(s)).backgroundColor;"
        "return [box('.banner').top, box('.headline').top, ground('.banner'), ground('body')]"
    )
    assert banner < min(figures, 800)
    assert ground != page


@pytest.mark.parametrize("which", ["diagnosis", "comparison"])
@pytest.mark.parametrize("width", [360, 1200])
def test_other_pages_open_offline_and_fit(
    browser, diagnosis: Path, comparison: Path, which: str, width: int
) -> None:
    """Nothing is requested, the console stays empty, and nothing scrolls sideways."""
    browser.visit({"diagnosis": diagnosis, "comparison": comparison}[which], width)
    assert browser.requests() <= {"file", "data"}
    assert browser.complaints() == []
    assert browser.script("return document.documentElement.scrollWidth") <= width


def test_measures_of_a_diagnosis_sort_by_key(browser, diagnosis: Path) -> None:
    """The header of each column is a button."""
    browser.visit(diagnosis)
    tables = "document.querySelectorAll('table.sortable')"
    read = f"return [...{tables}[1].tBodies[0].rows].map(row => Number(row.cells[2].dataset.value))"
    click = f"{tables}[1].querySelector('th[data-column=\"2\"] button').click()"
    before = browser.script(read)
    browser.script(click)
    assert browser.script(read) == sorted(before, reverse=True)
