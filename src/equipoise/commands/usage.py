"""What is said of a command line that cannot be understood."""

import difflib
import re
from collections.abc import Mapping, Sequence

from cyclopts import CycloptsError

from equipoise.data.wording import listing
from equipoise.errors import InputError

SYNONYMS = {"train": "fit", "test": "evaluate", "measure": "evaluate", "info": "data describe"}
"""Words that people try, and the commands that they mean."""

_KINDS = {
    "int": "a whole number",
    "float": "a number",
    "bool": "true or false",
    "str": "a single text or number",
    "Path": "a path",
}


def require_command(tokens: Sequence[str], commands: Mapping[str, Sequence[str]]) -> None:
    """Raise `InputError` if the first words are no command, even where help is asked for.

    Parameters
    ----------
    tokens : sequence of str
        The command line.
    commands : mapping of str to sequence of str
        The commands, each with the commands below it.

    Examples
    --------
    >>> require_command(["describe", "--help"], {"fit": (), "data": ("list", "describe")})
    Traceback (most recent call last):
    ...
    equipoise.errors.InputError: ... It is 'describe'. Did you mean `equipoise data describe`?
    """
    known: Sequence[str] | Mapping[str, Sequence[str]] = commands
    tokens = _without_config(tokens)
    for at, word in enumerate(tokens):
        if word.startswith("-") or not known:
            return
        if word not in known:
            meant = nearest_command(word, commands)
            raise InputError(
                f"`{' '.join(('equipoise', *tokens[:at]))}` needs a command: {listing(known)}.",
                f"It is {word!r}.",
                f"Did you mean `equipoise {meant}`?"
                if meant
                else "`equipoise --help` says what each of them does.",
            )
        known = known[word] if isinstance(known, Mapping) else ()


def _without_config(tokens: Sequence[str]) -> Sequence[str]:
    """Leave out the one option that may stand before the command."""
    if tokens and tokens[0] == "--config":
        return tokens[2:]
    return tokens[1:] if tokens and tokens[0].startswith("--config=") else tokens


def nearest_command(word: str, commands: Mapping[str, Sequence[str]]) -> str | None:
    """Return the command that a wrong word may have meant, or None.

    >>> nearest_command("train", {"fit": (), "pretrain": ()})
    'fit'
    """
    paths = {name: name for name, below in commands.items() if not below}
    paths |= {each: f"{name} {each}" for name, below in commands.items() for each in below}
    paths |= SYNONYMS
    near = difflib.get_close_matches(word.lower(), paths, n=1, cutoff=0.6)
    return paths[near[0]] if near else None


def usage_fault(error: CycloptsError) -> str:
    """Return what the parser of the command line found wrong, in words of people.

    Parameters
    ----------
    error : CycloptsError
        The parser's error. The name of an option in a file stands in brackets in its
        message, and the kind of a value is a Python class.
    """
    text = str(error).strip()
    token = getattr(error, "token", None)
    if token is not None and token.source != "cli" and token.keyword:
        text = text.replace(token.keyword, ".".join(re.findall(r"\[(.*?)\]", token.keyword)))
    return re.sub(
        r'unable to convert (".*") into (\w+)\.',
        lambda found: f"{found[1]} is not {_KINDS.get(found[2], found[2])}.",
        text,
        flags=re.DOTALL,
    )
