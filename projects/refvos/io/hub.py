"""Find out whether the Hugging Face Hub can be reached."""

import os
import socket
from functools import cache
from urllib.parse import urlparse
from urllib.request import getproxies

from huggingface_hub import constants

# In seconds.
TIMEOUT = 5.0


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
