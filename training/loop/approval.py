"""A person's yes or no to a round's training, kept beside its mixture."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from harness.errors import HarnessError
from training.loop.config import Loop
from training.loop.state import Round

_FILE = "approval.json"


def read_answer(loop: Loop, now: Round, mixture: str) -> dict[str, Any] | None:
    """{"approved", "by"} for this very mixture; None where nobody has answered."""
    path = loop.round_home(now.number) / _FILE
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return None
    except ValueError:
        raise HarnessError(f"{path}: not readable; remove it and answer again") from None
    if found["mixture"] != mixture:
        return None
    return {"approved": bool(found["approved"]), "by": str(found["by"])}


def write_answer(loop: Loop, now: Round, mixture: str, *, approved: bool, by: str) -> Path:
    """Answers a round that waits."""
    path = loop.round_home(now.number) / _FILE
    partial = path.with_suffix(".partial")
    answer = {"approved": approved, "by": by, "mixture": mixture}
    partial.write_text(json.dumps(answer, ensure_ascii=False) + "\n", encoding="utf-8")
    partial.replace(path)
    return path
