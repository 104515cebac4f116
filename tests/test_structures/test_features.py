"""What is kept of a video between its references."""

import torch

from refvos.structures import (
    FeatureLevel,
    VideoFeatures,
    pack_maps,
    unpack_maps,
)


def test_packed_maps_are_those_within_a_step():
    torch.manual_seed(0)
    maps = torch.randn(2, 3, 4, 5, 6) * torch.tensor([1e-3, 1, 1e3, 9]).view(
        4, 1, 1
    )
    codes, ranges = pack_maps(maps)
    assert codes.dtype == torch.int16
    assert codes.shape == maps.shape and ranges.shape == (2, 3, 4, 2)
    step = (maps.amax((-1, -2)) - maps.amin((-1, -2))) / 65534
    error = (unpack_maps(codes, ranges) - maps).abs().amax((-1, -2))
    # Half a step, and what float32 rounds.
    assert (error <= 0.6 * step).all()
    assert (error > 0).any()


def test_a_map_of_one_value_is_packed_exactly():
    maps = torch.tensor([0.0, -3.5])[:, None, None].expand(2, 4, 4)
    assert (unpack_maps(*pack_maps(maps)) == maps).all()


def test_packed_frames_are_cut_with_their_ranges():
    maps = torch.randn(2, 3, 4, 5, 6)  # 2 clips of 3 frames
    codes, ranges = pack_maps(maps)
    place, mask = torch.zeros(2, 4, 5, 6), torch.zeros(2, 5, 6).bool()
    finest = FeatureLevel(
        codes.flatten(0, 1), place, mask, ranges.flatten(0, 1)
    )
    plain = FeatureLevel(maps.flatten(0, 1), place, mask)
    video = VideoFeatures(3, [(20, 24)] * 2, (20, 24), finest, [plain])
    part = video.frames(1, 3)
    expected = maps[:, 1:].flatten(0, 1)
    assert (part.levels[0].values() == expected).all()
    torch.testing.assert_close(
        part.high_resolution.values(), expected, rtol=0, atol=1e-4
    )
