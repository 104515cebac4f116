# 200 more iterations of the mini ReferFormer, on RefVOS-Mini in Ref-DAVIS17's
# layout, and its score in both protocols.
_base_ = [
    '../_base_/models/referformer_mini.py',
    '../_base_/datasets/refvos_mini_davis17.py',
    '../_base_/schedules/mini_200.py',
    '../_base_/mini_runtime.py',
]

load_from = '{{ fileDirname }}/../../demo/weights/referformer_mini.safetensors'
