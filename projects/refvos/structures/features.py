"""Encoded videos and references, and the answers to them."""

from dataclasses import dataclass, field, replace
from typing import Dict, List, Optional, Sequence, Tuple

import torch
from torch import Tensor

from ..errors import InputError


@dataclass
class ReferenceTokens:
    """A batch of encoded references of one modality.

    Args:
        tokens: (B, L, C), one token per word (text), piece of speech, or
            second of sound.
        padding_mask: (B, L) bool, True where a token is padding.
        positions: (B, L, C) positional encodings of the tokens.
        sentence: (B, C), one feature for the whole reference.
        present: (B,) bool, False for references without this modality: their
            tokens and sentence are zeros, and all their tokens are padding.
            None if all references have it.
    """

    tokens: Tensor
    padding_mask: Tensor
    positions: Tensor
    sentence: Tensor
    present: Optional[Tensor] = None

    def __len__(self) -> int:
        return len(self.tokens)

    def pooled(self) -> Tensor:
        """Average each reference's tokens, padding left out: (B, C)."""
        valid = (~self.padding_mask)[..., None].to(self.tokens)
        return (self.tokens * valid).sum(1) / valid.sum(1).clamp(min=1)

    def __getitem__(self, index: slice) -> 'ReferenceTokens':
        return ReferenceTokens(
            self.tokens[index],
            self.padding_mask[index],
            self.positions[index],
            self.sentence[index],
            None if self.present is None else self.present[index],
        )


class EncodedReferences(Dict[str, ReferenceTokens]):
    """Tokens of B references, a dict from modality to their tokens.

    Example:
        >>> references = EncodedReferences(text=tokens)
        >>> references.only() is tokens
        True
    """

    def only(self) -> ReferenceTokens:
        """Return the tokens of the only modality.

        For systems that accept one modality at a time.

        Raises:
            InputError: There are several modalities, or none.
        """
        if len(self) != 1:
            raise InputError.of(
                'references',
                'modalities',
                ' and '.join(self),
                'one of them: this system takes one modality at a time',
            )
        (tokens,) = self.values()
        return tokens


@dataclass
class FeatureLevel:
    """One level of the pyramid, for B clips of T frames.

    Args:
        features: (B*T, C, h, w), clip by clip; packed codes if ``ranges`` is
            given. They may be on another device than the positions.
        positions: (B, C, h, w) positional encodings, the same in every frame
            of a clip.
        padding_mask: (B, h, w) bool, True where the clip is padded.
        ranges: (B*T, C, 2), those of :func:`pack_maps`; None if the features
            are not packed.
    """

    features: Tensor
    positions: Tensor
    padding_mask: Tensor
    ranges: Optional[Tensor] = None

    def values(self) -> Tensor:
        """Return the unpacked features on the device of the positions."""
        device = self.positions.device
        features = self.features.to(device)
        if self.ranges is None:
            return features
        return unpack_maps(features, self.ranges.to(device))

    def packed(self) -> 'FeatureLevel':
        """Return the level with its features in 16 bits."""
        if self.features.itemsize <= 2:
            return self
        codes, ranges = pack_maps(self.features)
        return replace(self, features=codes, ranges=ranges)

    def moved(self, device: torch.device) -> 'FeatureLevel':
        """Return the level with its features on a device."""
        ranges = None if self.ranges is None else self.ranges.to(device)
        return replace(self, features=self.features.to(device), ranges=ranges)


def pack_maps(maps: Tensor) -> Tuple[Tensor, Tensor]:
    """Quantize maps to 16 bits, in steps of 1/65535 of their range.

    Each channel of each frame has a range of its own, so that the steps are
    finer than those of float16 for all but the smallest values.

    Args:
        maps: (..., h, w) float32.

    Returns:
        Codes (..., h, w) int16, and (..., 2): the middle of each map's range
        and its step.
    """
    low, high = maps.flatten(-2).aminmax(dim=-1)
    middle = (low + high) / 2
    # A constant map has no range; the step must not be 0.
    step = ((high - low) / 65534).clamp(min=torch.finfo(maps.dtype).tiny)
    codes = (maps - middle[..., None, None]) / step[..., None, None]
    return codes.round_().short(), torch.stack((middle, step), -1)


def unpack_maps(codes: Tensor, ranges: Tensor) -> Tensor:
    """Invert :func:`pack_maps`."""
    middle, step = ranges[..., None, None, :].unbind(-1)
    return torch.addcmul(middle, codes.to(ranges.dtype), step)


@dataclass
class VideoFeatures:
    """Features of a batch of clips, independent of the reference.

    Args:
        num_frames: T.
        image_shapes: (h, w) of each clip's frames without padding.
        padded_shape: (H, W) of the batch.
        high_resolution: The stride-4 level of the backbone, not projected.
        levels: The projected levels, finest first.
    """

    num_frames: int
    image_shapes: List[Tuple[int, int]]
    padded_shape: Tuple[int, int]
    high_resolution: FeatureLevel
    levels: List[FeatureLevel]

    def __len__(self) -> int:
        return len(self.image_shapes)

    def frames(self, start: int, stop: int) -> 'VideoFeatures':
        """Return the features of the frames ``start`` to ``stop - 1``."""

        def chosen(x: Tensor) -> Tensor:
            frames = x.unflatten(0, (-1, self.num_frames))
            return frames[:, start:stop].flatten(0, 1)

        def cut(level: FeatureLevel) -> FeatureLevel:
            return replace(
                level,
                features=chosen(level.features),
                ranges=None if level.ranges is None else chosen(level.ranges),
            )

        return replace(
            self,
            num_frames=len(range(self.num_frames)[start:stop]),
            high_resolution=cut(self.high_resolution),
            levels=[cut(level) for level in self.levels],
        )

    def split(self, num_frames: int) -> List['VideoFeatures']:
        """Split into parts of ``num_frames`` frames, the last one shorter."""
        starts = range(0, self.num_frames, num_frames)
        return [self.frames(start, start + num_frames) for start in starts]

    def repeated(self, counts: Sequence[int]) -> 'VideoFeatures':
        """Repeat each clip, once per reference.

        Args:
            counts: Number of repetitions of each of the B clips.
        """
        if all(count == 1 for count in counts):
            return self
        clips = torch.arange(len(self)).repeat_interleave(torch.tensor(counts))

        def frames_of(x: Tensor) -> Tensor:
            by_clip = x.unflatten(0, (-1, self.num_frames))
            return by_clip[clips.to(x.device)].flatten(0, 1)

        def repeat(level: FeatureLevel) -> FeatureLevel:
            here = clips.to(level.positions.device)
            return FeatureLevel(
                frames_of(level.features),
                level.positions[here],
                level.padding_mask[here],
                None if level.ranges is None else frames_of(level.ranges),
            )

        return replace(
            self,
            image_shapes=[self.image_shapes[clip] for clip in clips.tolist()],
            high_resolution=repeat(self.high_resolution),
            levels=[repeat(level) for level in self.levels],
        )

    @property
    def is_padded(self) -> bool:
        """Whether any clip is smaller than the batch.

        It is computed from shapes, without waiting for the device.
        """
        return any(
            tuple(shape) != tuple(self.padded_shape)
            for shape in self.image_shapes
        )


@dataclass
class Answer:
    """Raw prediction for one reference in one video.

    Args:
        masks: (T, h, w) mask logits of the chosen object.
        scores: (T,) probability of the object in each frame.
        bboxes: (T, 4) box of the object as cx, cy, w, h in 0..1 of the frame
            without padding; None if the model predicts no boxes.
        candidates: Answers of the ``test_cfg.candidates`` best queries.
        is_null: The model predicts that the reference refers to nothing.
    """

    masks: Tensor
    scores: Tensor
    bboxes: Optional[Tensor] = None
    candidates: List['Answer'] = field(default_factory=list)
    is_null: bool = False


def padding_mask_of(
    image_shapes: Sequence[Tuple[int, int]],
    padded_shape: Tuple[int, int],
    device: Optional[torch.device] = None,
) -> Tensor:
    """Return the padding mask of a batch of clips.

    Returns:
        (B, H, W) bool, True right of and below each clip's frames.
    """
    height, width = padded_shape
    mask = torch.ones(
        len(image_shapes), height, width, dtype=torch.bool, device=device
    )
    for clip, (h, w) in zip(mask, image_shapes):
        clip[:h, :w] = False
    return mask
