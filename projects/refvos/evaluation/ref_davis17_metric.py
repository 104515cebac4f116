"""Ref-DAVIS17's J, F and J&F, as published and as asked."""

from collections import defaultdict
from typing import Any, Dict, List, NamedTuple, Sequence, Tuple

import numpy as np
from mmdet.registry import METRICS
from pycocotools import mask as mask_utils
from scipy.optimize import linear_sum_assignment

from ..datasets.ref_davis17_constants import ANNOTATORS, VOID
from ..errors import InputError
from ..structures import ReferencePrediction, Rle
from .checked_predictions import checked_predictions, frame_size
from .jf_metric import true_tube
from .region_boundary import boundary_f, region_similarity, tube_statistics
from .table_metric import TableMetric

PROTOCOLS = ('published', 'referring')
NUMBERS = (
    *('J&F', 'J', 'J_recall', 'J_decay'),
    *('F', 'F_recall', 'F_decay'),
)


@METRICS.register_module()
class RefDAVIS17Metric(TableMetric):
    """Ref-DAVIS17 in both of its protocols, in percent.

    The expressions of each annotator are a run of their own: the answers to
    them compete for every pixel, arg-max over the soft masks and a
    background of 0.1. Void pixels (255) count neither as object nor as
    background. J and F of an object are averaged over its frames, then over
    the objects of all videos, then over the annotators; recall (> 0.5) and
    decay (first quarter of the frames less the last) likewise.

    - ``published``, what the papers report: DAVIS's unsupervised task. In
      each video predicted and true objects are paired so that their J&F is
      best, whatever was asked: exchanged objects cost nothing. All objects
      of the masks' first frame count, referred to or not.
    - ``referring``: the answer to an expression against the object that it
      asks for.

    The model must keep its soft masks: ``test_cfg.keep_soft_masks=True``.
    All references of a video come in one sample, hence a video is composed
    and scored in ``process``, by whichever process ran it: soft masks never
    travel and are gone with the sample; only numbers are collected.

    Args:
        protocols: Which of the two; both by default.
        kwargs: See :class:`TableMetric`.

    Raises:
        InputError: If there are no soft masks, the truth is not known, or
            the annotator of a reference isn't.

    Example:
        >>> model = dict(test_cfg=dict(keep_soft_masks=True))
        >>> test_evaluator = dict(type='RefDAVIS17Metric')
    """

    def __init__(
        self, protocols: Sequence[str] = PROTOCOLS, **kwargs: Any
    ) -> None:
        super().__init__(**kwargs)
        for protocol in protocols:
            if protocol not in PROTOCOLS:
                raise InputError.of(
                    type(self).__name__,
                    'protocols',
                    protocol,
                    f'some of {PROTOCOLS}',
                )
        self.protocols = tuple(protocols)

    def score_video(self, sample: dict) -> List[dict]:
        return score_video(sample, self.protocols)

    def summarize(self, scored: List[dict]) -> Dict[str, float]:
        """Average over objects, then over annotators."""
        metrics = {}
        for protocol in self.protocols:
            means = _mean_of_annotators(
                [row for row in scored if row['protocol'] == protocol]
            )
            metrics.update({f'{protocol}/{k}': v for k, v in means.items()})
        return metrics


class Truth(NamedTuple):
    """The true tubes of a video, RLEs.

    Args:
        objects: What each tube shows, object ids.
        tubes: One a target.
        void: Pixels that count for nothing.
        num_annotated: The first so many are the objects of the masks' first
            frame, which the published protocol scores.
    """

    objects: List[Tuple[str, ...]]
    tubes: List[List[Rle]]
    void: List[Rle]
    num_annotated: int


class Scores(NamedTuple):
    """J and F of an annotator's run on a video, 0..1.

    Args:
        j: (P + 1, G, T): of P answers and, last, of an empty one.
        f: The same.
        num_proposals: Answers up to the last that has a pixel.
    """

    j: np.ndarray
    f: np.ndarray
    num_proposals: int


def score_video(
    sample: dict, protocols: Sequence[str] = PROTOCOLS
) -> List[dict]:
    """Score all annotators' runs on a video.

    Args:
        sample: What ``RefDataSample.to_dict()`` gives.
        protocols: Some of ``PROTOCOLS``.

    Returns:
        One table row a protocol, annotator and object, in percent.
    """
    runs = runs_of_annotators(sample)
    truth = collect_truth(sample)
    rows = []
    for annotator, answers in runs.items():
        scores = score_run(sample, answers, truth)
        for protocol in protocols:
            pairs = (
                match_objects(scores, truth)
                if protocol == 'published'
                else asked_objects(answers, truth)
            )
            for answer, target in pairs:
                rows.append(
                    {
                        'protocol': protocol,
                        'annotator': annotator,
                        **_describe(sample, answers, answer),
                        'objects': list(truth.objects[target]),
                        **_numbers(
                            scores.j[answer, target], scores.f[answer, target]
                        ),
                    }
                )
    return rows


def runs_of_annotators(
    sample: dict,
) -> Dict[str, List[ReferencePrediction]]:
    """The predictions of each annotator's run, by object."""
    video = f'video {sample["video_id"]}'
    runs: Dict[str, List[ReferencePrediction]] = defaultdict(list)
    for prediction in checked_predictions(sample):
        reference = prediction.reference
        if reference.annotator not in ANNOTATORS:
            raise InputError.of(
                video,
                f'references.{reference.id}.annotator',
                reference.annotator,
                f'one of {ANNOTATORS}, which RefDAVIS17Dataset tells',
            )
        soft = prediction.soft_masks
        if soft is None or soft.linear:
            raise InputError.of(
                video,
                f'predictions.{reference.id}.soft_masks',
                soft and 'linear',
                'soft masks; the config needs '
                'model.test_cfg.keep_soft_masks=True',
            )
        if soft.size != frame_size(sample) or len(soft) != len(
            prediction.masks
        ):
            raise InputError.of(
                video,
                f'predictions.{reference.id}.soft_masks: frames and size',
                (len(soft), soft.size),
                f'{(len(prediction.masks), frame_size(sample))}',
            )
        runs[reference.annotator].append(prediction)
    # In the order of their objects: where two are as sure, the first wins.
    for answers in runs.values():
        answers.sort(key=lambda a: [int(i) for i in a.reference.object_ids])
    return runs


def collect_truth(sample: dict) -> Truth:
    """The tubes of all objects that either protocol wants."""
    tubes = sample.get('gt_tubes')
    if tubes is None:
        raise InputError.of(
            f'video {sample["video_id"]}',
            'gt_tubes',
            None,
            'the true masks (LoadTubes with as_rle=True)',
        )
    # As DAVIS's own evaluation counts them.
    count = max(
        (
            int(object_id)
            for object_id, tube in tubes.items()
            if object_id != VOID and tube and tube[0] is not None
        ),
        default=0,
    )
    targets: List[Tuple[str, ...]] = [(str(i + 1),) for i in range(count)]
    for reference in sample['references']:
        if reference.object_ids not in targets:
            targets.append(reference.object_ids)
    return Truth(
        targets,
        [true_tube(sample, objects) for objects in targets],
        true_tube(sample, (VOID,)),
        count,
    )


def score_run(
    sample: dict, answers: List[ReferencePrediction], truth: Truth
) -> Scores:
    """Compose the answers and score each against each true object.

    One frame is in memory at a time.
    """
    num_frames = len(sample['frame_ids'])
    shape = (len(answers) + 1, len(truth.tubes), num_frames)
    j, f = np.zeros(shape), np.zeros(shape)
    num_proposals = 0
    for time in range(num_frames):
        labels = compose(answers, time)
        num_proposals = max(num_proposals, int(labels.max()))
        labels[mask_utils.decode(truth.void[time]) > 0] = 0
        for target, tube in enumerate(truth.tubes):
            # Objects and void never overlap in one PNG of ids.
            true = mask_utils.decode(tube[time])[None]  # (1, H, W)
            for answer in range(len(answers) + 1):
                # No pixel is labelled len(answers) + 1: the empty one.
                found = (labels == answer + 1)[None]
                j[answer, target, time] = region_similarity(found, true)[0]
                f[answer, target, time] = boundary_f(found, true)[0]
    return Scores(j, f, num_proposals)


def compose(answers: List[ReferencePrediction], time: int) -> np.ndarray:
    """Give each pixel of a frame to the surest answer, or to none.

    Returns:
        (H, W), 0 for the background, else the answer's place + 1.
    """
    levels = np.stack(
        [
            prediction.soft_masks.levels(time)  # type: ignore[union-attr]
            for prediction in answers
        ]
    )
    # Level 0 is not surer than the background.
    return np.where(levels.any(0), levels.argmax(0) + 1, 0)


def match_objects(scores: Scores, truth: Truth) -> List[Tuple[int, int]]:
    """Pair answers and annotated objects for the best sum of mean J&F.

    As DAVIS's unsupervised evaluation does: answers without a pixel after
    the last that has one are no proposals; where there are fewer proposals
    than objects, empty ones fill up.
    """
    proposals = list(range(scores.num_proposals))
    empty = len(scores.j) - 1
    proposals += [empty] * (truth.num_annotated - len(proposals))
    quality = (scores.j + scores.f).mean(-1)[proposals]
    chosen, targets = linear_sum_assignment(
        quality[:, : truth.num_annotated], maximize=True
    )
    pairs = [(proposals[i], int(t)) for i, t in zip(chosen, targets)]
    return sorted(pairs, key=lambda pair: pair[1])


def asked_objects(
    answers: List[ReferencePrediction], truth: Truth
) -> List[Tuple[int, int]]:
    """Pair each answer with the object that it was asked for."""
    return [
        (index, truth.objects.index(answer.reference.object_ids))
        for index, answer in enumerate(answers)
    ]


def _describe(
    sample: dict, answers: List[ReferencePrediction], index: int
) -> dict:
    """Whose answer a row of the table is about; nobody's if it is empty."""
    reference = answers[index].reference if index < len(answers) else None
    return {
        'video': sample['video_id'],
        'reference': reference.id if reference else None,
        'text': reference.text if reference else None,
    }


def _numbers(j: np.ndarray, f: np.ndarray) -> Dict[str, float]:
    """The numbers of one object by its J and F in every frame, (T,)."""
    region, boundary = tube_statistics(j), tube_statistics(f)
    values = ((region.mean + boundary.mean) / 2, *region, *boundary)
    return dict(zip(NUMBERS, (100 * value for value in values)))


def _mean_of_annotators(rows: List[dict]) -> Dict[str, float]:
    """Mean over the objects of each annotator, then over annotators."""
    runs = [
        [row for row in rows if row['annotator'] == annotator]
        for annotator in ANNOTATORS
    ]
    runs = [run for run in runs if run]
    if not runs:
        return dict.fromkeys(NUMBERS, float('nan'))
    return {
        name: float(np.mean([np.mean([r[name] for r in run]) for run in runs]))
        for name in NUMBERS
    }
