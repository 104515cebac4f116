"""Read the masks of a frame: one small reader per kind of source.

A frame's dict names its source by the key that it has (``MASK_SOURCES``). A
reader reads the source once, however many objects are wanted.
"""

import io
from typing import Any, Callable, Dict, List, Optional, Sequence

import h5py
import numpy as np

from ..errors import InputError
from .images import decode_binary_mask, decode_id_map, read_bytes
from .mat_files import read_mat_array
from .outlines import decode_polygons, decode_rle, size_of_rle

# In one frame.
MOST_INSTANCES = 1000


class Masks(Dict[str, Optional[np.ndarray]]):
    """Object id -> (H, W) bool, or None if the object is not drawn.

    Attributes:
        id_map: (H, W), the object id of each pixel, for sources that store
            one; else None.
    """

    id_map: Optional[np.ndarray] = None


MaskReader = Callable[[Dict[str, Any], Sequence[str], Optional[dict]], Masks]


def read_masks(
    frame: Dict[str, Any],
    object_ids: Sequence[str],
    backend_args: Optional[dict] = None,
) -> Masks:
    """Read some objects' masks in one frame.

    Args:
        frame: Has a key of ``MASK_SOURCES``, and ``ori_shape``.
        object_ids: The objects wanted; may be empty.
        backend_args: Arguments of mmengine's file backends.

    Returns:
        One entry per object.

    Raises:
        InputError: The frame names no source, or its source is missing,
            broken or not of the frame's size.
    """
    for key, read in MASK_SOURCES.items():
        if key in frame:
            return read(frame, object_ids, backend_args)
    raise InputError.of(
        name_of(frame),
        'masks',
        None,
        f'their source, one of {sorted(MASK_SOURCES)}',
    )


def read_palette(
    frame: Dict[str, Any],
    object_ids: Sequence[str],
    backend_args: Optional[dict] = None,
) -> Masks:
    """Read ``mask_path``, a palette PNG whose values are object ids."""
    path = frame['mask_path']
    ids = read_id_map(path, backend_args)
    check_size(path, ids.shape, frame)
    masks = Masks({id: drawn_or_none(ids == int(id)) for id in object_ids})
    masks.id_map = ids
    return masks


def read_id_map(path: str, backend_args: Optional[dict] = None) -> np.ndarray:
    """Read a palette PNG whose values are object ids; 0 is background.

    Returns:
        (H, W), integers.

    Raises:
        InputError: The file is missing, broken or in colour.
    """
    return decode_id_map(read_bytes(path, 'a mask', backend_args), path)


def list_ids(id_map: np.ndarray) -> List[int]:
    """List the object ids in an id map (H, W), ascending, without 0."""
    if id_map.dtype == np.uint8:
        # Many times as fast as np.unique, which sorts all pixels.
        ids = np.flatnonzero(np.bincount(id_map.ravel()))
    else:
        ids = np.unique(id_map)
    return [int(id) for id in ids if id != 0]


def read_binary(
    frame: Dict[str, Any],
    object_ids: Sequence[str],
    backend_args: Optional[dict] = None,
) -> Masks:
    """Read ``binary_mask_path``, an image of one object.

    The background is black or transparent; it may be grey, palette, 1 bit or
    colour. Every object gets this mask.
    """
    path = frame['binary_mask_path']
    content = read_bytes(path, 'a mask', backend_args)
    mask = decode_binary_mask(content, path)
    check_size(path, mask.shape, frame)
    return Masks({id: drawn_or_none(mask) for id in object_ids})


def read_a2d(
    frame: Dict[str, Any],
    object_ids: Sequence[str],
    backend_args: Optional[dict] = None,
) -> Masks:
    """Read ``h5_path``, the HDF5 file of a frame of A2D-Sentences.

    The file has ``instance``, the object ids, and ``reMask``, (N, W, H) or,
    of a single object, (W, H): transposed, as MATLAB writes it. The frame's
    ``named_by`` (object id -> list and row that refer to it) is for
    messages.
    """
    path = frame['h5_path']
    content = read_bytes(path, f'masks{rows_of(frame)}', backend_args)
    try:
        with h5py.File(io.BytesIO(content), 'r') as file:
            numbers = [
                int(number)
                for number in np.ravel(array_of(file, 'instance', path))
            ]
            stored = array_of(file, 'reMask', path)
            check_a2d_shape(path, stored.shape, numbers, frame)
            masks = np.asarray(stored)
    except InputError:
        raise
    # What h5py raises depends on where the file is broken.
    except Exception as error:
        raise InputError.of(
            path, 'content', str(error), 'HDF5 with instance and reMask'
        ) from None
    masks = masks.reshape(-1, *masks.shape[-2:])
    found = Masks()
    for id in object_ids:
        if int(id) not in numbers:
            raise InputError.of(
                path,
                'instance',
                numbers,
                f'{id} among them{rows_of(frame, [id])}',
            )
        found[id] = drawn_or_none(masks[numbers.index(int(id))].T > 0)
    return found


def check_a2d_shape(
    path: str,
    shape: Sequence[int],
    numbers: Sequence[int],
    frame: Dict[str, Any],
) -> None:
    """Check the shape of ``reMask`` before its numbers are read.

    Raises:
        InputError: It is not (N, W, H), or (W, H) of a single object, of the
            frame's size; a damaged file may claim any size.
    """
    count = shape[0] if len(shape) == 3 else 1
    if len(shape) not in (2, 3) or count != len(numbers):
        raise InputError.of(
            path,
            'shape of reMask',
            shape,
            f'({len(numbers)}, width, height), a mask for each instance',
        )
    check_size(path, (shape[-1], shape[-2]), frame)


def array_of(file: h5py.File, name: str, path: str) -> h5py.Dataset:
    """Return an array of numbers, unread, that lies in an HDF5 file itself.

    HDF5 can also name other files whose bytes are the array.

    Raises:
        KeyError: There is none of this name.
        InputError: It is something else, or its numbers lie elsewhere.
    """
    link = file.get(name, getlink=True)
    if link is None:
        raise KeyError(f'no array {name}')
    array = file[name] if isinstance(link, h5py.HardLink) else None
    if (
        not isinstance(array, h5py.Dataset)
        or array.dtype.kind not in 'biuf'
        or array.external
        or array.is_virtual
        or (array.ndim < 2 and array.size > MOST_INSTANCES)
    ):
        raise InputError.of(
            path,
            name,
            str(link if array is None else array),
            'an array of numbers that is in this file',
        )
    return array


def read_puppet(
    frame: Dict[str, Any],
    object_ids: Sequence[str],
    backend_args: Optional[dict] = None,
) -> Masks:
    """Read ``mat_path``, the MATLAB file of a video of JHMDB-Sentences.

    The file has ``part_mask``, (H, W, T), the masks of the video's one
    person. The frame's ``mat_index`` is its index in the video, from 0;
    ``named_by`` is as for A2D.
    """
    path, index = frame['mat_path'], frame['mat_index']
    content = read_bytes(path, f'masks{rows_of(frame)}', backend_args)
    try:
        masks = read_mat_array(content, 'part_mask')
    except ValueError as error:
        raise InputError.of(
            path, 'content', str(error), 'a MATLAB file with part_mask'
        ) from None
    if masks.ndim == 2:
        # MATLAB drops the last dimension of a single frame.
        masks = masks[..., None]
    if masks.ndim != 3 or index >= masks.shape[2]:
        raise InputError.of(
            path,
            'shape of part_mask',
            masks.shape,
            f'(height, width, frames), at least {index + 1} frames',
        )
    mask = masks[..., index] > 0
    check_size(path, mask.shape, frame)
    return Masks({id: drawn_or_none(mask) for id in object_ids})


def rows_of(
    frame: Dict[str, Any], object_ids: Optional[Sequence[str]] = None
) -> str:
    """Name the rows of the lists that refer to a frame's objects."""
    rows = frame.get('named_by', {})
    named = [rows[id] for id in object_ids or rows if id in rows]
    return f' ({", ".join(named)})' if named else ''


def read_segmentations(
    frame: Dict[str, Any],
    object_ids: Sequence[str],
    backend_args: Optional[dict] = None,
) -> Masks:
    """Draw ``segmentations``, the outlines of COCO's annotations.

    Object id -> a list of polygons (x and y in turn, in pixels), an RLE
    whose counts are a list, bytes or a string, or None. Objects without an
    entry are not drawn.
    """
    masks = Masks()
    for id in object_ids:
        given = frame['segmentations'].get(id)
        masks[id] = None
        if given is None:
            continue
        try:
            if isinstance(given, dict):
                where = f'{name_of(frame)}: segmentations.{id}'
                check_size(where, size_of_rle(given), frame)
                mask = decode_rle(given)
            else:
                mask = decode_polygons(given, *frame['ori_shape'])
        except InputError:
            raise
        except (KeyError, TypeError, ValueError) as error:
            raise InputError.of(
                name_of(frame),
                f'segmentations.{id}',
                given,
                f"COCO's polygons or RLE ({error})",
            ) from None
        masks[id] = drawn_or_none(mask)
    return masks


def check_size(path: str, shape: Sequence[int], frame: Dict[str, Any]) -> None:
    """Raise InputError unless a mask has the (height, width) of its frame."""
    if tuple(shape) != tuple(frame['ori_shape']):
        raise InputError.of(
            path,
            'size (height, width)',
            tuple(shape),
            f'{tuple(frame["ori_shape"])}, as {name_of(frame)}',
        )


def check_listed_size(frame: Dict[str, Any], shape: Sequence[int]) -> None:
    """Raise InputError unless a frame has its ``listed_size``, if any.

    Outlines are in the pixels of the image that was annotated, which an EXIF
    orientation or another size may have changed since.

    Args:
        frame: May have ``listed_size``, (height, width).
        shape: (height, width) as read.
    """
    listed = frame.get('listed_size')
    if listed is not None and tuple(shape) != tuple(listed):
        raise InputError.of(
            name_of(frame),
            'size (height, width), upright',
            tuple(shape),
            f'{tuple(listed)}, as its list of annotations says',
        )


def drawn_or_none(mask: np.ndarray) -> Optional[np.ndarray]:
    """Return a mask (H, W) bool, or None if no pixel is set."""
    return mask if mask.any() else None


def name_of(frame: Dict[str, Any]) -> str:
    """Name a frame for messages: its file, or video file and index."""
    if 'img_path' in frame:
        return str(frame['img_path'])
    if 'video_path' in frame:
        return f'{frame["video_path"]}, frame {frame["frame_index"]}'
    return f'frame {frame.get("frame_id")}'


MASK_SOURCES: Dict[str, MaskReader] = {
    'mask_path': read_palette,
    'binary_mask_path': read_binary,
    'h5_path': read_a2d,
    'mat_path': read_puppet,
    'segmentations': read_segmentations,
}
