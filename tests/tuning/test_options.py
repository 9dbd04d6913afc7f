"""Laws of options: what cannot be searched is refused at once, in words."""

import math
from typing import Any

import numpy as np
import pytest

from equipoise.errors import InputError
from equipoise.selection import MONITORS
from equipoise.tuning.options import Options


@pytest.mark.parametrize(
    "options",
    [
        {},
        *({"metrics": (metric,)} for metric in MONITORS),
        {"metrics": ("accuracy", "g_mean", "seconds")},
        {"roles": ("mixing",), "n_trials": 1, "n_folds": 1, "sampler": "random"},
        {"n_trials": np.int64(3), "ensemble": np.int32(1)},
    ],
)
def test_every_metric_can_be_searched_for(options: dict[str, Any]) -> None:
    """All that can choose an epoch, alone or with others, and seconds after them."""
    Options(budget=60.0, **options).validate()


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"metrics": ("nonsense",)}, "for 'nonsense'"),
        ({"metrics": ("accuracy", "noise")}, "for 'noise'"),
        ({"metrics": ("seconds",)}, "the first is a score"),
        ({"metrics": ("seconds", "accuracy")}, "the first is a score"),
        ({"metrics": ("accuracy", "accuracy")}, "name each once"),
        ({"roles": ("mixing", "epochs")}, "'epochs'"),
        ({"n_trials": 0}, "number of trials .* It is 0"),
        ({"n_folds": -1}, "number of folds .* It is -1"),
        ({"n_folds": "5"}, "whole number .* It is '5'"),
        ({"n_trials": 2.5}, "whole number .* It is 2.5"),
        ({"n_trials": True}, "whole number .* It is True"),
        ({"n_trials": math.nan}, "whole number .* It is nan"),
        ({"ensemble": None}, "whole number .* It is None"),
        ({"ensemble": 1.0}, "whole number .* It is 1.0"),
        ({"sampler": "grid"}, "one of tpe, random. It was given as 'grid'"),
        ({"sampler": "rendom"}, "Did you mean 'random'"),
    ],
)
def test_what_would_fail_later_is_refused(options: dict[str, Any], words: str) -> None:
    """A search for an unknown metric would spend its time on trials that all fail."""
    with pytest.raises(InputError, match=words):
        Options(budget=60.0, **options).validate()
