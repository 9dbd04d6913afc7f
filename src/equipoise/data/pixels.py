"""One image file's bytes to uint8 pixels, whatever its format and mode."""

import io
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Literal

import numpy as np
from PIL import Image, ImagePalette, TiffImagePlugin

SUFFIXES = frozenset({".png", ".jpg", ".jpeg", ".webp", ".bmp", ".tif", ".tiff"})
"""File names that end so (in any case) are taken for images."""

MAX_PIXELS = 64_000_000
"""Files that declare more pixels are refused before they are decoded."""

Remark = Literal["transparent", "deep", "frames", "rotated"]
"""What was done to an image beyond decoding; see `SENTENCES`."""

SENTENCES: dict[Remark, str] = {
    "transparent": "Transparency was laid on white",
    "deep": "16-bit grey was scaled linearly from 0..65535 to 0..255",
    "frames": "Only the first frame or page was read",
    "rotated": "EXIF data turned or mirrored the picture",
}
"""The note for the user on each `Remark`; "in 3 files." is to follow."""

_FORMATS = ("PNG", "JPEG", "WEBP", "BMP", "TIFF")
_GREY_MODES = ("1", "L", "LA", "La", "I", "I;16", "I;16B", "I;16L", "I;16N")
_GRID = 16  # pixels a side that are looked at first for colour
_EXIF_ORIENTATION = 0x0112
_TIFF_WIDTH, _TIFF_HEIGHT = 0x0100, 0x0101
_UPRIGHT = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}


class BrokenImageError(Exception):
    """An image cannot be decoded; the message is the reason, as a phrase for a list."""


@dataclass(frozen=True)
class Header:
    """What an image file declares.

    Parameters
    ----------
    width, height : int
        Size in pixels, once the picture is upright.
    grey : bool
        Whether it can hold no colour, by its mode or its palette.
    """

    width: int
    height: int
    grey: bool


@dataclass(frozen=True)
class Picture:
    """A decoded image.

    Parameters
    ----------
    pixels : ndarray of uint8, shape (height, width, channels)
        Values from 0 to 255; 1 channel (grey) or 3 (red, green, blue).
    remarks : tuple of str
        What was done beyond decoding; see `SENTENCES`.
    grey : bool
        Whether the file holds no colour: red, green and blue are equal in every pixel.
    """

    pixels: np.ndarray
    remarks: tuple[Remark, ...]
    grey: bool


def read_header(data: bytes) -> Header:
    """Return what the file's header declares; no pixel is decoded.

    Raises
    ------
    BrokenImageError
        If it is no image of a known format, or declares more than `MAX_PIXELS`.

    Examples
    --------
    >>> file = io.BytesIO()
    >>> Image.new("RGB", (4, 3)).save(file, "PNG")
    >>> read_header(file.getvalue())
    Header(width=4, height=3, grey=False)
    """
    with _reasons(), _opened(data) as image:
        width, height = _stored_size(image)
        # A PNG may keep its EXIF data behind the pixels; asking for it would decode them.
        known = image.format != "PNG" or "exif" in image.info
        if known and _orientation(image) >= 5:
            width, height = height, width
        grey = image.mode in _GREY_MODES or (image.palette is not None and _is_grey(image.palette))
        return Header(width, height, grey)


def decode(data: bytes, channels: Literal[1, 3], size: int | None = None) -> Picture:
    r"""Decode an image file to 8 bits, grey or red-green-blue, upright and opaque.

    Transparency is composited on white; 16-bit grey values :math:`v` become
    :math:`\operatorname{round}(255 v / 65535)`; CMYK and other colour spaces are converted;
    of several frames or pages the first is taken; colour becomes grey by ITU-R BT.601 luma.

    Parameters
    ----------
    data : bytes
        The whole file: PNG, JPEG, WebP, BMP or TIFF.
    channels : {1, 3}
        Channels of the result.
    size : int or None, default=None
        Side in pixels of the square result: the shorter side is scaled to it (area-weighted
        bilinear, enlarging if need be) and the longer one cropped in the centre. None keeps
        the size.

    Returns
    -------
    Picture
        Pixels of shape ``(height, width, channels)``, remarks, and whether it is grey.

    Raises
    ------
    BrokenImageError
        If the file cannot be decoded to its last pixel.

    Examples
    --------
    >>> file = io.BytesIO()
    >>> Image.new("RGBA", (4, 3), (0, 0, 0, 0)).save(file, "PNG")
    >>> picture = decode(file.getvalue(), channels=1, size=2)
    >>> picture.pixels[..., 0].tolist(), picture.remarks, picture.grey
    ([[255, 255], [255, 255]], ('transparent',), True)
    """
    with _reasons(), _opened(data) as image:
        if size is not None:
            _shrink_on_load(image, size)
        declared = _orientation(image)
        image.load()
        several = getattr(image, "is_animated", False)
        orientation = _orientation(image)  # upright by now if Pillow turns the format itself
        flat, remarks = _flatten(image)
        if orientation > 1:
            flat = flat.transpose(_UPRIGHT[orientation])
        grey = flat.mode in _GREY_MODES
        if not grey:
            flat = _converted(flat, "RGB")
            grey = _channels_agree(flat)
        flat = _converted(flat, "L" if channels == 1 else "RGB")
        if size is not None:
            flat = _square(flat, size)
        pixels = np.asarray(flat).reshape(flat.height, flat.width, channels)
    if several:
        remarks.append("frames")
    if declared > 1 or orientation > 1:
        remarks.append("rotated")
    return Picture(pixels, tuple(remarks), grey)


@contextmanager
def _reasons() -> Iterator[None]:
    """Turn whatever a damaged file makes Pillow raise into one exception with a reason."""
    try:
        yield
    except BrokenImageError:
        raise
    except (Image.DecompressionBombError, Image.DecompressionBombWarning):
        raise BrokenImageError(f"declares over {MAX_PIXELS // 10**6} megapixels") from None
    except Image.UnidentifiedImageError:
        raise BrokenImageError("is no PNG, JPEG, WebP, BMP or TIFF image") from None
    # Decoders of hostile bytes raise nearly anything: SyntaxError, struct.error, KeyError, ...
    except Exception as error:
        raise BrokenImageError(f"cannot be decoded ({error or type(error).__name__})") from error


@contextmanager
def _opened(data: bytes) -> Iterator[Image.Image]:
    if not data:
        raise BrokenImageError("is empty")
    with Image.open(io.BytesIO(data), formats=_FORMATS) as image:
        if image.width * image.height > MAX_PIXELS:
            raise BrokenImageError(f"declares over {MAX_PIXELS // 10**6} megapixels")
        yield image


def _stored_size(image: Image.Image) -> tuple[int, int]:
    """Return width and height before the picture is turned; some Pillows turn a TIFF's at once."""
    if isinstance(image, TiffImagePlugin.TiffImageFile):
        return image.tag_v2[_TIFF_WIDTH], image.tag_v2[_TIFF_HEIGHT]
    return image.size


def _orientation(image: Image.Image) -> int:
    """Return the EXIF orientation 1 to 8; metadata that cannot be read count as upright."""
    try:
        value = image.getexif().get(_EXIF_ORIENTATION, 1)
    except Exception:  # damaged metadata do not make the picture unusable
        return 1
    return value if value in _UPRIGHT else 1


def _is_grey(palette: ImagePalette.ImagePalette) -> bool:
    kind = palette.rawmode or palette.mode
    raw = np.frombuffer(bytes(palette.palette), dtype=np.uint8)
    if kind.endswith(";L"):  # TIFF stores all reds, then all greens, then all blues
        colours = raw.reshape(3, -1).T
    else:
        colours = raw[: len(raw) // len(kind) * len(kind)].reshape(-1, len(kind))[:, :3]
    return bool((colours == colours[:, :1]).all())


def _converted(image: Image.Image, mode: str) -> Image.Image:
    return image if image.mode == mode else image.convert(mode)  # which would copy it


def _channels_agree(image: Image.Image) -> bool:
    """Return whether red, green and blue are equal in every pixel."""
    # Pixels of a coarse grid tell nearly every coloured picture from grey at hardly any cost.
    grid = image.resize((_GRID, _GRID), Image.Resampling.NEAREST)
    return all(_equal(*each.split()) for each in (grid, image))


def _equal(red: Image.Image, green: Image.Image, blue: Image.Image) -> bool:
    return red.tobytes() == green.tobytes() == blue.tobytes()


def _flatten(image: Image.Image) -> tuple[Image.Image, list[Remark]]:
    """Return an opaque 8-bit image, and what had to be done for that."""
    if image.mode.startswith("I"):
        return _to_eight_bits(image), ["deep"]
    if image.mode == "F":
        raise BrokenImageError("has floating-point pixels")
    if not image.has_transparency_data:
        return image, []
    grey = image.mode in _GREY_MODES
    layer = image.convert("RGBA")
    if layer.getchannel("A").getextrema() == (255, 255):
        return layer.convert("RGB"), []
    paper = Image.new("RGBA", layer.size, "white")
    flat = Image.alpha_composite(paper, layer)
    return flat.convert("L" if grey else "RGB"), ["transparent"]


def _to_eight_bits(image: Image.Image) -> Image.Image:
    values = np.asarray(image).astype(np.int64)
    if values.min() < 0 or values.max() > 65535:
        raise BrokenImageError("has 32-bit values outside 0..65535")
    clear = image.info.get("transparency")
    if isinstance(clear, int):
        values[values == clear] = 65535
    return Image.fromarray(((values + 128) // 257).astype(np.uint8))


def _shrink_on_load(image: Image.Image, size: int) -> None:
    """Let the JPEG decoder skip detail, down to twice the size wanted; others ignore it."""
    scale = 2 * size / min(image.size)
    if scale < 1:
        image.draft(None, (round(image.width * scale), round(image.height * scale)))


def _square(image: Image.Image, size: int) -> Image.Image:
    side = min(image.size)
    left, top = (image.width - side) // 2, (image.height - side) // 2
    box = (left, top, left + side, top + side)
    return image.resize((size, size), Image.Resampling.BILINEAR, box=box)
