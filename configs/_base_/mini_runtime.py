# The default runtime for trainings counted in iterations.
_base_ = ['./default_runtime.py']

default_hooks = dict(
    checkpoint=dict(by_epoch=False, interval=500, max_keep_ckpts=2)
)
log_processor = dict(by_epoch=False)
