"""References of one video together in a batch."""

from itertools import islice

import pytest

from refvos.datasets import InfiniteVideoSampler
from refvos.errors import InputError
from refvos.structures import Reference

# Video -> the objects of its references.
VIDEOS = {'a': '1123', 'b': '12', 'c': '111', 'd': '1'}


class References(list):
    """One item a reference, as a data set for training has."""

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
    # Every pass shows every video once, every reference sooner or later.
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


def test_no_reference_is_refused():
    with pytest.raises(InputError, match='references_per_video is 0'):
        InfiniteVideoSampler(References(), references_per_video=0)
