"""The fast engine: vLLM in this process, with continuous batching and a prefix cache."""

from __future__ import annotations

import gc
import itertools
import logging
import os
import sys
import tempfile
import time
import warnings
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.metadata import version
from pathlib import Path
from typing import Any

from harness.engines.hardware import cpu_threads, free_memory, gpu_count
from harness.engines.prompt import first_line, load_tokenizer
from harness.engines.scoring import Piece, Scoring
from harness.engines.task import Task, failed, prepare
from harness.engines.types import UNWANTED, FinishReason, Generation, Hear, Request
from harness.errors import HarnessError
from harness.loading import FILES_ONLY

GIB = 1 << 30
# Sequences of full length that the KV cache of a small model holds at once.
FULL_CONTEXTS = 128
# Tokens a block of the prefix cache on CPU. vLLM's 128 would leave up to 127 shared tokens
# uncached; 32 is as fast and the least its kernels like.
CPU_BLOCK = 32
CPU_ENVIRONMENT = {
    # The engine core lives in this process: no bound cores, no `__main__` guard.
    "VLLM_ENABLE_V1_MULTIPROCESSING": "0",
}
ENVIRONMENT = {
    "VLLM_NO_USAGE_STATS": "1",
    "VLLM_LOGGING_LEVEL": "ERROR",
    # Standard output belongs to what a command prints for others to read.
    "VLLM_LOGGING_STREAM": "ext://sys.stderr",
}
# vLLM gives its workers allocators by LD_PRELOAD; programs that we start later must not get them.
LEAKED = "LD_PRELOAD"


class VllmEngine:
    """Answers requests with vLLM's engine, new ones entering between two steps.

    path           Hugging Face checkpoint directory
    max_model_len  prompt and new tokens together at most; when None the checkpoint's context, or
                   what the KV cache holds if that is less
    dtype          "auto" is float32 on CPU and the checkpoint's own on GPU
    max_num_seqs   sequences computed together at most; vLLM's default when None
    kv_cache_gib   KV cache on CPU, in GiB; when None what 128 full contexts take, at most a quarter
                   of the free memory and 4
    gpu_memory_utilization, tensor_parallel_size   as in vLLM; void on CPU

    Greedy answers and log-likelihoods equal those of the transformers engine up to rounding.
    One engine at a time: `close` frees memory and distributed state for the next.

    Raises HarnessError when vLLM cannot run the checkpoint; one token is generated to be sure.
    """

    def __init__(
        self,
        path: Path,
        *,
        max_model_len: int | None = None,
        dtype: str = "auto",
        max_num_seqs: int | None = None,
        kv_cache_gib: float | None = None,
        gpu_memory_utilization: float = 0.9,
        tensor_parallel_size: int = 1,
    ) -> None:
        self._tokenizer = load_tokenizer(path)
        self._ids = map(str, itertools.count())
        self._cpu = gpu_count() == 0
        arguments: dict[str, Any] = {
            "model": str(path),
            "trust_remote_code": False,
            "dtype": dtype,
            # -1 shortens the context to what the KV cache holds instead of failing.
            "max_model_len": max_model_len or -1,
            "max_num_seqs": max_num_seqs,
            "enable_prefix_caching": True,
            "disable_log_stats": True,
            "use_tqdm_on_load": False,
        }
        if self._cpu:
            arguments |= {
                "dtype": "float32" if dtype == "auto" else dtype,
                "enforce_eager": True,
                "block_size": CPU_BLOCK,
                # A seeded request whose prompt is computed in two steps crashes vLLM 0.32 on CPU
                # (it winds back a generator by its offset, and CPU generators have none).
                "enable_chunked_prefill": False,
                "kv_cache_memory_bytes": _kv_cache_bytes(path, kv_cache_gib),
            }
        else:
            arguments |= {
                "gpu_memory_utilization": gpu_memory_utilization,
                "tensor_parallel_size": tensor_parallel_size,
            }
        self._engine, self._set_num_threads = _start(path, arguments, self._cpu)
        config = self._engine.vllm_config
        self.context: int = config.model_config.max_model_len
        self._room: int = 2 * config.scheduler_config.max_num_seqs
        self._dtype = str(config.model_config.dtype).removeprefix("torch.")
        self._probe(path)

    @property
    def name(self) -> str:
        return f"vllm {_version()}"

    @property
    def description(self) -> str:
        import torch

        if self._cpu:
            return f"{self.name}, cpu, {self._dtype}, {torch.get_num_threads()} threads"
        return f"{self.name}, {torch.cuda.get_device_name(0)}, {self._dtype}"

    def generate(self, queue: deque[Request], hear: Hear | None = None) -> Iterator[Generation]:
        live: dict[str, Task | tuple[Scoring, Piece]] = {}
        heard: dict[str, int] = {}  # characters of each answer that were passed on
        try:
            while queue or live:
                while queue and len(live) < self._room:
                    request = queue.popleft()
                    task = prepare(request, self._tokenizer, self.context)
                    if isinstance(task, Task):
                        try:
                            finished = self._submit(task, live, growing=hear is not None)
                        except _rejections() as error:  # settings that vLLM does not take
                            finished = failed(request, first_line(error), len(task.prompt))
                    else:
                        finished = task
                    if finished is not None:
                        yield finished
                if not live:
                    continue
                for output in self._engine.step():
                    if not output.finished:
                        partial = live[output.request_id]
                        if hear is None or not isinstance(partial, Task):
                            continue
                        text = output.outputs[0].text
                        new = text[heard.get(output.request_id, 0) :]
                        heard[output.request_id] = len(text)
                        if not hear(partial.request.key, new):
                            self._engine.abort_request([output.request_id], internal=False)
                            del live[output.request_id]
                            yield failed(partial.request, UNWANTED, len(partial.prompt))
                        continue
                    entry = live.pop(output.request_id)
                    if isinstance(entry, Task):
                        yield _generation(entry, output)
                    elif (scored := self._advance(*entry, output, live)) is not None:
                        yield scored
        finally:
            # The caller may stop early; what it no longer wants must not run on.
            if live and self._engine is not None:
                self._engine.abort_request(list(live), internal=False)

    def close(self) -> None:
        """Frees the model, its KV cache and the distributed state."""
        import torch

        if self._engine is None:
            return
        self._engine.engine_core.shutdown()
        self._engine = None
        if self._set_num_threads is not None:
            torch.set_num_threads = self._set_num_threads
        gc.collect()
        if not self._cpu:
            torch.cuda.empty_cache()

    def _submit(
        self,
        task: Task,
        live: dict[str, Task | tuple[Scoring, Piece]],
        *,
        growing: bool = False,
    ) -> Generation | None:
        """Hands a task to vLLM; a generation when there is nothing to compute.

        growing  whether the text so far is wanted after every step
        """
        if task.continuations:
            scoring = Scoring(task)
            for piece in scoring.first_pieces():
                self._submit_piece(scoring, piece, live)
            return scoring.generation() if scoring.done else None
        sampling = task.request.sampling
        live[
            self._add(
                task.prompt,
                temperature=sampling.temperature,
                top_p=sampling.top_p if sampling.temperature > 0 else 1.0,
                seed=sampling.seed,
                max_tokens=task.max_tokens,
                stop=list(task.stop),
                repetition_penalty=sampling.repetition_penalty,
                growing=growing,
            )
        ] = task
        return None

    def _submit_piece(
        self, scoring: Scoring, piece: Piece, live: dict[str, Task | tuple[Scoring, Piece]]
    ) -> None:
        request_id = self._add(
            scoring.task.prompt + list(piece.head),
            temperature=0.0,
            max_tokens=1,
            detokenize=False,
            logprob_token_ids=list(piece.tokens),
            prompt_logprobs=0 if piece.needs_prompt else None,
            # Positions that the cache supplies have no log-probabilities; those that are needed
            # lie behind it nearly always, and Scoring asks again when they do not.
            skip_reading_prefix_cache=piece.uncached,
        )
        live[request_id] = (scoring, piece)

    def _advance(
        self,
        scoring: Scoring,
        piece: Piece,
        output: Any,
        live: dict[str, Task | tuple[Scoring, Piece]],
    ) -> Generation | None:
        logprobs = {key: value.logprob for key, value in output.outputs[0].logprobs[0].items()}
        middle = [
            {key: value.logprob for key, value in (entry or {}).items()}
            for entry in (output.prompt_logprobs or [])[-len(piece.head) :]
        ]
        for following in scoring.take(piece, logprobs, middle, output.num_cached_tokens or 0):
            self._submit_piece(scoring, following, live)
        return scoring.generation() if scoring.done else None

    def _add(self, tokens: list[int], *, growing: bool = False, **settings: Any) -> str:
        from vllm.inputs.engine import tokens_input
        from vllm.sampling_params import RequestOutputKind, SamplingParams

        request_id = next(self._ids)
        kind = RequestOutputKind.CUMULATIVE if growing else RequestOutputKind.FINAL_ONLY
        self._engine.add_request(
            request_id, tokens_input(tokens), SamplingParams(output_kind=kind, **settings)
        )
        return request_id

    def _probe(self, path: Path) -> None:
        """Generates one token: some checkpoints load but have no kernel."""
        try:
            self._add([0], temperature=0.0, max_tokens=1, detokenize=False)
            while self._engine.has_unfinished_requests():
                self._engine.step()
        except Exception as error:  # whatever a kernel raises
            self.close()
            raise HarnessError(_refusal(path, first_line(error))) from error


def _rejections() -> tuple[type[Exception], ...]:
    from vllm.exceptions import VLLMValidationError

    return (ValueError, VLLMValidationError)


def _generation(task: Task, output: Any) -> Generation:
    completion = output.outputs[0]
    token_ids = tuple(completion.token_ids)
    reason: FinishReason = "stop" if completion.finish_reason == "stop" else "length"
    error = None
    if completion.finish_reason not in ("stop", "length"):
        reason, error = "error", f"vLLM ended the request by {completion.finish_reason!r}"
    elif reason == "stop" and not isinstance(completion.stop_reason, str):
        token_ids = token_ids[:-1]  # the end token
    return Generation(
        key=task.request.key,
        text=completion.text,
        finish_reason=reason,
        prompt_tokens=len(task.prompt),
        completion_tokens=len(token_ids),
        cached_tokens=output.num_cached_tokens or 0,
        latency=time.monotonic() - task.started,
        token_ids=token_ids,
        error=error,
    )


def _start(path: Path, arguments: dict[str, Any], cpu: bool) -> tuple[Any, Any]:
    """vLLM's engine, and torch.set_num_threads as it was before vLLM took it away (or None)."""
    for name, value in (ENVIRONMENT | (CPU_ENVIRONMENT if cpu else {})).items():
        os.environ.setdefault(name, value)
    logging.getLogger("vllm").setLevel(os.environ["VLLM_LOGGING_LEVEL"])
    preload = os.environ.get(LEAKED)
    set_num_threads = None
    try:
        with _quiet() as said, warnings.catch_warnings():
            warnings.simplefilter("ignore")
            if cpu:
                import torch

                torch.set_num_threads(cpu_threads())
                set_num_threads = torch.set_num_threads
            first = "vllm" not in sys.modules
            from vllm.engine.arg_utils import EngineArgs
            from vllm.v1.engine.llm_engine import LLMEngine

            if first:
                # A million objects of imported modules never die: each collection (vLLM asks for
                # several, `close` for one) would walk over them for a second.
                gc.freeze()
            return LLMEngine.from_engine_args(EngineArgs(**arguments)), set_num_threads
    except ImportError as error:
        raise HarnessError(
            f"vLLM cannot be imported ({first_line(error)}); see `harness doctor`"
        ) from error
    except Exception as error:  # vLLM raises whatever its parts do
        if set_num_threads is not None:
            torch.set_num_threads = set_num_threads
            _destroy_distributed()
        raise HarnessError(_refusal(path, _cause(error, said))) from error
    finally:
        if preload is None:
            os.environ.pop(LEAKED, None)
        else:
            os.environ[LEAKED] = preload


@contextmanager
def _quiet() -> Iterator[list[str]]:
    """Keeps what vLLM and its children say on standard error while starting off the terminal;
    the list holds it afterwards."""
    said: list[str] = []
    sys.stderr.flush()
    kept = os.dup(2)
    with tempfile.TemporaryFile("w+", errors="replace") as file:
        os.dup2(file.fileno(), 2)
        try:
            yield said
        finally:
            sys.stderr.flush()
            os.dup2(kept, 2)
            os.close(kept)
            file.seek(0)
            said.extend(file.read().splitlines())


def _cause(error: Exception, said: list[str]) -> str:
    """The reason of a failed start; that of an engine in another process is in what it said."""
    if "root cause" in str(error):
        errors = [line for line in said if "Error: " in line and "root cause" not in line]
        if errors:
            return errors[-1][-300:].strip()
    return first_line(error)


def _destroy_distributed() -> None:
    """A start that failed half-way may leave a process group behind, which the next would hit."""
    if "vllm.distributed.parallel_state" in sys.modules:
        from vllm.distributed.parallel_state import cleanup_dist_env_and_memory

        cleanup_dist_env_and_memory()


def _refusal(path: Path, reason: str) -> str:
    return f"{path}: vLLM cannot run this checkpoint ({reason}); use --engine transformers"


def _kv_cache_bytes(path: Path, gib: float | None) -> int:
    """KV cache on CPU. Its pages are touched at the start, so a small model gets a small one."""
    if gib is None and (setting := os.environ.get("VLLM_CPU_KVCACHE_SPACE")):
        gib = float(setting)
    if gib is not None:
        return int(gib * GIB)
    most = min(4 * GIB, free_memory() // 4)
    return max(GIB // 8, min(most, FULL_CONTEXTS * _context_bytes(path)))


def _context_bytes(path: Path) -> int:
    """Bytes of keys and values (float32) of one sequence as long as the context; huge when the
    configuration does not tell."""
    try:
        from transformers import AutoConfig

        text = AutoConfig.from_pretrained(path, **FILES_ONLY).get_text_config()
        heads = getattr(text, "num_key_value_heads", None) or text.num_attention_heads
        width = getattr(text, "head_dim", None) or text.hidden_size // text.num_attention_heads
        return int(8 * text.num_hidden_layers * heads * width * text.max_position_embeddings)
    except (AttributeError, OSError, ValueError):
        return 1 << 60


def _version() -> str:
    import vllm

    # A distribution named vllm may be a stand-in; the package itself knows.
    return str(getattr(vllm, "__version__", None) or version("vllm")).split("+")[0]
