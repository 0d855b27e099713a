"""Whole tensors in and out of files: Megatron's distributed checkpoints, Hugging Face directories.

A Megatron state is a PyTorch distributed checkpoint: tensors by global name, whoever wrote which
part. It is read and written here by PyTorch alone, in one process, so neither Megatron's version
nor the number of processes matters. What Megatron 0.16 adds is `metadata.json` and `common.pt`.
"""

from __future__ import annotations

import json
import shutil
import warnings
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from harness.errors import HarnessError
from harness.loading import FILES_ONLY
from training.architecture import Architecture, hugging_face_config, write_architecture

# What `megatron.core.dist_checkpointing` asks of a directory before it loads from it.
_METADATA = {
    "sharded_backend": "torch_dist",
    "sharded_backend_version": 1,
    "common_backend": "torch",
    "common_backend_version": 1,
}
_OPTIMIZER = ("optimizer.", "chained_")


def read_megatron(directory: Path) -> dict[str, Any]:
    """The model's tensors of a saved Megatron state, whole, on the CPU, by Megatron's names."""
    import torch
    from torch.distributed.checkpoint.filesystem import FileSystemReader
    from torch.distributed.checkpoint.metadata import TensorStorageMetadata
    from torch.distributed.checkpoint.state_dict_loader import load

    reader = FileSystemReader(directory)
    try:
        stored = reader.read_metadata().state_dict_metadata
    except (OSError, EOFError, ValueError) as error:
        raise HarnessError(
            f"{directory} is not a complete Megatron state ({type(error).__name__}); name a "
            "directory such as RUN/megatron/iter_0000300"
        ) from None
    tensors = {
        name: torch.empty(entry.size, dtype=entry.properties.dtype)
        for name, entry in stored.items()
        if isinstance(entry, TensorStorageMetadata) and not name.startswith(_OPTIMIZER)
    }
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        load(tensors, storage_reader=reader, no_dist=True)
    return tensors


def write_megatron(tensors: Mapping[str, Any], architecture: Architecture, directory: Path) -> None:
    """Writes whole tensors as a state that `dist_checkpointing.load` reads, complete or not at
    all."""
    import torch
    from torch.distributed.checkpoint.filesystem import FileSystemWriter
    from torch.distributed.checkpoint.state_dict_saver import save

    partial = directory.with_name(f".partial_{directory.name}")
    shutil.rmtree(partial, ignore_errors=True)
    partial.mkdir(parents=True)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        save(dict(tensors), storage_writer=FileSystemWriter(partial), no_dist=True)
    torch.save({}, partial / "common.pt")
    (partial / "metadata.json").write_text(json.dumps(_METADATA), "utf-8")
    write_architecture(architecture, partial)
    partial.rename(directory)


def read_hugging_face(directory: Path) -> dict[str, Any]:
    """All tensors of a checkpoint's safetensors files, on the CPU."""
    from safetensors.torch import load_file

    files = sorted(directory.glob("*.safetensors"))
    if not files:
        raise HarnessError(f"{directory} has no *.safetensors; save its weights as safetensors")
    tensors: dict[str, Any] = {}
    for file in files:
        tensors.update(load_file(file))
    return tensors


def write_hugging_face(
    tensors: Mapping[str, Any], architecture: Architecture, tokenizer_dir: Path, out: Path
) -> None:
    """Writes tensors, config and tokenizer as a checkpoint that transformers and vLLM load;
    `out` may be `tokenizer_dir`. Files over 5 GB are split."""
    from huggingface_hub import split_torch_state_dict_into_shards
    from safetensors.torch import save_file
    from transformers import AutoTokenizer, GenerationConfig

    tokenizer = AutoTokenizer.from_pretrained(tokenizer_dir, **FILES_ONLY)
    ids = {
        "bos": tokenizer.bos_token_id,
        "eos": tokenizer.eos_token_id,
        "pad": tokenizer.pad_token_id,
    }
    dtype = str(tensors["model.embed_tokens.weight"].dtype).removeprefix("torch.")
    out.mkdir(parents=True, exist_ok=True)
    # Without storage: copies of one tensor, such as upcycled experts, become tensors of their own.
    split = split_torch_state_dict_into_shards(
        {name: tensor.to("meta") for name, tensor in tensors.items()}, max_shard_size="5GB"
    )
    for file, names in split.filename_to_tensors.items():
        save_file(
            {name: tensors[name].contiguous().clone() for name in names},
            out / file,
            metadata={"format": "pt"},
        )
    if split.is_sharded:
        index = {"metadata": split.metadata, "weight_map": split.tensor_to_filename}
        (out / "model.safetensors.index.json").write_text(json.dumps(index, indent=2), "utf-8")
    hugging_face_config(architecture, **ids, dtype=dtype).save_pretrained(out)
    GenerationConfig(
        **{f"{name}_token_id": token for name, token in ids.items()}, do_sample=False
    ).save_pretrained(out)
    if tokenizer_dir != out:
        tokenizer.save_pretrained(out, save_jinja_files=False)


def copy_tokenizer(source: Path, out: Path) -> None:
    """Copies the tokenizer of a checkpoint, chat template and all."""
    from transformers import AutoTokenizer

    tokenizer = AutoTokenizer.from_pretrained(source, **FILES_ONLY)
    tokenizer.save_pretrained(out, save_jinja_files=False)
