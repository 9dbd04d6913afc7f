"""Reading, encoding, splitting and imbalancing data; nothing here needs torch.

Names are imported when they are first used, so that ``equipoise.data`` costs nothing.
"""

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from equipoise.data.catalog import catalog_entries as catalog_entries
    from equipoise.data.catalog import load_catalog as load_catalog
    from equipoise.data.dataset import Dataset as Dataset
    from equipoise.data.description import describe as describe
    from equipoise.data.duplicates import duplicates_across as duplicates_across
    from equipoise.data.encoding import TableEncoder as TableEncoder
    from equipoise.data.imbalance import Subsample as Subsample
    from equipoise.data.imbalance import imbalance_ratio as imbalance_ratio
    from equipoise.data.imbalance import load_index as load_index
    from equipoise.data.imbalance import parse_ratio as parse_ratio
    from equipoise.data.imbalance import save_index as save_index
    from equipoise.data.imbalance import subsample as subsample
    from equipoise.data.options import ReadOptions as ReadOptions
    from equipoise.data.rare import merge_rare_classes as merge_rare_classes
    from equipoise.data.sources import load as load
    from equipoise.data.splits import Split as Split
    from equipoise.data.splits import hold_out as hold_out
    from equipoise.data.splits import split as split
    from equipoise.data.tables import from_frame as from_frame
    from equipoise.data.tables import read_table as read_table
    from equipoise.data.unlabelled import load_unlabelled as load_unlabelled

_HOMES = {
    "Dataset": "dataset",
    "ReadOptions": "options",
    "Split": "splits",
    "Subsample": "imbalance",
    "TableEncoder": "encoding",
    "catalog_entries": "catalog",
    "describe": "description",
    "duplicates_across": "duplicates",
    "from_frame": "tables",
    "hold_out": "splits",
    "imbalance_ratio": "imbalance",
    "load": "sources",
    "load_catalog": "catalog",
    "load_index": "imbalance",
    "load_unlabelled": "unlabelled",
    "merge_rare_classes": "rare",
    "parse_ratio": "imbalance",
    "read_table": "tables",
    "save_index": "imbalance",
    "split": "splits",
    "subsample": "imbalance",
}

__all__ = [
    "Dataset",
    "ReadOptions",
    "Split",
    "Subsample",
    "TableEncoder",
    "catalog_entries",
    "describe",
    "duplicates_across",
    "from_frame",
    "hold_out",
    "imbalance_ratio",
    "load",
    "load_catalog",
    "load_index",
    "load_unlabelled",
    "merge_rare_classes",
    "parse_ratio",
    "read_table",
    "save_index",
    "split",
    "subsample",
]


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module 'equipoise.data' has no attribute {name!r}")
    return getattr(importlib.import_module(f"equipoise.data.{_HOMES[name]}"), name)


def __dir__() -> list[str]:
    return sorted(__all__)
