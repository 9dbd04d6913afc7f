"""What tests of comparisons share."""

from pathlib import Path
from types import ModuleType

import pytest


@pytest.fixture
def table(tmp_path: Path) -> str:
    """A small table."""
    rows = [f"{i % 7},{(i * i) % 11},{'rare' if i % 6 == 0 else 'usual'}" for i in range(120)]
    (tmp_path / "t.csv").write_text("\n".join(["a,b,outcome", *rows]))
    return str(tmp_path / "t.csv")


@pytest.fixture
def folder(tmp_path: Path, written: ModuleType) -> Path:
    """Two seeds of three methods, the third of which is much better."""
    written.tell(tmp_path, "plain", "focal", "good")
    for seed in (0, 1):
        for method, skill in (("plain", 1.0), ("focal", 1.0), ("good", 6.0)):
            written.write(tmp_path, method, seed, skill)
    return tmp_path
