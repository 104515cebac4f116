"""Run command-line tools: arguments, config, errors, Ctrl-C."""

import argparse
import gc
import io
import multiprocessing
import os
import os.path as osp
import signal
import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any, Optional

import torch
from mmdet.registry import RUNNERS
from mmengine.config import Config
from mmengine.runner import Runner
from torch.utils.data import get_worker_info

from ..disk import disk_line
from ..errors import InputError, one_line
from ..io.out_folders import check_writable_folder
from ..io.safe_checkpoint import FILE_TYPES, set_trust
from ..processes import end_with_parent
from ..uncaught import STOPPED
from .checkpoint_fits_hook import CheckpointFitsHook
from .config_check import check_config, check_overrides
from .config_files import load_config
from .end_workers_hook import EndWorkersHook
from .memory import keep_large_buffers
from .options import OptionsAction
from .shared_memory import avoid_small_shared_memory

BAD_INPUT = 2
# In seconds; see :func:`run_until_stopped`.
INTERRUPT_DELAY = 1.0


def run_tool(
    main: Callable[[Optional[Sequence[str]]], object],
    argv: Optional[Sequence[str]] = None,
    keep_buffers: bool = True,
) -> int:
    """Run a tool; report bad input, a full disk and Ctrl-C in one line.

    Args:
        main: Takes the arguments. If it raises ``KeyboardInterrupt`` with a
            message, the message is added to the line.
        argv: The arguments; None for those of the process.
        keep_buffers: Call :func:`keep_large_buffers`.

    Returns:
        The exit status: 0, 2 for bad input or a full disk, or 130 for
        Ctrl-C.
    """
    if keep_buffers:
        keep_large_buffers()
    if 'TORCHELASTIC_RUN_ID' in os.environ:
        # Otherwise it would go on without its launcher.
        end_with_parent()
    print_any_name()
    with first_interrupt_only():
        try:
            run_until_stopped(main, argv)
        except InputError as error:
            print(f'error: {one_line(error)}', file=sys.stderr)
            return BAD_INPUT
        except OSError as error:
            line = disk_line(error)
            if line is None:
                raise
            print(f'error: {line}', file=sys.stderr)
            return BAD_INPUT
        except KeyboardInterrupt as stop:
            return end_after_interrupt(str(stop))
    leave_process_group()
    return 0


def print_any_name() -> None:
    """Let names of files that are not text be printed, with escapes.

    Otherwise the last line of a command fails after its work is done.
    """
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors='backslashreplace')


@contextmanager
def first_interrupt_only() -> Iterator[None]:
    """Raise ``KeyboardInterrupt`` for the first SIGINT, ignore the others.

    A launcher sends a second one to processes that the terminal has already
    interrupted; it must not break their clean-up. Loader workers ignore all:
    the process that started them ends them.
    """

    def interrupt(signum: int, frame: Any) -> None:
        if get_worker_info() is None:
            signal.signal(signal.SIGINT, signal.SIG_IGN)
            raise KeyboardInterrupt

    # Python allows handlers in the main thread only.
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = signal.signal(signal.SIGINT, interrupt)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)


def run_until_stopped(
    main: Callable[[Optional[Sequence[str]]], object],
    argv: Optional[Sequence[str]],
) -> None:
    """Run the main function of a tool; report an interrupt as such.

    When a process is interrupted, its peers fail with errors of their own.
    """
    try:
        main(argv)
    except (InputError, KeyboardInterrupt):
        raise
    except Exception:
        # A peer that was interrupted closes the connection, and the signal to
        # this process may arrive after that error.
        if torch.distributed.is_initialized():
            time.sleep(INTERRUPT_DELAY)
        raise


def end_after_interrupt(advice: str) -> int:
    """Report that the tool was stopped, once for all processes of a run.

    Args:
        advice: How to go on; may be empty.

    Returns:
        The exit status.
    """
    if os.environ.get('RANK', '0') == '0':
        print(f'\nstopped{"; " if advice else ""}{advice}', file=sys.stderr)
    if torch.distributed.is_initialized():
        # The ranks can no longer destroy the group together, and with the
        # group the exit of the interpreter would abort.
        for child in multiprocessing.active_children():
            child.kill()
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(STOPPED)
    return STOPPED


def leave_process_group() -> None:
    """Destroy the process group while all ranks are alive.

    DDP's reducer refers to it, in a reference cycle with the runner. Left to
    the exit of the interpreter, it is sometimes destroyed when its threads
    can no longer be joined, and the process aborts.
    """
    if not torch.distributed.is_initialized():
        return
    gc.collect()
    torch.distributed.barrier()
    torch.distributed.destroy_process_group()


def add_common_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments that training and testing share."""
    parser.add_argument(
        '--work-dir',
        metavar='DIR',
        help="folder of logs and checkpoints (default: the config's work_dir "
        'if it has one, else work_dirs/<name of the config>)',
    )
    parser.add_argument(
        '--cfg-options',
        nargs='+',
        action=OptionsAction,
        metavar='KEY=VALUE',
        help='change entries of the config, e.g. '
        'train_dataloader.batch_size=2 model.num_queries=1 '
        'optim_wrapper.optimizer.lr=1e-5; a list is written "[a,b]"',
    )
    parser.add_argument(
        '--launcher',
        choices=['none', 'pytorch', 'slurm', 'mpi'],
        default='none',
        help='how the processes of a distributed run were started '
        '(dist_*.sh and slurm_*.sh set it; default: none)',
    )
    parser.add_argument(
        '--trust-checkpoint',
        action='store_true',
        help='read checkpoints that hold more than tensors and plain data; '
        'such a file can run any code, so use it only for sources that you '
        'trust',
    )
    parser.add_argument(
        '--allow-missing',
        action='store_true',
        help="take weights that are not all of the config's model, or more; "
        'without it the first key that does not fit ends the run',
    )
    # torch.distributed.launch passes it; torchrun sets the variable.
    parser.add_argument(
        '--local-rank',
        '--local_rank',
        type=int,
        default=0,
        help=argparse.SUPPRESS,
    )


def add_precision_argument(parser: argparse.ArgumentParser) -> None:
    """Add --amp for inference."""
    parser.add_argument(
        '--amp',
        choices=['bf16', 'fp16'],
        help='predict in mixed precision; masks differ slightly, usually at '
        'their borders (bf16: GPUs, and CPUs that support it; fp16: GPUs)',
    )


def add_config_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the config, changes to it and the device, to measure a model."""
    parser.add_argument('config', help='config file')
    parser.add_argument(
        '--cfg-options',
        nargs='+',
        action=OptionsAction,
        default={},
        metavar='KEY=VALUE',
        help='change entries of the config, e.g. model.num_queries=1',
    )
    parser.add_argument(
        '--device', default='cpu', help='such as cuda:0 (default: cpu)'
    )


def add_size_arguments(
    parser: argparse.ArgumentParser, several: bool = False
) -> None:
    """Add the sizes of a made-up video and its references.

    Args:
        parser: Gets the arguments.
        several: ``--frames`` takes several numbers and gives a list.
    """
    parser.add_argument(
        '--frames',
        type=int,
        nargs='+' if several else None,
        default=[5] if several else 5,
        help='number of frames of the video'
        + ('; one measurement for each number' if several else '')
        + ' (default: 5)',
    )
    parser.add_argument(
        '--size',
        type=int,
        nargs=2,
        default=(360, 640),
        metavar=('H', 'W'),
        help='height and width of the frames that the model gets, in pixels '
        '(default: 360 640)',
    )
    parser.add_argument(
        '--references',
        type=int,
        default=1,
        help='number of references to answer (default: 1)',
    )
    parser.add_argument(
        '--words',
        type=int,
        default=10,
        help='number of tokens per expression (default: 10)',
    )
    parser.add_argument(
        '--seconds',
        type=int,
        default=5,
        help='length of a sound, for models without a text encoder '
        '(default: 5)',
    )


def prepare_config(args: argparse.Namespace) -> Config:
    """Read the config, apply the common arguments, check the result.

    Args:
        args: ``config`` and those of :func:`add_common_arguments`.

    Raises:
        InputError: The config or an option is wrong.
    """
    os.environ.setdefault('LOCAL_RANK', str(args.local_rank))
    set_trust(args.trust_checkpoint)
    cfg = load_config(args.config)
    cfg.setdefault('default_scope', 'mmdet')
    check_config(cfg, args.config)
    if args.cfg_options:
        merge_options(cfg, args.cfg_options, '--cfg-options')
        check_config(cfg, '--cfg-options')
    cfg.launcher = args.launcher
    if args.work_dir is not None:
        cfg.work_dir = args.work_dir
    elif cfg.get('work_dir') is None:
        name = osp.splitext(osp.basename(args.config))[0]
        cfg.work_dir = osp.join('work_dirs', name)
    check_writable_folder(cfg.work_dir, 'work_dir')
    return cfg


def merge_options(cfg: Config, options: Mapping, source: str) -> None:
    """Merge dotted options into a config.

    Args:
        cfg: Changed in place.
        options: Dotted names and values.
        source: Where the options came from, for messages.

    Raises:
        InputError: The config has no such place.
    """
    check_overrides(cfg, options)
    for name, value in options.items():
        try:
            cfg.merge_from_dict({name: value})
        except (AttributeError, IndexError, KeyError, TypeError) as error:
            raise InputError.of(
                source,
                name,
                value,
                f'a place that the config has ({error})',
            ) from error


def check_checkpoint(path: str, option: str) -> None:
    """Refuse a local checkpoint that is missing, before the work starts.

    Args:
        path: A file or an address (``https://``, ``torchvision://``, ...).
        option: The argument that named it.

    Raises:
        InputError: The file does not exist.
    """
    if '://' not in path and not osp.isfile(osp.expanduser(path)):
        raise InputError.of(path, option, 'missing', FILE_TYPES)


def build_runner(cfg: Config, allow_missing: bool = False) -> Runner:
    """Start the process group of a distributed run and build the runner.

    Without CUDA the processes communicate through gloo; mmengine itself
    requires a GPU per process.

    Args:
        cfg: The config from :func:`prepare_config`.
        allow_missing: Accept weights that do not fit the whole model.
    """
    avoid_small_shared_memory(cfg)
    if cfg.launcher != 'none' and not torch.cuda.is_available():
        _init_processes_on_cpu(cfg)
    build = RUNNERS.build if 'runner_type' in cfg else Runner.from_cfg
    runner = build(cfg)
    # Whatever hooks a config has: mmengine itself takes any weights.
    runner.register_hook(CheckpointFitsHook(allow_missing))
    runner.register_hook(EndWorkersHook())
    return runner


def _init_processes_on_cpu(cfg: Config) -> None:
    if cfg.launcher != 'pytorch':
        raise InputError.of(
            '--launcher',
            'launcher',
            cfg.launcher,
            'pytorch, because there is no GPU',
        )
    if not torch.distributed.is_initialized():
        torch.distributed.init_process_group('gloo')
    wrapper = dict(cfg.get('model_wrapper_cfg') or {})
    wrapper.setdefault('type', 'MMDistributedDataParallel')
    wrapper.setdefault('broadcast_buffers', False)
    wrapper.setdefault(
        'find_unused_parameters', cfg.get('find_unused_parameters', False)
    )
    # The default of mmengine is a GPU.
    wrapper.setdefault('device_ids', None)
    cfg.model_wrapper_cfg = wrapper
