"""Libraries that need not be installed."""

import importlib
import importlib.util
from types import ModuleType

from equipoise.errors import InputError


def imported(name: str, what: str = "A learner of another library") -> ModuleType:
    """Return a module of an optional library of the extra ``opponents``.

    Parameters
    ----------
    name : str
        The module.
    what : str, default="A learner of another library"
        What needs it, for the message.

    Raises
    ------
    InputError
        If the library is not installed.

    Examples
    --------
    >>> imported("nosuchlibrary")
    Traceback (most recent call last):
    ...
    equipoise.errors.InputError: ... `nosuchlibrary` is not. pip install "equipoise[opponents]"
    """
    try:
        return importlib.import_module(name)
    except ModuleNotFoundError as error:
        if (error.name or "").partition(".")[0] != name.partition(".")[0]:
            raise
        raise _absent(name, what) from None


def require(name: str, what: str) -> None:
    """Raise `InputError` if a library is not installed; nothing of it is imported.

    Parameters
    ----------
    name : str
        The library's top-level module.
    what : str
        What needs it, for the message.

    Examples
    --------
    >>> require("nosuchlibrary", "Dowsing")
    Traceback (most recent call last):
    ...
    equipoise.errors.InputError: Dowsing needs that library to be installed. `nosuchlibrary` ...
    """
    if importlib.util.find_spec(name) is None:
        raise _absent(name, what)


def _absent(name: str, what: str) -> InputError:
    return InputError(
        f"{what} needs that library to be installed.",
        f"`{name}` is not.",
        'pip install "equipoise[opponents]"',
    )
