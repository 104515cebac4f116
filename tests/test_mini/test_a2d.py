"""Train and test on RefVOS-Mini in A2D- and JHMDB-Sentences's layout."""

import json

import numpy as np
import pytest

from tests.builders import ROOT, load_script

CONFIGS = {
    'a2d': ROOT / 'configs/mini/referformer_mini_a2d.py',
    'jhmdb': ROOT / 'configs/mini/referformer_mini_jhmdb.py',
}
# The smallest model; five queries, so that there are candidates to rank.
TINY = [
    'model.num_queries=5',
    'model.encoder.num_layers=1',
    'model.decoder.num_layers=1',
    'load_from=None',
    'train_dataloader.batch_size=2',
    *(
        f'{part}_dataloader.{option}'
        for part in ('train', 'val', 'test')
        for option in ('num_workers=0', 'persistent_workers=False')
    ),
]


@pytest.fixture(scope='module')
def data(shared_mini):
    return shared_mini(
        train=2,
        val=1,
        test=2,
        frames=4,
        size=(96, 128),
        layouts=['a2d', 'jhmdb'],
    )


@pytest.fixture(scope='module')
def trained(data, tmp_path_factory):
    """Train for two iterations, with a validation at the end."""
    folder = tmp_path_factory.mktemp('work')
    options = [
        *TINY,
        'train_cfg.max_iters=2',
        'train_cfg.val_interval=2',
        f'train_dataloader.dataset.data_root={data}',
        f'val_dataloader.dataset.data_root={data}',
    ]
    load_script('tools/train.py').main(
        [str(CONFIGS['a2d']), '--work-dir', str(folder)]
        + ['--cfg-options', *options]
    )
    return folder


def test_training_learns_from_annotated_frames(trained):
    (log,) = trained.glob('*/vis_data/scalars.json')
    lines = [json.loads(line) for line in log.read_text().splitlines()]
    scores = lines[-1]
    assert {'P@0.5', 'oIoU', 'mIoU', 'mAP'} <= set(scores)
    assert (trained / 'iter_2.pth').exists()


def average_precision(rows, threshold):
    """Compute COCO's average precision of one prediction per expression.

    The mean over 101 recalls of the best precision at that recall or above.
    """
    rows = sorted(rows, key=lambda row: -row['score'])
    hits = np.cumsum([row['IoU'] >= 100 * threshold for row in rows])
    precisions = hits / np.arange(1, len(rows) + 1)
    recalls = hits / len(rows)
    return np.mean(
        [
            max(precisions[recalls >= recall], default=0)
            for recall in np.linspace(0, 1, 101)
        ]
    )


@pytest.mark.parametrize('layout', ['a2d', 'jhmdb'])
@pytest.mark.parametrize('num_queries', [1, 5])
def test_scores_are_those_of_the_table(
    data, trained, tmp_path, layout, num_queries
):
    """The pixel counts of the table give the precision and the IoUs.

    With a single query they give the mAP, too. The weights are those of the
    demo with one query, else nearly random.
    """
    table = tmp_path / 'table.json'
    weights = trained / 'iter_2.pth'
    options = [*TINY, f'test_evaluator.per_expression_table={table}']
    if num_queries == 1:
        weights = ROOT / 'demo/weights/referformer_mini.safetensors'
        options = [*TINY[3:], *options[-1:]]
    metrics = load_script('tools/test.py').main(
        [str(CONFIGS[layout]), str(weights), '--work-dir', str(tmp_path)]
        + ['--cfg-options', *options]
        + [f'test_dataloader.dataset.data_root={data}']
    )
    rows = json.loads(table.read_text())
    if layout == 'a2d':
        file = data / 'a2d_sentences_single_frame_test_annotations.json'
        named = [f'v_{v}_f_{f}_i_{i}' for _, v, f, i in load(file)]
    else:
        file = data / 'jhmdb_sentences_samples_metadata.json'
        named = [f'v_{v}_f_{int(f[-9:-4])}' for v, f, *_ in load(file)]
    # Every expression once.
    assert sorted(row['reference'] for row in rows) == sorted(named)
    pixels = np.array([[r['intersection'], r['union']] for r in rows], float)
    ious = pixels[:, 0] / pixels[:, 1]
    assert metrics['oIoU'] == pytest.approx(
        100 * pixels[:, 0].sum() / pixels[:, 1].sum()
    )
    assert metrics['mIoU'] == pytest.approx(100 * ious.mean(), abs=1e-4)
    for k in (0.5, 0.6, 0.7, 0.8, 0.9):
        assert metrics[f'P@{k}'] == pytest.approx(100 * (ious > k).mean())
    if num_queries == 1:
        expected = [
            average_precision(rows, threshold)
            for threshold in np.linspace(0.5, 0.95, 10)
        ]
        assert metrics['mAP'] == pytest.approx(100 * np.mean(expected))
        # The demo's model was trained on the same shapes in another layout.
        assert metrics['mIoU'] > 20


def load(file):
    return json.loads(file.read_text())
