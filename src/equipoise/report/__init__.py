"""One offline HTML page about one or more runs: summarise, plot, render.

A summary is plain data and can be tested and reused without HTML; pictures take the colours of
the page; everything that comes from the data is escaped. Nothing here imports torch.
"""

from equipoise.report.rendering import render, write_report
from equipoise.report.summaries import summarise

__all__ = ["render", "summarise", "write_report"]
