"""What a closed loop is told: `loop.yaml`."""

from __future__ import annotations

import math
from dataclasses import dataclass, field, fields, replace
from pathlib import Path
from typing import Annotated, Any, Literal

import msgspec

from harness.errors import HarnessError
from harness.watching.screening import Policy as WatchPolicy
from training.config_file import fault_at, load_config
from training.mixture import Mixture
from training.pretrain_config import PretrainConfig, load_pretrain_config

Positive = Annotated[int, msgspec.Meta(ge=1)]
Count = Annotated[int, msgspec.Meta(ge=0)]
Share = Annotated[float, msgspec.Meta(ge=0, le=1)]
Amount = Annotated[float, msgspec.Meta(gt=0)]


@dataclass(frozen=True)
class Train:
    """How a round is trained.

    config     of the pretraining run; the phases of its mixture file are the given rounds
    launch     what starts a trainer, such as "torchrun --nproc-per-node 8" [this Python]
    steps      of a made round;  tokens: of one, instead, where sequences are packed
    synthetic  share of a made round's rows that is synthesized; the rest is the mixture before
    """

    config: Path
    launch: str = ""
    steps: Count = 0
    tokens: Count = 0
    synthetic: Share = 0.6


@dataclass(frozen=True)
class Evaluate:
    """What is asked.

    steer    suites, with commas between, that verdicts and gaps rest on
    proof    suites that tell whether it helped; no item of theirs may be among those that steer
    engine   auto, vllm or transformers;  limit, seed: as `harness eval` has them
    launch   what starts an evaluation, such as "srun --gpus 8" [nothing]
    options  more options of `harness eval`, such as [--judge, openai:http://host:8000/v1#judge]
    watch    settings of `harness watch`: samples, pooled, anchors, screen, alpha, margin, planned
    policy   a policy file of `harness compare`: which regressions are critical [its own]
    """

    steer: str
    proof: str
    engine: Literal["auto", "vllm", "transformers"] = "auto"
    limit: Positive | None = None
    seed: int = 0
    launch: str = ""
    options: tuple[str, ...] = ()
    watch: dict[str, float] = field(default_factory=dict)
    policy: Path | None = None


@dataclass(frozen=True)
class Synthesize:
    """What is synthesized in a made round.

    samples  verified samples of a round
    target   a file of goals, a checkpoint, or best: what a gap is measured to
    policy   how samples are divided: learnable, gap, frontier or uniform
    keep     share of the samples for uniform coverage and replay
    least    fewest samples that a line is worth
    settings of the plan's lines that name no generator: {trace: "0"} wants bare answers
    options  more options of `harness synthesize`: teacher, attempts, --against, ...
    """

    samples: Positive
    target: str = "best"
    policy: Literal["learnable", "gap", "frontier", "uniform"] = "learnable"
    keep: Share = 0.25
    least: Count = 50
    settings: dict[str, str] = field(default_factory=dict)
    options: tuple[str, ...] = ()


@dataclass(frozen=True)
class Budget:
    """What the loop may spend in all; a round is begun only while none is used up.

    tokens   trained on, rolled back ones too;  samples: synthesized
    hours    of its stages;  dollars: for judges
    """

    tokens: float = math.inf
    samples: float = math.inf
    hours: float = math.inf
    dollars: float = math.inf


@dataclass(frozen=True)
class LoopConfig:
    """A closed loop.

    rounds   made rounds at most
    goals    a file of goals that the proof items must reach to end the loop [none]
    approve  whether a person approves each training stage
    seed     of plans and samples
    """

    train: Train
    evaluate: Evaluate
    synthesize: Synthesize
    rounds: Positive = 3
    goals: Path | None = None
    budget: Budget = field(default_factory=Budget)
    approve: bool = False
    seed: Count = 0


@dataclass(frozen=True)
class Loop:
    """A loop that can be run: its configuration with what the files in it say.

    base  the run's settings;  given: its mixture, whose phases are the given rounds
    """

    config: LoopConfig
    base: PretrainConfig
    given: Mixture
    store: Path

    @property
    def run(self) -> str:
        """The run's name, which is the loop's."""
        return self.base.output.name

    @property
    def home(self) -> Path:
        """Where the loop keeps its mixtures, plans and shards."""
        return self.base.output / "loop"

    def round_home(self, number: int) -> Path:
        return self.home / f"round-{number:02d}"

    @property
    def watch_policy(self) -> WatchPolicy:
        settings: dict[str, Any] = dict(self.config.evaluate.watch)
        whole = {one.name for one in fields(WatchPolicy) if "int" in str(one.type)}
        return WatchPolicy(
            **{name: int(value) if name in whole else value for name, value in settings.items()}
        )


def load_loop(path: Path, store: Path, *, approve: bool = False) -> Loop:
    """The loop of a file. Raises HarnessError with file and line for what cannot be one."""
    config = load_config(path, LoopConfig)
    for place, text in _faults(config):
        fault_at(path, place, text)
    base = load_pretrain_config(config.train.config)
    if base.mixture_file is None:
        raise HarnessError(
            f"{config.train.config}: a loop's run has a `mixture_file`, whose phases are trained "
            "first; add it"
        )
    if base.final_rate != 1:
        raise HarnessError(
            f"{config.train.config}: set `final_rate: 1`; a run that gains rounds cannot know "
            "beforehand over which steps its learning rate should fall"
        )
    if bool(base.length) != bool(config.train.tokens):
        fault_at(
            path,
            ".train",
            "packed runs (length > 0) say `tokens` of a made round, others say `steps`",
        )
    config = replace(config, approve=config.approve or approve)
    return Loop(config, base, base.mixtures(), store)


def _faults(config: LoopConfig) -> list[tuple[str, str]]:
    """(place, what is wrong there)"""
    found = []
    if (config.train.steps > 0) == (config.train.tokens > 0):
        found.append((".train", "expected either `steps` or `tokens` of a made round"))
    names = {one.name for one in fields(WatchPolicy)} - {"look"}
    expected = f"expected one of {', '.join(sorted(names))}"
    unknown = [name for name in config.evaluate.watch if name not in names]
    found += [(f".evaluate.watch.{name}", expected) for name in unknown]
    shared = _names(config.evaluate.steer) & _names(config.evaluate.proof)
    if shared:
        found.append(
            (
                ".evaluate.proof",
                f"{', '.join(sorted(shared))} steers already; what steers proves nothing",
            )
        )
    return found


def _names(suites: str) -> set[str]:
    return {name.strip() for name in suites.split(",") if name.strip()}
