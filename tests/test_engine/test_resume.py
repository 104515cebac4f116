"""Resuming with other settings, and what is refused."""

from pathlib import Path

import pytest
import torch

from refvos.commands import test, train
from refvos.errors import InputError
from refvos.io.safe_checkpoint import load_checkpoint_file

ROOT = Path(__file__).parents[2]
TOY = ROOT / 'tests/test_engine/toy_config.py'
BY_ITERATION = (
    'default_hooks.checkpoint.by_epoch=False',
    'default_hooks.checkpoint.interval=1',
    'default_hooks.checkpoint.save_best=None',
)


@pytest.fixture(autouse=True)
def one_thread(monkeypatch):
    monkeypatch.chdir(ROOT)
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


@pytest.fixture
def config(tmp_path):
    """8 samples, in batches of 2; all checkpoints are kept."""

    def write(loop='ResumableEpochTrainLoop', length='max_epochs=4', more=''):
        path = tmp_path / f'{loop}.py'
        path.write_text(
            f'_base_ = {str(TOY)!r}\n'
            f'train_cfg = dict(_delete_=True, type={loop!r}, {length})\n'
            'default_hooks = dict(checkpoint=dict(max_keep_ckpts=-1))\n'
            f'{more}\n'
        )
        return path

    return write


def run(config, work, name, *options, resume=None, tool=train, more=()):
    start = [] if resume is None else ['--resume', *resume]
    tool.main(
        [
            *(str(config), *map(str, more), '--work-dir', str(work), *start),
            *('--cfg-options', f'experiment_name={name}', *options),
        ]
    )


def logs(work):
    return '\n'.join(p.read_text() for p in sorted(work.glob('*/*.log')))


def iterations(work, *names):
    meta = [load_checkpoint_file(str(work / n))['meta'] for n in names]
    return [each['iter'] for each in meta]


@pytest.mark.parametrize(
    ('batch', 'size', 'expected'),
    [(2, 8, 4), (4, 8, 2), (1, 8, 8), (3, 8, 3), (8, 8, 1), (2, 4, 2)],
)
def test_epochs_of_another_length_are_trained(
    config, tmp_path, batch, size, expected
):
    work, path = tmp_path / 'work', config()
    name = f'length{batch}{size}'
    run(path, work, name, 'train_cfg.max_epochs=2')
    options = [
        f'train_dataloader.batch_size={batch}',
        f'train_dataloader.dataset.size={size}',
    ]
    run(path, work, f'{name}b', *options, resume=[])
    found = iterations(work, 'epoch_2.pth', 'epoch_3.pth', 'epoch_4.pth')
    assert found == [8, 8 + expected, 8 + 2 * expected]


@pytest.mark.parametrize(
    ('batch', 'size', 'rest', 'said'),
    [
        # 4 of 8 samples are used.
        (2, 8, 2, None),
        (4, 8, 1, '4 samples an iteration, 2 in the checkpoint: 1 of 2'),
        (1, 8, 4, '1 samples an iteration, 2 in the checkpoint: 4 of 8'),
        # The batch with the fourth sample comes again.
        (3, 8, 2, '1 of 3 iterations are done'),
        (2, 6, 3, 'The data set has 6 samples, 8 in the checkpoint'),
    ],
)
def test_the_samples_left_of_an_epoch_are_trained(
    config, tmp_path, batch, size, rest, said
):
    work, path = tmp_path / 'work', config(length='max_epochs=2')
    name = f'rest{batch}{size}'
    run(path, work, name, 'train_cfg.max_epochs=1', *BY_ITERATION)
    options = [
        f'train_dataloader.batch_size={batch}',
        f'train_dataloader.dataset.size={size}',
    ]
    half = str(work / 'iter_2.pth')
    run(path, work, f'{name}b', *options, resume=[half])
    length = -(-size // batch)
    assert iterations(work, 'epoch_1.pth') == [2 + rest]
    assert iterations(work, 'epoch_2.pth') == [2 + rest + length]
    assert said is None or said in logs(work)
    told = ('samples an iteration', 'the epoch begins again')
    assert any(words in logs(work) for words in told) == (said is not None)


def test_iterations_go_on_after_the_samples_that_were_used(config, tmp_path):
    work, path = (
        tmp_path / 'work',
        config(
            'ResumableIterTrainLoop',
            'max_iters=4',
            'train_dataloader = dict(sampler=dict(_delete_=True, '
            "type='InfiniteSampler', shuffle=True))",
        ),
    )
    run(path, work, 'iter', *BY_ITERATION)
    seen = []
    for name, batch in (('iter2', 2), ('iter4', 4)):
        folder = tmp_path / name
        run(
            path,
            folder,
            name,
            f'train_dataloader.batch_size={batch}',
            'train_cfg.max_iters=3',
            *BY_ITERATION,
            resume=[str(work / 'iter_2.pth')],
        )
        content = load_checkpoint_file(str(folder / 'iter_3.pth'))
        info = content['message_hub']['runtime_info']
        seen.append(tuple(info['place_in_data']))
    assert seen == [(0, 2, 4, 2, 8), (0, 2, 4, 4, 8)]


def test_it_is_told_what_the_checkpoint_decides(config, tmp_path):
    work = tmp_path / 'work'
    path = config(
        more="param_scheduler = [dict(type='MultiStepLR', by_epoch=True, "
        'begin=0, end=4, milestones=[3])]'
    )
    run(path, work, 'first', 'train_cfg.max_epochs=1')
    run(path, work, 'same', 'train_cfg.max_epochs=2', resume=[])
    assert 'new ones' not in logs(work)
    options = [
        'optim_wrapper.optimizer.lr=0.001',
        'optim_wrapper.optimizer.weight_decay=0.5',
        'param_scheduler.0.milestones=[2]',
    ]
    run(path, work, 'other', *options, resume=[])
    (line,) = {x for x in logs(work).splitlines() if 'new ones' in x}
    assert "--resume goes on with the checkpoint's settings" in line
    for words in (
        'SGD lr 0.1 (config: 0.001)',
        'SGD weight_decay 0 (config: 0.5)',
        'MultiStepLR milestones [3] (config: [2])',
    ):
        assert words in line
    content = load_checkpoint_file(str(work / 'epoch_4.pth'))
    assert content['optimizer']['param_groups'][0]['lr'] == pytest.approx(0.01)


@pytest.mark.parametrize(
    ('change', 'words'),
    [
        (lambda c: c.pop('meta'), 'meta.epoch is None'),
        (lambda c: c['meta'].update(iter='x'), "meta.iter is 'x'"),
        (lambda c: c['meta'].update(seed=-1), 'meta.seed is -1'),
        (lambda c: c.pop('message_hub'), 'message_hub is None'),
        (lambda c: c.pop('optimizer'), 'optimizer is None'),
        (
            lambda c: c['optimizer'].update(param_groups=[]),
            "parameters in the optimizer's groups is []; expected [1]",
        ),
        (
            lambda c: c['param_schedulers'].pop(),
            'number of param_schedulers is 1; expected 2',
        ),
        (
            lambda c: c['param_schedulers'][0].update(step=1),
            'expected the state of a LinearLR',
        ),
        (
            lambda c: c['state_dict'].update(other=torch.zeros(1)),
            "key is 'other'",
        ),
    ],
)
def test_what_no_training_goes_on_from(config, tmp_path, change, words):
    work, path = tmp_path / 'work', config()
    name = str(abs(hash(words)))
    run(path, work, name, 'train_cfg.max_epochs=1')
    file = work / 'epoch_1.pth'
    content = load_checkpoint_file(str(file))
    change(content)
    torch.save(content, file)
    with pytest.raises(InputError) as error:
        run(path, work, f'{name}b', resume=[str(file)])
    assert str(error.value).startswith(f'{file}: ')
    assert words in str(error.value)


# ------------------------------------------------------------ weights that fit


def weights(path, **state):
    torch.save({'state_dict': state}, path)
    return path


@pytest.mark.parametrize('tool', [test, train])
@pytest.mark.parametrize(
    ('state', 'words'),
    [
        ({'model.linear.weight': torch.ones(1, 1)}, "key is 'model.linear.w"),
        ({'linear.weight': torch.ones(2, 1)}, 'shape of key linear.weight is'),
        ({'linear.weight': torch.ones(1, 1, dtype=torch.cfloat)}, 'complex'),
        ({'linear.weight': [1.0]}, 'expected a tensor'),
    ],
)
def test_weights_of_another_model(tmp_path, tool, state, words):
    file = weights(tmp_path / 'a.pth', **state)
    more = [file] if tool is test else ['--load-from', file]
    name = f'other{tool.__name__}{abs(hash(words))}'
    with pytest.raises(InputError) as error:
        run(TOY, tmp_path, name, tool=tool, more=more)
    assert str(error.value).startswith(f'{file}: ')
    assert words in str(error.value)


def test_missing_weights_are_taken_where_they_are_meant(tmp_path):
    file = weights(
        tmp_path / 'a.pth',
        **{'module.linear.weight': torch.ones(1, 1), 'head': torch.ones(1)},
    )
    run(TOY, tmp_path, 'miss', tool=test, more=[file, '--allow-missing'])
    assert '1 weights unknown to the model, left out: head' in logs(tmp_path)
    # Not a single one is no start.
    weights(file, head=torch.ones(1))
    with pytest.raises(InputError, match=r'key linear\.weight is'):
        run(TOY, tmp_path, 'none', tool=test, more=[file, '--allow-missing'])


def test_a_config_says_what_may_be_missing(tmp_path):
    path = tmp_path / 'config.py'
    hook = "dict(type='DropKeysHook', prefixes=['linear.'])"
    path.write_text(
        f'_base_ = {str(TOY)!r}\n'
        f'custom_hooks = [{hook}]\ntrain_cfg = dict(max_epochs=1)\n'
    )
    for width in (1, 3):
        file = weights(
            tmp_path / 'a.pth', **{'linear.weight': torch.ones(width, 1)}
        )
        more = ['--load-from', file]
        run(path, tmp_path, f'drop{width}', more=more)
    # Not where a model is tested.
    with pytest.raises(InputError, match=r'shape of key linear\.weight'):
        run(path, tmp_path, 'dropped', tool=test, more=[file])
