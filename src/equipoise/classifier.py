"""The scikit-learn edge: a classifier for imbalanced images and tables."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Self

import numpy as np
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.utils import Tags
from sklearn.utils.validation import check_is_fitted

from equipoise._typing import LogitArray, ProbaArray
from equipoise.data.splits import hold_out
from equipoise.ensembles import Ensemble
from equipoise.features import check_features
from equipoise.fitting import Fit, Task
from equipoise.labels import check_labels, check_weights, draw_seed
from equipoise.metrics import correct_logits, log_softmax
from equipoise.models import Model
from equipoise.settings import require_object
from equipoise.spec import differing
from equipoise.specialized.posthoc import PostHoc
from equipoise.specialized.resampling import Resampling
from equipoise.specialized.samplers import Sampler
from equipoise.specialized.stages import Stages
from equipoise.specialized.weighting import Weighting
from equipoise.standard.augmentation import Augmentation
from equipoise.standard.averaging import Average
from equipoise.standard.backbones import Backbone
from equipoise.standard.batch_size import BatchSize
from equipoise.standard.constraints import Constraint
from equipoise.standard.finetuning import FineTuning
from equipoise.standard.heads import Head
from equipoise.standard.losses import Loss
from equipoise.standard.mixing import Mixing
from equipoise.standard.optimizers import Optimizer
from equipoise.standard.schedules import Schedule
from equipoise.standard.self_supervision import SelfSupervision
from equipoise.standard.sharpness import Sharpness
from equipoise.standard.smoothing import Smoothing


@dataclass(eq=False, repr=False, kw_only=True)
class Classifier(ClassifierMixin, BaseEstimator):
    """Classifier for class-imbalanced images and tables, made of standard components.

    Every component is given as an object or as its text, such as ``"SGD(lr=0.1)"``;
    ``"auto"`` lets the data decide, and `choices_` says what was chosen and why.

    Parameters
    ----------
    backbone : Backbone or str, default="auto"
        The network up to its last layer: ResNet, ResNet18, WideResNet, Timm for images; MLP,
        TabularResNet, TabM for tables.
    head : Head or str, default="Linear()"
        What maps features to logits: Linear, Cosine, Normalized.
    norm : {"auto", "batch", "group", "frozen"}, default="auto"
        What stands where the backbone has batch norm: itself; group norm, for batches of 8 or
        fewer; or the statistics of pretrained weights.
    initial : str or None, default=None
        Folder of a run, of `equipoise pretrain` or of `fit`, whose backbone and preprocessing
        training starts from.
    finetuning : FineTuning, str or None, default=None
        Which weights of a pretrained backbone are trained, and how fast: Full, HeadOnly,
        LastBlocks, LowRank; None: all, alike.
    augmentation : Augmentation, str or None, default="auto"
        Random changes to training examples, joined with ``|``, such as CropFlip, AutoAugment,
        RandAugment, TrivialAugment, Preset, or FeatureSwap for tables; None: none.
    mixing : Mixing, str or None, default=None
        How examples are mixed: Mixup, CutMix, Remix, CMO; None: not.
    resampling : Resampling, str or None, default=None
        How the training rows of a table are repeated, left out or made, once, before training:
        RandomOverSampling, RandomUnderSampling, SMOTE; None: they stay as they are.
    sampler : Sampler, str or None, default=None
        How often each class is shown: PowerSampling, ClassBalanced, SquareRoot, Progressive,
        Mixed; None: every example once an epoch.
    scaling : {"auto", "standard", "quantile", "robust", "none"}, default="auto"
        How the numbers of a table are scaled.
    loss : Loss or str, default="CrossEntropy()"
        What training minimises: CrossEntropy, Focal, LDAM, BalancedSoftmax, LogitAdjusted,
        VectorScaling, InfluenceBalanced.
    weighting : Weighting, str or None, default=None
        What the loss of a class is multiplied by: Inverse, EffectiveNumber; None: nothing.
    stages : Stages, str or None, default=None
        How training is divided: DRW, DRS, DeferredLoss, CRT, LWS, MiSLAS, WeightBalancing,
        M2m; None: into one stage.
    smoothing : Smoothing, str or None, default=None
        Label smoothing: Uniform, ClassConditional; None: none.
    auxiliary : SelfSupervision, str or None, default=None
        Self-supervised loss beside the supervised one (Joint-SSL): VICReg, SimCLR, SCARF;
        None: none.
    optimizer : Optimizer or str, default="auto"
        How weights are updated: SGD, AdamW, Adam, TorchOptim, PytorchOptimizer.
    sharpness : Sharpness, str or None, default=None
        Sharpness-aware gradients: SAM, ASAM, SAMA, ImbSAM, FocalSAM; None: plain ones.
    schedule : Schedule or str, default="Cosine()"
        How the learning rate changes during training: Cosine, Constant, Linear, Step, OneCycle.
    constraint : Constraint, str or None, default=None
        Bound on the weights: MaxNorm; None: none.
    average : Average, str or None, default="auto"
        Averaging of weights during training: EMA, SWA; None: none.
    posthoc : PostHoc, str or None, default=None
        What is done to the head `Linear` once it is trained: TauNorm, NearestMean, Thresholds;
        None: nothing.
    batch_size : BatchSize, int or str, default="auto"
        Largest number of examples in a step, at least 1; as a component also how the learning
        rate follows, and in how many pieces a batch is computed.
    epochs : int or "auto", default="auto"
        Passes over the training examples, at least 1.
    clip_norm : float or None, default=None
        Largest norm of the gradient; None: not clipped.
    validation : float, default=0.1
        Share of each class held out to choose the best epoch, from 0 to below 1. Every class
        of two or more examples gives at least one.
    monitor : str, default="balanced_accuracy"
        Validation score that chooses the epoch: balanced_accuracy, accuracy, macro_f1, g_mean,
        worst_class_recall, log_loss or balanced_log_loss, of predictions under `prior`. Within
        the noise of that score the lower balanced log-loss decides.
    patience : int or None, default=None
        Epochs without a better one after which training stops; None: it runs to the end.
    prior : {"train", "balanced", "none"}, mapping or array of probabilities, default="train"
        Class frequencies where the model will be used, above 0 and 1 in all: by class, or in the
        order of `classes_`. ``"train"``: those of training; to others the logits are shifted by
        Bayes' rule from what they contain, as training was weighted and smoothed. ``"none"``:
        as the network gives them. ``"balanced"`` is right for balanced accuracy.
    device : str, default="auto"
        ``"cpu"``, ``"cuda"``, ``"cuda:1"``, ``"mps"``, or the fastest there is.
    precision : {"auto", "fp32", "bf16"}, default="auto"
        Precision of convolutions and matrix products.
    devices : int, default=1
        Processes that train together, each on a share of every batch: one for each GPU, or
        several on the CPU. A script that asks for more than one must guard its entry by
        ``if __name__ == "__main__":``.
    random_state : int, RandomState or None, default=0
        Seed of everything random in fitting. The same seed gives the same model on the same
        kind of machine; None draws a seed.

    Attributes
    ----------
    classes_ : ndarray of shape (classes,)
        Class labels, sorted; columns of probabilities are in this order.
    n_features_in_ : int
        Columns of the table, or values in an image.
    feature_names_in_ : ndarray of str
        Column names, if X was a DataFrame with text as column names.
    choices_ : list of Choice
        Every automatic choice with its reason.
    settings_ : Settings
        Every component and number used, resolved.
    history_ : list of dict
        One row an epoch.
    n_iter_ : int
        Epochs that were run.
    model_ : Model or Ensemble
        The trained network, how its inputs are made, and the class counts of training; or
        several of them.

    Raises
    ------
    InputError
        If the data or a parameter cannot be used; it is a `ValueError`.
    TrainingError
        If training diverges.

    References
    ----------
    .. [1] R. Shwartz-Ziv et al., "Simplifying neural network training under class imbalance",
       NeurIPS 2023. https://arxiv.org/abs/2312.02517

    Examples
    --------
    >>> from sklearn.datasets import make_classification
    >>> X, y = make_classification(500, weights=[0.9], n_informative=8, random_state=0)
    >>> model = Classifier(epochs=5).fit(X, y)
    >>> model.predict_proba(X).shape
    (500, 2)
    >>> Classifier(backbone="MLP(layers=2)", optimizer="AdamW(lr=0.01)", epochs=5)
    Classifier(backbone='MLP(layers=2)', epochs=5, optimizer='AdamW(lr=0.01)')
    """

    backbone: Backbone | str = "auto"
    head: Head | str = "Linear()"
    norm: str = "auto"
    initial: str | None = None
    finetuning: FineTuning | str | None = None
    augmentation: Augmentation | str | None = "auto"
    mixing: Mixing | str | None = None
    resampling: Resampling | str | None = None
    sampler: Sampler | str | None = None
    scaling: str = "auto"
    loss: Loss | str = "CrossEntropy()"
    weighting: Weighting | str | None = None
    stages: Stages | str | None = None
    smoothing: Smoothing | str | None = None
    auxiliary: SelfSupervision | str | None = None
    optimizer: Optimizer | str = "auto"
    sharpness: Sharpness | str | None = None
    schedule: Schedule | str = "Cosine()"
    constraint: Constraint | str | None = None
    average: Average | str | None = "auto"
    posthoc: PostHoc | str | None = None
    batch_size: BatchSize | int | str = "auto"
    epochs: int | str = "auto"
    clip_norm: float | None = None
    validation: float = 0.1
    monitor: str = "balanced_accuracy"
    patience: int | None = None
    prior: str | Mapping[Any, float] | Sequence[float] | np.ndarray | None = "train"
    device: str = "auto"
    precision: str = "auto"
    devices: int = 1
    random_state: int | np.random.RandomState | None = 0

    def __repr__(self, N_CHAR_MAX: int = 700) -> str:
        """Return the parameters that differ from their defaults, as scikit-learn shows them."""
        given = [f"{name}={value!r}" for name, value in sorted(differing(self).items())]
        return f"{type(self).__name__}({', '.join(given)})"

    def __sklearn_tags__(self) -> Tags:
        """Tell scikit-learn that missing values and text columns are welcome."""
        tags = super().__sklearn_tags__()
        tags.input_tags.allow_nan = True
        tags.input_tags.three_d_array = True
        tags.input_tags.categorical = True
        tags.non_deterministic = False
        return tags

    def set_params(self, **params: Any) -> Self:
        """Set parameters; ``optimizer__lr`` sets a field of a component that is an object.

        Raises
        ------
        InputError
            If a field is set of a component that is given as text, or left to be chosen.
        """
        for name in params:
            field, _, inner = name.partition("__")
            if inner and field in self.get_params(deep=False):
                require_object(field, inner, params.get(field, getattr(self, field)))
        return super().set_params(**params)

    def fit(self, X: Any, y: Any, sample_weight: Any = None) -> Self:
        """Train on labelled examples, some of which are held out to choose the best epoch.

        Parameters
        ----------
        X : DataFrame, 2-D array of float, or uint8 array (examples, height, width[, channels])
            Rows of a table (NaN means missing), or images.
        y : array-like of shape (examples,)
            Labels of any type.
        sample_weight : array-like of shape (examples,) or None, default=None
            Non-negative weight of each example in the loss.

        Returns
        -------
        Classifier
            This object, fitted.
        """
        classes, fit = self.prepare(X, y, sample_weight)
        fit.run()
        return self.keep(classes, fit)

    def keep(self, classes: np.ndarray, fit: Fit) -> Self:
        """Become the classifier of a fit that `prepare` has made and that has run.

        Parameters
        ----------
        classes : ndarray of shape (classes,)
            Class labels, sorted.
        fit : Fit
            What was trained.

        Returns
        -------
        Classifier
            This object, fitted.
        """
        self.classes_ = classes
        self.model_: Model | Ensemble = fit.model
        self.settings_, self.choices_ = fit.settings, fit.choices
        self.history_, self.n_iter_ = fit.training.history, len(fit.training.history)
        return self

    def prepare(self, X: Any, y: Any, sample_weight: Any = None) -> tuple[np.ndarray, Fit]:
        """Check the examples and resolve every setting, as `fit` does before it trains.

        Parameters
        ----------
        X, y, sample_weight
            As for `fit`.

        Returns
        -------
        classes : ndarray of shape (classes,)
            Class labels, sorted.
        fit : Fit
            What is to be trained.
        """
        checked = check_features(self, X, reset=True)
        classes, codes = check_labels(y, len(checked))
        seed = draw_seed(self.random_state)
        train, validation = hold_out(codes, self.validation, seed)
        task = Task(
            X=checked,
            codes=codes,
            n_classes=len(classes),
            train=train,
            validation=validation,
            weights=check_weights(sample_weight, len(checked)),
            classes=classes.tolist(),
        )
        return classes, Fit.prepare(task, self.get_params(deep=False), seed)

    def predict_logits(self, X: Any) -> LogitArray:
        """Return logits under the class frequencies of training.

        Parameters
        ----------
        X : DataFrame, array or images
            As for `fit`.

        Returns
        -------
        ndarray of float32, shape (examples, classes)
            Columns are in the order of ``classes_``.
        """
        check_is_fitted(self)
        return self.model_.logits(check_features(self, X, reset=False))

    def predict_proba(self, X: Any) -> ProbaArray:
        """Return class probabilities under `prior`.

        Parameters
        ----------
        X : DataFrame, array or images
            As for `fit`.

        Returns
        -------
        ndarray of float64, shape (examples, classes)
            Rows sum to one; columns are in the order of ``classes_``.
        """
        logits = self.predict_logits(X).astype(np.float64)
        own, margins, classes = self.model_.prior, self.model_.margins, self.classes_.tolist()
        return np.exp(log_softmax(correct_logits(logits, own, margins, self.prior, classes)))

    def predict(self, X: Any) -> np.ndarray:
        """Return the most probable class of each example, under `prior`.

        Parameters
        ----------
        X : DataFrame, array or images
            As for `fit`.

        Returns
        -------
        ndarray of shape (examples,)
            Labels from ``classes_``.
        """
        winners = self.predict_proba(X).argmax(axis=1)
        return self.classes_[winners]
