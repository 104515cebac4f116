"""Damage files: their bytes, and what stands in them.

Every function takes the content of a file and a source of chance, and returns
the damaged content. Those for formats with check sums make them right again,
so that the damage is not found by the sum.
"""

import copy
import io
import json
import pickletools
import random
import re
import struct
import warnings
import zipfile
import zlib
from collections.abc import Callable, Sequence
from typing import Any, List, Tuple

Mutation = Callable[[bytes, random.Random], bytes]

MOST_STEPS = 4
# Headers lie near the ends of most files.
NEAR = 512
SIZES = (1, 2, 4, 8)

# ------------------------------------------------------------------- any file


def damage_bytes(content: bytes, chance: random.Random) -> bytes:
    """Change some places of any file."""
    data = bytearray(content)
    for _ in range(chance.randint(1, MOST_STEPS)):
        chance.choice(STEPS)(data, chance)
    return bytes(data)


def place_in(data: bytearray, chance: random.Random) -> int:
    """Choose a place, more often near an end."""
    size = max(1, len(data))
    near = min(NEAR, size)
    return chance.choice(
        (
            chance.randrange(size),
            chance.randrange(near),
            size - 1 - chance.randrange(near),
        )
    )


def flip_bits(data: bytearray, chance: random.Random) -> None:
    for _ in range(chance.choice((1, 1, 2, 8)) if data else 0):
        data[place_in(data, chance)] ^= 1 << chance.randrange(8)


def set_byte(data: bytearray, chance: random.Random) -> None:
    if data:
        data[place_in(data, chance)] = chance.choice((0, 255, 127, 128, 1))


def cut_end(data: bytearray, chance: random.Random) -> None:
    del data[place_in(data, chance) :]


def zero_run(data: bytearray, chance: random.Random) -> None:
    start = place_in(data, chance)
    length = len(data[start : start + chance.randint(1, 64)])
    data[start : start + length] = bytes(length)


def repeat_block(data: bytearray, chance: random.Random) -> None:
    start = place_in(data, chance)
    block = data[start : start + chance.randint(1, 64)]
    data[start:start] = block * chance.choice((1, 2, 50))


def drop_block(data: bytearray, chance: random.Random) -> None:
    start = place_in(data, chance)
    del data[start : start + chance.randint(1, 64)]


def splice(data: bytearray, chance: random.Random) -> None:
    """Write a block over another place."""
    start, to = place_in(data, chance), place_in(data, chance)
    block = data[start : start + chance.randint(1, 128)]
    data[to : to + len(block)] = block


def insert_noise(data: bytearray, chance: random.Random) -> None:
    start = place_in(data, chance)
    data[start:start] = chance.randbytes(chance.randint(1, 16))


def set_number(data: bytearray, chance: random.Random) -> None:
    """Write an integer that is 0, -1, huge, or near the one there."""
    size = chance.choice(SIZES)
    start = place_in(data, chance)
    start -= chance.choice((0, start % size))
    field = data[start : start + size]
    if len(field) < size:
        return
    order = chance.choice(('little', 'big'))
    found = int.from_bytes(field, order)
    top = 1 << (8 * size)
    value = chance.choice(
        (0, 1, -1, top >> 1, (top >> 1) - 1, found + 1, found - 1, found * 2)
    )
    data[start : start + size] = (value % top).to_bytes(size, order)


STEPS: Sequence[Callable[[bytearray, random.Random], None]] = (
    flip_bits,
    set_byte,
    cut_end,
    zero_run,
    repeat_block,
    drop_block,
    splice,
    insert_noise,
    set_number,
    set_number,
)


def either(*mutations: Mutation) -> Mutation:
    """Take one of several mutations each time."""

    def mutate(content: bytes, chance: random.Random) -> bytes:
        return chance.choice(mutations)(content, chance)

    return mutate


# ------------------------------------------------------------- JSON and texts


def odd_value(chance: random.Random) -> Any:
    """Make a value that no list of a data set has."""
    return chance.choice(
        (
            *(None, True, False, 0, -1, 1, 2**31, 2**63, 10**30, 1e10, 1e308),
            *(float('nan'), float('inf'), -0.5, '', ' ', '0', '-1', '1e9'),
            *('x' * 300, 'word ' * 500, '\0', 'a\0b', '\ud800', '..', '/'),
            *('../../x', '/etc/passwd', 'é\u202e\x1b[2J', '\n', '٣', '²'),
            *([], {}, [[]], [None], {'': None}, [0] * 1000, [1, [2, [3]]]),
        )
    )


def damage_json(content: bytes, chance: random.Random) -> bytes:
    """Change the structure and values of a JSON file; it stays JSON."""
    try:
        root = [json.loads(content)]
    except ValueError:
        return damage_bytes(content, chance)
    for _ in range(chance.randint(1, MOST_STEPS)):
        change_node(root, chance)
    depth = chance.choice((0,) * 30 + (2000, 200000))
    escaped = chance.random() < 0.7
    text = json.dumps(root[0], ensure_ascii=escaped)
    if depth:
        word = chance.choice(re.findall(r'"\w+"|\d+', text) or ['0'])
        text = text.replace(word, '[' * depth + ']' * depth, 1)
    return text.encode('utf-8', 'surrogatepass')


def change_node(root: List[Any], chance: random.Random) -> None:
    """Change one value, or the container that it is in."""
    places = list(places_below(root))
    if not places:
        return
    # As many of the few near the root as of the many leaves.
    depth = chance.choice(sorted({depth for _, _, depth in places}))
    owner, key, _ = chance.choice([p for p in places if p[2] == depth])
    other, other_key, _ = chance.choice(places)
    value = owner[key]
    action = chance.randrange(10)
    if action < 3:
        owner[key] = odd_value(chance)
    elif action == 3 and owner is not root:
        del owner[key]
    elif action == 4 and isinstance(owner, dict):
        owner[chance.choice((str(odd_value(chance)), key + 'x'))] = value
        del owner[key]
    elif action == 5:
        owner[key] = copy.deepcopy(other[other_key])
    elif action == 6:
        owner[key] = [value]
    elif action == 7 and isinstance(value, (list, dict)) and value:
        owner[key] = next(iter(value))
    elif isinstance(value, bool) or value is None:
        owner[key] = not value
    elif isinstance(value, (int, float)):
        owner[key] = chance.choice(
            (-value, value + 1, value * 1000, value + 0.5, str(value))
        )
    elif isinstance(value, str):
        raw = damage_bytes(value.encode('utf-8', 'surrogatepass'), chance)
        owner[key] = raw.decode('latin-1')
    elif isinstance(value, list):
        owner[key] = chance.choice((value * 2, value[:-1], value[::-1]))
    else:
        owner[key] = [list(pair) for pair in value.items()]


def places_below(node: Any, depth: int = 0) -> Any:
    """Yield container, key and depth of every value."""
    keys: Any = ()
    if isinstance(node, dict):
        keys = list(node)
    elif isinstance(node, list):
        keys = range(len(node))
    for key in keys:
        yield node, key, depth
        yield from places_below(node[key], depth + 1)


def damage_lines(content: bytes, chance: random.Random) -> bytes:
    """Change lines and cells of a text or a CSV file."""
    lines = content.split(b'\n')
    for _ in range(chance.randint(1, MOST_STEPS)):
        index = chance.randrange(len(lines))
        cells = re.split(rb'([,\s])', lines[index])
        cell = chance.randrange(len(cells))
        odd = str(odd_value(chance)).encode('utf-8', 'surrogatepass')
        action = chance.randrange(6)
        if action == 0:
            lines.insert(index, lines[chance.randrange(len(lines))])
        elif action == 1 and len(lines) > 1:
            del lines[index]
        elif action == 2:
            cells[cell] = chance.choice((b'"', b'""', b'\xff', b'\r', b',,,'))
        elif action == 3:
            del cells[cell]
        else:
            cells[cell] = odd
        if action > 1:
            lines[index] = b''.join(cells)
    return b'\n'.join(lines)


# -------------------------------------------------------------------- pickles


def damage_pickle(content: bytes, chance: random.Random) -> bytes:
    """Change the instructions of a pickle and their arguments."""
    try:
        places = [at for _, _, at in pickletools.genops(content)]
    # Of bytes that are no pickle, it can raise anything.
    except Exception:
        return damage_bytes(content, chance)
    ends = [*places[1:], len(content)]
    parts = [content[a:b] for a, b in zip(places, ends)]
    for _ in range(chance.randint(1, MOST_STEPS)):
        at = chance.randrange(len(parts))
        other = parts[chance.randrange(len(parts))]
        action = chance.randrange(6)
        if action == 0:
            parts[at] = b''
        elif action == 1:
            parts[at] += other
        elif action == 2:
            parts[at] = other
        elif action == 3:
            parts[at] = chance.choice(ODD_INSTRUCTIONS)
        elif action == 4:
            parts[at] = parts[at][:1] + damage_bytes(parts[at][1:], chance)
        else:
            parts[at] += chance.choice(ODD_INSTRUCTIONS)
    return b''.join(parts)


# Values and containers; calls, states, marks; sizes that are huge.
ODD_INSTRUCTIONS = (
    *(b'N', b'K\x00', b'K\xff', b'J\xff\xff\xff\x7f', b'J\x00\x00\x00\x80'),
    *(b'\x8a\x08' + b'\xff' * 7 + b'\x7f', b'G\x7f\xf8\0\0\0\0\0\0'),
    *(b'X\0\0\0\0', b'X\xff\xff\xff\x7f', b'\x8e' + b'\xff' * 8, b'U\x01a'),
    *(b']', b'}', b')', b'(', b't', b'l', b'd', b'0', b'1', b'2', b'e'),
    *(b'R', b'b', b'Q', b's', b'u', b'a', b'\x81', b'\x85', b'\x86', b'\x93'),
    *(b'q\x00', b'h\x00', b'r\xff\xff\xff\x7f', b'j\xff\xff\xff\x7f'),
    *(b'ctorch\nSize\n', b'ctorch\nfloat32\n', b'ccollections\nOrderedDict\n'),
    *(b'cnumpy\ndtype\n', b'cnumpy\nndarray\n', b'ctorch\nFloatStorage\n'),
)


def damage_zip(content: bytes, chance: random.Random) -> bytes:
    """Change the records of a ``torch.save`` file; sums stay right."""
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        records = [(each, archive.read(each)) for each in archive.infolist()]
    changed: List[Tuple[str, bytes]] = []
    action = chance.randrange(8)
    target = chance.randrange(len(records))
    for index, (info, data) in enumerate(records):
        name = info.filename
        if action < 5 and name.endswith('data.pkl'):
            change = damage_pickle if action < 4 else damage_bytes
            data = change(data, chance)
        elif action >= 5 and index == target:
            if action == 5:
                continue
            data = damage_bytes(data, chance)
            if action == 7:
                name = name[:-1] + chance.choice(('0', '1', '/', ''))
        changed.append((name, data))
    stream = io.BytesIO()
    with (
        warnings.catch_warnings(),
        zipfile.ZipFile(stream, 'w', zipfile.ZIP_STORED) as archive,
    ):
        warnings.simplefilter('ignore')  # Of two equal names.
        for name, data in changed:
            # A fixed date: equal seeds give equal bytes.
            archive.writestr(zipfile.ZipInfo(name or 'x'), data)
    return stream.getvalue()


def damage_safetensors(content: bytes, chance: random.Random) -> bytes:
    """Change the header of a safetensors file; its length stays right."""
    (size,) = struct.unpack('<Q', content[:8])
    header = damage_json(content[8 : 8 + size], chance)
    return struct.pack('<Q', len(header)) + header + content[8 + size :]


# ------------------------------------------------------------ check sums, zlib


def damage_png(content: bytes, chance: random.Random) -> bytes:
    """Change the chunks of a PNG; their sums stay right."""
    chunks: List[Tuple[bytes, bytes]] = []
    place = 8
    while place + 12 <= len(content):
        size, name = struct.unpack_from('>I4s', content, place)
        chunks.append((name, content[place + 8 : place + 8 + size]))
        place += 12 + size
    for _ in range(chance.randint(1, 3)):
        index = chance.randrange(len(chunks))
        name, data = chunks[index]
        action = chance.randrange(6)
        if action == 0:
            chunks.insert(chance.randrange(len(chunks)), chunks[index])
        elif action == 1 and len(chunks) > 1:
            del chunks[index]
        elif action == 2 and name == b'IDAT':
            chunks[index] = name, damage_zlib(data, chance)
        elif action == 3:
            new = chance.choice((b'PLTE', b'tRNS', b'eXIf', b'fdAT', b'acTL'))
            chunks[index] = new, data
        else:
            chunks[index] = name, damage_bytes(data, chance)
    parts = [content[:8]]
    for name, data in chunks:
        total = zlib.crc32(name + data)
        parts += [struct.pack('>I', len(data)), name, data]
        parts.append(struct.pack('>I', total))
    return b''.join(parts)


def damage_zlib(data: bytes, chance: random.Random) -> bytes:
    """Change what was compressed."""
    try:
        plain = zlib.decompress(data)
    except zlib.error:
        return damage_bytes(data, chance)
    return zlib.compress(damage_bytes(plain, chance))


def damage_mat(content: bytes, chance: random.Random) -> bytes:
    """Change a compressed array of a MATLAB file, and compress it again."""
    kind, size = struct.unpack_from('<II', content, 128)
    if kind != 15:
        return damage_bytes(content, chance)
    data = damage_zlib(content[136 : 136 + size], chance)
    head = content[:128] + struct.pack('<II', kind, len(data))
    return head + data + content[136 + size :]
