"""Save checkpoints so that a killed training can always go on."""

import logging
import os
import os.path as osp
import re
import zipfile
from typing import Any, Dict, List, Optional

from mmdet.registry import HOOKS
from mmengine.dist import broadcast_object_list, is_main_process
from mmengine.fileio import LocalBackend, get_file_backend
from mmengine.hooks import CheckpointHook
from mmengine.logging import print_log

from ..errors import InputError
from ..io.atomic import remove_leftovers, write_atomically
from ..quiet import is_unknown


def is_whole(path: str) -> bool:
    """Check that a ``.pth`` file has all its bytes, unchanged.

    torch writes a zip archive with its directory at the end and a checksum
    for every record. The whole file is read.
    """
    # Opening a FIFO of that name would wait for its writer.
    if not osp.isfile(path):
        return False
    try:
        with zipfile.ZipFile(path) as archive:
            return archive.testzip() is None
    # What zipfile raises depends on which part of a header is damaged.
    except Exception:
        return False


def find_latest_checkpoint(
    work_dir: str, checkpoint_dir: Optional[str] = None
) -> Optional[str]:
    """Find the checkpoint to resume from.

    Take the file named in ``last_checkpoint``. If that is not complete, take
    the newest complete one among ``epoch_*.pth`` and ``iter_*.pth``.

    Args:
        work_dir: The run's folder, which holds ``last_checkpoint``.
        checkpoint_dir: The folder of the checkpoints, if it is another one.

    Returns:
        The path of a complete file, or None.
    """
    folder = checkpoint_dir or work_dir
    candidates = _named_by_last_checkpoint(work_dir, folder)
    for path in _newest_first(folder):
        if path not in candidates:
            candidates.append(path)
    for path in candidates:
        if is_whole(path):
            return path
        print_log(
            f'{path} is not whole (cut short or damaged); looking for an '
            'older checkpoint',
            logger='current',
            level=logging.WARNING,
        )
    return None


def _named_by_last_checkpoint(work_dir: str, folder: str) -> List[str]:
    pointer = osp.join(work_dir, 'last_checkpoint')
    if not osp.isfile(pointer):
        return []
    with open(pointer, encoding='utf-8', errors='replace') as file:
        name = file.read().strip()
    # The path is absolute; the folder may have been moved since.
    moved = osp.join(folder, osp.basename(name))
    return [path for path in (name, moved) if osp.isfile(path)][:1]


def _newest_first(folder: str) -> List[str]:
    if not osp.isdir(folder):
        return []
    found = []
    for entry in os.scandir(folder):
        match = re.fullmatch(r'(?:epoch|iter)_(\d+)\.pth', entry.name)
        if match is not None and entry.is_file():
            key = (entry.stat().st_mtime_ns, int(match[1]))
            found.append((key, entry.path))
    return [path for _, path in sorted(found, reverse=True)]


def refuse_published(checkpoint: dict, source: str) -> None:
    """Refuse checkpoints of the published code.

    Raises:
        InputError: The weights are not where mmengine looks for them.
    """
    if 'state_dict' not in checkpoint and isinstance(
        checkpoint.get('model'), dict
    ):
        raise InputError.of(
            source,
            'keys',
            list(checkpoint),
            'state_dict; convert a published checkpoint first '
            '(tools/model_converters)',
        )


@HOOKS.register_module()
class AtomicCheckpointHook(CheckpointHook):
    """mmengine's checkpoint hook, safe against being killed at any moment.

    - A checkpoint is written under a temporary name and renamed when it is
      complete. ``last_checkpoint`` names it only then, and is written in
      the same way.
    - An outdated checkpoint (``max_keep_ckpts``, the previous best) is
      removed only after the new one exists.
    - ``resume=True`` without ``load_from`` takes the last *complete*
      checkpoint (:func:`find_latest_checkpoint`).
    - Temporary files of killed runs are removed when training starts.

    Remote folders (``s3://``) are handled by their own backend.

    Args:
        *args: As :class:`mmengine.hooks.CheckpointHook`.
        **kwargs: As :class:`mmengine.hooks.CheckpointHook`.
    """

    file_backend: Any
    backend_args: Optional[dict]

    def before_run(self, runner: Any) -> None:
        """Choose what to resume from, before mmengine does."""
        runner.logger.addFilter(is_unknown)
        if not runner._resume or runner._load_from is not None:
            return
        # Processes must agree even if their views of the disk differ.
        chosen: List[Optional[str]] = [None]
        if is_main_process():
            chosen = [
                find_latest_checkpoint(
                    runner.work_dir, self._checkpoint_dir(runner)
                )
            ]
        broadcast_object_list(chosen)
        runner._load_from = chosen[0]
        if chosen[0] is None:
            # Otherwise mmengine takes the file named in `last_checkpoint`,
            # even if it is damaged.
            runner._resume = False
            runner.logger.warning(
                f'Nothing to resume in {runner.work_dir}: training starts '
                'from the beginning.'
            )
        else:
            runner.logger.info(f'Resuming from {chosen[0]}')

    def _checkpoint_dir(self, runner: Any) -> str:
        if self.out_dir is None or self.out_dir == runner.work_dir:
            return runner.work_dir
        name = osp.basename(runner.work_dir.rstrip(osp.sep))
        return osp.join(self.out_dir, name)

    def after_load_checkpoint(self, runner: Any, checkpoint: dict) -> None:
        """Refuse the published code's checkpoints.

        mmengine would load nothing from them and only warn.
        """
        refuse_published(checkpoint, runner._load_from)

    def before_train(self, runner: Any) -> None:
        """Prepare the folder and switch local files to atomic writing."""
        super().before_train(runner)
        if not isinstance(self.file_backend, LocalBackend):
            return
        if self.backend_args is None and self.file_client_args is None:
            self.backend_args = {'backend': 'refvos_atomic'}
            self.file_backend = get_file_backend(
                self.out_dir, backend_args=self.backend_args
            )
        if is_main_process():
            for folder in {self.out_dir, runner.work_dir}:
                for path in remove_leftovers(folder):
                    runner.logger.info(f'Removed unfinished file {path}')

    def _save_checkpoint_with_step(
        self, runner: Any, step: int, meta: dict
    ) -> None:
        """Save a checkpoint, point to it, then remove the outdated one."""
        outdated = self._keep(runner, step)
        name = self.filename_tmpl.format(step)
        self.last_ckpt = self.file_backend.join_path(self.out_dir, name)
        runner.message_hub.update_info('last_ckpt', self.last_ckpt)
        runner.save_checkpoint(
            self.out_dir,
            name,
            self.file_client_args,
            save_optimizer=self.save_optimizer,
            save_param_scheduler=self.save_param_scheduler,
            meta=meta,
            by_epoch=self.by_epoch,
            backend_args=self.backend_args,
            **self.args,
        )
        if not is_main_process():
            return
        write_atomically(
            osp.join(runner.work_dir, 'last_checkpoint'),
            self.last_ckpt.encode(),
        )
        if outdated is not None:
            self._remove(
                self.file_backend.join_path(
                    self.out_dir, self.filename_tmpl.format(outdated)
                )
            )

    def _keep(self, runner: Any, step: int) -> Optional[int]:
        """Add a step to the kept ones; return the one to remove."""
        if self.max_keep_ckpts <= 0 or step in self.keep_ckpt_ids:
            return None
        outdated = None
        if len(self.keep_ckpt_ids) == self.max_keep_ckpts:
            outdated = self.keep_ckpt_ids.popleft()
        self.keep_ckpt_ids.append(step)
        runner.message_hub.update_info(
            'keep_ckpt_ids', list(self.keep_ckpt_ids)
        )
        return outdated

    def _save_best_checkpoint(
        self, runner: Any, metrics: Dict[str, Any]
    ) -> None:
        """Save the best checkpoint, then remove the previous best."""
        if not self.save_best:
            return
        single = len(self.key_indicators) == 1
        before = (
            {'': self.best_ckpt_path}
            if single
            else dict(self.best_ckpt_path_dict)
        )
        # mmengine would remove the file named here before it saves.
        self._set_best(dict.fromkeys(before))
        super()._save_best_checkpoint(runner, metrics)
        after = (
            {'': self.best_ckpt_path}
            if single
            else dict(self.best_ckpt_path_dict)
        )
        self._set_best({key: after[key] or before[key] for key in before})
        for key, path in before.items():
            if path and after[key] not in (None, path) and is_main_process():
                self._remove(path)
                runner.logger.info(f'Removed the previous best, {path}')

    def _set_best(self, paths: Dict[str, Optional[str]]) -> None:
        if len(self.key_indicators) == 1:
            self.best_ckpt_path = paths['']
        else:
            self.best_ckpt_path_dict = paths

    def _remove(self, path: str) -> None:
        if self.file_backend.isfile(path):
            self.file_backend.remove(path)
        elif self.file_backend.isdir(path):
            # DeepSpeed's checkpoints are folders.
            self.file_backend.rmtree(path)
