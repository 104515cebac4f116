"""Read config files.

A config in Python is a program. One in YAML or JSON is data: it can neither
make Python objects nor name functions or modules outside of the registries.
"""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Tuple

import yaml  # type: ignore[import-untyped]
from mmengine.config import Config
from mmengine.fileio.handlers import YamlHandler
from mmengine.fileio.handlers.registry_utils import file_handlers
from mmengine.utils import import_modules_from_strings

from ..errors import InputError

DATA_SUFFIXES = ('.json', '.yaml', '.yml')
# Packages with registries, whose names may stand before that of a class.
SCOPES = ('mmcv', 'mmdet', 'mmengine', 'mmpretrain', 'refvos')
# Entries that the registries look up; a name with dots is imported.
LOOKED_UP = ('type', 'constructor', 'runner_type')
NAMES_OF_SCOPES = ('default_scope', '_scope_', 'scope')


class SafeYamlHandler(YamlHandler):
    """Read YAML without tags that make Python objects."""

    def load_from_fileobj(self, file: Any, **kwargs: Any) -> Any:
        return yaml.safe_load(file)


def load_config(path: str) -> Config:
    """Read a config and do its ``custom_imports``.

    Args:
        path: A ``.py``, ``.json`` or ``.yaml`` file.

    Raises:
        InputError: It is missing or cannot be read, or is YAML or JSON that
            names what is in no registry.
    """
    if not os.path.isfile(path):
        raise InputError.of(
            path, 'config', 'missing', 'a .py, .json or .yaml file'
        )
    is_data = path.lower().endswith(DATA_SUFFIXES)
    try:
        with safe_yaml():
            config = Config.fromfile(path, import_custom_modules=not is_data)
        if is_data:
            check_names(config.to_dict(), path)
            imports = config.get('custom_imports')
            if imports:
                import_modules_from_strings(**imports)
        return config
    except InputError:
        raise
    # A config is a program and may raise anything.
    except Exception as error:
        reason = f'{type(error).__name__}: {error}'.splitlines()[0]
        raise InputError(f'{path}: the config fails with {reason}') from error


@contextmanager
def safe_yaml() -> Iterator[None]:
    """Let mmengine read YAML, also that of ``_base_``, as plain data."""
    before = dict(file_handlers)
    handler = SafeYamlHandler()
    file_handlers.update(yaml=handler, yml=handler)
    try:
        yield
    finally:
        file_handlers.update(before)


def check_names(value: Any, path: str, place: Tuple[str, ...] = ()) -> None:
    """Refuse names in a config of data that would be imported.

    Args:
        value: The config, or a part of it.
        path: Its file, for messages.
        place: Keys of the part.

    Raises:
        InputError: A type has a module before its name, or a module is not
            of a package with registries.
    """
    if isinstance(value, (list, tuple)):
        for index, item in enumerate(value):
            check_names(item, path, (*place, str(index)))
    if not isinstance(value, dict):
        return
    for key, item in value.items():
        here = (*place, str(key))
        names = item if isinstance(item, (list, tuple)) else [item]
        if here == ('custom_imports', 'imports'):
            allowed = all(str(n).split('.')[0] in SCOPES for n in names)
        elif key in NAMES_OF_SCOPES:
            allowed = not isinstance(item, str) or item in SCOPES
        elif key in LOOKED_UP and isinstance(item, str):
            scope, dot, _ = item.rpartition('.')
            allowed = not dot or scope in SCOPES
        else:
            allowed = True
        if not allowed:
            raise InputError.of(
                path,
                '.'.join(here),
                item,
                f'a registered name, or one of {", ".join(SCOPES)}; only a '
                'config in Python names other modules',
            )
        check_names(item, path, here)
