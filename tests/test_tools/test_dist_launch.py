"""A distributed run takes a free port, or names PORT."""

import socket

import pytest

from tests.builders import load_script


def test_ports():
    tool = load_script('tools/dist_launch.py')
    arguments = ['--nnodes=1', '--master-port=0', 'train.py']
    tool.set_port(arguments)
    name, _, port = arguments[1].partition('=')
    assert name == '--master-port' and int(port) > 1023
    with socket.socket() as server:
        server.bind(('', int(port)))
        server.listen()
        with pytest.raises(OSError):
            tool.set_port(arguments)


def test_a_port_in_use_is_named(monkeypatch, capsys):
    tool = load_script('tools/dist_launch.py')
    with socket.socket() as server:
        server.bind(('', 0))
        server.listen()
        port = server.getsockname()[1]
        monkeypatch.setattr(
            tool.sys,
            'argv',
            ['dist_launch.py', '--node-rank=0', f'--master-port={port}'],
        )
        assert tool.main() == 2
    assert capsys.readouterr().err.startswith('error: PORT: ')
