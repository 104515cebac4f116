"""Samplers: references of one video, batches, and resuming."""

import pickle
import random
from itertools import islice

import pytest
import torch
from mmengine.dataset import DefaultSampler, InfiniteSampler
from torch.utils.data import ConcatDataset, DataLoader, Dataset

from refvos.datasets import InfiniteVideoSampler, OneDatasetBatchSampler
from refvos.engine import ResumableBatchSampler
from refvos.engine.loops import BatchesFrom
from refvos.engine.resumable_sampler import SampleIndex, drawn_from
from refvos.errors import InputError
from refvos.structures import Reference

# Video -> the objects of its references.
VIDEOS = {'a': '1123', 'b': '12', 'c': '111', 'd': '1'}


class References(list):
    """One item per reference, as in training."""

    def __init__(self):
        super().__init__(
            (video, object_id)
            for video, objects in VIDEOS.items()
            for object_id in objects
        )

    def get_data_info(self, index):
        video, object_id = self[index]
        reference = Reference('0', text='it', object_ids=(object_id,))
        return {'video_id': video, 'references': [reference]}


def draw(count, rank=0, world_size=1, **options):
    sampler = InfiniteVideoSampler(References(), seed=3, **options)
    sampler.rank, sampler.world_size = rank, world_size
    return list(islice(sampler, count))


def test_pairs_are_of_one_video_and_of_two_objects():
    data = References()
    drawn = [data[index] for index in draw(400)]
    for (video, first), (same, second) in zip(drawn[::2], drawn[1::2]):
        assert video == same
        assert (first != second) == (len(set(VIDEOS[video])) > 1)
    # Every pass has every video once; every reference occurs.
    for start in range(0, 400, 8):
        assert {video for video, _ in drawn[start : start + 8]} == set(VIDEOS)
    assert set(draw(400)) == set(range(len(data)))


def test_processes_share_the_videos_of_a_pass():
    whole = draw(40)
    parts = [draw(20, rank, 2) for rank in (0, 1)]
    for place, index in enumerate(whole):
        video, turn = divmod(place, 2)
        assert parts[video % 2][2 * (video // 2) + turn] == index


def test_the_seed_decides():
    assert draw(50) == draw(50)
    sampler = InfiniteVideoSampler(References(), seed=4)
    assert list(islice(sampler, 50)) != draw(50)


class Named(References):
    """References of one object to each of some videos."""

    def __init__(self, videos):
        list.__init__(self, [(video, '1') for video in videos])


class Joined(ConcatDataset):
    """``get_data_info`` over several data sets, as in mmengine."""

    def get_data_info(self, index):
        part = index >= self.cumulative_sizes[0]
        start = self.cumulative_sizes[0] if part else 0
        return self.datasets[part].get_data_info(index - start)


@pytest.mark.parametrize('repeat', [True, False])
def test_videos_of_two_data_sets_may_have_one_name(repeat):
    """Texts in pairs, also the single one of 'd'; sounds once."""
    data = Joined([References(), Named('abcdxyz')])
    sampler = InfiniteVideoSampler(data, repeat=repeat, seed=3)
    sampler.rank, sampler.world_size = 0, 1
    first = len(References())
    length = 2 * 4 + (2 if repeat else 1) * 7
    for passed in range(5):
        drawn = list(islice(sampler, (passed + 1) * length))[-length:]
        texts = [data[i] for i in drawn if i < first]
        sounds = [data[i] for i in drawn if i >= first]
        for (video, one), (same, other) in zip(texts[::2], texts[1::2]):
            assert video == same
            assert (one != other) == (len(set(VIDEOS[video])) > 1)
        assert sorted(video for video, _ in texts) == list('aabbccdd')
        times = 2 if repeat else 1
        assert sorted(v for v, _ in sounds) == sorted('abcdxyz' * times)
    # Batches of one kind keep the pairs of texts together.
    batches = OneDatasetBatchSampler(sampler, 4)
    for batch in islice(batches, 30):
        if batch[0] < first:
            for one, other in zip(batch[::2], batch[1::2]):
                assert data[one][0] == data[other][0]


def test_zero_references_are_refused():
    with pytest.raises(InputError, match='references_per_video is 0'):
        InfiniteVideoSampler(References(), references_per_video=0)


# ---------------------------------------------------------- resumable batches


class Numbers(Dataset):
    """Items of their index and random numbers."""

    def __init__(self, size, first=0):
        self.size, self.first = size, first

    def __len__(self):
        return self.size

    def __getitem__(self, index):
        with drawn_from(index.seed):
            return self.first + index, random.random(), float(torch.rand(1))


def make_batches(size=10, batch_size=3, rank=0, world_size=1, **options):
    sampler = DefaultSampler(Numbers(size), shuffle=True)
    share = -(-size // world_size)
    sampler.rank, sampler.world_size = rank, world_size
    sampler.num_samples, sampler.total_size = share, share * world_size
    batches = ResumableBatchSampler(sampler, batch_size, **options)
    batches.rank = rank
    return batches


def as_drawn(batches):
    return [[(int(i), i.seed) for i in batch] for batch in batches]


def test_batches_resume_where_they_stopped():
    batches = make_batches()
    batches.begin(seed=7, epoch=2)
    whole = as_drawn(batches)
    assert sorted(i for batch in whole for i, _ in batch) == list(range(10))
    assert len({seed for batch in whole for _, seed in batch}) == 10
    again = make_batches()
    again.begin(seed=7, epoch=2, done=2)
    assert as_drawn(again) == whole[2:]
    # The next pass is complete.
    assert len(as_drawn(again)) == len(whole)
    others = [
        as_drawn(make_batches(rank=1, world_size=2)),
        *(as_drawn_at(seed, epoch) for seed, epoch in ((7, 3), (8, 2))),
    ]
    seeds = [{s for batch in each for _, s in batch} for each in others]
    mine = {seed for batch in whole for _, seed in batch}
    assert all(not (mine & each) for each in seeds)


def as_drawn_at(seed, epoch):
    batches = make_batches()
    batches.begin(seed, epoch)
    return as_drawn(batches)


def test_indices_keep_their_seed():
    index = SampleIndex(12, (3, 4))
    for same in (pickle.loads(pickle.dumps(index)), index - 0):
        assert (same, same.seed) == (12, (3, 4))
    data = ConcatDataset([Numbers(5), Numbers(9, first=100)])
    number, *drawn = data[index]
    assert number == 107
    random.seed(0), torch.manual_seed(0)
    expected = random.random(), float(torch.rand(1))
    random.seed(0), torch.manual_seed(0)
    # The draw depends on no other random state, and changes none.
    assert list(data[index][1:]) == drawn
    assert (random.random(), float(torch.rand(1))) == expected
    assert list(data[SampleIndex(12, (3, 5))][1:]) != drawn


def one_dataset(rank, world_size=2, batch_size=3, drop_last=False):
    data = ConcatDataset([Numbers(11), Numbers(8, first=100)])
    sampler = DefaultSampler(data, shuffle=True)
    sampler.rank, sampler.world_size = rank, world_size
    sampler.num_samples = -(-len(data) // world_size)
    sampler.total_size = sampler.num_samples * world_size
    return OneDatasetBatchSampler(sampler, batch_size, drop_last)


@pytest.mark.parametrize('drop_last', [False, True])
@pytest.mark.parametrize('seed', range(6))
def test_batches_of_one_data_set(seed, drop_last):
    """Equal numbers per process; only dropped indices are missing."""
    seen, counts = set(), []
    for rank in (0, 1):
        batches = one_dataset(rank, drop_last=drop_last)
        batches.begin(seed)
        made = list(batches)
        counts.append(len(made))
        assert len(made) == len(batches)
        for batch in made:
            assert len(batch) == 3
            assert len({index >= 11 for index in batch}) == 1
            seen.update(batch)
    assert counts == ([3, 3] if drop_last else [4, 4])
    if not drop_last:
        assert len(seen) >= 19 - 2


def test_endless_batches_of_one_data_set():
    data = ConcatDataset([Numbers(11), Numbers(8, first=100)])
    batches = OneDatasetBatchSampler(InfiniteSampler(data), 3)
    batches.begin(5)
    drawn = list(islice(batches, 40))
    assert {len(batch) for batch in drawn} == {3}
    kinds = [{index >= 11 for index in batch} for batch in drawn]
    assert all(len(kind) == 1 for kind in kinds)
    assert {True} in kinds and {False} in kinds


def test_a_single_reference_is_given_once_without_repeat():
    data = References()
    drawn = [data[index] for index in draw(100, repeat=False)]
    order = [video for video, _ in drawn]
    for place, video in enumerate(order[1:-1], start=1):
        neighbours = (order[place - 1], order[place + 1])
        assert (video in neighbours) == (video != 'd') or order[
            place - 1 : place + 2
        ].count('d') > 1


# ------------------------------------------------------------------- the loops


def load(sampler_type, workers=0):
    data = Numbers(10)
    sampler = (
        InfiniteSampler(data)
        if sampler_type == 'endless'
        else DefaultSampler(data, shuffle=True)
    )
    batches = ResumableBatchSampler(sampler, 4)
    return DataLoader(data, batch_sampler=batches, num_workers=workers)


@pytest.mark.parametrize('workers', [0, 2])
@pytest.mark.parametrize('sampler_type', ['endless', 'finite'])
@pytest.mark.parametrize('done', [1, 3, 8])
def test_iterations_resume_where_they_stopped(sampler_type, workers, done):
    """A pass over the data has three batches."""

    def take(done, count, skips):
        batches = BatchesFrom(load(sampler_type, workers), 3, done)
        if skips:
            # mmengine 0.10.12
            batches.skip_iter(done)
        else:
            # mmengine 0.10.7
            assert [next(batches) for _ in range(done)] == [None] * done
        return [
            [part.tolist() for part in next(batches)] for _ in range(count)
        ]

    whole = take(0, 12, skips=False)
    assert len({tuple(batch[1]) for batch in whole}) == 12
    for skips in (True, False):
        assert take(done, 12 - done, skips) == whole[done:]
