"""Makes what a small closed loop needs: a Web-like corpus, a dirty one, items that steer and items
that prove, and the settings of the run and of the loop.

    python docs/examples/loop_demo.py runs/demo-data
    harness loop runs/demo-data/loop.yaml

The Web knows plain text, copying and a few output formats; math, reasoning, extraction and coding
are rare in it. A second corpus, scraped without care, repeats itself in place of answering. What
the loop makes of that is its own doing.

Items that steer and items that prove share no problem with each other, and no number and no name
with anything that is trained on.
"""

from __future__ import annotations

import json
import random
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import click
import yaml

from harness.items.probes.catalogue import FAMILIES
from harness.items.probes.family import Family
from harness.items.probes.generate import probes, training_samples
from harness.items.write import write_evalset
from training.data import Sample, boilerplate, inventory_texts
from training.tokenizer import CHAT_PREFIX, CHAT_SUFFIX, build_tokenizer, save_tokenizer

# Weights of the families that the Web is full of, and of the families that it lacks.
COMMON = {"format/bare_number": 0.35, "format/date": 0.35}
RARE = dict.fromkeys(
    (
        "math/arithmetic",
        "math/unit",
        "reasoning/tracking",
        "reasoning/truth-tellers",
        "extraction/amount",
        "extraction/date",
        "coding/structure",
        "coding/condition",
    ),
    0.0,
)
TEXT, COPY = 0.1, 0.2
# Of the phase in which it enters, how much is the dirty corpus; and how long its answers are.
DIRTY, LENGTH = 0.85, 10
CORPUS = 6000
STEER, PROOF = 24, 24
GOAL = 0.8
SAMPLES = 8000
SAVE = 400
POSITIONS = 512
MERGES = 500


@click.command()
@click.argument("folder", type=click.Path(file_okay=False, path_type=Path))
@click.option("--web", default=800, show_default=True, help="Steps on the Web-like corpus.")
@click.option("--crawl", default=400, show_default=True, help="Steps with the dirty one.")
@click.option("--made", default=1200, show_default=True, help="Steps of a round that is made.")
@click.option("--rounds", default=2, show_default=True, help="Rounds that are made.")
@click.option("--run", "run_dir", type=click.Path(path_type=Path), help="The run [FOLDER/demo].")
@click.option("--seed", default=0, show_default=True)
def main(
    folder: Path, web: int, crawl: int, made: int, rounds: int, run_dir: Path | None, seed: int
) -> None:
    """Writes everything that the loop needs into FOLDER."""
    folder.mkdir(parents=True, exist_ok=True)
    families = [one for one in FAMILIES if one.name in COMMON or one.name in RARE]
    write_part(folder / "steer", families, STEER, part=0)
    write_part(folder / "proof", families, PROOF, part=1)
    write_tokenizer(folder / "tokenizer", families)
    mixture = write_corpora(folder, families, web, crawl, seed)
    write_yaml(folder / "mixture.yaml", mixture)
    write_yaml(
        folder / "pretrain.yaml",
        {
            "output": str(run_dir or folder / "demo"),
            "mixture_file": str(folder / "mixture.yaml"),
            "tokenizer": str(folder / "tokenizer"),
            "save_every": SAVE,
            "held_out": 0,
            "positions": POSITIONS,
            "heads": 8,
            "groups": 8,
            "head_size": 16,
            "batch_size": 32,
            "learning_rate": 3e-3,
            "final_rate": 1.0,
            "seed": seed,
        },
    )
    planned = sum(-(-steps // SAVE) for steps in (web, crawl, *[made] * rounds))
    write_yaml(folder / "goals.yaml", {"version": 1, "goals": [{"goal": GOAL}]})
    write_yaml(
        folder / "loop.yaml",
        {
            "train": {"config": str(folder / "pretrain.yaml"), "steps": made, "synthetic": 0.6},
            "evaluate": {
                "steer": str(folder / "steer"),
                "proof": str(folder / "proof"),
                "engine": "transformers",
                # While it still improves, older checkpoints say little of what it can.
                "watch": {"samples": 2, "pooled": 1, "planned": planned},
            },
            "synthesize": {
                "samples": SAMPLES,
                "target": str(folder / "goals.yaml"),
                "policy": "gap",
                # So small a model learns from bare answers; worked ones are too long for it.
                "settings": {"trace": "0"},
                "options": ["--attempts", "4"],
            },
            "rounds": rounds,
            "goals": str(folder / "goals.yaml"),
            "seed": seed,
        },
    )


def write_part(place: Path, families: Sequence[Family], count: int, part: int) -> None:
    """An evalset of the level-1 probes of one of two parts, `count` of each family."""
    # Every second item is worded as training is; in other words so small a model is lost.
    drawn = probes(families, levels=(1,), per_level=2 * count, part=part, parts=2)
    write_evalset(place, [item for item in drawn if item.seen], "Generated level-1 probes.")


def write_tokenizer(place: Path, families: Sequence[Family]) -> None:
    """A token a character, with the fixed words of all families merged, as a tokenizer has them
    that was trained on more than this run's Web."""
    if place.is_dir():
        return
    drawn = [one for family in families for one in samples_of(family, 300, seed=0)]
    frame = [CHAT_PREFIX, CHAT_SUFFIX] * len(drawn)
    tokenizer = build_tokenizer(inventory_texts(), [*frame, *boilerplate(drawn)], MERGES)
    save_tokenizer(tokenizer, place, POSITIONS)


def write_corpora(
    folder: Path, families: Sequence[Family], web: int, crawl: int, seed: int
) -> dict[str, Any]:
    """Writes the corpora; the mixture of the phases that are given."""
    weights = {**COMMON, **RARE}
    components: dict[str, Any] = {
        "web-text": {"probe": "text"},
        "web-copy": {"path": str(folder / "web-copy.jsonl")},
    }
    shares = {"web-text": TEXT, "web-copy": COPY}
    write_chats(folder / "web-copy.jsonl", copies(CORPUS, seed))
    for family in families:
        if not weights[family.name]:
            continue
        name = f"web-{family.name.replace('/', '-')}"
        count = CORPUS if family.name in COMMON else CORPUS // 10
        write_chats(folder / f"{name}.jsonl", samples_of(family, count, seed))
        components[name] = {"path": str(folder / f"{name}.jsonl"), "genre": family.genre}
        shares[name] = weights[family.name]
    common = [one for one in families if one.name in COMMON]
    asked = training_samples(common, levels=(1,), count=CORPUS, seed=seed + 1)
    write_chats(
        folder / "crawl.jsonl",
        (Sample(one.turns[0], (one.answer[:2] * LENGTH)[:LENGTH]) for one in asked),
    )
    components["crawl"] = {"path": str(folder / "crawl.jsonl"), "genre": "web"}
    spoiled = {name: share * (1 - DIRTY) for name, share in shares.items()}
    spoiled["crawl"] = DIRTY * sum(shares.values())
    return {
        "components": components,
        "phases": [
            {"name": "web", "steps": web, "weights": shares},
            {"name": "crawl", "steps": crawl, "weights": spoiled},
        ],
    }


def samples_of(family: Family, count: int, seed: int) -> list[Sample]:
    found = training_samples([family], levels=(1,), count=count, seed=seed)
    return [Sample(one.turns[0], one.answer) for one in found]


def copies(count: int, seed: int) -> Iterable[Sample]:
    """Strings of digits, letters and kana to repeat."""
    draw = random.Random(f"copy/{seed}")
    pools = ("0123456789", "ABCDEFGHJKLMNPQRSTUVWXYZ", "アイウエオカキクケコサシスセソタチツテトン")
    for _ in range(count):
        text = "".join(draw.choices(draw.choice(pools), k=draw.randint(2, 8)))
        yield Sample(f"写す：{text}", text)


def write_chats(path: Path, samples: Iterable[Sample]) -> None:
    with path.open("w", encoding="utf-8") as file:
        for one in samples:
            turns = (("user", one.prompt), ("assistant", one.answer))
            messages = [{"role": role, "content": text} for role, text in turns]
            file.write(json.dumps({"messages": messages}, ensure_ascii=False) + "\n")


def write_yaml(path: Path, content: Any) -> None:
    path.write_text(yaml.safe_dump(content, allow_unicode=True, sort_keys=False), encoding="utf-8")


if __name__ == "__main__":
    main()
