# The parts that MUTR adds to ReferFormer, for any backbone.
mutr = dict(
    type='MUTR',
    fusion=dict(combine='add'),
    # One block, whose weights all four levels share; no dropout.
    mta=dict(num_heads=8, feedforward_channels=2048, num_blocks=1),
    mti=dict(
        num_heads=8,
        feedforward_channels=2048,
        num_encoder_layers=3,
        num_decoder_layers=3,
        window=4,
        dropout=0.2,
    ),
)
