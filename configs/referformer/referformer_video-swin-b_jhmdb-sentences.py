# ReferFormer, Video-Swin-B, tested on JHMDB-Sentences with weights of
# A2D-Sentences (Table 3).
_base_ = [
    '../_base_/models/referformer_video_swin_b.py',
    '../_base_/datasets/jhmdb_sentences.py',
    '../_base_/schedules/test_only.py',
    '../_base_/default_runtime.py',
]
