"""How the transformers engine picks tokens and ends answers, row by row of a batch."""

from __future__ import annotations

import random
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from harness.engines.task import Task
from harness.engines.types import FinishReason, Hear, Sampling

if TYPE_CHECKING:
    import torch


class Picker:
    """A logits processor for greedy `generate` that leaves each row one possible token.

    Every row draws from its own generator, one uniform number a token, so that an answer depends
    on its request alone and not on its neighbours in the batch. Order of operations as in vLLM:
    repetition penalty, temperature, nucleus.
    """

    def __init__(self, tasks: Sequence[Task], width: int) -> None:
        self.samplings = [task.request.sampling for task in tasks]
        self.prompts = [task.prompt for task in tasks]
        self.width = width
        # Without a seed the draw is new each time, as it is in the other engines.
        self.generators = [
            random.Random(sampling.seed) if sampling.seed is not None else random.SystemRandom()
            for sampling in self.samplings
        ]

    def __call__(self, input_ids: torch.Tensor, scores: torch.Tensor) -> torch.Tensor:
        """input_ids (rows, width + new tokens), left-padded; scores (rows, vocabulary)."""
        scores = scores.float()
        for row, sampling in enumerate(self.samplings):
            if sampling.repetition_penalty != 1.0:
                seen = input_ids[row, self.width - len(self.prompts[row]) :]
                penalise(scores[row], seen, sampling.repetition_penalty)
            if sampling.temperature > 0:
                token = draw(scores[row], sampling, self.generators[row].random())
                scores[row] = -float("inf")
                scores[row, token] = 0.0
        return scores


def penalise(scores: torch.Tensor, seen: torch.Tensor, penalty: float) -> None:
    """Divides positive and multiplies negative scores of seen tokens by the penalty, in place
    and once however often a token was seen (Keskar et al. 2019, CTRL)."""
    old = scores[seen]
    scores[seen] = old.where(old <= 0, old / penalty).where(old > 0, old * penalty)


def draw(scores: torch.Tensor, sampling: Sampling, uniform: float) -> int:
    """The token at quantile `uniform` of the tempered nucleus: scores (vocabulary,).

    The nucleus is the smallest set of likeliest tokens whose probability reaches top_p
    (Holtzman et al. 2020); float64, so that equal seeds agree across batch shapes.
    """
    probabilities, tokens = (
        (scores.double() / sampling.temperature).softmax(-1).sort(descending=True, stable=True)
    )
    reached = probabilities.cumsum(-1)
    kept = int((reached - probabilities < sampling.top_p).sum())
    reached = reached[: max(kept, 1)]
    position = int((reached <= uniform * reached[-1]).sum())
    return int(tokens[min(position, len(reached) - 1)])


class Ending:
    """A stopping criterion that watches every row of a batch: end token, stop string, length, or
    a listener who wants no more ("error").

    After `generate`, `token_ids`, `texts` and `reasons` hold what each row answered.
    """

    def __init__(
        self,
        tasks: Sequence[Task],
        tokenizer: Any,
        end_tokens: frozenset[int],
        hear: Hear | None = None,
    ) -> None:
        self.tasks = tasks
        self.hear = hear
        self.end_tokens = end_tokens
        self.streams = [TextStream(tokenizer, task.prompt) for task in tasks]
        self.token_ids: list[list[int]] = [[] for _ in tasks]
        self.texts = [""] * len(tasks)
        self.reasons: list[FinishReason | None] = [None] * len(tasks)

    def __call__(self, input_ids: torch.Tensor, scores: object, **_: object) -> torch.Tensor:
        import torch

        for row, token in enumerate(input_ids[:, -1].tolist()):
            if self.reasons[row] is None:
                self.reasons[row] = self._take(row, token)
        return torch.tensor(
            [reason is not None for reason in self.reasons], device=input_ids.device
        )

    def _take(self, row: int, token: int) -> FinishReason | None:
        if token in self.end_tokens:
            return "stop"
        task = self.tasks[row]
        self.token_ids[row].append(token)
        before = len(self.texts[row])
        new = self.streams[row].push(token)
        self.texts[row] += new
        cut = find_stop(self.texts[row], before, task.stop)
        if cut is not None:
            self.texts[row] = self.texts[row][:cut]
            return "stop"
        if self.hear is not None and not self.hear(task.request.key, new):
            return "error"
        return "length" if len(self.token_ids[row]) >= task.max_tokens else None


class TextStream:
    """Text of a growing answer. Bytes of an unfinished character are held back, and a leading
    blank stays when the answer continues a text: both as in vLLM."""

    def __init__(self, tokenizer: Any, prompt: list[int]) -> None:
        from tokenizers.decoders import DecodeStream

        self.tokenizer = tokenizer
        self.fast: Any = getattr(tokenizer, "_tokenizer", None)
        self.stream = DecodeStream(ids=prompt, skip_special_tokens=True) if self.fast else None
        self.ids: list[int] = []
        self.length = 0

    def push(self, token: int) -> str:
        if self.stream is not None:
            return self.stream.step(self.fast, token) or ""
        # A tokenizer without the Rust backend has no stream: decode all, return what is new.
        self.ids.append(token)
        text: str = self.tokenizer.decode(self.ids, skip_special_tokens=True)
        if text.endswith("\ufffd"):
            return ""
        new, self.length = text[self.length :], len(text)
        return new


def find_stop(text: str, before: int, stops: Sequence[str]) -> int | None:
    """Where to cut a text whose characters from `before` on are new: the beginning of the stop
    string that ends first, or None."""
    found = [
        (start + len(stop), start)
        for stop in stops
        if (start := text.find(stop, max(0, before - len(stop) + 1))) >= 0
    ]
    return min(found)[1] if found else None
