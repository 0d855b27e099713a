"""Starts pretraining runs as a user does, in processes of their own, and reads what they leave."""

from __future__ import annotations

import contextlib
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

from training.data import component_samples, text_samples
from training.pretrain_config import PretrainConfig

# A model of a few thousand parameters over generated probes.
TINY = (
    *("--samples=60", "--batch-size=8", "--warmup=2", "--merges=50", "--width=16", "--layers=2"),
    *("--heads=2", "--groups=2", "--head-size=8", "--feed-forward=16", "--positions=128"),
    *("--mixture=math/arithmetic=0.5", "--mixture=copy=0.3", "--mixture=text=0.2"),
    *("--held-out=8", "--log-every=1"),
)


def start(
    output: Path, *arguments: str, processes: int = 1, cache: Path | None = None
) -> subprocess.Popen[str]:
    """`python -m training.pretrain --output output ...`, under torchrun for several processes."""
    launcher = ["-m", "torch.distributed.run", "--standalone", f"--nproc-per-node={processes}"]
    several = launcher if processes > 1 else []
    return subprocess.Popen(
        [sys.executable, *several, "-m", "training.pretrain", f"--output={output}", *arguments],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={
            **os.environ,
            "OMP_NUM_THREADS": "1",
            "HF_HUB_OFFLINE": "1",
            "XDG_CACHE_HOME": str(cache or output.parent / "cache"),
        },
        start_new_session=True,
    )


def finish(process: subprocess.Popen[str]) -> tuple[int, str, str]:
    """(exit status, standard output, standard error)"""
    out, err = process.communicate(timeout=570)
    return process.returncode, out, err


def run(output: Path, *arguments: str, processes: int = 1) -> str:
    """A run that succeeds; its standard output."""
    code, out, err = finish(start(output, *arguments, processes=processes))
    assert code == 0, err
    return out


def log(output: Path) -> list[dict[str, Any]]:
    """The lines of a run's log that are whole: a killed process may leave a torn one."""
    found = []
    for line in (output / "training_log.jsonl").read_text(encoding="utf-8").splitlines():
        with contextlib.suppress(ValueError):
            found.append(json.loads(line))
    return found


def losses(output: Path) -> dict[int, float]:
    """The loss of each step; of a step that was repeated, the last."""
    return {line["step"]: line["loss"] for line in log(output) if "loss" in line}


# The same model for runs within the tests' own process.
SIZES: dict[str, Any] = {
    "samples": 60,
    "batch_size": 8,
    "warmup": 2,
    "merges": 50,
    "width": 16,
    "layers": 2,
    "heads": 2,
    "groups": 2,
    "head_size": 8,
    "feed_forward": 16,
    "positions": 128,
    "held_out": 8,
    "log_every": 1,
    "steps": 6,
    "save_every": 2,
    "keep_states": 3,
    "mixture": {"math/arithmetic": 0.5, "copy": 0.3, "text": 0.2},
}


def config(output: Path, **changes: Any) -> PretrainConfig:
    return PretrainConfig(output=output, **{**SIZES, **changes})


def packed(corpora: Path, output: Path, **changes: Any) -> PretrainConfig:
    settings: dict[str, Any] = {
        "mixture_file": corpora / "mixture.yaml",
        "length": 32,
        "save_every": 4,
        "tokenizer": "bpe",
        "vocabulary": 600,
    }
    return config(output, **{**settings, **changes})


def lineage(checkpoint: Path) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((checkpoint / "lineage.json").read_text(encoding="utf-8"))
    return found


def weights(output: Path, step: int) -> bytes:
    return (output / f"step_{step:06d}" / "model.safetensors").read_bytes()


def write_corpora(place: Path) -> Path:
    """Writes web.jsonl of texts, shard.parquet of dialogues in two genres and mixture.yaml."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    lines = [json.dumps({"text": each.answer}) for each in text_samples(400, 1)]
    (place / "web.jsonl").write_text("\n".join(lines) + "\n", encoding="utf-8")
    rows = [
        {
            "messages": [
                {"role": "user", "content": sample.prompt},
                {"role": "assistant", "content": sample.answer},
            ],
            "genre": genre,
        }
        for probe, genre, count in (("math/arithmetic", "math", 150), ("format/copy", "format", 50))
        for sample in component_samples(probe, count=count, level=1, seed=2)
    ]
    pq.write_table(pa.Table.from_pylist(rows), place / "shard.parquet")
    (place / "mixture.yaml").write_text(
        f"""\
components:
  web: {{path: {place}/web.jsonl}}
  talk: {{path: {place}/shard.parquet}}
  lines: {{probe: format/lines}}
phases:
  - {{name: web, tokens: 1536, weights: {{web: 3, lines: 1}}}}
  - {{name: anneal, tokens: 1024, weights: {{web: 1, talk: 1}}}}
  - {{name: synthetic, steps: 2, weights: {{talk: 1}}}}
""",
        encoding="utf-8",
    )
    return place


class Answers:
    """A callback that answers as told, by step, and remembers what it was shown; each answer is
    given once."""

    def __init__(self, answers: dict[int, Any]) -> None:
        self.answers = dict(answers)
        self.shown: list[tuple[str, int, int]] = []

    def __call__(self, path: Path, step: int, tokens: int) -> Any:
        assert (path / "lineage.json").is_file()
        self.shown.append((path.name, step, tokens))
        answer = self.answers.pop(step, "continue")
        return answer() if callable(answer) else answer
