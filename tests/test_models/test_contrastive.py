"""Contrastive losses by hand, and on two processes as on one."""

import math
import multiprocessing

import pytest
import torch
import torch.multiprocessing as mp
from torch import distributed as dist
from torch import nn
from torch.nn.parallel import DistributedDataParallel

from refvos.errors import InputError
from refvos.models.losses import (
    JointSemanticConsistency,
    SymmetricInfoNCE,
    gather_rows,
)

C = 6
# Rows of the two processes: they need not be as many.
SIZES = (3, 2)


def draw_views():
    generator = torch.Generator().manual_seed(0)
    size = (2, sum(SIZES), C)
    return torch.randn(size, generator=generator).unbind()


def by_hand(first, second, positives, temperature):
    """The mean over both ways of -log of the positives' shares."""

    def cosine(a, b):
        return float(a @ b / (a.norm() * b.norm()))

    total = 0.0
    count = len(first)
    for one, other in ((first, second), (second, first)):
        for i in range(count):
            scores = [
                math.exp(cosine(one[i], other[j]) / temperature)
                for j in range(count)
            ]
            logs = [math.log(scores[j] / sum(scores)) for j in positives[i]]
            total -= sum(logs) / len(logs)
    return total / (2 * count)


def test_every_row_has_one_partner():
    first, second = draw_views()
    loss = SymmetricInfoNCE(temperature=0.5, loss_weight=3.0)
    expected = 3 * by_hand(first, second, [[i] for i in range(5)], 0.5)
    assert float(loss(first, second)) == pytest.approx(expected, rel=1e-5)
    # Neither the order of views nor their lengths matter.
    assert float(loss(second, 7 * first)) == pytest.approx(expected, rel=1e-5)


def test_rows_of_a_group_are_all_positives():
    first, second = draw_views()
    groups = torch.tensor([4, 1, 4, 0, 1])
    positives = [[0, 2], [1, 4], [0, 2], [3], [1, 4]]
    found = SymmetricInfoNCE(temperature=0.5)(first, second, groups)
    assert float(found) == pytest.approx(
        by_hand(first, second, positives, 0.5), rel=1e-5
    )


def test_a_temperature_is_fixed_or_learned():
    first, second = draw_views()
    fixed = SymmetricInfoNCE(0.2)
    assert list(fixed.parameters()) == [] and not fixed.state_dict()
    learned = SymmetricInfoNCE(0.2, learned=True, min_temperature=0.05)
    loss = learned(first, second)
    assert float(loss) == pytest.approx(float(fixed(first, second)))
    loss.backward()
    # Views that are not alike want a higher temperature.
    assert learned.log_temperature.grad < 0
    with torch.no_grad():
        learned.log_temperature.fill_(-100.0)
    assert float(learned.temperature) == pytest.approx(0.05)


def test_a_batch_without_rows_has_no_loss():
    rows = torch.zeros(0, C, requires_grad=True)
    loss = SymmetricInfoNCE(learned=True)(rows, rows)
    loss.backward()
    assert float(loss) == 0 and rows.grad.shape == (0, C)


@pytest.mark.parametrize('name', ['temperature', 'min_temperature'])
def test_a_temperature_that_is_none_is_refused(name):
    with pytest.raises(InputError) as error:
        SymmetricInfoNCE(**{name: 0.0})
    assert str(error.value) == (
        f'SymmetricInfoNCE: {name} is 0.0; expected a number above 0'
    )


def test_without_cosines_lengths_count():
    """Inner products, as ProxyFormer's equation 8 has them."""
    first, second = draw_views()
    found = SymmetricInfoNCE(temperature=1.0, normalize=False)(first, second)
    scores = first.double() @ second.double().T
    total = 0.0
    for i in range(len(first)):
        total += math.log(scores[i].exp().sum()) - float(scores[i, i])
        total += math.log(scores[:, i].exp().sum()) - float(scores[i, i])
    assert float(found) == pytest.approx(total / (2 * len(first)), rel=1e-5)


class Views(nn.Module):
    """A model whose loss compares two projections of its inputs."""

    def __init__(self):
        super().__init__()
        torch.manual_seed(1)
        self.first, self.second = nn.Linear(C, 4), nn.Linear(C, 4)
        self.loss = SymmetricInfoNCE(0.2, learned=True)

    def forward(self, first, second, groups):
        return self.loss(self.first(first), self.second(second), groups)


class Queries(nn.Module):
    """Like :class:`Views`, with joint semantic consistency."""

    def __init__(self):
        super().__init__()
        torch.manual_seed(1)
        self.first = nn.Linear(C, 4)
        self.loss = JointSemanticConsistency(embed_dims=4, temperature=0.5)

    def forward(self, first, second, groups):
        return self.loss(self.first(first), second[:, :4], second[:, 2:])


GROUPS = torch.tensor([0, 1, 2, 0, 3])
MODELS = {'info-nce': Views, 'jsc': Queries}


def train_step(rank, name):
    """What one process sees: the loss, its gradients, and gathered rows."""
    rows = slice(0, SIZES[0]) if rank == 0 else slice(SIZES[0], None)
    inputs = [x[rows] for x in (*draw_views(), GROUPS)]
    model = DistributedDataParallel(MODELS[name]())
    loss = model(*inputs)
    loss.backward()
    names = gather_rows(torch.arange(SIZES[rank]) + 10 * rank)
    grads = [parameter.grad for parameter in model.parameters()]
    return loss.detach(), grads, names


def run_rank(rank, folder, name):
    dist.init_process_group(
        'gloo', init_method=f'file://{folder}/meet', rank=rank, world_size=2
    )
    # The wrapped model has to be gone before its process group is: else a
    # process may wait for ever when it ends.
    torch.save(train_step(rank, name), f'{folder}/rank{rank}.pt')
    dist.barrier()
    dist.destroy_process_group()


@pytest.mark.parametrize('name', list(MODELS))
def test_two_processes_are_one_with_the_whole_batch(tmp_path, name):
    """Negatives and gradients come from both; DDP takes the mean."""
    model = MODELS[name]()
    loss = model(*draw_views(), GROUPS)
    loss.backward()
    multiprocessing.set_forkserver_preload([__name__])
    mp.start_processes(
        run_rank, (str(tmp_path), name), nprocs=2, start_method='forkserver'
    )
    for rank in range(2):
        found, grads, names = torch.load(tmp_path / f'rank{rank}.pt')
        torch.testing.assert_close(found, loss.detach())
        for ours, parameter in zip(grads, model.parameters(), strict=True):
            assert parameter.grad.any()
            torch.testing.assert_close(ours, parameter.grad)
        assert names.tolist() == [0, 1, 2, 10, 11]
