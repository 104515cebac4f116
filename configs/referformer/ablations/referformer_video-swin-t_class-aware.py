# Table D1, 65 categories: J&F 53.9 (class-agnostic, the base: 56.0).
_base_ = ['../referformer_video-swin-t_8xb1-12e_ref-youtube-vos_scratch.py']

model = dict(num_classes=65)
train_dataloader = dict(dataset=dict(class_aware=True))
