"""What metrics and submission writers ask of a video's predictions."""

from typing import List, Tuple

from ..errors import InputError
from ..structures import ReferencePrediction


def frame_size(sample: dict) -> Tuple[int, int]:
    """Height and width of the video's own frames."""
    height, width = sample['ori_shape'][:2]
    return int(height), int(width)


def checked_predictions(sample: dict) -> List[ReferencePrediction]:
    """The predictions of a video, one for each of its references.

    Args:
        sample: What ``RefDataSample.to_dict()`` gives.

    Raises:
        InputError: If a reference has no prediction, or a prediction not one
            mask a frame at the frames' own size.
    """
    video = f'video {sample["video_id"]}'
    predictions = sample.get('predictions')
    references = sample.get('references')
    if predictions is None:
        raise InputError.of(video, 'predictions', None, 'what predict() gives')
    if references is not None and len(references) != len(predictions):
        raise InputError.of(
            video,
            'number of predictions',
            len(predictions),
            f'{len(references)}, one for each reference',
        )
    for prediction in predictions:
        _check_masks(video, prediction, sample)
    return predictions


def _check_masks(
    video: str, prediction: ReferencePrediction, sample: dict
) -> None:
    """One mask a frame, at the frames' own size."""
    name = f'predictions.{prediction.reference.id}'
    frames = sample['frame_ids']
    if len(prediction.masks) != len(frames):
        raise InputError.of(
            video,
            f'{name}: number of masks',
            len(prediction.masks),
            f'{len(frames)}, one a frame',
        )
    for frame, rle in zip(frames, prediction.masks, strict=True):
        if tuple(rle['size']) != frame_size(sample):  # type: ignore[arg-type]
            raise InputError.of(
                video,
                f'{name}: size of the mask of frame {frame}',
                rle['size'],
                f'{list(frame_size(sample))}, the size of the frame',
            )
