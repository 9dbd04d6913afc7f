"""Laws of the clock: what a search has used counts, whatever stops it."""

import math
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import Any

import pytest

from equipoise.errors import InputError
from equipoise.runs import Run
from equipoise.tuning.clock import Clock


def test_the_clock_goes_on_where_it_was_noted(tmp_path: Path) -> None:
    """After a stop it begins with what was used before, and adds to it."""
    with Clock(tmp_path, 100.0).running():
        time.sleep(0.02)
    noted = Run(tmp_path).read_json("clock.json")["used"]
    again = Clock(tmp_path, 100.0)
    assert 0.02 <= noted <= again.used < 100
    with again.running():
        time.sleep(0.02)
    assert Clock(tmp_path, 100.0).used >= noted + 0.02


SCRIPT = """
import os, signal, sys, time
from pathlib import Path
from equipoise.tuning.clock import Clock
with Clock(Path(sys.argv[1]), 100.0).running():
    time.sleep(2.5)
    os.kill(os.getpid(), signal.SIGKILL)
"""


def test_a_kill_loses_a_second_at_most(tmp_path: Path) -> None:
    """While nothing else happens, as in the middle of a training; noted is no more than was."""
    begun = time.monotonic()
    ended = subprocess.run([sys.executable, "-c", SCRIPT, str(tmp_path)], check=False)
    assert ended.returncode == -signal.SIGKILL
    assert 1.0 <= Run(tmp_path).read_json("clock.json")["used"] <= time.monotonic() - begun


def _fill_disk(refused: float, patch: pytest.MonkeyPatch) -> None:
    """Refuse so many writes, as a disk that is full for a while."""
    write, left = Run.write_json, [refused]

    def refusing(run: Run, name: str, value: Any) -> None:
        left[0] -= 1
        if left[0] >= 0:
            raise OSError(28, "No space left on device")
        write(run, name, value)

    patch.setattr(Run, "write_json", refusing)


def test_a_full_disk_does_not_end_the_noting(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Once there is space again, time is kept as before, also of what a kill would end."""
    _fill_disk(1, monkeypatch)
    with Clock(tmp_path, 100.0).running():
        ends = time.monotonic() + 30
        while not Run(tmp_path).has("clock.json") and time.monotonic() < ends:
            time.sleep(0.02)
        assert Run(tmp_path).read_json("clock.json")["used"] >= 0.9


def test_a_disk_that_stays_full_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """At the end: time that was not kept could be used again."""
    _fill_disk(math.inf, monkeypatch)
    with pytest.raises(OSError, match="No space"), Clock(tmp_path, 100.0).running():
        pass


def test_what_ends_a_search_ends_the_noting(tmp_path: Path) -> None:
    """No thread is left that would write into a folder that may be gone."""
    clock, before = Clock(tmp_path, 100.0), threading.active_count()
    with pytest.raises(KeyboardInterrupt), clock.running():
        raise KeyboardInterrupt
    assert threading.active_count() == before
    assert Run(tmp_path).has("clock.json")


def test_hours_of_an_earlier_process_count(tmp_path: Path) -> None:
    """A budget that was used up stays so; a larger one leaves the difference."""
    Run(tmp_path).write_json("clock.json", {"used": 7200.0})
    assert Clock(tmp_path, 7200.0).remaining <= 0
    assert Clock(tmp_path, 7300.0).remaining == pytest.approx(100, abs=5)


@pytest.mark.parametrize(
    "text", ["[]", "{}", '{"used": "1"}', '{"used": null}', '{"used": -1e9}', '{"used": NaN}']
)
def test_a_clock_that_is_damaged_is_refused(text: str, tmp_path: Path) -> None:
    """In words; less than no time would be a budget without end."""
    (tmp_path / "clock.json").write_text(text)
    with pytest.raises(InputError, match="of a search must be as it was written"):
        Clock(tmp_path, 10.0)


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
