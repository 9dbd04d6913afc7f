"""Libraries that need not be installed."""

import importlib
from types import ModuleType

from equipoise.errors import InputError


def imported(name: str) -> ModuleType:
    """Return a module of an optional library.

    Raises
    ------
    InputError
        If it is not installed.

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
        raise InputError(
            "A learner of another library needs that library to be installed.",
            f"`{name}` is not.",
            'pip install "equipoise[opponents]"',
        ) from None
