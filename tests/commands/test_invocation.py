"""Laws of when a command began."""

import time

import pytest

from equipoise.cli import main
from equipoise.commands import invocation


def test_a_command_begins_before_anything_is_loaded(capsys: pytest.CaptureFixture[str]) -> None:
    """So that a budget holds what the user waits for, and the next command begins anew."""
    before = time.monotonic()
    assert main(["recipes"]) == 0
    first = invocation.begun()
    assert before <= first <= time.monotonic()
    assert main(["recipes"]) == 0
    assert invocation.begun() > first
    capsys.readouterr()


def test_where_no_command_was_called_it_begins_now(monkeypatch: pytest.MonkeyPatch) -> None:
    """As in Python."""
    monkeypatch.setattr(invocation, "_begun", [])
    before = time.monotonic()
    assert before <= invocation.begun() <= time.monotonic()
