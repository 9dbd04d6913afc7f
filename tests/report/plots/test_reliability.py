"""The reliability diagram."""

import re
from pathlib import Path

import pytest

from equipoise.report import summarise
from equipoise.report.plots.reliability import reliability_diagram
from equipoise.report.plots.theme import themed


def test_points_and_bars_tell_each_confidence(run_folders: dict[str, Path]) -> None:
    """Both priors: what was stated, what was right, and of how many; shares add up to all."""
    summary = summarise(run_folders["images"])
    with themed("test"):
        picture = reliability_diagram(summary)
    assert picture is not None
    told = re.findall(r"<title>(.*?)</title>", picture.svg.replace("\N{NO-BREAK SPACE}", " "))
    for prior, name in (("as_is", "as trained"), ("balanced", "after prior correction")):
        bins = [b for b in summary["results"][prior]["reliability"] if b["weight"]]
        total = sum(b["weight"] for b in bins)
        own = [text for text in told if text.startswith(name)]
        points = [text for text in own if "right" in text]
        assert [text.partition(", ")[2].rpartition(", ")[0] for text in points] == [
            f"{100 * b['confidence']:.1f} % stated: {100 * b['accuracy']:.1f} % right" for b in bins
        ]
        bars = [text for text in own if text not in points]
        assert [text.partition(", ")[2] for text in bars] == [
            f"{100 * b['low']:.0f} % to {100 * b['high']:.0f} % stated: "
            f"{100 * b['weight'] / total:.1f} % of the examples"
            for b in bins
        ]
        shares = [float(text.rpartition(" % of")[0].rpartition(": ")[2]) for text in bars]
        assert sum(shares) == pytest.approx(100, abs=0.05 * len(bars))
