"""Published VGGish weights in, ours out."""

import numpy as np
import pytest
import torch
from mmdet.registry import MODELS
from mmengine.config import ConfigDict
from mmengine.model import BaseModule

from refvos.converters.convert import run_converter
from refvos.io.safe_checkpoint import load_checkpoint_file
from refvos.models import VGGish
from tests.builders import load_script
from tests.formula_weights import DATA, formula_tensor

PART = 'sound_encoder.vggish.'
SHAPES = {
    f'{group}.{index}.{leaf}': shape[: 4 if leaf == 'weight' else 1]
    for group, index, shape in (
        ('features', 0, (64, 1, 3, 3)),
        ('features', 3, (128, 64, 3, 3)),
        ('features', 6, (256, 128, 3, 3)),
        ('features', 8, (256, 256, 3, 3)),
        ('features', 11, (512, 256, 3, 3)),
        ('features', 13, (512, 512, 3, 3)),
        ('embeddings', 0, (4096, 12288)),
        ('embeddings', 2, (4096, 4096)),
        ('embeddings', 4, (128, 4096)),
    )
    for leaf in ('weight', 'bias')
}
CONFIG = """
custom_imports = dict(imports=['refvos'])
default_scope = 'mmdet'
model = dict(
    type='OnlySound',
    sound_encoder=dict(type='SoundEncoder', vggish=dict(type='VGGish')),
)
"""


@pytest.fixture(scope='module', autouse=True)
def only_sound():
    class OnlySound(BaseModule):
        def __init__(self, sound_encoder):
            super().__init__()
            self.sound_encoder = MODELS.build(sound_encoder)

    MODELS.register_module(module=OnlySound)
    yield
    MODELS.module_dict.pop('OnlySound')


@pytest.fixture
def tool():
    return load_script('tools/model_converters/vggish.py')


@pytest.fixture
def convert(tool, tmp_path, capsys):
    """Run the tool on weights; gives its status, lines, error and target."""

    def run(state, *options):
        src, dst = tmp_path / 'vggish.pth', tmp_path / 'ours.pth'
        torch.save(state, src)
        argv = [str(src), str(dst), *options]
        status = run_converter(tool.__doc__, tool.MAPPING, argv)
        printed = capsys.readouterr()
        return status, printed.out.splitlines(), printed.err, dst

    return run


def light_state():
    """All published keys in full size; a tensor holds one number."""
    return {k: torch.zeros(1).expand(shape) for k, shape in SHAPES.items()}


@pytest.fixture
def config(tmp_path):
    path = tmp_path / 'config.py'
    path.write_text(CONFIG)
    return ['--config', str(path)]


def test_published_answers(tool):
    """Of the published code, from its weights and its examples."""
    state = {k: formula_tensor(k, shape) for k, shape in SHAPES.items()}
    ours, dropped = tool.MAPPING.apply(state, 'published')
    assert not dropped and all(key.startswith(PART) for key in ours)
    with torch.device('meta'):
        network = VGGish(frozen=True)
    network.load_state_dict(
        {k[len(PART) :]: v for k, v in ours.items()}, assign=True
    )
    oracle = np.load(DATA / 'oracle' / 'vggish_16k.npz')
    embedding = network(torch.from_numpy(oracle['log_mel']))
    theirs = torch.from_numpy(oracle['embedding'])
    # Sums of up to 12288 float32 in another order: 4e-7 of 0.3.
    assert (embedding - theirs).abs().max() < 5e-6
    assert theirs.max() > 0.2


@pytest.mark.parametrize('with_pca', [False, True])
def test_every_key_is_used_or_dropped(convert, config, with_pca):
    state = light_state()
    if with_pca:
        state['pproc.pca_eigen_vectors'] = torch.ones(128, 128)
        state['pproc.pca_means'] = torch.ones(128, 1)
    status, lines, error, dst = convert(state, *config)
    assert (status, error) == (0, '')
    dropped = (
        '2 keys dropped: PCA after the last layer, which is not part of it'
    )
    assert lines == [
        *[dropped] * with_pca,
        f'{18 + 2 * with_pca} keys read, 18 written to {dst}',
        f'they fit the model of {config[1]}',
    ]
    ours = load_checkpoint_file(str(dst))['state_dict']
    assert ours.keys() == {PART + key for key in SHAPES}
    assert sum(value.numel() for value in ours.values()) == 72_141_184


def test_what_is_refused(convert, config):
    state = light_state()
    state['features.1.running_mean'] = torch.ones(1)
    status, _, error, dst = convert(state)
    assert status == 2 and not dst.exists()
    assert "key (one of 1) is 'features.1.running_mean'; expected a" in error
    state = light_state()
    del state['embeddings.4.bias']
    status, _, error, dst = convert(state, *config)
    assert status == 2 and not dst.exists()
    assert f"(one of 1 missing) is '{PART}embeddings.4.bias'" in error
    state = light_state()
    state['embeddings.4.bias'] = torch.ones(127)
    status, _, error, dst = convert(state, *config)
    assert status == 2 and not dst.exists()
    assert f'shape of {PART}embeddings.4.bias (one of 1) is (127,)' in error


def test_training_starts_from_the_file(tmp_path, convert):
    tiny = dict(widths=(4, 4, 8, 8, 8, 8), embedding_dims=(32, 32, 16))
    torch.manual_seed(1)
    published = VGGish(**tiny).state_dict()
    _, _, _, dst = convert(published)
    init_cfg = dict(type='Pretrained', checkpoint=str(dst), prefix=PART)
    network = VGGish(**tiny, init_cfg=ConfigDict(init_cfg))
    network.init_weights()
    for key, value in network.state_dict().items():
        assert torch.equal(value, published[key]), key
