"""Errors that tell the user the requirement, the actual value and the remedy."""


class InputError(ValueError):
    """Input that cannot be used, told as requirement, actual value and remedy.

    The command line prints it without a traceback and ends with exit code 2.

    Parameters
    ----------
    requirement : str
        What was needed, as a sentence.
    actual : str
        What was found instead, as a sentence.
    remedy : str
        What the user can do, as a sentence.

    Examples
    --------
    >>> raise InputError("It needs two classes.", "There is one: 'cat'.", "Add another.")
    Traceback (most recent call last):
    ...
    equipoise.errors.InputError: It needs two classes. There is one: 'cat'. Add another.
    """

    def __init__(self, requirement: str, actual: str, remedy: str) -> None:
        super().__init__(requirement, actual, remedy)
        self.requirement = requirement
        self.actual = actual
        self.remedy = remedy

    def __str__(self) -> str:
        return f"{self.requirement} {self.actual} {self.remedy}"


class TrainingError(RuntimeError):
    """Training that was asked for correctly and failed all the same, such as by divergence.

    The command line prints it without a traceback and ends with exit code 1.
    """
