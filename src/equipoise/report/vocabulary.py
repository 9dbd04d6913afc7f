"""What the metrics are called, what they mean, and how they are written."""

from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True)
class Metric:
    """A metric as the reader meets it.

    Parameters
    ----------
    label : str
        Name in tables.
    meaning : str
        One sentence for a reader who has never met it.
    as_percent : bool
        Whether it is a fraction that is written in percent.
    higher_is_better : bool
        Its direction.
    """

    label: str
    meaning: str = ""
    as_percent: bool = True
    higher_is_better: bool = True


METRICS = {
    "balanced_accuracy": Metric(
        label="Balanced accuracy", meaning="Mean recall over classes: each class counts the same."
    ),
    "accuracy": Metric(
        label="Accuracy",
        meaning="Share of right answers, with the class frequencies of the column: as trained, "
        "those of the test set; corrected, equal ones, so that it is the balanced accuracy.",
    ),
    "counted_accuracy": Metric(
        label="Accuracy on the test set as it is",
        meaning="Share of right answers where every test example counts once, in both columns.",
    ),
    "macro_f1": Metric(
        label="Macro-F1", meaning="Mean over classes of the harmonic mean of precision and recall."
    ),
    "g_mean": Metric(
        label="G-mean",
        meaning="Geometric mean of the recalls: zero if one class is never found.",
    ),
    "worst_class_recall": Metric(
        label="Worst-class recall",
        meaning="The smallest recall of any class. Its interval holds for the smallest of all "
        "recalls, whichever class has it, and so is not that of the class's own recall.",
    ),
    "macro_auroc": Metric(
        label="Macro-AUROC",
        meaning="Chance that an example of a class ranks above one of another; 0.5 is guessing.",
        as_percent=False,
    ),
    "macro_auprc": Metric(
        label="Macro-AUPRC",
        meaning="Area under the precision-recall curve; guessing gives the share of the class.",
        as_percent=False,
    ),
    "log_loss": Metric(
        label="Log-loss",
        meaning="Minus the mean log-probability of the right class, in nats.",
        as_percent=False,
        higher_is_better=False,
    ),
    "balanced_log_loss": Metric(
        label="Balanced log-loss",
        meaning="The same, averaged within each class first.",
        as_percent=False,
        higher_is_better=False,
    ),
    "brier": Metric(
        label="Brier score",
        meaning="Mean squared distance of the probabilities from the truth.",
        as_percent=False,
        higher_is_better=False,
    ),
    "top_label_ece": Metric(
        label="Top-label calibration error",
        meaning="How far the stated confidence is from the share of right answers, on average; "
        "0.01 is one percentage point.",
        as_percent=False,
        higher_is_better=False,
    ),
    "class_wise_ece": Metric(
        label="Class-wise calibration error",
        meaning="The same for the probability of every class, averaged over classes.",
        as_percent=False,
        higher_is_better=False,
    ),
}
"""The metrics of ``metrics.json``, and one counted from it, in the order of the report.

Those that the command line shows in per cent are shown so here, and the others are not.
"""

GROUPS = {
    "many": "more than 100 training examples",
    "medium": "20 to 100",
    "few": "fewer than 20",
    "largest": "the third with most training examples",
    "middle": "the third between",
    "smallest": "the third with fewest",
}
"""What the groups of classes are; thirds are used where the fixed limits part nothing."""


def metric(name: str) -> Metric:
    """Return how to show a metric; one that is not listed keeps its own name.

    >>> metric("macro_f1").label, metric("kappa").label
    ('Macro-F1', 'kappa')
    """
    return METRICS.get(name) or Metric(label=name, as_percent=False)
