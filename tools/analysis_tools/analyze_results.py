"""Where a model is good and bad: from the table that testing wrote.

    python tools/test.py CONFIG CHECKPOINT --out table.csv
    python tools/analysis_tools/analyze_results.py table.csv --out analysis \\
        --config CONFIG --checkpoint CHECKPOINT

Writes the summary that it prints (scores by kind of expression, quantiles,
a histogram, the worst and the best expressions) to ``summary.txt``, and a
strip of each of these expressions, predicted masks in colour and true ones
outlined, to ``worst`` and ``best``. The masks come from the checkpoint, which
then answers just these expressions, or from --predictions, a folder
``<video>/<expression>/<frame>.png`` as submissions are written. Drawn masks
are scored again: a warning says where the table has other numbers. Without
--config nothing is drawn.
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
from PIL import Image
from pycocotools import mask as rle_codec

from refvos.apis import RefVOSInferencer
from refvos.engine.cli import load_config, run_tool
from refvos.errors import InputError, describe
from refvos.evaluation.jf_metric import score_video
from refvos.io.atomic import write_atomically
from refvos.structures import RefDataSample, ReferencePrediction
from refvos.visualization import RefVOSVisualizer, write_image
from refvos.visualization.visualization_hook import read_frames

Row = Dict[str, Any]

NAMES = ('video', 'reference', 'text')
QUANTILES = (0, 10, 25, 50, 75, 90, 100)
BINS = 10
BAR = 40
# In percent: a GPU's rounding moves a few pixels.
SAME_SCORE = 0.5


def parse_args(argv: Optional[Sequence[str]] = None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    add = parser.add_argument
    add('table', metavar='TABLE', help='.csv or .json of tools/test.py --out')
    add('--out', required=True, metavar='DIR', help='folder to write')
    add('--config', help='whose test set has the videos')
    add('--checkpoint', metavar='WEIGHTS', help='answers anew, to be drawn')
    add('--predictions', metavar='DIR', help='masks as written, to be drawn')
    add('--worst', type=int, default=10, help='expressions (default: 10)')
    add('--best', type=int, default=10, help='expressions (default: 10)')
    add(
        '--by',
        choices=('kind', 'objects'),
        default='kind',
        help='group by the kind of expression, or by the number of objects '
        'that it means (default: kind)',
    )
    add('--score', default='J&F', help='column to go by (default: J&F)')
    add('--device', help='such as cuda:0 or cpu (default: the first GPU)')
    add('--data-root', help="of the test set, instead of the config's")
    args = parser.parse_args(argv)
    if args.worst < 0 or args.best < 0:
        parser.error('--worst and --best must not be negative')
    if args.checkpoint and args.predictions:
        parser.error('--checkpoint and --predictions exclude each other')
    if bool(args.config) != bool(args.checkpoint or args.predictions):
        parser.error(
            '--config goes with --checkpoint or --predictions: the one has '
            'the videos, the other the masks'
        )
    return args


def read_table(path: str, score: str) -> List[Row]:
    """Read the rows; ``score`` becomes a number, ``objects`` a list."""
    file = Path(path)
    try:
        text = file.read_text(encoding='utf-8')
        if file.suffix == '.json':
            rows = json.loads(text)
        else:
            rows = list(csv.DictReader(text.splitlines()))
    except (OSError, ValueError) as error:
        raise InputError.of(
            path, 'table', str(error), 'what tools/test.py --out writes'
        ) from None
    if not isinstance(rows, list) or not rows:
        raise InputError.of(path, 'rows', rows, 'a row for each expression')
    for number, row in enumerate(rows, start=1):
        for name in (*NAMES, score):
            if not isinstance(row, dict) or row.get(name) is None:
                found = list(row) if isinstance(row, dict) else row
                raise InputError.of(
                    path, f'columns of row {number}', found, f'{name!r}'
                )
        try:
            row[score] = float(row[score])
        except ValueError:
            raise InputError.of(
                path, f'{score} of row {number}', row[score], 'a number'
            ) from None
        objects = row.get('objects') or []
        row['objects'] = (
            objects.split() if isinstance(objects, str) else objects
        )
    return rows


def group_of(row: Row, by: str) -> str:
    """The name of the group that a row belongs to."""
    if by == 'objects':
        return str(len(row['objects']))
    return row.get('kind') or '(none)'


def group_lines(rows: List[Row], by: str, score: str) -> List[str]:
    """A line of numbers for each group, and for all."""
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
    """Bars of the numbers of expressions between 0 and 100."""
    counts, edges = np.histogram(scores, BINS, (0, 100))
    lines = []
    for count, low, high in zip(counts, edges, edges[1:]):
        bar = '#' * int(np.ceil(BAR * count / counts.max()))
        lines.append(f'{low:3.0f} to {high:3.0f} {count:6} {bar}'.rstrip())
    return lines


def choose(
    rows: List[Row], worst: int, best: int, score: str
) -> Dict[str, List[Row]]:
    """The worst from the worst on, the best from the best on."""
    ordered = sorted(rows, key=lambda row: row[score])
    return {
        'worst': ordered[:worst],
        'best': ordered[::-1][:best],
    }


def row_line(row: Row, score: str) -> str:
    kind = f' ({row["kind"]})' if row.get('kind') else ''
    return (
        f'{row[score]:6.1f}  {row["text"]}{kind}  '
        f'[{row["video"]}, {row["reference"]}]'
    )


def summary(
    rows: List[Row], chosen: Dict[str, List[Row]], by: str, score: str
) -> str:
    """The text for people."""
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
        config: With a test set.
        source: For messages.
    """

    def __init__(self, config: Config, source: str) -> None:
        if config.get('test_dataloader') is None:
            raise InputError.of(
                source, 'test_dataloader', None, 'the set that was tested'
            )
        self.source = source
        self.dataset = DATASETS.build(config.test_dataloader['dataset'])
        infos = [
            self.dataset.get_data_info(i) for i in range(len(self.dataset))
        ]
        self.infos = {str(info['video_id']): info for info in infos}

    def load(self, video: str, references: List[str]) -> Dict[str, Any]:
        """Take a video with these references only through the pipeline."""
        info = self.infos.get(video)
        known = {} if info is None else {r.id: r for r in info['references']}
        for reference in references:
            if info is None or reference not in known:
                raise InputError.of(
                    self.source,
                    'test set',
                    f'video {video}, reference {reference}',
                    'the set that the table is of',
                )
        assert info is not None
        wanted = [known[reference] for reference in references]
        return self.dataset.pipeline(dict(info, references=wanted))


def answer(
    inferencer: RefVOSInferencer, packed: Dict[str, Any]
) -> RefDataSample:
    """Let the model answer a video's references."""
    (sample,) = inferencer.model.test_step(
        {key: [value] for key, value in packed.items()}
    )
    return sample


def read_predictions(folder: Path, sample: RefDataSample) -> None:
    """Fill ``predictions`` with the masks of a submission."""
    sample.predictions = []
    for reference in sample.references:
        place = folder / str(sample.video_id) / reference.id
        masks = []
        for frame in sample.frame_ids:
            path = place / f'{frame}.png'
            try:
                mask = np.asarray(Image.open(path).convert('L')) > 0
            except OSError as error:
                raise InputError.of(
                    path, 'mask', str(error), 'a PNG, 0 and 255'
                ) from None
            masks.append(rle_codec.encode(np.asfortranarray(mask, np.uint8)))
        # Submissions hold no scores.
        sample.predictions.append(
            ReferencePrediction(reference, masks, float('nan'))
        )


def answered_videos(
    chosen: Dict[str, List[Row]], args: argparse.Namespace
) -> Iterator[Tuple[RefDataSample, List[Row]]]:
    """Samples with predictions, and the rows that they are of."""
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
            sample = answer(inferencer, packed)
        yield sample, list(rows.values())


def compare(sample: RefDataSample, rows: List[Row]) -> None:
    """Warn where the table's J&F is not that of the masks drawn."""
    if 'gt_tubes' not in sample or not all('J&F' in row for row in rows):
        return
    for row, again in zip(rows, score_video(sample.to_dict()), strict=True):
        found = float(again['J&F'])
        if abs(found - float(row['J&F'])) > SAME_SCORE:
            where = f'video {row["video"]}, reference {row["reference"]}'
            print_log(
                describe(
                    where,
                    'J&F of the masks drawn',
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
    """Draw the chosen expressions; gives the number of pictures."""
    visualizer = RefVOSVisualizer('analysis', max_references=1)
    drawn = 0
    for sample, rows in answered_videos(chosen, args):
        compare(sample, rows)
        frames = read_frames(sample)
        for row, prediction in zip(rows, sample.predictions, strict=True):
            one = RefDataSample(metainfo=sample.metainfo)
            one.predictions = [prediction]
            if 'gt_tubes' in sample:
                one.gt_tubes = sample.gt_tubes
            strip = visualizer.draw_strip(frames, one)
            for name, some in chosen.items():
                if row in some:
                    place = some.index(row) + 1
                    write_image(folder / name / file_name(place, row), strip)
                    drawn += 1
    return drawn


def file_name(place: int, row: Row) -> str:
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
