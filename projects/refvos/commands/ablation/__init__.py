"""Train small models with one part changed each, and tabulate the scores."""

from .report import write_report
from .rows import Ablation
from .table import Row, Table, load_tables

__all__ = ['Ablation', 'Row', 'Table', 'load_tables', 'write_report']
