"""Pack the pipeline's dict into a model's inputs."""

from typing import Optional

import numpy as np
import torch
from mmcv.transforms import BaseTransform
from mmdet.registry import TRANSFORMS
from mmdet.structures import DetDataSample
from mmengine.structures import InstanceData

from ...structures import RefDataSample
from .clip import target_frames


@TRANSFORMS.register_module()
class PackRefInputs(BaseTransform):
    """Pack a clip into ``inputs``, (T, 3, H, W) uint8 RGB, and a sample.

    The sample (:class:`RefDataSample`) describes the target frames only
    (``target_frames``, indices into the clip; all by default), while
    ``inputs`` has all frames. If some target frames have no ground truth,
    its ``gt_labelled`` has one bool per target frame.

    Required Keys: frames, references, video_id. Optional Keys: gt_tubes,
    gt_boxes, sound_path, seconds, target_frames, frames[].labelled,
    frames[].gt_masks and the other keys of mmdet's instances. Returns None
    for a training clip from which the transforms have cut the object, so
    that another item replaces it.
    """

    def transform(self, results: dict) -> Optional[dict]:
        frames = results['frames']
        targets = target_frames(results)
        annotated = 'gt_masks' in targets[0]
        if annotated and not any(f['gt_masks'].masks.any() for f in targets):
            return None
        images = np.stack([frame['img'] for frame in frames])
        inputs = torch.from_numpy(images).permute(0, 3, 1, 2).contiguous()
        sample = RefDataSample(
            metainfo={
                'video_id': results['video_id'],
                'frame_ids': [frame['frame_id'] for frame in targets],
                'img_paths': [frame.get('img_path') for frame in targets],
                'ori_shape': tuple(frames[0]['ori_shape'][:2]),
                'img_shape': tuple(images.shape[1:3]),
                'num_frames': len(frames),
            }
        )
        for key in ('target_frames', 'sound_path', 'seconds'):
            if key in results:
                sample.set_metainfo({key: results[key]})
        labelled = [bool(frame.get('labelled', True)) for frame in targets]
        if not all(labelled):
            sample.set_metainfo({'gt_labelled': labelled})
        if 'video_path' in frames[0]:
            sample.set_metainfo(
                {
                    'video_frames': [
                        (frame['video_path'], frame['frame_index'])
                        for frame in targets
                    ]
                }
            )
        sample.video_data_samples = [pack_frame(frame) for frame in targets]
        sample.references = results['references']
        if 'gt_tubes' in results:
            sample.gt_tubes = results['gt_tubes']
        if 'gt_boxes' in results:
            sample.gt_boxes = results['gt_boxes']
        return {'inputs': inputs, 'data_samples': sample}


def pack_frame(frame: dict) -> DetDataSample:
    """Pack one frame's ground truth, without instances that have no pixel."""
    sample = DetDataSample(metainfo={'img_shape': frame['img'].shape[:2]})
    if 'gt_masks' not in frame:
        return sample
    # A crop may leave an instance without pixels.
    visible = frame['gt_masks'].masks.any(axis=(1, 2))
    sample.gt_instances = InstanceData(
        masks=frame['gt_masks'][visible],
        bboxes=frame['gt_bboxes'].tensor[torch.from_numpy(visible)],
        labels=torch.from_numpy(frame['gt_bboxes_labels'][visible]),
    )
    return sample
