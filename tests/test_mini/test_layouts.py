"""Train and test on RefVOS-Mini in the layouts of Ref-DAVIS17 and MeViS."""

import json
import re
import zipfile

import numpy as np
import pytest
from PIL import Image

from refvos.datasets import MeViSDataset, RefDAVIS17Dataset
from refvos.datasets.converters import convert_ref_davis17
from refvos.datasets.ref_davis17_constants import ANNOTATORS
from refvos.evaluation import JFMetric
from refvos.evaluation.samples import gt_tube
from refvos.mini import make_mini, make_video
from refvos.mini.writers.ref_davis17 import VOID_SIDE
from refvos.structures import ReferencePrediction
from tests.builders import ROOT, load_config, load_script

DAVIS17 = ROOT / 'configs/mini/referformer_mini_davis17.py'
MEVIS = ROOT / 'configs/mini/referformer_mini_mevis.py'
SMALL = {
    'model.num_queries': 1,
    'model.encoder.num_layers': 1,
    'model.decoder.num_layers': 1,
    'load_from': None,
    'train_cfg.max_iters': 2,
    'train_cfg.val_interval': 2,
    'train_dataloader.batch_size': 2,
    'train_dataloader.num_workers': 0,
    'train_dataloader.persistent_workers': False,
}


@pytest.fixture(scope='module')
def data(make_once):
    """Make both layouts and, in ``davis``, convert Ref-DAVIS17."""
    made = {'train': 3, 'val': 1, 'test': 1, 'frames': 3, 'size': (64, 64)}
    layouts = ('ref-davis17', 'mevis')

    def fill(folder):
        for name in ('set', 'again'):
            make_mini(
                folder / name,
                **made,
                layouts=layouts,
                workers=0,
                progress=False,
            )
        summary = convert_ref_davis17(
            folder / 'set', folder / 'davis', progress=False
        )
        assert summary['problems'] == []

    return make_once('layouts', fill)


def options(root):
    given = dict(SMALL)
    for part in ('train', 'val', 'test'):
        given[f'{part}_dataloader.dataset.data_root'] = root
        if part != 'train':
            given[f'{part}_dataloader.num_workers'] = 0
            given[f'{part}_dataloader.persistent_workers'] = False
    return [f'{name}={value}' for name, value in given.items()]


def train(config, root, folder):
    """Train from random weights; return the checkpoint."""
    load_script('tools/train.py').main(
        [str(config), '--work-dir', str(folder)]
        + ['--cfg-options', *options(root)]
    )
    return folder / 'iter_2.pth'


def run_test(config, weights, root, folder, *more):
    return load_script('tools/test.py').main(
        [str(config), str(weights), '--work-dir', str(folder), *more]
        + ['--cfg-options', *options(root)]
    )


@pytest.fixture(scope='module')
def mevis_weights(data, tmp_path_factory):
    folder = tmp_path_factory.mktemp('mevis')
    return train(MEVIS, data / 'set/mevis', folder)


def test_the_same_bytes(data):
    first, second = (
        {
            path.relative_to(data / name): path.read_bytes()
            for path in (data / name).rglob('*')
            if path.is_file()
        }
        for name in ('set', 'again')
    )
    assert first == second
    assert len(first) > 3 * 3 * 3


# ---------------------------------------------------------------- Ref-DAVIS17


def test_davis_layout(data):
    """As DAVIS's files: void, Latin-1, consecutive frame numbers."""
    raw = data / 'set'
    texts = raw / 'davis_text_annotations'
    content = (texts / 'Davis17_annot2.txt').read_bytes()
    with pytest.raises(UnicodeDecodeError):
        content.decode('utf-8')
    assert (texts / 'Davis17_annot1.txt').read_bytes().isascii()
    videos = (raw / 'DAVIS/ImageSets/2017/val.txt').read_text().split()
    assert videos == ['valid_00000', 'test_00000']
    masks = raw / 'DAVIS/Annotations_unsupervised/480p/valid_00000'
    assert sorted(p.name for p in masks.iterdir()) == [
        *('00000.png', '00001.png', '00002.png')
    ]
    ids = np.array(Image.open(masks / '00000.png'))
    corner = np.zeros_like(ids, bool)
    corner[-VOID_SIDE:, -VOID_SIDE:] = True
    assert (ids == 255).any() and not (ids == 255)[~corner].any()


def test_davis_every_object_is_described_four_times(data):
    items = RefDAVIS17Dataset(str(data / 'davis'), 'valid', test_mode=True)
    assert len(items) == 2
    for item in map(items.get_data_info, range(2)):
        objects = [id for id in item['other_objects'] if id != '255']
        found = [(r.object_ids[0], r.annotator) for r in item['references']]
        assert found == [(id, a) for id in objects for a in ANNOTATORS]
        for reference in item['references']:
            assert re.fullmatch('[a-z ]+', reference.text)


def test_davis_train_and_test(data, tmp_path):
    table = tmp_path / 'table.json'
    root = data / 'davis'
    weights = train(DAVIS17, root, tmp_path)
    metrics = run_test(DAVIS17, weights, root, tmp_path, '--out', str(table))
    rows = json.loads(table.read_text())
    items = RefDAVIS17Dataset(str(data / 'davis'), 'valid', test_mode=True)
    infos = [items.get_data_info(index) for index in range(len(items))]
    total = sum(len(item['references']) for item in infos)
    assert sum(row['protocol'] == 'referring' for row in rows) == total
    for protocol in ('published', 'referring'):
        runs = [
            np.mean(
                [
                    row['J&F']
                    for row in rows
                    if (row['protocol'], row['annotator']) == (protocol, name)
                ]
            )
            for name in ANNOTATORS
        ]
        assert metrics[f'{protocol}/J&F'] == pytest.approx(np.mean(runs))
    assert 0 <= metrics['referring/J&F'] <= metrics['published/J&F'] <= 100


# ---------------------------------------------------------------------- MeViS


def test_mevis_groups_match_their_expressions(data):
    """Compare with the attributes in the scenes."""
    items = MeViSDataset(str(data / 'set/mevis'), 'train', test_mode=True)
    several = 0
    for index in range(len(items)):
        item = items.get_data_info(index)
        scene = make_video(0, 'train', index, 3, (64, 64)).scene
        first = sum(
            len(make_video(0, 'train', i, 3, (64, 64)).scene.objects)
            for i in range(index)
        )
        for reference in item['references']:
            if reference.cue != 'several':
                assert len(reference.object_ids) == 1
                continue
            several += 1
            named = [
                scene.objects[int(id) - first] for id in reference.object_ids
            ]
            others = [o for o in scene.objects if o not in named]
            assert len(named) >= 2
            word = reference.text.split()[1]
            for attribute in ('colour', 'size', 'fill'):
                if word in {getattr(o, attribute) for o in scene.objects}:
                    assert all(getattr(o, attribute) == word for o in named)
                    assert all(getattr(o, attribute) != word for o in others)
            if reference.text.endswith('that do not move'):
                assert {o.motion for o in named} == {'still'}
                assert 'still' not in {o.motion for o in others}
    assert several >= 3


def test_mevis_train_and_test(data, mevis_weights, tmp_path):
    metrics = run_test(MEVIS, mevis_weights, data / 'set/mevis', tmp_path)
    assert 0 <= metrics['J&F'] <= 100
    assert 'J&F/several' in metrics


def test_mevis_the_ground_truth_scores_100(data):
    """Data set and metric agree on references to several objects."""
    cfg = load_config('configs/_base_/datasets/refvos_mini_mevis.py')
    items = MeViSDataset(
        str(data / 'set/mevis'),
        'valid_u',
        test_mode=True,
        pipeline=cfg.test_pipeline,
    )
    sample = items[0]['data_samples']
    plain = sample.to_dict()
    sample.predictions = [
        ReferencePrediction(r, gt_tube(plain, r.object_ids), 1.0)
        for r in sample.references
    ]
    rows = JFMetric().score_video(sample.to_dict())
    assert {row['J&F'] for row in rows} == {100}
    assert max(len(row['objects']) for row in rows) >= 2
    one = next(r for r in sample.references if len(r.object_ids) == 1)
    both = next(r for r in sample.references if len(r.object_ids) > 1)
    # Predicting one of the objects is not enough.
    sample.predictions = [
        ReferencePrediction(both, gt_tube(plain, one.object_ids), 1.0)
    ]
    sample.references = [both]
    (row,) = JFMetric().score_video(sample.to_dict())
    assert row['J'] < 100


def test_mevis_submission(data, mevis_weights, tmp_path):
    """All expressions of the hidden split; videos at the top of the zip."""
    config = tmp_path / 'submit.py'
    config.write_text(
        f"_base_ = ['{MEVIS}']\n"
        "steps = [dict(type='LoadFrames'), dict(type='PackRefInputs')]\n"
        'test_dataloader = dict(dataset=dict(\n'
        "    split='valid', with_masks=False, pipeline=steps))\n"
        "test_evaluator = dict(_delete_=True, type='MeViSSubmission',\n"
        f"    outfile_prefix='{tmp_path}/out')\n"
    )
    root = data / 'set/mevis'
    metrics = run_test(config, mevis_weights, root, tmp_path)
    lists = json.loads((root / 'valid/meta_expressions.json').read_text())
    ((name, video),) = lists['videos'].items()
    wanted = {
        f'{name}/{id}/{frame}.png'
        for id in video['expressions']
        for frame in video['frames']
    }
    assert metrics == {'submission/masks': len(wanted)}
    with zipfile.ZipFile(tmp_path / 'out.zip') as archive:
        assert set(archive.namelist()) == wanted
    png = tmp_path / 'out/Annotations' / name / '0/00000.png'
    assert set(np.unique(Image.open(png))) <= {0, 255}
