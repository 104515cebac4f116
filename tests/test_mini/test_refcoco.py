"""RefVOS-Mini in RefCOCO's layout: training, joint training, scores."""

import numpy as np
import pytest
import torch
from mmdet.registry import DATASETS, MODELS
from mmengine.dataset import pseudo_collate
from mmengine.evaluator import Evaluator
from mmengine.registry import init_default_scope
from mmengine.runner import Runner
from pycocotools import mask as rle_codec

from refvos.evaluation import RefCOCOMetric
from refvos.structures import ReferencePrediction
from tests.builders import load_config

SMALL = {'train': 3, 'val': 1, 'test': 2, 'frames': 3}
RUNTIME = {
    'train_cfg.max_iters': 2,
    'train_cfg.val_interval': 2,
    'default_hooks.checkpoint.interval': 2,
    'train_dataloader.batch_size': 2,
    'train_dataloader.num_workers': 0,
    'train_dataloader.persistent_workers': False,
    'val_dataloader.num_workers': 0,
    'val_dataloader.persistent_workers': False,
    'test_dataloader.num_workers': 0,
}


@pytest.fixture(scope='module')
def images(shared_mini):
    """Images of 96 x 128."""
    return shared_mini(**SMALL, layouts=('refcoco',)) / 'coco'


@pytest.fixture(scope='module')
def videos(shared_mini):
    """Videos of 64 x 80."""
    return shared_mini(**SMALL, size=(64, 80))


def make_config(name, data, work_dir, **options):
    """Load a mini config with other data, loader -> root."""
    roots = {
        f'{loader}_dataloader.dataset.data_root': str(root)
        for loader, root in data.items()
    }
    return load_config(
        f'configs/mini/{name}.py',
        {
            **RUNTIME,
            **roots,
            'work_dir': str(work_dir),
            'experiment_name': f'{name}_{work_dir.name}',
            **options,
        },
    )


def test_train_and_test_on_refcoco(images, tmp_path):
    data = dict.fromkeys(('train', 'val', 'test'), images)
    config = make_config('referformer_mini_refcoco', data, tmp_path)
    runner = Runner.from_cfg(config)
    before = {
        name: value.clone() for name, value in runner.model.named_parameters()
    }
    runner.train()
    moved = [
        name
        for name, value in runner.model.named_parameters()
        if not torch.equal(value, before[name])
    ]
    assert len(moved) > 0.9 * len(before)
    metrics = runner.test()
    assert set(metrics) == {'REC', 'oIoU', 'mIoU'}
    assert all(0 <= value <= 100 for value in metrics.values())


def shifted(mask):
    """Shift a mask by two columns to the right."""
    moved = np.zeros_like(mask)
    moved[:, 2:] = mask[:, :-2]
    return moved


def test_known_predictions_have_known_numbers(images):
    """Shifted ground truth; every second box is shifted by its width."""
    init_default_scope('mmdet')
    config = load_config('configs/_base_/datasets/refvos_mini_refcoco.py')
    config.test_dataloader.dataset.data_root = str(images)
    data = DATASETS.build(config.test_dataloader.dataset)
    evaluator = Evaluator([RefCOCOMetric()])
    overlaps, hits = [], []
    for item in data:
        sample = item['data_samples']
        sample.predictions = []
        for reference in sample.references:
            (id,) = reference.object_ids
            mask = rle_codec.decode(sample.gt_tubes[id][0]) > 0
            moved = shifted(mask)
            overlaps.append(((mask & moved).sum(), (mask | moved).sum()))
            rows, columns = mask.nonzero()
            box = np.array(
                [columns.min(), rows.min(), columns.max(), rows.max()], float
            ) + [0, 0, 1, 1]
            hit = len(hits) % 2 == 0
            if not hit:
                box[[0, 2]] += box[2] - box[0]
            hits.append(hit)
            sample.predictions.append(
                ReferencePrediction(
                    reference,
                    [rle_codec.encode(np.asfortranarray(moved, np.uint8))],
                    0.5,
                    bboxes=[box.tolist()],
                )
            )
        evaluator.process([sample])
    metrics = evaluator.evaluate(len(data))
    overlaps = np.array(overlaps)
    assert len(overlaps) >= 4
    assert metrics == pytest.approx(
        {
            'REC': 100 * np.mean(hits),
            'oIoU': 100 * overlaps[:, 0].sum() / overlaps[:, 1].sum(),
            'mIoU': 100 * (overlaps[:, 0] / overlaps[:, 1]).mean(),
        }
    )
    assert 50 < metrics['mIoU'] < 100


@pytest.mark.parametrize(
    ('name', 'num_frames'), [('ref_coco_pretrain', 1), ('joint', 5)]
)
def test_full_size_pipelines(images, name, num_frames):
    """The published augmentation of images and masks."""
    init_default_scope('mmdet')
    np.random.seed(0)
    config = load_config(f'configs/_base_/datasets/{name}.py')
    assert config.train_dataloader.batch_size == 2
    datasets = config.train_dataloader.dataset.datasets[:3]
    for dataset in datasets:
        dataset.data_root = str(images)
    assert [d.name for d in datasets] == ['refcoco', 'refcoco+', 'refcocog']
    data = DATASETS.build({'type': 'ConcatDataset', 'datasets': datasets})
    for index in (0, len(data) - 1):
        packed = data[index]
        inputs, sample = packed['inputs'], packed['data_samples']
        assert inputs.shape[:2] == (num_frames, 3)
        assert min(inputs.shape[2:]) >= 288 or max(inputs.shape[2:]) == 640
        assert len(sample) == num_frames and len(sample.references) == 1
        visible = [len(frame.gt_instances) for frame in sample]
        assert 1 <= sum(visible) <= num_frames
        for frame in sample:
            for box, mask in zip(
                frame.gt_instances.bboxes,
                frame.gt_instances.masks.masks,
                strict=True,
            ):
                assert mask.shape == inputs.shape[2:]
                rows, columns = mask.nonzero()
                tight = torch.tensor(
                    [columns.min(), rows.min(), columns.max(), rows.max()]
                )
                # Boxes are scaled, masks resized by nearest neighbour: from
                # 128 to at most 683 pixels one pixel becomes up to six.
                assert (box - tight).abs().max() <= 7


def joint_config(images, videos, work_dir, **options):
    config = make_config(
        'referformer_mini_joint',
        {'val': videos, 'test': videos},
        work_dir,
        **options,
    )
    first, second = config.train_dataloader.dataset.datasets
    first.data_root, second.data_root = str(videos), str(images)
    return config


def test_clips_of_images_and_videos_share_a_batch(images, videos, tmp_path):
    config = joint_config(images, videos, tmp_path)
    init_default_scope('mmdet')
    torch.manual_seed(0)
    data = DATASETS.build(config.train_dataloader.dataset)
    model = MODELS.build(config.model)
    model.init_weights()
    clips = [data[0], data[len(data) - 1]]
    shapes = [tuple(clip['inputs'].shape) for clip in clips]
    assert shapes == [(2, 3, 64, 80), (2, 3, 96, 128)]
    batch = model.data_preprocessor(pseudo_collate(clips), training=True)
    assert batch['inputs'].shape == (2, 2, 3, 96, 128)
    losses = model(**batch, mode='loss')
    total, _ = model.parse_losses(losses)
    total.backward()
    assert torch.isfinite(total)
    gradients = [p.grad for p in model.parameters() if p.grad is not None]
    assert all(torch.isfinite(gradient).all() for gradient in gradients)


def test_joint_training_through_the_runner(images, videos, tmp_path):
    config = joint_config(
        images,
        videos,
        tmp_path,
        **{'train_cfg.val_interval': 100, 'train_dataloader.batch_size': 4},
    )
    runner = Runner.from_cfg(config)
    runner.train()
    assert runner.iter == 2
    names = {
        type(d).__name__ for d in runner.train_dataloader.dataset.datasets
    }
    assert names == {'RefYouTubeVOSDataset', 'RefCOCODataset'}
    assert (tmp_path / 'iter_2.pth').exists()
