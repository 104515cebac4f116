"""Config entries that a checkpoint's weights need to be tested with.

The converters note them in the checkpoint's ``meta`` (of ``.safetensors``
files: in the header) under ``model_options``: a JSON object of dotted names
and values, ``{"model.published_habits": true}``. Loading such weights with a
config that says otherwise gives a warning; the config is never changed.
"""

import json
import logging
from collections.abc import Mapping
from typing import Any, Dict

from mmdet.registry import HOOKS
from mmengine.config import Config
from mmengine.hooks import Hook
from mmengine.logging import print_log
from mmengine.runner import Runner

from ..errors import InputError

NOTE = 'model_options'


def options_note(options: Mapping[str, Any]) -> Dict[str, str]:
    """Write options as an entry of a checkpoint's meta; {} for none."""
    return {NOTE: json.dumps(dict(options))} if options else {}


def noted_options(meta: Mapping[str, Any], source: str) -> Dict[str, Any]:
    """Read the options from a checkpoint's meta.

    Args:
        meta: Notes by name.
        source: The file, for messages.

    Raises:
        InputError: The note is no JSON object.
    """
    note = meta.get(NOTE, '{}')
    try:
        options = json.loads(note)
    # Lists within lists within lists ... end in a RecursionError.
    except (RecursionError, TypeError, ValueError):
        options = None
    if not isinstance(options, dict):
        raise InputError.of(
            source, f'meta.{NOTE}', note, 'config entries by name, as JSON'
        )
    return options


def describe_options(options: Mapping[str, Any]) -> str:
    """Write options as arguments of ``--cfg-options``."""
    return ' '.join(f'{name}={value}' for name, value in options.items())


def warn_of_options(
    cfg: Config, meta: Mapping[str, Any], source: str
) -> Dict[str, Any]:
    """Warn in one line if a config lacks options that weights need.

    Args:
        cfg: The config that the model was built from.
        meta: See :func:`noted_options`.
        source: The checkpoint's file, for messages.

    Returns:
        The options that the config lacks or has with another value.

    Raises:
        InputError: The note can't be read.
    """
    missing = {
        name: value
        for name, value in noted_options(meta, source).items()
        if entry_of(cfg, name) != value
    }
    if missing:
        print_log(
            f'{source}: its weights were made for another model than the '
            "config's, the results will be wrong; give --cfg-options "
            + describe_options(missing),
            logger='current',
            level=logging.WARNING,
        )
    return missing


def entry_of(cfg: Config, name: str) -> Any:
    """Return the entry of a dotted name, None if there is none."""
    entry: Any = cfg
    for key in name.split('.'):
        if not isinstance(entry, (Config, Mapping)):
            return None
        entry = entry.get(key)
    return entry


@HOOKS.register_module()
class CheckpointOptionsHook(Hook):
    """Warn if tested weights need options that the config does not set."""

    def after_load_checkpoint(self, runner: Runner, checkpoint: dict) -> None:
        meta = checkpoint.get('meta') or {}
        source = str(runner.cfg.get('load_from') or 'checkpoint')
        warn_of_options(runner.cfg, meta, source)
