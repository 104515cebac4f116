"""Where a frame's masks come from: one small reader a source.

A frame names its source by the key that it holds (``MASK_SOURCES``). A
reader reads the frame's file once, whatever the number of objects wanted.
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

# Object id -> (H, W) bool, or None where the object is not drawn.
Masks = Dict[str, Optional[np.ndarray]]
MaskReader = Callable[[Dict[str, Any], Sequence[str], Optional[dict]], Masks]


def read_masks(
    frame: Dict[str, Any],
    object_ids: Sequence[str],
    backend_args: Optional[dict] = None,
) -> Masks:
    """Read some objects' masks in one frame, by the source that it names.

    Args:
        frame: Holds a key of ``MASK_SOURCES`` and ``ori_shape``.
        object_ids: Which objects; none gives no masks.
        backend_args: Of mmengine's file backends.

    Returns:
        Object id -> (H, W) bool, or None where it is not drawn.

    Raises:
        InputError: The frame names no source, or what it names is missing,
            broken or of another size than the frame.
    """
    for key, read in MASK_SOURCES.items():
        if key in frame:
            return read(frame, object_ids, backend_args)
    raise InputError.of(
        name_of(frame),
        'masks',
        None,
        f'where they are: one of {sorted(MASK_SOURCES)}',
    )


def read_palette(
    frame: Dict[str, Any],
    object_ids: Sequence[str],
    backend_args: Optional[dict] = None,
) -> Masks:
    """Read a palette PNG, value = object id, from ``mask_path``."""
    path = frame['mask_path']
    content = read_bytes(path, 'a mask', backend_args)
    ids = decode_id_map(content, path)
    check_size(path, ids, frame)
    return {id: drawn_or_none(ids == int(id)) for id in object_ids}


def read_ids(path: str) -> List[int]:
    """List the object ids in a palette PNG; 0 is the background."""
    content = read_bytes(path, 'a mask', None)
    ids = np.unique(decode_id_map(content, path))
    return [int(id) for id in ids if id != 0]


def read_binary(
    frame: Dict[str, Any],
    object_ids: Sequence[str],
    backend_args: Optional[dict] = None,
) -> Masks:
    """Read an image that is not black where the object is.

    From ``binary_mask_path``; grey, palette, 1 bit or colour. There is one
    mask for whatever object is asked for.
    """
    path = frame['binary_mask_path']
    content = read_bytes(path, 'a mask', backend_args)
    with broken_images_named(path), Image.open(io.BytesIO(content)) as image:
        # Opaque black is nothing, too.
        plain = image.mode in ('1', 'L', 'P', 'I', 'I;16')
        pixels = np.array(image if plain else image.convert('RGB'))
    channels = pixels.reshape(*pixels.shape[:2], -1)
    mask = np.asarray((channels > 0).any(-1))
    check_size(path, mask, frame)
    return {id: drawn_or_none(mask) for id in object_ids}


def read_a2d(
    frame: Dict[str, Any],
    object_ids: Sequence[str],
    backend_args: Optional[dict] = None,
) -> Masks:
    """Read a frame of A2D-Sentences from ``h5_path``.

    The file holds ``instance``, the objects' numbers, and ``reMask``,
    (N, W, H) or, of one object, (W, H): turned on its side as MATLAB does.
    The frame's ``named_by`` says which row of which list wants an object.
    """
    path = frame['h5_path']
    content = read_bytes(path, f'masks{rows_of(frame)}', backend_args)
    try:
        with h5py.File(io.BytesIO(content), 'r') as file:
            numbers = [int(number) for number in np.ravel(file['instance'])]
            masks = np.asarray(file['reMask'])
    # What h5py raises depends on where the file is broken.
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
    found: Masks = {}
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
    """Read a frame of JHMDB-Sentences from ``mat_path``.

    The file holds ``part_mask``, (H, W, T), the one person of the video;
    ``mat_index`` says which frame, from 0; ``named_by`` as in A2D.
    """
    path, index = frame['mat_path'], frame['mat_index']
    content = read_bytes(path, f'masks{rows_of(frame)}', backend_args)
    try:
        found = loadmat(io.BytesIO(content), variable_names=['part_mask'])
        masks = found['part_mask']
    # scipy lets through whatever its parser stumbles over.
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
    return {id: drawn_or_none(mask) for id in object_ids}


def rows_of(
    frame: Dict[str, Any], object_ids: Optional[Sequence[str]] = None
) -> str:
    """Which rows of which list want a frame's objects, for messages."""
    rows = frame.get('named_by', {})
    named = [rows[id] for id in object_ids or rows if id in rows]
    return f' ({", ".join(named)})' if named else ''


def read_segmentations(
    frame: Dict[str, Any],
    object_ids: Sequence[str],
    backend_args: Optional[dict] = None,
) -> Masks:
    """Draw what COCO's annotations say, from ``segmentations``.

    That is object id -> a list of polygons (x, y in turn, pixels), an RLE
    with counts as a list, bytes or a string, or None where the object is
    not drawn; ids that are not there are not drawn.
    """
    masks: Masks = {}
    for id in object_ids:
        given = frame['segmentations'].get(id)
        masks[id] = None
        if given is None:
            continue
        try:
            rle = as_compressed(given, *frame['ori_shape'])
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


def as_compressed(given: Any, height: int, width: int) -> dict:
    """Make one compressed RLE of polygons or of an RLE of any kind."""
    if isinstance(given, dict):
        if isinstance(given['counts'], list):
            return rle_codec.frPyObjects(given, height, width)
        return given
    # pycocotools takes four numbers for a box.
    if not given or any(len(polygon) < 6 for polygon in given):
        raise ValueError('a polygon has three corners at least')
    return rle_codec.merge(rle_codec.frPyObjects(given, height, width))


def check_size(path: str, mask: np.ndarray, frame: Dict[str, Any]) -> None:
    """Raise InputError unless a mask (H, W) is as large as its frame."""
    if mask.shape != tuple(frame['ori_shape']):
        raise InputError.of(
            path,
            'size (height, width)',
            mask.shape,
            f'{tuple(frame["ori_shape"])}, as {name_of(frame)}',
        )


def drawn_or_none(mask: np.ndarray) -> Optional[np.ndarray]:
    """A mask (H, W) bool, or None where no pixel is set."""
    return mask if mask.any() else None


def name_of(frame: Dict[str, Any]) -> str:
    """What a frame is called in messages."""
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
