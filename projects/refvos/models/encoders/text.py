"""Encoder of text references: words and the sentence."""

from typing import Any, Dict, List, Optional

import torch
from mmdet.registry import MODELS
from mmengine.model import BaseModule
from torch import Tensor, nn
from transformers import AutoConfig, AutoModel, AutoTokenizer

from ...errors import InputError
from ...io.hub import must_be_local, reading_from_hub
from ...structures import Reference, ReferenceTokens
from ..layers import sine_positions_1d


@MODELS.register_module()
class TextEncoder(BaseModule):
    """Language model of transformers and a resizer to C channels.

    Words are the last hidden state, the sentence is the pooler output; both
    pass through one shared resizer (ReferFormer, Section 3.1).

    Args:
        config: Configuration of the language model: ``model_type`` (roberta,
            bert, ...) and the fields of its transformers config class.
        tokenizer: Name or folder of the tokenizer; read at first use.
        embed_dims: C.
        pretrained: Name or folder of the weights to start training from;
            None starts from random weights. They are read when the weights
            are initialised, so testing a checkpoint does not need them.
        frozen: Do not train the language model (the resizer is trained) and
            disable its dropout.
        dropout: Dropout after the resizer.

    Example:
        >>> encoder = TextEncoder(
        ...     config=dict(
        ...         model_type='roberta',
        ...         vocab_size=1000,
        ...         num_hidden_layers=1,
        ...         hidden_size=64,
        ...         num_attention_heads=2,
        ...     ),
        ...     tokenizer='configs/mini/tokenizer',
        ...     embed_dims=32,
        ... )
        >>> encoder([Reference('0', text='the red circle')]).sentence.shape
        torch.Size([1, 32])
    """

    def __init__(
        self,
        config: Dict[str, Any],
        tokenizer: str,
        embed_dims: int = 256,
        pretrained: Optional[str] = None,
        frozen: bool = True,
        dropout: float = 0.1,
    ) -> None:
        super().__init__()
        self.embed_dims = embed_dims
        self.pretrained = pretrained
        self.frozen = frozen
        self.tokenizer_name = tokenizer
        self._tokenizer: Any = None
        self.model = AutoModel.from_config(AutoConfig.for_model(**config))
        if frozen:
            self.model.requires_grad_(False)
        self.resizer = nn.Sequential(
            nn.Linear(self.model.config.hidden_size, embed_dims),
            nn.LayerNorm(embed_dims, eps=1e-12),
            nn.Dropout(dropout),
        )

    def init_weights(self) -> None:
        """Load ``pretrained``, or keep the random weights of transformers.

        mmengine's recursion would call ``init_weights`` of the language
        model, which draws them again.
        """
        if self.pretrained is not None:
            with reading_from_hub(self.pretrained, 'text_encoder.pretrained'):
                language_model = AutoModel.from_pretrained(
                    self.pretrained,
                    local_files_only=must_be_local(self.pretrained),
                )
            weights = language_model.state_dict()
            self.model.load_state_dict(weights)
        self._is_init = True

    def train(self, mode: bool = True) -> 'TextEncoder':
        super().train(mode)
        if self.frozen:
            self.model.eval()
        return self

    @property
    def tokenizer(self) -> Any:
        if self._tokenizer is None:
            with reading_from_hub(
                self.tokenizer_name, 'text_encoder.tokenizer'
            ):
                self._tokenizer = AutoTokenizer.from_pretrained(
                    self.tokenizer_name,
                    local_files_only=must_be_local(self.tokenizer_name),
                )
        return self._tokenizer

    @property
    def max_tokens(self) -> int:
        """Maximum number of tokens, including <s> and </s>."""
        config = self.model.config
        # RoBERTa numbers its positions from the padding index + 1.
        is_roberta = 'roberta' in config.model_type
        offset = config.pad_token_id + 1 if is_roberta else 0
        return config.max_position_embeddings - offset

    def forward(self, references: List[Reference]) -> ReferenceTokens:
        """Encode text references.

        Raises:
            InputError: A reference has no text, or one that is too long.
        """
        for reference in references:
            if not reference.text:
                raise InputError.of(
                    'text encoder',
                    f'text of reference {reference.id!r}',
                    reference.text,
                    'an expression',
                )
        texts = [reference.text for reference in references]
        batch = self.tokenizer(texts, padding=True, return_tensors='pt')
        lengths = batch['attention_mask'].sum(1)
        if int(lengths.max()) > self.max_tokens:
            worst = int(lengths.argmax())
            raise InputError.of(
                'text encoder',
                f'text of reference {references[worst].id!r} '
                f'({int(lengths[worst])} tokens)',
                texts[worst],
                f'at most {self.max_tokens} tokens',
            )
        device = next(self.parameters()).device
        return self.encode_tokens(
            batch['input_ids'].to(device),
            ~batch['attention_mask'].bool().to(device),
        )

    def encode_tokens(
        self, token_ids: Tensor, padding_mask: Tensor
    ) -> ReferenceTokens:
        """Encode (B, L) token ids; ``padding_mask`` is True on padding."""
        with torch.set_grad_enabled(
            torch.is_grad_enabled() and not self.frozen
        ):
            output = self.model(
                input_ids=token_ids, attention_mask=(~padding_mask).long()
            )
        return ReferenceTokens(
            tokens=self.resizer(output.last_hidden_state),
            padding_mask=padding_mask,
            positions=sine_positions_1d(padding_mask, self.embed_dims),
            sentence=self.resizer(output.pooler_output),
        )
