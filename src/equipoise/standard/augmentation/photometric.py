"""Operations on the grey levels of whole batches, each image with a magnitude of its own.

A byte has 256 values, so what does not mix pixels is a table of 256 entries for each image and
channel, and one `look_up` serves all of them. Colour mixes the channels of a pixel, sharpness its
neighbours; they are computed. Results are cut off to whole levels, not rounded.
"""

from collections.abc import Callable

import torch
from torch import Tensor

from equipoise.standard.augmentation.geometry import Pixels

Tables = Tensor
"""Bytes of shape ``(batch, channels or 1, 256)``: the new level of each level."""


def brightness(pixels: Pixels, magnitudes: Tensor) -> Tables:
    """Return tables that multiply by ``1 + magnitude``."""
    factor, _ = _factors(magnitudes, pixels.device)
    return _to_bytes(_levels(pixels) * factor[:, None, None])


def contrast(pixels: Pixels, magnitudes: Tensor) -> Tables:
    """Return tables that blend with the mean grey level, of share ``-magnitude``."""
    factor, rest = _factors(magnitudes, pixels.device)
    mean = _grey(pixels).mean((1, 2))
    return _to_bytes(_levels(pixels) * factor[:, None, None] + (mean * rest)[:, None, None])


def posterize(pixels: Pixels, magnitudes: Tensor) -> Tables:
    """Return tables that keep the highest bits of a level, as many as the magnitude rounded."""
    dropped = (8 - magnitudes.round()).long().to(pixels.device)[:, None, None]
    levels = torch.arange(256, device=pixels.device)
    return ((levels >> dropped) << dropped).to(torch.uint8)


def solarize(pixels: Pixels, magnitudes: Tensor) -> Tables:
    """Return tables that invert the levels from ``255 * magnitude`` up."""
    threshold = (255.0 * magnitudes).float().to(pixels.device)[:, None, None]
    levels = _levels(pixels)
    return torch.where(levels >= threshold, 255 - levels, levels).to(torch.uint8)


def autocontrast(pixels: Pixels, magnitudes: Tensor) -> Tables:  # noqa: ARG001
    """Return tables that stretch each channel to 0 to 255; a channel of one level is kept."""
    low, high = (end.float() for end in torch.aminmax(pixels.flatten(1, 2).transpose(1, 2), dim=2))
    flat = low == high
    scale = ((high - low) * (1 / 255)).masked_fill_(flat, 1)
    low = low.masked_fill_(flat, 0)
    return _to_bytes((_levels(pixels) - low[:, :, None]).div_(scale[:, :, None]))


def equalize(pixels: Pixels, magnitudes: Tensor) -> Tables:  # noqa: ARG001
    r"""Return tables after which each channel has about as many pixels of each level.

    With :math:`h` pixels of a level, the new level of :math:`k` is
    :math:`\lfloor (\sum_{j<k} h_j + \lfloor s/2 \rfloor) / s \rfloor`, at most 255, where
    :math:`s` is the number of pixels below the highest level that occurs, divided by 255 and cut
    off. A channel with :math:`s = 0` is kept.
    """
    n, height, width, channels = pixels.shape
    histogram = torch.bincount(_addresses(pixels).view(-1), minlength=n * channels * 256)
    histogram = histogram.view(n, channels, 256)
    below = histogram.cumsum(2) - histogram
    # the fewest pixels below a level that is reached by all of them: those below the highest
    highest = below.masked_fill(below + histogram < height * width, height * width)
    step = highest.amin(2, keepdim=True) // 255
    tables = ((below + step // 2) // step.clamp(min=1)).clamp_(max=255)
    levels = torch.arange(256, device=pixels.device)
    return torch.where(step == 0, levels, tables).to(torch.uint8)


def invert(pixels: Pixels, magnitudes: Tensor) -> Tables:
    """Return tables that exchange black and white."""
    levels = torch.arange(255, -1, -1, dtype=torch.uint8, device=pixels.device)
    return levels.expand(len(magnitudes), 1, 256)


def saturation(pixels: Pixels, magnitudes: Tensor) -> Pixels:
    """Return images blended with their grey image, of share ``-magnitude``; grey ones as given."""
    if pixels.shape[3] == 1:
        return pixels
    factor, rest = (f[:, None, None, None] for f in _factors(magnitudes, pixels.device))
    return _to_bytes((pixels * factor).add_(_grey(pixels)[..., None] * rest))


def sharpness(pixels: Pixels, magnitudes: Tensor) -> Pixels:
    """Return images blended with their blurred image, of share ``-magnitude``.

    The blur is the mean of 3 x 3 pixels, of which the middle one counts five times, rounded. Pixels
    of the border are kept.
    """
    if min(pixels.shape[1:3]) < 3:
        return pixels
    _, rest = _factors(magnitudes, pixels.device)
    sums = pixels.short()
    middle = sums[:, 1:-1, 1:-1]
    lines = sums[:, :-2] + sums[:, 1:-1] + sums[:, 2:]
    box = lines[:, :, :-2] + lines[:, :, 1:-1] + lines[:, :, 2:]
    blurred = (box + 4 * middle).float().div_(13).round_()
    result = pixels.clone()
    change = blurred.sub_(middle).mul_(rest[:, None, None, None])
    result[:, 1:-1, 1:-1] = _to_bytes(change.add_(middle))
    return result


TABULAR: dict[str, Callable[[Pixels, Tensor], Tables]] = {
    "Brightness": brightness,
    "Contrast": contrast,
    "Posterize": posterize,
    "Solarize": solarize,
    "AutoContrast": autocontrast,
    "Equalize": equalize,
    "Invert": invert,
}
"""By name: images and float64 magnitudes ``(batch,)`` to tables."""

COMPUTED: dict[str, Callable[[Pixels, Tensor], Pixels]] = {
    "Color": saturation,
    "Sharpness": sharpness,
}
"""By name: images and float64 magnitudes ``(batch,)`` to images."""


def look_up(pixels: Pixels, tables: Tables) -> Pixels:
    """Return images with each level replaced by what the table of its image and channel says.

    Examples
    --------
    >>> pixels = torch.tensor([0, 3, 255], dtype=torch.uint8).view(1, 1, 3, 1)
    >>> look_up(pixels, invert(pixels, torch.zeros(1))).flatten().tolist()
    [255, 252, 0]
    """
    n, _, _, channels = pixels.shape
    flat = tables.expand(n, channels, 256).reshape(-1)
    return flat.index_select(0, _addresses(pixels).view(-1)).view(pixels.shape)


def _addresses(pixels: Pixels) -> Tensor:
    """Return the position of each level in tables that lie one after the other."""
    n, _, _, channels = pixels.shape
    first = torch.arange(0, n * channels * 256, 256, dtype=torch.int32, device=pixels.device)
    return first.view(n, 1, 1, channels) + pixels


def _levels(pixels: Pixels) -> Tensor:
    return torch.arange(256, dtype=torch.float32, device=pixels.device)


def _factors(magnitudes: Tensor, device: torch.device) -> tuple[Tensor, Tensor]:
    """Return the shares of the image and of what it is blended with, both float32."""
    factor = 1 + magnitudes.double()
    return factor.float().to(device), (1 - factor).float().to(device)


def _grey(pixels: Pixels) -> Tensor:
    """Return the luma of each pixel (ITU-R BT.601), in whole levels, as float32."""
    if pixels.shape[3] == 1:
        return pixels[..., 0].float()
    red, green, blue = pixels.unbind(3)
    return (red * 0.2989).add_(green, alpha=0.587).add_(blue, alpha=0.114).floor_()


def _to_bytes(values: Tensor) -> Tensor:
    return values.clamp_(0, 255).to(torch.uint8)
