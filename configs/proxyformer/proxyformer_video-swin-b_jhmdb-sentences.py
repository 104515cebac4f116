# ProxyFormer, Video-Swin-B, tested on JHMDB-Sentences with weights of
# A2D-Sentences (Table III).
_base_ = [
    '../_base_/models/proxyformer_video_swin_b.py',
    '../_base_/datasets/jhmdb_sentences_window8.py',
    '../_base_/schedules/test_only.py',
    '../_base_/default_runtime.py',
]
