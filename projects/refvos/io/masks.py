"""Read the masks of a frame: one small reader per kind of source.

A frame's dict names its source by the key that it has (``MASK_SOURCES``). A
reader reads the source once, however many objects are wanted.
"""

import io
from typing import Any, Callable, Dict, List, Optional, Sequence

import h5py
import numpy as np
from PIL import Image
from pycocotools import mask as rle_codec
from scipy.io import loadmat

from ..errors import InputError
from .images import broken_images_named, decode_id_map, read_bytes


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
    check_size(path, ids, frame)
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
    """Read ``binary_mask_path``, an image that is black in the background.

    It may be grey, palette, 1 bit or colour. Every object gets this mask.
    """
    path = frame['binary_mask_path']
    content = read_bytes(path, 'a mask', backend_args)
    with broken_images_named(path), Image.open(io.BytesIO(content)) as image:
        # An alpha channel would make opaque black count as drawn.
        plain = image.mode in ('1', 'L', 'P', 'I', 'I;16')
        pixels = np.array(image if plain else image.convert('RGB'))
    channels = pixels.reshape(*pixels.shape[:2], -1)
    mask = np.asarray((channels > 0).any(-1))
    check_size(path, mask, frame)
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
            numbers = [int(number) for number in np.ravel(file['instance'])]
            masks = np.asarray(file['reMask'])
    # Which of them h5py raises depends on where the file is broken.
    except (OSError, KeyError, RuntimeError, TypeError, ValueError) as error:
        raise InputError.of(
            path, 'content', str(error), 'HDF5 with instance and reMask'
        ) from None
    if masks.ndim == 2:
        masks = masks[None]
    if masks.ndim != 3 or len(masks) != len(numbers):
        raise InputError.of(
            path,
            'shape of reMask',
            masks.shape,
            f'({len(numbers)}, width, height), a mask for each instance',
        )
    found = Masks()
    for id in object_ids:
        if int(id) not in numbers:
            raise InputError.of(
                path,
                'instance',
                numbers,
                f'{id} among them{rows_of(frame, [id])}',
            )
        mask = masks[numbers.index(int(id))].T > 0
        check_size(path, mask, frame)
        found[id] = drawn_or_none(mask)
    return found


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
        found = loadmat(io.BytesIO(content), variable_names=['part_mask'])
        masks = found['part_mask']
    # scipy does not wrap the errors of its parser, which can be any.
    except Exception as error:
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
    check_size(path, mask, frame)
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
            rle = compress_segmentation(given, *frame['ori_shape'])
            mask = rle_codec.decode(rle).astype(bool)
        except (KeyError, TypeError, ValueError) as error:
            raise InputError.of(
                name_of(frame),
                f'segmentations.{id}',
                given,
                f"COCO's polygons or RLE ({error})",
            ) from None
        check_size(f'{name_of(frame)}: segmentations.{id}', mask, frame)
        masks[id] = drawn_or_none(mask)
    return masks


def compress_segmentation(given: Any, height: int, width: int) -> dict:
    """Encode polygons, or an RLE of any kind, as one compressed RLE."""
    if isinstance(given, dict):
        if isinstance(given['counts'], list):
            return rle_codec.frPyObjects(given, height, width)
        return given
    # pycocotools would read four numbers as a box.
    if not given or any(len(polygon) < 6 for polygon in given):
        raise ValueError('a polygon has three corners at least')
    return rle_codec.merge(rle_codec.frPyObjects(given, height, width))


def check_size(path: str, mask: np.ndarray, frame: Dict[str, Any]) -> None:
    """Raise InputError unless a mask (H, W) has the size of its frame."""
    if mask.shape != tuple(frame['ori_shape']):
        raise InputError.of(
            path,
            'size (height, width)',
            mask.shape,
            f'{tuple(frame["ori_shape"])}, as {name_of(frame)}',
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
