"""Random seeds derived by name, so that no use of randomness disturbs another."""

import hashlib
import json


def derive_seed(seed: int, *names: str | int) -> int:
    """Return a seed for one use of randomness.

    Parameters
    ----------
    seed : int
        The user's seed.
    names : str or int
        What the randomness is for, such as ``"order", epoch``. Different names, or the same
        in another order, give unrelated seeds.

    Returns
    -------
    int
        From 0 to below 2**63, the same on every machine.

    Examples
    --------
    >>> derive_seed(0, "order", 1) == derive_seed(0, "order", 1)
    True
    >>> derive_seed(0, "order", 1) == derive_seed(0, "order", 2)
    False
    """
    text = json.dumps([int(seed), *names])
    return int.from_bytes(hashlib.sha256(text.encode()).digest()[:8], "big") >> 1
