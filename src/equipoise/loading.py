"""From a finished run folder back to its model and its classifier."""

from pathlib import Path

import numpy as np

from equipoise.checkpoints import read_weights
from equipoise.classifier import Classifier
from equipoise.devices import Device, choose_device
from equipoise.features import FINDS_COLUMNS
from equipoise.models import Model
from equipoise.preprocessing import preprocessing_from_state
from equipoise.runs import Run, trained_prior
from equipoise.settings import COMPONENTS, from_text
from equipoise.spec import resolve
from equipoise.standard.networks import rebuild_network
from equipoise.standard.normalisation import apply_norm


def load_run_model(run: Run, device: str = "auto") -> Model:
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
    settings = config["classifier"]
    backbone = resolve(settings["backbone"], COMPONENTS["backbone"], "backbone")
    head = resolve(settings.get("head", "Linear()"), COMPONENTS["head"], "head")
    counts = np.asarray(config["data"]["counts_train"])
    preprocessing = preprocessing_from_state(run.read_json("preprocessing.json"))
    network = rebuild_network(backbone, head, preprocessing.spec, len(counts))
    apply_norm(network, settings.get("norm", "batch"))
    read_weights(run.path / "model.safetensors", network)
    chosen = Device(choose_device(device), config["environment"]["precision"])
    network = network.to(chosen.name).eval()
    return Model(
        network=network,
        preprocessing=preprocessing,
        device=chosen,
        counts=counts,
        prior=np.asarray(trained_prior(config)),
    )


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
