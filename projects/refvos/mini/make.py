"""Write RefVOS-Mini to disk; equal arguments give equal bytes."""

import json
import logging
import shutil
from collections import Counter
from functools import partial
from pathlib import Path
from typing import Any, Dict, Iterator, List, Sequence, Tuple, Union

import cv2
from tqdm import tqdm

from ..errors import InputError
from ..processes import map_in_order
from .contact_sheet import draw_contact_sheet
from .expressions import KINDS_OF_EXPRESSION
from .scene import SCENES, SPLITS
from .video import MiniVideo, make_video
from .writers import WRITERS
from .writers.files import write_jpeg, write_json

# Increase it whenever the same arguments give other bytes.
VERSION = 9
NAME = 'RefVOS-Mini'
SUMMARY = 'mini.json'
CONTACT_SHEET = 'contact_sheet.jpg'
# Exists in the folder while the set is being written.
UNFINISHED = '.refvos_mini_unfinished'
SMALLEST_SIDE = 64
SHEET_VIDEOS = 6

logger = logging.getLogger(__name__)


def make_mini(
    dst: Union[str, Path],
    train: int = 1500,
    val: int = 40,
    test: int = 80,
    frames: int = 8,
    size: Tuple[int, int] = (96, 128),
    seed: int = 0,
    workers: int = 2,
    layouts: Sequence[str] = ('ref-youtube-vos',),
    progress: bool = True,
    scenes: str = 'mixed',
) -> Dict[str, Any]:
    """Write RefVOS-Mini, unless the folder already holds the same set.

    Args:
        dst: The data set's folder: new, empty or an earlier RefVOS-Mini,
            which is replaced if it is unfinished or has other arguments.
        train, val, test: Videos per split (folders train, valid, test).
        frames: Frames per video.
        size: (height, width) of the frames in pixels.
        seed: Random seed of the scenes; the held-out combinations of colour,
            kind and motion do not depend on it.
        workers: Number of processes; 0 or 1 for this one only. The files do
            not depend on it.
        layouts: Keys of ``WRITERS``.
        progress: Show a progress bar.
        scenes: 'mixed', or 'one-moves' for two objects of one kind, colour
            and size, one of them still, which expressions tell apart by
            their motion only; most training expressions refer to the moving
            one. Layouts with sounds have their own scenes.

    Returns:
        Content of ``mini.json``: version, arguments and counts.

    Raises:
        InputError: An argument is out of range, or the folder has other
            content.
    """
    dst = Path(dst)
    arguments: Dict[str, Any] = {
        'train': train,
        'val': val,
        'test': test,
        'frames': frames,
        'size': list(size),
        'seed': seed,
        'layouts': sorted(set(layouts)),
    }
    if scenes != 'mixed':
        # Sets that are older than the argument stay valid.
        arguments['scenes'] = scenes
    check_arguments(arguments)
    made = read_summary(dst)
    wanted = {'version': VERSION, 'arguments': arguments}
    complete = made and not (dst / UNFINISHED).exists()
    if complete and all(made.get(key) == wanted[key] for key in wanted):
        logger.info('%s: already there', dst)
        return made
    clear(dst)
    counts = write_all(dst, arguments, workers, progress)
    shown = main_scenes(arguments)
    sheet_videos = [
        make_video(seed, 'test', index, frames, (size[0], size[1]), shown)
        for index in range(min(SHEET_VIDEOS, test))
    ]
    if sheet_videos:
        write_jpeg(dst / CONTACT_SHEET, draw_contact_sheet(sheet_videos))
    summary = {'name': NAME, **wanted, 'counts': counts}
    write_json(dst / SUMMARY, summary)
    (dst / UNFINISHED).unlink()
    return summary


def check_arguments(arguments: Dict[str, Any]) -> None:
    """Raise InputError for the first argument out of range."""
    least = {'train': 0, 'val': 0, 'test': 0, 'frames': 2, 'seed': 0}
    for name, bound in least.items():
        if arguments[name] < bound:
            raise InputError.of(
                'make_mini', name, arguments[name], f'{bound} or more'
            )
    size = arguments['size']
    if len(size) != 2 or min(size) < SMALLEST_SIDE:
        raise InputError.of(
            'make_mini',
            'size',
            size,
            f'height and width of {SMALLEST_SIDE} pixels or more',
        )
    offered = tuple(name for name in SCENES if name != 'sound')
    scenes = arguments.get('scenes', 'mixed')
    if scenes not in offered:
        raise InputError.of('make_mini', 'scenes', scenes, f'one of {offered}')
    for layout in arguments['layouts']:
        if layout not in WRITERS:
            raise InputError.of(
                'make_mini', 'layouts', layout, f'one of {sorted(WRITERS)}'
            )


def main_scenes(arguments: Dict[str, Any]) -> str:
    """Return the scenes to count and show: those with words, if any."""
    own = [WRITERS[layout].scenes for layout in arguments['layouts']]
    if own and own[0] is not None and None not in own:
        return own[0]
    return str(arguments.get('scenes', 'mixed'))


def read_summary(dst: Path) -> Dict[str, Any]:
    """Read the summary of an earlier set; empty if there is none."""
    try:
        summary = json.loads((dst / SUMMARY).read_text())
    except (OSError, ValueError, RecursionError):
        return {}
    ours = isinstance(summary, dict) and summary.get('name') == NAME
    return summary if ours else {}


def clear(dst: Path) -> None:
    """Prepare a folder for a new set; remove an earlier set only.

    Raises:
        InputError: The folder has other content.
    """
    if dst.exists() and not dst.is_dir():
        raise InputError.of(dst, 'DST', str(dst), 'a folder')
    found = {path.name for path in dst.iterdir()} if dst.is_dir() else set()
    if found and UNFINISHED not in found and not read_summary(dst):
        raise InputError.of(
            dst,
            'content',
            sorted(found)[0],
            f'an empty folder or one with a {NAME} to replace',
        )
    dst.mkdir(parents=True, exist_ok=True)
    (dst / UNFINISHED).touch()
    ours = {name for writer in WRITERS.values() for name in writer.made}
    for name in sorted(found & {SUMMARY, CONTACT_SHEET, *ours}):
        path = dst / name
        if path.is_dir():
            shutil.rmtree(path)
        else:
            path.unlink()


def write_all(
    dst: Path, arguments: Dict[str, Any], workers: int, progress: bool
) -> Dict[str, Any]:
    """Write all splits in all layouts; return the counts per split."""
    numbers = dict(
        zip(
            SPLITS,
            (arguments[name] for name in ('train', 'val', 'test')),
            strict=True,
        )
    )
    jobs = [
        (split, index) for split in SPLITS for index in range(numbers[split])
    ]
    records: Dict[str, List[Dict[str, Any]]] = {s: [] for s in SPLITS}
    with tqdm(total=len(jobs), unit='video', disable=not progress) as bar:
        run = partial(write_video, dst, arguments)
        for (split, _), record in zip(
            jobs, run_all(run, jobs, workers), strict=True
        ):
            records[split].append(record)
            bar.update()
    for layout in arguments['layouts']:
        writer = WRITERS[layout](dst)
        for split in SPLITS:
            writer.write_split(split, [r[layout] for r in records[split]])
    return {split: total(records[split]) for split in SPLITS}


def run_all(run: Any, jobs: Sequence[Any], workers: int) -> Iterator[Any]:
    """Yield the results in the order of the jobs."""
    if workers <= 1:
        yield from map(run, jobs)
        return
    yield from map_in_order(run, jobs, workers, start_worker)


def start_worker() -> None:
    """Prepare a process that makes videos."""
    cv2.setNumThreads(1)


def write_video(
    dst: Path, arguments: Dict[str, Any], job: Tuple[str, int]
) -> Dict[str, Any]:
    """Make a video and write it in all layouts; return its records."""
    split, index = job
    height, width = arguments['size']
    main = main_scenes(arguments)
    needed = {
        layout: WRITERS[layout].scenes or main
        for layout in arguments['layouts']
    }
    videos = {
        scenes: make_video(
            arguments['seed'],
            split,
            index,
            arguments['frames'],
            (height, width),
            scenes,
        )
        for scenes in dict.fromkeys([main, *needed.values()])
    }
    record: Dict[str, Any] = {
        layout: WRITERS[layout](dst).write_video(split, videos[scenes])
        for layout, scenes in needed.items()
    }
    return {**record, 'counts': count(videos[main])}


def count(video: MiniVideo) -> Dict[str, int]:
    """Count a video's objects and expressions."""
    kinds = Counter(expression.kind for expression in video.expressions)
    return {
        'videos': 1,
        'objects': len(video.scene.objects),
        'expressions': len(video.expressions),
        'unseen': sum(e.unseen for e in video.expressions),
        **{kind: kinds[kind] for kind in KINDS_OF_EXPRESSION},
    }


def total(records: Sequence[Dict[str, Any]]) -> Dict[str, int]:
    """Add up the counts of some videos."""
    names = ['videos', 'objects', 'expressions', 'unseen']
    return {
        name: sum(record['counts'][name] for record in records)
        for name in [*names, *KINDS_OF_EXPRESSION]
    }
