"""From the pipeline's dict to what a model takes."""

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
    """Pack a clip: ``inputs`` (T, 3, H, W) uint8 RGB and a RefDataSample.

    Required Keys: frames, references, video_id. Optional: gt_tubes, gt_boxes,
    sound_path, seconds, target_frames, frames[].labelled, frames[].gt_masks
    and the other keys of mmdet's instances. Where ``target_frames`` (indices
    into the clip) names the frames that the model answers, the sample
    describes only those; ``inputs`` holds all. Where some frames' truth is
    not known, the sample's ``gt_labelled`` says of which it is. A training
    clip from which every transform together cut the object gives None, so
    that another item takes its place.
    """

    def transform(self, results: dict) -> Optional[dict]:
        frames = results['frames']
        answered = target_frames(results)
        annotated = 'gt_masks' in answered[0]
        if annotated and not any(f['gt_masks'].masks.any() for f in answered):
            return None
        images = np.stack([frame['img'] for frame in frames])
        inputs = torch.from_numpy(images).permute(0, 3, 1, 2).contiguous()
        sample = RefDataSample(
            metainfo={
                'video_id': results['video_id'],
                'frame_ids': [frame['frame_id'] for frame in answered],
                'img_paths': [frame.get('img_path') for frame in answered],
                'ori_shape': tuple(frames[0]['ori_shape'][:2]),
                'img_shape': tuple(images.shape[1:3]),
                'num_frames': len(frames),
            }
        )
        for key in ('target_frames', 'sound_path', 'seconds'):
            if key in results:
                sample.set_metainfo({key: results[key]})
        labelled = [bool(frame.get('labelled', True)) for frame in answered]
        if not all(labelled):
            sample.set_metainfo({'gt_labelled': labelled})
        if 'video_path' in frames[0]:
            sample.set_metainfo(
                {
                    'video_frames': [
                        (frame['video_path'], frame['frame_index'])
                        for frame in answered
                    ]
                }
            )
        sample.video_data_samples = [pack_frame(frame) for frame in answered]
        sample.references = results['references']
        if 'gt_tubes' in results:
            sample.gt_tubes = results['gt_tubes']
        if 'gt_boxes' in results:
            sample.gt_boxes = results['gt_boxes']
        return {'inputs': inputs, 'data_samples': sample}


def pack_frame(frame: dict) -> DetDataSample:
    """Pack one frame's truth; empty after a crop that cut the object."""
    sample = DetDataSample(metainfo={'img_shape': frame['img'].shape[:2]})
    if 'gt_masks' not in frame:
        return sample
    # A crop can leave an instance without pixels: it is not visible then.
    left = frame['gt_masks'].masks.any(axis=(1, 2))
    sample.gt_instances = InstanceData(
        masks=frame['gt_masks'][left],
        bboxes=frame['gt_bboxes'].tensor[torch.from_numpy(left)],
        labels=torch.from_numpy(frame['gt_bboxes_labels'][left]),
    )
    return sample
