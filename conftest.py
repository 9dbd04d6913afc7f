"""Shape and type checks of all tensors and arrays, switched on before anything is imported."""

from jaxtyping import install_import_hook

# Not the estimator and the command line: scikit-learn passes them nonsense on purpose.
CHECKED = ("equipoise.metrics", "equipoise.standard", "equipoise.training", "equipoise.selection")

# Python's numeric tower: an int is welcome where a float is asked for.
CHECKER = "beartype.beartype(conf=beartype.BeartypeConf(is_pep484_tower=True))"

install_import_hook(CHECKED, CHECKER)
