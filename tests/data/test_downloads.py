"""Laws of fetching, with a real server on this machine."""

import hashlib
import io
import socket
import tarfile
from pathlib import Path

import pytest

from equipoise.data.downloads import Remote, fetch, unpack
from equipoise.errors import InputError

CONTENT = bytes(range(256)) * 4096


def _md5(content: bytes) -> str:
    return hashlib.md5(content, usedforsecurity=False).hexdigest()


def _files(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.rglob("*") if path.is_file())


def _archive(path: Path, members: dict[str, bytes | str]) -> Path:
    """Write a compressed archive; a text stands for a link to that name."""
    with tarfile.open(path, "w:gz") as tar:
        for name, content in members.items():
            info = tarfile.TarInfo(name)
            if isinstance(content, str):
                info.type, info.linkname = tarfile.SYMTYPE, content
                tar.addfile(info)
            else:
                info.size = len(content)
                tar.addfile(info, io.BytesIO(content))
    return path


def test_a_fetched_file_is_the_served_one(tmp_path: Path, served: tuple[Path, str]) -> None:
    """The file arrives whole, and progress ends at its size."""
    folder, url = served
    (folder / "data.bin").write_bytes(CONTENT)
    seen: list[tuple[int, int]] = []
    remote = Remote(url=f"{url}/data.bin", md5=_md5(CONTENT))
    path = fetch(remote, tmp_path / "new", lambda done, total: seen.append((done, total)))
    assert path == tmp_path / "new" / "data.bin"
    assert path.read_bytes() == CONTENT
    assert seen[-1] == (len(CONTENT), len(CONTENT))
    assert seen == sorted(seen)


def test_a_wrong_sum_leaves_nothing_behind(tmp_path: Path, served: tuple[Path, str]) -> None:
    """What is not the file is thrown away, and a file that was there stays."""
    folder, url = served
    (folder / "data.bin").write_bytes(CONTENT)
    (tmp_path / "data.bin").write_bytes(b"old")
    with pytest.raises(InputError, match=f"MD5 sum {'0' * 32}.*{_md5(CONTENT)}"):
        fetch(Remote(url=f"{url}/data.bin", md5="0" * 32), tmp_path)
    assert _files(tmp_path) == ["data.bin"]
    assert (tmp_path / "data.bin").read_bytes() == b"old"


def test_an_absent_file_or_server_is_an_input_error(
    tmp_path: Path, served: tuple[Path, str]
) -> None:
    """The message gives the reason, and nothing is left behind."""
    with pytest.raises(InputError, match="404"):
        fetch(Remote(url=f"{served[1]}/none.bin", md5="0" * 32), tmp_path)
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        port = unused.getsockname()[1]
    with pytest.raises(InputError, match=r"must be reachable. It is not: .*refused"):
        fetch(Remote(url=f"http://127.0.0.1:{port}/a", md5="0" * 32), tmp_path)
    assert _files(tmp_path) == []


def test_only_the_named_files_are_unpacked(tmp_path: Path) -> None:
    """Other files of the archive stay in it."""
    members: dict[str, bytes | str] = {"./set/a.bin": b"A", "set/b.bin": b"B", "set/run.sh": b"!"}
    archive = _archive(tmp_path / "a.tar.gz", members)
    unpack(archive, tmp_path / "out" / "set", ["a.bin", "b.bin"])
    assert _files(tmp_path / "out") == ["a.bin", "b.bin"]
    assert (tmp_path / "out" / "set" / "b.bin").read_bytes() == b"B"


@pytest.mark.parametrize("name", ["../evil.bin", "set/../../evil.bin", "/tmp/evil.bin"])
def test_names_that_lead_out_make_the_archive_suspect(tmp_path: Path, name: str) -> None:
    """One such name, and nothing at all is unpacked."""
    archive = _archive(tmp_path / "a.tar.gz", {"set/a.bin": b"A", name: b"E"})
    with pytest.raises(InputError, match="leads out of its folder"):
        unpack(archive, tmp_path / "out" / "set", ["a.bin"])
    assert _files(tmp_path) == ["a.tar.gz"]


@pytest.mark.parametrize("members", [{"set/b.bin": b"B"}, {"set/a.bin": "/etc/hostname"}])
def test_missing_files_and_links_are_refused(
    tmp_path: Path, members: dict[str, bytes | str]
) -> None:
    """A link in the place of a file is not followed."""
    archive = _archive(tmp_path / "a.tar.gz", members)
    with pytest.raises(InputError, match=r"holds no file 'set/a.bin'"):
        unpack(archive, tmp_path / "set", ["a.bin"])
    assert _files(tmp_path) == ["a.tar.gz"]


@pytest.mark.parametrize("cut", [0, 40, -300])
def test_damaged_archives_are_refused(tmp_path: Path, cut: int) -> None:
    """An archive that ends early is an input error, and leaves no partial file."""
    archive = _archive(tmp_path / "a.tar.gz", {"set/a.bin": CONTENT[:5000], "set/b.bin": CONTENT})
    archive.write_bytes(archive.read_bytes()[:cut] if cut else b"no archive")
    with pytest.raises(InputError, match="damaged"):
        unpack(archive, tmp_path / "set", ["a.bin", "b.bin"])
    assert _files(tmp_path) == ["a.tar.gz"]
