"""One optimizer step and one evaluation through Megatron's schedules of microbatches."""

from __future__ import annotations

import functools
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from training.batch import Batch
    from training.megatron_model import Training


@dataclass(frozen=True)
class Step:
    """What one step gave, the same on every process.

    loss       mean over the batch's samples or target tokens, in nats
    grad_norm  norm of the gradient before clipping
    stop       whether any process was asked to stop
    """

    loss: float
    grad_norm: float
    stop: bool = False


def train_step(training: Training, batch: Batch, micro_batch_size: int, stop: bool = False) -> Step:
    """One optimizer step on this process's rows of a batch, in microbatches of `micro_batch_size`
    (0: all at once).

    A loss that is not finite is returned before it touches the weights.
    """
    import torch

    training.parallel.zero_grad_buffer()
    training.optimizer.zero_grad()
    sums = _run(training, batch, micro_batch_size, forward_only=False, flag=stop)
    loss = sums[0] / max(1.0, sums[1])
    if not torch.isfinite(torch.tensor(loss)):
        return Step(loss, float("nan"), sums[2] > 0)
    _, norm, _ = training.optimizer.step()
    training.scheduler.step(increment=1)
    return Step(loss, float(norm or 0.0), sums[2] > 0)


def evaluate_loss(training: Training, batch: Batch, micro_batch_size: int) -> float:
    """Mean loss of a batch, of which each data-parallel process takes its rows, without learning
    from it."""
    import torch
    from megatron.core import parallel_state

    world = parallel_state.get_data_parallel_world_size()
    whole = batch.padded(world * (micro_batch_size or 1))
    share = whole.part(parallel_state.get_data_parallel_rank(), world)
    training.parallel.eval()
    with torch.no_grad():
        sums = _run(training, share, micro_batch_size, True, False)
    training.parallel.train()
    return sums[0] / max(1.0, sums[1])


def _run(
    training: Training, share: Batch, micro_batch_size: int, forward_only: bool, flag: bool
) -> list[float]:
    """Forward, and backward unless `forward_only`; (sum of losses, number of units, flags) over
    all processes."""
    import torch
    from megatron.core import parallel_state
    from megatron.core.pipeline_parallel import get_forward_backward_func

    size = micro_batch_size or len(share.tokens)
    pieces = share.pieces(size)
    found = get_forward_backward_func()(
        forward_step_func=functools.partial(_forward, training.model),
        data_iterator=iter(pieces),
        model=training.parallel,
        num_microbatches=len(pieces),
        seq_length=share.tokens.shape[1],
        micro_batch_size=size,
        forward_only=forward_only,
    )
    training.model.loss_positions = None
    device = next(training.model.parameters()).device
    sums = torch.zeros(3, dtype=torch.float64, device=device)
    # Only one process of those that computed the same loss counts it.
    if found and parallel_state.get_tensor_model_parallel_rank() == 0:
        sums[:2] = torch.stack(found).sum(0)
    sums[2] = float(flag)
    if torch.distributed.get_world_size() > 1:
        torch.distributed.all_reduce(sums)
    return [float(each) for each in sums]


def _forward(model: Any, pieces: Iterator[Batch], parallel: Any) -> tuple[Any, Any]:
    """Megatron's forward step: the losses of one microbatch, and how to add them up."""
    import torch
    from megatron.core.utils import get_batch_on_this_cp_rank

    piece = next(pieces)
    config = model.config
    device = next(model.parameters()).device

    def here(array: Any) -> Any:
        return torch.from_numpy(array).to(device, non_blocking=True)

    tokens, labels, weights = here(piece.tokens), here(piece.labels), here(piece.weights)
    positions = torch.arange(tokens.shape[1], device=device).expand_as(tokens)
    # Rows of a single document are causal and padded on the right: they need no mask.
    mask = None if piece.segments is None else _mask(here(piece.segments))
    if config.context_parallel_size > 1:
        share = get_batch_on_this_cp_rank(
            {"tokens": tokens, "labels": labels, "weights": weights, "positions": positions}
        )
        tokens, labels = share["tokens"], share["labels"]
        weights, positions = share["weights"], share["positions"]
    elif not config.sequence_parallel and model.post_process:
        # Positions in (length, rows), Megatron's order, whose next token counts.
        chosen = (weights.t().flatten() > 0).nonzero().flatten()
        model.loss_positions = chosen
        labels = labels.t().flatten()[chosen].unsqueeze(0)
        weights = weights.t().flatten()[chosen].unsqueeze(0)
    losses = parallel(input_ids=tokens, position_ids=positions, attention_mask=mask, labels=labels)
    return losses, functools.partial(_sum, weights)


def _sum(weights: Any, losses: Any) -> tuple[Any, Any, Any]:
    """(loss to differentiate, units it is of, both for the report). A sample's weights add up to
    one, a token's is one, so both are counted by adding weights."""
    import torch

    total = (losses.float() * weights).sum()
    units = weights.sum()
    report = torch.stack([total.detach(), units.detach()]).double()
    return total, units.round().to(torch.int), report


def _mask(segments: Any) -> Any:
    """True where a token may not look: at later ones, and at other documents'. (rows, 1, length,
    length) of `segments` (rows, length)."""
    import torch

    length = segments.shape[1]
    other = segments[:, None, :, None] != segments[:, None, None, :]
    later = torch.ones(length, length, dtype=torch.bool, device=segments.device).triu(1)
    return other | later
