"""What a checkpoint must hold to resume from, and what it decides."""

from collections import Counter
from collections.abc import Iterable, Mapping
from typing import Any, Dict, List

from ..errors import InputError, short_repr

NEEDED = (
    "a training's checkpoint, which holds it; weights alone start one with "
    '--load-from'
)
SAME = "as the config's; --load-from starts from the weights alone"
# What changes while a training runs.
STATE = ('last_step', '_last_value', '_global_step', 'base_values', 'verbose')


def check_resumable(
    runner: Any, checkpoint: Mapping[str, Any], source: str
) -> None:
    """Refuse checkpoints that a training cannot go on from.

    Args:
        runner: With its optimizer and schedulers built.
        checkpoint: What was loaded.
        source: For messages.

    Raises:
        InputError: Naming the entry that is missing or of another training.
    """
    meta: Any = checkpoint.get('meta')
    for name in ('epoch', 'iter'):
        found = meta.get(name) if isinstance(meta, dict) else None
        if not isinstance(found, int) or found < 0:
            raise InputError.of(source, f'meta.{name}', found, NEEDED)
    seed = meta.get('seed')
    if seed is not None and not (isinstance(seed, int) and 0 <= seed < 2**32):
        raise InputError.of(source, 'meta.seed', seed, 'an integer, 32 bits')
    parts = {
        'message_hub': ('log_scalars', 'runtime_info', 'resumed_keys'),
        'optimizer': ('state', 'param_groups'),
    }
    wrapper = runner.optim_wrapper
    if not hasattr(wrapper, 'optimizer'):  # Several, by name.
        parts['optimizer'] = ()
    for name, entries in parts.items():
        found = checkpoint.get(name)
        if not isinstance(found, dict):
            raise InputError.of(source, name, found, NEEDED)
        for entry in entries:
            if not isinstance(found.get(entry), (dict, list)):
                raise InputError.of(
                    source, f'{name}.{entry}', found.get(entry), NEEDED
                )
    if hasattr(wrapper, 'optimizer'):
        check_groups(wrapper.optimizer, checkpoint['optimizer'], source)
    ours: Any = runner.param_schedulers
    theirs: Any = checkpoint.get('param_schedulers')
    if ours is not None and (
        type(theirs) is not type(ours) or len(theirs) != len(ours)
    ):
        found = None if theirs is None else len(theirs)
        raise InputError.of(
            source, 'number of param_schedulers', found, f'{len(ours)}, {SAME}'
        )
    if isinstance(ours, list):
        for number, (saved, own) in enumerate(zip(theirs, ours)):
            if not is_state(saved, own.state_dict()):
                raise InputError.of(
                    source,
                    f'param_schedulers.{number}',
                    saved,
                    f'the state of a {type(own).__name__}, {SAME}',
                )
    averages = checkpoint.get('ema_state_dict', {})
    for key in averages if isinstance(averages, dict) else ['']:
        name = str(key).removeprefix('module.')
        if name != key and name not in checkpoint['state_dict']:
            raise InputError.of(
                source, 'ema_state_dict', averages, 'averages of state_dict'
            )


def is_state(saved: Any, own: Mapping[str, Any]) -> bool:
    """Whether a scheduler can take a state: entries that it has itself."""
    numbers = (int, float)
    return isinstance(saved, dict) and all(
        key in own
        and isinstance(value, numbers) == isinstance(own[key], numbers)
        for key, value in saved.items()
    )


def check_groups(
    optimizer: Any, saved: Mapping[str, Any], source: str
) -> None:
    """Refuse the state of an optimizer with other parameters."""
    groups = saved['param_groups']
    try:
        sizes = [len(group['params']) for group in groups]
    except (KeyError, TypeError):
        sizes = []
    own = [len(group['params']) for group in optimizer.param_groups]
    if sizes != own:
        raise InputError.of(
            source,
            "parameters in the optimizer's groups",
            sizes,
            f'{short_repr(own)}, {SAME}',
        )


def overridden(runner: Any, checkpoint: Mapping[str, Any]) -> List[str]:
    """Say which settings the checkpoint overrides where it is resumed.

    Returns:
        One line, or none if the config says the same.
    """
    found: List[str] = []
    wrapper = runner.optim_wrapper
    if hasattr(wrapper, 'optimizer'):
        name = type(wrapper.optimizer).__name__
        for saved, ours in zip(
            checkpoint['optimizer']['param_groups'],
            wrapper.optimizer.param_groups,
        ):
            found += differences(name, settings(saved), settings(ours))
    if isinstance(runner.param_schedulers, list):
        for saved, ours in zip(
            checkpoint['param_schedulers'], runner.param_schedulers
        ):
            found += differences(
                type(ours).__name__, plain(saved), plain(ours.state_dict())
            )
    if not found:
        return []
    return [
        "--resume goes on with the checkpoint's settings, not with the "
        f'new ones: {"; ".join(dict.fromkeys(found))}'
    ]


def settings(group: Mapping[str, Any]) -> Dict[str, Any]:
    """Take what a config says of a group of parameters."""
    found = {k: v for k, v in group.items() if k not in ('params', 'lr')}
    # Schedulers change the rate, and keep what it was at first.
    found['lr'] = found.pop('initial_lr', group.get('lr'))
    return found


def plain(state: Any) -> Dict[str, Any]:
    """Take what a config says of a scheduler."""
    if not isinstance(state, dict):
        return {}
    found = {k: v for k, v in state.items() if k not in STATE}
    for name, value in found.items():
        if isinstance(value, Counter):
            found[name] = sorted(value, key=repr)
    return found


def differences(
    owner: str, saved: Mapping[str, Any], ours: Mapping[str, Any]
) -> Iterable[str]:
    """Name what differs, with both values."""
    kinds = (int, float, str, list, tuple, type(None))
    for name, value in ours.items():
        if not isinstance(value, kinds) or name not in saved:
            continue
        other = saved[name]
        if not isinstance(other, kinds):
            continue
        if isinstance(value, (list, tuple)) and isinstance(
            other, (list, tuple)
        ):
            value, other = list(value), list(other)
        if value != other:
            yield (
                f'{owner} {name} {short_repr(other)} (config: '
                f'{short_repr(value)})'
            )
