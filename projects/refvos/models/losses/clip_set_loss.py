"""Matching and losses over a clip (ReferFormer, Section 3.4)."""

from dataclasses import dataclass
from typing import Any, Dict, List, Optional, Tuple

import torch
from mmdet.registry import MODELS, TASK_UTILS
from mmdet.structures.bbox import bbox_cxcywh_to_xyxy
from mmdet.utils import reduce_mean
from mmengine.structures import InstanceData
from torch import Tensor, nn

from ...errors import InputError
from ...structures import RefDataSample

# The logit of a pixel that is surely none of the object's: its probability
# and the losses' gradient are 0, in half precision, too.
SURELY_NOT = -1e4


@dataclass
class ClipOutputs:
    """What one decoder layer says about B clips.

    Args:
        scores: (B, T, N, K) class logits.
        bboxes: (B, T, N, 4) cx, cy, w, h in 0..1 of the frame.
        masks: (B, T, N, h, w) mask logits.
    """

    scores: Tensor
    bboxes: Tensor
    masks: Tensor


@dataclass
class ClipTargets:
    """The referred object of each of B clips.

    Args:
        labels: (B,) its class; 0 for class-agnostic models.
        bboxes: (B, T, 4) cx, cy, w, h in 0..1; zeros where invisible.
        masks: (B, T, h, w) bool, sampled at the mask head's stride.
        visible: (B, T) bool; False where nothing is known.
        labelled: (B, T) bool, frames of which the truth is known; None
            where it is of all.
    """

    labels: Tensor
    bboxes: Tensor
    masks: Tensor
    visible: Tensor
    labelled: Optional[Tensor] = None


class ClipLoss(nn.Module):
    """What losses of clips share: the truth, and the losses of masks.

    Every loss is normalised by the number of frames in which the batch's
    objects are visible, averaged over processes. Frames whose truth is not
    known (``gt_labelled`` of the sample) take no part: neither in matching
    nor in a loss nor in what it is normalised by.

    Args:
        loss_mask: Focal loss over all pixels.
        loss_dice: Dice loss over the whole clip.
        mask_stride: Input pixels a mask pixel covers.
    """

    num_classes = 1

    def __init__(
        self, loss_mask: dict, loss_dice: dict, mask_stride: int = 4
    ) -> None:
        super().__init__()
        self.loss_mask = MODELS.build(loss_mask)
        self.loss_dice = MODELS.build(loss_dice)
        self.mask_stride = mask_stride

    def mask_losses(
        self, masks: Tensor, targets: ClipTargets, count: Tensor
    ) -> Dict[str, Tensor]:
        """Focal and Dice loss of (B, T, h, w) mask logits."""
        weight = None
        if targets.labelled is not None:
            # Nothing is drawn there, truly and by the model: no loss.
            unknown = ~targets.labelled[..., None, None]
            masks = masks.masked_fill(unknown, SURELY_NOT)
            weight = self.share_of_pixels(targets.labelled, masks)
        masks = masks.flatten(1)  # (B, T*h*w)
        true_masks = targets.masks.flatten(1)
        return dict(
            # mmdet's focal loss takes labels: 0 is the object, 1 is not.
            loss_mask=self.loss_mask(
                masks.reshape(-1, 1),
                (~true_masks).long().flatten(),
                weight=weight,
                avg_factor=count * masks.shape[1],
            ),
            loss_dice=self.loss_dice(
                masks, true_masks.float(), avg_factor=count
            ),
        )

    @staticmethod
    def share_of_pixels(labelled: Tensor, masks: Tensor) -> Tensor:
        """Make the mean over a clip one over its labelled frames' pixels.

        Returns:
            (B*T*h*w,), T over each clip's number of labelled frames.
        """
        known = labelled.sum(1).clamp(min=1)
        share = (labelled.shape[1] / known).to(masks)[:, None, None, None]
        return share.expand_as(masks).flatten()

    def make_targets(
        self,
        samples: List[RefDataSample],
        padded_shape: Tuple[int, int],
        device: torch.device,
    ) -> ClipTargets:
        """Gather the truth; masks are taken at the centres of mask pixels."""
        start = self.mask_stride // 2
        bboxes, masks, visible, labels, labelled = [], [], [], [], []
        for sample in samples:
            known = labelled_frames(sample)
            labelled.append(known)
            height, width = sample.img_shape
            scale = torch.tensor([width, height, width, height])
            clip_masks = torch.zeros(
                (len(sample), *padded_shape), dtype=torch.bool
            )
            clip_boxes = torch.zeros(len(sample), 4)
            for index, frame in enumerate(sample):
                truth = frame.gt_instances
                if len(truth) == 0 or not known[index]:
                    continue
                mask = torch.as_tensor(truth.masks.masks[0])
                clip_masks[index, : mask.shape[0], : mask.shape[1]] = mask > 0
                x1, y1, x2, y2 = (truth.bboxes[0].cpu() / scale).tolist()
                clip_boxes[index] = torch.tensor(
                    [(x1 + x2) / 2, (y1 + y2) / 2, x2 - x1, y2 - y1]
                )
            step = self.mask_stride
            masks.append(clip_masks[:, start::step, start::step])
            bboxes.append(clip_boxes)
            visible.append(clip_masks.flatten(1).any(1))
            labels.append(self.label_of(sample))
        return ClipTargets(
            labels=torch.tensor(labels, device=device),
            bboxes=torch.stack(bboxes).to(device),
            masks=torch.stack(masks).to(device),
            visible=torch.stack(visible).to(device),
            labelled=None
            if all(map(all, labelled))
            else torch.tensor(labelled, device=device),
        )

    def label_of(self, sample: RefDataSample) -> int:
        """The object's class; 0 where the model is class-agnostic.

        Raises:
            InputError: The model names classes and the object has none of
                them.
        """
        if self.num_classes == 1:
            return 0
        label = next(
            int(frame.gt_instances.labels[0])
            for frame, known in zip(sample, labelled_frames(sample))
            if known and len(frame.gt_instances)
        )
        if not 0 <= label < self.num_classes:
            raise InputError.of(
                f'video {sample.metainfo.get("video_id")}',
                f'category of the object of reference '
                f'{sample.references[0].id}',
                label,
                f'0 to {self.num_classes - 1}; the data set leaves out '
                'objects without a category with class_aware=True',
            )
        return label


@MODELS.register_module()
class ClipMaskLoss(ClipLoss):
    """Losses of one mask trajectory a clip, for models without queries.

    See :class:`ClipLoss` for the arguments. Source: the mask losses of
    ReferFormer, Section 3.4.
    """

    def forward(
        self,
        masks: Tensor,
        samples: List[RefDataSample],
        padded_shape: Tuple[int, int],
    ) -> Dict[str, Tensor]:
        """Compare masks with the truth.

        Args:
            masks: (B, T, h, w) logits.
            samples: B clips with one object each, padded masks or not.
            padded_shape: (H, W) of the batch.

        Returns:
            ``loss_mask`` and ``loss_dice``.
        """
        targets = self.make_targets(samples, padded_shape, masks.device)
        return self.mask_losses(masks, targets, visible_frames(targets))


@MODELS.register_module()
class ClipSetLoss(ClipLoss):
    """Matches N trajectories to the referred object and sums the losses.

    Args:
        assigner: mmdet assigner with clip costs (Table 6c).
        num_classes: K; 1 decides "referred or not".
        loss_cls: Focal loss over all T*N predictions.
        loss_bbox: L1 loss of the matched boxes, all frames.
        loss_iou: GIoU loss of the same.
        loss_mask: Focal loss of the matched masks.
        loss_dice: Dice loss of the same, over the whole clip.
        mask_stride: Input pixels a mask pixel covers.
    """

    def __init__(
        self,
        assigner: dict,
        num_classes: int,
        loss_cls: dict,
        loss_bbox: dict,
        loss_iou: dict,
        loss_mask: dict,
        loss_dice: dict,
        mask_stride: int = 4,
    ) -> None:
        super().__init__(loss_mask, loss_dice, mask_stride)
        self.assigner = TASK_UTILS.build(assigner)
        self.num_classes = num_classes
        self.loss_cls = MODELS.build(loss_cls)
        self.loss_bbox = MODELS.build(loss_bbox)
        self.loss_iou = MODELS.build(loss_iou)

    def forward(
        self,
        layers: List[ClipOutputs],
        samples: List[RefDataSample],
        padded_shape: Tuple[int, int],
    ) -> Dict[str, Tensor]:
        """Sum up the losses of all decoder layers.

        Args:
            layers: First to last; the last one's losses have no prefix.
            samples: B clips with one object each, padded masks or not.
            padded_shape: (H, W) of the batch.

        Returns:
            ``loss_cls``, ``loss_bbox``, ``loss_iou``, ``loss_mask`` and
            ``loss_dice``, and the same with ``d0.``, ``d1.``, ... before.
        """
        targets = self.make_targets(
            samples, padded_shape, layers[0].scores.device
        )
        count = visible_frames(targets)
        losses = {}
        for index, layer in enumerate(layers):
            last = index == len(layers) - 1
            prefix = '' if last else f'd{index}.'
            matched = self.match(layer, targets)
            for name, value in self.layer_losses(
                layer, targets, matched, count
            ).items():
                losses[prefix + name] = value
        return losses

    @torch.no_grad()
    def match(self, layer: ClipOutputs, targets: ClipTargets) -> Tensor:
        """Choose the query of each clip; (B,) indices."""
        if layer.scores.shape[2] == 1:
            return torch.zeros_like(targets.labels)
        chosen = []
        for clip in range(len(targets.labels)):
            known: Any = slice(None)
            if targets.labelled is not None:
                known = targets.labelled[clip]
            predicted = InstanceData(
                scores=layer.scores[clip, known].transpose(0, 1),
                bboxes=layer.bboxes[clip, known].transpose(0, 1),
                masks=layer.masks[clip, known].transpose(0, 1),
            )
            truth = InstanceData(
                labels=targets.labels[clip : clip + 1],
                bboxes=targets.bboxes[clip : clip + 1, known],
                masks=targets.masks[clip : clip + 1, known],
                visible=targets.visible[clip : clip + 1, known],
            )
            assigned = self.assigner.assign(predicted, truth).gt_inds
            chosen.append(assigned.argmax())
        return torch.stack(chosen)

    def layer_losses(
        self,
        layer: ClipOutputs,
        targets: ClipTargets,
        matched: Tensor,
        count: Tensor,
    ) -> Dict[str, Tensor]:
        """Losses of one decoder layer, given the matched queries (B,)."""
        clips = torch.arange(len(matched), device=matched.device)
        labels = torch.full_like(
            layer.scores[..., 0], self.num_classes, dtype=torch.long
        )  # (B, T, N), all background
        labels[clips, :, matched] = torch.where(
            targets.visible, targets.labels[:, None], self.num_classes
        )
        boxes = known_frames(layer.bboxes[clips, :, matched], targets)
        true_boxes = known_frames(targets.bboxes, targets)  # (F, 4)
        return dict(
            loss_cls=self.loss_cls(
                known_frames(layer.scores, targets).flatten(0, 1),
                known_frames(labels, targets).flatten(),
                avg_factor=count,
            ),
            loss_bbox=self.loss_bbox(boxes, true_boxes, avg_factor=count),
            loss_iou=self.loss_iou(
                bbox_cxcywh_to_xyxy(boxes),
                bbox_cxcywh_to_xyxy(true_boxes),
                avg_factor=count,
            ),
            **self.mask_losses(layer.masks[clips, :, matched], targets, count),
        )


def labelled_frames(sample: RefDataSample) -> List[bool]:
    """Of which frames the truth is known; of all where nothing is said."""
    return list(sample.metainfo.get('gt_labelled', [True] * len(sample)))


def known_frames(x: Tensor, targets: ClipTargets) -> Tensor:
    """The frames whose truth is known: (B, T, ...) -> (F, ...)."""
    if targets.labelled is None:
        return x.flatten(0, 1)
    return x[targets.labelled]


def visible_frames(targets: ClipTargets) -> Tensor:
    """Frames that show the batch's objects, averaged over processes."""
    count = targets.visible.sum().float()
    return reduce_mean(count).clamp(min=1)
