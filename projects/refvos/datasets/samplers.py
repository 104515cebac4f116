"""Samplers that decide which references form a batch."""

from bisect import bisect_right
from collections import defaultdict
from typing import Dict, Iterator, List, Optional, Sized, Tuple

import torch
from mmdet.registry import DATA_SAMPLERS
from mmengine.dist import get_dist_info, sync_random_seed
from torch.utils.data import Sampler

from ..engine.resumable_sampler import ResumableBatchSampler
from ..errors import InputError


@DATA_SAMPLERS.register_module()
class InfiniteVideoSampler(Sampler):
    """Draw videos, and from each one references to different objects.

    The references of a video are consecutive, so that a batch has one scene
    with several targets, which only the words tell apart. For training by
    iterations: there is no end, and in each pass every process draws from
    its own share of the videos. A video with too few objects gives several
    references to one object, or repeats a reference.

    Args:
        dataset: A :class:`BaseReferringDataset` for training, or a
            ``ConcatDataset`` of several, whose videos may have the same
            names.
        references_per_video: Number of consecutive indices of a video; the
            batch size should be a multiple of it.
        repeat: Repeat references so that every video gives that number, also
            in data sets with a single reference per video (such as
            soundtracks). False gives those references once;
            :class:`OneDatasetBatchSampler` then keeps the pairs of the other
            data sets together.
        seed: Random seed; None takes one shared by all processes.

    Raises:
        InputError: ``references_per_video`` is below 1.
    """

    def __init__(
        self,
        dataset: Sized,
        references_per_video: int = 2,
        repeat: bool = True,
        seed: Optional[int] = None,
    ) -> None:
        if references_per_video < 1:
            raise InputError.of(
                type(self).__name__,
                'references_per_video',
                references_per_video,
                'at least 1',
            )
        self.rank, self.world_size = get_dist_info()
        self.dataset = dataset
        self.seed = sync_random_seed() if seed is None else seed
        self.size = len(dataset)
        sizes: List[int] = getattr(dataset, 'cumulative_sizes', [self.size])
        # Data set and video -> object -> indices.
        videos: Dict[Tuple[int, str], Dict[str, List[int]]] = defaultdict(dict)
        for index in range(len(dataset)):
            info = dataset.get_data_info(index)  # type: ignore[attr-defined]
            objects = ' '.join(info['references'][0].object_ids)
            video = bisect_right(sizes, index), info['video_id']
            videos[video].setdefault(objects, []).append(index)
        in_pairs = {
            part
            for (part, _), objects in videos.items()
            if repeat or sum(map(len, objects.values())) > 1
        }
        self.videos = list(videos.values())
        # Number of consecutive indices of each video.
        self.wanted = [
            references_per_video if part in in_pairs else 1
            for part, _ in videos
        ]

    def __iter__(self) -> Iterator[int]:
        generator = torch.Generator().manual_seed(self.seed)
        position = 0
        while True:
            for video in torch.randperm(
                len(self.videos), generator=generator
            ).tolist():
                chosen = self.draw(video, generator)
                if position % self.world_size == self.rank:
                    yield from chosen
                position += 1

    def draw(self, video: int, generator: torch.Generator) -> List[int]:
        """Draw references of a video, taking its objects in turn."""
        objects = self.videos[video]
        names = list(objects)
        order = torch.randperm(len(names), generator=generator).tolist()
        chosen = []
        for turn in range(self.wanted[video]):
            indices = objects[names[order[turn % len(names)]]]
            pick = torch.randint(len(indices), (1,), generator=generator)
            chosen.append(indices[int(pick)])
        return chosen

    def __len__(self) -> int:
        return self.size

    def set_epoch(self, epoch: int) -> None:
        """Do nothing: there are no epochs."""


@DATA_SAMPLERS.register_module()
class OneDatasetBatchSampler(ResumableBatchSampler):
    """Make batches that each come from one data set of a ``ConcatDataset``.

    For joint training on several modalities (MUTR, "Joint Training for
    Multi-modality"): a batch goes through one encoder. All processes make
    the same number of batches, so that none waits for another: if indices of
    several data sets are left over, the fullest batch is completed with
    indices of its data set that were already used; the rest is left to the
    next epoch with its other order.

    Args:
        sampler: Yields indices of a ``ConcatDataset``.
        batch_size: Batch size of one process.
        drop_last: Make only as many batches as there would be full ones.
    """

    def make_batches(self) -> Iterator[List[int]]:
        """Yield the batches of a pass through the sampler."""
        sizes: List[int] = self.sampler.dataset.cumulative_sizes
        waiting: Dict[int, List[int]] = defaultdict(list)
        seen: Dict[int, List[int]] = defaultdict(list)
        made, wanted = 0, len(self)
        for index in self.sampler:
            dataset = bisect_right(sizes, index)
            waiting[dataset].append(index)
            # Kept to complete the last batch.
            if len(seen[dataset]) < self.batch_size:
                seen[dataset].append(index)
            if len(waiting[dataset]) == self.batch_size:
                yield waiting.pop(dataset)
                made += 1
        # Not reached if the sampler has no end.
        for dataset in sorted(waiting, key=lambda d: -len(waiting[d])):
            if made == wanted:
                return
            batch = waiting[dataset]
            while len(batch) < self.batch_size:
                batch += seen[dataset][: self.batch_size - len(batch)]
            yield batch
            made += 1
