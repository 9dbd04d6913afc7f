"""Methods made for imbalanced classes: what the standard components are compared with."""

from equipoise.specialized.losses import LDAM as LDAM
from equipoise.specialized.losses import LOSSES as LOSSES
from equipoise.specialized.losses import BalancedSoftmax as BalancedSoftmax
from equipoise.specialized.losses import Focal as Focal
from equipoise.specialized.losses import InfluenceBalanced as InfluenceBalanced
from equipoise.specialized.losses import LogitAdjusted as LogitAdjusted
from equipoise.specialized.losses import SpecializedLoss as SpecializedLoss
from equipoise.specialized.losses import VectorScaling as VectorScaling
from equipoise.specialized.mixing import MIXINGS as MIXINGS
from equipoise.specialized.mixing import Remix as Remix
from equipoise.specialized.posthoc import class_thresholds as class_thresholds
from equipoise.specialized.posthoc import ncm_logits as ncm_logits
from equipoise.specialized.posthoc import nearest_class_mean as nearest_class_mean
from equipoise.specialized.posthoc import tau_norm as tau_norm
from equipoise.specialized.samplers import SAMPLERS as SAMPLERS
from equipoise.specialized.samplers import ClassBalanced as ClassBalanced
from equipoise.specialized.samplers import Mixed as Mixed
from equipoise.specialized.samplers import PowerSampling as PowerSampling
from equipoise.specialized.samplers import Progressive as Progressive
from equipoise.specialized.samplers import Sampler as Sampler
from equipoise.specialized.samplers import SquareRoot as SquareRoot
from equipoise.specialized.weighting import WEIGHTINGS as WEIGHTINGS
from equipoise.specialized.weighting import EffectiveNumber as EffectiveNumber
from equipoise.specialized.weighting import Inverse as Inverse
from equipoise.specialized.weighting import Weighting as Weighting
