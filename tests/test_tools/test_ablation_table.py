"""The table of the mini ablations."""

import csv
import json
import os
import sys
from pathlib import Path

import pytest
import torch

from refvos.commands import runs
from refvos.commands.ablation import load_tables, rows
from refvos.errors import InputError
from refvos.io.safe_checkpoint import load_checkpoint_file
from refvos.mini import make_mini
from tests.builders import ROOT, changes_of, load_config, load_script


@pytest.fixture
def tool(monkeypatch):
    monkeypatch.chdir(ROOT)
    return load_script('tools/analysis_tools/ablation_table.py')


def config_of(tool, row, table='referformer'):
    return tool.TABLES[table].rows[row].config


def ablation_of(tool, arguments):
    return tool.make_ablation(tool.parse_args(arguments))


CONFIGS = 'configs/mini/ablations'
MOTION_DATA = 'data/refvos-mini-motion'
JSC = {
    'model.jsc.type': 'JointSemanticConsistency',
    'model.jsc.parts.0': 'video',
    'model.jsc.parts.1': 'text',
    'model.jsc.loss_weight': 5.0,
}
MINI = {
    'no-fpn-fusion': {'model.fpn.fuse_words': False},
    'no-relative-coordinates': {'model.mask_head.relative_coordinates': False},
    'n5': {'model.num_queries': 5},
    't1': {'train_dataloader.dataset.pipeline.0.num_frames': 1},
    't3': {'train_dataloader.dataset.pipeline.0.num_frames': 3},
}


@pytest.mark.parametrize('row', MINI)
def test_a_row_changes_one_thing(tool, row):
    found = changes_of(config_of(tool, row), config_of(tool, 'base'))
    assert found == MINI[row]


def test_rows_train_alike(tool):
    """The base line has a model of its own, and nothing else."""
    found = changes_of(config_of(tool, 'bottom-up'), config_of(tool, 'base'))
    assert {key.split('.')[0] for key in found} == {'model'}


def test_no_config_is_left_out(tool):
    files = [
        Path(config_of(tool, row, name)).name
        for name, table in tool.TABLES.items()
        for row in table.rows
    ]
    there = [path.name for path in (ROOT / CONFIGS).glob('*.py')]
    assert sorted(files) == sorted(there)


@pytest.mark.parametrize(
    ('row', 'left_out'),
    [('no-mta', {'mta'}), ('no-mti', {'mti'}), ('neither', {'mta', 'mti'})],
)
def test_rows_of_the_motion_table(tool, row, left_out):
    paths = [config_of(tool, name, 'mutr-motion') for name in (row, 'base')]
    parts = {tuple(key.split('.')[:2]) for key in changes_of(*paths)}
    assert parts == {('model', name) for name in left_out}
    for path in paths:
        config = load_config(path)
        # Frames meet in MTA and MTI alone, and there are some to meet.
        assert config.model.fpn.fuse_words is False
        loaders = (config.train_dataloader, config.test_dataloader)
        folders = {each.dataset.data_root for each in loaders}
        assert folders == {MOTION_DATA}
        clip = config.train_dataloader.dataset.pipeline[0]
        assert clip.num_frames == 4
    for path in tool.TABLES['mutr-motion'].starts.values():
        loader = load_config(path).train_dataloader
        assert loader.dataset.data_root == MOTION_DATA
    assert f'make_mini.py {MOTION_DATA}' in (ROOT / 'Makefile').read_text()


# JSC left out is the default, as in the first row.
CMIE = {'type', 'num_stages', 'cmie', 'cmie_reductions'}
PROXY_ROWS = {
    'base': set(),
    'cmie': CMIE,
    'cmie-no-p2v': CMIE,
    'cmie-jsc': CMIE | {'jsc'},
    'mutr': {'type', 'mta', 'mti'},
}


@pytest.mark.parametrize('row', PROXY_ROWS)
def test_rows_of_the_motion_table_of_proxyformer(tool, row):
    """Only what connects the frames differs."""
    path = config_of(tool, row, 'proxyformer-motion')
    found = changes_of(path, config_of(tool, 'base', 'proxyformer-motion'))
    parts = {tuple(key.split('.')[:2]) for key in found}
    assert parts == {('model', name) for name in PROXY_ROWS[row]}
    config = load_config(path)
    assert config.model.fpn.fuse_words is False
    loaders = (config.train_dataloader, config.test_dataloader)
    assert {each.dataset.data_root for each in loaders} == {MOTION_DATA}
    assert config.find_unused_parameters


@pytest.mark.parametrize(
    ('row', 'changes'),
    [
        ('cmie-no-p2v', {'model.cmie.pixels_read': None}),
        ('cmie-jsc', JSC),
    ],
)
def test_rows_with_cmie_differ_in_one_thing(tool, row, changes):
    found = changes_of(
        config_of(tool, row, 'proxyformer-motion'),
        config_of(tool, 'cmie', 'proxyformer-motion'),
    )
    assert found == changes


def options_of(folder):
    options = ['train_dataloader.batch_size=2']
    for loader in ('train_dataloader', 'test_dataloader'):
        options += [
            f'{loader}.dataset.data_root={folder}',
            f'{loader}.num_workers=0',
            f'{loader}.persistent_workers=False',
        ]
    return options


def save_backbone(folder):
    """The stem's weights are 2, which no random start gives."""
    path = folder / 'backbone.pth'
    stem = torch.full((16, 3, 7, 7), 2.0)
    torch.save({'state_dict': {'backbone.conv1.weight': stem}}, path)
    return str(path)


def made_before(tool, arguments, row, score, seed=None, wrong=8.0):
    """A finished training of a row in the work folder."""
    ablation = ablation_of(tool, arguments)
    result = {
        'row': row,
        'what': ablation.table.rows[row].what,
        'config': ablation.table.rows[row].config,
        'settings': ablation.settings,
        'parameters': 2032271,
        'iterations': 2,
        'minutes': 0.5,
        'test': {'J&F': score, 'J&F/motion': 12.5},
        'test_with_wrong_references': {'J&F': wrong},
        'commit': 'abc',
        'command': f'tools/train.py {row}',
    }
    file = ablation.folder(row, seed) / 'result.json'
    file.parent.mkdir(parents=True)
    file.write_text(json.dumps(result))
    return result


def test_rows_are_trained_scored_and_tabled(
    tool, tmp_path, monkeypatch, capsys
):
    """Two steps of the base line of Table 4, beside a row made before."""
    data, out = tmp_path / 'mini', tmp_path / 'docs' / 'table'
    make_mini(data, train=2, val=1, test=1, workers=1, progress=False)
    arguments = [
        *('--iters', '2', '--rows', 'bottom-up', '--processes', '1'),
        *('--work-dir', str(tmp_path / 'work'), '--out', str(out)),
        *('--backbone', save_backbone(tmp_path)),
        *('--cfg-options', *options_of(data)),
    ]
    base = made_before(tool, arguments, 'base', 40.0)
    results = tool.main(arguments)
    # In the table's order, not as asked.
    assert results[0] == base
    result = results[1]
    assert (result['row'], result['iterations']) == ('bottom-up', 2)
    folder = tmp_path / 'work' / 'bottom-up'
    assert json.loads((folder / 'result.json').read_text()) == result
    for scores in (result['test'], result['test_with_wrong_references']):
        assert 0 <= scores['J&F'] <= 100
    assert result['parameters'] < base['parameters']
    trained = load_checkpoint_file(str(folder / 'train' / 'iter_2.pth'))
    stem = trained['state_dict']['backbone.conv1.weight']
    assert (stem - 2).abs().max() < 0.01
    weights = trained['state_dict']['mask_conv.weight']
    assert weights.shape == (1, 64, 1, 1)

    with open(f'{out}.csv', newline='') as file:
        table = list(csv.DictReader(file))
    assert [line['row'] for line in table] == ['base', 'bottom-up']
    assert table[0]['wrong'] == '8.0' and table[0]['motion'] == '12.5'
    score = result['test']['J&F']
    assert float(table[1]['J&F']) == score
    assert float(table[1]['to base']) == pytest.approx(score - 40, abs=0.01)
    markdown = Path(f'{out}.md').read_text()
    what = tool.TABLES['referformer'].rows['bottom-up'].what
    assert f'| bottom-up | {what} | {score} |' in markdown
    text = ' '.join(markdown.split())
    assert (
        f'2 steps a row on 1 processes, from {tmp_path}/backbone.pth, ' in text
    )

    # Again: nothing is trained, the table is the same.
    monkeypatch.setattr(runs, 'run_training', None)
    assert tool.main(arguments) == results
    assert Path(f'{out}.md').read_text() == markdown
    with pytest.raises(InputError) as error:
        tool.main([*arguments[:1], '3', *arguments[2:]])
    message = str(error.value)
    assert message.startswith(f'{tmp_path}/work/base/result.json: settings')
    assert message.endswith('or another --work-dir')


def test_the_motion_table(tool, tmp_path, monkeypatch):
    """A row is trained for two steps, beside one made before."""
    data, out = tmp_path / 'motion', tmp_path / 'table'
    make_mini(
        data,
        train=2,
        val=1,
        test=1,
        workers=1,
        progress=False,
        scenes='one-moves',
    )
    arguments = [
        *('--table', 'mutr-motion', '--rows', 'no-mti'),
        *('--iters', '2', '--processes', '1'),
        *('--work-dir', str(tmp_path / 'work'), '--out', str(out)),
        *('--backbone', save_backbone(tmp_path)),
        *('--cfg-options', *options_of(data)),
    ]
    base = made_before(tool, arguments, 'base', 40.0)
    results = tool.main(arguments)
    assert [result['row'] for result in results] == ['base', 'no-mti']
    assert results[0] == base
    markdown = Path(f'{out}.md').read_text()
    assert markdown.startswith(f'# {tool.TABLES["mutr-motion"].title}\n')
    assert '`make mutr-motion` writes this file' in markdown
    score = results[1]['test']['J&F']
    wrong = results[1]['test_with_wrong_references']['J&F']
    assert 0 <= score <= 100
    to_base = round(score - 40, 2)
    line = f'| no-mti | without MTI (Table 7) | {score} | {to_base} | {wrong} '
    assert line in markdown
    path = tmp_path / 'work/no-mti/train/iter_2.pth'
    state = load_checkpoint_file(str(path))['state_dict']
    assert {key.split('.')[0] for key in state} >= {'mta', 'fusion'}
    assert not any(key.startswith('mti.') for key in state)

    # A folder of another table's rows is refused.
    with pytest.raises(InputError, match=r'result\.json: config is .*motion'):
        tool.main([*arguments[2:], '--table', 'referformer', '--rows', 'base'])


def test_a_row_is_trained_once_per_seed(tool, tmp_path, monkeypatch):
    """Seed by seed, mean and range; what is finished stays."""
    out = tmp_path / 'table'
    arguments = [
        *('--table', 'proxyformer-motion', '--rows', 'base', 'cmie'),
        *('--iters', '7', '--processes', '1'),
        *('--backbone', save_backbone(tmp_path)),
        *('--work-dir', str(tmp_path / 'work'), '--out', str(out)),
    ]
    for seed, score in ((0, 40.0), (1, 50.0)):
        made_before(tool, arguments, 'base', score, seed, wrong=10.0 + seed)
    trained = []

    def train(command):
        folder = Path(command[command.index('--work-dir') + 1])
        seed = command[command.index('--seed') + 1]
        trained.append((folder.parts[-3], folder.parts[-2], seed))
        folder.mkdir(parents=True)
        torch.save({}, folder / 'iter_7.pth')

    scores = {'0': 60.0, '1': 70.0, '2': 90.5}

    def score(config, weights, folder, options, name):
        found = scores[name[-1]]
        return {
            'test': {'J&F': found},
            'test_with_wrong_references': {'J&F': found / 10},
        }

    monkeypatch.setattr(runs, 'run_training', train)
    monkeypatch.setattr(runs, 'score', score)
    results = tool.main(arguments)
    assert trained == [
        ('cmie', 'seed0', '0'),
        ('cmie', 'seed1', '1'),
        ('base', 'seed2', '2'),
        ('cmie', 'seed2', '2'),
    ]
    assert [result['row'] for result in results] == ['base'] * 3 + ['cmie'] * 3
    with open(f'{out}.csv', newline='') as file:
        base, cmie = csv.DictReader(file)
    assert (base['J&F'], base['lowest, highest']) == ('60.17', '40.0, 90.5')
    assert (base['wrong'], base['trainings']) == ('10.02', '3')
    assert (cmie['J&F'], cmie['lowest, highest']) == ('73.5', '60.0, 90.5')
    assert cmie['to base'] == '13.33'
    assert (cmie['wrong'], cmie['wrong: lowest, highest']) == (
        '7.35',
        '6.0, 9.05',
    )
    text = ' '.join(Path(f'{out}.md').read_text().split())
    assert 'for each of the seeds 0, 1, 2, with the lowest' in text
    assert 'One run a row' not in text
    assert text.count('--seed 2') == 2
    trained.clear()
    assert tool.main(arguments) == results and not trained


def test_defaults_of_the_tables(tool):
    """Results of the first table stay where they have been made."""
    args = tool.parse_args([])
    assert args.work_dir == 'work_dirs/ablations_mini'
    assert args.out == 'docs/ablations_mini'
    assert args.rows == list(tool.TABLES['referformer'].rows)
    assert tool.make_ablation(args).settings == {
        'minutes': 15.0,
        'backbone': None,
        'processes': 2,
        'options': [],
    }
    args = tool.parse_args(['--table', 'mutr-motion'])
    assert args.work_dir == 'work_dirs/mutr_motion_mini'
    assert args.out == 'docs/mutr_motion_mini'
    assert args.rows == ['base', 'no-mta', 'no-mti', 'neither']
    with pytest.raises(InputError, match="row of mutr-motion is 'n5'"):
        tool.parse_args(['--table', 'mutr-motion', '--rows', 'n5'])


def test_rows_start_from_one_backbone_and_go_on(tool, tmp_path, monkeypatch):
    trained = []

    def train(command):
        trained.append(command)
        (tmp_path / 'backbone').mkdir()
        (tmp_path / 'backbone' / 'iter_9.pth').touch()

    latest = {
        str(tmp_path / 'backbone'): 'iter_9.pth',
        str(tmp_path / 'begun'): 'iter_3.pth',
    }
    monkeypatch.setattr(runs, 'run_training', train)
    monkeypatch.setattr(rows, 'find_latest_checkpoint', latest.get)
    ablation = ablation_of(tool, ['--work-dir', str(tmp_path)])
    for row in ('base', 'n5'):
        command = ablation.train_command(row, tmp_path / row, 100)
        place = command.index('--load-from')
        assert command[place + 1] == 'iter_9.pth'
        assert '--resume' not in command
    assert len(trained) == 1
    assert ablation.table.starts['backbone'] in trained[0]
    command = ablation.train_command('base', tmp_path / 'begun', 100)
    assert '--resume' in command and '--load-from' not in command
    command = ablation.train_command(
        'base', tmp_path / 'begun', 100, fresh=True
    )
    assert '--load-from' in command and '--resume' not in command
    ablation = ablation_of(tool, ['--backbone', 'none.pth'])
    with pytest.raises(InputError, match=r'none\.pth: --backbone'):
        ablation.train_command('base', tmp_path / 'new', 100)


def test_trainings_before_the_rows_follow_each_other(
    tool, tmp_path, monkeypatch
):
    begun = {}

    def train(command):
        folder = Path(command[command.index('--work-dir') + 1])
        begun[folder.name] = command
        folder.mkdir(exist_ok=True)
        torch.save({}, folder / 'iter_5.pth')

    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(runs, 'run_training', train)
    ablation = ablation_of(
        tool, ['--table', 'mutr-motion', '--work-dir', str(tmp_path)]
    )
    assert ablation.start_weights() == 'start/iter_5.pth'
    assert list(begun) == ['backbone', 'start']
    for name, command in begun.items():
        assert ablation.table.starts[name] in command
    assert begun['backbone'][-1] == '--resume'
    assert begun['start'][-3:] == [
        '--load-from',
        'backbone/iter_5.pth',
        '--allow-missing',
    ]
    # Stopped on its way, a training goes on with its own weights.
    (tmp_path / 'start' / 'done.json').unlink()
    begun.clear()
    ablation.start_weights()
    assert list(begun) == ['start'] and begun['start'][-1] == '--resume'
    begun.clear()
    assert ablation.start_weights() == 'start/iter_5.pth'
    assert not begun


def test_an_interrupted_row_is_scored_where_it_stopped(
    tool, tmp_path, monkeypatch
):
    """Trained to the end, but not scored: it is not trained again."""
    train = tmp_path / 'work' / 'n5' / 'train'
    train.mkdir(parents=True)
    (train / 'iter_7.pth').write_bytes(b'weights')
    monkeypatch.setattr(
        rows, 'find_latest_checkpoint', lambda folder: 'iter_7.pth'
    )
    monkeypatch.setattr(runs, 'run_training', None)
    tested = []

    def test(arguments):
        tested.append(arguments)
        return {'J&F': 10.0 if '--wrong-references' in arguments else 30.0}

    monkeypatch.setattr(runs.test, 'main', test)
    (result,) = tool.main(
        [
            *('--iters', '7', '--rows', 'n5'),
            *('--backbone', save_backbone(tmp_path)),
            *('--work-dir', str(tmp_path / 'work')),
            *('--out', str(tmp_path / 'table')),
        ]
    )
    assert all('iter_7.pth' in arguments for arguments in tested)
    assert result['test'] == {'J&F': 30.0}
    assert result['test_with_wrong_references'] == {'J&F': 10.0}


def test_minutes_become_steps_by_a_trial(tool, tmp_path, monkeypatch):
    def trial(command):
        folder = Path(command[command.index('--work-dir') + 1])
        assert folder == tmp_path / 'trials' / 't3'
        assert f'train_cfg.max_iters={rows.TRIAL_ITERS}' in command
        log = folder / '20260101_000000' / 'vis_data' / 'scalars.json'
        log.parent.mkdir(parents=True)
        # The first steps are slower; a record may be of a test.
        records = [
            {'loss': 1.0, 'step': 10, 'time': 2.0},
            {'loss': 1.0, 'step': 30, 'time': 0.5},
            {'J&F': 50.0, 'step': 30, 'time': 9.0},
        ]
        log.write_text('\n'.join(map(json.dumps, records)))

    monkeypatch.setattr(runs, 'run_training', trial)
    arguments = ['--minutes', '3', '--work-dir', str(tmp_path)]
    arguments += ['--backbone', save_backbone(tmp_path)]
    ablation = ablation_of(tool, arguments)
    # 180 seconds of half a second.
    assert ablation.iterations_of('t3') == 360
    # The trial is not repeated: another time would be another budget.
    monkeypatch.setattr(runs, 'run_training', None)
    assert ablation.iterations_of('t3') == 360


@pytest.mark.parametrize(
    ('iterations', 'warmup'), [(2, 1), (30, 3), (2500, 100)]
)
def test_the_schedule_has_the_length_of_the_training(
    tool, tmp_path, iterations, warmup
):
    backbone = save_backbone(tmp_path)
    ablation = ablation_of(tool, ['--processes', '2', '--backbone', backbone])
    command = ablation.train_command('base', tmp_path, iterations)
    script = ROOT / 'tools/dist_train.sh'
    assert command[:2] == ['bash', os.path.relpath(script)]
    assert command[2:4] == [config_of(tool, 'base'), '2']
    options = command[command.index('--cfg-options') + 1 :]
    config = load_config(config_of(tool, 'base'))
    config.merge_from_dict(
        {
            key: int(value)
            for key, value in (option.split('=') for option in options)
        }
    )
    rise, fall = config.param_scheduler
    assert (rise.begin, rise.end) == (0, warmup)
    assert (fall.begin, fall.end) == (warmup, iterations)
    assert config.train_cfg.max_iters == iterations


def test_a_training_that_fails_ends_the_tool():
    with pytest.raises(SystemExit) as error:
        runs.run_training([sys.executable, '-c', 'raise SystemExit(2)'])
    assert error.value.code == 2


@pytest.mark.parametrize(
    ('arguments', 'field'),
    [(['--iters', '1'], 'iters'), (['--minutes', '0'], 'minutes')],
)
def test_budgets_that_are_none(tool, arguments, field):
    with pytest.raises(InputError, match=f'--{field}: {field} is'):
        tool.parse_args(arguments)


@pytest.mark.parametrize(
    ('old', 'new', 'message'),
    [
        (
            'title: ',
            'name: ',
            r"ab\.yml: keys is \[.*'name'.*expected \[.*title",
        ),
        ('    what: a', '    why: a', r"rows\.base is \['config', 'why'\]"),
    ],
)
def test_tables_with_wrong_keys(tmp_path, old, new, message):
    text = (
        'title: A\nabout: B\ntarget: c\nwork_dir: d\nout: e\nstarts: {}\n'
        'about_start: f\nrows:\n  base:\n    config: g.py\n    what: a\n'
    )
    file = tmp_path / 'ab.yml'
    file.write_text(text)
    assert list(load_tables(tmp_path)) == ['ab']
    file.write_text(text.replace(old, new))
    with pytest.raises(InputError, match=message):
        load_tables(tmp_path)
