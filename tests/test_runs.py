"""Laws of the run folder: files are whole or absent, and none of them can run code."""

import errno
import json
import os
import pickle
import random
import signal
import subprocess
import sys
import time
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import BinaryIO

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from equipoise.errors import InputError
from equipoise.resuming import open_or_create
from equipoise.runs import (
    FORMAT,
    Run,
    leftovers,
    replacing,
    require_writable,
    write_arrays,
    write_json,
    write_text,
)

ARRAYS = {
    "ids": np.array(["a", "bc", "dé"]),
    "labels": np.array([2, 0, 1]),
    "logits": np.array([[0.5, -1.0], [np.inf, np.nan], [0.0, 3.0]], dtype=np.float32),
    "empty": np.empty((0, 3)),
}


def _run(folder: Path) -> Run:
    return Run.create(folder / "run", {"data": {"name": "digits"}})


def _same(found: dict[str, np.ndarray], expected: dict[str, np.ndarray]) -> bool:
    return found.keys() == expected.keys() and all(
        a.dtype == expected[k].dtype and a.tobytes() == expected[k].tobytes()
        for k, a in found.items()
    )


# Writing


WRITE_UNTIL_KILLED = """
import sys
from pathlib import Path
from equipoise.resuming import open_or_create
from equipoise.runs import replacing
print("ready", flush=True)
for letter in [b"a", b"b", b"c"] * 100_000:
    with replacing(Path(sys.argv[1])) as file:
        for _ in range(64):
            file.write(letter * 2**14)
"""


@pytest.mark.parametrize("attempt", range(3))
def test_a_writer_that_is_killed_leaves_a_whole_file(attempt: int, tmp_path: Path) -> None:
    """Whenever SIGKILL comes, the file is one of the versions written, from end to end."""
    path = tmp_path / "file"
    path.write_bytes(b"o" * 2**20)
    with subprocess.Popen(
        [sys.executable, "-c", WRITE_UNTIL_KILLED, str(path)], stdout=subprocess.PIPE
    ) as writer:
        assert writer.stdout is not None
        writer.stdout.readline()
        time.sleep(random.random() / 10 * attempt)
        writer.send_signal(signal.SIGKILL)
    assert writer.returncode == -signal.SIGKILL
    content = path.read_bytes()
    assert content == content[:1] * 2**20


FILL_THE_DISK = """
import resource, sys
from pathlib import Path
import numpy as np
from equipoise.resuming import open_or_create
from equipoise.runs import write_arrays
resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, 100_000))
noise = np.random.default_rng(0).integers(256, size=1_000_000, dtype=np.uint8)
try:
    write_arrays(Path(sys.argv[1]), {"noise": noise})
except OSError as error:
    print(type(error).__name__, error.errno)
"""


def test_a_full_disk_leaves_the_old_file_and_nothing_else(tmp_path: Path) -> None:
    """A file that cannot be written whole is removed, its error is raised, the old one stays."""
    path = tmp_path / "a.npz"
    write_arrays(path, ARRAYS)
    before = path.read_bytes()
    done = subprocess.run(
        [sys.executable, "-c", FILL_THE_DISK, str(path)], capture_output=True, text=True, check=True
    )
    assert done.stdout.startswith("OSError")
    assert path.read_bytes() == before
    assert list(tmp_path.iterdir()) == [path]


def _write_and_fail(file: BinaryIO) -> None:
    file.write(b"new")
    file.flush()
    raise KeyboardInterrupt


def test_an_error_while_writing_leaves_the_old_file_and_nothing_else(tmp_path: Path) -> None:
    """Even an interrupt between two writes changes nothing, and is passed on."""
    path = tmp_path / "a.txt"
    write_text(path, "old")
    with pytest.raises(KeyboardInterrupt), replacing(path) as file:
        _write_and_fail(file)
    assert path.read_text() == "old"
    assert list(tmp_path.iterdir()) == [path]


def test_whether_a_folder_can_be_written_to_is_tried(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nothing stays of it; whatever permissions say, what the system answers is told."""
    require_writable(tmp_path / "new" / "run")
    assert not list(tmp_path.iterdir())

    def refuse(*, dir: Path) -> None:
        raise OSError(errno.EROFS, "Read-only file system", str(dir))

    monkeypatch.setattr("tempfile.TemporaryFile", refuse)
    with pytest.raises(InputError) as error:
        require_writable(tmp_path / "new" / "run")
    assert error.value.actual == f"`{tmp_path}` refuses: Read-only file system."


def test_nothing_has_its_name_before_it_is_whole(tmp_path: Path) -> None:
    """Who looks while a file is being written sees the one before it."""
    path = tmp_path / "new folder" / "a.txt"
    with replacing(path) as file:
        file.write(b"half")
        file.flush()
        assert not path.exists()
    assert path.read_bytes() == b"half"


@pytest.mark.skipif(os.name != "posix", reason="permissions of POSIX")
def test_results_are_as_readable_as_other_files(tmp_path: Path) -> None:
    """A run in a shared folder can be read by those who can read its neighbours."""
    (tmp_path / "usual").touch()
    write_text(tmp_path / "ours", "")
    assert (tmp_path / "ours").stat().st_mode == (tmp_path / "usual").stat().st_mode


def test_undefined_numbers_are_not_written_as_json(tmp_path: Path) -> None:
    """NaN is no JSON; it is refused before the old file is touched."""
    path = tmp_path / "a.json"
    write_json(path, {"a": [1, 2.5, None, "é"]})
    for value in float("nan"), float("inf"):
        with pytest.raises(ValueError, match="JSON compliant"):
            write_json(path, {"a": value})
    assert json.loads(path.read_text()) == {"a": [1, 2.5, None, "é"]}


def test_arrays_of_objects_are_refused(tmp_path: Path) -> None:
    """They could only be saved as a pickle, so they are not, and nothing is left behind."""
    for objects in np.array(["a", None]), np.array([(1, None)], dtype=[("a", int), ("b", object)]):
        with pytest.raises(TypeError, match="bad holds Python objects"):
            write_arrays(tmp_path / "a.npz", {"good": np.ones(2), "bad": objects})
    assert list(tmp_path.iterdir()) == []


def test_arrays_come_back_as_they_were(tmp_path: Path) -> None:
    """Type, shape and every bit, under any name."""
    run = _run(tmp_path)
    arrays = ARRAYS | {"file": np.arange(3), "allow_pickle": np.array(1), "a/b": np.ones((2, 2))}
    arrays["fortran"] = np.asfortranarray(np.arange(6.0).reshape(2, 3))
    run.write_arrays("a.npz", arrays)
    found = run.read_arrays("a.npz")
    assert _same(found, arrays)
    assert [a.shape for a in found.values()] == [a.shape for a in arrays.values()]


def test_the_same_arrays_make_the_same_file(tmp_path: Path) -> None:
    """No date is stored but a fixed one, so that files can be compared by their bytes."""
    contents = set()
    for _ in range(2):
        write_arrays(tmp_path / "a.npz", ARRAYS)
        contents.add((tmp_path / "a.npz").read_bytes())
    assert len(contents) == 1
    with zipfile.ZipFile(tmp_path / "a.npz") as archive:
        assert {entry.date_time for entry in archive.infolist()} == {(1980, 1, 1, 0, 0, 0)}


# Opening


def test_a_run_keeps_what_it_is_given(tmp_path: Path) -> None:
    """Configuration, history and JSON come back as they were, with the format version."""
    config = {"data": {"classes": ["é", "b"], "ratio": 10.5}, "test": {"looks": 0}}
    rows = [{"epoch": 1, "note": "a\u2028b\nc"}, {"epoch": 2, "validation": {"accuracy": 0.1}}]
    run = Run.create(tmp_path / "deep" / "run", config)
    run.write_history(rows)
    run.write_json("metrics.json", {"a": [1, 2]})
    again = Run.open(run.path)
    assert again.config == {"format": FORMAT, **config}
    assert again.history == rows
    assert again.read_json("metrics.json") == {"a": [1, 2]}


def test_the_configuration_can_be_read_and_written_again(tmp_path: Path) -> None:
    """A change of one value leaves the others, and the format, as they were."""
    run = _run(tmp_path)
    run.write_config({**run.config, "test": {"looks": 1}})
    assert run.config == {"format": FORMAT, "data": {"name": "digits"}, "test": {"looks": 1}}


def test_a_run_is_done_when_it_says_so(tmp_path: Path) -> None:
    """`DONE` is absent until `finish` is called."""
    run = _run(tmp_path)
    assert not run.done
    assert run.history == []
    run.finish()
    assert run.done
    assert (run.path / "DONE").read_bytes() == b""


@pytest.mark.parametrize("kind", ["run", "other files", "file"])
def test_an_existing_folder_is_refused(kind: str, tmp_path: Path) -> None:
    """A new run overwrites nothing."""
    path = tmp_path / "run"
    if kind == "run":
        _run(tmp_path)
    elif kind == "file":
        path.write_text("precious")
    else:
        path.mkdir()
        (path / "precious").touch()
    before = sorted(tmp_path.rglob("*"))
    with pytest.raises(InputError, match="already exists"):
        Run.create(path, {})
    assert sorted(tmp_path.rglob("*")) == before


def test_an_empty_folder_is_taken(tmp_path: Path) -> None:
    """So is one with hidden files, which a writer leaves that was killed at the very start."""
    (tmp_path / ".config.toml.0123456789abcdef").touch()
    Run.create(tmp_path, {})
    assert Run.open(tmp_path).config == {"format": FORMAT}


@pytest.mark.parametrize("text", ["format = 0", "format = 2", 'format = "1"', "other = 1"])
def test_another_format_is_refused(text: str, tmp_path: Path) -> None:
    """A run of another version is not half understood."""
    (tmp_path / "config.toml").write_text(text)
    with pytest.raises(InputError, match="format"):
        Run.open(tmp_path)


def test_a_folder_without_configuration_is_no_run(tmp_path: Path) -> None:
    """Nor is a folder that is not there."""
    for path in tmp_path, tmp_path / "absent":
        with pytest.raises(InputError, match=r"no config\.toml"):
            Run.open(path)


def test_what_a_run_has_not_is_named(tmp_path: Path) -> None:
    """A missing result says which it is, and that the run has not finished if it has not."""
    run = _run(tmp_path)
    assert not run.has("metrics.json")
    with pytest.raises(InputError, match=r"metrics\.json.*not finished"):
        run.read_json("metrics.json")
    run.finish()
    with pytest.raises(InputError, match=r"(?s)predictions\.npz(?!.*not finished)"):
        run.read_arrays("predictions.npz")


# Damage


READERS: dict[str, Callable[[Run], object]] = {
    "config.toml": lambda run: run.config,
    "history.jsonl": lambda run: run.history,
    "metrics.json": lambda run: run.read_json("metrics.json"),
    "predictions.npz": lambda run: run.read_arrays("predictions.npz"),
}


@pytest.mark.parametrize("name", READERS)
@pytest.mark.parametrize(
    "content",
    [b"\xff\xfe\x00", b"{", b"[" * 100_000, b'a = "', b"PK\x03\x04", b"\x93NUMPY\x01\x00", b"\x80"],
    ids=["binary", "half", "deep", "open quote", "zip", "npy", "pickle"],
)
def test_a_damaged_file_is_an_input_error(name: str, content: bytes, tmp_path: Path) -> None:
    """Whatever is wrong with a file, the message names it and says that it is damaged."""
    run = _run(tmp_path)
    (run.path / name).write_bytes(content)
    with pytest.raises(InputError, match=f"{name}.*is damaged"):
        READERS[name](run)


def test_a_single_array_is_no_archive(tmp_path: Path) -> None:
    """A whole ``.npy`` file under the name of an ``.npz`` is damage too."""
    run = _run(tmp_path)
    with (run.path / "a.npz").open("wb") as file:
        np.save(file, np.arange(4))
    with pytest.raises(InputError, match="is damaged"):
        run.read_arrays("a.npz")


@settings(deadline=None, derandomize=True, max_examples=300)
@given(data=st.data())
def test_a_flipped_bit_or_a_lost_end_is_seen(
    data: st.DataObject, tmp_path_factory: pytest.TempPathFactory
) -> None:
    """Each array is read exactly as it was written, or not at all."""
    run = Run(tmp_path_factory.getbasetemp())
    run.write_arrays("a.npz", ARRAYS)
    content = bytearray((run.path / "a.npz").read_bytes())
    place = data.draw(st.integers(0, len(content) - 1))
    if data.draw(st.booleans()):
        content[place] ^= 1 << data.draw(st.integers(0, 7))
    else:
        del content[place:]
    (run.path / "a.npz").write_bytes(content)
    try:
        found = run.read_arrays("a.npz")
    except InputError:
        return
    assert _same(found, {name: ARRAYS[name] for name in found})


class Bomb:
    """An object whose pickle, once loaded, makes a file."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> tuple[Callable[..., object], tuple[object, ...]]:
        return os.mkdir, (str(self.path),)


@pytest.mark.parametrize("wrapped", [True, False], ids=["in npz", "plain"])
def test_pickles_are_refused(wrapped: bool, tmp_path: Path) -> None:
    """A stranger's run cannot execute code through its arrays."""
    run, crater = _run(tmp_path), tmp_path / "crater"
    bomb, path = Bomb(crater), run.path / "predictions.npz"
    if wrapped:
        holder = np.empty(1, dtype=object)
        holder[0] = bomb
        np.savez(path, labels=np.arange(3), logits=holder)
    else:
        path.write_bytes(pickle.dumps({"labels": bomb}))
    with pytest.raises(InputError, match="is damaged"):
        run.read_arrays("predictions.npz")
    assert not crater.exists()
    pickle.loads(pickle.dumps(bomb))
    assert crater.exists()  # the bomb is no dud


def test_only_what_a_killed_writer_left_is_a_leftover(tmp_path: Path) -> None:
    """Hidden files and folders of others stay: they may be somebody's."""
    ours, theirs = tmp_path / ".metrics.json.0123456789abcdef", tmp_path / ".notes"
    for path in (ours, theirs, tmp_path / ".metrics.json.swp"):
        path.write_text("x")
    (tmp_path / ".ipynb_checkpoints").mkdir()
    assert leftovers(tmp_path) == [ours]
    with replacing(tmp_path / "a.txt") as file:
        file.write(b"half")
        assert {path.name[:7] for path in leftovers(tmp_path)} == {".metric", ".a.txt."}


# A search that has not ended


def _searched(folder: Path) -> Path:
    (folder / "search").mkdir(parents=True)
    (folder / "search" / "search.json").write_text("{}")
    return folder


@pytest.mark.parametrize("resume", [False, True])
@pytest.mark.parametrize("has_run", [False, True])
def test_a_search_that_has_not_ended_keeps_other_runs_away(
    resume: bool, has_run: bool, tmp_path: Path
) -> None:
    """Whatever wants its folder; only its own run may be made in it."""
    path = _searched(tmp_path / "run")
    if has_run:
        Run(path).write_config({})
    with pytest.raises(InputError, match=r"equipoise tune \.\.\. --out .*run --resume"):
        open_or_create(path, {}, resume=resume)
    assert Run(path).has("config.toml") == has_run
    if not has_run:
        assert open_or_create(path, {}, resume=resume, after_search=True).path == path


def test_messages_name_the_command_that_goes_on(tmp_path: Path) -> None:
    """That is `tune` for what a search has begun, and `pretrain` for pre-training."""
    path = _searched(tmp_path / "run")
    with pytest.raises(InputError, match=r"equipoise tune \.\.\. --out .* --resume"):
        Run.open(path)
    for section, command in (({"pretraining": {}}, "pretrain"), ({}, "fit")):
        run = Run.create(tmp_path / command, section)
        with pytest.raises(InputError, match=rf"equipoise {command} \.\.\. --resume"):
            run.require_done()
    Run.create(path, {}, after_search=True)
    for fails in (Run(path).require_done, lambda: Run(path).read_json("metrics.json")):
        with pytest.raises(InputError, match=r"equipoise tune \.\.\. --resume"):
            fails()
