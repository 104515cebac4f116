from pathlib import Path
from typing import Optional

import numpy as np
import pytest
import torch
from mmengine.config import Config

from refvos.apis import RefVOSInferencer
from refvos.structures import Reference

from ..builders import ROOT, build_model
from .videos import make_frames

MINI = ROOT / 'configs' / 'mini' / 'referformer_mini.py'


@pytest.fixture(scope='session')
def config() -> Config:
    return Config.fromfile(MINI)


def cut_masks_in_half(
    model: torch.nn.Module, sound: Optional[torch.Tensor] = None
) -> None:
    """Shift the masks' last bias so that some pixels are in, some out.

    With a sound, it is the reference.
    """
    text = 'the square' if sound is None else None
    frames = torch.from_numpy(np.stack(make_frames(3))).permute(0, 3, 1, 2)
    batch = {'inputs': [frames], 'data_samples': None}
    inputs = model.data_preprocessor(batch)['inputs']
    model.eval()
    with torch.no_grad():
        masks = model.answer(
            model.encode_video(inputs, [tuple(frames.shape[-2:])]),
            model.encode_references([Reference('0', text=text, sound=sound)]),
        ).masks
        model.mask_head.controller.layers[-1].bias[-1] -= masks.median()


@pytest.fixture(scope='session')
def weights(config: Config, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Random weights of the mini model, as a training would save them."""
    torch.manual_seed(0)
    model = build_model('configs/mini/referformer_mini.py')
    model.init_weights()
    # Untrained, the classes of all expressions are alike.
    torch.nn.init.normal_(model.class_branches[-1].weight)
    cut_masks_in_half(model)
    path = tmp_path_factory.mktemp('weights') / 'epoch_1.pth'
    torch.save({'meta': {}, 'state_dict': model.state_dict()}, path)
    return path


@pytest.fixture(scope='session')
def inferencer(config: Config, weights: Path) -> RefVOSInferencer:
    return RefVOSInferencer(config, weights, 'cpu')
