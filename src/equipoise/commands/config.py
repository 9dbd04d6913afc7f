"""What ``--config`` may name: a file of options with a table for each command, or a run's own."""

import re
import tomllib
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from equipoise.commands.replay import is_run, replayed
from equipoise.commands.usage import nearest_command
from equipoise.configuration import configuration_fault
from equipoise.errors import InputError


def options_in(path: Path, commands: Mapping[str, Sequence[str]]) -> dict[str, Any]:
    r"""Return the options that a file holds, in a table for each command.

    Parameters
    ----------
    path : Path
        A TOML file of options, or the ``config.toml`` of a run.
    commands : mapping of str to sequence of str
        The commands, each with the commands below it.

    Raises
    ------
    InputError
        If there is no such file, it is no TOML, or something in it stands in no command's
        table. What the tables hold is left to the commands.

    Examples
    --------
    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     file = Path(folder, "mine.toml")
    ...     _ = file.write_text("[fit]\nepochs = 3\n")
    ...     options_in(file, {"fit": ()})
    {'fit': {'epochs': 3}}
    """
    content = _parsed(path)
    if not is_run(content):
        _refuse_strays(path, content, commands)
        return content
    if fault := configuration_fault(content):
        raise InputError(
            "The config.toml of a run must be as `equipoise fit` wrote it.",
            f"In `{path}`, {fault}.",
            "Restore the file, or give the options themselves.",
        )
    return replayed(content)


def _parsed(path: Path) -> dict[str, Any]:
    needed = "--config must name a TOML file."
    if not path.is_file():
        raise InputError(needed, f"`{path}` is none.", "Check the path.")
    try:
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except UnicodeDecodeError as error:
        fault = f"Byte {error.start + 1} of `{path}` is no UTF-8 text."
    except tomllib.TOMLDecodeError as error:
        fault = f"`{path}` has a fault {_in_words(error)}."
    raise InputError(needed, fault, "Correct it.")


def _in_words(error: tomllib.TOMLDecodeError) -> str:
    """Return where the fault is and what it is, without the parser's own notation.

    >>> _in_words(tomllib.TOMLDecodeError("Cannot declare ('fit',) twice (at line 3, column 5)"))
    'at line 3, column 5: Cannot declare fit twice'
    """
    what, _, where = str(error).removesuffix(")").rpartition(" (")
    named = re.sub(r"\('([^)]*?)',?\)", lambda key: key[1].replace("', '", "."), what)
    return f"{where.replace('end of document', 'its end')}: {named}"


def _refuse_strays(
    path: Path, content: Mapping[str, Any], commands: Mapping[str, Sequence[str]]
) -> None:
    for name, value in _strays(content, commands):
        is_table = isinstance(value, Mapping)
        near = nearest_command(name.rpartition(".")[2], commands) if is_table else None
        raise InputError(
            "Options in a file must stand in the table of a command, such as `[fit]`.",
            f"In `{path}`, {f'there is a table `[{name}]`' if is_table else f'`{name}` does not'}.",
            f"Did you mean `[{near.replace(' ', '.')}]`?"
            if near
            else "Move it below the name of its table.",
        )


def _strays(
    content: Mapping[str, Any], commands: Mapping[str, Sequence[str]]
) -> Iterator[tuple[str, Any]]:
    """Yield what is no table of a command."""
    for name, value in content.items():
        below = commands.get(name)
        if below and isinstance(value, Mapping):
            inside = _strays(value, dict.fromkeys(below, ()))
            yield from ((f"{name}.{inner}", each) for inner, each in inside)
        elif below is None or not isinstance(value, Mapping):
            yield name, value
