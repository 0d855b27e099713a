"""What a fine-tuning run does at each step, log line and save, as one callback of its trainer."""

from __future__ import annotations

import math
import shutil
import signal
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

# The library demands a subclass of its own; whoever imports this module is about to train.
from transformers import TrainerCallback

from harness.errors import HarnessError
from training.hook import CONTINUE, Decision, Hook, name_of
from training.run_directory import checkpoint_path, publish, put_checkpoints_aside
from training.training_log import append_line

# Inside a trainer's own checkpoint: it was written to its end.
COMPLETE = "harness_complete"


@dataclass(frozen=True)
class Origin:
    """What every checkpoint of a run says of where it comes from.

    base  fingerprint of the checkpoint that the run starts from;  phase: sft or dpo
    """

    base: str
    phase: str
    mixture: Mapping[str, float]
    shards: Mapping[str, str]


def states(directory: Path) -> list[tuple[int, Path]]:
    """(step, directory) of the trainer's complete states, by step."""
    return sorted(
        (int(path.name.rpartition("-")[2]), path)
        for path in directory.glob("checkpoint-*")
        if (path / COMPLETE).is_file()
    )


class RunKeeper(TrainerCallback):  # type: ignore[misc]
    """Publishes checkpoints with lineage, writes training_log.jsonl, asks hooks, and stops the run
    on SIGTERM, on a loss that is no number, and when a hook says so.

    save      writes the model that the trainer holds into a directory; called by every process,
              acts in the first
    decision  what a hook decided last, or CONTINUE;  stopped: why the run ended early, or ""
    """

    def __init__(
        self,
        output: Path,
        origin: Origin,
        save_every: int,
        save: Callable[[], Callable[[Path], None]],
        hooks: Sequence[Hook],
        report: Callable[[int, float], None],
        flops_per_token: float,
        peak: float | None,
    ) -> None:
        self.output = output
        self.origin = origin
        self.save_every = save_every
        self.save = save
        self.hooks = hooks
        self.report = report
        self.flops_per_token = flops_per_token
        self.peak = peak
        self.decision: Decision = CONTINUE
        self.stopped = ""
        self.learning_rate: float | None = None
        self._asked_to_stop = threading.Event()
        self._clock: tuple[float, int] | None = None

    @contextmanager
    def catching_sigterm(self) -> Iterator[None]:
        """While open, SIGTERM ends the run after the step in hand, with its state saved."""
        if threading.current_thread() is not threading.main_thread():
            yield
            return
        before = signal.signal(signal.SIGTERM, lambda *_: self._asked_to_stop.set())
        try:
            yield
        finally:
            signal.signal(signal.SIGTERM, before)

    def on_train_begin(self, args: Any, state: Any, control: Any, **_: Any) -> None:
        self._clock = (time.monotonic(), state.num_input_tokens_seen)
        if state.global_step:
            # Killed between the state and its checkpoint: the state is enough to write it.
            self._publish(state)

    def on_step_end(self, args: Any, state: Any, control: Any, **_: Any) -> None:
        if self._any(self._asked_to_stop.is_set()):
            self.stopped = f"SIGTERM at step {state.global_step}"
            control.should_save = True
            control.should_training_stop = True

    def on_log(
        self, args: Any, state: Any, control: Any, logs: dict[str, Any] | None = None, **_: Any
    ) -> None:
        logs = logs or {}
        held_out = {
            name.removeprefix("eval_").removesuffix("_loss"): float(value)
            for name, value in logs.items()
            if name.startswith("eval_") and name.endswith("_loss")
        }
        if held_out:
            self._append({"step": state.global_step, "genre_losses": held_out}, state)
        if "loss" not in logs:
            return
        loss, norm = float(logs["loss"]), float(logs.get("grad_norm", math.nan))
        self.learning_rate = logs.get("learning_rate")
        speed = self._speed(state.num_input_tokens_seen)
        line = {
            "step": state.global_step,
            "tokens_seen": state.num_input_tokens_seen,
            "loss": loss,
            "grad_norm": norm if math.isfinite(norm) else None,
            "learning_rate": self.learning_rate,
            "tokens_per_second": speed,
            "mfu": speed * self.flops_per_token / self.peak if speed and self.peak else None,
            "phase": self.origin.phase,
        }
        if not math.isfinite(loss):
            self._append({**line, "loss": None, "event": f"loss {loss}"}, state)
            raise HarnessError(
                f"{self.output}: the loss became {loss} at step {state.global_step}; nothing was "
                "saved after the step before. Lower learning_rate or look at the samples, then "
                "start with another output"
            )
        self._append(line, state)
        self.report(state.global_step, loss)

    def on_save(self, args: Any, state: Any, control: Any, **_: Any) -> None:
        if state.is_world_process_zero:
            directory = Path(args.output_dir) / f"checkpoint-{state.global_step}"
            (directory / COMPLETE).touch()
        path = self._publish(state)
        if path is not None and self.hooks:
            self._decide(path, state, control)

    def _publish(self, state: Any) -> Path | None:
        """The published checkpoint of this step; None where the run saves for resuming alone."""
        step = state.global_step
        if step % self.save_every and step < state.max_steps:
            return None
        write = self.save()
        if state.is_world_process_zero:
            publish(
                self.output,
                step,
                tokens_seen=state.num_input_tokens_seen,
                mixture=self.origin.mixture,
                learning_rate=self.learning_rate,
                phase=self.origin.phase,
                base=self.origin.base,
                shards=self.origin.shards,
                write=write,
            )
        return checkpoint_path(self.output, step)

    def _decide(self, path: Path, state: Any, control: Any) -> None:
        decision: Decision = CONTINUE
        if state.is_world_process_zero:
            for hook in self.hooks:
                asked = hook(path, state.global_step, state.num_input_tokens_seen)
                decision = decision if asked == CONTINUE else asked
        decision = from_first(decision)
        if decision != CONTINUE:
            self.decision = decision
            self.stopped = f"{name_of(decision)} at step {state.global_step}"
            self._append({"step": state.global_step, "event": name_of(decision)}, state)
            control.should_training_stop = True

    def _append(self, line: Mapping[str, Any], state: Any) -> None:
        if state.is_world_process_zero:
            append_line(self.output, line)

    def _speed(self, tokens: int) -> float | None:
        """Tokens a second since the last line, over all processes."""
        now = time.monotonic()
        before, self._clock = self._clock, (now, tokens)
        if before is None or now <= before[0]:
            return None
        return (tokens - before[1]) / (now - before[0])

    def _any(self, flag: bool) -> bool:
        """Whether any process has the flag: all must stop after the same step."""
        import torch.distributed as dist

        if not (dist.is_available() and dist.is_initialized()):
            return flag
        import torch

        device = "cuda" if dist.get_backend() == "nccl" else "cpu"
        seen = torch.tensor(int(flag), device=device)
        dist.all_reduce(seen, dist.ReduceOp.MAX)
        return bool(seen.item())


def from_first(decision: Decision) -> Decision:
    """The first process's decision, in every process."""
    import torch.distributed as dist

    if not (dist.is_available() and dist.is_initialized()):
        return decision
    box: list[Any] = [decision]
    dist.broadcast_object_list(box, src=0)
    found: Decision = box[0]
    return found


def roll_back(output: Path, step: int) -> int:
    """Puts the checkpoints and states after `step` aside, into `rolled_back/NUMBER/`, and answers
    how often the run has been rolled back. Raises HarnessError where the state of `step` is gone.
    """
    trainer = output / "trainer"
    # Step 0 is the start itself, which needs no state.
    if step and step not in dict(states(trainer)):
        raise HarnessError(
            f"{output}: cannot roll back to step {step}, its optimizer state is no longer there; "
            "raise keep_states"
        )
    number = rollbacks(output) + 1
    put_checkpoints_aside(output, step, str(number))
    for late, path in states(trainer):
        if late > step:
            shutil.rmtree(path)
    return number


def rollbacks(output: Path) -> int:
    """How often a run has been rolled back."""
    return len(list((output / "rolled_back").glob("*"))) if output.is_dir() else 0
