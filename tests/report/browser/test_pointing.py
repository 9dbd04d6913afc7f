"""Pictures that are pointed at: by mouse, finger and keys, in a real browser."""

import itertools
from pathlib import Path

import pytest

FIGURES = "[...document.querySelectorAll('figure > [role=application]')]"
MATRICES = f"{FIGURES}.filter(each => each.querySelector('[data-columns]'))"


@pytest.mark.parametrize("width", [360, 1100])
def test_points_are_told_where_they_are_pointed_at(browser, diagnosis: Path, width: int) -> None:
    """The words lie inside the window, near the point, and go when the pointer goes."""
    browser.visit(diagnosis, width)
    browser.scroll_to(f"{FIGURES}[1]")
    x, y, words = browser.script(
        f"const point = {FIGURES}[1].querySelectorAll('.tip')[4];"
        "const box = point.getBoundingClientRect();"
        "return [box.x + box.width / 2, box.y + box.height / 2, point.dataset.words]"
    )
    assert browser.move(x + 2, y - 2) == words
    box = browser.script("return document.querySelector('.told').getBoundingClientRect().toJSON()")
    assert 0 <= box["left"] < box["right"] <= width
    assert min(abs(box["bottom"] - y), abs(box["top"] - y)) < 20
    assert browser.move(1, 1) == ""


@pytest.mark.parametrize(("width", "how"), [(360, "tap"), (360, "move"), (1100, "move")])
def test_a_cell_is_told_wherever_it_is_touched(browser, files, width: int, how: str) -> None:
    """Near its corners, too; the count that is told is the one that is written there."""
    browser.visit(files["table"], width)
    browser.scroll_to(f"{MATRICES}[1]")
    cells = browser.script(
        "const box = each => each.getBoundingClientRect().toJSON();"
        f"const svg = {MATRICES}[1].querySelector('svg');"
        "const texts = [...svg.querySelectorAll('text')].map(t => [box(t), t.textContent]);"
        "return [...svg.querySelectorAll('rect.tip')].map(each => [box(each), each.dataset.words,"
        " texts.filter(([t]) => Math.abs(t.x + t.width / 2 - box(each).x - box(each).width / 2) +"
        " Math.abs(t.y + t.height / 2 - box(each).y - box(each).height / 2) < 8).map(t => t[1])])"
    )
    assert len(cells) == 25
    for box, words, texts in cells:
        assert words.partition(": ")[2].partition(" of ")[0] == (texts[0] if texts else "0")
        corner = box["left"] + 2, box["bottom"] - 2
        assert getattr(browser, how)(*corner) == words


def test_keys_go_up_and_down_in_a_table(browser, files) -> None:
    """Within a row and within a column, round at the ends."""
    browser.visit(files["table"])
    words = browser.script(
        f"const matrix = {MATRICES}[0]; matrix.focus();"
        "return [...matrix.querySelectorAll('.tip')].map(each => each.dataset.words)"
    )
    keys = ("ARROW_RIGHT", "ARROW_DOWN", "ARROW_RIGHT", "ARROW_UP", "ARROW_UP", "END", "HOME")
    assert [browser.press(key) for key in keys] == [words[k] for k in (0, 5, 6, 1, 21, 24, 0)]
    assert browser.press("ESCAPE") == ""
    assert browser.press("ARROW_UP") == words[-1]


@pytest.mark.parametrize("which", ["images", "hundred", "tuned", "comparison", "diagnosis"])
def test_every_picture_tells_its_values(
    browser, files, diagnosis: Path, comparison: Path, which: str
) -> None:
    """None is left out, and nothing that is told is empty or not a number."""
    browser.visit({**files, "diagnosis": diagnosis, "comparison": comparison}[which])
    assert browser.script("return document.querySelectorAll('figure > [role=img]').length") == 0
    words = browser.script(
        f"return {FIGURES}.flatMap(each => [...each.querySelectorAll('.tip')])"
        ".map(each => each.dataset.words)"
    )
    assert len(words) > 50
    assert all(text and "nan" not in text for text in words)


@pytest.mark.parametrize("width", [360, 1100])
def test_names_of_methods_do_not_cover_each_other(browser, comparison: Path, width: int) -> None:
    """Twelve methods with nearly the same cost and quality: each name can be read."""
    browser.visit(comparison, width)
    pictures = browser.script(
        "return [...document.querySelectorAll('figure')].filter(each =>"
        " /Time of a run|Cost of a prediction/.test(each.textContent)).map(each =>"
        " [each.getBoundingClientRect().toJSON(),"
        " [...each.querySelectorAll('svg text')].filter(text => /[a-z]/.test(text.textContent))"
        " .map(text => text.getBoundingClientRect().toJSON())])"
    )
    assert [len(boxes) for _, boxes in pictures] == [13] * 4  # the names, and that of the axis
    for frame, boxes in pictures:
        for a, b in itertools.combinations(boxes, 2):
            across = min(a["right"], b["right"]) - max(a["left"], b["left"])
            down = min(a["bottom"], b["bottom"]) - max(a["top"], b["top"])
            assert min(across, down) < 1
        for box in boxes:
            assert frame["left"] <= box["left"] < box["right"] <= frame["right"]
            assert frame["top"] <= box["top"] < box["bottom"] <= frame["bottom"]


def test_points_are_told_by_keys(browser, diagnosis: Path) -> None:
    """A picture is one stop of the tab key; arrows go round, Escape ends."""
    browser.visit(diagnosis)
    words = browser.script(
        f"{FIGURES}[0].focus();"
        f"return [...{FIGURES}[0].querySelectorAll('.tip')].map(point => point.dataset.words)"
    )
    assert len(words) > 2
    assert [browser.press("ARROW_RIGHT") for _ in range(2)] == words[:2]
    assert browser.press("END") == words[-1]
    assert browser.press("ARROW_DOWN") == words[0]
    assert browser.press("ARROW_LEFT") == words[-1]
    assert browser.press("ESCAPE") == ""
    assert browser.script("return document.querySelectorAll('.tip title').length") == 0


@pytest.mark.parametrize("which", ["diagnosis", "study", "comparison", "images", "hundred"])
def test_what_is_picked_is_marked_in_tables_and_pictures(
    browser, diagnosis: Path, study: Path, comparison: Path, files: dict[str, Path], which: str
) -> None:
    """All that is of it, and nothing else; the first choice marks nothing."""
    own = {"diagnosis": diagnosis, "study": study, "comparison": comparison}
    browser.visit({**files, **own}[which], 360)
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
    name, marked, names, tags, n, wanted = browser.script(pick, 2)
    assert marked == [name]
    assert name == names[1]
    assert n == wanted
    assert {"tr", "circle"} <= set(tags)
    assert ("g" in tags) == (which == "diagnosis")
    assert ("rect" in tags) == (which in files)
    assert ("td" in tags) == (which == "comparison")
    assert browser.script(pick, 0)[4] == 0
    assert browser.script("return document.documentElement.scrollWidth") <= 360
    assert browser.requests() <= {"file", "data"}
    assert browser.complaints() == []


def test_a_picked_row_of_a_long_table_comes_into_sight(browser, files: dict[str, Path]) -> None:
    """Its frame scrolls to it, and the page stays where it is."""
    browser.visit(files["hundred"])
    before, after, row, frame = browser.script(
        "const choice = document.querySelector('.picker select'), before = scrollY;"
        "choice.selectedIndex = 80; choice.dispatchEvent(new Event('change'));"
        "const row = document.querySelector('tr.picked');"
        "const box = e => e.getBoundingClientRect().toJSON();"
        "return [before, scrollY, box(row), box(row.closest('.scroll'))]"
    )
    assert before == after
    assert frame["top"] < row["top"] < row["bottom"] < frame["bottom"]


@pytest.mark.parametrize("which", ["diagnosis", "images"])
def test_without_scripts_points_have_titles(browser, diagnosis: Path, files, which: str) -> None:
    """The browser itself shows them; there is no picker that would do nothing."""
    queries = (".tip > title", "rect.tip > title", ".picker", "figure > [role=img]")
    browser.devtools("Emulation.setScriptExecutionDisabled", {"value": True})
    try:
        browser.visit({**files, "diagnosis": diagnosis}[which])
        root = browser.devtools("DOM.getDocument", {"depth": 0})["root"]["nodeId"]
        titles, cells, pickers, pictures = (
            len(
                browser.devtools("DOM.querySelectorAll", {"nodeId": root, "selector": query})[
                    "nodeIds"
                ]
            )
            for query in queries
        )
    finally:
        browser.devtools("Emulation.setScriptExecutionDisabled", {"value": False})
    assert titles > 50
    assert cells == (0 if which == "diagnosis" else 200)
    assert pictures > 5
    assert pickers == 0
