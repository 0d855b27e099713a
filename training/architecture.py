"""What a Llama-style decoder looks like, in the words of neither library, and how much it costs."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any

from harness.errors import HarnessError
from harness.loading import FILES_ONLY
from training.planning import Shape

FILE = "architecture.json"

# Megatron-Core 0.16.1 has these constants of Llama 3's rotary scaling built in.
LLAMA3_ROPE = {
    "low_freq_factor": 1.0,
    "high_freq_factor": 4.0,
    "original_max_position_embeddings": 8192,
}
_FAMILIES = ("llama", "mistral", "qwen2", "mixtral")


@dataclass(frozen=True)
class Architecture:
    """Sizes and switches of a decoder.

    vocabulary      number of tokens, the embedding's rows
    width           hidden size
    layers          number of transformer layers
    heads           attention heads
    groups          key-value heads; equal to `heads` for plain multi-head attention
    head_size       width of one head; heads · head_size need not be `width`
    feed_forward    inner size of the gated feed-forward layer, of each expert if there are experts
    positions       longest sequence that the checkpoint claims to take
    rope_theta      base of the rotary position embedding
    rope_factor     Llama 3's rotary scaling by this factor; 0 is none
    norm_epsilon    added to the mean square in RMSNorm
    tied            whether the output layer reuses the embedding
    qkv_bias        biases on query, key and value, as Qwen2 has them
    experts         experts of each feed-forward layer, as Mixtral has them; 0 is a dense model
    top_k           experts that a token visits, its weights renormalised over them
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
    rope_factor: float = 0.0
    norm_epsilon: float = 1e-5
    tied: bool = False
    qkv_bias: bool = False
    experts: int = 0
    top_k: int = 2

    @property
    def embedding_parameters(self) -> int:
        return self.vocabulary * self.width * (1 if self.tied else 2)

    def _layer_parameters(self, visited_experts: int) -> int:
        queries, keys = self.heads * self.head_size, self.groups * self.head_size
        attention = self.width * (2 * queries + 2 * keys)
        bias = (queries + 2 * keys) if self.qkv_bias else 0
        router = self.width * self.experts
        gated = 3 * self.width * self.feed_forward * max(1, visited_experts)
        return attention + bias + router + gated + 2 * self.width

    @property
    def parameters(self) -> int:
        """All weights."""
        return (
            self.embedding_parameters
            + self.layers * self._layer_parameters(self.experts)
            + self.width
        )

    @property
    def active_parameters(self) -> int:
        """The weights that one token meets: all of a dense model."""
        visited = min(self.top_k, self.experts)
        return (
            self.embedding_parameters + self.layers * self._layer_parameters(visited) + self.width
        )

    @property
    def shape(self) -> Shape:
        """What the cost of training it depends on."""
        return Shape(
            self.parameters,
            self.active_parameters,
            self.layers,
            self.width,
            self.feed_forward,
            self.vocabulary,
        )


def write_architecture(architecture: Architecture, directory: Path) -> None:
    """Puts `architecture.json` into a directory of weights."""
    (directory / FILE).write_text(json.dumps(asdict(architecture), indent=2) + "\n", "utf-8")


def read_architecture(directory: Path) -> Architecture:
    """Reads `architecture.json`; raises HarnessError where it is missing or states another one."""
    path = directory / FILE
    try:
        stated = json.loads(path.read_text("utf-8"))
        return Architecture(**{each.name: stated[each.name] for each in fields(Architecture)})
    except FileNotFoundError:
        raise HarnessError(
            f"{path} is missing, so the shapes of its weights are unknown; name a state that "
            "training.pretrain or training.convert wrote"
        ) from None
    except (ValueError, KeyError, TypeError) as error:
        raise HarnessError(f"{path} does not state an architecture ({error}); restore it") from None


def from_hugging_face_config(directory: Path) -> Architecture:
    """The architecture of a Llama, Mistral, Qwen2 or Mixtral checkpoint. Raises HarnessError for
    any other, and for switches that Megatron's model lacks here."""
    from transformers import AutoConfig

    if not (directory / "config.json").is_file():
        raise HarnessError(f"{directory} has no config.json, expected a Hugging Face checkpoint")
    config = AutoConfig.from_pretrained(directory, **FILES_ONLY)
    rope = dict(getattr(config, "rope_parameters", None) or {})
    _refuse_what_is_not_llama(directory, config, rope)
    return Architecture(
        vocabulary=config.vocab_size,
        width=config.hidden_size,
        layers=config.num_hidden_layers,
        heads=config.num_attention_heads,
        groups=config.num_key_value_heads or config.num_attention_heads,
        head_size=getattr(config, "head_dim", None)
        or config.hidden_size // config.num_attention_heads,
        feed_forward=config.intermediate_size,
        positions=config.max_position_embeddings,
        rope_theta=float(rope.get("rope_theta", 10000.0)),
        rope_factor=float(rope["factor"]) if rope.get("rope_type") == "llama3" else 0.0,
        norm_epsilon=config.rms_norm_eps,
        tied=bool(config.tie_word_embeddings),
        qkv_bias=config.model_type == "qwen2",
        experts=getattr(config, "num_local_experts", 0),
        top_k=getattr(config, "num_experts_per_tok", 2),
    )


def _refuse_what_is_not_llama(directory: Path, config: Any, rope: dict[str, Any]) -> None:
    where = directory / "config.json"
    if config.model_type not in _FAMILIES:
        raise HarnessError(
            f"{where}: model_type is {config.model_type}, expected one of {', '.join(_FAMILIES)}"
        )
    kind = rope.get("rope_type", "default")
    scaled = kind == "llama3" and all(rope.get(key) == LLAMA3_ROPE[key] for key in LLAMA3_ROPE)
    if kind != "default" and not scaled:
        raise HarnessError(f"{where}: rotary scaling {kind} {rope} is not one that Megatron has")
    for switch, allowed in (("hidden_act", "silu"), ("mlp_bias", False), ("attention_bias", False)):
        value = getattr(config, switch, allowed)
        if value != allowed and not (switch == "attention_bias" and config.model_type == "qwen2"):
            raise HarnessError(f"{where}: {switch} is {value}, expected {allowed}")
    if getattr(config, "sliding_window", None) and getattr(config, "use_sliding_window", True):
        raise HarnessError(f"{where}: attention slides over a window, which is not trained here")


def hugging_face_config(
    architecture: Architecture, *, bos: int, eos: int, pad: int | None, dtype: str = "float32"
) -> Any:
    """The Llama, Qwen2 or Mixtral config of an architecture; bos, eos and pad are token ids."""
    from transformers import LlamaConfig, MixtralConfig, Qwen2Config

    rope: dict[str, Any] = {"rope_type": "default", "rope_theta": architecture.rope_theta}
    if architecture.rope_factor:
        rope = {**rope, "rope_type": "llama3", "factor": architecture.rope_factor, **LLAMA3_ROPE}
    common = {
        "vocab_size": architecture.vocabulary,
        "hidden_size": architecture.width,
        "num_hidden_layers": architecture.layers,
        "num_attention_heads": architecture.heads,
        "num_key_value_heads": architecture.groups,
        "head_dim": architecture.head_size,
        "intermediate_size": architecture.feed_forward,
        "max_position_embeddings": architecture.positions,
        "rope_parameters": rope,
        "rms_norm_eps": architecture.norm_epsilon,
        "tie_word_embeddings": architecture.tied,
        "hidden_act": "silu",
        "bos_token_id": bos,
        "eos_token_id": eos,
        "pad_token_id": pad,
        "dtype": dtype,
    }
    if architecture.experts:
        if architecture.qkv_bias:
            raise HarnessError("Mixtral has no biases on query, key and value; upcycle a Llama")
        return MixtralConfig(
            architectures=["MixtralForCausalLM"],
            num_local_experts=architecture.experts,
            num_experts_per_tok=architecture.top_k,
            sliding_window=None,
            **common,
        )
    if architecture.qkv_bias:
        return Qwen2Config(architectures=["Qwen2ForCausalLM"], use_sliding_window=False, **common)
    return LlamaConfig(
        architectures=["LlamaForCausalLM"], attention_bias=False, mlp_bias=False, **common
    )
