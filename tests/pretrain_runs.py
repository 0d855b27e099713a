"""Starts pretraining runs as a user does, in processes of their own, and reads what they leave."""

from __future__ import annotations

import contextlib
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

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
