"""Preference training with TRL's DPO, from pairs in JSONL or shards of pairs.

Pairs are best the model's own answers (on-policy), as synthesis writes them: pairs that somebody
else wrote teach a style that the model never had.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Literal

import msgspec

from harness.engines.prompt import first_line
from harness.errors import HarnessError
from harness.loading import FILES_ONLY
from training.chat_data import Data, Preference, preferences
from training.chat_tokens import (
    EncodedPair,
    check_known,
    encode_all,
    encode_pair,
    longest_sample,
    open_tokenizer,
)
from training.config_file import fault_at, load_config
from training.finetune import Recipe, Result, adapter, finetune, quiet
from training.finetune_config import FineTuneConfig, check_finetune, faults
from training.hook import Hook


@dataclass(frozen=True, kw_only=True)
class DpoConfig(FineTuneConfig):
    """Settings of preference training, besides those of `FineTuneConfig`.

    beta        how strongly the model is held to its reference: the weight of the KL divergence
                (Rafailov et al. 2023, equation 7)
    objective   sigmoid is DPO's own; ipo and hinge as TRL has them
    reference   the checkpoint that the model is held to [the one it starts from]
    precompute  whether the reference's log-probabilities are computed once before training, so that
                it takes no memory while training goes on
    """

    learning_rate: Annotated[float, msgspec.Meta(gt=0)] = 1e-6
    beta: Annotated[float, msgspec.Meta(gt=0)] = 0.1
    objective: Literal["sigmoid", "ipo", "hinge"] = "sigmoid"
    reference: Path | None = None
    precompute: bool = True


@dataclass(frozen=True)
class DpoData:
    """Pairs as tokens, with how many were too long; `held_out` by genre."""

    train: list[EncodedPair]
    held_out: dict[str, list[EncodedPair]]
    too_long: int
    source: Data[Preference]

    @property
    def tokens(self) -> int:
        """Of one epoch: both answers with their prompt."""
        return sum(
            2 * len(one.prompt_ids) + len(one.chosen_ids) + len(one.rejected_ids)
            for one in self.train
        )


def load_dpo_config(path: Path) -> DpoConfig:
    """The configuration in a YAML file. Raises HarnessError `FILE:LINE: ...` for a fault."""
    config = load_config(path, DpoConfig)
    for place, text in faults(config):
        fault_at(path, place, text)
    if config.reference is not None and not config.reference.is_dir():
        fault_at(path, ".reference", f"{config.reference}: no such checkpoint directory")
    return config


def dpo_data(config: DpoConfig, tokenizer: Any) -> DpoData:
    """Reads and tokenizes. Raises HarnessError for data that cannot be learned from."""
    source = preferences(config.data, held_out=config.held_out, seed=config.seed)

    most = longest_sample(config.model, config.max_length)

    def kept(rows: Sequence[Preference]) -> tuple[list[EncodedPair], int]:
        return encode_all(rows, lambda row: encode_pair(row, tokenizer), _length, max_length=most)

    train, too_long = kept(source.train)
    check_known([one.chosen_ids for one in train], tokenizer, config.model)
    held_out = {genre: kept(rows)[0] for genre, rows in source.held_out.items()}
    return DpoData(train, held_out, too_long, source)


def dpo(config: DpoConfig, hooks: Sequence[Hook] = ()) -> Result:
    """Trains, or continues, a run. Raises HarnessError as `finetune` does, for pairs that cannot be
    learned from, and for a reference of another vocabulary."""
    check_finetune(config)
    tokenizer = open_tokenizer(config.model, config.chat_template)
    data = dpo_data(config, tokenizer)

    def build(model: Any, arguments: dict[str, Any]) -> Any:
        from trl import DPOConfig

        return _trainer()(
            model=model,
            ref_model=_reference(config, model),
            args=DPOConfig(
                **arguments,
                beta=config.beta,
                loss_type=config.objective,
                precompute_ref_log_probs=config.precompute,
            ),
            train_dataset=_dataset(data.train),
            eval_dataset={genre: _dataset(rows) for genre, rows in data.held_out.items()} or None,
            processing_class=tokenizer,
            peft_config=adapter(config),
        )

    # The reference reads each pair once more, without a backward pass: a third of the work again.
    passes = 1.0 if config.precompute else 4 / 3
    recipe = Recipe("dpo", data.source.mixture, data.source.shards, build, passes)
    return finetune(config, recipe, hooks)


def _trainer() -> Any:
    from trl import DPOTrainer

    class PairTrainer(DPOTrainer):  # type: ignore[misc]
        """Takes pairs that are tokens already: TRL tokenizes prompt and answer together."""

        def _prepare_dataset(self, dataset: Any, *_: Any) -> Any:
            return dataset

    return PairTrainer


def _reference(config: DpoConfig, model: Any) -> Any:
    """The frozen model that DPO compares with; None where TRL uses the start itself: the model
    without its adapter, or the log-probabilities computed before the first step."""
    if config.reference is None:
        return None
    from transformers import AutoModelForCausalLM

    try:
        with quiet():
            # Nothing is unpickled.
            reference = AutoModelForCausalLM.from_pretrained(
                config.reference, dtype=model.dtype, use_safetensors=True, **FILES_ONLY
            )
    except (OSError, ValueError) as error:
        raise HarnessError(
            f"{config.reference}: cannot be loaded ({first_line(error)}); expected a Hugging Face "
            "checkpoint with safetensors weights"
        ) from None
    if reference.config.vocab_size != model.config.vocab_size:
        raise HarnessError(
            f"{config.reference}: a reference of {reference.config.vocab_size:,} tokens for a "
            f"model of {model.config.vocab_size:,}; give one with the same tokenizer"
        )
    return reference


def _length(pair: EncodedPair) -> int:
    return len(pair.prompt_ids) + max(len(pair.chosen_ids), len(pair.rejected_ids))


def _dataset(rows: Sequence[EncodedPair]) -> Any:
    from datasets import Dataset

    return Dataset.from_dict(
        {
            "prompt_ids": [one.prompt_ids for one in rows],
            "chosen_ids": [one.chosen_ids for one in rows],
            "rejected_ids": [one.rejected_ids for one in rows],
        }
    )
