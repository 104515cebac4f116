"""Base class of the data sets of videos and references."""

from collections import Counter
from dataclasses import replace
from pathlib import Path
from typing import Any, Collection, Dict, List, Optional, Sequence, Tuple

from mmengine.dataset import BaseDataset
from mmengine.logging import MMLogger

from ..engine.resumable_sampler import SampleIndex, drawn_from
from ..engine.shared_memory import share_tensors
from ..errors import InputError, describe
from ..structures import Reference, clean_text
from .mask_check import appears, describe_blank, first_with_masks

# RoBERTa takes 512 tokens; longer expressions never fit.
MAX_WORDS = 400
SHOWN_SKIPS = 10
# Training stops after this many items without a mask if none had one.
MAX_BLANK = 10


class BaseReferringDataset(BaseDataset):
    """Base class of data sets of videos with references to their objects.

    A subclass lists the videos in :meth:`load_videos`. In training an item
    is one reference to one video (repeated for anchor frames
    ``anchor_stride`` apart, as in the published code); at test time it is a
    video with all its references.

    All paths follow from ``data_root`` and the published layout. mmengine's
    ``ann_file`` and ``data_prefix`` have no effect here: set ``data_root``,
    and the subclass's ``split``, instead.

    Args:
        data_root: Folder of the data set, laid out as published.
        with_masks: The ground truth is available and is loaded.
        anchor_stride: In training, make one item per this many frames of
            the video, around which the clip is sampled; None makes one item
            per reference, with a random anchor.
        wrong_references: Give each reference the words of another object of
            the same video and keep the ground truth, so that a model that
            uses the reference must fail. References in videos without
            another object are left out.
        cues: Use only references with these cues, for data sets that label
            how an expression tells its object apart (RefVOS-Mini:
            appearance, place, motion, relation, order).
        annotators: Use only references of these annotators, for data sets
            that name them (Ref-DAVIS17).
        class_aware: Leave out references to objects of unknown category,
            from which a model that predicts categories (``num_classes``
            above 1, Table D1 of ReferFormer) cannot learn.
        max_words: Leave out longer expressions.
        references_per_video: In training, use only the first references of
            a video, this many; None for all.
        item_stride: In training, use every n-th item only. MUTR's joint
            training takes one reference per video and every second item
            ("Joint Training for Multi-modality").
        kwargs: Arguments of mmengine's ``BaseDataset`` (``pipeline``,
            ``test_mode``, ``indices``, ...).

    Raises:
        InputError: An argument is out of range, a list is missing or
            broken, or no reference can be used.
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
        # Items that gave no sample -> whether their masks show the object.
        self.shown: Dict[Tuple[Any, ...], bool] = {}
        self.num_blank = 0
        self.any_usable = False
        super().__init__(data_root=data_root, **kwargs)

    def _join_prefix(self) -> None:
        """Ignore ``ann_file`` and ``data_prefix``; see the class."""

    def __getitem__(self, idx: int) -> Any:
        """Make an item, with the index's own random seed if it has one."""
        if isinstance(idx, SampleIndex):
            with drawn_from(idx.seed):
                item = super().__getitem__(int(idx))
        else:
            item = super().__getitem__(idx)
        share_tensors(item)
        return item

    def prepare_data(self, idx: int) -> Any:
        """Run the pipeline; None makes mmengine draw another item."""
        return self.check_blank(idx, super().prepare_data(idx))

    def check_blank(self, idx: int, data: Any) -> Any:
        """Return ``data``; if it is None, warn of objects never drawn.

        Raises:
            InputError: None of the first ``MAX_BLANK`` items has an object
                that its masks show.
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
        # AVSBench's masks may be empty: nothing sounds.
        if not known and 'mask_path' in frame:
            MMLogger.get_current_instance().warning(
                f'{message}; other items replace reference {reference.id}'
            )
        return None

    def named_objects(self) -> Dict[str, Collection[str]]:
        """List the ids that the masks of each video may hold.

        Returns:
            Video -> ids; without the videos whose lists name none.
        """
        return {}

    def load_videos(self) -> List[Dict[str, Any]]:
        """List the videos.

        Returns:
            One dict per video: ``video_id``, ``frame_ids`` (names),
            ``frames`` (dicts with ``img_path`` and, if known, a key of
            ``MASK_SOURCES``), ``references``, ``labels`` (object id ->
            category index) and, if the lists name the video's objects,
            ``listed_objects`` (their ids).
        """
        raise NotImplementedError

    def load_data_list(self) -> List[Dict[str, Any]]:
        """List the items, after all references have been chosen."""
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
            raise self.nothing_to_use()
        return items if self.test_mode else items[:: self.item_stride]

    def nothing_to_use(self) -> InputError:
        """Compose the error for a data set without items.

        It names the split, which may be another one than was meant.
        """
        expected = 'a reference that can be used'
        split = getattr(self, 'split', None)
        if split is not None:
            expected += f' in split {split!r}; another split: --cfg-options '
            if self.test_mode:
                expected += (
                    'test_dataloader.dataset.split=NAME (or val_dataloader)'
                )
            else:
                expected += 'train_dataloader.dataset.split=NAME'
        return InputError.of(self.data_root, 'items', 0, expected)

    def anchors(self, num_frames: int) -> List[Optional[int]]:
        """List the frames around which a video's clips are sampled."""
        if self.anchor_stride is None:
            return [None]
        return list(range(0, num_frames, self.anchor_stride))

    def with_category(self, video: Dict[str, Any]) -> List[Reference]:
        """Return the references to objects whose category is known."""
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
        """Give each reference the words of the next other object."""
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
        """Clean an expression; None (and a note) if it cannot be used."""
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
        """Note something that is left out; one warning reports them all."""
        self.skipped.append(describe(file, field, value, expected))

    def report_skipped(self) -> None:
        """Warn of all that was left out, the first few in full."""
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
