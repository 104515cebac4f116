# MUTR on AVSBench S4. The paper does not say how long; as with text.
_base_ = ['./mutr_12e.py']

# Every parameter that is trained has a gradient.
find_unused_parameters = False
