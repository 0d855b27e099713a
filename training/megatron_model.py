"""The Megatron-Core side of pretraining: process group, model, optimizer, steps and saved state.

Everything here wants `training.megatron_cpu.cpu_guard` open where there is no CUDA.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import socket
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from training.convert import Architecture
    from training.data import Batch


@contextlib.contextmanager
def process_group(rank: int, world: int, seed: int) -> Iterator[None]:
    """torch.distributed and Megatron's parallel state (data parallel only), torn down after.

    Under torchrun the rendezvous is its own; a lone process meets itself on a free loopback port.
    """
    import torch
    from megatron.core import parallel_state
    from megatron.core.tensor_parallel.random import model_parallel_cuda_manual_seed

    cuda = torch.cuda.is_available()
    if cuda:
        torch.cuda.set_device(int(os.environ.get("LOCAL_RANK", "0")))
    if "MASTER_ADDR" not in os.environ:
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            port = probe.getsockname()[1]
        os.environ.update(MASTER_ADDR="127.0.0.1", MASTER_PORT=str(port))
    torch.distributed.init_process_group("nccl" if cuda else "gloo", rank=rank, world_size=world)
    parallel_state.initialize_model_parallel()
    if cuda:
        model_parallel_cuda_manual_seed(seed)
    try:
        yield
    finally:
        parallel_state.destroy_model_parallel()
        torch.distributed.destroy_process_group()


def build_model(shape: Architecture, init_std: float = 0.02) -> Any:
    """A Megatron-Core GPTModel: RMSNorm, RoPE, gated SiLU, no biases, local layer spec; weights
    drawn with standard deviation `init_std`.

    Needs an initialised process group with Megatron's parallel state, and on CPU an open
    `cpu_guard`. On a GPU weights are bfloat16, on the CPU float32.
    """
    import torch
    from megatron.core.models.gpt import GPTModel
    from megatron.core.models.gpt.gpt_layer_specs import get_gpt_layer_local_spec
    from megatron.core.transformer import TransformerConfig

    cuda = torch.cuda.is_available()
    dtype = torch.bfloat16 if cuda else torch.float32
    model = GPTModel(
        config=TransformerConfig(
            num_layers=shape.layers,
            hidden_size=shape.width,
            num_attention_heads=shape.heads,
            num_query_groups=shape.groups,
            kv_channels=shape.head_size,
            ffn_hidden_size=shape.feed_forward,
            init_method_std=init_std,
            layernorm_epsilon=shape.norm_epsilon,
            hidden_dropout=0.0,
            attention_dropout=0.0,
            normalization="RMSNorm",
            gated_linear_unit=True,
            activation_func=torch.nn.functional.silu,
            add_bias_linear=False,
            bias_activation_fusion=False,
            bias_dropout_fusion=False,
            masked_softmax_fusion=False,
            persist_layer_norm=False,
            gradient_accumulation_fusion=False,
            attention_softmax_in_fp32=True,
            use_cpu_initialization=not cuda,
            bf16=cuda,
            params_dtype=dtype,
            pipeline_dtype=dtype,
        ),
        transformer_layer_spec=get_gpt_layer_local_spec(normalization="RMSNorm"),
        vocab_size=shape.vocabulary,
        max_sequence_length=shape.positions,
        position_embedding_type="rope",
        rotary_base=int(shape.rope_theta),
        share_embeddings_and_output_weights=shape.tied,
    )
    # The output layer and the softmax over the vocabulary are most of a small model's work, and
    # the loss wants few positions: choose those rows between decoder and output layer.
    model.loss_positions = None

    def choose_rows(_module: Any, inputs: tuple[Any, ...]) -> tuple[Any, ...] | None:
        if model.loss_positions is None:
            return None
        hidden = inputs[0]  # (length, rows, width)
        return (hidden.flatten(0, 1)[model.loss_positions].unsqueeze(1), *inputs[1:])

    model.output_layer.register_forward_pre_hook(choose_rows)
    return model.cuda() if cuda else model


@dataclass(frozen=True)
class Schedule:
    """How the optimizer moves: AdamW, linear warm-up, linear decay.

    steps          optimizer steps in all
    learning_rate  peak, reached after `warmup` steps
    final_rate     learning rate at the last step, as a share of the peak
    warmup         steps of linear warm-up
    weight_decay   decoupled, on matrices only
    clip           largest norm of the gradient
    """

    steps: int
    learning_rate: float
    final_rate: float
    warmup: int
    weight_decay: float
    clip: float


@dataclass(frozen=True)
class Training:
    """A model in training: the bare GPTModel, its data-parallel wrapper, optimizer, scheduler."""

    model: Any
    parallel: Any
    optimizer: Any
    scheduler: Any


def prepare(model: Any, schedule: Schedule) -> Training:
    """Wraps a model for training with Megatron's own optimizer; distributed over data-parallel
    processes on GPUs, replicated on CPUs, whose tensors Megatron's distributed one refuses."""
    import torch
    from megatron.core.distributed import DistributedDataParallel, DistributedDataParallelConfig
    from megatron.core.optimizer import OptimizerConfig, get_megatron_optimizer
    from megatron.core.optimizer_param_scheduler import OptimizerParamScheduler

    cuda = torch.cuda.is_available()
    parallel = DistributedDataParallel(
        model.config,
        DistributedDataParallelConfig(use_distributed_optimizer=cuda, grad_reduce_in_fp32=True),
        model,
    )
    # Every process starts from the same weights, whatever its own generator gave.
    parallel.broadcast_params()
    parallel.train()
    last_rate = schedule.learning_rate * schedule.final_rate
    optimizer = get_megatron_optimizer(
        OptimizerConfig(
            optimizer="adam",
            lr=schedule.learning_rate,
            min_lr=last_rate,
            weight_decay=schedule.weight_decay,
            adam_beta1=0.9,
            adam_beta2=0.95,
            clip_grad=schedule.clip,
            bf16=cuda,
            params_dtype=model.config.params_dtype,
            use_distributed_optimizer=cuda,
        ),
        [parallel],
    )
    scheduler = OptimizerParamScheduler(
        optimizer,
        init_lr=0.0,
        max_lr=schedule.learning_rate,
        min_lr=last_rate,
        lr_warmup_steps=schedule.warmup,
        lr_decay_steps=schedule.steps,
        lr_decay_style="linear",
        start_wd=schedule.weight_decay,
        end_wd=schedule.weight_decay,
        wd_incr_steps=schedule.steps,
        wd_incr_style="constant",
    )
    return Training(model, parallel, optimizer, scheduler)


def train_step(training: Training, batch: Batch, rank: int, world: int) -> float:
    """One optimizer step on this process's rows of the batch. Returns the mean over their samples
    of the mean loss of a target token, in nats."""
    import torch

    model = training.model
    device = next(model.parameters()).device
    share = batch.part(rank, world)
    tokens = torch.from_numpy(share.tokens).to(device)
    model.loss_positions = torch.from_numpy(share.positions).to(device)
    training.parallel.zero_grad_buffer()
    training.optimizer.zero_grad()
    losses = training.parallel(
        input_ids=tokens,
        position_ids=torch.arange(tokens.shape[1], device=device).expand_as(tokens),
        attention_mask=None,  # causal: rows are single samples, padded on the right
        labels=torch.from_numpy(share.labels).to(device).unsqueeze(0),
    )
    # The weights of the whole batch add up to 1 and DDP averages over processes, hence `world`.
    loss = losses.float().flatten() @ torch.from_numpy(share.weights).to(device) * world
    loss.backward()
    training.parallel.finish_grad_sync()
    training.optimizer.step()
    training.scheduler.step(increment=1)
    model.loss_positions = None
    return float(loss.detach())


def save_state(directory: Path, training: Training, step: int, tokens_seen: int) -> None:
    """Saves weights, optimizer and position as `directory/iter_0000300`, complete or not at all,
    then drops earlier states. Called by every process.

    The first save of a process starts Megatron's result queue in a spawned helper (about two
    seconds); later ones take a fraction of a second for a small model.
    """
    import torch
    from megatron.core import dist_checkpointing

    first = torch.distributed.get_rank() == 0
    final, partial = directory / f"iter_{step:07d}", directory / f"partial_{step:07d}"
    if first:
        shutil.rmtree(partial, ignore_errors=True)
        partial.mkdir(parents=True)
    torch.distributed.barrier()
    position = {"step": step, "tokens_seen": tokens_seen}
    dist_checkpointing.save({**_sharded(training, loading=False), **position}, str(partial))
    torch.distributed.barrier()
    if first:
        shutil.rmtree(final, ignore_errors=True)
        partial.rename(final)
        for other in directory.iterdir():
            if other != final:
                shutil.rmtree(other)


def load_state(directory: Path, training: Training) -> tuple[int, int]:
    """Restores the newest complete state; returns its step and tokens seen, (0, 0) without one."""
    from megatron.core import dist_checkpointing

    found = sorted(directory.glob("iter_*"))
    if not found:
        return 0, 0
    state = dist_checkpointing.load(_sharded(training, loading=True), str(found[-1]))
    training.model.load_state_dict(state["model"])
    training.optimizer.load_state_dict(state["optimizer"])
    training.scheduler.step(increment=state["step"])
    return int(state["step"]), int(state["tokens_seen"])


def _sharded(training: Training, loading: bool) -> dict[str, Any]:
    model = training.model.sharded_state_dict()
    optimizer = training.optimizer.sharded_state_dict(model, is_loading=loading)
    return {"model": model, "optimizer": optimizer}
