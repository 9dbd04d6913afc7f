"""Laws of components together: all of them train in one fit, and neutral ones change nothing."""

from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch
from sklearn.datasets import load_digits

from equipoise import Classifier
from equipoise.data.imbalance import subsample
from equipoise.errors import InputError

PIXELS, TARGET = map(np.asarray, load_digits(return_X_y=True))
DIGITS = (PIXELS.reshape(-1, 8, 8, 1) * 15).astype(np.uint8)
CHOSEN = subsample(TARGET.astype(np.int64), 10.0, seed=0).index
IMAGES, LABELS = DIGITS[CHOSEN], TARGET[CHOSEN]


def _table() -> tuple[pd.DataFrame, np.ndarray]:
    """Return numbers with gaps and categories, of classes of 120, 40 and 12 rows."""
    random = np.random.default_rng(0)
    labels = np.repeat(["a", "b", "c"], [120, 40, 12])[random.permutation(172)]
    place = np.searchsorted(["a", "b", "c"], labels)
    numbers = random.standard_normal((172, 4)) + 1.5 * place[:, None]
    numbers[random.random(numbers.shape) < 0.05] = np.nan
    frame = pd.DataFrame(numbers, columns=list("wxyz"))
    return frame.assign(kind=np.where(random.random(172) < 0.2, "odd", labels)), labels


ROWS, CLASSES = _table()

IMAGE = {
    "backbone": "ResNet(depth=8, width=8)",
    "augmentation": "CropFlip(padding=1, flip=False)",
    "optimizer": "SGD(lr=0.05)",
    "average": None,
    "batch_size": 32,
    "epochs": 2,
    "device": "cpu",
    "precision": "fp32",
}
TABLE = {
    "backbone": "MLP(layers=2, width=16)",
    "optimizer": "AdamW(lr=0.01)",
    "average": None,
    "batch_size": 32,
    "epochs": 3,
    "device": "cpu",
}
TABM = {**TABLE, "backbone": "TabM(members=4, layers=2, width=16)"}
EVERYTHING = {
    "smoothing": "ClassConditional()",
    "auxiliary": "VICReg(width=32)",
    "sharpness": "SAMA(rho=0.05)",
    "constraint": "MaxNorm()",
    "average": "EMA(decay=0.9)",
    "clip_norm": 1.0,
    "batch_size": "BatchSize(size=32, accumulate=2, rule='linear', reference=64)",
}


def _fit(base: dict[str, Any], **params: Any) -> Classifier:
    X, y = (IMAGES, LABELS) if "ResNet" in base["backbone"] else (ROWS, CLASSES)
    return Classifier(**{**base, **params}).fit(X, y)


def _state(model: Classifier) -> dict[str, torch.Tensor]:
    return model.model_.network.state_dict()


def _equal(first: Classifier, second: Classifier) -> bool:
    a, b = _state(first), _state(second)
    return a.keys() == b.keys() and all(torch.equal(a[name], b[name]) for name in a)


def test_everything_together_learns_digits() -> None:
    """The recipe of Shwartz-Ziv et al. in one fit: far more unseen digits than the tenth of
    chance are right, and another run is the same to the bit.
    """
    augmentation = "CropFlip(padding=1, flip=False) | AutoAugment()"
    recipe = {**EVERYTHING, "augmentation": augmentation, "mixing": "CutMix()"}
    model = _fit(IMAGE, **{**recipe, "optimizer": "SGD(lr=0.2)", "epochs": 10})
    losses = [row["train_loss"] for row in model.history_]
    assert losses[-1] < losses[0]
    rest = np.setdiff1d(np.arange(len(TARGET)), CHOSEN)
    assert (model.predict(DIGITS[rest]) == TARGET[rest]).mean() > 0.35
    assert model.settings_.stage().rate == 0.5
    assert repr(model.settings_.augmentation) == augmentation
    first, again = (_fit(IMAGE, **{**recipe, "epochs": 1}) for _ in range(2))
    assert _equal(first, again)


@pytest.mark.parametrize("base", [TABLE, TABM], ids=["MLP", "TabM"])
@pytest.mark.parametrize("mixing", ["Mixup()", "CutMix()"])
def test_everything_together_learns_a_table(base: dict[str, Any], mixing: str) -> None:
    """With corrupted views, mixing and sharpness, also members of an ensemble."""
    recipe = {**EVERYTHING, "augmentation": "FeatureSwap()", "mixing": mixing}
    own = {"epochs": 30, "optimizer": "AdamW(lr=0.03)", "auxiliary": "SCARF(width=32)"}
    model = _fit(base, **{**recipe, **own})
    losses = [row["train_loss"] for row in model.history_]
    assert losses[-1] < losses[0]
    assert (model.predict(ROWS) == CLASSES).mean() > 0.85  # 0.7 are of the largest class
    assert np.allclose(model.predict_proba(ROWS).sum(axis=1), 1)


@pytest.fixture(scope="module")
def plain() -> dict[str, Classifier]:
    """Plain training; not to be changed."""
    bases = {"image": IMAGE, "MLP": TABLE, "TabM": TABM}
    return {name: _fit(base) for name, base in bases.items()}


NEUTRAL = [
    {"sharpness": "SAM(rho=0.0)"},
    {"sharpness": "SAMA(rho=0.0)"},
    {"sharpness": "SAM(rho=0.5, every=1000000)"},
    {"mixing": "Mixup(probability=0.0)"},
    {"mixing": "CutMix(probability=0.0, per='sample')"},
    {"smoothing": "Uniform(eps=0.0)"},
    {"smoothing": "ClassConditional(head=0.0, tail=0.0)"},
    {"batch_size": "BatchSize(size=32, accumulate=1, rule='linear', reference=32)"},
    {"batch_size": "BatchSize(size=32, rule='sqrt', reference=32, budget='steps')"},
    {"average": "EMA(decay=0.0)"},
    {"clip_norm": 1e9},
    {"initial": None, "finetuning": None, "constraint": None, "devices": 1},
]


@pytest.mark.parametrize("neutral", NEUTRAL, ids=str)
@pytest.mark.parametrize(("name", "base"), [("image", IMAGE), ("MLP", TABLE), ("TabM", TABM)])
def test_neutral_settings_change_nothing(
    neutral: dict[str, Any], name: str, base: dict[str, Any], plain: dict[str, Classifier]
) -> None:
    """A component that is told to do nothing leaves every weight as plain training has it."""
    found = _fit(base, **neutral)
    assert _equal(found, plain[name])
    losses = [[row["train_loss"] for row in model.history_] for model in (found, plain[name])]
    assert losses[0] == losses[1]


ACTIVE = [
    {"sharpness": "SAM(rho=0.1)"},
    {"mixing": "Mixup()"},
    {"smoothing": "Uniform(eps=0.1)"},
    {"batch_size": "BatchSize(size=32, rule='linear', reference=64)"},
    {"average": "EMA()"},
    {"clip_norm": 0.1},
    {"auxiliary": "VICReg()"},
    {"constraint": "MaxNorm(radius=0.1)"},
]


@pytest.mark.parametrize("active", ACTIVE, ids=str)
def test_other_settings_change_the_weights(
    active: dict[str, Any], plain: dict[str, Classifier]
) -> None:
    """Otherwise the tests of neutral settings would say nothing."""
    base, name = (TABLE, "MLP")
    if active.get("auxiliary"):
        base, name = IMAGE, "image"
    assert not _equal(_fit(base, **active), plain[name])


def test_members_of_an_ensemble_differ_and_are_pooled() -> None:
    """TabM's members learn each on its own; the prediction is their mean probability."""
    model = _fit({**TABM, "epochs": 8})
    network = model.model_.network
    rows = torch.from_numpy(model.model_.preprocessing.transform(ROWS))  # type: ignore[arg-type]
    with torch.no_grad():
        network.train()
        for part in network.modules():
            if isinstance(part, torch.nn.Dropout):
                part.eval()
        members = network(rows).softmax(dim=2)
        network.eval()
    assert members.shape == (len(ROWS), 4, 3)
    assert (members[:, 0] - members[:, 1]).abs().max() > 1e-3
    pooled = members.mean(dim=1).double().numpy()
    assert model.predict_proba(ROWS) == pytest.approx(pooled, abs=1e-5)
    assert (model.predict(ROWS) == CLASSES).mean() > 0.8


@pytest.mark.parametrize("size", [np.int64(16), 16, "16", "BatchSize(size=16)"])
def test_a_batch_size_may_be_any_whole_number(size: Any) -> None:
    """A number of numpy, as a search over an array gives it, is one too; text of one is not."""
    if size == "16":
        with pytest.raises(InputError, match="batch_size"):
            _fit(TABLE, batch_size=size)
        return
    assert repr(_fit(TABLE, batch_size=size, epochs=1).settings_.batch_size) == "BatchSize(size=16)"


@pytest.mark.parametrize("given", [{"average": "EMA()"}, {"constraint": "MaxNorm()"}])
def test_low_rank_updates_are_not_averaged_or_bounded(given: dict[str, str]) -> None:
    """Both would act on the factors of an update; without them the automatic average is None."""
    small = {"backbone": "ResNet(depth=8, width=2)", "epochs": 1, "device": "cpu"}
    with pytest.raises(InputError, match="product"):
        Classifier(**small, finetuning="LowRank()", **given).fit(IMAGES, LABELS)
    fitted = Classifier(**small, finetuning="LowRank()").fit(IMAGES, LABELS)
    assert fitted.settings_.average is None


def test_statistics_of_averaged_weights_do_not_depend_on_the_order_of_the_data() -> None:
    """Of data in class order a batch in that order would hold one class, and too little spread."""
    order = np.argsort(TARGET, kind="stable")
    images, labels = DIGITS[order], TARGET[order]
    settings = {"backbone": "ResNet(depth=8, width=4)", "epochs": 4, "device": "cpu"}
    swa = Classifier(**settings, average="SWA(begin=0.5)", batch_size=32).fit(images, labels)
    norm = swa.model_.network.backbone.norm
    with torch.no_grad():
        stem = swa.model_.network.backbone.stem
        pixels = torch.from_numpy(images).permute(0, 3, 1, 2)
        maps = stem(swa.model_.network.backbone.standardise(pixels))
    found, expected = norm.running_var, maps.var((0, 2, 3))
    assert ((found - expected).abs() / expected).max() < 0.1
