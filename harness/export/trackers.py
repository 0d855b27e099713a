"""Logs evaluations to Weights & Biases, MLflow and TensorBoard through their own clients.

Each takes an evaluation once: what was logged before is found by the evaluation's id, so that a
repeated command adds only what is new.
"""

from __future__ import annotations

import importlib
from collections.abc import Sequence
from pathlib import Path
from types import ModuleType
from typing import Any

from harness.errors import HarnessError
from harness.export.metrics import Measures


def to_tensorboard(found: Sequence[Measures], folder: Path) -> int:
    """Writes one TensorBoard run a training run or model into `folder`; returns evaluations
    written."""
    module = _client("torch.utils.tensorboard", "tensorboard", "tensorboard")
    written = 0
    for name, group in _by_run(found).items():
        # A run names itself: it must not name a place outside.
        target = folder / (name.replace("/", "-").replace("\0", "").strip(".") or "run")
        target.mkdir(parents=True, exist_ok=True)
        done = _Logged(target / "harness-logged.txt")
        fresh = [one for one in group if one.evaluation.id not in done.ids]
        if not fresh:
            continue
        writer = module.SummaryWriter(log_dir=str(target))
        for one in fresh:
            for metric, value in one.values.items():
                writer.add_scalar(metric, value, _step(one), one.evaluation.started_at.timestamp())
        writer.close()
        done.add([one.evaluation.id for one in fresh])
        written += len(fresh)
    return written


def to_wandb(
    found: Sequence[Measures], project: str, entity: str | None = None, mode: str | None = None
) -> int:
    """Logs into a Weights & Biases project, one run a training run or model, whose id is derived
    from its name so that it is continued; returns evaluations logged.

    mode  "online", "offline" or None for the client's own choice (WANDB_MODE)
    """
    module = _client("wandb", "wandb", "wandb")
    logged = 0
    for name, group in _by_run(found).items():
        run = module.init(
            project=project,
            entity=entity,
            name=name,
            id=_identity(name),
            resume="allow",
            mode=mode,
            job_type="evaluation",
        )
        # Steps of training need not come in order: the metrics have an axis of their own.
        run.define_metric("step")
        run.define_metric("*", step_metric="step")
        known = set(run.summary.get("harness_evaluations") or ())
        fresh = [one for one in group if one.evaluation.id not in known]
        for one in fresh:
            run.log({**one.values, "step": _step(one)})
        run.summary["harness_evaluations"] = sorted(known | {one.evaluation.id for one in fresh})
        run.config.update(_facts(group[-1]), allow_val_change=True)
        run.finish()
        logged += len(fresh)
    return logged


def to_mlflow(found: Sequence[Measures], experiment: str, uri: str | None = None) -> int:
    """Logs into an MLflow experiment, one run a training run or model; returns evaluations logged.

    uri  of the tracking server or folder; None for the client's own choice (MLFLOW_TRACKING_URI)
    """
    _client("mlflow", "mlflow", "mlflow")
    tracking = importlib.import_module("mlflow.tracking")
    entities = importlib.import_module("mlflow.entities")
    client = tracking.MlflowClient(tracking_uri=uri)
    known = client.get_experiment_by_name(experiment)
    experiment_id = known.experiment_id if known else client.create_experiment(experiment)
    logged = 0
    for name, group in _by_run(found).items():
        mark = _identity(name)
        runs = client.search_runs([experiment_id], f"tags.`harness.run` = '{mark}'", max_results=1)
        run = (
            runs[0]
            if runs
            else client.create_run(experiment_id, run_name=name, tags={"harness.run": mark})
        )
        tags = run.data.tags
        fresh = [one for one in group if f"harness.{one.evaluation.id[:32]}" not in tags]
        for one in fresh:
            at = int(one.evaluation.started_at.timestamp() * 1000)
            client.log_batch(
                run.info.run_id,
                metrics=[
                    entities.Metric(metric, value, at, _step(one))
                    for metric, value in one.values.items()
                ],
                tags=[entities.RunTag(f"harness.{one.evaluation.id[:32]}", "logged")],
            )
        if not runs:
            facts = [entities.Param(key, str(value)) for key, value in _facts(group[-1]).items()]
            client.log_batch(run.info.run_id, params=facts)
        client.set_terminated(run.info.run_id)
        logged += len(fresh)
    return logged


class _Logged:
    """Ids in a text file, one a line; a line that was cut off is no id."""

    def __init__(self, path: Path) -> None:
        self.path = path
        text = path.read_text(encoding="utf-8") if path.is_file() else ""
        self.ids = set(text.splitlines()[: None if text.endswith("\n") else -1])

    def add(self, ids: Sequence[str]) -> None:
        partial = self.path.with_suffix(".partial")
        partial.write_text("".join(f"{one}\n" for one in sorted({*self.ids, *ids})), "utf-8")
        partial.replace(self.path)


def _client(module: str, package: str, extra: str) -> ModuleType:
    try:
        return importlib.import_module(module)
    except ImportError:
        raise HarnessError(
            f"{package} is not installed; pip install 'harness[{extra}]' (or {package})"
        ) from None


def _by_run(found: Sequence[Measures]) -> dict[str, list[Measures]]:
    groups: dict[str, list[Measures]] = {}
    for one in found:
        row = one.evaluation
        name = row.run if row.run is not None and row.step is not None else row.checkpoint
        groups.setdefault(str(name), []).append(one)
    return groups


def _step(one: Measures) -> int:
    return one.evaluation.step or 0


def _identity(name: str) -> str:
    from harness.items.schema import content_hash

    return f"harness-{content_hash(name)[:16]}"


def _facts(one: Measures) -> dict[str, Any]:
    row = one.evaluation
    return {
        "checkpoint": row.checkpoint,
        "fingerprint": row.fingerprint,
        "parameters": row.parameters,
        "protocol": row.protocol,
        "protocol_hash": row.protocol_hash,
    }
