"""Making assets: what is there and unchanged stays, anything else is fetched and converted."""

import contextlib
import json
import sys
import tempfile
import time
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from catalog import ASSETS, Asset
from integrity import AssetError, bytes_sha256, content_sha256, expect, expect_sha256, file_sha256
from outputs import write_atomically
from registries import Package, fetch, read_members, require

Manifest = dict[str, Any]  # what `NAME.manifest.json` holds


def prepare(names: Sequence[str], out: Path) -> int:
    """Make assets one by one; say what became of each and return the number of failures."""
    failures = 0
    archives: dict[Package, Path] = {}
    with contextlib.ExitStack() as fetched:  # removes the archives at the end
        for name in names:
            try:
                print(f"{name}: {_ensure(name, out, archives, fetched)}", flush=True)
            except Exception as error:  # one asset must not stop the others
                failures += 1
                kind = "" if isinstance(error, AssetError) else f"{type(error).__name__}: "
                print(f"{name}: FAILED: {kind}{error}", file=sys.stderr, flush=True)
    return failures


def _ensure(
    name: str, out: Path, archives: dict[Package, Path], fetched: contextlib.ExitStack
) -> str:
    start, asset = time.monotonic(), ASSETS[name]
    manifest = up_to_date(name, out)
    if manifest is not None:
        return f"unchanged: {_describe(manifest)}"
    if asset.package not in archives:
        out.mkdir(parents=True, exist_ok=True)
        folder = tempfile.TemporaryDirectory(prefix=".fetch-", dir=out)
        archives[asset.package] = fetch(asset.package, Path(fetched.enter_context(folder)))
    require(asset.requirements)
    manifest = _make(name, asset, out, archives[asset.package])
    return f"made in {time.monotonic() - start:.1f} s: {_describe(manifest)}"


def up_to_date(name: str, out: Path) -> Manifest | None:
    """Return the manifest of an asset whose files are all there and unchanged, else None."""
    asset = ASSETS[name]
    try:
        manifest = json.loads(_manifest_path(name, out).read_text("utf-8"))
        same = (
            manifest["content_sha256"] == asset.content_sha256
            and set(manifest["files"]) == set(asset.outputs)
            and all(
                (out / file).stat().st_size == known["bytes"]
                and file_sha256(out / file) == known["sha256"]
                for file, known in manifest["files"].items()
            )
        )
    except (OSError, ValueError, LookupError, TypeError, AttributeError):
        return None  # absent, or not a manifest
    return manifest if same else None


def _make(name: str, asset: Asset, out: Path, archive: Path) -> Manifest:
    converted = asset.convert(read_members(archive, asset.members))
    content = content_sha256(converted.parts)
    expect_sha256("the converted content", content, asset.content_sha256)
    expect(set(converted.files) == set(asset.outputs), "unexpected output files.")
    manifest = {
        "asset": name,
        "package": str(asset.package),
        "archive": {"file": archive.name, "sha256": file_sha256(archive)},
        "content_sha256": content,
        "files": {
            file: {"bytes": len(payload), "sha256": bytes_sha256(payload)}
            for file, payload in converted.files.items()
        },
        "counts": converted.counts,
        "note": converted.note,
    }
    for file, payload in converted.files.items():
        write_atomically(out / file, payload)
    text = json.dumps(manifest, indent=2) + "\n"
    write_atomically(_manifest_path(name, out), text.encode())  # last: it vouches for the others
    return manifest


def _manifest_path(name: str, out: Path) -> Path:
    return out / f"{name}.manifest.json"


def main_output(files: Iterable[str]) -> str:
    """Return the file at the top of the output folder, or the subfolder that holds all."""
    listed = list(files)
    return next((file for file in listed if "/" not in file), f"{Path(listed[0]).parent}/")


def _describe(manifest: Manifest) -> str:
    """Return the files, and the number of rows of each class, on one line."""
    size = sum(file["bytes"] for file in manifest["files"].values()) / 1e6
    main = main_output(manifest["files"])
    others = sum(file != main for file in manifest["files"])
    text = main + (f" + {others} files" if others else "") + f", {size:.1f} MB"
    if len(manifest["counts"]) > 2:  # many tables: only their totals
        rows = sum(sum(counts.values()) for counts in manifest["counts"].values())
        return f"{text}; {len(manifest['counts'])} tables, {rows} rows"
    for part, counts in manifest["counts"].items():
        each = ", ".join(f"{label} {n}" for label, n in counts.items())
        text += f"; {sum(counts.values())} {part}: {each}"
    return text + (f"; {manifest['note']}" if manifest["note"] else "")
