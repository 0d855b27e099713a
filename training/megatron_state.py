"""A run's saved states: weights, optimizer and position, each complete or absent.

`RUN/megatron/iter_0000300` is one of Megatron's distributed checkpoints, whose tensors are whole
whatever the number of processes, with `position.json` and `architecture.json` beside them. A state
is written into `partial_0000300` and renamed when every process has written its part.
"""

from __future__ import annotations

import contextlib
import dataclasses
import shutil
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec

from harness.errors import HarnessError
from training.architecture import Architecture, write_architecture
from training.health import Recent

if TYPE_CHECKING:
    from training.megatron_model import Training

POSITION = "position.json"
# How the distributed optimizer is saved on GPUs, so that any number of processes can load it.
_CONTENT = {"distrib_optim_sharding_type": "fully_reshardable"}


@dataclass(frozen=True)
class Position:
    """Where a run is.

    step           optimizer steps done
    tokens_seen    that these weights have learned from
    seen           of them, those of each part in each phase
    phase          the current one;  mixture: its shares
    learning_rate  of the last step
    recent         the last losses and gradient norms
    """

    step: int = 0
    tokens_seen: int = 0
    seen: Mapping[str, Mapping[str, int]] = field(default_factory=dict)
    phase: str = ""
    mixture: Mapping[str, float] = field(default_factory=dict)
    learning_rate: float = 0.0
    recent: Recent = field(default_factory=Recent)

    def after(
        self, seen: Mapping[str, int], phase: str, mixture: Mapping[str, float], rate: float
    ) -> Position:
        """One step later."""
        before = self.seen.get(phase, {})
        added = {name: before.get(name, 0) + seen.get(name, 0) for name in {**before, **seen}}
        return dataclasses.replace(
            self,
            step=self.step + 1,
            tokens_seen=self.tokens_seen + sum(seen.values()),
            seen={**self.seen, phase: added},
            phase=phase,
            mixture=mixture,
            learning_rate=rate,
        )


def state_path(directory: Path, step: int) -> Path:
    return directory / f"iter_{step:07d}"


def saved_states(directory: Path) -> list[Path]:
    """The complete states of a run, by step."""
    return sorted(directory.glob("iter_*"))


def read_position(state: Path) -> Position:
    """Where a saved state is. Raises HarnessError where it does not say so."""
    path = state / POSITION
    try:
        return msgspec.json.decode(path.read_bytes(), type=Position)
    except (OSError, msgspec.DecodeError) as error:
        raise HarnessError(
            f"{path} cannot be read ({error}); remove {state} to continue from an earlier state"
        ) from None


class StateKeeper:
    """Saves states into `directory` and keeps the last `keep` of them; called by every process.

    With `asynchronous` a helper process writes while training goes on; `finished` says what has
    been completed since it was last asked.
    """

    def __init__(
        self, directory: Path, architecture: Architecture, keep: int, asynchronous: bool
    ) -> None:
        from megatron.core.dist_checkpointing.strategies.async_utils import AsyncCallsQueue

        self.directory = directory
        self.architecture = architecture
        self.keep = keep
        self.asynchronous = asynchronous
        self._queue = AsyncCallsQueue()
        self._finished: list[Path] = []

    def save(self, training: Training, position: Position) -> None:
        """Saves, or begins to. The first save of a process starts Megatron's result queue in a
        spawned helper (about two seconds); later ones of a small model take a fraction of a second.

        Raises HarnessError where it cannot be written; nothing that looks complete is left.
        """
        import torch
        from megatron.core import dist_checkpointing

        partial = self.directory / f"partial_{position.step:07d}"
        with saving(f"the state of step {position.step}", self.directory):
            self._queue.maybe_finalize_async_calls(blocking=True)
            if torch.distributed.get_rank() == 0:
                shutil.rmtree(partial, ignore_errors=True)
                partial.mkdir(parents=True)
            torch.distributed.barrier()
            request = dist_checkpointing.save(
                _sharded(training, loading=False),
                str(partial),
                async_sharded_save=self.asynchronous,
                content_metadata=_CONTENT,
            )
            if request is not None:
                request.add_finalize_fn(lambda: self._complete(partial, position))
                self._queue.schedule_async_request(request)
                return
            torch.distributed.barrier()
            self._complete(partial, position)

    def finished(self, wait: bool = False) -> list[Path]:
        """States that were completed since the last call, by every process; with `wait` also those
        still being written."""
        if self.asynchronous:
            with saving("a state", self.directory):
                self._queue.maybe_finalize_async_calls(blocking=wait)
        done, self._finished = self._finished, []
        return done

    def _complete(self, partial: Path, position: Position) -> None:
        import torch

        final = partial.with_name(partial.name.replace("partial", "iter"))
        if torch.distributed.get_rank() == 0:
            (partial / POSITION).write_bytes(msgspec.json.encode(position))
            write_architecture(self.architecture, partial)
            shutil.rmtree(final, ignore_errors=True)
            partial.rename(final)
            kept = saved_states(self.directory)[-self.keep :]
            for other in self.directory.iterdir():
                if other not in kept:
                    shutil.rmtree(other)
        torch.distributed.barrier()
        self._finished.append(final)


@contextlib.contextmanager
def saving(what: str, states: Path) -> Iterator[None]:
    """Turns whatever a save raises into one sentence: the writers wrap the disk's own error, and
    PyTorch's is no `Exception`."""
    from torch.distributed.checkpoint.api import CheckpointException

    try:
        yield
    except HarnessError:
        raise
    except (Exception, CheckpointException) as error:
        found = saved_states(states)
        left = f"the last complete state is {found[-1]}" if found else "no state is complete yet"
        reason = (str(error).strip() or type(error).__name__).splitlines()[-1]
        raise HarnessError(
            f"{what} could not be saved in {states.parent} ({reason}); {left}: free space there "
            "and repeat the command"
        ) from error


def load_state(state: Path, training: Training) -> Position:
    """Restores a saved state, whatever the number of processes that wrote it."""
    from megatron.core import dist_checkpointing

    position = read_position(state)
    loaded = dist_checkpointing.load(_sharded(training, loading=True), str(state))
    _load_weights(training, loaded["model"])
    training.optimizer.load_state_dict(loaded["optimizer"])
    training.scheduler.num_steps = 0
    training.scheduler.step(increment=position.step)
    return position


def load_weights(state: Path, training: Training) -> None:
    """Takes up the weights of a state without its optimizer: a run's beginning."""
    from megatron.core import dist_checkpointing

    loaded = dist_checkpointing.load({"model": _model(training)}, str(state))
    _load_weights(training, loaded["model"])
    # On GPUs the optimizer holds float32 copies of the weights.
    training.optimizer.reload_model_params()


def _load_weights(training: Training, tensors: Mapping[str, Any]) -> None:
    missing, unexpected = training.model.load_state_dict(tensors, strict=False)
    wrong = [name for name in (*missing, *unexpected) if "_extra_state" not in name]
    if wrong:
        raise HarnessError(
            f"the saved state does not fit the model ({', '.join(wrong[:3])}); start with the "
            "settings it was saved with"
        )


def _model(training: Training) -> dict[str, Any]:
    """The model's sharded state without Transformer Engine's extras, which only fp8 needs."""
    return {
        name: tensor
        for name, tensor in training.model.sharded_state_dict().items()
        if "_extra_state" not in name
    }


def _sharded(training: Training, loading: bool) -> dict[str, Any]:
    model = _model(training)
    optimizer = training.optimizer.sharded_state_dict(model, is_loading=loading, metadata=_CONTENT)
    return {"model": model, "optimizer": optimizer}
