"""Read an array of numbers from a MATLAB file of version 5.

scipy's reader ends the process at some damaged files.
"""

import math
import struct
import zlib
from typing import Iterator, Optional, Tuple

import numpy as np

# Types of elements. The first ones hold numbers.
DTYPES = {
    1: 'i1', 2: 'u1', 3: 'i2', 4: 'u2', 5: 'i4', 6: 'u4', 7: 'f4', 9: 'f8',
    12: 'i8', 13: 'u8',
}  # fmt: skip
INT8, INT32, UINT32, MATRIX, COMPRESSED = 1, 5, 6, 14, 15
# Classes of arrays: double to uint64. Others are text, cells, structures and
# sparse arrays.
NUMBERS = range(6, 16)
COMPLEX = 0x800
HEADER = 128
BYTE_ORDERS = {b'IM': '<', b'MI': '>'}
# In bytes.
LARGEST_ARRAY = 2**29

Element = Tuple[int, memoryview]


def read_mat_array(content: bytes, name: str) -> np.ndarray:
    """Return the array of a name.

    Args:
        content: The whole file.
        name: Name of a variable that is a real, full array of numbers.

    Returns:
        The array in the type that it is stored in, and read-only.

    Raises:
        ValueError: The file is broken or of another version, or has no such
            array.
    """
    order = BYTE_ORDERS.get(content[HEADER - 2 : HEADER])
    if order is None:
        raise ValueError('not a MATLAB file of version 5')
    for element in _elements(memoryview(content)[HEADER:], order):
        kind, data = element
        if kind == COMPRESSED:
            kind, data = next(_elements(_inflate(data), order), (0, data))
        if kind == MATRIX:
            array = _read_array(data, order, name)
            if array is not None:
                return array
    raise ValueError(f'no variable {name}')


def _elements(content: memoryview, order: str) -> Iterator[Element]:
    """Yield the elements of a file or an array: type and data."""
    place = 0
    while place + 8 <= len(content):
        kind, size = struct.unpack_from(f'{order}II', content, place)
        if kind >> 16:
            # Up to four bytes lie in the tag itself.
            kind, size = kind & 0xFFFF, kind >> 16
            start, after = place + 4, place + 8
            if size > 4:
                raise ValueError(f'size {size} of a small element')
        else:
            start = place + 8
            after = start + size
            if kind != COMPRESSED:
                after += -size % 8
        if start + size > len(content):
            raise ValueError('the file ends within an element')
        yield kind, content[start : start + size]
        place = after


def _inflate(data: memoryview) -> memoryview:
    """Decompress an element, within ``LARGEST_ARRAY``."""
    stream = zlib.decompressobj()
    try:
        content = stream.decompress(data, LARGEST_ARRAY)
    except zlib.error as error:
        raise ValueError(str(error)) from None
    if stream.unconsumed_tail:
        raise ValueError(f'an array of more than {LARGEST_ARRAY} bytes')
    return memoryview(content)


def _read_array(
    data: memoryview, order: str, wanted: str
) -> Optional[np.ndarray]:
    """Read an array; None if it has another name."""
    parts = _elements(data, order)
    flags = _numbers(next(parts, None), UINT32, order)
    shape = _numbers(next(parts, None), INT32, order).tolist()
    name = _numbers(next(parts, None), INT8, order).tobytes()
    if name != wanted.encode():
        return None
    if len(flags) != 2 or (flags[0] & 0xFF) not in NUMBERS:
        raise ValueError(f'{wanted} is no array of numbers')
    if flags[0] & COMPLEX:
        raise ValueError(f'{wanted} is complex')
    values = _numbers(next(parts, None), None, order)
    if any(side < 0 for side in shape) or math.prod(shape) != len(values):
        raise ValueError(f'{len(values)} numbers in an array of {shape}')
    return values.reshape(shape, order='F')


def _numbers(
    element: Optional[Element], wanted: Optional[int], order: str
) -> np.ndarray:
    """Return the numbers of an element, of a type if one is wanted."""
    if element is None:
        raise ValueError('an element is missing')
    kind, data = element
    if kind not in DTYPES or (wanted is not None and kind != wanted):
        raise ValueError(f'type {kind} of an element')
    dtype = np.dtype(order + DTYPES[kind])
    if len(data) % dtype.itemsize:
        raise ValueError(f'{len(data)} bytes of {dtype}')
    return np.frombuffer(data, dtype)
