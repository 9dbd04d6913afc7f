"""How a run was made."""

import unicodedata
from pathlib import Path

import pytest

from equipoise.report import render, summarise
from equipoise.report.provenance import network, pretraining, provenance, settings


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
    choice = {"field": "precision", "value": "bf16", "reason": "It was faster.", "source": "here"}
    assert settings({"classifier": {}, "choices": [choice]}) == [choice]


def test_a_choice_of_an_older_run_has_no_source(run_folders: dict[str, Path]) -> None:
    """Runs that kept reasons alone are shown as before."""
    summary = summarise(run_folders["images"])
    assert not any("source" in choice for choice in summary["choices"])
    rows = settings(summary)
    assert {row["source"] for row in rows} == {""}
    assert 'class="note">[' not in render([summary])
    sourced = [{**choice, "source": "Nobody <2020>"} for choice in summary["choices"]]
    assert "[Nobody &lt;2020&gt;]" in render([summary | {"choices": sourced}])


def test_the_recipe_of_a_run_is_told(run_folders: dict[str, Path]) -> None:
    """It stands with what is needed to repeat the run; older runs name none."""
    summary = summarise(run_folders["images"])
    assert "Recipe" not in dict(provenance(summary))
    assert dict(provenance(summary | {"recipe": "naive"}))["Recipe"] == "naive"


def test_what_is_needed_to_repeat_the_run_is_told(run_folders: dict[str, Path]) -> None:
    """Fingerprint, seeds, looks at the test set and versions are on the page."""
    facts = dict(provenance(summarise(run_folders["images"])))
    assert len(facts["Fingerprint (SHA-256)"]) == 64
    assert facts["Seed"] == facts["Split seed"] == "0"
    assert facts["Looks at the test set"] == "1"
    assert {"Equipoise", "Python", "Torch", "Device", "Precision"} <= set(facts)
    assert facts["Subsampled to"] == "imbalance ratio 100, profile exp, order label"


def told(summary: dict, **changes) -> dict[str, str]:
    facts = provenance(summary | {"network": summary["network"] | changes})
    return {name: unicodedata.normalize("NFKC", text) for name, text in facts}


def test_the_size_of_the_network_is_told(run_folders: dict[str, Path]) -> None:
    """Parameters, those that were trained, and multiply-adds stand with the other facts."""
    summary = summarise(run_folders["images"])
    assert told(summary)["Parameters"] == "464 154, all trained"
    assert told(summary, trainable=650)["Parameters"] == "464 154, 650 of them trained"
    assert told(summary)["Multiply-adds"] == "68.9 million for one example"


def test_an_older_run_tells_what_it_kept(run_folders: dict[str, Path]) -> None:
    """A configuration without the newer keys leaves their facts out."""
    summary = summarise(run_folders["images"])
    for kept in ({}, {"network": {}}, {"network": {"parameters": 9}}):
        facts = dict(provenance(summary | {"network": network(kept)}))
        assert facts.get("Parameters") == ("9" if kept.get("network") else None)
        assert not {"Multiply-adds", "Class probabilities in the logits"} & set(facts)


def test_probabilities_other_than_those_of_training_are_told(run_folders: dict[str, Path]) -> None:
    """Smoothing moves what the logits contain; its largest and smallest class are named."""
    summary = summarise(run_folders["scarce"])
    name = "Class probabilities in the logits"
    assert told(summary)[name] == "those of the training examples"
    moved = told(summary, prior=[0.25, 0.7, 0.05])[name]
    assert moved.startswith("from 70.0 % (“usual”) to 5.0 % (“rare”)")


def test_further_examples_of_pretraining_are_told(run_folders: dict[str, Path]) -> None:
    """How many, and from where; a run that trains a classifier has none."""
    summary = summarise(run_folders["pretraining"])
    assert told(summary)["Further examples"] == "1 200 without labels"
    more = summary["pretraining"] | {"source": "more"}
    assert told(summary | {"pretraining": more})["Further examples"].endswith(", from more")
    assert "Further examples" not in told(summarise(run_folders["images"]))
    assert "Class probabilities in the logits" not in told(summary)


def test_only_a_pretraining_table_makes_pretraining() -> None:
    """An auxiliary loss during training is no pre-training."""
    classifier = {"auxiliary": "VICReg()"}
    assert pretraining({"classifier": classifier}) is None
    found = pretraining({"classifier": classifier, "pretraining": {}})
    assert found == {"objective": "VICReg()", "unlabelled": 0, "source": None}


@pytest.mark.parametrize("prior", [[0.5], "even", [None, None], 3])
def test_a_prior_that_is_none_is_refused(prior: object) -> None:
    """A damaged value is found while reading, not while the page is drawn."""
    with pytest.raises((TypeError, ValueError)):
        network({"network": {"prior": prior}, "data": {"classes": ["a", "b"]}})
