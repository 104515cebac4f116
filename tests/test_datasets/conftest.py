import json
import logging

import numpy as np
import pytest
from mmengine.logging import MMLogger
from mmengine.registry import init_default_scope


@pytest.fixture(autouse=True)
def registries():
    """Find transforms by name; draw the same numbers in every test."""
    init_default_scope('mmdet')
    np.random.seed(0)


@pytest.fixture(scope='session')
def mini(shared_mini):
    """A tiny RefVOS-Mini: its folder and what mini.json says of it."""
    root = shared_mini(train=2, val=1, test=1, frames=3, size=(64, 64))
    return root, json.loads((root / 'mini.json').read_text())


@pytest.fixture
def logged():
    """The messages of warnings that mmengine's logger got meanwhile."""

    class Collect(logging.Handler):
        def emit(self, record):
            messages.append(record.getMessage())

    messages = []
    handler = Collect(logging.WARNING)
    logger = MMLogger.get_current_instance()
    logger.addHandler(handler)
    yield messages
    logger.removeHandler(handler)
