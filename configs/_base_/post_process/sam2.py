# The post-process of Table 5, with SAM 2 instead of CFBI: SAM 2 propagates the
# mask of the best-scored frame through the video. For testing with any config
# of a video data set:
#   _base_ = ['CONFIG', '../_base_/post_process/sam2.py']
#   model = dict(test_cfg=dict(post_process=_base_.sam2))
# Folder of SAM 2: --cfg-options model.test_cfg.post_process.checkpoint=DIR
sam2 = dict(
    type='SAM2Propagation',
    checkpoint='checkpoints/sam2.1-hiera-large',
    prompt='mask',
)
