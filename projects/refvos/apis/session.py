"""A video that is encoded once and asked many times."""

import os
from typing import TYPE_CHECKING, Any, Dict, List, Optional, Sequence, Union

import torch
from torch import Tensor

from ..structures import Reference, ReferencePrediction, Rle
from .asked import AskedReference, References, Texts
from .results import InferenceResult, check_out_dir, write_results
from .sound_cue import SoundSource, find_sound
from .video_reader import Video

if TYPE_CHECKING:
    from .inferencer import RefVOSInferencer


class VideoSession:
    """The state of a video: read, transformed and encoded once.

    :meth:`RefVOSInferencer.open` makes it. It holds the video's features
    until it is deleted.

    Args:
        inferencer: Holds the model.
        video: The frames.
        source: Where they came from, for the soundtrack.

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
        # The post-process sees pictures, the model no longer does.
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
        """Answer references.

        Args:
            references: One or several, each of one or more modalities. Of a
                speech or sound the path is enough. A waveform is brought to
                the video's length.
            texts: Expressions, a reference each.
            sound: A reference of its own, as in a call of the inferencer.
            threshold: As in a call of the inferencer.

        Returns:
            The answers to these references; ``session.result`` has all.

        Raises:
            InputError: A reference or the threshold can't be used.
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
        """Answer what was checked, and keep the answers."""
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
        """Read the video's own sound, brought to its length.

        Returns:
            (samples,) float32, 16 kHz mono.

        Raises:
            InputError: The video is no file, or has no sound.
        """
        cue = find_sound(True, self.source)
        cue.read(self.video.seconds)
        return cue.part(0.0, self.video.seconds)

    @property
    def result(self) -> InferenceResult:
        """The answers to all that was asked."""
        return self.make_result(list(self.predictions))

    def make_result(
        self, predictions: List[ReferencePrediction]
    ) -> InferenceResult:
        video = self.video
        return InferenceResult(
            predictions, video.size, video.frame_ids, video.fps
        )

    def write(
        self, out_dir: Union[str, 'os.PathLike[str]']
    ) -> InferenceResult:
        """Write the answers to all that was asked.

        Args:
            out_dir: As in a call of the inferencer.

        Raises:
            InputError: Results can't be written there.
        """
        folder = check_out_dir(out_dir)
        write_results(folder, self.video, self.predictions)
        result = self.result
        result.out_dir = folder
        return result
