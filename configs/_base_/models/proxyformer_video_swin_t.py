# ProxyFormer with Video-Swin-T.
_base_ = ['./referformer_video_swin_t.py', './proxyformer_parts.py']

model = _base_.proxyformer
