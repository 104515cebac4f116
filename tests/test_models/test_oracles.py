"""Our systems compute what the published codes compute."""

from functools import cache
from typing import Any, Dict, List, NamedTuple

import numpy as np
import pytest
import torch

from refvos.structures import EncodedReferences, RefDataSample
from tests.builders import build_model, load_script, make_sample
from tests.formula_weights import DATA, published_state_dict

REFERFORMER = 'configs/_base_/models/referformer_r50.py'
MUTR = 'configs/_base_/models/mutr_r50.py'
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
LOSS_WEIGHTS = dict(
    loss_cls=2, loss_bbox=5, loss_iou=2, loss_mask=2, loss_dice=5
)
SIZE = (96, 128)


class System(NamedTuple):
    """A published model of which there are oracles."""

    config: str
    converter: str
    options: Dict[str, Any]


SYSTEMS = {
    'referformer_resnet50': System(REFERFORMER, 'referformer', OPTIONS),
    'mutr_resnet50': System(
        MUTR,
        'mutr',
        {
            **OPTIONS,
            'model.published_habits': True,
            # The oracle was made without dropout.
            'model.mti.dropout': 0.0,
        },
    ),
}


class Case(NamedTuple):
    """An oracle: a system in evaluation or training."""

    system: str
    mode: str
    # MUTR's published code predicts with its last layer alone in evaluation.
    num_layers: int


CASES = (
    Case('referformer_resnet50', 'eval', 4),
    Case('mutr_resnet50', 'eval', 1),
    Case('mutr_resnet50', 'train', 4),
)


@cache
def load_oracle(system: str, mode: str) -> Dict[str, np.ndarray]:
    with np.load(DATA / 'oracle' / f'{system}_{mode}.npz') as file:
        return dict(file)


@cache
def load_model(system: str):
    """Our model with the oracle's weights, without dropout."""
    config, converter, options = SYSTEMS[system]
    model = build_model(config, options)
    mapping = load_script(f'tools/model_converters/{converter}.py').MAPPING
    ours, _ = mapping.apply(published_state_dict(system), 'published')
    model.load_state_dict(ours)
    for module in model.modules():
        if isinstance(module, torch.nn.Dropout):
            module.p = 0.0
        if isinstance(module, torch.nn.MultiheadAttention):
            module.dropout = 0.0
    return model


@pytest.fixture(scope='module', params=CASES, ids=lambda c: '-'.join(c[:2]))
def case(request) -> Case:
    return request.param


@pytest.fixture
def model(case):
    return load_model(case.system).train(case.mode == 'train')


@pytest.fixture(scope='module')
def oracle(case) -> Dict[str, np.ndarray]:
    return load_oracle(case.system, case.mode)


def videos_of(oracle) -> List[torch.Tensor]:
    names = (f'video{index}' for index in range(len(oracle['token_ids'])))
    return [torch.from_numpy(oracle[name]).float() for name in names]


def encode_texts(model, token_ids: np.ndarray) -> EncodedReferences:
    ids = torch.from_numpy(token_ids)
    return EncodedReferences(
        text=model.text_encoder.encode_tokens(ids, ids == 1)
    )


@pytest.fixture(scope='module')
def results(case, oracle) -> Dict[str, Any]:
    model = load_model(case.system).train(case.mode == 'train')
    videos = videos_of(oracle)
    shapes = [tuple(video.shape[2:]) for video in videos]
    frames = torch.zeros(len(videos), 3, 3, *SIZE)
    for batch, video in zip(frames, videos, strict=True):
        batch[:, :, : video.shape[2], : video.shape[3]] = video
    with torch.no_grad():
        video = model.encode_video(frames, shapes)
        encoded = encode_texts(model, oracle['token_ids'])
        tokens = encoded.only()
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
        height, width = SIZE[0] // stride, SIZE[1] // stride
        part = results['memory'][:, start : start + height * width]
        start += height * width
        maps = part.transpose(1, 2).unflatten(2, (height, width))
        expected = oracle[f'memory_{stride}[:, ::8]']
        assert difference(maps[:, ::8], expected) < 1e-4


def test_mask_features(results, oracle):
    ours = results['mask_features'][:, ::8]
    assert difference(ours, oracle['mask_features[:, ::8]']) < 1e-4


def test_predictions(results, oracle, case):
    assert len(results['layers']) == case.num_layers
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


def test_matching_and_losses(model, results, oracle, case):
    indices = range(len(oracle['token_ids']))
    samples = [oracle_sample(oracle, index) for index in indices]
    targets = model.set_loss.make_targets(samples, SIZE, torch.device('cpu'))
    assert targets.visible.tolist() == [
        [bool(v) for v in oracle[f'target{i}.valid']] for i in indices
    ]
    matched = model.set_loss.match(results['layers'][-1], targets)
    assert matched.tolist() == oracle['matched'].tolist()

    losses, matches = model.set_loss(results['layers'], samples, SIZE)
    assert matches[-1].tolist() == oracle['matched'].tolist()
    assert len(losses) == 5 * case.num_layers
    for name, value in losses.items():
        layer, _, kind = name.rpartition('.')
        suffix = f'_{layer[1:]}' if layer else ''
        expected = oracle[f'loss.{PUBLISHED_NAMES[kind]}{suffix}']
        assert float(value) / LOSS_WEIGHTS[kind] == pytest.approx(
            float(expected), rel=1e-3
        ), name


@pytest.mark.parametrize('frame_chunk', [None, 1, 3])
@pytest.mark.parametrize('compact', [True, False])
@pytest.mark.parametrize('system', SYSTEMS)
def test_answer_draws_the_best_query(system, compact, frame_chunk):
    """``predict``'s short cuts equal choosing among all masks."""
    model = load_model(system).eval()
    oracle = load_oracle(system, 'eval')
    options = model.test_options(
        compact_features=compact, frame_chunk=frame_chunk
    )
    video = videos_of(oracle)[0]
    with torch.no_grad(), options:
        answer = model.answer(
            model.encode_video(video[None], [tuple(video.shape[2:])]),
            encode_texts(model, oracle['token_ids'][:1]),
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


def count(module: torch.nn.Module) -> int:
    return sum(p.numel() for p in module.parameters())


def count_norms(model: torch.nn.Module) -> int:
    """Terms of the backbone's batch norms, which are buffers there."""
    return sum(
        p.numel()
        for name, p in model.backbone.named_parameters()
        if 'bn' in name or 'downsample.1' in name
    )


def test_parameter_counts_of_referformer():
    """176.262 M published, and 0.053 M batch-norm terms (buffers there)."""
    model = build_model(REFERFORMER)
    trained = sum(p.numel() for p in model.parameters() if p.requires_grad)
    norms = count_norms(model)
    assert norms == 53_120
    assert count(model) - norms == 176_262_207
    assert trained == 51_394_175
    assert count(model.text_encoder.model) == 124_645_632


def test_parameter_counts_of_mutr():
    """186.263 M published, MTA 1.315 M and MTI 8.686 M of them."""
    model = build_model(MUTR)
    norms = count_norms(model)
    assert norms == 53_120
    assert round((count(model) - norms) / 1e6, 3) == 186.263
    assert round(count(model.mta) / 1e6, 3) == 1.315
    assert round(count(model.mti) / 1e6, 3) == 8.686
