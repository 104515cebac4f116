"""The Sphinx directive ``registered-classes``: all that configs can name.

The page is made of mmdet's registries, so that no class can be missing.
"""

import inspect
import sys
from collections import defaultdict
from importlib import import_module
from typing import Any, Dict, List

import mmdet.registry
from docutils import nodes
from mmengine.registry import Registry
from sphinx.util.docutils import SphinxDirective

import refvos  # noqa: F401  (registers the classes)

PACKAGE = 'refvos'
# Registry -> heading, and where a config names what is in it. A registry that
# is not listed here follows under its own name.
REGISTRIES = {
    'MODELS': ('Models', '``model`` and its parts'),
    'TASK_UTILS': (
        'Task utilities',
        '``assigner.match_costs`` of a loss, and ``model.test_cfg``',
    ),
    'DATASETS': ('Data sets', '``dataset`` of a data loader'),
    'DATA_SAMPLERS': (
        'Samplers',
        '``sampler`` and ``batch_sampler`` of a data loader',
    ),
    'TRANSFORMS': ('Transforms', '``pipeline`` of a data set'),
    'METRICS': ('Metrics', '``val_evaluator`` and ``test_evaluator``'),
    'VISUALIZERS': ('Visualizers', '``visualizer``'),
    'HOOKS': ('Hooks', '``default_hooks`` and ``custom_hooks``'),
    'LOOPS': ('Loops', '``train_cfg``'),
    'OPTIM_WRAPPERS': ('Optimizer wrappers', '``optim_wrapper``'),
    'OPTIM_WRAPPER_CONSTRUCTORS': (
        'Constructors of optimizer wrappers',
        '``optim_wrapper.constructor``',
    ),
    'MMENGINE_WEIGHT_INITIALIZERS': (
        'Weight initializers',
        '``init_cfg`` of a model or its parts',
    ),
}
# Methods that other code calls or overrides by name.
MEMBERS = {
    'ReferFormer': 'decode_video, score_queries, choose_queries, draw_masks',
    'ClipSetLoss': 'forward',
    'SymmetricInfoNCE': 'forward',
    'RefVOSVisualizer': 'add_datasample, draw_frames, draw_strip',
}
# The package's folders that make a heading of their own.
SUBPACKAGES = {
    'segmentors': 'Segmentors',
    'backbones': 'Backbones',
    'encoders': 'Encoders of references',
    'losses': 'Losses',
    'data_preprocessor': 'Data preprocessor',
    'classifiers': 'Classifiers for pre-training',
    'task_modules': 'Match costs',
    'post_process': 'Post-processing',
}


class RegisteredClasses(SphinxDirective):
    """Put the classes where the directive stands."""

    def run(self) -> List[nodes.Node]:
        return self.parse_text_to_nodes(
            api_reference(), allow_section_headings=True
        )


def api_reference() -> str:
    """Write the section of every registry, as reStructuredText."""
    registries = {
        name: value
        for name, value in vars(mmdet.registry).items()
        if isinstance(value, Registry)
    }
    order = [*REGISTRIES, *sorted(set(registries) - set(REGISTRIES))]
    lines: List[str] = []
    for name in order:
        found = classes_of(registries[name])
        if not found:
            continue
        heading, place = REGISTRIES.get(name, (name, ''))
        where = f', named by {place} of a config' if place else ''
        lines += [heading, '-' * len(heading), '']
        lines += [f'Registered in ``{name}``{where}.', '']
        for group, members in by_subpackage(found).items():
            if group:
                lines += [group, '~' * len(group), '']
            for each in members:
                lines += directive(each)
    return '\n'.join(lines)


def classes_of(registry: Registry) -> List[Any]:
    """List what the package has registered, in order, each once."""
    found = [
        each
        for each in registry.module_dict.values()
        if each.__module__.partition('.')[0] == PACKAGE
    ]
    return list(dict.fromkeys(found))


def by_subpackage(found: List[Any]) -> Dict[str, List[Any]]:
    """Group classes of ``refvos.models`` by folder; others stay together."""
    groups: Dict[str, List[Any]] = {
        heading: [] for heading in SUBPACKAGES.values()
    }
    groups = defaultdict(list, groups)
    for each in found:
        _, room, *inner = each.__module__.split('.')
        heading = ''
        if room == 'models':
            heading = SUBPACKAGES.get(inner[0], inner[0])
        groups[heading].append(each)
    return {heading: found for heading, found in groups.items() if found}


def directive(each: Any) -> List[str]:
    """Document a class, or a function, under the name to import it by."""
    kind = 'autoclass' if inspect.isclass(each) else 'autofunction'
    lines = [f'.. {kind}:: {public_module(each)}.{each.__name__}']
    if each.__name__ in MEMBERS:
        lines.append(f'   :members: {MEMBERS[each.__name__]}')
    return [*lines, '']


def public_module(each: Any) -> str:
    """Find the outermost package that offers a class."""
    names = each.__module__.split('.')
    for end in range(1, len(names) + 1):
        module = '.'.join(names[:end])
        import_module(module)
        if getattr(sys.modules[module], each.__name__, None) is each:
            return module
    raise LookupError(f'{each} is not in {each.__module__}')


def setup(app: Any) -> Dict[str, bool]:
    app.add_directive('registered-classes', RegisteredClasses)
    return {'parallel_read_safe': True}
