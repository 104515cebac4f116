"""The real tools on real files: several processes, mmdet's own tools."""

import json
import os
import subprocess
import sys
from pathlib import Path

import mmdet
import pytest

from refvos.datasets.mini import make_mini
from tests.builders import ROOT, load_script

CONFIG = ROOT / 'configs/mini/referformer_mini.py'
WEIGHTS = ROOT / 'demo/weights/referformer_mini.safetensors'


@pytest.fixture(scope='module')
def data(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp('mini') / 'set'
    make_mini(folder, train=4, val=1, test=3, workers=1, progress=False)
    return folder


def run(command, folder: Path, **variables) -> str:
    done = subprocess.run(
        [str(part) for part in command],
        cwd=folder,
        env={
            **os.environ,
            'PYTHON': sys.executable,
            'OMP_NUM_THREADS': '1',
            **variables,
        },
        capture_output=True,
        text=True,
        timeout=500,
        check=False,
    )
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]
    return done.stdout + done.stderr


def metrics_of(work_dir: Path) -> dict:
    """The metrics that mmengine wrote beside its log."""
    (file,) = [
        path
        for path in work_dir.glob('*/*.json')
        if path.stem == path.parent.name
    ]
    return json.loads(file.read_text())


def test_two_processes_train_and_test(data, tmp_path):
    """An odd number of videos over two processes scores as over one."""
    run(
        [ROOT / 'tools/dist_train.sh', CONFIG, 2, '--work-dir', 'train']
        + ['--cfg-options', 'train_cfg.max_iters=2']
        + ['train_cfg.val_interval=2', 'train_dataloader.batch_size=2']
        + [f'train_dataloader.dataset.data_root={data}']
        + [f'val_dataloader.dataset.data_root={data}'],
        tmp_path,
        PORT='29511',
    )
    assert (tmp_path / 'train/iter_2.pth').exists()
    where = f'test_dataloader.dataset.data_root={data}'
    run(
        [ROOT / 'tools/dist_test.sh', CONFIG, WEIGHTS, 2]
        + ['--work-dir', 'two', '--cfg-options', where],
        tmp_path,
        PORT='29512',
    )
    one = load_script('tools/test.py').main(
        [str(CONFIG), str(WEIGHTS), '--work-dir', str(tmp_path / 'one')]
        + ['--cfg-options', where]
    )
    two = metrics_of(tmp_path / 'two')
    assert one['J&F'] > 20
    assert {k: two[k] for k in one} == pytest.approx(one, abs=1e-9)


def test_four_line_config_in_mmdets_own_tools(data, tmp_path):
    """mmdet's train.py and test.py run our model."""
    config = tmp_path / 'mine.py'
    config.write_text(
        f"_base_ = ['{CONFIG}']\n"
        f'train_dataloader = dict(dataset=dict(data_root={str(data)!r}))\n'
        f'val_dataloader = dict(dataset=dict(data_root={str(data)!r}))\n'
        'train_cfg = dict(max_iters=1, val_interval=10)\n'
    )
    tools = Path(mmdet.__file__).parent / '.mim/tools'
    run(
        [sys.executable, tools / 'train.py', config, '--work-dir', 'train'],
        tmp_path,
    )
    run(
        [sys.executable, tools / 'test.py', config, 'train/iter_1.pth']
        + ['--work-dir', 'test', '--cfg-options']
        + [f'test_dataloader.dataset.data_root={data}'],
        tmp_path,
    )
    assert 0 <= metrics_of(tmp_path / 'test')['J&F'] <= 100
