"""Saving, being killed, and going on."""

import glob
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
import torch

from refvos.commands import train
from refvos.engine import find_latest_checkpoint, is_whole
from refvos.errors import InputError
from refvos.io import atomic
from refvos.io.safe_checkpoint import load_checkpoint_file
from tests.builders import environment

ROOT = Path(__file__).parents[2]
CONFIG = 'tests/test_engine/toy_config.py'


def run(work_dir, *options, name, resume=()):
    """Train in this process; experiments need names of their own."""
    train.main(
        [
            CONFIG,
            '--work-dir',
            str(work_dir),
            *resume,
            '--cfg-options',
            f'experiment_name={name}',
            *options,
        ]
    )


def start_and_kill(work_dir, pause, *options):
    """Train in a process of its own, and SIGKILL it where it pauses."""
    paused = work_dir / 'paused'
    process = subprocess.Popen(
        [
            sys.executable,
            'tools/train.py',
            CONFIG,
            '--work-dir',
            str(work_dir),
            *options,
        ],
        cwd=ROOT,
        env=environment(TOY_PAUSE=pause),
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        # A loaded machine may need minutes for the imports alone.
        until = time.time() + 600
        while not paused.exists() and time.time() < until:
            assert process.poll() is None, process.stderr.read()
            time.sleep(0.05)
        assert paused.exists()
    finally:
        process.send_signal(signal.SIGKILL)
        process.communicate()
    paused.unlink()


def logs(work_dir):
    paths = glob.glob(f'{work_dir}/*/*.log')
    return ''.join(Path(path).read_text() for path in sorted(paths))


def files(work_dir):
    return {p.name for p in work_dir.iterdir() if 'epoch_' in p.name}


def weight(path):
    state = load_checkpoint_file(str(path))['state_dict']
    return state['linear.weight'].item()


@pytest.fixture(autouse=True)
def at_root(monkeypatch):
    monkeypatch.chdir(ROOT)
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


@pytest.mark.timeout(1500)
def test_killed_training_goes_on_from_the_last_whole_checkpoint(tmp_path):
    killed, calm = tmp_path / 'killed', tmp_path / 'calm'

    # Killed with all bytes of epoch 2 written, but not renamed.
    start_and_kill(killed, 'save:2')
    unfinished = [n for n in files(killed) if '.tmp-' in n]
    assert len(unfinished) == 1
    assert unfinished[0].startswith('epoch_2.pth.tmp-')
    assert files(killed) - set(unfinished) == {
        'epoch_1.pth',
        'best_error_epoch_1.pth',
    }
    pointer = killed / 'last_checkpoint'
    assert pointer.read_text() == str(killed / 'epoch_1.pth')

    # Goes on from epoch 1; killed in epoch 3, at the second of 4 steps.
    start_and_kill(killed, 'iter:9', '--resume')
    log = logs(killed)
    assert 'resumed epoch: 1, iter: 4' in log
    assert f'Removed unfinished file {killed / unfinished[0]}' in log
    assert unfinished[0] not in files(killed)
    assert pointer.read_text() == str(killed / 'epoch_2.pth')

    # As if a kill had cut epoch 3 short, and something pointed to it.
    part = (killed / 'epoch_2.pth').read_bytes()[:-40]
    (killed / 'epoch_3.pth').write_bytes(part)
    pointer.write_text(str(killed / 'epoch_3.pth'))
    run(killed, name='killed', resume=['--resume'])
    log = logs(killed)
    assert f'{killed / "epoch_3.pth"} is not whole' in log
    assert 'resumed epoch: 2, iter: 8' in log
    assert pointer.read_text() == str(killed / 'epoch_4.pth')
    assert {'epoch_3.pth', 'epoch_4.pth'} <= files(killed)
    assert not any('.tmp-' in n for n in files(killed))

    # Two kills later the weight is what it is without.
    run(calm, name='calm')
    assert weight(killed / 'epoch_4.pth') == weight(calm / 'epoch_4.pth')
    assert weight(calm / 'epoch_4.pth') != 0


def test_old_files_go_only_after_the_new_one_is_there(tmp_path, monkeypatch):
    replace, seen = os.replace, {}

    def watch(source, target):
        if target.endswith('.pth'):
            seen.setdefault(os.path.basename(target), files(tmp_path))
        replace(source, target)

    monkeypatch.setattr(atomic.os, 'replace', watch)
    run(tmp_path, 'default_hooks.checkpoint.max_keep_ckpts=1', name='order')
    assert 'epoch_1.pth' in seen['epoch_2.pth']
    assert 'epoch_3.pth' in seen['epoch_4.pth']
    # The mean error of the toy falls until epoch 2.
    assert 'best_error_epoch_1.pth' in seen['best_error_epoch_2.pth']
    assert files(tmp_path) == {'epoch_4.pth', 'best_error_epoch_2.pth'}


def test_nothing_to_resume_starts_from_the_beginning(tmp_path):
    (tmp_path / 'epoch_1.pth').write_bytes(b'no checkpoint')
    (tmp_path / 'last_checkpoint').write_text(str(tmp_path / 'epoch_1.pth'))
    run(tmp_path, 'train_cfg.max_epochs=1', name='new', resume=['--resume'])
    assert 'training starts from the beginning' in logs(tmp_path)
    assert is_whole(str(tmp_path / 'epoch_1.pth'))


def test_published_checkpoint_is_not_loaded_as_nothing(tmp_path):
    path = tmp_path / 'published.pth'
    torch.save({'model': {'linear.weight': torch.ones(1, 1)}}, path)
    with pytest.raises(InputError, match=r'published\.pth: keys is'):
        run(tmp_path, name='pub', resume=['--load-from', str(path)])


def save(path, age):
    torch.save({'state_dict': {'w': torch.zeros(50)}}, path)
    os.utime(path, (time.time() - age,) * 2)


def test_latest_is_the_one_named(tmp_path):
    save(tmp_path / 'epoch_1.pth', 20)
    save(tmp_path / 'epoch_2.pth', 10)
    (tmp_path / 'last_checkpoint').write_text(str(tmp_path / 'epoch_1.pth'))
    latest = find_latest_checkpoint(str(tmp_path))
    assert latest == str(tmp_path / 'epoch_1.pth')


@pytest.mark.parametrize('pointer', ['', '/gone/epoch_9.pth', None])
def test_latest_without_a_good_pointer_is_the_newest(tmp_path, pointer):
    save(tmp_path / 'epoch_12.pth', 30)  # Of an earlier run.
    save(tmp_path / 'epoch_2.pth', 10)
    save(tmp_path / 'epoch_1.pth', 20)
    save(tmp_path / 'best_error_epoch_3.pth', 1)
    if pointer is not None:
        (tmp_path / 'last_checkpoint').write_text(pointer)
    latest = find_latest_checkpoint(str(tmp_path))
    assert latest == str(tmp_path / 'epoch_2.pth')


def test_latest_in_a_folder_that_was_moved(tmp_path):
    save(tmp_path / 'iter_500.pth', 20)
    save(tmp_path / 'iter_900.pth', 10)
    (tmp_path / 'last_checkpoint').write_text('/elsewhere/iter_500.pth')
    latest = find_latest_checkpoint(str(tmp_path))
    assert latest == str(tmp_path / 'iter_500.pth')


def test_one_changed_byte_is_found(tmp_path):
    path = tmp_path / 'epoch_1.pth'
    save(path, 0)
    assert is_whole(str(path))
    content = bytearray(path.read_bytes())
    # Amid the 200 bytes of zeros that are the weights.
    content[content.find(bytes(200)) + 100] = 1
    path.write_bytes(content)
    assert not is_whole(str(path))


def test_no_folder_has_no_latest(tmp_path):
    assert find_latest_checkpoint(str(tmp_path / 'none')) is None


def test_a_fifo_is_no_checkpoint(tmp_path):
    """Opening one waits for its writer."""
    os.mkfifo(tmp_path / 'epoch_9.pth')
    os.mkfifo(tmp_path / 'last_checkpoint')
    assert not is_whole(str(tmp_path / 'epoch_9.pth'))
    assert find_latest_checkpoint(str(tmp_path)) is None
    assert 'no checkpoint yet' in train.how_to_go_on(str(tmp_path))
    with pytest.raises(InputError, match='checkpoint is'):
        load_checkpoint_file(str(tmp_path / 'epoch_9.pth'))
