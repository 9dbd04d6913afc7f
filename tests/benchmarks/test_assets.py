"""Laws of the fetcher of real data, run as its users run it."""

import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

FETCHER = Path(__file__).parents[2] / "benchmarks" / "assets"


def _fetcher(*arguments: str | Path) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, str(FETCHER), *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, check=False)


def _state(name: str, folder: Path) -> str:
    line = _fetcher(name, "--list", "--out", folder).stdout.splitlines()[-1]
    return line.removeprefix(name).strip().split("  ")[0]


def test_every_asset_in_the_cache_is_the_published_one(assets: Path) -> None:
    """What a manifest vouches for has the fixed digests, file by file."""
    present = [path.name.partition(".")[0] for path in assets.glob("*.manifest.json")]
    if not present:
        pytest.skip(f"no asset was made in {assets}")
    assert {name: _state(name, assets) for name in present} == dict.fromkeys(present, "ready")


def test_a_changed_file_is_to_be_made_again(assets: Path, tmp_path: Path) -> None:
    """One changed byte, or a missing manifest, takes an asset's readiness away."""
    manifest = assets / "yeast.manifest.json"
    if not manifest.exists():
        pytest.skip(f"yeast was not made in {assets}")
    for path in manifest, assets / "yeast.csv":
        shutil.copy(path, tmp_path)
    assert _state("yeast", tmp_path) == "ready"
    table = tmp_path / "yeast.csv"
    content = table.read_bytes()
    table.write_bytes(b"M" + content[1:])
    assert _state("yeast", tmp_path) == "to make"
    table.write_bytes(content)
    assert _state("yeast", tmp_path) == "ready"
    (tmp_path / "yeast.manifest.json").unlink()
    assert _state("yeast", tmp_path) == "to make"


def test_an_unknown_name_ends_with_2_and_the_names_that_are_known() -> None:
    """A wrong name is the user's to mend, so the message lists the right ones."""
    done = _fetcher("cifar100")
    assert done.returncode == 2
    assert "'cifar100' is none of cifar10, fashion-mnist, page-blocks" in done.stderr


@pytest.mark.parametrize("content", [b"as published", b"tampered with"])
def test_only_the_published_content_is_read_from_a_package(tmp_path: Path, content: bytes) -> None:
    """A member with another digest ends the reading, whatever the archive says of itself."""
    archive = tmp_path / "package.whl"
    with zipfile.ZipFile(archive, "w") as bundle:
        bundle.writestr("data.txt", content)
    program = (
        "import sys; from pathlib import Path; from integrity import bytes_sha256\n"
        "from registries import read_members\n"
        "members = {'data.txt': bytes_sha256(b'as published')}\n"
        "print(read_members(Path(sys.argv[1]), members))"
    )
    done = subprocess.run(
        [sys.executable, "-c", program, str(archive)],
        cwd=FETCHER,
        capture_output=True,
        text=True,
        check=False,
    )
    if content == b"as published":
        assert done.stdout.strip() == "{'data.txt': b'as published'}"
    else:
        assert "AssetError: data.txt in package.whl has sha256" in done.stderr
        assert done.returncode == 1
