# Table 4, "w/o Relative Coordinates": J 53.7, F 55.9.
_base_ = ['../referformer_video-swin-t_8xb1-12e_ref-youtube-vos_scratch.py']

model = dict(mask_head=dict(relative_coordinates=False))
