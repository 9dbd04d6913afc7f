"""The page in a real browser."""

import json
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from equipoise.cli import main
from equipoise.report import write_report

Keys = pytest.importorskip("selenium.webdriver.common.keys", reason="selenium is missing").Keys
webdriver = pytest.importorskip("selenium.webdriver", reason="selenium is not installed")

BROWSER, DRIVER = shutil.which("chromium"), shutil.which("chromedriver")
FLAGS = (
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--no-first-run",
)


@pytest.fixture(scope="module")
def browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    if BROWSER is None or DRIVER is None:
        pytest.skip("chromium and chromedriver are not installed")
    options = webdriver.ChromeOptions()
    options.binary_location = BROWSER
    for flag in (*FLAGS, f"--user-data-dir={tmp_path_factory.mktemp('profile')}"):
        options.add_argument(flag)
    options.set_capability("goog:loggingPrefs", {"browser": "ALL", "performance": "ALL"})
    driver = webdriver.Chrome(options=options, service=webdriver.ChromeService(DRIVER))
    driver.get("about:blank")
    yield driver
    driver.quit()


@pytest.fixture(scope="module")
def files(pages: dict[str, str], tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    folder = tmp_path_factory.mktemp("pages")
    for name, page in pages.items():
        (folder / f"{name}.html").write_text(page, encoding="utf-8")
    return {name: folder / f"{name}.html" for name in pages}


@pytest.fixture(scope="module")
def diagnosis(diagnosed: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    page = tmp_path_factory.mktemp("page") / "diagnosis.html"
    write_report([diagnosed], page)
    return page


def visit(browser, page: Path, width: int = 1200, theme: str = "light") -> None:
    metrics = {"width": width, "height": 800, "deviceScaleFactor": 1, "mobile": width < 600}
    media = {"features": [{"name": "prefers-color-scheme", "value": theme}]}
    browser.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", metrics)
    browser.execute_cdp_cmd("Emulation.setEmulatedMedia", media)
    browser.get_log("performance")  # drop what the browser asked for when it started
    browser.get(page.as_uri())


def requests(browser) -> set[str]:
    messages = [json.loads(entry["message"])["message"] for entry in browser.get_log("performance")]
    return {
        message["params"]["request"]["url"].partition(":")[0]
        for message in messages
        if message["method"] == "Network.requestWillBeSent"
    }


@pytest.mark.parametrize("name", ["images", "hundred", "tuned", "several"])
def test_the_page_opens_offline_and_without_complaint(browser, files, name: str) -> None:
    """Nothing but the file itself is requested, and the console stays empty."""
    visit(browser, files[name])
    assert requests(browser) <= {"file", "data"}
    assert browser.get_log("browser") == []


@pytest.mark.parametrize("name", ["images", "hundred", "pretraining", "tuned", "scarce", "several"])
@pytest.mark.parametrize("width", [360, 1200])
def test_the_page_never_scrolls_sideways(browser, files, name: str, width: int) -> None:
    """Wide tables scroll in their own frame, down to the width of a small phone."""
    visit(browser, files[name], width)
    assert browser.execute_script("return document.documentElement.scrollWidth") <= width


def test_colours_follow_the_theme_of_the_reader(browser, files) -> None:
    """Page, text and pictures change between light and dark."""
    script = (
        "const bar = document.querySelector('svg [style*=\"--bar\"]');"
        "return [getComputedStyle(document.body).backgroundColor,"
        "getComputedStyle(document.body).color, getComputedStyle(bar).fill]"
    )
    visit(browser, files["images"], theme="light")
    light = browser.execute_script(script)
    visit(browser, files["images"], theme="dark")
    dark = browser.execute_script(script)
    assert light[0] == "rgb(252, 252, 250)"
    assert dark[0] == "rgb(21, 23, 26)"
    assert all(a != b for a, b in zip(light, dark, strict=True))


def test_a_header_sorts_the_classes(browser, files) -> None:
    """Numbers sort largest first, then smallest first."""
    visit(browser, files["images"])
    read = (
        "return [...document.querySelectorAll('table.wide tbody tr')]"
        ".map(row => Number(row.cells[4].dataset.value))"
    )
    click = "document.querySelector('table.wide th[data-column=\"4\"] button').click()"
    before = browser.execute_script(read)
    browser.execute_script(click)
    assert browser.execute_script(read) == sorted(before, reverse=True)
    browser.execute_script(click)
    assert browser.execute_script(read) == sorted(before)


def test_trials_sort_by_their_score(browser, files) -> None:
    """The best first, then the worst, and those without a score that counts always last."""
    visit(browser, files["tuned"])
    read = (
        "return [...document.querySelectorAll('table.trials tbody tr')]"
        ".map(row => row.cells[1].dataset.value)"
    )
    click = "document.querySelector('table.trials th[data-column=\"1\"] button').click()"
    for is_reversed in (True, False):
        browser.execute_script(click)
        scores = browser.execute_script(read)
        assert scores[9:] == [""] * 32
        assert scores[:9] == sorted(scores[:9], key=float, reverse=is_reversed)


@pytest.mark.parametrize("width", [390, 1200])
def test_words_about_the_search_are_never_cut_off(browser, files, width: int) -> None:
    """Notes and captions wrap; only tables may scroll."""
    visit(browser, files["tuned"], width)
    texts = browser.execute_script(
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
    visit(browser, tmp_path / "report.html", width=360)
    assert browser.execute_script("return window.__xss === undefined")
    assert browser.execute_script("return document.images.length") == 0
    assert attack in browser.execute_script(
        "return [...document.querySelectorAll('.picker option')].map(each => each.value)"
    )
    assert browser.execute_script("return document.documentElement.scrollWidth") <= 360
    assert browser.get_log("browser") == []


@pytest.mark.parametrize("name", ["images", "pretraining"])
@pytest.mark.parametrize("width", [390, 1200])
def test_reasons_of_settings_are_never_cut_off(browser, files, name: str, width: int) -> None:
    """On a phone a reason stands under its value, and no word of it needs scrolling."""
    visit(browser, files[name], width)
    frame = "document.querySelector('.settings').parentElement"
    assert browser.execute_script(f"return {frame}.scrollWidth <= {frame}.clientWidth")
    reasons = browser.execute_script(
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
    visit(browser, files["scarce"], theme=theme)
    banner, figures, ground, page = browser.execute_script(
        "const box = s => document.querySelector(s).getBoundingClientRect();"
        "const ground = s => getComputedStyle(document.querySelector(s)).backgroundColor;"
        "return [box('.banner').top, box('.headline').top, ground('.banner'), ground('body')]"
    )
    assert banner < min(figures, 800)
    assert ground != page


@pytest.mark.parametrize("width", [360, 1200])
def test_a_diagnosis_opens_offline_and_fits(browser, diagnosis: Path, width: int) -> None:
    """Nothing is requested, the console stays empty, and nothing scrolls sideways."""
    visit(browser, diagnosis, width)
    assert requests(browser) <= {"file", "data"}
    assert browser.get_log("browser") == []
    assert browser.execute_script("return document.documentElement.scrollWidth") <= width


def test_measures_of_a_diagnosis_sort_by_key(browser, diagnosis: Path) -> None:
    """The header of each column is a button."""
    visit(browser, diagnosis)
    tables = "document.querySelectorAll('table.sortable')"
    read = f"return [...{tables}[1].tBodies[0].rows].map(row => Number(row.cells[2].dataset.value))"
    click = f"{tables}[1].querySelector('th[data-column=\"2\"] button').click()"
    before = browser.execute_script(read)
    browser.execute_script(click)
    assert browser.execute_script(read) == sorted(before, reverse=True)


@pytest.fixture(scope="module")
def study(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The page of a small study."""
    place = tmp_path_factory.mktemp("study")
    quick = ["--device", "cpu", "--backbone", "ResNet(depth=8, width=4)", "--epochs", "1"]
    what = ["study", "smoothing", "digits", "--examples", "120", "--ratios", "1,10"]
    values = ["--seeds", "1", "--values", "None", "Uniform()"]
    assert main([*what, *quick, *values, "--out", str(place / "kept")]) == 0
    write_report([place / "kept"], place / "study.html")
    return place / "study.html"


FIGURES = "[...document.querySelectorAll('figure > [role=application]')]"
TOLD = "return document.querySelector('.told').textContent"


def press(browser, key: str) -> str:
    """Press a key where the focus is; return what is told."""
    active = browser.switch_to.active_element
    active.send_keys(key)
    return browser.execute_script(TOLD)


@pytest.mark.parametrize("width", [360, 1100])
def test_points_are_told_where_they_are_pointed_at(browser, diagnosis: Path, width: int) -> None:
    """The words lie inside the window, near the point, and go when the pointer goes."""
    visit(browser, diagnosis, width)
    browser.execute_script(f"{FIGURES}[1].scrollIntoView({{block: 'center'}})")
    # The page hears of scrolling with the next frame, and then tells nothing until a move.
    frames = "requestAnimationFrame(() => requestAnimationFrame(arguments[0]))"
    browser.execute_async_script(frames)
    x, y, words = browser.execute_script(
        f"const point = {FIGURES}[1].querySelectorAll('.tip')[4];"
        "const box = point.getBoundingClientRect();"
        "return [box.x + box.width / 2, box.y + box.height / 2, point.dataset.words]"
    )
    move = {"type": "mouseMoved", "x": x + 2, "y": y - 2}
    browser.execute_cdp_cmd("Input.dispatchMouseEvent", move)
    assert browser.execute_script(TOLD) == words
    box = browser.execute_script(
        "return document.querySelector('.told').getBoundingClientRect().toJSON()"
    )
    assert 0 <= box["left"] < box["right"] <= width
    assert min(abs(box["bottom"] - y), abs(box["top"] - y)) < 20
    browser.execute_cdp_cmd("Input.dispatchMouseEvent", {**move, "x": 1, "y": 1})
    assert browser.execute_script(TOLD) == ""


def test_points_are_told_by_keys(browser, diagnosis: Path) -> None:
    """A picture is one stop of the tab key; arrows go round, Escape ends."""
    visit(browser, diagnosis)
    words = browser.execute_script(
        f"{FIGURES}[0].focus();"
        f"return [...{FIGURES}[0].querySelectorAll('.tip')].map(point => point.dataset.words)"
    )
    assert len(words) > 2
    assert [press(browser, Keys.ARROW_RIGHT) for _ in range(2)] == words[:2]
    assert press(browser, Keys.END) == words[-1]
    assert press(browser, Keys.ARROW_DOWN) == words[0]
    assert press(browser, Keys.ARROW_LEFT) == words[-1]
    assert press(browser, Keys.ESCAPE) == ""
    assert browser.execute_script("return document.querySelectorAll('.tip title').length") == 0


@pytest.mark.parametrize("which", ["diagnosis", "study", "images", "hundred"])
def test_what_is_picked_is_marked_in_tables_and_pictures(
    browser, diagnosis: Path, study: Path, files: dict[str, Path], which: str
) -> None:
    """All that is of it, and nothing else; the first choice marks nothing."""
    page = {"diagnosis": diagnosis, "study": study, **files}[which]
    visit(browser, page, 360)
    pick = (
        "const choice = document.querySelector('.picker select');"
        "choice.selectedIndex = arguments[0]; choice.dispatchEvent(new Event('change'));"
        "const of = all => [...new Set([...all].map(each => each.dataset.of))];"
        "const marked = document.querySelectorAll('.picked');"
        "return [choice.value, of(marked), of(document.querySelectorAll('[data-of]')),"
        "[...new Set([...marked].map(each => each.tagName.toLowerCase()))], marked.length,"
        "[...document.querySelectorAll('[data-of]')].filter(e => e.dataset.of === choice.value)"
        ".length]"
    )
    name, marked, names, tags, n, wanted = browser.execute_script(pick, 2)
    assert marked == [name]
    assert name == names[1]
    assert n == wanted
    assert {"tr", "circle"} <= set(tags)
    assert ("g" in tags) == (which == "diagnosis")
    assert browser.execute_script(pick, 0)[4] == 0
    assert browser.execute_script("return document.documentElement.scrollWidth") <= 360
    assert requests(browser) <= {"file", "data"}
    assert browser.get_log("browser") == []


def test_a_picked_row_of_a_long_table_comes_into_sight(browser, files: dict[str, Path]) -> None:
    """Its frame scrolls to it, and the page stays where it is."""
    visit(browser, files["hundred"])
    before, after, row, frame = browser.execute_script(
        "const choice = document.querySelector('.picker select'), before = scrollY;"
        "choice.selectedIndex = 80; choice.dispatchEvent(new Event('change'));"
        "const row = document.querySelector('tr.picked');"
        "const box = e => e.getBoundingClientRect().toJSON();"
        "return [before, scrollY, box(row), box(row.closest('.scroll'))]"
    )
    assert before == after
    assert frame["top"] < row["top"] < row["bottom"] < frame["bottom"]


def test_without_scripts_points_have_titles(browser, diagnosis: Path) -> None:
    """The browser itself shows them; there is no picker that would do nothing."""
    browser.execute_cdp_cmd("Emulation.setScriptExecutionDisabled", {"value": True})
    try:
        visit(browser, diagnosis)
        root = browser.execute_cdp_cmd("DOM.getDocument", {"depth": 0})["root"]["nodeId"]
        found = {
            query: browser.execute_cdp_cmd(
                "DOM.querySelectorAll", {"nodeId": root, "selector": query}
            )["nodeIds"]
            for query in ("circle.tip > title", ".picker", "figure > [role=img]")
        }
    finally:
        browser.execute_cdp_cmd("Emulation.setScriptExecutionDisabled", {"value": False})
    assert len(found["circle.tip > title"]) > 50
    assert len(found["figure > [role=img]"]) > 5
    assert found[".picker"] == []
