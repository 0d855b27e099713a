"""Writes `training_log.jsonl`: one JSON object a line, appended as the run goes.

    {"step": 40, "tokens_seen": 81920, "loss": 2.1, "grad_norm": 0.8, "learning_rate": 1e-5,
     "tokens_per_second": 5300.0, "mfu": null, "phase": "sft"}
    {"step": 40, "genre_losses": {"math": 0.4, "writing": 2.2}}
    {"step": 60, "event": "rollback to step 40"}

Lines are only ever added. Neighbouring lines of one step are read together. A line of an earlier
step than the line before it takes back what was said of that step and later ones: the run was
resumed or rolled back. `harness.import_training` reads it.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any, BinaryIO

NAME = "training_log.jsonl"


def append_line(run: Path, line: Mapping[str, Any]) -> None:
    """Adds one line, without the entries that are None."""
    known = {name: value for name, value in line.items() if value is not None}
    text = json.dumps(known, ensure_ascii=False, allow_nan=False) + "\n"
    with (run / NAME).open("ab+") as file:
        if file.tell() and not _ends_a_line(file):
            text = "\n" + text  # the line before was torn when its process was killed
        file.write(text.encode())


def _ends_a_line(file: BinaryIO) -> bool:
    file.seek(-1, 2)
    return file.read(1) == b"\n"
