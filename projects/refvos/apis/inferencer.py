"""Ask for objects of a video in words, or by their sound."""

import copy
import os
from collections import deque
from dataclasses import replace
from typing import (
    Any,
    Deque,
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
from torch import Tensor, nn
from tqdm import tqdm

from ..datasets.transforms import LoadTubes, SampleWindow
from ..engine import check_config, keep_large_buffers
from ..engine.cli import load_config, merge_options
from ..errors import InputError
from ..io.safe_checkpoint import load_checkpoint_file
from ..structures import Rle
from ..visualization import moment_of
from .asked import (
    AskedReference,
    References,
    Texts,
    add_sound,
    collect,
    shown_sound,
)
from .results import InferenceResult, WindowedResults, check_out_dir
from .session import VideoSession
from .sound_cue import SoundSource, is_asked
from .streaming import StreamedFrame, windows
from .video_reader import (
    Video,
    VideoSource,
    describe_video,
    read_video,
    stream_video,
)

# Batch norm's counters change nothing at test time.
NOT_NEEDED = 'num_batches_tracked'


class RefVOSInferencer:
    """Find the objects that expressions or a sound refer to in a video.

    Frames go through the transforms of the config's test set, so that the
    answers are those of ``tools/test.py``.

    Args:
        config: A config file, or a config.
        checkpoint: Weights, a local ``.pth``, ``.pt`` or ``.safetensors``
            file, of any precision; they must be those of the config's model
            without a key more or less. None: weights as at the start of a
            training, for trials.
        device: Such as ``'cuda:0'`` or ``'cpu'``; by default the first GPU,
            or the CPU where there is none.
        trust_checkpoint: Read a pickle that holds more than tensors and
            plain data. It can run any code.
        cfg_options: Changes to the config: dotted names and values.
        precision: 'bf16' or 'fp16'; None: as the config says, float32 by
            default.

    Raises:
        InputError: The config, an option, the device or the checkpoint
            can't be used.

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
        config: Union[str, 'os.PathLike[str]', Config],
        checkpoint: Union[str, 'os.PathLike[str]', None] = None,
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
        self.model.to(self.device).prepare_for_test()

    def __call__(
        self,
        video: VideoSource,
        texts: Union[str, Sequence[str], None] = None,
        out_dir: Union[str, 'os.PathLike[str]', None] = None,
        fps: Optional[float] = None,
        threshold: Optional[float] = None,
        progress: bool = False,
        window: Optional[int] = None,
        sound: SoundSource = None,
        references: References = None,
    ) -> InferenceResult:
        """Answer references to one video, which is encoded once.

        ``open(video)`` gives a session that can be asked again.

        Args:
            video: A video file; a folder of images; a list of image files;
                or a list of frames, RGB, uint8, (H, W, 3).
            texts: Expressions, one for each answer; or a single one.
            out_dir: Write ``masks/<k>_<text>/<frame>.png`` (0 and 255; of
                the sound ``masks/<k>_sound``), ``predictions.json``,
                ``overlay.mp4`` and ``strip.png`` to this folder. It must be
                new, empty, or hold earlier results, which are replaced when
                the new ones are whole.
            fps: Frames a second: a video file with more is thinned out,
                images are so many, 6 by default.
            threshold: Probability above which a pixel belongs to the
                object; the config's by default.
            progress: Show a progress bar on the terminal.
            window: Let the model see so many frames together, a quarter of
                them again in the next window, see :meth:`stream`: for videos
                that don't fit into memory. By default all frames.
            sound: Ask for what sounds, too, in an answer of its own after
                those to the texts: True for the soundtrack of a video file,
                a sound or video file, or a waveform (floats (samples,),
                16 kHz mono, -1..1). It begins with the video, is cut to its
                length (frames / ``fps`` seconds) or filled up with silence.
            references: Ready ones before the texts, such as those of
                several modalities.

        Raises:
            InputError: The video, a text, the sound, the folder or a number
                can't be used, or the model has no encoder for a reference.
        """
        if out_dir is not None:
            check_out_dir(out_dir)
        # Reading and encoding a video can take long: refuse before.
        asked = self.prepare(references, texts, sound, video, threshold)
        if window is not None:
            return self.answer_in_windows(
                video, asked, out_dir, fps, threshold, progress, window
            )
        session = self.open(video, fps, progress)
        session.answer(asked, threshold)
        return session.result if out_dir is None else session.write(out_dir)

    def open(
        self,
        video: VideoSource,
        fps: Optional[float] = None,
        progress: bool = False,
    ) -> VideoSession:
        """Read, transform and encode a video, to ask it many times.

        Args:
            video: As in a call.
            fps: As in a call.
            progress: As in a call.

        Raises:
            InputError: The video or ``fps`` can't be used.
        """
        return VideoSession(self, read_video(video, fps, progress), video)

    def answer_in_windows(
        self,
        video: VideoSource,
        asked: List[AskedReference],
        out_dir: Union[str, 'os.PathLike[str]', None],
        fps: Optional[float],
        threshold: Optional[float],
        progress: bool,
        window: int,
    ) -> InferenceResult:
        """As a call, with a window of the video in memory."""
        name, rate = describe_video(video, fps)
        stream = self.stream_asked(video, asked, window, None, fps, threshold)
        results = WindowedResults(asked, rate)
        frames = results.gather(
            tqdm(stream, unit='frame', disable=None if progress else True)
        )
        folder = None if out_dir is None else check_out_dir(out_dir)
        if folder is None:
            for _ in frames:
                pass
        else:
            results.write(folder, frames, name)
        return InferenceResult(
            results.predictions,
            results.size,
            results.frame_ids,
            rate,
            folder,
        )

    def stream(
        self,
        frames: Union[VideoSource, Iterable[np.ndarray]],
        texts: Union[str, Sequence[str], None] = None,
        window: int = 32,
        overlap: Optional[int] = None,
        fps: Optional[float] = None,
        threshold: Optional[float] = None,
        sound: SoundSource = None,
        references: References = None,
    ) -> Iterator[StreamedFrame]:
        """Answer references to a camera's view, or a video of any length.

        The model sees a window of frames at a time; the first of them are
        the last ones of the window before. Among the answers of all queries
        the one goes on with an object that is surest and overlaps most with
        what was answered in the frames that both windows share. Memory
        depends on the window, not on the video. Of a sound, each window
        hears its own seconds; all of it, at most an hour, is in memory
        (0.23 GB an hour).

        Args:
            frames: What the inferencer takes, or anything that gives frames
                one after the other: RGB, uint8, (H, W, 3).
            texts: As in a call.
            window: Frames that the model sees together.
            overlap: Of them, those that the window before has seen; a
                quarter by default.
            fps: A video file with more frames a second is thinned out;
                other frames are so many a second, 6 by default (the sound
                needs to know).
            threshold: As in a call.
            sound: As in a call.
            references: As in a call.

        Returns:
            One item a frame, in order, as soon as its window is full.

        Raises:
            InputError: While iterating: the video, a text, the sound or a
                number can't be used.

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
        """Stream the answers to references that were checked."""
        overlap = check_window(window, overlap)
        answered: List[Deque[Rle]] = [deque(maxlen=window) for _ in asked]
        cues = [each.cue for each in asked if each.cue is not None]
        for cue in cues:
            cue.read()
        _, rate = describe_video(frames, fps) if cues else ('', 1.0)
        number = 0
        for old, part in windows(stream_video(frames, fps), window, overlap):
            video = Video(
                name='stream',
                frames=[frame.picture for frame in part],
                frame_ids=[frame.id for frame in part],
                sources=[frame.source for frame in part],
                fps=rate,
            )
            start = (number - old) / rate
            heard = [each.part(start, video.seconds) for each in asked]
            session = VideoSession(self, video)
            chosen = session.predict(
                heard, threshold, [last_masks(each, old) for each in answered]
            )
            del session  # Its features, before the next window's are made.
            nothing = [each.is_null for each in chosen]
            for before, is_null in zip(answered, nothing):
                if is_null:
                    before.clear()
            for index in range(old, len(part)):
                masks = [each.masks[index] for each in chosen]
                for before, mask, is_null in zip(answered, masks, nothing):
                    # An object that comes after nothing goes on with nothing.
                    if not is_null:
                        before.append(mask)
                yield StreamedFrame(
                    index=number,
                    picture=part[index].picture,
                    id=part[index].id,
                    masks=masks,
                    scores=[each.score for each in chosen],
                    references=heard,
                    moment=moment_of(index, len(part)),
                    is_null=nothing,
                )
                number += 1

    def pack(self, video: Video) -> Dict[str, Any]:
        """Put a video through the transforms of the test set."""
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
        """Make what is asked of the arguments; refuse what can't be.

        How long a sound has to be is known when the video has been read.
        """
        self.check_threshold(threshold)
        self.check_sound(sound)
        asked = collect(references, texts, first_id)
        self.check_asked(asked)
        return add_sound(asked, sound, video, first_id)

    def check_sound(self, sound: SoundSource) -> None:
        """Refuse a sound, unread, where the model takes none."""
        taken = self.model.modalities
        if is_asked(sound) and 'sound' not in taken:
            raise InputError.of(
                'inferencer',
                'sound',
                shown_sound(sound),
                f'None: this {type(self.model).__name__} takes '
                f'{" and ".join(taken)} only',
            )

    @torch.no_grad()
    def check_asked(self, asked: List[AskedReference]) -> None:
        """Let the model refuse what it can't take, such as long texts."""
        for each in asked:
            reference = each.reference
            if each.cue is None:
                self.model.encode_references([reference])
            else:
                # Its length is not known yet.
                silence = replace(reference, sound=torch.zeros(1))
                self.model.check_modalities([silence])

    def check_threshold(self, threshold: Optional[float]) -> None:
        """Refuse what a threshold can't be."""
        if threshold is not None and not 0 < threshold < 1:
            raise InputError.of(
                'inferencer', 'threshold', threshold, 'between 0 and 1'
            )


def check_window(window: int, overlap: Optional[int]) -> int:
    """Refuse what a window can't be; gives the overlap."""
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


def last_masks(masks: Deque[Rle], count: int) -> List[Rle]:
    """The last masks; none where there are fewer."""
    return list(masks)[len(masks) - count :] if len(masks) >= count else []


def prepare_config(
    config: Union[str, 'os.PathLike[str]', Config],
    options: Mapping[str, Any],
) -> Config:
    """Read or copy a config, apply options, check the result."""
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
    """The device asked for, if it is there; else the first GPU or the CPU."""
    if device is None:
        device = 'cuda:0' if torch.cuda.is_available() else 'cpu'
    try:
        chosen = torch.device(device)
        torch.empty(0, device=chosen)
    # What torch raises depends on how it was built.
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
    """The test set's transforms, without those that need the truth."""
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
    needs_truth = (LoadTubes, SampleWindow)
    return Compose([t for t in transforms if not isinstance(t, needs_truth)])


def init_quietly(model: BaseModule) -> None:
    """Draw weights; mmengine would log some lines about each of them."""
    logger = MMLogger.get_current_instance()
    logger.warning('no checkpoint: the model has learned nothing')
    level = logger.level
    logger.setLevel('WARNING')
    try:
        model.init_weights()
    finally:
        logger.setLevel(level)


def load_weights(model: nn.Module, content: Dict[str, Any], path: str) -> None:
    """Load a checkpoint's weights; every key must fit.

    Args:
        model: Keeps its own precision.
        content: A state dict, or a checkpoint with one in ``state_dict``.
        path: For messages.

    Raises:
        InputError: A key is missing, unknown or of another shape.
    """
    weights = content.get('state_dict', content)
    own = model.state_dict()
    for key, value in weights.items():
        if key not in own:
            raise InputError.of(
                path,
                'key',
                key,
                "one of the config's model (published weights are converted "
                'first, tools/model_converters)',
            )
        shape = tuple(value.shape) if isinstance(value, Tensor) else None
        if shape != tuple(own[key].shape):
            raise InputError.of(
                path,
                f'shape of {key}',
                shape,
                f"{tuple(own[key].shape)}, as in the config's model",
            )
    for key in own:
        if key not in weights and not key.endswith(NOT_NEEDED):
            raise InputError.of(
                path, f'key {key}', 'missing', "all of the config's model"
            )
    model.load_state_dict(weights, strict=False)
