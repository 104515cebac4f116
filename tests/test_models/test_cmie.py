"""Cross-Modality Interaction Encoding, against sums written by hand."""

from dataclasses import replace

import pytest
import torch

from refvos.errors import InputError
from refvos.models.layers import (
    CrossModalInteraction,
    FrameTokens,
    SpaceTimeAttention,
)
from refvos.structures import ReferenceTokens

BATCH, FRAMES, PLACES, QUERIES, WORDS, DIMS = 2, 3, 6, 4, 5, 16


def draw(*shape, seed=0):
    return torch.randn(
        *shape, generator=torch.Generator().manual_seed(seed + sum(shape))
    )


def make_tokens(count, frames=FRAMES, seed=0, mask=None):
    return FrameTokens(
        draw(BATCH, frames, count, DIMS, seed=seed),
        draw(BATCH, count, DIMS, seed=seed + 1),
        draw(frames, DIMS, seed=seed + 2),
        mask,
    )


def make_words(hidden=0):
    mask = torch.zeros(BATCH, WORDS, dtype=torch.bool)
    if hidden:
        mask[:, -hidden:] = True
    return ReferenceTokens(
        draw(BATCH, WORDS, DIMS),
        mask,
        draw(BATCH, WORDS, DIMS, seed=1),
        draw(BATCH, DIMS),
    )


def build(cls, **options):
    torch.manual_seed(0)
    return cls(DIMS, num_heads=2, **options).eval()


def by_hand(layer, x, query, key, value, mask=None):
    """One attention of :class:`Attention` written out, head by head."""
    module = layer.attention
    wq, wk, wv = module.in_proj_weight.chunk(3)
    bq, bk, bv = module.in_proj_bias.chunk(3)
    heads = []
    for q, k, v in zip(
        (query @ wq.T + bq).chunk(2, -1),
        (key @ wk.T + bk).chunk(2, -1),
        (value @ wv.T + bv).chunk(2, -1),
    ):
        weights = q @ k.mT / q.shape[-1] ** 0.5
        if mask is not None:
            weights = weights.masked_fill(mask, float('-inf'))
        heads.append(weights.softmax(-1) @ v)
    projected = module.out_proj(torch.cat(heads, -1))
    return layer.norm(x + projected)


def test_pixels_to_pixels_is_equation_2():
    """Frame by frame and place by place, each normed, then added."""
    layer = build(SpaceTimeAttention)
    tokens = make_tokens(PLACES)
    ours = layer(tokens)
    for clip in range(BATCH):
        for frame in range(FRAMES):
            for place in range(PLACES):
                x = tokens.x[clip, frame]
                key = x + tokens.places[clip]
                space = by_hand(layer.space, x[[place]], key[[place]], key, x)
                y = tokens.x[clip, :, place]
                key = y + tokens.times
                time = by_hand(layer.time, y[[frame]], key[[frame]], key, y)
                torch.testing.assert_close(
                    ours[clip, frame, [place]], space + time
                )


def test_cross_attention_is_equations_3_and_5():
    """Time attends to each frame's average, padding left out."""
    mask = torch.zeros(BATCH, PLACES, dtype=torch.bool)
    mask[1, 4:] = True
    layer = build(SpaceTimeAttention)
    proxies = make_tokens(QUERIES, seed=5)
    pixels = make_tokens(PLACES, mask=mask)
    ours = layer(proxies, pixels)
    for clip, count in ((0, PLACES), (1, 4)):
        average = pixels.x[clip, :, :count].mean(1)
        for frame in range(FRAMES):
            x = proxies.x[clip, frame]
            y = pixels.x[clip, frame, :count]
            space = by_hand(
                layer.space,
                x,
                x + proxies.places[clip],
                y + pixels.places[clip, :count],
                y,
            )
            time = by_hand(
                layer.time,
                x,
                x + proxies.times[frame],
                average + pixels.times,
                average,
            )
            torch.testing.assert_close(ours[clip, frame], space + time)


def joint_and_decoupled():
    """A joint and a decoupled attention with the same weights."""
    joint, apart = (
        build(SpaceTimeAttention, joint=each) for each in (True, False)
    )
    apart.space.load_state_dict(joint.space.state_dict())
    apart.time.load_state_dict(joint.space.state_dict())
    return joint, apart


@pytest.mark.parametrize('own', [True, False])
def test_one_frame_is_all_space(own):
    """With T = 1, joint attention is the space branch."""
    joint, apart = joint_and_decoupled()
    tokens = make_tokens(PLACES, frames=1)
    # Every token of a frame has the same time: say it is none.
    tokens = replace(tokens, times=torch.zeros(1, DIMS))
    memory = tokens
    if not own:
        memory = replace(
            make_tokens(QUERIES, frames=1, seed=3), times=tokens.times
        )
    torch.testing.assert_close(
        joint(tokens, None if own else memory),
        apart.attend_in_space(tokens, memory),
    )


@pytest.mark.parametrize('own', [True, False])
def test_one_place_is_all_time(own):
    """With one place, joint attention is the time branch."""
    joint, apart = joint_and_decoupled()
    nowhere = torch.zeros(1, 1, DIMS)
    tokens = replace(make_tokens(1), places=nowhere)
    if own:
        torch.testing.assert_close(
            joint(tokens), apart.attend_per_place(tokens, None)
        )
        return
    memory = replace(make_tokens(1, seed=3), places=nowhere)
    torch.testing.assert_close(
        joint(tokens, memory),
        apart.attend_to_frames(tokens, memory.x[:, :, 0], memory.times),
    )


@pytest.mark.parametrize('joint', [True, False])
@pytest.mark.parametrize('chunk', [1, 2])
def test_the_result_does_not_depend_on_the_chunk(joint, chunk):
    stage = build(CrossModalInteraction, joint=joint)
    mask = torch.zeros(BATCH, PLACES, dtype=torch.bool)
    mask[0, 5:] = True
    given = make_tokens(PLACES, mask=mask), make_tokens(QUERIES, seed=7)
    whole = stage(*given, make_words())
    parts = stage(*given, make_words(), chunk)
    for ours, theirs in zip(parts, whole, strict=True):
        torch.testing.assert_close(ours, theirs)


@pytest.mark.parametrize('joint', [True, False])
@pytest.mark.parametrize('pixels_read', ['proxies', 'words', None])
def test_padding_changes_nothing(joint, pixels_read):
    """Neither padded words, nor padded pixels, nor the batch's other clip."""
    stage = build(CrossModalInteraction, joint=joint, pixels_read=pixels_read)
    mask = torch.zeros(BATCH, PLACES, dtype=torch.bool)
    mask[:, 4:] = True
    pixels, proxies = make_tokens(PLACES, mask=mask), make_tokens(QUERIES)
    words = make_words(hidden=2)
    alone = stage(
        FrameTokens(pixels.x[:1, :, :4], pixels.places[:1, :4], pixels.times),
        FrameTokens(proxies.x[:1], proxies.places[:1], proxies.times),
        ReferenceTokens(
            words.tokens[:1, :3],
            words.padding_mask[:1, :3],
            words.positions[:1, :3],
            words.sentence[:1],
        ),
    )
    together = stage(pixels, proxies, words)
    torch.testing.assert_close(together[0][:1, :, :4], alone[0])
    torch.testing.assert_close(together[1][:1], alone[1])


def test_what_reaches_the_pixels():
    """Words reach them through the proxies, directly, or not at all."""
    pixels, proxies = make_tokens(PLACES), make_tokens(QUERIES)
    for read, by_words, by_proxies in (
        ('proxies', False, True),
        ('words', True, False),
        (None, False, False),
    ):
        stage = build(CrossModalInteraction, pixels_read=read)
        words = make_words()
        before = stage(pixels, proxies, words)
        other = replace(words, tokens=words.tokens + 1)
        shifted = replace(proxies, x=proxies.x * 2)
        for changed, reaches in (
            (stage(pixels, proxies, other), by_words),
            (stage(pixels, shifted, words), by_proxies),
        ):
            assert torch.equal(changed[0], before[0]) is not reaches
            assert not torch.equal(changed[1], before[1])


def test_all_parts_are_trained():
    """So that DistributedDataParallel waits for no unused one."""
    for joint in (True, False):
        for read in ('proxies', 'words', None):
            stage = build(CrossModalInteraction, joint=joint, pixels_read=read)
            x, q = stage(
                make_tokens(PLACES), make_tokens(QUERIES), make_words()
            )
            (x.square().sum() + q.square().sum()).backward()
            assert all(p.grad is not None for p in stage.parameters())


def test_an_unknown_choice_is_refused():
    with pytest.raises(InputError, match="CMIE: pixels_read is 'text'"):
        build(CrossModalInteraction, pixels_read='text')
