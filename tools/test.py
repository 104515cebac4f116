"""Test a model; the arguments are in ``refvos.commands.test``."""

import sys

from refvos.commands.test import main
from refvos.engine.cli import run_tool

if __name__ == '__main__':
    sys.exit(run_tool(main))
