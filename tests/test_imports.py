"""Laws of what is imported when: results and help open fast, without the training libraries."""

import subprocess
import sys
from pathlib import Path

import pytest

import equipoise

SOURCES = Path(equipoise.__file__).parent
TRAINING = {"torch", "torchvision", "timm"}


def _imported(*command: str) -> set[str]:
    """Return the top-level packages that a fresh interpreter imports for a command."""
    done = subprocess.run(
        [sys.executable, "-X", "importtime", *command], capture_output=True, text=True, check=False
    )
    rows = [line for line in done.stderr.splitlines() if line.startswith("import time:")]
    rest = [line for line in done.stderr.splitlines() if not line.startswith("import time:")]
    assert done.returncode == 0, "\n".join(rest)
    return {row.rpartition("|")[2].strip().partition(".")[0] for row in rows}


def _modules_of(name: str) -> list[str]:
    """Return a module and, if it is a package, everything inside it."""
    folder = SOURCES.joinpath(*name.split(".")[1:])
    inside = folder.rglob("*.py") if folder.is_dir() else []
    dotted = [
        ".".join(("equipoise", *p.relative_to(SOURCES).with_suffix("").parts)) for p in inside
    ]
    return sorted({name, *(module.removesuffix(".__init__") for module in dotted)})


def test_the_probe_sees_what_is_imported() -> None:
    """The other laws of this file would hold of a blind probe, too."""
    found = _imported("-c", "import equipoise._tensors")
    assert {"torch", "jaxtyping", "equipoise"} <= found
    assert "timm" not in found


@pytest.mark.parametrize(
    "name", ["equipoise.runs", "equipoise.metrics", "equipoise.report", "equipoise.cli"]
)
def test_results_open_without_the_training_libraries(name: str) -> None:
    """A run can be read, measured and reported where torch is slow to load, or absent."""
    modules = _modules_of(name)
    found = _imported("-c", "import " + ", ".join(modules))
    assert "equipoise" in found
    assert found & TRAINING == set()


def test_help_imports_no_large_library() -> None:
    """Help is there at once: no training library, scikit-learn or pandas is loaded for it."""
    found = _imported("-m", "equipoise", "--help")
    assert "cyclopts" in found
    assert found & (TRAINING | {"sklearn", "pandas", "scipy", "matplotlib"}) == set()


def test_importing_the_package_imports_no_library() -> None:
    """`import equipoise` costs nothing; each public name brings what it needs."""
    found = _imported("-c", "import equipoise")
    assert found & (TRAINING | {"sklearn", "pandas", "numpy", "matplotlib", "cyclopts"}) == set()


def test_training_imports_no_library_that_need_not_be_there() -> None:
    """Nor waits for it: what is not asked for is not loaded."""
    found = _imported("-c", "import equipoise.plan, equipoise.opponents")
    assert "torch" in found
    assert found & {"imblearn", "lightgbm", "xgboost", "pytorch_optimizer", "ray"} == set()


def test_every_public_name_is_where_it_is_said_to_be() -> None:
    """Each name of the package's list can be had, and no other appears by accident."""
    for name in equipoise.__all__:
        assert getattr(equipoise, name) is not None
    assert sorted(equipoise.__all__) == dir(equipoise)
    assert len(set(equipoise.__all__)) == len(equipoise.__all__)
    with pytest.raises(AttributeError, match="no attribute 'Clasifier'"):
        equipoise.Clasifier  # noqa: B018
