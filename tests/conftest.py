"""Fixtures shared by all tests."""

import importlib
import os
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

import pytest

# Before torch is loaded: tests run in two processes, and each would take all cores for itself.
os.environ.setdefault("OMP_NUM_THREADS", "1")


def _assets_folder() -> Path:
    default = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "imbalance-assets"
    return Path(os.environ.get("EQUIPOISE_ASSETS") or default)


@pytest.fixture(scope="session")
def assets() -> Path:
    """Folder of the real data sets; see benchmarks/assets/README.md."""
    folder = _assets_folder()
    if not folder.is_dir():
        pytest.skip(f"real data absent: {folder} (make it with `python benchmarks/assets`)")
    return folder


@pytest.fixture(autouse=True)
def _own_cache(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> None:
    """No test reads or writes the user's cache."""
    monkeypatch.setenv("EQUIPOISE_CACHE", str(tmp_path_factory.getbasetemp() / "equipoise-cache"))


@pytest.fixture(scope="session")
def written() -> Iterator[ModuleType]:
    """The module `comparisons_written` beside this one."""
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(str(Path(__file__).parent))
        yield importlib.import_module("comparisons_written")
