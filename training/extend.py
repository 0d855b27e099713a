"""A run that goes on with another plan: what is trained stays as it is, what comes may change.

A run's phases may be replaced after the step that it has reached, and more may follow: `claim_run`
says whether they may. `roll_back` first takes it back to an earlier step.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from harness.errors import HarnessError
from training.run_directory import checkpoints, claim, put_checkpoints_aside, step_of

SETTINGS = "pretrain.json"
# Settings that the mixture of a file takes the place of.
_MIXTURE = "mixture"


def claim_run(output: Path, settings: Mapping[str, Any]) -> None:
    """As `run_directory.claim`, but a run may get other phases after the step it has reached.

    Raises HarnessError as `claim` does, saying why it may not.
    """
    from training.megatron_state import read_position, saved_states
    from training.run_data import read_rollbacks

    path = output / SETTINGS
    if path.is_file():
        earlier = json.loads(path.read_text(encoding="utf-8"))
        states = saved_states(output / "megatron")
        same = all(earlier.get(name, value) == value for name, value in settings.items())
        if not same and states and not read_rollbacks(output):
            if why := may_extend(earlier, settings, read_position(states[-1]).step):
                raise HarnessError(
                    f"{path} belongs to a run with {why}; repeat its settings to continue it or "
                    "choose another --output"
                )
            partial = path.with_suffix(".partial")
            partial.write_text(json.dumps(settings, ensure_ascii=False, indent=2), "utf-8")
            partial.replace(path)
    claim(output, settings, SETTINGS)


def may_extend(earlier: Mapping[str, Any], now: Mapping[str, Any], steps: int) -> str:
    """What keeps a run under the settings `earlier`, which has trained for `steps`, from going on
    under `now`, as in "a run with ..."; "" where nothing does.

    Both hold their phases' lengths in steps (`phase_steps`). All but the mixture must be equal, the
    phases up to `steps` too, and the components that they weigh. The learning rate must not depend
    on how long the run is: `final_rate` is 1.
    """
    for name, value in now.items():
        # What an earlier version did not know had its default.
        if name not in (_MIXTURE, "phase_steps") and name in earlier and earlier[name] != value:
            return f"{name} {earlier[name]}, not {value}"
    if (
        "phase_steps" not in earlier
        or "phases" not in earlier[_MIXTURE]
        or "phases" not in now[_MIXTURE]
    ):
        return "another mixture, not one of a file with phases, which may be extended"
    if now["final_rate"] != 1:
        return (
            "its learning rate falls with the steps left; only with final_rate 1 it may be longer"
        )
    before, after = _trained(earlier, steps), _trained(now, steps)
    if before != after:
        return f"other phases in its first {steps} steps: {before}, not {after}"
    parts = [settings[_MIXTURE]["components"] for settings in (earlier, now)]
    for name in {name for _, weights, _ in before for name in weights}:
        if parts[0][name] != parts[1].get(name):
            return f"another component {name}: {parts[0][name]}, not {parts[1].get(name)}"
    return ""


def _trained(settings: Mapping[str, Any], steps: int) -> list[tuple[str, dict[str, float], int]]:
    """(phase, weights, steps) of what was trained in the first `steps`."""
    found, at = [], 0
    lengths = settings["phase_steps"]
    for phase, length in zip(settings[_MIXTURE]["phases"], lengths, strict=True):
        count = min(length, steps - at)
        if count > 0:
            found.append((phase["name"], phase["weights"], count))
        at += length
    return found


def roll_back(output: Path, step: int, name: str) -> None:
    """Takes a run that is not under way back to `step`: later checkpoints move to
    `rolled_back/NAME`, and later states are removed. Where it was killed, it is done again.

    Raises HarnessError where no state of that step is kept.
    """
    from training.megatron_state import state_path
    from training.training_log import append_line

    if not state_path(output / "megatron", step).is_dir():
        raise HarnessError(
            f"{output}: cannot go back to step {step}, whose state is no longer kept; raise "
            "keep_states"
        )
    if any(step_of(path) > step for path in checkpoints(output)):
        append_line(output, {"step": step, "event": f"rollback to step {step}"})
    put_aside(output, step, name)


def put_aside(output: Path, step: int, name: str) -> None:
    """Moves the checkpoints after `step` into `rolled_back/NAME`, and drops the states."""
    from training.megatron_state import saved_states, state_path

    put_checkpoints_aside(output, step, name)
    for state in saved_states(output / "megatron"):
        if state.name > state_path(output / "megatron", step).name:
            shutil.rmtree(state)
