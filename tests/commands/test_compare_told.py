"""Laws of what the command that compares passes on and prints."""

from pathlib import Path
from types import ModuleType

import pytest

from equipoise.cli import main
from equipoise.commands.compare import show
from equipoise.comparison.verdict import conclude
from equipoise.errors import TrainingError


def test_methods_whose_correction_is_a_heuristic_have_a_star(
    tmp_path: Path, written: ModuleType, capsys: pytest.CaptureFixture[str]
) -> None:
    """In the table, with a note; where all are exact there is neither."""
    written.tell(tmp_path, "plain", "focal")
    for method, skill in (("plain", 1.0), ("focal", 2.0)):
        written.write(tmp_path, method, 0, skill)
    found = conclude(tmp_path)
    for is_exact in (True, False):
        for row in found["leaderboard"]:
            row["exact_prior"] = is_exact or row["method"] != "focal"
        show(found, tmp_path, as_json=False)
        table, _, _ = capsys.readouterr().out.partition("As trained")
        assert ("focal *" in table, "* Corrected figures" in table) == (not is_exact,) * 2
        assert "plain *" not in table


def test_this_machine_is_measured_with_the_threads_that_workers_will_have(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As they are given; in this process as many as it has."""
    (tmp_path / "t.csv").write_text("a,b\n1,x\n2,y\n")
    seen: list[object] = []

    def lay_out(*_: object, threads: int | None, **__: object) -> None:
        seen.append(threads)
        raise TrainingError("This is far enough.")

    monkeypatch.setattr("equipoise.commands.compare.make_contest", lay_out)
    command = ["compare", str(tmp_path / "t.csv"), "--out", str(tmp_path / "c")]
    for place in ([], ["--executor", "processes", "--workers", "2", "--threads", "3"]):
        assert main([*command, *place]) == 1
    assert seen == [None, 3]
