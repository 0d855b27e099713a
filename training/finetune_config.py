"""What supervised fine-tuning and preference training have in common in their configurations."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Annotated, Any, Literal

import msgspec

from harness.errors import HarnessError
from training.chat_data import Source
from training.evaluate_config import EvaluateConfig

Positive = Annotated[int, msgspec.Meta(ge=1)]
Count = Annotated[int, msgspec.Meta(ge=0)]
Amount = Annotated[float, msgspec.Meta(ge=0)]
Share = Annotated[float, msgspec.Meta(ge=0, lt=1)]
Schedule = Literal["cosine", "linear", "constant"]


@dataclass(frozen=True, kw_only=True)
class FineTuneConfig:
    """Everything that decides what a run computes; a run resumes only under equal settings.

    output         the run's directory; its name is the run's name in the lineage
    model          the checkpoint to start from, a Hugging Face directory
    data           sources: `path`, and if wanted `weight` and `name`
    chat_template  a Jinja file, for a checkpoint without a chat template or with an unfit one
    held_out       share of the data, by content, that is never trained on and gives losses by genre
    epochs         passes over the data, where `steps` does not say when to end
    steps          optimizer steps in all; 0: as many as `epochs` take
    save_every     steps between checkpoints; the last step is always saved
    log_every      steps between lines of training_log.jsonl
    batch_size     sequences a step, over all processes
    micro_batch    sequences at once in one process; 0: all of its part of a batch
    max_length     longest row in tokens; samples longer than that, or than the checkpoint's
                   context, are left out and counted
    learning_rate  peak, reached after `warmup` steps
    schedule       what follows the warm-up: cosine or linear to 0, or constant
    warmup         steps of linear warm-up
    weight_decay   decoupled
    clip           largest norm of the gradient
    lora_rank      rank of a LoRA adapter on every linear layer; 0 trains all weights
    lora_alpha     scale of the adapter times its rank
    lora_dropout   dropout before the adapter
    checkpointing  whether activations are computed again instead of kept: less memory, slower
    keep_states    optimizer states kept for resuming and rolling back, the newest ones
    seed           of the adapter, the order of the data and what is drawn from it
    evaluate       how each checkpoint is evaluated while training goes on, the start among them as
                   step 0; nothing: they are not
    """

    output: Path
    model: Path
    data: tuple[Source, ...]
    chat_template: Path | None = None
    held_out: Share = 0.0
    epochs: Annotated[float, msgspec.Meta(gt=0)] = 1.0
    steps: Count = 0
    save_every: Positive = 100
    log_every: Positive = 1
    batch_size: Positive = 16
    micro_batch: Count = 0
    max_length: Annotated[int, msgspec.Meta(ge=2)] = 2048
    learning_rate: Annotated[float, msgspec.Meta(gt=0)] = 1e-5
    schedule: Schedule = "cosine"
    warmup: Count = 0
    weight_decay: Amount = 0.0
    clip: Annotated[float, msgspec.Meta(gt=0)] = 1.0
    lora_rank: Count = 0
    lora_alpha: Annotated[float, msgspec.Meta(gt=0)] = 32.0
    lora_dropout: Share = 0.0
    checkpointing: bool = False
    keep_states: Annotated[int, msgspec.Meta(ge=2)] = 2
    seed: Count = 0
    evaluate: EvaluateConfig | None = None

    def settings(self) -> dict[str, Any]:
        """What a run is recognised by: all fields but those that change nothing in the weights."""
        values = asdict(self)
        for name in ("output", "evaluate", "keep_states", "log_every", "micro_batch"):
            del values[name]
        text = msgspec.json.encode({**values, "data": self.data}, enc_hook=str)
        settings: dict[str, Any] = msgspec.json.decode(text)
        return settings

    @property
    def per_process(self) -> int:
        """Sequences that one process has of a batch."""
        return self.batch_size // world_size()

    @property
    def at_once(self) -> int:
        """Sequences in one forward pass."""
        return self.micro_batch or self.per_process


def world_size() -> int:
    """Processes that train together, as torchrun says."""
    return int(os.environ.get("WORLD_SIZE", "1"))


def faults(config: FineTuneConfig) -> Iterator[tuple[str, str]]:
    """Settings that cannot be trained with together: (place in the file, why)."""
    if config.batch_size % world_size():
        yield (
            ".batch_size",
            f"{config.batch_size} does not divide over {world_size()} processes; change one",
        )
    elif config.per_process % config.at_once:
        yield (
            ".micro_batch",
            f"{config.at_once} does not divide the {config.per_process} sequences that each "
            "process has of a batch; change one",
        )
    if not config.data:
        yield ".data", "names no source; give a JSONL file or a shard"
    if not config.model.is_dir():
        yield ".model", f"{config.model}: no such checkpoint directory; correct it"


def check_finetune(config: FineTuneConfig) -> None:
    """Raises HarnessError for the first of `faults`."""
    for place, text in faults(config):
        raise HarnessError(f"{place.lstrip('.')}: {text}")
