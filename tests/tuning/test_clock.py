"""Laws of the clock: what a search has used counts, whatever stops it."""

import time
from pathlib import Path

import pytest

from equipoise.runs import Run
from equipoise.tuning.clock import Clock


def test_the_clock_goes_on_where_it_was_noted(tmp_path: Path) -> None:
    """After a stop it begins with what was used before, and adds to it."""
    first = Clock(tmp_path, 100.0)
    time.sleep(0.02)
    first.note()
    noted = Run(tmp_path).read_json("clock.json")["used"]
    again = Clock(tmp_path, 100.0)
    assert 0.02 <= noted <= again.used < 100
    time.sleep(0.02)
    assert again.used >= noted + 0.02
    again.note()
    assert Clock(tmp_path, 100.0).used >= noted + 0.02


def test_hours_of_an_earlier_process_count(tmp_path: Path) -> None:
    """A budget that was used up stays so; a larger one leaves the difference."""
    Run(tmp_path).write_json("clock.json", {"used": 7200.0})
    assert Clock(tmp_path, 7200.0).remaining <= 0
    assert Clock(tmp_path, 7300.0).remaining == pytest.approx(100, abs=5)


def test_the_reserve_is_not_for_trials(tmp_path: Path) -> None:
    """Trials end while what comes after them still has its time."""
    clock = Clock(tmp_path, 100.0, reserve=30.0)
    assert clock.remaining == pytest.approx(100, abs=5)
    assert clock.left == pytest.approx(70, abs=5)
    assert clock.until - time.time() == pytest.approx(70, abs=5)


def test_looking_at_the_clock_writes_nothing(tmp_path: Path) -> None:
    """A search that is only described leaves no trace."""
    assert Clock(tmp_path / "none", 10.0).left > 0
    assert not (tmp_path / "none").exists()
