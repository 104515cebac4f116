"""Start the processes of a distributed run with torchrun, without tracebacks.

    python tools/dist_launch.py [options of torchrun] SCRIPT [arguments]

The processes report Ctrl-C and bad input themselves, in one line; torchrun
would add a traceback. The exit status is that of the processes.
"""

import logging
import signal
import socket
import sys
from typing import List

# Exit statuses for bad input and for Ctrl-C (refvos.engine.cli).
BAD_INPUT, STOPPED = 2, 128 + signal.SIGINT
LOGGERS = (
    'torch.distributed.elastic.agent.server.api',
    'torch.distributed.elastic.multiprocessing.api',
)
# Parts of torchrun's messages about Ctrl-C and about these exit statuses.
EXPECTED = (
    'Received 2 death signal',
    'Received Signals.SIGINT death signal',
    'Sending process',
    f'failed (exitcode: {BAD_INPUT})',
    f'failed (exitcode: {STOPPED})',
)


def is_unexpected(record: logging.LogRecord) -> bool:
    """Whether a log record contains none of ``EXPECTED``."""
    message = record.getMessage()
    return not any(part in message for part in EXPECTED)


def set_port(arguments: List[str]) -> None:
    """Choose a free port for ``--master-port=0``; check any other.

    torchrun does neither, and would end with a traceback.

    Raises:
        OSError: The port is in use.
    """
    name = '--master-port='
    for index, argument in enumerate(arguments):
        if not argument.startswith(name):
            continue
        with socket.socket() as server:
            # A port that was in use a moment ago is free.
            server.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            server.bind(('', int(argument[len(name) :])))
            arguments[index] = f'{name}{server.getsockname()[1]}'


def main() -> int:
    """Run torchrun; return the exit status."""
    if '--node-rank=0' in sys.argv:
        try:
            set_port(sys.argv)
        except (OSError, OverflowError, ValueError) as error:
            reason = getattr(error, 'strerror', None) or error
            print(f'error: PORT: {reason}; set another', file=sys.stderr)
            return BAD_INPUT
    # Here, because this takes seconds, in which Ctrl-C may arrive.
    from torch.distributed import run
    from torch.distributed.elastic.multiprocessing import SignalException
    from torch.distributed.elastic.multiprocessing.errors import (
        ChildFailedError,
    )

    for name in LOGGERS:
        logging.getLogger(name).addFilter(is_unexpected)
    try:
        run.main()
    except SignalException as stop:
        if stop.sigval != signal.SIGINT:
            raise
        return STOPPED
    except ChildFailedError as error:
        _, failure = error.get_first_failure()
        if failure.exitcode not in (BAD_INPUT, STOPPED):
            raise
        return failure.exitcode
    return 0


if __name__ == '__main__':
    try:
        sys.exit(main())
    except KeyboardInterrupt:
        # Before torchrun handles signals; no process has been started.
        print('\nstopped', file=sys.stderr)
        sys.exit(STOPPED)
