"""A clip or video with its references: what goes through the pipeline."""

from typing import Dict, List, Optional

from mmdet.structures import TrackDataSample

from .reference import Reference, ReferencePrediction, Rle


class RefDataSample(TrackDataSample):
    """mmdet's track sample and the references to objects in it.

    Besides ``video_data_samples`` (one ``DetDataSample`` a frame, whose
    ``gt_instances`` hold the referred object in training), it has

    - ``references``: list of :class:`Reference`, one in training, all those
      of the video at test time;
    - ``gt_tubes``: object id -> one RLE a frame (None where the object is
      not drawn), at the frames' own size; only where the truth is known;
    - ``predictions``: list of :class:`ReferencePrediction`, in the order of
      ``references``.

    Metainfo of a video: ``video_id``, ``frame_ids`` (the frames' names),
    ``ori_shape`` and ``img_shape`` (h, w), ``num_frames``.
    """

    references: List[Reference]
    gt_tubes: Dict[str, List[Optional[Rle]]]
    predictions: List[ReferencePrediction]
