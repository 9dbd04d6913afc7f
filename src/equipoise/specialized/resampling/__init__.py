"""Resampling of tables: training rows that are repeated, left out or made before training."""

from equipoise.specialized.resampling.base import Resampled as Resampled
from equipoise.specialized.resampling.base import Resampling as Resampling
from equipoise.specialized.resampling.random import RandomOverSampling as RandomOverSampling
from equipoise.specialized.resampling.random import RandomUnderSampling as RandomUnderSampling
from equipoise.specialized.resampling.smote import SMOTE as SMOTE

RESAMPLINGS: dict[str, type[Resampling]] = {
    "RandomOverSampling": RandomOverSampling,
    "RandomUnderSampling": RandomUnderSampling,
    "SMOTE": SMOTE,
}
"""Resamplings by name."""
