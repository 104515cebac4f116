"""The ablations of ReferFormer's paper change what their table says."""

import pytest

from refvos.engine import check_config
from tests.builders import ROOT, changes_of, load_config

FOLDER = 'configs/referformer/ablations'
BASE = (
    'configs/referformer/'
    'referformer_video-swin-t_8xb1-12e_ref-youtube-vos_scratch.py'
)
COSTS = 'model.loss.assigner.match_costs'
DATA = 'train_dataloader.dataset'

CHANGES = {
    'no-fpn-fusion': {'model.fpn.fuse_words': False},
    'no-relative-coordinates': {'model.mask_head.relative_coordinates': False},
    'n1': {'model.num_queries': 1},
    'n3': {'model.num_queries': 3},
    'n8': {'model.num_queries': 8},
    't1': {f'{DATA}.anchor_stride': 1, f'{DATA}.pipeline.0.num_frames': 1},
    't3': {f'{DATA}.anchor_stride': 3, f'{DATA}.pipeline.0.num_frames': 3},
    'class-box-costs': {
        f'{COSTS}.{index}.{key}': None
        for index in (3, 4)
        for key in ('type', 'weight')
    },
    'class-mask-costs': {
        f'{COSTS}.1.type': 'ClipMaskFocalCost',
        f'{COSTS}.1.weight': 2.0,
        f'{COSTS}.2.type': 'ClipDiceCost',
        f'{COSTS}.2.weight': 5.0,
        **{
            f'{COSTS}.{index}.{key}': None
            for index in (3, 4)
            for key in ('type', 'weight')
        },
    },
    'class-aware': {f'{DATA}.class_aware': True, 'model.num_classes': 65},
}


@pytest.mark.parametrize('name', CHANGES)
def test_one_thing_is_changed(name):
    path = f'{FOLDER}/referformer_video-swin-t_{name}.py'
    check_config(load_config(path))
    assert changes_of(path, BASE) == CHANGES[name]


def test_the_base_line_shares_all_but_the_model():
    path = f'{FOLDER}/bottom-up_video-swin-t.py'
    config = load_config(path)
    check_config(config)
    changed = changes_of(path, BASE)
    assert {key.split('.')[0] for key in changed} == {'model'}
    assert config.model.type == 'BottomUpTransformer'
    assert config.model.clip_frames == config.num_frames == 5
    base = load_config(BASE).model
    assert config.model.backbone == base.backbone
    for name in ('loss_mask', 'loss_dice'):
        assert config.model.loss[name] == base.loss[name]


def test_the_base_has_the_papers_default_settings():
    """N = 5, T = 5, all costs, class-agnostic, everything in place."""
    config = load_config(BASE)
    model = config.model
    assert (model.num_queries, model.num_classes) == (5, 1)
    assert config.train_pipeline[0].num_frames == 5
    assert len(model.loss.assigner.match_costs) == 5
    assert model.fpn.fuse_words and model.mask_head.relative_coordinates
    assert model.backbone.type == 'VideoSwinTransformer'
    # From scratch: no weights of a pre-training on RefCOCO/+/g.
    assert config.load_from is None
    assert config.train_cfg.max_epochs == 12
    (schedule,) = config.param_scheduler
    assert (schedule.end, schedule.milestones) == (12, [8, 10])


def test_every_ablation_is_known_and_short():
    names = {f'referformer_video-swin-t_{name}.py' for name in CHANGES}
    names.add('bottom-up_video-swin-t.py')
    files = list((ROOT / FOLDER).glob('*.py'))
    assert {file.name for file in files} == names
    for file in files:
        if file.name.startswith('referformer'):
            assert len(file.read_text().splitlines()) <= 10
