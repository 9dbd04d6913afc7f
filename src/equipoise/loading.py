"""From a finished run folder back to its model and its classifier."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from equipoise._typing import CountArray
from equipoise.checkpoints import read_weights
from equipoise.classifier import Classifier
from equipoise.configuration import trained_margins, trained_prior
from equipoise.devices import Device, choose_device
from equipoise.ensembles import Ensemble, Member, member_folder, read_ensemble
from equipoise.features import FINDS_COLUMNS
from equipoise.models import Model
from equipoise.preprocessing import preprocessing_from_state
from equipoise.runs import Run
from equipoise.settings import COMPONENTS, from_text
from equipoise.spec import resolve
from equipoise.standard.networks import rebuild_network
from equipoise.standard.normalisation import apply_norm


def rebuild_model(folder: Path, network: Mapping[str, Any], device: str = "auto") -> Model:
    """Rebuild a model from the two files that `Model.save` has written.

    Parameters
    ----------
    folder : Path
        Where they are.
    network : mapping of str to value
        What the network is built from: ``backbone``, ``head`` and ``norm`` as text, ``precision``,
        and ``counts`` and ``prior`` of its training, by class; ``loss`` as text, where logits
        pass through its `posterior_logits`; ``margins``, by class, where they contain any.
    device : str, default="auto"
        Where the network shall be.

    Raises
    ------
    InputError
        If a file is missing, damaged, or does not fit the description.
    """
    backbone = resolve(network["backbone"], COMPONENTS["backbone"], "backbone")
    head = resolve(network["head"], COMPONENTS["head"], "head")
    counts = np.asarray(network["counts"])
    preprocessing = preprocessing_from_state(Run(folder).read_json("preprocessing.json"))
    built = rebuild_network(backbone, head, preprocessing.spec, len(counts))
    apply_norm(built, network["norm"])
    if network.get("loss") is not None:
        built.loss = resolve(network["loss"], COMPONENTS["loss"], "loss")
    read_weights(folder / "model.safetensors", built)
    chosen = Device(choose_device(device), network["precision"])
    return Model(
        network=built.to(chosen.name).eval(),
        preprocessing=preprocessing,
        device=chosen,
        counts=counts,
        prior=np.asarray(network["prior"]),
        margins=None if network.get("margins") is None else np.asarray(network["margins"]),
    )


def load_run_model(run: Run, device: str = "auto") -> Model | Ensemble:
    """Rebuild the trained model of a finished run.

    Parameters
    ----------
    run : Run
        A finished run.
    device : str, default="auto"
        Where the network shall be.

    Raises
    ------
    InputError
        If a file is missing, damaged, or does not fit the others.
    """
    run.require_classifier()
    config = run.config
    counts = config["data"]["counts_train"]
    if config.get("network", {}).get("members") is not None:
        return _ensemble(run, np.asarray(counts), device)
    settings = config["classifier"]
    described = {
        "backbone": settings["backbone"],
        "head": settings.get("head", "Linear()"),
        "norm": settings.get("norm", "batch"),
        "precision": config["environment"]["precision"],
        "counts": counts,
        "prior": trained_prior(config),
        "loss": config.get("network", {}).get("loss"),
        "margins": trained_margins(config),
    }
    return rebuild_model(run.path, described, device)


def _ensemble(run: Run, counts: CountArray, device: str) -> Ensemble:
    members = [
        Member(
            model=rebuild_model(member_folder(run.path, number), network, device),
            weight=weight,
            network=network,
        )
        for number, (weight, network) in enumerate(read_ensemble(run))
    ]
    return Ensemble(members=members, counts=counts)


def load_run(folder: str | Path, device: str = "auto") -> Classifier:
    """Return the fitted classifier of a run, ready to predict class names.

    Columns of a DataFrame are found by their names, as `equipoise predict` does: they may stand
    in any order, beside others such as the label.

    Parameters
    ----------
    folder : str or Path
        The run's folder.
    device : str, default="auto"
        Where the network shall be.

    Raises
    ------
    InputError
        If the folder holds no finished run, or a file of it is damaged. No code in the
        folder is executed.
    """
    run = Run.open(Path(folder))
    config = run.config
    known = Classifier().get_params(deep=False)
    given = {k: from_text(k, v) for k, v in config["classifier"].items() if k in known}
    classifier = Classifier(**{**given, "device": device, "random_state": config["seeds"]["seed"]})
    data = config["data"]
    fitted = {
        "classes_": np.asarray(data["classes"]),
        "model_": load_run_model(run, device),
        "history_": run.history,
        "n_iter_": len(run.history),
    }
    if data["kind"] == "table":
        fitted["n_features_in_"] = len(data["columns"])
        fitted["feature_names_in_"] = np.asarray(data["columns"], dtype=object)
        fitted[FINDS_COLUMNS] = True
    else:
        fitted["n_features_in_"] = int(np.prod(data["shape"]))
    vars(classifier).update(fitted)
    return classifier
