"""Lets Megatron-Core 0.16 train on the CPU: stands in for the CUDA calls it makes unconditionally.

Megatron-Core supports the CPU for initialisation only. A handful of call sites assume a GPU
although nothing in them needs one. `cpu_guard` answers exactly those, only while it is open, and
does nothing at all where CUDA exists, so the GPU path is Megatron's own. Call sites, as of
megatron-core 0.16.1:

`torch.cuda.current_device()` → the CPU device
    distributed/param_and_grad_buffer.py   gradient and parameter buffers (`device=`)
    models/common/embeddings/rotary_pos_embedding.py   moves `inv_freq` at the first forward
    optimizer/optimizer.py   the loss scale of the fp32 optimizer
    dist_checkpointing/strategies/state_dict_saver.py   the vote on write failures
`torch.cuda.current_stream()`, `torch.cuda.synchronize()` → nothing
    dist_checkpointing/strategies/torch.py, filesystem_async.py   before tensors are staged
    pipeline_parallel/schedules.py
`device="cuda"` in a tensor factory, `tensor.cuda()` → the CPU, through a torch function mode
    optimizer/clip_grads.py   overflow buffers of `get_grad_norm_fp32`
    utils.py (`local_multi_tensor_l2_norm`)   the gradient norm
    fusions/fused_softmax.py and transformer/utils.py   the default causal mask
    dist_checkpointing/strategies/state_dict_saver.py   the vote on reuse of a save plan
`clip_grad_by_total_norm_fp32` → the same arithmetic as a plain loop
    optimizer/optimizer.py   Megatron's own asserts `torch.cuda.FloatTensor`
`get_cuda_rng_tracker()` → Megatron's built-in inference tracker, whose `fork` does nothing
    transformer/dot_product_attention.py, tensor_parallel/layers.py   dropout and initialisation

`use_distributed_optimizer=True` refuses CPU tensors whatever is stood in: leave it off there.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterable, Iterator
from typing import Any
from unittest import mock


@contextlib.contextmanager
def cpu_guard() -> Iterator[None]:
    """While open, Megatron-Core's unconditional CUDA calls land on the CPU; a no-op with CUDA."""
    import torch

    if torch.cuda.is_available():
        yield
        return

    import megatron.core.optimizer.optimizer as megatron_optimizer
    from megatron.core.tensor_parallel.random import initialize_rng_tracker
    from torch.overrides import TorchFunctionMode

    class CudaToCpu(TorchFunctionMode):
        def __torch_function__(
            self, func: Any, types: Any, args: tuple[Any, ...] = (), kwargs: Any = None
        ) -> Any:
            if func is torch.Tensor.cuda:
                return args[0]
            if kwargs and str(kwargs.get("device", "")).startswith("cuda"):
                kwargs = {**kwargs, "device": "cpu"}
            return func(*args, **(kwargs or {}))

    cpu = torch.device("cpu")
    with contextlib.ExitStack() as stack:
        for name, stand_in in (
            ("current_device", lambda: cpu),
            ("current_stream", lambda *_: None),
            ("synchronize", lambda *_: None),
        ):
            stack.enter_context(mock.patch.object(torch.cuda, name, stand_in))
        stack.enter_context(
            mock.patch.object(megatron_optimizer, "clip_grad_by_total_norm_fp32", _clip_gradients)
        )
        initialize_rng_tracker(inference_rng_tracker=True, force_reset=True)
        stack.callback(initialize_rng_tracker, force_reset=True)
        stack.enter_context(CudaToCpu())
        yield


def _clip_gradients(
    parameters: Iterable[Any],
    max_norm: float,
    total_norm: float,
    use_decoupled_grad: bool = False,
) -> None:
    """Scales every gradient by max_norm / total_norm where the total exceeds it, in place."""
    coefficient = max_norm / (total_norm + 1.0e-6)
    if coefficient < 1.0:
        for parameter in parameters:
            if parameter.grad is not None:
                parameter.grad.mul_(coefficient)
