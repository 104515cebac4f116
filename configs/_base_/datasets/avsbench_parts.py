# The splits of AVSBench S4, without folder and pipeline, and how a clip is
# loaded with its sound.
_s4 = dict(type='AVSBenchDataset', subset='s4')
s4_train = dict(**_s4, split='train')
s4_val = dict(**_s4, split='val', test_mode=True)
s4_test = dict(**_s4, split='test', test_mode=True)

load_sound = [
    dict(type='LoadFrames'),
    dict(type='LoadTubes'),
    dict(type='LoadSound'),
]
# For a metric: ground truth at the frames' own size, as RLE.
load_sound_gt = [
    dict(type='LoadFrames'),
    dict(type='LoadTubes', as_rle=True),
    dict(type='LoadSound'),
]
