"""Files from addresses: each its own, whole, or one line."""

import hashlib
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest
import torch

from refvos.errors import InputError
from refvos.io import downloads


class Server:
    """Files by path; those that break off, and all that was asked for."""

    def __init__(self):
        self.files, self.broken, self.asked = {}, set(), []
        this = self

        class Answer(BaseHTTPRequestHandler):
            def do_GET(self):
                this.asked.append(self.path)
                content = this.files[self.path]
                self.send_response(200)
                self.send_header('Content-Length', str(len(content)))
                self.end_headers()
                part = len(content) // 2 if self.path in this.broken else None
                self.wfile.write(content[:part])

            def log_message(self, *args):
                pass

        self.http = ThreadingHTTPServer(('127.0.0.1', 0), Answer)
        self.address = f'http://127.0.0.1:{self.http.server_port}'
        threading.Thread(target=self.http.serve_forever, daemon=True).start()


@pytest.fixture
def server(monkeypatch, tmp_path):
    monkeypatch.setenv('TORCH_HOME', str(tmp_path / 'torch'))
    monkeypatch.setenv('no_proxy', '127.0.0.1')
    server = Server()
    yield server
    server.http.shutdown()
    server.http.server_close()


def content_of(address):
    with open(downloads.download(address), 'rb') as file:
        return file.read()


def test_addresses_with_one_name(server):
    for path in ('/a/x.pth', '/b/x.pth', '/b/x.pth?v=2'):
        server.files[path] = path.encode()
        for _ in range(2):
            assert content_of(server.address + path) == path.encode()
    assert len(server.asked) == 3


def test_a_name_with_its_hash_is_that_of_torch(server):
    content = b'weights'
    digest = hashlib.sha256(content).hexdigest()[:8]
    name = f'resnet-{digest}.pth'
    server.files = {f'/a/{name}': content, f'/b/{name}': b'others'}
    path = downloads.download(f'{server.address}/a/{name}')
    assert path == f'{torch.hub.get_dir()}/checkpoints/{name}'
    assert downloads.download(f'{server.address}/b/{name}') == path
    # It only looks like one.
    server.files = {'/a/x-20240101.pth': b'a', '/b/x-20240101.pth': b'b'}
    for path, expected in server.files.items():
        assert content_of(server.address + path) == expected


def test_half_a_download_is_none(server, tmp_path):
    server.files['/x.pth'] = b'0123456789'
    server.broken.add('/x.pth')
    with pytest.raises(InputError, match='5 of 10 bytes came'):
        downloads.download(f'{server.address}/x.pth')
    assert not [p for p in tmp_path.rglob('*') if p.is_file()]
    server.broken.clear()
    assert content_of(f'{server.address}/x.pth') == b'0123456789'


def test_nobody_answers(server, monkeypatch):
    server.http.shutdown()
    monkeypatch.setattr(downloads, 'TIMEOUT', 0.2)
    # The connection is taken, and nothing comes.
    with pytest.raises(InputError, match='TimeoutError') as error:
        downloads.download(f'{server.address}/x.pth')
    assert '\n' not in str(error.value)
    with pytest.raises(InputError, match="download is '"):
        downloads.download('http:///x.pth')
