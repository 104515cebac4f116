from pathlib import Path

import pytest
import torch
from mmengine.config import Config

from refvos.apis import RefVOSInferencer

from ..builders import ROOT

MINI = ROOT / 'configs' / 'mini' / 'referformer_mini.py'


@pytest.fixture(scope='session')
def config() -> Config:
    return Config.fromfile(MINI)


@pytest.fixture(scope='session')
def weights(config: Config, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Random weights of the mini model, as a training would save them."""
    torch.manual_seed(0)
    model = RefVOSInferencer(config, device='cpu').model
    # Untrained, the classes of all expressions are alike.
    torch.nn.init.normal_(model.class_branches[-1].weight)
    path = tmp_path_factory.mktemp('weights') / 'epoch_1.pth'
    torch.save({'meta': {}, 'state_dict': model.state_dict()}, path)
    return path


@pytest.fixture(scope='session')
def inferencer(config: Config, weights: Path) -> RefVOSInferencer:
    return RefVOSInferencer(config, weights, 'cpu')
