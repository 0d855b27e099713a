"""How a trainer has its checkpoints evaluated: the settings behind `HarnessCallback`."""

from __future__ import annotations

from typing import Annotated, Literal

import msgspec

How = Literal["process", "here", "watch"]
OnCritical = Literal["log", "stop", "rollback"]


class EvaluateConfig(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """What is asked at each checkpoint, by whom, and what a critical regression does.

    suite        suites as `harness watch --suite` takes them
    store        the results store [HARNESS_STORE, else results.duckdb]
    how          process: a process beside the training; here: in it, which waits; watch: a
                 `harness watch` that somebody else runs, with the options that are told
    on_critical  what a critical regression does: log it, stop, or roll back to the last good
                 checkpoint and go on in another order of the data
    policy       a policy file of `harness compare`: a genre's regression is critical where the
                 policy says so of GENRE/all/strict [the default policy: every genre]
    limit        items per suite [all]
    engine       auto, vllm or transformers; where `how` is here always transformers
    devices      CUDA_VISIBLE_DEVICES of the process beside the training [the training's own]
    samples      fresh answers an item where a genre looks low
    planned      checkpoints that the run will have, if known: sharper tests
    seed         of probes and of samples
    """

    suite: str = "probes,basics"
    store: str = ""
    how: How = "process"
    on_critical: OnCritical = "log"
    policy: str = ""
    limit: Annotated[int, msgspec.Meta(ge=1)] | None = None
    engine: Literal["auto", "vllm", "transformers"] = "auto"
    devices: str = ""
    samples: Annotated[int, msgspec.Meta(ge=1)] = 8
    planned: Annotated[int, msgspec.Meta(ge=1)] | None = None
    seed: int = 0
