"""Find misspelt keys and types in a config before anything is built.

mmengine reports an unknown argument as a ``TypeError`` from the middle of
the model, and ignores an unknown top-level key altogether.
"""

import ast
import difflib
import inspect
import textwrap
from collections.abc import Iterable, Iterator, Mapping
from functools import cache
from typing import Any, Dict, FrozenSet, List, NamedTuple, Optional, Set, Tuple

import mmcv.ops
import mmdet.registry
import mmengine.registry
import torch
from mmengine.hooks import CheckpointHook, Hook
from mmengine.optim.scheduler.param_scheduler import _ParamScheduler
from mmengine.registry import Registry
from mmengine.runner import Runner
from mmengine.utils import ManagerMixin
from torch.utils.data import DataLoader

from ..errors import InputError, describe

# In any dict: build_from_cfg and Config take these out.
META_KEYS = {'type', '_scope_', '_delete_', '_base_'}
# Read from the config by the runner, besides its constructor's arguments.
RUNNER_EXTRAS = {
    'activation_checkpointing',
    'compile',
    'custom_imports',
    'efficient_conv_bn_eval',
    'find_unused_parameters',
    'model_wrapper_cfg',
    'runner_type',
    'strategy',
    'sync_bn',
    'tta_model',
    'tta_pipeline',
}
# Variables in most configs that are near to `tta_pipeline`.
USUAL_VARIABLES = {'test_pipeline', 'train_pipeline', 'val_pipeline'}
# The builders of these take keys out before they call the class.
BUILDER_KEYS = {
    'loss_cls': {'bg_cls_weight'},
    'norm_cfg': {'requires_grad'},
    'upsample_cfg': {'scale_factor'},
    'dcn': {'fallback_on_stride'},
    'init_cfg': {'override', 'name'},
    'override': {'name'},
    'optim_wrapper': {'constructor', 'paramwise_cfg'},
    'train_cfg': {'by_epoch'},
}
# What is inside belongs to another library.
FOREIGN = {'Albu'}
# Registries of the top-level entries, where `type` must be known.
SLOTS = {
    'model': 'MODELS',
    'data_preprocessor': 'MODELS',
    'tta_model': 'MODELS',
    'train_dataloader.dataset': 'DATASETS',
    'val_dataloader.dataset': 'DATASETS',
    'test_dataloader.dataset': 'DATASETS',
    'default_hooks.*': 'HOOKS',
    'custom_hooks.*': 'HOOKS',
    'val_evaluator': 'METRICS',
    'val_evaluator.*': 'METRICS',
    'test_evaluator': 'METRICS',
    'test_evaluator.*': 'METRICS',
    'visualizer': 'VISUALIZERS',
    'vis_backends.*': 'VISBACKENDS',
    'optim_wrapper': 'OPTIM_WRAPPERS',
    'optim_wrapper.optimizer': 'OPTIMIZERS',
    'param_scheduler': 'PARAM_SCHEDULERS',
    'param_scheduler.*': 'PARAM_SCHEDULERS',
    'log_processor': 'LOG_PROCESSORS',
    'train_cfg': 'LOOPS',
    'val_cfg': 'LOOPS',
    'test_cfg': 'LOOPS',
}
# What mmengine builds where a top-level entry has no `type`.
DEFAULT_TYPES = {
    'val_cfg': 'ValLoop',
    'test_cfg': 'TestLoop',
    'log_processor': 'LogProcessor',
}


class Site(NamedTuple):
    """A dict of the config and where it stands."""

    path: Tuple[str, ...]
    value: Mapping

    def at(self, key: str) -> str:
        return '.'.join((*self.path, key))


def check_config(cfg: Mapping, filename: Optional[str] = None) -> None:
    """Refuse a config with a key or a type that nothing knows.

    In every dict with a ``type``, the keys must be arguments of that class
    (where its signature says all of them); a dataloader's keys those of
    torch's; ``type`` itself must be registered. A top-level name is refused
    only when it is nearly that of a runner's argument, because configs may
    define variables of their own.

    Args:
        cfg: A config after ``_base_`` and ``custom_imports``.
        filename: What to call it in the message; default ``cfg.filename``.

    Raises:
        InputError: With the file, the key, its value and the nearest name.
    """
    filename = filename or getattr(cfg, 'filename', None) or 'config'
    _check_top_level(cfg, filename)
    for site in _sites(dict(cfg.items()), ()):
        if site.path and site.path[-1].endswith('_dataloader'):
            _check_keys(
                site,
                _dataloader_keys(),
                'the arguments of a dataloader',
                filename,
            )
        kind = _kind(site)
        if kind is not None:
            _check_type(site, kind, filename)


def check_overrides(cfg: Mapping, overrides: Mapping) -> None:
    """Refuse ``--cfg-options`` whose first name the config doesn't have.

    Call it before the options are merged; :func:`check_config` afterwards
    sees the rest.

    Args:
        cfg: The config as it is in the file.
        overrides: Dotted names and values.

    Raises:
        InputError: With the name and the nearest one.
    """
    known = set(cfg.keys()) | _runner_keys()
    for name, value in overrides.items():
        top = name.split('.')[0]
        if top not in known:
            raise _unknown(
                '--cfg-options',
                name,
                value,
                "one of the config's entries",
                top,
                known,
            )


def _sites(value: Any, path: Tuple[str, ...]) -> Iterator[Site]:
    """All dicts below a value, outermost first."""
    if isinstance(value, Mapping):
        yield Site(path, value)
        if value.get('type') in FOREIGN:
            return
        items: Iterable = value.items()
    elif isinstance(value, (list, tuple)):
        items = enumerate(value)
    else:
        return
    for key, child in items:
        yield from _sites(child, (*path, str(key)))


def _check_top_level(cfg: Mapping, filename: str) -> None:
    known = _runner_keys()
    for key in cfg:
        if key in known | USUAL_VARIABLES:
            continue
        near = difflib.get_close_matches(key, known, n=1, cutoff=0.88)
        swapped = [name for name in known if sorted(name) == sorted(key)]
        if near or swapped:
            raise _unknown(
                filename,
                key,
                cfg[key],
                'one of the arguments of Runner',
                key,
                near or swapped,
            )


def _kind(site: Site) -> Any:
    """The dict's type, or the one that mmengine takes without."""
    if 'type' in site.value:
        return site.value['type']
    if site.path == ('train_cfg',):
        epochs = site.value.get('by_epoch')
        return 'EpochBasedTrainLoop' if epochs else 'IterBasedTrainLoop'
    if site.path == ('optim_wrapper',) and 'optimizer' in site.value:
        return 'OptimWrapper'
    return DEFAULT_TYPES.get('.'.join(site.path))


def _check_type(site: Site, kind: Any, filename: str) -> None:
    if isinstance(kind, str):
        targets = _registered(kind)
        if not targets:
            _check_unregistered(site, kind, filename)
            return
    elif callable(kind):
        targets = [kind]
    else:
        return
    known: Set[str] = set(META_KEYS)
    for target in targets:
        names = accepted_arguments(target)
        if names is None:
            return
        known |= names
    for key, names in BUILDER_KEYS.items():
        # `head_norm_cfg` is a `norm_cfg`.
        if site.path and site.path[-1].endswith(key):
            known |= names
    name = kind if isinstance(kind, str) else kind.__name__
    _check_keys(site, known, f'one of the arguments of {name}', filename)


def _check_keys(
    site: Site, known: Iterable[str], expected: str, filename: str
) -> None:
    known = set(known)
    for key, value in site.value.items():
        if key not in known:
            raise _unknown(filename, site.at(key), value, expected, key, known)


def _unknown(
    filename: str,
    field: str,
    value: Any,
    expected: str,
    key: str,
    known: Iterable[str],
) -> InputError:
    message = describe(filename, field, value, expected)
    near = difflib.get_close_matches(key, list(known), n=1, cutoff=0.6)
    return InputError(
        message + (f' (did you mean {near[0]}?)' if near else '')
    )


def _check_unregistered(site: Site, kind: str, filename: str) -> None:
    """Judge a type that no registry has.

    Deep inside a model, ``type`` may mean something else (``nms``, an
    operator of mmcv), so only near misses of registered names count there.
    """
    name = kind.split('.')[-1]
    slot = _slot(site.path)
    near = difflib.get_close_matches(
        name, _all_names(slot), n=1, cutoff=0.6 if slot else 0.85
    )
    if slot is None and (
        not near
        or not name[:1].isupper()
        or hasattr(mmcv.ops, name)
        or hasattr(torch.nn, name)
    ):
        return
    raise _unknown(
        filename,
        site.at('type'),
        kind,
        'a registered class' if slot is None else f'one of mmdet.{slot}',
        name,
        near,
    )


def _slot(path: Tuple[str, ...]) -> Optional[str]:
    dotted = '.'.join(path)
    starred = '.'.join((*path[:-1], '*'))
    if len(path) >= 2 and path[-2] == 'pipeline' and path[0] != 'model':
        return 'TRANSFORMS'
    return SLOTS.get(dotted) or (SLOTS.get(starred) if path else None)


@cache
def _registries() -> Dict[str, Registry]:
    """mmdet's registries by name, and those that only mmengine has."""
    found = {}
    for module in (mmengine.registry, mmdet.registry):
        for name, value in vars(module).items():
            if isinstance(value, Registry):
                found[name] = value
    return found


def _registered(kind: str) -> List[Any]:
    """What a type may stand for: the same name is in several registries."""
    found: List[Any] = []
    for registry in _registries().values():
        target = _find(registry, kind)
        if target is not None and target not in found:
            found.append(target)
    return found


def _find(registry: Registry, kind: str) -> Any:
    """Look a type up in a registry and its parents; None if it is in none.

    ``Registry.get`` also tries to import what it does not know. For a name
    without dots that finds nothing and, over all registries and the types of
    a config, takes half a second.
    """
    if '.' in kind:
        try:
            return registry.get(kind)
        except RuntimeError:  # A dotted path that leads nowhere.
            return None
    level: Optional[Registry] = registry
    while level is not None:
        level.import_from_location()
        if kind in level.module_dict:
            return level.module_dict[kind]
        level = level.parent
    return None


def _all_names(slot: Optional[str]) -> List[str]:
    registries = _registries()
    names: Set[str] = set()
    for name in [slot] if slot else registries:
        registry: Optional[Registry] = registries[name]
        while registry is not None:
            names.update(registry.module_dict)
            registry = registry.parent
    return sorted(names)


@cache
def _runner_keys() -> FrozenSet[str]:
    names = set(inspect.signature(Runner.__init__).parameters)
    return frozenset((names | RUNNER_EXTRAS) - {'self'})


@cache
def _dataloader_keys() -> FrozenSet[str]:
    names = set(inspect.signature(DataLoader.__init__).parameters)
    return frozenset((names | META_KEYS | {'num_batch_per_epoch'}) - {'self'})


def accepted_arguments(target: Any) -> Optional[Set[str]]:
    """Name the keyword arguments that a class or function takes.

    ``**kwargs`` that are handed to ``super().__init__``, and to nothing
    else, are followed to the next class.

    Args:
        target: A class or a function.

    Returns:
        Their names, or None where they can't be told for certain.
    """
    if not inspect.isclass(target):
        return _function_arguments(target)
    names = _built_with(target)
    mro = list(target.__mro__)
    while mro:
        cls = mro.pop(0)
        init = vars(cls).get('__init__')
        if init is None:
            continue
        found, keywords = _parameters(init)
        if found is None:
            return None
        names |= found
        if keywords is None:
            return names - {'self'}
        if cls is CheckpointHook:
            # Its keywords become those of the runner's method.
            names |= set(inspect.signature(Runner.save_checkpoint).parameters)
            return names - {'self'}
        skipped_to = _where_super_starts(init, keywords, cls)
        while skipped_to != cls.__name__:
            if skipped_to is None or not mro:
                return None
            cls = mro.pop(0)
    return None


def _built_with(cls: type) -> Set[str]:
    """Name what the builders of some families take besides."""
    if issubclass(cls, ManagerMixin):
        return {'name'}
    if issubclass(cls, Hook):
        return {'priority'}
    if issubclass(cls, _ParamScheduler):
        return {'convert_to_iter_based'}
    return set()


def _function_arguments(function: Any) -> Optional[Set[str]]:
    names, keywords = _parameters(function)
    return None if keywords is not None else names


def _parameters(function: Any) -> Tuple[Optional[Set[str]], Optional[str]]:
    """The named parameters and the name of the ``**`` parameter.

    The first is None where nothing can be told: written in C, or decorated
    (mmcv renames deprecated arguments that way).
    """
    if hasattr(function, '__wrapped__'):
        return None, None
    try:
        parameters = inspect.signature(function).parameters.values()
    except (TypeError, ValueError):
        return None, None
    keywords = [p.name for p in parameters if p.kind is p.VAR_KEYWORD]
    named = {
        p.name
        for p in parameters
        if p.kind in (p.POSITIONAL_OR_KEYWORD, p.KEYWORD_ONLY)
    }
    return named, (keywords[0] if keywords else None)


def _where_super_starts(init: Any, keywords: str, cls: type) -> Optional[str]:
    """Name the class after which ``super().__init__(**keywords)`` looks.

    That is ``cls``, or another one with ``super(Other, self)``. None where
    the keywords are also used for something else, or not at all.
    """
    try:
        tree = ast.parse(textwrap.dedent(inspect.getsource(init)))
    except (OSError, TypeError, SyntaxError):
        return None
    nodes = list(ast.walk(tree))
    uses = [
        node
        for node in nodes
        if isinstance(node, ast.Name) and node.id == keywords
    ]
    for call in nodes:
        if isinstance(call, ast.Call) and _is_super_init(call.func):
            handed_on = [k.value for k in call.keywords if k.arg is None]
            if handed_on and uses == handed_on:
                return _super_class(call.func, cls)
    return None


def _is_super_init(function: ast.expr) -> bool:
    return (
        isinstance(function, ast.Attribute)
        and function.attr == '__init__'
        and isinstance(function.value, ast.Call)
        and isinstance(function.value.func, ast.Name)
        and function.value.func.id == 'super'
    )


def _super_class(function: Any, cls: type) -> Optional[str]:
    arguments = function.value.args
    if not arguments:
        return cls.__name__
    return arguments[0].id if isinstance(arguments[0], ast.Name) else None
