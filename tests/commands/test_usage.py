"""Laws of command lines that cannot be understood."""

from collections.abc import Callable
from dataclasses import fields, is_dataclass
from importlib import import_module
from typing import get_type_hints

import pytest

from equipoise.cli import main
from equipoise.commands.usage import nearest_command


@pytest.mark.parametrize("rest", [[], ["--help"], ["x.csv", "--label", "y"]])
@pytest.mark.parametrize(
    ("words", "meant"),
    [
        (["describe"], "equipoise data describe"),
        (["train"], "equipoise fit"),
        (["evalute"], "equipoise evaluate"),
        (["data", "subsampel"], "equipoise data subsample"),
        (["data", "fit"], "equipoise fit"),
        (["--config=x.toml", "describe"], "equipoise data describe"),
        (["--config", "x.toml", "describe"], "equipoise data describe"),
    ],
)
def test_an_unknown_command_is_an_error_even_with_help(
    words: list[str], meant: str, rest: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    """The command that was meant is suggested, and no help is shown as if all were well."""
    assert main([*words, *rest]) == 2
    printed = capsys.readouterr()
    assert f"Did you mean `{meant}`?" in printed.err
    assert printed.out == ""


@pytest.mark.parametrize(
    "words", [["--help"], ["--version"], ["data", "--help"], ["data", "describe", "--help"]]
)
def test_help_of_what_there_is_stays(words: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    """Help goes to standard output with status 0."""
    assert main(words) == 0
    printed = capsys.readouterr()
    assert printed.out
    assert printed.err == ""


def test_what_resembles_nothing_gets_no_suggestion() -> None:
    """A far-fetched suggestion is worse than none."""
    assert nearest_command("frobnicate", {"fit": (), "data": ("list",)}) is None


@pytest.mark.parametrize(
    ("option", "value", "words"),
    [("--seed", "x", "is not a whole number"), ("--test", "much", "is not a number")],
)
def test_wrong_values_are_told_in_words(
    option: str, value: str, words: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """The kind of value that is wanted is not named as Python names it."""
    assert main(["fit", "digits", option, value]) == 2
    told = capsys.readouterr().err
    assert option in told
    assert words in told


def _options(function: Callable[..., object]) -> list[str]:
    """Return the names of a command's options, those of its groups of options included."""
    names = []
    for name, hint in get_type_hints(function).items():
        if name != "return":
            names += [field.name for field in fields(hint)] if is_dataclass(hint) else [name]
    return names


@pytest.mark.parametrize("name", ["fit", "tune", "compare", "study", "pretrain", "evaluate"])
def test_no_option_hides_another(name: str) -> None:
    """Each option of a command, also one of the classifier's, can be given."""
    names = _options(getattr(import_module(f"equipoise.commands.{name}"), name))
    assert sorted(names) == sorted(set(names))
    assert name == "evaluate" or "sampler" in names
