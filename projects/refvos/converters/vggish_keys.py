"""Keys of published VGGish weights (torchvggish's)."""

from .key_mapping import KeyMapping

PART = 'sound_encoder.vggish.'

MAPPING = KeyMapping(
    [(r'(?:features|embeddings)\.\d+\.(?:weight|bias)', rf'{PART}\g<0>')],
    [(r'pproc\..+', 'PCA after the last layer, which is not part of it')],
    part=PART,
)
