"""Results of the inferencer, in memory and in a folder."""

import json
import os
import re
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Iterable, Iterator, List, Optional, Sequence, Tuple

import numpy as np
from PIL import Image
from pycocotools import mask as rle_codec

from ..errors import InputError
from ..io.atomic import LONGEST_NAME, whole_folder
from ..io.data_files import load_json
from ..io.paths import PathLike
from ..structures import RefDataSample, ReferencePrediction, Rle
from ..version import __version__
from ..visualization import (
    RefVOSVisualizer,
    write_image,
    write_video,
)
from .asked import AskedReference
from .streaming import StreamedFrame
from .video_reader import Video

MASKS = 'masks'
PREDICTIONS = 'predictions.json'
OVERLAY = 'overlay.mp4'
STRIP = 'strip.png'
RESULTS = {MASKS, PREDICTIONS, OVERLAY, STRIP}
MADE_BY = 'refvos'
LONGEST_SLUG = 40
# Frames that are kept for the strip of a video in windows.
MOST_SHOWN = 24


@dataclass
class InferenceResult:
    """Predictions for the references to objects of one video.

    Args:
        predictions: One per reference, in their order: masks (one RLE per
            frame, at the original size), score, frame scores.
        frame_size: Height and width of the frames and masks.
        frame_ids: Names of the frames.
        fps: Frames per second.
        out_dir: Folder of the written files, if any.
    """

    predictions: List[ReferencePrediction]
    frame_size: Tuple[int, int]
    frame_ids: List[str]
    fps: float
    out_dir: Optional[Path] = None

    def __repr__(self) -> str:
        """Describe the result in one line per reference, without masks."""
        height, width = self.frame_size
        lines = [
            f'{type(self).__name__}({len(self.frame_ids)} frames of '
            f'{width}x{height}, fps={self.fps:g}, out_dir={self.out_dir})',
            *(f'  {each!r}' for each in self.predictions),
        ]
        return '\n'.join(lines)

    def masks(self, index: int) -> np.ndarray:
        """Return the masks of one reference, (T, H, W) bool."""
        rles = self.predictions[index].masks
        return np.stack([rle_codec.decode(rle) for rle in rles]).astype(bool)


def slug(text: str) -> str:
    """Shorten a text to letters, digits and dashes for a file name."""
    return re.sub(r'\W+', '-', text)[:LONGEST_SLUG].strip('-')


def mask_folder(index: int, prediction: ReferencePrediction) -> str:
    """Return the folder of a reference's masks, such as ``masks/0_the-cat``.

    It is relative to the folder of the results.
    """
    return f'{MASKS}/{index}_{slug(prediction.reference.name)}'


def check_out_dir(out_dir: PathLike) -> Path:
    """Check that results can be written to a folder.

    Returns:
        The folder without links in its path.

    Raises:
        InputError: It contains something else than results, or cannot be
            made.
    """
    try:
        folder = Path(out_dir).expanduser().resolve()
        found = find_obstacle(folder)
    except (OSError, RuntimeError, ValueError) as error:
        folder, found = Path(out_dir), str(error)
    if found is not None:
        raise InputError.of(
            folder,
            'out_dir',
            found,
            'a new or empty folder, or one with results to replace',
        )
    return folder


def find_obstacle(folder: Path) -> Optional[str]:
    """Return why results cannot be moved to a folder; None if they can."""
    # A name that is too long cannot be looked up.
    too_long = [
        part for part in folder.parts if len(os.fsencode(part)) > LONGEST_NAME
    ]
    if too_long:
        return f'a name of {len(os.fsencode(too_long[0]))} bytes'
    if folder.exists():
        if not folder.is_dir():
            return 'a file'
        if os.path.ismount(folder) or folder == Path.cwd():
            return 'the current folder or a mount point'
        if any(folder.iterdir()) and not holds_results(folder):
            return 'not empty'
    parent = folder.parent
    while not parent.exists():
        parent = parent.parent
    if not parent.is_dir():
        return 'below a file'
    if not os.access(parent, os.W_OK):
        return 'in a folder that we may not write to'
    return None


def holds_results(folder: Path) -> bool:
    """Whether a folder contains results of the inferencer only."""
    names = {entry.name for entry in folder.iterdir()}
    if PREDICTIONS not in names or not names <= RESULTS:
        return False
    try:
        content = load_json(folder / PREDICTIONS)
    except InputError:
        return False
    return isinstance(content, dict) and content.get('made_by') == MADE_BY


def write_results(
    folder: Path,
    video: Video,
    predictions: List[ReferencePrediction],
) -> None:
    """Write masks, predictions, overlay and strip; all or nothing.

    Args:
        folder: Result of :func:`check_out_dir`.
        video: The video.
        predictions: The predictions for it.
    """
    with whole_folder(folder) as partial:
        for index, prediction in enumerate(predictions):
            write_masks(
                partial / mask_folder(index, prediction),
                video.frame_ids,
                prediction,
            )
        write_overlays(partial, video, predictions)
        write_predictions(partial, video, predictions)


class WindowedResults:
    """Collect and write the output of :meth:`RefVOSInferencer.stream`.

    Only the few frames that the strip shows are kept.

    Args:
        asked: The references.
        fps: Mean frames per second.
        is_even: They follow each other at that rate.
    """

    def __init__(
        self,
        asked: Sequence[AskedReference],
        fps: float,
        is_even: bool = True,
    ) -> None:
        self.asked = list(asked)
        self.predictions = [
            ReferencePrediction(each.whole(), [], 0.0) for each in asked
        ]
        self.fps = fps
        self.times: Optional[List[Tuple[float, float]]] = (
            None if is_even else []
        )
        self.pixel_aspect = 1.0
        self.frame_ids: List[str] = []
        self.size = (0, 0)
        self.shown: List[Tuple[int, np.ndarray]] = []
        self.step = 1

    def gather(
        self, stream: Iterable[StreamedFrame]
    ) -> Iterator[StreamedFrame]:
        """Collect the predictions of every frame and yield the frame."""
        for frame in stream:
            self.frame_ids.append(frame.id)
            self.size = frame.picture.shape[:2]
            self.pixel_aspect = frame.pixel_aspect
            if self.times is not None:
                self.times.append((frame.start, frame.end))
            null_flags = frame.is_null or [False] * len(frame.masks)
            for prediction, mask, score, is_null in zip(
                self.predictions,
                frame.masks,
                frame.scores,
                null_flags,
                strict=True,
            ):
                # Null for the video only if it is null in all frames.
                prediction.is_null = is_null and (
                    prediction.is_null or not prediction.masks
                )
                prediction.masks.append(mask)
                prediction.frame_scores.append(score)
                prediction.score = float(np.mean(prediction.frame_scores))
            if frame.index % self.step == 0:
                self.shown.append((frame.index, frame.picture))
            if len(self.shown) > MOST_SHOWN:
                self.step *= 2
                self.shown = self.shown[::2]
            yield frame
        # The length of the video is known only now.
        seconds = len(self.frame_ids) / self.fps
        for asked, prediction in zip(self.asked, self.predictions):
            prediction.reference = asked.part(0.0, seconds)

    def write(
        self, folder: Path, stream: Iterable[StreamedFrame], name: str
    ) -> None:
        """Write the files of :func:`write_results` frame by frame.

        Args:
            folder: Result of :func:`check_out_dir`.
            stream: Frames of :meth:`gather`.
            name: Name of the video.
        """
        with whole_folder(folder) as partial:
            pictures = self.draw(partial, stream)
            write_video(partial / OVERLAY, pictures, self.fps, self.times)
            visualizer = RefVOSVisualizer(
                'inferencer', max_references=len(self.predictions)
            )
            numbers, frames = zip(*self.shown)
            shown = [
                replace(each, masks=[each.masks[i] for i in numbers])
                for each in self.predictions
            ]
            video = Video(
                name,
                [frames[0]] * len(self.frame_ids),
                self.frame_ids,
                [],
                self.fps,
                self.times,
            )
            strip = visualizer.draw_strip(
                frames,
                RefDataSample(predictions=shown),
                draw_gt=False,
                moments=[video.moments[i] for i in numbers],
                pixel_aspect=self.pixel_aspect,
            )
            write_image(partial / STRIP, strip)
            write_predictions(partial, video, self.predictions)

    def draw(
        self, folder: Path, stream: Iterable[StreamedFrame]
    ) -> Iterator[np.ndarray]:
        """Write the masks of each frame, and yield its overlay."""
        visualizer = RefVOSVisualizer('inferencer')
        folders = [
            folder / mask_folder(index, prediction)
            for index, prediction in enumerate(self.predictions)
        ]
        for path in folders:
            path.mkdir(parents=True)
        for frame in stream:
            null_flags = frame.is_null or [False] * len(frame.masks)
            predictions = [
                ReferencePrediction(reference, [mask], score, is_null=is_null)
                for reference, mask, score, is_null in zip(
                    frame.references,
                    frame.masks,
                    frame.scores,
                    null_flags,
                    strict=True,
                )
            ]
            for path, mask in zip(folders, frame.masks):
                write_mask(path / f'{frame.id}.png', mask)
            yield from visualizer.draw_frames(
                [frame.picture],
                predictions,
                moments=[frame.moment],
                pixel_aspect=frame.pixel_aspect,
            )


def write_masks(
    folder: Path, frame_ids: List[str], prediction: ReferencePrediction
) -> None:
    """Write ``<frame>.png``, 8 bits, 0 and 255."""
    folder.mkdir(parents=True)
    for frame_id, rle in zip(frame_ids, prediction.masks, strict=True):
        write_mask(folder / f'{frame_id}.png', rle)


def write_mask(path: Path, rle: Rle) -> None:
    mask = rle_codec.decode(rle)  # (H, W), 0 and 1
    Image.fromarray(mask * 255).save(path)


def write_predictions(
    folder: Path,
    video: Video,
    predictions: List[ReferencePrediction],
) -> None:
    entries = as_json(video, predictions)
    content = json.dumps(entries, ensure_ascii=False)
    # Bytes of a name that are not UTF-8 become \udc80 to \udcff, from which
    # Python's os.fsencode restores them.
    (folder / PREDICTIONS).write_bytes(
        content.encode('utf-8', 'backslashreplace')
    )


def write_overlays(
    folder: Path, video: Video, predictions: List[ReferencePrediction]
) -> None:
    """Draw all references: in one video, and one per row of the strip."""
    visualizer = RefVOSVisualizer(
        'inferencer', max_references=len(predictions)
    )
    shown: Any = dict(moments=video.moments, pixel_aspect=video.pixel_aspect)
    pictures = visualizer.draw_frames(video.frames, predictions, **shown)
    write_video(folder / OVERLAY, pictures, video.fps, video.times)
    sample = RefDataSample(predictions=predictions)
    strip = visualizer.draw_strip(video.frames, sample, draw_gt=False, **shown)
    write_image(folder / STRIP, strip)


def as_json(video: Video, predictions: List[ReferencePrediction]) -> dict:
    """Make the content of ``predictions.json``.

    Masks have the format of pycocotools.
    """
    return {
        'made_by': MADE_BY,
        'version': __version__,
        'video': video.name,
        'size': list(video.size),
        'fps': video.fps,
        'frames': video.frame_ids,
        'predictions': [
            prediction_as_json(index, prediction)
            for index, prediction in enumerate(predictions)
        ],
    }


def prediction_as_json(index: int, prediction: ReferencePrediction) -> dict:
    """Make the entry of one reference."""
    reference = prediction.reference
    return {
        'id': reference.id,
        'name': reference.name,
        'modalities': list(reference.modalities),
        'kind': '+'.join(reference.modalities),
        'text': reference.text,
        'speech': reference.speech_path,
        'sound': reference.sound_path,
        'is_null': prediction.is_null,
        'score': prediction.score,
        'frame_scores': prediction.frame_scores,
        'folder': mask_folder(index, prediction),
        'masks': [rle_as_json(rle) for rle in prediction.masks],
    }


def rle_as_json(rle: dict) -> dict:
    """Convert a mask to COCO's format, with its counts as text."""
    return {'size': list(rle['size']), 'counts': rle['counts'].decode()}
