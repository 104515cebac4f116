"""Draw a contact sheet to check the data set by eye."""

from typing import List, Sequence

import cv2
import numpy as np

from .sound import several_sources, single_source, sounding_mask
from .video import MiniVideo

SCALE = 2
FRAMES = 5
CAPTION = 22


def draw_contact_sheet(
    videos: Sequence[MiniVideo], expressions_per_video: int = 3
) -> np.ndarray:
    """Draw rows of frames with the referred object outlined.

    The caption of a row is its expression. Videos without expressions are
    those for sounds: sounding objects are outlined, and the caption lists
    the sounding kinds of each second.

    Args:
        videos: Videos with frames of one size.
        expressions_per_video: Rows per video, of different kinds if
            possible.

    Returns:
        (H, W, 3) uint8, RGB.
    """
    rows = []
    for video in videos:
        if not video.expressions:
            rows += draw_sounds(video)
        for index in choose(video, expressions_per_video):
            rows.append(draw_row(video, index))
    return np.concatenate(rows)


def choose(video: MiniVideo, count: int) -> List[int]:
    """Choose indices of expressions: one of each kind, then the rest."""
    seen: set = set()
    firsts: List[int] = []
    rest: List[int] = []
    for index, expression in enumerate(video.expressions):
        (rest if expression.kind in seen else firsts).append(index)
        seen.add(expression.kind)
    return (firsts + rest)[:count]


def draw_row(video: MiniVideo, index: int) -> np.ndarray:
    """Draw frames of a video side by side, for one of its expressions."""
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
    """Draw a row with a single source, and one with several."""
    rows = []
    for soundtrack in (single_source(video), several_sources(video)):
        pictures = [
            outlined(
                video.rendering.frames[time],
                sounding_mask(video, soundtrack, second),
            )
            for second, time in enumerate(soundtrack.times)
        ]
        seconds = [' + '.join(kinds) or '-' for kinds in soundtrack.sounding]
        text = f'{" | ".join(seconds)}   [{video.name}]'
        rows.append(captioned(pictures, text))
    return rows


def captioned(pictures: Sequence[np.ndarray], text: str) -> np.ndarray:
    """Put pictures side by side below a line of text."""
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
    """Enlarge a frame and outline a mask in black and white."""
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
