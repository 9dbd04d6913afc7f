"""The scikit-learn edge keeps scikit-learn's contract, for each backbone and component."""

import pickle
from collections.abc import Iterator

import numpy as np
import pandas as pd
import pytest
import torch
from sklearn.base import clone
from sklearn.datasets import load_digits, make_classification
from sklearn.metrics import balanced_accuracy_score
from sklearn.model_selection import GridSearchCV
from sklearn.utils.estimator_checks import parametrize_with_checks

from equipoise import Classifier, InputError

SMALL = {"epochs": 15, "batch_size": 16, "validation": 0.0, "device": "cpu"}

ESTIMATORS = [
    Classifier(backbone="MLP(layers=1, width=16)", optimizer="AdamW(lr=0.03)", **SMALL),
    Classifier(
        backbone="TabularResNet(blocks=1, width=16)",
        optimizer="AdamW(lr=0.02)",
        scaling="robust",
        smoothing="ClassConditional(tail=0.1)",
        average=None,
        clip_norm=5.0,
        prior="balanced",
        **SMALL,
    ),
]

EXPECTED_FAILURES = {
    "check_sample_weight_equivalence_on_dense_data": (
        "an example of weight 0 still takes a place in a batch, as one that is left out does not"
    ),
}


@pytest.fixture(autouse=True)
def _one_thread() -> Iterator[None]:
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


@parametrize_with_checks(ESTIMATORS, expected_failed_checks=lambda _: EXPECTED_FAILURES)
def test_scikit_learn_checks(estimator, check):
    """Every check of scikit-learn passes, except those that are expected to fail by design."""
    check(estimator)


@pytest.fixture(scope="module")
def table():
    """A small imbalanced table: features and text labels."""
    X, y = make_classification(
        400, 8, n_informative=6, weights=[0.9], class_sep=1.5, random_state=0
    )
    return X, np.array(["common", "rare"])[y]


def quick(**params):
    return Classifier(**{"epochs": 12, "device": "cpu", "optimizer": "AdamW(lr=0.01)", **params})


def test_same_seed_gives_the_same_probabilities(table):
    """Two fits with one seed agree bit for bit; another seed gives others."""
    X, y = table
    first, second = (quick(random_state=1).fit(X, y).predict_proba(X) for _ in range(2))
    assert np.array_equal(first, second)
    assert not np.array_equal(first, quick(random_state=2).fit(X, y).predict_proba(X))


def test_fitting_leaves_global_random_state_alone(table):
    """torch's and numpy's global generators are where they were."""
    X, y = table
    before = torch.get_rng_state(), np.random.get_state()[1].tolist()  # noqa: NPY002
    quick(epochs=2).fit(X, y)
    assert torch.equal(before[0], torch.get_rng_state())
    assert before[1] == np.random.get_state()[1].tolist()  # noqa: NPY002


def test_balanced_prior_is_the_logit_shift(table):
    """Balanced probabilities are those of training divided by class frequency, normalised."""
    X, y = table
    model = quick().fit(X, y)
    by_hand = model.predict_proba(X) / model.model_.counts
    by_hand /= by_hand.sum(axis=1, keepdims=True)
    model.prior = "balanced"
    assert np.allclose(model.predict_proba(X), by_hand)
    series = pd.Series({"rare": 0.5, "common": 0.5})
    for prior in {"common": 0.5, "rare": 0.5}, [0.5, 0.5], np.array([0.5, 0.5]), series:
        model.prior = prior
        assert np.allclose(model.predict_proba(X), by_hand)
        assert clone(model).prior is not None
        assert "prior=" in repr(model)


def test_an_array_of_probabilities_has_the_order_of_the_classes(table):
    """As a list it is what the mapping from `classes_` to it is."""
    X, y = table
    model = quick(prior=[0.99, 0.01], epochs=2).fit(X, y)
    listed = model.predict_proba(X)
    model.prior = dict(zip(model.classes_, [0.99, 0.01], strict=True))
    assert np.array_equal(listed, model.predict_proba(X))
    model.prior = [0.01, 0.99]
    assert model.predict_proba(X)[:, 1].mean() > listed[:, 1].mean()


def test_balanced_prior_finds_more_of_the_rare_class(table):
    """The correction never lowers the number of examples that are called rare."""
    X, y = table
    model = quick().fit(X, y)
    as_trained = (model.predict(X) == "rare").sum()
    model.prior = "balanced"
    assert (model.predict(X) == "rare").sum() > as_trained


def test_learns_better_than_chance_on_a_table(table):
    """On separable data the balanced accuracy on unseen rows is far above 1/2."""
    X, y = table
    model = quick(prior="balanced").fit(X[:300], y[:300])
    assert balanced_accuracy_score(y[300:], model.predict(X[300:])) > 0.8


def test_dataframes_with_text_dates_and_missing_values_are_read():
    """Columns of every kind train, and unseen categories and missing values predict."""
    random = np.random.default_rng(0)
    n = 120
    y = random.integers(0, 2, n)
    frame = pd.DataFrame(
        {
            "number": np.where(random.random(n) < 0.2, np.nan, y + random.normal(0, 0.5, n)),
            "category": np.where(y == 1, "red", "blue"),
            "flag": y.astype(bool),
            "day": pd.Timestamp("2024-01-01") + pd.to_timedelta(random.integers(0, 99, n), "D"),
        }
    )
    model = quick().fit(frame, y)
    assert (model.predict(frame) == y).mean() > 0.9
    odd = frame.head(2).assign(category="never seen", number=np.nan)
    assert np.isfinite(model.predict_proba(odd)).all()
    assert model.feature_names_in_.tolist() == list(frame.columns)


def test_images_of_real_digits_are_learnt():
    """Real 8 x 8 digits are recognised from uint8 arrays with and without a channel axis."""
    digits = load_digits()
    images = (digits.images * 15.9375).astype(np.uint8)
    model = Classifier(epochs=6, device="cpu", backbone="ResNet(depth=8)").fit(
        images[:1200], digits.target[:1200]
    )
    predicted = model.predict(images[1200:])
    assert (predicted == digits.target[1200:]).mean() > 0.85
    assert np.array_equal(predicted, model.predict(images[1200:, ..., None]))


def test_every_automatic_choice_is_told_with_a_reason(table):
    """Nothing that was "auto" is left without a recorded value and a reason."""
    X, y = table
    model = Classifier(epochs=1, device="cpu").fit(X, y)
    fields = {choice.field for choice in model.choices_}
    automatic = {k for k, v in Classifier().get_params().items() if v == "auto"} - {"device"}
    assert fields == automatic - {"epochs"}
    assert all(choice.reason for choice in model.choices_)


def test_text_and_object_are_the_same_component(table):
    """A component given as text trains to the same model as the object it names."""
    from equipoise.standard.optimizers import AdamW  # noqa: PLC0415

    X, y = table
    text = quick(optimizer="AdamW(lr=0.02)").fit(X, y).predict_proba(X)
    given = quick(optimizer=AdamW(lr=0.02)).fit(X, y).predict_proba(X)
    assert np.array_equal(text, given)


def test_grid_search_tunes_components_and_clone_keeps_them(table):
    """`GridSearchCV` searches over texts of components; clones are equal."""
    X, y = table
    search = GridSearchCV(
        quick(epochs=2), {"optimizer": ["AdamW(lr=0.0)", "AdamW(lr=0.02)"]}, cv=2, n_jobs=1
    ).fit(X, y)
    assert search.best_params_ == {"optimizer": "AdamW(lr=0.02)"}
    assert clone(quick(clip_norm=1.0)).get_params() == quick(clip_norm=1.0).get_params()


@pytest.mark.parametrize(
    ("params", "name", "words"),
    [
        ({}, "optimizer__lr", "'auto'.*from equipoise.standard.optimizers import SGD"),
        ({"optimizer": "AdamW(lr=0.1)"}, "optimizer__lr", r"import AdamW; .*optimizer=AdamW\(\)"),
        ({"smoothing": None}, "smoothing__tail", "None.*import ClassConditional"),
        ({"batch_size": 16}, "batch_size__size", "16.*import BatchSize"),
        ({"optimizer": "nonsense("}, "optimizer__nonsense", "Set `optimizer` itself"),
        ({}, "epochs__x", "Set `epochs` itself"),
    ],
)
def test_fields_of_a_text_are_answered_with_the_object(table, params, name, words):
    """Searching a field of a component that is text says how to give it as an object."""
    X, y = table
    with pytest.raises(InputError, match=words):
        quick(**{"optimizer": "auto", **params}).set_params(**{name: 1})
    if name in ("optimizer__lr", "smoothing__tail"):
        search = GridSearchCV(quick(**{"optimizer": "auto", **params}), {name: [0.1]}, cv=2)
        with pytest.raises(InputError, match=words):
            search.fit(X, y)


def test_fields_of_an_object_can_be_searched(table):
    """Also where object and field are set at once; unknown parameters stay scikit-learn's."""
    from equipoise.standard.optimizers import SGD, AdamW  # noqa: PLC0415

    X, y = table
    search = GridSearchCV(
        quick(epochs=2, optimizer=AdamW()), {"optimizer__lr": [0.0, 0.02]}, cv=2, n_jobs=1
    ).fit(X, y)
    assert search.best_params_ == {"optimizer__lr": 0.02}
    model = Classifier().set_params(optimizer__lr=0.3, optimizer=SGD())
    assert repr(model.optimizer) == "SGD(lr=0.3)"
    with pytest.raises(ValueError, match="Invalid parameter"):
        Classifier().set_params(optimiser__lr=0.1)


def test_pickled_classifier_predicts_the_same(table):
    """The user may pickle a fitted classifier; it comes back whole."""
    X, y = table
    model = quick(epochs=2).fit(X, y)
    assert np.array_equal(
        pickle.loads(pickle.dumps(model)).predict_proba(X), model.predict_proba(X)
    )


@pytest.mark.parametrize(
    ("params", "words"),
    [
        ({"backbone": "MLPP"}, "Did you mean 'MLP'"),
        ({"backbone": "ResNet"}, "reads images"),
        ({"optimizer": "SGD(learning_rate=1)"}, "no `learning_rate`"),
        ({"optimizer": "__import__('os')"}, "Name(key=value"),
        ({"epochs": 0}, "whole number"),
        ({"epochs": 2.5}, "whole number"),
        ({"batch_size": -1}, "whole number"),
        ({"validation": 1.0}, "validation"),
        ({"monitor": "f1"}, "balanced_accuracy"),
        ({"device": "tpu"}, "device"),
        ({"precision": "fp8"}, "precision"),
        ({"scaling": "minmax"}, "scaling"),
        ({"augmentation": "CropFlip()"}, "table"),
        ({"loss": None}, "loss"),
        ({"prior": "uniform"}, "prior"),
        ({"prior": 0.5}, "prior"),
        ({"prior": [0.9]}, "each of common, rare"),
        ({"prior": [90, 10]}, "Divide each of them by 100"),
        ({"validation": "some"}, "validation"),
        ({"prior": {"common": 0.9}}, "rare"),
    ],
)
def test_bad_parameters_are_refused_in_words(table, params, words):
    """Each wrong parameter gives an `InputError` that names it or the remedy."""
    X, y = table
    with pytest.raises(InputError, match=words.replace("(", r"\(")):
        quick(**params).fit(X, y)


@pytest.mark.parametrize(
    "X",
    [
        np.zeros((6, 8, 8), np.float32),
        np.zeros((6, 8, 8, 2), np.uint8),
        np.zeros((6, 2, 8, 8, 3), np.uint8),
        np.zeros((6, 0, 8), np.uint8),
    ],
)
def test_arrays_that_are_no_images_are_refused(X):
    """More than two dimensions must be uint8 images with 1 or 3 channels."""
    with pytest.raises(InputError):
        quick().fit(X, np.arange(6) % 2)


def test_images_of_another_size_are_refused_at_prediction():
    """A model refuses images of a shape that it was not trained on."""
    images = np.zeros((8, 8, 8), np.uint8)
    model = quick(epochs=1, backbone="ResNet(depth=8)").fit(images, np.arange(8) % 2)
    with pytest.raises(InputError, match="8 x 8"):
        model.predict(np.zeros((2, 9, 9), np.uint8))


def test_zero_weights_everywhere_are_refused(table):
    """Training on nothing but zero weights is an error, not a division by zero."""
    X, y = table
    with pytest.raises(InputError, match="zero"):
        quick().fit(X, y, sample_weight=np.zeros(len(y)))


def test_weight_moves_the_boundary(table):
    """Weighting the rare class up makes the model believe in it more."""
    X, y = table
    plain = quick(validation=0.0, epochs=3).fit(X, y)
    weights = np.where(y == "rare", 20.0, 1.0)
    weighted = quick(validation=0.0, epochs=3).fit(X, y, sample_weight=weights)
    believed, before = (model.predict_proba(X)[:, 1].mean() for model in (weighted, plain))
    assert believed > 1.02 * before


def test_weights_and_balanced_prior_are_not_corrected_twice(table):
    """With weights that already balance the classes, the balanced prior changes nothing."""
    X, y = table
    weight = np.where(y == "rare", (y == "common").sum() / (y == "rare").sum(), 1.0)
    model = quick(validation=0.0).fit(X, y, sample_weight=weight)
    weighted = model.predict_proba(X)
    model.prior = "balanced"
    assert np.allclose(model.predict_proba(X), _as_balanced(model, X), atol=1e-6)
    model.prior = "none"
    assert np.allclose(model.predict_proba(X), _as_balanced(model, X), atol=1e-6)
    assert np.allclose(weighted, _as_balanced(model, X), atol=1e-6)


def test_smoothed_targets_are_corrected_from_their_own_prior(table):
    """With smoothing the logits contain the mean of the smoothed targets, not the class shares."""
    X, y = table
    model = quick(validation=0.0, smoothing="Uniform(eps=0.2)", prior="none").fit(X, y)
    share = (y == "rare").mean()
    smoothed = 0.8 * np.array([1 - share, share]) + 0.1
    assert np.allclose(model.model_.prior, smoothed)
    plain = model.predict_proba(X)
    model.prior = "balanced"
    corrected = plain / smoothed
    corrected /= corrected.sum(axis=1, keepdims=True)
    assert np.allclose(model.predict_proba(X), corrected, atol=1e-6)


def _as_balanced(model, X):
    logits = model.predict_logits(X).astype(float)
    powers = np.exp(logits - logits.max(axis=1, keepdims=True))
    return powers / powers.sum(axis=1, keepdims=True)
