"""Classifiers for class-imbalanced images and tables, by tuning the standard parts.

Names are imported when they are first used, so that ``import equipoise`` is fast.
"""

import importlib
from importlib.metadata import version
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from equipoise.classifier import Classifier as Classifier
    from equipoise.data.dataset import Dataset as Dataset
    from equipoise.data.options import ReadOptions as ReadOptions
    from equipoise.data.sources import load as load
    from equipoise.errors import InputError as InputError
    from equipoise.errors import TrainingError as TrainingError
    from equipoise.loading import load_run as load_run
    from equipoise.metrics import evaluate as evaluate
    from equipoise.report import write_report as write_report
    from equipoise.tuning.estimator import TunedClassifier as TunedClassifier

__version__ = version("equipoise")

_HOMES = {
    "Classifier": "equipoise.classifier",
    "Dataset": "equipoise.data.dataset",
    "InputError": "equipoise.errors",
    "ReadOptions": "equipoise.data.options",
    "TrainingError": "equipoise.errors",
    "TunedClassifier": "equipoise.tuning.estimator",
    "evaluate": "equipoise.metrics",
    "load": "equipoise.data.sources",
    "load_run": "equipoise.loading",
    "write_report": "equipoise.report",
}

__all__ = [
    "Classifier",
    "Dataset",
    "InputError",
    "ReadOptions",
    "TrainingError",
    "TunedClassifier",
    "__version__",
    "evaluate",
    "load",
    "load_run",
    "write_report",
]


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module 'equipoise' has no attribute {name!r}")
    return getattr(importlib.import_module(_HOMES[name]), name)


def __dir__() -> list[str]:
    return sorted(__all__)
