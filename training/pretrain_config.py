"""What a pretraining run is told: its settings, their checks, and the plan they come to."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields
from pathlib import Path
from typing import Annotated, Any, Literal

import msgspec

from harness.errors import HarnessError
from training.config_file import load_config
from training.data import COPY, TEXT
from training.megatron_model import Parallelism, Schedule
from training.mixture import Mixture, load_mixture, phase_steps, single

# Families that a few hundred thousand parameters can learn at level 1; addition wants the most.
DEFAULT_MIXTURE: Mapping[str, float] = {
    "math/arithmetic": 0.4,
    "extraction/field": 0.08,
    "extraction/changes": 0.06,
    "extraction/amount": 0.05,
    "format/copy": 0.05,
    "format/bare_number": 0.05,
    "format/bracket": 0.04,
    "format/times": 0.04,
    "format/lines": 0.04,
    "reasoning/tracking": 0.05,
    "reasoning/truth-tellers": 0.04,
    "reasoning/direction": 0.04,
    "reasoning/seating": 0.04,
    COPY: 0.06,
    TEXT: 0.01,
}

Positive = Annotated[int, msgspec.Meta(ge=1)]
Count = Annotated[int, msgspec.Meta(ge=0)]
Amount = Annotated[float, msgspec.Meta(ge=0)]
Above = Annotated[float, msgspec.Meta(gt=0)]
Share = Annotated[float, msgspec.Meta(ge=0, lt=1)]
Weights = dict[str, Above]


@dataclass(frozen=True)
class PretrainConfig:
    """Everything that decides what a run computes, and how it is spread out.

    output         the run's directory; its name is the run's name in the lineage
    start          a Hugging Face checkpoint whose weights and tokenizer are taken up; else nothing
    tokenizer      "characters", "unigram", "bpe" or a directory [the checkpoint's, else characters]
    vocabulary     tokens of a trained unigram or bpe tokenizer, bytes and special ones included
    mixture        weight of each component: `text`, `copy`, a probe genre or family, or a path
    mixture_file   a YAML file of components and phases; takes the place of `mixture` and `steps`
    steps          optimizer steps in all
    save_every     steps between checkpoints; the last step is always saved
    log_every      steps between lines of training_log.jsonl
    length         tokens of a packed sequence; 0 gives every document a row of its own
    reset          whether documents packed together do not see each other
    held_out       most documents of a genre kept for measuring the loss at each save; 0: none
    held_out_share share of a file's documents that may be kept, chosen by their content
    level          highest difficulty of the probe samples, 1 to 5
    samples        distinct samples generated for each component
    merges         most merged phrases in the character tokenizer; 0 makes it purely characters
    width          hidden size
    layers         transformer layers
    heads          attention heads
    groups         key-value heads; fewer than `heads` is grouped-query attention
    head_size      width of one head; vLLM on CPU takes 32, 64, 80, 96 or 112, never less
    feed_forward   inner size of the gated feed-forward layer
    experts        experts of each feed-forward layer; 0 is a dense model
    top_k          experts that a token visits
    balance        weight of the loss that evens out the load of experts
    positions      longest sequence that the checkpoints take
    rope_theta     base of the rotary position embedding
    init_std       standard deviation of the initial weights; far more than the 0.02 of large models
    tied           whether the output layer reuses the embedding
    batch_size     rows a step, over all processes
    micro_batch    rows a process takes at once; 0: all of its part, more are accumulated
    learning_rate  peak, reached after `warmup` steps
    final_rate     learning rate at the last step, as a share of the peak
    decay          shape of the way there: linear or cosine
    warmup         steps of linear warm-up
    weight_decay   decoupled, on matrices only
    clip           largest norm of the gradient
    tensor         processes that share each matrix
    pipeline       stages of layers, each on its own process
    context        processes that share a sequence; needs Transformer Engine
    expert         processes that share a layer's experts
    sequence       whether norms are cut along the sequence too; needs Transformer Engine
    engine         layers of Megatron's own (local) or transformer_engine
    recompute      whether activations are computed again instead of kept: less memory, slower
    overlap        whether GPUs exchange gradients and weights while they compute
    async_save     whether states are written while training goes on
    keep_states    states kept for resuming and rolling back, the newest ones
    seed           of initialisation, samples and their order
    """

    output: Path
    start: Path | None = None
    tokenizer: str = ""
    vocabulary: Annotated[int, msgspec.Meta(ge=300)] = 8000
    mixture: Weights = field(default_factory=lambda: dict(DEFAULT_MIXTURE))
    mixture_file: Path | None = None
    steps: Positive = 2100
    save_every: Positive = 350
    log_every: Positive = 10
    length: Count = 0
    reset: bool = True
    held_out: Count = 64
    held_out_share: Share = 0.01
    level: Annotated[int, msgspec.Meta(ge=1, le=5)] = 1
    samples: Positive = 8_000
    merges: Count = 300
    width: Positive = 64
    layers: Positive = 3
    heads: Positive = 4
    groups: Positive = 4
    head_size: Positive = 32
    feed_forward: Positive = 192
    experts: Count = 0
    top_k: Positive = 2
    balance: Amount = 0.01
    positions: Annotated[int, msgspec.Meta(ge=2)] = 1024
    rope_theta: Above = 10000.0
    init_std: Above = 0.08
    tied: bool = True
    batch_size: Positive = 64
    micro_batch: Count = 0
    learning_rate: Above = 2e-3
    final_rate: Amount = 0.1
    decay: Literal["linear", "cosine"] = "linear"
    warmup: Count = 50
    weight_decay: Amount = 0.01
    clip: Above = 1.0
    tensor: Positive = 1
    pipeline: Positive = 1
    context: Positive = 1
    expert: Positive = 1
    sequence: bool = False
    engine: Literal["local", "transformer_engine"] = "local"
    recompute: bool = False
    overlap: bool = False
    async_save: bool = False
    keep_states: Positive = 1
    seed: int = 0

    def settings(self) -> dict[str, Any]:
        """What decides which numbers come out, as JSON holds it: a run resumes only under equal
        ones. How it is spread over processes may change."""
        values = {name: value for name, value in asdict(self).items() if name not in _OPERATION}
        mixture = self.mixtures()
        described = dict(self.mixture) if self.mixture_file is None else mixture.settings()
        start = None if self.start is None else str(self.start)
        lengths = steps_of(self, mixture)
        return {**values, "mixture": described, "phase_steps": lengths, "start": start}

    def mixtures(self) -> Mixture:
        """The phases; one for a plain mixture."""
        if self.mixture_file is None:
            return single(self.mixture, self.steps)
        return load_mixture(self.mixture_file)

    @property
    def parallelism(self) -> Parallelism:
        return Parallelism(self.tensor, self.pipeline, self.context, self.expert, self.sequence)


# What may differ when a run is resumed.
_OPERATION = frozenset(
    (
        *("output", "mixture_file", "log_every", "micro_batch", "tensor", "pipeline", "context"),
        *("expert", "sequence", "engine", "recompute", "overlap", "async_save", "keep_states"),
    )
)


def load_pretrain_config(path: Path) -> PretrainConfig:
    """Reads a YAML file whose keys are the fields of `PretrainConfig`. Raises HarnessError with
    file and line for what cannot be one."""
    config = load_config(path, PretrainConfig)
    check_config(config)
    return config


def steps_of(config: PretrainConfig, mixture: Mixture) -> list[int]:
    """Steps of each phase."""
    if not config.length and any(phase.tokens for phase in mixture.phases):
        raise HarnessError(
            f"{config.mixture_file}: a phase that lasts for tokens needs packed sequences; set "
            "length, or say steps"
        )
    return phase_steps(mixture, config.batch_size * max(1, config.length))


def schedule_of(config: PretrainConfig, steps: int) -> Schedule:
    named = {each.name: getattr(config, each.name) for each in fields(Schedule)}
    return Schedule(**{**named, "steps": steps})


def check_config(config: PretrainConfig, world: int | None = None) -> None:
    """Raises HarnessError for settings that cannot be trained with, or not by `world` processes.
    Names are those of the fields; the command line's have hyphens for underscores."""
    try:
        msgspec.convert(asdict(config), PretrainConfig)
    except msgspec.ValidationError as error:
        raise HarnessError(f"the configuration: {error}; `--help` says what is meant") from None
    steps = sum(steps_of(config, config.mixtures()))
    if config.warmup >= steps:
        raise HarnessError(f"warmup is {config.warmup}, expected fewer than the {steps} steps")
    if not config.mixture:
        raise HarnessError("mixture needs one or more components with positive weights")
    if config.length > config.positions and config.start is None:
        raise HarnessError(f"length {config.length} is more than positions {config.positions}")
    if config.tokenizer == "characters" and config.start is not None:
        raise HarnessError("a checkpoint to start from needs its own tokenizer; drop tokenizer")
    if config.start is None:
        _check_shape(config)
    _check_spread(config)
    if world is not None:
        _check_processes(config, world)


def _check_shape(config: PretrainConfig) -> None:
    if config.heads % config.groups:
        raise HarnessError(f"heads {config.heads} is not a multiple of groups {config.groups}")
    for name in ("heads", "groups", "feed_forward"):
        if getattr(config, name) % config.tensor:
            raise HarnessError(
                f"{name} {getattr(config, name)} does not divide over tensor {config.tensor}"
            )
    if config.layers % config.pipeline:
        raise HarnessError(f"layers {config.layers} do not divide into {config.pipeline} stages")
    if config.experts and not 2 <= config.top_k <= config.experts:
        raise HarnessError(f"a token cannot visit {config.top_k} of {config.experts} experts")
    if config.experts % config.expert:
        raise HarnessError(f"experts {config.experts} do not divide over expert {config.expert}")


def _check_processes(config: PretrainConfig, world: int) -> None:
    model = config.parallelism.model
    if world % model:
        raise HarnessError(
            f"tensor x pipeline x context is {model} and there are {world} processes: start a "
            f"multiple with torchrun --nproc-per-node {model} -m training.pretrain"
        )
    data = world // model
    if config.batch_size % data:
        raise HarnessError(
            f"batch_size {config.batch_size} does not divide over {data} data-parallel processes"
        )
    if config.micro_batch and (config.batch_size // data) % config.micro_batch:
        raise HarnessError(
            f"{config.batch_size // data} rows a process are not a multiple of micro_batch "
            f"{config.micro_batch}"
        )


def _check_spread(config: PretrainConfig) -> None:
    parallel = config.parallelism
    # Megatron's own norms, those of PyTorch, cannot be cut along the sequence.
    fused = config.engine == "transformer_engine"
    if parallel.sequence and (parallel.tensor == 1 or not config.length or not fused):
        raise HarnessError(
            "sequence needs tensor > 1, packed sequences (length) and engine transformer_engine"
        )
    if parallel.sequence and config.length % parallel.tensor:
        raise HarnessError(f"length {config.length} does not divide over tensor {config.tensor}")
    if parallel.context > 1 and (not fused or config.reset or not config.length):
        raise HarnessError(
            "context > 1 needs engine transformer_engine, packed sequences (length) and reset false"
        )
    if fused and config.length and config.reset:
        raise HarnessError(
            "transformer_engine has no mask between packed documents here: set reset false, or "
            "engine local"
        )
