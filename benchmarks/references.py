"""How far methods for imbalanced classes are from independent references: rows of a table.

References are written out in `reference_losses.py` and `reference_tables.py` by the papers'
formulas, by brute force or as calls of other libraries; of the package only what is measured is
used, and of its tests nothing. Inputs are random, of seed 0, in float64 where nothing else is
said. Printed is the largest absolute difference and, in brackets, the largest number that was
compared. Methods whose reference is a law of training have no row here; `docs/checked.md` has all.

    python benchmarks/references.py
"""

from collections.abc import Callable

import numpy as np
import reference_losses as first
import reference_tables as second
import torch
from reference_losses import Pairs

ROWS: dict[str, Callable[[], Pairs]] = {
    "Class weights, inverse (`Inverse`)": first.inverse,
    "Class weights, square root (`Inverse(power=0.5)`)": first.inverse_root,
    "Class weights, effective number (`EffectiveNumber`)": first.effective_number,
    "Focal loss (`Focal`)": first.focal,
    "`LDAM`": first.ldam,
    "Balanced softmax (`BalancedSoftmax`)": first.balanced_softmax,
    "Logit-adjusted loss (`LogitAdjusted`)": first.logit_adjusted,
    "Vector scaling, VS (`VectorScaling`)": first.vector_scaling,
    "Influence-balanced loss (`InfluenceBalanced`)": first.influence_balanced,
    "Class-balanced sampling (`ClassBalanced`)": first.class_balanced,
    "Square-root and power sampling (`SquareRoot`, `PowerSampling`)": first.powers_of_counts,
    "Progressive sampling (`Progressive`)": first.progressive,
    "Mixed sampling (`Mixed`)": first.mixed,
    "What an epoch shows, by all samplers": first.shown,
    "`Remix`": first.remix,
    "`CMO`": first.cmo,
    "`M2m`": first.m2m,
    "SMOTE (`SMOTE`, numbers)": second.smote,
    "SMOTE-NC (`SMOTE`, numbers and categories)": second.smotenc,
    "SMOTE-N (`SMOTE`, categories)": second.smoten,
    "Where SMOTE's rows lie": second.segments,
    "Random over-sampling (`RandomOverSampling`)": second.over,
    "Random under-sampling (`RandomUnderSampling`)": second.under,
    "Learnable weight scaling (`LWS`)": second.scaled_rows,
    "Bounded norms (`MaxNorm`)": second.bounded_rows,
    "Logit shift (`--prior`)": second.logit_shift,
    "Tau-normalisation (`TauNorm`)": second.tau_norm,
    "Nearest class mean (`NearestMean`)": second.nearest_mean,
    "`Thresholds`": second.thresholds,
    "LightGBM (`lightgbm`, `lightgbm-balanced`)": second.lightgbm,
    "XGBoost (`xgboost`, `xgboost-balanced`)": second.xgboost,
    "Balanced random forest (`balanced-forest`)": second.balanced_forest,
    "EasyEnsemble (`easy-ensemble`)": second.easy_ensemble,
}
"""Methods, as the page names them, and what is compared."""


def largest(pairs: Pairs) -> tuple[float, float]:
    """Return the largest difference, and the largest number that it is a difference of."""
    both = [tuple(np.asarray(each, dtype=float) for each in pair) for pair in pairs]
    assert all(found.shape == expected.shape for found, expected in both)
    differences = [float(np.abs(found - expected).max()) for found, expected in both]
    return max(differences), max(float(np.abs(expected).max()) for _, expected in both)


def main() -> None:
    """Measure and print."""
    torch.set_num_threads(1)
    torch.manual_seed(0)
    print("| method | largest difference |\n|---|---|")
    for method, compare in ROWS.items():
        difference, size = largest(compare())
        numbers = f"{difference:.1g}" + (f" ({size:.3g})" if size else "")
        print(f"| {method} | {numbers} |", flush=True)


if __name__ == "__main__":
    main()
