# As Table 4, "w/o Relative Coordinates".
_base_ = ['./referformer_mini_base.py']

model = dict(mask_head=dict(relative_coordinates=False))
