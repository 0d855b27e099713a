"""Converts weights between Megatron-Core and Hugging Face by a table of names; upcycles to experts.

    python -m training.convert to-hf RUN/megatron/iter_0000300 OUT
    python -m training.convert to-megatron HUGGING_FACE OUT
    python -m training.convert upcycle HUGGING_FACE OUT --experts 8

Tensors are read and written whole, under the names that Megatron's distributed checkpoints give
them, whatever the number of processes that wrote them (`training.weights`). No Megatron code runs,
so a state written by another version needs a row in the tables below and nothing else.
"""

from __future__ import annotations

import sys
from collections.abc import Iterable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import click

from harness.errors import HarnessError
from training.architecture import Architecture, from_hugging_face_config, read_architecture

Tensors = Mapping[str, Any]

# Megatron's names by what they hold; the first found is read, the first is written. Layers are one
# tensor with a leading axis; a state with a tensor for each ("decoder.layers.0.") is read too.
EMBEDDING = "embedding.word_embeddings.weight"
FINAL_NORM = "decoder.final_layernorm.weight"
OUTPUT = "output_layer.weight"
QKV = "self_attention.linear_qkv.weight"
QKV_BIAS = "self_attention.linear_qkv.bias"
PROJECTION = "self_attention.linear_proj.weight"
ROUTER = "mlp.router.weight"
# Transformer Engine fuses the norms into the layer after them; Megatron's local layers save under
# the same names. Before experts there is nothing to fuse with, and Transformer Engine does not.
INPUT_NORM = ("self_attention.linear_qkv.layer_norm_weight", "input_layernorm.weight")
MLP_NORM = ("mlp.linear_fc1.layer_norm_weight", "pre_mlp_layernorm.weight")
FC1, FC2 = "mlp.linear_fc1.weight", "mlp.linear_fc2.weight"
EXPERTS_FC1, EXPERTS_FC2 = (
    "mlp.experts.experts.linear_fc1.weight",
    "mlp.experts.experts.linear_fc2.weight",
)


class _Layers:
    """Takes layers' tensors out of a Megatron state, and knows what is left."""

    def __init__(self, state: Tensors, architecture: Architecture) -> None:
        self.left = {
            name: tensor
            for name, tensor in state.items()
            if tensor is not None and "_extra_state" not in name
        }
        self.count = architecture.layers

    def one(self, name: str) -> Any:
        try:
            return self.left.pop(name)
        except KeyError:
            raise _missing(name, self.count) from None

    def stacked(self, *names: str) -> Any:
        """The tensor of all layers, layers first."""
        import torch

        for name in names:
            if f"decoder.layers.{name}" in self.left:
                tensor = self.left.pop(f"decoder.layers.{name}")
                if len(tensor) != self.count:
                    raise HarnessError(
                        f"the Megatron state has {len(tensor)} layers, not {self.count}; pass the "
                        "architecture it was trained with"
                    )
                return tensor
            each = [f"decoder.layers.{layer}.{name}" for layer in range(self.count)]
            if each[0] in self.left:
                return torch.stack([self.one(one) for one in each])
        raise _missing(f"decoder.layers.{names[0]}", self.count)


def hugging_face_state(state: Tensors, architecture: Architecture) -> dict[str, Any]:
    """Megatron's whole tensors under Hugging Face names.

    Megatron interleaves query, key and value by group: `linear_qkv` is
    (groups, (heads/groups + 2) · head, width), each group's queries first, then its key, then its
    value. Its gated feed-forward layer `linear_fc1` is gate above up. Both use the same rotary
    layout, so no rows are permuted within a head. Rows that pad the vocabulary are cut off.

    Raises HarnessError when a tensor is left over or missing: a model of another kind.
    """
    found = _Layers(state, architecture)
    out: dict[str, Any] = {
        "model.embed_tokens.weight": found.one(EMBEDDING)[: architecture.vocabulary],
        "model.norm.weight": found.one(FINAL_NORM),
    }
    if not architecture.tied:
        out["lm_head.weight"] = found.one(OUTPUT)[: architecture.vocabulary]
    plain = {
        "self_attn.o_proj.weight": found.stacked(PROJECTION),
        "input_layernorm.weight": found.stacked(*INPUT_NORM),
        "post_attention_layernorm.weight": found.stacked(*MLP_NORM),
    }
    if architecture.experts:
        plain["block_sparse_moe.gate.weight"] = found.stacked(ROUTER)
        fc1, fc2 = found.stacked(EXPERTS_FC1), found.stacked(EXPERTS_FC2)
        for expert in range(architecture.experts):
            name = f"block_sparse_moe.experts.{expert}."
            gate, up = fc1[:, expert].chunk(2, dim=1)
            plain.update({f"{name}w1.weight": gate, f"{name}w3.weight": up})
            plain[f"{name}w2.weight"] = fc2[:, expert]
    else:
        gate, up = found.stacked(FC1).chunk(2, dim=1)
        plain.update({"mlp.gate_proj.weight": gate, "mlp.up_proj.weight": up})
        plain["mlp.down_proj.weight"] = found.stacked(FC2)
    for name, kind in ((QKV, "weight"), (QKV_BIAS, "bias")):
        if kind == "bias" and not architecture.qkv_bias:
            continue
        for letter, tensor in zip(
            "qkv", _split_qkv(found.stacked(name), architecture), strict=True
        ):
            plain[f"self_attn.{letter}_proj.{kind}"] = tensor
    if found.left:
        raise HarnessError(
            f"the Megatron state has tensors that Llama lacks ({_some(found.left)}), "
            "expected RMSNorm, no other biases and a gated feed-forward layer"
        )
    for name, tensor in plain.items():
        for layer in range(architecture.layers):
            out[f"model.layers.{layer}.{name}"] = tensor[layer]
    return {name: tensor.detach().cpu().contiguous() for name, tensor in out.items()}


def megatron_state(state: Tensors, architecture: Architecture) -> dict[str, Any]:
    """The inverse of `hugging_face_state`: whole tensors under Megatron's names."""
    import torch

    left = dict(state)

    def stack(name: str) -> Any:
        try:
            return torch.stack(
                [left.pop(f"model.layers.{layer}.{name}") for layer in range(architecture.layers)]
            )
        except KeyError as error:
            raise HarnessError(
                f"the checkpoint has no tensor {error}, which its config.json promises; "
                "write it again"
            ) from None

    layers = {
        PROJECTION: stack("self_attn.o_proj.weight"),
        INPUT_NORM[0]: stack("input_layernorm.weight"),
        MLP_NORM[0]: stack("post_attention_layernorm.weight"),
        QKV: _join_qkv([stack(f"self_attn.{each}_proj.weight") for each in "qkv"], architecture),
    }
    if architecture.qkv_bias:
        biases = [stack(f"self_attn.{each}_proj.bias") for each in "qkv"]
        layers[QKV_BIAS] = _join_qkv(biases, architecture)
    if architecture.experts:
        layers[ROUTER] = stack("block_sparse_moe.gate.weight")
        name = "block_sparse_moe.experts.{}.{}.weight"
        experts = range(architecture.experts)
        up = [[stack(name.format(each, part)) for part in ("w1", "w3")] for each in experts]
        layers[EXPERTS_FC1] = torch.stack([torch.cat(pair, dim=1) for pair in up], dim=1)
        layers[EXPERTS_FC2] = torch.stack([stack(name.format(each, "w2")) for each in experts], 1)
    else:
        gated = [stack("mlp.gate_proj.weight"), stack("mlp.up_proj.weight")]
        layers[FC1] = torch.cat(gated, dim=1)
        layers[FC2] = stack("mlp.down_proj.weight")
    try:
        out = {
            EMBEDDING: left.pop("model.embed_tokens.weight"),
            FINAL_NORM: left.pop("model.norm.weight"),
        }
        head = left.pop("lm_head.weight", None)
        if not architecture.tied:
            out[OUTPUT] = out[EMBEDDING] if head is None else head
    except KeyError as error:
        raise HarnessError(f"the checkpoint has no tensor {error}; write it again") from None
    left = {
        name: tensor for name, tensor in left.items() if not name.endswith("rotary_emb.inv_freq")
    }
    if left:
        raise HarnessError(
            f"the checkpoint has tensors that Megatron's model lacks ({_some(left)}), expected "
            "those of its config.json"
        )
    return {**out, **{f"decoder.layers.{name}": tensor for name, tensor in layers.items()}}


def upcycle(
    state: Tensors, architecture: Architecture, experts: int, *, top_k: int = 2, seed: int = 0
) -> tuple[dict[str, Any], Architecture]:
    """A dense Hugging Face state as a mixture of `experts` copies of each feed-forward layer with
    a fresh router (Komatsuzaki et al. 2023, Sparse Upcycling).

    The chosen experts' weights are renormalised to 1 and the experts are equal, so the logits are
    those of the dense model until the first step. The router is normal with deviation 0.02.
    """
    import torch

    if architecture.experts:
        raise HarnessError(
            f"the model already has {architecture.experts} experts, expected a dense one"
        )
    # The weight of a single expert would be 1 whatever the router says, so it could not learn.
    if not 2 <= top_k <= experts:
        raise HarnessError(f"a token cannot visit {top_k} of {experts} experts; choose 2 or more")
    names = {"gate_proj": "w1", "up_proj": "w3", "down_proj": "w2"}
    generator = torch.Generator().manual_seed(seed)
    out: dict[str, Any] = {}
    for name, tensor in state.items():
        layer, inner, rest = name.partition(".mlp.")
        if not inner:
            out[name] = tensor
            continue
        for expert in range(experts):
            part = names[rest.removesuffix(".weight")]
            out[f"{layer}.block_sparse_moe.experts.{expert}.{part}.weight"] = tensor
        if rest.startswith("gate_proj"):
            router = torch.randn(experts, architecture.width, generator=generator) * 0.02
            out[f"{layer}.block_sparse_moe.gate.weight"] = router.to(tensor.dtype)
    return out, replace(architecture, experts=experts, top_k=top_k)


def _split_qkv(tensor: Any, architecture: Architecture) -> list[Any]:
    """(layers, rows, ...) as Megatron interleaves them → query, key, value, layers first."""
    head, groups = architecture.head_size, architecture.groups
    queries = architecture.heads // groups
    grouped = tensor.unflatten(1, (groups, (queries + 2) * head))
    return [part.flatten(1, 2) for part in grouped.split([queries * head, head, head], dim=2)]


def _join_qkv(parts: list[Any], architecture: Architecture) -> Any:
    import torch

    grouped = [part.unflatten(1, (architecture.groups, -1)) for part in parts]
    return torch.cat(grouped, dim=2).flatten(1, 2)


def _some(names: Iterable[str]) -> str:
    return ", ".join(sorted(names)[:3])


def _missing(name: str, layers: int) -> HarnessError:
    return HarnessError(
        f"the Megatron state has no tensor {name}, expected a GPTModel with {layers} layers; pass "
        "the architecture it was trained with"
    )


def megatron_to_hugging_face(state: Path, tokenizer: Path, out: Path) -> None:
    """Writes a saved Megatron state and a tokenizer as a checkpoint that engines load."""
    from training.weights import read_megatron, write_hugging_face

    architecture = read_architecture(state)
    tensors = hugging_face_state(read_megatron(state), architecture)
    write_hugging_face(tensors, architecture, tokenizer, out)


def hugging_face_to_megatron(checkpoint: Path, out: Path) -> Architecture:
    """Writes the weights of a Hugging Face checkpoint as a Megatron state without an optimizer."""
    from training.weights import read_hugging_face, write_megatron

    architecture = from_hugging_face_config(checkpoint)
    write_megatron(megatron_state(read_hugging_face(checkpoint), architecture), architecture, out)
    return architecture


_PATH = click.Path(path_type=Path)


@click.group()
def main() -> None:
    """Convert weights between Megatron-Core and Hugging Face."""


@main.command("to-hf")
@click.argument("state", type=_PATH)
@click.argument("out", type=_PATH)
@click.option("--tokenizer", type=_PATH, help="A directory with one. [default: the run's]")
def to_hf(state: Path, out: Path, tokenizer: Path | None) -> None:
    """A saved Megatron STATE (RUN/megatron/iter_...) as a Hugging Face checkpoint OUT."""
    _refuse_existing(out)
    read_architecture(state)
    found = tokenizer or next(
        (
            each
            for each in (state / "tokenizer", state.parent.parent / "tokenizer")
            if each.is_dir()
        ),
        None,
    )
    if found is None:
        raise HarnessError(f"{state} has no tokenizer; name a directory that has with --tokenizer")
    megatron_to_hugging_face(state, found, out)
    click.echo(out)


@main.command("to-megatron")
@click.argument("checkpoint", type=_PATH)
@click.argument("out", type=_PATH)
def to_megatron(checkpoint: Path, out: Path) -> None:
    """A Hugging Face CHECKPOINT as a Megatron state OUT, with its tokenizer."""
    from training.weights import copy_tokenizer

    _refuse_existing(out)
    hugging_face_to_megatron(checkpoint, out)
    copy_tokenizer(checkpoint, out / "tokenizer")
    click.echo(out)


@main.command("upcycle")
@click.argument("checkpoint", type=_PATH)
@click.argument("out", type=_PATH)
@click.option("--experts", default=8, show_default=True, help="Copies of each feed-forward layer.")
@click.option("--top-k", default=2, show_default=True, help="Experts that a token visits.")
@click.option("--seed", default=0, show_default=True, help="Of the fresh router.")
def upcycle_command(checkpoint: Path, out: Path, experts: int, top_k: int, seed: int) -> None:
    """A dense Hugging Face CHECKPOINT as a mixture of experts OUT (Mixtral)."""
    from training.weights import read_hugging_face, write_hugging_face

    _refuse_existing(out)
    dense = from_hugging_face_config(checkpoint)
    state, sparse = upcycle(read_hugging_face(checkpoint), dense, experts, top_k=top_k, seed=seed)
    write_hugging_face(state, sparse, checkpoint, out)
    click.echo(out)


def _refuse_existing(out: Path) -> None:
    if out.exists():
        raise HarnessError(f"{out} exists; name a new directory")


if __name__ == "__main__":
    try:
        main(standalone_mode=False)
    except HarnessError as error:
        click.echo(f"Error: {error}", err=True)
        sys.exit(3)
    except click.ClickException as error:
        error.show()
        sys.exit(error.exit_code)
