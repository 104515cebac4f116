# MUTR small enough to train from scratch on two cores.
_base_ = ['./referformer_mini.py']

model = dict(
    type='MUTR',
    fusion=dict(combine='add'),
    mta=dict(num_heads=4, feedforward_channels=256, num_blocks=1),
    mti=dict(
        num_heads=4,
        feedforward_channels=128,
        num_encoder_layers=3,
        num_decoder_layers=3,
        window=4,
        dropout=0.0,
    ),
)
