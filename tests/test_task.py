"""Laws of the facts that automatic choices may depend on."""

import numpy as np
import pandas as pd

from equipoise.task import Task

CODES = np.repeat([0, 1, 2], [12, 6, 9])
KEPT = np.concatenate([np.arange(8), np.arange(12, 14), np.arange(18, 22)])


def test_facts_are_those_of_the_training_part() -> None:
    """Sizes of classes are counted where it is learnt, not where it is tested."""
    images = np.zeros((27, 5, 7, 3), np.uint8)
    task = Task(X=images, codes=CODES, n_classes=3, train=KEPT, validation=np.arange(14, 16))
    assert task.facts == {
        "kind": "images",
        "n_train": 14,
        "pixels": 35,
        "channels": 3,
        "n_classes": 3,
        "ratio": 4.0,
        "smallest": 2,
    }


def test_a_table_has_no_pixels() -> None:
    """Examples without labels count as training examples, and of no class."""
    table = pd.DataFrame({"a": np.zeros(27)})
    more = {"extra": table, "extra_rows": np.arange(5)}
    task = Task(X=table, codes=CODES, n_classes=3, train=KEPT, validation=KEPT[:0], **more)
    facts = task.facts
    assert (facts["kind"], facts["pixels"], facts["channels"]) == ("table", 0, 0)
    assert (facts["n_train"], facts["smallest"], facts["ratio"]) == (19, 2, 4.0)
