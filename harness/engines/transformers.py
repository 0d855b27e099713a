"""The reference engine: Hugging Face transformers on CPU or GPU, in left-padded batches."""

from __future__ import annotations

import gc
import logging
import time
from collections import deque
from collections.abc import Iterator, Sequence
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any

from harness.engines.decoding import Ending, Picker
from harness.engines.hardware import cpu_threads
from harness.engines.pretrained import context_of, end_tokens, load_model, pick_dtype
from harness.engines.prompt import first_line, load_tokenizer
from harness.engines.task import Task, failed, prepare
from harness.engines.types import UNWANTED, Generation, Hear, Likelihood, Request

if TYPE_CHECKING:
    import torch

log = logging.getLogger(__name__)

# Requests are sorted by length within a window of so many batches: wide enough that batches hold
# little padding, narrow enough that first results come soon.
WINDOW = 16
# A shared beginning shorter than this many tokens costs more than it saves.
WORTH_SHARING = 16
# Answers are grouped by so many first tokens, which few-shot prompts of one dataset share.
GROUPED_BY = 64
MEMORY_WORDS = ("out of memory", "not enough memory", "can't allocate")


class TransformersEngine:
    """Answers requests with `generate` of transformers.

    path        Hugging Face checkpoint directory
    device      "auto" (CUDA when there is one), "cpu", "cuda", "cuda:1", ...
    dtype       "auto" (bfloat16 on GPUs that have it, else float16; float32 on CPU) or a name
    batch_size  sequences computed together; halved whenever memory runs out
    max_length  prompt and new tokens together at most; the checkpoint's context when None

    Sampled answers depend on their request's seed alone, up to rounding of the logits.

    Raises HarnessError when the checkpoint cannot be loaded.
    """

    def __init__(
        self,
        path: Path,
        *,
        device: str = "auto",
        dtype: str = "auto",
        batch_size: int | None = None,
        max_length: int | None = None,
    ) -> None:
        import torch

        if device == "auto":
            device = "cuda" if torch.cuda.is_available() else "cpu"
        if device == "cpu":
            torch.set_num_threads(cpu_threads())
        self._device = torch.device(device)
        self._dtype = pick_dtype(dtype, self._device)
        self._tokenizer = load_tokenizer(path)
        self._model = load_model(path, self._dtype, self._device)
        self._end_tokens = end_tokens(self._model, self._tokenizer)
        self._pad = self._tokenizer.pad_token_id
        if self._pad is None:
            self._pad = min(self._end_tokens, default=0)
        # `generate` would mix the checkpoint's own sampling defaults into every request.
        self._model.generation_config = type(self._model.generation_config)(
            do_sample=False, pad_token_id=self._pad
        )
        self._shareable = _attends_to_all(self._model.config)
        context = context_of(self._model.config)
        self.context = min(context, max_length) if max_length else context
        self.batch_size = batch_size or (16 if self._device.type == "cpu" else 64)

    @property
    def name(self) -> str:
        return f"transformers {version('transformers')}"

    @property
    def description(self) -> str:
        import torch

        dtype = str(self._dtype).removeprefix("torch.")
        if self._device.type == "cpu":
            return f"{self.name}, cpu, {dtype}, {torch.get_num_threads()} threads"
        return f"{self.name}, {torch.cuda.get_device_name(self._device)}, {dtype}"

    def generate(self, queue: deque[Request], hear: Hear | None = None) -> Iterator[Generation]:
        pending: list[Task] = []
        while queue or pending:
            while queue and len(pending) < WINDOW * self.batch_size:
                task = prepare(queue.popleft(), self._tokenizer, self.context)
                if isinstance(task, Generation):
                    yield task
                else:
                    pending.append(task)
            if not pending:
                continue
            pending.sort(key=_shape)
            batch = _take(pending, self.batch_size, self.context)
            try:
                scored = bool(batch[0].continuations)
                generations = self._score(batch) if scored else self._answer(batch, hear)
            except (RuntimeError, MemoryError) as error:
                if not _is_memory(error):
                    raise
                generations = self._retreat(batch, pending, error)
            yield from generations

    def close(self) -> None:
        """Frees the model; the engine answers nothing afterwards."""
        import torch

        self._model = None
        gc.collect()
        if self._device.type == "cuda":
            torch.cuda.empty_cache()

    def _answer(self, batch: Sequence[Task], hear: Hear | None) -> list[Generation]:
        """Answers of a batch; what all prompts begin with is computed once."""
        import torch
        from transformers import GenerationConfig, LogitsProcessorList, StoppingCriteriaList

        prompts = [task.prompt for task in batch]
        # A penalty looks at the prompt's tokens, between which padding would stand.
        plain = all(task.request.sampling.repetition_penalty == 1.0 for task in batch)
        shared = _shared(prompts, keep=1) if plain and self._shareable else 0
        ids, mask = self._pad_left([prompt[shared:] for prompt in prompts])
        ending = Ending(batch, self._tokenizer, self._end_tokens, hear)
        with torch.inference_mode():
            cache = None
            if shared:
                cache, prefix = self._prefix_cache(prompts[0][:shared], len(batch))
                ids = torch.cat([prefix, ids], dim=1)
                mask = torch.cat([mask.new_ones(prefix.shape), mask], dim=1)
            self._model.generate(
                input_ids=ids,
                attention_mask=mask,
                past_key_values=cache,
                generation_config=GenerationConfig(
                    max_new_tokens=max(task.max_tokens for task in batch),
                    do_sample=False,
                    pad_token_id=self._pad,
                ),
                logits_processor=LogitsProcessorList([Picker(batch, ids.shape[1])]),
                stopping_criteria=StoppingCriteriaList([ending]),
            )
        now = time.monotonic()
        return [
            Generation(
                key=task.request.key,
                text=ending.texts[row],
                finish_reason=ending.reasons[row] or "length",
                prompt_tokens=len(task.prompt),
                completion_tokens=len(ending.token_ids[row]),
                cached_tokens=shared if row else 0,
                latency=now - task.started,
                token_ids=tuple(ending.token_ids[row]),
                error=UNWANTED if ending.reasons[row] == "error" else None,
            )
            for row, task in enumerate(batch)
        ]

    def _score(self, batch: Sequence[Task]) -> list[Generation]:
        """Log-likelihoods of all continuations.

        A row is a prompt and a continuation without its last token; continuations that differ in
        the last token alone (single letters, most often) share a row.
        """
        rows: dict[tuple[int, tuple[int, ...]], list[int]] = {}
        for index, task in enumerate(batch):
            for tokens in task.continuations:
                if tokens:
                    rows.setdefault((index, tokens[:-1]), [*task.prompt, *tokens[:-1]])
        keys = list(rows)
        logprobs: dict[tuple[int, tuple[int, ...]], torch.Tensor] = {}
        for start in range(0, len(keys), self.batch_size):
            part = keys[start : start + self.batch_size]
            values = self._last_logprobs(
                [rows[key] for key in part], max(len(key[1]) for key in part) + 1
            )
            for row, (index, head) in enumerate(part):
                wanted = [
                    tokens
                    for tokens in batch[index].continuations
                    if tokens and tokens[:-1] == head
                ]
                for tokens in wanted:
                    logprobs[index, tokens] = (
                        values[row, values.shape[1] - len(tokens) :]
                        .gather(-1, values.new_tensor(tokens).long().unsqueeze(-1))
                        .sum()
                    )
        now = time.monotonic()
        return [
            Generation(
                key=task.request.key,
                text="",
                finish_reason="stop",
                prompt_tokens=len(task.prompt),
                latency=now - task.started,
                likelihoods=tuple(
                    Likelihood(float(logprobs[index, tokens]) if tokens else 0.0, len(tokens))
                    for tokens in task.continuations
                ),
            )
            for index, task in enumerate(batch)
        ]

    def _last_logprobs(self, rows: Sequence[list[int]], count: int) -> torch.Tensor:
        """log p of every token at the last `count` positions: (rows, count, vocabulary),
        float32.

        What all rows begin with (few-shot examples, a question) is computed once.
        """
        import torch

        shared = _shared(rows, keep=count) if self._shareable else 0
        ids, mask = self._pad_left([row[shared:] for row in rows])
        cache = None
        with torch.inference_mode():
            if shared:
                cache, prefix = self._prefix_cache(rows[0][:shared], len(rows))
                mask = torch.cat([mask.new_ones(prefix.shape), mask], dim=1)
            positions = (mask.cumsum(-1) - 1).clamp(min=0)
            logits: torch.Tensor = self._model(
                input_ids=ids,
                attention_mask=mask,
                position_ids=positions[:, shared:],
                past_key_values=cache,
                use_cache=cache is not None,
                logits_to_keep=count,
            ).logits
        return logits[:, -count:].float().log_softmax(-1)

    def _prefix_cache(self, tokens: list[int], rows: int) -> tuple[Any, torch.Tensor]:
        """The cache of a beginning, repeated for each row, and its ids: (rows, tokens)."""
        import torch
        from transformers import DynamicCache

        cache = DynamicCache(config=self._model.config)
        prefix = torch.tensor([tokens], device=self._device)
        self._model(input_ids=prefix, past_key_values=cache, logits_to_keep=1)
        cache.batch_repeat_interleave(rows)
        return cache, prefix.expand(rows, -1)

    def _pad_left(self, rows: Sequence[list[int]]) -> tuple[torch.Tensor, torch.Tensor]:
        """Token ids and attention mask, both (rows, longest row)."""
        import torch

        width = max(map(len, rows))
        ids = torch.full((len(rows), width), self._pad)
        mask = torch.zeros((len(rows), width), dtype=torch.long)
        for index, row in enumerate(rows):
            ids[index, width - len(row) :] = torch.tensor(row)
            mask[index, width - len(row) :] = 1
        return ids.to(self._device), mask.to(self._device)

    def _retreat(
        self, batch: list[Task], pending: list[Task], error: BaseException
    ) -> list[Generation]:
        """After running out of memory: a smaller batch, or an error when it was one request."""
        import torch

        if self._device.type == "cuda":
            torch.cuda.empty_cache()
        if len(batch) == 1 and self.batch_size == 1:
            reason = f"out of memory with this request alone ({first_line(error)})"
            return [failed(batch[0].request, reason, len(batch[0].prompt))]
        self.batch_size = max(1, min(self.batch_size, len(batch)) // 2)
        log.warning("out of memory: going on with batches of %d", self.batch_size)
        pending.extend(batch)
        return []


def _shape(task: Task) -> tuple[bool, int, list[int], int]:
    """Sort key: answers before likelihoods; answers the longest first, so that memory runs out
    early or not at all; those of one beginning together, as likelihoods are by their tokens."""
    if task.continuations:
        return (True, 0, task.prompt, 0)
    return (False, -task.max_tokens, task.prompt[:GROUPED_BY], -len(task.prompt))


def _attends_to_all(config: Any) -> bool:
    """Whether every layer is plain attention over all that came before. Padding between a shared
    beginning and a row's own end would take up places in a sliding window, or enter the state of
    a recurrent layer."""
    from transformers.cache_utils import DynamicCache, DynamicLayer

    layers = DynamicCache(config=config).layers
    return bool(layers) and all(type(layer) is DynamicLayer for layer in layers)


def _shared(rows: Sequence[list[int]], keep: int) -> int:
    """Length of the beginning that several rows share, `keep` tokens short of the shortest row's
    end, where log-probabilities are read; 0 when it is not worth a pass of its own."""
    if len(rows) < 2:
        return 0
    first, last = min(rows), max(rows)  # all others lie between these two
    length = next(
        (i for i, (a, b) in enumerate(zip(first, last, strict=False)) if a != b),
        min(len(first), len(last)),
    )
    length = min(length, min(map(len, rows)) - keep)
    return length if length >= WORTH_SHARING else 0


def _take(pending: list[Task], size: int, context: int) -> list[Task]:
    """Removes the next batch from the sorted list: up to `size` requests of one kind.

    A row that has ended is computed on until the whole batch has, so the longest prompt and the
    longest answer must fit the context together: there are no positions beyond it.
    """
    first = pending[0]
    longest, end = len(first.prompt), 1
    grouped = len(pending) > 1 and _one_group(first, pending[1])
    for task in pending[1:size]:
        longest = max(longest, len(task.prompt))
        if bool(task.continuations) != bool(first.continuations):
            break
        if not first.continuations and longest + first.max_tokens > context:
            break
        # Where neighbours share a beginning, a stranger would end the sharing.
        if grouped and not _one_group(first, task):
            break
        end += 1
    batch = pending[:end]
    del pending[:end]
    return batch


def _one_group(one: Task, other: Task) -> bool:
    return one.prompt[:GROUPED_BY] == other.prompt[:GROUPED_BY]


def _is_memory(error: BaseException) -> bool:
    import torch

    text = str(error).lower()
    return isinstance(error, MemoryError | torch.cuda.OutOfMemoryError) or any(
        words in text for words in MEMORY_WORDS
    )
