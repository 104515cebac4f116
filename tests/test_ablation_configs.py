"""The ablations of a paper change what their table says."""

import pytest
import torch

from refvos.engine import check_config
from tests.builders import ROOT, build_model, changes_of, load_config

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


# ------------------------------------------------------------------------ MUTR

MUTR_FOLDER = 'configs/mutr/ablations'
MUTR_BASE = 'configs/mutr/mutr_r50_8xb2-12e_joint.py'
MTA = ('num_heads', 'feedforward_channels', 'num_blocks')
MTI = (
    *('num_heads', 'feedforward_channels', 'window', 'dropout'),
    *('num_encoder_layers', 'num_decoder_layers'),
)
NO_MTA = {f'model.mta.{key}': None for key in MTA}
NO_MTI = {f'model.mti.{key}': None for key in MTI}
ENCODER, DECODER = (
    f'model.mti.num_{part}_layers' for part in ('encoder', 'decoder')
)

MUTR_CHANGES = {
    # Table 5.
    'mta-multi-scale-only': {'model.mta.temporal': False},
    'mta-temporal-only': {'model.mta.num_levels': 1},
    'mta-2-blocks': {'model.mta.num_blocks': 2},
    'mta-3-blocks': {'model.mta.num_blocks': 3},
    # Table 6.
    'mti-encoder-only': {DECODER: 0},
    'mti-decoder-only': {ENCODER: 0},
    'mti-2-blocks': {ENCODER: 2, DECODER: 2},
    'mti-1-block': {ENCODER: 1, DECODER: 1},
    # Table 7.
    'no-mta-no-mti': {**NO_MTA, **NO_MTI},
    'no-mta': NO_MTA,
    'no-mti': NO_MTI,
}
# Millions of parameters that MTA and MTI have, worked out by hand: an
# attention 4 (C + 1) C, a feed-forward part (2 F + 1) C + F, a norm 2 C,
# C = 256 and F = 2048; MTI's 15 embeddings and last norm 17 C.
ATTENTION = 4 * 257 * 256 + 2 * 256
FEEDFORWARD = 4097 * 256 + 2048 + 2 * 256
MTA_BLOCK = ENCODER_LAYER = ATTENTION + FEEDFORWARD
DECODER_LAYER = 2 * ATTENTION + FEEDFORWARD
QUERIES = 17 * 256
WHOLE = MTA_BLOCK + 3 * ENCODER_LAYER + 3 * DECODER_LAYER + QUERIES
SIZES = {
    'mta-multi-scale-only': WHOLE,
    'mta-temporal-only': WHOLE,
    'mta-2-blocks': WHOLE + MTA_BLOCK,
    'mta-3-blocks': WHOLE + 2 * MTA_BLOCK,
    'mti-encoder-only': WHOLE - 3 * DECODER_LAYER - QUERIES,
    'mti-decoder-only': WHOLE - 3 * ENCODER_LAYER,
    'mti-2-blocks': WHOLE - ENCODER_LAYER - DECODER_LAYER,
    'mti-1-block': WHOLE - 2 * ENCODER_LAYER - 2 * DECODER_LAYER,
    'no-mta-no-mti': 0,
    'no-mta': WHOLE - MTA_BLOCK,
    'no-mti': MTA_BLOCK,
}


@pytest.mark.parametrize('name', MUTR_CHANGES)
def test_one_thing_of_mutr_is_changed(name):
    path = f'{MUTR_FOLDER}/mutr_r50_{name}.py'
    check_config(load_config(path))
    assert changes_of(path, MUTR_BASE) == MUTR_CHANGES[name]
    with torch.device('meta'):
        model = build_model(path)
    parts = [part for part in (model.mta, model.mti) if part is not None]
    found = sum(p.numel() for part in parts for p in part.parameters())
    assert found == SIZES[name]
    assert WHOLE == 1_315_072 + 8_685_824


def test_the_base_of_mutr_has_the_papers_default_settings():
    """One block of MTA, three of MTI, both scales and time (Tables 5-7)."""
    config = load_config(MUTR_BASE)
    model = config.model
    assert model.type == 'MUTR' and not model.get('published_habits', False)
    assert model.fusion.combine == 'add'
    assert model.mta.num_blocks == 1
    assert not {'temporal', 'num_levels'} & model.mta.keys()
    assert (model.mti.num_encoder_layers, model.mti.num_decoder_layers) == (
        3,
        3,
    )
    assert (model.backbone.type, model.backbone.depth) == ('ResNet', 50)
    assert model.num_queries == config.num_frames == 5


def test_every_ablation_of_mutr_is_known_and_short():
    files = list((ROOT / MUTR_FOLDER).glob('*.py'))
    names = {f'mutr_r50_{name}.py' for name in MUTR_CHANGES}
    assert {file.name for file in files} == names
    assert max(len(file.read_text().splitlines()) for file in files) <= 5


# ---------------------------------------------------------------- ProxyFormer

PROXY_FOLDER = 'configs/proxyformer/ablations'
PROXY_BASE = (
    'configs/proxyformer/proxyformer_video-swin-t_8xb1-30e_ref-youtube-vos.py'
)
NO_JSC = {
    f'model.jsc.{key}': None
    for key in ('type', 'loss_weight', 'parts.0', 'parts.1')
}
PROXY_CHANGES = {
    # Table IV; Tables VI and VII are without JSC, too.
    'no-jsc': NO_JSC,
    'joint_no-jsc': {**NO_JSC, 'model.cmie.joint': True},
    'no-p2v_no-jsc': {**NO_JSC, 'model.cmie.pixels_read': None},
    'n1_no-jsc': {**NO_JSC, 'model.num_queries': 1},
    'n3_no-jsc': {**NO_JSC, 'model.num_queries': 3},
    'n7_no-jsc': {**NO_JSC, 'model.num_queries': 7},
    'k2_no-jsc': {**NO_JSC, 'model.num_stages': 2},
    'k3_no-jsc': {**NO_JSC, 'model.num_stages': 3},
    'k5_no-jsc': {**NO_JSC, 'model.num_stages': 5},
    # Table V.
    'jsc-video': {'model.jsc.parts.1': None},
    'jsc-text': {'model.jsc.parts.0': 'text', 'model.jsc.parts.1': None},
    # Table VIII.
    'no-proxy-queries': {'model.cmie.pixels_read': 'words'},
    'joint': {'model.cmie.joint': True},
}


@pytest.mark.parametrize('name', PROXY_CHANGES)
def test_one_thing_of_proxyformer_is_changed(name):
    path = f'{PROXY_FOLDER}/proxyformer_video-swin-t_{name}.py'
    check_config(load_config(path))
    assert changes_of(path, PROXY_BASE) == PROXY_CHANGES[name]


def test_the_base_of_proxyformer_has_the_papers_settings():
    """N = 5, K = 4, T = 12, decoupled, JSC of both (Section IV-B)."""
    config = load_config(PROXY_BASE)
    model = config.model
    assert model.type == 'ProxyFormer' and model.fusion is None
    assert (model.num_queries, model.num_stages) == (5, 4)
    assert model.decoder.num_layers == 3
    assert model.mask_head.controller_layers == 2
    assert model.cmie.pixels_read == 'proxies' and not model.cmie.joint
    assert tuple(model.jsc.parts) == ('video', 'text')
    assert model.jsc.loss_weight == 5
    assert model.backbone.type == 'VideoSwinTransformer'
    assert config.train_pipeline[0].num_frames == 12
    assert config.train_cfg.max_epochs == 30
    assert config.optim_wrapper.optimizer.lr == 1e-4
    a2d = load_config(
        'configs/proxyformer/proxyformer_video-swin-t_8xb1-30e_a2d-sentences.py'
    )
    assert a2d.train_pipeline[0].num_frames == 8
    assert a2d.optim_wrapper.optimizer.lr == 5e-5


def test_every_ablation_of_proxyformer_is_known_and_short():
    files = list((ROOT / PROXY_FOLDER).glob('*.py'))
    names = {f'proxyformer_video-swin-t_{name}.py' for name in PROXY_CHANGES}
    assert {file.name for file in files} == names
    assert max(len(file.read_text().splitlines()) for file in files) <= 5
