"""Arrays of pixels as PNG pictures inside the page."""

import base64
import io

import numpy as np
from PIL import Image

LARGEST = 160
"""Longer side in pixels above which a picture is scaled down, so that the page stays small."""


def data_uri(image: np.ndarray) -> str:
    """Return a picture as a ``data:`` address.

    Parameters
    ----------
    image : ndarray of uint8, shape (height, width, channels)
        One grey (1 channel) or colour (3 channels) picture.

    Examples
    --------
    >>> data_uri(np.zeros((2, 2, 1), dtype=np.uint8))[:22]
    'data:image/png;base64,'
    """
    picture = Image.fromarray(image[:, :, 0] if image.shape[2] == 1 else image)
    if max(picture.size) > LARGEST:
        picture.thumbnail((LARGEST, LARGEST))
    buffer = io.BytesIO()
    picture.save(buffer, format="PNG", optimize=True)
    return "data:image/png;base64," + base64.b64encode(buffer.getvalue()).decode("ascii")
