"""Draw labels in any script: a font for each of their characters."""

import functools
import logging
import unicodedata
from importlib.util import find_spec
from pathlib import Path
from typing import FrozenSet, Iterator, List, Optional, Tuple

from anyascii import anyascii
from fontTools.ttLib import TTCollection, TTFont, TTLibError
from mmengine.logging import print_log
from PIL import ImageDraw, ImageFont

Font = ImageFont.FreeTypeFont
# A piece of a line and the file of its font; '' for Pillow's own.
Run = Tuple[str, str]

# Latin, Cyrillic, Greek and Devanagari; Arabic; Chinese, Japanese, Korean.
FONT_PACKAGES = (
    'fontpkg_noto_sans',
    'fontpkg_noto_sans_arabic',
    'cvttf_NotoSansCJK_Regular',
)
SUFFIXES = ('.otf', '.ttc', '.ttf')
# Zero-width non-joiner and joiner: they shape their neighbours.
JOINERS = '\u200c\u200d'


@functools.lru_cache(maxsize=64)
def load_font(file: str, size: int) -> Font:
    """Load a font at a size in pixels; '' is Pillow's own, for ASCII."""
    if not file:
        return ImageFont.load_default(size)  # type: ignore
    return ImageFont.truetype(file, size)


@functools.lru_cache(maxsize=1)
def packaged_fonts() -> List[str]:
    """List the upright font files of the installed font packages."""
    found = []
    for name in FONT_PACKAGES:
        spec = find_spec(name)
        for folder in (spec and spec.submodule_search_locations) or ():
            found += [
                str(path)
                for path in sorted(Path(folder).rglob('*'))
                if path.suffix in SUFFIXES and 'Italic' not in path.name
            ]
    return found


@functools.lru_cache(maxsize=1)
def system_fonts() -> List[str]:
    """List the font files of this machine."""
    # Slow to import, and rarely needed.
    from matplotlib.font_manager import findSystemFonts

    return sorted(findSystemFonts())


@functools.lru_cache(maxsize=4096)
def characters_of(file: str) -> FrozenSet[int]:
    """Read which characters a font has; none if it cannot be read."""
    try:
        if file.endswith('.ttc'):
            font = TTCollection(file, lazy=True).fonts[0]
        else:
            font = TTFont(file, lazy=True)
        return frozenset(font.getBestCmap() or ())
    except (OSError, TTLibError, AssertionError, KeyError, ValueError):
        return frozenset()


@functools.lru_cache(maxsize=65536)
def font_for(character: str) -> Optional[str]:
    """Find a font with a character; None if this machine has none."""
    if character.isascii():
        return ''
    for files in (packaged_fonts, system_fonts):
        for file in files():
            if ord(character) in characters_of(file):
                return file
    return None


def legible(text: str) -> str:
    """Replace what no font can draw by Latin letters, and say so once."""
    parts = []
    for character in text:
        if character in JOINERS or font_for(character) is not None:
            parts.append(character)
            continue
        say_once(unicodedata.name(character, 'a character').split()[0])
        parts.append(anyascii(character) or f'U+{ord(character):04X}')
    return ''.join(parts)


@functools.lru_cache(maxsize=1024)
def say_once(script: str) -> None:
    """Warn that labels of a script are spelled in Latin letters."""
    print_log(
        f'labels: font for {script} is missing; expected one on this machine '
        '(its letters are replaced by Latin ones in the pictures)',
        logger='current',
        level=logging.WARNING,
    )


def runs_of(text: str) -> List[Run]:
    """Split a line into pieces of one font each.

    Marks, spaces and digits stay with the letters before them where their
    font has them: scripts such as Arabic are shaped within a piece.
    """
    runs: List[Run] = []
    for character in text:
        last = runs[-1] if runs else None
        stays = (
            last is not None
            and last[1]
            and not character.isalpha()
            and (
                character in JOINERS
                or ord(character) in characters_of(last[1])
            )
        )
        file = last[1] if last and stays else font_for(character) or ''
        if last and last[1] == file:
            runs[-1] = (last[0] + character, file)
        else:
            runs.append((character, file))
    return runs


def width_of(text: str, size: int) -> float:
    """Measure a line in pixels."""
    return sum(
        load_font(file, size).getlength(piece) for piece, file in runs_of(text)
    )


def draw_line(
    draw: ImageDraw.ImageDraw,
    place: Tuple[float, float],
    text: str,
    size: int,
    color: Tuple[int, int, int],
) -> None:
    """Draw a line whose left upper corner is at ``place``."""
    left, top = place
    base = top + load_font('', size).getmetrics()[0]
    for piece, file in runs_of(text):
        font = load_font(file, size)
        draw.text((left, base), piece, color, font, anchor='ls')
        left += font.getlength(piece)


def wrap(text: str, width: int, size: int, max_lines: int = 3) -> List[str]:
    """Break a text into lines of ``width`` pixels; cut it after the last.

    Words that are longer than a line are broken, too.
    """
    lines: List[str] = []
    for word in text.split():
        if lines and width_of(f'{lines[-1]} {word}', size) <= width:
            lines[-1] += f' {word}'
        else:
            lines += break_word(word, width, size)
        if len(lines) > max_lines:
            lines = lines[:max_lines]
            lines[-1] += ' ...'
            break
    return lines or ['']


def break_word(word: str, width: int, size: int) -> Iterator[str]:
    """Yield parts of a word that fit; letters keep their marks."""
    part = ''
    for letter in letters_of(word):
        if part and width_of(part + letter, size) > width:
            yield part
            part = ''
        part += letter
    yield part


def letters_of(word: str) -> List[str]:
    """Split a word into letters with their marks."""
    letters: List[str] = []
    for character in word:
        belongs = (
            unicodedata.category(character).startswith('M')
            or character in JOINERS
            or (letters and letters[-1][-1] in JOINERS)
        )
        if letters and belongs:
            letters[-1] += character
        else:
            letters.append(character)
    return letters
