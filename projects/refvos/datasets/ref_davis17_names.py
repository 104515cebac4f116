"""What names mean in Ref-DAVIS17; the generator needs no more of it."""

# An object's four expressions, in the order of their numbers: two people
# after the first frame and after the whole video.
ANNOTATORS = ('annot1', 'annot1_full_video', 'annot2', 'annot2_full_video')
# In the masks: pixels that nobody could assign, left out of the scores.
VOID = '255'
