# MUTR on AVSBench MS3. The paper does not give the length: its 296 clips are
# seen 30 times, as in AVSBench's own training, with drops after two thirds
# and five sixths, as in the 12 epochs of all other trainings.
_base_ = ['./mutr_sound_12e.py']

param_scheduler = [dict(_base_.drops, end=30, milestones=[20, 25])]
train_cfg = dict(max_epochs=30)
