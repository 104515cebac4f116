# Joint training on RefCOCO/+/g and Ref-YouTube-VOS: 12 epochs, drops after 8
# and 10; the text encoder stays frozen (Appendix B).
_base_ = ['./pretrain_12e.py']
