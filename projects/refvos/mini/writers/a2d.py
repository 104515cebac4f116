"""Write A2D-Sentences's layout: video files with a few annotated frames.

Unlike the real data set, there is also a list of a ``valid`` split.
"""

import io
from pathlib import Path
from typing import List, Sequence, cast

import av
import h5py
import numpy as np

from ..video import MiniVideo
from .base import Record, Writer
from .files import temporary_file, write_bytes, write_json

VIDEOS = 'Release/clips320H'
MASKS = 'text_annotations/a2d_annotation_with_instances'
LISTS = 'a2d_sentences_single_frame_{}_annotations.json'
FPS = 6
# The real data set annotates 3 to 5 frames of a video.
ANNOTATED = 3


class A2DWriter(Writer):
    """Write A2D-Sentences's layout, one row per expression and frame."""

    made = (
        'Release',
        'text_annotations',
        *(LISTS.format(split) for split in ('train', 'valid', 'test')),
    )

    def write_video(self, split: str, video: MiniVideo) -> Record:
        frames, ids = even(video.rendering.frames), even(video.rendering.ids)
        path = self.root / VIDEOS / f'{video.name}.mp4'
        path.parent.mkdir(parents=True, exist_ok=True)
        write_mp4(path, frames)
        rows = []
        for time in annotated_times(len(frames)):
            drawn = [int(id) for id in np.unique(ids[time]) if id]
            if not drawn:
                continue
            # Frames are counted from 1.
            path = self.root / MASKS / video.name / f'{time + 1:05d}.h5'
            path.parent.mkdir(parents=True, exist_ok=True)
            write_instances(path, ids[time], drawn)
            rows += [
                [each.text, video.name, time + 1, id]
                for each in video.expressions
                for id in drawn
                if each.object_id == str(id)
            ]
        return {'rows': rows}

    def write_split(self, split: str, records: Sequence[Record]) -> None:
        rows = [row for record in records for row in record['rows']]
        write_json(self.root / LISTS.format(split), rows)


def annotated_times(num_frames: int) -> List[int]:
    """List frames evenly spaced over a video, without its ends."""
    return sorted(
        {
            (2 * index + 1) * num_frames // (2 * ANNOTATED)
            for index in range(ANNOTATED)
        }
    )


def even(frames: np.ndarray) -> np.ndarray:
    """Pad (T, H, W, ...) to an even height and width, as H.264 needs."""
    height, width = frames.shape[1:3]
    sides = [(0, 0), (0, height % 2), (0, width % 2)]
    sides += [(0, 0)] * (frames.ndim - 3)
    return np.pad(frames, sides, mode='edge')


def write_mp4(path: Path, frames: np.ndarray) -> None:
    """Write RGB frames, (T, H, W, 3) uint8, as H.264."""
    with (
        temporary_file(path) as temporary,
        av.open(str(temporary), 'w', format='mp4') as container,
    ):
        stream = cast(
            av.VideoStream, container.add_stream('libx264', rate=FPS)
        )
        stream.height, stream.width = frames.shape[1:3]
        stream.pix_fmt = 'yuv420p'
        # x264's assembler code gives bytes that depend on the machine and,
        # for small frames, change from run to run.
        stream.options = {'crf': '12', 'x264-params': 'no-asm=1:threads=1'}
        for frame in frames:
            picture = av.VideoFrame.from_ndarray(
                np.ascontiguousarray(frame), 'rgb24'
            )
            container.mux(stream.encode(picture))
        container.mux(stream.encode(None))


def write_instances(path: Path, ids: np.ndarray, drawn: List[int]) -> None:
    """Write the masks of a frame's objects, transposed as by MATLAB.

    Args:
        path: The h5 file.
        ids: (H, W), object id of each pixel.
        drawn: Ids of the objects to write; a single one gives no object
            axis.
    """
    masks = np.stack([(ids == id).T for id in drawn]).astype(np.uint8)
    content = io.BytesIO()
    with h5py.File(content, 'w') as file:
        file['instance'] = np.array(drawn, np.float64)
        file.create_dataset(
            'reMask',
            data=masks[0] if len(drawn) == 1 else masks,
            compression='gzip',
        )
    write_bytes(path, content.getvalue())
