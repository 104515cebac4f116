"""Reading the lists of data sets."""

import json
from pathlib import Path
from typing import Any

from ..errors import InputError


def load_json(file: Path, what: str = 'a file of the data set') -> Any:
    """Read a JSON file that must be there.

    Args:
        file: Its path.
        what: It is, for the message where it is missing.

    Raises:
        InputError: The file is missing or not JSON.
    """
    try:
        return json.loads(file.read_text(encoding='utf-8'))
    except FileNotFoundError:
        raise InputError.of(file, 'file', 'missing', what) from None
    except ValueError as error:
        raise InputError.of(
            file, 'file', str(error), 'well-formed JSON'
        ) from None
