# Sound encoder of the small MUTR: a small VGGish, trained.
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
    # In place of RoBERTa's class token, from which MTA makes the queries.
    sentence_first=True,
)
