"""Misspelt configs are refused; mmdet's own are not."""

import os.path as osp

import mmdet
import pytest
from mmdet.utils import register_all_modules
from mmengine.config import Config
from mmengine.hooks import LoggerHook

from refvos.engine import check_config, check_overrides
from refvos.engine.signatures import accepted_arguments
from refvos.errors import InputError

from . import toy

TOY = osp.join(osp.dirname(__file__), 'toy_config.py')

# One of everything that a detector's config has.
DETECTOR = """
custom_imports = dict(imports=['mmdet.engine'], allow_failed_imports=True)
default_scope = 'mmdet'
data_root = 'data/coco/'
train_pipeline = [dict(type='LoadImageFromFile', backend_args=None)]
norm_cfg = dict(type='SyncBN', requires_grad=True)
model = dict(
    type='FasterRCNN',
    data_preprocessor=dict(
        type='DetDataPreprocessor', mean=[1.0], pad_size_divisor=32,
        batch_augments=[dict(type='BatchFixedSizePad', size=(64, 64))]),
    backbone=dict(
        type='ResNet', depth=50, norm_cfg=norm_cfg, style='pytorch',
        conv_cfg=dict(type='ConvWS'),
        dcn=dict(type='DCN', deform_groups=1, fallback_on_stride=False),
        stage_with_dcn=(False, True, True, True),
        plugins=[dict(cfg=dict(type='ContextBlock', ratio=1. / 16),
                      stages=(False, True, True, True),
                      position='after_conv3')],
        init_cfg=dict(type='Pretrained', checkpoint='torchvision://resnet50')),
    neck=dict(
        type='FPN', in_channels=[256, 512], out_channels=256, num_outs=5,
        upsample_cfg=dict(mode='nearest'), act_cfg=dict(type='ReLU'),
        init_cfg=dict(type='Xavier', layer='Conv2d', distribution='uniform',
                      override=dict(type='Normal', name='a', std=0.01))),
    rpn_head=dict(
        type='RPNHead', in_channels=256, feat_channels=256,
        anchor_generator=dict(type='AnchorGenerator', scales=[8],
                              ratios=[1.0], strides=[4]),
        bbox_coder=dict(type='DeltaXYWHBBoxCoder', target_means=[.0]),
        loss_cls=dict(type='CrossEntropyLoss', use_sigmoid=True),
        loss_bbox=dict(type='L1Loss', loss_weight=1.0)),
    roi_head=dict(
        type='StandardRoIHead',
        bbox_roi_extractor=dict(
            type='SingleRoIExtractor', out_channels=256,
            roi_layer=dict(type='RoIAlign', output_size=7, sampling_ratio=0),
            featmap_strides=[4, 8]),
        bbox_head=dict(type='Shared2FCBBoxHead', in_channels=256,
                       fc_out_channels=1024, roi_feat_size=7)),
    train_cfg=dict(rpn=dict(
        assigner=dict(type='MaxIoUAssigner', pos_iou_thr=0.7),
        sampler=dict(type='RandomSampler', num=256, pos_fraction=0.5),
        allowed_border=-1, debug=False)),
    test_cfg=dict(rpn=dict(nms=dict(type='nms', iou_threshold=0.7)),
                  rcnn=dict(nms=dict(type='soft_nms', min_score=0.05))))
train_dataloader = dict(
    batch_size=2, num_workers=2, persistent_workers=True, pin_memory=True,
    sampler=dict(type='DefaultSampler', shuffle=True),
    batch_sampler=dict(type='AspectRatioBatchSampler'),
    collate_fn=dict(type='pseudo_collate'), num_batch_per_epoch=7,
    dataset=dict(
        type='RepeatDataset', times=3,
        dataset=dict(
            type='CocoDataset', data_root=data_root, ann_file='a.json',
            data_prefix=dict(img='train2017/'), lazy_init=True,
            filter_cfg=dict(filter_empty_gt=True, min_size=32),
            pipeline=train_pipeline + [
                dict(type='LoadAnnotations', with_bbox=True, with_mask=True),
                dict(type='RandomChoice', transforms=[
                    [dict(type='RandomChoiceResize', scales=[(480, 1333)],
                          keep_ratio=True)],
                    [dict(type='RandomResize', scale=[(1, 1), (2, 2)],
                          keep_ratio=True, resize_type='Resize'),
                     dict(type='RandomCrop', crop_size=(384, 600),
                          crop_type='absolute')]]),
                dict(type='Albu', keymap=dict(img='image'), transforms=[
                    dict(type='OneOf', p=0.1, transforms=[
                        dict(type='MedianBlur', blur_limit=3)])]),
                dict(type='PackDetInputs', meta_keys=('img_id',))])))
test_dataloader = dict(
    batch_size=1, sampler=dict(type='TrackImgSampler'), drop_last=False,
    dataset=dict(type='MOTChallengeDataset', test_mode=True, pipeline=[
        dict(type='UniformRefFrameSample', num_ref_imgs=4, frame_range=4),
        dict(type='TransformBroadcaster', share_random_params=True,
             transforms=[
                 dict(type='LoadImageFromFile'),
                 dict(type='RandomFlip', prob=0.5),
                 dict(type='Resize', scale=(1, 1), keep_ratio=True)]),
        dict(type='PackTrackInputs')]))
test_evaluator = [
    dict(type='CocoMetric', metric=['bbox', 'segm'], format_only=False,
         collect_device='cpu', prefix='coco'),
    dict(type='DumpDetResults', out_file_path='a.pkl')]
test_cfg = dict(type='TestLoop', fp16=True)
train_cfg = dict(type='EpochBasedTrainLoop', max_epochs=12, val_interval=1,
                 dynamic_intervals=[(10, 1)])
optim_wrapper = dict(
    type='AmpOptimWrapper', loss_scale='dynamic', dtype='bfloat16',
    optimizer=dict(type='AdamW', lr=1e-4, weight_decay=0.05),
    clip_grad=dict(max_norm=0.1, norm_type=2), accumulative_counts=2,
    constructor='LayerDecayOptimizerConstructor',
    paramwise_cfg=dict(decay_rate=0.7, custom_keys={'a': dict(lr_mult=0.1)}))
param_scheduler = [
    dict(type='LinearLR', start_factor=0.001, by_epoch=False, begin=0,
         end=500),
    dict(type='CosineAnnealingLR', eta_min=0, begin=6, end=12, T_max=6,
         by_epoch=True, convert_to_iter_based=True, verbose=False)]
default_hooks = dict(
    timer=dict(type='IterTimerHook'),
    logger=dict(type='LoggerHook', interval=50, log_metric_by_epoch=True),
    checkpoint=dict(type='CheckpointHook', interval=1, max_keep_ckpts=3,
                    save_best='auto'),
    visualization=dict(type='TrackVisualizationHook', draw=False))
custom_hooks = [
    dict(type='EMAHook', ema_type='ExpMomentumEMA', momentum=0.0002,
         update_buffers=True, priority=49),
    dict(type='EarlyStoppingHook', monitor='coco/bbox_mAP', patience=5)]
vis_backends = [dict(type='LocalVisBackend'),
                dict(type='TensorboardVisBackend', save_dir='x')]
visualizer = dict(type='DetLocalVisualizer', vis_backends=vis_backends,
                  name='visualizer')
log_processor = dict(type='LogProcessor', window_size=50, by_epoch=True)
auto_scale_lr = dict(enable=False, base_batch_size=16)
tta_model = dict(type='DetTTAModel', tta_cfg=dict(
    nms=dict(type='nms', iou_threshold=0.5), max_per_img=100))
tta_pipeline = [dict(type='TestTimeAug', transforms=[
    [dict(type='Resize', scale=(1, 1)), dict(type='Resize', scale=(2, 2))],
    [dict(type='RandomFlip', prob=1.)]])]
model_wrapper_cfg = dict(type='MMDistributedDataParallel',
                         find_unused_parameters=True)
find_unused_parameters = True
randomness = dict(seed=1, deterministic=True)
"""

# Families with unusual keys each.
MMDET_CONFIGS = [
    'cascade_rcnn/cascade-mask-rcnn_r50_fpn_1x_coco.py',
    'deformable_detr/deformable-detr_r50_16xb2-50e_coco.py',
    'detr/detr_r50_8xb2-150e_coco.py',
    'mask2former/mask2former_swin-t-p4-w7-224_8xb2-lsj-50e_coco.py',
    'masktrack_rcnn/'
    'masktrack-rcnn_mask-rcnn_r50_fpn_8xb1-12e_youtubevis2019.py',
    'queryinst/queryinst_r50_fpn_1x_coco.py',
    'vfnet/vfnet_r50_fpn_1x_coco.py',
    'yolox/yolox_s_8xb8-300e_coco.py',
]


@pytest.fixture(scope='module', autouse=True)
def registered():
    register_all_modules()
    assert toy  # Registered by its import.


def test_full_detector_is_accepted():
    check_config(Config.fromstring(DETECTOR, '.py'))


@pytest.mark.parametrize('name', MMDET_CONFIGS)
def test_mmdet_configs_are_accepted(name):
    path = osp.join(osp.dirname(mmdet.__file__), '.mim', 'configs', name)
    check_config(Config.fromfile(path))


@pytest.mark.parametrize(
    ('place', 'value', 'expected'),
    [
        (
            'model.backbone.dpeth',
            18,
            'one of the arguments of ResNet (did you mean depth?)',
        ),
        (
            # Through **kwargs of RPNHead to AnchorHead.
            'model.rpn_head.reg_decoded_bboxes',
            True,
            'one of the arguments of RPNHead (did you mean reg_decoded_bbox?)',
        ),
        (
            'model.rpn_head.loss_cls.loss_wieght',
            2.0,
            'one of the arguments of CrossEntropyLoss'
            ' (did you mean loss_weight?)',
        ),
        (
            'train_dataloader.batch_sise',
            2,
            'the arguments of a dataloader (did you mean batch_size?)',
        ),
        (
            'train_dataloader.dataset.dataset.anotations',
            'a.json',
            'one of the arguments of CocoDataset',
        ),
        (
            'test_dataloader.dataset.pipeline.1.transforms.1.probability',
            1.0,
            'one of the arguments of RandomFlip',
        ),
        (
            'default_hooks.checkpoint.intervall',
            1,
            'one of the arguments of CheckpointHook (did you mean interval?)',
        ),
        (
            'param_scheduler.0.starting_factor',
            0.1,
            'one of the arguments of LinearLR (did you mean start_factor?)',
        ),
        (
            'optim_wrapper.optimizer.wieght_decay',
            0.1,
            'one of the arguments of AdamW (did you mean weight_decay?)',
        ),
        (
            'optim_wrapper.clipgrad',
            1,
            'one of the arguments of AmpOptimWrapper'
            ' (did you mean clip_grad?)',
        ),
        (
            'train_cfg.max_epoch',
            3,
            'one of the arguments of EpochBasedTrainLoop'
            ' (did you mean max_epochs?)',
        ),
        (
            'model.backbone.type',
            'ResNett',
            'a registered class (did you mean ResNet?)',
        ),
        (
            'test_evaluator.0.type',
            'CocoMetrics',
            'one of mmdet.METRICS (did you mean CocoMetric?)',
        ),
        (
            'custom_hooks.1.type',
            'NoSuchThing',
            'one of mmdet.HOOKS',
        ),
        (
            'trian_cfg',
            1,
            'one of the arguments of Runner (did you mean train_cfg?)',
        ),
        (
            'default_hook',
            1,
            'one of the arguments of Runner (did you mean default_hooks?)',
        ),
    ],
)
def test_misspelt(place, value, expected):
    cfg = Config.fromstring(DETECTOR, '.py')
    cfg.merge_from_dict({place: value})
    with pytest.raises(InputError) as error:
        check_config(cfg, 'configs/x.py')
    message = str(error.value)
    said = f'configs/x.py: {place} is {value!r}; expected {expected}'
    assert message.startswith(said)
    assert len(message.splitlines()) == 1


def test_entries_without_type():
    for place in ('val_cfg.fp61', 'train_cfg.max_epoch', 'optim_wrapper.x'):
        cfg = Config.fromfile(TOY)
        check_config(cfg)
        cfg.merge_from_dict({place: 1})
        with pytest.raises(InputError, match=f'{place} is 1; expected one'):
            check_config(cfg)


def test_overrides_of_nothing():
    cfg = Config.fromfile(TOY)
    check_overrides(cfg, {'model.width': 2, 'work_dir': 'x'})
    with pytest.raises(InputError) as error:
        check_overrides(cfg, {'modle.width': 2})
    assert str(error.value) == (
        "--cfg-options: modle.width is 2; expected one of the config's "
        'entries (did you mean model?)'
    )


class Base:
    def __init__(self, a, b=1):
        pass


class Passes(Base):
    def __init__(self, c, **kwargs):
        super().__init__(**kwargs)


class Inherits(Passes):
    pass


class Uses(Base):
    def __init__(self, c, **kwargs):
        self.d = kwargs.pop('d', None)
        super().__init__(**kwargs)


class Swallows(Base):
    def __init__(self, c, **kwargs):
        super().__init__(c)


class Mixin(Base):
    def __init__(self, m, **kwargs):
        super().__init__(**kwargs)


class Jumps(Passes, Mixin):
    def __init__(self, j, **kwargs):
        super(Passes, self).__init__(**kwargs)


@pytest.mark.parametrize(
    ('target', 'names'),
    [
        (Base, {'a', 'b'}),
        (Passes, {'a', 'b', 'c'}),
        (Inherits, {'a', 'b', 'c'}),
        (Uses, None),
        (Swallows, None),
        (Jumps, {'a', 'b', 'j', 'm'}),
        (lambda x, *, y=1: None, {'x', 'y'}),
        (lambda **kwargs: None, None),
        (LoggerHook, set(LoggerHook.__init__.__annotations__) - {'return'}),
    ],
)
def test_accepted_arguments(target, names):
    if target is LoggerHook:
        names = names | {'priority'}
    assert accepted_arguments(target) == names
