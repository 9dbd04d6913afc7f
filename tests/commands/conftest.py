"""Fixtures of commands."""

from pathlib import Path

import pytest

from small_studies import TWICE, study


@pytest.fixture(scope="session")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A study of two ratios and seeds that was never stopped; not to be changed."""
    out = tmp_path_factory.mktemp("whole") / "s"
    assert study(out, *TWICE) == 0
    return out
