"""What the data sets share: references, skipping, wrong references."""

import re
from collections import Counter
from dataclasses import replace
from pathlib import Path
from typing import Any, Collection, Dict, List, Optional, Sequence, Tuple

from mmengine.dataset import BaseDataset
from mmengine.logging import MMLogger

from ..engine.resumable_sampler import SampleIndex, drawn_from
from ..errors import InputError, describe
from ..structures import Reference
from .mask_check import appears, describe_blank, first_with_masks

# RoBERTa takes 512 tokens; expressions beyond this many words never fit.
MAX_WORDS = 400
SHOWN_SKIPS = 10
# Training ends after this many items without a mask if none had one.
MAX_BLANK = 10


def clean_text(text: str) -> str:
    """Lower the case and fold white space, as all five systems do."""
    return re.sub(r'\s+', ' ', text).strip().lower()


class BaseReferringDataset(BaseDataset):
    """Videos and the references to objects in them.

    A subclass lists videos in :meth:`load_videos`. In training an item is
    one reference to one video (repeated for anchor frames
    ``anchor_stride`` apart, as the published code does); at test time it is
    a video with all its references.

    Args:
        data_root: Folder of the data set, laid out as published.
        with_masks: Whether the truth is there and is loaded.
        anchor_stride: In training, an item for every this many frames of
            the video, around which the clip is sampled; None makes one item
            a reference with a random anchor.
        wrong_references: Give each reference the words of another object of
            the same video and keep the truth: a model that refers must
            fail. References in videos without another object are left out.
        cues: Use only references with these cues, for data sets that say
            how an expression tells its object apart (RefVOS-Mini:
            appearance, place, motion, relation, order): easy ones first.
        annotators: Use only references of these annotators, for data sets
            that name them (Ref-DAVIS17).
        class_aware: Leave out references to objects whose category is
            unknown: a model that names categories (``num_classes`` above 1,
            Table D1 of ReferFormer) can't learn from them.
        max_words: Longer expressions are left out.
        references_per_video: In training, use the first so many references
            of a video; None for all.
        item_stride: In training, use the first of every so many items.
            MUTR's joint training takes one reference a video and every
            second item ("Joint Training for Multi-modality").
        kwargs: Of mmengine's ``BaseDataset`` (``pipeline``, ``test_mode``,
            ``indices``, ...).
    """

    def __init__(
        self,
        data_root: str,
        with_masks: bool = True,
        anchor_stride: Optional[int] = None,
        wrong_references: bool = False,
        cues: Optional[Sequence[str]] = None,
        annotators: Optional[Sequence[str]] = None,
        class_aware: bool = False,
        max_words: int = MAX_WORDS,
        references_per_video: Optional[int] = None,
        item_stride: int = 1,
        **kwargs: Any,
    ) -> None:
        for field, value in (
            ('references_per_video', references_per_video),
            ('item_stride', item_stride),
        ):
            if value is not None and value < 1:
                raise InputError.of(
                    type(self).__name__, field, value, 'at least 1'
                )
        self.with_masks = with_masks
        self.anchor_stride = anchor_stride
        self.wrong_references = wrong_references
        self.cues = cues
        self.annotators = annotators
        self.class_aware = class_aware
        self.max_words = max_words
        self.references_per_video = references_per_video
        self.item_stride = item_stride
        self.skipped: List[str] = []
        # Of items that gave no sample: whether the masks show the object.
        self.shown: Dict[Tuple[Any, ...], bool] = {}
        self.num_blank = 0
        self.any_usable = False
        super().__init__(data_root=data_root, **kwargs)

    def _join_prefix(self) -> None:
        """Loaders build their paths themselves, from ``data_root``."""

    def __getitem__(self, idx: int) -> Any:
        """Make an item; drawn from the index's own seed if it has one."""
        if not isinstance(idx, SampleIndex):
            return super().__getitem__(idx)
        with drawn_from(idx.seed):
            return super().__getitem__(int(idx))

    def prepare_data(self, idx: int) -> Any:
        """Run the pipeline; None makes mmengine draw another item."""
        return self.watch_blank(idx, super().prepare_data(idx))

    def watch_blank(self, idx: int, data: Any) -> Any:
        """Give back ``data``; warn if the masks never show the object.

        Raises:
            InputError: So it is with the first ``MAX_BLANK`` items.
        """
        if data is not None:
            self.any_usable = True
            return data
        if self.test_mode or not self.with_masks:
            return None
        item = self.get_data_info(idx)
        (reference,) = item['references']
        key = (item['video_id'], item['frame_ids'][0], *reference.object_ids)
        known = key in self.shown
        if not known:
            self.shown[key] = appears(item)
        frame = first_with_masks(item)
        if self.shown[key] or frame is None:
            return None
        self.num_blank += 1
        message = describe_blank(item, frame, reference.object_ids)
        if self.num_blank >= MAX_BLANK and not self.any_usable:
            raise InputError(message)
        # In AVSBench's masks nothing can be drawn because nothing sounds.
        if not known and 'mask_path' in frame:
            MMLogger.get_current_instance().warning(
                f'{message}; other items take the place of reference '
                f'{reference.id}'
            )
        return None

    def named_objects(self) -> Dict[str, Collection[str]]:
        """Ids that the masks of a video may hold, by the lists.

        Returns:
            Video -> ids; videos whose lists do not say are left out.
        """
        return {}

    def load_videos(self) -> List[Dict[str, Any]]:
        """List the videos.

        Returns:
            One dict a video: ``video_id``, ``frame_ids`` (names), ``frames``
            (dicts with ``img_path`` and, where known, ``mask_path``),
            ``references`` and ``labels`` (object id -> category index).
        """
        raise NotImplementedError

    def load_data_list(self) -> List[Dict[str, Any]]:
        videos = self.load_videos()
        for field, chosen in (
            ('cue', self.cues),
            ('annotator', self.annotators),
        ):
            if chosen is None:
                continue
            for video in videos:
                video['references'] = [
                    reference
                    for reference in video['references']
                    if getattr(reference, field) in chosen
                ]
        if self.class_aware:
            for video in videos:
                video['references'] = self.with_category(video)
        if self.wrong_references:
            for video in videos:
                video['references'] = self.swap_references(video)
        self.report_skipped()
        items = []
        for video in videos:
            if self.test_mode:
                if video['references']:
                    items.append(video)
                continue
            for reference in video['references'][: self.references_per_video]:
                for anchor in self.anchors(len(video['frame_ids'])):
                    items.append(
                        dict(video, references=[reference], anchor=anchor)
                    )
        if not items:
            raise InputError.of(
                self.data_root, 'items', 0, 'a reference that can be used'
            )
        return items if self.test_mode else items[:: self.item_stride]

    def anchors(self, num_frames: int) -> List[Optional[int]]:
        """Frames around which a video's clips are sampled."""
        if self.anchor_stride is None:
            return [None]
        return list(range(0, num_frames, self.anchor_stride))

    def with_category(self, video: Dict[str, Any]) -> List[Reference]:
        """Keep the references to objects whose category is known."""
        kept = []
        for reference in video['references']:
            first = next(iter(reference.object_ids), None)
            if first in video['labels']:
                kept.append(reference)
                continue
            self.skip(
                video['video_id'],
                f'category of reference {reference.id} (object {first})',
                None,
                'one of the classes in METAINFO',
            )
        return kept

    def swap_references(self, video: Dict[str, Any]) -> List[Reference]:
        """Take for each reference the words of the next other object."""
        references = video['references']
        swapped = []
        for index, reference in enumerate(references):
            others = references[index + 1 :] + references[:index]
            other = next(
                (
                    candidate
                    for candidate in others
                    if not set(candidate.object_ids)
                    & set(reference.object_ids)
                ),
                None,
            )
            if other is None:
                self.skip(
                    f'{video["video_id"]}',
                    f'reference {reference.id}',
                    reference.text,
                    'another object in the video to take the words from',
                )
                continue
            swapped.append(
                replace(
                    reference,
                    text=other.text,
                    speech=other.speech,
                    sound=other.sound,
                )
            )
        return swapped

    def usable_text(self, text: Any, file: Path, field: str) -> Optional[str]:
        """Clean an expression; None (and a note) where it can't be used."""
        if not isinstance(text, str) or not text.strip():
            self.skip(file, field, text, 'an expression')
            return None
        cleaned = clean_text(text)
        num_words = len(cleaned.split())
        if num_words > self.max_words:
            self.skip(
                file,
                f'{field} ({num_words} words)',
                cleaned,
                f'at most {self.max_words} words',
            )
            return None
        return cleaned

    def skip(self, file: Any, field: str, value: Any, expected: str) -> None:
        """Note something that is left out; told in one warning."""
        self.skipped.append(describe(file, field, value, expected))

    def report_skipped(self) -> None:
        if not self.skipped:
            return
        shown = self.skipped[:SHOWN_SKIPS]
        more = len(self.skipped) - len(shown)
        lines = [f'  {line}' for line in shown]
        if more:
            reasons = Counter(
                line.rpartition('; expected ')[2]
                for line in self.skipped[SHOWN_SKIPS:]
            )
            lines += [
                f'  and {count} more; expected {reason}'
                for reason, count in reasons.items()
            ]
        MMLogger.get_current_instance().warning(
            f'{type(self).__name__} left out {len(self.skipped)} of what '
            f'{self.data_root} holds:\n' + '\n'.join(lines)
        )
