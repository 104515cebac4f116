"""Start the processes of a distributed run: torchrun, which ends quietly.

    python tools/dist_launch.py [options of torchrun] SCRIPT [arguments]

Ctrl-C and bad input are told by the processes themselves in one line; torchrun
would add a traceback of its own. The exit status is theirs.
"""

import logging
import signal
import sys

from torch.distributed import run
from torch.distributed.elastic.multiprocessing import SignalException
from torch.distributed.elastic.multiprocessing.errors import ChildFailedError

# Bad input, and stopped by Ctrl-C (refvos.engine.cli).
BAD_INPUT, STOPPED = 2, 128 + signal.SIGINT
LOGGERS = (
    'torch.distributed.elastic.agent.server.api',
    'torch.distributed.elastic.multiprocessing.api',
)
# What torchrun logs of a stop by Ctrl-C or of an exit with these statuses.
EXPECTED = (
    'Received 2 death signal',
    'Received Signals.SIGINT death signal',
    'Sending process',
    f'failed (exitcode: {BAD_INPUT})',
    f'failed (exitcode: {STOPPED})',
)


def is_unexpected(record: logging.LogRecord) -> bool:
    """Whether a log record is none of ``EXPECTED``."""
    message = record.getMessage()
    return not any(part in message for part in EXPECTED)


def main() -> int:
    """Run torchrun; give the exit status."""
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
    sys.exit(main())
