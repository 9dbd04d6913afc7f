"""Pictures that take the colours and the font of the page, in light and in dark.

Matplotlib draws with placeholder colours; `svg` turns each into a CSS variable of the page,
``#010001`` into ``var(--ink)``, and drops what would clash inside HTML: fixed sizes, fonts,
style sheets, metadata and identifiers that nothing refers to. Points get words that are shown
when they are pointed at: by the browser itself as titles, by the page's script with more comfort.
"""

import contextlib
import io
import math
import re
import warnings
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from xml.etree import ElementTree

from matplotlib import style
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FixedLocator, FuncFormatter, LogLocator, NullFormatter, NullLocator

from equipoise.report.formats import shorten, tick

WIDTH = 380.0
"""Width of a picture in its own units; text is 10.5 of them high, to stay readable on a phone."""

_SHORT = 2
"""Most letters of names that fit beside each other."""

_SPELLED_FROM = 1e5
"""Numbers on an axis from which a word stands for their zeros, so that fewer fit."""

INK, MUTED, RULE, PAGE = "#010001", "#010002", "#010003", "#010004"
AS_IS, CORRECTED, TRAINING = "#010005", "#010006", "#010007"
RIGHT, WRONG, BAR = "#010008", "#010009", "#01000a"

VARIABLES = {
    INK: "ink",
    MUTED: "muted",
    RULE: "rule",
    PAGE: "page",
    AS_IS: "as-is",
    CORRECTED: "corrected",
    TRAINING: "training",
    RIGHT: "right",
    WRONG: "wrong",
    BAR: "bar",
}
"""CSS variable that each placeholder becomes."""

_SETTINGS = {
    "svg.fonttype": "none",
    "text.parse_math": False,  # a class may be called "$x$"
    "font.size": 10.5,
    "axes.labelsize": 10.5,
    "axes.titlesize": 10.5,
    "axes.titlelocation": "left",
    "axes.edgecolor": MUTED,
    "axes.labelcolor": MUTED,
    "axes.facecolor": "none",
    "axes.linewidth": 0.7,
    "axes.spines.right": False,
    "axes.spines.top": False,
    "axes.axisbelow": True,
    "grid.color": RULE,
    "grid.linewidth": 0.7,
    "text.color": INK,
    "xtick.color": MUTED,
    "ytick.color": MUTED,
    "xtick.major.size": 3.0,
    "ytick.major.size": 3.0,
    "legend.frameon": False,
    "legend.labelcolor": INK,
    "legend.borderaxespad": 0.0,
    "legend.handlelength": 1.4,
    "legend.columnspacing": 1.4,
    "figure.facecolor": "none",
    "lines.linewidth": 1.6,
}

_KEPT_IN_TEXT = {"font-size", "font-weight", "text-anchor", "fill"}


@dataclass(frozen=True)
class Picture:
    """A drawing and the words that stand for it where it cannot be seen.

    Parameters
    ----------
    svg : str
        The picture, ready to stand in a page.
    description : str
        What it shows, for those who cannot see it.
    """

    svg: str
    description: str


@dataclass(frozen=True)
class Tip:
    """Words about a point or a cell of a picture.

    Parameters
    ----------
    axes : Axes
        Where the point is drawn.
    x, y : float
        The point, or the middle of the cell, in the data's units.
    text : str
        What is said about it.
    of : str, default=""
        The class, the method, or the value of a study, that it is of, as the tables of the page
        call it.
    side : float, default=0.0
        Of a square cell, in the data's units; 0 for a point.
    """

    axes: Axes
    x: float
    y: float
    text: str
    of: str = ""
    side: float = 0.0


REACH = 6.0
"""Radius of the circle around a point in which its words appear, in units of the picture."""


def spaced(n: int, most: int) -> list[int]:
    """Return at most so many of the numbers below `n`, evenly spaced, with the first and last.

    >>> spaced(3, 10), spaced(101, 3)
    ([0, 1, 2], [0, 50, 100])
    """
    if n <= most:
        return list(range(n))
    return [round(i * (n - 1) / (most - 1)) for i in range(most)]


@contextlib.contextmanager
def themed(salt: str) -> Iterator[None]:
    """Draw with the settings of the report, whatever the user's own settings are.

    Parameters
    ----------
    salt : str
        Different for each picture of a page, so that identifiers do not repeat in it; the same
        salt and data give the same bytes.
    """
    with style.context(["default", {**_SETTINGS, "svg.hashsalt": salt}]), warnings.catch_warnings():
        # The browser draws the text, so that Matplotlib's own font may lack a glyph.
        warnings.filterwarnings("ignore", message="Glyph .* missing from font")
        warnings.filterwarnings("ignore", message="Matplotlib currently does not support")
        yield


def canvas(height: float, width: float = WIDTH) -> Figure:
    """Return an empty figure, its size in the units of the picture."""
    return Figure(figsize=(width / 72, height / 72), layout="constrained")


def label(name: str, length: int = 18) -> str:
    """Return a class name as it stands in a picture."""
    return shorten(name, length)


def slanted(names: Sequence[str], degrees: float) -> float:
    """Return by how many degrees names over or under an axis are turned; short ones are not.

    >>> slanted(["cat", "lynx"], 45), slanted(["1", "10"], 45)
    (45, 0)
    """
    return degrees if max(map(len, names)) > _SHORT else 0


def log_axis(axes: Axes, which: str, low: float, high: float) -> None:
    """Make an axis logarithmic, labelled at powers of ten; at 1, 2 and 5 of them if it is short."""
    getattr(axes, f"set_{which}scale")("log")
    getattr(axes, f"set_{which}lim")(low, high)
    axis = getattr(axes, f"{which}axis")
    narrow = high / low < (30 if high < _SPELLED_FROM else 10)
    marks = _marks(low, high) if narrow else []
    axis.set_major_locator(FixedLocator(marks) if marks else LogLocator())
    axis.set_major_formatter(FuncFormatter(lambda value, _: tick(value)))
    axis.set_minor_locator(NullLocator() if narrow else LogLocator(subs=(2.0, 5.0)))
    axis.set_minor_formatter(NullFormatter())


def _marks(low: float, high: float) -> list[float]:
    """Return 1, 2 and 5 times powers of ten from `low` to `high`.

    >>> _marks(0.9, 7)
    [1.0, 2.0, 5.0]
    """
    powers = range(math.floor(math.log10(low)), math.ceil(math.log10(high)) + 1)
    return [m * 10.0**k for k in powers for m in (1, 2, 5) if low <= m * 10.0**k <= high]


def percent_axis(axes: Axes, which: str, unit: str = "\N{NO-BREAK SPACE}%") -> None:
    """Label an axis of fractions in percent, with as many decimals as its ticks need."""
    axis = getattr(axes, f"{which}axis")
    axis.set_major_formatter(FuncFormatter(lambda value, _: f"{hundredfold(value)}{unit}"))


def hundredfold(value: float) -> str:
    """Return a hundred times a number, without decimals that it does not need.

    >>> hundredfold(0.025), hundredfold(-0.3), hundredfold(-1e-18)
    ('2.5', '-30', '0')
    """
    return f"{round(100 * value, 6) + 0.0:.6g}"


def svg(
    figure: Figure,
    tips: Sequence[Tip] = (),
    lines: Mapping[str, str] | None = None,
    columns: int = 1,
) -> str:
    """Return a figure as one ``<svg>`` element for HTML, without colours or fonts of its own.

    Parameters
    ----------
    figure : Figure
        What is drawn.
    tips : sequence of Tip
        Words about points.
    lines : mapping of str to str or None, default=None
        Of artists that are known by a ``gid``, the class that they are of; as in `Tip`.
    columns : int, default=1
        Of tips that fill a table row by row: arrow keys then go up and down in it, too.
    """
    buffer = io.StringIO()
    figure.savefig(buffer, format="svg", metadata={"Date": None, "Creator": None}, transparent=True)
    root = ElementTree.fromstring(buffer.getvalue())
    used = {value[1:] for e in root.iter() for k, value in e.items() if k.endswith("href")}
    used |= {name for e in root.iter() for name in re.findall(r"url\(#(\w+)\)", str(e.attrib))}
    owned = [(e, of) for e in root.iter() if (of := (lines or {}).get(e.get("id", "")))]
    _tidy(root, used)
    for element, of in owned:
        element.set("data-of", of)
    for name in ("width", "height", "version"):
        root.attrib.pop(name, None)
    root.set("aria-hidden", "true")
    if columns > 1:
        root.set("data-columns", str(columns))
    root.extend(_unseen(figure, tip) for tip in tips)
    return ElementTree.tostring(root, encoding="unicode")


def _unseen(figure: Figure, tip: Tip) -> ElementTree.Element:
    """Return the circle around a point, or the cell, where the last layout has put it."""
    if tip.side:
        halves = (-tip.side / 2, tip.side / 2)
        corners = [_place(figure, tip.axes, tip.x + half, tip.y + half) for half in halves]
        (left, right), (top, bottom) = (sorted(each) for each in zip(*corners, strict=True))
        size = {"width": right - left, "height": bottom - top}
        name, numbers = "rect", {"x": left, "y": top, **size}
    else:
        across, down = _place(figure, tip.axes, tip.x, tip.y)
        name, numbers = "circle", {"r": REACH, "cx": across, "cy": down}
    element = ElementTree.Element(name, {"class": "tip"})
    for key, number in numbers.items():
        element.set(key, f"{number:.1f}")
    if tip.of:
        element.set("data-of", tip.of)
    ElementTree.SubElement(element, "title").text = tip.text
    return element


def _place(figure: Figure, axes: Axes, x: float, y: float) -> tuple[float, float]:
    """Return a point of the data in units of the picture, from its upper left corner."""
    across, up = axes.transData.transform((x, y)) * 72 / figure.dpi
    return float(across), float(72 * figure.get_figheight() - up)


def _tidy(element: ElementTree.Element, used: set[str]) -> None:
    element.tag = _local(element.tag)
    attributes = {_local(key): value for key, value in element.attrib.items()}
    if attributes.get("id") not in used:
        attributes.pop("id", None)
    if attributes.get("transform", "").startswith("rotate(-0 "):
        del attributes["transform"]
    if "style" in attributes:
        attributes["style"] = _style(attributes["style"], is_text=element.tag == "text")
    if "d" in attributes:
        attributes["d"] = re.sub(r"(\.\d\d)\d+", r"\1", " ".join(attributes["d"].split()))
    element.attrib.clear()
    element.attrib.update(attributes)
    if element.tag != "text":
        element.text = None
    element.tail = None
    for child in list(element):
        if _local(child.tag) in {"metadata", "style"}:
            element.remove(child)
        else:
            _tidy(child, used)


def _local(name: str) -> str:
    """Drop the namespace: inside HTML the parser knows it."""
    return name.rpartition("}")[2]


def _style(text: str, is_text: bool) -> str:
    pairs = [part.partition(":") for part in text.split(";") if part.strip()]
    kept = {key.strip(): value.strip() for key, _, value in pairs}
    if is_text:
        kept = {key: value for key, value in kept.items() if key in _KEPT_IN_TEXT}
        kept.setdefault("fill", "#000000")
    return ";".join(f"{key}:{_colour(value)}" for key, value in kept.items())


def _colour(value: str) -> str:
    return f"var(--{VARIABLES[value]})" if value in VARIABLES else value
