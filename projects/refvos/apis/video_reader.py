"""Read and check videos from files, folders of images, or lists."""

import math
import os
import re
from bisect import bisect_left
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
from ..io.images import image_size, is_animation, read_image
from ..io.media import best_video, broken, open_media, pixel_aspect, upright
from ..io.paths import PathLike
from ..io.video_frames import (
    USUAL_RATE,
    FramePlan,
    index_video,
    plan_frames,
    warn_of_missing_frames,
)
from .animations import Animation
from .memory_check import check_fits, memory_errors_named

VideoSource = Union[PathLike, Sequence[PathLike], Sequence[np.ndarray]]

IMAGE_SUFFIXES = ('.bmp', '.jpeg', '.jpg', '.png', '.tif', '.tiff', '.webp')
# Ref-YouTube-VOS has every fifth frame of videos with 30 frames per second.
FPS_OF_IMAGES = USUAL_RATE


@dataclass
class Video:
    """A video in memory.

    Args:
        name: Name in messages and results.
        frames: RGB, uint8, (H, W, 3), all of one size; at least one.
        frame_ids: Unique name of each frame.
        sources: Source of each frame, for messages.
        fps: Mean frames per second.
        times: Start and end of each frame in seconds, if the frames are not
            evenly spaced; otherwise None.
        pixel_aspect: Width by height of a pixel.
    """

    name: str
    frames: List[np.ndarray]
    frame_ids: List[str]
    sources: List[str]
    fps: float
    times: Optional[List[Tuple[float, float]]] = None
    pixel_aspect: float = 1.0

    @property
    def size(self) -> Tuple[int, int]:
        """Height and width of the frames."""
        height, width = self.frames[0].shape[:2]
        return height, width

    @property
    def seconds(self) -> float:
        """Length in seconds."""
        if self.times is None:
            return len(self.frames) / self.fps
        return self.times[-1][1] - self.times[0][0]

    @property
    def moments(self) -> List[Tuple[float, float]]:
        """Start and end of each frame as parts of the whole time, 0..1."""
        count = len(self.frames)
        if self.times is None:
            return [(i / count, (i + 1) / count) for i in range(count)]
        first = self.times[0][0]
        return [
            ((start - first) / self.seconds, (end - first) / self.seconds)
            for start, end in self.times
        ]


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
        # The caller may write into its arrays before results are drawn.
        frames=[frame.copy() for frame in source],
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
    if paths[0].is_file():
        height, width = image_size(str(paths[0]))
        check_fits(paths[0], len(paths), height * width)
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
    check_fits(path, len(reader.plan.numbers), reader.index.area)
    with memory_errors_named(path):
        frames = list(reader)
    return Video(
        name=path.stem,
        frames=[frame.picture for frame in frames],
        frame_ids=[frame.id for frame in frames],
        sources=[frame.source for frame in frames],
        fps=reader.plan.rate,
        times=times_of(frames, reader.plan),
        pixel_aspect=frames[0].pixel_aspect,
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
    for place, (index, picture) in enumerate(animation):
        source = f'{path}, frame {index}'
        first = picture if first is None else first
        check_frame(picture, first, source)
        yield Frame(
            picture,
            f'{index:05d}',
            source,
            place / animation.fps,
            (place + 1) / animation.fps,
        )


@dataclass
class Frame:
    """A frame of a video that is being read.

    Args:
        picture: RGB, uint8, (H, W, 3).
        id: Unique name of the frame.
        source: Source of the frame, for messages.
        start: Seconds from the first frame.
        end: Seconds at which the next one follows.
        pixel_aspect: Width by height of a pixel.
    """

    picture: np.ndarray
    id: str
    source: str
    start: float = 0.0
    end: float = 0.0
    pixel_aspect: float = 1.0


def times_of(
    frames: Sequence[Frame], plan: FramePlan
) -> Optional[List[Tuple[float, float]]]:
    """Return the frames' times; None where they are even."""
    if plan.is_even:
        return None
    return [(frame.start, frame.end) for frame in frames]


class FileReader:
    """Iterator over the frames of a video file.

    Args:
        path: The file.
        fps: Frames per second; a file with a higher rate is subsampled.
        progress: Show a progress bar.

    Raises:
        InputError: The file is missing or broken, or has no frames; while
            iterating: it cannot be decoded or has frames of several sizes.
    """

    def __init__(
        self, path: Path, fps: Optional[float] = None, progress: bool = False
    ) -> None:
        self.path = path
        self.progress = progress
        self.index = index_video(str(path), warn=False)
        self.plan = plan_frames(self.index, fps)

    def __iter__(self) -> Iterator[Frame]:
        path, plan, first = self.path, self.plan, None
        announced = max(self.index.announced, len(self.index.times))
        places = {number: place for place, number in enumerate(plan.numbers)}
        count = 0
        try:
            with open_media(path) as container:
                stream = best_video(container, path)
                stream.thread_type = 'AUTO'
                for frame in progress_bar(
                    container.decode(stream), announced, self.progress
                ):
                    number, count = count, count + 1
                    # A decoder may leave out frames, but keeps the times.
                    place = places.get(self.number_of(frame.pts, number))
                    if place is None and number < len(self.index.times):
                        continue
                    if place is None:  # More frames than packets.
                        place = len(plan.numbers) - 1
                    source = f'{path}, frame {number}'
                    picture = upright(frame)
                    first = picture if first is None else first
                    check_frame(picture, first, source)
                    yield Frame(
                        picture,
                        f'{number:05d}',
                        source,
                        plan.starts[place],
                        plan.ends[place],
                        pixel_aspect(stream, frame),
                    )
        except av.FFmpegError as error:
            at = f' after frame {count - 1}' if count else ''
            raise broken(path, error, at) from error
        if first is None:
            raise InputError.of(path, 'frames', [], 'at least one frame')
        if count < announced:
            warn_of_missing_frames(path, count, announced)

    def number_of(self, pts: Optional[int], number: int) -> int:
        """Return a frame's place in the index, by its time if it has one."""
        times = self.index.times
        if not self.index.ordered or pts is None:
            return number
        place = bisect_left(times, pts)
        found = place < len(times) and times[place] == pts
        return place if found else number


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
    rate = float(fps or FPS_OF_IMAGES)
    first = None
    for index, item in enumerate(source):
        name = f'frame {index}'
        if isinstance(item, (str, os.PathLike)):
            name = str(Path(item).expanduser())
            item = read_image(name)
        else:
            check_frame(item, item if first is None else first, name)
            # A camera may fill the same array again.
            item = item.copy()
        first = item if first is None else first
        check_frame(item, first, name)
        yield Frame(
            item, f'{index:05d}', name, index / rate, (index + 1) / rate
        )
    if first is None:
        raise InputError.of('video', 'frames', [], 'at least one frame')


@dataclass
class VideoFacts:
    """What is known of a video before its frames are decoded.

    Args:
        name: What it is called in messages and results.
        fps: Mean frames per second.
        is_even: Frames follow each other at that rate.
    """

    name: str
    fps: float
    is_even: bool = True


def describe_video(
    source: Union[VideoSource, Iterable[np.ndarray]],
    fps: Optional[float] = None,
) -> VideoFacts:
    """Return the name and the rate that :func:`read_video` would return.

    Of a file only the times are read, and no frame of an iterable.
    """
    check_fps(fps)
    rate = float(fps or FPS_OF_IMAGES)
    if not isinstance(source, (str, os.PathLike)):
        return VideoFacts('frames', rate)
    path = Path(source).expanduser()
    if os.path.isdir(path):
        return VideoFacts(path.resolve().name, rate)
    if not os.path.isfile(path):
        return VideoFacts(path.stem, rate)
    if path.suffix.lower() in IMAGE_SUFFIXES:
        if is_animation(str(path)):
            return VideoFacts(path.stem, Animation(path, fps).fps)
        return VideoFacts(path.stem, rate)
    plan = FileReader(path, fps).plan
    return VideoFacts(path.stem, plan.rate, plan.is_even)


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
