"""Weights from the web, kept in torch's cache."""

import hashlib
import os
import os.path as osp
import re
import socket
from http.client import HTTPException
from typing import Tuple
from urllib.parse import unquote, urlparse
from urllib.request import Request, urlopen

import torch

from ..errors import InputError

# Of a connection, and of each answer on it, in seconds.
TIMEOUT = 60.0
CHUNK = 1 << 20
# The beginning of the SHA-256, as torch.hub's names have it.
HASH_IN_NAME = re.compile(r'-([0-9a-f]{8,64})\.')


def cached(address: str) -> Tuple[str, str]:
    """Say where an address' file is kept: by the address, and by its name.

    torch's cache goes by the name alone: of two addresses with one name,
    such as ``epoch_6.pth``, the second would get the first one's file. A
    name with the file's hash in it is enough.
    """
    folder = osp.join(torch.hub.get_dir(), 'checkpoints')
    name = osp.basename(unquote(urlparse(address).path)) or 'file'
    digest = hashlib.sha256(address.encode()).hexdigest()
    return osp.join(folder, digest[:16], name), osp.join(folder, name)


def hash_in(name: str) -> str:
    """Find the hash in a file's name; empty if there is none."""
    found = HASH_IN_NAME.search(osp.basename(name))
    return found[1] if found else ''


def download(address: str) -> str:
    """Download a file once, and as a whole; return where it lies.

    Raises:
        InputError: The address does not answer, or gives less than it says.
    """
    own, shared = cached(address)
    if osp.isfile(own):
        return own
    wanted = hash_in(shared)
    if wanted and osp.isfile(shared):
        return shared
    # Moved when it is whole: several processes may do it at the same time.
    part = f'{own}.tmp-{socket.gethostname()}-{os.getpid()}'
    try:
        os.makedirs(osp.dirname(own), exist_ok=True)
        digest = fetch(address, part)
        target = shared if wanted and digest.startswith(wanted) else own
        os.replace(part, target)
    except (OSError, HTTPException, ValueError) as error:
        raise InputError.of(
            address,
            'download',
            f'{type(error).__name__}: {error}',
            'weights that can be reached; for a local file: --cfg-options '
            f'{option_of(address)}=FILE (load_from=FILE for those of the '
            'whole model)',
        ) from None
    finally:
        if osp.exists(part):
            os.remove(part)
    return target


def fetch(address: str, part: str) -> str:
    """Write what an address gives to a file; return its SHA-256.

    Raises:
        ValueError: It gives less than it says.
    """
    digest = hashlib.sha256()
    request = Request(address, headers={'User-Agent': 'refvos'})
    with (
        urlopen(request, timeout=TIMEOUT) as answer,
        open(part, 'wb') as file,
    ):
        while chunk := answer.read(CHUNK):
            file.write(chunk)
            digest.update(chunk)
        said, got = answer.headers.get('Content-Length'), file.tell()
    if said is not None and said != str(got):
        raise ValueError(f'{got} of {said} bytes came')
    return digest.hexdigest()


def option_of(filename: str) -> str:
    """Name the entry of a config that takes these weights from a file."""
    if 'vggish' in osp.basename(filename):
        return 'model.sound_encoder.vggish.init_cfg.checkpoint'
    return 'model.backbone.init_cfg.checkpoint'
