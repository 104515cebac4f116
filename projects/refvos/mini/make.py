"""RefVOS-Mini on disk: the same bytes from the same arguments."""

import json
import logging
import shutil
from collections import Counter
from concurrent.futures import ProcessPoolExecutor
from contextlib import ExitStack
from functools import partial
from multiprocessing import get_context
from pathlib import Path
from typing import Any, Dict, Iterator, List, Sequence, Tuple, Union

import cv2
from tqdm import tqdm

from ..errors import InputError
from .contact_sheet import draw_contact_sheet
from .expressions import KINDS_OF_EXPRESSION
from .scene import SCENES, SPLITS
from .video import MiniVideo, make_video
from .writers import WRITERS
from .writers.files import write_jpeg, write_json

# Raise it whenever the same arguments give other bytes.
VERSION = 9
NAME = 'RefVOS-Mini'
SUMMARY = 'mini.json'
CONTACT_SHEET = 'contact_sheet.jpg'
# Lies in the folder from the first file on until the last is written.
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
    """Make RefVOS-Mini, unless the folder already holds just this set.

    Args:
        dst: The data set's folder: new, empty or an earlier RefVOS-Mini,
            which is replaced if it was made otherwise or not to its end.
        train, val, test: Videos a split (folders train, valid, test).
        frames: Frames a video.
        size: The frames' (height, width) in pixels.
        seed: Other scenes for another seed; the held-out combinations of
            colour, kind and motion stay the same.
        workers: Processes; 0 or 1 for this one only. Changes no byte.
        layouts: Keys of ``WRITERS``.
        progress: Show a bar.
        scenes: 'mixed', or 'one-moves' for two objects of one kind, colour
            and size, one of them still, that expressions tell apart by
            their motion alone; training scenes mostly speak of the moving
            one. Layouts for sounds have scenes of their own.

    Returns:
        What ``mini.json`` holds: version, arguments and counts.

    Raises:
        InputError: For arguments out of range, or a folder that holds
            something else.
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
        # Sets made before there was a choice stay what they are.
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
    """Raise InputError for the first argument that can't be used."""
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
    """The scenes that are counted and shown: those with words, if any."""
    own = [WRITERS[layout].scenes for layout in arguments['layouts']]
    if own and own[0] is not None and None not in own:
        return own[0]
    return str(arguments.get('scenes', 'mixed'))


def read_summary(dst: Path) -> Dict[str, Any]:
    """What an earlier run wrote there last; empty if none did."""
    try:
        summary = json.loads((dst / SUMMARY).read_text())
    except (OSError, ValueError):
        return {}
    ours = isinstance(summary, dict) and summary.get('name') == NAME
    return summary if ours else {}


def clear(dst: Path) -> None:
    """Make ready for a new set; remove nothing but an earlier one.

    Raises:
        InputError: Where something else lies in the folder.
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
    """Write all splits in all layouts and count what was written."""
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
    """Results in the order of the jobs, from here or from processes."""
    if workers <= 1:
        yield from map(run, jobs)
        return
    with ExitStack() as stack:
        pool = stack.enter_context(
            ProcessPoolExecutor(
                workers,
                # A fork of this process would inherit locks that threads of
                # PyAV or torch may hold, and wait for them forever.
                mp_context=get_context('forkserver'),
                initializer=cv2.setNumThreads,
                initargs=(1,),
            )
        )
        # On an error, don't go on with what is still waiting.
        stack.callback(pool.shutdown, cancel_futures=True)
        yield from pool.map(run, jobs, chunksize=8)


def write_video(
    dst: Path, arguments: Dict[str, Any], job: Tuple[str, int]
) -> Dict[str, Any]:
    """Make one video and write it in all layouts; returns its records."""
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
    kinds = Counter(expression.kind for expression in video.expressions)
    return {
        'videos': 1,
        'objects': len(video.scene.objects),
        'expressions': len(video.expressions),
        'unseen': sum(e.unseen for e in video.expressions),
        **{kind: kinds[kind] for kind in KINDS_OF_EXPRESSION},
    }


def total(records: Sequence[Dict[str, Any]]) -> Dict[str, int]:
    names = ['videos', 'objects', 'expressions', 'unseen']
    return {
        name: sum(record['counts'][name] for record in records)
        for name in [*names, *KINDS_OF_EXPRESSION]
    }
