"""Which references come together in a batch, and what is drawn for them."""

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
    """Draws videos, and of each one references to different objects.

    The references of a video follow each other, so that a batch holds the
    same scene with several answers: what distinguishes them is the words
    alone. For training by iterations; every process draws from its own share
    of the videos in each pass. Where a video has fewer objects, references
    to the same one are taken, or the same one again.

    Args:
        dataset: A :class:`BaseReferringDataset` for training, or a
            ``ConcatDataset`` of some: their videos may have the same names.
        references_per_video: How many indices of a video follow each other;
            the batch size should be a multiple of it.
        repeat: Give as many indices of every video, also where all of its
            data set have a single one (as sounds have); else that one once.
            :class:`OneDatasetBatchSampler` then keeps the pairs of the other
            data sets together.
        seed: Of the draws; None takes one shared by all processes.
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
        # How many indices of each follow each other.
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
        """Draw references of a video, its objects in turn."""
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
        """There are no epochs."""


@DATA_SAMPLERS.register_module()
class OneDatasetBatchSampler(ResumableBatchSampler):
    """Batches of one data set each, of those of a ``ConcatDataset``.

    For joint training on references of several kinds (MUTR, "Joint Training
    for Multi-modality"): a batch goes through one encoder. All processes
    make as many batches, so that none waits for another: where indices are
    left over of several data sets, the fullest batch is filled up with
    indices of its data set that had their turn; what is left then has to
    wait for the next epoch and its other order.

    Args:
        sampler: Gives the indices of a ``ConcatDataset``.
        batch_size: Of one process.
        drop_last: Make as many batches as whole ones would be.
    """

    def make_batches(self) -> Iterator[List[int]]:
        sizes: List[int] = self.sampler.dataset.cumulative_sizes
        waiting: Dict[int, List[int]] = defaultdict(list)
        seen: Dict[int, List[int]] = defaultdict(list)
        made, wanted = 0, len(self)
        for index in self.sampler:
            dataset = bisect_right(sizes, index)
            waiting[dataset].append(index)
            # Only what may be needed to fill up.
            if len(seen[dataset]) < self.batch_size:
                seen[dataset].append(index)
            if len(waiting[dataset]) == self.batch_size:
                yield waiting.pop(dataset)
                made += 1
        # Without an end nothing is left over.
        for dataset in sorted(waiting, key=lambda d: -len(waiting[d])):
            if made == wanted:
                return
            batch = waiting[dataset]
            while len(batch) < self.batch_size:
                batch += seen[dataset][: self.batch_size - len(batch)]
            yield batch
            made += 1
