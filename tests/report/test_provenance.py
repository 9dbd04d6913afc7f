"""How a run was made."""

from pathlib import Path

from equipoise.report import summarise
from equipoise.report.provenance import provenance, settings


def test_every_setting_is_listed_and_every_choice_has_its_reason(
    run_folders: dict[str, Path],
) -> None:
    """Nothing that was resolved is left out, and automatic values say why."""
    summary = summarise(run_folders["images"])
    rows = {row["field"]: row for row in settings(summary)}
    assert set(rows) == set(summary["classifier"])
    assert rows["batch_size"]["reason"].startswith("Small batches")
    assert rows["optimizer"]["reason"] == ""


def test_a_choice_outside_the_classifier_is_kept() -> None:
    """A reason is never lost because its field is not a setting."""
    choice = {"field": "precision", "value": "bf16", "reason": "It was faster."}
    assert settings({"classifier": {}, "choices": [choice]}) == [choice]


def test_what_is_needed_to_repeat_the_run_is_told(run_folders: dict[str, Path]) -> None:
    """Fingerprint, seeds, looks at the test set and versions are on the page."""
    facts = dict(provenance(summarise(run_folders["images"])))
    assert len(facts["Fingerprint (SHA-256)"]) == 64
    assert facts["Seed"] == facts["Split seed"] == "0"
    assert facts["Looks at the test set"] == "1"
    assert {"Equipoise", "Python", "Torch", "Device", "Precision"} <= set(facts)
    assert facts["Subsampled to"] == "imbalance ratio 100, profile exp, order label"
