"""Read pickles of tensors without running what is in them.

A pickle names functions of any module and what to call them with. Here a
name gives a function of this file, which checks its arguments, or nothing:
even torch's and numpy's own parts, called with what they are not made for,
can make pointers of a file's bytes. torch's ``weights_only`` lets such calls
through, and does not compare the check sums of a file.
"""

import io
import math
import os
import pickle
import re
import struct
import sys
import zipfile
import zlib
from collections import Counter, OrderedDict
from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from types import FunctionType, SimpleNamespace
from typing import Any, BinaryIO, Dict, List, Optional, Tuple

import numpy as np
import torch
from torch import Tensor
from torch.serialization import (
    StorageType,
    _get_restore_location,
    _legacy_load,
)
from torch.storage import TypedStorage

from ..errors import short_repr

ZIP_START = b'PK\x03\x04'
# From so many bytes on a check sum is worth a thread.
LARGE = 1 << 16
# Tensors that repeat their numbers may stand for so many bytes in one file:
# copies of them, as a model makes, take this memory.
REPEATED = 1 << 30
# Up to so many bytes a file is read at once where it is read bit by bit.
SMALL = 1 << 26
THREADS = min(4, os.cpu_count() or 1)
# Booleans, integers, floats, complex numbers; S and U are text.
NUMBERS = re.compile(r'[<>|=]?(b1|[iu][1248]|f[248]|c(8|16)|[SU]\d{1,5})')
PLAIN = (str, bytes, int, float, complex, type(None), torch.dtype)


class NotAllowed(pickle.UnpicklingError):
    """A pickle wants something that it does not get."""


def damaged(what: str) -> pickle.UnpicklingError:
    """Say that a file's parts contradict each other."""
    return pickle.UnpicklingError(what)


def name_of(found: Any) -> str:
    """Name what a pickle wants to use, whatever it is."""
    if isinstance(found, FunctionType):
        return found.__name__
    return f'a {type(found).__name__}'


def check_key(key: Any) -> None:
    """Refuse keys that are not plain.

    The hash of tuples that share their parts can take for ever.
    """
    parts = key if isinstance(key, tuple) else (key,)
    if not all(isinstance(part, PLAIN) for part in parts):
        raise NotAllowed(f'{name_of(key)} as a key')


def are_counts(values: Any) -> bool:
    """Whether these are sizes, strides or places: integers from 0 on."""
    return isinstance(values, (tuple, list)) and all(
        isinstance(value, int) and value >= 0 for value in values
    )


# What stands in for functions that pickles of torch and numpy name.


def rebuild_tensor(
    storage: Any,
    offset: int,
    size: Sequence[int],
    stride: Sequence[int],
    requires_grad: bool = False,
    hooks: Any = None,
    metadata: Any = None,
) -> Tensor:
    """Make a tensor that lies in its storage as a whole.

    torch would enlarge a storage that is too small.
    """
    dtype = getattr(storage, 'dtype', None)
    return rebuild_tensor_of(
        storage, offset, size, stride, requires_grad, hooks, dtype, metadata
    )


def rebuild_tensor_of(
    storage: Any,
    offset: int,
    size: Sequence[int],
    stride: Sequence[int],
    requires_grad: bool,
    hooks: Any,
    dtype: Any,
    metadata: Any = None,
) -> Tensor:
    """Make a tensor of a type that its storage does not have."""
    right = isinstance(storage, TypedStorage) and isinstance(
        dtype, torch.dtype
    )
    if not right or not all(map(are_counts, ([offset], size, stride))):
        raise damaged('a tensor without a storage, a size or strides')
    held = storage._untyped_storage.nbytes() // dtype.itemsize
    count = math.prod(size)
    end = offset + sum((n - 1) * step for n, step in zip(size, stride)) + 1
    if count and (len(size) != len(stride) or end > held):
        raise damaged(f'a tensor of {end} elements over {held} numbers')
    tensor = torch.empty(
        (0,), dtype=dtype, device=storage._untyped_storage.device
    )
    tensor.set_(storage._untyped_storage, offset, size, stride)
    if metadata:
        torch._utils.set_tensor_metadata(tensor, metadata)
    tensor.requires_grad = bool(requires_grad)
    return tensor


def rebuild_parameter(
    data: Any, requires_grad: bool, hooks: Any = None
) -> torch.nn.Parameter:
    """Make a parameter of a tensor."""
    if not isinstance(data, Tensor):
        raise damaged(f'a parameter of {name_of(data)}')
    return torch.nn.Parameter(data, bool(requires_grad))


def make_size(values: Any = ()) -> torch.Size:
    if not are_counts(values):
        raise damaged('a size that is none')
    return torch.Size(values)


def make_device(kind: Any, index: Any = None) -> torch.device:
    return torch.device(*([kind] if index is None else [kind, index]))


def ordered_dict(items: Any = ()) -> OrderedDict:
    """Make an ordered dict; Python 2 gives its items at once."""
    for pair in items:
        check_key(pair[0])
    return OrderedDict(items)


def make_counter(counts: Any = None) -> Counter:
    # A dict's keys were checked.
    if not isinstance(counts, (dict, type(None))):
        raise NotAllowed(f'a Counter of {name_of(counts)}')
    return Counter(counts or {})


def make_set(items: Any = ()) -> set:
    for item in items:
        check_key(item)
    return set(items)


def make_bytearray(content: Any = b'', encoding: Any = None) -> bytearray:
    if isinstance(content, str):
        content = encode_latin(content, encoding)
    # A number would be a size, which can be any.
    if not isinstance(content, bytes):
        raise NotAllowed(f'a bytearray of {name_of(content)}')
    return bytearray(content)


def make_complex(real: float, imaginary: float) -> complex:
    return complex(float(real), float(imaginary))


def encode_latin(text: Any, encoding: Any = 'latin1') -> bytes:
    """Stand in for ``codecs.encode``, which knows more than texts.

    Protocols before 3 have no bytes: they write texts to be encoded.
    """
    if encoding not in ('latin1', 'latin-1') or not isinstance(text, str):
        raise NotAllowed(f'the encoding {short_repr(encoding)}')
    return text.encode('latin1')


class NumberType:
    """Stand in for numpy's dtype: numbers and text alone.

    Objects would be pointers, and the state of a dtype can make it one of
    structures, or say that its numbers are objects.
    """

    def __init__(self, code: str) -> None:
        self.dtype = np.dtype(code)

    def set_state(self, state: Any) -> None:
        """Take the order of bytes from a dtype's state, and nothing else."""
        if not isinstance(state, tuple) or len(state) < 5:
            raise damaged('a number type without a state')
        order, structure = state[1], state[2:5]
        if isinstance(order, bytes):
            order = order.decode('latin1')
        if order not in ('<', '>', '|', '=') or any(
            part is not None for part in structure
        ):
            raise NotAllowed('numpy.dtype of structures')
        if order in '<>':
            self.dtype = self.dtype.newbyteorder(order)


def make_number_type(
    code: Any, align: Any = False, copy: Any = False
) -> NumberType:
    if isinstance(code, bytes):
        code = code.decode('latin1')
    if not isinstance(code, str) or not NUMBERS.fullmatch(code):
        raise NotAllowed(f'numpy.dtype({short_repr(code)})')
    return NumberType(code)


def as_bytes(content: Any) -> bytes:
    """Take bytes, or what Python 2 calls a string."""
    if isinstance(content, str):
        content = content.encode('latin1')
    if not isinstance(content, (bytes, bytearray)):
        raise NotAllowed(f'numbers in {name_of(content)}')
    return bytes(content)


def check_array(number_type: Any, shape: Any, content: bytes) -> np.dtype:
    """Refuse bytes that are not those of such an array."""
    if not isinstance(number_type, NumberType) or not are_counts(shape):
        raise damaged('an array without a shape or type')
    size = math.prod(shape) * number_type.dtype.itemsize
    if size != len(content):
        raise damaged(f'an array of {size} bytes over {len(content)}')
    return number_type.dtype


def make_empty_array(marker: Any, shape: Any, code: Any) -> np.ndarray:
    """Make the array whose state follows."""
    if marker is not ARRAY:
        raise NotAllowed(f'an array that is {name_of(marker)}')
    return np.zeros(0, np.int8)


def set_array(array: Any, state: Any) -> None:
    """Fill an array from its state."""
    if not isinstance(state, tuple) or len(state) != 5:
        raise damaged('an array without a state')
    _, shape, number_type, in_columns, content = state
    content = as_bytes(content)
    dtype = check_array(number_type, shape, content)
    array.__setstate__((1, tuple(shape), dtype, bool(in_columns), content))


def make_scalar(number_type: Any, content: Any) -> Any:
    content = as_bytes(content)
    dtype = check_array(number_type, (), content)
    return np.frombuffer(content, dtype)[0]


def array_of_buffer(
    content: Any, number_type: Any, shape: Any, order: Any
) -> np.ndarray:
    """Make an array as numpy's pickles of protocol 5 do."""
    content = as_bytes(content)
    dtype = check_array(number_type, shape, content)
    array = np.frombuffer(bytearray(content), dtype)
    return array.reshape(shape, order='F' if order == 'F' else 'C')


def set_metadata(ordered: OrderedDict, state: Any) -> None:
    """Take the versions of a state dict's modules."""
    versions = state.get('_metadata') if isinstance(state, dict) else None
    if isinstance(versions, dict) and all(
        isinstance(each, dict) for each in versions.values()
    ):
        ordered._metadata = versions  # type: ignore[attr-defined]


class Marker:
    """Stand in for a class that is named and not called."""

    def __init__(self, make: Optional[Callable[[], Any]] = None) -> None:
        self.make = make


ARRAY = Marker()
Names = Dict[Tuple[str, str], Any]


def tensor_names() -> Names:
    """What pickles of tensors, arrays and plain data name."""
    names: Names = {
        ('torch._utils', '_rebuild_tensor'): rebuild_tensor,
        ('torch._utils', '_rebuild_tensor_v2'): rebuild_tensor,
        ('torch._utils', '_rebuild_tensor_v3'): rebuild_tensor_of,
        ('torch._utils', '_rebuild_parameter'): rebuild_parameter,
        ('torch', 'Size'): make_size,
        ('torch', 'device'): make_device,
        ('torch.storage', 'UntypedStorage'): StorageType('ByteStorage'),
        ('collections', 'OrderedDict'): ordered_dict,
        ('collections', 'Counter'): make_counter,
        ('numpy', 'ndarray'): ARRAY,
        ('numpy', 'dtype'): make_number_type,
        ('_codecs', 'encode'): encode_latin,
    }
    # Python 2 and pickles before protocol 3 have the other name.
    for builtins in ('builtins', '__builtin__'):
        names[builtins, 'set'] = make_set
        names[builtins, 'bytearray'] = make_bytearray
        names[builtins, 'complex'] = make_complex
    # numpy 1 and 2 name the module differently.
    for package in ('numpy.core', 'numpy._core'):
        names[f'{package}.multiarray', '_reconstruct'] = make_empty_array
        names[f'{package}.multiarray', 'scalar'] = make_scalar
        names[f'{package}.numeric', '_frombuffer'] = array_of_buffer
    for name, value in vars(torch).items():
        if isinstance(value, torch.dtype):
            names['torch', name] = value
    return names


# Of Python, not of C: it lets its instructions be replaced.
Unpickler: Any = pickle._Unpickler


class TensorUnpickler(Unpickler):
    """Give tensors, arrays of numbers and text, and plain data; no more."""

    names: Names = tensor_names()
    # Bytes for which tensors stand beyond those they hold.
    repeated = 0
    # How objects take their state.
    states: Dict[type, Callable[[Any, Any], None]] = {
        NumberType: NumberType.set_state,
        np.ndarray: set_array,
        OrderedDict: set_metadata,
    }
    # Others call what they find on the stack, or look in other places.
    dispatch: Dict[int, Any] = {
        code: method
        for code, method in Unpickler.dispatch.items()
        if bytes([code])
        not in (
            *(pickle.INST, pickle.OBJ, pickle.NEWOBJ_EX, pickle.PERSID),
            *(pickle.EXT1, pickle.EXT2, pickle.EXT4),
            *(pickle.NEXT_BUFFER, pickle.READONLY_BUFFER),
        )
    }

    def find_class(self, module: str, name: str) -> Any:
        if module == 'torch' and name.endswith('Storage'):
            try:
                return StorageType(name)
            except KeyError:
                pass
        found = self.names.get((module, name))
        if found is None:
            raise NotAllowed(f'{module}.{name}'[:200])
        return found

    def load_reduce(self) -> None:
        arguments, function = self.stack.pop(), self.stack.pop()
        if not isinstance(function, FunctionType):
            raise NotAllowed(f'to call {name_of(function)}')
        made = function(*arguments)
        if isinstance(made, Tensor):
            self.count_repeated(made)
        self.append(made)

    dispatch[pickle.REDUCE[0]] = load_reduce

    def count_repeated(self, tensor: Tensor) -> None:
        """Refuse files whose tensors stand for far more than they hold.

        A stride of 0 repeats numbers, so a few can stand for terabytes.
        """
        held = tensor.untyped_storage().nbytes()
        self.repeated += max(tensor.nbytes - held, 0)
        if self.repeated > REPEATED:
            raise damaged(
                f'tensors that repeat numbers stand for {self.repeated} '
                f'bytes; expected at most {REPEATED}'
            )

    def load_newobj(self) -> None:
        arguments, marker = self.stack.pop(), self.stack.pop()
        made = isinstance(marker, Marker) and marker.make is not None
        if not made or arguments != ():
            raise NotAllowed(f'an object of {name_of(marker)}')
        self.append(marker.make())

    dispatch[pickle.NEWOBJ[0]] = load_newobj

    def load_build(self) -> None:
        state, found = self.stack.pop(), self.stack[-1]
        set_state = self.states.get(type(found))
        if set_state is None:
            raise NotAllowed(f'the state of {name_of(found)}')
        set_state(found, state)

    dispatch[pickle.BUILD[0]] = load_build

    def load_binpersid(self) -> None:
        found = self.stack.pop()
        if not isinstance(found, tuple) or found[:1] not in (
            ('storage',),
            (b'storage',),
        ):
            raise NotAllowed(f'to load {name_of(found)}')
        self.append(self.persistent_load(found))

    dispatch[pickle.BINPERSID[0]] = load_binpersid

    def load_bytearray8(self) -> None:
        (size,) = struct.unpack('<Q', self.read(8))
        self.append(bytearray(self.read(size)))

    dispatch[pickle.BYTEARRAY8[0]] = load_bytearray8

    def extend(self, kind: type, items: List[Any]) -> Any:
        """Check what items are added to."""
        found = self.stack[-1]
        if not isinstance(found, kind):
            raise NotAllowed(f'to add to {name_of(found)}')
        return found

    def load_append(self) -> None:
        item = self.stack.pop()
        self.extend(list, [item]).append(item)

    dispatch[pickle.APPEND[0]] = load_append

    def load_appends(self) -> None:
        items = self.pop_mark()
        self.extend(list, items).extend(items)

    dispatch[pickle.APPENDS[0]] = load_appends

    def load_setitem(self) -> None:
        value, key = self.stack.pop(), self.stack.pop()
        check_key(key)
        self.extend(dict, [value])[key] = value

    dispatch[pickle.SETITEM[0]] = load_setitem

    def load_setitems(self) -> None:
        items = self.pop_mark()
        found = self.extend(dict, items)
        for key, value in zip(items[::2], items[1::2]):
            if not isinstance(key, str):
                check_key(key)
            found[key] = value

    dispatch[pickle.SETITEMS[0]] = load_setitems

    def load_dict(self) -> None:
        items = self.pop_mark()
        for key in items[::2]:
            check_key(key)
        self.append(dict(zip(items[::2], items[1::2])))

    dispatch[pickle.DICT[0]] = load_dict

    def load_additems(self) -> None:
        items = self.pop_mark()
        found = self.extend(set, items)
        found |= make_set(items)

    dispatch[pickle.ADDITEMS[0]] = load_additems

    def load_frozenset(self) -> None:
        self.append(frozenset(make_set(self.pop_mark())))

    dispatch[pickle.FROZENSET[0]] = load_frozenset


class TrustedUnpickler(pickle.Unpickler):
    """Give whatever a pickle wants."""

    def find_class(self, module: str, name: str) -> Any:
        if 'Storage' in name:
            try:
                return StorageType(name)
            except KeyError:
                pass
        if module == 'torch.tensor':  # Its name until torch 1.7.
            module = 'torch._tensor'
        return super().find_class(module, name)


class File(io.BufferedReader):
    """A file of which nobody reads more than there is.

    A size in a pickle can be any: Python would reserve that much.
    """

    def __init__(self, path: str) -> None:
        super().__init__(io.FileIO(path))
        self.bytes = os.stat(path).st_size

    def read(self, size: Optional[int] = -1, /) -> bytes:
        if size is not None and size > io.DEFAULT_BUFFER_SIZE:
            size = min(size, self.bytes)
        return super().read(size)

    # Otherwise torch looks for archives of another kind (tar), and unpacks
    # them to files.
    def fileno(self) -> int:
        raise io.UnsupportedOperation('fileno')


class Archive:
    """The records of a ``torch.save`` file, with their check sums.

    What torch writes is stored, not compressed: records that are would stand
    for a thousand times their size.
    """

    def __init__(self, source: BinaryIO, pool: ThreadPoolExecutor) -> None:
        self.source, self.pool = source, pool
        self.sums: List[Future] = []
        size = source.seek(0, os.SEEK_END)
        self.records: Dict[str, zipfile.ZipInfo] = {}
        with zipfile.ZipFile(source) as archive:
            for record in archive.infolist():
                self.check(record)
                _, _, name = record.filename.partition('/')
                if name in self.records:
                    raise damaged(f'two records {name[:80]}')
                self.records[name] = record
        total = sum(record.file_size for record in self.records.values())
        if total > size:
            raise damaged(f'records of {total} bytes in {size}')

    def check(self, record: zipfile.ZipInfo) -> None:
        """Refuse what torch does not write."""
        if (
            record.compress_type != zipfile.ZIP_STORED
            or record.compress_size != record.file_size
            or record.flag_bits & 1
        ):
            raise damaged(
                f'record {record.filename[:80]} is compressed or encrypted'
            )

    def fill(self, name: str, view: memoryview) -> None:
        """Read a record into memory; its sum is compared by the end."""
        record = self.records[name]
        self.source.seek(record.header_offset)
        header = self.source.read(30)
        name_size, extra_size = struct.unpack('<26x2H', header)
        self.source.seek(name_size + extra_size, os.SEEK_CUR)
        if (
            header[:4] != ZIP_START
            or self.source.readinto(view) != record.file_size  # type: ignore[attr-defined]
        ):
            raise damaged(f'record {name[:80]} is cut short')
        if len(view) < LARGE:
            self.compare(name, view)
        else:
            self.sums.append(self.pool.submit(self.compare, name, view))

    def compare(self, name: str, view: memoryview) -> None:
        """Compare a record's check sum."""
        if zlib.crc32(view) != self.records[name].CRC:
            raise damaged(f'the check sum of record {name[:80]} differs')

    def read(self, name: str) -> bytes:
        """Read a record."""
        if name not in self.records:
            raise damaged(f'record {name[:80]} is missing')
        content = bytearray(self.records[name].file_size)
        self.fill(name, memoryview(content))
        return bytes(content)

    def storage(self, key: Any, size: Any) -> torch.UntypedStorage:
        """Read a storage of ``size`` bytes."""
        name = f'data/{key}' if isinstance(key, str) else ''
        record = self.records.get(name)
        if record is None or record.file_size != size:
            raise damaged(f'a storage of other than {size} bytes')
        storage = torch.UntypedStorage(size)
        if size:
            content = torch.empty(0, dtype=torch.uint8).set_(storage)
            values: Any = content.numpy()
            self.fill(name, memoryview(values))
        return storage

    def finish(self) -> None:
        """Wait for the sums that are still being compared."""
        for each in self.sums:
            each.result()


def load_tensors(
    source: BinaryIO,
    unpickler: Callable[..., Any] = TensorUnpickler,
    map_location: Any = 'cpu',
) -> Any:
    """Read what ``torch.save`` wrote, in its form of now or before 1.6.

    Args:
        source: A :class:`File` or ``io.BytesIO``.
        unpickler: A class that unpickles.
        map_location: As of :func:`torch.load`.

    Raises:
        NotAllowed: The unpickler gives not all that is wanted.
        Exception: Any, where the file is damaged.
    """
    start = source.read(len(ZIP_START))
    source.seek(0)
    if start != ZIP_START:
        if isinstance(source, File) and source.bytes < SMALL:
            source = io.BytesIO(source.read())
        module = SimpleNamespace(
            Unpickler=unpickler,
            load=lambda file, **options: unpickler(file, **options).load(),
        )
        return _legacy_load(source, map_location, module, encoding='utf-8')
    with ThreadPoolExecutor(THREADS) as pool:
        archive = Archive(source, pool)
        content = load_archive(archive, unpickler, map_location)
        archive.finish()
    return content


def load_archive(
    archive: Archive, unpickler: Callable[..., Any], map_location: Any
) -> Any:
    """Unpickle the main record of an archive, with its storages."""
    restore = _get_restore_location(map_location)
    order = 'little'
    if 'byteorder' in archive.records:
        order = archive.read('byteorder').decode('latin1')
    storages: Dict[Any, TypedStorage] = {}

    def load_storage(saved: Tuple[Any, ...]) -> TypedStorage:
        _, kind, key, location, count = saved
        if not isinstance(kind, StorageType) or not are_counts([count]):
            raise damaged('a storage without a type or size')
        if key not in storages:
            storage = archive.storage(key, count * kind.dtype.itemsize)
            if order != sys.byteorder:
                archive.finish()
                storage.byteswap(kind.dtype)
            storages[key] = TypedStorage(
                wrap_storage=restore(storage, location),
                dtype=kind.dtype,
                _internal=True,
            )
        return storages[key]

    reader = unpickler(io.BytesIO(archive.read('data.pkl')), encoding='utf-8')
    reader.persistent_load = load_storage
    return reader.load()
