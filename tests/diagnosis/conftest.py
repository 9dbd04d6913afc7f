"""Runs to diagnose, small and real."""

from collections.abc import Callable
from pathlib import Path

import pytest

from equipoise.experiment import Experiment
from equipoise.plan import Plan

Maker = Callable[..., Path]

IMAGES = {"backbone": "ResNet(depth=8, width=4)", "epochs": 2}


def _make(folder: Path, source: str = "digits", ratio: float | None = 10, **params: object) -> Path:
    given = params if source != "digits" else {**IMAGES, **params}
    experiment = Experiment(source=source, ratio=ratio, params={"device": "cpu", **given})
    Plan.make(experiment).run(folder)
    return folder


@pytest.fixture(scope="session")
def make() -> Maker:
    """A function that trains a small network and returns the run's folder."""
    return _make


@pytest.fixture(scope="session")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A finished run on digits, thinned to a ratio of 10."""
    return _make(tmp_path_factory.mktemp("diagnosed") / "one", epochs=12)
