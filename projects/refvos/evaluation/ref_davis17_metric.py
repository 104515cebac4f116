"""J, F and J&F of Ref-DAVIS17 in the published and the referring protocol."""

from collections import defaultdict
from typing import (
    Any,
    ClassVar,
    Dict,
    List,
    Mapping,
    NamedTuple,
    Sequence,
    Tuple,
)

import numpy as np
from mmdet.registry import METRICS
from pycocotools import mask as mask_utils
from scipy.optimize import linear_sum_assignment

from ..datasets.ref_davis17_constants import ANNOTATORS, VOID
from ..errors import InputError
from ..structures import ReferencePrediction
from .region_boundary import boundary_f, region_similarity, tube_statistics
from .samples import (
    Objects,
    Tube,
    checked_gt,
    checked_predictions,
    frame_size,
    gt_tube,
    video_name,
)
from .table_metric import TableMetric

PROTOCOLS = ('published', 'referring')
NUMBERS = (
    *('J&F', 'J', 'J_recall', 'J_decay'),
    *('F', 'F_recall', 'F_decay'),
)


@METRICS.register_module()
class RefDAVIS17Metric(TableMetric):
    """Ref-DAVIS17 in both of its protocols, in percent.

    The expressions of each annotator are a run of their own: the predictions
    for them compete for every pixel, arg-max over the soft masks and a
    background of 0.1. Void pixels (255) count neither as object nor as
    background. J and F of an object are averaged over its frames, then over
    the objects of all videos, then over the annotators; recall (> 0.5) and
    decay (first quarter of the frames minus the last) likewise.

    - ``published``, what the papers report: DAVIS's unsupervised task. In
      each video predicted and ground-truth objects are paired so that their
      J&F is highest, whatever the expressions: exchanged objects cost
      nothing. All objects of the first frame's ground truth count, referred
      to or not.
    - ``referring``: the prediction for an expression against the object that
      the expression refers to.

    The model must return its soft masks, ``test_cfg.soft_masks=True``, which
    :class:`MetricNeedsHook` sets. All references of a video come in one
    sample, so a video is composed and scored in ``process``, by the process
    that tested it: only numbers are collected, and soft masks are freed with
    their sample.

    Args:
        protocols: One or both of the two; both by default.
        kwargs: See :class:`TableMetric`.

    Raises:
        InputError: If there are no soft masks, or the ground truth or the
            annotator of a reference is not known.

    Example:
        >>> test_evaluator = dict(type='RefDAVIS17Metric')
    """

    needs: ClassVar[Mapping[str, Any]] = {'soft_masks': True}

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
        """Score the runs of all annotators on a video.

        Args:
            sample: The dict of ``RefDataSample.to_dict()``.

        Returns:
            One table row per protocol, annotator and object, in percent.
        """
        runs = runs_of_annotators(sample)
        gt = collect_gt(sample)
        rows = []
        for annotator, predictions in runs.items():
            scores = score_run(sample, predictions, gt)
            for protocol in self.protocols:
                pairs = (
                    match_objects(scores, gt)
                    if protocol == 'published'
                    else referred_objects(predictions, gt)
                )
                for place, target in pairs:
                    rows.append(
                        {
                            'protocol': protocol,
                            'annotator': annotator,
                            **_describe(sample, predictions, place),
                            'objects': list(gt.objects[target]),
                            **_numbers(
                                scores.j[place, target],
                                scores.f[place, target],
                            ),
                        }
                    )
        return rows

    def summarize(self, scored: List[dict]) -> Dict[str, float]:
        """Average over objects, then over annotators."""
        metrics = {}
        for protocol in self.protocols:
            means = _mean_of_annotators(
                [row for row in scored if row['protocol'] == protocol]
            )
            metrics.update({f'{protocol}/{k}': v for k, v in means.items()})
        return metrics


class GroundTruth(NamedTuple):
    """The ground-truth tubes of a video.

    Args:
        objects: The object ids of each tube.
        tubes: One RLE per frame each.
        void: Pixels that are not scored, one RLE per frame.
        num_annotated: Number of objects of the first frame's ground truth,
            which the published protocol scores; they come first.
    """

    objects: List[Objects]
    tubes: List[Tube]
    void: Tube
    num_annotated: int


class Scores(NamedTuple):
    """J and F of an annotator's run on a video, 0..1.

    Args:
        j: (P + 1, G, T): of P predictions and, last, of an empty one.
        f: The same.
        num_proposals: Number of predictions up to the last one that has a
            pixel.
    """

    j: np.ndarray
    f: np.ndarray
    num_proposals: int


def runs_of_annotators(
    sample: dict,
) -> Dict[str, List[ReferencePrediction]]:
    """Group the predictions by annotator, sorted by object.

    Raises:
        InputError: If an annotator is not known, or soft masks are missing
            or do not fit the frames.
    """
    runs: Dict[str, List[ReferencePrediction]] = defaultdict(list)
    for prediction in checked_predictions(sample):
        annotator = prediction.reference.annotator
        if annotator not in ANNOTATORS:
            raise InputError.of(
                video_name(sample),
                f'references.{prediction.reference.id}.annotator',
                annotator,
                f'one of {ANNOTATORS}, as RefDAVIS17Dataset sets it',
            )
        check_soft_masks(sample, prediction)
        runs[annotator].append(prediction)
    # The order of the objects: of equal levels, the first wins.
    for predictions in runs.values():
        predictions.sort(
            key=lambda each: [int(id) for id in each.reference.object_ids]
        )
    return runs


def check_soft_masks(sample: dict, prediction: ReferencePrediction) -> None:
    """Require soft masks that can be compared, one per frame.

    Raises:
        InputError: If they are missing, linear, or not one per frame at the
            size of the original frames.
    """
    soft = prediction.soft_masks
    name = f'predictions.{prediction.reference.id}.soft_masks'
    if soft is None or soft.linear:
        raise InputError.of(
            video_name(sample),
            name,
            soft and 'linear',
            'soft masks; the config needs model.test_cfg.soft_masks=True',
        )
    found = (len(soft), soft.size)
    expected = (len(prediction.masks), frame_size(sample))
    if found != expected:
        raise InputError.of(
            video_name(sample),
            f'{name}: frames and size',
            found,
            f'{expected}, as the frames',
        )


def collect_gt(sample: dict) -> GroundTruth:
    """Collect the tubes of all objects that either protocol scores.

    Raises:
        InputError: If the ground truth is not known.
    """
    # DAVIS's own evaluation counts the objects of the first frame.
    count = max(
        (
            int(object_id)
            for object_id, tube in checked_gt(sample).items()
            if object_id != VOID and tube and tube[0] is not None
        ),
        default=0,
    )
    objects: List[Objects] = [(str(i + 1),) for i in range(count)]
    for reference in sample['references']:
        if reference.object_ids not in objects:
            objects.append(reference.object_ids)
    return GroundTruth(
        objects,
        [gt_tube(sample, object_ids) for object_ids in objects],
        gt_tube(sample, (VOID,)),
        count,
    )


def score_run(
    sample: dict, predictions: List[ReferencePrediction], gt: GroundTruth
) -> Scores:
    """Compose the predictions and score each against each object.

    One frame is in memory at a time.
    """
    num_frames = len(sample['frame_ids'])
    shape = (len(predictions) + 1, len(gt.tubes), num_frames)
    j, f = np.zeros(shape), np.zeros(shape)
    num_proposals = 0
    for time in range(num_frames):
        labels = compose(predictions, time)
        num_proposals = max(num_proposals, int(labels.max()))
        labels[mask_utils.decode(gt.void[time]) > 0] = 0
        for target, tube in enumerate(gt.tubes):
            # Objects and void never overlap in one PNG of ids.
            gt_mask = mask_utils.decode(tube[time])[None]  # (1, H, W)
            for place in range(len(predictions) + 1):
                # No pixel has the label len(predictions) + 1: the empty one.
                pred_mask = (labels == place + 1)[None]
                j[place, target, time] = region_similarity(pred_mask, gt_mask)[
                    0
                ]
                f[place, target, time] = boundary_f(pred_mask, gt_mask)[0]
    return Scores(j, f, num_proposals)


def compose(predictions: List[ReferencePrediction], time: int) -> np.ndarray:
    """Give each pixel of a frame to the most confident prediction, or none.

    Returns:
        (H, W), 0 for the background, else the prediction's place + 1.
    """
    levels = np.stack(
        [
            prediction.soft_masks.levels(time)  # type: ignore[union-attr]
            for prediction in predictions
        ]
    )
    # Level 0 is not more probable than the background.
    return np.where(levels.any(0), levels.argmax(0) + 1, 0)


def match_objects(scores: Scores, gt: GroundTruth) -> List[Tuple[int, int]]:
    """Pair predictions and annotated objects for the best sum of mean J&F.

    As DAVIS's unsupervised evaluation does: predictions without a pixel
    after the last that has one are no proposals; where there are fewer
    proposals than objects, empty ones are added.

    Returns:
        Places of predictions and of objects.
    """
    proposals = list(range(scores.num_proposals))
    empty = len(scores.j) - 1
    proposals += [empty] * (gt.num_annotated - len(proposals))
    quality = (scores.j + scores.f).mean(-1)[proposals]
    chosen, targets = linear_sum_assignment(
        quality[:, : gt.num_annotated], maximize=True
    )
    pairs = [(proposals[i], int(t)) for i, t in zip(chosen, targets)]
    return sorted(pairs, key=lambda pair: pair[1])


def referred_objects(
    predictions: List[ReferencePrediction], gt: GroundTruth
) -> List[Tuple[int, int]]:
    """Pair each prediction with the object that its expression refers to.

    Returns:
        Places of predictions and of objects.
    """
    return [
        (place, gt.objects.index(prediction.reference.object_ids))
        for place, prediction in enumerate(predictions)
    ]


def _describe(
    sample: dict, predictions: List[ReferencePrediction], place: int
) -> dict:
    """Video, reference and text of a row; None for an empty proposal."""
    reference = None
    if place < len(predictions):
        reference = predictions[place].reference
    return {
        'video': sample['video_id'],
        'reference': reference.id if reference else None,
        'text': reference.text if reference else None,
    }


def _numbers(j: np.ndarray, f: np.ndarray) -> Dict[str, float]:
    """Compute the numbers of one object from J and F per frame, (T,)."""
    region, boundary = tube_statistics(j), tube_statistics(f)
    values = ((region.mean + boundary.mean) / 2, *region, *boundary)
    return dict(zip(NUMBERS, (100 * value for value in values)))


def _mean_of_annotators(rows: List[dict]) -> Dict[str, float]:
    """Average over the objects of each annotator, then over annotators."""
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
