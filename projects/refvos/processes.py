"""Processes that end with the one that started them."""

import multiprocessing
import os
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from contextlib import ExitStack
from multiprocessing.connection import wait
from typing import Any

# How often a process looks for its parent, in seconds.
LOOK_EVERY = 1.0


def end_with_parent() -> None:
    """Watch this process' parent from a thread; end when it is gone.

    A parent that is killed (SIGKILL, or by the kernel when memory is short)
    cannot end its workers: they would wait for work, or for a reader of
    their results, for ever.
    """
    # Of multiprocessing. With a fork server that is not the process above.
    parent = multiprocessing.parent_process()
    above = os.getppid()

    def watch() -> None:
        while os.getppid() == above:
            if parent is None:
                time.sleep(LOOK_EVERY)
            elif wait([parent.sentinel], LOOK_EVERY):
                break
        os._exit(1)

    threading.Thread(target=watch, daemon=True).start()


def map_in_order(
    run: Callable[[Any], Any],
    jobs: Sequence[Any],
    workers: int,
    initializer: Callable[..., None],
    *initargs: Any,
) -> Iterator[Any]:
    """Run jobs in several processes; yield their results in order.

    Args:
        run: A function of a module, called with each job.
        jobs: What can be pickled.
        workers: Number of processes.
        initializer: A function of a module that prepares a process.
        initargs: Its arguments.
    """
    with ExitStack() as stack:
        pool = stack.enter_context(
            ProcessPoolExecutor(
                workers,
                # A fork of this process would inherit locks that threads of
                # PyAV or torch may hold, and wait for them forever.
                mp_context=multiprocessing.get_context('forkserver'),
                initializer=_prepare,
                initargs=(initializer, initargs),
            )
        )
        # On an error or an interrupt, do not run what is waiting.
        stack.callback(pool.shutdown, cancel_futures=True)
        yield from pool.map(run, jobs, chunksize=8)


def _prepare(
    initializer: Callable[..., None], initargs: Sequence[Any]
) -> None:
    end_with_parent()
    initializer(*initargs)
