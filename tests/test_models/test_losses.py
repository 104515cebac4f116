"""Matching costs and losses against plain loops."""

import math

import numpy as np
import pytest
import torch
from mmdet.registry import MODELS
from mmengine.registry import init_default_scope
from mmengine.structures import InstanceData

from refvos.errors import InputError
from refvos.models.losses import ClipMaskLoss, QueryOutputs
from refvos.models.task_modules import (
    ClipBBoxL1Cost,
    ClipDiceCost,
    ClipFocalCost,
    ClipGIoUCost,
    ClipMaskFocalCost,
)
from tests.builders import load_config, make_sample

# N trajectories, T frames, K classes, M objects, mask pixels h x w.
N, T, K, M, H, W = 3, 4, 2, 2, 3, 5


@pytest.fixture(scope='module')
def instances():
    generator = torch.Generator().manual_seed(0)

    def draw(*shape):
        return torch.rand(*shape, generator=generator)

    predicted = InstanceData(
        scores=4 * draw(N, T, K) - 2,
        bboxes=0.1 + 0.4 * draw(N, T, 4),
        masks=6 * draw(N, T, H, W) - 3,
    )
    visible = torch.tensor([[1, 0, 1, 1], [0, 0, 0, 1]]).bool()
    truth = InstanceData(
        labels=torch.tensor([1, 0]),
        bboxes=(0.1 + 0.4 * draw(M, T, 4)) * visible[..., None],
        masks=draw(M, T, H, W) > 0.5,
        visible=visible,
    )
    return predicted, truth


def sigmoid(x):
    return 1 / (1 + math.exp(-x))


def focal(logit, positive):
    """Lin et al. 2017, alpha 0.25, gamma 2."""
    p = sigmoid(logit)
    if positive:
        return -0.25 * (1 - p) ** 2 * math.log(p)
    return -0.75 * p**2 * math.log(1 - p)


def corners(box):
    cx, cy, w, h = box
    return cx - w / 2, cy - h / 2, cx + w / 2, cy + h / 2


def giou(a, b):
    """Rezatofighi et al. 2019."""
    ax1, ay1, ax2, ay2 = corners(a)
    bx1, by1, bx2, by2 = corners(b)
    inter = max(0, min(ax2, bx2) - max(ax1, bx1)) * max(
        0, min(ay2, by2) - max(ay1, by1)
    )
    union = (ax2 - ax1) * (ay2 - ay1) + (bx2 - bx1) * (by2 - by1) - inter
    hull = (max(ax2, bx2) - min(ax1, bx1)) * (max(ay2, by2) - min(ay1, by1))
    return inter / union - (hull - union) / hull


def dice(logits, target):
    p = [sigmoid(x) for x in logits]
    both = sum(a * b for a, b in zip(p, target, strict=True))
    return (2 * both + 1) / (sum(p) + sum(target) + 1)


def class_cost(predicted, truth, n, m):
    label = int(truth.labels[m])
    frames = [t for t in range(T) if truth.visible[m, t]]
    costs = [
        focal(float(predicted.scores[n, t, label]), True)
        - focal(float(predicted.scores[n, t, label]), False)
        for t in frames
    ]
    return sum(costs) / len(frames)


def l1_cost(predicted, truth, n, m):
    pairs = zip(
        predicted.bboxes[n].flatten().tolist(),
        truth.bboxes[m].flatten().tolist(),
        strict=True,
    )
    return sum(abs(a - b) for a, b in pairs) / T


def giou_cost(predicted, truth, n, m):
    pairs = zip(
        predicted.bboxes[n].tolist(), truth.bboxes[m].tolist(), strict=True
    )
    return -sum(giou(a, b) for a, b in pairs) / T


def pixels(predicted, truth, n, m):
    logits = predicted.masks[n].flatten().tolist()
    return logits, truth.masks[m].flatten().int().tolist()


def mask_cost(predicted, truth, n, m):
    logits, target = pixels(predicted, truth, n, m)
    return sum(map(focal, logits, target)) / len(logits)


def dice_cost(predicted, truth, n, m):
    return -dice(*pixels(predicted, truth, n, m))


@pytest.mark.parametrize(
    ('cost', 'by_hand'),
    [
        (ClipFocalCost, class_cost),
        (ClipBBoxL1Cost, l1_cost),
        (ClipGIoUCost, giou_cost),
        (ClipMaskFocalCost, mask_cost),
        (ClipDiceCost, dice_cost),
    ],
)
def test_costs(instances, cost, by_hand):
    costs = cost(weight=3.0)(*instances)
    expected = [
        [3 * by_hand(*instances, n, m) for m in range(M)] for n in range(N)
    ]
    torch.testing.assert_close(
        costs, torch.tensor(expected), rtol=1e-4, atol=1e-5
    )


def test_class_cost_of_an_object_never_visible(instances):
    predicted, truth = instances
    hidden = truth.clone()
    hidden.visible = torch.zeros_like(truth.visible)
    assert (ClipFocalCost()(predicted, hidden) == 0).all()


# ---------------------------------------------------------------------- losses

WEIGHTS = {
    'loss_cls': 2,
    'loss_bbox': 5,
    'loss_iou': 2,
    'loss_mask': 2,
    'loss_dice': 5,
}
SIZE = (24, 32)


def build_loss(num_classes=1):
    init_default_scope('mmdet')
    config = load_config('configs/_base_/models/referformer_r50.py')
    return MODELS.build(dict(config.model.loss, num_classes=num_classes))


def make_clips():
    """Two clips of three frames; the second's object leaves."""
    masks = np.zeros((2, 3, *SIZE), bool)
    masks[0, :, 4:14, 6:20] = True
    masks[1, 0, 10:20, 2:12] = True
    return [make_sample(clip) for clip in masks]


class GivenOutputs(QueryOutputs):
    """Outputs whose masks are there from the beginning."""

    def __init__(self, scores, bboxes, masks):
        super().__init__(scores, bboxes, self.pick)
        self.given = masks

    @property
    def masks(self):
        return self.given

    def pick(self, chosen):
        indices = chosen[:, None, :, None, None]
        return self.given.take_along_dim(indices, 2)


def tensors_of(outputs):
    return outputs.scores, outputs.bboxes, outputs.masks


def make_outputs(num_classes=1, num_queries=3):
    generator = torch.Generator().manual_seed(1)
    shape = (2, 3, num_queries)
    scores = torch.randn(*shape, num_classes, generator=generator)
    boxes = 0.2 + 0.4 * torch.rand(*shape, 4, generator=generator)
    masks = torch.randn(*shape, 6, 8, generator=generator)
    return GivenOutputs(*(x.requires_grad_() for x in (scores, boxes, masks)))


def numbers(losses):
    return {name: float(value) for name, value in losses.items()}


def test_targets():
    targets = build_loss().make_targets(make_clips(), (32, 64), 'cpu')
    assert targets.labels.tolist() == [0, 0]
    assert targets.visible.tolist() == [[True] * 3, [True, False, False]]
    # cx, cy, w, h of x 6..20, y 4..14 in 24 x 32, without the padding.
    assert targets.bboxes[0, 0].tolist() == pytest.approx(
        [13 / 32, 9 / 24, 14 / 32, 10 / 24]
    )
    assert targets.bboxes[1, 1:].abs().sum() == 0
    assert targets.masks.shape == (2, 3, 8, 16)
    # Pixels 2, 6, 10, ...: rows 6, 10; columns 6, 10, 14, 18.
    expected = torch.zeros(8, 16, dtype=torch.bool)
    expected[1:3, 1:5] = True
    assert torch.equal(targets.masks[0, 2], expected)


def test_losses_by_hand():
    loss = build_loss()
    outputs = make_outputs()
    samples = make_clips()
    targets = loss.make_targets(samples, SIZE, 'cpu')
    matched = loss.match(outputs, targets).tolist()
    # Three and one visible frames.
    count = 4
    expected = dict.fromkeys(WEIGHTS, 0.0)
    for clip, query in enumerate(matched):
        logits = outputs.masks[clip, :, query].flatten().tolist()
        target = targets.masks[clip].flatten().int().tolist()
        expected['loss_mask'] += sum(map(focal, logits, target)) / len(logits)
        expected['loss_dice'] += 1 - dice(logits, target)
        for frame in range(3):
            visible = bool(targets.visible[clip, frame])
            for other in range(3):
                positive = visible and other == query
                logit = outputs.scores[clip, frame, other, 0].item()
                expected['loss_cls'] += focal(logit, positive)
            box = outputs.bboxes[clip, frame, query].tolist()
            # An invisible object's box is 0, 0, 0, 0.
            true_box = targets.bboxes[clip, frame].tolist()
            pairs = zip(box, true_box, strict=True)
            expected['loss_bbox'] += sum(abs(a - b) for a, b in pairs)
            expected['loss_iou'] += 1 - giou(box, true_box)
    found = numbers(loss([outputs], samples, SIZE)[0])
    for name, weight in WEIGHTS.items():
        wanted = weight * expected[name] / count
        assert found[name] == pytest.approx(wanted, rel=1e-4), name
    assert set(found) == set(WEIGHTS)


def test_matched_query_is_the_cheapest():
    loss = build_loss()
    outputs, samples = make_outputs(), make_clips()
    targets = loss.make_targets(samples, SIZE, 'cpu')
    with torch.no_grad():
        for clip, query in ((0, 2), (1, 1)):
            truth = targets.masks[clip].float()
            outputs.masks[clip, :, query] = 20 * truth - 10
            outputs.bboxes[clip, :, query] = targets.bboxes[clip]
            outputs.scores[clip, :, query] = 3
    assert loss.match(outputs, targets).tolist() == [2, 1]
    found = numbers(loss([outputs], samples, SIZE)[0])
    assert found['loss_bbox'] == 0
    assert found['loss_mask'] < 1e-6 and found['loss_dice'] < 0.01


def test_queries_change_places():
    """The order of queries means nothing."""
    loss, samples = build_loss(), make_clips()
    outputs = make_outputs()
    order = torch.tensor([2, 0, 1])
    moved = GivenOutputs(*(x[:, :, order] for x in tensors_of(outputs)))
    assert numbers(loss([moved], samples, SIZE)[0]) == pytest.approx(
        numbers(loss([outputs], samples, SIZE)[0]), rel=1e-5
    )
    targets = loss.make_targets(samples, SIZE, 'cpu')
    before = loss.match(outputs, targets)
    assert torch.equal(order[loss.match(moved, targets)], before)


def test_gradients_reach_the_matched_query_only():
    loss, samples = build_loss(), make_clips()
    outputs = make_outputs()
    losses = loss([outputs], samples, SIZE)[0]
    targets = loss.make_targets(samples, SIZE, 'cpu')
    matched = loss.match(outputs, targets)
    sum(losses.values()).backward()
    for clip, query in enumerate(matched.tolist()):
        for x in (outputs.masks, outputs.bboxes):
            grown = x.grad[clip].abs().flatten(2).sum(-1)  # (T, N)
            others = [n for n in range(3) if n != query]
            assert (grown[:, query] > 0).all()
            assert (grown[:, others] == 0).all()
    # Every query learns whether it is the one.
    assert (outputs.scores.grad != 0).all()


def test_every_layer_is_matched_and_counted():
    loss, samples = build_loss(), make_clips()
    first, last = make_outputs(), make_outputs()
    last.scores.data += 1
    losses = numbers(loss([first, last], samples, SIZE)[0])
    alone = numbers(loss([first], samples, SIZE)[0])
    assert {f'd0.{name}': value for name, value in alone.items()} == {
        name: value for name, value in losses.items() if name[:3] == 'd0.'
    }
    alone = numbers(loss([last], samples, SIZE)[0])
    assert {name: losses[name] for name in alone} == alone
    assert len(losses) == 10


def test_normaliser_is_the_mean_of_the_processes(monkeypatch):
    """Ours has 4 visible frames, others more: 8 on the mean."""
    loss, samples = build_loss(), make_clips()
    outputs = make_outputs()
    alone = numbers(loss([outputs], samples, SIZE)[0])
    module = 'refvos.models.losses.clip_set_loss.reduce_mean'
    monkeypatch.setattr(module, lambda count: count + 4)
    together = numbers(loss([outputs], samples, SIZE)[0])
    assert together == pytest.approx(
        {name: value / 2 for name, value in alone.items()}, rel=1e-5
    )


def test_classes_by_name():
    """K = 4: the positive is the object's class, the rest is not."""
    loss = build_loss(num_classes=4)
    outputs = make_outputs(num_classes=4)
    samples = make_clips()
    for sample, label in zip(samples, (3, 1), strict=True):
        for frame in sample:
            frame.gt_instances.labels += label
    targets = loss.make_targets(samples, SIZE, 'cpu')
    # The second clip's object is visible in its first frame only.
    assert targets.labels.tolist() == [3, 1]
    matched = loss.match(outputs, targets).tolist()
    expected = 0.0
    for clip, frame, query, k in np.ndindex(2, 3, 3, 4):
        positive = (
            bool(targets.visible[clip, frame])
            and query == matched[clip]
            and k == targets.labels[clip]
        )
        logit = outputs.scores[clip, frame, query, k].item()
        expected += focal(logit, positive)
    found = numbers(loss([outputs], samples, SIZE)[0])['loss_cls']
    assert found == pytest.approx(2 * expected / 4, rel=1e-4)


@pytest.mark.parametrize('label', [-1, 4])
def test_an_object_of_no_known_class(label):
    """It must not be learnt as one of the others."""
    samples = make_clips()
    for frame in samples[0]:
        frame.gt_instances.labels += label
    with pytest.raises(InputError) as error:
        build_loss(num_classes=4)([make_outputs(4)], samples, SIZE)
    assert str(error.value) == (
        'video video: category of the object of reference 0 is '
        f'{label}; expected 0 to 3; the data set leaves out objects '
        'without a category with class_aware=True'
    )
    # With one class the label means nothing.
    loss, outputs = build_loss(), make_outputs()
    assert numbers(loss([outputs], samples, SIZE)[0]) == numbers(
        loss([outputs], make_clips(), SIZE)[0]
    )


def test_masks_alone():
    """What the losses of the only query say of its masks."""
    outputs, samples = make_outputs(num_queries=1), make_clips()
    both = build_loss()
    config = load_config('configs/_base_/models/referformer_r50.py').model.loss
    loss = ClipMaskLoss(config.loss_mask, config.loss_dice)
    expected = numbers(both([outputs], samples, SIZE)[0])
    assert numbers(loss(outputs.masks[:, :, 0], samples, SIZE)) == {
        name: expected[name] for name in ('loss_mask', 'loss_dice')
    }


def query_by(costs):
    """Query 0 has the best box, query 1 the best mask, 2 the best class."""
    outputs, samples = make_outputs(), make_clips()[:1]
    loss = build_loss()
    names = ['Focal', 'BBoxL1', 'GIoU', 'MaskFocal', 'Dice']
    config = load_config('configs/_base_/models/referformer_r50.py')
    assigner = config.model.loss.assigner
    kept = [
        cost
        for cost in assigner.match_costs
        if cost.type in [f'Clip{name}Cost' for name in names if name in costs]
    ]
    assert len(kept) == len(costs)
    loss = MODELS.build(
        dict(
            config.model.loss,
            num_classes=1,
            assigner=dict(assigner, match_costs=kept),
        )
    )
    targets = loss.make_targets(samples, SIZE, 'cpu')
    with torch.no_grad():
        truth = targets.masks[0].float()
        outputs.bboxes[0, :, 0] = targets.bboxes[0]
        outputs.masks[0, :, 0] = 10 - 20 * truth
        outputs.masks[0, :, 1] = 20 * truth - 10
        outputs.scores[0] = torch.tensor([0.0, 0.0, 5.0])[None, :, None]
    first = GivenOutputs(*(x[:1] for x in tensors_of(outputs)))
    return loss.match(first, targets).item()


def test_costs_that_are_left_out_do_not_count():
    """Table 6c: which costs choose the query."""
    assert query_by(['BBoxL1', 'GIoU']) == 0
    assert query_by(['MaskFocal', 'Dice']) == 1
    assert query_by(['Focal']) == 2


# ------------------------------------------- frames whose truth is not known


def make_partly_labelled(known):
    """The clips of make_clips; ``known``: (2, 3), what gt_labelled says."""
    samples = make_clips()
    for sample, each in zip(samples, known, strict=True):
        sample.set_metainfo({'gt_labelled': list(each)})
    return samples


ONLY_FIRST = [(True, False, False)] * 2


def test_losses_of_labelled_frames_are_those_of_the_clip_cut_to_them():
    """Matching, losses and normaliser: as if there were no other frame."""
    loss, outputs = build_loss(), make_outputs()
    found = numbers(loss([outputs], make_partly_labelled(ONLY_FIRST), SIZE)[0])
    cut = GivenOutputs(*(x[:, :1] for x in tensors_of(outputs)))
    samples = make_clips()
    for sample in samples:
        sample.video_data_samples = sample.video_data_samples[:1]
    expected = numbers(loss([cut], samples, SIZE)[0])
    assert found == pytest.approx(expected, rel=1e-5)


def test_labelled_frames_by_hand():
    """One frame of the first clip, all of the second's."""
    loss, outputs = build_loss(), make_outputs()
    known = [(False, True, False), (True, True, True)]
    samples = make_partly_labelled(known)
    targets = loss.make_targets(samples, SIZE, 'cpu')
    assert targets.visible.tolist() == [
        [False, True, False],
        [True, False, False],
    ]
    matched = loss.match(outputs, targets).tolist()
    # A visible frame in each clip.
    count = 2
    expected = dict.fromkeys(WEIGHTS, 0.0)
    for clip, query in enumerate(matched):
        frames = [i for i in range(3) if known[clip][i]]
        logits = outputs.masks[clip, frames, query].flatten().tolist()
        target = targets.masks[clip, frames].flatten().int().tolist()
        expected['loss_mask'] += sum(map(focal, logits, target)) / len(logits)
        expected['loss_dice'] += 1 - dice(logits, target)
        for frame in frames:
            for other in range(3):
                positive = bool(targets.visible[clip, frame])
                logit = outputs.scores[clip, frame, other, 0].item()
                expected['loss_cls'] += focal(
                    logit, positive and other == query
                )
            box = outputs.bboxes[clip, frame, query].tolist()
            true_box = targets.bboxes[clip, frame].tolist()
            pairs = zip(box, true_box, strict=True)
            expected['loss_bbox'] += sum(abs(a - b) for a, b in pairs)
            expected['loss_iou'] += 1 - giou(box, true_box)
    found = numbers(loss([outputs], samples, SIZE)[0])
    for name, weight in WEIGHTS.items():
        wanted = weight * expected[name] / count
        assert found[name] == pytest.approx(wanted, rel=1e-4), name


def test_unlabelled_targets_change_neither_losses_nor_gradients():
    loss = build_loss()
    seen = []
    for shift in (0, 6):
        outputs = make_outputs()
        samples = make_partly_labelled(ONLY_FIRST)
        other = np.zeros((3, *SIZE), bool)
        other[:, shift : shift + 8, :9] = True
        for sample in samples:
            for index in (1, 2):
                frame = make_sample(other).video_data_samples[index]
                sample.video_data_samples[index] = frame
        losses = loss([outputs], samples, SIZE)[0]
        sum(losses.values()).backward()
        grads = [x.grad for x in tensors_of(outputs)]
        seen.append((numbers(losses), grads))
    assert seen[0][0] == seen[1][0]
    for first, second in zip(seen[0][1], seen[1][1], strict=True):
        assert torch.equal(first, second)
        # Nothing is learned there, and something is where there is truth.
        assert (first[:, 1:] == 0).all() and (first[:, 0] != 0).any()


def test_matching_does_not_see_unlabelled_frames():
    """A query that is right but for the other frames' truth is chosen."""
    loss, outputs = build_loss(), make_outputs()
    samples = make_clips()[:1]
    targets = loss.make_targets(samples, SIZE, 'cpu')
    outputs = GivenOutputs(*(x.detach()[:1] for x in tensors_of(outputs)))
    # Query 1 is right in the first frame, query 2 in the other two.
    outputs.scores[:] = 0
    outputs.bboxes[:] = 0.5
    outputs.masks[:] = -10
    for query, frames in ((1, [0]), (2, [1, 2])):
        truth = targets.masks[0, frames].float()
        outputs.masks[0, frames, query] = 20 * truth - 10
        outputs.bboxes[0, frames, query] = targets.bboxes[0, frames]
    assert loss.match(outputs, targets).tolist() == [2]
    samples[0].set_metainfo({'gt_labelled': [True, False, False]})
    targets = loss.make_targets(samples, SIZE, 'cpu')
    assert loss.match(outputs, targets).tolist() == [1]


def test_mask_loss_without_queries_leaves_unlabelled_frames_out():
    loss = ClipMaskLoss(
        loss_mask=dict(type='FocalLoss', use_sigmoid=True),
        loss_dice=dict(type='DiceLoss', use_sigmoid=True, eps=1.0),
    )
    masks = make_outputs().masks[:, :, 0].detach()
    samples = make_partly_labelled(ONLY_FIRST)
    first = numbers(loss(masks, samples, SIZE))
    assert numbers(loss(masks.roll(1, 2), samples, SIZE)) != first
    masks[:, 1:] = -masks[:, 1:]
    assert numbers(loss(masks, samples, SIZE)) == first
