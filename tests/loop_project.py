"""A whole loop of a few minutes: two given phases and one made, on a model that learns little."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import yaml

from harness.items.probes.catalogue import FAMILIES
from harness.items.probes.generate import probes
from harness.items.write import write_evalset
from harness.store.loops import StageRow, loop_stages

FAMILY_NAMES = ("math/arithmetic", "extraction/field", "reasoning/direction", "format/bracket")


def write_project(folder: Path, **changes: Any) -> Path:
    """Everything that a loop needs, and its loop.yaml, whose settings `changes` replace. Paths are
    relative: it is run in the folder."""
    families = [one for one in FAMILIES if one.name in FAMILY_NAMES]
    items = probes(families, levels=(1,), per_level=20)
    for name, part in (("steer", items[::2]), ("proof", items[1::2])):
        write_evalset(folder / name, part, "Probes.")
    components = {
        "bracket": {"probe": "format/bracket"},
        "field": {"probe": "extraction/field"},
        "copy": {"probe": "copy"},
    }
    files: dict[str, Any] = {
        "mixture.yaml": {
            "components": components,
            "phases": [
                {"name": "web", "steps": 30, "weights": {"bracket": 0.6, "copy": 0.4}},
                {"name": "more", "steps": 20, "weights": {"bracket": 0.3, "field": 0.7}},
            ],
        },
        "pretrain.yaml": {
            "output": "runs/tiny",
            "mixture_file": "mixture.yaml",
            "save_every": 10,
            "final_rate": 1.0,
            "warmup": 10,
            "samples": 300,
        },
        "goals.yaml": {"version": 1, "goals": [{"goal": 0.9}]},
        "loop.yaml": {
            "train": {"config": "pretrain.yaml", "steps": 20},
            "evaluate": {
                "steer": "steer",
                "proof": "proof",
                "engine": "transformers",
                "watch": {"samples": 2, "planned": 8},
            },
            "synthesize": {"samples": 200, "target": "goals.yaml"},
            "rounds": 1,
        }
        | changes,
    }
    for name, content in files.items():
        (folder / name).write_text(yaml.safe_dump(content, sort_keys=False), encoding="utf-8")
    return folder / "loop.yaml"


def start(loop: Path, **streams: Any) -> subprocess.Popen[bytes]:
    """`harness loop` on a project, its store beside it."""
    return subprocess.Popen(
        [sys.executable, "-m", "harness.cli.main", "loop", loop.name],
        cwd=loop.parent,
        env={
            **os.environ,
            "HARNESS_STORE": str(loop.parent / "results.duckdb"),
            "OMP_NUM_THREADS": "1",
            "PYTHONPATH": os.pathsep.join(filter(None, [str(Path.cwd()), *sys.path])),
        },
        **streams,
    )


def outcome(loop: Path) -> list[tuple[Any, ...]]:
    """A loop's record without what says when, how long and where."""
    folder = str(loop.parent)
    return [
        (
            row.number,
            row.round,
            row.phase,
            row.stage,
            json.loads(json.dumps(row.inputs).replace(folder, "")),
            json.loads(json.dumps(row.outputs).replace(folder, "")),
        )
        for row in record(loop)
    ]


def record(loop: Path) -> list[StageRow]:
    return loop_stages(loop.parent / "results.duckdb", "tiny")
