"""Real pictures for the tests of augmentations."""

from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor

N_PICTURES = 24


@pytest.fixture(scope="session")
def pictures(assets: Path) -> Tensor:
    """Images of CIFAR-10 as training holds them: uint8, channels last in memory."""
    with np.load(assets / "cifar10.npz", allow_pickle=False) as archive:
        images = archive["train_images"][:N_PICTURES]
    return torch.from_numpy(images).permute(0, 3, 1, 2)
