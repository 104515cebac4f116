# MUTR with ConvNeXt-L, pre-trained on ImageNet-22k: a model of the published
# code that the paper does not report. Stochastic depth: ConvNeXt's own rate
# for semantic segmentation.
_base_ = ['./mutr_r50.py']

model = dict(
    in_channels=[192, 384, 768, 1536],
    backbone=dict(
        _delete_=True,
        type='FrameConvNeXt',
        embed_dims=[192, 384, 768, 1536],
        depths=[3, 3, 27, 3],
        drop_path_rate=0.4,
        pretrained='facebook/convnext-large-224-22k',
    ),
)
