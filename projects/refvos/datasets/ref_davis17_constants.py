"""Constants of Ref-DAVIS17, apart so that RefVOS-Mini needs no torch."""

# An object's four expressions, in the order of their ids: two annotators,
# each after the first frame and after the whole video.
ANNOTATORS = ('annot1', 'annot1_full_video', 'annot2', 'annot2_full_video')
# The id of pixels that could not be assigned: left out of the scores.
VOID = '255'
