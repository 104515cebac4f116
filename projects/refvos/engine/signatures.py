"""Find the keyword arguments that a class takes, through its base classes."""

import ast
import inspect
import textwrap
from typing import Any, Optional, Set, Tuple

from mmengine.hooks import CheckpointHook, Hook
from mmengine.optim.scheduler.param_scheduler import _ParamScheduler
from mmengine.runner import Runner
from mmengine.utils import ManagerMixin


def accepted_arguments(target: Any) -> Optional[Set[str]]:
    """Return the names of the keyword arguments of a class or function.

    Most classes of mmdet take ``**kwargs`` for their base class. If a
    constructor passes them to ``super().__init__`` and uses them nowhere
    else, the names of the next class in the method resolution order are
    added.

    Args:
        target: A class or a function.

    Returns:
        The names; None if they cannot be determined.
    """
    if not inspect.isclass(target):
        return _function_arguments(target)
    names = _builder_arguments(target)
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
            # It passes its keywords to this method instead.
            names |= set(inspect.signature(Runner.save_checkpoint).parameters)
            return names - {'self'}
        # Usually `cls` itself; `super(Other, self)` skips classes.
        last = _super_starts_after(init, keywords, cls)
        while last != cls.__name__:
            if last is None or not mro:
                return None
            cls = mro.pop(0)
    return None


def _builder_arguments(cls: type) -> Set[str]:
    """Return the keys that mmengine removes before it calls a class."""
    if issubclass(cls, ManagerMixin):
        return {'name'}
    if issubclass(cls, Hook):
        return {'priority'}
    if issubclass(cls, _ParamScheduler):
        return {'convert_to_iter_based'}
    return set()


def _function_arguments(function: Any) -> Optional[Set[str]]:
    """Return the names of a function's arguments; None with ``**``."""
    names, keywords = _parameters(function)
    return None if keywords is not None else names


def _parameters(function: Any) -> Tuple[Optional[Set[str]], Optional[str]]:
    """Return the named parameters and the name of the ``**`` parameter.

    The first is None if the signature is not known: the function is written
    in C, or decorated (mmcv renames deprecated arguments with a decorator).
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


def _super_starts_after(init: Any, keywords: str, cls: type) -> Optional[str]:
    """Return the class after which ``super().__init__(**keywords)`` looks.

    Args:
        init: The constructor, whose source is read.
        keywords: Name of its ``**`` parameter.
        cls: The class it belongs to.

    Returns:
        The name of ``cls``, or of ``Other`` for ``super(Other, self)``. None
        if the keywords are used for anything else, or not at all.
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
            passed_on = [k.value for k in call.keywords if k.arg is None]
            if passed_on and uses == passed_on:
                return _super_class(call.func, cls)
    return None


def _is_super_init(function: ast.expr) -> bool:
    """Whether an expression is ``super(...).__init__``."""
    return (
        isinstance(function, ast.Attribute)
        and function.attr == '__init__'
        and isinstance(function.value, ast.Call)
        and isinstance(function.value.func, ast.Name)
        and function.value.func.id == 'super'
    )


def _super_class(function: Any, cls: type) -> Optional[str]:
    """Return the name of the first argument of ``super``, by default cls."""
    arguments = function.value.args
    if not arguments:
        return cls.__name__
    return arguments[0].id if isinstance(arguments[0], ast.Name) else None
