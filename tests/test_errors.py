"""Laws of the one exception that users meet."""

import copy
import pickle

from hypothesis import given, settings
from hypothesis import strategies as st

from equipoise.errors import InputError, TrainingError

ERROR = InputError("Training needs two classes.", "There is one: 'cat'.", "Add another.")


def test_the_message_is_requirement_actual_and_remedy_in_that_order() -> None:
    """A reader learns what was needed, then what was found, then what to do."""
    assert str(ERROR) == "Training needs two classes. There is one: 'cat'. Add another."


def test_each_part_can_be_read_alone() -> None:
    """Programs get the three sentences apart."""
    assert ERROR.requirement == "Training needs two classes."
    assert ERROR.actual == "There is one: 'cat'."
    assert ERROR.remedy == "Add another."


def test_it_is_a_value_error() -> None:
    """Code that knows only scikit-learn's convention catches it too."""
    assert issubclass(InputError, ValueError)


@settings(deadline=None, derandomize=True)
@given(requirement=st.text(), actual=st.text(), remedy=st.text())
def test_copies_say_the_same(requirement: str, actual: str, remedy: str) -> None:
    """An error that crosses a process border, as joblib's do, arrives whole."""
    error = InputError(requirement, actual, remedy)
    for twin in pickle.loads(pickle.dumps(error)), copy.copy(error):
        assert type(twin) is InputError
        assert str(twin) == f"{requirement} {actual} {remedy}"
        assert (twin.requirement, twin.actual, twin.remedy) == (requirement, actual, remedy)


def test_failed_training_is_not_the_users_input() -> None:
    """The command line tells the two apart by their exit status, so neither is the other."""
    assert issubclass(TrainingError, RuntimeError)
    assert not issubclass(TrainingError, ValueError)
    assert not issubclass(InputError, RuntimeError)
