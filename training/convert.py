"""Converts a Megatron-Core GPTModel to a Hugging Face Llama checkpoint."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from harness.errors import HarnessError


@dataclass(frozen=True)
class Architecture:
    """What a Llama-style decoder looks like, in the words of neither library.

    vocabulary      number of tokens, the embedding's rows
    width           hidden size
    layers          number of transformer layers
    heads           attention heads
    groups          key-value heads; equal to `heads` for plain multi-head attention
    head_size       width of one head; heads · head_size need not be `width`
    feed_forward    inner size of the gated feed-forward layer
    positions       longest sequence that the checkpoint claims to take
    rope_theta      base of the rotary position embedding
    norm_epsilon    added to the mean square in RMSNorm
    tied            whether the output layer reuses the embedding
    """

    vocabulary: int
    width: int
    layers: int
    heads: int
    groups: int
    head_size: int
    feed_forward: int
    positions: int
    rope_theta: float = 10000.0
    norm_epsilon: float = 1e-5
    tied: bool = False


def hugging_face_config(
    architecture: Architecture, *, bos: int, eos: int, pad: int, dtype: str = "float32"
) -> Any:
    """The `LlamaConfig` of an architecture; bos, eos and pad are token ids."""
    from transformers import LlamaConfig

    return LlamaConfig(
        architectures=["LlamaForCausalLM"],
        vocab_size=architecture.vocabulary,
        hidden_size=architecture.width,
        num_hidden_layers=architecture.layers,
        num_attention_heads=architecture.heads,
        num_key_value_heads=architecture.groups,
        head_dim=architecture.head_size,
        intermediate_size=architecture.feed_forward,
        max_position_embeddings=architecture.positions,
        rope_parameters={"rope_type": "default", "rope_theta": architecture.rope_theta},
        rms_norm_eps=architecture.norm_epsilon,
        tie_word_embeddings=architecture.tied,
        attention_bias=False,
        mlp_bias=False,
        hidden_act="silu",
        bos_token_id=bos,
        eos_token_id=eos,
        pad_token_id=pad,
        dtype=dtype,
    )


def hugging_face_state(state: Mapping[str, Any], architecture: Architecture) -> dict[str, Any]:
    """Megatron's (unsharded) state dict under Hugging Face names.

    Megatron interleaves query, key and value by group: `linear_qkv` is
    (groups, (heads/groups + 2) · head, width), each group's queries first, then its key, then its
    value. Its gated feed-forward layer `linear_fc1` is gate above up. Both use the same rotary
    layout, so no rows are permuted within a head.

    Raises HarnessError when a tensor is left over or missing: a model of another kind.
    """
    heads, groups, width = architecture.heads, architecture.groups, architecture.width
    head, queries = architecture.head_size, heads // groups
    left = {
        name: tensor
        for name, tensor in state.items()
        if tensor is not None and not name.endswith("_extra_state")
    }
    out: dict[str, Any] = {}
    try:
        out["model.embed_tokens.weight"] = left.pop("embedding.word_embeddings.weight")
        out["model.norm.weight"] = left.pop("decoder.final_layernorm.weight")
        if not architecture.tied:
            out["lm_head.weight"] = left.pop("output_layer.weight")
        for layer in range(architecture.layers):
            source, target = f"decoder.layers.{layer}.", f"model.layers.{layer}."
            qkv = left.pop(source + "self_attention.linear_qkv.weight")
            qkv = qkv.view(groups, (queries + 2) * head, width)
            query, key, value = qkv.split([queries * head, head, head], dim=1)
            gate, up = left.pop(source + "mlp.linear_fc1.weight").chunk(2)
            out[target + "self_attn.q_proj.weight"] = query.reshape(-1, width)
            out[target + "self_attn.k_proj.weight"] = key.reshape(-1, width)
            out[target + "self_attn.v_proj.weight"] = value.reshape(-1, width)
            out[target + "self_attn.o_proj.weight"] = left.pop(
                source + "self_attention.linear_proj.weight"
            )
            out[target + "mlp.gate_proj.weight"] = gate
            out[target + "mlp.up_proj.weight"] = up
            out[target + "mlp.down_proj.weight"] = left.pop(source + "mlp.linear_fc2.weight")
            out[target + "input_layernorm.weight"] = left.pop(source + "input_layernorm.weight")
            out[target + "post_attention_layernorm.weight"] = left.pop(
                source + "pre_mlp_layernorm.weight"
            )
    except KeyError as error:
        raise HarnessError(
            f"the Megatron state has no tensor {error}, expected a GPTModel with the local layer "
            f"spec and {architecture.layers} layers; pass the architecture it was trained with"
        ) from None
    if left:
        raise HarnessError(
            f"the Megatron state has tensors that Llama lacks ({', '.join(sorted(left)[:3])}), "
            "expected RMSNorm, no biases and a gated feed-forward layer"
        )
    return {name: tensor.detach().cpu().contiguous() for name, tensor in out.items()}


def to_hugging_face(model: Any, architecture: Architecture, tokenizer_dir: Path, out: Path) -> None:
    """Writes `model` and its tokenizer as a Llama checkpoint that transformers and vLLM load.

    `model` is an unwrapped GPTModel of tensor-parallel size 1; `out` may be `tokenizer_dir`.
    """
    from safetensors.torch import save_file
    from transformers import AutoTokenizer, GenerationConfig

    tokenizer = AutoTokenizer.from_pretrained(tokenizer_dir)
    state = hugging_face_state(model.state_dict(), architecture)
    ids = {
        "bos": tokenizer.bos_token_id,
        "eos": tokenizer.eos_token_id,
        "pad": tokenizer.pad_token_id,
    }
    dtype = str(state["model.embed_tokens.weight"].dtype).removeprefix("torch.")
    out.mkdir(parents=True, exist_ok=True)
    save_file(state, out / "model.safetensors", metadata={"format": "pt"})
    hugging_face_config(architecture, **ids, dtype=dtype).save_pretrained(out)
    GenerationConfig(
        **{f"{name}_token_id": token for name, token in ids.items()}, do_sample=False
    ).save_pretrained(out)
    if tokenizer_dir != out:
        tokenizer.save_pretrained(out, save_jinja_files=False)
