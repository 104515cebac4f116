# Table V: the video's semantics alone: J&F 60.3 (with the text's, the base:
# 63.0).
_base_ = ['../proxyformer_video-swin-t_8xb1-30e_ref-youtube-vos.py']

model = dict(jsc=dict(parts=('video',)))
