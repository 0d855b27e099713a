"""What `make bench` measures: one script a claim, its size, and what is compared with whom."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True)
class Claim:
    """One section of the page.

    name       what `ONLY=` takes, and the result's file in `benchmarks/results`
    heading    the section's
    script     in `benchmarks/`
    arguments  sized to minutes on two cores
    told       what is compared with what
    explained  why a peer is faster or smaller, where one is: peer's name, or peer's name and unit
               (`lm-eval MiB`), to sentence; without its sentence the page says that it lacks one
    minutes    after so many the script is ended and the claim has failed
    """

    name: str
    heading: str
    script: str
    arguments: str
    told: str
    explained: Mapping[str, str] = field(default_factory=dict)
    minutes: int = 20

    @property
    def command(self) -> str:
        return f"python benchmarks/{self.script} {self.arguments}".rstrip()


CLAIMS = (
    Claim(
        "evaluation",
        "`harness eval` against lm-eval and the bare engine",
        "eval_throughput.py",
        "--items 1000 --rounds 3",
        "Whole processes, start-up included, all three with the same engine, settings, prompts and "
        "a random two-layer model, so that what is around the engine shows. *generate*: short "
        "items, greedy, 16 tokens at most. *choice*: four-label items behind a shared preamble, a "
        "generated answer and the log-likelihood of each label.",
        minutes=40,
    ),
    Claim(
        "jaster",
        "A 4-shot Jaster evaluation against lm-eval",
        "jaster_throughput.py",
        "--items 50 --rounds 2",
        "Whole processes, the same engine, prompts and random checkpoint of six layers; three "
        "datasets of our own set in llm-jp-eval's layout. Both generate an answer to each item and "
        "score every label of the closed label sets.",
        minutes=40,
    ),
    Claim(
        "start-up",
        "Start-up",
        "startup.py",
        "--rounds 7",
        "Whole processes. `--help` of each, and our leaderboard of 20 checkpoints against what the "
        "peers take to say how they are used.",
    ),
)
