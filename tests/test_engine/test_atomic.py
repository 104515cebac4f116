import os
import socket
import subprocess

import pytest

from refvos.io import atomic
from refvos.io.atomic import (
    AtomicLocalBackend,
    remove_leftovers,
    whole_folder,
    write_atomically,
)


def test_makes_the_folder_and_leaves_one_file(tmp_path):
    path = tmp_path / 'new' / 'a.bin'
    write_atomically(path, b'abc')
    assert path.read_bytes() == b'abc'
    AtomicLocalBackend().put_text('d', path)
    assert path.read_bytes() == b'd'
    assert os.listdir(path.parent) == ['a.bin']


def test_failure_leaves_the_old_file(tmp_path, monkeypatch):
    path = tmp_path / 'a.bin'
    write_atomically(path, b'old')

    def full_disk(descriptor):
        raise OSError(28, 'No space left on device')

    monkeypatch.setattr(atomic.os, 'fsync', full_disk)
    with pytest.raises(OSError, match='No space left'):
        write_atomically(path, b'new')
    assert path.read_bytes() == b'old'
    assert os.listdir(tmp_path) == ['a.bin']


def test_target_changes_only_by_the_rename(tmp_path, monkeypatch):
    path = tmp_path / 'a.bin'
    write_atomically(path, b'old')
    replace, seen = os.replace, []

    def watch(source, target):
        with open(source, 'rb') as file:
            seen.append((path.read_bytes(), file.read()))
        replace(source, target)

    monkeypatch.setattr(atomic.os, 'replace', watch)
    write_atomically(path, b'new')
    assert seen == [(b'old', b'new')]
    assert path.read_bytes() == b'new'


def test_leftovers_of_the_dead_only(tmp_path):
    dead = subprocess.Popen(['true'])
    dead.wait()
    host = atomic.socket.gethostname()
    names = {
        'dead': f'epoch_1.pth.tmp-{host}-{dead.pid}',
        'alive': f'epoch_2.pth.tmp-{host}-{os.getpid()}',
        'foreign': 'epoch_3.pth.tmp-elsewhere-1',
        'old foreign': 'epoch_4.pth.tmp-elsewhere-1',
        'not ours': f'notes.tmp-{dead.pid}',
        'whole': 'epoch_1.pth',
    }
    for name in names.values():
        (tmp_path / name).write_bytes(b'')
    two_days_ago = os.stat(tmp_path).st_mtime - 2 * 24 * 3600
    os.utime(tmp_path / names['old foreign'], (two_days_ago,) * 2)
    removed = {os.path.basename(p) for p in remove_leftovers(tmp_path)}
    assert removed == {names['dead'], names['old foreign']}
    left = {names[k] for k in ('alive', 'foreign', 'not ours', 'whole')}
    assert set(os.listdir(tmp_path)) == left


def test_folders_of_killed_writers_are_removed(tmp_path):
    final = tmp_path / 'out'
    host = socket.gethostname()
    dead = subprocess.Popen(['true'])
    dead.wait()
    stale = tmp_path / f'.out.{host}-{dead.pid}.partial'
    alive = tmp_path / f'.out.{host}-{os.getppid()}.partial'
    other = tmp_path / f'.other.{host}-{dead.pid}.partial'
    for folder in (stale, alive, other):
        folder.mkdir()
    with whole_folder(final) as partial:
        (partial / 'a').write_text('x')
    assert sorted(path.name for path in tmp_path.iterdir()) == sorted(
        ['out', alive.name, other.name]
    )


@pytest.mark.parametrize('length', [240, 255])
def test_names_that_are_as_long_as_can_be(tmp_path, length):
    final = tmp_path / ('x' * length)
    for content in ('old', 'new'):
        with whole_folder(final) as partial:
            (partial / 'a').write_text(content)
    assert os.listdir(tmp_path) == [final.name]
    assert (final / 'a').read_text() == 'new'
