"""Ctrl-C ends a training in one line, whoever gets the signal."""

import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from refvos.engine import cli
from tests.builders import environment, free_port

ROOT = Path(__file__).parents[2]
CONFIG = 'tests/test_engine/toy_config.py'


def paused_processes(folder):
    file = folder / 'paused'
    return file.read_text().split() if file.exists() else []


def is_alive(number):
    try:
        os.kill(int(number), 0)
    except ProcessLookupError:
        return False
    return True


def take_interrupts():
    """Undo what a shell does to commands that it starts with ``&``."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)


def interrupt(command, folder, processes, group, pause):
    """Send SIGINT once all processes have paused; give status and stderr."""
    process = subprocess.Popen(
        [*map(str, command), '--work-dir', str(folder)],
        cwd=ROOT,
        env=environment(
            PYTHON=sys.executable, PORT=free_port(), TOY_PAUSE=pause
        ),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        preexec_fn=take_interrupts,
        start_new_session=True,
    )
    deadline = time.time() + 240
    while len(paused_processes(folder)) < processes:
        assert process.poll() is None, process.communicate()
        assert time.time() < deadline
        time.sleep(0.1)
    (os.killpg if group else os.kill)(process.pid, signal.SIGINT)
    _, errors = process.communicate(timeout=60)
    return process.returncode, errors


@pytest.mark.parametrize('pause', ['iter:2', 'iter:9'])
def test_one_process_ends_in_one_line(tmp_path, pause):
    folder = tmp_path / 'work'
    status, errors = interrupt(
        [sys.executable, 'tools/train.py', CONFIG], folder, 1, False, pause
    )
    assert status == 130
    (last,) = [line for line in errors.splitlines() if 'stopped' in line]
    assert 'Traceback' not in errors
    if pause == 'iter:2':
        assert last == (
            f'stopped; {folder} has no checkpoint yet: --resume starts from '
            'the beginning'
        )
    else:
        checkpoint = re.fullmatch(r'stopped; --resume goes on from (.*)', last)
        assert Path(checkpoint[1]).is_file()
        assert Path(checkpoint[1]).parent == folder


# A terminal signals the whole group; `kill -INT` the launcher alone.
@pytest.mark.parametrize('group', [True, False], ids=['group', 'launcher'])
def test_two_processes_end_in_one_line(tmp_path, group):
    folder = tmp_path / 'work'
    status, errors = interrupt(
        ['bash', 'tools/dist_train.sh', CONFIG, 2], folder, 2, group, 'iter:5'
    )
    assert status == 130, errors
    assert 'Traceback' not in errors
    assert 'W1' not in errors
    lines = [line for line in errors.splitlines() if 'stopped' in line]
    assert len(lines) == 1
    assert '--resume goes on from' in lines[0]
    assert not any(map(is_alive, paused_processes(folder)))


def is_importing_torch(number):
    return 'libtorch_cpu' in Path(f'/proc/{number}/maps').read_text()


@pytest.mark.parametrize(
    'command',
    [
        ['tools/train.py', CONFIG],
        ['tools/analysis_tools/benchmark.py', CONFIG],
        ['tools/dist_launch.py', '--nproc-per-node=2', 'tools/train.py'],
        ['-m', 'refvos', '--help'],
        ['demo/demo.py', '--fast'],
    ],
    ids=lambda command: Path(command[0]).stem,
)
def test_interrupted_imports_end_in_one_line(command):
    process = subprocess.Popen(
        [sys.executable, *command],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        preexec_fn=take_interrupts,
    )
    deadline = time.time() + 240
    while not is_importing_torch(process.pid):
        assert process.poll() is None, process.communicate()
        assert time.time() < deadline
        time.sleep(0.01)
    process.send_signal(signal.SIGINT)
    output, errors = process.communicate(timeout=60)
    assert (process.returncode, output, errors) == (130, '', '\nstopped\n')


def test_an_interrupt_has_its_own_status(capsys):
    def stopped(argv):
        os.kill(os.getpid(), signal.SIGINT)
        time.sleep(10)

    before = signal.getsignal(signal.SIGINT)
    assert cli.run_tool(stopped, []) == 130
    assert capsys.readouterr().err == '\nstopped\n'
    assert signal.getsignal(signal.SIGINT) is before


def test_a_second_interrupt_does_not_break_the_clean_up(capsys):
    cleaned = []

    def stopped(argv):
        try:
            os.kill(os.getpid(), signal.SIGINT)
            time.sleep(10)
        finally:
            os.kill(os.getpid(), signal.SIGINT)
            time.sleep(0.1)
            cleaned.append(True)

    assert cli.run_tool(stopped, []) == 130
    assert cleaned == [True]
