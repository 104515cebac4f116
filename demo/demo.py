"""Test, run and train the mini model, without downloads.

Makes RefVOS-Mini, scores the shipped weights on held-out scenes with the right
references and with those of another object, segments two objects of a held-out
video, and trains from scratch for a minute. ``--fast`` does the same on few
videos.
"""

import argparse
import json
import os
import shutil
import sys
import time
from collections.abc import Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Dict, Iterator, List, Optional

from refvos.apis import RefVOSInferencer
from refvos.commands import test, train
from refvos.engine.cli import run_tool
from refvos.mini import make_mini

ROOT = Path(__file__).resolve().parents[1]
CONFIG = ROOT / 'configs/mini/referformer_mini.py'
WEIGHTS = ROOT / 'demo/weights/referformer_mini.safetensors'
CUES = ('appearance', 'place', 'motion', 'relation', 'order')
LOG = 'log.txt'
STARTED = time.time()


def say(text: str) -> None:
    """Print what is done next, and the seconds since the start."""
    print(f'\n[demo {time.time() - STARTED:4.0f} s] {text}', flush=True)


@contextmanager
def written_to(log: Path) -> Iterator[None]:
    """Append everything printed, also by child processes, to a file."""
    log.parent.mkdir(parents=True, exist_ok=True)
    streams = (sys.stdout, sys.stderr)
    before = [os.dup(stream.fileno()) for stream in streams]
    with open(log, 'ab') as file:
        for stream in streams:
            stream.flush()
            os.dup2(file.fileno(), stream.fileno())
    try:
        yield
    finally:
        for stream, number in zip(streams, before):
            stream.flush()
            os.dup2(number, stream.fileno())
            os.close(number)


def shown(path: Path) -> str:
    """Return a path relative to the repository."""
    return str(path.relative_to(ROOT))


def make_data(folder: Path, fast: bool) -> None:
    """Make the data set."""
    say(f'Making RefVOS-Mini in {shown(folder)}')
    sizes = dict(train=32, val=2, test=6) if fast else dict(train=200, val=4)
    make_mini(folder, **{'test': 40, **sizes})


def score(data: Path, out: Path) -> List[Dict[str, float]]:
    """Score the shipped weights with right and with wrong references."""
    results = []
    for name, arguments in (
        ('right', ['--show-dir', str(out / 'overlays')]),
        ('wrong', ['--wrong-references']),
    ):
        say(f'Testing on held-out scenes with the {name} references')
        with written_to(out / LOG):
            results.append(
                test.main(
                    [str(CONFIG), str(WEIGHTS), *arguments]
                    + ['--work-dir', str(out / f'test_{name}')]
                    + ['--cfg-options']
                    + [f'test_dataloader.dataset.data_root={data}']
                )
            )
    return results


def infer(data: Path, out: Path) -> Path:
    """Segment two objects of a held-out video by two expressions."""
    file = data / 'meta_expressions/test/meta_expressions.json'
    videos = json.loads(file.read_text())['videos']
    name, video = next(iter(videos.items()))
    # One expression per object, about its appearance if there is one.
    texts: Dict[str, str] = {}
    for expression in sorted(
        video['expressions'].values(),
        key=lambda expression: expression['kind'] != 'appearance',
    ):
        texts.setdefault(expression['obj_id'], expression['exp'])
    asked = list(texts.values())[:2]
    say(f'Asking {name} for "{asked[0]}" and "{asked[1]}"')
    inferencer = RefVOSInferencer(str(CONFIG), str(WEIGHTS))
    folder = out / 'inference'
    inferencer(
        str(data / f'test/JPEGImages/{name}'), asked, out_dir=str(folder)
    )
    return folder


def train_from_scratch(data: Path, out: Path, fast: bool) -> Path:
    """Train for about a minute; this shows the log and the checkpoints."""
    iterations = 10 if fast else 200
    say(f'Training from scratch for {iterations} iterations')
    print(
        '  (enough to see how training runs; after so few iterations the J&F '
        'in the log is near 0)'
    )
    work_dir = out / 'training'
    with written_to(out / LOG):
        train.main(
            [str(CONFIG), '--work-dir', str(work_dir), '--cfg-options']
            + [f'train_dataloader.dataset.data_root={data}']
            + [f'val_dataloader.dataset.data_root={data}']
            + [f'train_cfg.max_iters={iterations}']
            + [f'train_cfg.val_interval={iterations}']
            + [f'param_scheduler.0.end={iterations // 2}']
            + [f'param_scheduler.1.begin={iterations // 2}']
            + [f'param_scheduler.1.end={iterations}']
            + [f'default_hooks.checkpoint.interval={iterations}']
            + [f'default_hooks.logger.interval={iterations // 5}']
        )
    return work_dir


def report(right: Dict[str, float], wrong: Dict[str, float]) -> None:
    """Print the scores, for all expressions and by their cue."""
    print(f'\n{"J&F on held-out scenes":28s} {"right":>7s} {"wrong":>7s}')
    for label, key in [
        ('all', 'J&F'),
        *((cue, f'J&F/{cue}') for cue in CUES),
    ]:
        if key in right:
            print(
                f'  {label:26s} {right[key]:7.1f} '
                f'{wrong.get(key, float("nan")):7.1f}'
            )
    print(
        '  (right: with the expressions of the object; wrong: with those of '
        'another object of the video)'
    )


def main(argv: Optional[Sequence[str]] = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument(
        '--fast',
        action='store_true',
        help='use few videos: about 2 minutes in all',
    )
    fast = parser.parse_args(argv).fast
    name = 'fast' if fast else 'full'
    data, out = ROOT / f'data/demo-{name}', ROOT / f'demo/output/{name}'
    shutil.rmtree(out, ignore_errors=True)
    print(f'The whole log is written to {shown(out / LOG)}')
    make_data(data, fast)
    right, wrong = score(data, out)
    inference = infer(data, out)
    training = train_from_scratch(data, out, fast)
    report(right, wrong)
    say('Done. To look at:')
    print(f'  overlays of the test     {shown(out / "overlays")}')
    print('    (coloured: the prediction; white outline: the ground truth)')
    print(f'  two expressions          {shown(inference)}')
    print(f'  checkpoints              {shown(training)}')
    print(f'  the whole log            {shown(out / LOG)}')


if __name__ == '__main__':
    sys.exit(run_tool(main))
