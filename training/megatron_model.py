"""The Megatron-Core side of pretraining: process groups, the model, its wrapper and optimizer.

Everything here wants `training.megatron_cpu.cpu_guard` open where there is no CUDA.
"""

from __future__ import annotations

import contextlib
import math
import os
import socket
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from training.architecture import Architecture


@dataclass(frozen=True)
class Parallelism:
    """How a model is cut over processes; what is left of them is data parallel.

    tensor     processes that share each matrix
    pipeline   stages of layers
    context    processes that share a sequence; needs Transformer Engine
    expert     processes that share the experts of a layer
    sequence   whether norms and residuals are cut along the sequence where `tensor` > 1
    """

    tensor: int = 1
    pipeline: int = 1
    context: int = 1
    expert: int = 1
    sequence: bool = False

    @property
    def model(self) -> int:
        """Processes that hold one copy of the model."""
        return self.tensor * self.pipeline * self.context


@contextlib.contextmanager
def process_group(
    rank: int, world: int, seed: int, parallelism: Parallelism = Parallelism()
) -> Iterator[None]:
    """torch.distributed and Megatron's parallel state, torn down after.

    Under torchrun the rendezvous is its own; a lone process meets itself on a free loopback port.
    """
    import torch
    from megatron.core import parallel_state
    from megatron.core.tensor_parallel.random import model_parallel_cuda_manual_seed

    cuda = torch.cuda.is_available()
    if cuda:
        torch.cuda.set_device(int(os.environ.get("LOCAL_RANK", "0")))
    meeting = "env://"
    if "MASTER_ADDR" not in os.environ:
        # Not through the environment: processes that are started from here would inherit it.
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            meeting = f"tcp://127.0.0.1:{probe.getsockname()[1]}"
    torch.distributed.init_process_group(
        "nccl" if cuda else "gloo", init_method=meeting, rank=rank, world_size=world
    )
    parallel_state.initialize_model_parallel(
        tensor_model_parallel_size=parallelism.tensor,
        pipeline_model_parallel_size=parallelism.pipeline,
        context_parallel_size=parallelism.context,
        expert_model_parallel_size=parallelism.expert,
    )
    if cuda:
        model_parallel_cuda_manual_seed(seed)
    try:
        yield
    finally:
        parallel_state.destroy_model_parallel()
        torch.distributed.destroy_process_group()


def build_model(
    shape: Architecture,
    init_std: float = 0.02,
    parallelism: Parallelism = Parallelism(),
    *,
    engine: str = "local",
    balance: float = 0.01,
    recompute: bool = False,
    variable_lengths: bool = False,
) -> Any:
    """A Megatron-Core GPTModel, or this process's stage of it: RMSNorm, RoPE, gated SiLU; weights
    drawn with standard deviation `init_std`.

    engine            "local" layers, or "transformer_engine"
    balance           weight of the loss that evens out the load of experts
    recompute         computes activations again in the backward pass instead of keeping them
    variable_lengths  microbatches may differ in length

    Needs an initialised process group with Megatron's parallel state, and on CPU an open
    `cpu_guard`. On a GPU weights are bfloat16, on the CPU float32. The vocabulary is padded to a
    multiple of the tensor-parallel processes.
    """
    import torch
    from megatron.core import parallel_state
    from megatron.core.models.gpt import GPTModel
    from megatron.core.models.gpt import gpt_layer_specs as specs
    from megatron.core.transformer import TransformerConfig
    from megatron.core.transformer.moe import moe_utils

    # Megatron-Core 0.16.1 reads this name, which it defines only with Transformer Engine.
    if not hasattr(moe_utils, "te_general_gemm"):
        moe_utils.te_general_gemm = None
    cuda = torch.cuda.is_available()
    dtype = torch.bfloat16 if cuda else torch.float32
    fused = engine == "transformer_engine"
    experts = shape.experts or None
    # Stages that pass rows of differing lengths, and experts on several processes, need the second.
    several = parallelism.expert > 1 or variable_lengths
    further: dict[str, Any] = {"moe_token_dispatcher_type": "alltoall" if several else "allgather"}
    if experts:
        further |= {
            "num_moe_experts": experts,
            "moe_ffn_hidden_size": shape.feed_forward,
            "moe_router_topk": shape.top_k,
            "moe_router_load_balancing_type": "aux_loss",
            "moe_aux_loss_coeff": balance,
        }
    if recompute:
        further |= {
            "recompute_granularity": "full",
            "recompute_method": "uniform",
            "recompute_num_layers": 1,
        }
    if fused:
        spec = specs.get_gpt_layer_with_transformer_engine_spec(num_experts=experts)
    else:
        spec = specs.get_gpt_layer_local_spec(num_experts=experts, normalization="RMSNorm")
    last = parallel_state.is_pipeline_last_stage()
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
            add_qkv_bias=shape.qkv_bias,
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
            tensor_model_parallel_size=parallelism.tensor,
            pipeline_model_parallel_size=parallelism.pipeline,
            context_parallel_size=parallelism.context,
            expert_model_parallel_size=parallelism.expert,
            sequence_parallel=parallelism.sequence,
            variable_seq_lengths=variable_lengths,
            # Sums of losses are divided by the whole batch's targets, wherever they were computed.
            calculate_per_token_loss=True,
            **further,
        ),
        transformer_layer_spec=spec,
        vocab_size=math.ceil(shape.vocabulary / parallelism.tensor) * parallelism.tensor,
        max_sequence_length=shape.positions,
        pre_process=parallel_state.is_pipeline_first_stage(),
        post_process=last,
        position_embedding_type="rope",
        rotary_base=int(shape.rope_theta),
        rope_scaling=bool(shape.rope_factor),
        rope_scaling_factor=shape.rope_factor or 8.0,
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

    if last:
        model.output_layer.register_forward_pre_hook(choose_rows)
    return model.cuda() if cuda else model


@dataclass(frozen=True)
class Schedule:
    """How the optimizer moves: AdamW, linear warm-up, decay.

    steps          optimizer steps in all
    learning_rate  peak, reached after `warmup` steps
    final_rate     learning rate at the last step, as a share of the peak
    warmup         steps of linear warm-up
    decay          shape of the decay: linear or cosine
    weight_decay   decoupled, on matrices only
    clip           largest norm of the gradient
    """

    steps: int
    learning_rate: float
    final_rate: float
    warmup: int
    decay: str
    weight_decay: float
    clip: float


@dataclass(frozen=True)
class Training:
    """A model in training: the bare GPTModel, its data-parallel wrapper, optimizer, scheduler."""

    model: Any
    parallel: Any
    optimizer: Any
    scheduler: Any


def prepare(model: Any, schedule: Schedule, *, overlap: bool = False) -> Training:
    """Wraps a model for training with Megatron's own optimizer; distributed over data-parallel
    processes on GPUs, replicated on CPUs, whose tensors Megatron's distributed one refuses.

    `overlap` reduces gradients and gathers weights while computing, on GPUs.
    """
    import torch
    from megatron.core.distributed import (
        DistributedDataParallel,
        DistributedDataParallelConfig,
        finalize_model_grads,
    )
    from megatron.core.optimizer import OptimizerConfig, get_megatron_optimizer
    from megatron.core.optimizer_param_scheduler import OptimizerParamScheduler

    cuda = torch.cuda.is_available()
    parallel = DistributedDataParallel(
        model.config,
        DistributedDataParallelConfig(
            use_distributed_optimizer=cuda,
            grad_reduce_in_fp32=True,
            overlap_grad_reduce=overlap and cuda,
            overlap_param_gather=overlap and cuda,
        ),
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
            overlap_param_gather=overlap and cuda,
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
        lr_decay_style=schedule.decay,
        start_wd=schedule.weight_decay,
        end_wd=schedule.weight_decay,
        wd_incr_steps=schedule.steps,
        wd_incr_style="constant",
    )
    # What Megatron's schedules of microbatches call.
    model.config.finalize_model_grads_func = finalize_model_grads
    model.config.grad_scale_func = optimizer.scale_loss
    model.config.no_sync_func = parallel.no_sync
    return Training(model, parallel, optimizer, scheduler)
