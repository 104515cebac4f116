"""A video that is opened once and asked many times."""

import json

import pytest
import torch

from refvos.__main__ import main
from refvos.apis import read_video
from refvos.apis.asked import parse_reference
from refvos.errors import InputError
from refvos.structures import Reference
from tests.builders import message_of

from .test_sound import (  # noqa: F401  (fixtures)
    TEXT,
    answers,
    both,
    video,
)

OTHER = 'a small green ring'


def test_three_asks_are_one_call(both, video, tmp_path, monkeypatch):  # noqa: F811
    """Frames are read once and go through the backbone once."""
    inferencer = both[0]
    together = inferencer(
        video, [TEXT, OTHER], sound=True, out_dir=tmp_path / 'call'
    )
    read, seen = [], []
    load = inferencer.pack
    monkeypatch.setattr(
        inferencer, 'pack', lambda clip: read.append(clip) or load(clip)
    )
    module = inferencer.model.backbone
    hook = module.register_forward_pre_hook(
        lambda _, inputs: seen.append(len(inputs[0]))
    )
    decoded = []
    reading = 'refvos.apis.inferencer.read_video'
    monkeypatch.setattr(
        reading, lambda *given: decoded.append(given) or read_video(*given)
    )
    session = inferencer.open(video)
    first = session.ask(texts=TEXT)
    second = session.ask(Reference('1', text=OTHER))
    third = session.ask(sound=True)
    hook.remove()
    assert (len(decoded), len(read), sum(seen)) == (1, 1, 8)
    found = [*answers(first), *answers(second), *answers(third)]
    assert found == answers(together) == answers(session.result)
    assert len(first.predictions) == len(third.predictions) == 1
    written = session.write(tmp_path / 'asks')
    assert written.out_dir == tmp_path / 'asks'
    ours, theirs = (
        json.loads((tmp_path / name / 'predictions.json').read_text())
        for name in ('asks', 'call')
    )
    assert ours == theirs
    assert [p['id'] for p in ours['predictions']] == ['0', '1', '2']
    assert (tmp_path / 'asks/masks/2_sound/00000.png').exists()


def test_soundtrack_as_a_reference(both, video):  # noqa: F811
    session = both[0].open(video)
    sound = session.soundtrack()
    assert sound.shape == (2 * 16000,)
    asked = session.ask(Reference('x', sound=sound))
    assert answers(asked) == answers(session.ask(sound=True))
    by_path = session.ask(Reference('y', sound_path=str(video)))
    assert answers(by_path) == answers(asked)
    assert by_path.predictions[0].reference.sound_path == str(video)


def test_thresholds_last_for_one_ask(both, video):  # noqa: F811
    session = both[0].open(video)
    before = answers(session.ask(texts=TEXT))
    high = session.ask(texts=TEXT, threshold=0.9)
    assert answers(high) != before
    assert answers(session.ask(texts=TEXT)) == before


def test_post_process_runs_in_a_session(both, video, monkeypatch):  # noqa: F811
    model, given = both[0].model, []

    def post_process(sample, frames):
        given.append((len(sample.predictions), tuple(frames.shape)))

    monkeypatch.setattr(model, 'post_process', post_process)
    session = both[0].open(video)
    session.ask(texts=[TEXT, OTHER])
    session.ask(texts=TEXT)
    sizes = {shape for _, shape in given}
    assert [count for count, _ in given] == [2, 1] and len(sizes) == 1
    assert next(iter(sizes))[:2] == (8, 3)


def test_short_repr(both, video):  # noqa: F811
    result = both[0](video, TEXT)
    lines = repr(result).splitlines()
    assert len(lines) == 2 and 'counts' not in repr(result)
    assert lines[1].startswith(f"  ReferencePrediction('{TEXT}', score=0.")
    assert len(repr(Reference('0', sound=torch.zeros(9)))) < 200


def test_two_modalities_are_message_of(both, video, tmp_path, capsys):  # noqa: F811
    inferencer, config, weights = both
    session = inferencer.open(video)
    sound = session.soundtrack()
    message = message_of(session.ask, Reference('0', text=TEXT, sound=sound))
    assert message == (
        "MUTR: modality of reference '0' is 'text and sound'; expected one of "
        'them: the model takes one modality at a time'
    )
    options = ['--config', str(config), '--checkpoint', str(weights)]
    options += ['--device', 'cpu', '--out-dir', str(tmp_path / 'out')]
    assert main([str(video), *options, '--ask', f'text="{TEXT}" sound']) == 2
    assert message in capsys.readouterr().err
    asked = ['--ask', 'sound', '--ask', f'text="{TEXT}"', '--text', OTHER]
    assert main([str(video), *options, *asked]) == 0
    content = json.loads((tmp_path / 'out/predictions.json').read_text())
    found = [
        (p['modalities'], p['name'], p['sound'])
        for p in content['predictions']
    ]
    assert found == [
        (['sound'], '[sound]', str(video)),
        (['text'], TEXT, None),
        (['text'], OTHER, None),
    ]


def test_references_in_one_argument():
    reference = parse_reference(
        'text="the one" sound speech=\'a b.wav\'', '3', 'v.mp4'
    )
    assert (reference.id, reference.text) == ('3', 'the one')
    assert reference.sound_path == 'v.mp4'
    assert reference.speech_path == 'a b.wav'


@pytest.mark.parametrize(
    ('words', 'message'),
    [
        ('text="a', "--ask: quotes is 'text=\"a'; expected pairs"),
        ('', "--ask: reference is ''; expected text="),
        ('video=a.mp4', "--ask: entry is 'video=a.mp4'; expected each"),
        ('text=a text=b', "--ask: entry is 'text=b'; expected each at most"),
        ('text=', "--ask: entry is 'text='; expected each"),
        ('speech', "--ask: entry is 'speech'; expected each"),
    ],
)
def test_arguments_that_are_no_reference(words, message):
    with pytest.raises(InputError) as caught:
        parse_reference(words, '0', 'v.mp4')
    assert str(caught.value).startswith(message)
    assert '\n' not in str(caught.value)


def test_nothing_is_referred(both, video, tmp_path, monkeypatch, capsys):  # noqa: F811
    inferencer, config, weights = both
    before = inferencer(video, [TEXT, OTHER])
    assert not any(each.is_null for each in before.predictions)
    assert before.masks(0).any()
    options = [f'--config={config}', f'--checkpoint={weights}']
    options += ['--device=cpu', f'--out-dir={tmp_path / "out"}']
    strict = inferencer.model.test_cfg.changed(null_threshold=1.0)
    monkeypatch.setattr(inferencer.model, 'test_cfg', strict)
    result = inferencer(video, [TEXT, OTHER], out_dir=tmp_path / 'out')
    for old, new in zip(before.predictions, result.predictions, strict=True):
        assert new.is_null and new.score == old.score
    assert not result.masks(0).any() and len(result.masks(0)) == 8
    assert 'is_null=True' in repr(result)
    content = json.loads((tmp_path / 'out/predictions.json').read_text())
    assert [p['is_null'] for p in content['predictions']] == [True] * 2
    frames = list(inferencer.stream(video, TEXT, window=4))
    assert all(frame.is_null == [True] for frame in frames)
    windowed = inferencer(video, TEXT, window=4)
    assert windowed.predictions[0].is_null and not windowed.masks(0).any()
