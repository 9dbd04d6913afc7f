"""Laws of the whole evaluation."""

import json
import subprocess
import sys
import time

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn import metrics as reference

from equipoise.errors import InputError
from equipoise.metrics import evaluate
from equipoise.metrics.sample import log_softmax

OVERALL = {
    "accuracy",
    "balanced_accuracy",
    "macro_f1",
    "g_mean",
    "worst_class_recall",
    "macro_auroc",
    "macro_auprc",
    "log_loss",
    "balanced_log_loss",
    "brier",
    "top_label_ece",
    "class_wise_ece",
}


def evaluated(logits, codes, *, train_counts=None, **settings):
    n_classes = np.shape(logits)[1]
    return evaluate(
        logits,
        codes,
        classes=[f"c{k}" for k in range(n_classes)],
        train_counts=[50] * n_classes if train_counts is None else train_counts,
        **({"n_bootstrap": 20} | settings),
    )


def random_case(seed, n=60, n_classes=3):
    rng = np.random.default_rng(seed)
    codes = np.concatenate([np.arange(n_classes), rng.integers(0, n_classes, n - n_classes)])
    return rng.normal(size=(n, n_classes)) + 1.5 * np.eye(n_classes)[codes], codes


def all_estimates(result):
    yield from result["overall"].values()
    yield from (group["recall"] for group in result["groups"].values())
    for row in result["per_class"]:
        yield from (row[name] for name in ("precision", "recall", "f1", "auprc"))


def values(result):
    return {name: estimate["value"] for name, estimate in result["overall"].items()}


def scikit_learn_values(logits, codes, weights):
    """The same metrics by scikit-learn, from shifted logits and example weights."""
    proba, every = np.exp(log_softmax(logits)), range(logits.shape[1])
    predicted = logits.argmax(axis=1)
    one_hot = codes[:, None] == np.arange(logits.shape[1])
    recall = reference.recall_score(codes, predicted, average=None)
    pairs = [(one_hot[:, k], proba[:, k]) for k in every]
    alike = (weights / np.bincount(codes, weights)[codes]) / len(every)
    return {
        "accuracy": reference.accuracy_score(codes, predicted, sample_weight=weights),
        "balanced_accuracy": reference.balanced_accuracy_score(codes, predicted),
        "macro_f1": reference.f1_score(codes, predicted, average="macro", sample_weight=weights),
        "g_mean": np.prod(recall) ** (1 / len(every)),
        "worst_class_recall": recall.min(),
        "macro_auroc": np.mean(
            [reference.roc_auc_score(*pair, sample_weight=weights) for pair in pairs]
        ),
        "macro_auprc": np.mean(
            [reference.average_precision_score(*pair, sample_weight=weights) for pair in pairs]
        ),
        "log_loss": reference.log_loss(codes, proba, sample_weight=weights),
        "balanced_log_loss": reference.log_loss(codes, proba, sample_weight=alike),
        "brier": reference.brier_score_loss(
            codes, proba, sample_weight=weights, scale_by_half=False, labels=list(every)
        ),
    }


@pytest.mark.parametrize("prior", [None, [0.6, 0.3, 0.1], [0.1, 0.2, 0.7]])
def test_values_agree_with_weighted_scikit_learn(prior):
    """A prior shifts the logits and weights the examples; the rest is scikit-learn's metrics."""
    logits, codes = random_case(0)
    train, weights = np.array([70, 20, 10]), np.ones(60)
    found = values(evaluated(logits, codes, train_counts=train, prior=prior))
    if prior is not None:
        logits = logits + np.log(prior) - np.log(train / 100)
        weights = (np.array(prior) / np.bincount(codes))[codes]
    for name, expected in scikit_learn_values(logits, codes, weights).items():
        assert found[name] == pytest.approx(expected), name


def test_prior_of_training_and_data_changes_nothing():
    """A prior equal to the shares in training and in the data leaves all metrics as they are."""
    logits, codes = random_case(1)
    counts = np.bincount(codes)
    plain = evaluated(logits, codes, train_counts=counts)
    same = evaluated(logits, codes, train_counts=counts, prior=counts / 60)
    assert values(same) == pytest.approx(values(plain))
    assert same["prior"] == pytest.approx({f"c{k}": counts[k] / 60 for k in range(3)})


def test_result_is_complete_plain_data():
    """The result survives JSON unchanged, without NaN, and names all that was promised."""
    logits, codes = random_case(2)
    result = evaluated(logits, codes, train_counts=np.array([200, 50, 5]), prior=[0.2, 0.2, 0.6])
    assert json.loads(json.dumps(result, allow_nan=False)) == result
    assert set(result["overall"]) == OVERALL
    assert {name: group["classes"] for name, group in result["groups"].items()} == {
        "many": ["c0"],
        "medium": ["c1"],
        "few": ["c2"],
    }
    assert [row["n_train"] for row in result["per_class"]] == [200, 50, 5]
    assert [row["group"] for row in result["per_class"]] == ["many", "medium", "few"]
    assert [sum(row) for row in result["confusion"]] == np.bincount(codes).tolist()
    assert (result["n"], result["level"], result["n_bootstrap"], result["seed"]) == (
        60,
        0.95,
        20,
        0,
    )
    assert len(result["reliability"]) == 15


@given(seed=st.integers(0, 10_000), n=st.integers(1, 25), n_classes=st.integers(2, 5))
@settings(deadline=None, derandomize=True, max_examples=40)
def test_intervals_enclose_values_within_bounds(seed, n, n_classes):
    """Every interval encloses its value and has a width; proportions lie in [0, 1]."""
    rng = np.random.default_rng(seed)
    prior = rng.dirichlet(np.ones(n_classes) * 3) if seed % 2 else None
    logits, codes = rng.normal(0, 3, (n, n_classes)), rng.integers(0, n_classes, n)
    result = evaluated(logits, codes, prior=prior)
    json.dumps(result, allow_nan=False)
    for estimate in all_estimates(result):
        if estimate["value"] is None:
            assert estimate["low"] is estimate["high"] is None
        else:
            assert 0 <= estimate["low"] <= estimate["value"] <= estimate["high"]
            assert estimate["high"] - estimate["low"] > 1e-4
    for name in OVERALL - {"log_loss", "balanced_log_loss", "brier"}:
        assert (result["overall"][name]["high"] or 0) <= 1 + 1e-12


@pytest.mark.parametrize("prior", [None, [0.5, 0.3, 0.2]])
def test_order_of_examples_does_not_matter(prior):
    """Shuffled examples give the same values, and intervals up to the noise of resampling."""
    logits, codes = random_case(3)
    order = np.random.default_rng(0).permutation(60)
    first = evaluated(logits, codes, prior=prior, n_bootstrap=400)
    second = evaluated(logits[order], codes[order], prior=prior, n_bootstrap=400)
    assert values(first) == pytest.approx(values(second))
    assert first["confusion"] == second["confusion"]
    for one, other in zip(all_estimates(first), all_estimates(second), strict=True):
        assert list(one.values()) == pytest.approx(list(other.values()), abs=0.02)


def test_renaming_classes_does_not_matter():
    """Classes in another order give the same overall values, and their rows move along."""
    logits, codes = random_case(4)
    order = np.array([2, 0, 1])
    train, prior = np.array([30, 20, 10]), np.array([0.2, 0.3, 0.5])
    first = evaluated(logits, codes, train_counts=train, prior=prior)
    moved = np.argsort(order)[codes]
    second = evaluated(logits[:, order], moved, train_counts=train[order], prior=prior[order])
    assert values(first) == pytest.approx(values(second))
    recalls = [[row["recall"] for row in result["per_class"]] for result in (first, second)]
    assert recalls[1] == [recalls[0][k] for k in order]


def test_better_predictions_score_better():
    """Raising the true logits raises every score and lowers every loss."""
    logits, codes = random_case(5)
    worse = values(evaluated(logits, codes))
    better = values(evaluated(logits + 1.5 * np.eye(3)[codes], codes))
    for name in OVERALL - {"top_label_ece", "class_wise_ece"}:
        lower_is_better = "loss" in name or name == "brier"
        assert (better[name] < worse[name]) == lower_is_better, name


def test_balanced_prior_favours_the_rare_class():
    """Moving from the training shares to equal ones raises the recall of the rare class."""
    logits, codes = random_case(6, n=200, n_classes=2)
    train = [95, 5]
    plain, balanced = (
        evaluated(logits, codes, train_counts=train, prior=prior)["per_class"]
        for prior in ([0.95, 0.05], [0.5, 0.5])
    )
    assert balanced[1]["recall"]["value"] > plain[1]["recall"]["value"]
    assert balanced[0]["recall"]["value"] < plain[0]["recall"]["value"]


def test_perfect_predictions_are_perfect_but_not_certain():
    """All right gives the best values, and small classes keep wide intervals."""
    codes = np.array([0] * 50 + [1] * 3)
    overall = evaluated(20 * np.eye(2)[codes], codes)["overall"]
    for name in OVERALL - {"log_loss", "balanced_log_loss", "brier"}:
        best = 0 if "ece" in name else 1
        assert overall[name]["value"] == pytest.approx(best, abs=1e-6), name
    assert overall["balanced_accuracy"]["low"] < 0.75
    assert overall["worst_class_recall"]["low"] < 0.4
    assert overall["macro_auprc"]["low"] < 0.8
    assert overall["balanced_log_loss"]["high"] > 0.5


def test_always_wrong_predictions_are_zero_but_not_certain():
    """Without one success the scores are 0, and their upper ends are not."""
    codes = np.array([0, 0, 0, 1, 1])
    overall = evaluated(-3 * np.eye(2)[codes], codes)["overall"]
    for name in ("accuracy", "balanced_accuracy", "macro_f1", "g_mean", "worst_class_recall"):
        assert overall[name]["value"] == 0
        assert overall[name]["low"] == 0
        assert overall[name]["high"] > 0.3, name


def test_one_present_class_leaves_the_others_undefined():
    """Means go over the classes that have examples; rankings need two of them."""
    result = evaluated(np.array([[2.0, 0, 0], [0, 0, 2.0]]), [0, 0], prior=[0.5, 0.3, 0.2])
    nothing = {"value": None, "low": None, "high": None}
    assert result["overall"]["balanced_accuracy"]["value"] == 0.5
    assert result["overall"]["macro_auroc"] == result["overall"]["macro_auprc"] == nothing
    for row in result["per_class"][1:]:
        assert row["recall"] == row["precision"] == row["f1"] == row["auprc"] == nothing
    assert result["per_class"][0]["precision"]["value"] == 1


def test_group_recall_is_the_mean_of_its_classes():
    """A group's recall is the mean of its classes' recalls, with an interval of its own."""
    logits, codes = random_case(10)
    result = evaluated(logits, codes, train_counts=[500, 10, 5])
    recalls = [row["recall"]["value"] for row in result["per_class"]]
    assert result["groups"]["many"]["recall"]["value"] == pytest.approx(recalls[0])
    assert result["groups"]["few"]["recall"]["value"] == pytest.approx(np.mean(recalls[1:]))
    assert result["groups"]["few"]["classes"] == ["c1", "c2"]


def test_group_without_examples_is_undefined():
    """A group all of whose classes are absent from the data has no recall."""
    result = evaluated(np.eye(2)[[0, 0]], [0, 0], train_counts=[500, 5])
    assert result["groups"]["few"] == {
        "classes": ["c1"],
        "recall": {"value": None, "low": None, "high": None},
    }


def test_single_example_says_next_to_nothing():
    """One example gives a value and an interval that is nearly all there is."""
    accuracy = evaluated(np.array([[1.0, 0.0]]), [0])["overall"]["accuracy"]
    assert accuracy["value"] == accuracy["high"] == 1
    assert accuracy["low"] < 0.25


@pytest.mark.parametrize("scale", [0.0, 1e4])
def test_extreme_and_empty_logits_stay_finite(scale):
    """Logits of 10,000, and logits that are all 0, give finite numbers."""
    logits, codes = random_case(7, n=20)
    result = evaluated(scale * np.sign(logits), codes, prior=[0.2, 0.3, 0.5])
    known = [estimate for estimate in all_estimates(result) if estimate["value"] is not None]
    assert len(known) > 20
    assert np.isfinite([list(estimate.values()) for estimate in known]).all()


def test_level_widens_the_intervals():
    """More confidence needs wider intervals around the same values."""
    logits, codes = random_case(8)
    narrow, wide = (evaluated(logits, codes, level=level) for level in (0.8, 0.99))
    for one, other in zip(all_estimates(narrow), all_estimates(wide), strict=True):
        assert one["value"] == other["value"]
        assert other["low"] <= one["low"]
        assert one["high"] <= other["high"]
        assert other["high"] - other["low"] > one["high"] - one["low"]


def test_same_seed_same_result():
    """The result is decided by its arguments."""
    logits, codes = random_case(9)
    assert evaluated(logits, codes, seed=5) == evaluated(logits, codes, seed=5)
    assert evaluated(logits, codes, seed=5) != evaluated(logits, codes, seed=6)


@pytest.mark.parametrize(
    ("settings", "complaint"),
    [
        ({"level": 1.0}, "confidence level"),
        ({"level": float("nan")}, "confidence level"),
        ({"n_bootstrap": 5}, "at least 10 resamples"),
        ({"seed": -1}, "seed"),
        ({"classes": ["a", "a"]}, "different class names"),
        ({"classes": ["a"]}, "different class names"),
    ],
)
def test_unusable_settings_are_refused(settings, complaint):
    """Settings out of range are refused with what was needed."""
    arguments = {"classes": ["a", "b"], "train_counts": [1, 1]} | settings
    with pytest.raises(InputError, match=complaint):
        evaluate(np.eye(2), [0, 1], **arguments)


def test_ten_thousand_examples_take_seconds():
    """10,000 examples, 10 classes and 1000 resamples take less than 4 s of one core."""
    rng = np.random.default_rng(0)
    codes = rng.integers(0, 10, 10_000)
    logits = rng.normal(0, 2, (10_000, 10)) + 4 * np.eye(10)[codes]
    start = time.process_time()
    evaluated(logits, codes, n_bootstrap=1000)
    assert time.process_time() - start < 4


def test_metrics_open_without_heavy_packages():
    """Importing the metrics loads neither torch nor scikit-learn, scipy or pandas."""
    code = (
        "import sys, equipoise.metrics; "
        "print([m for m in ('torch', 'sklearn', 'scipy', 'pandas') if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


@pytest.mark.parametrize(
    "named",
    [list, np.array, lambda names: np.array(names, dtype=object), pd.Series, pd.Categorical],
)
def test_labels_may_be_the_names_of_classes(named):
    """Names give what their positions give, in whatever order the classes stand."""
    logits, codes = random_case(3)
    names = named([f"c{code}" for code in codes])
    assert evaluated(logits, names) == evaluated(logits, codes)
    shown = evaluate(
        logits[:, ::-1],
        np.array(["c0", "c1", "c2"])[codes],
        classes=["c2", "c1", "c0"],
        train_counts=[50] * 3,
        n_bootstrap=20,
    )
    assert values(shown)["accuracy"] == pytest.approx(values(evaluated(logits, codes))["accuracy"])


@pytest.mark.parametrize("labels", [["c0", "c9"], ["0", "1"], ["c0", "C1"]])
def test_names_that_are_no_class_are_refused(labels):
    """The unknown name and the classes are told; numbers as text are no positions."""
    with pytest.raises(InputError, match=r"names of classes: c0, c1\. '(c9|0|C1)' is none"):
        evaluated(np.zeros((2, 2)), labels)


@pytest.mark.parametrize("labels", [["c0", 1], [None, "c1"], [0.0, 1.0]])
def test_other_labels_are_refused(labels):
    """Text and numbers mixed, missing labels and fractions are neither names nor positions."""
    with pytest.raises(InputError):
        evaluated(np.zeros((2, 2)), np.array(labels, dtype=object))
