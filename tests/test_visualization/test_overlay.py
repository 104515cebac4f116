import itertools

import numpy as np
import pytest

from refvos.visualization import (
    distinct_colors,
    draw_overlay,
    evenly_spaced,
    fonts,
    label_band,
    make_strip,
)

RED, BLUE = (255, 0, 0), (0, 0, 255)


def gray_frame(height=40, width=60, value=100):
    return np.full((height, width, 3), value, np.uint8)


def square(top, left, side, shape=(40, 60)):
    mask = np.zeros(shape, dtype=bool)
    mask[top : top + side, left : left + side] = True
    return mask


def test_overlay_blends_inside_and_leaves_outside():
    frame = gray_frame()
    mask = square(10, 20, 11)
    picture = draw_overlay(frame, [mask], [RED], alpha=0.4)
    assert picture.shape == frame.shape
    # 100 + 0.4 * (255 - 100) = 162 and 100 - 0.4 * 100 = 60.
    assert picture[15, 25].tolist() == [162, 60, 60]
    assert (picture[12:19, 22:29] == [162, 60, 60]).all()
    # The contour lies on the mask's outermost pixels, nothing beyond it
    # (one pixel of anti-aliasing).
    assert picture[10, 25, 0] > 220
    far = ~square(8, 18, 15)
    assert (picture[far] == 100).all()
    assert (frame == 100).all()


def test_overlay_of_empty_masks_is_the_frame():
    frame = np.random.default_rng(0).integers(0, 255, (40, 60, 3), np.uint8)
    empty = np.zeros((40, 60), dtype=bool)
    picture = draw_overlay(frame, [empty, empty], gt_masks=[empty])
    assert (picture == frame).all()
    assert (draw_overlay(frame, []) == frame).all()


def test_dim_darkens_what_no_mask_covers():
    masks = [square(10, 10, 11), square(10, 40, 11)]
    picture = draw_overlay(gray_frame(), masks, alpha=0, dim=0.25)
    assert (picture[15, [15, 45]] == 100).all()
    assert (picture[15, [5, 30, 55]] == 75).all()
    assert (draw_overlay(gray_frame(), [], dim=0.25) == 75).all()


def test_ground_truth_is_a_white_outline():
    picture = draw_overlay(gray_frame(), [], gt_masks=[square(10, 20, 11)])
    assert (picture[10, 22:29] > 200).all()
    assert picture[15, 25].tolist() == [100, 100, 100]


def test_small_frames_are_enlarged():
    # 40x60 at 256: 6.4 times.
    picture = draw_overlay(
        gray_frame(), [square(10, 20, 10)], [RED], alpha=1, min_side=256
    )
    assert picture.shape == (256, 384, 3)
    red = (picture == RED).all(-1)
    rows, columns = np.flatnonzero(red.any(1)), np.flatnonzero(red.any(0))
    # Rows 10 to 20 become 64 to 128; columns 20 to 30, 128 to 192.
    assert (rows[0], rows[-1]) == pytest.approx((64, 127), abs=1)
    assert (columns[0], columns[-1]) == pytest.approx((128, 191), abs=1)


def test_large_frames_keep_their_size():
    assert draw_overlay(gray_frame(), [], min_side=40).shape == (40, 60, 3)


def test_labels_are_below_the_frame_and_do_not_cover_it():
    frame = gray_frame(100, 300)
    masks = [square(10, 20, 30, (100, 300)), square(50, 200, 30, (100, 300))]
    plain = draw_overlay(frame, masks, [RED, BLUE])
    labelled = draw_overlay(frame, masks, [RED, BLUE], ['the cat', 'a dog'])
    assert (labelled[:100] == plain).all()
    band = labelled[100:]
    assert (band == label_band(300, ['the cat', 'a dog'], [RED, BLUE])).all()
    rows_of = {
        color: np.flatnonzero((band == color).all(-1).any(1))
        for color in (RED, BLUE)
    }
    assert rows_of[RED].max() < rows_of[BLUE].min()
    # White letters on the dark band, right of both squares.
    letters = band[:, 20:].min(-1) > 200
    assert letters[rows_of[RED]].sum() > 20
    assert letters[rows_of[BLUE]].sum() > 20


def test_long_labels_take_more_lines_within_the_width():
    short = label_band(200, ['cat'], [RED])
    long = label_band(200, ['a cat that walks over a red carpet'], [RED])
    endless = label_band(200, ['the cat ' * 2000], [RED])
    assert short.shape[0] < long.shape[0] <= endless.shape[0] < 80
    assert {band.shape[1] for band in (short, long, endless)} == {200}


def test_overlay_names_arguments_that_do_not_fit():
    frame = gray_frame()
    with pytest.raises(ValueError, match=r'\(40, 59\); expected \(40, 60\)'):
        draw_overlay(frame, [np.zeros((40, 59), bool)])
    with pytest.raises(ValueError, match='1 labels for 2 masks'):
        draw_overlay(frame, [square(1, 1, 3)] * 2, labels=['cat'])
    with pytest.raises(ValueError, match='1 colors for 2 masks'):
        draw_overlay(frame, [square(1, 1, 3)] * 2, [RED])
    with pytest.raises(ValueError, match='float64'):
        draw_overlay(frame / 255, [])


def test_colors_are_distinct_and_stable():
    colors = distinct_colors(20)
    assert colors[:3] == distinct_colors(3)
    assert all(0 <= c <= 255 for color in colors for c in color)
    distances = [
        np.abs(np.subtract(a, b)).max()
        for a, b in itertools.combinations(colors[:8], 2)
    ]
    assert min(distances) >= 60
    assert len(set(colors)) == 20


def test_strip_puts_frames_in_rows():
    frames = [gray_frame(4, 6, value) for value in (10, 20, 30)]
    strip = make_strip(frames, columns=2, gap=1)
    assert strip.shape == (9, 13, 3)
    assert (strip[:4, :6] == 10).all()
    assert (strip[:4, 7:] == 20).all()
    assert (strip[5:, :6] == 30).all()
    # The gaps and the place of the fourth frame are white.
    assert (strip[4] == 255).all() and (strip[:, 6] == 255).all()
    assert (strip[5:, 7:] == 255).all()
    assert make_strip(frames, gap=0).shape == (4, 18, 3)


def test_strip_requires_frames_of_one_size():
    with pytest.raises(ValueError, match='expected one shape'):
        make_strip([gray_frame(4, 6), gray_frame(4, 7)])
    with pytest.raises(ValueError, match='expected one shape'):
        make_strip([])


def test_evenly_spaced():
    assert evenly_spaced(9, 3) == [0, 4, 8]
    assert evenly_spaced(3, 6) == [0, 1, 2]
    assert evenly_spaced(8, 8) == list(range(8))
    assert evenly_spaced(5, 1) == [0]


@pytest.mark.parametrize(
    ('one', 'other'),
    [
        ('красный', 'зелёный'),
        ('σκύλος', 'μαύρος'),
        ('लाल', 'नील'),
        ('كلب', 'قطة'),
        ('红色的狗', '蓝色的猫'),
        ('빨간', '파란'),
    ],
)
def test_labels_in_other_scripts(one, other):
    bands = [label_band(400, [text], [RED]) for text in (one, other)]
    assert bands[0].shape != bands[1].shape or (bands[0] != bands[1]).any()


def test_letters_without_a_font_become_latin(monkeypatch):
    logged = []
    monkeypatch.setattr(
        fonts, 'print_log', lambda line, **kwargs: logged.append(line)
    )
    fonts.font_for.cache_clear()
    fonts.say_once.cache_clear()
    monkeypatch.setattr(fonts, 'packaged_fonts', list)
    monkeypatch.setattr(fonts, 'system_fonts', list)
    try:
        assert fonts.legible('a кот') == 'a kot'
        assert fonts.legible('кот') == 'kot'
    finally:
        fonts.font_for.cache_clear()
    (line,) = logged
    assert line.startswith('labels: font for CYRILLIC is missing')


def test_long_words_are_broken():
    size = 32
    lines = fonts.wrap('x' * 59 + 'W', 700, size)
    assert ''.join(lines) == 'x' * 59 + 'W'
    assert all(fonts.width_of(line, size) <= 700 for line in lines)
    bands = [label_band(768, ['x' * 59 + last], [RED]) for last in ('a', 'W')]
    assert (bands[0] != bands[1]).any()


def test_pixels_become_square():
    mask = square(10, 20, 10)
    wide = draw_overlay(gray_frame(), [mask], [RED], pixel_aspect=2)
    assert wide.shape == (40, 120, 3)
    tall = draw_overlay(gray_frame(), [mask], [RED], pixel_aspect=0.5)
    assert tall.shape == (80, 60, 3)


@pytest.mark.parametrize('shape', [(3, 600), (600, 3), (1, 1)])
def test_narrow_frames_stay_within_limits(shape):
    frame = np.zeros((*shape, 3), np.uint8)
    mask = np.ones(shape, bool)
    picture = draw_overlay(frame, [mask], labels=['a cat'], min_side=256)
    assert max(picture.shape) <= 4200
    assert picture.shape[1] >= 48
