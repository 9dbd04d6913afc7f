"""Fetching files: checked before they take their name, and nothing unexpected is unpacked."""

import hashlib
import http.client
import shutil
import tarfile
import urllib.error
import urllib.request
import zlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from equipoise._typing import ProgressCallback
from equipoise.errors import InputError
from equipoise.runs import replacing

_CHUNK = 2**18
_TIMEOUT = 30  # seconds without a byte


@dataclass(frozen=True, kw_only=True)
class Remote:
    """A file on the home page of a data set.

    Parameters
    ----------
    url : str
        Where it is.
    md5 : str
        What its publisher says of its content, in hexadecimal.
    """

    url: str
    md5: str

    @property
    def name(self) -> str:
        """The last part of the address."""
        return self.url.rpartition("/")[2]


def fetch(remote: Remote, folder: Path, progress: ProgressCallback | None = None) -> Path:
    """Copy a file into a folder, where it appears only when it is complete and right.

    Parameters
    ----------
    remote : Remote
        The file.
    folder : Path
        Where to put it; it is made if need be.
    progress : callable or None, default=None
        Called with (done, total) in bytes.

    Returns
    -------
    Path
        The file.

    Raises
    ------
    InputError
        If the server cannot be reached or what it sends is not the file.
    """
    path = folder / remote.name
    digest = hashlib.md5(usedforsecurity=False)
    with replacing(path) as file:
        for chunk in _received(remote, progress):
            digest.update(chunk)
            file.write(chunk)
        if digest.hexdigest() != remote.md5:
            raise InputError(
                f"What {remote.url} sends must have the MD5 sum {remote.md5}.",
                f"It has {digest.hexdigest()} in {file.tell():,} bytes, and was thrown away.",
                "Try again later, or get the file elsewhere and put it into the data folder.",
            )
    return path


def _received(remote: Remote, progress: ProgressCallback | None) -> Iterator[bytes]:
    request = urllib.request.Request(remote.url, headers={"User-Agent": "equipoise"})
    try:
        with urllib.request.urlopen(request, timeout=_TIMEOUT) as response:
            total, done = int(response.headers.get("Content-Length") or 0), 0
            while chunk := response.read(_CHUNK):
                yield chunk
                done += len(chunk)
                if progress is not None:
                    progress(done, max(total, done))
    except (urllib.error.URLError, http.client.HTTPException, TimeoutError, ConnectionError) as e:
        if isinstance(e, urllib.error.HTTPError):
            e.close()  # it holds the connection
        raise InputError(
            f"To fetch {remote.name}, {remote.url} must be reachable.",
            f"It is not: {e}.",
            "Check the connection, or get the file elsewhere and put it into the data folder.",
        ) from None


def unpack(archive: Path, folder: Path, names: Sequence[str]) -> None:
    """Take files out of a tar archive in which they lie in a folder of the same name.

    Nothing else is taken out. Names that lead elsewhere make the whole archive suspect.

    Parameters
    ----------
    archive : Path
        The archive, compressed or not.
    folder : Path
        Where to put the files. Its name is that of the folder in the archive.
    names : sequence of str
        The files.

    Raises
    ------
    InputError
        If the archive is damaged, lacks a file, or holds a name that leads out of it.
    """
    try:
        with tarfile.open(archive) as tar:
            members = {member.name.removeprefix("./"): member for member in tar.getmembers()}
            wanted = [f"{folder.name}/{name}" for name in names]
            _check_members(archive, members, wanted)
            for path, name in zip(wanted, names, strict=True):
                source = tar.extractfile(members[path])
                with replacing(folder / name) as file:
                    if source is not None:
                        shutil.copyfileobj(source, file)
    except (tarfile.TarError, EOFError, zlib.error) as error:
        raise _unfit(archive, f"It is damaged: {error}.") from None


def _check_members(
    archive: Path, members: dict[str, tarfile.TarInfo], wanted: Sequence[str]
) -> None:
    for name in members:
        path = PurePosixPath(name)
        if path.is_absolute() or ".." in path.parts:
            raise _unfit(archive, f"It holds the name {name!r}, which leads out of its folder.")
    for name in wanted:
        if name not in members or not members[name].isfile():
            raise _unfit(archive, f"It holds no file {name!r}.")


def _unfit(archive: Path, fault: str) -> InputError:
    return InputError(
        f"The archive {archive} must be that of the data set.",
        fault,
        "Remove it and fetch it again.",
    )
