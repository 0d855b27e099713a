"""The mixture of a round: what was kept so far, and then the round's own phase."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import asdict, fields
from pathlib import Path
from typing import Any

import msgspec
import yaml

from harness.errors import HarnessError
from training.loop.config import Loop
from training.loop.state import Round, State
from training.mixture import Component, Mixture, Phase
from training.pretrain_config import PretrainConfig, load_pretrain_config, steps_of


def next_mixture(loop: Loop, state: State, now: Round) -> Mixture:
    """The phases that were kept, and this round's: the given one without the components that were
    marked, or `synthetic` of the new shards and for the rest the mixture before.

    Raises HarnessError where every component of a phase was marked.
    """
    known = {name: Component(**one) for name, one in state.components.items()}
    if now.made:
        train = loop.config.train
        home = str(now.done["synthesize"]["home"])
        known[now.phase] = Component(path=home, loss="answers")
        before = _unmarked(state.phases[-1], state.marked)
        weights = {name: (1 - train.synthetic) * share for name, share in before.items()}
        weights = {name: weight for name, weight in weights.items() if weight}
        weights[now.phase] = train.synthetic
        phase = Phase(now.phase, weights, tokens=train.tokens, steps=train.steps)
    else:
        given = loop.given.phases[now.number - 1]
        known |= loop.given.components
        phase = Phase(given.name, _unmarked(given, state.marked), given.tokens, given.steps)
    phases = (*state.phases, phase)
    used = {name for each in phases for name in each.weights}
    return Mixture({name: one for name, one in known.items() if name in used}, phases)


def _unmarked(phase: Phase, marked: Mapping[str, str]) -> dict[str, float]:
    left = {name: share for name, share in phase.shares.items() if name not in marked}
    if not left:
        raise HarnessError(
            f"phase {phase.name!r} has nothing left: {', '.join(phase.shares)} were marked by "
            "rounds that were rolled back; remove the phase from the mixture file"
        )
    total = sum(left.values())
    return {name: share / total for name, share in left.items()}


def write_round(loop: Loop, now: Round, mixture: Mixture) -> None:
    """Writes the round's mixture.yaml and pretrain.yaml, which a person may train from by hand."""
    home = loop.round_home(now.number)
    home.mkdir(parents=True, exist_ok=True)
    _replace(home / "mixture.yaml", _stated(mixture))
    settings = {
        each.name: getattr(loop.base, each.name)
        for each in fields(PretrainConfig)
        if getattr(loop.base, each.name) != _default(each)
    }
    settings.pop("mixture", None)
    settings["mixture_file"] = home / "mixture.yaml"
    _replace(home / "pretrain.yaml", settings)
    config = load_pretrain_config(home / "pretrain.yaml")
    steps = steps_of(config, mixture)
    # The last good checkpoint may be the one before the round, and any within it.
    states = 2 + math.ceil(steps[-1] / config.save_every)
    _replace(home / "pretrain.yaml", {**settings, "keep_states": max(config.keep_states, states)})


def _default(each: Any) -> Any:
    return None if each.name == "output" else each.default


def _stated(mixture: Mixture) -> dict[str, Any]:
    """As a mixture file has it: without what is left at nothing."""

    def stated(value: Any) -> dict[str, Any]:
        return {name: each for name, each in asdict(value).items() if each}

    return {
        "components": {name: stated(each) for name, each in mixture.components.items()},
        "phases": [stated(phase) for phase in mixture.phases],
    }


def _replace(path: Path, content: Mapping[str, Any]) -> None:
    plain = msgspec.to_builtins(content, enc_hook=str)
    text = yaml.safe_dump(plain, allow_unicode=True, sort_keys=False)
    partial = path.with_suffix(".partial")
    partial.write_text(text, encoding="utf-8")
    partial.replace(path)
