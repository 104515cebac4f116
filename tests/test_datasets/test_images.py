"""Images of every kind are read upright and at their brightness."""

import io
import os
import struct
import zlib

import numpy as np
import pytest
from PIL import Image

from refvos.errors import InputError
from refvos.io.images import (
    decode_binary_mask,
    decode_id_map,
    image_size,
    read_image,
    read_pages,
    read_reduced_image,
)

HEIGHT, WIDTH = 8, 12
RAMP = np.broadcast_to(np.linspace(0, 1, 64), (6, 64))


def picture():
    """Dark at the top, red at the left."""
    frame = np.full((HEIGHT, WIDTH, 3), 200, np.uint8)
    frame[:, :3] = (220, 30, 30)
    frame[:3] = 0
    return frame


def png(image, **options):
    file = io.BytesIO()
    image.save(file, 'PNG', **options)
    return file.getvalue()


def chunk(name, data):
    checksum = struct.pack('>I', zlib.crc32(name + data))
    return struct.pack('>I', len(data)) + name + data + checksum


def with_chunk(content, name, data):
    """Insert a chunk after IHDR, which takes 25 bytes."""
    return content[:33] + chunk(name, data) + content[33:]


def refused(call, *args):
    with pytest.raises(InputError) as caught:
        call(*args)
    message = str(caught.value)
    assert '\n' not in message
    return message


@pytest.mark.parametrize('orientation', range(1, 9))
def test_every_exif_orientation(tmp_path, orientation):
    """EXIF tells which stored side is shown at the top."""
    stored = {
        1: lambda a: a,
        2: lambda a: a[:, ::-1],
        3: lambda a: a[::-1, ::-1],
        4: lambda a: a[::-1],
        5: lambda a: a.swapaxes(0, 1),
        6: lambda a: np.rot90(a, 1),
        7: lambda a: np.rot90(a.swapaxes(0, 1), 2),
        8: lambda a: np.rot90(a, -1),
    }[orientation](picture())
    exif = Image.Exif()
    exif[0x0112] = orientation
    path = tmp_path / 'a.png'
    image = Image.fromarray(np.ascontiguousarray(stored))
    image.save(path, exif=exif)
    assert (read_image(str(path)) == picture()).all()
    assert (read_reduced_image(str(path), 2)[0] == picture()).all()
    assert image_size(str(path)) == (HEIGHT, WIDTH)
    # Masks are turned like their frames.
    ids = png(image.convert('L').point(lambda v: v > 0), exif=exif)
    upright = picture().any(-1)
    assert (decode_id_map(ids, 'a.png') == upright).all()
    assert (decode_binary_mask(ids, 'a.png') == upright).all()


@pytest.mark.parametrize(
    ('name', 'pixels'),
    [
        ('a.png', (RAMP * 65535).astype(np.uint16)),
        ('a.tif', (RAMP * 65535).astype(np.uint16)),
        ('a.ppm', (RAMP * 65535).astype(np.uint16)),
    ],
)
def test_sixteen_bits_are_scaled(tmp_path, name, pixels):
    path = tmp_path / name
    Image.fromarray(pixels).save(path)
    found = read_image(str(path))
    assert found.shape == (6, 64, 3) and found.dtype == np.uint8
    assert np.abs(found - 255.0 * RAMP[..., None]).max() <= 1
    assert image_size(str(path)) == (6, 64)


def test_twelve_of_sixteen_bits(tmp_path, logged):
    """A TIFF can tell its largest sample; if a file does not, we warn."""
    pixels = (RAMP * 4095).astype(np.uint16)
    path = tmp_path / 'a.tif'
    Image.fromarray(pixels).save(path, tiffinfo={281: 4095})
    found = read_image(str(path))
    assert np.abs(found - 255.0 * RAMP[..., None]).max() <= 1
    assert not logged
    Image.fromarray(pixels).save(tmp_path / 'a.png')
    assert read_image(str(tmp_path / 'a.png')).max() == 16
    read_image(str(tmp_path / 'a.png'))
    (line,) = logged
    assert str(tmp_path) in line and '12 bits' in line


@pytest.mark.parametrize('kind', [np.float32, np.int32])
def test_samples_without_a_known_white_are_refused(tmp_path, kind):
    path = tmp_path / 'a.tif'
    Image.fromarray((RAMP * 255).astype(kind)).save(path)
    for read in (read_image, image_size):
        assert 'expected whole numbers of 8 or 16 bits' in (
            refused(read, str(path))
        )


@pytest.mark.parametrize(
    ('name', 'data'),
    [
        (b'zTXt', b'comment\0\0' + zlib.compress(b'a' * 1_500_000)),
        (b'iTXt', b'a\0\1\0\0\0' + zlib.compress(b'a' * 1_500_000)),
        (b'iCCP', b'profile\0\0' + zlib.compress(b'a' * 1_500_000)),
        (b'eXIf', b'\0\x08\0\0\0\0'),
        (b'tEXt', b'comment\0' + b'a' * 1_500_000),
    ],
    ids=['zTXt', 'iTXt', 'iCCP', 'eXIf', 'tEXt'],
)
def test_metadata_that_pillow_refuses(tmp_path, name, data):
    path = tmp_path / 'a.png'
    path.write_bytes(with_chunk(png(Image.fromarray(picture())), name, data))
    assert (read_image(str(path)) == picture()).all()
    assert image_size(str(path)) == (HEIGHT, WIDTH)


def test_too_many_pixels(tmp_path):
    size = struct.pack('>IIBBBBB', 60000, 60000, 8, 2, 0, 0, 0)
    path = tmp_path / 'a.png'
    path.write_bytes(
        b'\x89PNG\r\n\x1a\n'
        + chunk(b'IHDR', size)
        + chunk(b'IDAT', zlib.compress(b''))
        + chunk(b'IEND', b'')
    )
    assert refused(read_image, str(path)) == (
        f"{path}: size is 'too large'; expected an image of at most "
        '178956970 pixels'
    )


def test_other_formats_are_not_tried(tmp_path):
    """Of EPS, Pillow would start Ghostscript."""
    path = tmp_path / 'a.jpg'
    path.write_bytes(b'%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n')
    assert 'expected a whole image' in refused(read_image, str(path))


def test_only_regular_files_are_opened(tmp_path):
    os.mkfifo(tmp_path / 'a.jpg')
    assert "'a named pipe'" in refused(read_image, str(tmp_path / 'a.jpg'))
    assert "'Is a directory'" in refused(read_image, str(tmp_path))
    assert "'a device'" in refused(read_image, '/dev/zero')
    for name in ('a\0b', '\ud800', 'x' * 300):
        assert 'expected a frame' in refused(read_image, str(tmp_path / name))


@pytest.mark.parametrize('name', ['a.webp', 'a.png', 'a.tif'])
def test_animations_are_no_images(tmp_path, name):
    frames = [np.roll(picture(), shift, 1) for shift in range(5)]
    images = [Image.fromarray(frame) for frame in frames]
    options = {} if name == 'a.tif' else {'duration': 40}
    if name == 'a.webp':
        options['lossless'] = True
    path = tmp_path / name
    images[0].save(path, save_all=True, append_images=images[1:], **options)
    for read in (read_image, image_size):
        assert 'number of frames is 5; expected 1' in refused(read, str(path))
    found = list(read_pages(str(path)))
    assert all(
        (page == frame).all()
        for (page, _), frame in zip(found, frames, strict=True)
    )
    assert [s for _, s in found] == [0.04 if options else 0.0] * 5


def test_thumbnails_of_a_tiff_are_no_pages(tmp_path):
    path = tmp_path / 'a.tif'
    thumbnail = Image.fromarray(picture()[::2, ::2])
    thumbnail.encoderinfo = {'tiffinfo': {254: 1}}
    Image.fromarray(picture()).save(
        path, save_all=True, append_images=[thumbnail]
    )
    with Image.open(path) as image:
        assert image.n_frames == 2
    assert (read_image(str(path)) == picture()).all()


MASK = picture().any(-1)


def in_palette(ids, colours, **options):
    image = Image.fromarray(ids.astype(np.uint8)).convert('P')
    image.putdata(ids.astype(np.uint8).ravel().tolist())
    image.putpalette(colours)
    return png(image, **options)


def with_alpha(mode):
    alpha = Image.fromarray(np.uint8(MASK * 255))
    white = Image.new('L', alpha.size, 255)
    count = len(mode) - 1
    return png(Image.merge(mode, [white] * count + [alpha]))


@pytest.mark.parametrize(
    'content',
    [
        png(Image.fromarray(np.uint8(MASK * 255))),
        png(Image.fromarray(np.uint8(MASK))),
        png(Image.fromarray(MASK)),
        png(Image.fromarray(MASK.astype(np.uint16) * 300)),
        png(Image.fromarray(np.uint8(MASK[..., None] * (128, 0, 0)))),
        with_alpha('LA'),
        with_alpha('RGBA'),
        # The colour decides, not the index.
        in_palette(~MASK, [255, 255, 255, 0, 0, 0]),
        in_palette(1 + MASK, [0, 0, 0, 0, 0, 0, 9, 9, 9]),
        in_palette(MASK, [255] * 6, transparency=0),
    ],
    ids=range(10),
)
def test_binary_masks(content):
    assert (decode_binary_mask(content, 'a.png') == MASK).all()
