"""What the metrics are called and how they are written."""

import pytest

from equipoise.commands.console import IN_PER_CENT, OVERALL
from equipoise.metrics import evaluate
from equipoise.report.vocabulary import METRICS


@pytest.mark.parametrize("name", OVERALL)
def test_page_and_terminal_write_a_measure_in_the_same_form(name: str) -> None:
    """What is 0.940 in one is not 94.0 % in the other."""
    assert METRICS[name].as_percent == (name in IN_PER_CENT)


def test_every_measure_has_a_name_and_a_meaning() -> None:
    """No overall metric of metrics.json is left to its key."""
    measured = evaluate(
        [[2, 0], [0, 2]], [0, 1], classes=["a", "b"], train_counts=[1, 1], n_bootstrap=10
    )
    assert set(measured["overall"]) <= set(METRICS)
    assert all(m.meaning.endswith(".") for m in METRICS.values())
