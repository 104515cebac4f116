"""Train a small tokenizer in RoBERTa's format on a data set's texts."""

import json
from pathlib import Path
from typing import Iterable, Union

from tokenizers import Tokenizer, models, pre_tokenizers, processors, trainers
from tokenizers.decoders import ByteLevel

from .video import make_video
from .writers.files import write_json

SPECIAL_TOKENS = ('<s>', '<pad>', '</s>', '<unk>', '<mask>')  # ids 0 to 4
LONGEST = 512


def train_tokenizer(
    texts: Iterable[str], folder: Union[str, Path], vocab_size: int = 600
) -> None:
    """Train a byte-level BPE that ``RobertaTokenizer`` loads from a folder.

    Its settings prepend a space to a text, so that the first word has the
    same token as elsewhere. Equal texts give equal files.

    Args:
        texts: Expressions.
        folder: Folder for ``tokenizer.json`` and ``tokenizer_config.json``;
            created if it is missing.
        vocab_size: Largest number of tokens: the special ones, 256 bytes,
            and merges.
    """
    tokenizer = Tokenizer(models.BPE(unk_token='<unk>'))
    byte_level = pre_tokenizers.ByteLevel(add_prefix_space=True)
    tokenizer.pre_tokenizer = byte_level
    tokenizer.decoder = ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=vocab_size,
        special_tokens=list(SPECIAL_TOKENS),
        initial_alphabet=sorted(pre_tokenizers.ByteLevel.alphabet()),
        show_progress=False,
    )
    tokenizer.train_from_iterator(texts, trainer)
    tokenizer.post_processor = processors.RobertaProcessing(
        ('</s>', 2), ('<s>', 0), add_prefix_space=True
    )
    save(tokenizer, Path(folder))


def save(tokenizer: Tokenizer, folder: Path) -> None:
    """Write a tokenizer and its settings to a folder."""
    folder.mkdir(parents=True, exist_ok=True)
    content = json.loads(tokenizer.to_str())
    write_json(folder / 'tokenizer.json', content)
    names = ('bos', 'pad', 'eos', 'unk', 'mask')
    config = {
        'tokenizer_class': 'RobertaTokenizer',
        'add_prefix_space': True,
        'model_max_length': LONGEST,
        **{
            f'{name}_token': token
            for name, token in zip(names, SPECIAL_TOKENS, strict=True)
        },
        'cls_token': '<s>',
        'sep_token': '</s>',
    }
    write_json(folder / 'tokenizer_config.json', config)


def sample_texts(count: int, seed: int = 0) -> Iterable[str]:
    """Yield expressions of training videos until there are ``count``."""
    index = 0
    while count > 0:
        for expression in make_video(seed, 'train', index).expressions:
            yield expression.text
            count -= 1
        index += 1
