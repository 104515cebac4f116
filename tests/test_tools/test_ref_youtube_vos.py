"""The validation of Ref-YouTube-VOS by tools/test.py, scored or written."""

import shutil
import zipfile

import numpy as np
import pytest
from PIL import Image

from refvos.commands import test as tool
from refvos.io.data_files import load_json
from tests.builders import ROOT, load_config

WEIGHTS = ROOT / 'demo/weights/referformer_mini.safetensors'


@pytest.fixture
def root(shared_mini, tmp_path):
    """A copy of a RefVOS-Mini, which has its masks and objects."""
    source = shared_mini(train=1, val=2, test=1, frames=3, size=(64, 96))
    return shutil.copytree(source, tmp_path / 'set')


@pytest.fixture
def config(root, tmp_path):
    """The mini model with the test set and metric of the real benchmark."""
    ours = load_config('configs/_base_/datasets/ref_youtube_vos.py')
    loader = ours.test_dataloader.to_dict()
    loader.update(num_workers=0, persistent_workers=False)
    loader['dataset']['data_root'] = str(root)
    for step in loader['dataset']['pipeline']:
        if step['type'] == 'TransformFrames':
            step['transforms'][0]['scale'] = (96, 64)
    evaluator = dict(ours.test_evaluator)
    evaluator['outfile_prefix'] = str(tmp_path / 'out')
    file = tmp_path / 'config.py'
    file.write_text(
        f"_base_ = ['{ROOT}/configs/mini/referformer_mini.py']\n"
        f'test_dataloader = dict(_delete_=True, **{loader!r})\n'
        f'test_evaluator = dict(_delete_=True, **{evaluator!r})\n'
    )
    return file


def run(config, tmp_path, name, *options):
    return tool.main(
        [str(config), str(WEIGHTS), '--work-dir', str(tmp_path / name)]
        + [*options, '--cfg-options', f'experiment_name={name}']
    )


def mean_j(root, answers):
    """J of the PNGs of a submission against ``valid``, by hand."""
    lists = load_json(root / 'meta_expressions/valid/meta_expressions.json')
    scores = []
    for video, listed in lists['videos'].items():
        for id, expression in listed['expressions'].items():
            frames = []
            for frame in listed['frames']:
                path = root / f'valid/Annotations/{video}/{frame}.png'
                truth = np.array(Image.open(path)) == int(expression['obj_id'])
                answer = answers / f'Annotations/{video}/{id}/{frame}.png'
                mask = np.array(Image.open(answer)) > 0
                union = (truth | mask).sum()
                frames.append((truth & mask).sum() / union if union else 1.0)
            scores.append(np.mean(frames))
    return 100 * np.mean(scores)


def test_scored_with_the_truth_and_written_without(root, config, tmp_path):
    shutil.rmtree(root / 'meta_expressions/test')
    table = tmp_path / 'table.csv'
    scored = run(config, tmp_path, 'scored', '--out', str(table))
    assert {'J&F', 'J', 'F'} <= set(scored)
    assert not (tmp_path / 'out').exists() and table.exists()
    # Asked for, although the truth is there.
    written = tool.main(
        [str(config), str(WEIGHTS), '--work-dir', str(tmp_path / 'asked')]
        + ['--cfg-options', 'test_dataloader.dataset.with_masks=False']
        + ['experiment_name=asked']
    )
    lists = load_json(root / 'meta_expressions/valid/meta_expressions.json')
    wanted = sorted(
        f'Annotations/{video}/{id}/{frame}.png'
        for video, listed in lists['videos'].items()
        for id in listed['expressions']
        for frame in listed['frames']
    )
    assert written == {'submission/masks': len(wanted)}
    # The masks that are written are those that were scored.
    assert mean_j(root, tmp_path / 'out') == pytest.approx(scored['J'])
    assert 0 < scored['J'] < 100
    (tmp_path / 'out.zip').unlink()
    # As most people have the set.
    shutil.move(root / 'valid/Annotations', tmp_path / 'hidden')
    written = run(config, tmp_path, 'written')
    assert written == {'submission/masks': len(wanted)}
    with zipfile.ZipFile(tmp_path / 'out.zip') as archive:
        assert sorted(archive.namelist()) == wanted
    (log,) = (tmp_path / 'written').glob('*/*.log')
    said = log.read_text()
    assert (
        f'{root}/valid/Annotations (the masks of the split): missing, so that '
        "split 'valid' is used without its ground truth"
    ) in said
