"""Our MUTR computes what the published code computes."""

import numpy as np
import pytest
import torch

from refvos.structures import EncodedReferences
from tests.builders import build_model, load_script
from tests.formula_weights import DATA, published_state_dict
from tests.test_models.test_referformer_oracle import (
    OPTIONS,
    PUBLISHED_NAMES,
    difference,
    oracle_sample,
)

CONFIG = 'configs/_base_/models/mutr_r50.py'
WEIGHTS = dict(loss_cls=2, loss_bbox=5, loss_iou=2, loss_mask=2, loss_dice=5)


@pytest.fixture(scope='module')
def model():
    options = {**OPTIONS, 'model.published_habits': True}
    # The oracle was made without dropout.
    options['model.mti.dropout'] = 0.0
    model = build_model(CONFIG, options)
    converter = load_script('tools/model_converters/mutr.py')
    ours, _ = converter.MAPPING.apply(
        published_state_dict('mutr_resnet50'), 'published'
    )
    model.load_state_dict(ours)
    return model


def without_dropout(model):
    for module in model.modules():
        if isinstance(module, torch.nn.Dropout):
            module.p = 0.0
        if isinstance(module, torch.nn.MultiheadAttention):
            module.dropout = 0.0


@pytest.fixture(scope='module', params=['eval', 'train'])
def mode(request):
    return request.param


@pytest.fixture(scope='module')
def oracle(mode):
    return np.load(DATA / 'oracle' / f'mutr_resnet50_{mode}.npz')


@pytest.fixture(scope='module')
def results(model, mode, oracle):
    without_dropout(model)
    model.train(mode == 'train')
    frames = torch.from_numpy(oracle['video0']).float()[None]
    shapes = [tuple(frames.shape[-2:])]
    token_ids = torch.from_numpy(oracle['token_ids'])
    with torch.no_grad():
        video = model.encode_video(frames, shapes)
        tokens = model.text_encoder.encode_tokens(token_ids, token_ids == 1)
        encoded = EncodedReferences(text=tokens)
        memory, flat = model.encode(video, tokens)
        states, references = model.decode(
            memory, flat, model.query_content(video, tokens)
        )
        return dict(
            layers=model.refer(video, encoded),
            memory=memory,
            states=states,
            references=references,
            mask_features=model.make_mask_features(
                model.decode_video(video, encoded)
            ),
        )


def test_memory_of_each_level(results, oracle):
    start = 0
    for stride in (8, 16, 32):
        height, width = 96 // stride, 128 // stride
        part = results['memory'][:, start : start + height * width]
        start += height * width
        maps = part.transpose(1, 2).unflatten(2, (height, width))
        expected = oracle[f'memory_{stride}[:, ::8]']
        assert difference(maps[:, ::8], expected) < 1e-4


def test_decoder_states_and_reference_points(results, oracle):
    assert difference(results['states'], oracle['decoder_states']) < 1e-4
    start, *refined = results['references']
    assert difference(start, oracle['init_reference']) < 1e-4
    assert difference(torch.stack(refined), oracle['inter_references']) < 1e-4


def test_mask_features(results, oracle):
    ours = results['mask_features'][:, ::8]
    assert difference(ours, oracle['mask_features[:, ::8]']) < 1e-4


def test_predictions(results, oracle, mode):
    assert len(results['layers']) == (4 if mode == 'train' else 1)
    last = results['layers'][-1]
    assert difference(last.scores, oracle['pred_logits']) < 1e-4
    assert difference(last.bboxes, oracle['pred_boxes']) < 1e-4
    assert difference(last.masks, oracle['pred_masks']) < 2e-3


def test_matching_and_losses(model, results, oracle, mode):
    samples = [oracle_sample(oracle, 0)]
    targets = model.set_loss.make_targets(
        samples, (96, 128), torch.device('cpu')
    )
    matched = model.set_loss.match(results['layers'][-1], targets)
    assert matched.tolist() == oracle['matched'].tolist()
    losses, matches = model.set_loss(results['layers'], samples, (96, 128))
    assert matches[-1].tolist() == oracle['matched'].tolist()
    assert len(losses) == (20 if mode == 'train' else 5)
    for name, value in losses.items():
        layer, _, kind = name.rpartition('.')
        suffix = f'_{layer[1:]}' if layer else ''
        expected = oracle[f'loss.{PUBLISHED_NAMES[kind]}{suffix}']
        assert float(value) / WEIGHTS[kind] == pytest.approx(
            float(expected), rel=1e-3
        ), name


def test_answer_takes_the_same_short_cut(model, oracle, mode):
    if mode == 'train':
        model.eval()
    eval_oracle = np.load(DATA / 'oracle' / 'mutr_resnet50_eval.npz')
    frames = torch.from_numpy(eval_oracle['video0']).float()[None]
    token_ids = torch.from_numpy(eval_oracle['token_ids'])
    with torch.no_grad():
        answer = model.answer(
            model.encode_video(frames, [tuple(frames.shape[-2:])]),
            EncodedReferences(
                text=model.text_encoder.encode_tokens(
                    token_ids, token_ids == 1
                )
            ),
        )
    logits = eval_oracle['pred_logits'][0]
    probabilities = 1 / (1 + np.exp(-logits[..., 0]))
    best = probabilities.mean(0).argmax()
    found = answer.scores.numpy()
    assert np.abs(found - probabilities[:, best]).max() < 1e-4
    boxes = eval_oracle['pred_boxes'][0, :, best]
    assert np.abs(answer.bboxes.numpy() - boxes).max() < 1e-4
    masks = eval_oracle['pred_masks'][0, :, best]
    assert difference(answer.masks, masks) < 2e-3


def test_parameter_counts():
    """186.263 M published, MTA 1.315 M and MTI 8.686 M of them."""
    model = build_model(CONFIG)

    def count(module):
        return sum(p.numel() for p in module.parameters())

    norms = sum(
        p.numel()
        for name, p in model.backbone.named_parameters()
        if 'bn' in name or 'downsample.1' in name
    )
    assert norms == 53_120
    assert round((count(model) - norms) / 1e6, 3) == 186.263
    assert round(count(model.mta) / 1e6, 3) == 1.315
    assert round(count(model.mti) / 1e6, 3) == 8.686
