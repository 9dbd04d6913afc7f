"""Pictures that take the colours of the page."""

import re
from collections.abc import Iterator
from importlib import resources
from itertools import pairwise
from xml.etree import ElementTree

import pytest
from matplotlib import rc_context, rcParams

from equipoise.report.plots import theme
from equipoise.report.plots.confusion import TINT


@pytest.fixture
def drawing() -> Iterator[str]:
    with theme.themed("test"):
        figure = theme.canvas(100)
        axes = figure.subplots()
        axes.plot([1, 10], [1, 2], "o-", color=theme.CORRECTED, clip_on=True)
        axes.set_title("a <b> & 日本 $x$")
        theme.log_axis(axes, "x", 1, 100)
        yield theme.svg(figure)


def palette(dark: bool) -> dict[str, tuple[float, ...]]:
    css = (resources.files("equipoise.report") / "templates" / "style.css.j2").read_text()
    blocks = re.findall(r":root \{(.*?)\}", css, flags=re.DOTALL)
    found = re.findall(r"--([\w-]+): #([0-9a-f]{6});", blocks[1] if dark else blocks[0])
    return {k: tuple(int(v[i : i + 2], 16) / 255 for i in (0, 2, 4)) for k, v in found}


def luminance(colour: tuple[float, ...]) -> float:
    """Return the relative luminance of WCAG 2."""
    linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in colour]
    return sum(w * c for w, c in zip((0.2126, 0.7152, 0.0722), linear, strict=True))


def contrast(a: tuple[float, ...], b: tuple[float, ...]) -> float:
    high, low = sorted((luminance(a), luminance(b)), reverse=True)
    return (high + 0.05) / (low + 0.05)


def blend(top: tuple[float, ...], below: tuple[float, ...], opacity: float) -> tuple[float, ...]:
    return tuple(opacity * t + (1 - opacity) * b for t, b in zip(top, below, strict=True))


def test_a_picture_is_one_element_without_a_size_or_fonts(drawing: str) -> None:
    """The page decides about size and type."""
    root = ElementTree.fromstring(drawing)
    assert root.tag == "svg"
    assert set(root.attrib) == {"viewBox", "aria-hidden"}
    assert "font-family" not in drawing
    assert "<style" not in drawing
    assert "metadata" not in drawing


def test_no_placeholder_is_left(drawing: str) -> None:
    """Every colour of the theme became a variable of the page."""
    assert "var(--corrected)" in drawing
    assert not set(theme.VARIABLES) & set(re.findall(r"#[0-9a-f]{6}", drawing))


def test_text_stays_text(drawing: str) -> None:
    """Titles can be selected and searched, and are escaped."""
    assert "a &lt;b&gt; &amp; 日本 $x$" in drawing


def test_the_users_settings_neither_matter_nor_change() -> None:
    """A user's style sheet does not reach the report, nor the other way round."""
    with rc_context({"lines.linewidth": 17.0, "font.size": 3.0}):
        with theme.themed("test"):
            assert rcParams["lines.linewidth"] == 1.6
            assert rcParams["font.size"] == 10.5
        assert rcParams["lines.linewidth"] == 17.0
        assert rcParams["font.size"] == 3.0


@pytest.mark.parametrize("dark", [False, True])
def test_every_variable_has_a_colour_in_both_themes(dark: bool) -> None:
    """A picture never asks for a variable that the page does not have."""
    assert set(theme.VARIABLES.values()) <= set(palette(dark))


@pytest.mark.parametrize("dark", [False, True])
@pytest.mark.parametrize("name", ["ink", "muted", "as-is", "corrected"])
def test_text_can_be_read_on_the_page(dark: bool, name: str) -> None:
    """Contrast of text is at least 4.5, as WCAG 2 level AA asks."""
    colours = palette(dark)
    assert contrast(colours[name], colours["page"]) >= 4.5
    assert contrast(colours["ink"], colours["notice"]) >= 4.5


@pytest.mark.parametrize("dark", [False, True])
@pytest.mark.parametrize("name", ["right", "wrong"])
def test_counts_can_be_read_on_full_cells(dark: bool, name: str) -> None:
    """The strongest tint behind a number keeps the contrast of text above 4.5."""
    colours = palette(dark)
    cell = blend(colours[name], colours["page"], TINT)
    assert contrast(colours["ink"], cell) >= 4.5


def test_only_long_names_are_slanted() -> None:
    """Digits stand upright; one long name among them turns them all."""
    assert theme.slanted(["0", "10"], 45) == 0
    assert theme.slanted(["0", "cat"], 45) == 45


def test_a_tip_lies_on_its_point() -> None:
    """Where the marker is drawn, in the units of the picture; its words are escaped."""
    with theme.themed("tips"):
        figure = theme.canvas(200)
        panels = figure.subplots(1, 2)
        panels[1].set_title("a title", size=30)
        theme.log_axis(panels[1], "x", 1, 100)
        panels[1].plot([2, 50], [0.2, 0.9], "o", color=theme.CORRECTED)
        told = [theme.Tip(panels[1], x, y, "<b>", "a & b") for x, y in ((2, 0.2), (50, 0.9))]
        drawn = theme.svg(figure, told)
    root = ElementTree.fromstring(drawn.replace("<svg", '<svg xmlns:x="x"'))
    marks = [(float(e.get("x", "")), float(e.get("y", ""))) for e in root.iter("use")][-2:]
    circles = list(root.iter("circle"))
    where = [(float(e.get("cx", "")), float(e.get("cy", ""))) for e in circles]
    assert where == [pytest.approx(mark, abs=0.1) for mark in marks]
    assert [e.findtext("title") for e in circles] == ["<b>", "<b>"]
    assert "<b>" not in drawn
    assert circles[0].get("data-of") == "a & b"


@pytest.mark.parametrize("is_down", [False, True])
def test_a_cell_covers_its_square(is_down: bool) -> None:
    """Whichever way the axis goes; the picture says how many stand in a row."""
    with theme.themed("cells"):
        figure = theme.canvas(200)
        axes = figure.subplots()
        axes.set(xlim=(-0.5, 1.5), ylim=(1.5, -0.5) if is_down else (-0.5, 1.5))
        drawn = theme.svg(figure, [theme.Tip(axes, 1, 0, "here", side=1.0)], columns=2)
        box = axes.bbox.bounds
    root = ElementTree.fromstring(drawn)
    cell = next(root.iter("rect"))
    left, bottom, width, height = (72 * number / figure.dpi for number in box)
    top = 200 - bottom - height + (0 if is_down else height / 2)
    expected = {"x": left + width / 2, "y": top, "width": width / 2, "height": height / 2}
    found = {key: float(cell.get(key, "")) for key in expected}
    assert found == pytest.approx(expected, abs=0.06)
    assert root.get("data-columns") == "2"


def test_a_line_is_known_as_its_class() -> None:
    """And no other identifier is left."""
    with theme.themed("lines"):
        figure = theme.canvas(100)
        figure.subplots().plot([1, 2], [1, 2], gid="class-0")
        drawn = theme.svg(figure, lines={"class-0": '"x" <y>'})
    owned = [e for e in ElementTree.fromstring(drawn).iter() if e.get("data-of")]
    assert [e.get("data-of") for e in owned] == ['"x" <y>']
    assert list(owned[0].iter("path"))
    assert "class-0" not in drawn


@pytest.mark.parametrize("cost", [0.02, 1.2, 40.0, 9e4, 2e6, 6.6e9])
@pytest.mark.parametrize("dearest", [1.0, 1.1, 6.0, 9.0, 40.0, 3000.0])
def test_numbers_of_a_logarithmic_axis_are_apart_and_none_is_nothing(
    cost: float, dearest: float
) -> None:
    """As measured on the canvas; methods that cost the same still get a number."""
    with theme.themed("axis"):
        figure = theme.canvas(290)
        axes = figure.subplots()
        axes.set_yticks([0.1, 1.0], ["10 %", "100 %"])
        theme.log_axis(axes, "x", cost / 1.4, cost * dearest * 2.2)
        figure.draw_without_rendering()
        left, right = axes.get_xlim()
        written = [
            each.label1
            for each in axes.xaxis.get_major_ticks()
            if left <= each.get_loc() <= right and each.label1.get_text()
        ]
    assert written
    assert "0" not in [each.get_text() for each in written]
    spans = sorted((box.x0, box.x1) for box in (each.get_window_extent() for each in written))
    assert all(end < start for (_, end), (start, _) in pairwise(spans))


@pytest.mark.parametrize("step", [0.0005, 0.0025, 0.025, 0.1])
@pytest.mark.parametrize("unit", ["", " %"])
def test_labels_of_a_percent_axis_are_where_they_say(step: float, unit: str) -> None:
    """No tick is rounded to another number, and zero has no sign."""
    figure = theme.canvas(100)
    axes = figure.subplots()
    ticks = [step * i for i in range(-3, 4)]
    axes.set_xticks(ticks)
    theme.percent_axis(axes, "x", unit)
    figure.draw_without_rendering()
    told = [each.get_text() for each in axes.get_xticklabels()]
    assert all(text.endswith(unit) for text in told)
    assert [float(text.removesuffix(" %")) / 100 for text in told] == pytest.approx(ticks)
    assert told[3] == f"0{unit}"
