"""Laws of stages that train the head alone, translate, or begin late, on real digits."""

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch
from sklearn.datasets import load_digits
from torch import Tensor

from equipoise import training as training_module
from equipoise.classifier import Classifier
from equipoise.distributed import World
from equipoise.errors import InputError
from equipoise.fitting import Fit
from equipoise.progress import Progress
from equipoise.specialized.stages import STAGES

PIXELS, TARGET = map(np.asarray, load_digits(n_class=3, return_X_y=True))
ROWS = np.concatenate([np.flatnonzero(np.equal(TARGET, i))[:n] for i, n in enumerate((90, 40, 12))])
IMAGES = (PIXELS[ROWS].reshape(-1, 8, 8, 1) * 15).astype(np.uint8)
FRAME = pd.DataFrame(PIXELS[ROWS, 18:30])

METHODS: dict[str, dict[str, Any]] = {
    "LWS": {"stages": "LWS(start=0.5)"},
    "MiSLAS": {"stages": "MiSLAS(start=0.5)"},
    "DeferredLoss": {"stages": "DeferredLoss()", "loss": "InfluenceBalanced(alpha=1.0)"},
    "CMO": {"mixing": "CMO()"},
    "M2m": {"stages": "M2m(start=0.5, beta=0.9, gamma=0.4, steps=3)"},
}
CASES = [
    (kind, n) for kind in ("images", "table") for n in METHODS if (kind, n) != ("table", "M2m")
]


def _fit(kind: str = "table", epochs: int = 4, **params: Any) -> Fit:
    """Return a fit of 142 digits of three classes, as rows or as images."""
    small = "ResNet18(width=8)" if kind == "images" else "MLP(numeric=None, width=16)"
    given = {"backbone": small, "device": "cpu", "epochs": epochs, "batch_size": 32, **params}
    X = IMAGES if kind == "images" else FRAME
    return Classifier(**given).prepare(X, TARGET[ROWS])[1]


def _state(fit: Fit) -> dict[str, Tensor]:
    return {name: v.clone() for name, v in fit.training.network.state_dict().items()}


def _entered(fit: Fit) -> dict[str, Tensor]:
    """Run a fit; return the state of the network with which its second stage began."""
    found: list[dict[str, Tensor]] = []
    advance = fit.training.advance

    def watched() -> None:
        advance()
        found.append(_state(fit))

    fit.training.advance = watched  # type: ignore[method-assign]
    fit.run()
    [state] = found
    return state


@pytest.mark.parametrize("kind", ["images", "table"])
@pytest.mark.parametrize("average", ["EMA()", "SWA(begin=0.0)", None])
@pytest.mark.parametrize("name", ["LWS", "MiSLAS"])
def test_features_stay_as_they_are_to_the_bit(kind: str, average: str | None, name: str) -> None:
    """Weights and batch statistics of the backbone, whatever averages; the head goes on."""
    fit = _fit(kind, average=average, **METHODS[name], optimizer="SGD(lr=0.05)")
    before, after = _entered(fit), _state(fit)
    heads = {key for key in after if key.startswith("head.")}
    assert all(torch.equal(before[key], after[key]) for key in after.keys() - heads)
    assert all(not torch.equal(before[key], after[key]) for key in heads)


@pytest.mark.parametrize(
    "params",
    [
        {},
        {"optimizer": "AdamW(lr=0.02, weight_decay=0.5)"},
        {"sharpness": "SAM(rho=0.1)", "clip_norm": 0.5, "constraint": "MaxNorm(radius=0.5)"},
        {"average": "SWA(begin=0.0)"},
        {"backbone": "TabM(numeric=None, members=3, width=16)"},
    ],
    ids=str,
)
def test_rows_of_a_scaled_head_keep_their_direction(params: dict[str, Any]) -> None:
    """Weights and bias of each logit are those of the first stage times one number, not 1."""
    fit = _fit(epochs=6, **METHODS["LWS"], **params)
    before, after = _entered(fit), _state(fit)
    joined = [
        torch.cat([s["head.weight"], s["head.bias"][:, None]], dim=1) for s in (before, after)
    ]
    factors = (joined[0] * joined[1]).sum(dim=1) / joined[0].square().sum(dim=1)
    torch.testing.assert_close(joined[1], factors[:, None] * joined[0], rtol=1e-4, atol=1e-6)
    assert (factors - 1).abs().max() > 1e-3
    learner = fit.training.learning.learner
    assert [n for n, p in learner.named_parameters() if p.requires_grad] == ["factors.values"]


def test_scales_learn_what_torch_learns() -> None:
    """One step of SGD on balanced rows: the factors follow autograd of a scaled linear layer."""
    params = {"optimizer": "SGD(lr=0.5, momentum=0.0)", "schedule": "Constant()", "average": None}
    fit = _fit(epochs=2, batch_size=1000, **METHODS["LWS"], **params)
    seen: list[np.ndarray] = []
    training = fit.training
    advance = training.advance

    def watched() -> None:
        advance()
        seen.extend(training.learning.order(fit.examples[0], 0))

    training.advance = watched  # type: ignore[method-assign]
    before = _entered(fit)
    [positions] = seen
    network = training.network.eval()
    rows = fit.examples[0].source.take(positions)
    codes = torch.from_numpy(fit.examples[0].codes[positions])
    features = network.features(rows).detach()  # type: ignore[operator]
    scales = torch.ones(3, requires_grad=True)
    logits = scales * (features @ before["head.weight"].T + before["head.bias"])
    torch.nn.functional.cross_entropy(logits, codes).backward()
    assert scales.grad is not None
    expected = (1 - 0.5 * scales.grad)[:, None] * before["head.weight"]
    torch.testing.assert_close(
        training.learning.network.state_dict()["head.weight"], expected, rtol=1e-4, atol=1e-6
    )


@pytest.mark.parametrize("name", METHODS)
@pytest.mark.parametrize("stop", [2, 3])
def test_training_that_was_stopped_goes_on_the_same(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str, stop: int
) -> None:
    """Stopped at the change of stages and within the second: the same history and weights."""
    monkeypatch.setattr(training_module, "CHECKPOINT_SHARE", 1e9)  # after every epoch

    class Stopped(Exception):  # noqa: N818 (no error)
        pass

    def stopping(progress: Progress) -> None:
        if progress.row is not None and progress.epoch == stop:
            raise Stopped

    kind, params = "table", METHODS[name]
    if name == "M2m":  # all translations are taken, so that the guide shows
        kind, params = "images", {"stages": "M2m(start=0.5, beta=0.5, gamma=0.0, steps=3)"}
    (whole := _fit(kind, **params)).run()
    path = tmp_path / "state"
    with pytest.raises(Stopped):
        _fit(kind, **params).run(observers=[stopping], checkpoint=path)
    (again := _fit(kind, **params)).run(checkpoint=path)
    losses = [[row["train_loss"] for row in f.training.history] for f in (whole, again)]
    assert losses[0] == losses[1]
    assert len(losses[0]) == 4
    own, others = _state(whole), _state(again)
    assert all(torch.equal(own[key], others[key]) for key in own)


@pytest.mark.parametrize(("kind", "name"), CASES)
def test_each_trains_a_plain_network(kind: str, name: str, tmp_path: Path) -> None:
    """End to end: it learns, and the network is of the same parts as any other's."""
    optimizer = "SGD(lr=0.05)" if kind == "images" else "AdamW(lr=0.03)"
    params = {"optimizer": optimizer, "average": "EMA(decay=0.8)", "prior": "balanced"}
    fit = _fit(kind, epochs=20, **params, **METHODS[name])
    fit.run()
    scores = [row["validation"]["balanced_accuracy"] for row in fit.training.history]
    assert max(scores) > 0.6
    plain = _fit(kind).training.network.state_dict()
    found = fit.training.network.state_dict()
    assert {k: v.shape for k, v in found.items()} == {k: v.shape for k, v in plain.items()}
    fit.model.save(tmp_path)
    assert (tmp_path / "model.safetensors").exists()


@pytest.mark.parametrize("finetuning", ["LowRank(rank=2)", "LastBlocks()", "Full(rate_decay=0.5)"])
@pytest.mark.parametrize("stages", ["CRT(start=0.5)", "LWS(start=0.5)", "MiSLAS(start=0.5)"])
def test_fine_tuning_ends_in_a_plain_network_after_a_stage_of_the_head(
    stages: str, finetuning: str
) -> None:
    """What the first stage changed of the backbone is kept; no update stays apart, none frozen."""
    fit = _fit("images", epochs=2, average=None, stages=stages, finetuning=finetuning)
    before = _state(fit)
    fit.run()
    network = fit.training.network
    after, plain = _state(fit), _fit("images").training.network.state_dict()
    assert {k: v.shape for k, v in after.items()} == {k: v.shape for k, v in plain.items()}
    assert all(p.requires_grad for p in network.parameters())
    shared = [k for k in before.keys() & after.keys() if k.endswith("weight")]
    assert any(not torch.equal(before[k], after[k]) for k in shared)


def test_two_processes_scale_rows_as_one_does() -> None:
    """Up to the order of sums, through both stages."""
    params = {"average": None, "optimizer": "SGD(lr=0.05)", **METHODS["LWS"]}
    given = {"backbone": "MLP(numeric=None, layers=1, width=8, dropout=0.0)", **params}
    fits = [_fit(devices=devices, **given) for devices in (1, 2)]
    for fit in fits:
        fit.run()
    one, two = (_state(fit) for fit in fits)
    for key, value in one.items():
        torch.testing.assert_close(two[key], value, rtol=2e-3, atol=1e-5)
    histories = [[row["train_loss"] for row in fit.training.history] for fit in fits]
    assert histories[0] == pytest.approx(histories[1], rel=1e-4)


def test_two_processes_draw_partners_of_their_own_and_step_together() -> None:
    """One step by hand: the gradient is that of both shares, each with its own partners."""
    given = {"mixing": "CMO(probability=1.0)", "optimizer": "SGD(lr=0.1, momentum=0.0)"}
    given |= {"backbone": "MLP(numeric=None, layers=1, width=8, dropout=0.0)", "average": None}
    given |= {"batch_size": 200, "epochs": 1, "validation": 0.0, "schedule": "Constant()"}
    two, one = _fit(devices=2, **given), _fit(**given)
    two.run()
    learning, examples = one.training.learning, one.examples[0]
    [positions] = learning.order(examples, 0)
    shares = [World(rank, 2).share(positions) for rank in (0, 1)]
    batches = [learning.assembly.batch(examples, share, 0, i) for i, share in enumerate(shares)]
    assert batches[0].shares.sum(dim=0).tolist() != batches[1].shares.sum(dim=0).tolist()
    found = [learning.objective.gradients(b, len(positions), 0, [None])[1][0] for b in batches]
    state = _state(two)
    for (name, before), *slopes in zip(
        one.training.network.named_parameters(), *found, strict=True
    ):
        expected = before - 0.1 * sum(g for g in slopes if g is not None)
        decayed = expected - 0.1 * 5e-4 * before * (before.ndim > 1)
        torch.testing.assert_close(state[name], decayed, rtol=1e-3, atol=1e-5)


def test_a_translation_that_is_never_taken_is_deferred_sampling() -> None:
    """No class is ever certain: to the bit the training of DRS."""
    (never := _fit("images", stages="M2m(start=0.5, beta=0.9, gamma=1.0, steps=1)")).run()
    (sampled := _fit("images", stages="DRS(start=0.5)")).run()
    assert all(torch.equal(v, _state(sampled)[key]) for key, v in _state(never).items())


def test_translated_images_stand_in_for_real_ones_of_their_class() -> None:
    """Labels, targets and the other images of the batch stay; to the guide, which is the network
    that the first stage kept, the new ones are of their label.
    """
    fit = _fit("images", epochs=6, stages="M2m(start=0.5, beta=0.9, gamma=0.5)", norm="group")
    kept: list[dict[str, Tensor]] = []
    training, advance = fit.training, fit.training.advance

    def watched() -> None:
        kept.append({key: v.clone() for key, v in training.best.items()})
        advance()

    training.advance = watched  # type: ignore[method-assign]
    fit.run()
    learning, examples = training.learning, fit.examples[0]
    guide, translation = learning.guide, learning.stage.translation
    assert guide is not None
    assert translation is not None
    assert all(torch.equal(v, kept[0][key]) for key, v in guide.state_dict().items())
    [positions, *_] = learning.order(examples, 0)
    real = learning.assembly.batch(examples, positions, 0)
    made = learning._translated(real, examples, translation, (0,))
    changed = (made.views[0] != real.views[0]).flatten(1).any(dim=1)
    assert 0 < changed.sum() < len(real)
    assert torch.equal(made.targets, real.targets)
    assert torch.equal(made.labels, real.labels)
    told = guide(made.views[0][changed]).softmax(dim=1)
    assert (told.gather(1, made.labels[changed, None]) >= 0.5 - 1e-4).all()
    assert (made.labels[changed] > 0).all()
    assert made.views[0].min() >= 0
    assert made.views[0].max() <= 255


def test_translation_is_for_images_without_a_second_view() -> None:
    """The message says what to choose instead."""
    with pytest.raises(InputError, match=r"images.*DRS"):
        _fit(stages="M2m()")
    with pytest.raises(InputError, match=r"second view.*--auxiliary"):
        _fit("images", stages="M2m()", auxiliary="SimCLR()")
    first, second = _fit("images", stages="M2m()", mixing="Mixup()").training.stages
    assert [repr(s.mixing) for s in (first, second)] == ["Mixup()", "None"]
    np.testing.assert_allclose(_fit("images", stages="M2m()").prior, np.full(3, 1 / 3))


@pytest.mark.parametrize("head", ["Cosine()", "Normalized()"])
@pytest.mark.parametrize("stages", ["LWS()", "WeightBalancing()"])
def test_what_changes_lengths_needs_rows_with_a_length(head: str, stages: str) -> None:
    """A head that divides lengths out is refused, and the message says what to do."""
    with pytest.raises(InputError, match=r"head `Linear`.*CRT"):
        _fit(head=head, stages=stages)


def test_cross_entropy_cannot_begin_late() -> None:
    """There is nothing to defer; the message names what can be."""
    with pytest.raises(InputError, match=r"begins late.*InfluenceBalanced.*DRW"):
        _fit(stages="DeferredLoss()")


def test_a_deferred_loss_begins_with_its_weights() -> None:
    """Cross-entropy without weights first; both as set in the second stage."""
    params = {"stages": "DeferredLoss()", "loss": "Focal()", "weighting": "Inverse()"}
    first, second = _fit(**params).training.stages
    assert [repr(s.loss) for s in (first, second)] == ["CrossEntropy()", "Focal()"]
    assert [repr(s.weighting) for s in (first, second)] == ["None", "Inverse()"]
    assert second.continues


def test_mislas_mixes_first_and_smooths_common_classes_after() -> None:
    """By hand for 90, 40 and 12 examples less those held out; what is set stands in."""
    first, second = _fit(stages="MiSLAS()", smoothing=None).training.stages
    assert [repr(s.mixing) for s in (first, second)] == ["Mixup(alpha=1.0)", "None"]
    assert first.smoothing is None
    rates = second.rates(torch.tensor([100.0, 10.0, 1.0]))
    torch.testing.assert_close(rates, torch.tensor([0.3, 0.15, 0.0]))
    own = {"mixing": "CutMix()", "smoothing": "Uniform()", "sampler": "SquareRoot()"}
    first, second = _fit(stages="MiSLAS()", **own).training.stages
    assert [repr(s.mixing) for s in (first, second)] == ["CutMix()", "None"]
    assert [repr(s.smoothing) for s in (first, second)] == ["None", "Uniform()"]
    assert [repr(s.sampler) for s in (first, second)] == ["None", "SquareRoot()"]


def test_the_prior_of_mislas_is_smoothed() -> None:
    """Balanced classes, of which the common ones are smoothed most: by hand."""
    fit = _fit(stages="MiSLAS()")
    counts = np.log(fit.task.counts)
    rates = 0.3 * (counts - counts.min()) / (counts.max() - counts.min())
    expected = (1 - rates) / 3 + (rates / 3).sum() / 3
    np.testing.assert_allclose(fit.prior, expected, rtol=1e-6)
    assert fit.prior[0] < fit.prior[2]
    np.testing.assert_allclose(_fit(stages="LWS()").prior, np.full(3, 1 / 3))


def test_the_prior_of_pasted_images_is_that_of_their_targets() -> None:
    """Boxes are clipped at the borders of the very images: the mean over 200 epochs of batches."""
    fit = _fit("images", mixing="CMO(probability=1.0, per='sample')")
    learning, examples = fit.training.learning, fit.examples[0]
    total, n_steps = torch.zeros(3), 0
    for epoch in range(200):
        for positions in learning.order(examples, epoch):
            total += learning.assembly.batch(examples, positions, n_steps).shares.sum(dim=0)
            n_steps += 1
    np.testing.assert_allclose(total / total.sum(), fit.prior, atol=0.004)
    assert abs(_fit(mixing="CMO(probability=1.0)").prior - fit.prior).max() > 0.02


@pytest.mark.parametrize(
    ("loss", "head", "fits"), [(30, 30, True), (16, 16, True), (30, 16, False)]
)
def test_margins_are_on_the_scale_of_the_head(loss: int, head: int, fits: bool) -> None:
    """`LDAM` meets `Cosine` of its own scale, or is refused with the scale to give."""
    params = {"loss": f"LDAM(scale={loss}.0)", "head": f"Cosine(scale={head}.0)"}
    if fits:
        assert _fit(**params).settings.loss is not None
    else:
        with pytest.raises(InputError, match=r"LDAM\(scale=16.0\)"):
            _fit(**params)
    assert _fit(loss="LDAM(scale=30.0)").settings.head is not None  # no scale there to differ


def test_every_training_in_stages_is_listed_under_its_name() -> None:
    """The name in a configuration is the name of the class."""
    assert {name: kind.__name__ for name, kind in STAGES.items()} == {name: name for name in STAGES}
