import os
import zipfile

import numpy as np
import pytest
from mmengine.evaluator import Evaluator
from PIL import Image

from refvos.errors import InputError
from refvos.evaluation import JFMetric, RefYouTubeVOSSubmission

from .videos import (
    SIZE,
    evaluate_on_two_ranks,
    predict,
    predicted_sample,
    random_video,
    rle,
    square,
)

NUM_VIDEOS = 5


def submit(prefix, samples, *metrics):
    submission = RefYouTubeVOSSubmission(str(prefix))
    evaluator = Evaluator([*metrics, submission])
    for sample in samples:
        evaluator.process([sample])
    return evaluator.evaluate(len(samples))


def files_below(folder):
    """Relative name -> bytes."""
    return {
        str(path.relative_to(folder)): path.read_bytes()
        for path in sorted(folder.rglob('*'))
        if path.is_file()
    }


def sample_of(mask, **kwargs):
    return predicted_sample([predict([mask] * 2)], None, **kwargs)


def test_tree_and_zip(tmp_path):
    masks = [square(2, 2), square(12, 20)]
    sample = predicted_sample([predict(masks, '0'), predict(masks, '7')], None)
    metrics = submit(tmp_path / 'out', [sample])
    assert metrics == {'submission/masks': 4}
    names = [
        f'Annotations/cat/{reference}/{frame}.png'
        for reference in ('0', '7')
        for frame in ('00000', '00005')
    ]
    files = files_below(tmp_path / 'out')
    assert list(files) == names
    for name, mask in zip(names, masks * 2, strict=True):
        with Image.open(tmp_path / 'out' / name) as image:
            assert image.mode == 'L'
            assert image.size == (SIZE[1], SIZE[0])
            assert (np.asarray(image) == 255 * mask).all()
    with zipfile.ZipFile(tmp_path / 'out.zip') as archive:
        assert {n: archive.read(n) for n in archive.namelist()} == files
    assert sorted(os.listdir(tmp_path)) == ['out', 'out.zip']
    assert os.listdir(tmp_path / 'out') == ['Annotations']


def test_a_metric_can_be_computed_beside(tmp_path):
    gt = {'1': [rle(square(2, 2))] * 2}
    sample = predicted_sample([predict([square(2, 2)] * 2)], gt)
    metrics = submit(tmp_path / 'out', [sample], JFMetric())
    assert metrics == {'J&F': 100, 'J': 100, 'F': 100, 'submission/masks': 2}


def test_new_results_replace_old_ones_and_nothing_else(tmp_path):
    submit(tmp_path / 'out', [sample_of(square(2, 2), video_id='old')])
    (tmp_path / 'out' / 'notes.txt').write_text('mine')
    submit(tmp_path / 'out', [sample_of(square(2, 2), video_id='new')])
    annotations = tmp_path / 'out' / 'Annotations'
    assert os.listdir(annotations) == ['new']
    assert (tmp_path / 'out' / 'notes.txt').read_text() == 'mine'
    with zipfile.ZipFile(tmp_path / 'out.zip') as archive:
        assert archive.namelist()[0] == 'Annotations/new/0/00000.png'
        assert len(archive.namelist()) == 2


def test_a_run_that_fails_leaves_the_old_result(tmp_path):
    out = tmp_path / 'out'
    submit(out, [sample_of(square(2, 2), video_id='old')])
    before = files_below(out / 'Annotations')
    archive = (tmp_path / 'out.zip').read_bytes()
    bad = sample_of(square(2, 2), video_id='bad')
    bad.predictions[0].masks[1] = rle(np.zeros((3, 4)))
    good = sample_of(square(2, 2), video_id='good')
    with pytest.raises(InputError, match=r'frame 00005 is \[3, 4\]'):
        submit(out, [good, bad])
    assert files_below(out / 'Annotations') == before
    assert (tmp_path / 'out.zip').read_bytes() == archive
    # The files of the failed run are not in the next result.
    submit(out, [sample_of(square(2, 2), video_id='next')])
    assert os.listdir(out) == ['Annotations']
    assert os.listdir(out / 'Annotations') == ['next']


def test_a_broken_mask_is_found(tmp_path):
    submit(tmp_path / 'out', [sample_of(square(2, 2), video_id='old')])
    submission = RefYouTubeVOSSubmission(str(tmp_path / 'out'))
    submission.process(None, [sample_of(square(2, 2)).to_dict()])
    lost = next((tmp_path / 'out').glob('.*/rank0/cat/0/00005.png'))
    lost.write_bytes(b'cut short')
    with pytest.raises(
        InputError, match=r'00005.png: content is .*a whole image'
    ):
        submission.evaluate(1)
    assert os.listdir(tmp_path / 'out' / 'Annotations') == ['old']


def test_a_lost_mask_is_named(tmp_path):
    submission = RefYouTubeVOSSubmission(str(tmp_path / 'out'))
    submission.process(None, [sample_of(square(2, 2)).to_dict()])
    lost = next((tmp_path / 'out').glob('.*/rank0/cat/0/00005.png'))
    lost.unlink()
    with pytest.raises(
        InputError, match=r"00005.png: file is 'missing'; expected a mask"
    ):
        submission.evaluate(1)


def test_a_kill_between_two_renames_is_repaired(tmp_path):
    out = tmp_path / 'out'
    submit(out, [sample_of(square(2, 2), video_id='old')])
    before = files_below(out / 'Annotations')
    os.replace(out / 'Annotations', out / '.Annotations.old')
    bad = sample_of(square(2, 2))
    bad.predictions[0].masks.pop()
    with pytest.raises(InputError, match='number of masks is 1'):
        submit(out, [bad])
    assert files_below(out / 'Annotations') == before
    assert not (out / '.Annotations.old').exists()


@pytest.mark.parametrize('name', ['..', '', 'a/b', '/etc/passwd', 3])
def test_names_cannot_leave_the_folder(tmp_path, name):
    with pytest.raises(InputError, match='expected a plain file name'):
        submit(tmp_path / 'out', [sample_of(square(2, 2), video_id=name)])
    sample = predicted_sample([predict([square(2, 2)] * 2, name)], None)
    with pytest.raises(InputError, match='expected a plain file name'):
        submit(tmp_path / 'out', [sample])
    assert not list(tmp_path.rglob('*.png'))


def test_two_processes_write_what_one_writes(tmp_path):
    submit(tmp_path / 'one', [random_video(i) for i in range(NUM_VIDEOS)])
    two = evaluate_on_two_ranks(
        RefYouTubeVOSSubmission,
        random_video,
        NUM_VIDEOS,
        tmp_path,
        outfile_prefix=str(tmp_path / 'two'),
    )
    # 1 + 2 + 3 + 1 + 2 expressions of 3 frames.
    assert two == [{'submission/masks': 27}] * 2
    one = files_below(tmp_path / 'one')
    assert len(one) == 27
    assert files_below(tmp_path / 'two') == one
    with zipfile.ZipFile(tmp_path / 'two.zip') as archive:
        assert archive.namelist() == list(one)
