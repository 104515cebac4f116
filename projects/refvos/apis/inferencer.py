"""Segment the objects of a video that references refer to."""

import copy
import os
from dataclasses import replace
from typing import (
    Any,
    Dict,
    Iterable,
    Iterator,
    List,
    Mapping,
    Optional,
    Sequence,
    Union,
)

import numpy as np
import torch
from mmdet.registry import MODELS, TRANSFORMS
from mmengine.config import Config
from mmengine.dataset import Compose
from mmengine.logging import MMLogger
from mmengine.model import BaseModule
from mmengine.registry import init_default_scope
from torch import nn
from tqdm import tqdm

from ..datasets.transforms import LoadTubes, SampleWindow
from ..engine import check_config, keep_large_buffers
from ..engine.checkpoint_options import warn_of_options
from ..engine.cli import load_config, merge_options
from ..errors import InputError
from ..io.paths import PathLike
from ..io.safe_checkpoint import load_checkpoint_file, read_meta
from ..io.weights import check_fit, find_weights
from .asked import (
    AskedReference,
    References,
    Texts,
    add_sound,
    collect,
    describe_sound,
)
from .memory_check import memory_errors_named
from .results import InferenceResult, WindowedResults, check_out_dir
from .session import VideoSession
from .sound_cue import SoundSource, is_asked
from .streaming import StreamedFrame, Tracks, windows
from .video_reader import (
    Frame,
    Video,
    VideoFacts,
    VideoSource,
    describe_video,
    read_video,
    stream_video,
)


class RefVOSInferencer:
    """Segment the objects that expressions or a sound refer to in a video.

    Frames pass through the transforms of the config's test set, so that
    predictions are those of ``tools/test.py``.

    Args:
        config: A config file, or a config.
        checkpoint: Weights, a local ``.pth``, ``.pt`` or ``.safetensors``
            file of any precision; its keys must be exactly those of the
            model. None initialises the weights as training does, for trials.
        device: A device such as ``'cuda:0'`` or ``'cpu'``; by default the
            first GPU, or the CPU if there is none.
        trust_checkpoint: Read a pickle with more than tensors and plain
            data. It can run arbitrary code.
        cfg_options: Changes to the config, dotted names and values.
        precision: 'bf16' or 'fp16'; None for that of the config, by default
            float32.

    Raises:
        InputError: The config, an option, the device or the checkpoint
            cannot be used.

    Example:
        >>> inferencer = RefVOSInferencer(
        ...     'configs/mini/referformer_mini.py',
        ...     'demo/weights/referformer_mini.safetensors')
        >>> result = inferencer(
        ...     'video.mp4', ['the red circle'], out_dir='out')
        >>> result.predictions[0].score, result.masks(0).shape

        A model with a sound encoder also takes the video's soundtrack:

        >>> inferencer('video.mp4', sound=True, out_dir='out')
    """

    def __init__(
        self,
        config: Union[PathLike, Config],
        checkpoint: Optional[PathLike] = None,
        device: Union[str, torch.device, None] = None,
        trust_checkpoint: bool = False,
        cfg_options: Optional[Mapping[str, Any]] = None,
        precision: Optional[str] = None,
    ) -> None:
        options = dict(cfg_options or {})
        if precision is not None:
            options['model.test_cfg.precision'] = precision
        self.cfg = prepare_config(config, options)
        self.device = choose_device(device)
        if self.device.type == 'cpu':
            keep_large_buffers()
        init_default_scope(self.cfg.default_scope)
        self.pipeline = build_pipeline(self.cfg)
        self.model = MODELS.build(self.cfg.model)
        if checkpoint is None:
            init_quietly(self.model)
        else:
            path = os.fspath(checkpoint)
            content = load_checkpoint_file(path, 'cpu', trust_checkpoint)
            load_weights(self.model, content, path)
            warn_of_options(self.cfg, read_meta(content, path), path)
        self.model.to(self.device).prepare_for_test()

    def __call__(
        self,
        video: VideoSource,
        texts: Texts = None,
        out_dir: Optional[PathLike] = None,
        fps: Optional[float] = None,
        threshold: Optional[float] = None,
        progress: bool = False,
        window: Optional[int] = None,
        sound: SoundSource = None,
        references: References = None,
    ) -> InferenceResult:
        """Segment the objects of references in one video.

        The video is encoded once for all references; :meth:`open` keeps it
        encoded for later ones.

        Args:
            video: A video file; a folder of images; a list of image files;
                or a list of frames, RGB, uint8, (H, W, 3).
            texts: One or several expressions, each a reference.
            out_dir: Folder for ``masks/<k>_<text>/<frame>.png`` (0 and 255;
                for the sound ``masks/<k>_sound``), ``predictions.json``,
                ``overlay.mp4`` and ``strip.png``. It must be new, empty, or
                contain earlier results, which are replaced when the new ones
                are complete.
            fps: Frames per second. A video file with a higher rate is
                subsampled; images have this rate, by default 6.
            threshold: Probability above which a pixel belongs to the
                object; by default that of the config.
            progress: Show a progress bar on the terminal.
            window: Number of frames that the model processes together, for
                videos that do not fit into memory; a quarter of them overlap
                with the next window, see :meth:`stream`. By default all
                frames.
            sound: One more reference, after the texts: True for the
                soundtrack of a video file, a sound or video file, or a
                waveform (floats (samples,), 16 kHz mono, -1..1). It begins
                with the video, and is cut to its length (frames / ``fps``
                seconds) or padded with silence.
            references: References before the texts, for example of several
                modalities.

        Raises:
            InputError: The video, a text, the sound, the folder or a number
                cannot be used, or the model has no encoder for a reference.
        """
        if out_dir is not None:
            check_out_dir(out_dir)
        # Before the video is read and encoded, which can take long.
        asked = self.prepare(references, texts, sound, video, threshold)
        if window is not None:
            return self.answer_in_windows(
                video, asked, out_dir, fps, threshold, progress, window
            )
        session = self.open(video, fps, progress)
        with memory_errors_named(session.video.name):
            session.answer(asked, threshold)
        return session.result if out_dir is None else session.write(out_dir)

    def open(
        self,
        video: VideoSource,
        fps: Optional[float] = None,
        progress: bool = False,
    ) -> VideoSession:
        """Read, transform and encode a video for several calls.

        Args:
            video: See :meth:`__call__`.
            fps: See :meth:`__call__`.
            progress: See :meth:`__call__`.

        Raises:
            InputError: The video or ``fps`` cannot be used.
        """
        read = read_video(video, fps, progress)
        with memory_errors_named(read.name):
            return VideoSession(self, read, video)

    def answer_in_windows(
        self,
        video: VideoSource,
        asked: List[AskedReference],
        out_dir: Optional[PathLike],
        fps: Optional[float],
        threshold: Optional[float],
        progress: bool,
        window: int,
    ) -> InferenceResult:
        """Segment with one window of the video in memory."""
        facts = describe_video(video, fps)
        stream = self.stream_asked(video, asked, window, None, fps, threshold)
        results = WindowedResults(asked, facts.fps, facts.is_even)
        frames = results.gather(
            tqdm(stream, unit='frame', disable=None if progress else True)
        )
        folder = None if out_dir is None else check_out_dir(out_dir)
        if folder is None:
            for _ in frames:
                pass
        else:
            results.write(folder, frames, facts.name)
        return InferenceResult(
            results.predictions,
            results.size,
            results.frame_ids,
            facts.fps,
            folder,
        )

    def stream(
        self,
        frames: Union[VideoSource, Iterable[np.ndarray]],
        texts: Texts = None,
        window: int = 32,
        overlap: Optional[int] = None,
        fps: Optional[float] = None,
        threshold: Optional[float] = None,
        sound: SoundSource = None,
        references: References = None,
    ) -> Iterator[StreamedFrame]:
        """Segment a camera's frames, or a video of any length.

        The model processes a window of frames at a time, which overlaps with
        the previous one. The query that continues an object is that with the
        highest sum of its score and its overlap with the masks of the frames
        that both windows share. Memory depends on the window, not on the
        video. The reference of a window is the part of a sound that belongs
        to it; the whole sound, at most an hour, is in memory (0.23 GB per
        hour).

        Args:
            frames: A video as in :meth:`__call__`, or an iterable of frames:
                RGB, uint8, (H, W, 3).
            texts: See :meth:`__call__`.
            window: Number of frames that the model processes together.
            overlap: Number of these frames that were in the previous window;
                by default a quarter.
            fps: Frames per second. A video file with a higher rate is
                subsampled; other frames have this rate, by default 6, which
                matters for sounds only.
            threshold: See :meth:`__call__`.
            sound: See :meth:`__call__`.
            references: See :meth:`__call__`.

        Yields:
            One item per frame, in order, as soon as its window is complete.

        Raises:
            InputError: While iterating: the video, a text, the sound or a
                number cannot be used.

        Example:
            >>> for frame in inferencer.stream('long.mp4', ['the dog']):
            ...     rle = frame.masks[0]
        """
        check_window(window, overlap)
        asked = self.prepare(references, texts, sound, frames, threshold)
        yield from self.stream_asked(
            frames, asked, window, overlap, fps, threshold
        )

    def stream_asked(
        self,
        frames: Union[VideoSource, Iterable[np.ndarray]],
        asked: List[AskedReference],
        window: int,
        overlap: Optional[int],
        fps: Optional[float],
        threshold: Optional[float],
    ) -> Iterator[StreamedFrame]:
        """Stream predictions for references that :meth:`prepare` made."""
        overlap = check_window(window, overlap)
        cues = [each.cue for each in asked if each.cue is not None]
        for cue in cues:
            cue.read()
        facts = describe_video(frames, fps) if cues else VideoFacts('', 1.0)
        tracks = Tracks(len(asked), window)
        number = 0
        for old, part in windows(stream_video(frames, fps), window, overlap):
            video = video_of(part, facts)
            start = part[0].start
            references = [each.part(start, video.seconds) for each in asked]
            session = VideoSession(self, video)
            predictions = session.predict(
                references, threshold, tracks.last(old)
            )
            del session  # Free its features before the next window.
            tracks.extend(predictions, old)
            for index in range(old, len(part)):
                yield StreamedFrame(
                    index=number,
                    picture=part[index].picture,
                    id=part[index].id,
                    masks=[each.masks[index] for each in predictions],
                    scores=[each.score for each in predictions],
                    references=references,
                    moment=video.moments[index],
                    start=part[index].start,
                    end=part[index].end,
                    pixel_aspect=part[index].pixel_aspect,
                    is_null=[each.is_null for each in predictions],
                )
                number += 1

    def pack(self, video: Video) -> Dict[str, Any]:
        """Apply the transforms of the test set to a video."""
        frames = [
            {'img': frame, 'img_path': source, 'frame_id': frame_id}
            for frame, source, frame_id in zip(
                video.frames, video.sources, video.frame_ids, strict=True
            )
        ]
        return self.pipeline(
            {'video_id': video.name, 'frames': frames, 'references': []}
        )

    def prepare(
        self,
        references: References,
        texts: Texts,
        sound: SoundSource,
        video: Any,
        threshold: Optional[float],
        first_id: int = 0,
    ) -> List[AskedReference]:
        """Make references from the arguments, and check them.

        The length of a sound is set later, when the video has been read.
        """
        self.check_threshold(threshold)
        self.check_sound(sound)
        asked = collect(references, texts, first_id)
        self.check_asked(asked)
        return add_sound(asked, sound, video, first_id)

    def check_sound(self, sound: SoundSource) -> None:
        """Check that the model accepts sounds, if there is one."""
        taken = self.model.modalities
        if is_asked(sound) and 'sound' not in taken:
            raise InputError.of(
                'inferencer',
                'sound',
                describe_sound(sound),
                f'None: this {type(self.model).__name__} takes '
                f'{" and ".join(taken)} only',
            )

    @torch.no_grad()
    def check_asked(self, asked: List[AskedReference]) -> None:
        """Check that the model accepts references, e.g. long texts."""
        for each in asked:
            reference = each.reference
            if each.cue is None:
                self.model.encode_references([reference])
            else:
                # The length of the sound is not known yet.
                silence = replace(reference, sound=torch.zeros(1))
                self.model.check_modalities([silence])

    def check_threshold(self, threshold: Optional[float]) -> None:
        """Check that a threshold is between 0 and 1."""
        if threshold is not None and not 0 < threshold < 1:
            raise InputError.of(
                'inferencer', 'threshold', threshold, 'between 0 and 1'
            )


def check_window(window: int, overlap: Optional[int]) -> int:
    """Check the sizes of a window and its overlap; return the overlap."""
    if overlap is None:
        overlap = max(window, 0) // 4
    for name, value, least, most in (
        ('window', window, 1, None),
        ('overlap', overlap, 0, window - 1),
    ):
        if value < least or (most is not None and value > most):
            expected = f'at least {least}'
            if most is not None:
                expected = f'{least} to {most}, less than the window'
            raise InputError.of('stream', name, value, expected)
    return overlap


def video_of(frames: Sequence[Frame], facts: VideoFacts) -> Video:
    """Make a video of the frames of a window."""
    return Video(
        name='stream',
        frames=[frame.picture for frame in frames],
        frame_ids=[frame.id for frame in frames],
        sources=[frame.source for frame in frames],
        fps=facts.fps,
        times=None if facts.is_even else [(f.start, f.end) for f in frames],
    )


def prepare_config(
    config: Union[PathLike, Config],
    options: Mapping[str, Any],
) -> Config:
    """Read or copy a config, apply options and check the result."""
    if isinstance(config, Config):
        cfg = copy.deepcopy(config)
    else:
        cfg = load_config(os.fspath(config))
    cfg.setdefault('default_scope', 'mmdet')
    check_config(cfg)
    merge_options(cfg, options, 'cfg_options')
    check_config(cfg)
    return cfg


def choose_device(device: Union[str, torch.device, None]) -> torch.device:
    """Return the given device; by default the first GPU, or the CPU.

    Raises:
        InputError: This machine has no such device.
    """
    if device is None:
        device = 'cuda:0' if torch.cuda.is_available() else 'cpu'
    try:
        chosen = torch.device(device)
        torch.empty(0, device=chosen)
    # The type of the error depends on the build of torch.
    except (AssertionError, NotImplementedError, RuntimeError) as error:
        reason = str(error).splitlines()[0]
        raise InputError.of(
            'inferencer',
            'device',
            str(device),
            f'a device of this machine ({reason})',
        ) from error
    return chosen


def build_pipeline(cfg: Config) -> Compose:
    """Build the transforms of the test set that need no ground truth."""
    loader = cfg.get('test_dataloader') or {}
    steps = (loader.get('dataset') or {}).get('pipeline')
    if not steps:
        raise InputError.of(
            cfg.filename or 'config',
            'test_dataloader.dataset.pipeline',
            steps,
            'the transforms that frames go through',
        )
    transforms = [TRANSFORMS.build(step) for step in steps]
    needs_gt = (LoadTubes, SampleWindow)
    return Compose([t for t in transforms if not isinstance(t, needs_gt)])


def init_quietly(model: BaseModule) -> None:
    """Initialise weights without the log lines of mmengine for each."""
    logger = MMLogger.get_current_instance()
    logger.warning('no checkpoint: the model has learned nothing')
    level = logger.level
    logger.setLevel('WARNING')
    try:
        model.init_weights()
    finally:
        logger.setLevel(level)


def load_weights(model: nn.Module, content: Dict[str, Any], path: str) -> None:
    """Load the weights of a checkpoint with exactly the keys of a model.

    Args:
        model: The model, which keeps its precision.
        content: A state dict, or a checkpoint with one in ``state_dict``.
        path: File name for messages.

    Raises:
        InputError: A key is missing, unknown or of another shape.
    """
    weights = find_weights(content, path)
    check_fit(weights, model.state_dict(), path)
    model.load_state_dict(weights, strict=False)
