# MUTR on scenes whose objects differ only in their motion
# (`make mutr-motion`), from the weights of ../mutr_mini_motion_start.py, which
# segment objects already.
_base_ = [
    '../../_base_/models/mutr_mini.py',
    '../../_base_/mini_motion.py',
]

model = dict(
    # One query per object of a frame, for MTI to relate over time.
    num_queries=5,
    # The pyramid's pixels would attend to other frames as well, in every row;
    # without it, only MTA and MTI connect the frames.
    fpn=dict(fuse_words=False),
)
