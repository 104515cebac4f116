# ProxyFormer with Video-Swin-B.
_base_ = ['./referformer_video_swin_b.py', './proxyformer_parts.py']

model = _base_.proxyformer
