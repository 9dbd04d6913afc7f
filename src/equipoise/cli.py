"""The command line: one lazily imported function for each verb, and what errors look like."""

import os
import re
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

from cyclopts import App, CycloptsError, Parameter
from cyclopts.config import Dict

from equipoise.commands.config import options_in
from equipoise.commands.invocation import begin
from equipoise.commands.usage import require_command, usage_fault
from equipoise.errors import InputError, TrainingError

app = App(
    name="equipoise",
    help="Train, measure and understand classifiers of class-imbalanced images and tables.",
    help_epilogue="Exit status: 0 done, 1 failed, 2 unusable input, 130 stopped by Ctrl-C.",
)
data = App(name="data", help="List, describe and subsample data sets.")

app.command("equipoise.commands.demo:demo", help="Fit, evaluate and report on embedded data.")
app.command(data)
app.command("equipoise.commands.fit:fit", help="Train a classifier and keep it as a run.")
app.command("equipoise.commands.recipes:recipes", help="List the recipes, and their sources.")
app.command("equipoise.commands.tune:tune", help="Search for the best recipe in a given time.")
app.command("equipoise.commands.compare:compare", help="Compare methods at equal time, fairly.")
app.command("equipoise.commands.rank:rank", help="Rank methods over several comparisons.")
app.command("equipoise.commands.study:study", help="Study one component over ratios.")
app.command("equipoise.commands.diagnose:diagnose", help="Say why a run succeeds or fails.")
app.command("equipoise.commands.toy:toy", help="Draw decision regions around rare points.")
app.command("equipoise.commands.pretrain:pretrain", help="Train a backbone without labels.")
app.command("equipoise.commands.evaluate:evaluate", help="Measure a run, on its test set or DATA.")
app.command("equipoise.commands.predict:predict", help="Predict the classes of new examples.")
app.command("equipoise.commands.report:report", help="Write an HTML page on what is there.")
data.command("equipoise.commands.data:list_", name="list", help="List the named data sets.")
data.command("equipoise.commands.data:describe", help="Print what is in DATA, and what is wrong.")
data.command("equipoise.commands.data:subsample", help="Make DATA imbalanced and save the index.")


@app.meta.default
def launch(
    *tokens: Annotated[str, Parameter(show=False, allow_leading_hyphen=True)],
    config: Path | None = None,
) -> object:
    """Run one command.

    Parameters
    ----------
    config : Path
        TOML file of option values, one table for each command, such as ``[fit]``, or the
        config.toml of a run, which repeats it. Options on the command line come before it.
    """
    if config is not None:
        app.config = (Dict(options_in(config, _commands()), source=str(config)),)
    return app(tokens, exit_on_error=False, print_error=False, result_action="return_value")


def _commands() -> dict[str, tuple[str, ...]]:
    """Return the commands, each with the commands below it."""
    return {name: _names(data) if name == data.name[0] else () for name in _names(app)}


def _names(commands: App) -> tuple[str, ...]:
    return tuple(name for name in commands if not name.startswith("-"))


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line and return its exit status.

    Parameters
    ----------
    arguments : sequence of str or None
        What follows the program's name; None: taken from the process.
    """
    app.config = ()
    begin()
    try:
        # First, for with --help the parser would take no notice of a wrong word.
        require_command(sys.argv[1:] if arguments is None else arguments, _commands())
        result = app.meta(
            arguments, exit_on_error=False, print_error=False, result_action="return_value"
        )
    except Exception as error:
        return _ended(error)
    except KeyboardInterrupt:
        return _fail("Stopped.", 130)
    return result if isinstance(result, int) else 0


def _ended(error: Exception) -> int:  # noqa: PLR0911 (one for each kind of error)
    """Return the exit status of an expected error, told in words; raise any other again."""
    match error:
        case CycloptsError():
            return _fail(usage_fault(error), 2)
        case InputError():
            return _fail(f"{error.requirement}\n  {error.actual}\n  {error.remedy}", 2)
        case TrainingError():
            return _fail(str(error), 1)
        case BrokenPipeError():
            # The reader of our output has gone (`equipoise ... | head`); Python must not
            # complain once more when it flushes at exit.
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
            return 1
        case MemoryError():
            return _out_of_memory()
        case RuntimeError() if _NO_MEMORY.search(str(error)):  # torch has no class for the CPU
            return _out_of_memory()
        case OSError():
            return _fail(f"The system refused: {error}. Check space and permissions.", 1)
    raise error


_NO_MEMORY = re.compile(r"out of memory|(can't|cannot) allocate memory|not enough memory", re.I)


def _out_of_memory() -> int:
    return _fail("Memory ran out. Give a smaller --batch-size, network or image size.", 1)


def _fail(message: str, status: int) -> int:
    sys.stdout.flush()
    print(f"equipoise: {message}", file=sys.stderr)
    return status
