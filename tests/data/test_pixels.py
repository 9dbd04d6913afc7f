import io
import struct
import zlib

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from PIL import Image, ImageOps

from equipoise.data.pixels import (
    MAX_PIXELS,
    BrokenImageError,
    Header,
    decode,
    read_header,
)

SIDES = st.integers(1, 12)
COLOUR = st.tuples(SIDES, SIDES).flatmap(lambda hw: arrays(np.uint8, (*hw, 3)))
GREY = st.tuples(SIDES, SIDES).flatmap(lambda hw: arrays(np.uint8, hw))


def written(image: Image.Image, kind: str, **how) -> bytes:
    file = io.BytesIO()
    image.save(file, kind, **how)
    return file.getvalue()


def noise(*shape: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 256, shape, dtype=np.uint8)


def smooth(height: int, width: int) -> Image.Image:
    """A picture without sharp edges, like a photograph."""
    y, x = np.mgrid[:height, :width] / max(height, width)
    waves = [128 + 100 * np.sin(5 * x + 3 * y + phase) for phase in (0, 1, 2)]
    return Image.fromarray(np.stack(waves, axis=2).astype(np.uint8))


@settings(deadline=None, derandomize=True, max_examples=60)
@given(COLOUR)
def test_a_colour_png_gives_back_its_pixels(pixels):
    """Decoding is the inverse of writing a PNG in colour."""
    picture = decode(written(Image.fromarray(pixels), "PNG"), channels=3)
    np.testing.assert_array_equal(picture.pixels, pixels)
    assert picture.remarks == ()


@settings(deadline=None, derandomize=True, max_examples=60)
@given(GREY)
def test_a_grey_png_gives_back_its_pixels(pixels):
    """Decoding is the inverse of writing a PNG in grey, and three channels repeat it."""
    data = written(Image.fromarray(pixels), "PNG")
    np.testing.assert_array_equal(decode(data, channels=1).pixels[..., 0], pixels)
    np.testing.assert_array_equal(decode(data, channels=3).pixels, pixels[..., None].repeat(3, 2))


@settings(deadline=None, derandomize=True, max_examples=200)
@given(COLOUR, st.sampled_from(["PNG", "JPEG", "WEBP", "BMP", "TIFF"]), st.integers(1, 8))
def test_the_header_tells_the_size_that_decoding_gives(pixels, kind, orientation):
    """Header and decoder agree on the upright size for every format and EXIF orientation."""
    exif = Image.Exif()
    exif[0x0112] = orientation
    data = written(Image.fromarray(pixels), kind, exif=exif)
    header = read_header(data)
    assert decode(data, channels=3).pixels.shape == (header.height, header.width, 3)
    assert not header.grey


@pytest.mark.parametrize(
    ("kind", "how"), [("PNG", {}), ("BMP", {}), ("TIFF", {}), ("WEBP", {"lossless": True})]
)
def test_lossless_formats_give_back_their_pixels(kind, how):
    """Every lossless format decodes to the pixels that were written."""
    pixels = noise(7, 5, 3)
    picture = decode(written(Image.fromarray(pixels), kind, **how), channels=3)
    np.testing.assert_array_equal(picture.pixels, pixels)


@pytest.mark.parametrize("kind", ["PNG", "BMP", "TIFF"])
def test_one_bit_becomes_black_and_white(kind):
    """The two values of a one-bit image are 0 and 255."""
    bits = noise(6, 9) > 127
    data = written(Image.fromarray(bits), kind)
    np.testing.assert_array_equal(decode(data, channels=1).pixels[..., 0], bits * 255)
    assert read_header(data).grey


@pytest.mark.parametrize("mode", ["RGBA", "LA"])
def test_transparency_shows_white_behind(mode):
    """A pixel of opacity a becomes a v + (1 - a) 255, to within rounding."""
    channels = noise(9, 8, len(mode))
    picture = decode(written(Image.fromarray(channels, mode), "PNG"), channels=3)
    alpha = channels[..., -1:] / 255
    expected = alpha * channels[..., :-1] + (1 - alpha) * 255
    assert np.abs(picture.pixels - expected).max() <= 1
    assert picture.remarks == ("transparent",)


@pytest.mark.parametrize("clear", [1, bytes([255, 0, 255])])
def test_a_transparent_palette_entry_becomes_white(clear):
    """A palette's transparent entry is white, its other entries keep their colour."""
    image = Image.new("P", (3, 1))
    image.putpalette([10, 20, 30, 40, 50, 60, 70, 80, 90])
    image.putdata([0, 1, 2])
    data = written(image, "PNG", transparency=clear)
    pixels = decode(data, channels=3).pixels[0].tolist()
    assert pixels == [[10, 20, 30], [255, 255, 255], [70, 80, 90]]


def test_full_opacity_changes_nothing():
    """An alpha channel of 255 everywhere is dropped without a remark."""
    pixels = noise(4, 4, 3)
    full = np.concatenate([pixels, np.full((4, 4, 1), 255, np.uint8)], axis=2)
    picture = decode(written(Image.fromarray(full), "PNG"), channels=3)
    np.testing.assert_array_equal(picture.pixels, pixels)
    assert picture.remarks == ()


@pytest.mark.parametrize("kind", ["PNG", "TIFF"])
def test_sixteen_bits_are_scaled_linearly(kind):
    """0..65535 maps to 0..255 by rounding v / 257, whatever the largest value is."""
    values = np.array([[0, 128, 129, 257, 32768, 65535]], dtype=np.uint16)
    data = written(Image.fromarray(values), kind)
    picture = decode(data, channels=1)
    np.testing.assert_array_equal(picture.pixels[..., 0], [[0, 0, 1, 1, 128, 255]])
    assert picture.remarks == ("deep",)
    assert read_header(data).grey


def test_sixteen_bits_of_the_other_byte_order_are_read_alike():
    """A big-endian 16-bit TIFF gives the same grey as a little-endian one."""
    values = np.array([[0, 257, 514, 65535]], dtype=np.uint16)
    tags = [(256, 4), (257, 1), (258, 16), (259, 1), (262, 1), (273, 8), (277, 1), (278, 1)]
    tags.append((279, 8))
    entries = b"".join(struct.pack(">HHII", tag, 4, 1, value) for tag, value in tags)
    start = 8 + values.nbytes
    data = struct.pack(">2sHI", b"MM", 42, start) + values.astype(">u2").tobytes()
    data += struct.pack(">H", len(tags)) + entries + struct.pack(">I", 0)
    assert decode(data, channels=1).pixels[0, :, 0].tolist() == [0, 1, 2, 255]


def test_a_transparent_sixteen_bit_value_becomes_white():
    """The transparent grey of a 16-bit PNG is white."""
    values = np.array([[0, 257, 514]], dtype=np.uint16)
    data = written(Image.fromarray(values), "PNG", transparency=257)
    assert decode(data, channels=1).pixels[0, :, 0].tolist() == [0, 255, 2]


def test_thirty_two_bits_are_read_only_within_sixteen():
    """Wide integer images are scaled as 16-bit ones while they fit, and refused otherwise."""
    fits = Image.fromarray(np.array([[0, 65535]], dtype=np.int32))
    assert decode(written(fits, "TIFF"), channels=1).pixels[0, :, 0].tolist() == [0, 255]
    for value in (-1, 65536):
        wide = Image.fromarray(np.array([[0, value]], dtype=np.int32))
        with pytest.raises(BrokenImageError, match="32-bit"):
            decode(written(wide, "TIFF"), channels=1)


def test_fractional_pixels_are_refused():
    """Floating-point images have no known range."""
    image = Image.fromarray(np.zeros((2, 2), np.float32))
    with pytest.raises(BrokenImageError, match="floating-point"):
        decode(written(image, "TIFF"), channels=1)


def test_printing_colours_become_screen_colours():
    """CMYK inks subtract: none is white, cyan takes red away, black takes all."""
    image = Image.new("CMYK", (3, 1))
    image.putdata([(0, 0, 0, 0), (255, 0, 0, 0), (0, 0, 0, 255)])
    pixels = decode(written(image, "TIFF"), channels=3).pixels[0].tolist()
    assert pixels == [[255, 255, 255], [0, 255, 255], [0, 0, 0]]


@settings(deadline=None, derandomize=True, max_examples=60)
@given(COLOUR, st.booleans())
def test_a_picture_is_grey_if_its_channels_are_equal(pixels, alike):
    """Grey is told from the pixels of any size, not from how they are stored."""
    pixels = pixels[..., :1].repeat(3, 2) if alike else pixels
    picture = decode(written(Image.fromarray(pixels), "PNG"), channels=1)
    assert picture.grey == bool((pixels == pixels[..., :1]).all())
    if alike:
        np.testing.assert_array_equal(picture.pixels, pixels[..., :1])


@pytest.mark.parametrize("at", [0, 1, 2])
def test_a_single_coloured_pixel_is_colour(at):
    """One step of one channel anywhere counts, also where only few pixels are looked at first."""
    pixels = noise(70, 90, 1).repeat(3, 2)
    assert decode(written(Image.fromarray(pixels), "PNG"), channels=3, size=8).grey
    pixels[41, 13, at] ^= 1
    assert not decode(written(Image.fromarray(pixels), "PNG"), channels=3, size=8).grey


def test_grey_saved_as_a_photograph_is_grey():
    """JPEG keeps grey in colour exactly grey, and the halved decoding of large files too."""
    grey = smooth(200, 160).convert("L")
    for size in None, 20:
        colour, plain = (
            decode(written(image, "JPEG", quality=95), channels=1, size=size)
            for image in (grey.convert("RGB"), grey)
        )
        assert colour.grey
        np.testing.assert_array_equal(colour.pixels, plain.pixels)


def test_colour_becomes_grey_by_luma():
    """Grey is 0.299 red + 0.587 green + 0.114 blue."""
    pixels = noise(6, 6, 3)
    grey = decode(written(Image.fromarray(pixels), "PNG"), channels=1).pixels[..., 0]
    assert np.abs(grey - pixels @ [0.299, 0.587, 0.114]).max() <= 1


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "TIFF", "WEBP"])
@pytest.mark.parametrize("orientation", range(1, 9))
def test_pictures_are_turned_upright(kind, orientation):
    """All eight EXIF orientations are undone as Pillow's own function undoes them."""
    exif = Image.Exif()
    exif[0x0112] = orientation
    data = written(smooth(6, 9), kind, exif=exif)
    upright = ImageOps.exif_transpose(Image.open(io.BytesIO(data)))
    picture = decode(data, channels=3)
    np.testing.assert_array_equal(picture.pixels, np.asarray(upright))
    assert read_header(data) == Header(upright.width, upright.height, grey=False)
    assert picture.remarks == (("rotated",) if orientation > 1 else ())


def test_damaged_metadata_do_not_break_a_picture():
    """A picture with unreadable EXIF data is taken as upright."""
    pixels = noise(4, 5, 3)
    data = written(Image.fromarray(pixels), "PNG", exif=b"Exif\0\0II\x2a\0\xff\xff")
    np.testing.assert_array_equal(decode(data, channels=3).pixels, pixels)


@pytest.mark.parametrize(("kind", "how"), [("PNG", {}), ("TIFF", {}), ("WEBP", {"lossless": True})])
def test_of_many_frames_the_first_is_taken(kind, how):
    """Animations and many-page files count as their first picture, with a remark."""
    frames = [Image.fromarray(noise(5, 5, 3, seed=seed)) for seed in range(3)]
    data = written(frames[0], kind, save_all=True, append_images=frames[1:], **how)
    picture = decode(data, channels=3)
    np.testing.assert_array_equal(picture.pixels, np.asarray(frames[0]))
    assert picture.remarks == ("frames",)


@pytest.mark.parametrize("kind", ["PNG", "TIFF", "BMP"])
@pytest.mark.parametrize("grey", [True, False])
def test_a_palette_is_grey_if_all_its_colours_are(kind, grey):
    """An image with a palette counts as grey exactly if every entry is."""
    image = Image.new("P", (4, 4))
    image.putpalette([200, 200, 200, 7, 7, 7, 90, 90, 90 if grey else 91])
    image.putdata([0, 1, 2, 1] * 4)
    assert read_header(written(image, kind)).grey == grey


@pytest.mark.parametrize("kind", ["PNG", "JPEG", "BMP", "WEBP", "TIFF"])
@pytest.mark.parametrize("kept", [0.3, 0.6, 0.9])
def test_cut_files_are_broken(kind, kept):
    """A file that ends early never gives a picture, wherever it was cut."""
    data = written(Image.fromarray(noise(40, 40, 3)), kind)
    with pytest.raises(BrokenImageError):
        decode(data[: int(kept * len(data))], channels=3)


@settings(deadline=None, derandomize=True, max_examples=150)
@given(st.data(), st.sampled_from(["PNG", "JPEG", "BMP", "WEBP", "TIFF"]))
def test_damage_gives_a_picture_or_a_reason(choose, kind):
    """No damaged byte makes anything escape but the one exception with a reason."""
    data = bytearray(written(Image.fromarray(noise(8, 8, 3)), kind))
    for _ in range(choose.draw(st.integers(1, 4))):
        data[choose.draw(st.integers(0, len(data) - 1))] = choose.draw(st.integers(0, 255))
    for read in (read_header, lambda data: decode(data, channels=3)):
        try:
            read(bytes(data))
        except BrokenImageError as error:
            assert str(error)  # noqa: PT017


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (b"", "is empty"),
        (b"<html>not found</html>", "is no PNG"),
        (b"\x89PNG\r\n\x1a\n", "is no PNG|cannot be decoded"),
    ],
)
def test_what_is_no_image_has_a_reason(data, reason):
    """Empty files and files of another kind are told apart."""
    with pytest.raises(BrokenImageError, match=reason):
        read_header(data)


def test_other_formats_are_refused():
    """Formats outside the documented five are not tried, even if Pillow knows them."""
    with pytest.raises(BrokenImageError, match="is no PNG, JPEG, WebP, BMP or TIFF"):
        decode(written(Image.new("RGB", (2, 2)), "GIF"), channels=3)


def png_header(width: int, height: int) -> bytes:
    """A PNG that declares a size and has no pixels."""
    ihdr = b"IHDR" + struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0)
    idat = b"IDAT" + zlib.compress(b"")
    chunks = (
        struct.pack(">I", len(c) - 4) + c + struct.pack(">I", zlib.crc32(c)) for c in (ihdr, idat)
    )
    return b"\x89PNG\r\n\x1a\n" + b"".join(chunks)


@pytest.mark.parametrize(("width", "height"), [(8001, 8000), (10_000, 9_000), (100_000, 100_000)])
@pytest.mark.filterwarnings("ignore::PIL.Image.DecompressionBombWarning")
def test_huge_images_are_refused_by_their_header(width, height):
    """More than 64 megapixels are never decoded, below Pillow's own limits and above them."""
    for read in (read_header, lambda data: decode(data, channels=1)):
        with pytest.raises(BrokenImageError, match="over 64 megapixels"):
            read(png_header(width, height))


def test_the_largest_image_is_allowed():
    """The limit itself is within the limit."""
    side = int(MAX_PIXELS**0.5)
    assert read_header(png_header(side, side)) == Header(side, side, grey=True)


@pytest.mark.parametrize("wide", [True, False])
def test_resizing_keeps_the_centre(wide):
    """The longer side is cropped equally at both ends."""
    pixels = np.zeros((20, 60), np.uint8)
    pixels[:, 15:45] = 200
    data = written(Image.fromarray(pixels if wide else pixels.T), "PNG")
    assert (decode(data, channels=1, size=10).pixels == 200).all()


def test_no_resampling_where_the_side_fits():
    """A crop without scaling keeps the exact pixels."""
    pixels = noise(16, 25, 3)
    cropped = decode(written(Image.fromarray(pixels), "PNG"), channels=3, size=16).pixels
    np.testing.assert_array_equal(cropped, pixels[:, 4:20])


@pytest.mark.parametrize("size", [5, 40])
def test_resizing_scales_the_shorter_side_and_crops(size):
    """Shrinking and enlarging equal Pillow's own on the whole picture, cropped afterwards."""
    image = smooth(20, 60)
    whole = np.asarray(image.resize((3 * size, size), Image.Resampling.BILINEAR))
    pixels = decode(written(image, "PNG"), channels=3, size=size).pixels
    assert np.abs(pixels.astype(int) - whole[:, size : 2 * size]).max() <= 1


def test_skipping_detail_on_loading_changes_little():
    """A large JPEG shrunk while it is decoded equals one decoded in full, to within 2 levels."""
    image = smooth(400, 640)
    data = written(image, "JPEG", quality=95)
    full = Image.open(io.BytesIO(data)).resize(
        (32, 32), Image.Resampling.BILINEAR, (120, 0, 520, 400)
    )
    expected = np.asarray(full).astype(int)
    assert np.abs(decode(data, channels=3, size=32).pixels - expected).max() <= 2
