"""Hide messages of other packages that a user cannot act on.

Only the messages listed here are hidden; all others of these packages are
shown. The package imports this module first, so that it takes effect in every
command, process and loader worker.
"""

import importlib
import logging
import re
import warnings
from typing import Any, List, Tuple, Type
from unittest import mock

import mmengine.logging

# Beginning of a warning, as a regular expression, and its category.
WARNINGS: List[Tuple[str, Type[Warning]]] = [
    # mmdet, about an optional package for box metrics, which are not used.
    (r'faster_coco_eval is not installed, metrics will not', UserWarning),
    # torch, about code of mmdet.
    (r'torch\.meshgrid: in an upcoming release, it will be', UserWarning),
    # mmengine, about variables that torchrun sets, too.
    (r'Setting \w+_NUM_THREADS environment variable for', UserWarning),
    # setuptools, about code of mmengine.
    (r'pkg_resources is deprecated as an API', UserWarning),
    # torch, about code of mmengine and mmcv.
    (r'`?torch\.cuda\.amp\.\w+(\(.*\))?`? is deprecated', FutureWarning),
]
# Printed by each of these modules of mmdet when it is imported.
PRINTED = 'Could not import OneDL. Skipping OneDL datasets.'
PRINTING_MODULES = ['mmdet.datasets', 'mmdet.datasets.transforms']
# Logged by mmengine about its own checkpoint hook.
LOGGED = re.compile(
    r'"FileClient" will be deprecated in future\. '
    r'|"HardDiskBackend" is the alias of "LocalBackend" '
)


def hide_warnings() -> None:
    """Ignore the warnings in ``WARNINGS``."""
    for message, category in WARNINGS:
        warnings.filterwarnings('ignore', message, category)


def import_quietly() -> None:
    """Import the modules that print ``PRINTED``, without that line."""
    print_log = mmengine.logging.print_log

    def print_other(msg: Any, *args: Any, **kwargs: Any) -> None:
        if msg != PRINTED:
            print_log(msg, *args, **kwargs)

    with mock.patch.object(mmengine.logging, 'print_log', print_other):
        for name in PRINTING_MODULES:
            importlib.import_module(name)


def is_unknown(record: logging.LogRecord) -> bool:
    """Whether a log record is none of ``LOGGED``."""
    return LOGGED.match(record.getMessage()) is None


hide_warnings()
import_quietly()
