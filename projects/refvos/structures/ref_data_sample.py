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
    - ``gt_boxes``: object id -> one annotated box a frame, x1, y1, x2, y2 in
      pixels of the frames' own size; only where boxes are annotated;
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
        """Call ``method`` on the frames; references hold no batched data.

        mmdet's version expects every field to be a list of data elements.
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
