import math

import numpy as np
import pytest

from refvos.evaluation import boundary_f, region_similarity, tube_statistics


def square(top, left, side, shape=(20, 30)):
    mask = np.zeros((1, *shape), dtype=bool)
    mask[0, top : top + side, left : left + side] = True
    return mask


def slow_boundary(mask):
    """Pixel by pixel: differs from its east, south or south-east."""
    height, width = mask.shape
    boundary = np.zeros_like(mask)
    for y in range(height):
        for x in range(width):
            neighbours = []
            if x + 1 < width:
                neighbours.append(mask[y, x + 1])
            if y + 1 < height:
                neighbours.append(mask[y + 1, x])
            if x + 1 < width and y + 1 < height:
                neighbours.append(mask[y + 1, x + 1])
            boundary[y, x] = any(n != mask[y, x] for n in neighbours)
    return boundary


def slow_f(pred, gt, tolerance):
    """All pairs of boundary pixels, no morphology, no cropping."""
    radius = math.ceil(tolerance * math.hypot(*gt.shape))
    pred_points = np.argwhere(slow_boundary(pred))
    gt_points = np.argwhere(slow_boundary(gt))
    if not len(pred_points) and not len(gt_points):
        return 1.0
    if not len(pred_points) or not len(gt_points):
        return 0.0
    offsets = pred_points[:, None] - gt_points[None]
    near = (offsets**2).sum(-1) <= radius**2
    precision = near.any(1).mean()
    recall = near.any(0).mean()
    if precision + recall == 0:
        return 0.0
    return 2 * precision * recall / (precision + recall)


def random_masks(rng, shape):
    """Blobs, some touching the border, some empty, some full, some noise."""
    masks = [np.zeros(shape, bool), np.ones(shape, bool)]
    masks.append(rng.random(shape) < 0.3)
    y, x = np.mgrid[: shape[0], : shape[1]]
    for _ in range(9):
        cy, cx = rng.uniform(0, shape[0]), rng.uniform(0, shape[1])
        radius = rng.uniform(1, 12)
        masks.append((y - cy) ** 2 + (x - cx) ** 2 < radius**2)
    return np.array(masks)


@pytest.mark.parametrize('tolerance', [0.008, 0.04, 0.1])
@pytest.mark.parametrize('shape', [(24, 31), (33, 18)])
def test_boundary_f_equals_a_slow_implementation(shape, tolerance):
    rng = np.random.default_rng(0)
    pred = random_masks(rng, shape)
    gt = random_masks(rng, shape)
    pairs = [(p, g) for p in pred for g in gt]
    expected = [slow_f(p, g, tolerance) for p, g in pairs]
    got = boundary_f(
        np.array([p for p, _ in pairs]),
        np.array([g for _, g in pairs]),
        tolerance,
    )
    np.testing.assert_allclose(got, expected, rtol=0, atol=1e-9)
    assert len(np.unique(np.round(got, 6))) > 20


def test_region_similarity_by_hand():
    # 5x5 and 5x5 shifted by 2 columns: 15 common, 35 together.
    assert region_similarity(square(3, 4, 5), square(3, 6, 5)) == 15 / 35
    empty = np.zeros((1, 20, 30), dtype=bool)
    assert region_similarity(empty, empty) == 1
    assert region_similarity(empty, square(3, 4, 5)) == 0
    assert region_similarity(square(3, 4, 5), empty) == 0


def test_boundary_f_by_hand():
    # diagonal of 20x30 = 36.06: radius 1 at 0.008.
    gt = square(5, 5, 6)
    assert boundary_f(gt, gt) == 1
    # Shifted by one: every boundary pixel is within one pixel of another.
    assert boundary_f(square(5, 6, 6), gt) == 1
    # Shifted by two columns. The boundary of gt is the ring from (4, 4) to
    # (10, 10), 24 pixels; that of the other runs from (4, 6) to (10, 12).
    # Within one pixel of gt's ring: in rows 4 and 10 columns 6 to 11, in
    # column 6 the pixels next to those rows, in column 12 none: 14.
    assert boundary_f(square(5, 7, 6), gt) == pytest.approx(14 / 24)


def test_boundary_f_of_empty_and_full_masks():
    empty = np.zeros((1, 20, 30), dtype=bool)
    full = ~empty
    some = square(5, 5, 6)
    assert boundary_f(empty, empty) == 1
    assert boundary_f(some, empty) == 0
    assert boundary_f(empty, some) == 0
    # A mask that fills the frame has no boundary.
    assert boundary_f(full, empty) == 1
    assert boundary_f(some, full) == 0
    # Far apart: precision and recall are both 0.
    assert boundary_f(square(2, 2, 3), square(14, 24, 3)) == 0


def test_frames_are_scored_one_by_one():
    rng = np.random.default_rng(1)
    pred, gt = rng.random((2, 4, 16, 17)) < 0.5
    for score in (region_similarity, boundary_f):
        one_by_one = [
            score(p[None], g[None])[0] for p, g in zip(pred, gt, strict=True)
        ]
        assert score(pred, gt).tolist() == one_by_one


def test_memory_layout_does_not_matter():
    rng = np.random.default_rng(2)
    pred, gt = rng.random((2, 3, 16, 17)) < 0.5
    columns_first = np.asfortranarray(pred.transpose(1, 2, 0))
    same = columns_first.transpose(2, 0, 1)
    assert boundary_f(same, gt).tolist() == boundary_f(pred, gt).tolist()


def test_shapes_must_agree():
    with pytest.raises(ValueError, match=r'\(1, 4, 5\) and \(1, 4, 6\)'):
        region_similarity(np.zeros((1, 4, 5)), np.zeros((1, 4, 6)))
    with pytest.raises(ValueError, match='expected one shape'):
        boundary_f(np.zeros((4, 5)), np.zeros((4, 5)))


def test_tube_statistics_by_hand():
    values = np.array([1.0, 0.9, 0.8, 0.7, 0.5, 0.4, 0.3, 0.2])
    # Borders at frames round(1 + 7k/4) = 1, 3, 5 (4.5 goes up), 6, 8.
    statistics = tube_statistics(values)
    assert statistics.mean == pytest.approx(4.8 / 8)
    assert statistics.recall == 4 / 8
    assert statistics.decay == pytest.approx(2.7 / 3 - 0.9 / 3)


def test_decay_of_a_long_tube():
    # More than 256 frames, where 8-bit indices would wrap around.
    values = np.r_[np.ones(200), np.zeros(200)]
    assert tube_statistics(values) == (0.5, 0.5, 1.0)


def test_statistics_of_one_frame():
    assert tube_statistics(np.array([0.6])) == (0.6, 1.0, 0.0)
