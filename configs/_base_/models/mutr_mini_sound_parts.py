# What the small MUTR has where a sound refers: a small VGGish that learns.
sound_encoder = dict(
    type='SoundEncoder',
    vggish=dict(
        type='VGGish',
        widths=(8, 16, 16, 32, 32, 32),
        embedding_dims=(64, 64, 64),
        frozen=False,
    ),
    embed_dims=64,
    dropout=0.0,
    # In the place of the class token, of which queries are made.
    sentence_first=True,
)
