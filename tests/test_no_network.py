"""Without a network one line names the weights and the option to set."""

import socket
import sys
from subprocess import PIPE, STDOUT, run
from urllib.error import URLError

import pytest
from mmengine.runner import CheckpointLoader

from refvos.errors import InputError
from refvos.io import downloads, hub
from refvos.models.backbones import convnext
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
    monkeypatch.setattr(downloads, 'urlopen', unreachable)
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


def test_a_backbone_of_transformers(monkeypatch):
    def unreachable(*args, **kwargs):
        raise OSError("We couldn't connect to 'https://huggingface.co'\n...")

    monkeypatch.setattr(convnext, 'must_be_local', lambda name: True)
    monkeypatch.setattr(convnext.ConvNextModel, 'from_pretrained', unreachable)
    backbone = convnext.FrameConvNeXt(
        (8, 8, 8, 8), (1, 1, 1, 1), pretrained='some/name'
    )
    with pytest.raises(InputError) as raised:
        backbone.init_weights()
    assert str(raised.value) == (
        "backbone.pretrained: name is 'some/name'; expected a model of the "
        'Hugging Face Hub that can be reached, or a local folder: '
        '--cfg-options model.backbone.pretrained=FOLDER'
    )


@pytest.fixture
def fresh_hub(monkeypatch):
    """Nothing is known about the network, and there is no proxy."""
    monkeypatch.setattr(hub, 'getproxies', dict)
    hub.hub_is_reachable.cache_clear()
    yield
    hub.hub_is_reachable.cache_clear()


@pytest.mark.parametrize('argument', ['pretrained', 'tokenizer'])
def test_language_models_are_not_requested_again_and_again(
    monkeypatch, fresh_hub, argument
):
    """One connection is tried; then transformers looks at its cache."""
    tried = []

    def refuse(address, timeout):
        tried.append(address)
        raise OSError(-2, 'Name or service not known')

    monkeypatch.setattr(socket, 'create_connection', refuse)
    encoder = TextEncoder(
        config=CONFIG,
        embed_dims=8,
        **{'tokenizer': 'no/such', argument: 'no/such'},
    )
    with pytest.raises(InputError, match=r"name is 'no/such'; expected"):
        if argument == 'pretrained':
            encoder.init_weights()
        else:
            _ = encoder.tokenizer
    assert tried == [('huggingface.co', 443)]


def test_what_must_be_local(monkeypatch, fresh_hub, tmp_path):
    with socket.create_server(('127.0.0.1', 0)) as server:
        port = server.getsockname()[1]
        endpoint = f'http://127.0.0.1:{port}'
        monkeypatch.setattr(hub.constants, 'ENDPOINT', endpoint)
        assert not hub.must_be_local('some/name')
    # Asked once per process.
    assert not hub.must_be_local('some/name')
    hub.hub_is_reachable.cache_clear()
    assert hub.must_be_local('some/name')
    assert not hub.must_be_local(str(tmp_path))
    hub.hub_is_reachable.cache_clear()
    monkeypatch.setattr(hub, 'getproxies', lambda: {'http': 'proxy:80'})
    assert not hub.must_be_local('some/name')


# As a tool of mmdet: it knows nothing of refvos but a config that imports it.
SCRIPT = """
from mmengine.config import Config
from mmengine.runner import CheckpointLoader
Config.fromstring("custom_imports = dict(imports=['refvos'])", '.py')
{}
"""


@pytest.mark.parametrize(
    ('line', 'said'),
    [
        (
            "CheckpointLoader.load_checkpoint('none.pth')",
            "error: none.pth: checkpoint is 'missing'; expected a .pth, .pt "
            'or .safetensors file',
        ),
        ("raise ValueError('another error')", 'ValueError: another error'),
    ],
)
def test_errors_of_a_tool_that_is_not_ours(line, said):
    """Bad input is one line; other errors keep their traceback."""
    command = [sys.executable, '-c', SCRIPT.format(line)]
    done = run(command, stdout=PIPE, stderr=STDOUT, text=True)
    assert done.returncode == 1
    assert done.stdout.splitlines()[-1] == said
    assert ('Traceback' in done.stdout) == said.startswith('ValueError')
