"""Laws of sources: each one that a decision names exists."""

import re
from collections.abc import Iterator
from dataclasses import replace
from itertools import product
from pathlib import Path

import pytest

from equipoise import Classifier, citations, pace
from equipoise.citations import PAPERS
from equipoise.defaults import DataFacts, automatic_choices, choose_norm
from equipoise.opponents import OPPONENTS
from equipoise.prescription import STANDING, STARTED, prescribe
from equipoise.recipes import RECIPES
from equipoise.standard.backbones import ResNet, Timm
from equipoise.standard.batch_size import BatchSize

PROJECT = Path(__file__).parents[1]
LOG = (PROJECT / "docs" / "log.md").read_text("utf-8")
HEADINGS = {
    line.partition(": ")[2] for line in LOG.splitlines() if re.match(r"## \d{4}-\d\d-\d\d: ", line)
}
IMAGES = DataFacts(kind="images", n_train=10_000, pixels=1024, channels=3, device="cpu")
TABLE = DataFacts(kind="table", n_train=10_000, pixels=0, channels=0, device="cpu")


def _fault(part: str) -> str | None:
    """Return what is wrong with one source, or None."""
    kind, _, rest = part.partition(": ")
    if kind in ("convention", "by construction", "measured"):
        return None if rest else f"{part!r} says nothing"
    if kind == "docs/log.md":
        heading = re.sub(r" \(.*\)$", "", rest)
        return None if heading in HEADINGS else f"the log has no entry {heading!r}"
    if part.startswith("benchmarks/results/"):
        return None if (PROJECT / part).is_file() else f"there is no {part}"
    name = re.sub(r" \([\w -]+\)$", "", part)
    return None if name in PAPERS else f"there is no paper {name!r}"


def _automatic() -> Iterator[str]:
    facts = [IMAGES, replace(IMAGES, channels=1), replace(IMAGES, pixels=200**2), TABLE]
    given = product(
        ("auto", 4, 16, "BatchSize(size=16, rule='linear')"), ("auto", "group"), (None, "LowRank()")
    )
    for (size, norm, tuning), each in product(given, facts):
        own = {"batch_size": size, "norm": norm, "finetuning": tuning}
        params = {**Classifier().get_params(deep=False), **own}
        yield from (choice.source for choice in automatic_choices(params, each))
    for backbone, size, pretrained in product(
        (ResNet(), Timm(name="vit_tiny_patch16_224", size=32)), (4, 64), (False, True)
    ):
        known = replace(IMAGES, pretrained=pretrained)
        yield choose_norm(backbone, BatchSize(size=size), 1, known).source


def _all() -> Iterator[str]:
    yield from _automatic()
    yield from (choice.source for facts in (IMAGES, TABLE) for choice in prescribe(facts))
    yield from (source for _, source in (*STANDING.values(), *STARTED.values()))
    yield from (recipe.source for recipe in RECIPES.values())
    yield from (opponent.source for opponent in OPPONENTS.values())
    for kind, left in product(("images", "table"), (-1.0, 5.0, 150.0, 1e6)):
        yield pace.choose_epochs(left, 10.0, 10, kind).source


def test_every_source_exists() -> None:
    """Papers are listed, entries are in the log, files are in the repository."""
    faults = {fault for source in _all() for part in source.split("; ") if (fault := _fault(part))}
    assert not faults, "\n".join(sorted(faults))


def test_every_constant_names_what_exists() -> None:
    """Entries and files that the module names are there, used or not."""
    named = [v for k, v in vars(citations).items() if k.isupper() and isinstance(v, str)]
    assert len(named) > 5
    assert [fault for part in named if (fault := _fault(part))] == []


def test_every_paper_is_used() -> None:
    """A paper that no decision rests on is not listed."""
    told = "; ".join(_all())
    assert [name for name in PAPERS if name not in told] == []


@pytest.mark.parametrize(
    "part",
    [
        "docs/log.md: weight decay of dreams",
        "benchmarks/results/ablation/none.jsonl",
        "Nobody et al. 2020",
        "Goyal et al. 2018",
        "convention",
        "convention: ",
        "",
    ],
)
def test_the_search_for_missing_sources_finds_them(part: str) -> None:
    """The laws above would hold of a blind search, too."""
    assert _fault(part) is not None


def test_every_paper_has_a_year_and_a_place() -> None:
    """The short name's year is in the full reference, and there is an address or a journal."""
    for name, full in PAPERS.items():
        year = name[-4:]
        assert year in full
        assert "https://arxiv.org/abs/" in full or re.search(r" \d+, \d{4}$", full)
