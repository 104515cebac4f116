"""RefVOS-Mini: scenes, masks, expressions, files, tokenizer."""

import itertools
import json
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from transformers import RobertaTokenizer

from refvos.engine.cli import run_tool
from refvos.errors import InputError
from refvos.mini import Scene, SceneObject, make_mini, make_video
from refvos.mini.attributes import (
    ALL,
    COLOURS,
    FILLS,
    HELD_OUT,
    KINDS,
    MOTION_CLASSES,
    MOTIONS_OF_CLASS,
    TRAINING,
)
from refvos.mini.claims import (
    Description,
    Motion,
    Noun,
    Order,
    Place,
    Relation,
)
from refvos.mini.contact_sheet import draw_contact_sheet, outlined
from refvos.mini.facts import Facts, measure
from refvos.mini.paths import draw_leaving_path, draw_path
from refvos.mini.render import coverage, render
from refvos.mini.shapes import OUTLINES, pose
from refvos.mini.tokenizer import train_tokenizer
from refvos.mini.wording import word
from tests.builders import hashes, load_script

ROOT = Path(__file__).parents[2]
TOKENIZER = ROOT / 'configs/mini/tokenizer'
SMALL = {'train': 4, 'val': 2, 'test': 3}


@pytest.fixture(scope='module')
def videos():
    """Sixty videos per split of the default set."""
    return {
        split: [make_video(0, split, index) for index in range(60)]
        for split in ('train', 'test')
    }


@pytest.fixture(scope='module')
def small_set(shared_mini):
    dst = shared_mini(**SMALL)
    return dst, json.loads((dst / 'mini.json').read_text())


def make_object(id='1', path=((40.0, 40.0),), **changes):
    """Make a still, plain, large, red square, with some changes."""
    values = {
        'kind': 'square',
        'colour': 'red',
        'size': 'large',
        'fill': 'plain',
        'motion': 'still',
        'radius': 20.0,
        'angles': (0.0,) * len(path),
        'depth': int(id),
    }
    return SceneObject(id=id, path=path, **{**values, **changes})


def make_facts(centres, **attributes):
    """Make facts of objects at centres[n][t], as shares of a square frame.

    Attributes are lists of one value per object.
    """
    centres = np.array(centres, float)
    objects = tuple(
        make_object(
            id=str(row + 1),
            path=tuple(map(tuple, centres[row])),
            **{name: values[row] for name, values in attributes.items()},
        )
        for row in range(len(centres))
    )
    areas = np.where(np.isnan(centres[..., 0]), 0, 100)
    return Facts(objects, areas, centres, aspect=1.0)


# --- the split by combinations


def test_held_out_is_a_fifth_and_leaves_every_pair_in_training():
    # 7 colours x 7 kinds x 4 classes of motion = 196; a fifth is 39.
    assert len(ALL) == 196
    assert len(HELD_OUT) == 39
    assert len(TRAINING) == 157
    names = (list(COLOURS), list(KINDS), list(MOTIONS_OF_CLASS))
    for one, other in ((0, 1), (0, 2), (1, 2)):
        seen = {
            ((c.colour, c.kind, c.motion_class)[one],
             (c.colour, c.kind, c.motion_class)[other])
            for c in TRAINING
        }  # fmt: skip
        assert seen == set(itertools.product(names[one], names[other]))
    # Classes take turns: 39 = 10 + 10 + 10 + 9.
    turns = [c.motion_class for c in HELD_OUT]
    assert sorted(turns.count(name) for name in names[2]) == [9, 10, 10, 10]


def test_training_never_shows_a_held_out_combination(videos):
    for video in videos['train']:
        for item in video.scene.objects:
            assert item.combination not in HELD_OUT
        assert not any(e.unseen for e in video.expressions)


def test_every_test_scene_refers_to_a_held_out_combination(videos):
    for video in videos['test']:
        objects = {item.id: item for item in video.scene.objects}
        assert any(e.unseen for e in video.expressions)
        for expression in video.expressions:
            item = objects[expression.object_id]
            assert expression.unseen == (item.combination in HELD_OUT)


# --- paths


@pytest.mark.parametrize('motion', MOTION_CLASSES)
def test_paths_follow_their_motion_inside_the_frame(motion):
    for seed in range(20):
        rng = np.random.default_rng(seed)
        x, y = draw_path(rng, motion, 15.0, (96, 128), 8, 1.0).T
        # 1.1 radii of 15 = 16.5 from every edge.
        assert x.min() >= 16.5 and x.max() <= 128 - 16.5
        assert y.min() >= 16.5 and y.max() <= 96 - 16.5
        dx, dy = np.diff(x), np.diff(y)
        sideways = MOTION_CLASSES[motion] == 'sideways'
        vertical = MOTION_CLASSES[motion] == 'vertical'
        assert (np.ptp(x) > 9) == (sideways or motion == 'circling')
        assert (np.ptp(y) > 9) == (vertical or motion == 'circling')
        if not sideways and motion != 'circling':
            assert np.ptp(x) == 0
        if not vertical and motion != 'circling':
            assert np.ptp(y) == 0
        assert (motion == 'right') == bool((dx > 0).all())
        assert (motion == 'left') == bool((dx < 0).all())
        assert (motion == 'down') == bool((dy > 0).all())
        assert (motion == 'up') == bool((dy < 0).all())


def test_leaving_paths_leave_and_return():
    for seed in range(20):
        rng = np.random.default_rng(seed)
        path = draw_leaving_path(rng, 'side to side', 15.0, (96, 128), 8)
        outside = (path[:, 0] < -15) | (path[:, 0] > 128 + 15)
        assert outside[3] and outside[4]
        assert not outside[0] and not outside[-1]
        np.testing.assert_allclose(path[0], path[-1], atol=1e-4)


# --- rendering


@pytest.mark.parametrize(
    ('kind', 'area'),
    [
        ('circle', np.pi),
        ('square', 1.27**2 * 2),
        ('triangle', 1.45**2 * 3 * 3**0.5 / 4),
        ('cross', 4 * 0.9 * 1.2 - 0.9**2),
        ('ring', np.pi * (1.15**2 - 0.55**2)),
        ('diamond', 2 * 1.4 * 0.95),
        # Ten triangles of sides 1.4 and 0.66 with 36 degrees between.
        ('star', 10 * 0.5 * 1.4 * 0.66 * np.sin(np.pi / 5)),
    ],
)
def test_coverage_has_the_area_of_the_shape(kind, area):
    radius = 20.0
    outline = pose(OUTLINES[kind], radius, 0.1, np.array([40.3, 39.6]))
    covered = coverage(outline, (0, 0, 80, 80)).sum()
    assert covered == pytest.approx(area * radius**2, rel=0.03)


def scene_of(*objects, size=(96, 128)):
    return Scene(size, len(objects[0].path), objects, texture_seed=1)


def test_nearer_object_hides_the_other_to_the_pixel():
    # Half the side is 1.27 / sqrt(2) radii: squares of 20 x 20 pixels.
    radius = 10 * 2**0.5 / 1.27
    far = make_object('1', ((40.0, 50.0),), radius=radius, depth=0)
    near = make_object('2', ((52.0, 50.0),), radius=radius, depth=1)
    ids = render(scene_of(far, near)).ids[0]
    expected = np.zeros((96, 128), np.uint8)
    expected[40:60, 30:50] = 1
    expected[40:60, 42:62] = 2
    np.testing.assert_array_equal(ids, expected)


def test_colour_is_seen_within_the_mask_only():
    item = make_object('1', ((60.0, 48.0),), kind='circle', colour='cyan')
    drawing = render(scene_of(item))
    inside = drawing.frames[0][44:52, 56:64].reshape(-1, 3)
    assert np.abs(inside.mean(0) - COLOURS['cyan']).max() < 3
    outside = drawing.frames[0][drawing.ids[0] == 0].astype(int)
    # The background has low saturation, except at the anti-aliased edge.
    spread = outside.max(1) - outside.min(1)
    assert np.percentile(spread, 95) < 45


def test_object_out_of_the_frame_is_not_drawn():
    item = make_object('1', ((60.0, 48.0), (-30.0, 48.0)), angles=(0, 0))
    facts = measure(scene_of(item), render(scene_of(item)).ids)
    assert facts.visible.tolist() == [[True, False]]
    np.testing.assert_allclose(facts.centres[0, 0], [60 / 128, 0.5])
    assert np.isnan(facts.centres[0, 1]).all()


def test_fills_differ_and_keep_the_mask():
    drawings = [
        render(scene_of(make_object(fill=fill, kind='ring'))) for fill in FILLS
    ]
    for one, other in itertools.combinations(drawings, 2):
        np.testing.assert_array_equal(one.ids, other.ids)
        mask = one.ids[0] > 0
        differ = np.abs(
            one.frames[0].astype(int) - other.frames[0].astype(int)
        ).max(-1)
        assert (differ[mask] > 60).mean() > 0.15


# --- claims, on hand-made facts


def test_place_is_true_false_or_open_to_debate():
    facts = make_facts(
        [
            [(0.2, 0.5), (0.4, 0.5)],  # left in both
            [(0.2, 0.5), (0.5, 0.5)],  # leaves the left
            [(0.6, 0.5), (0.9, 0.5)],  # never left
            [(0.3, 0.5), (np.nan, np.nan)],  # left when visible
        ]
    )
    rows = range(4)
    assert Place(('left',)).judge(facts, rows) == [True, None, False, True]
    assert Place(('right',)).judge(facts, rows) == [False, None, True, False]
    # 0.4 is 0.1 from the middle (inside), 0.2 is 0.3 from it (outside).
    assert Place(('middle',)).judge(facts, rows)[:2] == [None, None]
    assert Place(('top', 'right')).judge(facts, rows)[0] is False


def test_motion_verdicts():
    facts = make_facts(
        [[(0.5, 0.5)]] * 5,
        motion=['still', 'left', 'side to side', 'circling', 'up'],
    )
    rows = range(5)
    judged = {
        name: Motion(name).judge(facts, rows)
        for name in ('still', 'moving', 'sideways', 'left', 'side to side')
    }
    assert judged == {
        'still': [True, False, False, False, False],
        'moving': [False, True, True, True, True],
        'sideways': [False, True, True, None, False],
        'left': [False, True, None, None, False],
        'side to side': [False, None, True, None, False],
    }


def test_relation_needs_a_clear_side_and_one_anchor():
    facts = make_facts(
        [
            [(0.5, 0.5)],
            [(0.2, 0.5)],  # clearly left
            [(0.45, 0.5)],  # hardly left
            [(0.3, 0.9)],  # rather below than left
            [(0.8, 0.5)],  # right
        ],
        kind=['star', 'circle', 'circle', 'circle', 'circle'],
    )
    claim = Relation('left', Noun(kind='star'))
    verdicts = claim.judge(facts, range(5))
    assert verdicts == [False, True, None, None, False]
    # Of four circles, none is 'the circle'.
    ambiguous = Relation('left', Noun(kind='circle'))
    assert ambiguous.judge(facts, range(5)) == [None] * 5


def test_order_needs_clear_gaps_in_every_frame():
    facts = make_facts(
        [
            [(0.1, 0.5), (0.2, 0.5)],
            [(0.5, 0.5), (0.55, 0.5)],
            [(0.8, 0.5), (0.6, 0.5)],  # comes within 0.05 of the second
        ]
    )
    assert Order('left', 1).judge(facts, [0, 1, 2]) == [True, False, False]
    assert Order('left', 2).judge(facts, [0, 1, 2]) == [None] * 3
    assert Order('right', 2).judge(facts, [0, 2]) == [True, False]
    assert Order('left', 3).judge(facts, [0, 1]) == [None] * 2
    sizes = make_facts([[(0.5, 0.5)]] * 3, radius=[20.0, 13.0, 14.0])
    assert Order('largest').judge(sizes, [0, 1, 2]) == [True, False, False]
    assert Order('smallest').judge(sizes, [0, 1, 2]) == [None] * 3


def test_description_fits_exactly_one_or_nothing():
    facts = make_facts(
        [[(0.2, 0.5)], [(0.8, 0.5)], [(0.5, 0.5)]],
        colour=['red', 'red', 'blue'],
    )
    red = Noun(kind='square', colour='red')
    assert Description(red).singled_out(facts) is None
    assert Description(Noun(colour='blue')).singled_out(facts) == 2
    assert Description(Noun(colour='pink')).singled_out(facts) is None
    assert Description(red, Place(('right',))).singled_out(facts) == 1
    # 'the square on the left': the blue one in the middle is debatable.
    squares = Noun(kind='square')
    assert Description(squares, Place(('left',))).singled_out(facts) is None


def test_wording():
    claim = Relation('left', Noun(kind='ring', colour='blue'))
    description = Description(Noun(kind='star'), claim)
    texts = {word(np.random.default_rng(i), description) for i in range(80)}
    assert 'the star to the left of the blue ring' in texts
    assert all(re.fullmatch('(the |a )?star .*left of .*', t) for t in texts)
    assert len(texts) > 5


# --- expressions of generated scenes, by an oracle that parses their words

SIZE_WORDS = {
    'small': 'small',
    'little': 'small',
    'large': 'large',
    'big': 'large',
}
FILL_WORDS = {
    'striped': 'striped',
    'stripes': 'striped',
    'dotted': 'dotted',
    'dots': 'dotted',
    'plain': 'plain',
}


def named(words, objects):
    """List the objects that have all attributes in the words."""
    fitting = []
    for item in objects:
        wrong = [
            (w in KINDS and w != item.kind)
            or (w in COLOURS and w != item.colour)
            or (w in SIZE_WORDS and SIZE_WORDS[w] != item.size)
            or (w in FILL_WORDS and FILL_WORDS[w] != item.fill)
            for w in words
        ]
        if not any(wrong):
            fitting.append(item)
    return fitting


def centroids(video, item):
    """Centres (T, 2) of an object by its masks; NaN if invisible."""
    result = np.full((len(video.frame_names), 2), np.nan)
    for time, ids in enumerate(video.rendering.ids):
        rows, columns = np.nonzero(ids == int(item.id))
        if len(rows):
            result[time] = columns.mean() + 0.5, rows.mean() + 0.5
    return result


TOWARDS = {
    'left': (0, 1),
    'right': (0, -1),
    'top': (1, 1),
    'upper': (1, 1),
    'up': (1, 1),
    'highest': (1, 1),
    'bottom': (1, -1),
    'lower': (1, -1),
    'down': (1, -1),
    'lowest': (1, -1),
}


def oracle_place(video, words, candidates):
    height, width = video.scene.img_shape
    found = []
    for item in candidates:
        places = centroids(video, item) / [width, height]
        places = places[~np.isnan(places[:, 0])]
        if {'middle', 'centre'} & set(words):
            inside = (np.abs(places - 0.5) < 0.15).all()
        else:
            inside = all(
                (TOWARDS[w][1] * (places[:, TOWARDS[w][0]] - 0.5) < 0).all()
                for w in words
                if w in TOWARDS
            )
        if inside:
            found.append(item)
    return found


def oracle_order(video, words, candidates):
    rank = 1 if 'second' in words else 2 if 'third' in words else 0
    if {'largest', 'biggest', 'smallest'} & set(words):
        by_size = sorted(candidates, key=lambda item: item.radius)
        return [by_size[0 if 'smallest' in words else -1]]
    axis, sign = next(TOWARDS[w] for w in reversed(words) if w in TOWARDS)
    ways = np.stack([sign * centroids(video, o)[:, axis] for o in candidates])
    winners = {int(column.argsort()[rank]) for column in ways.T}
    return [candidates[winner] for winner in winners]


def oracle_relation(video, text, objects):
    sides = 'left of|right of|above|over|higher than|below|under|lower than'
    noun, side, anchor = re.fullmatch(f'(.*?)({sides}) (.*)', text).groups()
    (anchor_item,) = named(anchor.split(), objects)
    axis, sign = {
        'left of': (0, 1),
        'right of': (0, -1),
        **dict.fromkeys(('above', 'over', 'higher than'), (1, 1)),
        **dict.fromkeys(('below', 'under', 'lower than'), (1, -1)),
    }[side]
    found = []
    for item in named(noun.split(), objects):
        step = centroids(video, item) - centroids(video, anchor_item)
        step = sign * step[~np.isnan(step[:, 0]), axis]
        if item is not anchor_item and (step < 0).all():
            found.append(item)
    return found


def oracle_motion(text, candidates):
    found = []
    for item in candidates:
        path = np.array(item.path)
        x, y = np.ptp(path, axis=0) > 5
        swings = len(set(np.sign(np.diff(path, axis=0).sum(1)))) > 1
        still = ('not' in text.split()) or 'still' in text
        if still:
            fits = not x and not y
        elif re.search('circling|round and round', text):
            fits = x and y
        elif re.search('up and down', text):
            fits = y and not x and swings
        elif re.search('side to side', text):
            fits = x and not y and swings
        elif 'sideways' in text:
            fits = x and not y
        elif 'vertically' in text:
            fits = y and not x
        elif match := re.search('(left|right|up|down)$', text):
            axis, sign = TOWARDS[match.group()]
            steps = np.diff(path, axis=0)
            fits = (sign * steps[:, axis] < 0).all()
            fits = fits and np.ptp(path[:, 1 - axis]) == 0
        else:
            fits = x or y
        if fits:
            found.append(item)
    return found


def meant(video, expression):
    """Find the objects that an expression fits, by its words."""
    words = expression.text.split()
    objects = list(video.scene.objects)
    if expression.kind == 'relation':
        return oracle_relation(video, expression.text, objects)
    candidates = named(words, objects)
    if expression.kind == 'place':
        return oracle_place(video, words, candidates)
    if expression.kind == 'order':
        return oracle_order(video, words, candidates)
    if expression.kind == 'motion':
        return oracle_motion(expression.text, candidates)
    return candidates


@pytest.mark.parametrize('split', ['train', 'test'])
def test_every_expression_means_its_object_and_no_other(videos, split):
    checked = dict.fromkeys(
        ('appearance', 'place', 'motion', 'relation', 'order'), 0
    )
    for video in videos[split]:
        for expression in video.expressions:
            found = [item.id for item in meant(video, expression)]
            assert found == [expression.object_id], (
                video.name,
                expression.text,
            )
            checked[expression.kind] += 1
    assert sum(checked.values()) > 200
    assert min(checked.values()) > 15


@pytest.mark.parametrize('split', ['train', 'test'])
def test_shares_of_the_kinds_of_expression(videos, split):
    found = [e.kind for v in videos[split] for e in v.expressions]
    shares = {kind: found.count(kind) / len(found) for kind in set(found)}
    kinds = ('appearance', 'place', 'motion', 'relation', 'order')
    # Training has more motion and order than tests.
    expected = {
        'train': (0.39, 0.13, 0.225, 0.10, 0.155),
        'test': (0.45, 0.20, 0.10, 0.15, 0.10),
    }
    wanted = dict(zip(kinds, expected[split], strict=True))
    # Some 430 expressions: three standard deviations are at most 0.07.
    assert shares == pytest.approx(wanted, abs=0.08)


def test_words_are_needed(videos):
    same_kind = [
        len({o.kind for o in v.scene.objects}) < len(v.scene.objects)
        for v in videos['test']
    ]
    assert np.mean(same_kind) > 0.75
    for video in videos['test']:
        assert 2 <= len(video.scene.objects) <= 4
        for e in video.expressions:
            if e.kind != 'appearance':  # attributes alone fit several
                noun = e.description.noun
                assert len(noun.candidates(video.facts)) > 1


def test_text_is_plain_and_can_be_flipped(videos):
    texts = [e.text for v in videos['test'] for e in v.expressions]
    for text in texts:
        assert re.fullmatch('[a-z]+( [a-z]+)*', text)
        sides = re.findall(r'\w*(?:left|right)\w*', text)
        assert set(sides) <= {'left', 'right'}


def test_objects_are_large_and_usually_visible(videos):
    for video in videos['test']:
        assert (video.facts.visible.mean(1) >= 0.5).all()
        assert (video.facts.areas.max(1) > 300).all()


def test_videos_depend_on_their_arguments_only():
    one, other = (make_video(0, 'test', 7) for _ in range(2))
    np.testing.assert_array_equal(one.rendering.frames, other.rendering.frames)
    assert one.scene == other.scene
    assert one.expressions == other.expressions
    for changed in ((1, 'test', 7), (0, 'valid', 7), (0, 'test', 8)):
        assert make_video(*changed).scene != one.scene


def test_size_scales_and_frames_count():
    video = make_video(3, 'valid', 0, num_frames=5, img_shape=(192, 256))
    assert video.rendering.frames.shape == (5, 192, 256, 3)
    # Twice the 12.5 to 21.5 pixels of the default size.
    radii = [item.radius for item in video.scene.objects]
    assert min(radii) >= 25 and max(radii) <= 43
    assert video.frame_names == ('00000', '00005', '00010', '00015', '00020')


# --- files


def test_same_bytes_whatever_the_number_of_workers(small_set, tmp_path):
    dst, summary = small_set
    assert (
        make_mini(tmp_path / 'two', workers=2, progress=False, **SMALL)
        == summary
    )
    assert hashes(tmp_path / 'two') == hashes(dst)
    seed = {'seed': 1, 'workers': 1, 'progress': False}
    make_mini(tmp_path / 'seed', **SMALL, **seed)
    frame = 'test/JPEGImages/test_00000/00000.jpg'
    assert hashes(tmp_path / 'seed')[frame] != hashes(dst)[frame]


def test_layout_of_ref_youtube_vos(small_set):
    dst, summary = small_set
    for split, number in (('train', 4), ('valid', 2), ('test', 3)):
        meta = json.loads((dst / split / 'meta.json').read_text())['videos']
        lists = json.loads(
            (
                dst / 'meta_expressions' / split / 'meta_expressions.json'
            ).read_text()
        )['videos']
        names = [f'{split}_{index:05d}' for index in range(number)]
        assert list(meta) == list(lists) == names
        for name in names:
            check_video(dst / split, name, meta[name], lists[name])
        written = sum(len(v['expressions']) for v in lists.values())
        assert summary['counts'][split]['expressions'] == written
        assert summary['counts'][split]['videos'] == number


def check_video(folder, name, meta, listed):
    """Check that JSON files and pixels agree."""
    assert listed['frames'] == [f'{5 * time:05d}' for time in range(8)]
    drawn = {id: [] for id in meta['objects']}
    for frame in listed['frames']:
        image = Image.open(folder / 'JPEGImages' / name / f'{frame}.jpg')
        mask = Image.open(folder / 'Annotations' / name / f'{frame}.png')
        assert (image.format, image.size) == ('JPEG', (128, 96))
        assert (mask.format, mask.mode, mask.size) == ('PNG', 'P', (128, 96))
        # DAVIS's first colours: black, dark red, dark green.
        assert mask.getpalette()[:9] == [0, 0, 0, 128, 0, 0, 0, 128, 0]
        for id in set(np.unique(mask)) - {0}:
            drawn[str(id)].append(frame)
    assert {i: o['frames'] for i, o in meta['objects'].items()} == drawn
    expressions = listed['expressions']
    assert list(expressions) == [str(i) for i in range(len(expressions))]
    for expression in expressions.values():
        assert set(expression) == {'exp', 'obj_id', 'kind', 'unseen'}
    referred = {e['obj_id'] for e in expressions.values()}
    assert referred == set(meta['objects'])


def test_complete_sets_are_kept_and_others_replaced(tmp_path):
    dst = tmp_path / 'set'
    few = {'train': 1, 'val': 0, 'test': 0, 'workers': 1, 'progress': False}
    first = make_mini(dst, **few)
    frame = dst / 'train/JPEGImages/train_00000/00000.jpg'
    before = frame.stat().st_mtime_ns
    assert make_mini(dst, **few) == first
    assert frame.stat().st_mtime_ns == before
    # An unfinished set is made again.
    (dst / '.refvos_mini_unfinished').touch()
    frame.unlink()
    assert make_mini(dst, **few) == first
    assert frame.exists()
    # Other arguments remove the old videos.
    make_mini(dst, **{**few, 'train': 0, 'test': 1})
    assert not frame.exists()
    assert (dst / 'test/JPEGImages/test_00000/00000.jpg').exists()


def test_foreign_folder_is_refused_untouched(tmp_path):
    (tmp_path / 'train').mkdir()
    (tmp_path / 'train/holiday.jpg').write_text('mine')
    (tmp_path / 'mini.json').write_text('{"name": "something else"}')
    with pytest.raises(InputError, match=r"content is 'mini.json'"):
        make_mini(tmp_path, progress=False)
    assert (tmp_path / 'train/holiday.jpg').read_text() == 'mine'
    with pytest.raises(InputError, match='expected a folder'):
        make_mini(tmp_path / 'mini.json', progress=False)


@pytest.mark.parametrize(
    ('changed', 'message'),
    [
        ({'train': -1}, 'train is -1; expected 0 or more'),
        ({'frames': 1}, 'frames is 1; expected 2 or more'),
        ({'size': (96, 32)}, r'size is \[96, 32\]'),
        ({'layouts': ['coco']}, "layouts is 'coco'; expected one of"),
        ({'seed': -2}, 'seed is -2'),
    ],
)
def test_arguments_out_of_range(tmp_path, changed, message):
    with pytest.raises(InputError, match=message):
        make_mini(tmp_path / 'set', **changed)
    assert not (tmp_path / 'set').exists()


def test_command_line(tmp_path, capsys):
    tool = load_script('tools/dataset_converters/make_mini.py')
    arguments = [
        *('--train', '1', '--val', '0', '--test', '1'),
        *('--workers', '1', '--frames', '2'),
    ]
    dst = str(tmp_path / 'set')
    assert run_tool(tool.main, [dst, *arguments]) == 0
    assert capsys.readouterr().out.startswith('train: 1 videos, ')
    sheet = Image.open(tmp_path / 'set/contact_sheet.jpg')
    assert sheet.size[0] == 2 * 256  # two frames of 128 pixels, twice as big
    assert run_tool(tool.main, [dst, '--frames', '0']) == 2
    message = capsys.readouterr().err
    assert message.startswith('error: make_mini: frames is 0; expected ')
    assert message.count('\n') == 1


def test_contact_sheet():
    video = make_video(0, 'test', 0)
    sheet = draw_contact_sheet([video], expressions_per_video=2)
    # Two rows of a caption (22) and frames (2 x 96); five frames (2 x 128).
    assert sheet.shape == (2 * (22 + 192), 5 * 256, 3)
    mask = np.zeros((96, 128), bool)
    mask[20:40, 30:60] = True
    picture = outlined(np.full((96, 128, 3), 90, np.uint8), mask)
    assert (picture[40, 61:118] == 255).all()  # the upper edge
    assert (picture[50:70, 70:110] == 90).all()  # the inside


def test_generator_needs_no_torch():
    code = (
        'import sys, types\n'
        # Without the imports of the packages above.
        "for name in ('refvos', 'refvos.datasets'):\n"
        '    package = types.ModuleType(name)\n'
        '    folder = name.replace(".", "/")\n'
        f'    package.__path__ = [{str(ROOT / "projects")!r} + "/" + folder]\n'
        '    sys.modules[name] = package\n'
        'import refvos.mini, refvos.mini.tokenizer\n'
        "print(sorted({'torch', 'mmengine'} & set(sys.modules)))\n"
    )
    done = subprocess.run(
        [sys.executable, '-c', code], capture_output=True, text=True
    )
    assert done.stdout == '[]\n', done.stderr


# --- tokenizer


def test_tokenizer_knows_every_word_of_the_expressions(videos):
    tokenizer = RobertaTokenizer.from_pretrained(TOKENIZER)
    ids = tokenizer.convert_tokens_to_ids(['<s>', '<pad>', '</s>', '<unk>'])
    assert ids == [0, 1, 2, 3]
    assert tokenizer.pad_token_id == 1
    assert len(tokenizer) <= 600
    for video in videos['test']:
        for expression in video.expressions:
            encoded = tokenizer(expression.text)['input_ids']
            # One token per word, also the first, between <s> and </s>.
            assert len(encoded) == len(expression.text.split()) + 2
            assert (encoded[0], encoded[-1]) == (0, 2)
            assert 3 not in encoded
            text = tokenizer.decode(encoded, skip_special_tokens=True)
            assert text.strip() == expression.text


def test_tokenizer_spells_unknown_words():
    tokenizer = RobertaTokenizer.from_pretrained(TOKENIZER)
    encoded = tokenizer('zebra Größe')['input_ids']
    assert 3 not in encoded
    text = tokenizer.decode(encoded, skip_special_tokens=True)
    assert text.strip() == 'zebra Größe'


def test_tokenizer_training_is_repeatable(tmp_path):
    texts = ['the red circle', 'the red square', 'a circle'] * 5
    for name in ('one', 'other'):
        train_tokenizer(texts, tmp_path / name, vocab_size=300)
    assert hashes(tmp_path / 'one') == hashes(tmp_path / 'other')
    tokenizer = RobertaTokenizer.from_pretrained(tmp_path / 'one')
    assert tokenizer.tokenize('circle red') == ['Ġcircle', 'Ġred']
