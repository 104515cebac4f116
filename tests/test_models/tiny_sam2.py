"""A random SAM 2 of a million weights, saved as transformers does."""

from pathlib import Path

import torch
from transformers import (
    Sam2HieraDetConfig,
    Sam2ImageProcessor,
    Sam2VideoConfig,
    Sam2VideoModel,
    Sam2VideoProcessor,
    Sam2VideoVideoProcessor,
    Sam2VisionConfig,
)

SIDE = 64
# SAM 2's memory has 64 channels; an object's pointer is cut into as many.
CHANNELS = 128


def make_config() -> Sam2VideoConfig:
    backbone = Sam2HieraDetConfig(
        hidden_size=8,
        image_size=[SIDE, SIDE],
        blocks_per_stage=[1, 1, 2, 1],
        embed_dim_per_stage=[8, 16, 32, 64],
        num_attention_heads_per_stage=[1, 1, 2, 2],
        window_size_per_stage=[4, 4, 4, 2],
        global_attention_blocks=[3],
    )
    vision = Sam2VisionConfig(
        backbone_config=backbone,
        backbone_channel_list=[64, 32, 16, 8],
        backbone_feature_sizes=[[16, 16], [8, 8], [4, 4]],
        fpn_hidden_size=CHANNELS,
    )
    return Sam2VideoConfig(
        vision_config=vision,
        prompt_encoder_config={
            'hidden_size': CHANNELS,
            'image_size': SIDE,
            'patch_size': 16,
            'mask_input_channels': 4,
        },
        mask_decoder_config={
            'hidden_size': CHANNELS,
            'mlp_dim': 32,
            'num_attention_heads': 2,
            'iou_head_hidden_dim': 32,
        },
        image_size=SIDE,
        memory_attention_hidden_size=CHANNELS,
        memory_attention_num_layers=1,
        memory_attention_feed_forward_hidden_size=32,
        memory_attention_rope_feat_sizes=[4, 4],
        memory_encoder_hidden_size=CHANNELS,
        memory_encoder_output_channels=64,
        mask_downsampler_embed_dim=CHANNELS,
        memory_fuser_embed_dim=CHANNELS,
        memory_fuser_intermediate_dim=32,
    )


def save_tiny_sam2(folder: Path) -> None:
    """Save model and processor; its objects are never hidden."""
    torch.manual_seed(0)
    model = Sam2VideoModel(make_config())
    # Masks of some size, and an object that "appears" in every frame.
    torch.nn.init.normal_(model.no_memory_embedding)
    torch.nn.init.normal_(model.memory_temporal_positional_encoding)
    for part in (model.mask_decoder, model.memory_attention):
        for parameter in part.parameters():
            if parameter.dim() > 1:
                torch.nn.init.normal_(parameter, std=0.2)
    head = model.mask_decoder.pred_obj_score_head
    torch.nn.init.constant_(head.proj_out.bias, 100.0)
    model.save_pretrained(folder)
    size = {'height': SIDE, 'width': SIDE}
    processor = Sam2VideoProcessor(
        image_processor=Sam2ImageProcessor(size=size),
        video_processor=Sam2VideoVideoProcessor(size=size),
        target_size=SIDE,
    )
    processor.save_pretrained(folder)
