"""Outlines are checked before pycocotools sees them."""

import numpy as np
import pytest
from pycocotools import mask as rle_codec

from refvos.io.outlines import decode_polygons, decode_rle, unpack_counts

NAN, INF = float('nan'), float('inf')


@pytest.mark.parametrize(
    'polygon',
    [
        [0, 0, 1e10, 0, 1e10, 1e10],
        [0, 0, 3e8, 0, 0, 3e8],
        [0, 0, NAN, 0, 1, 1],
        [0, 0, INF, 0, 1, 1],
        [0, 0, 0, 1, 1, 1, 5],
        [0, 0, 1e6, 1e6] * 1000,
        [[0, 0, 1, 1, 2, 2]] * 6,
    ],
)
def test_polygons_without_an_end(polygon):
    with pytest.raises((TypeError, ValueError)):
        decode_polygons([polygon], 96, 128)


def test_corners_outside_the_frame_are_cut():
    mask = decode_polygons([[-50, -50, 40, -50, 40, 400, -50, 400]], 96, 128)
    assert mask[:, :40].all() and not mask[:, 41:].any()


@pytest.mark.parametrize(
    'rle',
    [
        dict(size=[200000, 200000], counts='1'),
        dict(size=[2**31, 2**31], counts='1'),
        dict(size=[-1, -1], counts='1'),
        dict(size=[5], counts='1'),
        dict(size=[96, 128.0], counts='1'),
        dict(size=[96, 128], counts=[-1, 5]),
        dict(size=[96, 128], counts=[2**40]),
        dict(size=[96, 128], counts=[2**80]),
        dict(size=[96, 128], counts=[2**63 - 1, 2**63 - 1, 12290]),
        dict(size=[96, 128], counts='1'),
        dict(size=[96, 128], counts='P'),
        dict(size=[96, 128], counts='o' * 30),
        dict(size=[96, 128], counts=b'\xff\0'),
        dict(size=[96, 128], counts='é'),
        dict(size=[96, 128], counts={}),
    ],
)
def test_rles_of_odd_size_or_counts(rle):
    with pytest.raises((KeyError, TypeError, ValueError)):
        decode_rle(rle)


def test_counts_are_unpacked_as_pycocotools_packs_them():
    generator = np.random.default_rng(0)
    for height, width in ((1, 1), (7, 5), (96, 128), (720, 1280)):
        for share in (0, 0.02, 0.5, 1):
            mask = generator.random((height, width)) < share
            if width > 100:
                mask = np.sort(mask, axis=0)  # Longer runs.
            rle = rle_codec.encode(np.asfortranarray(mask, np.uint8))
            assert (decode_rle(rle) == mask).all()
            counts = unpack_counts(rle['counts'])
            runs = np.diff(
                np.flatnonzero(np.diff(mask.T.ravel().astype(int))),
                prepend=-1,
                append=mask.size - 1,
            )
            first = [0] if mask[0, 0] else []
            assert counts.tolist() == [*first, *runs.tolist()]
            plain = {'size': [height, width], 'counts': counts.tolist()}
            assert (decode_rle(plain) == mask).all()
