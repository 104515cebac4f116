"""The base class of all segmentors."""

from abc import ABCMeta, abstractmethod
from contextlib import contextmanager
from dataclasses import replace
from typing import (
    Any,
    Dict,
    Iterator,
    List,
    Optional,
    Sequence,
    Tuple,
    Union,
)

import numpy as np
import torch
from mmcv.cnn import fuse_conv_bn
from mmdet.registry import TASK_UTILS
from mmdet.structures.bbox import bbox_cxcywh_to_xyxy
from mmengine.model import BaseModel
from pycocotools import mask as rle_codec
from torch import Tensor, nn

from ...errors import InputError
from ...structures import (
    MODALITIES,
    Answer,
    Candidate,
    EncodedReferences,
    RefDataSample,
    Reference,
    ReferencePrediction,
    Rle,
    SoftMasks,
    VideoFeatures,
    shared_object,
)
from ..encoders import encode_modalities
from ..layers.frames import to_original_size
from .linking import follow
from .test_config import (
    ALL_CANDIDATES,
    POST_PROCESS,
    PRECISIONS,
    TestConfig,
)

Samples = Optional[List[RefDataSample]]
TargetFrames = Optional[List[List[int]]]

# Frames at once where ``test_cfg.frame_chunk`` is None.
CHUNK_ON_CPU, CHUNK_ON_GPU = 1, 8
# Logit of an empty mask: a probability of 4e-44, 0 in float32.
EMPTY_LOGIT = -100.0


class BaseReferringSegmentor(BaseModel, metaclass=ABCMeta):
    """Segmentor in two halves, so that a video is encoded once.

    ``encode_video`` computes everything that does not depend on the
    reference; ``refer`` and ``answer`` compute the rest from the encoded
    video and the encoded references. ``loss``, ``predict`` and ``tensor`` are
    the three modes of mmengine.

    Args:
        data_preprocessor: Config of the module that normalises, pads and
            stacks the clips.
        test_cfg: Options at test time, the fields of :class:`TestConfig`, and
            ``post_process``.
        init_cfg: Config of mmengine's initialisation.
    """

    # Whether one reference may have several modalities, and a batch may mix
    # references of different ones.
    combines_modalities = False

    def __init__(
        self,
        data_preprocessor: Optional[dict] = None,
        test_cfg: Optional[dict] = None,
        init_cfg: Optional[dict] = None,
    ) -> None:
        super().__init__(data_preprocessor, init_cfg)
        options = dict(test_cfg or {})
        post_process = options.pop(POST_PROCESS, None)
        self.test_cfg = TestConfig.from_dict(options)
        self.post_process = (
            None if post_process is None else TASK_UTILS.build(post_process)
        )

    def prepare_for_test(self) -> None:
        """Make the model faster, for prediction only.

        Batch norms are merged into the convolutions before them, and 2d
        convolutions keep channels last, so that maps become tokens without
        a copy. Predictions stay the same within float error. Afterwards the
        model can neither be trained nor load other weights.
        """
        self.eval()
        backbone: Any = getattr(self, 'backbone', None)
        if backbone is not None:
            self.backbone = fuse_conv_bn(backbone)
        # Module by module, because the format does not fit other weights,
        # such as the 3d convolution of Video-Swin's patch embedding.
        convolutions: List[Any] = [
            module
            for module in self.modules()
            if isinstance(module, nn.Conv2d)
        ]
        for module in convolutions:
            module.to(memory_format=torch.channels_last)

    @abstractmethod
    def encode_video(
        self,
        frames: Tensor,
        image_shapes: List[Tuple[int, int]],
        target_frames: TargetFrames = None,
    ) -> VideoFeatures:
        """Encode clips without their references.

        Args:
            frames: (B, T, 3, H, W), normalised and padded.
            image_shapes: (h, w) of each clip without padding.
            target_frames: Indices of the target frames of each clip, the
                same number in every clip; None for all frames. Only these
                are encoded after the backbone.
        """

    @property
    def reference_encoders(self) -> Dict[str, nn.Module]:
        """Encoder of each modality, the attributes ``<modality>_encoder``."""
        found = {
            modality: getattr(self, f'{modality}_encoder', None)
            for modality in MODALITIES
        }
        return {name: each for name, each in found.items() if each is not None}

    @property
    def modalities(self) -> Tuple[str, ...]:
        """Modalities that the model accepts in a reference."""
        return tuple(self.reference_encoders)

    def encode_references(
        self, references: List[Reference]
    ) -> EncodedReferences:
        """Encode references, one per clip, into tokens for each modality.

        Raises:
            InputError: See :meth:`check_modalities`, and the encoders.
        """
        self.check_modalities(references)
        return encode_modalities(self.reference_encoders, references)

    def check_modalities(self, references: List[Reference]) -> None:
        """Check that the model accepts the modalities of references.

        Raises:
            InputError: A reference has no modality, one without an encoder,
                or several although ``combines_modalities`` is False; or a
                batch mixes modalities although it is False.
        """
        taken, name = self.modalities, type(self).__name__
        for reference in references:
            given = reference.modalities
            field = f'modality of reference {reference.id!r}'
            if not given or not set(given) <= set(taken):
                raise InputError.of(
                    name,
                    field,
                    ' and '.join(given) or None,
                    f'{" or ".join(taken)}, which the model has an encoder '
                    'for',
                )
            if len(given) > 1 and not self.combines_modalities:
                raise InputError.of(
                    name,
                    field,
                    ' and '.join(given),
                    'one of them: the model takes one modality at a time',
                )
        mixed = {each for item in references for each in item.modalities}
        if len(mixed) > 1 and not self.combines_modalities:
            raise InputError.of(
                name,
                'references of a batch',
                ' and '.join(each for each in taken if each in mixed),
                "one kind (batch_sampler=dict(type='OneDatasetBatchSampler') "
                'keeps them apart)',
            )

    @abstractmethod
    def refer(
        self, video: VideoFeatures, references: EncodedReferences
    ) -> Any:
        """Compute the raw outputs for one reference per clip.

        The outputs are those that the loss compares with the ground truth.
        """

    @abstractmethod
    def loss(
        self, inputs: Tensor, data_samples: List[RefDataSample]
    ) -> Dict[str, Tensor]:
        """Compute the losses of a batch of clips.

        A clip may hold several references to the same object.
        """

    @abstractmethod
    def answer(
        self, video: VideoFeatures, references: EncodedReferences
    ) -> Answer:
        """Segment the object of one reference in one video."""

    def forward(
        self,
        inputs: Tensor,
        data_samples: Samples = None,
        mode: str = 'tensor',
    ) -> Union[Dict[str, Tensor], List[RefDataSample], Any]:
        """Run in one of mmengine's modes.

        Args:
            inputs: (B, T, 3, H, W), normalised and padded.
            data_samples: B samples with their references.
            mode: 'loss', 'predict' or 'tensor' (raw outputs of
                :meth:`refer`, a row per reference).
        """
        if mode not in ('loss', 'predict', 'tensor'):
            raise ValueError(
                f'mode is {mode!r}; expected loss, predict or tensor'
            )
        if data_samples is None:
            raise ValueError('data_samples is None; they hold the references')
        if mode == 'loss':
            for sample in data_samples:
                shared_object(
                    sample.references, sample.metainfo.get('video_id')
                )
            return self.loss(inputs, data_samples)
        if mode == 'predict':
            return self.predict(inputs, data_samples)
        return self._forward(inputs, data_samples)

    def _forward(
        self, inputs: Tensor, data_samples: List[RefDataSample]
    ) -> Any:
        """Compute the raw outputs for all references of all samples."""
        return self.refer(*self.encode_batch(inputs, data_samples))

    def encode_batch(
        self, inputs: Tensor, data_samples: List[RefDataSample]
    ) -> Tuple[VideoFeatures, EncodedReferences]:
        """Encode clips and references, a row of each per reference.

        Each clip is encoded once; its features are repeated for its
        references, which are ordered sample by sample.
        """
        counts = [len(sample.references) for sample in data_samples]
        references = [
            reference
            for sample in data_samples
            for reference in sample.references
        ]
        video = self.encode_samples(inputs, data_samples).repeated(counts)
        return video, self.encode_references(references)

    def encode_samples(
        self, inputs: Tensor, data_samples: List[RefDataSample]
    ) -> VideoFeatures:
        """Encode clips, given the metainfo of their samples."""
        return self.encode_video(
            inputs,
            image_shapes_of(data_samples),
            target_frames_of(data_samples, inputs.shape[1]),
        )

    @torch.no_grad()
    def predict(
        self, inputs: Tensor, data_samples: List[RefDataSample]
    ) -> List[RefDataSample]:
        """Fill ``predictions`` of each sample, one per reference."""
        for frames, sample in zip(inputs, data_samples):
            video = self.encode_sample(frames, sample)
            sample.predictions = self.answer_references(
                video, sample.references, sample, frames
            )
        return data_samples

    def encode_sample(
        self, frames: Tensor, sample: RefDataSample
    ) -> VideoFeatures:
        """Encode one video (T, 3, H, W) with ``test_cfg.precision``."""
        with self.autocast(frames.device):
            return self.encode_samples(frames[None], [sample])

    def answer_references(
        self,
        video: VideoFeatures,
        references: List[Reference],
        sample: RefDataSample,
        frames: Optional[Tensor] = None,
        previous: Optional[Sequence[List[Rle]]] = None,
    ) -> List[ReferencePrediction]:
        """Answer references to one encoded video.

        Args:
            video: Features of the video.
            references: Any number of them.
            sample: Metainfo of the video.
            frames: (T, 3, H, W), needed only by a post-process.
            previous: For each reference, the masks of its object in the
                first frames, as the window before gave them; see
                :meth:`predict_reference`.
        """
        before = previous or [[] for _ in references]
        with self.autocast(next(self.parameters()).device):
            predictions = [
                self.predict_reference(video, reference, sample, masks)
                for reference, masks in zip(references, before, strict=True)
            ]
        if self.post_process is None or frames is None or not predictions:
            return predictions
        answered = RefDataSample(metainfo=sample.metainfo)
        answered.references, answered.predictions = references, predictions
        restored = self.data_preprocessor.restore(frames, answered)
        self.post_process(answered, restored)
        return answered.predictions

    @contextmanager
    def test_options(self, **changes: Any) -> Iterator[None]:
        """Predict with other test options inside a ``with`` block.

        Args:
            changes: Fields of :class:`TestConfig` and their values.

        Raises:
            InputError: There is no such field, or its value is wrong.

        Example:
            >>> with model.test_options(candidates=5, threshold=0.3):
            ...     model.predict(inputs, data_samples)
        """
        config = self.test_cfg
        self.test_cfg = config.changed(**changes)
        try:
            yield
        finally:
            self.test_cfg = config

    def autocast(self, device: torch.device) -> torch.autocast:
        """Return a context with ``test_cfg.precision``."""
        dtype = PRECISIONS[self.test_cfg.precision]
        return torch.autocast(
            device.type, dtype or torch.bfloat16, enabled=dtype is not None
        )

    def frames_at_once(self, num_frames: int) -> int:
        """Return the number of frames that are processed together.

        With gradients it is all frames, because their activations are kept
        for the backward pass anyway.
        """
        if self.training or torch.is_grad_enabled():
            return num_frames
        return min(num_frames, self.frame_chunk)

    @property
    def frame_chunk(self) -> int:
        """``test_cfg.frame_chunk``, or the default of the device."""
        on_cpu = next(self.parameters()).device.type == 'cpu'
        default = CHUNK_ON_CPU if on_cpu else CHUNK_ON_GPU
        return self.test_cfg.frame_chunk or default

    def storage_device(self, device: torch.device) -> torch.device:
        """Return the device that keeps the features of a video.

        It is ``test_cfg.features_on``; by default, and with gradients, it is
        the device of the video.
        """
        elsewhere = self.test_cfg.features_on
        if elsewhere is None or torch.is_grad_enabled():
            return device
        return torch.device(elsewhere)

    def predict_reference(
        self,
        video: VideoFeatures,
        reference: Reference,
        sample: RefDataSample,
        previous: Sequence[Rle] = (),
    ) -> ReferencePrediction:
        """Answer one reference with masks at the original size.

        Args:
            video: Features of one video.
            reference: The reference.
            sample: Metainfo of the video.
            previous: Masks of the object in the first frames. The answer is
                then the candidate that continues them, see :func:`follow`,
                and only its masks are encoded in full; ``candidates`` stays
                empty.
        """
        answer = self.find(video, reference, with_candidates=bool(previous))
        is_null = answer.is_null or self.is_null_score(answer)
        shape = sample.ori_shape
        if previous:
            if not is_null:
                answer = follow(
                    answer,
                    previous,
                    lambda logits: self.encode_masks(logits, video, shape),
                )
            answer = replace(answer, candidates=[])
        masks = answer.masks
        if is_null:
            masks = torch.full_like(masks, EMPTY_LOGIT)
        return ReferencePrediction(
            reference=reference,
            masks=self.encode_masks(masks, video, shape),
            score=float(answer.scores.mean()),
            frame_scores=answer.scores.tolist(),
            bboxes=to_original_boxes(answer.bboxes, shape),
            candidates=[
                Candidate(
                    self.encode_masks(each.masks, video, shape),
                    float(each.scores.mean()),
                    to_original_boxes(each.bboxes, shape),
                )
                for each in answer.candidates
            ],
            soft_masks=self.encode_soft_masks(masks, video, shape)
            if self.test_cfg.soft_masks
            else None,
            is_null=is_null,
        )

    def find(
        self,
        video: VideoFeatures,
        reference: Reference,
        with_candidates: bool = False,
    ) -> Answer:
        """Answer one reference with mask logits.

        Args:
            video: Features of one video.
            reference: The reference.
            with_candidates: Return the answers of all queries, too, whatever
                ``test_cfg.candidates`` is.
        """
        encoded = self.encode_references([reference])
        if not with_candidates:
            return self.answer(video, encoded)
        with self.test_options(candidates=ALL_CANDIDATES):
            return self.answer(video, encoded)

    def is_null_score(self, answer: Answer) -> bool:
        """Whether the mean score is below ``test_cfg.null_threshold``."""
        threshold = self.test_cfg.null_threshold
        return (
            threshold is not None and float(answer.scores.mean()) < threshold
        )

    def encode_masks(
        self,
        logits: Tensor,
        video: VideoFeatures,
        original_shape: Tuple[int, int],
    ) -> List[dict]:
        """Encode masks at the original size, a few frames at a time.

        Args:
            logits: (T, h, w) mask logits.
            video: Features of the video.
            original_shape: (height, width) of the frames.
        """
        encoded: List[dict] = []
        for chunk in logits.split(self.frame_chunk):
            full = to_original_size(chunk, video, original_shape)
            masks = full.sigmoid() > self.test_cfg.threshold
            # pycocotools expects (h, w, T) in Fortran order.
            stack = masks.permute(1, 2, 0).to(torch.uint8).cpu().numpy()
            encoded += rle_codec.encode(np.asfortranarray(stack))
        return encoded

    def encode_soft_masks(
        self,
        logits: Tensor,
        video: VideoFeatures,
        original_shape: Tuple[int, int],
    ) -> SoftMasks:
        """Compress soft masks at the original size, a few frames at a time.

        Args:
            logits: (T, h, w) mask logits.
            video: Features of the video.
            original_shape: (height, width) of the frames.
        """
        soft = SoftMasks(
            (original_shape[0], original_shape[1]),
            linear=self.test_cfg.soft_masks == 'linear',
        )
        for chunk in logits.split(self.frame_chunk):
            soft.extend(to_original_size(chunk, video, original_shape))
        return soft


def full_precision(device: torch.device) -> torch.autocast:
    """Disable autocast: reduced precision would hurt accuracy here."""
    return torch.autocast(device.type, enabled=False)


def image_shapes_of(samples: List[RefDataSample]) -> List[Tuple[int, int]]:
    """Return (h, w) of the resized frames of each clip, without padding."""
    return [tuple(sample.img_shape[:2]) for sample in samples]


def target_frames_of(
    samples: List[RefDataSample], num_frames: int
) -> TargetFrames:
    """Return the target frames of each clip; None if all frames are targets.

    Args:
        samples: Samples of the batch.
        num_frames: T.

    Raises:
        ValueError: Clips of one batch have different numbers of targets.
    """
    given = [sample.metainfo.get('target_frames') for sample in samples]
    if all(indices is None for indices in given):
        return None
    indices = [
        list(range(num_frames)) if each is None else list(each)
        for each in given
    ]
    if len({len(each) for each in indices}) > 1:
        raise ValueError(
            f'target_frames of the batch are {given}; expected as many '
            'frames of every clip'
        )
    return indices


def to_original_boxes(
    boxes: Optional[Tensor], original_shape: Tuple[int, int]
) -> List[List[float]]:
    """Convert boxes to x1, y1, x2, y2 in pixels of the original frames.

    Args:
        boxes: (T, 4) cx, cy, w, h in 0..1 of the frame without padding, so
            that resizing and padding need not be undone; or None.
        original_shape: (height, width) of the frames.
    """
    if boxes is None:
        return []
    height, width = original_shape
    scale = boxes.new_tensor([width, height, width, height])
    return (bbox_cxcywh_to_xyxy(boxes.float()) * scale).tolist()
