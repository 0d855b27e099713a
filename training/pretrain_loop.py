"""The loop of a pretraining run: step, watch, save, publish, ask, and go on or back."""

from __future__ import annotations

import dataclasses
import math
import shutil
import threading
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from harness.errors import HarnessError
from training.extend import put_aside
from training.health import Recent
from training.hook import CONTINUE
from training.megatron_state import (
    Position,
    StateKeeper,
    load_state,
    load_weights,
    read_position,
    saved_states,
    saving,
    state_path,
)
from training.megatron_step import evaluate_loss, train_step
from training.mixture import Rollback
from training.planning import peak_flops, training_flops_per_token
from training.pretrain_config import PretrainConfig, schedule_of
from training.progress import training_progress
from training.run_data import RunData, write_rollbacks
from training.run_directory import checkpoint_path, publish
from training.stream import Share
from training.training_log import append_line

if TYPE_CHECKING:
    from training.megatron_model import Training

Callback = Callable[[Path, int, int], Any]


def train(
    config: PretrainConfig,
    data: RunData,
    callbacks: Sequence[Callback],
    stopping: threading.Event,
) -> int | None:
    """Trains to the end, in every process. Returns the step at which SIGTERM ended it, if it did.
    Wants an open process group."""
    return _Run(config, data, callbacks, stopping).train()


class _Run:
    """One process's part of a run under way."""

    def __init__(
        self,
        config: PretrainConfig,
        data: RunData,
        callbacks: Sequence[Callback],
        stopping: threading.Event,
    ) -> None:
        import torch
        from megatron.core import parallel_state

        from training.megatron_model import build_model, prepare

        self.config = config
        self.data = data
        self.callbacks = callbacks
        self.stopping = stopping
        self.first = torch.distributed.get_rank() == 0
        self.share = Share(
            parallel_state.get_data_parallel_rank(), parallel_state.get_data_parallel_world_size()
        )
        torch.manual_seed(config.seed)
        model = build_model(
            data.shape,
            config.init_std,
            config.parallelism,
            engine=config.engine,
            balance=config.balance,
            recompute=config.recompute,
            variable_lengths=not config.length and config.pipeline > 1,
        )
        self.training: Training = prepare(
            model, schedule_of(config, data.total), overlap=config.overlap
        )
        self.states = config.output / "megatron"
        self.keeper = StateKeeper(self.states, data.shape, config.keep_states, config.async_save)
        self.base, self.shards = self._origin()
        self.position = self._take_up()
        self.held_out = data.held_out()
        self.clock = (time.monotonic(), self.position.tokens_seen)
        self.peak = peak_flops(torch.distributed.get_world_size())

    def train(self) -> int | None:
        config, total = self.config, self.data.total
        batches = self.data.batches(self.position.step, self.share)
        name = f"pretrain {config.output.name}"
        with training_progress(name, total, self.position.step, enabled=self.first) as report:
            while self.position.step < total:
                stopped, loss = self._step(next(batches))
                step = self.position.step
                report(step, loss)
                saved = step % config.save_every == 0 or step == total
                if saved:
                    self._measure()
                if saved or stopped:
                    self.keeper.save(self.training, self.position)
                decision = self._publish_finished(wait=stopped or step == total)
                if stopped:
                    self._log({"event": "SIGTERM"})
                    return step
                if decision[0] == "stop":
                    self._log({"event": "stop"})
                    self._publish_finished(wait=True)
                    break
                if decision[0] == "rollback":
                    skip = tuple(decision[2]) if len(decision) > 2 else ()
                    self._roll_back(Rollback(step, decision[1], skip))
                    batches = self.data.batches(self.position.step, self.share)
        return None

    def _step(self, batch: Any) -> tuple[bool, float]:
        """One optimizer step, with its lines of the log. (whether SIGTERM came, loss)"""
        before = self.position
        segment = self.data.segment(before.step)
        done = train_step(self.training, batch, self.config.micro_batch, self.stopping.is_set())
        rate = float(self.training.optimizer.param_groups[0]["lr"])
        after = before.after(batch.seen, segment.phase, segment.weights, rate)
        if not math.isfinite(done.loss) or not math.isfinite(done.grad_norm):
            self._give_up(after.step, f"loss {done.loss:.4g}, gradient norm {done.grad_norm:.4g}")
        # Other data, other losses: a phase is held against itself.
        known = before.recent if segment.phase == before.phase else Recent()
        event = known.event(done.loss, done.grad_norm)
        recent = known.after(done.loss, done.grad_norm)
        self.position = dataclasses.replace(after, recent=recent)
        if event or after.step % self.config.log_every == 0 or after.step == self.data.total:
            speed = self._speed()
            per_token = training_flops_per_token(self.data.shape.shape, batch.tokens.shape[1])
            self._log(
                {
                    "tokens_seen": after.tokens_seen,
                    "loss": done.loss,
                    "grad_norm": done.grad_norm,
                    "learning_rate": rate,
                    "tokens_per_second": speed,
                    "mfu": speed * per_token / self.peak if speed and self.peak else None,
                    "phase": segment.phase or None,
                    "event": event,
                }
            )
        return done.stop, done.loss

    def _give_up(self, step: int, found: str) -> None:
        """A loss that is no number ends the run before it is saved."""
        self._log({"event": f"not a number: {found}"}, step)
        self.keeper.finished(wait=True)
        states = saved_states(self.states)
        last = f"the last good state is {states[-1]}" if states else "no state was saved before it"
        raise HarnessError(
            f"{self.config.output}: the loss or its gradient is not a number at step {step} "
            f"({found}); {last}. Lower learning_rate, or look at the data of that step, and "
            "continue in another output"
        )

    def _measure(self) -> None:
        """Logs the loss on held-out documents of each genre."""
        losses = {
            genre: evaluate_loss(self.training, batch, self.config.micro_batch)
            for genre, batch in self.held_out.items()
        }
        if losses:
            self._log({"genre_losses": losses})

    def _publish_finished(self, wait: bool) -> tuple[Any, ...]:
        """Publishes every state that was completed and asks the callbacks about it; the first
        decision that is not to continue, the same everywhere."""
        decision: tuple[Any, ...] = (CONTINUE,)
        for state in self.keeper.finished(wait):
            position = read_position(state)
            # A state saved for SIGTERM lies between two checkpoints.
            if position.step % self.config.save_every and position.step < self.data.total:
                continue
            if self.first:
                self._publish(state, position)
            asked = self._ask(position)
            decision = asked if decision[0] == CONTINUE else decision
        return decision

    def _publish(self, state: Path, position: Position) -> None:
        from training.convert import megatron_to_hugging_face

        tokenizer = self.config.output / "tokenizer"
        with saving(f"the checkpoint of step {position.step}", self.states):
            publish(
                self.config.output,
                position.step,
                tokens_seen=position.tokens_seen,
                mixture=position.mixture,
                learning_rate=position.learning_rate,
                phase=position.phase or None,
                base=self.base,
                shards=self.shards,
                tokens=position.seen,
                write=lambda directory: megatron_to_hugging_face(state, tokenizer, directory),
            )

    def _ask(self, position: Position) -> tuple[Any, ...]:
        import torch

        box: list[tuple[Any, ...]] = [(CONTINUE,)]
        if self.first:
            path = checkpoint_path(self.config.output, position.step)
            for callback in self.callbacks:
                found = callback(path, position.step, position.tokens_seen)
                asked = (found,) if isinstance(found, str) else tuple(found)
                box[0] = asked if box[0][0] == CONTINUE else box[0]
        if self.callbacks:
            torch.distributed.broadcast_object_list(box, src=0)
        return box[0]

    def _roll_back(self, rollback: Rollback) -> None:
        """Takes up the state of an earlier step again. The data goes on; checkpoints and states
        after that step are put aside, and the rollback is written before anything else is, so that
        a run killed here continues the same way."""
        import torch

        state = state_path(self.states, rollback.to)
        if not state.is_dir():
            raise HarnessError(
                f"{self.config.output}: cannot roll back to step {rollback.to}, whose state is no "
                "longer kept; raise keep_states"
            )
        rollbacks = (*self.data.rollbacks, rollback)
        self.data = dataclasses.replace(self.data, rollbacks=rollbacks)
        self.data.segments  # noqa: B018  raises where nothing is left to read
        self.keeper.finished(wait=True)
        torch.distributed.barrier()
        if self.first:
            put_aside(self.config.output, rollback.to, str(len(rollbacks)))
            write_rollbacks(self.config.output, rollbacks)
            self._log({"event": f"rollback to step {rollback.to}"}, rollback.at)
        torch.distributed.barrier()
        self.position = load_state(state, self.training)

    def _take_up(self) -> Position:
        """Where the run goes on: its newest state, else the starting checkpoint, else nothing."""
        import torch

        if self.first and self.states.is_dir():
            for leftover in self.states.glob("partial_*"):
                shutil.rmtree(leftover)
        torch.distributed.barrier()
        found = saved_states(self.states)
        if found:
            position = load_state(found[-1], self.training)
            at_save = position.step % self.config.save_every == 0
            # Killed between the state and its checkpoint: the state is enough to write it.
            if self.first and (at_save or position.step == self.data.total):
                self._publish(found[-1], position)
            torch.distributed.barrier()
            return position
        if self.config.start is not None:
            self._take_up_checkpoint(self.config.start)
        return Position()

    def _take_up_checkpoint(self, checkpoint: Path) -> None:
        import torch

        from training.convert import hugging_face_to_megatron

        place = self.config.output / "start"
        if self.first:
            shutil.rmtree(place, ignore_errors=True)
            hugging_face_to_megatron(checkpoint, place)
        torch.distributed.barrier()
        load_weights(place, self.training)
        torch.distributed.barrier()
        if self.first:
            shutil.rmtree(place)

    def _origin(self) -> tuple[str | None, dict[str, str]]:
        """(fingerprint of the starting checkpoint, hashes of the components' files)"""
        from harness.checkpoint import discover
        from training.parts import source_hashes

        if not self.first:
            return None, {}
        start = self.config.start
        base = None if start is None else discover(str(start))[0].fingerprint
        return base, source_hashes(self.data.mixture.components)

    def _speed(self) -> float | None:
        """Tokens a second since the last line, over all processes."""
        now, tokens = time.monotonic(), self.position.tokens_seen
        (then, before), self.clock = self.clock, (now, tokens)
        return (tokens - before) / (now - then) if now > then and tokens > before else None

    def _log(self, line: dict[str, Any], step: int | None = None) -> None:
        if self.first:
            at = self.position.step if step is None else step
            append_line(self.config.output, {"step": at, **line})
