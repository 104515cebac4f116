# MUTR on AVSBench S4. The paper does not give the length: as with texts.
_base_ = ['./mutr_12e.py']

# Every trained parameter has a gradient.
find_unused_parameters = False
