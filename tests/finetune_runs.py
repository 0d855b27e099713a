"""Small chats, pairs and configurations for the tests of fine-tuning."""

from __future__ import annotations

import json
import os
import random
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import yaml


def write_jsonl(path: Path, rows: Sequence[dict[str, Any]]) -> Path:
    path.write_text(
        "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows), encoding="utf-8"
    )
    return path


def chat(question: str, answer: str, **more: Any) -> dict[str, Any]:
    turns = [{"role": "user", "content": question}, {"role": "assistant", "content": answer}]
    return {"messages": turns, **more}


def sums(path: Path, count: int = 48) -> Path:
    """Sums of two digits, half of them called writing."""
    draw = random.Random(0)
    pairs = [(draw.randint(0, 9), draw.randint(0, 9)) for _ in range(count)]
    genres = ("math", "writing")
    return write_jsonl(
        path,
        [chat(f"{a}+{b}", str(a + b), genre=genres[n % 2]) for n, (a, b) in enumerate(pairs)],
    )


def preferences(path: Path, count: int = 24) -> Path:
    """Sums of two digits with a right answer before a wrong one."""
    draw = random.Random(1)
    rows = []
    for _ in range(count):
        a, b = draw.randint(0, 9), draw.randint(0, 9)
        answer = [{"role": "assistant", "content": str(a + b + wrong)} for wrong in (0, 1)]
        question = [{"role": "user", "content": f"{a}+{b}"}]
        rows.append({"prompt": question, "chosen": [answer[0]], "rejected": [answer[1]]})
    return write_jsonl(path, rows)


def write_config(path: Path, **settings: Any) -> Path:
    def plain(value: Any) -> Any:
        return str(value) if isinstance(value, Path) else value

    path.write_text(yaml.safe_dump({name: plain(one) for name, one in settings.items()}))
    return path


def start_harness(*arguments: str | Path, cwd: Path, **options: Any) -> subprocess.Popen[str]:
    """Starts the command line in a process group of its own."""
    root = Path(__file__).parent.parent
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "HF_HUB_OFFLINE": "1"}
    environment |= {"PYTHONPATH": str(root), "HARNESS_STORE": str(cwd / "results.duckdb")}
    return subprocess.Popen(
        [sys.executable, "-m", "harness.cli.main", *map(str, arguments)],
        cwd=cwd,
        env=environment | options.pop("env", {}),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
        **options,
    )


def run_harness(*arguments: str | Path, cwd: Path, **options: Any) -> tuple[int, str, str]:
    process = start_harness(*arguments, cwd=cwd, **options)
    out, err = process.communicate(timeout=400)
    return process.returncode, out, err


def losses(run: Path) -> dict[int, float]:
    """Training loss by step, as the log has it after resuming."""
    from harness.import_training import NAME, read_log

    curves, _ = read_log(run / NAME, run.name)
    return {line.step: line.loss for line in curves.lines if line.loss is not None}
