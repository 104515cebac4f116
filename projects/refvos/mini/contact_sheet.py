"""A picture by which a person can judge the data set."""

from typing import List, Sequence

import cv2
import numpy as np

from .sound import several_sources, single_source, sounding_mask
from .video import MiniVideo

SCALE = 2
FRAMES = 5
CAPTION = 22


def draw_contact_sheet(
    videos: Sequence[MiniVideo], expressions_a_video: int = 3
) -> np.ndarray:
    """Rows of frames, the referred object outlined, captioned with the words.

    A video without expressions is one made for sounds: a row has what sounds
    outlined, and is captioned with the sounding kinds of each second.

    Args:
        videos: All with frames of the same size.
        expressions_a_video: Rows a video; kinds are kept apart if possible.

    Returns:
        (H, W, 3) uint8, RGB.
    """
    rows = []
    for video in videos:
        if not video.expressions:
            rows += draw_sounds(video)
        for index in choose(video, expressions_a_video):
            rows.append(draw_row(video, index))
    return np.concatenate(rows)


def choose(video: MiniVideo, count: int) -> List[int]:
    """Indices of expressions: first one of each kind, then the rest."""
    seen: set = set()
    firsts: List[int] = []
    rest: List[int] = []
    for index, expression in enumerate(video.expressions):
        (rest if expression.kind in seen else firsts).append(index)
        seen.add(expression.kind)
    return (firsts + rest)[:count]


def draw_row(video: MiniVideo, index: int) -> np.ndarray:
    """Some frames of a video side by side, for one of its expressions."""
    expression = video.expressions[index]
    length = len(video.frame_names)
    times = np.linspace(0, length - 1, min(FRAMES, length)).round()
    pictures = [
        outlined(
            video.rendering.frames[time],
            video.rendering.ids[time] == int(expression.object_id or 0),
        )
        for time in times.astype(int)
    ]
    unseen = ', unseen combination' if expression.unseen else ''
    text = f'{expression.text}   [{expression.kind}{unseen}; {video.name}]'
    return captioned(pictures, text)


def draw_sounds(video: MiniVideo) -> List[np.ndarray]:
    """A row with a single source, and one with several."""
    rows = []
    for soundtrack in (single_source(video), several_sources(video)):
        pictures = [
            outlined(
                video.rendering.frames[time],
                sounding_mask(video, soundtrack, second),
            )
            for second, time in enumerate(soundtrack.times)
        ]
        heard = [' + '.join(kinds) or '-' for kinds in soundtrack.sounding]
        text = f'{" | ".join(heard)}   [{video.name}]'
        rows.append(captioned(pictures, text))
    return rows


def captioned(pictures: Sequence[np.ndarray], text: str) -> np.ndarray:
    """Pictures side by side below a line of text."""
    strip = np.concatenate(pictures, axis=1)
    caption = np.full((CAPTION, strip.shape[1], 3), 255, np.uint8)
    cv2.putText(
        caption,
        text,
        (6, CAPTION - 7),
        cv2.FONT_HERSHEY_SIMPLEX,
        0.5,
        (0, 0, 0),
        1,
        cv2.LINE_AA,
    )
    return np.concatenate([caption, strip])


def outlined(frame: np.ndarray, mask: np.ndarray) -> np.ndarray:
    """The frame enlarged, a black and white line around the mask."""
    size = (frame.shape[1] * SCALE, frame.shape[0] * SCALE)
    picture = cv2.resize(frame, size, interpolation=cv2.INTER_LINEAR)
    large = cv2.resize(
        mask.astype(np.uint8), size, interpolation=cv2.INTER_NEAREST
    )
    contours, _ = cv2.findContours(
        large, cv2.RETR_CCOMP, cv2.CHAIN_APPROX_NONE
    )
    cv2.drawContours(picture, contours, -1, (0, 0, 0), 5)
    cv2.drawContours(picture, contours, -1, (255, 255, 255), 2)
    picture[:, -2:] = 255
    return picture
