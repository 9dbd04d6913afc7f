"""The run folder: what a run leaves behind, written atomically, opened without running code.

A reader can trust that a file is whole (each is written under a temporary name, synced and
renamed), that nothing in the folder is a pickle, and that ``DONE`` is written last.
"""

import contextlib
import json
import os
import re
import secrets
import tempfile
import tomllib
import zipfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO, TypeVar

import numpy as np
import tomli_w

from equipoise.configuration import configuration_fault
from equipoise.errors import InputError

ResultT = TypeVar("ResultT")

FORMAT = 1
"""Version of the folder's layout; a run of another version is refused."""


READING = (
    *("label", "image", "drop", "decimal", "missing", "dates", "encoding"),
    *("size", "channels", "skip_broken"),
)
"""How data was read, as ``[data.reading]`` keeps it, to read new data in the same way."""


SEARCH = "search"
"""Folder, in that of a run, of the search that led to it; it is there before the run is."""


@contextlib.contextmanager
def replacing(path: Path) -> Iterator[BinaryIO]:
    """Open a file for writing that takes its name only when it is whole.

    Parameters
    ----------
    path : Path
        Where the file shall be. What is there stays untouched until the new file is written
        and synced; if writing fails, the temporary file is removed and the error goes on.

    Examples
    --------
    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     with replacing(Path(folder) / "a.txt") as file:
    ...         _ = file.write(b"whole")
    ...     (Path(folder) / "a.txt").read_text()
    'whole'
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    # Not from `tempfile`, whose files are private: a result is as readable as any other file.
    temporary = path.with_name(f".{path.name}.{secrets.token_hex(8)}")
    try:
        with temporary.open("xb") as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(path)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise


def leftovers(folder: Path) -> list[Path]:
    """Return the files that `replacing` was in the middle of writing when it was killed."""
    return [path for path in folder.glob(".*") if _LEFTOVER.fullmatch(path.name) and path.is_file()]


_LEFTOVER = re.compile(r"\..+\.[0-9a-f]{16}")


def write_text(path: Path, text: str) -> None:
    """Write a text file atomically, in UTF-8."""
    with replacing(path) as file:
        file.write(text.encode())


def write_json(path: Path, value: Any) -> None:
    """Write a JSON file atomically; NaN and infinity are refused."""
    write_text(path, json.dumps(value, indent=1, allow_nan=False) + "\n")


def write_arrays(path: Path, arrays: Mapping[str, np.ndarray]) -> None:
    """Write an ``.npz`` file atomically, the same bytes for the same arrays.

    Raises
    ------
    TypeError
        If an array holds Python objects, which could only be saved as a pickle.
    """
    # Not by `np.savez_compressed`: in NumPy 2.0 it takes `allow_pickle=False` for one more
    # array to save, and no array can be named "file". A ZipInfo of ours has a fixed date.
    with replacing(path) as file, zipfile.ZipFile(file, "w") as archive:
        for name, array in arrays.items():
            if array.dtype.hasobject:
                raise TypeError(f"{name} holds Python objects; only plain arrays are saved")
            entry = zipfile.ZipInfo(f"{name}.npy")
            entry.compress_type = zipfile.ZIP_DEFLATED
            with archive.open(entry, "w", force_zip64=True) as member:
                np.lib.format.write_array(member, array, allow_pickle=False)


@dataclass(frozen=True)
class Run:
    """One run's folder, with a reader and a writer for each file.

    Parameters
    ----------
    path : Path
        The folder.

    Examples
    --------
    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     run = Run.create(Path(folder) / "run", {"data": {"name": "digits"}})
    ...     run.done, run.config["data"]["name"]
    (False, 'digits')
    """

    path: Path

    @classmethod
    def create(cls, path: Path, config: Mapping[str, Any], *, after_search: bool = False) -> "Run":
        """Make a new run folder with its configuration.

        Raises
        ------
        InputError
            If the folder exists and holds more than hidden files, which a writer that was
            killed may have left, and a search, where this run is what comes ``after_search``.
        """
        require_free(path, after_search=after_search)
        run = cls(path)
        run.write_config(config)
        return run

    @classmethod
    def open(cls, path: Path) -> "Run":
        """Open an existing run folder.

        Raises
        ------
        InputError
            If it is no run folder, its configuration cannot be read, or it was written by a
            version with another layout.
        """
        run = cls(Path(path))
        if not (run.path / "config.toml").is_file():
            but, remedy = _instead(run.path)
            raise InputError(
                "A run is a folder that `equipoise fit` has written.",
                f"`{path}` has no config.toml{but}.",
                remedy,
            )
        found = run.config.get("format")
        if found != FORMAT:
            raise InputError(
                f"This version of Equipoise reads runs of format {FORMAT}.",
                f"`{path}` has format {found!r}.",
                "Open it with the version that its config.toml names, or run it again.",
            )
        return run

    @property
    def config(self) -> dict[str, Any]:
        """The configuration, every value resolved."""
        path = self.path / "config.toml"
        return _guarded(path, lambda: tomllib.loads(path.read_text(encoding="utf-8")))

    def write_config(self, config: Mapping[str, Any]) -> None:
        """Write the configuration; the format version is added."""
        write_text(self.path / "config.toml", tomli_w.dumps({"format": FORMAT, **config}))

    @property
    def done(self) -> bool:
        """Whether the run has finished."""
        return (self.path / "DONE").exists()

    def require_done(self) -> None:
        """Raise `InputError` if the run has not finished, or its configuration is not whole."""
        if not self.done:
            raise InputError(
                "This needs a finished run.",
                f"`{self.path}` has not finished.",
                f"Go on with it by `equipoise {self._command} ... --resume`.",
            )
        if fault := configuration_fault(self.config):
            raise InputError(
                "The config.toml of a run must be as `equipoise fit` wrote it.",
                f"In that of `{self.path}`, {fault}.",
                "Restore the file, or fit again.",
            )

    def require_classifier(self) -> None:
        """Raise `InputError` if the run has not finished, or is pre-training."""
        self.require_done()
        if "pretraining" in self.config:
            raise InputError(
                "The run must be that of a classifier.",
                f"`{self.path}` is pre-training, which knows no classes.",
                f"Train from it with `equipoise fit DATA --initial {self.path}`.",
            )

    def finish(self) -> None:
        """Mark the run as finished; to be called after everything else is written."""
        write_text(self.path / "DONE", "")

    @property
    def history(self) -> list[dict[str, Any]]:
        """One row an epoch; empty before the first epoch has ended."""
        path = self.path / "history.jsonl"
        if not path.exists():
            return []
        return _guarded(path, lambda: [json.loads(line) for line in _lines(path)])

    def write_history(self, rows: Sequence[Mapping[str, Any]]) -> None:
        """Write all rows of the history."""
        lines = [json.dumps(row, allow_nan=False) for row in rows]
        write_text(self.path / "history.jsonl", "".join(line + "\n" for line in lines))

    def has(self, name: str) -> bool:
        """Whether the folder holds a file of this name."""
        return (self.path / name).is_file()

    def read_json(self, name: str) -> Any:
        """Read a JSON file of the folder, such as ``metrics.json``."""
        path = self._existing(name)
        return _guarded(path, lambda: json.loads(path.read_text(encoding="utf-8")))

    def write_json(self, name: str, value: Any) -> None:
        """Write a JSON file of the folder."""
        write_json(self.path / name, value)

    def remove(self, name: str) -> None:
        """Remove a file of the folder, if it is there."""
        (self.path / name).unlink(missing_ok=True)

    def read_arrays(self, name: str) -> dict[str, np.ndarray]:
        """Read an ``.npz`` file of the folder, such as ``predictions.npz``; pickles are refused."""
        path = self._existing(name)
        return _guarded(path, lambda: _load_arrays(path))

    def write_arrays(self, name: str, arrays: Mapping[str, np.ndarray]) -> None:
        """Write an ``.npz`` file of the folder."""
        write_arrays(self.path / name, arrays)

    def _existing(self, name: str) -> Path:
        path = self.path / name
        if not path.is_file():
            raise InputError(
                f"This needs the run's {name}.",
                f"`{self.path}` has none{'' if self.done else ': the run has not finished'}.",
                f"Continue the run with `equipoise {self._command} ... --resume`, or fit again.",
            )
        return path

    @property
    def _command(self) -> str:
        """The command that goes on with the run."""
        is_pretraining = self.has("config.toml") and "pretraining" in self.config
        return "tune" if has_search(self.path) else "pretrain" if is_pretraining else "fit"


def has_search(path: Path) -> bool:
    """Whether a folder holds a search, from which its run follows."""
    return (path / SEARCH / "search.json").is_file()


def _instead(path: Path) -> tuple[str, str]:
    """Return what a folder holds instead of a run, and what to do then."""
    if has_search(path):
        return ", but a search", f"Go on with that by `equipoise tune ... --out {path} --resume`."
    below = sorted(found.parent for found in path.glob("runs/*/seed*/config.toml"))
    if below:
        methods = dict.fromkeys(run.parent.name for run in below)
        return (
            f", but the runs of a comparison of {', '.join(methods)}",
            f"Name one of these, {path / 'runs' / 'METHOD' / 'seedN'}, such as `{below[0]}`.",
        )
    return "", "Check the path."


def require_free(path: Path, *, resume: bool = False, after_search: bool = False) -> None:
    """Raise `InputError` if a run could not be started in a folder.

    Parameters
    ----------
    path : Path
        The folder; it may be absent, or hold hidden files.
    resume : bool, default=False
        Whether it may hold a run already.
    after_search : bool, default=False
        Whether it may hold a search, because the run is what follows from that.
    """
    if has_search(path) and not (after_search or Run(path).done):
        raise InputError(
            "A run needs a folder of its own.",
            f"`{path}` holds a search that has not ended.",
            f"Go on with it by `equipoise tune ... --out {path} --resume`, or give another --out.",
        )
    is_run = (path / "config.toml").is_file()
    if resume and is_run:
        return
    if path.exists() and (not path.is_dir() or any(map(_is_visible, path.iterdir()))):
        raise InputError(
            "A new run needs a folder of its own.",
            f"`{path}` already exists.",
            _other_place(is_run=is_run, after_search=after_search),
        )
    require_writable(path)


def require_writable(folder: Path) -> None:
    """Raise `InputError` if nothing can be written below a folder, which need not exist.

    Parameters
    ----------
    folder : Path
        The folder; in the nearest one that exists a file is made and removed again.
    """
    # Unlike `Path.exists`, this is False for what lies below a folder that may not be entered.
    nearest = next(p for p in (folder, *folder.absolute().parents) if os.path.exists(p))  # noqa: PTH110
    refused = refusal(nearest)
    if refused is not None:
        raise InputError(
            "Results need a folder that can be written to.",
            f"`{nearest}` {f'refuses: {refused}' if nearest.is_dir() else 'is a file'}.",
            "Give another --out.",
        )


def refusal(folder: Path) -> str | None:
    """Return why no file can be made in a folder that exists; None: one was made, and removed.

    Examples
    --------
    >>> refusal(Path(tempfile.gettempdir())) is None
    True
    """
    # Tried, not asked for: permissions tell nothing of read-only mounts, and root has them all.
    try:
        with tempfile.TemporaryFile(dir=folder):
            return None
    except OSError as error:
        return error.strerror or str(error)


def _other_place(*, is_run: bool, after_search: bool) -> str:
    if is_run and after_search:
        return "Give another --out: the run in it keeps no search to go on with."
    if is_run:
        return "Give another --out, or --resume to continue the run in it."
    return "Give another --out."


def _is_visible(path: Path) -> bool:
    is_search = path.name == SEARCH and (has_search(path.parent) or _is_unwritten(path))
    return not (is_search or path.name.startswith("."))


def _is_unwritten(search: Path) -> bool:
    """Whether a search was ended before it wrote anything: it takes its lock first."""
    return search.is_dir() and all(p.name == "lock" or p.name[0] == "." for p in search.iterdir())


def _lines(path: Path) -> list[str]:
    # Only a newline ends a row: text may hold other separators that `splitlines` cuts at.
    return [line for line in path.read_text(encoding="utf-8").split("\n") if line.strip()]


def _load_arrays(path: Path) -> dict[str, np.ndarray]:
    # Opened here, for `np.load` leaves a file open that turns out to be damaged.
    with path.open("rb") as file, np.load(file, allow_pickle=False) as archive:
        return dict(archive)


def _guarded(path: Path, read: Callable[[], ResultT]) -> ResultT:
    try:
        return read()
    except Exception as error:  # Damage shows in many ways: zlib.error, BadZipFile, KeyError, ...
        reason = str(error).rstrip(".") or type(error).__name__
        raise InputError(
            f"`{path.name}` of a run must be readable.",
            f"`{path}` is damaged: {reason}.",
            "Fit again into another folder, or restore the file.",
        ) from error
