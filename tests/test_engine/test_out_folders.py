"""Folders that cannot be written to are refused before the work."""

import os

import pytest

from refvos.errors import InputError
from refvos.io import out_folders
from refvos.io.out_folders import check_writable_folder


def refused(path):
    with pytest.raises(InputError) as caught:
        check_writable_folder(path, '--work-dir')
    return str(caught.value)


def test_folders(tmp_path, monkeypatch):
    check_writable_folder(tmp_path, '--work-dir')
    check_writable_folder(tmp_path / 'new/one', '--work-dir')
    monkeypatch.chdir(tmp_path)
    check_writable_folder('new', '--work-dir')
    file = tmp_path / 'file'
    file.write_text('x')
    assert refused(file) == (
        f"{file}: --work-dir is 'a file'; expected a folder to write to"
    )
    assert f'below the file {file}' in refused(file / 'a/b')
    assert 'a name of 300 bytes' in refused('x' * 300)
    assert 'a null character' in refused('a\0b')


def test_read_only(tmp_path, monkeypatch):
    # Root may write everywhere but on a read-only file system.
    monkeypatch.setattr(out_folders.os, 'access', lambda *_: False)
    assert "'read-only'" in refused(tmp_path / 'new')
    assert os.listdir(tmp_path) == []
