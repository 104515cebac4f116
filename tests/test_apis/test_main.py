import json
import os
import subprocess
import sys

import pytest

from refvos.__main__ import main

from ..builders import ROOT
from .conftest import MINI
from .videos import make_frames, write_images, write_lossless

FRAMES = make_frames(4)


@pytest.fixture
def arguments(weights, tmp_path):
    """A command line without its texts."""
    video = write_lossless(tmp_path / 'a.mkv', FRAMES, rate=8)
    return [
        str(video),
        '--config',
        str(MINI),
        '--checkpoint',
        str(weights),
        '--out-dir',
        str(tmp_path / 'out'),
        '--device',
        'cpu',
    ]


def test_command(arguments, inferencer, tmp_path, capsys):
    texts = ['The red square', 'a ring']
    status = main(
        [
            *arguments,
            *('--text', texts[0], '--text', texts[1]),
            *('--fps', '4', '--threshold', '0.7'),
        ]
    )
    assert status == 0
    expected = inferencer(FRAMES[::2], texts, threshold=0.7)
    scores = [p.score for p in expected.predictions]
    printed = capsys.readouterr().out.splitlines()
    assert printed[-4:] == [
        'score  text',
        f'{scores[0]:5.2f}  The red square',
        f'{scores[1]:5.2f}  a ring',
        f'2 frames of 70x50; masks, scores and overlays: {tmp_path}/out',
    ]
    content = json.loads((tmp_path / 'out/predictions.json').read_text())
    assert content['frames'] == ['00000', '00002']
    assert [p['score'] for p in content['predictions']] == scores
    counts = [
        [rle['counts'] for rle in p['masks']] for p in content['predictions']
    ]
    assert counts == [
        [rle['counts'].decode() for rle in p.masks]
        for p in expected.predictions
    ]


def test_bad_input_is_one_line(arguments, tmp_path, capsys):
    names = ['0.png', '1.png']
    paths = write_images(tmp_path / 'b', [FRAMES[0], FRAMES[1][:9]], names)
    status = main([str(tmp_path / 'b'), *arguments[1:], '--text', 'a ring'])
    assert status == 2
    assert capsys.readouterr().err.splitlines()[-1] == (
        f'error: {paths[1]}: size (height, width) is (9, 70); expected '
        '(50, 70), as the first frame of the video'
    )
    assert main([*arguments, '--text', ' ']) == 2
    last = capsys.readouterr().err.splitlines()[-1]
    assert last == "error: texts: text 0 is ' '; expected an expression"
    assert not (tmp_path / 'out').exists()


def test_arguments_that_must_be_there(arguments, capsys):
    with pytest.raises(SystemExit) as caught:
        main(arguments)
    assert caught.value.code == 2
    last = capsys.readouterr().err.splitlines()[-1]
    assert last.endswith(
        'one of the arguments --text --sound --ask is required'
    )


def test_module_as_a_process(arguments, tmp_path):
    """``python -m refvos`` from any folder."""
    process = subprocess.run(
        [sys.executable, '-m', 'refvos', *arguments, '--text', 'a ring'],
        cwd=tmp_path,
        env={**os.environ, 'OMP_NUM_THREADS': '1'},
        capture_output=True,
        text=True,
    )
    assert process.returncode == 0, process.stderr
    assert process.stdout.splitlines()[-1] == (
        f'4 frames of 70x50; masks, scores and overlays: {tmp_path}/out'
    )
    masks = tmp_path / 'out' / 'masks' / '0_a-ring'
    assert sorted(os.listdir(masks)) == [f'0000{i}.png' for i in range(4)]
    assert str(ROOT) not in process.stdout
