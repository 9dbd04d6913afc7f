"""What must be settled before anything is imported: threads, and checks of shapes and types."""

import os

# One thread, before torch is imported: two threads that wait for each other on a busy machine
# are many times slower than one, and the networks of the tests are small.
os.environ["OMP_NUM_THREADS"] = "1"

from jaxtyping import install_import_hook

# Not the estimator and the command line: scikit-learn passes them nonsense on purpose.
CHECKED = ("equipoise.metrics", "equipoise.standard", "equipoise.training", "equipoise.selection")

# Python's numeric tower: an int is welcome where a float is asked for.
CHECKER = "beartype.beartype(conf=beartype.BeartypeConf(is_pep484_tower=True))"

install_import_hook(CHECKED, CHECKER)
