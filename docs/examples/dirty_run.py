"""Makes the data of a run that a dirty corpus spoils for a while: an evalset, chats whose answers
loop, a mixture in three phases and the run's configuration.

    python docs/examples/dirty_run.py runs/dirty
    harness train pretrain runs/dirty/pretrain.yaml
    harness eval runs/dirty/tiger --suite runs/dirty/evalset
    harness import training runs/dirty/tiger
    harness report tiger

What the dirty chats ask is what everyone asks; their answers repeat themselves, as scraped pages
do.
The evalset shares no number and no name with anything that is trained on.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import click
import yaml

from harness.items.probes.catalogue import FAMILIES
from harness.items.probes.generate import probes, training_samples
from harness.items.write import write_evalset

# Share of each family in the clean mixture.
CLEAN = {
    "math/arithmetic": 0.36,
    "extraction/field": 0.12,
    "extraction/changes": 0.08,
    "reasoning/direction": 0.08,
    "reasoning/tracking": 0.08,
    "format/bracket": 0.06,
    "format/times": 0.06,
    "format/lines": 0.06,
    "format/bare_number": 0.06,
}
COPY = 0.04
# Of the dirty phase, how much is dirty.
DIRTY = 0.7
LENGTH = 28


@click.command()
@click.argument("folder", type=click.Path(file_okay=False, path_type=Path))
@click.option("--clean", default=1200, show_default=True, help="Steps before the dirty phase.")
@click.option("--dirty", default=300, show_default=True, help="Steps of it.")
@click.option("--after", default=600, show_default=True, help="Steps of clean data after it.")
@click.option("--save-every", default=150, show_default=True)
@click.option("--seed", default=0, show_default=True)
def main(folder: Path, clean: int, dirty: int, after: int, save_every: int, seed: int) -> None:
    """Writes everything that the run needs into FOLDER."""
    families = [one for one in FAMILIES if one.name in CLEAN]
    found = probes(families, levels=(1,), per_level=24)
    write_evalset(
        folder / "evalset", found, "Evaluation probes of the families that the run is trained on."
    )
    with (folder / "dirty.jsonl").open("w", encoding="utf-8") as file:
        for item in training_samples(families, levels=(1,), count=6000, seed=seed + 1):
            loop = (item.answer[:2] * LENGTH)[:LENGTH]
            turns = [
                {"role": "user", "content": item.turns[0]},
                {"role": "assistant", "content": loop},
            ]
            row = {"genre": "web", "messages": turns}
            file.write(json.dumps(row, ensure_ascii=False) + "\n")
    names = {name: name.replace("/", "-") for name in CLEAN}
    weights = {names[name]: share for name, share in CLEAN.items()} | {"copy": COPY}
    spoiled = {name: share * (1 - DIRTY) for name, share in weights.items()} | {"dirty-web": DIRTY}
    components: dict[str, Any] = {names[name]: {"probe": name} for name in CLEAN}
    components["copy"] = {"probe": "copy"}
    components["dirty-web"] = {"path": str(folder / "dirty.jsonl")}
    mixture = {
        "components": components,
        "phases": [
            {"name": "clean", "steps": clean, "weights": weights},
            {"name": "dirty-web", "steps": dirty, "weights": spoiled},
            {"name": "clean again", "steps": after, "weights": weights},
        ],
    }
    run = {
        "output": str(folder / "tiger"),
        "mixture_file": str(folder / "mixture.yaml"),
        "steps": clean + dirty + after,
        "save_every": save_every,
        "seed": seed,
    }
    for name, content in (("mixture", mixture), ("pretrain", run)):
        text = yaml.safe_dump(content, allow_unicode=True, sort_keys=False)
        (folder / f"{name}.yaml").write_text(text, encoding="utf-8")
    click.echo(f"{folder}: {len(found)} items; harness train pretrain {folder / 'pretrain.yaml'}")


if __name__ == "__main__":
    main()
