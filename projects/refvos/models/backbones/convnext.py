"""ConvNeXt on single frames."""

from typing import Any, Iterable, List, Optional, Sequence

import torch.nn.functional as F
from mmdet.registry import MODELS
from mmengine.model import BaseModule
from torch import Tensor, nn
from transformers import AutoConfig, ConvNextBackbone, ConvNextModel

from ...io.hub import must_be_local, reading_from_hub
from .blocks import FreezableStages, run_block

STAGES = ['stage1', 'stage2', 'stage3', 'stage4']
STRIDES = (4, 8, 16, 32)


@MODELS.register_module()
class FrameConvNeXt(FreezableStages, BaseModule):
    """ConvNeXt of transformers as a backbone with four levels.

    It halves maps without rounding up, so frames are first padded with zeros
    to a multiple of 32, and levels are cropped afterwards.

    Args:
        embed_dims: Channels of each stage.
        depths: Blocks of each stage.
        drop_path_rate: Stochastic depth of the last block, rising from 0 at
            the first.
        frozen_stages: -1 trains all; 0 freezes the patch embedding; n also
            the first n stages.
        with_cp: Recompute the blocks in the backward pass instead of
            keeping their activations.
        pretrained: Name or folder of the weights to start training from;
            None starts from random weights. They are read when weights are
            initialised, and do not include the norms of the levels.
        init_cfg: Config of mmengine's initialisation.

    Example:
        >>> backbone = FrameConvNeXt((8, 16, 32, 64), (1, 1, 1, 1))
        >>> [tuple(x.shape[1:]) for x in backbone(torch.ones(2, 3, 90, 64))]
        [(8, 23, 16), (16, 12, 8), (32, 6, 4), (64, 3, 2)]
    """

    def __init__(
        self,
        embed_dims: Sequence[int] = (96, 192, 384, 768),
        depths: Sequence[int] = (3, 3, 9, 3),
        drop_path_rate: float = 0.0,
        frozen_stages: int = -1,
        with_cp: bool = False,
        pretrained: Optional[str] = None,
        init_cfg: Optional[dict] = None,
    ) -> None:
        super().__init__(init_cfg)
        self.frozen_stages = frozen_stages
        self.with_cp = with_cp
        self.pretrained = pretrained
        config: Any = AutoConfig.for_model(
            'convnext',
            hidden_sizes=list(embed_dims),
            depths=list(depths),
            drop_path_rate=drop_path_rate,
            out_features=STAGES,
        )
        model = ConvNextBackbone(config)
        self.embeddings = model.embeddings
        self.stages = model.encoder.stages
        self.norms = nn.ModuleList(
            model.hidden_states_norms[stage] for stage in STAGES
        )
        self.freeze_stages()

    def init_weights(self) -> None:
        """Load ``pretrained``; without it, initialise by ``init_cfg``."""
        super().init_weights()
        if self.pretrained is not None:
            with reading_from_hub(self.pretrained, 'backbone.pretrained'):
                trained = ConvNextModel.from_pretrained(
                    self.pretrained,
                    local_files_only=must_be_local(self.pretrained),
                )
            self.embeddings.load_state_dict(trained.embeddings.state_dict())
            self.stages.load_state_dict(trained.encoder.stages.state_dict())

    def forward(self, frames: Tensor) -> List[Tensor]:
        """Compute the maps of all stages.

        Args:
            frames: (B*T, 3, H, W).

        Returns:
            Four normalised maps (B*T, c, H / s, W / s), s = 4, 8, 16, 32,
            sizes rounded up.
        """
        height, width = frames.shape[-2:]
        x = self.embeddings(F.pad(frames, (0, -width % 32, 0, -height % 32)))
        levels = []
        stages: Iterable[Any] = self.stages
        for stage, norm, stride in zip(stages, self.norms, STRIDES):
            for layer in stage.downsampling_layer:
                x = layer(x)
            for block in stage.layers:
                x = run_block(block, x, with_cp=self.with_cp)
            rows, columns = -(-height // stride), -(-width // stride)
            levels.append(norm(x)[..., :rows, :columns].contiguous())
        return levels

    def frozen_parts(self) -> Iterable[nn.Module]:
        count = self.frozen_stages
        stages, norms = self.stages[:count], self.norms[:count]
        return (self.embeddings, *stages, *norms)
