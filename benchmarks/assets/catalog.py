"""The assets as objects; `catalog.toml` holds their data."""

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path

from outputs import Converted
from registries import Package


@dataclass(frozen=True, kw_only=True)
class Asset:
    """One asset: where it comes from, and what must come out.

    Parameters
    ----------
    package : Package
        What is fetched.
    members : mapping of str to str
        File in the package, in reading order, and its sha256.
    converter : str
        ``"module:function"`` that turns the content of the members into outputs. Its module is
        imported when the asset is made, so that the other assets do not need its libraries.
    requirements : mapping of str to str
        Module that the converter imports, and what pip is asked for to get it.
    outputs : tuple of str
        Files that are written, below the output folder.
    content_sha256 : str
        Digest of what is in these files.
    """

    package: Package
    members: Mapping[str, str]
    converter: str
    requirements: Mapping[str, str]
    outputs: tuple[str, ...]
    content_sha256: str

    def convert(self, data: Mapping[str, bytes]) -> Converted:
        """Return what the members of the package become."""
        module, function = self.converter.split(":")
        return getattr(import_module(module), function)(data)


def _read() -> dict[str, Asset]:
    entries = tomllib.loads(Path(__file__).with_name("catalog.toml").read_text("utf-8"))
    return {
        name: Asset(
            package=Package(**entry["package"]),
            members=entry["members"],
            converter=entry["converter"],
            requirements=entry["requirements"],
            outputs=tuple(entry["outputs"]),
            content_sha256=entry["content_sha256"],
        )
        for name, entry in entries.items()
    }


ASSETS = _read()
