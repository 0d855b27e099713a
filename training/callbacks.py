"""The harness after every checkpoint of somebody's own trainer, in two lines:

    from training.callbacks import HarnessCallback
    trainer.add_callback(HarnessCallback(suite="probes:1", on_critical="stop"))

For a loop that takes functions, such as `training.pretrain`: `harness_hook`.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

# The library demands a subclass of its own; whoever imports this module has a trainer.
from transformers import TrainerCallback

from training.hook import CONTINUE, Decision, HarnessHook, evaluate_config, harness_hook, name_of

__all__ = ["Decision", "HarnessCallback", "harness_hook"]


class HarnessCallback(TrainerCallback):  # type: ignore[misc]
    """Evaluates each `checkpoint-N` that a transformers or TRL trainer saves.

    Settings are those of `EvaluateConfig`: suite, store, how, on_critical, policy, limit, engine,
    devices, samples, planned, seed. A trainer needs its tokenizer (`processing_class`) to save
    checkpoints that can be asked. A checkpoint that holds an adapter alone cannot be asked, which
    is logged; `training.sft` merges them.

    A trainer cannot go back while it trains: on_critical="rollback" stops it and leaves in
    `rollback_to` the checkpoint to resume from.

    decision     what the last verdicts came to
    rollback_to  the last good checkpoint, after a rollback
    """

    def __init__(self, **settings: Any) -> None:
        self.hook = HarnessHook(evaluate_config(**settings))
        self.decision: Decision = CONTINUE
        self.rollback_to: Path | None = None

    def on_save(self, args: Any, state: Any, control: Any, **_: Any) -> None:
        decision: Decision = CONTINUE
        if state.is_world_process_zero:
            path = Path(args.output_dir) / f"checkpoint-{state.global_step}"
            decision = self.hook(path, state.global_step, state.num_input_tokens_seen)
        self._obey(decision, args, control)

    def on_train_end(self, args: Any, state: Any, control: Any, **_: Any) -> None:
        self._obey(self.hook.close() if state.is_world_process_zero else CONTINUE, args, control)

    def _obey(self, decision: Decision, args: Any, control: Any) -> None:
        from training.run_keeper import from_first

        decision = from_first(decision)
        if decision == CONTINUE or self.decision != CONTINUE:
            return
        self.decision = decision
        control.should_training_stop = True
        if isinstance(decision, tuple):
            self.rollback_to = Path(args.output_dir) / f"checkpoint-{decision[1]}"
            self.hook.log(f"{name_of(decision)}: resume from {self.rollback_to}")
