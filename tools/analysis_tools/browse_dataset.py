"""Draw clips as the model gets them, after augmentation, on one sheet.

    python tools/analysis_tools/browse_dataset.py CONFIG --out sheet.jpg

Each row is a clip with the referred object outlined and boxed. The caption
shows the words as the model gets them (left and right are exchanged if the
frames were flipped), the video, the frames and their size. With --padded the
clips also go through the preprocessor, batch by batch, which shows the
padding.
"""

import argparse
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Dict, List, Optional, Tuple

import cv2
import numpy as np
import torch
from mmdet.registry import DATASETS, MODELS
from mmengine.config import Config
from mmengine.registry import init_default_scope
from mmengine.runner import set_random_seed

from refvos.engine import check_config
from refvos.engine.cli import load_config, merge_options, run_tool
from refvos.engine.options import OptionsAction
from refvos.errors import InputError
from refvos.structures import RefDataSample, Reference
from refvos.visualization import (
    distinct_colors,
    draw_overlay,
    evenly_spaced,
    label_band,
    make_strip,
    write_image,
)
from refvos.visualization.visualizer import decode

SUFFIXES = ('.jpg', '.jpeg', '.png', '.webp')
SMALLEST_WIDTH = 480
WHITE = (255, 255, 255)
(COLOR,) = distinct_colors(1)


def parse_args(argv: Optional[Sequence[str]] = None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    add = parser.add_argument
    add('config', help='config file')
    add('--out', required=True, metavar='SHEET', help='image file to write')
    add(
        '--num',
        type=int,
        default=16,
        help='number of clips (default: 16)',
    )
    add(
        '--split',
        choices=('train', 'val', 'test'),
        default='train',
        help='dataloader of the config to take clips from (default: train)',
    )
    add(
        '--seed',
        type=int,
        default=0,
        help='seed for the choice of clips and the augmentation (default: 0)',
    )
    add(
        '--frames',
        type=int,
        default=6,
        help='draw at most this many frames per clip (default: 6)',
    )
    add(
        '--height',
        type=int,
        default=160,
        help='height of the drawn frames in pixels (default: 160)',
    )
    add(
        '--padded',
        action='store_true',
        help='draw batches as the preprocessor pads them',
    )
    add(
        '--cfg-options',
        nargs='+',
        action=OptionsAction,
        default={},
        metavar='KEY=VALUE',
        help='change entries of the config',
    )
    args = parser.parse_args(argv)
    for name in ('num', 'frames', 'height'):
        if getattr(args, name) < 1:
            parser.error(f'--{name} must be at least 1')
    if not args.out.lower().endswith(SUFFIXES):
        parser.error(f'--out must end in one of {SUFFIXES}')
    return args


@dataclass
class Clip:
    """A clip to draw.

    Args:
        frames: (T, H, W, 3), uint8, RGB.
        masks: Frame number -> mask of the referred object, bool, (H, W);
            frames without ground truth have no entry.
        boxes: Frame number -> x1, y1, x2, y2 in pixels.
        caption: Text below the frames.
    """

    frames: np.ndarray
    masks: Dict[int, np.ndarray]
    boxes: Dict[int, np.ndarray]
    caption: str


def load_items(
    config: Config, split: str, num: int, seed: int, source: str
) -> List[Dict[str, Any]]:
    """Load some items of a split through its pipeline."""
    loader = config.get(f'{split}_dataloader')
    if loader is None:
        raise InputError.of(
            source, f'{split}_dataloader', None, 'a dataloader to browse'
        )
    init_default_scope(config.get('default_scope', 'mmdet'))
    dataset = DATASETS.build(loader['dataset'])
    rng = np.random.default_rng(seed)
    count = min(num, len(dataset))
    chosen = rng.choice(len(dataset), count, replace=False).tolist()
    # The transforms draw from the global generators.
    set_random_seed(seed)
    items = [dataset[index] for index in chosen]
    for item in items:
        # A test item has all references of its video: choose one.
        references = item['data_samples'].references
        pick = int(rng.integers(len(references)))
        item['data_samples'].references = [references[pick]]
    return items


def pad_items(
    items: List[Dict[str, Any]], config: Config, split: str
) -> List[np.ndarray]:
    """Run the preprocessor on items, in batches as the dataloader's.

    Returns:
        Frames (T, H, W, 3), uint8, RGB, of each item. Padding, which is zero
        after the normalisation, is black.
    """
    preprocessor = MODELS.build(config.model['data_preprocessor'])
    size = config[f'{split}_dataloader'].get('batch_size', 1)
    frames: List[np.ndarray] = []
    for start in range(0, len(items), size):
        batch = items[start : start + size]
        done = preprocessor(
            {key: [item[key] for item in batch] for key in batch[0]},
            training=split == 'train',
        )
        frames += denormalize(done['inputs'], preprocessor, batch)
    return frames


def denormalize(
    inputs: torch.Tensor, preprocessor: Any, batch: List[Dict[str, Any]]
) -> List[np.ndarray]:
    """Restore the pixels of clips (B, T, 3, H, W); make padding black."""
    pictures = inputs
    if preprocessor._enable_normalize:
        shape = (-1, 1, 1)
        std, mean = preprocessor.std, preprocessor.mean
        pictures = inputs * std.view(shape) + mean.view(shape)
    if preprocessor._channel_conversion:
        pictures = pictures.flip(2)
    pictures = pictures.round().clamp(0, 255).to(torch.uint8)
    result = []
    for clip, item in zip(pictures, batch, strict=True):
        height, width = item['inputs'].shape[-2:]
        clip[..., height:, :] = 0
        clip[..., :, width:] = 0
        result.append(clip.permute(0, 2, 3, 1).numpy())
    return result


def make_clip(item: Dict[str, Any], frames: Optional[np.ndarray]) -> Clip:
    """Describe an item of a data set for drawing.

    Args:
        item: ``inputs`` (T, 3, H, W) and ``data_samples``.
        frames: Frames (T, H', W', 3) to draw on, padded at the right and
            the bottom; None for the inputs.
    """
    inputs, sample = item['inputs'], item['data_samples']
    if frames is None:
        frames = inputs.permute(0, 2, 3, 1).numpy()
    size = tuple(inputs.shape[-2:])
    (reference,) = sample.references
    # Some data sets have ground truth for a few frames only.
    answered = sample.metainfo.get('target_frames')
    if answered is None:
        answered = range(len(inputs))
    if 'gt_tubes' in sample:
        masks = referred_masks(sample, reference, size)
        boxes: List[Optional[np.ndarray]] = [None] * len(masks)
    else:
        masks, boxes = trained_masks(sample)
    target = frames.shape[1:3]
    return Clip(
        frames,
        {
            index: pad(mask, target)
            for index, mask in zip(answered, masks)
            if mask is not None
        },
        {index: box for index, box in zip(answered, boxes) if box is not None},
        describe_clip(sample, reference, size, target),
    )


def trained_masks(sample: RefDataSample) -> Tuple[list, list]:
    """Return mask and box of the referred object per frame, None if absent."""
    masks: List[Optional[np.ndarray]] = []
    boxes: List[Optional[np.ndarray]] = []
    for frame in sample.video_data_samples:
        instances = frame.get('gt_instances')
        if instances is None or len(instances) == 0:
            masks.append(None)
            boxes.append(None)
            continue
        masks.append(np.any(np.asarray(instances.masks.masks) > 0, axis=0))
        boxes.append(np.asarray(instances.bboxes[0]))
    return masks, boxes


def referred_masks(
    sample: RefDataSample, reference: Reference, size: Tuple[int, int]
) -> List[np.ndarray]:
    """Return the union of the referred objects per frame, at a size."""
    tubes = sample.gt_tubes
    meant = [tubes[i] for i in reference.object_ids if i in tubes]
    length = len(sample.frame_ids)
    masks = []
    for time in range(length):
        union = np.zeros(tuple(sample.ori_shape[:2]), bool)
        for tube in meant:
            rle = tube[time]
            if rle is not None:
                union |= decode(rle)
        masks.append(
            cv2.resize(
                union.astype(np.uint8),
                size[::-1],
                interpolation=cv2.INTER_NEAREST,
            ).astype(bool)
        )
    return masks


def pad(mask: np.ndarray, size: Tuple[int, int]) -> np.ndarray:
    """Pad a mask at the right and the bottom."""
    padded = np.zeros(size, bool)
    padded[: mask.shape[0], : mask.shape[1]] = mask
    return padded


def describe_clip(
    sample: RefDataSample,
    reference: Reference,
    size: Tuple[int, int],
    padded: Tuple[int, ...],
) -> str:
    """Compose the caption: the words, and where the clip comes from."""
    names = ' '.join(str(name) for name in sample.frame_ids)
    parts = [str(sample.video_id), f'frames {names}', f'{size[0]}x{size[1]}']
    if tuple(padded) != tuple(size):
        parts[-1] += f' in {padded[0]}x{padded[1]}'
    parts += [each for each in (reference.cue, reference.annotator) if each]
    return f'{reference.name}   [{"; ".join(parts)}]'


def draw_clip(clip: Clip, height: int, max_frames: int) -> np.ndarray:
    """Draw a row: some frames, side by side, and the caption below."""
    pictures = []
    for index in evenly_spaced(len(clip.frames), max_frames):
        frame = resize(clip.frames[index], height)
        mask = clip.masks.get(index)
        masks = [] if mask is None else [resize(mask, height)]
        # Two outlines, coloured and white, are visible on every colour.
        picture = draw_overlay(frame, masks, gt_masks=masks, alpha=0)
        if index in clip.boxes:
            scale = height / clip.frames.shape[1]
            box = (clip.boxes[index] * scale).round().astype(int)
            x1, y1, x2, y2 = box.tolist()
            cv2.rectangle(picture, (x1, y1), (x2 - 1, y2 - 1), WHITE, 1)
        pictures.append(picture)
    row = widen(make_strip(pictures), SMALLEST_WIDTH)
    return np.concatenate(
        [row, label_band(row.shape[1], [clip.caption], [COLOR])]
    )


def resize(image: np.ndarray, height: int) -> np.ndarray:
    """Resize a frame or a mask to a height; keep its aspect ratio."""
    scale = height / image.shape[0]
    size = (max(1, round(image.shape[1] * scale)), height)
    if image.dtype == bool:
        small = cv2.resize(
            image.astype(np.uint8), size, interpolation=cv2.INTER_NEAREST
        )
        return small.astype(bool)
    way = cv2.INTER_AREA if scale < 1 else cv2.INTER_CUBIC
    return cv2.resize(image, size, interpolation=way)


def widen(picture: np.ndarray, width: int) -> np.ndarray:
    """Pad an image with white at the right."""
    missing = max(0, width - picture.shape[1])
    return np.pad(picture, ((0, 0), (0, missing), (0, 0)), constant_values=255)


def main(argv: Optional[Sequence[str]] = None) -> np.ndarray:
    args = parse_args(argv)
    config = load_config(args.config)
    check_config(config, args.config)
    merge_options(config, args.cfg_options, '--cfg-options')
    check_config(config, '--cfg-options')
    items = load_items(config, args.split, args.num, args.seed, args.config)
    frames: List[Optional[np.ndarray]] = [None] * len(items)
    if args.padded:
        frames = list(pad_items(items, config, args.split))
    rows = [
        draw_clip(make_clip(item, shown), args.height, args.frames)
        for item, shown in zip(items, frames, strict=True)
    ]
    width = max(row.shape[1] for row in rows)
    sheet = np.concatenate([widen(row, width) for row in rows])
    write_image(args.out, sheet)
    print(f'{len(rows)} clips of {args.split}: {args.out}')
    return sheet


if __name__ == '__main__':
    sys.exit(run_tool(main))
