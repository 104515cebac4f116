"""Base class of the metrics: one table row per expression."""

import csv
import io
import json
from pathlib import Path
from typing import Any, ClassVar, Dict, List, Mapping, Optional, Sequence

from mmengine.evaluator import BaseMetric
from mmengine.logging import print_log

from ..errors import InputError
from ..io.atomic import write_atomically

TABLE_FORMATS = ('.csv', '.json')


class TableMetric(BaseMetric):
    """A metric that scores video by video and can write a table.

    ``results`` gets one entry per video: MMEngine then drops the samples
    that the sampler repeats, and every expression counts once.

    A subclass names the test options of the model on which it depends in the
    class attribute ``needs``: fields of ``model.test_cfg`` and their values.
    :class:`MetricNeedsHook` sets those that the config does not set.

    Args:
        per_expression_table: Write the numbers of every expression to this
            ``.csv`` or ``.json`` file.
        collect_device: Where results of several processes are collected,
            ``'cpu'`` or ``'gpu'``.
        prefix: Put before the names of the numbers, none by default.
        collect_dir: Folder that all processes share, for ``'cpu'``.

    Raises:
        InputError: If the table has another suffix.
    """

    default_prefix = ''
    needs: ClassVar[Mapping[str, Any]] = {}

    def __init__(
        self,
        per_expression_table: Optional[str] = None,
        collect_device: str = 'cpu',
        prefix: Optional[str] = None,
        collect_dir: Optional[str] = None,
    ) -> None:
        super().__init__(collect_device, prefix, collect_dir)
        self.per_expression_table = per_expression_table
        if per_expression_table is not None:
            check_table_format(type(self).__name__, per_expression_table)

    def score_video(self, sample: dict) -> List[dict]:
        """Score every expression of a video.

        Args:
            sample: The dict of ``RefDataSample.to_dict()``.

        Returns:
            One entry per expression.

        Raises:
            InputError: If predictions or ground truth are missing or do not
                fit the frames.
        """
        raise NotImplementedError

    def summarize(self, scored: List[dict]) -> Dict[str, float]:
        """Reduce the entries of all videos to the numbers of the metric."""
        raise NotImplementedError

    def row_of(self, entry: dict) -> dict:
        """Return the table row of an entry."""
        return entry

    def process(self, data_batch: Any, data_samples: Sequence[dict]) -> None:
        """Score a batch of videos."""
        for sample in data_samples:
            self.results.append(self.score_video(sample))

    def compute_metrics(self, results: List[List[dict]]) -> Dict[str, float]:
        """Sum up the videos of all processes and write the table."""
        scored = [entry for video in results for entry in video]
        if self.per_expression_table is not None:
            rows = [self.row_of(entry) for entry in scored]
            write_table(self.per_expression_table, rows)
            print_log(
                f'Table of {len(rows)} rows: {self.per_expression_table}',
                logger='current',
            )
        return self.summarize(scored)


def write_table(path: str, rows: List[dict]) -> None:
    """Write one row per expression as CSV or JSON, atomically."""
    file = io.StringIO(newline='')
    if Path(path).suffix == '.json':
        json.dump(rows, file, ensure_ascii=False, indent=1)
    else:
        writer = csv.DictWriter(file, list(rows[0]) if rows else [])
        writer.writeheader()
        writer.writerows(
            {**row, 'objects': ' '.join(row['objects'])} for row in rows
        )
    write_atomically(path, file.getvalue().encode())


def check_table_format(metric: str, path: str) -> None:
    """Raise InputError if the table of a metric has another suffix."""
    if Path(path).suffix not in TABLE_FORMATS:
        raise InputError.of(
            metric,
            'per_expression_table',
            path,
            f'a file name ending in {" or ".join(TABLE_FORMATS)}',
        )
