import json
import logging

import numpy as np
import pytest
from mmengine.logging import MMLogger
from mmengine.registry import init_default_scope


@pytest.fixture(autouse=True)
def registries():
    """Set the registries' scope and the random seed of every test."""
    init_default_scope('mmdet')
    np.random.seed(0)


@pytest.fixture(scope='session')
def mini(shared_mini):
    """Make a tiny RefVOS-Mini; return its folder and summary."""
    root = shared_mini(train=2, val=1, test=1, frames=3, size=(64, 64))
    return root, json.loads((root / 'mini.json').read_text())


@pytest.fixture
def logged():
    """List the warnings of mmengine's logger during a test."""

    class Collect(logging.Handler):
        def emit(self, record):
            messages.append(record.getMessage())

    messages = []
    handler = Collect(logging.WARNING)
    logger = MMLogger.get_current_instance()
    logger.addHandler(handler)
    yield messages
    logger.removeHandler(handler)
