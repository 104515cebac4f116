"""An encoded video for several calls with references."""

from typing import TYPE_CHECKING, Any, Dict, List, Optional, Sequence

import torch
from torch import Tensor

from ..io.paths import PathLike
from ..structures import Reference, ReferencePrediction, Rle
from .asked import AskedReference, References, Texts
from .results import InferenceResult, check_out_dir, write_results
from .sound_cue import SoundSource, find_sound
from .video_reader import Video

if TYPE_CHECKING:
    from .inferencer import RefVOSInferencer


class VideoSession:
    """A video that was read, transformed and encoded once.

    :meth:`RefVOSInferencer.open` returns it. It keeps the features of the
    video until it is deleted.

    Args:
        inferencer: Inferencer with the model.
        video: Frames of the video.
        source: Source of the video, for its soundtrack.

    Example:
        >>> session = inferencer.open('video.mp4')
        >>> session.ask(texts=['the dog', 'the cat'])
        >>> session.ask(Reference('2', text='the one that barks',
        ...                       sound=session.soundtrack()))
        >>> session.write('out')
    """

    def __init__(
        self, inferencer: 'RefVOSInferencer', video: Video, source: Any = None
    ) -> None:
        self.inferencer = inferencer
        self.video = video
        self.source = source
        self.predictions: List[ReferencePrediction] = []
        self.encode()

    @torch.no_grad()
    def encode(self) -> None:
        """Transform and encode the frames."""
        model: Any = self.inferencer.model
        packed = self.inferencer.pack(self.video)
        batch = {key: [value] for key, value in packed.items()}
        data = model.data_preprocessor(batch, False)
        (self.sample,) = data['data_samples']
        self.features = model.encode_sample(data['inputs'][0], self.sample)
        # Only a post-process still needs the frames.
        self.frames: Optional[Tensor] = None
        if model.post_process is not None:
            self.frames = data['inputs'][0]

    def ask(
        self,
        references: References = None,
        *,
        texts: Texts = None,
        sound: SoundSource = None,
        threshold: Optional[float] = None,
    ) -> InferenceResult:
        """Segment the objects of references.

        Args:
            references: One or several, each of one or more modalities.
                Speech or sound may be given as a path only. A waveform is
                cut or padded to the length of the video.
            texts: One or several expressions, each a reference.
            sound: One more reference, see
                :meth:`RefVOSInferencer.__call__`.
            threshold: See :meth:`RefVOSInferencer.__call__`.

        Returns:
            The predictions for these references; ``session.result`` has
            those of all calls.

        Raises:
            InputError: A reference or the threshold cannot be used.
        """
        asked = self.inferencer.prepare(
            references,
            texts,
            sound,
            self.source,
            threshold,
            len(self.predictions),
        )
        return self.make_result(self.answer(asked, threshold))

    def answer(
        self,
        asked: Sequence[AskedReference],
        threshold: Optional[float] = None,
    ) -> List[ReferencePrediction]:
        """Predict for references that were checked; keep the predictions."""
        seconds = self.video.seconds
        for each in asked:
            if each.cue is not None:
                each.cue.read(seconds)
        found = self.predict(
            [each.part(0.0, seconds) for each in asked], threshold
        )
        self.predictions += found
        return found

    @torch.no_grad()
    def predict(
        self,
        references: List[Reference],
        threshold: Optional[float] = None,
        previous: Optional[Sequence[List[Rle]]] = None,
    ) -> List[ReferencePrediction]:
        """Answer references with the encoded video.

        Args:
            references: References of the model's modalities.
            threshold: Mask threshold; None for that of the config.
            previous: For each reference, the masks of its object in the
                first frames, which its answer continues. No candidates are
                returned then.
        """
        changes: Dict[str, Any] = {}
        if threshold is not None:
            changes['threshold'] = threshold
        if previous is not None:
            changes['candidates'] = 0
        model: Any = self.inferencer.model
        with model.test_options(**changes):
            return model.answer_references(
                self.features, references, self.sample, self.frames, previous
            )

    def soundtrack(self) -> Tensor:
        """Read the soundtrack of the video, cut or padded to its length.

        Returns:
            (samples,) float32, 16 kHz mono.

        Raises:
            InputError: The video is not a file, or has no sound.
        """
        cue = find_sound(True, self.source)
        cue.read(self.video.seconds)
        return cue.part(0.0, self.video.seconds)

    @property
    def result(self) -> InferenceResult:
        """The predictions of all calls."""
        return self.make_result(list(self.predictions))

    def make_result(
        self, predictions: List[ReferencePrediction]
    ) -> InferenceResult:
        video = self.video
        return InferenceResult(
            predictions, video.size, video.frame_ids, video.fps
        )

    def write(self, out_dir: PathLike) -> InferenceResult:
        """Write the predictions of all calls.

        Args:
            out_dir: See :meth:`RefVOSInferencer.__call__`.

        Raises:
            InputError: Results cannot be written there.
        """
        folder = check_out_dir(out_dir)
        write_results(folder, self.video, self.predictions)
        result = self.result
        result.out_dir = folder
        return result
