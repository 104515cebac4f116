"""Train a model; the arguments are in ``refvos.commands.train``."""

import sys

from refvos.commands.train import main
from refvos.engine.cli import run_tool

if __name__ == '__main__':
    sys.exit(run_tool(main))
