"""Laws of what a stopped run says."""

from pathlib import Path

import pytest

from equipoise.commands.training import resumed_at
from equipoise.data.options import ReadOptions
from equipoise.experiment import Experiment
from equipoise.plan import Plan
from equipoise.progress import Progress

TABLE = "a,outcome\n" + "".join(f"{row % 7},{'xy'[row % 2]}\n" for row in range(40))


@pytest.mark.parametrize("stop_at", [(1, 1), (2, 1), (3, 1), (3, 0)])
def test_a_stop_says_where_a_resumed_run_goes_on(stop_at: tuple[int, int], tmp_path: Path) -> None:
    """The epoch that is told is the first one that is trained after --resume."""
    (tmp_path / "t.csv").write_text(TABLE)
    experiment = Experiment(
        source=str(tmp_path / "t.csv"),
        options=ReadOptions(label="outcome"),
        params={"epochs": 3, "device": "cpu"},
    )

    def stop(progress: Progress) -> None:
        if (progress.epoch, progress.step) == stop_at:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        Plan.make(experiment).run(tmp_path / "run", observers=[stop])
    told = resumed_at(tmp_path / "run", 3)
    seen: list[int] = []
    again = Plan.make(experiment)
    again.run(tmp_path / "run", resume=True, observers=[lambda now: seen.append(now.epoch)])
    assert told == (f"from epoch {seen[0]} of 3" if seen else "after the last epoch")
    assert not (stop_at == (1, 1) and seen[0] != 1)
    assert not (stop_at == (2, 1) and seen[0] != 2)
