"""Encode the modalities of a batch of references."""

from typing import Any, List, Mapping

import torch
from torch import Tensor

from ...structures import EncodedReferences, Reference, ReferenceTokens


def encode_modalities(
    encoders: Mapping[str, Any], references: List[Reference]
) -> EncodedReferences:
    """Encode B references, each modality by its own encoder.

    The input of an encoder is only the references that have its modality;
    the others have zeros as tokens and sentence, and ``present`` is False. A
    modality that no reference has is left out.

    Args:
        encoders: Encoder of each modality.
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
    """Scatter the tokens of some references to their rows of a batch.

    Args:
        tokens: Tokens of ``len(rows)`` references.
        rows: Rows of these references in the batch.
        batch: B.
    """
    if len(rows) == batch:
        return tokens
    indices = torch.tensor(rows, device=tokens.tokens.device)

    def scatter(x: Tensor, fill: float) -> Tensor:
        whole = x.new_full((batch, *x.shape[1:]), fill)
        return whole.index_copy(0, indices, x)

    return ReferenceTokens(
        tokens=scatter(tokens.tokens, 0),
        padding_mask=scatter(tokens.padding_mask, True),
        positions=scatter(tokens.positions, 0),
        sentence=scatter(tokens.sentence, 0),
        present=scatter(torch.ones_like(indices, dtype=torch.bool), False),
    )
