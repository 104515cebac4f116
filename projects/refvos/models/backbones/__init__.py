from .convnext import FrameConvNeXt
from .position_bias import (
    fit_position_biases,
    keep_indices_out_of_checkpoints,
    resize_bias_table,
)
from .pvt import FramePyramidVisionTransformerV2
from .swin import FrameSwinTransformer
from .vggish import VGGish
from .video_swin import VideoSwinTransformer, sum_patch_over_time

__all__ = [
    'FrameConvNeXt',
    'FramePyramidVisionTransformerV2',
    'FrameSwinTransformer',
    'VGGish',
    'VideoSwinTransformer',
    'fit_position_biases',
    'keep_indices_out_of_checkpoints',
    'resize_bias_table',
    'sum_patch_over_time',
]
