"""Which references come together in a batch."""

from collections import defaultdict
from typing import Dict, Iterator, List, Optional, Sized

import torch
from mmdet.registry import DATA_SAMPLERS
from mmengine.dist import get_dist_info, sync_random_seed
from torch.utils.data import Sampler

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
        dataset: A :class:`BaseReferringDataset` for training.
        references_per_video: How many indices of a video follow each other;
            the batch size should be a multiple of it.
        seed: Of the draws; None takes one shared by all processes.
    """

    def __init__(
        self,
        dataset: Sized,
        references_per_video: int = 2,
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
        self.references_per_video = references_per_video
        self.seed = sync_random_seed() if seed is None else seed
        self.size = len(dataset)
        # Video -> object -> indices.
        videos: Dict[str, Dict[str, List[int]]] = defaultdict(dict)
        for index in range(len(dataset)):
            info = dataset.get_data_info(index)  # type: ignore[attr-defined]
            objects = ' '.join(info['references'][0].object_ids)
            videos[info['video_id']].setdefault(objects, []).append(index)
        self.videos = list(videos.values())

    def __iter__(self) -> Iterator[int]:
        generator = torch.Generator().manual_seed(self.seed)
        position = 0
        while True:
            for video in torch.randperm(
                len(self.videos), generator=generator
            ).tolist():
                chosen = self.draw(self.videos[video], generator)
                if position % self.world_size == self.rank:
                    yield from chosen
                position += 1

    def draw(
        self, objects: Dict[str, List[int]], generator: torch.Generator
    ) -> List[int]:
        """Draw references of a video, its objects in turn."""
        names = list(objects)
        order = torch.randperm(len(names), generator=generator).tolist()
        chosen = []
        for turn in range(self.references_per_video):
            indices = objects[names[order[turn % len(names)]]]
            pick = torch.randint(len(indices), (1,), generator=generator)
            chosen.append(indices[int(pick)])
        return chosen

    def __len__(self) -> int:
        return self.size

    def set_epoch(self, epoch: int) -> None:
        """There are no epochs."""
