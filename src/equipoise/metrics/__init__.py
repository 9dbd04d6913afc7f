"""Per-class and overall metrics with confidence intervals that admit small classes; numpy only.

How often the intervals of `evaluate` at level 0.95 covered the truth, in per cent of samples, in
simulations of 10 settings, each with the class shares of the data and with equal shares: from 2
classes of 5 examples to 100 classes of 3, mostly 10 classes of 2 to 10 and 100 examples, weak and
strong classifiers; 400 samples of each setting, 50 of the two largest. The lowest and the highest
setting are given; for metrics of a class, of the average over the classes.

===========================================  ==========
recall, precision (Wilson's interval)         90 to 98
F1                                            96 to 99
AUPRC                                         96 to 100
accuracy, balanced accuracy                   94 to 99
geometric mean, worst class                   96 to 100
macro F1                                      92 to 100
macro AUROC                                   96 to 100
macro AUPRC                                   94 to 100
log-loss, balanced log-loss                   95 to 100
Brier score                                   93 to 100
top-label and class-wise ECE                  98 to 100
===========================================  ==========

The lowest single class had 83 for recall and precision, with 2 or 10 examples and a true recall
close to 1, which is known of Wilson's interval, and 92 for F1.
``tests/metrics/test_coverage.py`` repeats a part of it.
"""

from equipoise.metrics.aggregates import (
    geometric_mean_interval as geometric_mean_interval,
)
from equipoise.metrics.aggregates import (
    mean_interval as mean_interval,
)
from equipoise.metrics.aggregates import (
    minimum_interval as minimum_interval,
)
from equipoise.metrics.calibration import calibration_error as calibration_error
from equipoise.metrics.calibration import reliability as reliability
from equipoise.metrics.confusion import class_scores as class_scores
from equipoise.metrics.confusion import confusion_matrix as confusion_matrix
from equipoise.metrics.evaluation import evaluate as evaluate
from equipoise.metrics.groups import groups_by_frequency as groups_by_frequency
from equipoise.metrics.intervals import clopper_pearson as clopper_pearson
from equipoise.metrics.intervals import wilson as wilson
from equipoise.metrics.losses import brier_scores as brier_scores
from equipoise.metrics.losses import log_losses as log_losses
from equipoise.metrics.margins import correct_logits as correct_logits
from equipoise.metrics.margins import is_as_trained as is_as_trained
from equipoise.metrics.margins import without_margins as without_margins
from equipoise.metrics.prior import parse_prior as parse_prior
from equipoise.metrics.prior import resolve_prior as resolve_prior
from equipoise.metrics.prior import shift_logits as shift_logits
from equipoise.metrics.ranking import auroc as auroc
from equipoise.metrics.ranking import average_precision as average_precision
from equipoise.metrics.sample import log_softmax as log_softmax
