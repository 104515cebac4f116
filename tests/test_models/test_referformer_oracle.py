"""Our ReferFormer computes what the published code computes."""

import numpy as np
import pytest
import torch

from refvos.structures import EncodedReferences, RefDataSample
from tests.builders import build_model, load_script, make_sample
from tests.formula_weights import DATA, published_state_dict

CONFIG = 'configs/_base_/models/referformer_r50.py'
OPTIONS = {
    # Numbers as they are, of parts as of answers.
    'model.test_cfg.compact_features': False,
    'model.text_encoder.config.vocab_size': 1000,
    'model.text_encoder.config.num_hidden_layers': 2,
}
# The oracle's names of the losses, without their layer.
PUBLISHED_NAMES = dict(
    loss_cls='loss_ce',
    loss_bbox='loss_bbox',
    loss_iou='loss_giou',
    loss_mask='loss_mask',
    loss_dice='loss_dice',
)


@pytest.fixture(scope='module')
def oracle():
    return np.load(DATA / 'oracle' / 'referformer_resnet50_eval.npz')


@pytest.fixture(scope='module')
def model():
    model = build_model(CONFIG, OPTIONS)
    converter = load_script('tools/model_converters/referformer.py')
    ours, _ = converter.MAPPING.apply(
        published_state_dict('referformer_resnet50'), 'published'
    )
    model.load_state_dict(ours)
    return model


@pytest.fixture(scope='module')
def results(model, oracle):
    videos = [torch.from_numpy(oracle[f'video{i}']).float() for i in (0, 1)]
    shapes = [tuple(video.shape[2:]) for video in videos]
    frames = torch.zeros(2, 3, 3, 96, 128)
    for batch, video in zip(frames, videos):
        batch[:, :, : video.shape[2], : video.shape[3]] = video
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


def difference(ours: torch.Tensor, theirs: np.ndarray) -> float:
    assert tuple(ours.shape) == theirs.shape
    return float((ours - torch.from_numpy(theirs)).abs().max())


def test_decoder_states_and_reference_points(results, oracle):
    assert difference(results['states'], oracle['decoder_states']) < 1e-4
    start, *refined = results['references']
    assert difference(start, oracle['init_reference']) < 1e-4
    assert difference(torch.stack(refined), oracle['inter_references']) < 1e-4


def test_memory_of_each_level(results, oracle):
    start = 0
    for stride in (8, 16, 32):
        height, width = 96 // stride, 128 // stride
        part = results['memory'][:, start : start + height * width]
        start += height * width
        maps = part.transpose(1, 2).unflatten(2, (height, width))
        expected = oracle[f'memory_{stride}[:, ::8]']
        assert difference(maps[:, ::8], expected) < 1e-4


def test_mask_features(results, oracle):
    ours = results['mask_features'][:, ::8]
    assert difference(ours, oracle['mask_features[:, ::8]']) < 1e-4


def test_predictions(results, oracle):
    last = results['layers'][-1]
    assert difference(last.scores, oracle['pred_logits']) < 1e-4
    assert difference(last.bboxes, oracle['pred_boxes']) < 1e-4
    assert difference(last.masks, oracle['pred_masks']) < 2e-3


def oracle_sample(oracle, index: int) -> RefDataSample:
    """The oracle's truth; its boxes are not exactly those of its masks."""
    masks = oracle[f'target{index}.masks']
    cx, cy, w, h = torch.from_numpy(oracle[f'target{index}.boxes']).unbind(1)
    corners = torch.stack((cx - w / 2, cy - h / 2, cx + w / 2, cy + h / 2), -1)
    height, width = masks.shape[1:]
    scale = torch.tensor([width, height, width, height])
    return make_sample(masks, corners * scale)


def test_matching_and_losses(model, results, oracle):
    samples = [oracle_sample(oracle, index) for index in (0, 1)]
    targets = model.set_loss.make_targets(
        samples, (96, 128), torch.device('cpu')
    )
    assert targets.visible.tolist() == [
        [bool(v) for v in oracle[f'target{i}.valid']] for i in (0, 1)
    ]
    matched = model.set_loss.match(results['layers'][-1], targets)
    assert matched.tolist() == oracle['matched'].tolist()

    losses, matches = model.set_loss(results['layers'], samples, (96, 128))
    assert matches[-1].tolist() == oracle['matched'].tolist()
    weights = dict(
        loss_cls=2, loss_bbox=5, loss_iou=2, loss_mask=2, loss_dice=5
    )
    compared = 0
    for name, value in losses.items():
        layer, _, kind = name.rpartition('.')
        suffix = f'_{layer[1:]}' if layer else ''
        expected = oracle[f'loss.{PUBLISHED_NAMES[kind]}{suffix}']
        assert float(value) / weights[kind] == pytest.approx(
            float(expected), rel=1e-3
        ), name
        compared += 1
    assert compared == 20


@pytest.mark.parametrize('frame_chunk', [1, 3])
@pytest.mark.parametrize('compact', [True, False])
def test_answer_draws_the_best_query(
    model, oracle, monkeypatch, compact, frame_chunk
):
    """``predict``'s short cuts equal choosing among all masks."""
    monkeypatch.setitem(model.test_cfg, 'compact_features', compact)
    monkeypatch.setitem(model.test_cfg, 'frame_chunk', frame_chunk)
    video = torch.from_numpy(oracle['video0']).float()
    token_ids = torch.from_numpy(oracle['token_ids'][:1])
    with torch.no_grad():
        answer = model.answer(
            model.encode_video(video[None], [tuple(video.shape[2:])]),
            EncodedReferences(
                text=model.text_encoder.encode_tokens(
                    token_ids, token_ids == 1
                )
            ),
        )
    logits = oracle['pred_logits'][0]  # (T, N, 1)
    probabilities = 1 / (1 + np.exp(-logits[..., 0]))
    best = probabilities.mean(0).argmax()
    found = answer.scores.numpy()
    assert np.abs(found - probabilities[:, best]).max() < 1e-4
    boxes = oracle['pred_boxes'][0, :, best]
    assert np.abs(answer.bboxes.numpy() - boxes).max() < 1e-4
    # The oracle's batch was padded for the other clip's sake only.
    assert difference(answer.masks, oracle['pred_masks'][0, :, best]) < 2e-3


def test_parameter_counts():
    """176.262 M published, and 0.053 M batch-norm terms (buffers there)."""
    model = build_model(CONFIG)
    total = sum(p.numel() for p in model.parameters())
    norms = sum(
        p.numel()
        for name, p in model.backbone.named_parameters()
        if 'bn' in name or 'downsample.1' in name
    )
    trained = sum(p.numel() for p in model.parameters() if p.requires_grad)
    text = sum(p.numel() for p in model.text_encoder.model.parameters())
    assert norms == 53_120
    assert total - norms == 176_262_207
    assert trained == 51_394_175
    assert text == 124_645_632
