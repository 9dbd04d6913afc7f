"""References of resampling, of what is done to a head, and of other libraries' learners."""

from typing import Any

import imblearn.ensemble
import imblearn.over_sampling
import imblearn.under_sampling
import numpy as np
import pandas as pd
import torch
from lightgbm import LGBMClassifier
from reference_losses import Pairs
from scipy.spatial.distance import cdist
from sklearn.metrics import balanced_accuracy_score, f1_score
from sklearn.neighbors import NearestCentroid
from sklearn.utils.class_weight import compute_sample_weight
from torch import nn
from xgboost import XGBClassifier

from equipoise.metrics.prior import shift_logits
from equipoise.opponents import OPPONENTS, Limits, Rows
from equipoise.seeds import derive_seed
from equipoise.specialized import posthoc, resampling
from equipoise.specialized.factors import RowFactors
from equipoise.standard.constraints import project_rows

random = np.random.default_rng(0)

# Resampling, in float32


def table(n_numeric: int) -> tuple[np.ndarray, np.ndarray]:
    """Return encoded rows of five columns, numbers and then categories, and their classes."""
    codes = random.permutation(np.repeat(range(4), [70, 30, 12, 8]))
    numbers = random.standard_normal((120, n_numeric)) + codes[:, None]
    categories = (random.integers(0, 4, (120, 5 - n_numeric)) + codes[:, None]) % 6
    return np.hstack([numbers, categories]).astype(np.float32), codes


def resampled(own: Any, library: Any, n_numeric: int, wanted: list[int], **more: Any) -> Pairs:
    """Yield rows and classes as the package has them, and as one call of the library."""
    for seed in range(5):
        inputs, codes = table(n_numeric)
        found = own.resample(inputs, codes, n_numeric, seed)
        targets = dict(enumerate(wanted))
        rows, classes = library(sampling_strategy=targets, random_state=seed, **more).fit_resample(
            inputs, codes
        )
        yield np.concatenate([inputs[found.kept], found.made]), rows
        yield np.concatenate([codes[found.kept], found.made_codes]), classes


def over() -> Pairs:
    library, own = imblearn.over_sampling.RandomOverSampler, resampling.RandomOverSampling
    yield from resampled(own(), library, 3, [70] * 4)


def under() -> Pairs:
    library, own = imblearn.under_sampling.RandomUnderSampler, resampling.RandomUnderSampling
    yield from resampled(own(), library, 3, [8] * 4)


def smote() -> Pairs:
    yield from resampled(resampling.SMOTE(), imblearn.over_sampling.SMOTE, 5, [70] * 4)


def smotenc() -> Pairs:
    library, own = imblearn.over_sampling.SMOTENC, resampling.SMOTE()
    yield from resampled(own, library, 3, [70] * 4, categorical_features=[3, 4])


def smoten() -> Pairs:
    yield from resampled(resampling.SMOTE(), imblearn.over_sampling.SMOTEN, 0, [70] * 4)


def segments() -> Pairs:
    """Yield how far each row is from all segments to the five nearest rows of its class."""
    inputs, codes = table(5)
    found = resampling.SMOTE().resample(inputs, codes, 5, 0)
    for row, code in zip(found.made.astype(float), found.made_codes, strict=True):
        own = inputs[codes == code].astype(float)
        near = cdist(own, own).argsort(axis=1)[:, 1:6]
        start = np.repeat(own, 5, axis=0)
        along = own[near.ravel()] - start
        u = (((row - start) * along).sum(axis=1) / (along**2).sum(axis=1)).clip(0, 1)
        yield np.abs(start + u[:, None] * along - row).max(axis=1).min(), 0.0


# Heads


def scaled_rows() -> Pairs:
    """Yield logits of a head whose rows have factors, and the slopes that the factors get."""
    head, factors = nn.Linear(6, 4).double(), torch.from_numpy(random.uniform(0.5, 2, 4))
    own = RowFactors(head)
    own.values.data.copy_(factors)
    features = torch.from_numpy(random.standard_normal((40, 6)))
    logits = own(head, features)
    logits.square().sum().backward()
    assert own.values.grad is not None
    plain = features.numpy() @ head.weight.detach().numpy().T + head.bias.detach().numpy()
    yield logits.detach().numpy(), factors.numpy() * plain
    yield own.values.grad.numpy(), 2 * factors.numpy() * (plain**2).sum(axis=0)


def bounded_rows() -> Pairs:
    for shape in (10, 6), (8, 3, 3, 3):
        weight = torch.from_numpy(random.standard_normal(shape))
        expected = torch.renorm(weight, p=2, dim=0, maxnorm=1.5)
        project_rows(weight, 1.5)
        yield weight.numpy(), expected.numpy()


def logit_shift() -> Pairs:
    likelihood = random.random((400, 4))
    old, new = random.dirichlet(np.ones(4), size=2)
    proba = np.exp(shift_logits(np.log(likelihood * old), old, new))
    expected = likelihood * new / (likelihood * new).sum(axis=1, keepdims=True)
    yield proba / proba.sum(axis=1, keepdims=True), expected


def tau_norm() -> Pairs:
    weight, bias = random.standard_normal((10, 6)), random.standard_normal(10)
    for tau in 0.0, 0.3, 1.0:
        found = posthoc.tau_norm(weight, bias, tau)
        lengths = [sum(x * x for x in row) ** 0.5 for row in weight.tolist()]
        yield found[0], [row / length**tau for row, length in zip(weight, lengths, strict=True)]
        yield found[1], [b / length**tau for b, length in zip(bias, lengths, strict=True)]


def nearest_mean() -> Pairs:
    codes = np.arange(400) % 4
    features = random.standard_normal((400, 6)) + np.eye(4, 6)[codes]
    means = posthoc.nearest_class_mean(features, codes, 4)
    library = NearestCentroid().fit(features, codes)
    yield means, library.centroids_
    yield posthoc.ncm_logits(features, means), 1 - cdist(features, library.centroids_, "cosine")
    squares = cdist(features, library.centroids_, "sqeuclidean")
    found = posthoc.ncm_logits(features, means, metric="euclidean")
    yield found, -0.5 * squares
    yield found.argmax(axis=1), library.predict(features)


def thresholds() -> Pairs:
    """Yield the score of two classes that was reached, and the best of all offsets."""
    for _ in range(5):
        codes = (random.random(60) < 0.2).astype(int)
        logits = random.standard_normal((60, 2)) + np.eye(2)[codes] + [1.5, 0.0]
        gaps = np.sort(logits[:, 0] - logits[:, 1])
        places = [gaps[0] - 1, *(0.5 * (gaps[1:] + gaps[:-1])), gaps[-1] + 1]
        moved = [logits + np.array([0.0, place]) for place in places]
        found = logits + posthoc.class_thresholds(logits, codes)
        every = [balanced_accuracy_score(codes, each.argmax(axis=1)) for each in moved]
        yield balanced_accuracy_score(codes, found.argmax(axis=1)), max(every)
        found = logits + posthoc.class_thresholds(logits, codes, "macro_f1")
        every = [f1_score(codes, each.argmax(axis=1), average="macro") for each in moved]
        yield f1_score(codes, found.argmax(axis=1), average="macro"), max(every)


# Opponents: probabilities of 100 rows after training on 300, none of which is held out


def learnt() -> tuple[Rows, tuple[np.ndarray, ...]]:
    """Return a table, and its training rows, their classes and its test rows."""
    codes = random.choice(3, 400, p=[0.7, 0.2, 0.1])
    X = random.standard_normal((400, 5)) + codes[:, None]
    train, none, test = np.split(np.arange(400), [300, 300])
    rows = Rows(pd.DataFrame(X), codes, train, none, test, 3)
    return rows, (X[train], codes[train], X[test])


def answered(name: str, rows: Rows) -> np.ndarray:
    """Return the probabilities of an opponent with its default settings."""
    limits, metric = Limits(), "balanced_accuracy"
    answer = OPPONENTS[name].answer(rows, 0, limits=limits, metric=metric, search=False)
    return np.exp(answer.test)


def lightgbm() -> Pairs:
    rows, (X, codes, asked) = learnt()
    fixed = {"subsample_freq": 1, "deterministic": True, "force_row_wise": True, "verbose": -1}
    for name, weight in ("lightgbm", None), ("lightgbm-balanced", "balanced"):
        model = LGBMClassifier(class_weight=weight, random_state=0, n_jobs=1, **fixed)
        frames = [pd.DataFrame(part).add_prefix("c") for part in (X, asked)]
        yield answered(name, rows), model.fit(frames[0], codes).predict_proba(frames[1])


def xgboost() -> Pairs:
    rows, (X, codes, asked) = learnt()
    for name, weight in ("xgboost", None), ("xgboost-balanced", "balanced"):
        model = XGBClassifier(n_estimators=100, random_state=0, n_jobs=1, verbosity=0)
        model.fit(X, codes, sample_weight=compute_sample_weight(weight, codes))
        yield answered(name, rows), model.predict_proba(asked)


def floored(proba: Any) -> np.ndarray:
    """Return probabilities of at least 1e-4, as a forest's must be for a logarithm."""
    proba = np.clip(proba, 1e-4, 1)
    return proba / proba.sum(axis=1, keepdims=True)


def balanced_forest() -> Pairs:
    rows, (X, codes, asked) = learnt()
    build = imblearn.ensemble.BalancedRandomForestClassifier
    fixed = {"sampling_strategy": "all", "replacement": True, "bootstrap": False}
    model = build(**fixed, warm_start=True)
    for n in range(10, 101, 10):
        seed = derive_seed(0, "members", n - 10) % 2**32
        model.set_params(n_estimators=n, random_state=seed).fit(X, codes)
    yield answered("balanced-forest", rows), floored(model.predict_proba(asked))


def easy_ensemble() -> Pairs:
    rows, (X, codes, asked) = learnt()
    model = imblearn.ensemble.EasyEnsembleClassifier(random_state=0).fit(X, codes)
    yield answered("easy-ensemble", rows), floored(model.predict_proba(asked))
