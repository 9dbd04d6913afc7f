"""Fetching packages with the registries' own clients: nothing is installed or run from them."""

import importlib
import importlib.util
import shlex
import shutil
import subprocess
import sys
import tarfile
import zipfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from integrity import AssetError, bytes_sha256, expect, expect_sha256, file_sha256

CLIENTS = {"pypi": (), "npm": ("npm",), "debian": ("apt-get", "dpkg-deb")}


@dataclass(frozen=True, kw_only=True)
class Package:
    """One version of a package, and what its archive must be.

    Parameters
    ----------
    registry : {"pypi", "npm", "debian"}
        Which client fetches it.
    name, version : str
        The package as its registry knows it.
    archive : str
        File name of the archive of this version.
    sha256 : str
        Digest of that archive.
    """

    registry: Literal["pypi", "npm", "debian"]
    name: str
    version: str
    archive: str
    sha256: str

    def __str__(self) -> str:
        return f"{self.registry} {self.name} {self.version}"


def fetch(package: Package, folder: Path) -> Path:
    """Download a package into an empty folder and return the path of its archive."""
    for client in CLIENTS[package.registry]:
        expect(
            shutil.which(client) is not None,
            f"{client} was not found; it is needed to fetch {package}.",
        )
    _run(_download_command(package, folder), f"Could not fetch {package}.", folder)
    archives = sorted(folder.iterdir())
    expect(len(archives) == 1, f"{package} gave {[a.name for a in archives]}, not one file.")
    archive = archives[0]
    # Debian builds a package anew for each release and architecture: apt-get has verified it
    # against its signed index, and `read_members` checks what is inside.
    if package.registry != "debian" or archive.name == package.archive:
        expect_sha256(archive.name, file_sha256(archive), package.sha256)
    return archive


def _download_command(package: Package, folder: Path) -> list[str]:
    if package.registry == "npm":
        return ["npm", "pack", "--ignore-scripts", f"{package.name}@{package.version}"]
    if package.registry == "debian":  # any version that the release offers
        return ["apt-get", "download", package.name]
    return [  # a wheel, so that no set-up script can run
        *_pip("download"),
        *("--no-deps", "--only-binary=:all:", "--dest", str(folder)),
        f"{package.name}=={package.version}",
    ]


def _pip(verb: str) -> list[str]:
    return [sys.executable, "-m", "pip", verb, "--quiet", "--disable-pip-version-check"]


def _run(command: Sequence[str], hint: str, folder: Path | None = None) -> None:
    """Run a client quietly; on failure show the end of what it said."""
    done = subprocess.run(
        command,
        cwd=folder,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )
    if done.returncode:
        said = " / ".join(line.strip() for line in done.stdout.splitlines()[-4:] if line.strip())
        raise AssetError(f"{hint} `{' '.join(command)}` failed: {said}")


def read_members(archive: Path, members: Mapping[str, str]) -> dict[str, bytes]:
    """Return the content of the wanted members, in their order, each checked by its digest."""
    read = {".whl": _read_wheel, ".tgz": _read_tarball}.get(archive.suffix, _read_debian)
    found = read(archive, members)
    for name, sha256 in members.items():
        expect(name in found, f"{archive.name} holds no {name}.")
        expect_sha256(f"{name} in {archive.name}", bytes_sha256(found[name]), sha256)
    return {name: found[name] for name in members}


def _read_wheel(archive: Path, members: Mapping[str, str]) -> dict[str, bytes]:
    with zipfile.ZipFile(archive) as bundle:
        return {name: bundle.read(name) for name in bundle.namelist() if name in members}


def _read_tarball(archive: Path, members: Mapping[str, str]) -> dict[str, bytes]:
    found = {}
    with tarfile.open(archive) as bundle:
        for entry in bundle:
            content = bundle.extractfile(entry) if entry.name in members else None
            if content is not None:
                found[entry.name] = content.read()
    return found


def _read_debian(archive: Path, members: Mapping[str, str]) -> dict[str, bytes]:
    root = archive.parent / "unpacked"
    if not root.exists():
        _run(["dpkg-deb", "-x", str(archive), str(root)], f"Could not unpack {archive.name}.")
    return {name: (root / name).read_bytes() for name in members if (root / name).is_file()}


def require(requirements: Mapping[str, str]) -> None:
    """Make sure that modules can be imported.

    What is absent is installed with pip, but only into a virtual environment: anywhere else
    that is the user's decision.

    Parameters
    ----------
    requirements : mapping of str to str
        Module, and what pip is asked for to get it.
    """
    wanted = [r for module, r in requirements.items() if importlib.util.find_spec(module) is None]
    if not wanted:
        return
    shown = f"python -m pip install {shlex.join(wanted)}"
    expect(sys.prefix != sys.base_prefix, f"Some modules are absent. Run `{shown}` and try again.")
    print(f"Some modules are absent: running `{shown}`.", file=sys.stderr, flush=True)
    _run([*_pip("install"), *wanted], "Could not install what this asset needs.")
    importlib.invalidate_caches()
