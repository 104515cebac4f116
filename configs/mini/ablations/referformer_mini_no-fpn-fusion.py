# As Table 4, "w/o Visual-language Fusion".
_base_ = ['./referformer_mini_base.py']

model = dict(fpn=dict(fuse_words=False))
