"""How Sphinx builds these pages: ``make docs``."""

import re
import sys
from pathlib import Path
from typing import Any

from sphinx.util import logging

DOCS = Path(__file__).parent
ROOT = DOCS.parent
GENERATED = DOCS / 'generated'
# The package beside these pages, even where another one is installed; and
# their own extension.
sys.path[:0] = [str(ROOT / 'projects'), str(DOCS)]

from refvos.version import __version__  # noqa: E402

project = 'refvos'
author = 'the refvos authors'
# Otherwise the footer says "Copyright ©" and nobody.
html_show_copyright = False
release = version = __version__

extensions = [
    'myst_parser',
    'registered_classes',
    'sphinx.ext.autodoc',
    'sphinx.ext.napoleon',
]
exclude_patterns = ['_build']
html_theme = 'furo'
html_title = f'refvos {release}'

myst_enable_extensions = ['deflist']
myst_heading_anchors = 3
autodoc_typehints = 'none'
autodoc_member_order = 'bysource'
napoleon_numpy_docstring = False

LINK = re.compile(r'(?<!!)\[([^\]]+)\]\(([^)\s]+)\)')


def write_model_zoo(app: Any) -> None:
    """Put the systems' own README files, from beside their configs, here."""
    GENERATED.mkdir(exist_ok=True)
    for readme in sorted(ROOT.glob('configs/*/README.md')):
        target = GENERATED / f'{readme.parent.name}.md'
        text = LINK.sub(
            lambda found, file=readme: move_link(found, file),
            readme.read_text(encoding='utf-8'),
        )
        if not target.exists() or target.read_text('utf-8') != text:
            target.write_text(text, encoding='utf-8')


def move_link(found: 're.Match[str]', readme: Path) -> str:
    """Links to pages stay links; files of the repository get their names."""
    text, address = found.groups()
    if '://' in address or address.startswith('#'):
        return found[0]
    file, _, anchor = address.partition('#')
    path = (readme.parent / file).resolve()
    if not path.exists():
        logging.getLogger(__name__).warning(
            f'{readme}: the link to {address} leads nowhere'
        )
        return text
    if path.is_relative_to(DOCS):
        place = f'/{path.relative_to(DOCS).as_posix()}'
        return f'[{text}]({place}{"#" if anchor else ""}{anchor})'
    name = path.relative_to(ROOT).as_posix()
    return f'`{name}`' if text in name else f'{text} (`{name}`)'


def setup(app: Any) -> None:
    app.connect('builder-inited', write_model_zoo)
