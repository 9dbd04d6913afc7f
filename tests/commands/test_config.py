"""Laws of files of options: what stands in no command's table is an error that names the file."""

import re
from pathlib import Path

import pytest

from equipoise.cli import main

TABLE = "a,outcome\n" + "".join(f"{row % 7},{'xy'[row % 2]}\n" for row in range(20))


def _told(text: str, tmp_path: Path, capsys: pytest.CaptureFixture[str], *words: str) -> str:
    """Return what a command with such a file says, which must be refused."""
    path = tmp_path / "mine.toml"
    path.write_text(text)
    (tmp_path / "t.csv").write_text(TABLE)
    command = words or ("fit", str(tmp_path / "t.csv"), "--dry-run")
    assert main([*command, "--config", str(path)]) == 2
    told = capsys.readouterr().err
    assert "mine.toml" in told
    assert "Traceback" not in told
    assert not re.search(r"""\('|"\[[a-z]|\w+Error|\b(dict|str|int|bool)\b""", told)
    return told


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ('label = "a"\n[fit]\nepochs = 1\n', ["`label` does not", "`[fit]`"]),
        ("[train]\nepochs = 3\n", ["`[train]`", "Did you mean `[fit]`?"]),
        ("[describe]\n", ["`[describe]`", "Did you mean `[data.describe]`?"]),
        ("[data]\nlabel = 'x'\n", ["`data.label` does not"]),
        ("[data.show]\nlabel = 'x'\n", ["`[data.show]`"]),
        ("fit = 3\n", ["`fit` does not"]),
        ("[fit]\nepoch = 3\n", ["epoch", "Did you mean --epochs?"]),
        ("[fit.label]\nx = 3\n", ["label.x"]),
        ("[fit]\nseed = 'x'\n", ["seed", "is not a whole number"]),
        ("[fit]\nepochs = [3, 4]\n", ["epochs", "is not a single text or number"]),
        ("[fit]\nresume = 'maybe'\n", ["resume", "is not true or false"]),
        ("[fit\nepochs = 3\n", ["line 1, column 5"]),
        ("[fit]\nepochs = 3\n[fit]\nseed = 1\n", ["line 3, column 5", "declare fit twice"]),
        ("[fit]\na.b = 1\n[fit.a]\n", ["line 3", "fit.a"]),
        ("[fit]\nepochs = [1\n", ["at its end"]),
    ],
)
def test_faults_are_told_with_the_file_and_in_words(
    text: str, words: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """What is wrong is named as it is written, and no class or notation of Python is shown."""
    told = _told(text, tmp_path, capsys)
    assert all(word in told for word in words), told


def test_an_unknown_key_below_a_second_command_is_refused(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """The tables of `data`'s commands are read as those of others."""
    told = _told("[data.describe]\nlabl = 'x'\n", tmp_path, capsys, "data", "describe", "digits")
    assert "labl" in told
    assert "--label" in told


def test_a_table_of_another_command_is_passed_over(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """One file may serve several commands."""
    path, table = tmp_path / "mine.toml", tmp_path / "t.csv"
    path.write_text("[fit]\nepochs = 3\n[data.describe]\nlabel = 'outcome'\n[report]\n")
    table.write_text(TABLE)
    assert main(["data", "describe", str(table), "--config", str(path), "--json"]) == 0
    assert '"y"' in capsys.readouterr().out


def test_a_missing_file_is_named(capsys: pytest.CaptureFixture[str]) -> None:
    """A path that is no file is refused before anything is read."""
    assert main(["--config", "nowhere.toml", "fit", "digits"]) == 2
    assert "nowhere.toml" in capsys.readouterr().err
