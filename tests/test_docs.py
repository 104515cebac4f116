"""The pages say what the code is: API reference, floors, commands."""

import ast
import io
import re
import runpy
import shlex
import sys
from contextlib import redirect_stdout
from importlib import import_module
from itertools import pairwise

import pytest

from tests.builders import ROOT, load_script

PACKAGE = ROOT / 'projects/refvos'
PAGES = [ROOT / 'README.md', *sorted((ROOT / 'docs').rglob('*.md'))]
PAGES = [page for page in PAGES if 'generated' not in page.parts]
# Of other programs, after whose name no option is ours.
OTHERS = ('pip', 'ffmpeg', 'git')


def registered_in_the_source():
    """Names below a ``register_module`` decorator."""
    return [
        node.name
        for file in PACKAGE.rglob('*.py')
        for node in ast.walk(ast.parse(file.read_text()))
        if any(
            'register_module' in ast.unparse(decorator)
            for decorator in getattr(node, 'decorator_list', ())
        )
    ]


def test_the_api_reference_has_every_registered_class():
    reference = load_script('docs/registered_classes.py').api_reference()
    shown = re.findall(r'^\.\. auto\w+:: (\S+)$', reference, re.MULTILINE)
    names = []
    for path in shown:
        module, _, name = path.rpartition('.')
        assert hasattr(import_module(module), name)
        names.append(name)
    assert sorted(names) == sorted(registered_in_the_source())
    assert '.. registered-classes::' in (ROOT / 'docs/api.rst').read_text()


def test_registered_classes_stand_under_their_registry():
    script = load_script('docs/registered_classes.py')
    lines = script.api_reference().splitlines()
    headings = [
        above
        for above, line in pairwise(lines)
        if line and not line.strip('-')
    ]
    known = [heading for heading, _ in script.REGISTRIES.values()]
    assert headings == [each for each in known if each in headings]
    assert {'Models', 'Data sets', 'Metrics', 'Hooks'} <= set(headings)


def test_the_page_of_the_design_has_the_floors_of_the_linter():
    settings = (ROOT / 'pyproject.toml').read_text()
    layers = re.search(r'^layers = (\[.*?^\])', settings, re.M | re.S)[1]
    kept = [layer.split(' | ') for layer in ast.literal_eval(layers)]
    page = (ROOT / 'docs/design.md').read_text()
    section = page.partition('\n## Floors\n')[2].partition('\n## ')[0]
    rows = re.findall(r'^\| (`.*?) \|', section, re.MULTILINE)
    assert [re.findall(r'`(\w+)`', row) for row in rows] == kept


def commands_of(page):
    """Words of each command in a page's shell blocks."""
    blocks = re.findall(r'```shell\n(.*?)```', page.read_text(), re.DOTALL)
    for block in blocks:
        for line in block.replace('\\\n', ' ').splitlines():
            words = shlex.split(line, comments=True)
            if words and words[0] not in OTHERS:
                yield [word.strip('[]') for word in words]


@pytest.fixture(scope='module')
def help_of():
    """The help text of a script or of the package, made once each."""
    known = {}

    def ask(program):
        if program not in known:
            known[program] = ask_once(program)
        return known[program]

    return ask


def ask_once(program):
    text = io.StringIO()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sys, 'argv', [program, '--help'])
        patch.setattr(sys, 'path', list(sys.path))
        patch.setenv('COLUMNS', '200')
        with redirect_stdout(text), pytest.raises(SystemExit) as end:
            if program == 'refvos':
                runpy.run_module(program, run_name='__main__')
            else:
                runpy.run_path(str(ROOT / program), run_name='__main__')
    assert not end.value.code, program
    return text.getvalue()


def program_of(words):
    """The script whose options the words are; None if there is none."""
    if 'refvos' in words and '-m' in words:
        return 'refvos'
    scripts = [word for word in words if re.match(r'tools/.*\.(py|sh)$', word)]
    if not scripts:
        return None
    script = re.sub(r'(dist|slurm)_(train|test)\.sh', r'\2.py', scripts[0])
    return script


@pytest.mark.parametrize('page', PAGES, ids=lambda page: page.stem)
def test_commands_can_be_typed(page, help_of):
    """Every option is one of its program's, every target is a target."""
    targets = re.findall(
        r'^([\w-]+):', (ROOT / 'Makefile').read_text(), re.MULTILINE
    )
    for words in commands_of(page):
        program = program_of(words)
        if words[0] == 'make':
            asked = [word for word in words[1:] if '=' not in word]
            assert set(asked) <= set(targets), words
        if program is None:
            continue
        known = re.findall(r'--[a-z][\w-]*', help_of(program))
        options = [word for word in words if re.match(r'--[a-z]', word)]
        options = [option.partition('=')[0] for option in options]
        assert set(options) <= {*known, '--help'}, words


@pytest.mark.parametrize('page', PAGES, ids=lambda page: page.stem)
def test_files_of_the_repository_are_there(page):
    """Names of files; ``my_...`` and ``<...>`` stand for a reader's own."""
    text = page.read_text()
    named = re.findall(
        r'(?<![\w/<>.-])(?:tools|configs|demo|docs|tests|projects)/'
        r'[\w./-]+\.(?:py|sh|md|csv|json|safetensors)\b',
        text,
    )
    missing = [
        name
        for name in named
        if not (ROOT / name).exists() and '/my_' not in name
    ]
    assert missing == []
