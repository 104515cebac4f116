"""Find the strengths and weaknesses of a model in the table of a test.

    python tools/test.py CONFIG CHECKPOINT --out table.csv
    python tools/analysis_tools/analyze_results.py table.csv --out analysis \\
        --config CONFIG --checkpoint CHECKPOINT

Prints a summary (scores by kind of expression, quantiles, a histogram, the
worst and the best expressions) and writes it to ``summary.txt``, and a strip
of each of these expressions to ``worst`` and ``best``: predicted masks in
colour, the ground truth outlined. The masks are those of the checkpoint, which
predicts only these expressions, or of --predictions, a folder
``<video>/<expression>/<frame>.png`` as in submissions. The J&F of the drawn
masks is computed, and a warning names the expressions where the table has
another one. Without --config nothing is drawn.
"""

import argparse
import csv
import json
import re
import sys
from collections import defaultdict
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, Dict, List, Optional, Tuple

import numpy as np
from mmdet.registry import DATASETS
from mmengine.config import Config
from mmengine.logging import print_log
from mmengine.registry import init_default_scope
from pycocotools import mask as rle_codec

from refvos.apis import RefVOSInferencer
from refvos.engine.cli import load_config, run_tool
from refvos.errors import InputError, describe
from refvos.evaluation import JFMetric
from refvos.io.atomic import write_atomically
from refvos.io.local_files import read_local_bytes
from refvos.io.masks import read_binary
from refvos.structures import RefDataSample, ReferencePrediction
from refvos.visualization import RefVOSVisualizer, write_image
from refvos.visualization.visualization_hook import (
    read_frames,
    read_pixel_aspect,
)

Row = Dict[str, Any]

NAMES = ('video', 'reference', 'text')
QUANTILES = (0, 10, 25, 50, 75, 90, 100)
BINS = 10
BAR = 40
# In percent: on a GPU, rounding changes a few pixels.
SAME_SCORE = 0.5


def parse_args(argv: Optional[Sequence[str]] = None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    add = parser.add_argument
    add('table', metavar='TABLE', help='.csv or .json of tools/test.py --out')
    add('--out', required=True, metavar='DIR', help='folder to write')
    add('--config', help='config with the test set of the table')
    add('--checkpoint', metavar='WEIGHTS', help='predict the masks to draw')
    add('--predictions', metavar='DIR', help='read the masks to draw')
    add(
        '--worst',
        type=int,
        default=10,
        help='number of the worst expressions (default: 10)',
    )
    add(
        '--best',
        type=int,
        default=10,
        help='number of the best expressions (default: 10)',
    )
    add(
        '--by',
        choices=('kind', 'objects'),
        default='kind',
        help='group by the kind of expression, or by the number of objects '
        'that it refers to (default: kind)',
    )
    add('--score', default='J&F', help='column to sort by (default: J&F)')
    add('--device', help='such as cuda:0 or cpu (default: the first GPU)')
    add('--data-root', help='folder of the test set (default: of the config)')
    args = parser.parse_args(argv)
    if args.worst < 0 or args.best < 0:
        parser.error('--worst and --best must not be negative')
    if args.checkpoint and args.predictions:
        parser.error('--checkpoint and --predictions exclude each other')
    if bool(args.config) != bool(args.checkpoint or args.predictions):
        parser.error(
            '--config and one of --checkpoint and --predictions are needed '
            'together: the config has the videos, the other the masks'
        )
    return args


def read_table(path: str, score: str) -> List[Row]:
    """Read the rows of a table.

    Args:
        path: A ``.csv`` or ``.json`` file.
        score: Name of the column that is sorted by.

    Returns:
        One dict per expression, whose ``score`` is a number and whose
        ``objects`` are a list.

    Raises:
        InputError: If the file cannot be read, or a column is missing or not
            a number.
    """
    file = Path(path)
    try:
        text = read_local_bytes(file, 'a table').decode()
        if file.suffix == '.json':
            rows = json.loads(text)
        else:
            rows = list(csv.DictReader(text.splitlines()))
    except InputError:
        raise
    except (RecursionError, ValueError, csv.Error) as error:
        raise InputError.of(
            path, 'table', str(error), 'a table of tools/test.py --out'
        ) from None
    if not isinstance(rows, list) or not rows:
        raise InputError.of(path, 'rows', rows, 'a row per expression')
    for number, row in enumerate(rows, start=1):
        for name in (*NAMES, score):
            if not isinstance(row, dict) or row.get(name) is None:
                found = list(row) if isinstance(row, dict) else row
                raise InputError.of(
                    path, f'columns of row {number}', found, f'{name!r}'
                )
        for name in (*NAMES, 'kind'):
            if not isinstance(row.get(name), (str, type(None))):
                raise InputError.of(
                    path, f'{name} of row {number}', row[name], 'a text'
                )
        try:
            row[score] = float(row[score])
        except (TypeError, ValueError):
            raise InputError.of(
                path, f'{score} of row {number}', row[score], 'a number'
            ) from None
        objects = row.get('objects') or []
        if isinstance(objects, str):
            objects = objects.split()
        if not isinstance(objects, list):
            raise InputError.of(
                path, f'objects of row {number}', objects, 'a list of names'
            )
        row['objects'] = objects
    return rows


def group_of(row: Row, by: str) -> str:
    """Return the name of the group of a row."""
    if by == 'objects':
        return str(len(row['objects']))
    return row.get('kind') or '(none)'


def group_lines(rows: List[Row], by: str, score: str) -> List[str]:
    """Format number, mean and quantiles, one line per group and for all."""
    groups: Dict[str, List[float]] = defaultdict(list)
    for row in rows:
        groups[group_of(row, by)].append(row[score])
    head = f'{by:14}{"number":>8}{"mean":>8}' + ''.join(
        f'{f"{q}%":>7}' for q in QUANTILES
    )
    lines = [head]
    everything = {'all': [row[score] for row in rows]}
    for name, scores in [*sorted(groups.items()), *everything.items()]:
        quantiles = np.percentile(scores, QUANTILES)
        lines.append(
            f'{name:14}{len(scores):8}{np.mean(scores):8.1f}'
            + ''.join(f'{value:7.1f}' for value in quantiles)
        )
    return lines


def histogram_lines(scores: List[float]) -> List[str]:
    """Format a histogram of scores between 0 and 100."""
    counts, edges = np.histogram(scores, BINS, (0, 100))
    lines = []
    for count, low, high in zip(counts, edges, edges[1:]):
        bar = '#' * int(np.ceil(BAR * count / counts.max()))
        lines.append(f'{low:3.0f} to {high:3.0f} {count:6} {bar}'.rstrip())
    return lines


def choose(
    rows: List[Row], worst: int, best: int, score: str
) -> Dict[str, List[Row]]:
    """Choose the worst rows, in ascending order, and the best, descending."""
    ordered = sorted(rows, key=lambda row: row[score])
    return {
        'worst': ordered[:worst],
        'best': ordered[::-1][:best],
    }


def row_line(row: Row, score: str) -> str:
    """Format a row of the table."""
    kind = f' ({row["kind"]})' if row.get('kind') else ''
    return (
        f'{row[score]:6.1f}  {row["text"]}{kind}  '
        f'[{row["video"]}, {row["reference"]}]'
    )


def summary(
    rows: List[Row], chosen: Dict[str, List[Row]], by: str, score: str
) -> str:
    """Format the whole summary."""
    lines = [f'{score} of {len(rows)} expressions', '']
    lines += group_lines(rows, by, score)
    lines += ['', f'expressions by {score}']
    lines += histogram_lines([row[score] for row in rows])
    for name, some in chosen.items():
        if some:
            lines += ['', name, *(row_line(row, score) for row in some)]
    return '\n'.join(lines) + '\n'


class Videos:
    """The videos of a config's test set, by name, with some references.

    Args:
        config: A config with a test set.
        source: Name of the config for error messages.

    Raises:
        InputError: If there is no test set.
    """

    def __init__(self, config: Config, source: str) -> None:
        if config.get('test_dataloader') is None:
            raise InputError.of(
                source, 'test_dataloader', None, 'the test set of the table'
            )
        self.source = source
        init_default_scope(config.get('default_scope', 'mmdet'))
        self.dataset = DATASETS.build(config.test_dataloader['dataset'])
        infos = [
            self.dataset.get_data_info(i) for i in range(len(self.dataset))
        ]
        self.infos = {str(info['video_id']): info for info in infos}

    def load(self, video: str, references: List[str]) -> Dict[str, Any]:
        """Run the pipeline on a video with only these references.

        Raises:
            InputError: If the test set lacks the video or a reference.
        """
        info = self.infos.get(video)
        known = {} if info is None else {r.id: r for r in info['references']}
        for reference in references:
            if info is None or reference not in known:
                raise InputError.of(
                    self.source,
                    'test set',
                    f'video {video}, reference {reference}',
                    'the test set of the table',
                )
        assert info is not None
        wanted = [known[reference] for reference in references]
        return self.dataset.pipeline(dict(info, references=wanted))


def predict(
    inferencer: RefVOSInferencer, packed: Dict[str, Any]
) -> RefDataSample:
    """Predict the references of a video."""
    (sample,) = inferencer.model.test_step(
        {key: [value] for key, value in packed.items()}
    )
    return sample


def read_predictions(folder: Path, sample: RefDataSample) -> None:
    """Fill ``predictions`` with the masks of a submission.

    Raises:
        InputError: If a mask is missing, broken or of another size than its
            frame.
    """
    sample.predictions = []
    empty = np.zeros(sample.ori_shape[:2], np.uint8)
    for reference in sample.references:
        place = folder / str(sample.video_id) / reference.id
        masks = []
        for name in sample.frame_ids:
            frame = {
                'frame_id': name,
                'binary_mask_path': str(place / f'{name}.png'),
                'ori_shape': sample.ori_shape[:2],
            }
            drawn = read_binary(frame, [reference.id])[reference.id]
            mask = empty if drawn is None else drawn
            masks.append(rle_codec.encode(np.asfortranarray(mask, np.uint8)))
        # Submissions have no scores.
        sample.predictions.append(
            ReferencePrediction(reference, masks, float('nan'))
        )


def predicted_videos(
    chosen: Dict[str, List[Row]], args: argparse.Namespace
) -> Iterator[Tuple[RefDataSample, List[Row]]]:
    """Yield samples with predictions, and the row of each prediction."""
    options = {}
    if args.data_root:
        options['test_dataloader.dataset.data_root'] = args.data_root
    by_video: Dict[str, Dict[str, Row]] = defaultdict(dict)
    for row in [row for rows in chosen.values() for row in rows]:
        by_video[str(row['video'])][str(row['reference'])] = row
    inferencer = None
    if args.checkpoint:
        inferencer = RefVOSInferencer(
            args.config, args.checkpoint, args.device, cfg_options=options
        )
        config = inferencer.cfg
    else:
        config = load_config(args.config)
        config.merge_from_dict(options)
    videos = Videos(config, args.config)
    for video, rows in by_video.items():
        packed = videos.load(video, list(rows))
        if inferencer is None:
            sample = packed['data_samples']
            read_predictions(Path(args.predictions), sample)
        else:
            sample = predict(inferencer, packed)
        yield sample, list(rows.values())


def compare(sample: RefDataSample, rows: List[Row]) -> None:
    """Warn where the J&F of the table is not that of the drawn masks."""
    if 'gt_tubes' not in sample or not all('J&F' in row for row in rows):
        return
    scored = JFMetric().score_video(sample.to_dict())
    for row, drawn in zip(rows, scored, strict=True):
        found = float(drawn['J&F'])
        if abs(found - float(row['J&F'])) > SAME_SCORE:
            where = f'video {row["video"]}, reference {row["reference"]}'
            print_log(
                describe(
                    where,
                    'J&F of the drawn masks',
                    round(found, 1),
                    f'{float(row["J&F"]):.1f}, as in the table; are these '
                    'the weights and the references that were tested?',
                ),
                logger='current',
                level=30,
            )


def draw(
    chosen: Dict[str, List[Row]], args: argparse.Namespace, folder: Path
) -> int:
    """Draw the chosen expressions and return the number of pictures."""
    visualizer = RefVOSVisualizer('analysis', max_references=1)
    drawn = 0
    for sample, rows in predicted_videos(chosen, args):
        compare(sample, rows)
        frames = read_frames(sample)
        for row, prediction in zip(rows, sample.predictions, strict=True):
            one = RefDataSample(metainfo=sample.metainfo)
            one.predictions = [prediction]
            if 'gt_tubes' in sample:
                one.gt_tubes = sample.gt_tubes
            strip = visualizer.draw_strip(
                frames, one, pixel_aspect=read_pixel_aspect(sample)
            )
            for name, some in chosen.items():
                if row in some:
                    place = some.index(row) + 1
                    write_image(folder / name / file_name(place, row), strip)
                    drawn += 1
    return drawn


def file_name(place: int, row: Row) -> str:
    """Return the name of the picture of a row."""
    video = re.sub(r'[^\w.-]', '_', str(row['video']))
    return f'{place:02d}_{video}_{row["reference"]}.png'


def main(argv: Optional[Sequence[str]] = None) -> str:
    args = parse_args(argv)
    rows = read_table(args.table, args.score)
    chosen = choose(rows, args.worst, args.best, args.score)
    text = summary(rows, chosen, args.by, args.score)
    folder = Path(args.out)
    write_atomically(folder / 'summary.txt', text.encode())
    print(text)
    if args.config:
        print(f'{draw(chosen, args, folder)} pictures: {folder}')
    return text


if __name__ == '__main__':
    sys.exit(run_tool(main))
