# What MUTR has where a sound refers, with any backbone.
mutr_sound = dict(
    text_encoder=None,
    sound_encoder=dict(
        type='SoundEncoder',
        vggish=dict(
            type='VGGish',
            # The paper names it pre-trained; that it stays as it is, is
            # AVSBench's way.
            frozen=True,
            init_cfg=dict(
                type='Pretrained',
                checkpoint='https://github.com/harritaylor/torchvggish/'
                'releases/download/v0.1/vggish-10086976.pth',
            ),
        ),
        embed_dims=256,
        dropout=0.1,
        # In the place of the class token, of which queries are made.
        sentence_first=True,
    ),
    # AVSBench's F compares soft masks with thresholds.
    test_cfg=dict(soft_masks='linear'),
)
