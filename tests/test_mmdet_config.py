"""The README's config for an mmdet deployment, run by mmdet's own tools."""

import os
import re
import subprocess
import sys
from pathlib import Path

import mmdet
from mmengine.config import Config

ROOT = Path(__file__).parents[1]
MMDET_TOOLS = Path(mmdet.__file__).parent / '.mim/tools'
TINY = [
    *('train_cfg.max_iters=1', 'train_cfg.val_interval=1'),
    *('param_scheduler.0.end=1', 'param_scheduler.1.begin=1'),
    'param_scheduler.1.end=2',
]


def readme_block():
    """The block after the heading of the mmdet deployment."""
    text = (ROOT / 'README.md').read_text()
    section = text.partition('## Plug it into an mmdet deployment')[2]
    block = re.search(r'```python\n(.*?)```', section, re.DOTALL)[1]
    return block.replace('/path/to/refvos', str(ROOT))


def test_all_data_of_the_block_are_where_it_says(tmp_path):
    config = tmp_path / 'mine.py'
    config.write_text(readme_block())
    cfg = Config.fromfile(config)
    for name in ('train_dataloader', 'test_dataloader'):
        assert cfg[name].dataset.data_root == '/data/ref-youtube-vos'
        assert cfg[name].dataset.pipeline
    assert cfg.val_dataloader is None


def test_mmdet_trains_and_tests_a_mini_model_by_the_block(tmp_path):
    data = tmp_path / 'mini'
    run(
        *(ROOT / 'tools/dataset_converters/make_mini.py', data),
        *('--train', '2', '--val', '1', '--test', '1'),
    )
    block = readme_block()
    for old, new in (
        (
            'referformer/referformer_r50_8xb1-6e_ref-youtube-vos',
            'mini/referformer_mini',
        ),
        ('/data/ref-youtube-vos', str(data)),
        ('work_dirs/mine', str(tmp_path / 'work')),
        # As the sentence below the block says.
        ('= test_dataloader', '= val_dataloader = test_dataloader'),
    ):
        assert block.count(old) == 1
        block = block.replace(old, new)
    config = tmp_path / 'mine.py'
    config.write_text(block)
    run(MMDET_TOOLS / 'train.py', config, '--cfg-options', *TINY)
    checkpoint = tmp_path / 'work/iter_1.pth'
    log = run(
        *(MMDET_TOOLS / 'test.py', config, checkpoint),
    )
    assert re.search(r'Iter\(test\) \[1/1\].*J&F: \d', log)


def run(*command):
    done = subprocess.run(
        [sys.executable, *map(str, command)],
        cwd=ROOT,
        env={**os.environ, 'OMP_NUM_THREADS': '1'},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    assert done.returncode == 0, done.stdout[-3000:]
    return done.stdout
