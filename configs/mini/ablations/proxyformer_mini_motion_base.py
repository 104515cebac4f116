# ReferFormer on scenes whose objects differ only in their motion, the first
# row of `make proxyformer-motion`, from the weights of
# ../proxyformer_mini_motion_start.py, which segment objects already.
_base_ = [
    '../../_base_/models/referformer_mini.py',
    '../../_base_/mini_motion.py',
]

# One query per object of a frame.
num_queries = 5
# The pyramid's pixels would attend to other frames as well, in every row;
# without it, only CMIE connects the frames.
fpn = dict(fuse_words=False)
# In every row as in ProxyFormer, so that rows differ in what they do in time.
fusion = None
decoder = dict(num_layers=3)
mask_head = dict(controller_layers=2)

model = dict(
    num_queries=num_queries,
    fpn=fpn,
    fusion=fusion,
    decoder=decoder,
    mask_head=mask_head,
)
