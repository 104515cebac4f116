"""The real tools on real files: several processes, mmdet's own tools."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import mmdet
import pytest

from refvos.mini import make_mini
from tests.builders import ROOT, free_port, load_script

pytestmark = pytest.mark.slow

CONFIG = ROOT / 'configs/mini/referformer_mini.py'
WEIGHTS = ROOT / 'demo/weights/referformer_mini.safetensors'


@pytest.fixture(scope='module')
def data(shared_mini) -> Path:
    return shared_mini(train=4, val=1, test=3)


def run(command, folder: Path, **variables) -> str:
    done = subprocess.run(
        [str(part) for part in command],
        cwd=folder,
        env={
            **os.environ,
            'PYTHON': sys.executable,
            'OMP_NUM_THREADS': '1',
            'PORT': str(free_port()),
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
    )
    assert (tmp_path / 'train/iter_2.pth').exists()
    where = f'test_dataloader.dataset.data_root={data}'
    run(
        [ROOT / 'tools/dist_test.sh', CONFIG, WEIGHTS, 2]
        + ['--work-dir', 'two', '--cfg-options', where],
        tmp_path,
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


JOINT = """
_base_ = ['{root}/configs/mini/mutr_mini_joint.py']
custom_imports = dict(
    imports=['refvos', 'tests.test_engine.toy'], allow_failed_imports=False
)
custom_hooks = [dict(type='ToyPause')]
default_hooks = dict(
    checkpoint=dict(interval=1), logger=dict(interval=1)
)
model = dict(mti=dict(dropout=0.3))
train_dataloader = _base_.train_dataloader
train_dataloader.batch_size = 2
train_dataloader.sampler = dict(type='DefaultSampler', shuffle=True)
train_dataloader.dataset.datasets[0].data_root = '{texts}'
train_dataloader.dataset.datasets[0].item_stride = 5
train_dataloader.dataset.datasets[1].data_root = '{sounds}'
param_scheduler = []
val_dataloader = None
val_evaluator = None
val_cfg = None
train_cfg = dict(
    _delete_=True, type='ResumableEpochTrainLoop', max_epochs=2
)
randomness = dict(seed=3)
"""


def losses_of(work_dir: Path) -> dict:
    """Step -> losses and the weight of the first one, of all starts."""
    found = {}
    for file in sorted(work_dir.glob('*/vis_data/scalars.json')):
        for record in map(json.loads, file.read_text().splitlines()):
            found[record['step']] = {
                key: value for key, value in record.items() if 'loss' in key
            }
    return found


def start_and_kill(command, folder: Path, paused: Path, **variables) -> None:
    """SIGKILL the two processes of a training, once both have paused."""
    process = subprocess.Popen(
        [str(part) for part in command],
        cwd=folder,
        env={
            **os.environ,
            'PYTHON': sys.executable,
            'OMP_NUM_THREADS': '1',
            'PORT': str(free_port()),
            **variables,
        },
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )
    try:
        until = time.time() + 500
        while len(workers := numbers_in(paused)) < 2 and time.time() < until:
            assert process.poll() is None
            time.sleep(0.05)
        assert len(workers) == 2
    finally:
        # The launcher gives its processes groups of their own.
        workers = numbers_in(paused)
        loaders = [each for number in workers for each in children(number)]
        for number in (process.pid, *workers, *loaders):
            os.kill(number, signal.SIGKILL)
        process.wait()
    paused.unlink()


def children(process: int) -> list:
    return numbers_in(Path(f'/proc/{process}/task/{process}/children'))


def numbers_in(file: Path) -> list:
    return list(map(int, file.read_text().split())) if file.exists() else []


@pytest.mark.timeout(1500)
def test_joint_training_killed_in_an_epoch_goes_on_as_if_not(tmp_path):
    """Two processes, texts and sounds; the same losses to the last digit."""
    texts, sounds = tmp_path / 'texts', tmp_path / 'sounds'
    make_mini(texts, train=4, val=1, test=1, workers=1, progress=False)
    make_mini(
        sounds,
        train=6,
        val=1,
        test=1,
        layouts=['avsbench-s4'],
        workers=1,
        progress=False,
    )
    config = tmp_path / 'joint.py'
    config.write_text(JOINT.format(root=ROOT, texts=texts, sounds=sounds))
    train = [ROOT / 'tools/dist_train.sh', config, 2, '--work-dir']
    paths = [str(ROOT), *os.environ.get('PYTHONPATH', '').split(os.pathsep)]
    where = {'PYTHONPATH': os.pathsep.join(filter(None, paths))}
    run([*train, 'calm'], tmp_path, **where)
    calm = losses_of(tmp_path / 'calm')
    assert len(calm) % 2 == 0
    # In the second epoch, after its first step.
    stop = len(calm) // 2 + 1
    start_and_kill(
        [*train, 'killed'],
        tmp_path,
        tmp_path / 'killed' / 'paused',
        TOY_PAUSE=f'iter:{stop}',
        **where,
    )
    assert len(losses_of(tmp_path / 'killed')) == stop
    run([*train, 'killed', '--resume'], tmp_path, **where)
    assert losses_of(tmp_path / 'killed') == calm
    # Of the two kinds in turn, dropout and flips included.
    assert len({record['loss'] for record in calm.values()}) == len(calm)
