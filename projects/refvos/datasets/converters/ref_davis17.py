"""Convert Ref-DAVIS17 (Khoreva et al., ACCV 2018) from its raw files."""

import json
import os
import re
import shutil
from collections import defaultdict
from pathlib import Path
from typing import Any, Dict, List, NamedTuple, Union

from tqdm import tqdm

from ...errors import InputError, describe
from ...io.atomic import whole_folder
from ...io.data_files import load_json, read_list
from ...io.masks import list_ids, read_id_map
from ..ref_davis17_constants import ANNOTATORS, VOID

# Splits of DAVIS -> splits of Ref-YouTube-VOS.
SPLITS = {'train': 'train', 'val': 'valid'}
TEXTS = 'davis_text_annotations'
# <video> <object> "<expression>"
LINE = re.compile(r'(\S+)\s+(\d+)\s+(.*)')

# Object id -> annotator -> expression.
Expressions = Dict[str, Dict[str, str]]
PathLike = Union[str, Path]


class Source(NamedTuple):
    """A video of DAVIS: its name, and the folders of its files."""

    name: str
    frames: Path
    masks: Path


def convert_ref_davis17(
    src: PathLike, dst: PathLike, copy: bool = False, progress: bool = True
) -> Dict[str, Any]:
    """Convert Ref-DAVIS17 to Ref-YouTube-VOS's layout, masks in both splits.

    Each object has four expressions. The id of an expression is four times
    the index of its object among those named in the video, plus the index of
    its annotator in ``ANNOTATORS``, as in the layout of published code.

    Args:
        src: Folder with ``DAVIS`` (480p, with ``Annotations_unsupervised``
            and, optionally, ``davis_semantics.json`` for the categories) and
            ``davis_text_annotations``.
        dst: A new or empty folder; it appears when all is written.
        copy: Copy frames and masks; else each video's folder is a symbolic
            link into ``src``.
        progress: Show a progress bar.

    Returns:
        Numbers of videos, objects and expressions per split, and
        ``problems``: one line for everything that is odd or left out.

    Raises:
        InputError: A file is missing or broken, or ``dst`` is not empty.
    """
    src, dst = Path(src), Path(dst)
    check_destination(dst)
    problems: List[str] = []
    expressions = read_all_expressions(src / TEXTS, problems)
    sources = {split: list_videos(src / 'DAVIS', split) for split in SPLITS}
    known = {source.name for split in SPLITS for source in sources[split]}
    for video in sorted(set(expressions) - known):
        problems.append(
            describe(src / TEXTS, 'video', video, 'one of ImageSets/2017')
        )
    summary: Dict[str, Any] = {}
    total = sum(map(len, sources.values()))
    # Beside ``dst``, so that relative links stay valid after the rename.
    with (
        whole_folder(dst) as partial,
        tqdm(total=total, unit='video', disable=not progress) as bar,
    ):
        for split, name in SPLITS.items():
            writer = SplitWriter(partial, name, copy, src, problems)
            for source in sources[split]:
                writer.add(source, expressions.get(source.name, {}))
                bar.update()
            summary[name] = writer.finish()
    return {**summary, 'problems': problems}


def check_destination(dst: Path) -> None:
    """Raise InputError unless a folder is new or empty."""
    if dst.exists() and (not dst.is_dir() or any(dst.iterdir())):
        raise InputError.of(
            dst, 'DST', str(dst), 'a folder that is new or empty'
        )
    dst.parent.mkdir(parents=True, exist_ok=True)


# ------------------------------------------------------------------ reading


def read_all_expressions(
    folder: Path, problems: List[str]
) -> Dict[str, Expressions]:
    """Read all four files: video -> object id -> annotator -> expression."""
    found: Dict[str, Expressions] = defaultdict(lambda: defaultdict(dict))
    for annotator in ANNOTATORS:
        file = folder / f'Davis17_{annotator}.txt'
        for number, line in enumerate(read_text(file).split('\n'), start=1):
            if not line.strip():
                continue
            match = LINE.fullmatch(line.strip())
            text = match[3].strip().strip('"').strip() if match else ''
            if match is None or not text or int(match[2]) == 0:
                problems.append(
                    describe(
                        f'{file}:{number}',
                        'line',
                        line,
                        '<video> <object> "<expression>"',
                    )
                )
                continue
            texts = found[match[1]][str(int(match[2]))]
            if annotator in texts:
                problems.append(
                    describe(
                        f'{file}:{number}',
                        'line',
                        line,
                        'one expression for the object; the first stays',
                    )
                )
            texts.setdefault(annotator, text)
    for video, objects in sorted(found.items()):
        for object_id, texts in sorted(objects.items()):
            for annotator in (a for a in ANNOTATORS if a not in texts):
                problems.append(
                    describe(
                        folder / f'Davis17_{annotator}.txt',
                        f'expression for {video} {object_id}',
                        None,
                        'one from each annotator',
                    )
                )
    return found


def read_text(file: Path) -> str:
    """Read a text in UTF-8, else in Latin-1.

    The second annotator's files are in Latin-1. Their letters beyond ASCII
    are no valid UTF-8, so that the fallback is safe.

    Raises:
        InputError: The file is missing or cannot be read.
    """
    content = read_list(file, 'expressions of Ref-DAVIS17')
    try:
        return content.decode('utf-8-sig')
    except UnicodeDecodeError:
        return content.decode('latin-1')


def list_videos(davis: Path, split: str) -> List[Source]:
    """List the videos of a split, in the order of DAVIS's list."""
    file = davis / 'ImageSets' / '2017' / f'{split}.txt'
    try:
        names = read_list(file, f'the videos of {split}').decode().split()
    except UnicodeDecodeError as error:
        raise InputError.of(
            file, 'content', str(error), 'names in UTF-8'
        ) from None
    for name in names:
        if name != os.path.basename(name) or name in ('.', '..'):
            raise InputError.of(file, 'video', name, 'the name of a folder')
    return [
        Source(
            name,
            davis / 'JPEGImages' / '480p' / name,
            davis / 'Annotations_unsupervised' / '480p' / name,
        )
        for name in names
    ]


def list_frames(source: Source) -> List[str]:
    """List the names of a video's frames; raise InputError if it has none."""
    if not os.path.isdir(source.frames):
        raise InputError.of(
            source.frames, 'folder', 'missing', 'the frames of the video'
        )
    frames = sorted(path.stem for path in source.frames.glob('*.jpg'))
    if not frames:
        raise InputError.of(source.frames, 'frames', 0, '<frame>.jpg')
    return frames


def read_objects(source: Source, frames: List[str]) -> Dict[str, List[str]]:
    """List the frames in which each object is drawn, by object id."""
    drawn: Dict[str, List[str]] = defaultdict(list)
    for frame in frames:
        ids = list_ids(read_id_map(str(source.masks / f'{frame}.png')))
        for object_id in map(str, ids):
            if object_id != VOID:
                drawn[object_id].append(frame)
    return dict(sorted(drawn.items(), key=lambda item: int(item[0])))


def read_categories(davis: Path) -> Dict[str, Dict[str, str]]:
    """Read video -> object id -> category; empty without the file."""
    file = davis / 'davis_semantics.json'
    if not file.exists():
        return {}
    found = load_json(file)
    if not isinstance(found, dict):
        raise InputError.of(file, 'content', found, 'categories by video')
    for name, categories in found.items():
        if not isinstance(categories, dict):
            raise InputError.of(file, name, categories, 'categories by object')
    return found


# ------------------------------------------------------------------ writing


class SplitWriter:
    """Write the videos of a split, then its lists.

    Args:
        folder: Folder in which the data set is built.
        split: Ref-YouTube-VOS's name of the split.
        copy: Copy frames and masks instead of linking them.
        src: Folder of the raw data set.
        problems: List to which a line is added for everything odd.
    """

    def __init__(
        self,
        folder: Path,
        split: str,
        copy: bool,
        src: Path,
        problems: List[str],
    ) -> None:
        self.folder = folder
        self.split = split
        self.copy = copy
        self.src = src
        self.problems = problems
        self.categories = read_categories(src / 'DAVIS')
        self.objects: Dict[str, Any] = {}
        self.videos: Dict[str, Any] = {}
        for kind in ('JPEGImages', 'Annotations'):
            (folder / split / kind).mkdir(parents=True)

    def add(self, source: Source, expressions: Expressions) -> None:
        """Write a video, unless it has no expressions."""
        frames = list_frames(source)
        if not expressions:
            self.problem(f'expressions for {source.name}', 'some')
            return
        objects = read_objects(source, frames)
        categories = self.categories.get(source.name, {})
        self.objects[source.name] = {
            'objects': {
                object_id: {
                    **(
                        {'category': categories[object_id]}
                        if object_id in categories
                        else {}
                    ),
                    'frames': drawn,
                }
                for object_id, drawn in objects.items()
            }
        }
        for object_id in expressions:
            if object_id not in objects:
                self.problem(
                    f'object {object_id} of {source.name}',
                    'one that the masks show',
                )
        self.videos[source.name] = {
            'frames': frames,
            'expressions': number_expressions(expressions),
        }
        self.place(source.frames, 'JPEGImages', frames, 'jpg')
        self.place(source.masks, 'Annotations', frames, 'png')

    def problem(self, field: str, expected: str) -> None:
        """Add a line to the problems."""
        self.problems.append(describe(self.src / TEXTS, field, None, expected))

    def place(
        self, source: Path, kind: str, frames: List[str], suffix: str
    ) -> None:
        """Link or copy a video's folder of frames or masks."""
        target = self.folder / self.split / kind / source.name
        if self.copy:
            target.mkdir()
            for frame in frames:
                name = f'{frame}.{suffix}'
                shutil.copyfile(source / name, target / name)
            return
        # Relative, so that ``src`` and ``dst`` can be moved together.
        link = os.path.relpath(source.resolve(), target.parent.resolve())
        try:
            target.symlink_to(link, target_is_directory=True)
        except OSError as error:
            raise InputError.of(
                target,
                'symbolic link',
                error.strerror,
                'a file system with links; --copy does without',
            ) from None

    def finish(self) -> Dict[str, int]:
        """Write the lists; return the numbers of what was written."""
        lists = self.folder / 'meta_expressions' / self.split
        lists.mkdir(parents=True)
        for file, content in (
            (self.folder / self.split / 'meta.json', self.objects),
            (lists / 'meta_expressions.json', self.videos),
        ):
            file.write_text(
                json.dumps({'videos': content}, ensure_ascii=False, indent=1),
                encoding='utf-8',
            )
        return {
            'videos': len(self.videos),
            'objects': sum(len(v['objects']) for v in self.objects.values()),
            'expressions': sum(
                len(v['expressions']) for v in self.videos.values()
            ),
        }


def number_expressions(expressions: Expressions) -> Dict[str, Any]:
    """Give expressions their ids, four per object; id -> text, object."""
    numbered = {}
    for place, object_id in enumerate(sorted(expressions, key=int)):
        for index, annotator in enumerate(ANNOTATORS):
            if annotator in expressions[object_id]:
                numbered[str(len(ANNOTATORS) * place + index)] = {
                    'exp': expressions[object_id][annotator],
                    'obj_id': object_id,
                }
    return numbered
