# ReferFormer, Video-Swin-T, A2D-Sentences from scratch: T = 6, no dropout
# (Table 2).
_base_ = [
    '../_base_/models/referformer_video_swin_t.py',
    '../_base_/datasets/a2d_sentences_window6.py',
    '../_base_/schedules/a2d_scratch_12e.py',
    '../_base_/default_runtime.py',
]

_no_dropout = dict(self_attn_cfg=dict(dropout=0.0), ffn_cfg=dict(ffn_drop=0.0))
model = dict(
    encoder=dict(layer_cfg=_no_dropout),
    decoder=dict(
        layer_cfg=dict(cross_attn_cfg=dict(dropout=0.0), **_no_dropout)
    ),
    fpn=dict(dropout=0.0),
)
