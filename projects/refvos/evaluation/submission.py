"""Write results in the form that the benchmark servers take."""

import os
import shutil
import zipfile
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, ClassVar, Dict, Iterator, List, Optional, Sequence

from mmdet.registry import METRICS
from mmengine.dist import get_rank, get_world_size, is_main_process
from mmengine.evaluator import BaseMetric
from mmengine.logging import print_log
from PIL import Image
from pycocotools import mask as mask_utils

from ..disk import writing
from ..errors import InputError
from ..io.atomic import remove_folder, replace_folder, restore_folder
from ..io.images import image_size
from ..structures import ReferencePrediction
from .samples import checked_predictions, frame_size


@METRICS.register_module()
class RefYouTubeVOSSubmission(BaseMetric):
    """Write ``Annotations/<video>/<expression>/<frame>.png`` and its zip.

    Masks are 8-bit PNGs, 0 and 255, at the size of the original frames; a
    null prediction has an empty mask in every frame. Each process writes its
    videos to a hidden folder; when all are written, the first process merges
    them, checks every file, zips them and only then replaces
    ``<outfile_prefix>/Annotations`` and ``<outfile_prefix>.zip``. A run that
    fails does not change earlier results. Processes on several machines must
    share the file system.

    Args:
        outfile_prefix: Folder of ``Annotations``; the zip is written beside
            it.
        collect_device: Where results of several processes are collected,
            ``'cpu'`` or ``'gpu'``.
        prefix: Put before the name of the number, ``submission`` by default.
        collect_dir: Folder that all processes share, for ``'cpu'``.

    Raises:
        InputError: If masks do not fit the frames, or names of videos,
            expressions or frames are not valid file names.

    Example:
        >>> test_evaluator = dict(
        ...     type='RefYouTubeVOSSubmission',
        ...     outfile_prefix='work_dirs/referformer/submission')
    """

    default_prefix = 'submission'
    # Folder in the zip that contains the folders of the videos.
    zip_root: ClassVar[str] = 'Annotations'

    def __init__(
        self,
        outfile_prefix: str,
        collect_device: str = 'cpu',
        prefix: Optional[str] = None,
        collect_dir: Optional[str] = None,
    ) -> None:
        super().__init__(collect_device, prefix, collect_dir)
        # Absolute: the working directory may change during the run.
        folder = Path(outfile_prefix).absolute()
        self.annotations = folder / 'Annotations'
        self.archive = folder.with_name(f'{folder.name}.zip')
        self._partial = folder / '.Annotations.partial'
        self._begun = False

    def process(self, data_batch: Any, data_samples: Sequence[dict]) -> None:
        """Write the masks of a batch of videos to the folder of this rank."""
        self._begin()
        with self._whole_or_not_at_all(self._own_folder()):
            for sample in data_samples:
                self.results.append(
                    write_video_masks(self._own_folder(), sample)
                )

    def evaluate(self, size: int) -> Dict[str, float]:
        """Finish the submission when all processes are done."""
        self._begin()
        try:
            return super().evaluate(size)
        finally:
            self._begun = False

    def compute_metrics(self, results: List[dict]) -> Dict[str, float]:
        """Merge, check, zip and rename; runs in one process."""
        archive = self.archive.with_name(f'.{self.archive.name}.partial')
        with self._whole_or_not_at_all(self._partial, archive):
            whole = self._partial / 'Annotations'
            whole.mkdir(parents=True)
            for rank in range(get_world_size()):
                _merge(self._partial / f'rank{rank}', whole)
            num_masks = sum(
                check_video_masks(whole, entry) for entry in results
            )
            zip_folder(whole, archive, self.zip_root)
            replace_folder(whole, self.annotations)
            os.replace(archive, self.archive)
            shutil.rmtree(self._partial)
        print_log(
            f'{num_masks} masks: {self.annotations}, {self.archive}',
            logger='current',
        )
        return {'masks': num_masks}

    @contextmanager
    def _whole_or_not_at_all(
        self, folder: Path, archive: Optional[Path] = None
    ) -> Iterator[None]:
        """Remove what was written so far if the rest cannot be written."""
        with writing(self.annotations, whole=True):
            try:
                yield
            except BaseException:
                shutil.rmtree(folder, ignore_errors=True)
                with suppress(OSError):  # Other processes may write there.
                    self._partial.rmdir()
                if archive is not None:
                    archive.unlink(missing_ok=True)
                raise

    def _own_folder(self) -> Path:
        return self._partial / f'rank{get_rank()}'

    def _begin(self) -> None:
        """Remove what a failed run has left in the hidden folder."""
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
    """Write the same masks in the form that the server of MeViS takes.

    ``<outfile_prefix>/Annotations`` as for Ref-YouTube-VOS; the zip contains
    the folders of the videos without a parent folder.

    Args:
        outfile_prefix: As all arguments, see
            :class:`RefYouTubeVOSSubmission`.

    Example:
        >>> test_evaluator = dict(
        ...     type='MeViSSubmission',
        ...     outfile_prefix='work_dirs/referformer/mevis')
    """

    zip_root = ''


def write_video_masks(folder: Path, sample: dict) -> dict:
    """Write ``<folder>/<video>/<expression>/<frame>.png``.

    Returns:
        The names of the video, its expressions and frames that were
        written, and the size of the frames (h, w).
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
    """Check the files of one video and count its masks.

    Raises:
        InputError: If a mask is missing, broken or of another size.
    """
    for reference in written['references']:
        for frame in written['frames']:
            path = folder / written['video'] / reference / f'{frame}.png'
            size = image_size(str(path), 'a mask')
            if size != written['size']:
                raise InputError.of(
                    path,
                    'size (height, width)',
                    size,
                    f'{written["size"]}, the size of the frame',
                )
    return len(written['references']) * len(written['frames'])


def zip_folder(folder: Path, archive: Path, root: str) -> None:
    """Zip ``folder``; the names in the zip begin with ``<root>/``."""
    # PNGs are already compressed.
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
    """Move the folders of the expressions of one rank to the common folder.

    A video that the sampler gave to two ranks is taken once.
    """
    for video in sorted(source.iterdir()):
        (target / video.name).mkdir(exist_ok=True)
        for reference in sorted(video.iterdir()):
            place = target / video.name / reference.name
            if not place.exists():
                os.replace(reference, place)


def _file_name(field: str, name: Any) -> str:
    """Return a name of an annotation file if it is safe as a file name.

    Raises:
        InputError: It is not.
    """
    if not isinstance(name, str) or name in ('', '.', '..') or '/' in name:
        raise InputError.of(
            'RefYouTubeVOSSubmission', field, name, 'a plain file name'
        )
    return name
