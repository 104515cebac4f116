"""Small things that several tests build."""

import hashlib
import importlib
import os
import socket
from pathlib import Path
from types import ModuleType
from typing import Any, Callable, Dict, List, Optional

import mmdet.datasets  # noqa: F401  (a fork prints a line, once)
import numpy as np
import pytest
import torch
from mmdet.registry import MODELS
from mmdet.structures import DetDataSample
from mmdet.structures.bbox import HorizontalBoxes
from mmdet.structures.mask import BitmapMasks
from mmengine.config import Config
from mmengine.registry import init_default_scope
from mmengine.structures import InstanceData

import refvos  # noqa: F401  (registers the models)
from refvos.errors import InputError
from refvos.structures import RefDataSample, Reference

ROOT = Path(__file__).parents[1]


def load_config(path: str, options: Optional[dict] = None) -> Config:
    """Read a config of the repository, with overrides."""
    config = Config.fromfile(ROOT / path)
    config.merge_from_dict(options or {})
    return config


def flatten(value: Any, path: str = '') -> Dict[str, Any]:
    """Dotted names and values of what is inside dicts and lists."""
    if isinstance(value, dict):
        pairs = list(value.items())
    elif isinstance(value, (list, tuple)):
        pairs = list(enumerate(value))
    else:
        return {path: value}
    flat = {}
    for key, child in pairs:
        flat.update(flatten(child, f'{path}.{key}' if path else str(key)))
    return flat


def changes_of(path: str, base: str) -> Dict[str, Any]:
    """What a config changes in another, of all that decides a result.

    None stands for what is not there any more.
    """
    keys = ('model', 'train_dataloader', 'test_dataloader', 'test_evaluator')
    keys += ('optim_wrapper', 'param_scheduler', 'train_cfg')
    ours, theirs = (
        flatten({key: load_config(each)[key] for key in keys})
        for each in (path, base)
    )
    return {
        key: ours.get(key)
        for key in sorted(ours.keys() | theirs.keys())
        if ours.get(key) != theirs.get(key)
    }


def build_model(path: str, options: Optional[dict] = None):
    """Build the model of a config, in evaluation mode."""
    init_default_scope('mmdet')
    return MODELS.build(load_config(path, options).model).eval()


# A sound encoder for the mini models.
SOUND_ENCODER: Dict[str, Any] = dict(
    type='SoundEncoder',
    vggish=dict(
        type='VGGish',
        widths=[4, 4, 8, 8, 8, 8],
        embedding_dims=[32, 32, 16],
    ),
    embed_dims=64,
    sentence_first=True,
)


def write_sound_config(path: Path) -> str:
    """A mini MUTR that takes sounds and no texts, as a config file."""
    base = ROOT / 'configs/mini/mutr_mini_text.py'
    model = dict(text_encoder=None, sound_encoder=SOUND_ENCODER)
    path.write_text(f'_base_ = [{str(base)!r}]\nmodel = {model!r}\n')
    return str(path)


def load_script(path: str) -> ModuleType:
    """Import a script of the repository as a module."""
    return importlib.import_module(path.removesuffix('.py').replace('/', '.'))


def make_sample(
    masks: np.ndarray,
    boxes: Optional[torch.Tensor] = None,
    references: Optional[List[Reference]] = None,
) -> RefDataSample:
    """A clip with one object.

    Args:
        masks: (T, h, w) bool.
        boxes: (T, 4) x1, y1, x2, y2 in pixels; from the masks if None.
        references: Of the sample.
    """
    num_frames, height, width = masks.shape
    sample = RefDataSample(
        metainfo=dict(
            video_id='video',
            frame_ids=[f'{i:05d}' for i in range(num_frames)],
            ori_shape=(height, width),
            img_shape=(height, width),
            num_frames=num_frames,
        )
    )
    frames = []
    for index, mask in enumerate(masks):
        frame = DetDataSample(metainfo=dict(img_shape=(height, width)))
        count = int(mask.any())
        bitmap = BitmapMasks(
            mask[None][:count].astype(np.uint8), height, width
        )
        given = None if boxes is None else boxes[index : index + 1][:count]
        frame.gt_instances = InstanceData(
            masks=bitmap,
            bboxes=bitmap.get_bboxes(HorizontalBoxes).tensor
            if given is None
            else given,
            labels=torch.zeros(count, dtype=torch.long),
        )
        frames.append(frame)
    sample.video_data_samples = frames
    sample.references = references or [Reference('0', text='a shape')]
    return sample


def message_of(call: Callable, *args: Any, **kwargs: Any) -> str:
    """Call what refuses its input; return the error's one line."""
    with pytest.raises(InputError) as error:
        call(*args, **kwargs)
    message = str(error.value)
    assert len(message.splitlines()) == 1 and '\n' not in message
    return message


def hashes(folder: Path) -> Dict[str, str]:
    """Relative name -> SHA-256 of each file below a folder."""
    return {
        str(path.relative_to(folder)): hashlib.sha256(
            path.read_bytes()
        ).hexdigest()
        for path in sorted(folder.rglob('*'))
        if path.is_file()
    }


def environment(**changes: Any) -> Dict[str, str]:
    """Variables for a child process that imports from the tests, too."""
    paths = [str(ROOT), *os.environ.get('PYTHONPATH', '').split(os.pathsep)]
    return {
        **os.environ,
        'PYTHONPATH': os.pathsep.join(filter(None, paths)),
        **{name: str(value) for name, value in changes.items()},
    }


def free_port() -> int:
    """A port that no other process listens on."""
    with socket.socket() as server:
        server.bind(('127.0.0.1', 0))
        return server.getsockname()[1]
