# ProxyFormer, Video-Swin-B, Ref-YouTube-VOS (Table I).
_base_ = [
    '../_base_/models/proxyformer_video_swin_b.py',
    '../_base_/datasets/ref_youtube_vos_window12.py',
    '../_base_/schedules/proxyformer_30e.py',
    '../_base_/default_runtime.py',
]
