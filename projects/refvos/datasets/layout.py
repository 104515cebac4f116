"""Check whether a prepared data set is complete.

The module of a benchmark's data set defines ``check_layout(data_root)``,
which lists what is missing, one line per file or folder:
``<path>: <what belongs there>``. The module names the benchmark:
``ref_youtube_vos.py`` is ``ref-youtube-vos``. A benchmark of parts that can
be used alone lists them in ``SUBSETS``; ``check_layout(data_root, subset)``
then checks one of them, such as ``avsbench-s4``. A benchmark whose config
does not use all of its splits lists them in ``ALL_SPLITS``, as arguments of
the data set.
"""

import importlib
import importlib.util
import os
import pkgutil
from collections.abc import Iterable
from functools import partial
from pathlib import Path
from typing import Any, Callable, Dict, List

from mmengine.config import Config

CHECK = 'check_layout'
PARTS = 'SUBSETS'
SPLITS = 'ALL_SPLITS'

Check = Callable[[str], List[str]]


def find_benchmarks() -> Dict[str, Check]:
    """Collect the ``check_layout`` functions by benchmark."""
    package = importlib.import_module(__package__)
    names = [module.name for module in pkgutil.iter_modules(package.__path__)]
    modules = {
        name: importlib.import_module(f'.{name}', __package__)
        for name in names
        if f'{__package__}.{name}' != __name__
    }
    found: Dict[str, Check] = {}
    for module_name, module in modules.items():
        check: Any = getattr(module, CHECK, None)
        # Leave out functions imported from another benchmark.
        if getattr(check, '__module__', None) != module.__name__:
            continue
        name = module_name.replace('_', '-')
        if not hasattr(module, PARTS):
            found[name] = check
            continue
        for subset in getattr(module, PARTS):
            found[f'{name}-{subset}'] = partial(check, subset=subset)
    return found


def missing_files(
    folder: Path, names: Iterable[str], content: str
) -> List[str]:
    """Name the first file that a folder lacks, and the number of all.

    Args:
        folder: The folder; it is listed once, since data sets have many
            files.
        names: File names expected in it.
        content: What the files are, such as 'frames of the video'.

    Returns:
        One line; none if nothing is missing.
    """
    wanted = list(names)
    if not os.path.isdir(folder):
        return [f'{folder}: folder with {len(wanted)} {content}']
    present = set(os.listdir(folder))
    missing = [name for name in wanted if name not in present]
    if not missing:
        return []
    return [
        f'{folder / missing[0]}: one of {len(missing)} missing of '
        f'{len(wanted)} {content}'
    ]


def move_data_root(node: Any, old: str, new: str) -> Any:
    """Replace ``data_root``, and paths below it, in a part of a config."""
    if isinstance(node, dict):
        return {k: move_data_root(v, old, new) for k, v in node.items()}
    if isinstance(node, (list, tuple)):
        return type(node)(move_data_root(item, old, new) for item in node)
    if isinstance(node, str) and (node + '/').startswith(old + '/'):
        return new + node[len(old) :]
    return node


def datasets_of(config: Config, data_root: str) -> List[Dict[str, Any]]:
    """Collect the data sets of a config's loaders, without pipelines.

    Args:
        config: Config with ``data_root`` and loaders, such as
            ``configs/_base_/datasets/<benchmark>.py``.
        data_root: The folder to read instead.

    Returns:
        One config per different data set, in ``test_mode``.
    """
    found: List[Dict[str, Any]] = []
    for part in ('train', 'val', 'test'):
        loader = config.get(f'{part}_dataloader')
        if loader is not None:
            plain = Config({'dataset': loader['dataset']}).to_dict()
            plain = move_data_root(plain, config.data_root, data_root)
            collect_datasets(plain['dataset'], found)
    unique: List[Dict[str, Any]] = []
    for dataset in found:
        dataset.update(pipeline=[], test_mode=True)
        dataset.pop('indices', None)
        if dataset not in unique:
            unique.append(dataset)
    return unique


def with_all_splits(
    benchmark: str, datasets: List[Dict[str, Any]]
) -> List[Dict[str, Any]]:
    """Add the splits of ``ALL_SPLITS`` that a config does not use.

    Args:
        benchmark: Name of the benchmark.
        datasets: Those of its config, see :func:`datasets_of`.
    """
    module = f'{__package__}.{benchmark.replace("-", "_")}'
    if importlib.util.find_spec(module) is None:
        # A part of a benchmark.
        return datasets
    splits = getattr(importlib.import_module(module), SPLITS, ())
    added = [
        {**datasets[0], **split}
        for split in splits
        if not any(split.items() <= each.items() for each in datasets)
    ]
    return [*datasets, *added]


def collect_datasets(node: Any, found: List[Dict[str, Any]]) -> None:
    """Add the configs of data sets in a config to ``found``."""
    if isinstance(node, dict):
        if 'data_root' in node and 'type' in node:
            found.append(node)
            return
        for value in node.values():
            collect_datasets(value, found)
    elif isinstance(node, (list, tuple)):
        for item in node:
            collect_datasets(item, found)
