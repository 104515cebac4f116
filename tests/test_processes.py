"""No worker outlives a parent that is killed."""

import os
import signal
import subprocess
import sys
import time

import pytest

PROGRAM = """
import multiprocessing, os, sys, time
from refvos.processes import end_with_parent

def work(queue):
    end_with_parent()
    queue.put(os.getpid())
    time.sleep(600)

if __name__ == '__main__':
    context = multiprocessing.get_context(sys.argv[1])
    queue = context.Queue()
    for _ in range(2):
        context.Process(target=work, args=[queue]).start()
    print(queue.get(), queue.get(), flush=True)
    time.sleep(600)
"""


def is_alive(number):
    try:
        with open(f'/proc/{number}/stat') as file:
            return file.read().rpartition(')')[2].split()[0] != 'Z'
    except OSError:
        return False


@pytest.mark.skipif(sys.platform != 'linux', reason='looks into /proc')
@pytest.mark.parametrize('method', ['fork', 'forkserver', 'spawn'])
def test_workers_end_with_a_parent_that_is_killed(tmp_path, method):
    program = tmp_path / 'program.py'
    program.write_text(PROGRAM)
    process = subprocess.Popen(
        [sys.executable, str(program), method],
        stdout=subprocess.PIPE,
        text=True,
        env=os.environ,
    )
    workers = process.stdout.readline().split()
    assert len(workers) == 2 and all(map(is_alive, workers))
    process.send_signal(signal.SIGKILL)
    process.wait()
    until = time.time() + 30
    while any(map(is_alive, workers)) and time.time() < until:
        time.sleep(0.1)
    assert not any(map(is_alive, workers))
