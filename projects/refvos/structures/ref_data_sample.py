"""Data sample of a clip or video with its references."""

from typing import Dict, List, Optional

from mmdet.structures import TrackDataSample

from .reference import Reference, ReferencePrediction, Rle


class RefDataSample(TrackDataSample):
    """mmdet's track sample with references to the objects in it.

    Besides ``video_data_samples`` (one ``DetDataSample`` per frame, whose
    ``gt_instances`` hold the referred object in training), it has

    - ``references``: list of :class:`Reference`; in training they refer to
      one object, at test time they are all those of the video;
    - ``gt_tubes``: object id -> one RLE per frame (None where the object is
      not annotated), at the original size; only if the ground truth is
      known;
    - ``gt_boxes``: object id -> one annotated box per frame, x1, y1, x2, y2
      in pixels of the original size; only if boxes are annotated;
    - ``predictions``: list of :class:`ReferencePrediction`, in the order of
      ``references``.

    Metainfo of a video: ``video_id``, ``frame_ids`` (the frames' names),
    ``img_paths``, ``ori_shape`` and ``img_shape`` (h, w), ``num_frames`` (of
    the input). Where only some frames of the input are targets,
    ``target_frames`` holds their indices, and frames, names and ground truth
    are those of the targets. Where the ground truth of some frames is not
    known, ``gt_labelled`` holds a bool per frame: losses and metrics leave
    out the others, which have no objects, as if none were visible.
    ``sound_path`` is the file of a soundtrack that is the reference,
    ``seconds`` the length of the video then. Frames of video files have no
    ``img_paths`` but ``video_frames``: (file, number of the frame from 0).
    """

    references: List[Reference]
    gt_tubes: Dict[str, List[Optional[Rle]]]
    gt_boxes: Dict[str, List[List[float]]]
    predictions: List[ReferencePrediction]

    def _apply_to_frames(self, method: str, *args, **kwargs):
        """Call ``method`` on the samples of the frames only.

        mmdet's version expects every field to be a list of data elements,
        which references and tubes are not.
        """
        moved = self.new()
        if 'video_data_samples' in self:
            moved.video_data_samples = [
                getattr(frame, method)(*args, **kwargs)
                for frame in self.video_data_samples
            ]
        return moved

    def to(self, *args, **kwargs) -> 'RefDataSample':
        return self._apply_to_frames('to', *args, **kwargs)

    def cpu(self) -> 'RefDataSample':
        return self._apply_to_frames('cpu')

    def cuda(self) -> 'RefDataSample':
        return self._apply_to_frames('cuda')

    def detach(self) -> 'RefDataSample':
        return self._apply_to_frames('detach')

    def numpy(self) -> 'RefDataSample':
        return self._apply_to_frames('numpy')

    def to_tensor(self) -> 'RefDataSample':
        return self._apply_to_frames('to_tensor')

    def clone(self) -> 'RefDataSample':
        return self._apply_to_frames('clone')
