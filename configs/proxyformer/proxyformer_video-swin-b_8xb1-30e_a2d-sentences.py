# ProxyFormer, Video-Swin-B, A2D-Sentences (Table II): half the rate.
_base_ = [
    '../_base_/models/proxyformer_video_swin_b.py',
    '../_base_/datasets/a2d_sentences_window8.py',
    '../_base_/schedules/proxyformer_30e.py',
    '../_base_/default_runtime.py',
]

optim_wrapper = dict(optimizer=dict(lr=5e-5))
