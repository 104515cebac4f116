"""Ref-YouTube-VOS (Seo et al., ECCV 2020) in its published layout."""

from pathlib import Path
from typing import (
    Any,
    ClassVar,
    Collection,
    Dict,
    List,
    Optional,
    Tuple,
    Union,
)

from mmdet.registry import DATASETS
from mmengine.logging import MMLogger

from ..errors import InputError
from ..io.data_files import load_json_entries
from ..io.missing_file import missing_file
from ..structures import Reference
from .base import BaseReferringDataset
from .layout import missing_files

SPLITS = ('train', 'valid', 'test')
MOST_DIGITS = 9


@DATASETS.register_module()
class RefYouTubeVOSDataset(BaseReferringDataset):
    """Ref-YouTube-VOS, and data sets in its layout.

    ::

        <data_root>/{train,valid,test}/JPEGImages/<video>/<frame>.jpg
        <data_root>/train/Annotations/<video>/<frame>.png
        <data_root>/train/meta.json
        <data_root>/meta_expressions/<split>/meta_expressions.json

    The published list of ``valid`` includes the test videos; those in the
    list of ``test`` are left out (202 videos remain).

    The ground truth of ``valid`` was not published with the videos. Where it
    lies on disk, it is ``valid/Annotations`` and the object of each
    expression: ``videos.<video>.expressions.<id>.obj_id`` in
    ``meta_expressions.json``, or else in ``valid/meta.json``.

    Args:
        data_root: Folder of the data set.
        split: 'train', 'valid' or 'test'.
        with_masks: The ground truth is loaded. 'auto': if all of it lies on
            disk; else one warning says what is missing.
        kwargs: Arguments of :class:`BaseReferringDataset`.

    Attributes:
        missing_truth: With 'auto', what is missing, in one line; None if
            nothing is.
    """

    METAINFO: Dict[str, Any] = {
        # The 65 categories of YouTube-VOS 2019, for class-aware models.
        'classes': (
            'airplane', 'ape', 'bear', 'bike', 'bird', 'boat', 'bucket',
            'bus', 'camel', 'cat', 'cow', 'crocodile', 'deer', 'dog',
            'dolphin', 'duck', 'eagle', 'earless_seal', 'elephant', 'fish',
            'fox', 'frisbee', 'frog', 'giant_panda', 'giraffe', 'hand',
            'hat', 'hedgehog', 'horse', 'knife', 'leopard', 'lion', 'lizard',
            'monkey', 'motorbike', 'mouse', 'others', 'owl', 'paddle',
            'parachute', 'parrot', 'penguin', 'person', 'plant', 'rabbit',
            'raccoon', 'sedan', 'shark', 'sheep', 'sign', 'skateboard',
            'snail', 'snake', 'snowboard', 'squirrel', 'surfboard',
            'tennis_racket', 'tiger', 'toilet', 'train', 'truck', 'turtle',
            'umbrella', 'whale', 'zebra',
        )
    }  # fmt: skip

    splits: ClassVar[Tuple[str, ...]] = SPLITS

    def __init__(
        self,
        data_root: str,
        split: str,
        with_masks: Union[bool, str] = True,
        **kwargs: Any,
    ) -> None:
        for field, value, allowed in (
            ('split', split, self.splits),
            ('with_masks', with_masks, (True, False, 'auto')),
        ):
            if value not in allowed:
                raise InputError.of(
                    type(self).__name__, field, value, f'one of {allowed}'
                )
        self.split = split
        self.missing_truth: Optional[str] = None
        # BaseDataset, which sets it, also reads the lists.
        self.data_root = data_root
        if with_masks == 'auto':
            self.missing_truth = self.find_missing_truth()
            if self.missing_truth is not None:
                MMLogger.get_current_instance().warning(
                    f'{self.missing_truth}: missing, so that split {split!r} '
                    'is used without its ground truth'
                )
        super().__init__(
            data_root=data_root,
            with_masks=bool(with_masks) and self.missing_truth is None,
            **kwargs,
        )

    def find_missing_truth(self) -> Optional[str]:
        """Say which file or entry of the ground truth is missing, if any.

        Checked are the names of all masks, and that each expression that can
        be used has an object.

        Returns:
            The first, and what it is.

        Raises:
            InputError: A list is missing or broken.
        """
        folder = Path(self.data_root) / self.split
        masks, meta = folder / 'Annotations', folder / 'meta.json'
        if not masks.is_dir():
            return f'{masks} (the masks of the split)'
        videos = self.used_videos()
        objects = load_objects(meta) if meta.exists() else {}
        for name, video in videos.items():
            self.check_video(name, video)
            names = [f'{frame}.png' for frame in video['frames']]
            absent = missing_files(masks / name, names, 'masks of the video')
            if absent:
                path, _, what = absent[0].partition(': ')
                return f'{path} ({what})'
            for id, expression in video['expressions'].items():
                asked = add_object(id, expression, objects.get(name, {}))
                text = expression.get('exp')
                if not is_number(asked.get('obj_id')) and text:
                    return (
                        f'{self.expressions_file}: videos.{name}.expressions.'
                        f'{id}.obj_id (the object, here or in {meta})'
                    )
        return None

    @property
    def expressions_file(self) -> Path:
        """Path of the split's expressions."""
        return self.file_of_split(self.split)

    def file_of_split(self, split: str) -> Path:
        """Return the path of the expressions of a split."""
        return (
            Path(self.data_root)
            / 'meta_expressions'
            / split
            / 'meta_expressions.json'
        )

    def load_videos(self) -> List[Dict[str, Any]]:
        described = self.used_videos(warn=True)
        objects = self.load_objects()
        return [
            self.make_video(name, video, objects)
            for name, video in described.items()
        ]

    def used_videos(self, warn: bool = False) -> Dict[str, Any]:
        """Read the list of the split, without the videos of the test."""
        described = load_json_entries(self.expressions_file, 'videos')
        if self.split == 'valid':
            described = self.leave_out_test(described, warn)
        return described

    def leave_out_test(
        self, described: Dict[str, Any], warn: bool
    ) -> Dict[str, Any]:
        """Leave out the videos in the list of ``test``, if it exists."""
        test_file = self.file_of_split('test')
        if not test_file.exists():
            if warn:
                MMLogger.get_current_instance().warning(
                    f'{test_file} is missing: all {len(described)} videos of '
                    f'{self.expressions_file} are used'
                )
            return described
        test = load_json_entries(test_file, 'videos')
        return {k: v for k, v in described.items() if k not in test}

    def load_objects(self) -> Optional[Dict[str, Any]]:
        """Read ``meta.json``: video -> categories and frames of objects."""
        file = Path(self.data_root) / self.split / 'meta.json'
        if not self.with_masks:
            return None
        if not file.exists():
            if self.split == 'train':
                raise missing_file(file, 'meta.json')
            return None
        return load_objects(file)

    def named_objects(self) -> Dict[str, Collection[str]]:
        objects = self.load_objects() or {}
        return {
            video: tuple(described['objects'])
            for video, described in objects.items()
            if 'objects' in described
        }

    def make_video(
        self,
        name: str,
        video: Dict[str, Any],
        objects: Optional[Dict[str, Any]],
    ) -> Dict[str, Any]:
        """Describe a video; leave out and note unusable expressions."""
        self.check_video(name, video)
        folder = Path(self.data_root) / self.split
        frame_ids = sorted(video['frames'])
        frames = []
        for frame_id in frame_ids:
            frame = {
                'img_path': str(folder / f'JPEGImages/{name}/{frame_id}.jpg'),
                'frame_id': frame_id,
            }
            if self.with_masks:
                frame['mask_path'] = str(
                    folder / f'Annotations/{name}/{frame_id}.png'
                )
            frames.append(frame)
        listed: Dict[str, Any] = {}
        known: Optional[Dict[str, Any]] = None
        if objects is not None:
            listed = objects.get(name, {})
            # A file that tells the objects of the expressions alone.
            if 'objects' in listed or 'expressions' not in listed:
                known = listed.get('objects', {})
        references = []
        for id, expression in video['expressions'].items():
            asked = add_object(id, expression, listed)
            reference = self.make_reference(name, id, asked, known)
            if reference is not None:
                references.append(reference)
        made: Dict[str, Any] = {
            'video_id': name,
            'frame_ids': frame_ids,
            'frames': frames,
            'references': references,
            'labels': self.label_objects(known or {}),
        }
        if known is not None and self.test_mode:
            made['listed_objects'] = tuple(known)
        return made

    def check_video(self, name: str, video: Any) -> None:
        """Raise InputError unless an entry describes a video."""
        for key, kind in (('frames', list), ('expressions', dict)):
            found = video.get(key) if isinstance(video, dict) else None
            if not found or not isinstance(found, kind):
                raise InputError.of(
                    self.expressions_file,
                    f'videos.{name}.{key}',
                    found,
                    f'the {key} of the video',
                )
        for index, frame in enumerate(video['frames']):
            if not isinstance(frame, str):
                raise InputError.of(
                    self.expressions_file,
                    f'videos.{name}.frames[{index}]',
                    frame,
                    'the name of a frame',
                )
        for id, expression in video['expressions'].items():
            if not isinstance(expression, dict):
                raise InputError.of(
                    self.expressions_file,
                    f'videos.{name}.expressions.{id}',
                    expression,
                    'an entry with exp',
                )

    def make_reference(
        self,
        video: str,
        id: str,
        expression: Dict[str, Any],
        objects: Optional[Dict[str, Any]],
    ) -> Optional[Reference]:
        """Make a reference of an expression; None if it cannot be used."""
        field = f'videos.{video}.expressions.{id}'
        text = self.usable_text(
            expression.get('exp'), self.expressions_file, f'{field}.exp'
        )
        if text is None:
            return None
        object_ids: Tuple[str, ...] = ()
        if self.with_masks:
            found = self.find_objects(field, expression, objects)
            if found is None:
                return None
            object_ids = found
        return Reference(
            id=str(id),
            text=text,
            object_ids=object_ids,
            cue=expression.get('kind'),
        )

    def find_objects(
        self,
        field: str,
        expression: Dict[str, Any],
        objects: Optional[Dict[str, Any]],
    ) -> Optional[Tuple[str, ...]]:
        """Return the ids of the referred objects; None if unusable."""
        object_id = expression.get('obj_id')
        if not is_number(object_id):
            raise InputError.of(
                self.expressions_file,
                f'{field}.obj_id',
                object_id,
                'an object id (this split is used with its masks)',
            )
        if not self.is_drawn(objects, str(object_id)):
            self.skip(
                self.expressions_file,
                f'{field}.obj_id',
                object_id,
                'an object that appears in the video (meta.json)',
            )
            return None
        return (str(object_id),)

    @staticmethod
    def is_drawn(objects: Optional[Dict[str, Any]], object_id: str) -> bool:
        """Tell whether an object appears in a frame, by ``meta.json``."""
        if objects is None:
            return True
        if object_id not in objects:
            return False
        return bool(objects[object_id].get('frames', True))

    def label_objects(self, objects: Dict[str, Any]) -> Dict[str, int]:
        """Return object id -> category index, without unknown categories."""
        classes = list(self.metainfo.get('classes', ()))
        return {
            object_id: classes.index(described['category'])
            for object_id, described in objects.items()
            if described.get('category') in classes
        }


def add_object(
    id: str, expression: Dict[str, Any], listed: Dict[str, Any]
) -> Dict[str, Any]:
    """Return an expression with the ``obj_id`` that ``meta.json`` gives.

    Args:
        id: The expression's.
        expression: Its entry; returned as it is if it has ``obj_id``.
        listed: The video's entry in ``meta.json``.
    """
    expressions = listed.get('expressions')
    if 'obj_id' in expression or not isinstance(expressions, dict):
        return expression
    found = expressions.get(id)
    if not isinstance(found, dict) or 'obj_id' not in found:
        return expression
    return {**expression, 'obj_id': found['obj_id']}


def is_number(value: Any) -> bool:
    """Tell whether a value is a number from 0 on, or one as text."""
    text = str(value)
    return len(text) <= MOST_DIGITS and text.isdecimal()


def load_objects(file: Path) -> Dict[str, Any]:
    """Read ``meta.json``: video -> its ``objects``, by id.

    Raises:
        InputError: The file is missing or has another form.
    """
    videos = load_json_entries(file, 'videos')
    for name, video in videos.items():
        field = f'videos.{name}'
        objects = video.get('objects', {}) if isinstance(video, dict) else None
        if not isinstance(objects, dict):
            raise InputError.of(
                file,
                f'{field}.objects' if isinstance(video, dict) else field,
                video if objects is None else objects,
                'the objects by id',
            )
        for id, described in objects.items():
            frames = (
                described.get('frames', [])
                if isinstance(described, dict)
                else None
            )
            if not isinstance(frames, list):
                raise InputError.of(
                    file,
                    f'{field}.objects.{id}',
                    described,
                    'an entry with category and a list of frames',
                )
    return videos


def check_layout(data_root: str) -> List[str]:
    """List the files that a folder of Ref-YouTube-VOS lacks, by name.

    Checked are the lists, the training videos with their masks, the frames
    of the validation videos, and those of the test videos if there is a
    folder ``test``. The list of the test videos is optional, as in the data
    set.

    Args:
        data_root: Folder of the data set.

    Returns:
        One line per file or folder: the path and what belongs there.
    """
    root = Path(data_root)
    if not root.is_dir():
        return [f'{root}: folder of Ref-YouTube-VOS']
    lists: Dict[str, Dict[str, Any]] = {}
    missing = []
    for split in ('train', 'valid', 'test'):
        file = root / 'meta_expressions' / split / 'meta_expressions.json'
        needed = split != 'test' or (root / 'test').is_dir()
        if needed or file.exists():
            missing += read_list(file, split, lists)
    missing += read_list(root / 'train/meta.json', 'objects', {})
    # The published list of the validation includes the test videos.
    tested = lists.get('test', {})
    used = {
        'train': lists.get('train', {}),
        'valid': {
            name: video
            for name, video in lists.get('valid', {}).items()
            if name not in tested
        },
        'test': tested if (root / 'test').is_dir() else {},
    }
    for split, videos in used.items():
        for name, video in videos.items():
            # Only training videos have public masks.
            missing += missing_of_video(
                root / split, name, video, split == 'train'
            )
    return missing


def read_list(
    file: Path, name: str, lists: Dict[str, Dict[str, Any]]
) -> List[str]:
    """Read ``videos`` of a file into ``lists``; return the problem, if any."""
    if not file.exists():
        return [f'{file}: file of the published data set']
    try:
        lists[name] = load_json_entries(file, 'videos')
    except InputError as error:
        return [str(error)]
    return []


def missing_of_video(
    folder: Path, name: str, video: Any, with_masks: bool
) -> List[str]:
    """List the frames and masks that a video lacks, a line each.

    Args:
        folder: Folder of the split.
        name: Name of the video.
        video: Its entry in the list.
        with_masks: It should have masks.
    """
    frames = video.get('frames') if isinstance(video, dict) else None
    if not isinstance(frames, list):
        return [f'{folder}/{name}: a list of its frames']
    missing = missing_files(
        folder / 'JPEGImages' / name,
        [f'{frame}.jpg' for frame in frames],
        'frames of the video',
    )
    if with_masks:
        missing += missing_files(
            folder / 'Annotations' / name,
            [f'{frame}.png' for frame in frames],
            'masks of the video',
        )
    return missing
