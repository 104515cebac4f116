"""One token stream for each modality of a batch of references."""

from typing import Any, List, Mapping

import torch
from torch import Tensor

from ...structures import EncodedReferences, Reference, ReferenceTokens


def encode_modalities(
    encoders: Mapping[str, Any], references: List[Reference]
) -> EncodedReferences:
    """Encode B references, each modality by its own encoder.

    An encoder sees only the references that have its modality; for the
    others, tokens and sentence are zeros and ``present`` is False. A
    modality that no reference has is left out.

    Args:
        encoders: Modality -> its encoder.
        references: B references.
    """
    encoded = EncodedReferences()
    for modality, encoder in encoders.items():
        rows = [
            row
            for row, reference in enumerate(references)
            if modality in reference.modalities
        ]
        if rows:
            tokens = encoder([references[row] for row in rows])
            encoded[modality] = spread(tokens, rows, len(references))
    return encoded


def spread(
    tokens: ReferenceTokens, rows: List[int], batch: int
) -> ReferenceTokens:
    """Put the tokens of some references at their places in a batch.

    Args:
        tokens: Of ``len(rows)`` references.
        rows: Their places in the batch.
        batch: B.
    """
    if len(rows) == batch:
        return tokens
    places = torch.tensor(rows, device=tokens.tokens.device)

    def placed(x: Tensor, rest: float) -> Tensor:
        whole = x.new_full((batch, *x.shape[1:]), rest)
        return whole.index_copy(0, places, x)

    return ReferenceTokens(
        tokens=placed(tokens.tokens, 0),
        padding_mask=placed(tokens.padding_mask, True),
        positions=placed(tokens.positions, 0),
        sentence=placed(tokens.sentence, 0),
        present=placed(torch.ones_like(places, dtype=torch.bool), False),
    )
