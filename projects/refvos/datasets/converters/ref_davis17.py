"""Ref-DAVIS17 (Khoreva et al., ACCV 2018): raw to Ref-YouTube-VOS's form."""

import json
import os
import re
import shutil
from collections import defaultdict
from pathlib import Path
from typing import Any, Dict, List, NamedTuple, Union

from tqdm import tqdm

from ...errors import InputError, describe
from ...io.data_files import load_json
from ...io.masks import list_ids, read_id_map
from ..ref_davis17 import ANNOTATORS, VOID

# DAVIS's names of the splits -> those of Ref-YouTube-VOS.
SPLITS = {'train': 'train', 'val': 'valid'}
TEXTS = 'davis_text_annotations'
# <video> <object> "<expression>"
LINE = re.compile(r'(\S+)\s+(\d+)\s+(.*)')

# Object id -> what each of the four annotators says of it.
Expressions = Dict[str, Dict[str, str]]
PathLike = Union[str, Path]


class Source(NamedTuple):
    """A video of DAVIS: its name and where its files lie."""

    name: str
    frames: Path
    masks: Path


def convert_ref_davis17(
    src: PathLike, dst: PathLike, copy: bool = False, progress: bool = True
) -> Dict[str, Any]:
    """Lay Ref-DAVIS17 out as Ref-YouTube-VOS, with masks for both splits.

    An object gets four expressions: the number of one is four times the
    object's place among those named in the video, plus that of the
    annotator (``ANNOTATORS``), as in the form that published code makes.

    Args:
        src: Holds ``DAVIS`` (480p, with ``Annotations_unsupervised`` and,
            if there, ``davis_semantics.json`` for the categories) and
            ``davis_text_annotations``.
        dst: A new or empty folder; appears when all is written.
        copy: Copy frames and masks; else each video's folder is a symbolic
            link into ``src``.
        progress: Show a bar.

    Returns:
        Counts of videos, objects and expressions for each split, and
        ``problems``: a line for each thing that is odd or left out.

    Raises:
        InputError: Where something that is needed is missing or broken, or
            ``dst`` holds something.
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
    # Beside the folder to be, so that relative links fit both.
    partial = dst.with_name(f'.{dst.name}.partial')
    if partial.exists():
        shutil.rmtree(partial)
    summary: Dict[str, Any] = {}
    try:
        total = sum(map(len, sources.values()))
        with tqdm(total=total, unit='video', disable=not progress) as bar:
            for split, name in SPLITS.items():
                writer = SplitWriter(partial, name, copy, src, problems)
                for source in sources[split]:
                    writer.add(source, expressions.get(source.name, {}))
                    bar.update()
                summary[name] = writer.finish()
        if dst.exists():
            dst.rmdir()
        os.replace(partial, dst)
    finally:
        shutil.rmtree(partial, ignore_errors=True)
    return {**summary, 'problems': problems}


def check_destination(dst: Path) -> None:
    if dst.exists() and (not dst.is_dir() or any(dst.iterdir())):
        raise InputError.of(
            dst, 'DST', str(dst), 'a folder that is new or empty'
        )
    dst.parent.mkdir(parents=True, exist_ok=True)


# ------------------------------------------------------------------ reading


def read_all_expressions(
    folder: Path, problems: List[str]
) -> Dict[str, Expressions]:
    """Video -> object id -> annotator -> expression, of all four files."""
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
            said = found[match[1]][str(int(match[2]))]
            if annotator in said:
                problems.append(
                    describe(
                        f'{file}:{number}',
                        'line',
                        line,
                        'one expression for the object; the first stays',
                    )
                )
            said.setdefault(annotator, text)
    for video, objects in sorted(found.items()):
        for object_id, said in sorted(objects.items()):
            for annotator in (a for a in ANNOTATORS if a not in said):
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
    """Read UTF-8, else Latin-1, which the second annotator's files are.

    No text in Latin-1 with letters beyond ASCII happens to be UTF-8.
    """
    try:
        content = file.read_bytes()
    except OSError as error:
        raise InputError.of(
            file, 'file', error.strerror, 'expressions of Ref-DAVIS17'
        ) from None
    try:
        return content.decode('utf-8-sig')
    except UnicodeDecodeError:
        return content.decode('latin-1')


def list_videos(davis: Path, split: str) -> List[Source]:
    """The videos of a split, in the order of DAVIS's list."""
    file = davis / 'ImageSets' / '2017' / f'{split}.txt'
    try:
        names = file.read_text(encoding='utf-8').split()
    except OSError as error:
        raise InputError.of(
            file, 'file', error.strerror, f'the videos of {split}'
        ) from None
    return [
        Source(
            name,
            davis / 'JPEGImages' / '480p' / name,
            davis / 'Annotations_unsupervised' / '480p' / name,
        )
        for name in names
    ]


def list_frames(source: Source) -> List[str]:
    """Names of the frames; each must have its mask."""
    if not source.frames.is_dir():
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
    """Video -> object id -> category; empty without DAVIS's file."""
    file = davis / 'davis_semantics.json'
    if not file.exists():
        return {}
    found = load_json(file)
    if not isinstance(found, dict):
        raise InputError.of(file, 'content', found, 'categories by video')
    return found


# ------------------------------------------------------------------ writing


class SplitWriter:
    """Writes the videos of a split, then what lists them.

    Args:
        folder: Where the data set is put together.
        split: Ref-YouTube-VOS's name of the split.
        copy: Copy frames and masks instead of linking them.
        src: The raw data set.
        problems: Gets a line for what is odd.
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
        """Write a video, unless nobody refers to anything in it."""
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
        self.problems.append(describe(self.src / TEXTS, field, None, expected))

    def place(
        self, source: Path, kind: str, frames: List[str], suffix: str
    ) -> None:
        """Link or copy a video's folder."""
        target = self.folder / self.split / kind / source.name
        if self.copy:
            target.mkdir()
            for frame in frames:
                name = f'{frame}.{suffix}'
                shutil.copyfile(source / name, target / name)
            return
        # Relative, so that both can be moved together.
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
        """Write the lists; returns how much there is."""
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
    """Expression id -> text and object: four numbers for each object."""
    numbered = {}
    for place, object_id in enumerate(sorted(expressions, key=int)):
        for index, annotator in enumerate(ANNOTATORS):
            if annotator in expressions[object_id]:
                numbered[str(len(ANNOTATORS) * place + index)] = {
                    'exp': expressions[object_id][annotator],
                    'obj_id': object_id,
                }
    return numbered
