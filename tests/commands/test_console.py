"""Laws of bars and tables on a screen of 80 columns."""

import io
import re
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from rich.console import Console

from equipoise import evaluate
from equipoise.commands import console
from equipoise.commands.compare import show


@pytest.fixture
def narrow(monkeypatch: pytest.MonkeyPatch) -> io.StringIO:
    """Return what is printed on a narrow screen."""
    printed = io.StringIO()
    for name in ("errors", "results"):
        monkeypatch.setattr(console, name, Console(file=printed, width=80, highlight=False))
    return printed


def test_the_bar_of_training_shows_the_time_that_is_left(narrow: io.StringIO) -> None:
    """Also with long numbers."""
    row = {"validation": {"balanced_accuracy": 0.4567}}
    done = {"epoch": 12, "epochs": 120, "step": 50, "steps": 100, "loss": 12.3456}
    with console.training_bar() as observe:
        observe(SimpleNamespace(row=row))
        observe(SimpleNamespace(row=None, examples=12345, seconds=1.0, **done))
    told = narrow.getvalue().rstrip().splitlines()[-1]
    assert "loss 12.346  bal. acc. 45.7%  12,345/s" in told
    assert told.endswith("left -:--:--")


def _figure(value: float) -> dict[str, float]:
    return {"value": value, "low": 0.0, "high": 1.0}


def test_methods_of_a_leaderboard_keep_their_whole_names(
    narrow: io.StringIO, tmp_path: Path
) -> None:
    """They begin alike, and are told apart by their ends."""
    names = ["class-balanced-sampling", "balanced-softmax", "balanced-forest", "focal+prescribed"]
    columns = ("balanced_accuracy", "balanced_accuracy_corrected", "rarest_recall_corrected")
    figures = {name: _figure(1.0) for name in (*columns, "balanced_log_loss_corrected")}
    rest = {"seconds": 100.0, "epochs": 30.0, "exact_prior": True}
    verdict = {"sentences": [], "reading": []}
    by = {"title": "balanced log-loss", "column": "balanced_log_loss_corrected"}
    found = {
        "repeats": [[0, 0]],
        "rarest": ["<b>[red]rare"],
        "by_metric": {**by, "as_trained": verdict, "balanced": verdict},
        "leaderboard": [{"method": name, **figures, **rest} for name in names],
        "as_trained": verdict,
        "balanced": verdict,
        "cautions": [],
        "unfinished": [],
    }
    show(found, tmp_path, as_json=False)
    lines = [line.split("│") for line in narrow.getvalue().splitlines() if line.startswith("│")]
    assert "".join(cells[1].strip() for cells in lines) == "".join(names)
    assert "…" not in narrow.getvalue()
    heads = [line.split("┃")[5].strip() for line in narrow.getvalue().splitlines() if "┃" in line]
    assert " ".join(heads).strip() == "balanced log-loss, corrected"


def test_intervals_of_classes_stand_in_one_line(narrow: io.StringIO) -> None:
    """Under both priors, where names are short and no recall is 100 %."""
    labels = np.repeat([0, 1, 2], [80, 30, 10])
    logits = np.random.default_rng(0).normal(size=(len(labels), 3)) + np.eye(3)[labels]
    found = evaluate(
        logits, labels, classes=["CYT", "EXC", "ERL"], train_counts=[400, 150, 50], n_bootstrap=10
    )
    console.print_metrics("Test set", {"as it is": found, "balanced prior": found})
    table = narrow.getvalue().partition("Recall of each class")[2]
    rows = [line.split("│")[1:-1] for line in table.splitlines() if line.startswith("│")]
    assert [row[0].strip() for row in rows] == ["CYT", "EXC", "ERL"]
    assert all(
        re.fullmatch(r" +[\d.]+ % \([\d.]+ to [\d.]+\) ", row[k]) for row in rows for k in (3, 4)
    )
