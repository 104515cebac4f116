# MUTR with sounds as references, for any backbone.
mutr_sound = dict(
    text_encoder=None,
    sound_encoder=dict(
        type='SoundEncoder',
        vggish=dict(
            type='VGGish',
            # The paper says that it is pre-trained; it is frozen as in
            # AVSBench's own models.
            frozen=True,
            init_cfg=dict(
                type='Pretrained',
                checkpoint='https://github.com/harritaylor/torchvggish/'
                'releases/download/v0.1/vggish-10086976.pth',
            ),
        ),
        embed_dims=256,
        dropout=0.1,
        # In place of RoBERTa's class token, from which MTA makes the queries.
        sentence_first=True,
    ),
)
