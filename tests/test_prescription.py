"""Laws of the prescription: every setting is explained, and the page about it is the code's.

    python tests/test_prescription.py

writes the tables of docs/prescription.md anew.
"""

import re
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any
from unittest.mock import patch

import numpy as np
import pytest

from equipoise import Classifier, defaults, pace
from equipoise.citations import PAPERS
from equipoise.data.options import ReadOptions
from equipoise.defaults import Choice, DataFacts
from equipoise.experiment import Experiment
from equipoise.plan import Plan
from equipoise.prescription import STANDING, STARTED, Setting, prescribe
from equipoise.recipes import RECIPES
from equipoise.settings import as_text, resolve_settings

DOCS = Path(__file__).parents[1] / "docs"
PAGE = DOCS / "prescription.md"

COLOUR = DataFacts(kind="images", n_train=12_000, pixels=32 * 32, channels=3, device="cpu")
GREY = replace(COLOUR, pixels=28 * 28, channels=1)
TABLE = DataFacts(kind="table", n_train=1_000, pixels=0, channels=0, device="cpu")

CASES: dict[str, list[tuple[str, str, DataFacts, dict[str, Any]]]] = {
    "images": [
        ("backbone", "up to 64 x 64 pixels", COLOUR, {}),
        ("backbone", "more pixels", replace(COLOUR, pixels=224 * 224), {}),
        ("norm", "more than 8 images computed together", COLOUR, {}),
        ("norm", "8 or fewer, random weights", COLOUR, {"batch_size": 8}),
        (
            "norm",
            "8 or fewer, trained weights",
            replace(COLOUR, pretrained=True),
            {"batch_size": 8},
        ),
        ("augmentation", "colour, 32 x 32 pixels", COLOUR, {}),
        ("augmentation", "grey, 28 x 28 pixels", GREY, {}),
        ("scaling", "any", COLOUR, {}),
        ("optimizer", "batches of the automatic size or larger", COLOUR, {}),
        ("optimizer", "batches of 16 instead of 64", COLOUR, {"batch_size": 16}),
        ("optimizer", "group norm", COLOUR, {"norm": "group"}),
        ("average", "any", COLOUR, {}),
        ("average", "fine-tuning of low rank", COLOUR, {"finetuning": "LowRank()"}),
        ("batch_size", "500 training images", replace(COLOUR, n_train=500), {}),
        ("batch_size", "1,000", replace(COLOUR, n_train=1_000), {}),
        ("batch_size", "12,000", COLOUR, {}),
        ("epochs", "12,000 grey images", GREY, {}),
        ("epochs", "12,000 colour images", COLOUR, {}),
        ("epochs", "1,000 colour images", replace(COLOUR, n_train=1_000), {}),
        ("epochs", "60,000 colour images", replace(COLOUR, n_train=60_000), {}),
        ("precision", "a device with instructions for bfloat16", COLOUR, {}),
        ("precision", "another device", replace(COLOUR, device="mps"), {}),
    ],
    "table": [
        ("backbone", "any", TABLE, {}),
        ("norm", "any", TABLE, {}),
        ("augmentation", "any", TABLE, {}),
        ("scaling", "any", TABLE, {}),
        ("optimizer", "batches of the automatic size or larger", TABLE, {}),
        ("optimizer", "batches of 16 instead of 32", TABLE, {"batch_size": 16}),
        ("average", "any", TABLE, {}),
        ("batch_size", "1,000 training rows", TABLE, {}),
        ("batch_size", "50,000", replace(TABLE, n_train=50_000), {}),
        ("epochs", "1,000 training rows", TABLE, {}),
        ("epochs", "50,000", replace(TABLE, n_train=50_000), {}),
        ("precision", "any", TABLE, {}),
    ],
}
"""Setting, words for the data, facts, and what is given besides."""

BUDGETS = [(9, 1, 30), (100, 10, 30), (400, 10, 30), (999, 10, 30)]
"""Seconds that are left, seconds of an epoch, and automatic epochs."""


def _chosen(field: str, facts: DataFacts, given: Mapping[str, Any]) -> Choice:
    params = {**Classifier().get_params(deep=False), **given}
    with patch.object(defaults, "fast_bf16", lambda device: device == "cpu"):
        found = {choice.field: choice for choice in resolve_settings(params, facts)[1]}
    return found[field]


def _linked(source: str) -> str:
    """Return a source with links: entries of the log by their heading, papers by address."""
    return "; ".join(map(_link, source.split("; ")))


def _link(part: str) -> str:
    if part.startswith("docs/log.md: "):
        told, note = re.fullmatch(r"docs/log\.md: (.*?)( \(.*\))?", part).groups()
        heading = next(
            line[3:]
            for line in (DOCS / "log.md").read_text("utf-8").splitlines()
            if line.startswith("## ") and line.endswith(f": {told}")
        )
        anchor = re.sub(r"[^\w -]", "", heading.lower()).replace(" ", "-")
        return f"[log: {told}](log.md#{anchor}){note or ''}"
    if part.startswith("benchmarks/"):
        return f"`{part}`"
    name = re.sub(r" \(.*\)$", "", part)
    address = PAPERS.get(name, "").rpartition(", ")[2]
    return f"[{name}]({address}){part[len(name) :]}" if address.startswith("https") else part


def _rows(heads: list[str], rows: list[list[str]]) -> str:
    lines = [heads, ["---"] * len(heads), *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def _code(value: object) -> str:
    text = str(as_text(value))
    return "None" if text == "None" else f"`{text}`"


def _cases(kind: str) -> str:
    rows = []
    for field, words, facts, given in CASES[kind]:
        choice = _chosen(field, facts, given)
        told = [choice.reason, _linked(choice.source)]
        rows.append([f"`{field}`", words, _code(choice.value), *told])
    return _rows(["setting", "data", "value", "reason", "source"], rows)


def _standing() -> str:
    values = {choice.field: choice.value for choice in prescribe(COLOUR)}
    values["device"] = "auto"
    rows = [
        [f"`{name}`{case}", _code(values[name]), reason, _linked(source)]
        for case, told in (("", STANDING), (", from trained weights", STARTED))
        for name, (reason, source) in told.items()
    ]
    return _rows(["setting", "value", "reason", "source"], rows)


def _budgets() -> str:
    rows = []
    for kind, n in (("images", len(BUDGETS)), ("table", 1)):
        for left, epoch, automatic in BUDGETS[-n:]:
            choice = pace.choose_epochs(left, epoch if left > 9 else 99, automatic, kind)
            told = [f"`{choice.value}`", choice.reason, _linked(choice.source)]
            rows.append([kind, f"{left} s", f"{automatic}", *told])
    return _rows(["data", "left", "automatic", "epochs", "reason", "source"], rows)


def _narrower() -> str:
    chains = [(first, *rest) for first, rest in pace.NARROWER.items()]
    return "\n".join(f"- {', then '.join(f'`{text}`' for text in chain)}" for chain in chains)


def _recipes() -> str:
    rows = []
    for recipe in (each for each in RECIPES.values() if each.base is None):
        set_ = {"images": recipe.on("images"), "tables": recipe.on("table")}
        settings = _settings(set_) or "everything automatic"
        told = [recipe.summary, settings, _linked(recipe.source)]
        rows.append([recipe.name, *told, recipe.published or ""])
    return _rows(["recipe", "what it is", "settings", "source", "published"], rows)


def _settings(by_kind: Mapping[str, Mapping[str, Any]]) -> str:
    """Return parameters of each kind of data; those of no name hold for all."""
    told = {
        kind: ", ".join(f"`{name}` {_code(value)}" for name, value in params.items())
        for kind, params in by_kind.items()
    }
    return "; ".join(f"{kind}: {text}" if kind else text for kind, text in told.items() if text)


def _methods() -> str:
    """Recipes that go over another, in the order of `equipoise recipes`."""
    rows = []
    for recipe in (each for each in RECIPES.values() if each.base is not None):
        set_ = _settings({"": recipe.params, "images": recipe.images, "tables": recipe.table})
        only = "" if len(recipe.kinds) > 1 else f" ({recipe.kinds[0]} only)"
        within = ", ".join(f"`{name}`" for name in recipe.within)
        told = [recipe.summary + only, recipe.base, set_, within, _linked(recipe.source)]
        rows.append([recipe.name, *told, recipe.published or ""])
    heads = ["method", "what it is", "over", "settings", "searched", "source", "published"]
    return _rows(heads, rows)


def _papers() -> str:
    return "\n".join(f"- {name}: {full}" for name, full in PAPERS.items())


def rewritten(page: str) -> str:
    """Return the page with its tables as the code has them."""
    made = {
        "images": _cases("images"),
        "table": _cases("table"),
        "standing": _standing(),
        "budget": _budgets(),
        "narrower": _narrower(),
        "recipes": _recipes(),
        "methods": _methods(),
        "papers": _papers(),
    }
    for name, text in made.items():
        found = re.search(rf"<!-- {name} -->.*?<!-- end -->", page, re.DOTALL)
        assert found is not None, name
        table = f"<!-- {name} -->\n\n{text}\n\n<!-- end -->"
        page = page[: found.start()] + table + page[found.end() :]
    return page


def test_the_page_says_what_the_code_does() -> None:
    """Each table of docs/prescription.md is the one that the code makes (see the top of here)."""
    page = PAGE.read_text("utf-8")
    assert page == rewritten(page)
    assert f"{100 * pace.BUDGET_SHARE:.0f} % of what is left" in page
    assert f"fewer than {pace.USEFUL_EPOCHS} epochs fit" in page
    assert pace.LONGER == {"images": 4, "table": 1}
    assert "longer training pays up to four times the automatic epochs" in page


def test_the_page_has_every_automatic_setting() -> None:
    """What the code chooses by the data stands in the table of that kind of data."""
    params = Classifier().get_params(deep=False)
    for kind, facts in (("images", COLOUR), ("table", TABLE)):
        chosen = {choice.field for choice in resolve_settings(params, facts)[1]}
        assert {case[0] for case in CASES[kind]} == chosen


def test_every_setting_has_a_reason_and_a_source() -> None:
    """The prescription has one row for each parameter but the seed, none of them empty."""
    names = [name for name in Classifier().get_params(deep=False) if name != "random_state"]
    for facts in (COLOUR, GREY, TABLE):
        found = prescribe(facts)
        assert sorted(choice.field for choice in found) == sorted(names)
        assert all(choice.reason and choice.source for choice in found)
        assert not any(choice.value == "auto" for choice in found)


def test_what_is_automatic_has_no_standing_reason() -> None:
    """A parameter is decided by the data or by the defaults, never by both."""
    params = Classifier().get_params(deep=False)
    automatic = {name for name, value in params.items() if value == "auto"} - {"device"}
    assert STANDING.keys() == params.keys() - automatic - {"random_state"}


def _explained(tmp_path: Path, **changes: Any) -> dict[str, Setting]:
    random = np.random.default_rng(0)
    lines = [f"{x:.3f},{'ab'[i % 3 == 0]}" for i, x in enumerate(random.normal(size=60))]
    (tmp_path / "t.csv").write_text("x,target\n" + "\n".join(lines) + "\n")
    options = {"source": str(tmp_path / "t.csv"), "options": ReadOptions(), **changes}
    return {setting.field: setting for setting in Plan.make(Experiment(**options)).settings}


def test_an_explanation_says_who_decided(tmp_path: Path) -> None:
    """The user comes before the recipe, the recipe before the data, the data before defaults."""
    found = _explained(
        tmp_path,
        recipe="naive",
        params={
            "epochs": 3,
            "batch_size": "auto",
            "smoothing": None,
            "prior": {"a": 0.5, "b": 0.5},
        },
    )
    origins = {name: setting.origin for name, setting in found.items()}
    assert origins["epochs"] == origins["smoothing"] == origins["prior"] == "given"
    assert origins["scaling"] == origins["average"] == origins["backbone"] == "recipe"
    assert origins["batch_size"] == origins["precision"] == origins["norm"] == "automatic"
    assert origins["mixing"] == origins["device"] == "standing"
    assert found["batch_size"].value == 16
    assert found["scaling"].value == "standard"
    assert found["scaling"].source == RECIPES["naive"].source
    assert (found["epochs"].value, found["epochs"].source) == (3, "")


def test_an_explanation_of_defaults_is_the_prescription(tmp_path: Path) -> None:
    """With nothing given, reasons and sources are those of the pure function of the facts."""
    found = _explained(tmp_path)
    facts = replace(TABLE, n_train=43, device=found["device"].value)
    for choice in prescribe(facts):
        told = found[choice.field]
        assert (told.reason, told.source) == (choice.reason, choice.source)
        assert str(told.value) == str(as_text(choice.value))
    assert {setting.origin for setting in found.values()} == {"automatic", "standing"}


def test_what_a_start_brings_is_said_to_come_from_it(tmp_path: Path) -> None:
    """Backbone and scaling of the run to start from are no choice of the data."""
    made = _explained(tmp_path)
    assert made["scaling"].origin == "automatic"
    first = Experiment(source=str(tmp_path / "t.csv"), params={"epochs": 1, "device": "cpu"})
    run = Plan.make(first).run(tmp_path / "run")
    found = _explained(tmp_path, params={"initial": str(run.path)})
    assert found["backbone"].origin == found["scaling"].origin == "start"
    assert found["initial"].origin == "given"
    assert made["finetuning"].reason == STANDING["finetuning"][0]
    assert found["finetuning"].origin == "standing"
    assert (found["finetuning"].reason, found["finetuning"].source) == STARTED["finetuning"]
    started = {choice.field: choice for choice in prescribe(replace(TABLE, pretrained=True))}
    assert started["finetuning"].reason == STARTED["finetuning"][0]


@pytest.mark.parametrize("facts", [COLOUR, TABLE], ids=["images", "table"])
def test_facts_about_classes_change_no_value(facts: DataFacts) -> None:
    """Number, ratio and smallest class are known and told, and as yet decide nothing."""
    known = replace(facts, n_classes=10, ratio=100.0, smallest=5)
    assert prescribe(known) == prescribe(facts)


if __name__ == "__main__":
    PAGE.write_text(rewritten(PAGE.read_text("utf-8")), "utf-8")
