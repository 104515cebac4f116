"""glibc keeps large buffers."""

import json
import subprocess
import sys

import pytest

from refvos.engine import memory

# How many pages a process has to be given while it makes the same tensor
# again and again.
COUNT_FAULTS = """
import json, resource, sys
import torch
from refvos.engine import keep_large_buffers
if sys.argv[1] == 'keep':
    assert keep_large_buffers()
torch.set_num_threads(1)
torch.ones(2**23)
before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
for _ in range(20):
    torch.ones(2**23)
print(json.dumps(resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before))
"""


def count_faults(how):
    done = subprocess.run(
        [sys.executable, '-W', 'ignore', '-c', COUNT_FAULTS, how],
        capture_output=True,
        text=True,
        check=True,
        env=None,
    )
    return json.loads(done.stdout.splitlines()[-1])


@pytest.mark.skipif(sys.platform != 'linux', reason='of glibc')
def test_the_same_memory_is_used_again():
    assert count_faults('keep') * 5 < count_faults('as it is')


def test_what_the_environment_says_counts(monkeypatch):
    monkeypatch.setenv('MALLOC_TRIM_THRESHOLD_', '1000')
    assert not memory.keep_large_buffers()


def test_other_systems_are_left_alone(monkeypatch):
    monkeypatch.setattr(memory.sys, 'platform', 'darwin')
    assert not memory.keep_large_buffers()
