"""Read models of the Hugging Face Hub; without a network say what to set."""

import os
import socket
from contextlib import contextmanager
from functools import cache
from typing import Iterator
from urllib.parse import urlparse
from urllib.request import getproxies

from huggingface_hub import constants

from ..errors import InputError

# In seconds.
TIMEOUT = 5.0


@contextmanager
def reading_from_hub(name: str, argument: str) -> Iterator[None]:
    """Replace the errors of transformers by one line.

    Args:
        name: Name of the model, or its folder.
        argument: The entry of a model's config that names it, such as
            ``text_encoder.pretrained``.

    Raises:
        InputError: transformers can neither read nor download it.
    """
    try:
        yield
    except OSError as error:
        raise InputError.of(
            argument,
            'name',
            name,
            'a model of the Hugging Face Hub that can be reached, or a local '
            f'folder: --cfg-options model.{argument}=FOLDER',
        ) from error


def must_be_local(name: str) -> bool:
    """Whether a model can only be read from this machine.

    For ``local_files_only`` of transformers, which otherwise retries every
    file for 20 seconds or more without a network.

    Args:
        name: Of the model on the Hub, or its folder.
    """
    return not os.path.isdir(name) and not hub_is_reachable()


@cache
def hub_is_reachable() -> bool:
    """Try to connect to the Hub; a proxy is not tried and taken as good."""
    address = urlparse(constants.ENDPOINT)
    if address.scheme in getproxies():
        return True
    port = address.port or (443 if address.scheme == 'https' else 80)
    try:
        socket.create_connection((address.hostname, port), TIMEOUT).close()
    except OSError:
        return False
    return True
