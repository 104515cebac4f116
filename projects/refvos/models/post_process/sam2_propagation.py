"""Propagate masks through a video with SAM 2 (ReferFormer, Table 5)."""

from pathlib import Path
from typing import Any, Dict, List, Optional, Sequence

import cv2
import numpy as np
import torch
from mmdet.registry import TASK_UTILS
from pycocotools import mask as rle_codec
from torch import Tensor

from ...errors import InputError
from ...io.images import read_image
from ...structures import RefDataSample, ReferencePrediction, Rle

PROMPTS = ('mask', 'box', 'points')
OBJECT = 1


@TASK_UTILS.register_module()
class SAM2Propagation:
    """Propagate the mask of the best-scored frame to the whole video.

    The mask of the frame with the highest score (among those with a mask) is
    tracked forward and backward (Section 4.2; the paper used CFBI). Masks
    change, scores do not. A prediction with only empty masks is not changed.

    The input of SAM 2 is the image files, which have a higher resolution
    than the input of the segmentor. Without image files (a video file,
    frames in memory) it is the frames of the segmentor. Each frame is
    encoded once for all references.

    Args:
        checkpoint: Folder of a SAM 2 video model as transformers saves it
            (``config.json``, ``model.safetensors``, the processor's files),
            such as a download of ``facebook/sam2.1-hiera-large``. It is read
            at the first video.
        prompt: Prompt in the best frame: 'mask' keeps the mask of that
            frame; with 'box' (around the mask) and 'points' (its innermost
            pixel) SAM 2 segments that frame, too.
        cached_frames: Maximum length of a video whose encoded frames are all
            kept on the device of the model (17 MB each at 1024 x 1024
            pixels); for longer videos each reference encodes all frames
            again.

    Example:
        >>> test_cfg = dict(
        ...     post_process=dict(
        ...         type='SAM2Propagation',
        ...         checkpoint='checkpoints/sam2.1-hiera-large'))
    """

    def __init__(
        self,
        checkpoint: Optional[str] = None,
        prompt: str = 'mask',
        cached_frames: int = 64,
    ) -> None:
        if prompt not in PROMPTS:
            raise InputError.of(
                type(self).__name__, 'prompt', prompt, f'one of {PROMPTS}'
            )
        self.checkpoint = checkpoint
        self.prompt = prompt
        self.cached_frames = cached_frames
        self.model: Any = None
        self.processor: Any = None

    def load(self, device: torch.device) -> None:
        """Read the checkpoint at the first call.

        Raises:
            InputError: It is missing, or not a complete SAM 2 video model.
        """
        if self.model is None:
            self.model, self.processor = load_sam2(self.checkpoint)
        self.model.to(device).eval()

    @torch.no_grad()
    def __call__(self, sample: RefDataSample, frames: Tensor) -> None:
        """Replace the masks of all predictions.

        Args:
            sample: A video with its predictions.
            frames: (T, 3, h, w) uint8 RGB, the input of the segmentor.
        """
        self.load(frames.device)
        session = self.start_session(sample, frames)
        for prediction in sample.predictions:
            start = best_frame(prediction)
            if start is not None:
                prediction.masks = self.propagate(
                    session, start, prediction.masks[start]
                )

    def start_session(self, sample: RefDataSample, frames: Tensor) -> Any:
        """Prepare a video; encode it if all its frames can be cached."""
        keep = len(frames) <= self.cached_frames
        session = self.processor.init_video_session(
            inference_device=frames.device,
            max_vision_features_cache_size=len(frames) if keep else 1,
        )
        session.video_height, session.video_width = sample.ori_shape[:2]
        session.processed_frames = FramesOnDemand(
            sample.metainfo.get('img_paths'), frames, self.processor
        )
        if keep:
            self.encode_frames(session)
        return session

    def encode_frames(self, session: Any) -> None:
        """Encode all frames for all references.

        Positional encodings are the same in all frames and four times as
        large as the features, so they are stored once.
        """
        positions = None
        for index in range(session.num_frames):
            encoded = self.model.get_image_features(
                session.get_frame(index)[None], return_dict=True
            )
            if positions is None:
                positions = encoded.fpn_position_encoding
            session.cache.cache_vision_features(
                index,
                {
                    'vision_feats': encoded.fpn_hidden_states,
                    'vision_pos_embeds': positions,
                },
            )

    def propagate(self, session: Any, start: int, prompt: Rle) -> List[Rle]:
        """Track one object; return a mask per frame at the original size."""
        session.reset_tracking_data()
        self.add_prompt(session, start, rle_codec.decode(prompt))
        size = session.video_height, session.video_width
        masks: Dict[int, Rle] = {}
        for reverse in (False, True):
            for output in self.model.propagate_in_video_iterator(
                session, start_frame_idx=start, reverse=reverse
            ):
                (mask,) = self.processor.post_process_masks(
                    [output.pred_masks], original_sizes=[size]
                )
                masks[output.frame_idx] = as_rle(mask[0, 0])
        if self.prompt == 'mask':
            # SAM 2 has resized it to its own resolution and back.
            masks[start] = prompt
        return [masks[index] for index in range(session.num_frames)]

    def add_prompt(self, session: Any, frame: int, mask: np.ndarray) -> None:
        """Prompt SAM 2 with an object in a frame; mask is (H, W)."""
        given: Dict[str, Any]
        if self.prompt == 'mask':
            given = {'input_masks': torch.from_numpy(mask).bool()}
        elif self.prompt == 'box':
            given = {'input_boxes': [[box_of(mask)]]}
        else:
            given = {
                'input_points': [[[innermost_pixel(mask)]]],
                'input_labels': [[[1]]],
            }
        self.processor.add_inputs_to_inference_session(
            session, frame_idx=frame, obj_ids=OBJECT, **given
        )


class FramesOnDemand:
    """Frames of a video, read and prepared for SAM 2 on access.

    It replaces the dict of the session, which holds all frames as floats: a
    video of any length then needs the memory of one frame.

    Args:
        paths: Image files of the frames, if known.
        frames: (T, 3, h, w) uint8 RGB, used unless all files exist.
        processor: SAM 2's processor.
    """

    def __init__(
        self, paths: Optional[Sequence], frames: Tensor, processor: Any
    ) -> None:
        self.frames = frames
        self.processor = processor
        self.paths: Optional[List[str]] = None
        if paths and all(p is not None and Path(p).is_file() for p in paths):
            self.paths = [str(path) for path in paths]

    def __len__(self) -> int:
        return len(self.frames)

    def __getitem__(self, index: int) -> Tensor:
        """Return a prepared frame, (3, S, S) float."""
        if self.paths is None:
            frame = self.frames[index]
        else:
            image = read_image(self.paths[index])
            frame = torch.from_numpy(image).permute(2, 0, 1)
        processed = self.processor.video_processor(
            videos=[frame[None]],
            device=self.frames.device,
            return_tensors='pt',
        )
        return processed.pixel_values_videos[0, 0]


def load_sam2(checkpoint: Optional[str]) -> tuple:
    """Read a SAM 2 video model and its processor from a folder.

    Raises:
        InputError: The folder or one of its files is missing or broken.
    """
    # A slow import that only post-processing needs.
    from transformers import Sam2VideoModel, Sam2VideoProcessor

    folder = Path(checkpoint or '').expanduser()
    wanted = "a folder with SAM 2's video model as transformers saves it"
    if checkpoint is None or not (folder / 'config.json').is_file():
        raise InputError.of(
            'SAM2Propagation', 'checkpoint', checkpoint, wanted
        )
    try:
        loaded: Any = Sam2VideoModel.from_pretrained(
            folder, local_files_only=True, output_loading_info=True
        )
        model, report = loaded
        processor = Sam2VideoProcessor.from_pretrained(
            folder, local_files_only=True
        )
    except (OSError, RuntimeError, ValueError) as error:
        reason = str(error).strip().splitlines()[0]
        raise InputError.of(folder, 'content', reason, wanted) from error
    # transformers would initialise them randomly and only warn.
    missing = sorted(report['missing_keys'])
    if missing:
        raise InputError.of(
            folder, 'missing keys', missing, 'none: all of the model'
        )
    return model, processor


def best_frame(prediction: ReferencePrediction) -> Optional[int]:
    """Return the frame with the highest score among those with a mask."""
    areas = rle_codec.area(prediction.masks)
    drawn = [index for index, area in enumerate(areas) if area > 0]
    if not drawn:
        return None
    return max(drawn, key=lambda index: prediction.frame_scores[index])


def box_of(mask: np.ndarray) -> List[float]:
    """Return the box of a mask (H, W): x1, y1, x2, y2 in pixels."""
    ys, xs = np.nonzero(mask)
    corners = xs.min(), ys.min(), xs.max() + 1, ys.max() + 1
    return [float(corner) for corner in corners]


def innermost_pixel(mask: np.ndarray) -> List[float]:
    """Return the pixel of a mask (H, W) farthest from its border; x, y."""
    # The border of the frame counts as a border of the mask.
    padded = np.pad(mask.astype(np.uint8), 1)
    depth = cv2.distanceTransform(padded, cv2.DIST_L2, cv2.DIST_MASK_PRECISE)
    y, x = np.unravel_index(depth.argmax(), depth.shape)
    return [float(x - 1), float(y - 1)]


def as_rle(mask: Tensor) -> Rle:
    """Run-length encode a mask (H, W)."""
    pixels = mask.cpu().numpy().astype(np.uint8)
    return rle_codec.encode(np.asfortranarray(pixels))
