"""Install ``projects/refvos`` as the package ``refvos``."""

from pathlib import Path

from setuptools import find_packages, setup

ROOT = Path(__file__).parent
SOURCE = 'projects/refvos'


def version() -> str:
    scope: dict = {}
    exec((ROOT / SOURCE / 'version.py').read_text(), scope)
    return scope['__version__']


def requirements(name: str) -> list:
    lines = (ROOT / 'requirements' / name).read_text().splitlines()
    return [line for line in lines if line and not line.startswith('#')]


setup(
    name='refvos',
    version=version(),
    description='Referring video object segmentation on MMEngine and mmdet',
    long_description=(ROOT / 'README.md').read_text()
    if (ROOT / 'README.md').exists()
    else '',
    long_description_content_type='text/markdown',
    python_requires='>=3.10',
    packages=['refvos'] + [f'refvos.{name}' for name in find_packages(SOURCE)],
    package_dir={'refvos': SOURCE},
    # Neither OpenMMLab family is named here: both the maintained forks and
    # the last official releases serve (requirements/mminstall.txt).
    install_requires=requirements('runtime.txt'),
    entry_points={'console_scripts': ['refvos = refvos.__main__:main']},
)
