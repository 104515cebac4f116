"""The best and the worst expressions of a table, and their pictures."""

import csv
import json
import logging

import numpy as np
import pytest
from mmengine.config import Config
from mmengine.logging import MMLogger
from PIL import Image

from refvos.apis import RefVOSInferencer
from refvos.errors import InputError
from refvos.evaluation.table_metric import write_table
from refvos.visualization.overlay import PALETTE
from tests.builders import ROOT, load_script
from tests.test_datasets.folders import square, write_frames, write_lists

SIZE = (64, 64)
CONFIG = ROOT / 'configs/mini/referformer_mini.py'
WEIGHTS = ROOT / 'demo/weights/referformer_mini.safetensors'


@pytest.fixture(scope='module')
def tool():
    return load_script('tools/analysis_tools/analyze_results.py')


def make_row(index, score, kind='place', objects=('1',)):
    return {
        'video': f'v{index // 2}',
        'reference': str(index % 2),
        'text': f'text {index}',
        'kind': kind,
        'objects': list(objects),
        'J': score,
        'F': score,
        'J&F': score,
        'score': 0.5,
        'frames': 2,
    }


ROWS = [
    make_row(0, 0.0),
    make_row(1, 100.0, 'motion'),
    make_row(2, 50.0),
    make_row(3, 30.0, 'motion', ('1', '2')),
    make_row(4, 25.0),
]


@pytest.fixture(params=['csv', 'json'])
def table(request, tmp_path):
    path = tmp_path / f'table.{request.param}'
    write_table(str(path), ROWS)
    return str(path)


def test_summary(tool, table, tmp_path, capsys):
    out = tmp_path / 'new'
    text = tool.main([table, '--out', str(out), '--worst', '2', '--best=1'])
    assert (out / 'summary.txt').read_text() == text
    assert text in capsys.readouterr().out
    lines = text.splitlines()
    assert lines[0] == 'J&F of 5 expressions'
    # Name, number, mean, then the 0, 10, 25, 50, 75, 90, 100 % quantiles:
    # of (0, 25, 50) 10 % lies at 2/10 of the way from 0 to 25.
    assert lines[3].split() == [
        *('motion', '2', '65.0'),
        *('30.0', '37.0', '47.5', '65.0', '82.5', '93.0', '100.0'),
    ]
    assert lines[4].split() == [
        *('place', '3', '25.0'),
        *('0.0', '5.0', '12.5', '25.0', '37.5', '45.0', '50.0'),
    ]
    assert lines[5].split()[:3] == ['all', '5', '41.0']
    bars = {
        line.split()[0]: line.split()[3:] for line in lines if ' to ' in line
    }
    full = '#' * 40
    assert bars['0'] == bars['20'] == bars['90'] == ['1', full]
    assert bars['10'] == bars['80'] == ['0']
    start = lines.index('worst')
    assert lines[start + 1 :] == [
        '   0.0  text 0 (place)  [v0, 0]',
        '  25.0  text 4 (place)  [v2, 0]',
        '',
        'best',
        ' 100.0  text 1 (motion)  [v0, 1]',
    ]


def test_by_number_of_objects(tool, table, tmp_path):
    argv = [table, '--out', str(tmp_path / 'new'), '--by', 'objects']
    lines = tool.main(argv).splitlines()
    # (0 + 100 + 50 + 25) / 4 mean one object.
    assert lines[3].split()[:3] == ['1', '4', '43.8']
    assert lines[4].split()[:3] == ['2', '1', '30.0']


@pytest.mark.parametrize(
    ('content', 'words'),
    [
        ('', 'rows is []; expected a row'),
        ('video,reference\n1,2\n', r"columns of row 1 is \['video', 'refer"),
        ('video,reference,text,J&F\nv,0,t,x\n', "J&F of row 1 is 'x'"),
    ],
)
def test_bad_tables(tool, tmp_path, content, words):
    path = tmp_path / 'table.csv'
    path.write_text(content)
    words = words.replace('[]', r'\[\]')
    with pytest.raises(InputError, match=words):
        tool.main([str(path), '--out', str(tmp_path / 'new')])


@pytest.mark.parametrize(
    ('changed', 'words'),
    [
        (
            {'kind': ['place']},
            r"kind of row 1 is \['place'\]; expected a text",
        ),
        ({'video': 3}, 'video of row 1 is 3; expected a text'),
        ({'J&F': [1]}, r'J&F of row 1 is \[1\]; expected a number'),
        ({'objects': 2}, 'objects of row 1 is 2; expected a list of names'),
    ],
)
def test_bad_values(tool, tmp_path, changed, words):
    row = {'video': 'v', 'reference': '0', 'text': 't', 'J&F': 1.0}
    path = tmp_path / 'table.json'
    path.write_text(json.dumps([{**row, **changed}]))
    with pytest.raises(InputError, match=words):
        tool.main([str(path), '--out', str(tmp_path / 'new')])


def test_arguments_that_go_together(tool, table, tmp_path):
    for options in (['--config', 'c.py'], ['--checkpoint', 'w.pth']):
        with pytest.raises(SystemExit):
            tool.main([table, '--out', str(tmp_path / 'new'), *options])


@pytest.fixture
def tested(tmp_path):
    """A video, its config, a submission and the table of its scores.

    A square of 8: prediction 0 is right, prediction 1 lies beside it.
    """
    root = tmp_path / 'data'
    frames = [square(SIZE, 8, 8) for _ in range(2)]
    names = write_frames(root, 'test', 'cat', frames)
    asked = {'0': ('the cat', '1'), '1': ('one cat', '1')}
    write_lists(root, 'test', {'cat': (names, asked)}, {'1': 'cat'})
    for expression, left in (('0', 8), ('1', 40)):
        folder = tmp_path / 'Annotations/cat' / expression
        folder.mkdir(parents=True)
        for name in names:
            mask = square(SIZE, 8, left, value=255)
            Image.fromarray(mask).save(folder / f'{name}.png')
    rows = [make_row(0, 100.0), make_row(1, 0.0)]
    for row in rows:
        row['video'] = 'cat'
    rows[0]['text'], rows[1]['text'] = 'the cat', 'one cat'
    write_table(str(tmp_path / 'table.csv'), rows)
    config = tmp_path / 'config.py'
    pipeline = [
        dict(type='LoadFrames'),
        dict(type='LoadTubes', as_rle=True),
        dict(type='PackRefInputs'),
    ]
    Config(
        dict(
            default_scope='mmdet',
            test_dataloader=dict(
                dataset=dict(
                    type='RefYouTubeVOSDataset',
                    data_root=str(root),
                    split='test',
                    test_mode=True,
                    pipeline=pipeline,
                )
            ),
        )
    ).dump(config)
    return tmp_path, config


@pytest.fixture
def warned():
    """Warnings that mmengine's logger gets during the test."""
    messages = []
    handler = logging.Handler(logging.WARNING)
    handler.emit = lambda record: messages.append(record.getMessage())
    logger = MMLogger.get_current_instance()
    logger.addHandler(handler)
    yield messages
    logger.removeHandler(handler)


def inside(picture, left):
    """The middle of a square of 8 pixels, enlarged 4 times in a strip."""
    return picture[36:60, left + 4 : left + 28]


def test_pictures_of_a_submission(tool, tested, warned):
    folder, config = tested
    out = folder / 'analysis'
    argv = [str(folder / 'table.csv'), '--out', str(out)]
    argv += ['--config', str(config), '--worst', '1', '--best', '1']
    tool.main([*argv, '--predictions', str(folder / 'Annotations')])
    files = sorted(str(p.relative_to(out)) for p in out.rglob('*.png'))
    assert files == ['best/01_cat_0.png', 'worst/01_cat_1.png']
    best, worst = (
        np.asarray(Image.open(out / file))[:256, :256] for file in files
    )
    # The square is at 8 * 4, the wrong mask, in colour, at 40 * 4.
    white, dark = inside(best, 32).mean(), inside(best, 160).mean()
    assert white > 150 and dark < 60
    red = np.asarray(PALETTE[0])
    spot = inside(worst, 160).mean((0, 1))
    background = inside(best, 160).mean((0, 1))
    assert spot[0] > background[0] + 0.3 * red[0]
    assert warned == []


def test_pictures_of_wide_pixels(tool, tested, monkeypatch):
    """Frames of anamorphic videos are drawn with square pixels."""
    folder, config = tested
    monkeypatch.setattr(tool, 'read_pixel_aspect', lambda sample: 2.0)
    argv = [str(folder / 'table.csv'), '--out', str(folder / 'a')]
    argv += ['--config', str(config), '--worst', '1', '--best', '0']
    tool.main([*argv, '--predictions', str(folder / 'Annotations')])
    image = Image.open(folder / 'a/worst/01_cat_1.png')
    # Two frames of 64 x 64, 128 wide when shown, 256 high: 512, shrunk to
    # 384 x 192 in a strip, with a gap of 4.
    assert image.width == 384 * 2 + 4


def test_table_of_other_masks(tool, tested, warned):
    folder, config = tested
    table = folder / 'table.csv'
    with open(table, newline='') as file:
        rows = list(csv.DictReader(file))
    rows[1]['J&F'] = '40.0'
    for row in rows:
        row['objects'] = row['objects'].split()
    write_table(str(table), rows)
    argv = [str(table), '--out', str(folder / 'a'), '--config', str(config)]
    tool.main([*argv, '--predictions', str(folder / 'Annotations')])
    (message,) = warned
    assert message.startswith(
        'video cat, reference 1: J&F of the drawn masks is 0.0; expected '
        '40.0, as in the table'
    )


def test_predictions_that_are_missing(tool, tested):
    folder, config = tested
    lost = folder / 'Annotations/cat/1/00005.png'
    lost.unlink()
    argv = [str(folder / 'table.csv'), '--out', str(folder / 'a')]
    argv += ['--config', str(config)]
    with pytest.raises(
        InputError, match=f"^{lost}: file is 'missing'; expected a mask"
    ):
        tool.main([*argv, '--predictions', str(folder / 'Annotations')])


def test_table_of_another_set(tool, tested):
    folder, config = tested
    write_table(str(folder / 'other.csv'), ROWS)
    argv = [str(folder / 'other.csv'), '--out', str(folder / 'a')]
    argv += ['--config', str(config)]
    with pytest.raises(InputError, match="test set is 'video v0, reference 0"):
        tool.main([*argv, '--predictions', str(folder / 'Annotations')])


def test_pictures_of_a_checkpoint(tool, tested, monkeypatch):
    """The model predicts the same masks as through the inferencer."""
    folder, _ = tested
    drawn = []
    monkeypatch.setattr(tool, 'compare', lambda *found: drawn.append(found))
    argv = [str(folder / 'table.csv'), '--out', str(folder / 'analysis')]
    argv += ['--worst', '1', '--best', '0', '--device', 'cpu']
    argv += ['--config', str(CONFIG), '--checkpoint', str(WEIGHTS)]
    tool.main([*argv, '--data-root', str(folder / 'data')])
    (picture,) = (folder / 'analysis/worst').iterdir()
    assert picture.name == '01_cat_1.png'
    # Two frames of 256 with a gap of 4, and the label.
    image = np.asarray(Image.open(picture))
    assert image.shape[1] == 516 and image.shape[0] > 256
    ((sample, rows),) = drawn
    assert [row['text'] for row in rows] == ['one cat']
    inferencer = RefVOSInferencer(CONFIG, WEIGHTS, 'cpu')
    result = inferencer(folder / 'data/test/JPEGImages/cat', ['one cat'])
    (ours,), (theirs,) = sample.predictions, result.predictions
    assert ours.score == pytest.approx(theirs.score, abs=1e-6)
    assert ours.masks == theirs.masks
