"""Results in the form that the Ref-YouTube-VOS server takes."""

import os
import shutil
import zipfile
from pathlib import Path
from typing import Any, ClassVar, Dict, List, Optional, Sequence, Tuple

from mmdet.registry import METRICS
from mmengine.dist import get_rank, get_world_size, is_main_process
from mmengine.evaluator import BaseMetric
from mmengine.logging import print_log
from PIL import Image
from pycocotools import mask as mask_utils

from ..errors import InputError
from ..io.atomic import remove_folder, replace_folder, restore_folder
from ..structures import ReferencePrediction
from .checked_predictions import checked_predictions, frame_size


@METRICS.register_module()
class RefYouTubeVOSSubmission(BaseMetric):
    """Write ``Annotations/<video>/<expression>/<frame>.png`` and its zip.

    Masks are 8-bit PNGs, 0 and 255, at the frames' own size. Each process
    writes its own videos to a hidden folder; when all are there, the first
    process puts them together, checks every file, zips them and only then
    replaces ``<outfile_prefix>/Annotations`` and ``<outfile_prefix>.zip``. A
    run that fails leaves earlier results as they were. Processes on several
    machines must share the file system.

    Args:
        outfile_prefix: Folder that gets ``Annotations``; the zip lies beside
            it.
        collect_device: Where results of several processes are collected,
            ``'cpu'`` or ``'gpu'``.
        prefix: Put before the number's name, ``submission`` by default.
        collect_dir: Folder that all processes see, for ``'cpu'``.

    Raises:
        InputError: If masks don't fit the frames, or names of videos,
            expressions or frames are no file names.

    Example:
        >>> test_evaluator = dict(
        ...     type='RefYouTubeVOSSubmission',
        ...     outfile_prefix='work_dirs/referformer/submission')
    """

    default_prefix = 'submission'
    # Folder in the zip that holds those of the videos.
    zip_root: ClassVar[str] = 'Annotations'

    def __init__(
        self,
        outfile_prefix: str,
        collect_device: str = 'cpu',
        prefix: Optional[str] = None,
        collect_dir: Optional[str] = None,
    ) -> None:
        super().__init__(collect_device, prefix, collect_dir)
        # Absolute, so that it stays one place if somebody changes folders.
        folder = Path(outfile_prefix).absolute()
        self.annotations = folder / 'Annotations'
        self.archive = folder.with_name(f'{folder.name}.zip')
        self._partial = folder / '.Annotations.partial'
        self._begun = False

    def process(self, data_batch: Any, data_samples: Sequence[dict]) -> None:
        """Write the masks of a batch of videos to this process's folder."""
        self._begin()
        for sample in data_samples:
            self.results.append(write_video_masks(self._own_folder(), sample))

    def evaluate(self, size: int) -> Dict[str, float]:
        """Finish the submission when all processes have come here."""
        self._begin()
        try:
            return super().evaluate(size)
        finally:
            self._begun = False

    def compute_metrics(self, results: List[dict]) -> Dict[str, float]:
        """Put together, check, zip and rename; runs in one process."""
        whole = self._partial / 'Annotations'
        whole.mkdir(parents=True)
        for rank in range(get_world_size()):
            _merge(self._partial / f'rank{rank}', whole)
        num_masks = sum(check_video_masks(whole, entry) for entry in results)
        archive = self.archive.with_name(f'.{self.archive.name}.partial')
        zip_folder(whole, archive, self.zip_root)
        replace_folder(whole, self.annotations)
        os.replace(archive, self.archive)
        shutil.rmtree(self._partial)
        print_log(
            f'{num_masks} masks: {self.annotations}, {self.archive}',
            logger='current',
        )
        return {'masks': num_masks}

    def _own_folder(self) -> Path:
        return self._partial / f'rank{get_rank()}'

    def _begin(self) -> None:
        """Clear what a run that failed has left in our own place."""
        if self._begun:
            return
        self._begun = True
        remove_folder(self._own_folder())
        self._own_folder().mkdir(parents=True)
        if is_main_process():
            restore_folder(self.annotations)
            remove_folder(self._partial / 'Annotations')


@METRICS.register_module()
class MeViSSubmission(RefYouTubeVOSSubmission):
    """The same masks as MeViS's server takes them.

    ``<outfile_prefix>/Annotations`` as for Ref-YouTube-VOS; the zip holds
    the videos' folders themselves.

    Args:
        outfile_prefix: See :class:`RefYouTubeVOSSubmission`, like the rest.

    Example:
        >>> test_evaluator = dict(
        ...     type='MeViSSubmission',
        ...     outfile_prefix='work_dirs/referformer/mevis')
    """

    zip_root = ''


def write_video_masks(folder: Path, sample: dict) -> dict:
    """Write ``<folder>/<video>/<expression>/<frame>.png``.

    Returns:
        What was written: video, expressions, frames and their size (h, w).
    """
    video = _file_name('video_id', sample['video_id'])
    frames = [_file_name('frame_ids', name) for name in sample['frame_ids']]
    predictions = checked_predictions(sample)
    for prediction in predictions:
        reference = _file_name('reference.id', prediction.reference.id)
        _write_masks(folder / video / reference, frames, prediction)
    return {
        'video': video,
        'references': [p.reference.id for p in predictions],
        'frames': frames,
        'size': frame_size(sample),
    }


def check_video_masks(folder: Path, written: dict) -> int:
    """Count the masks of one video; all must be there, of the right size."""
    for reference in written['references']:
        for frame in written['frames']:
            path = folder / written['video'] / reference / f'{frame}.png'
            size = _png_size(path)
            if size != written['size']:
                raise InputError.of(
                    path,
                    'size (height, width)',
                    size,
                    f'{written["size"]}, the size of the frame',
                )
    return len(written['references']) * len(written['frames'])


def zip_folder(folder: Path, archive: Path, root: str) -> None:
    """Zip ``folder`` so that unpacking gives ``<root>/...``."""
    # PNGs are compressed already.
    with zipfile.ZipFile(archive, 'w', zipfile.ZIP_STORED) as file:
        for path in sorted(folder.rglob('*.png')):
            file.write(path, Path(root) / path.relative_to(folder))


def _write_masks(
    folder: Path, frames: List[str], prediction: ReferencePrediction
) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    for frame, rle in zip(frames, prediction.masks, strict=True):
        mask = mask_utils.decode(rle)  # (H, W), 0 and 1
        Image.fromarray(mask * 255).save(folder / f'{frame}.png')


def _merge(source: Path, target: Path) -> None:
    """Move the expressions' folders of one process to the common folder.

    A video that the sampler gave to two processes is taken once.
    """
    for video in sorted(source.iterdir()):
        (target / video.name).mkdir(exist_ok=True)
        for reference in sorted(video.iterdir()):
            place = target / video.name / reference.name
            if not place.exists():
                os.replace(reference, place)


def _png_size(path: Path) -> Optional[Tuple[int, int]]:
    """Height and width by the file's header; None if it can't be read."""
    try:
        with Image.open(path) as image:
            return image.height, image.width
    except OSError:
        return None


def _file_name(field: str, name: Any) -> str:
    """A name from an annotation file that is safe as a file's name."""
    if not isinstance(name, str) or name in ('', '.', '..') or '/' in name:
        raise InputError.of(
            'RefYouTubeVOSSubmission', field, name, 'a plain file name'
        )
    return name
