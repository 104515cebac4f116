"""A video from a file, a folder of images or a list, whole and checked."""

import math
import os
import re
from dataclasses import dataclass
from pathlib import Path
from typing import (
    Any,
    Iterable,
    Iterator,
    List,
    Optional,
    Sequence,
    Tuple,
    Union,
)

import av
import numpy as np
from tqdm import tqdm

from ..errors import InputError
from ..io.images import read_image
from ..io.video_frames import (
    broken,
    upright,
    video_stream,
    warn_of_missing_frames,
)

PathLike = Union[str, 'os.PathLike[str]']
VideoSource = Union[PathLike, Sequence[PathLike], Sequence[np.ndarray]]

IMAGE_SUFFIXES = ('.bmp', '.jpeg', '.jpg', '.png', '.tif', '.tiff', '.webp')
# Ref-YouTube-VOS shows every fifth frame of a video of 30 a second.
FPS_OF_IMAGES = 6.0


@dataclass
class Video:
    """A video in memory.

    Args:
        name: What it is called in messages and results.
        frames: RGB, uint8, (H, W, 3), all of one size; at least one.
        frame_ids: A name for each, all different.
        sources: Where each was read, for messages.
        fps: Frames a second.
    """

    name: str
    frames: List[np.ndarray]
    frame_ids: List[str]
    sources: List[str]
    fps: float

    @property
    def size(self) -> Tuple[int, int]:
        """Height and width of the frames."""
        height, width = self.frames[0].shape[:2]
        return height, width

    @property
    def seconds(self) -> float:
        """How long it is."""
        return len(self.frames) / self.fps


def read_video(
    source: VideoSource,
    fps: Optional[float] = None,
    progress: bool = False,
) -> Video:
    """Read a video.

    Args:
        source: A video file; a folder of images, taken in natural order
            (2 before 10); a list of image files; or a list of frames, RGB,
            uint8, (H, W, 3).
        fps: Frames a second. A video file with more is thinned out to so
            many, images are so many a second. By default all frames of a
            file, and 6 images a second.
        progress: Show a progress bar with the remaining time.

    Returns:
        Frames of a file are named by their number in it, images by their
        file names, frames by their number in the list.

    Raises:
        InputError: There is nothing to read, it can't be read, or frames
            differ in size.
    """
    check_fps(fps)
    if not isinstance(source, (str, os.PathLike)):
        return read_list(source, fps, progress)
    path = Path(source).expanduser()
    if path.is_dir():
        return read_folder(path, fps, progress)
    if not path.is_file():
        raise InputError.of(
            path, 'video', 'missing', 'a video file or a folder of images'
        )
    if path.suffix.lower() in IMAGE_SUFFIXES:
        return read_images(path.stem, [path], fps, progress)
    return read_file(path, fps, progress)


def check_fps(fps: Any) -> None:
    """Refuse what frames a second can't be."""
    if fps is not None and not (
        isinstance(fps, (int, float)) and 0 < fps < math.inf
    ):
        raise InputError.of('video', 'fps', fps, 'a number above 0')


def read_folder(
    folder: Path, fps: Optional[float] = None, progress: bool = False
) -> Video:
    """Read a folder's images."""
    paths = images_in(folder)
    return read_images(folder.resolve().name, paths, fps, progress)


def images_in(folder: Path) -> List[Path]:
    """A folder's images in natural order; hidden ones are left out."""
    paths = [
        path
        for path in folder.iterdir()
        if path.suffix.lower() in IMAGE_SUFFIXES
        and not path.name.startswith('.')
    ]
    if not paths:
        raise InputError.of(
            folder, 'images', [], f'files that end in {IMAGE_SUFFIXES}'
        )
    return sorted(paths, key=natural_order)


def natural_order(path: Path) -> Tuple[list, str]:
    """Sort numbers in names by their value; 10 comes after 9."""
    # Odd parts are digits: two keys compare text with text.
    parts = re.split(r'([0-9]+)', path.name)
    key = [int(part) if i % 2 else part for i, part in enumerate(parts)]
    return key, path.name


def read_list(
    source: Any, fps: Optional[float] = None, progress: bool = False
) -> Video:
    """Read image files, or take frames as they are."""
    if not isinstance(source, (list, tuple, np.ndarray)):
        raise InputError.of(
            'video', 'video', source, 'a path, or a list of paths or frames'
        )
    if len(source) == 0:
        raise InputError.of('video', 'frames', [], 'at least one frame')
    if all(isinstance(item, (str, os.PathLike)) for item in source):
        paths = [Path(item).expanduser() for item in source]
        return read_images('images', paths, fps, progress)
    for index, frame in enumerate(source):
        check_frame(frame, source[0], f'frame {index}')
    return Video(
        name='frames',
        frames=list(source),
        frame_ids=[f'{i:05d}' for i in range(len(source))],
        sources=[f'frame {i}' for i in range(len(source))],
        fps=float(fps or FPS_OF_IMAGES),
    )


def read_images(
    name: str,
    paths: Sequence[Path],
    fps: Optional[float] = None,
    progress: bool = False,
) -> Video:
    """Read image files as the data sets' frames are read."""
    frames: List[np.ndarray] = []
    for path in progress_bar(paths, len(paths), progress):
        if path.is_dir():
            raise InputError.of(path, 'frame', 'a folder', 'an image file')
        frame = read_image(str(path))
        check_frame(frame, frames[0] if frames else frame, str(path))
        frames.append(frame)
    frame_ids = [path.stem for path in paths]
    if len(set(frame_ids)) < len(frame_ids):
        # From several folders, or a.jpg and a.png: names would collide.
        frame_ids = [f'{i:05d}' for i in range(len(paths))]
    return Video(
        name=name,
        frames=frames,
        frame_ids=frame_ids,
        sources=[str(path) for path in paths],
        fps=float(fps or FPS_OF_IMAGES),
    )


def check_frame(frame: Any, first: Any, source: str) -> None:
    """A frame must be an RGB picture as large as the first one."""
    if not isinstance(frame, np.ndarray):
        raise InputError.of(
            source,
            'type',
            type(frame).__name__,
            'a path or an array in every place of the list',
        )
    if frame.dtype != np.uint8:
        raise InputError.of(
            source, 'dtype', str(frame.dtype), 'uint8, RGB from 0 to 255'
        )
    if frame.ndim != 3 or frame.shape[2] != 3 or frame.size == 0:
        raise InputError.of(
            source, 'shape', frame.shape, '(height, width, 3), RGB'
        )
    if frame.shape != first.shape:
        raise InputError.of(
            source,
            'size (height, width)',
            frame.shape[:2],
            f'{first.shape[:2]}, as the first frame of the video',
        )


def read_file(
    path: Path, fps: Optional[float] = None, progress: bool = False
) -> Video:
    """Decode a video file with FFmpeg, turned upright as players do."""
    reader = FileReader(path, fps, progress)
    frames = list(reader)
    return Video(
        name=path.stem,
        frames=[frame.picture for frame in frames],
        frame_ids=[frame.id for frame in frames],
        sources=[frame.source for frame in frames],
        fps=reader.fps,
    )


@dataclass
class Frame:
    """One frame of a video that is being read.

    Args:
        picture: RGB, uint8, (H, W, 3).
        id: A name, all different.
        source: Where it was read, for messages.
    """

    picture: np.ndarray
    id: str
    source: str


class FileReader:
    """The frames of a video file, one after the other.

    Args:
        path: The file.
        fps: Frames a second: a file with more is thinned out.
        progress: Show a progress bar.

    Raises:
        InputError: While iterating: the file can't be decoded, has no
            frames, or frames of several sizes.
    """

    def __init__(
        self, path: Path, fps: Optional[float] = None, progress: bool = False
    ) -> None:
        self.path = path
        self.wanted_fps = fps
        self.progress = progress
        # Known when the first frame has been read.
        self.fps = float(fps or FPS_OF_IMAGES)

    def __iter__(self) -> Iterator[Frame]:
        path, first = self.path, None
        index = -1
        try:
            # The prefix keeps a colon in a name from being a protocol.
            with av.open(f'file:{path}') as container:
                stream = video_stream(container, path)
                stream.thread_type = 'AUTO'
                rate = float(
                    stream.average_rate or stream.guessed_rate or FPS_OF_IMAGES
                )
                announced = stream.frames
                thinning = Thinning(rate, self.wanted_fps)
                self.fps = thinning.fps
                for index, frame in enumerate(
                    progress_bar(
                        container.decode(stream), announced, self.progress
                    )
                ):
                    if not thinning.keeps(frame.time, index):
                        continue
                    source = f'{path}, frame {index}'
                    picture = upright(frame)
                    first = picture if first is None else first
                    check_frame(picture, first, source)
                    yield Frame(picture, f'{index:05d}', source)
        except av.FFmpegError as error:
            place = f' after frame {index}' if index >= 0 else ''
            raise broken(path, error, place) from error
        if first is None:
            raise InputError.of(path, 'frames', [], 'at least one frame')
        if index + 1 < announced:
            warn_of_missing_frames(path, index + 1, announced)


def stream_video(
    source: Union[VideoSource, Iterable[np.ndarray]],
    fps: Optional[float] = None,
) -> Iterator[Frame]:
    """Read a video frame by frame, however long it is.

    Args:
        source: What :func:`read_video` takes, or anything that gives frames,
            RGB, uint8, (H, W, 3), such as a camera.
        fps: As in :func:`read_video`; images and given frames are all taken.

    Raises:
        InputError: While iterating, as :func:`read_video`.
    """
    check_fps(fps)
    paths: Sequence[Path] = []
    if isinstance(source, (str, os.PathLike)):
        path = Path(source).expanduser()
        if path.is_dir():
            paths = images_in(path)
        elif path.suffix.lower() in IMAGE_SUFFIXES:
            paths = [path]
        elif not path.is_file():
            raise InputError.of(
                path, 'video', 'missing', 'a video file or a folder of images'
            )
        else:
            yield from FileReader(path, fps)
            return
        source = paths
    first = None
    for index, item in enumerate(source):
        name = f'frame {index}'
        if isinstance(item, (str, os.PathLike)):
            name = str(Path(item).expanduser())
            item = read_image(name)
        first = item if first is None else first
        check_frame(item, first, name)
        yield Frame(item, f'{index:05d}', name)
    if first is None:
        raise InputError.of('video', 'frames', [], 'at least one frame')


def describe_video(
    source: Union[VideoSource, Iterable[np.ndarray]],
    fps: Optional[float] = None,
) -> Tuple[str, float]:
    """A video's name and frames a second, as :func:`read_video` gives them.

    Of a file the beginning is read, of what gives frames nothing.
    """
    check_fps(fps)
    if not isinstance(source, (str, os.PathLike)):
        return 'frames', float(fps or FPS_OF_IMAGES)
    path = Path(source).expanduser()
    if path.is_dir():
        return path.resolve().name, float(fps or FPS_OF_IMAGES)
    if path.suffix.lower() in IMAGE_SUFFIXES or not path.is_file():
        return path.stem, float(fps or FPS_OF_IMAGES)
    reader = FileReader(path, fps)
    next(iter(reader), None)
    return path.stem, reader.fps


class Thinning:
    """Choose the frames that make a video one of fewer frames a second.

    Args:
        rate: Frames a second of the video.
        fps: Frames a second wanted; None for all.
    """

    def __init__(self, rate: float, fps: Optional[float]) -> None:
        self.rate = rate
        self.thins = fps is not None and fps < rate
        self.fps = float(fps) if fps and self.thins else rate
        self.last_slot = -1
        self.start: Optional[float] = None

    def keeps(self, time: Optional[float], index: int) -> bool:
        """Whether a frame is the nearest to its place in the new video.

        Args:
            time: In seconds; None where the file doesn't say.
            index: Number in the file, from 0.
        """
        if not self.thins:
            return True
        if time is None:
            time = index / self.rate
        if self.start is None:
            self.start = time
        # Half a frame's time on: times in files are rounded.
        slot = int((time - self.start + 0.5 / self.rate) * self.fps)
        if slot <= self.last_slot:
            return False
        self.last_slot = slot
        return True


def progress_bar(items: Iterable, total: int, show: bool) -> Iterable:
    """Show on a terminal how far the reading is."""
    return tqdm(
        items,
        desc='reading',
        total=total or None,
        unit='frame',
        leave=False,
        # None: only on a terminal.
        disable=None if show else True,
    )
