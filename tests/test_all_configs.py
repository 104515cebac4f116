"""Each config takes a training step and is tested as users do it.

They use ``tools/test.py`` and the inferencer: the model is prepared for
tests, and the files are real.
"""

import os
from pathlib import Path
from typing import Any, Dict, List

import pytest
import torch
from mmengine.config import Config, ConfigDict
from mmengine.hooks import Hook
from mmengine.runner import Runner

from refvos.apis import RefVOSInferencer
from refvos.commands import test as tool
from refvos.datasets.converters import convert_ref_davis17
from refvos.engine import check_config
from refvos.mini import make_mini
from refvos.structures import RefDataSample
from tests.builders import ROOT
from tests.test_models.tiny_sam2 import save_tiny_sam2

CONFIGS = sorted(
    str(path.relative_to(ROOT))
    for path in (ROOT / 'configs').rglob('*.py')
    if '_base_' not in path.parts
)
# Configs that users derive from ours: name, base and what is added.
DERIVED = {
    **{
        f'mutr_{backbone}_{data}_published': (
            [f'configs/mutr/mutr_{backbone}_{data}.py'],
            'model = dict(published_habits=True)',
        )
        for backbone in (
            *('r50', 'r101', 'swin-l'),
            *('video-swin-t', 'video-swin-s', 'video-swin-b'),
        )
        for data in ('8xb2-12e_joint', 'ref-davis17')
    },
    **{
        f'referformer_{backbone}_sam2': (
            [
                'configs/referformer/referformer_'
                f'{backbone}_8xb1-6e_ref-youtube-vos.py',
                'configs/_base_/post_process/sam2.py',
            ],
            'model = dict(test_cfg=dict(post_process=_base_.sam2))',
        )
        for backbone in ('r50', 'r101', 'swin-t', 'swin-s', 'swin-b', 'swin-l')
    },
}
# At least two channels per group: a small map can have a single pixel.
DIMS = 64
CHANNELS = [8, 16, 32, 64]
LAYOUTS = ('ref-youtube-vos', 'a2d', 'jhmdb', 'ref-davis17', 'mevis')
SOUND_LAYOUTS = ('avsbench-s4', 'avsbench-ms3')
# Data set -> its folder below the one of RefVOS-Mini.
FOLDERS = {
    'RefYouTubeVOSDataset': '.',
    'CategoryMapsDataset': '.',
    'A2DSentencesDataset': '.',
    'JHMDBSentencesDataset': '.',
    'MeViSDataset': 'mevis',
    'RefCOCODataset': 'coco',
    'RefDAVIS17Dataset': 'davis',
    'AVSBenchDataset': '.',
}
SHAPES = ('circle', 'square', 'triangle', 'star', 'cross', 'ring', 'diamond')
CATEGORIES = [
    f'{f} {s}' for f in ('plain', 'striped', 'dotted') for s in SHAPES
]
SMALL_BACKBONE: Dict[str, Dict[str, Any]] = {
    'ResNet': {'depth': 18, 'base_channels': CHANNELS[0]},
    'FrameSwinTransformer': {
        'embed_dims': CHANNELS[0],
        'depths': [1, 1, 1, 1],
        'num_heads': [1, 1, 2, 2],
        'convert_weights': False,
    },
    'VideoSwinTransformer': {
        'embed_dims': CHANNELS[0],
        'depths': [1, 1, 1, 1],
        'num_heads': [1, 1, 2, 2],
    },
    'FrameConvNeXt': {
        'embed_dims': CHANNELS,
        'depths': [1, 1, 1, 1],
        'pretrained': None,
    },
    'FramePyramidVisionTransformerV2': {
        'embed_dims': CHANNELS[0],
        'num_layers': [1, 1, 1, 1],
        'num_heads': [1, 2, 4, 8],
    },
}


@pytest.fixture(scope='module')
def data(make_once) -> Path:
    """RefVOS-Mini in all layouts, and Ref-DAVIS17 converted."""

    def fill(folder: Path) -> None:
        make_mini(
            folder,
            train=4,
            val=2,
            test=2,
            frames=6,
            size=(64, 96),
            layouts=(*LAYOUTS, *SOUND_LAYOUTS, 'refcoco'),
            workers=0,
            progress=False,
        )
        convert_ref_davis17(folder, folder / 'davis', progress=False)

    return make_once('all-layouts', fill)


@pytest.fixture(scope='module')
def sam2(make_once) -> str:
    return str(make_once('tiny-sam2', save_tiny_sam2))


@pytest.fixture
def in_folder(tmp_path, monkeypatch) -> Path:
    """Submissions and logs go into a folder of the test's own."""
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture(autouse=True)
def unformatted_logs(monkeypatch):
    """Laying out the logged config takes three quarters of a test's time."""
    text = property(lambda config: str(config.to_dict()))
    monkeypatch.setattr(Config, 'pretty_text', text)


def shrink_model(model: ConfigDict, sam2: str) -> None:
    """Make a model small, in place; its parts stay what they are."""
    if model.type == 'SoundClassifier':
        # Small enough, as RefVOS-Mini's.
        return
    model.backbone.update(init_cfg=None)
    model.backbone.update(SMALL_BACKBONE[model.backbone.type])
    if model.type == 'BackboneClassifier':
        model.in_channels = CHANNELS[1:]
        return
    attention = {'embed_dims': DIMS, 'num_heads': 4}
    for part in (model.encoder, model.get('decoder')):
        if part is None:
            continue
        part.num_layers = 1
        for name, block in part.layer_cfg.items():
            if name == 'ffn_cfg':
                block.update(embed_dims=DIMS, feedforward_channels=DIMS)
            else:
                block.update(attention)
    model.update(embed_dims=DIMS, in_channels=CHANNELS)
    model.fpn.update(num_heads=4, feedforward_channels=DIMS)
    for name in ('fusion', 'cmie'):
        if model.get(name) is not None:
            model[name].update(num_heads=4)
    for name in ('mta', 'mti'):
        if model.get(name) is not None:
            model[name].update(num_heads=4, feedforward_channels=DIMS)
    if model.get('text_encoder') is not None:
        model.text_encoder.update(
            tokenizer=str(ROOT / 'configs/mini/tokenizer'),
            pretrained=None,
            embed_dims=DIMS,
            config=dict(
                vocab_size=600,
                hidden_size=24,
                num_hidden_layers=1,
                num_attention_heads=2,
                intermediate_size=24,
                max_position_embeddings=66,
            ),
        )
    if model.get('sound_encoder') is not None:
        model.sound_encoder.update(embed_dims=DIMS)
        model.sound_encoder.vggish.update(
            init_cfg=None,
            widths=[4, 4, 8, 8, 8, 8],
            embedding_dims=[32, 32, 16],
        )
    if model.get('num_classes', 1) > 1:
        model.num_classes = len(CATEGORIES)
    if model.test_cfg.get('post_process'):
        model.test_cfg.post_process.checkpoint = sam2


def shrink_sizes(value: Any) -> None:
    """Divide the sizes of a pipeline by six, in place."""
    if isinstance(value, dict):
        for key in ('scale', 'scales', 'crop_size'):
            if key in value:
                value[key] = a_sixth(value[key])
        value = list(value.values())
    if isinstance(value, (list, tuple)):
        for part in value:
            shrink_sizes(part)


def a_sixth(size: Any) -> Any:
    if isinstance(size, (list, tuple)):
        return type(size)(a_sixth(part) for part in size)
    return max(1, size // 6)


def shrink_data(loader: ConfigDict, data: Path, class_aware: bool) -> None:
    """Point a loader at RefVOS-Mini, in place."""
    loader.update(num_workers=0, persistent_workers=False)
    loader.batch_size = min(loader.batch_size, 2)
    if loader.dataset.type == 'ConcatDataset':
        parts = loader.dataset.datasets
    else:
        parts = [loader.dataset]
    for part in parts:
        part.data_root = str(data / FOLDERS[part.type])
        if part.type == 'RefCOCODataset':
            part.update(name='refcoco')
            if part.split == 'testA':
                part.split = 'val'
        if class_aware and part.type == 'RefYouTubeVOSDataset':
            part.metainfo = dict(classes=CATEGORIES)
        if 'pipeline' in part:
            shrink_sizes(part.pipeline)


def write_derived(name: str, folder: Path) -> str:
    """Write a config of two lines: its bases and what it adds."""
    bases, added = DERIVED[name]
    file = folder / f'{name}.py'
    paths = [str(ROOT / base) for base in bases]
    file.write_text(f'_base_ = {paths}\n{added}\n')
    return str(file)


def prepare(path: str, data: Path, sam2: str, work_dir: Path) -> Config:
    config = Config.fromfile(ROOT / path)
    check_config(config)
    shrink_model(config.model, sam2)
    class_aware = config.model.get('num_classes', 1) > 1
    for part in ('train', 'val', 'test'):
        loader = config.get(f'{part}_dataloader')
        if loader is not None:
            shrink_data(loader, data, class_aware)
    config.update(work_dir=str(work_dir), load_from=None)
    config.experiment_name = Path(path).stem + str(os.getpid())
    return config


class RecordSamples(Hook):
    """Keep what the model answered."""

    def __init__(self) -> None:
        self.samples: List[RefDataSample] = []

    def after_test_iter(self, runner, batch_idx, data_batch=None, outputs=()):
        self.samples += outputs


@pytest.mark.parametrize('path', [*CONFIGS, *DERIVED])
def test_config_takes_a_step_and_answers(
    path, data, sam2, in_folder, monkeypatch
):
    if path in DERIVED:
        path = write_derived(path, in_folder)
    config = prepare(path, data, sam2, in_folder / 'work')
    runner = Runner.from_cfg(config)
    runner.call_hook('before_run')
    model = runner.model
    if config.get('train_dataloader') is not None:
        loader = runner.build_dataloader(config.train_dataloader)
        optimizer = runner.build_optim_wrapper(config.optim_wrapper)
        before = [p.detach().clone() for p in model.parameters()]
        losses = model.train_step(next(iter(loader)), optimizer)
        assert all(torch.isfinite(loss).all() for loss in losses.values())
        changed = [
            not torch.equal(old, new)
            for old, new in zip(before, model.parameters(), strict=True)
            if new.requires_grad
        ]
        assert any(changed)
    if config.get('test_dataloader') is not None:
        file, weights = in_folder / 'config.py', in_folder / 'weights.pth'
        entries = config.to_dict().items()
        file.write_text(''.join(f'{k} = {v!r}\n' for k, v in entries))
        torch.save({'state_dict': model.state_dict()}, weights)
        check_tool(file, weights, monkeypatch)
        check_inferencer(file, weights, data)


def check_tool(file: Path, weights: Path, monkeypatch) -> None:
    """``tools/test.py`` tests the prepared model on the whole test set."""
    build_runner, recorded = tool.build_runner, RecordSamples()

    def build(*args: Any) -> Runner:
        runner = build_runner(*args)
        runner.register_hook(recorded)
        return runner

    monkeypatch.setattr(tool, 'build_runner', build)
    assert tool.main([str(file), str(weights)])
    assert recorded.samples
    for sample in recorded.samples:
        assert len(sample.predictions) == len(sample.references) > 0
        frames = len(sample.frame_ids)
        for prediction in sample.predictions:
            sizes = {tuple(mask['size']) for mask in prediction.masks}
            assert len(prediction.masks) == frames
            assert sizes == {tuple(sample.ori_shape)}
            assert 0 <= prediction.score <= 1


def check_inferencer(file: Path, weights: Path, data: Path) -> None:
    """The inferencer answers real files, all that the model can be asked."""
    inferencer = RefVOSInferencer(file, weights, device='cpu')
    video = next((data / 'valid' / 'JPEGImages').iterdir())
    asked: Dict[str, Any] = {}
    if 'text' in inferencer.model.modalities:
        asked['texts'] = ['the red circle']
    if 'sound' in inferencer.model.modalities:
        asked['sound'] = next(data.rglob('*.wav'))
    result = inferencer(video, **asked, out_dir=file.with_name('answers'))
    assert len(result.predictions) == len(asked) > 0
    frames = len(list(video.iterdir()))
    for index, prediction in enumerate(result.predictions):
        assert result.masks(index).shape == (frames, 64, 96)
        assert 0 <= prediction.score <= 1
