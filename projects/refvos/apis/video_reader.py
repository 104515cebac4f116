"""Read and check videos from files, folders of images, or lists."""

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
from ..io.images import is_animation, read_image
from ..io.paths import PathLike
from ..io.video_frames import (
    broken,
    upright,
    video_stream,
    warn_of_missing_frames,
)
from .animations import Animation

VideoSource = Union[PathLike, Sequence[PathLike], Sequence[np.ndarray]]

IMAGE_SUFFIXES = ('.bmp', '.jpeg', '.jpg', '.png', '.tif', '.tiff', '.webp')
# Ref-YouTube-VOS has every fifth frame of videos with 30 frames per second.
FPS_OF_IMAGES = 6.0


@dataclass
class Video:
    """A video in memory.

    Args:
        name: Name in messages and results.
        frames: RGB, uint8, (H, W, 3), all of one size; at least one.
        frame_ids: Unique name of each frame.
        sources: Source of each frame, for messages.
        fps: Frames per second.
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
        """Length in seconds."""
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
        fps: Frames per second. A video file with a higher rate is subsampled
            to this rate; images have this rate. By default all frames of a
            file, and 6 images per second.
        progress: Show a progress bar with the remaining time.

    Returns:
        The video. Frames of a file are named by their number in it, images by
        their file names, frames by their number in the list.

    Raises:
        InputError: There is nothing to read, it cannot be read, or frames
            differ in size.
    """
    check_fps(fps)
    if not isinstance(source, (str, os.PathLike)):
        return read_list(source, fps, progress)
    path = Path(source).expanduser()
    if os.path.isdir(path):
        return read_folder(path, fps, progress)
    if not os.path.isfile(path):
        raise InputError.of(
            path, 'video', 'missing', 'a video file or a folder of images'
        )
    if path.suffix.lower() not in IMAGE_SUFFIXES:
        return read_file(path, fps, progress)
    if is_animation(str(path)):
        return read_animation(path, fps)
    return read_images(path.stem, [path], fps, progress)


def check_fps(fps: Any) -> None:
    """Check that frames per second are None or a positive number."""
    if fps is not None and not (
        isinstance(fps, (int, float)) and 0 < fps < math.inf
    ):
        raise InputError.of('video', 'fps', fps, 'a number above 0')


def read_folder(
    folder: Path, fps: Optional[float] = None, progress: bool = False
) -> Video:
    """Read the images of a folder."""
    paths = images_in(folder)
    return read_images(folder.resolve().name, paths, fps, progress)


def images_in(folder: Path) -> List[Path]:
    """List the images of a folder in natural order, without hidden ones."""
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
    """Return a sort key by which numbers in names are ordered by value."""
    # Odd parts are digits, so two keys never compare text with a number.
    parts = re.split(r'([0-9]+)', path.name)
    key = [int(part) if i % 2 else part for i, part in enumerate(parts)]
    return key, path.name


def read_list(
    source: Any, fps: Optional[float] = None, progress: bool = False
) -> Video:
    """Read a list of image files, or check a list of frames."""
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
    """Read image files in the same way as the frames of data sets."""
    frames: List[np.ndarray] = []
    for path in progress_bar(paths, len(paths), progress):
        if path.is_dir():
            raise InputError.of(path, 'frame', 'a folder', 'an image file')
        frame = read_image(str(path))
        check_frame(frame, frames[0] if frames else frame, str(path))
        frames.append(frame)
    frame_ids = [path.stem for path in paths]
    if len(set(frame_ids)) < len(frame_ids):
        # Files of several folders, or a.jpg and a.png, have the same name.
        frame_ids = [f'{i:05d}' for i in range(len(paths))]
    return Video(
        name=name,
        frames=frames,
        frame_ids=frame_ids,
        sources=[str(path) for path in paths],
        fps=float(fps or FPS_OF_IMAGES),
    )


def check_frame(frame: Any, first: Any, source: str) -> None:
    """Check that a frame is an RGB image of the size of the first one."""
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
    """Decode a video file with FFmpeg, rotated as its metadata says."""
    reader = FileReader(path, fps, progress)
    frames = list(reader)
    return Video(
        name=path.stem,
        frames=[frame.picture for frame in frames],
        frame_ids=[frame.id for frame in frames],
        sources=[frame.source for frame in frames],
        fps=reader.fps,
    )


def read_animation(path: Path, fps: Optional[float] = None) -> Video:
    """Read an animated image, or a TIFF of several pages."""
    animation = Animation(path, fps)
    frames = list(stream_animation(path, animation))
    return Video(
        name=path.stem,
        frames=[frame.picture for frame in frames],
        frame_ids=[frame.id for frame in frames],
        sources=[frame.source for frame in frames],
        fps=animation.fps,
    )


def stream_animation(path: Path, animation: Animation) -> Iterator['Frame']:
    """Read an animated image frame by frame; check the sizes."""
    first = None
    for index, picture in animation:
        source = f'{path}, frame {index}'
        first = picture if first is None else first
        check_frame(picture, first, source)
        yield Frame(picture, f'{index:05d}', source)


@dataclass
class Frame:
    """A frame of a video that is being read.

    Args:
        picture: RGB, uint8, (H, W, 3).
        id: Unique name of the frame.
        source: Source of the frame, for messages.
    """

    picture: np.ndarray
    id: str
    source: str


class FileReader:
    """Iterator over the frames of a video file.

    Args:
        path: The file.
        fps: Frames per second; a file with a higher rate is subsampled.
        progress: Show a progress bar.

    Raises:
        InputError: While iterating: the file cannot be decoded, has no
            frames, or frames of different sizes.
    """

    def __init__(
        self, path: Path, fps: Optional[float] = None, progress: bool = False
    ) -> None:
        self.path = path
        self.wanted_fps = fps
        self.progress = progress
        # The rate of the file is known when its first frame has been read.
        self.fps = float(fps or FPS_OF_IMAGES)

    def __iter__(self) -> Iterator[Frame]:
        path, first = self.path, None
        index = -1
        try:
            # With the prefix a colon in the name is not part of a protocol.
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
    """Read a video of any length frame by frame.

    Args:
        source: A source of :func:`read_video`, or an iterable of frames, RGB,
            uint8, (H, W, 3), such as a camera.
        fps: See :func:`read_video`; images and given frames are not
            subsampled.

    Raises:
        InputError: While iterating, see :func:`read_video`.
    """
    check_fps(fps)
    paths: Sequence[Path] = []
    if isinstance(source, (str, os.PathLike)):
        path = Path(source).expanduser()
        if os.path.isdir(path):
            paths = images_in(path)
        elif not os.path.isfile(path):
            raise InputError.of(
                path, 'video', 'missing', 'a video file or a folder of images'
            )
        elif path.suffix.lower() in IMAGE_SUFFIXES:
            if is_animation(str(path)):
                yield from stream_animation(path, Animation(path, fps))
                return
            paths = [path]
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
    """Return the name and the rate that :func:`read_video` would return.

    Only the beginning of a file is read, and no frame of an iterable.
    """
    check_fps(fps)
    if not isinstance(source, (str, os.PathLike)):
        return 'frames', float(fps or FPS_OF_IMAGES)
    path = Path(source).expanduser()
    if os.path.isdir(path):
        return path.resolve().name, float(fps or FPS_OF_IMAGES)
    if not os.path.isfile(path):
        return path.stem, float(fps or FPS_OF_IMAGES)
    if path.suffix.lower() in IMAGE_SUFFIXES:
        if is_animation(str(path)):
            return path.stem, Animation(path, fps).fps
        return path.stem, float(fps or FPS_OF_IMAGES)
    reader = FileReader(path, fps)
    next(iter(reader), None)
    return path.stem, reader.fps


class Thinning:
    """Subsample the frames of a video to fewer frames per second.

    Args:
        rate: Frames per second of the video.
        fps: Frames per second of the result; None for all frames.
    """

    def __init__(self, rate: float, fps: Optional[float]) -> None:
        self.rate = rate
        self.thins = fps is not None and fps < rate
        self.fps = float(fps) if fps and self.thins else rate
        self.last_slot = -1
        self.start: Optional[float] = None

    def keeps(self, time: Optional[float], index: int) -> bool:
        """Whether a frame belongs to the result.

        Args:
            time: Time of the frame in seconds; None if the file has none.
            index: Number of the frame in the file, from 0.
        """
        if not self.thins:
            return True
        if time is None:
            time = index / self.rate
        if self.start is None:
            self.start = time
        # Half a frame later, because times in files are rounded.
        slot = int((time - self.start + 0.5 / self.rate) * self.fps)
        if slot <= self.last_slot:
            return False
        self.last_slot = slot
        return True


def progress_bar(items: Iterable, total: int, show: bool) -> Iterable:
    """Show the progress of reading on the terminal."""
    return tqdm(
        items,
        desc='reading',
        total=total or None,
        unit='frame',
        leave=False,
        # None: only on a terminal.
        disable=None if show else True,
    )
