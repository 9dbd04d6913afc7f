"""Optimizers of other libraries: which may be named, and how their options are checked.

The names are fixed here, so that no text of a user chooses what is imported. Each listed one
was seen to update a network of kernels, norms and matrices by ``step()`` alone, and to go on
from a checkpoint to the same numbers.
"""

import inspect
from collections.abc import Callable, Iterator, Mapping
from types import MappingProxyType
from typing import Any

from equipoise.errors import InputError

_TORCH = "ASGD Adadelta Adafactor Adagrad Adam AdamW Adamax NAdam RAdam RMSprop Rprop SGD"

TORCH = tuple(_TORCH.split())
"""Optimizers of `torch.optim` that may be named."""

_PYTORCH_OPTIMIZER = """
A2Grad ADOPT APOLLO AccSGD AdEMAMix AdaBelief AdaBound AdaDelta AdaFactor AdaGC AdaMax
AdaMod AdaNorm AdaPNM AdaSmooth AdaTAM Adai Adalite AdamC AdamG AdamS AdamWSN Adan AggMo Aida
Alice Amos Ano ApolloDQN AvaGrad BCOS CAME DASH DAdaptAdaGrad DAdaptAdam DAdaptAdan DAdaptLion
DAdaptSGD DiffGrad DualAdam EXAdam FAdam FOCUS FTRL Fira Fromage GaLore Grams
GrokFastAdamW Kate LARS LaProp Lamb Lion MADGRAD MARS MSVAG NovoGrad PAdam PID PNM Prodigy
QHAdam QHM RACS RAdam ROSE Ranger SCION SCIONLight SGDSaI SGDW SM3 SOAP SPAM SRMM Shampoo
SignSGD SimplifiedAdEMAMix StableAdamW TAM Tiger VSGD Yogi
"""

PYTORCH_OPTIMIZER = tuple(_PYTORCH_OPTIMIZER.split())
"""Optimizers of the package `pytorch_optimizer` that may be named."""

_REASONS = {
    "it steps with a closure or the loss, and training steps without; "
    "sharpness-aware minimisation has a field of its own": """
    LBFGS SAM GSAM WSAM BSAM LookSAM FriendlySAM AliG EmoFact EmoLynx EmoNavi""",
    "it takes sparse gradients only": "SparseAdam",
    "it takes matrices only, or groups told which are": """
    Muon AdaMuon AdaGO DistributedMuon MuonClip NorMuon SpectralSphere LoRARite""",
    "it must be told when to train and when to evaluate": """
    ScheduleFreeAdamW ScheduleFreeRAdam ScheduleFreeSGD ScheduleFreeWrapper SPlus""",
    "it wraps another optimizer": """
    Lookahead Magma OrthoGrad PCGrad SafeFP16Optimizer TRAC""",
    "it needs second derivatives": "AdaHessian SophiaH",
    "it needs the network itself or other processes": "AdaLOMO LOMO AdamMini DeMo",
    "it sets the learning rate itself, as schedules do": "ASGD Ranger21",
    "it divides by the rate of the first step, which warm-up makes small": "Gravity",
    "it cannot update images' networks, which lie channels-last in memory": """
    AdamP Nero SGDP SWATS""",
    "its state cannot be stored in a checkpoint": "AdaShift Conda ScalableShampoo StableSPAM",
    "it draws random numbers that a seed of training does not set": "Kron SaRA",
    "it runs kernels of its own, which are not tested here": "FlashAdamW",
}

REFUSED: Mapping[str, str] = MappingProxyType(
    {name: reason for reason, names in _REASONS.items() for name in names.split()}
)
"""Optimizers that may not be named, and why; `ASGD` is meant as `pytorch_optimizer` has it."""

TAKEN: Mapping[str, str] = MappingProxyType(
    {
        "params": "Training gives the parameters.",
        "lr": "Set the field `lr` instead.",
        "weight_decay": "Set the field `weight_decay` instead.",
        "maximize": "Training minimises a loss.",
        "differentiable": "Training takes no gradient through a step.",
        "capturable": "Training records no graph of a step.",
    }
)
"""Options that may not be set, and why."""


def check_name(name: str, known: tuple[str, ...], library: str) -> None:
    """Raise `InputError` unless an optimizer of a library may be named.

    Examples
    --------
    >>> check_name("LBFGS", TORCH, "torch.optim")
    Traceback (most recent call last):
    ...
    equipoise.errors.InputError: ... `LBFGS` cannot be used: it steps with a closure ...
    """
    if name in known:
        return
    requirement = f"The optimizer's name must be one of those of `{library}` that can be used."
    reason = REFUSED.get(name)
    actual = f"It is {name!r}." if reason is None else f"`{name}` cannot be used: {reason}."
    raise InputError(requirement, actual, f"Choose one of {', '.join(known)}.")


def check_options(kind: Callable[..., object], options: object) -> None:
    """Raise `InputError` unless options are pairs of a keyword of a class and a value.

    Parameters
    ----------
    kind : type
        The optimizer's class.
    options : object
        Right if ``((keyword, value), ...)``, each keyword once.

    Examples
    --------
    >>> import torch
    >>> check_options(torch.optim.RMSprop, (("momentum", 0.9),))
    >>> check_options(torch.optim.RMSprop, (("moment", 0.9),))
    Traceback (most recent call last):
    ...
    equipoise.errors.InputError: ... It has no `moment`. ...
    """
    known = [name for name in keywords(kind) if name not in TAKEN]
    remedy = f"Choose from {', '.join(f'`{name}`' for name in known)}."
    seen: set[str] = set()
    for name in _names(options):
        if name in TAKEN:
            raise InputError(
                f"Options of `{kind.__name__}` must be its own.",
                f"`{name}` is not for you to set in `options`.",
                TAKEN[name],
            )
        if name not in known or name in seen:
            raise InputError(
                f"Options must be keywords of `{kind.__name__}`, each once.",
                f"It has no `{name}`." if name not in known else f"`{name}` is there twice.",
                remedy,
            )
        seen.add(name)


def keywords(kind: Callable[..., object]) -> list[str]:
    """Return the keywords that a class names in its signature."""
    variadic = (inspect.Parameter.VAR_POSITIONAL, inspect.Parameter.VAR_KEYWORD)
    parameters = inspect.signature(kind).parameters.values()
    return [parameter.name for parameter in parameters if parameter.kind not in variadic]


def _names(options: object) -> Iterator[Any]:
    items = options if isinstance(options, tuple) else (options,)
    for item in items:
        if not (isinstance(item, tuple) and len(item) == 2 and isinstance(item[0], str)):
            raise InputError(
                "Options must be a tuple of pairs of a name and a value.",
                f"One of them is {item!r}.",
                'Write for example options=(("momentum", 0.9),), with both commas.',
            )
        yield item[0]
