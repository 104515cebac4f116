"""Without a network one line names the weights and the option to set."""

from urllib.error import URLError

import pytest
import torch
from mmengine.runner import CheckpointLoader

from refvos.errors import InputError
from refvos.models.encoders import TextEncoder, text
from tests.builders import load_config

CONFIG = dict(
    model_type='roberta',
    vocab_size=100,
    num_hidden_layers=1,
    hidden_size=16,
    num_attention_heads=2,
)


def unreachable(*args, **kwargs):
    raise URLError(OSError(-2, 'Name or service not known'))


@pytest.mark.parametrize(
    ('address', 'option'),
    [
        ('torchvision://resnet50', 'model.backbone.init_cfg.checkpoint'),
        (
            load_config(
                'configs/_base_/models/mutr_sound_parts.py'
            ).mutr_sound.sound_encoder.vggish.init_cfg.checkpoint,
            'model.sound_encoder.vggish.init_cfg.checkpoint',
        ),
    ],
    ids=['backbone', 'vggish'],
)
def test_weights_of_a_backbone(monkeypatch, tmp_path, address, option):
    monkeypatch.setenv('TORCH_HOME', str(tmp_path))
    monkeypatch.setattr(torch.hub, 'download_url_to_file', unreachable)
    with pytest.raises(InputError) as raised:
        CheckpointLoader.load_checkpoint(address)
    (line,) = str(raised.value).splitlines()
    assert address.rpartition('/')[2] in line
    assert 'Name or service not known' in line
    assert f'--cfg-options {option}=FILE' in line


@pytest.mark.parametrize('argument', ['pretrained', 'tokenizer'])
def test_language_models(monkeypatch, argument):
    def unreachable(*args, **kwargs):
        raise OSError("We couldn't connect to 'https://huggingface.co'\n...")

    for name in ('AutoModel', 'AutoTokenizer'):
        monkeypatch.setattr(
            getattr(text, name), 'from_pretrained', unreachable
        )
    encoder = TextEncoder(
        config=CONFIG,
        embed_dims=8,
        **{'tokenizer': 'some/name', argument: 'some/name'},
    )
    with pytest.raises(InputError) as raised:
        if argument == 'pretrained':
            encoder.init_weights()
        else:
            _ = encoder.tokenizer
    (line,) = str(raised.value).splitlines()
    assert "'some/name'" in line
    assert f'--cfg-options model.text_encoder.{argument}=FOLDER' in line
