"""What the tests of the search share: small searches, which other processes can make too."""

import importlib
import os
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

import pytest

from equipoise.pace import measure_pace


@pytest.fixture(scope="session")
def searches() -> Iterator[ModuleType]:
    """The module `searches` beside this one."""
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(str(Path(__file__).parent))
        patch.setenv("PYTHONPATH", str(Path(__file__).parent), prepend=os.pathsep)
        yield importlib.import_module("searches")


@pytest.fixture(scope="session")
def errands() -> Iterator[ModuleType]:
    """The module `errands` in the folder above."""
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(str(Path(__file__).parent.parent))
        yield importlib.import_module("errands")


@pytest.fixture(scope="module", autouse=True)
def _short_measurements() -> Iterator[None]:
    """Paces matter little here: trials are so short that all their epochs fit."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("equipoise.tuning.trial.MEASURED_SECONDS", 0.02)
        patch.setattr(
            "equipoise.tuning.layout.measure_pace", lambda fit, _: measure_pace(fit, 0.02)
        )
        yield
