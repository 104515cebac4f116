"""What of MUTR is trained, and how its configs say so."""

import numpy as np
import torch
import torch.nn.functional as F
from mmdet.registry import METRICS, MODELS
from mmengine.registry import init_default_scope

from refvos.structures import Reference
from tests.builders import build_model, load_config, make_sample

MINI = 'configs/_base_/models/referformer_mini.py'
PART = dict(num_heads=4, feedforward_channels=32)
MUTR = {'model.type': 'MUTR', 'model.mta': PART, 'model.mti': PART}
JOINT = 'configs/mutr/mutr_r50_8xb2-12e_joint.py'
SOUND = 'configs/mutr/mutr_r50_8xb2-{}e_avsbench-{}.py'
SMALL_VGGISH = dict(
    type='VGGish',
    frozen=True,
    widths=(4, 4, 8, 8, 8, 8),
    embedding_dims=(32, 32, 16),
)


def test_all_but_the_pooler_is_trained():
    """Of one process; several need to know: find_unused_parameters."""
    torch.manual_seed(0)
    model = build_model(MINI, MUTR).train()
    model.init_weights()
    # A residual branch of the backbone is zero at the start.
    with torch.no_grad():
        for parameter in model.parameters():
            parameter += 0.02 * torch.randn_like(parameter)
    masks = torch.ones(2, 64, 96, dtype=torch.bool).numpy()
    sample = make_sample(
        masks, references=[Reference('0', text='the red circle')]
    )
    data = {
        'inputs': [torch.randint(0, 256, (2, 3, 64, 96), dtype=torch.uint8)],
        'data_samples': [sample],
    }
    data = model.data_preprocessor(data, True)
    losses = model(**data, mode='loss')
    model.parse_losses(losses)[0].backward()
    unused = [n for n, p in model.named_parameters() if p.grad is None]
    pooler = 'text_encoder.model.pooler.dense'
    assert unused == [f'{pooler}.weight', f'{pooler}.bias']
    assert load_config(JOINT).find_unused_parameters


def test_schedule_and_rates():
    """12 epochs, drops after 8 and 10; text 1e-5, backbone 6e-6."""
    init_default_scope('mmdet')
    config = load_config(JOINT)
    (schedule,) = config.param_scheduler
    assert (schedule.end, schedule.milestones) == (12, [8, 10])
    assert config.train_cfg.max_epochs == 12
    assert config.train_dataloader.batch_size == 2
    wrapper = config.optim_wrapper
    assert wrapper.optimizer.lr == 1e-4
    keys = wrapper.paramwise_cfg.custom_keys
    rates = {name: key.lr_mult * 1e-4 for name, key in keys.items()}
    assert round(rates['backbone'], 12) == 6e-6
    assert round(rates['text_encoder.model'], 12) == 1e-5
    assert config.model.text_encoder.frozen is False


def test_with_sounds_all_is_trained():
    """S4: one of five frames has a mask; no process has to look for more."""
    torch.manual_seed(0)
    config = load_config('configs/mini/mutr_mini_sound.py')
    config.model.num_queries = 5
    model = MODELS.build(config.model).train()
    model.init_weights()
    with torch.no_grad():
        for parameter in model.parameters():
            parameter += 0.02 * torch.randn_like(parameter)
    masks = np.ones((5, 64, 96), bool)
    samples = []
    for _ in range(2):
        sound = Reference('0', sound=torch.randn(5 * 16000) / 4)
        sample = make_sample(masks, references=[sound])
        sample.gt_labelled = [True] + [False] * 4
        samples.append(sample)
    frames = torch.randint(0, 256, (2, 5, 3, 64, 96), dtype=torch.uint8)
    data = {'inputs': list(frames), 'data_samples': samples}
    losses = model(**model.data_preprocessor(data, True), mode='loss')
    model.parse_losses(losses)[0].backward()
    assert not [n for n, p in model.named_parameters() if p.grad is None]
    assert not config.get('find_unused_parameters', False)


def test_the_video_s_queries_start_apart():
    """Whatever the frames say: else one of five could not be picked."""
    torch.manual_seed(0)
    model = build_model('configs/mini/ablations/mutr_mini_motion_base.py')
    model.init_weights()
    content = model.mti.query_content.weight
    assert 0.8 < content.std() < 1.2
    with torch.no_grad():
        queries = model.clip_queries(torch.randn(1, 4, 5, 64))[0, 0]
    alike = F.normalize(queries, dim=1) @ F.normalize(queries, dim=1).T
    assert alike[~torch.eye(5, dtype=bool)].max() < 0.97


def test_sound_configs_see_whole_clips_of_their_subset():
    for subset, epochs in (('s4', 12), ('ms3', 30)):
        config = load_config(SOUND.format(epochs, subset))
        assert config.train_cfg.max_epochs == epochs
        assert config.param_scheduler[0].end == epochs
        for part, split in (('train', 'train'), ('val', 'val')):
            dataset = config[f'{part}_dataloader'].dataset
            assert (dataset.subset, dataset.split) == (subset, split)
            kinds = [step.type for step in dataset.pipeline]
            assert kinds[:3] == ['LoadFrames', 'LoadTubes', 'LoadSound']
        assert config.test_dataloader.dataset.subset == subset
        assert config.test_dataloader.dataset.split == 'test'
        assert config.model.text_encoder is None
        metric = METRICS.get(config.test_evaluator.type)
        assert metric.needs == {'soft_masks': 'linear'}
        assert config.default_hooks.metric_needs.type == 'MetricNeedsHook'
        encoder = MODELS.build(
            {**config.model.sound_encoder, 'vggish': dict(SMALL_VGGISH)}
        )
        tokens = encoder([Reference('0', sound=torch.zeros(5 * 16000))])
        # Five seconds, and their mean before them.
        assert tokens.tokens.shape == (1, 6, 256)
        assert not config.find_unused_parameters
