"""Types of paths."""

import os
from typing import Union

PathLike = Union[str, 'os.PathLike[str]']
