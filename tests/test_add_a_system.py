"""The toy of docs/add_a_system.md trains, answers and keeps the contract."""

import json
import re
import sys

import pytest
import torch
from mmdet.registry import MODELS

from refvos.apis import RefVOSInferencer
from tests.builders import ROOT, build_model
from tools import train

PAGE = ROOT / 'docs/add_a_system.md'


def block_with(text):
    """The one Python block of the page that holds a text."""
    blocks = re.findall(r'```python\n(.*?)```', PAGE.read_text(), re.DOTALL)
    (found,) = [block for block in blocks if text in block]
    return found


@pytest.fixture
def toy(tmp_path, monkeypatch):
    """The config's path; the system can be imported and is forgotten again."""
    (tmp_path / 'toy_system.py').write_text(block_with('class ToySystem'))
    config = tmp_path / 'toy_config.py'
    block = block_with("type='ToySystem'")
    assert block.count("'configs/") == 1
    config.write_text(block.replace("'configs/", f"'{ROOT}/configs/"))
    monkeypatch.syspath_prepend(tmp_path)
    yield config
    MODELS.module_dict.pop('ToySystem', None)
    sys.modules.pop('toy_system', None)


def test_the_toy_trains_a_step_and_answers(toy, shared_mini, tmp_path):
    data = shared_mini(train=4, val=1, test=3)
    work_dir = tmp_path / 'work'
    train.main(
        [str(toy), '--work-dir', str(work_dir), '--cfg-options']
        + ['train_cfg.max_iters=1', 'default_hooks.logger.interval=1']
        + ['randomness.seed=0']
        + [f'train_dataloader.dataset.data_root={data}']
        + ['train_dataloader.num_workers=0']
        + ['train_dataloader.persistent_workers=False']
    )
    (log,) = work_dir.glob('*/vis_data/scalars.json')
    logged = json.loads(log.read_text().splitlines()[0])
    parts = (logged['loss_mask'], logged['loss_dice'])
    assert min(parts) > 0 and logged['loss'] == pytest.approx(sum(parts))

    inferencer = RefVOSInferencer(toy, work_dir / 'iter_1.pth', device='cpu')
    video = next((data / 'test/JPEGImages').iterdir())
    texts = ['the red circle', 'the star on the left']
    result = inferencer(str(video), texts)
    assert [each.reference.text for each in result.predictions] == texts
    num_frames = len(list(video.iterdir()))
    for index, prediction in enumerate(result.predictions):
        assert result.masks(index).shape == (num_frames, 96, 128)
        assert 0 < prediction.score < 1
    first, second = result.predictions
    assert first.frame_scores != second.frame_scores


def test_the_toy_keeps_the_contract_of_chunks(toy):
    scope = {}
    exec(block_with('def check_chunks'), scope)
    torch.manual_seed(0)
    model = build_model(toy)
    model.init_weights()
    frames = torch.randint(0, 256, (1, 5, 3, 64, 96)).to(torch.uint8)
    seen = []
    hook = model.backbone.register_forward_pre_hook(
        lambda _, inputs: seen.append(len(inputs[0]))
    )
    scope['check_chunks'](model, frames)
    hook.remove()
    assert seen == [5, *[1] * 5, 2, 2, 1]


def test_the_check_finds_an_answer_that_depends_on_the_chunk(toy):
    """Or it would check nothing."""
    scope = {}
    exec(block_with('def check_chunks'), scope)
    model = build_model(toy)
    right = model.frames_at_once
    answer = model.answer

    def depends(video, references):
        found = answer(video, references)
        found.masks += right(video.num_frames)
        return found

    model.answer = depends
    frames = torch.zeros(1, 5, 3, 64, 96)
    with pytest.raises(AssertionError):
        scope['check_chunks'](model, frames)
