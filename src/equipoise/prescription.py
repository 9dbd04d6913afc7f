"""The prescription: data facts to a full configuration, with a reason and a source for each value.

What depends on the data is chosen by `equipoise.defaults`; why every other setting is as it is
stands here.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

from equipoise import citations
from equipoise.classifier import Classifier
from equipoise.defaults import Choice, DataFacts, has_weights
from equipoise.fitting import Fit
from equipoise.recipes import Recipe
from equipoise.settings import resolve_settings

Origin = Literal["automatic", "measured", "standing", "recipe", "given", "start"]
"""Who decided: data, budget, defaults, recipe, user, or the run to start from."""

_ABLATIONS = f"{citations.ABLATION_FASHION}; {citations.ABLATION_YEAST}"
_ALONE = f"{citations.COSTS}; {_ABLATIONS}"

# Figures are differences to the base recipe after prior correction, in points of balanced
# accuracy, with standard errors over 3 seeds of Fashion-MNIST and 10 of yeast.
STANDING: Mapping[str, tuple[str, str]] = {
    "head": (
        "a cosine head gained 0.5 ± 0.2 points on Fashion-MNIST and nothing on yeast; a normalised "
        "one was worse on both",
        _ABLATIONS,
    ),
    "initial": (
        "none is assumed to be at hand; where one is, pre-training helps more under imbalance; "
        "made for one training alone, it lost 19 ± 2 points to labelled training as long on "
        "CIFAR-10",
        f"Shwartz-Ziv et al. 2023 (pre-training); {citations.PRETRAINING}",
    ),
    "finetuning": (
        "a network that starts from random weights is trained as a whole",
        "by construction: there is nothing to spare",
    ),
    "mixing": (
        "not part of the prescription: after prior correction neither Mixup (-0.4 ± 0.2 points on "
        "Fashion-MNIST) nor CutMix (-0.1 ± 0.3) was better, nor on yeast",
        _ABLATIONS,
    ),
    "resampling": (
        "rows are learnt from as they are; no specialised sampling is needed where the standard "
        "parts are tuned",
        "Shwartz-Ziv et al. 2023",
    ),
    "sampler": (
        "every example is shown once an epoch; no specialised sampling is needed where the "
        "standard parts are tuned",
        "Shwartz-Ziv et al. 2023",
    ),
    "loss": (
        "no specialised loss is needed where the standard parts are tuned",
        "Shwartz-Ziv et al. 2023",
    ),
    "weighting": (
        "the loss of all classes counts alike; predictions are corrected to the prior of use "
        "instead",
        "Shwartz-Ziv et al. 2023",
    ),
    "stages": (
        "training in one stage; what begins late are methods that are not part of the prescription",
        "Shwartz-Ziv et al. 2023",
    ),
    "smoothing": (
        "not part of the prescription: uniform smoothing gained 0.7 ± 0.1 points on Fashion-MNIST "
        "and 1.1 ± 0.6 on shuttle, more of it for rare classes 0.5 ± 0.3 and 0.5 ± 0.4, and on "
        "yeast no kind moved balanced accuracy by a point; worth a try",
        f"{_ABLATIONS}; {citations.ABLATION_SHUTTLE}; Shwartz-Ziv et al. 2023 (label smoothing)",
    ),
    "auxiliary": (
        "not part of the prescription: a self-supervised loss doubles the cost of an epoch; it "
        "gained 0.6 ± 0.5 points (SimCLR) on Fashion-MNIST, and nothing on yeast",
        f"{_ALONE}; Shwartz-Ziv et al. 2023 (Joint-SSL)",
    ),
    "sharpness": (
        "not part of the prescription: it costs two to three times as much; SAM lost 0.7 ± 0.4 "
        "points in nine epochs of Fashion-MNIST, and on yeast it gained less than half a standard "
        "deviation; worth a try where there is time for many epochs",
        f"{_ALONE}; Shwartz-Ziv et al. 2023 (SAM-A)",
    ),
    "schedule": (
        "a rate that falls to zero smoothly; one cycle was alike, and steps lost 1.8 ± 0.7 points "
        "on Fashion-MNIST",
        f"Loshchilov and Hutter 2017; {_ABLATIONS}",
    ),
    "constraint": (
        "not part of the prescription: MaxNorm gained less than half a point on Fashion-MNIST and "
        "on yeast",
        _ABLATIONS,
    ),
    "posthoc": (
        "the head predicts as it was trained; predictions are corrected to the prior of use "
        "instead, which fits nothing to held-out examples",
        "Shwartz-Ziv et al. 2023",
    ),
    "clip_norm": (
        "the networks here train without; it is for one that diverges",
        "convention: gradients are clipped only where training is unstable",
    ),
    "validation": (
        "a tenth of each class, at least one example where there are two",
        "convention: a tenth is held out",
    ),
    "monitor": (
        "each class counts the same, whatever its size",
        "convention: the measure of long-tailed benchmarks, accuracy on a balanced test set",
    ),
    "patience": (
        "the best epoch is kept anyway, and the rate must fall to zero first",
        "by construction: a schedule that is cut short never gets there",
    ),
    "prior": (
        'predictions are for the frequencies of training; "balanced" raises balanced accuracy and '
        "lowers macro F1, so it is yours to ask for",
        f"Saerens et al. 2002; {citations.TABLES_BESIDE}",
    ),
    "device": (
        "the fastest there is: CUDA, else MPS, else the processor",
        "convention: a GPU where there is one",
    ),
    "devices": (
        "one process, which does for networks of this size",
        "convention: several are asked for",
    ),
}
"""Reason and source of each default that does not depend on the data."""

STARTED: Mapping[str, tuple[str, str]] = {
    "finetuning": (
        "all weights are trained on, those of the start included",
        "convention: the whole network is fine-tuned unless less is asked for",
    ),
}
"""Those that are others where training starts from trained weights."""


@dataclass(frozen=True)
class Setting:
    """One setting of a classifier, explained.

    Parameters
    ----------
    field : str
        The parameter.
    value : object
        Its value, resolved, as text or a number.
    origin : {"automatic", "measured", "standing", "recipe", "given", "start"}
        Who decided.
    reason, source : str
        Why, and what shows it; no source where the user decided.
    """

    field: str
    value: Any
    origin: Origin
    reason: str
    source: str = ""


def prescribe(facts: DataFacts) -> list[Choice]:
    """Return every setting of the prescription for data of which these facts are known.

    Parameters
    ----------
    facts : DataFacts
        What is known about the data, and where training runs.

    Returns
    -------
    list of Choice
        One for each parameter of `Classifier` but the seed, in their order; components as text.

    Examples
    --------
    >>> facts = DataFacts(kind="table", n_train=1000, pixels=0, channels=0, device="cpu")
    >>> found = {choice.field: choice for choice in prescribe(facts)}
    >>> found["batch_size"].value, found["smoothing"].value
    (32, None)
    >>> found["batch_size"].source
    'Shwartz-Ziv et al. 2023 (batch size); docs/log.md: ...'
    """
    defaults = _defaults()
    _, choices = resolve_settings(defaults, facts)
    chosen = {choice.field: choice for choice in choices}
    fixed = {**defaults, "device": facts.device}
    standing = _standing(is_started=facts.pretrained)
    return [chosen.get(name) or Choice(name, fixed[name], *standing[name]) for name in defaults]


def explain(fit: Fit, given: Mapping[str, Any], recipe: Recipe) -> list[Setting]:
    """Return every setting of a fit that is about to run, with who decided it and why.

    Parameters
    ----------
    fit : Fit
        The prepared fit.
    given : mapping of str to value
        What the user asked for.
    recipe : Recipe
        The recipe under it.

    Returns
    -------
    list of Setting
        One for each parameter of `Classifier` but the seed, in their order.
    """
    texts = {name: _as_text(fit.params[name]) for name in ("initial", "prior")}
    values = {**texts, **fit.settings.to_text(), "device": fit.device.name}
    chosen = {choice.field: choice for choice in fit.choices}
    usual = recipe.on(fit.task.facts["kind"])
    is_started = fit.params["initial"] is not None or has_weights(fit.settings.backbone)
    standing = _standing(is_started=is_started)

    def explained(name: str) -> Setting:
        value = values[name]
        if name in chosen:
            reason, source = chosen[name].reason, chosen[name].source
            origin = "measured" if source.startswith("measured: ") else "automatic"
            return Setting(name, value, origin, reason, source)
        if name in given and not (isinstance(given[name], str) and given[name] == "auto"):
            return Setting(name, value, "given", "as you asked")
        if name in usual and name not in given:
            return Setting(name, value, "recipe", f"the recipe {recipe.name!r}", recipe.source)
        if fit.params[name] == "auto" and name != "device":
            return Setting(name, value, "start", "that of the run that training starts from")
        return Setting(name, value, "standing", *standing[name])

    return [explained(name) for name in _defaults()]


def _standing(*, is_started: bool) -> Mapping[str, tuple[str, str]]:
    return {**STANDING, **(STARTED if is_started else {})}


def _as_text(value: Any) -> str:
    return value if isinstance(value, str) else repr(value)


def _defaults() -> dict[str, Any]:
    """Return the classifier's parameters but the seed, in their order."""
    parameters = Classifier.__dataclass_fields__
    return {name: f.default for name, f in parameters.items() if name != "random_state"}
