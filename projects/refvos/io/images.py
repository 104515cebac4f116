"""Read image files; errors name the file and what was expected of it.

Frames, masks and overlays are all opened by :func:`open_image`, so that they
agree in what can be read and in which way is up.
"""

import io
import struct
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from typing import Iterator, Optional, Tuple

import mmengine.fileio as fileio
import numpy as np
from mmengine.logging import print_log
from PIL import Image

from ..errors import InputError, describe
from .local_files import read_local_bytes

# EXIF tag -> how an image is turned to be shown; from value 5 on, width and
# height change places.
ORIENTATION = 0x0112
TURNS = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}
SIDEWAYS = 5
# Pillow knows others, too; to read EPS it starts another program.
FORMATS = ('BMP', 'GIF', 'JPEG', 'JPEG2000', 'PNG', 'PPM', 'TIFF', 'WEBP')
# Formats of animations. An MPO is a photo with previews of it.
WITH_PAGES = ('GIF', 'PNG', 'TIFF', 'WEBP')
# Formats whose samples of more than 8 bits Pillow gives in mode I.
SIXTEEN_BITS = ('JPEG2000', 'PNG', 'PPM')
# Pillow's own limit, which other packages may have switched off.
MOST_PIXELS = 178_956_970
PNG_SIGNATURE = b'\x89PNG\r\n\x1a\n'
# Tags of TIFF.
SUBFILE_TYPE, BITS_PER_SAMPLE, PHOTOMETRIC = 254, 258, 262
MAX_SAMPLE_VALUE = 281
WHITE_IS_ZERO = 0
SIXTEEN, TWELVE = 2**16 - 1, 2**12 - 1
# Behind transparent grey pixels, as in mmcv.
CANVAS = (124, 117, 104)
WITH_ALPHA = ('LA', 'La', 'PA', 'RGBA', 'RGBa')


def read_bytes(
    path: str, expected: str, backend_args: Optional[dict] = None
) -> bytes:
    """Read a whole file.

    Args:
        path: Its path or address.
        expected: What the file is, for messages.
        backend_args: Arguments of mmengine's file backends.

    Raises:
        InputError: The file is missing, no regular file, or cannot be read.
    """
    if '://' not in path and not backend_args:
        return read_local_bytes(path, expected)
    try:
        return fileio.get(path, backend_args=backend_args)
    except (FileNotFoundError, NotADirectoryError):
        raise InputError.of(path, 'file', 'missing', expected) from None
    except OSError as error:
        raise InputError.of(path, 'file', error.strerror, expected) from None


@contextmanager
def open_image(
    content: bytes,
    path: str,
    expected: str = 'a whole image',
    pages: bool = False,
) -> Iterator[Image.Image]:
    """Open an encoded image; errors within become ones that name the file.

    Args:
        content: The encoded image.
        path: Its file, for messages.
        expected: What the file is, for messages.
        pages: Allow animations and other files of several pages.

    Raises:
        InputError: The image is broken, too large, or has several pages.
    """
    try:
        source = io.BytesIO(without_texts(content))
        with Image.open(source, formats=FORMATS) as image:
            if image.width * image.height > MOST_PIXELS:
                raise Image.DecompressionBombError
            count = 1 if pages else count_pages(image)
            if count > 1:
                raise InputError.of(
                    path,
                    'number of frames',
                    count,
                    '1: an image, no animation',
                )
            yield image
    except InputError:
        raise
    except Image.DecompressionBombError:
        raise InputError.of(
            path,
            'size',
            'too large',
            f'an image of at most {MOST_PIXELS} pixels',
        ) from None
    # What Pillow raises depends on the format and on what is broken.
    except Exception as error:
        raise InputError.of(
            path, 'content', str(error) or type(error).__name__, expected
        ) from None


def without_texts(content: bytes) -> bytes:
    """Return a PNG without compressed texts and colour profiles.

    They do not change its pixels as they are read here, and Pillow refuses
    an image if they are longer than 1 MB.
    """
    if not content.startswith(PNG_SIGNATURE):
        return content
    place = kept_from = len(PNG_SIGNATURE)
    kept = [content[:place]]
    while place + 8 <= len(content):
        length, name = struct.unpack_from('>I4s', content, place)
        # Length, name and checksum around the data.
        end = place + 12 + length
        if is_compressed_text(name, content, place + 8):
            kept.append(content[kept_from:place])
            kept_from = end
        place = end
    if kept_from == len(PNG_SIGNATURE):
        return content
    return b''.join([*kept, content[kept_from:]])


def is_compressed_text(name: bytes, content: bytes, start: int) -> bool:
    """Tell whether a chunk, whose data begin at ``start``, is one."""
    if name == b'iTXt':
        # XMP, which can tell the orientation, is text that is not compressed.
        _, _, behind_keyword = content[start : start + 96].partition(b'\0')
        return behind_keyword[:1] != b'\0'
    return name in (b'zTXt', b'iCCP')


def count_pages(image: Image.Image) -> int:
    """Count the frames of an animation, or the pages of a TIFF.

    Smaller copies of a page, such as thumbnails, are not counted.
    """
    if image.format not in WITH_PAGES:
        return 1
    count = getattr(image, 'n_frames', 1)
    if image.format == 'TIFF' and count > 1:
        whole = list(_whole_pages(image, count))
        image.seek(0)
        return len(whole)
    return count


def _whole_pages(image: Image.Image, count: int) -> Iterator[int]:
    """Yield the pages of an open TIFF that are no smaller copies."""
    for page in range(count):
        image.seek(page)
        if not image.tag_v2.get(SUBFILE_TYPE, 0) & 1:  # type: ignore
            yield page


def orientation_of(image: Image.Image) -> int:
    """Return the EXIF orientation, 1 if there is none that can be read."""
    try:
        return image.getexif().get(ORIENTATION, 1)
    # Viewers show images with broken metadata, too.
    except Exception:
        return 1


def turn_upright(image: Image.Image) -> Image.Image:
    """Turn an image as its EXIF orientation asks for."""
    turn = TURNS.get(orientation_of(image))
    return image if turn is None else image.transpose(turn)


def largest_sample(image: Image.Image, path: str) -> Optional[int]:
    """Return the sample that is white, of images with more than 8 bits.

    Returns:
        None if Pillow gives 8 bits itself.

    Raises:
        InputError: The image does not tell which sample is white, such as
            floats.
    """
    tags = getattr(image, 'tag_v2', {}) if image.format == 'TIFF' else {}
    bits = tags.get(BITS_PER_SAMPLE, (8,))
    bits = max(bits) if isinstance(bits, tuple) else bits
    named = tags.get(MAX_SAMPLE_VALUE)
    named = max(named) if isinstance(named, tuple) and named else named
    known = True
    white = None
    if image.mode.startswith('I;16'):
        white = 2 ** min(bits, 16) - 1 if tags else SIXTEEN
        if isinstance(named, int) and 255 < named < white:
            white = named
    elif image.mode == 'I':
        white = SIXTEEN
        known = image.format in SIXTEEN_BITS
    elif image.mode == 'F':
        known = False
    elif bits > 8 and isinstance(named, int):
        # Pillow takes the upper 8 of 16 bits.
        known = named >= SIXTEEN
    if not known:
        raise InputError.of(
            path,
            'mode',
            f'{image.mode}, {bits} bits' if tags else image.mode,
            'whole numbers of 8 or 16 bits per sample',
        )
    return white


def to_rgb(image: Image.Image, path: str) -> np.ndarray:
    """Decode an open image, upright.

    Samples of more than 8 bits are scaled to 0..255.

    Returns:
        (H, W, 3) uint8, RGB.
    """
    white = largest_sample(image, path)
    inverted = (
        image.format == 'TIFF'
        and image.tag_v2.get(PHOTOMETRIC) == WHITE_IS_ZERO  # type: ignore
    )
    image = turn_upright(image)
    if white is not None:
        samples = np.array(image).astype(np.uint32)
        if white == SIXTEEN and 255 < samples.max(initial=0) <= TWELVE:
            warn_of_dark_images(str(Path(path).parent))
        if inverted:
            samples = white - np.minimum(samples, white)
        grey = np.minimum((samples * 255 + white // 2) // white, 255)
        return np.repeat(grey.astype(np.uint8)[..., None], 3, axis=2)
    if image.mode == 'LA':
        # Black objects would be lost on the black of Pillow's conversion.
        canvas = Image.new('RGB', image.size, CANVAS)
        canvas.paste(image.convert('RGB'), mask=image.getchannel('A'))
        image = canvas
    return np.array(image.convert('RGB'))


@cache
def warn_of_dark_images(folder: str) -> None:
    """Warn once of a folder of 16-bit images that use 12 bits only."""
    print_log(
        describe(
            folder,
            'largest sample of a 16-bit image',
            f'at most {TWELVE}',
            f'up to {SIXTEEN}; if the camera has 12 bits, scale its images '
            'first: they are read as nearly black',
        ),
        logger='current',
        level=30,
    )


def read_image(path: str, backend_args: Optional[dict] = None) -> np.ndarray:
    """Decode an image at its own size.

    Pillow decodes it: OpenCV fills the missing part of a truncated JPEG with
    grey and reports no error.

    Args:
        path: The image file.
        backend_args: Arguments of mmengine's file backends.

    Returns:
        (H, W, 3) uint8, RGB.

    Raises:
        InputError: The file is missing or not a whole image.
    """
    content = read_bytes(path, 'a frame', backend_args)
    with open_image(content, path) as image:
        return to_rgb(image, path)


def read_reduced_image(
    path: str, min_side: int, backend_args: Optional[dict] = None
) -> Tuple[np.ndarray, Tuple[int, int]]:
    """Decode a JPEG at a half, a quarter or an eighth of its size.

    The smallest of them whose shorter side is at least ``min_side``; images
    that are too small for that, or no JPEGs, are decoded at their own size.

    Args:
        path: The image file.
        min_side: Least length of the shorter side, in pixels.
        backend_args: Arguments of mmengine's file backends.

    Returns:
        (h, w, 3) uint8, RGB, and the image's own size (H, W).

    Raises:
        InputError: The file is missing or not a whole image.
    """
    content = read_bytes(path, 'a frame', backend_args)
    with open_image(content, path) as image:
        width, height = image.size
        factors = [
            factor
            for factor in (2, 4, 8)
            if min(width, height) // factor >= min_side
        ]
        if not factors or image.format != 'JPEG':
            whole = to_rgb(image, path)
            return whole, whole.shape[:2]
        image.draft('RGB', (width // factors[-1], height // factors[-1]))
        pixels = to_rgb(image, path)
    if (width < height) != (pixels.shape[1] < pixels.shape[0]):
        width, height = height, width
    return pixels, (height, width)


def image_size(path: str, expected: str = 'a frame') -> Tuple[int, int]:
    """Read (height, width) of an image as :func:`read_image` gives it.

    Only the header is decoded.

    Args:
        path: Its file.
        expected: What the file is, for the message if it is missing.

    Raises:
        InputError: The file is missing or not an image of a kind that
            :func:`read_image` reads.
    """
    content = read_bytes(path, expected)
    with open_image(content, path) as image:
        largest_sample(image, path)
        width, height = image.size
        if orientation_of(image) >= SIDEWAYS:
            width, height = height, width
    return height, width


def is_animation(path: str) -> bool:
    """Tell whether an image file has several frames or pages.

    Raises:
        InputError: The file is missing or not an image.
    """
    content = read_bytes(path, 'an image')
    with open_image(content, path, pages=True) as image:
        return count_pages(image) > 1


def read_pages(path: str) -> Iterator[Tuple[np.ndarray, float]]:
    """Decode the frames of an animation, or the pages of a TIFF.

    Yields:
        Per frame (H, W, 3) uint8, RGB, and how long it is shown in seconds,
        0 if the file does not tell.

    Raises:
        InputError: The file is missing or broken.
    """
    content = read_bytes(path, 'an animation')
    with open_image(content, path, 'a whole animation', pages=True) as image:
        count = getattr(image, 'n_frames', 1)
        numbers = iter(range(count))
        if image.format == 'TIFF':
            numbers = _whole_pages(image, count)
        for number in numbers:
            image.seek(number)
            # Some formats know the time only when the frame is decoded.
            picture = to_rgb(image, path)
            yield picture, float(image.info.get('duration') or 0) / 1000


def decode_id_map(content: bytes, path: str) -> np.ndarray:
    """Decode an image whose values are object ids.

    Args:
        content: The encoded image.
        path: Its file, for messages.

    Returns:
        (H, W), integers.

    Raises:
        InputError: The image is broken or in colour.
    """
    with open_image(content, path, 'a whole palette PNG') as image:
        mode = image.mode
        ids = np.array(turn_upright(image))
    if ids.ndim != 2 or mode == 'F':
        raise InputError.of(
            path,
            'mode',
            mode,
            'a palette (P) or grey (L) image whose values are object ids',
        )
    return ids


def decode_binary_mask(content: bytes, path: str) -> np.ndarray:
    """Decode an image of one object; the background is black or transparent.

    The colour decides, not the index of a palette.

    Args:
        content: The encoded image: grey, palette, 1 bit or colour, with or
            without an alpha channel.
        path: Its file, for messages.

    Returns:
        (H, W) bool.

    Raises:
        InputError: The image is broken.
    """
    with open_image(content, path) as image:
        transparent = image.mode in WITH_ALPHA or 'transparency' in image.info
        image = turn_upright(image)
        if transparent:
            pixels = np.array(image.convert('RGBA'))
            shown = pixels[..., 3:] > 0
            pixels = pixels[..., :3] * shown
        elif image.mode in ('1', 'L', 'F') or image.mode.startswith('I'):
            pixels = np.array(image)[..., None]
        else:
            pixels = np.array(image.convert('RGB'))
    return np.asarray((pixels > 0).any(-1))
