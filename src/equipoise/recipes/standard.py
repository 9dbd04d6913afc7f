"""Whole recipes of standard parts: the prescription, and what is usual."""

from dataclasses import replace

from equipoise.recipes.recipe import Recipe

PRESCRIBED = Recipe(
    name="prescribed",
    summary="The prescription: every setting follows from facts about the data, without a search.",
    source="Shwartz-Ziv et al. 2023; docs/log.md: the defaults measured on the test sets",
)

NAIVE = Recipe(
    name="naive",
    summary=(
        "What is usual for balanced data, taken over without a thought of imbalance: on images "
        "the network and the settings of the long-tailed benchmarks, made for 32 x 32 pixels and "
        "slow on many more, on tables the network of the prescription with the usual settings. "
        "Epochs are automatic."
    ),
    source="Cao et al. 2019 (plain cross-entropy); convention: the usual settings for tables",
    published=(
        "70.4 % on CIFAR-10 and 38.3 % on CIFAR-100, both of ratio 100, after 200 epochs with "
        "ResNet-32 (plain cross-entropy of Cao et al. 2019)"
    ),
    params={"average": None},
    images={
        "backbone": "ResNet(depth=32)",
        "augmentation": "CropFlip(padding=4, flip=True)",
        "optimizer": "SGD(lr=0.1, momentum=0.9, nesterov=False, weight_decay=0.0002)",
        "schedule": "Step(warmup=0.025, milestones=(0.8, 0.9), factor=0.01)",
        "batch_size": 128,
    },
    table={
        "backbone": "MLP(numeric=None)",
        "scaling": "standard",
        "optimizer": "AdamW(lr=0.001, weight_decay=0.01)",
        "schedule": "Constant(warmup=0.0)",
        "batch_size": 256,
    },
)

PLAIN = replace(
    NAIVE,
    name="plain",
    summary=(
        "Plain cross-entropy, the control of comparisons: the usual settings of `naive`, but the "
        "network of the prescription, so that a method over it is compared with nothing but the "
        "method left out."
    ),
    published=None,
    images={k: v for k, v in NAIVE.images.items() if k not in ("backbone", "augmentation")},
    within=("optimizer",),
)

STANDARD: tuple[Recipe, ...] = (PRESCRIBED, NAIVE, PLAIN)
"""The whole recipes; the first is the default."""
