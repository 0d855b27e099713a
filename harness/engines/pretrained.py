"""Loads a Hugging Face checkpoint for transformers: model, number type, end tokens, context."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from harness.engines.prompt import first_line
from harness.errors import HarnessError
from harness.loading import weights_only

if TYPE_CHECKING:
    import torch


def pick_dtype(name: str, device: torch.device) -> torch.dtype:
    """The type of a name; of "auto" bfloat16 on GPUs that have it, else float16; float32 on CPU.
    Raises HarnessError for another name."""
    import torch

    if name == "auto":
        if device.type != "cuda":
            return torch.float32
        return torch.bfloat16 if torch.cuda.is_bf16_supported() else torch.float16
    dtype = getattr(torch, name, None)
    if not isinstance(dtype, torch.dtype):
        raise HarnessError(
            f"dtype {name!r} is unknown; expected auto, float32, bfloat16 or float16"
        )
    return dtype


def load_model(path: Path, dtype: torch.dtype, device: torch.device) -> Any:
    """The causal language model of a directory. Raises HarnessError where it cannot be loaded."""
    from transformers import AutoModelForCausalLM
    from transformers.utils import logging as hf_logging

    bars = hf_logging.is_progress_bar_enabled()
    hf_logging.disable_progress_bar()
    try:
        model = AutoModelForCausalLM.from_pretrained(path, dtype=dtype, **weights_only(path))
    except Exception as error:  # transformers raises whatever its parsers do
        raise HarnessError(
            f"{path}: transformers cannot load the model ({first_line(error)}); expected "
            "config.json and *.safetensors of a causal language model"
        ) from error
    finally:
        if bars:
            hf_logging.enable_progress_bar()
    return model.to(device).eval()


def end_tokens(model: Any, tokenizer: Any) -> frozenset[int]:
    """Ids that end an answer: the tokenizer's and those of generation_config.json (the model's
    configuration where there is none), as vLLM takes them."""
    listed = model.generation_config.eos_token_id
    listed = [] if listed is None else listed if isinstance(listed, list) else [listed]
    own = tokenizer.eos_token_id
    return frozenset([*listed, *([] if own is None else [own])])


def context_of(config: Any) -> int:
    """Longest sequence the model was built for, in tokens; unbounded models get 2**20."""
    text = config.get_text_config()
    for field in ("max_position_embeddings", "n_positions", "max_sequence_length", "seq_length"):
        if isinstance(value := getattr(text, field, None), int):
            return value
    return 2**20
