"""Contrastive losses whose negatives come from all processes."""

import math
from typing import Any, List, Optional, Tuple

import torch
from mmdet.registry import MODELS
from mmengine.dist import get_dist_info
from torch import Tensor, distributed, nn

from ...errors import InputError


class GatherRows(torch.autograd.Function):
    """Concatenate the rows of all processes, with gradients to all of them.

    The backward pass sums the gradients of a row over the losses of all
    processes. As DistributedDataParallel divides by the number of processes,
    a loss of the gathered rows has the gradients of one process with the
    whole batch.
    """

    @staticmethod
    def forward(ctx: Any, rows: Tensor) -> Tensor:
        parts = gather_parts_of(rows)
        rank, _ = get_dist_info()
        sizes = [len(part) for part in parts]
        ctx.start = sum(sizes[:rank])
        ctx.size = sizes[rank]
        return torch.cat(parts)

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> Tensor:
        (gradient,) = gradients
        total = gradient.contiguous().clone()
        distributed.all_reduce(total)
        return total[ctx.start : ctx.start + ctx.size]


def gather_parts_of(rows: Tensor) -> List[Tensor]:
    """Gather (B_i, ...) of every process, without gradients.

    Processes may have different numbers of rows.
    """
    _, world_size = get_dist_info()
    size = torch.tensor([len(rows)], device=rows.device)
    sizes = [torch.empty_like(size) for _ in range(world_size)]
    distributed.all_gather(sizes, size)
    counts = [int(each) for each in sizes]
    # all_gather needs tensors of one size.
    padded = rows.new_zeros(max(counts), *rows.shape[1:])
    padded[: len(rows)] = rows
    parts = [torch.empty_like(padded) for _ in range(world_size)]
    distributed.all_gather(parts, padded)
    return [part[:count] for part, count in zip(parts, counts)]


def gather_rows(rows: Tensor) -> Tensor:
    """Concatenate (B_i, ...) of all processes, in the order of ranks.

    It is differentiable for floating-point rows. With one process the result
    is ``rows``.
    """
    _, world_size = get_dist_info()
    if world_size == 1:
        return rows
    if not rows.is_floating_point():
        return torch.cat(gather_parts_of(rows))
    return GatherRows.apply(rows)


@MODELS.register_module()
class SymmetricInfoNCE(nn.Module):
    """Symmetric InfoNCE loss between two views of the same instances.

    Row i of the first view is classified among the rows of the second view of
    all processes by cosine similarity, and the other way round; the loss is
    the mean of the two cross entropies. Views are, for example, the text and
    the speech of one expression, or an object and its expression. Source:
    van den Oord et al. 2018; the symmetric form is that of CLIP.

    Args:
        temperature: Divisor of the similarities; the initial value if it is
            learned.
        learned: Learn the temperature (its logarithm, as CLIP does).
        min_temperature: Lower bound of a learned temperature.
        normalize: Compare by cosines; False by inner products.
        loss_weight: Factor of the loss.

    Raises:
        InputError: A temperature is not positive.

    Example:
        >>> import torch
        >>> from refvos.models.losses import SymmetricInfoNCE
        >>> loss = SymmetricInfoNCE(temperature=0.1)
        >>> first = torch.eye(3)
        >>> round(float(loss(first, first)), 4)
        0.0001
    """

    def __init__(
        self,
        temperature: float = 0.07,
        learned: bool = False,
        min_temperature: float = 0.01,
        normalize: bool = True,
        loss_weight: float = 1.0,
    ) -> None:
        super().__init__()
        self.normalize = normalize
        for name, value in (
            ('temperature', temperature),
            ('min_temperature', min_temperature),
        ):
            if value <= 0:
                raise InputError.of(
                    type(self).__name__, name, value, 'a number above 0'
                )
        self.min_temperature = min_temperature
        self.loss_weight = loss_weight
        start = torch.tensor(math.log(temperature))
        self.learned = learned
        if learned:
            self.log_temperature = nn.Parameter(start)
        else:
            self.register_buffer('log_temperature', start, persistent=False)

    @property
    def temperature(self) -> Tensor:
        """Current temperature, a scalar tensor."""
        value = self.log_temperature.exp()
        if self.learned:
            value = value.clamp(min=self.min_temperature)
        return value

    def forward(
        self, first: Tensor, second: Tensor, groups: Optional[Tensor] = None
    ) -> Tensor:
        """Compute the loss of the whole batch, on every process.

        Args:
            first: (B, C), not normalised. B may differ between processes, so
                that rows without a partner can be left out.
            second: (B, C), the same instances row by row.
            groups: (B,) integers, the same numbering on all processes; rows
                of one group are all positives of each other. None: every row
                is an instance of its own.

        Returns:
            The loss, a scalar; 0 for a batch without rows.
        """
        first, second, groups = self.gather(first, second, groups)
        if len(first) == 0:
            return (first.sum() + second.sum()) * self.temperature
        if self.normalize:
            first = nn.functional.normalize(first, dim=-1)
            second = nn.functional.normalize(second, dim=-1)
        similarity = first @ second.T / self.temperature
        positive = (groups[:, None] == groups[None]).to(similarity)
        target = positive / positive.sum(1, keepdim=True)
        # ``positive`` is symmetric: the target is the same in both directions.
        losses = [
            nn.functional.cross_entropy(logits, target)
            for logits in (similarity, similarity.T)
        ]
        return self.loss_weight * (losses[0] + losses[1]) / 2

    @staticmethod
    def gather(
        first: Tensor, second: Tensor, groups: Optional[Tensor]
    ) -> Tuple[Tensor, Tensor, Tensor]:
        """Gather views and groups of all processes, in float32."""
        first, second = (gather_rows(x.float()) for x in (first, second))
        if groups is None:
            groups = torch.arange(len(first), device=first.device)
        else:
            groups = gather_rows(groups)
        return first, second, groups
