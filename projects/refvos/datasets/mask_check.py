"""Compare the masks of a data set with its lists and its frames."""

from dataclasses import dataclass, field
from typing import (
    Any,
    Collection,
    Dict,
    Iterator,
    List,
    Optional,
    Sequence,
    Set,
    Tuple,
)

import numpy as np

from ..errors import InputError, describe
from ..io.images import image_size
from ..io.masks import (
    MASK_SOURCES,
    Masks,
    check_listed_size,
    list_ids,
    name_of,
    read_id_map,
    read_masks,
)
from ..io.video_frames import read_video_frames
from ..processes import map_in_order

# Masks whose pixels are object ids: they show no object if they hold other
# values, such as 0 and 255. In sources of one mask per object, an object may
# lack pixels: nothing sounds, or it was annotated so.
IDS = 'mask_path'
# White in masks of 0 and 255.
WHITE = 255
SHOWN_IDS = 10
# Fewer videos are read sooner than processes start.
FEW = 200


@dataclass
class MaskReport:
    """What :func:`check_video` found, one line per problem.

    Attributes:
        errors: Problems at which training or testing would stop.
        notes: Oddities that they would ignore.
        blank: The source of a mask, if there are any and none of them shows
            an object that is referred to.
    """

    errors: List[str] = field(default_factory=list)
    notes: List[str] = field(default_factory=list)
    blank: Optional[str] = None


def check_video(
    video: Dict[str, Any], known: Optional[Collection[str]] = None
) -> MaskReport:
    """Check the sizes of a video's frames, and its masks.

    Args:
        video: An item of a data set, with all its references.
        known: Ids of the objects that the lists name; None if they name
            none.

    Returns:
        Errors: a frame or a mask that cannot be used; of masks that hold
        object ids, also a video whose masks show none of the objects that
        are referred to, and a mask of 0 and 255 if the lists do not name 255.
        Notes: other referred or listed objects that no mask shows, and ids
        in the masks that the lists do not name.
    """
    report = MaskReport()
    referred = referred_objects(video['references'])
    drawn: Dict[str, bool] = dict.fromkeys(referred, False)
    unnamed: Dict[str, str] = {}
    found: Set[int] = set()
    white: Optional[str] = None
    first: Optional[Tuple[int, int]] = None
    try:
        for frame in video['frames']:
            shape = frame_size(frame)
            if first is not None and shape != first:
                raise InputError.of(
                    name_of(frame),
                    'size (height, width)',
                    shape,
                    f'{first}, as the other frames of the video',
                )
            first = shape
            check_listed_size(frame, shape)
            if not has_masks(frame):
                continue
            masks = read_masks(dict(frame, ori_shape=shape), referred)
            for object_id, mask in masks.items():
                drawn[object_id] |= mask is not None
            if known is not None and masks.id_map is not None:
                ids = list_ids(masks.id_map)
                found.update(ids)
                for object_id in map(str, ids):
                    if object_id not in known:
                        unnamed.setdefault(object_id, frame[IDS])
                if ids == [WHITE] and white is None:
                    white = frame[IDS]
    except InputError as error:
        report.errors.append(str(error))
        return report
    sources = [frame for frame in video['frames'] if has_masks(frame)]
    if not sources:
        return report
    blank = [object_id for object_id, seen in drawn.items() if not seen]
    nothing = len(blank) == len(drawn)
    if nothing:
        report.blank = source_of(sources[0])
    # Nothing sounds in some clips of AVSBench: usual, and not worth a line.
    if blank and 'binary_mask_path' not in sources[0]:
        line = describe_blank(video, sources[0], blank)
        wrong = nothing and IDS in sources[0]
        (report.errors if wrong else report.notes).append(line)
    if white is not None and str(WHITE) in unnamed and not report.errors:
        report.errors.append(
            describe(
                white,
                'object ids',
                [WHITE],
                f'{list(known or ())[:SHOWN_IDS]}, the objects of video '
                f'{video["video_id"]}',
            )
        )
    listed = [
        object_id
        for object_id in known or ()
        if object_id not in drawn and object_id != str(WHITE)
    ]
    never = [id for id in listed if int(id) not in found]
    if never and not report.errors:
        report.notes.append(describe_blank(video, sources[0], never))
    report.notes += [
        describe(file, 'object id', int(object_id), 'one that the lists name')
        for object_id, file in unnamed.items()
    ]
    return report


# Of the process: the data sets whose items it checks.
_datasets: List[Any] = []


def check_items(
    datasets: Sequence[Any],
    chosen: Sequence[Tuple[int, int]],
    workers: int = 0,
) -> Iterator[MaskReport]:
    """Check items of data sets, many of them in several processes.

    Args:
        datasets: The data sets, with all references of a video in an item.
        chosen: Which to check: indices of the data set and of its item.
        workers: Number of processes; 0 or 1 for this one only.

    Yields:
        A report for each, in their order.
    """
    if workers <= 1 or len(chosen) < FEW:
        _begin(datasets)
        yield from map(_check_item, chosen)
        return
    yield from map_in_order(_check_item, chosen, workers, _begin, datasets)


def _begin(datasets: Sequence[Any]) -> None:
    _datasets[:] = [(each, each.named_objects()) for each in datasets]


def _check_item(place: Tuple[int, int]) -> MaskReport:
    dataset, known = _datasets[place[0]]
    video = dataset.get_data_info(place[1])
    return check_video(video, known.get(video['video_id']))


class UndrawnObjects:
    """Find the referred objects that no id map of a video shows, and why.

    An object may be absent from single frames, and even from all of them:
    then its ground truth is background. Ids that the lists do not name tell
    that case from masks whose values are no object ids, such as 0 and 255.

    Args:
        video: An item of a data set. ``listed_objects`` are the ids of the
            objects that its lists name, without the key if they name none;
            ``other_objects`` are further ids that are expected.
    """

    def __init__(self, video: Dict[str, Any]) -> None:
        self.video = video
        self.ids = referred_objects(video['references'])
        # Mask file -> the ids in it.
        self.found: Dict[str, List[int]] = {}

    def add(self, frame: Dict[str, Any], masks: Masks) -> None:
        """Take the masks of a frame into account.

        The ids of the frame are listed only while some object has not
        appeared yet.
        """
        self.ids = [id for id in self.ids if masks.get(id) is None]
        if self.ids and masks.id_map is not None:
            self.found[frame['mask_path']] = list_ids(masks.id_map)

    def explain(self) -> Optional[str]:
        """Describe the first mask with an unexpected id, in one line.

        Returns:
            The mask's file, its ids and those expected; None if all objects
            appear, or if the masks hold expected ids only.

        Raises:
            InputError: The masks hold ids, but none that the lists name.
        """
        if not self.ids:
            return None
        listed = self.video.get('listed_objects')
        objects = set(referred_objects(self.video['references']))
        objects.update(listed or ())
        found = {str(id) for ids in self.found.values() for id in ids}
        strangers = found - objects
        hopeless = listed is not None and bool(found) and strangers == found
        if not hopeless:
            strangers -= set(self.video.get('other_objects', ()))
        for file, ids in self.found.items():
            if strangers.intersection(map(str, ids)):
                message = describe_ids(self.video, file, ids, self.ids)
                if hopeless:
                    raise InputError(message)
                return message
        return None


def appears(video: Dict[str, Any]) -> bool:
    """Tell whether any frame shows an object that is referred to.

    Frames are read until one does. True if no frame has masks.

    Args:
        video: An item of a data set.
    """
    referred = referred_objects(video['references'])
    frames = [frame for frame in video['frames'] if has_masks(frame)]
    for frame in frames:
        masks = read_masks(dict(frame, ori_shape=frame_size(frame)), referred)
        if any(mask is not None for mask in masks.values()):
            return True
    return not frames


def describe_blank(
    video: Dict[str, Any], frame: Dict[str, Any], object_ids: Sequence[str]
) -> str:
    """Say in one line that no mask of a video shows some objects.

    Args:
        video: An item of a data set.
        frame: The first one with masks; its ids are shown.
        object_ids: The objects.
    """
    if IDS in frame:
        file = frame[IDS]
        return describe_ids(
            video, file, list_ids(read_id_map(file)), object_ids
        )
    return describe(
        source_of(frame),
        'objects in the masks',
        [],
        expected_objects(video, object_ids),
    )


def describe_ids(
    video: Dict[str, Any],
    file: str,
    found: Sequence[int],
    object_ids: Sequence[str],
) -> str:
    """Say in one line which ids a mask holds, and which were expected."""
    return describe(
        file,
        'object ids',
        list(found[:SHOWN_IDS]),
        expected_objects(video, object_ids),
    )


def expected_objects(video: Dict[str, Any], object_ids: Sequence[str]) -> str:
    """Say which objects the masks of a video should show."""
    wanted = ', '.join(object_ids)
    return f'{wanted} in this or another frame of video {video["video_id"]}'


def source_of(frame: Dict[str, Any]) -> str:
    """Name the file that has the masks of a frame, else the frame."""
    paths = [frame[key] for key in MASK_SOURCES if key in frame]
    file = next((path for path in paths if isinstance(path, str)), None)
    return name_of(frame) if file is None else file


def first_with_masks(video: Dict[str, Any]) -> Optional[Dict[str, Any]]:
    """Find the first frame of a video that has masks."""
    return next((f for f in video['frames'] if has_masks(f)), None)


def referred_objects(references: Sequence[Any]) -> List[str]:
    """List the objects of some references in order, each once."""
    ids = [id for reference in references for id in reference.object_ids]
    return list(dict.fromkeys(ids))


def has_masks(frame: Dict[str, Any]) -> bool:
    """Tell whether a frame names a source of masks and is labelled."""
    named = any(key in frame for key in MASK_SOURCES)
    return named and frame.get('labelled', True)


def frame_size(frame: Dict[str, Any]) -> Tuple[int, int]:
    """Read a frame's (height, width); of an image only the header.

    Raises:
        InputError: The file is missing or broken.
    """
    if 'video_path' in frame:
        (image,) = read_video_frames(
            frame['video_path'], [frame['frame_index']]
        )
        return np.shape(image)[:2]
    return image_size(frame['img_path'])
