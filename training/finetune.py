"""Runs a TRL trainer as a run of ours: resumable, with a lineage of checkpoints engines can read.

A run directory holds

    sft.json, dpo.json       its settings; another run's settings are refused
    step_000100/ ...         Hugging Face checkpoints with lineage.json; after LoRA the merged
                             weights, and the adapter in step_000100/adapter/
    training_log.jsonl       loss, gradient norm, learning rate, throughput; losses by genre
    trainer/checkpoint-100   the trainer's own states, to resume from
    rolled_back/1/           what was saved after a checkpoint that the run went back to

Checkpoints appear by rename, and a state counts only when it is marked as complete, so that a run
killed at any instant is continued by the same command.
"""

from __future__ import annotations

import contextlib
import io
import json
import os
import shutil
import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from harness.errors import HarnessError
from harness.loading import weights_only
from training.finetune_config import FineTuneConfig, world_size
from training.hook import Hook
from training.run_directory import checkpoints, claim, publish

_CHECKPOINT_FILES = {".json", ".safetensors", ".jinja", ".model", ".txt"}
# After so many the run ends: what breaks it is not the order of the data.
MOST_ROLLBACKS = 3


@dataclass(frozen=True)
class Result:
    """What a run came to: its checkpoints by step, and why it ended early, or ""."""

    checkpoints: tuple[Path, ...]
    stopped: str = ""


@dataclass(frozen=True)
class Recipe:
    """What tells one way of fine-tuning from another.

    phase       "sft" or "dpo", in the lineage and the log
    mixture, shards  of the data, for the lineage
    build       (model, trainer arguments) → a TRL trainer
    passes      work on a token, in forward and backward passes: 4/3 where a reference reads it too
    """

    phase: str
    mixture: Mapping[str, float]
    shards: Mapping[str, str]
    build: Callable[[Any, dict[str, Any]], Any]
    passes: float = 1.0


def finetune(config: FineTuneConfig, recipe: Recipe, hooks: Sequence[Hook] = ()) -> Result:
    """Trains, or continues, the run at `config.output`.

    hooks  asked after each published checkpoint whether to go on

    Raises HarnessError where the output belongs to a run with other settings, the loss is no number
    any more, or a checkpoint cannot be written.
    """
    from harness.checkpoint import discover
    from training.run_keeper import roll_back, states

    base = discover(str(config.model))[0].fingerprint
    first = os.environ.get("RANK", "0") == "0"
    if first:
        settings = {**config.settings(), "base": base, "data_hashes": dict(recipe.shards)}
        claim(config.output, settings, f"{recipe.phase}.json")
        if config.evaluate is not None:
            _place_start(config, recipe)
    trainer_states = config.output / "trainer"
    while True:
        found = states(trainer_states)
        if found and _is_finished(found[-1][1]) and checkpoints(config.output):
            return Result(tuple(checkpoints(config.output)))
        keeper = _attempt(config, recipe, base, found[-1][1] if found else None, hooks)
        if not isinstance(keeper.decision, tuple):
            return Result(tuple(checkpoints(config.output)), keeper.stopped)
        if _rollbacks(config) >= MOST_ROLLBACKS:
            return Result(
                tuple(checkpoints(config.output)),
                f"{keeper.stopped}, and {MOST_ROLLBACKS} times before; look at the data",
            )
        if first:
            roll_back(config.output, keeper.decision[1])
        _wait_for_all()


def _place_start(config: FineTuneConfig, recipe: Recipe) -> None:
    """Adds the start as step 0, so that what the run breaks at once is seen: the same files by hard
    links where the disk allows it, hence the same fingerprint and the answers that are stored."""
    inert = {"lineage.json", "trainer_state.json"}

    def write(directory: Path) -> None:
        for path in config.model.iterdir():
            if path.suffix in _CHECKPOINT_FILES and path.name not in inert:
                source, target = path.resolve(), directory / path.name
                try:
                    target.hardlink_to(source)
                except OSError:
                    shutil.copyfile(source, target)

    publish(config.output, 0, tokens_seen=0, mixture={}, phase=recipe.phase, write=write)


def _attempt(
    config: FineTuneConfig, recipe: Recipe, base: str, resume: Path | None, hooks: Sequence[Hook]
) -> Any:
    """One stretch of training, up to the end, a stop or a rollback; answers its keeper."""
    from transformers import set_seed

    from training.planning import peak_flops
    from training.progress import training_progress
    from training.run_keeper import Origin, RunKeeper

    set_seed(config.seed)
    model = load_model(config)
    parameters = sum(each.numel() for each in model.parameters())
    # What the libraries draw on stderr meanwhile; a fault is raised, not drawn.
    with quiet(), contextlib.redirect_stderr(io.StringIO()):
        trainer = recipe.build(model, trainer_arguments(config, _rollbacks(config)))
    _drop_progress_bar(trainer)
    total = _total_steps(trainer, config)
    start = int(resume.name.rpartition("-")[2]) if resume else 0
    with training_progress(
        f"{recipe.phase} {config.output.name}",
        total,
        start,
        enabled=trainer.is_world_process_zero(),
    ) as report:
        keeper = RunKeeper(
            config.output,
            Origin(base, recipe.phase, recipe.mixture, recipe.shards),
            config.save_every,
            lambda: writer(trainer, config),
            hooks,
            report,
            6.0 * parameters * recipe.passes,
            peak_flops(world_size()),
        )
        trainer.add_callback(keeper)
        with quiet(), keeper.catching_sigterm(), _told_when_disk_is_full(config.output):
            trainer.train(resume_from_checkpoint=str(resume) if resume else None)
    return keeper


def load_model(config: FineTuneConfig) -> Any:
    """The checkpoint to start from: float32, except the frozen weights below an adapter on a GPU,
    which are bfloat16. On a GPU products are bfloat16 either way."""
    import torch
    from transformers import AutoModelForCausalLM

    frozen = bool(config.lora_rank) and torch.cuda.is_available()
    with quiet():
        return AutoModelForCausalLM.from_pretrained(
            config.model,
            dtype=torch.bfloat16 if frozen else torch.float32,
            **weights_only(config.model),
        )


def adapter(config: FineTuneConfig) -> Any:
    """The LoRA configuration of a run, None for all weights."""
    if not config.lora_rank:
        return None
    from peft import LoraConfig

    return LoraConfig(
        r=config.lora_rank,
        lora_alpha=config.lora_alpha,
        lora_dropout=config.lora_dropout,
        target_modules="all-linear",
        task_type="CAUSAL_LM",
    )


def trainer_arguments(config: FineTuneConfig, attempt: int) -> dict[str, Any]:
    """The arguments that SFTConfig and DPOConfig share. After a rollback (`attempt` counts them)
    the order of the data is another one, or what broke the run would break it again."""
    import torch

    cuda = torch.cuda.is_available()
    return {
        "output_dir": str(config.output / "trainer"),
        "per_device_train_batch_size": config.at_once,
        "per_device_eval_batch_size": config.at_once,
        "gradient_accumulation_steps": config.per_process // config.at_once,
        "num_train_epochs": config.epochs,
        "max_steps": config.steps or -1,
        "learning_rate": config.learning_rate,
        "lr_scheduler_type": "constant_with_warmup"
        if config.schedule == "constant"
        else config.schedule,
        "warmup_steps": config.warmup,
        "weight_decay": config.weight_decay,
        "max_grad_norm": config.clip,
        "logging_steps": config.log_every,
        # A loss that is no number must be seen.
        "logging_nan_inf_filter": False,
        "save_strategy": "steps",
        "save_steps": config.save_every,
        "save_total_limit": config.keep_states,
        "eval_strategy": "steps" if config.held_out else "no",
        "eval_steps": config.save_every,
        "seed": config.seed,
        "data_seed": config.seed + attempt,
        "gradient_checkpointing": config.checkpointing,
        "max_length": config.max_length,
        "bf16": cuda,
        "use_cpu": not cuda,
        "report_to": "none",
        "disable_tqdm": True,
        "include_num_input_tokens_seen": "non_padding",
    }


def writer(trainer: Any, config: FineTuneConfig) -> Callable[[Path], None]:
    """What writes the model as engines read it, in the precision of the checkpoint that it came
    from. Collects the weights now, in every process, since they may be spread over them."""
    from training.merge import merged_state

    model = trainer.accelerator.unwrap_model(trainer.model)
    is_adapter = hasattr(model, "peft_config")
    state = merged_state(model) if is_adapter else trainer.accelerator.get_state_dict(trainer.model)
    plain = model.get_base_model() if is_adapter else model

    def write(directory: Path) -> None:
        stored = json.loads((config.model / "config.json").read_text(encoding="utf-8"))
        dtype = stored.get("dtype") or stored.get("torch_dtype") or "float32"
        save_weights(plain, state, dtype, directory)
        trainer.processing_class.save_pretrained(directory, save_jinja_files=False)
        if is_adapter:
            model.save_pretrained(directory / "adapter")

    return write


def save_weights(model: Any, state: Mapping[str, Any], dtype: str, directory: Path) -> None:
    """Writes config, generation config and `state` of a transformers model, cast to `dtype`."""
    import torch

    target = getattr(torch, dtype)
    cast = {
        name: tensor.detach().to("cpu", target) if tensor.is_floating_point() else tensor.cpu()
        for name, tensor in state.items()
    }
    with quiet():
        model.save_pretrained(directory, state_dict=cast)
    path = directory / "config.json"
    written = json.loads(path.read_text(encoding="utf-8"))
    written["dtype"] = dtype
    path.write_text(json.dumps(written, ensure_ascii=False, indent=2) + "\n", encoding="utf-8")


@contextlib.contextmanager
def quiet() -> Iterator[None]:
    """No bars, advice or warnings of the libraries: ours are the ones that are shown."""
    import datasets
    from transformers.utils import logging

    bars, level = logging.is_progress_bar_enabled(), logging.get_verbosity()
    data_bars = datasets.are_progress_bars_disabled()
    logging.disable_progress_bar()
    datasets.disable_progress_bars()
    logging.set_verbosity_error()
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        logging.set_verbosity(level)
        if bars:
            logging.enable_progress_bar()
        if not data_bars:
            datasets.enable_progress_bars()


def _is_finished(state: Path) -> bool:
    stored = json.loads((state / "trainer_state.json").read_text(encoding="utf-8"))
    return bool(stored["global_step"] >= stored["max_steps"])


def _rollbacks(config: FineTuneConfig) -> int:
    from training.run_keeper import rollbacks

    return rollbacks(config.output)


def _total_steps(trainer: Any, config: FineTuneConfig) -> int:
    if config.steps:
        return config.steps
    batches = len(trainer.get_train_dataloader())
    per_epoch = max(1, -(-batches // trainer.args.gradient_accumulation_steps))
    return max(1, -(-int(per_epoch * config.epochs * 1000) // 1000))


def _drop_progress_bar(trainer: Any) -> None:
    from transformers import PrinterCallback

    trainer.remove_callback(PrinterCallback)


def _wait_for_all() -> None:
    import torch.distributed as dist

    if dist.is_available() and dist.is_initialized():
        dist.barrier()


@contextlib.contextmanager
def _told_when_disk_is_full(output: Path) -> Iterator[None]:
    """A save that fails as one sentence. What it wrote is not marked as complete and not used."""
    from safetensors import SafetensorError

    try:
        yield
    except (OSError, SafetensorError) as error:
        raise HarnessError(_unsaved(output, error)) from error
    except RuntimeError as error:
        if "PytorchStreamWriter" not in str(error) and "unexpected pos" not in str(error):
            raise
        raise HarnessError(_unsaved(output, error)) from error


def _unsaved(output: Path, error: Exception) -> str:
    reason = str(error).strip().splitlines()[0][:200]
    return (
        f"{output}: a checkpoint cannot be written ({reason}); make room and repeat the command, "
        "which goes on from the last complete one"
    )
