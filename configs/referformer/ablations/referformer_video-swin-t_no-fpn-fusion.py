# Table 4, "w/o Visual-language Fusion": J 53.0, F 56.2.
_base_ = ['../referformer_video-swin-t_8xb1-12e_ref-youtube-vos_scratch.py']

model = dict(fpn=dict(fuse_words=False))
