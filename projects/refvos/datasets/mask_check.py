"""Compare the masks of a data set with its lists and its frames."""

from dataclasses import dataclass, field
from typing import Any, Collection, Dict, List, Optional, Sequence, Tuple

import numpy as np

from ..errors import InputError, describe
from ..io.images import image_size
from ..io.masks import MASK_SOURCES, name_of, read_ids, read_masks
from ..io.video_frames import read_video_frames

# An image with one mask that may be black: nothing sounds in that second.
MAY_BE_BLANK = 'binary_mask_path'
SHOWN_IDS = 10


@dataclass
class MaskReport:
    """What :func:`check_video` found, one line each.

    Attributes:
        errors: Files that training or testing would stop at.
        notes: Oddities that they would ignore.
    """

    errors: List[str] = field(default_factory=list)
    notes: List[str] = field(default_factory=list)


def check_video(
    video: Dict[str, Any], known: Optional[Collection[str]] = None
) -> MaskReport:
    """Check the sizes of a video's frames, and its masks.

    Args:
        video: An item of a data set, with all its references.
        known: Ids of the objects that the lists name; None if they do not
            say.

    Returns:
        Errors: a frame or a mask that cannot be used, and a video whose
        masks show none of the objects that are referred to. Notes: one such
        object, and ids in the masks that the lists do not name.
    """
    report = MaskReport()
    referred = referred_objects(video['references'])
    drawn: Dict[str, bool] = dict.fromkeys(referred, False)
    unnamed: Dict[str, str] = {}
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
            if not has_masks(frame):
                continue
            masks = read_masks(dict(frame, ori_shape=shape), referred)
            for object_id, mask in masks.items():
                drawn[object_id] |= mask is not None
            if known is not None and 'mask_path' in frame:
                for object_id in map(str, read_ids(frame['mask_path'])):
                    if object_id not in known:
                        unnamed.setdefault(object_id, frame['mask_path'])
    except InputError as error:
        report.errors.append(str(error))
        return report
    sources = [frame for frame in video['frames'] if has_masks(frame)]
    blank = [object_id for object_id, seen in drawn.items() if not seen]
    if sources and blank and MAY_BE_BLANK not in sources[0]:
        line = describe_blank(video, sources[0], blank)
        found = report.errors if len(blank) == len(drawn) else report.notes
        found.append(line)
    report.notes += [
        describe(file, 'object id', int(object_id), 'one that the lists name')
        for object_id, file in unnamed.items()
    ]
    return report


def appears(video: Dict[str, Any]) -> bool:
    """Whether a frame shows an object that is referred to.

    Frames are read until there is one. True if no frame has masks.

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
    """Say that no mask of a video shows some objects, in one line.

    Args:
        video: An item of a data set.
        frame: The first one with masks; its ids are shown.
        object_ids: Of the objects.
    """
    wanted = ', '.join(object_ids)
    if 'mask_path' in frame:
        ids = read_ids(frame['mask_path'])[:SHOWN_IDS]
        file, what = frame['mask_path'], 'object ids'
    else:
        ids, file, what = [], name_of(frame), 'objects in the masks'
    return describe(
        file,
        what,
        ids,
        f'{wanted} in this or another frame of video {video["video_id"]}',
    )


def first_with_masks(video: Dict[str, Any]) -> Optional[Dict[str, Any]]:
    """Find the first frame of a video that has masks."""
    return next((f for f in video['frames'] if has_masks(f)), None)


def referred_objects(references: Sequence[Any]) -> List[str]:
    """List the objects of some references in order, each once."""
    ids = [id for reference in references for id in reference.object_ids]
    return list(dict.fromkeys(ids))


def has_masks(frame: Dict[str, Any]) -> bool:
    """Whether a frame says where its masks are, and has a label."""
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
