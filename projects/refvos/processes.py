"""Processes that end with the one that started them."""

import multiprocessing
import os
import threading
import time
from multiprocessing.connection import wait

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
