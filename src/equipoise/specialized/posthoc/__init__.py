"""Methods that act after training, on the head alone."""

from equipoise.specialized.posthoc.base import Evidence as Evidence
from equipoise.specialized.posthoc.base import HeadChange as HeadChange
from equipoise.specialized.posthoc.base import PostHoc as PostHoc
from equipoise.specialized.posthoc.means import NearestMean as NearestMean
from equipoise.specialized.posthoc.means import ncm_logits as ncm_logits
from equipoise.specialized.posthoc.means import nearest_class_mean as nearest_class_mean
from equipoise.specialized.posthoc.offsets import Score as Score
from equipoise.specialized.posthoc.offsets import class_thresholds as class_thresholds
from equipoise.specialized.posthoc.rows import TauNorm as TauNorm
from equipoise.specialized.posthoc.rows import tau_norm as tau_norm
from equipoise.specialized.posthoc.thresholds import Thresholds as Thresholds

POSTHOCS: dict[str, type[PostHoc]] = {
    "TauNorm": TauNorm,
    "NearestMean": NearestMean,
    "Thresholds": Thresholds,
}
"""Methods after training by name."""
