"""Train and score the rows of a table, resumably."""

import json
import os
import shlex
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Dict, List, Optional, Tuple

from mmdet.registry import MODELS
from mmengine.registry import init_default_scope

from ...engine import find_latest_checkpoint
from ...engine.cli import check_checkpoint, load_config
from ...errors import InputError
from ...io.atomic import write_atomically
from .. import runs
from .table import Table

TRIAL_ITERS = 30
WARMUP = 100


@dataclass(frozen=True)
class Ablation:
    """Trainings with the same budget per row, in one work folder.

    What is finished is kept in files and not done again.

    Args:
        table: The rows.
        scripts: Folder of ``train.py`` and ``dist_train.sh``.
        work_dir: Where rows are trained: ``<work_dir>/<row>``.
        iterations: Training steps per row.
        minutes: Training time per row if ``iterations`` is None; a short
            trial finds the number of steps.
        backbone: Weights that every row starts from. None: those of the
            trainings that the table names, which are done first.
        processes: Number of processes per training, of one thread each.
        options: Changes to all configs, as for ``--cfg-options``.
    """

    table: Table
    scripts: Path
    work_dir: Path
    iterations: Optional[int] = None
    minutes: float = 15.0
    backbone: Optional[str] = None
    processes: int = 2
    options: Tuple[str, ...] = ()

    @property
    def settings(self) -> Dict[str, Any]:
        """What has to be the same for all rows that are compared."""
        budget = (
            {'minutes': self.minutes}
            if self.iterations is None
            else {'iterations': self.iterations}
        )
        return {
            **budget,
            'backbone': self.backbone,
            'processes': self.processes,
            'options': list(self.options),
        }

    def folder(self, name: str, seed: Optional[int] = None) -> Path:
        """Return where a row is trained."""
        folder = self.work_dir / name
        return folder if seed is None else folder / f'seed{seed}'

    def run(self, name: str, seed: Optional[int] = None) -> Dict[str, Any]:
        """Train and score a row unless that is done; return its result.

        Args:
            name: The row.
            seed: Of the training; None: a random one.
        """
        done = self.finished(name, seed)
        if done is not None:
            return done
        folder = self.folder(name, seed)
        config = self.table.rows[name].config
        iterations = self.iterations_of(name)
        command = self.train_command(
            name, folder / 'train', iterations, seed=seed
        )
        if not (folder / 'train' / f'iter_{iterations}.pth').exists():
            runs.run_training(command)
        checkpoint = find_latest_checkpoint(str(folder / 'train'))
        if checkpoint is None:
            raise InputError.of(
                folder, 'checkpoint', None, 'one, after training'
            )
        scores = runs.score(
            config,
            checkpoint,
            str(folder / 'test'),
            self.options,
            f'ablation-{name}' + ('' if seed is None else f'-seed{seed}'),
        )
        seconds = runs.training_seconds([folder / 'train'])
        begun = self.train_command(
            name, folder / 'train', iterations, fresh=True, seed=seed
        )
        result = {
            'row': name,
            'what': self.table.rows[name].what,
            'config': config,
            'settings': self.settings,
            'parameters': count_parameters(config),
            'iterations': iterations,
            'minutes': round(seconds / 60, 1),
            **scores,
            'commit': runs.current_commit(),
            'command': shlex.join(begun[1:]),
        }
        if seed is not None:
            result['seed'] = seed
        write_atomically(
            folder / 'result.json',
            (json.dumps(result, indent=2) + '\n').encode(),
        )
        return result

    def finished(
        self, name: str, seed: Optional[int] = None
    ) -> Optional[Dict[str, Any]]:
        """Read the result of a row; None if it is not finished.

        Args:
            name: The row.
            seed: Of its training; see :meth:`run`.

        Raises:
            InputError: It belongs to another table, or was made with other
                settings.
        """
        file = self.folder(name, seed) / 'result.json'
        if not file.exists():
            return None
        result = json.loads(file.read_text())
        # Rows of two tables may have the same name.
        config = self.table.rows[name].config
        for field, expected in (
            ('config', config),
            ('settings', self.settings),
        ):
            if result[field] != expected:
                raise InputError.of(
                    file,
                    field,
                    result[field],
                    f'{expected}, or another --work-dir',
                )
        return result

    def iterations_of(self, name: str) -> int:
        """Return the training steps of a row; a trial is done once."""
        if self.iterations is not None:
            return self.iterations
        folder = self.work_dir / 'trials' / name
        file = folder / 'iterations.json'
        if not file.exists():
            command = self.train_command(
                name,
                folder,
                TRIAL_ITERS,
                'default_hooks.logger.interval=10',
                'log_processor.window_size=10',
            )
            runs.run_training(command)
            seconds = runs.last_step_seconds(folder)
            found = max(2, int(60 * self.minutes / seconds))
            write_atomically(file, json.dumps(found).encode())
        return json.loads(file.read_text())

    def train_command(
        self,
        name: str,
        folder: Path,
        iterations: int,
        *options: str,
        fresh: bool = False,
        seed: Optional[int] = None,
    ) -> List[str]:
        """Compose the command that trains a row.

        Args:
            name: The row.
            folder: Work folder of the training.
            iterations: Training steps; the schedule fits them.
            options: Further changes to the config.
            fresh: Start from the beginning even if there is a checkpoint.
            seed: Of the training; a checkpoint holds its own.
        """
        start = ['--resume']
        if fresh or find_latest_checkpoint(str(folder)) is None:
            # The parts that a row changes start anew.
            start = [
                '--load-from',
                self.start_weights(),
                '--allow-missing',
            ]
        warmup = max(1, min(WARMUP, iterations // 10))
        config = self.table.rows[name].config
        return [
            *runs.train_with(self.scripts, config, self.processes),
            *('--work-dir', str(folder), *start),
            *(() if seed is None else ('--seed', str(seed))),
            '--cfg-options',
            f'train_cfg.max_iters={iterations}',
            f'param_scheduler.0.end={warmup}',
            f'param_scheduler.1.begin={warmup}',
            f'param_scheduler.1.end={iterations}',
            *options,
            *self.options,
        ]

    def start_weights(self) -> str:
        """Return the weights that rows start from; train them once.

        Raises:
            InputError: ``backbone`` is missing.
        """
        if self.backbone is not None:
            check_checkpoint(self.backbone, '--backbone')
            return self.backbone
        weights = ''
        for name, config in self.table.starts.items():
            folder = self.work_dir / name
            done = folder / 'done.json'
            if not done.exists():
                start = ['--resume']
                if weights and find_latest_checkpoint(str(folder)) is None:
                    start = ['--load-from', weights, '--allow-missing']
                trainer = runs.train_with(self.scripts, config, self.processes)
                runs.run_training(
                    [*trainer, '--work-dir', str(folder), *start]
                )
                latest = find_latest_checkpoint(str(folder))
                write_atomically(done, json.dumps(latest).encode())
            # Relative, as one would type it: the report shows the command.
            weights = os.path.relpath(json.loads(done.read_text()))
        return weights


def count_parameters(config: str) -> int:
    """Count the parameters of a config's model."""
    cfg = load_config(config)
    init_default_scope('mmdet')
    return sum(p.numel() for p in MODELS.build(cfg.model).parameters())
