"""Recipes of methods made for imbalanced classes, each to go over a whole recipe."""

from typing import Any

from equipoise.recipes.recipe import Recipe
from equipoise.recipes.standard import PLAIN

NET = "ResNet-32, ratio 100, top-1 on balanced tests"
"""Conditions of the published results."""

LARGE = "ImageNet-LT (ResNeXt-50, 90 epochs, top-1 on balanced tests"
"""Conditions of those of Kang et al. 2020, up to a remark and the bracket."""


def _over_plain(name: str, summary: str, source: str, **told: Any) -> Recipe:
    return Recipe(name=name, summary=summary, source=source, base=PLAIN.name, **told)


_LDAM = {"loss": "LDAM(scale=30.0)", "head": "Cosine(scale=30.0)"}

LOSSES: tuple[Recipe, ...] = (
    _over_plain(
        "weighted",
        "The loss of each class weighs inversely to its size.",
        "convention: class_weight='balanced' of scikit-learn",
        params={"weighting": "Inverse()"},
        within=("weighting",),
    ),
    _over_plain(
        "effective-number",
        "The loss of each class weighs by the effective number of its examples.",
        "Cui et al. 2019",
        published=f"72.4 % on CIFAR-10 and 34.0 % on CIFAR-100 ({NET}; by Cao et al. 2019)",
        params={"weighting": "EffectiveNumber()"},
        within=("weighting",),
    ),
    _over_plain(
        "focal",
        "Easy examples count less.",
        "Lin et al. 2017",
        published=(
            f"70.4 % on CIFAR-10 and 38.4 % on CIFAR-100 ({NET}; by Cao et al. 2019, with gamma 1)"
        ),
        params={"loss": "Focal()"},
        within=("loss",),
    ),
    _over_plain(
        "ldam",
        "Rare classes must win by a larger margin.",
        "Cao et al. 2019",
        published=f"73.4 % on CIFAR-10 and 39.6 % on CIFAR-100 ({NET})",
        params=_LDAM,
        within=("loss",),
    ),
    _over_plain(
        "balanced-softmax",
        "The logarithm of the class shares is added to the logits in training.",
        "Ren et al. 2020",
        published=f"77.5 % on CIFAR-10 and 43.0 % on CIFAR-100 ({NET}; not of its own paper)",
        params={"loss": "BalancedSoftmax()"},
    ),
    _over_plain(
        "logit-adjusted",
        "As balanced softmax, with a strength.",
        "Menon et al. 2021",
        published=(
            f"77.7 % on CIFAR-10 and 43.9 % on CIFAR-100 ({NET}), 51.1 % on ImageNet-LT "
            "(ResNet-50), all with strength 1"
        ),
        params={"loss": "LogitAdjusted()"},
        within=("loss",),
    ),
    _over_plain(
        "vector-scaling",
        "The logit of each class is scaled and shifted.",
        "Kini et al. 2021",
        published=f"80.8 % on CIFAR-10 and 43.5 % on CIFAR-100 ({NET}; with tuned numbers)",
        params={"loss": "VectorScaling()"},
        within=("loss",),
    ),
    _over_plain(
        "influence-balanced",
        "Examples that move the boundary much count less, in the second half of training.",
        "Park et al. 2021",
        published=f"78.3 % on CIFAR-10 and 42.1 % on CIFAR-100 ({NET}; with class weights)",
        params={"weighting": "Inverse()"},
        images={"loss": "InfluenceBalanced(alpha=162.0)", "stages": "DeferredLoss(rate=0.01)"},
        table={"loss": "InfluenceBalanced()", "stages": "DeferredLoss()"},
        within=("loss", "stages"),
    ),
)

SAMPLERS: tuple[Recipe, ...] = (
    _over_plain(
        "class-balanced-sampling",
        "All classes are shown equally often.",
        "Kang et al. 2020",
        published=(
            f"45.1 % on {LARGE}); 72.5 % on CIFAR-10 and 35.2 % on CIFAR-100 ({NET}; not of its "
            "own paper)"
        ),
        params={"sampler": "ClassBalanced()"},
    ),
    _over_plain(
        "power-sampling",
        "Classes are shown by a power of their size, by default its square root.",
        "Kang et al. 2020",
        published=f"46.8 % on {LARGE}; square root)",
        params={"sampler": "PowerSampling()"},
        within=("sampler",),
    ),
    _over_plain(
        "progressive-sampling",
        "From the data as they are to balanced classes in the last epoch.",
        "Kang et al. 2020",
        published=f"47.2 % on {LARGE})",
        params={"sampler": "Progressive()"},
    ),
    _over_plain(
        "remix",
        "Mixup whose mixtures may belong to their rare class entirely.",
        "Chou et al. 2020",
        params={"mixing": "Remix()"},
        within=("mixing",),
    ),
    _over_plain(
        "cmo",
        "CutMix that pastes regions of rare examples into others.",
        "Park et al. 2022",
        published=f"43.9 % on CIFAR-100 ({NET}; with plain cross-entropy)",
        params={"mixing": "CMO()"},
        within=("mixing",),
    ),
)

RESAMPLED: tuple[Recipe, ...] = (
    _over_plain(
        "smote",
        "Rows of rare classes are made between neighbours, until all classes are as large.",
        "Chawla et al. 2002",
        params={"resampling": "SMOTE()"},
        within=("resampling",),
        kinds=("table",),
    ),
    _over_plain(
        "over-sampling",
        "Rows of rare classes are repeated, until all classes are as large.",
        "convention: RandomOverSampler of imbalanced-learn",
        params={"resampling": "RandomOverSampling()"},
        within=("resampling",),
        kinds=("table",),
    ),
    _over_plain(
        "under-sampling",
        "Rows of common classes are left out, until all classes are as small.",
        "convention: RandomUnderSampler of imbalanced-learn",
        params={"resampling": "RandomUnderSampling()"},
        within=("resampling",),
        kinds=("table",),
    ),
)

STAGED: tuple[Recipe, ...] = (
    _over_plain(
        "drw",
        "Weights by the effective number begin late.",
        "Cao et al. 2019",
        params={"stages": "DRW()", "weighting": "EffectiveNumber()"},
        within=("stages", "weighting"),
    ),
    _over_plain(
        "ldam-drw",
        "Margins by class size, and weights by the effective number that begin late.",
        "Cao et al. 2019",
        published=f"77.0 % on CIFAR-10 and 42.0 % on CIFAR-100 ({NET})",
        params={**_LDAM, "stages": "DRW()", "weighting": "EffectiveNumber()"},
        within=("loss", "stages", "weighting"),
    ),
    _over_plain(
        "drs",
        "Class-balanced sampling begins late.",
        "Cao et al. 2019",
        params={"stages": "DRS()", "sampler": "ClassBalanced()"},
        within=("stages",),
    ),
    _over_plain(
        "crt",
        "A new head is trained alone, on class-balanced samples.",
        "Kang et al. 2020",
        published=f"49.6 % on {LARGE}; then 10 for the head)",
        params={"stages": "CRT()", "sampler": "ClassBalanced()"},
        within=("stages",),
    ),
    _over_plain(
        "lws",
        "A factor for each class of the head is learnt alone, on class-balanced samples.",
        "Kang et al. 2020",
        published=f"49.9 % on {LARGE}; then 5 for the factors)",
        params={"sampler": "ClassBalanced()"},
        images={"stages": "LWS()"},
        table={"stages": "LWS(rate=100.0)"},
        within=("stages",),
    ),
    _over_plain(
        "mislas",
        "Mixup, then the head alone, on class-balanced samples with smoothing by class size.",
        "Zhong et al. 2021",
        published=(
            f"82.5 % on CIFAR-10 and 47.0 % on CIFAR-100 ({NET}; authors' code), of the full "
            "method: it also learns a factor for each row of the head, on CIFAR-100 it measures "
            "batch norm anew on balanced samples and smooths from 0.4 to 0.1, and its smoothing "
            "between the largest and the smallest class follows another curve"
        ),
        params={
            "stages": "MiSLAS()",
            "sampler": "ClassBalanced()",
            "mixing": "Mixup(alpha=1.0)",
        },
        within=("stages", "mixing"),
    ),
    _over_plain(
        "m2m",
        "Late in training, images of common classes are turned into rare ones by their gradient.",
        "Kim et al. 2020",
        params={"stages": "M2m()", "sampler": "ClassBalanced()"},
        within=("stages",),
        kinds=("images",),
    ),
    _over_plain(
        "weight-balancing",
        "Strong weight decay, then the head alone with class weights and bounded norms.",
        "Alshammari et al. 2022",
        published="53.4 % on CIFAR-100 (ResNet-34, ratio 100, top-1 on balanced tests)",
        params={"weighting": "EffectiveNumber()", "constraint": "MaxNorm(share=0.1)"},
        images={
            "stages": "WeightBalancing(decay=0.1)",
            "optimizer": "SGD(lr=0.01, momentum=0.9, nesterov=False, weight_decay=0.005)",
            "schedule": "Cosine(warmup=0.0)",
            "batch_size": 64,
        },
        table={
            "stages": "WeightBalancing()",
            "optimizer": "AdamW(lr=0.001, weight_decay=0.1)",
        },
        within=("stages", "weighting", "optimizer"),
    ),
)

# They choose their own number on held-out examples once a network is trained, so a search over
# it, which would train a network for each, has nothing to do.
POSTHOC: tuple[Recipe, ...] = (
    _over_plain(
        "tau-norm",
        "After training, the rows of the head are divided by a power of their lengths.",
        "Kang et al. 2020",
        published=f"49.4 % on {LARGE})",
        params={"posthoc": "TauNorm()"},
    ),
    _over_plain(
        "ncm",
        "After training, the head is replaced by the nearest mean of each class.",
        "Kang et al. 2020",
        published=f"47.3 % on {LARGE})",
        params={"posthoc": "NearestMean()"},
    ),
    _over_plain(
        "thresholds",
        "After training, an offset for each class is fitted on held-out examples.",
        "convention: decision thresholds are moved on validation data",
        params={"posthoc": "Thresholds()"},
    ),
)

SPECIALIZED: tuple[Recipe, ...] = (*LOSSES, *SAMPLERS, *RESAMPLED, *STAGED, *POSTHOC)
"""Methods made for imbalanced classes."""
