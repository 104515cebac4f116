# ProxyFormer, Video-Swin-B, tested on Ref-DAVIS17 with weights of
# Ref-YouTube-VOS (Table I).
_base_ = [
    '../_base_/models/proxyformer_video_swin_b.py',
    '../_base_/datasets/ref_davis17.py',
    '../_base_/schedules/proxyformer_30e.py',
    '../_base_/default_runtime.py',
]
