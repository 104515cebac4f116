"""Matching and losses over a clip (ReferFormer, Section 3.4)."""

from dataclasses import dataclass
from typing import Any, Callable, Dict, List, Optional, Tuple

import torch
from mmdet.registry import MODELS, TASK_UTILS
from mmdet.structures.bbox import bbox_cxcywh_to_xyxy
from mmdet.utils import reduce_mean
from mmengine.structures import InstanceData
from torch import Tensor, nn

from ...errors import InputError
from ...structures import RefDataSample

# Logit of a background pixel whose probability, and so the gradient of the
# losses, is 0, in half precision too.
BACKGROUND_LOGIT = -1e4


@dataclass
class QueryOutputs:
    """Predictions of one decoder layer for B clips.

    Masks are drawn on demand: a loss that matches by classes and boxes needs
    those of the matched queries only.

    Args:
        scores: (B, T, N, K) class logits.
        bboxes: (B, T, N, 4) cx, cy, w, h in 0..1 of the frame; None if the
            model predicts no boxes.
        draw: Function that draws the masks of chosen queries: (B, K) indices
            -> (B, T, K, h, w) mask logits.
    """

    scores: Tensor
    bboxes: Optional[Tensor]
    draw: Callable[[Tensor], Tensor]

    @property
    def masks(self) -> Tensor:
        """Masks of all queries, (B, T, N, h, w), drawn at every access."""
        batch, _, num_queries = self.scores.shape[:3]
        all_queries = torch.arange(num_queries, device=self.scores.device)
        return self.draw(all_queries.expand(batch, -1))


@dataclass
class ClipTargets:
    """Ground truth of B references.

    Args:
        labels: (B,) class of the referred object; 0 for class-agnostic
            models.
        bboxes: (B, T, 4) its box cx, cy, w, h in 0..1; zeros in frames where
            it is not visible.
        masks: (B, T, h, w) bool, its mask, sampled at the stride of the mask
            head.
        visible: (B, T) bool, frames in which it is known to be visible.
        labelled: (B, T) bool, frames whose ground truth is known; None if
            it is known in all frames.
    """

    labels: Tensor
    bboxes: Tensor
    masks: Tensor
    visible: Tensor
    labelled: Optional[Tensor] = None


class ClipLoss(nn.Module):
    """Base class of clip losses: targets and mask losses.

    Every loss is normalised by the number of frames in which the objects of
    the batch are visible, averaged over processes. Frames whose ground truth
    is not known (``gt_labelled`` of the sample) are ignored in matching, in
    the losses and in the normaliser.

    A sample may have several references to its object. Batches have one row
    per reference, sample by sample.

    Args:
        loss_mask: Config of the focal loss over all pixels.
        loss_dice: Config of the Dice loss over the whole clip.
        mask_stride: Input pixels per mask pixel.
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
        """Compute focal and Dice loss of (B, T, h, w) mask logits."""
        weight = None
        if targets.labelled is not None:
            # Prediction and target are both empty there, so the loss is zero.
            unknown = ~targets.labelled[..., None, None]
            masks = masks.masked_fill(unknown, BACKGROUND_LOGIT)
            weight = self.share_of_pixels(targets.labelled, masks)
        masks = masks.flatten(1)  # (B, T*h*w)
        gt_masks = targets.masks.flatten(1)
        return dict(
            # mmdet's focal loss takes labels: 0 is the object, 1 is not.
            loss_mask=self.loss_mask(
                masks.reshape(-1, 1),
                (~gt_masks).long().flatten(),
                weight=weight,
                avg_factor=count * masks.shape[1],
            ),
            loss_dice=self.loss_dice(
                masks, gt_masks.float(), avg_factor=count
            ),
        )

    @staticmethod
    def share_of_pixels(labelled: Tensor, masks: Tensor) -> Tensor:
        """Weight pixels so that the mean of a clip is over labelled frames.

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
        """Gather the ground truth, a row per reference.

        Masks are sampled at the centres of mask pixels.
        """
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
                gt = frame.gt_instances
                if len(gt) == 0 or not known[index]:
                    continue
                mask = torch.as_tensor(gt.masks.masks[0])
                clip_masks[index, : mask.shape[0], : mask.shape[1]] = mask > 0
                x1, y1, x2, y2 = (gt.bboxes[0].cpu() / scale).tolist()
                clip_boxes[index] = torch.tensor(
                    [(x1 + x2) / 2, (y1 + y2) / 2, x2 - x1, y2 - y1]
                )
            step = self.mask_stride
            masks.append(clip_masks[:, start::step, start::step])
            bboxes.append(clip_boxes)
            visible.append(clip_masks.flatten(1).any(1))
            labels.append(self.label_of(sample))
        counts = torch.tensor([len(sample.references) for sample in samples])

        def rows(x: Tensor) -> Tensor:
            return x.repeat_interleave(counts, 0).to(device)

        return ClipTargets(
            labels=rows(torch.tensor(labels)),
            bboxes=rows(torch.stack(bboxes)),
            masks=rows(torch.stack(masks)),
            visible=rows(torch.stack(visible)),
            labelled=None
            if all(map(all, labelled))
            else rows(torch.tensor(labelled)),
        )

    def label_of(self, sample: RefDataSample) -> int:
        """Return the class of the object; 0 for a class-agnostic model.

        Raises:
            InputError: The object has none of the classes of the model.
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
    """Mask losses for models that predict one mask tube per reference.

    See :class:`ClipLoss` for the arguments. Source: the mask losses of
    ReferFormer, Section 3.4.
    """

    def forward(
        self,
        masks: Tensor,
        samples: List[RefDataSample],
        padded_shape: Tuple[int, int],
    ) -> Dict[str, Tensor]:
        """Compare masks with the ground truth.

        Args:
            masks: (B, T, h, w) logits, a row per reference.
            samples: Clips with one object each.
            padded_shape: (H, W) of the batch.

        Returns:
            ``loss_mask`` and ``loss_dice``.
        """
        targets = self.make_targets(samples, padded_shape, masks.device)
        return self.mask_losses(masks, targets, visible_frames(targets))


@MODELS.register_module()
class ClipSetLoss(ClipLoss):
    """Match one of N query tubes to the referred object, compute losses.

    Queries are matched first; then only the masks of the matched queries are
    drawn for the losses. Costs of masks need all N masks, which are drawn
    without gradients, so that they take no memory in the backward pass.

    Args:
        assigner: Config of an mmdet assigner with clip costs (Table 6c).
        num_classes: K; 1 is "referred or not".
        loss_cls: Config of the focal loss over all T*N predictions.
        loss_mask: Config of the focal loss of the matched masks.
        loss_dice: Config of the Dice loss of the matched masks over the
            whole clip.
        loss_bbox: Config of the L1 loss of the matched boxes, all frames;
            None leaves it out.
        loss_iou: Config of the GIoU loss of the matched boxes; None leaves
            it out.
        mask_stride: Input pixels per mask pixel.
    """

    def __init__(
        self,
        assigner: dict,
        num_classes: int,
        loss_cls: dict,
        loss_mask: dict,
        loss_dice: dict,
        loss_bbox: Optional[dict] = None,
        loss_iou: Optional[dict] = None,
        mask_stride: int = 4,
    ) -> None:
        super().__init__(loss_mask, loss_dice, mask_stride)
        self.assigner = TASK_UTILS.build(assigner)
        self.num_classes = num_classes
        self.loss_cls = MODELS.build(loss_cls)
        self.loss_bbox = None if loss_bbox is None else MODELS.build(loss_bbox)
        self.loss_iou = None if loss_iou is None else MODELS.build(loss_iou)

    def forward(
        self,
        layers: List[QueryOutputs],
        samples: List[RefDataSample],
        padded_shape: Tuple[int, int],
    ) -> Tuple[Dict[str, Tensor], Tensor]:
        """Compute the losses of all decoder layers.

        Args:
            layers: Predictions of the layers, first to last; a row per
                reference of ``samples``.
            samples: Clips with one object each.
            padded_shape: (H, W) of the batch.

        Returns:
            A dict of ``loss_cls``, ``loss_bbox``, ``loss_iou``,
            ``loss_mask`` and ``loss_dice`` of the last layer, and of the
            others with the prefix ``d0.``, ``d1.``, ...; and the matched
            queries, (layers, B) indices.

        Raises:
            InputError: A loss or a cost needs boxes, and the model predicts
                none.
        """
        self.check_boxes(layers[0])
        targets = self.make_targets(
            samples, padded_shape, layers[0].scores.device
        )
        count = visible_frames(targets)
        losses, matches = {}, []
        for index, layer in enumerate(layers):
            last = index == len(layers) - 1
            prefix = '' if last else f'd{index}.'
            matched = self.match(layer, targets)
            for name, value in self.layer_losses(
                layer, targets, matched, count
            ).items():
                losses[prefix + name] = value
            matches.append(matched)
        return losses, torch.stack(matches)

    def check_boxes(self, layer: QueryOutputs) -> None:
        """Check that the model predicts boxes if a loss or cost needs them."""
        if layer.bboxes is not None:
            return
        named = [
            name
            for name in ('loss_bbox', 'loss_iou')
            if getattr(self, name) is not None
        ]
        named += [
            type(cost).__name__
            for cost in getattr(self.assigner, 'match_costs', ())
            if 'bboxes' in fields_of(cost)
        ]
        if named:
            raise InputError.of(
                'loss',
                'losses and costs of boxes',
                named,
                'none, because the model predicts no boxes',
            )

    def costs_read(self, name: str) -> bool:
        """Whether a cost reads ``scores``, ``bboxes`` or ``masks``."""
        costs = getattr(self.assigner, 'match_costs', None)
        if costs is None:
            # Another kind of assigner: pass all predictions.
            return True
        return any(name in fields_of(cost) for cost in costs)

    @torch.no_grad()
    def match(self, layer: QueryOutputs, targets: ClipTargets) -> Tensor:
        """Match one query to each reference; return (B,) indices."""
        if layer.scores.shape[2] == 1:
            return torch.zeros_like(targets.labels)
        predicted = {'scores': layer.scores}
        if layer.bboxes is not None:
            predicted['bboxes'] = layer.bboxes
        if self.costs_read('masks'):
            predicted['masks'] = layer.masks
        chosen = []
        for clip in range(len(targets.labels)):
            known: Any = slice(None)
            if targets.labelled is not None:
                known = targets.labelled[clip]
            tubes = InstanceData(
                **{
                    name: x[clip, known].transpose(0, 1)
                    for name, x in predicted.items()
                }
            )
            gt = InstanceData(
                labels=targets.labels[clip : clip + 1],
                bboxes=targets.bboxes[clip : clip + 1, known],
                masks=targets.masks[clip : clip + 1, known],
                visible=targets.visible[clip : clip + 1, known],
            )
            assigned = self.assigner.assign(tubes, gt).gt_inds
            chosen.append(assigned.argmax())
        return torch.stack(chosen)

    def layer_losses(
        self,
        layer: QueryOutputs,
        targets: ClipTargets,
        matched: Tensor,
        count: Tensor,
    ) -> Dict[str, Tensor]:
        """Compute the losses of one layer for the matched queries (B,)."""
        clips = torch.arange(len(matched), device=matched.device)
        labels = torch.full_like(
            layer.scores[..., 0], self.num_classes, dtype=torch.long
        )  # (B, T, N), all background
        labels[clips, :, matched] = torch.where(
            targets.visible, targets.labels[:, None], self.num_classes
        )
        losses = dict(
            loss_cls=self.loss_cls(
                known_frames(layer.scores, targets).flatten(0, 1),
                known_frames(labels, targets).flatten(),
                avg_factor=count,
            )
        )
        if layer.bboxes is not None:
            losses.update(
                self.box_losses(
                    known_frames(layer.bboxes[clips, :, matched], targets),
                    known_frames(targets.bboxes, targets),
                    count,
                )
            )
        masks = layer.draw(matched[:, None])[:, :, 0]  # (B, T, h, w)
        losses.update(self.mask_losses(masks, targets, count))
        return losses

    def box_losses(
        self, boxes: Tensor, targets: Tensor, count: Tensor
    ) -> Dict[str, Tensor]:
        """Compute the configured losses of (F, 4) boxes cx, cy, w, h."""
        losses = {}
        if self.loss_bbox is not None:
            losses['loss_bbox'] = self.loss_bbox(
                boxes, targets, avg_factor=count
            )
        if self.loss_iou is not None:
            losses['loss_iou'] = self.loss_iou(
                bbox_cxcywh_to_xyxy(boxes),
                bbox_cxcywh_to_xyxy(targets),
                avg_factor=count,
            )
        return losses


def fields_of(cost: Any) -> Tuple[str, ...]:
    """Return the predictions that a match cost reads; all by default."""
    return getattr(cost, 'reads', ('scores', 'bboxes', 'masks'))


def labelled_frames(sample: RefDataSample) -> List[bool]:
    """Return for each frame whether its ground truth is known."""
    return list(sample.metainfo.get('gt_labelled', [True] * len(sample)))


def known_frames(x: Tensor, targets: ClipTargets) -> Tensor:
    """Select frames with a known ground truth: (B, T, ...) -> (F, ...)."""
    if targets.labelled is None:
        return x.flatten(0, 1)
    return x[targets.labelled]


def visible_frames(targets: ClipTargets) -> Tensor:
    """Count frames with a visible object, averaged over processes."""
    count = targets.visible.sum().float()
    return reduce_mean(count).clamp(min=1)
