"""ProxyFormer's joint semantic consistency (equations 7 and 8)."""

import pytest
import torch

from refvos.errors import InputError
from refvos.models.losses import JointSemanticConsistency, SymmetricInfoNCE

B, C = 4, 6


def draw():
    generator = torch.Generator().manual_seed(0)
    return torch.randn(3, B, C, generator=generator).unbind()


@pytest.mark.parametrize(
    'parts', [('video',), ('text',), ('video', 'text'), ('text', 'video')]
)
def test_parts_are_concatenated_and_compared(parts):
    queries, video, text = draw()
    jsc = JointSemanticConsistency(C, parts=parts, loss_weight=5.0)
    weight, bias = jsc.project.weight, jsc.project.bias
    assert weight.shape == (C, C * len(parts))
    joint = torch.stack(
        [
            weight @ torch.cat([dict(video=v, text=t)[p] for p in parts])
            + bias
            for v, t in zip(video, text)
        ]
    )
    scores = queries @ joint.T
    expected = (
        -(
            scores.log_softmax(1).diagonal() + scores.log_softmax(0).diagonal()
        ).sum()
        * 5
        / (2 * B)
    )
    torch.testing.assert_close(jsc(queries, video, text), expected)


def test_a_part_that_is_left_out_changes_nothing():
    queries, video, text = draw()
    jsc = JointSemanticConsistency(C, parts=('text',))
    assert torch.equal(
        jsc(queries, video, text), jsc(queries, video + 1, text)
    )
    assert not torch.equal(
        jsc(queries, video, text), jsc(queries, video, text.flip(0))
    )


def test_cosines_by_option():
    queries, video, text = draw()
    jsc = JointSemanticConsistency(C, normalize=True, temperature=0.1)
    joint = jsc.project(torch.cat((video, text), -1))
    contrast = SymmetricInfoNCE(0.1, loss_weight=5.0)
    torch.testing.assert_close(
        jsc(queries, video, text), contrast(queries, joint)
    )


def test_parts_that_do_not_exist_are_refused():
    for parts in ((), ('sound',)):
        with pytest.raises(InputError, match='parts is'):
            JointSemanticConsistency(C, parts=parts)
