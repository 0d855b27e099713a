"""A training run's directory: whose run it is, and its checkpoints, each complete or absent."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from harness.errors import HarnessError

ASIDE = "rolled_back"
_BACK = "rolled_back.json"


@dataclass(frozen=True)
class PutAside:
    """What a run was taken back from.

    branch  of these checkpoints, under the run's directory: rolled_back/NAME
    step    that the run was taken back to
    """

    branch: str
    step: int
    checkpoints: tuple[Path, ...]


def checkpoint_path(output: Path, step: int) -> Path:
    return output / f"step_{step:06d}"


def checkpoints(output: Path) -> list[Path]:
    """The complete checkpoints of a run, by step."""
    return sorted((path for path in output.glob("step_[0-9]*") if path.is_dir()), key=step_of)


def step_of(checkpoint: Path) -> int:
    """The step that a checkpoint's name tells; from a million on it is longer than the others."""
    return int(checkpoint.name.removeprefix("step_"))


def put_checkpoints_aside(output: Path, step: int, name: str) -> None:
    """Moves the checkpoints after `step` into `rolled_back/NAME`. Where it was killed, it is done
    again."""
    aside = output / ASIDE / name
    aside.mkdir(parents=True, exist_ok=True)
    (aside / _BACK).write_text(json.dumps({"to_step": step}), encoding="utf-8")
    for path in checkpoints(output):
        if step_of(path) > step:
            path.rename(aside / path.name)


def all_put_aside(output: Path) -> list[PutAside]:
    """What was put aside of a run, by branch."""
    return [
        PutAside(
            f"{ASIDE}/{told.parent.name}",
            json.loads(told.read_text(encoding="utf-8"))["to_step"],
            tuple(checkpoints(told.parent)),
        )
        for told in sorted((output / ASIDE).glob(f"*/{_BACK}"))
    ]


def claim(output: Path, settings: Mapping[str, Any], name: str = "pretrain.json") -> None:
    """Writes a new run's settings to the file `name`, or checks that they are those of the run
    that is already there. Raises HarnessError when they differ."""
    path = output / name
    if path.is_file():
        earlier = json.loads(path.read_text(encoding="utf-8"))
        for name, value in settings.items():
            # What an earlier version did not know had its default.
            if name in earlier and earlier[name] != value:
                raise HarnessError(
                    f"{path} belongs to a run with {name} {earlier[name]}, not {value}; "
                    "repeat its settings to continue it or choose another --output"
                )
        return
    if checkpoints(output):
        raise HarnessError(
            f"{output} holds checkpoints but no {name}, so whose they are is unknown; "
            "choose another --output"
        )
    output.mkdir(parents=True, exist_ok=True)
    partial = path.with_suffix(".partial")
    partial.write_text(json.dumps(settings, ensure_ascii=False, indent=2), encoding="utf-8")
    partial.replace(path)


def publish(
    output: Path,
    step: int,
    *,
    tokens_seen: int,
    mixture: Mapping[str, float],
    learning_rate: float | None = None,
    phase: str | None = None,
    base: str | None = None,
    shards: Mapping[str, str] | None = None,
    tokens: Mapping[str, Mapping[str, int]] | None = None,
    write: Callable[[Path], None],
) -> None:
    """Adds the checkpoint of `step` with its lineage; `write` puts its files into a directory.

    base    fingerprint of the checkpoint that the run started from: the first one's parent
    shards  SHA-256 (hex) of the files behind each name in the mixture
    tokens  what was learned from, by phase and by part (component, tab, genre)

    A checkpoint that is already there stays: a resumed run repeats the same steps, and somebody
    may have evaluated it.
    """
    final = checkpoint_path(output, step)
    if final.is_dir():
        return
    partial = output / f".partial_{final.name}"
    shutil.rmtree(partial, ignore_errors=True)
    partial.mkdir(parents=True)
    write(partial)
    lineage = {
        "run": output.name,
        "step": step,
        "tokens_seen": tokens_seen,
        "parent": _parent(output, final) or base,
        "mixture": dict(mixture),
        **({} if learning_rate is None else {"learning_rate": learning_rate}),
        **({} if phase is None else {"phase": phase}),
        **({} if shards is None else {"shards": dict(shards)}),
        **({} if tokens is None else _accounts(tokens)),
    }
    (partial / "lineage.json").write_text(
        json.dumps(lineage, ensure_ascii=False, indent=2) + "\n", encoding="utf-8"
    )
    partial.rename(final)


def _accounts(tokens: Mapping[str, Mapping[str, int]]) -> dict[str, Any]:
    """Tokens by component and genre over the whole run, and by component in each phase."""
    components: dict[str, int] = {}
    genres: dict[str, int] = {}
    phases: dict[str, dict[str, int]] = {}
    for phase, parts in tokens.items():
        for part, count in parts.items():
            component, _, genre = part.partition("\t")
            components[component] = components.get(component, 0) + count
            genres[genre] = genres.get(genre, 0) + count
            phases.setdefault(phase, {}).setdefault(component, 0)
            phases[phase][component] += count
    return {
        "component_tokens": components,
        "genre_tokens": genres,
        **({"phase_tokens": phases} if set(phases) != {""} else {}),
    }


def _parent(output: Path, checkpoint: Path) -> str | None:
    """Fingerprint of the checkpoint before this one, None for the first."""
    earlier = [path for path in checkpoints(output) if path < checkpoint]
    if not earlier:
        return None
    from harness.checkpoint import discover

    return discover(str(earlier[-1]))[0].fingerprint
