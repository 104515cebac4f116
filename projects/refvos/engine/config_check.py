"""Find misspelt keys and types in a config before anything is built.

mmengine reports an unknown argument as a ``TypeError`` from inside the model,
and ignores unknown top-level keys.

The tables below hold what no signature says: keys that mmengine and mmdet
take out of a dict before they call the class. A key that is missing here is
refused although it is valid; ``test_config_check`` reads mmdet's configs to
find such keys.
"""

import difflib
import inspect
from collections.abc import Iterable, Iterator, Mapping
from functools import cache
from typing import Any, Dict, FrozenSet, List, NamedTuple, Optional, Set, Tuple

import mmcv.ops
import mmdet.registry
import mmengine.registry
import torch
from mmengine.registry import Registry
from mmengine.runner import Runner
from torch.utils.data import DataLoader

from ..errors import InputError, describe
from .signatures import accepted_arguments

# Valid in every dict: build_from_cfg and Config take these out.
META_KEYS = {'type', '_scope_', '_delete_', '_base_'}
# Top-level keys that Runner and the tools read from the whole config, besides
# the arguments of Runner's constructor.
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
# Variables of most configs that would count as misspelt `tta_pipeline`.
USUAL_VARIABLES = {'test_pipeline', 'train_pipeline', 'val_pipeline'}
# Entry of a config -> keys that its builder takes out: mmcv's layers, the
# initialisers, the optimizer's constructor, the choice of the loop.
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
# Transforms whose dicts name classes of another library.
FOREIGN = {'Albu'}
# Entry of a config -> the registry that must know its `type`; `*` is any last
# part. Elsewhere `type` may be no class (see _check_unregistered).
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
# The class that mmengine builds for an entry without `type`.
DEFAULT_TYPES = {
    'val_cfg': 'ValLoop',
    'test_cfg': 'TestLoop',
    'log_processor': 'LogProcessor',
}


class Site(NamedTuple):
    """A dict of the config and its place."""

    path: Tuple[str, ...]
    value: Mapping

    def at(self, key: str) -> str:
        """Return the dotted name of an entry of the dict."""
        return '.'.join((*self.path, key))


def check_config(cfg: Mapping, filename: Optional[str] = None) -> None:
    """Refuse a config with an unknown key or an unknown type.

    In every dict with a ``type``, the type must be registered and the keys
    must be arguments of the class, unless its signature does not tell. The
    keys of a dataloader must be arguments of torch's. A top-level name is
    refused only if it is similar to an argument of the runner, because
    configs may define variables of their own.

    Args:
        cfg: A config after ``_base_`` and ``custom_imports``.
        filename: Name of the config in messages; default ``cfg.filename``.

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
        cls = _type_of(site)
        if cls is not None:
            _check_type(site, cls, filename)


def check_overrides(cfg: Mapping, overrides: Mapping) -> None:
    """Refuse ``--cfg-options`` whose first name is not in the config.

    Call it before the options are merged, and :func:`check_config` after it
    for the other names.

    Args:
        cfg: The config without the options.
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
    """Yield all dicts in a value, outer ones first."""
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
    """Refuse top-level names that are similar to an argument of Runner."""
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


def _type_of(site: Site) -> Any:
    """Return the type of a dict, by default the one that mmengine takes."""
    if 'type' in site.value:
        return site.value['type']
    if site.path == ('train_cfg',):
        epochs = site.value.get('by_epoch')
        return 'EpochBasedTrainLoop' if epochs else 'IterBasedTrainLoop'
    if site.path == ('optim_wrapper',) and 'optimizer' in site.value:
        return 'OptimWrapper'
    return DEFAULT_TYPES.get('.'.join(site.path))


def _check_type(site: Site, cls: Any, filename: str) -> None:
    """Check the type of a dict, and its keys against the type's arguments.

    Args:
        site: The dict.
        cls: Its type: a registered name, or a class or function. Anything
            else is not checked.
        filename: Name of the config.
    """
    if isinstance(cls, str):
        targets = _registered(cls)
        if not targets:
            _check_unregistered(site, cls, filename)
            return
    elif callable(cls):
        targets = [cls]
    else:
        return
    known: Set[str] = set(META_KEYS)
    for target in targets:
        names = accepted_arguments(target)
        if names is None:
            return
        known |= names
    for entry, names in BUILDER_KEYS.items():
        # `head_norm_cfg` is a `norm_cfg`.
        if site.path and site.path[-1].endswith(entry):
            known |= names
    name = cls if isinstance(cls, str) else cls.__name__
    _check_keys(site, known, f'one of the arguments of {name}', filename)


def _check_keys(
    site: Site, known: Iterable[str], expected: str, filename: str
) -> None:
    """Refuse keys that are not among the known ones."""
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
    """Compose the error for a key, with the most similar known one."""
    message = describe(filename, field, value, expected)
    near = difflib.get_close_matches(key, list(known), n=1, cutoff=0.6)
    return InputError(
        message + (f' (did you mean {near[0]}?)' if near else '')
    )


def _check_unregistered(site: Site, cls: str, filename: str) -> None:
    """Refuse a type that no registry has, if it is meant to be registered.

    It is if its entry is in ``SLOTS``. Elsewhere, e.g. deep inside a model,
    ``type`` may name something else (``nms``, an operator of mmcv), and only
    names similar to registered ones are refused.
    """
    name = cls.split('.')[-1]
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
        cls,
        'a registered class' if slot is None else f'one of mmdet.{slot}',
        name,
        near,
    )


def _slot(path: Tuple[str, ...]) -> Optional[str]:
    """Return the registry that must know the type at a path, if any."""
    dotted = '.'.join(path)
    starred = '.'.join((*path[:-1], '*'))
    if len(path) >= 2 and path[-2] == 'pipeline' and path[0] != 'model':
        return 'TRANSFORMS'
    return SLOTS.get(dotted) or (SLOTS.get(starred) if path else None)


@cache
def _registries() -> Dict[str, Registry]:
    """Return mmdet's registries by name, and those that only mmengine has."""
    found = {}
    for module in (mmengine.registry, mmdet.registry):
        for name, value in vars(module).items():
            if isinstance(value, Registry):
                found[name] = value
    return found


def _registered(name: str) -> List[Any]:
    """Return all classes and functions of a name, in any registry."""
    found: List[Any] = []
    for registry in _registries().values():
        target = _find(registry, name)
        if target is not None and target not in found:
            found.append(target)
    return found


def _find(registry: Registry, name: str) -> Any:
    """Look a name up in a registry and its parents; None if it is in none.

    ``Registry.get`` also tries to import names that it does not know. For a
    name without dots this finds nothing and, over all registries and the
    types of a config, takes half a second.
    """
    if '.' in name:
        try:
            return registry.get(name)
        except RuntimeError:  # A dotted path that leads nowhere.
            return None
    level: Optional[Registry] = registry
    while level is not None:
        level.import_from_location()
        if name in level.module_dict:
            return level.module_dict[name]
        level = level.parent
    return None


def _all_names(slot: Optional[str]) -> List[str]:
    """List the names in a registry and its parents; None for all."""
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
    """Return the top-level keys that mmengine reads."""
    names = set(inspect.signature(Runner.__init__).parameters)
    return frozenset((names | RUNNER_EXTRAS) - {'self'})


@cache
def _dataloader_keys() -> FrozenSet[str]:
    """Return the keys of a dataloader that torch and mmengine read."""
    names = set(inspect.signature(DataLoader.__init__).parameters)
    return frozenset((names | META_KEYS | {'num_batch_per_epoch'}) - {'self'})
