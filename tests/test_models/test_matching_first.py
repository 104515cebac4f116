"""Queries are matched first, and only the matched ones' masks are drawn."""

import copy

import pytest
import torch
from mmdet.registry import MODELS

from refvos.errors import InputError
from refvos.models.losses import QueryOutputs
from refvos.structures import Reference
from tests.builders import build_model, load_config

from .test_referformer import (
    CONFIG,
    LARGE,
    NUM_FRAMES,
    SMALL,
    TEXTS,
    make_batch,
)

NUM_QUERIES = 5
OTHER = Reference('other', text=TEXTS[1])


def build(costs=None, **changes):
    """An untrained model whose loss matches with the costs named."""
    torch.manual_seed(0)
    options = {'model.num_queries': NUM_QUERIES}
    if costs is not None:
        assigner = load_config(CONFIG).model.loss.assigner
        options['model.loss.assigner.match_costs'] = [
            cost
            for cost in assigner.match_costs
            if cost.type in [f'Clip{name}Cost' for name in costs]
        ]
    model = build_model(CONFIG, {**options, **changes})
    model.init_weights()
    with torch.no_grad():
        for parameter in model.parameters():
            parameter += 0.02 * torch.randn_like(parameter)
    return model.train()


def losses_and_gradients(model, outputs, samples):
    model.zero_grad()
    losses, matched = model.set_loss(outputs, samples, LARGE)
    model.parse_losses(losses)[0].backward()
    grads = {name: p.grad.clone() for name, p in model.named_parameters()}
    return losses, matched, grads


class DrawnBefore(QueryOutputs):
    """All masks are drawn, with gradients, before there are matches."""

    def __init__(self, outputs):
        self.drawn = outputs.masks
        super().__init__(outputs.scores, outputs.bboxes, self.pick)

    @property
    def masks(self):
        return self.drawn

    def pick(self, chosen):
        return self.drawn.take_along_dim(chosen[:, None, :, None, None], 2)


@pytest.mark.parametrize('costs', [None, ['Focal', 'BBoxL1', 'GIoU']])
def test_drawing_after_matching_is_drawing_all(costs):
    """The same matches, losses and gradients of every parameter."""
    model = build(costs)
    inputs, samples = make_batch(model, [LARGE, SMALL], training=True)
    first = losses_and_gradients(
        model, model(inputs, samples, mode='tensor'), samples
    )
    before = [DrawnBefore(x) for x in model(inputs, samples, mode='tensor')]
    second = losses_and_gradients(model, before, samples)
    assert torch.equal(first[1], second[1])
    assert first[1].shape == (model.decoder.num_layers, 2)
    for ours, theirs in ((first[0], second[0]), (first[2], second[2])):
        assert ours.keys() == theirs.keys()
        for name, value in ours.items():
            torch.testing.assert_close(
                value, theirs[name], rtol=1e-4, atol=1e-6, msg=name
            )


@pytest.mark.parametrize(
    ('costs', 'counts'),
    [
        # All for the costs, without gradients; then the matched one.
        (None, [(NUM_QUERIES, False), (1, True)]),
        (['Focal', 'BBoxL1', 'GIoU'], [(1, True)]),
    ],
)
def test_how_many_masks_are_drawn(costs, counts):
    model = build(costs)
    drawn = []
    model.mask_head.register_forward_hook(
        lambda _, inputs, output: drawn.append(
            (inputs[0].shape[2], output.requires_grad)
        )
    )
    inputs, samples = make_batch(model, [LARGE], training=True)
    model(inputs, samples, mode='loss')
    assert drawn == counts * model.decoder.num_layers


def without_boxes(costs):
    loss = load_config(CONFIG).model.loss
    loss.assigner.match_costs = [
        cost for cost in loss.assigner.match_costs if cost.type in costs
    ]
    loss.pop('loss_bbox')
    loss.pop('loss_iou')
    return MODELS.build(dict(num_classes=1, **loss))


def test_a_model_without_boxes_has_no_losses_of_boxes():
    model = build()
    inputs, samples = make_batch(model, [LARGE, SMALL], training=True)
    layers = model(inputs, samples, mode='tensor')
    bare = [QueryOutputs(x.scores, None, x.draw) for x in layers]
    loss = without_boxes(['ClipFocalCost', 'ClipDiceCost'])
    losses, matched = loss(bare, samples, LARGE)
    names = {name.rpartition('.')[2] for name in losses}
    assert names == {'loss_cls', 'loss_mask', 'loss_dice'}
    # Boxes that nobody asks for change nothing.
    same, again = loss(layers, samples, LARGE)
    assert torch.equal(matched, again)
    assert {k: float(v) for k, v in same.items()} == {
        k: float(v) for k, v in losses.items()
    }
    with pytest.raises(InputError) as error:
        model.set_loss(bare, samples, LARGE)
    assert str(error.value) == (
        'loss: losses and costs of boxes is '
        "['loss_bbox', 'loss_iou', 'ClipBBoxL1Cost', 'ClipGIoUCost']; "
        'expected none, because the model predicts no boxes'
    )


# -------------------------------------------- several references to an object


@pytest.mark.parametrize(
    'path', [CONFIG, 'configs/mini/ablations/bottom-up_mini.py']
)
def test_references_to_one_object_share_their_clip(path):
    """As if the clip were in the batch once for each, but encoded once."""
    torch.manual_seed(0)
    model = build_model(path)
    model.init_weights()
    # A clip in the batch twice would count twice in batch norms.
    model.backbone.eval()
    inputs, samples = make_batch(model, [LARGE, SMALL], training=True)
    seen = []
    model.backbone.register_forward_pre_hook(
        lambda _, inputs: seen.append(len(inputs[0]))
    )
    pair = copy.copy(samples[0])
    pair.references = [*samples[0].references, OTHER]
    together = model(inputs, [pair, samples[1]], mode='loss')
    assert sum(seen) == 2 * NUM_FRAMES
    second = copy.copy(samples[0])
    second.references = [OTHER]
    apart = model(
        inputs[[0, 0, 1]], [samples[0], second, samples[1]], mode='loss'
    )
    assert together.keys() == apart.keys()
    for name, value in together.items():
        assert float(value) == pytest.approx(float(apart[name]), rel=1e-4)
    model.parse_losses(together)[0].backward()


def test_matches_are_those_of_the_references():
    model = build()
    inputs, samples = make_batch(model, [LARGE, SMALL], training=True)
    samples[0].references = [*samples[0].references, OTHER]
    layers = model(inputs, samples, mode='tensor')
    assert layers[-1].scores.shape[:2] == (3, NUM_FRAMES)
    _, matched = model.set_loss(layers, samples, LARGE)
    assert matched.shape == (len(layers), 3)


def test_references_to_two_objects_are_refused_in_training():
    """A training sample holds the masks of one object."""
    model = build()
    inputs, samples = make_batch(model, [LARGE], training=True)
    samples[0].references = [
        Reference('0', text=TEXTS[0], object_ids=('1',)),
        Reference('1', text=TEXTS[1], object_ids=('2', '3')),
    ]
    with pytest.raises(InputError) as error:
        model(inputs, samples, mode='loss')
    assert str(error.value) == (
        'video video: objects of the references of a training sample is '
        "['1', '2 3']; expected one object, the same in all references"
    )
