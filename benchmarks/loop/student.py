"""The student of the loop's experiments: its tokenizer, its first corpus, and how it is trained."""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping
from pathlib import Path

import yaml

from harness.items.probes.catalogue import FAMILIES
from harness.items.probes.family import Family
from training.data import (
    COPY,
    TEXT,
    boilerplate,
    component_samples,
    inventory_texts,
)
from training.pretrain import PretrainConfig, pretrain
from training.tokenizer import CHAT_PREFIX, CHAT_SUFFIX, build_tokenizer, save_tokenizer

# What the student is asked: level-1 families. Four are rare in its first corpus: three that it can
# learn from a few thousand samples, and sums, which want ten times as many as any plan gives them.
RARE = ("math/arithmetic", "coding/structure", "reasoning/seating", "reasoning/kinship")
SUITE = (
    *RARE,
    "reasoning/tracking",
    "reasoning/direction",
    "extraction/field",
    "extraction/amount",
    "format/bare_number",
    "format/bracket",
)
# Known before and then seen no more, by whatever arm: neither asked for steering, nor replayed.
UNTOUCHED: Mapping[str, float] = {"format/copy": 0.08, "math/unit": 0.05}

# Weights of the first corpus: text, copying, formats and extraction, as the Web is full of, and
# two simple kinds of reasoning.
REPLAYED: Mapping[str, float] = {
    TEXT: 0.05,
    COPY: 0.18,
    "format/bare_number": 0.08,
    "format/bracket": 0.12,
    "extraction/field": 0.14,
    "extraction/amount": 0.10,
    "reasoning/tracking": 0.07,
    "reasoning/direction": 0.10,
    **dict.fromkeys(RARE, 0.012),
}
FIRST: Mapping[str, float] = {**REPLAYED, **UNTOUCHED}

# Rows of a step, and the share of them that an arm's samples get; the rest is rehearsal.
BATCH, SHARE = 64, 0.6
REHEARSED, LESS = "rehearsed", 0.4
MERGES = 700
SEEN, REPLAY = 6000, 1000


def share_of(arm: str) -> float:
    """The share of an arm's samples; less of one that rehearses more, such as `gap-rehearsed`."""
    return LESS if arm.endswith(f"-{REHEARSED}") else SHARE


def families(names: Collection[str]) -> list[Family]:
    """Those of these names, in the catalogue's order."""
    return [family for family in FAMILIES if family.name in names]


def make_tokenizer(place: Path) -> Path:
    """One tokenizer for all seeds: a token a character, boilerplate of every family merged, as a
    tokenizer trained on a broad corpus would have it. Digits and names stay apart."""
    if not place.is_dir():
        names = (COPY, *SUITE, *UNTOUCHED)
        drawn = [
            one for name in names for one in component_samples(name, count=300, level=1, seed=0)
        ]
        frame = [CHAT_PREFIX, CHAT_SUFFIX] * len(drawn)
        tokenizer = build_tokenizer(inventory_texts(), [*frame, *boilerplate(drawn)], MERGES)
        partial = place.with_name(f".{place.name}")
        save_tokenizer(tokenizer, partial, 1024)
        partial.rename(place)
    return place


def write_corpus(folder: Path, seed: int) -> None:
    """The first corpus of a seed: a file for each component, `SEEN` documents each, and the first
    `REPLAY` of them again for rehearsal."""
    for name in FIRST:
        drawn = component_samples(name, count=SEEN, level=1, seed=seed)
        lines = []
        for one in drawn:
            turns = [("user", one.prompt), ("assistant", one.answer)]
            messages = [{"role": role, "content": text} for role, text in turns]
            row = {"messages": messages} if one.prompt else {"text": one.answer}
            lines.append(json.dumps(row, ensure_ascii=False) + "\n")
        for part, count in (("first", SEEN), ("replay", REPLAY)):
            path = folder / part / f"{name.replace('/', '-')}.jsonl"
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text("".join(lines[:count]), encoding="utf-8")


def train(
    output: Path,
    corpus: Path,
    *,
    steps: int,
    seed: int,
    tokenizer: Path | None = None,
    start: Path | None = None,
    added: Path | None = None,
    share: float = 0.0,
) -> Path:
    """One training run, from nothing or from a checkpoint; answers its last checkpoint.

    tokenizer  of a run from nothing;  start: the checkpoint to go on from
    added      a shard, or JSONL of chats, that `share` of the rows come from; the rest is replay
    """
    known = FIRST if start is None else REPLAYED
    part = corpus / ("first" if start is None else "replay")
    total = sum(known.values())
    rest = {name: weight / total * (1 - share) for name, weight in known.items()}
    components = {
        name.replace("/", "-"): {"path": str(part / f"{name.replace('/', '-')}.jsonl")}
        for name in known
    }
    weights = {name.replace("/", "-"): weight for name, weight in rest.items()}
    if added is not None:
        components["added"] = {"path": str(added), "genre": "added"}
        weights["added"] = share
    output.mkdir(parents=True, exist_ok=True)
    mixture = output.with_name(f"{output.name}.mixture.yaml")
    phases = [{"name": "only", "steps": steps, "weights": weights}]
    mixture.write_text(yaml.safe_dump({"components": components, "phases": phases}), "utf-8")
    config = PretrainConfig(
        output=output,
        start=start,
        tokenizer="" if tokenizer is None else str(tokenizer),
        mixture_file=mixture,
        steps=steps,
        save_every=steps,
        log_every=100,
        held_out=0,
        width=64,
        layers=3,
        heads=8,
        groups=8,
        head_size=16,
        feed_forward=192,
        learning_rate=5e-3,
        batch_size=BATCH,
        seed=seed,
    )
    return pretrain(config)[-1]
