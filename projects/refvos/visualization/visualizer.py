"""Draw the predictions for a video as a strip, a video or an image."""

from pathlib import Path
from typing import Iterator, List, Optional, Sequence, Union

import cv2
import numpy as np
from mmdet.registry import VISUALIZERS
from mmengine.dist import master_only
from mmengine.visualization import Visualizer
from pycocotools import mask as mask_utils

from ..structures import RefDataSample, Reference, ReferencePrediction, Rle
from .overlay import (
    NARROWEST_LABELS,
    Color,
    distinct_colors,
    draw_overlay,
    evenly_spaced,
    label_band,
    make_strip,
    widen,
)
from .sound import Moment, moment_of
from .video_writer import write_image, write_video

# Wider frames are shrunk: their strips would be too large.
STRIP_FRAME_WIDTH = 384


@VISUALIZERS.register_module()
class RefVOSVisualizer(Visualizer):
    """MMEngine's visualizer for referring video object segmentation.

    Args:
        min_side: Enlarge small frames to this shorter side.
        max_references: Draw at most this many references per video.
        strip_frames: Frames per strip, evenly spaced over the video.
        alpha: Opacity of the colour inside a mask, 0..1.
        dim: Darken the pixels outside all masks by this share, 0..1.
        fps: Frames per second of the written videos.
        draw_sound: Draw the sound of a reference below the frame and mark the
            part that belongs to the frame.
        kwargs: Of MMEngine's ``Visualizer``.

    Example:
        >>> visualizer = dict(
        ...     type='RefVOSVisualizer',
        ...     vis_backends=[dict(type='LocalVisBackend')])
    """

    def __init__(
        self,
        name: str = 'visualizer',
        min_side: int = 256,
        max_references: int = 6,
        strip_frames: int = 6,
        alpha: float = 0.35,
        dim: float = 0.5,
        fps: float = 6,
        draw_sound: bool = True,
        **kwargs,
    ) -> None:
        super().__init__(name, **kwargs)
        self.min_side = min_side
        self.max_references = max_references
        self.strip_frames = strip_frames
        self.alpha = alpha
        self.dim = dim
        self.fps = fps
        self.draw_sound = draw_sound

    @master_only
    def add_datasample(
        self,
        name: str,
        image: Sequence[np.ndarray],
        data_sample: RefDataSample,
        draw_gt: bool = True,
        draw_pred: bool = True,
        show: bool = False,
        wait_time: float = 0,
        out_file: Optional[Union[str, Path]] = None,
        step: int = 0,
        sound: Optional[np.ndarray] = None,
        pixel_aspect: float = 1.0,
    ) -> None:
        """Draw a video.

        Args:
            name: Name of the picture in the visualizer's backends.
            image: The video's frames, RGB, uint8, (H, W, 3).
            data_sample: The predictions and, where known, ``gt_tubes``.
            draw_gt: Outline the ground truth in white in the strip.
            draw_pred: Draw the predicted masks.
            show: Open a window with the strip.
            wait_time: Seconds to show it; 0 waits for a key.
            out_file: Write ``<out_file>.png`` and ``<out_file>.mp4``;
                otherwise the strip goes to the backends.
            step: Step that the backends record.
            sound: The waveform, (samples,), of the references that have a
                sound; by default the sound that the model was given.
        """
        predictions = data_sample.predictions[: self.max_references]
        if not draw_pred or not predictions:
            return
        strip = self.draw_strip(
            image, data_sample, draw_gt, sound, None, pixel_aspect
        )
        if show:
            self.show(strip, win_name=name, wait_time=wait_time)
        if out_file is None:
            self.add_image(name, strip, step)
            return
        # Not with_suffix: the name of a video may contain a dot.
        write_image(f'{out_file}.png', strip)
        pictures = self.draw_frames(
            image, predictions, sound, None, pixel_aspect
        )
        write_video(f'{out_file}.mp4', pictures, self.fps)

    def draw_frames(
        self,
        frames: Sequence[np.ndarray],
        predictions: Sequence[ReferencePrediction],
        sound: Optional[np.ndarray] = None,
        moments: Optional[Sequence[Moment]] = None,
        pixel_aspect: float = 1.0,
    ) -> Iterator[np.ndarray]:
        """Overlay all references on every frame, each in its own colour.

        Args:
            frames: RGB, uint8, (H, W, 3).
            predictions: With one mask per frame.
            sound: See :meth:`add_datasample`.
            moments: The part of the sound that belongs to each frame; equal
                parts of the whole by default.

        Yields:
            RGB, uint8, (H' + bands, W', 3), one per frame.
        """
        colors = distinct_colors(len(predictions))
        labels = [reference_label(p) for p in predictions]
        sounds = [self.sound_of(p.reference, sound) for p in predictions]
        drawn = next((each for each in sounds if each is not None), None)
        for i, frame in enumerate(frames):
            masks = [decode(p.masks[i]) for p in predictions]
            yield draw_overlay(
                frame,
                masks,
                colors,
                labels,
                alpha=self.alpha,
                dim=self.dim_for(predictions),
                min_side=self.min_side,
                sound=drawn,
                moment=moments[i] if moments else moment_of(i, len(frames)),
                pixel_aspect=pixel_aspect,
            )

    def dim_for(self, predictions: Sequence[ReferencePrediction]) -> float:
        """Return ``dim``; 0 for null answers, where nothing stands out."""
        return 0 if all(each.is_null for each in predictions) else self.dim

    def sound_of(
        self, reference: Reference, sound: Optional[np.ndarray]
    ) -> Optional[np.ndarray]:
        """Return the sound to draw for a reference; None if it has none."""
        if not self.draw_sound or reference.sound is None:
            return None
        return reference.sound.cpu().numpy() if sound is None else sound

    def draw_strip(
        self,
        frames: Sequence[np.ndarray],
        data_sample: RefDataSample,
        draw_gt: bool = True,
        sound: Optional[np.ndarray] = None,
        moments: Optional[Sequence[Moment]] = None,
        pixel_aspect: float = 1.0,
    ) -> np.ndarray:
        """Draw one row of evenly spaced frames per reference.

        Args:
            frames: RGB, uint8, (H, W, 3).
            data_sample: Its predictions have one mask per frame.
            draw_gt: Outline the ground truth where it is known.
            sound: See :meth:`add_datasample`.
            moments: See :meth:`draw_frames`.
            pixel_aspect: Width by height of the frames' pixels; those of the
                result are square.
        """
        predictions = data_sample.predictions[: self.max_references]
        colors = distinct_colors(len(predictions))
        chosen = evenly_spaced(len(frames), self.strip_frames)
        rows = []
        for prediction, color in zip(predictions, colors, strict=True):
            drawn = self.sound_of(prediction.reference, sound)
            pictures = [
                self._draw_strip_frame(
                    frames[i],
                    prediction.masks[i],
                    color,
                    self.dim_for([prediction]),
                    gt_masks_of(data_sample, prediction, i) if draw_gt else [],
                    drawn,
                    moments[i] if moments else moment_of(i, len(frames)),
                    pixel_aspect,
                )
                for i in chosen
            ]
            row = widen(make_strip(pictures), NARROWEST_LABELS)
            label = reference_label(prediction)
            rows.append(row)
            rows.append(label_band(row.shape[1], [label], [color]))
        return np.concatenate(rows)

    def _draw_strip_frame(
        self,
        frame: np.ndarray,
        mask: Rle,
        color: Color,
        dim: float,
        gt_masks: Sequence[np.ndarray],
        sound: Optional[np.ndarray],
        moment: Moment,
        pixel_aspect: float,
    ) -> np.ndarray:
        picture = draw_overlay(
            frame,
            [decode(mask)],
            [color],
            gt_masks=gt_masks,
            alpha=self.alpha,
            dim=dim,
            min_side=self.min_side,
            sound=sound,
            moment=moment,
            pixel_aspect=pixel_aspect,
        )
        height, width = picture.shape[:2]
        scale = STRIP_FRAME_WIDTH / width
        if scale >= 1:
            return picture
        size = (STRIP_FRAME_WIDTH, max(1, round(height * scale)))
        return cv2.resize(picture, size, interpolation=cv2.INTER_AREA)


def reference_label(prediction: ReferencePrediction) -> str:
    """Return the label of a prediction: its reference and score.

    It says "nothing" where the prediction is null.
    """
    nothing = ': nothing' if prediction.is_null else ''
    return f'{prediction.reference.name}{nothing}  ({prediction.score:.2f})'


def gt_masks_of(
    data_sample: RefDataSample, prediction: ReferencePrediction, frame: int
) -> List[np.ndarray]:
    """Return the ground-truth masks, bool, (H, W), of a reference."""
    tubes = data_sample.get('gt_tubes') or {}
    masks = [
        tubes[object_id][frame]
        for object_id in prediction.reference.object_ids
        if object_id in tubes
    ]
    return [decode(rle) for rle in masks if rle is not None]


def decode(rle: Rle) -> np.ndarray:
    """Decode a run-length encoded mask to bool, (H, W)."""
    return mask_utils.decode(rle).astype(bool)
