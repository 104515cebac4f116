"""End scripts that are not ours, and interrupted imports, with one line.

Our tools run in :func:`refvos.engine.cli.run_tool`. Tools of mmdet, and other
scripts, only import this package.
"""

import os
import signal
import sys
import threading
from contextlib import contextmanager
from types import TracebackType
from typing import Any, Iterator, Optional, Type

from .disk import disk_line
from .errors import InputError, one_line

STOPPED = 128 + signal.SIGINT


def report_input_errors() -> None:
    """Print an ``InputError`` or a full disk that nothing catches in one line.

    It says what is wrong, and a traceback above it would only hide that. All
    other errors, and all in interactive sessions, are shown
    as before.
    """
    before = sys.excepthook

    def show(
        kind: Type[BaseException],
        error: BaseException,
        traceback: Optional[TracebackType],
    ) -> None:
        line = disk_line(error)
        if isinstance(error, InputError):
            line = one_line(error)
        if line is not None and not is_interactive():
            print(f'error: {line}', file=sys.stderr)
        else:
            before(kind, error, traceback)

    sys.excepthook = show


def is_interactive() -> bool:
    """Whether someone types the commands, who would lose the session."""
    return hasattr(sys, 'ps1')


@contextmanager
def interrupts_in_one_line() -> Iterator[None]:
    """Let Ctrl-C end the process with one line and exit status 130.

    For imports, which take seconds and have nothing to clean up. A signal
    that arrives in C code may come out as another error, or not at all, so
    that the signal itself is recorded.

    Raises:
        SystemExit: The process was interrupted.
    """
    interrupted = False

    def interrupt(signum: int, frame: Any) -> None:
        nonlocal interrupted
        interrupted = True
        raise KeyboardInterrupt

    # Other threads cannot set handlers, other handlers were set on purpose.
    if (
        is_interactive()
        or threading.current_thread() is not threading.main_thread()
        or signal.getsignal(signal.SIGINT) is not signal.default_int_handler
    ):
        yield
        return
    signal.signal(signal.SIGINT, interrupt)
    try:
        yield
    except BaseException:
        if not interrupted:
            raise
    finally:
        signal.signal(signal.SIGINT, signal.default_int_handler)
    if interrupted:
        # Once for all processes of a run.
        if os.environ.get('RANK', '0') == '0':
            print('\nstopped', file=sys.stderr)
        raise SystemExit(STOPPED)


report_input_errors()
