"""Costs of matching the tube of a query to the object of a clip.

For mmdet's ``HungarianAssigner``: predictions are N tubes over T
frames (``scores`` (N, T, K) logits, ``bboxes`` (N, T, 4) as cx, cy, w, h in
0..1, ``masks`` (N, T, h, w) logits), the ground truth is M of the same
(``labels`` (M,), ``bboxes``, ``masks`` in 0..1, ``visible`` (M, T) bool). Each
cost is (N, M). Source: ReferFormer, Section 3.4.
"""

from typing import Optional, Tuple

import torch
import torch.nn.functional as F
from mmdet.registry import TASK_UTILS
from mmdet.structures.bbox import bbox_cxcywh_to_xyxy, bbox_overlaps
from mmengine.structures import InstanceData
from torch import Tensor


class ClipCost:
    """Base class of weighted costs.

    ``reads`` names the predictions that the cost needs, so that masks are
    drawn only for costs of masks.

    Args:
        weight: Factor of the cost.
    """

    reads: Tuple[str, ...] = ()

    def __init__(self, weight: float = 1.0) -> None:
        self.weight = weight

    def __call__(
        self,
        pred_instances: InstanceData,
        gt_instances: InstanceData,
        img_meta: Optional[dict] = None,
        **kwargs,
    ) -> Tensor:
        return self.weight * self.cost(pred_instances, gt_instances)

    def cost(self, pred: InstanceData, gt: InstanceData) -> Tensor:
        raise NotImplementedError


@TASK_UTILS.register_module()
class ClipFocalCost(ClipCost):
    """Focal cost of the object's class, averaged over its visible frames.

    Args:
        weight: Factor of the cost.
        alpha: Weight of the positive class.
        gamma: Exponent of the focal term.
    """

    reads = ('scores',)

    def __init__(
        self, weight: float = 1.0, alpha: float = 0.25, gamma: float = 2.0
    ) -> None:
        super().__init__(weight)
        self.alpha = alpha
        self.gamma = gamma

    def cost(self, pred: InstanceData, gt: InstanceData) -> Tensor:
        p = pred.scores[..., gt.labels].sigmoid()  # (N, T, M)
        eps = 1e-8
        positive = -self.alpha * (1 - p) ** self.gamma * (p + eps).log()
        negative = -(1 - self.alpha) * p**self.gamma * (1 - p + eps).log()
        visible = gt.visible.T.float()  # (T, M)
        count = visible.sum(0).clamp(min=1)
        return ((positive - negative) * visible).sum(1) / count


@TASK_UTILS.register_module()
class ClipBBoxL1Cost(ClipCost):
    """L1 distance of the boxes, averaged over all frames."""

    reads = ('bboxes',)

    def cost(self, pred: InstanceData, gt: InstanceData) -> Tensor:
        num_frames = pred.bboxes.shape[1]
        distance = torch.cdist(
            pred.bboxes.flatten(1), gt.bboxes.flatten(1), p=1
        )
        return distance / num_frames


@TASK_UTILS.register_module()
class ClipGIoUCost(ClipCost):
    """Negative generalised IoU of the boxes, averaged over all frames."""

    reads = ('bboxes',)

    def cost(self, pred: InstanceData, gt: InstanceData) -> Tensor:
        giou = bbox_overlaps(
            bbox_cxcywh_to_xyxy(pred.bboxes.transpose(0, 1)),
            bbox_cxcywh_to_xyxy(gt.bboxes.transpose(0, 1)),
            mode='giou',
        )  # (T, N, M)
        return -giou.mean(0)


@TASK_UTILS.register_module()
class ClipMaskFocalCost(ClipFocalCost):
    """Mean focal loss of the masks over all pixels of the clip."""

    reads = ('masks',)

    def cost(self, pred: InstanceData, gt: InstanceData) -> Tensor:
        logits = pred.masks.flatten(1)  # (N, P)
        target = gt.masks.flatten(1).to(logits)  # (M, P)
        p = logits.sigmoid()
        # The loss of a pixel is one of two values, so the sum over pixels is
        # a matrix product and nothing is repeated M times.
        positive = self.alpha * (1 - p) ** self.gamma * F.softplus(-logits)
        negative = (1 - self.alpha) * p**self.gamma * F.softplus(logits)
        total = positive @ target.T + negative @ (1 - target).T
        return total / logits.shape[1]


@TASK_UTILS.register_module()
class ClipDiceCost(ClipCost):
    """Negative Dice coefficient of the masks over the whole clip."""

    reads = ('masks',)

    def cost(self, pred: InstanceData, gt: InstanceData) -> Tensor:
        p = pred.masks.flatten(1).sigmoid()
        target = gt.masks.flatten(1).to(p)
        total = p.sum(1)[:, None] + target.sum(1)[None]
        return -(2 * (p @ target.T) + 1) / (total + 1)
