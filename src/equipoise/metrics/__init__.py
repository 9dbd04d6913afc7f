"""Per-class and overall metrics with confidence intervals that admit small classes; numpy only."""

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
from equipoise.metrics.prior import parse_prior as parse_prior
from equipoise.metrics.prior import shift_logits as shift_logits
from equipoise.metrics.ranking import auroc as auroc
from equipoise.metrics.ranking import average_precision as average_precision
from equipoise.metrics.sample import log_softmax as log_softmax
