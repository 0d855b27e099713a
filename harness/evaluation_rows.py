"""Rows of the store's tables, made from an evaluation's values."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from typing import Any

from harness.checkpoint import Checkpoint
from harness.engines.types import Generation, Request
from harness.items.schema import Item, fields_of
from harness.masking import masked_url
from harness.protocols.types import Answer, Ask, Protocol
from harness.store.write import Row


@dataclass(frozen=True)
class Planned:
    """An ask with its rendered request, whose key is the content key."""

    ask: Ask
    request: Request


# Told of an answer once it is in the store: evaluation id, ask and key, answer, score by metric.
Told = Callable[[str, Planned, Answer, Mapping[str, float]], None]


def request_row(evaluation: str, entry: Planned) -> Row:
    ask = entry.ask
    return {
        "evaluation": evaluation,
        "key": entry.request.key,
        "item_hash": ask.item.hash,
        "sample": ask.sample,
        "turn": ask.turn,
        "kind": ask.kind,
    }


def score_rows(protocol: Protocol, entry: Planned, answer: Answer) -> list[Row]:
    return [
        {
            "key": entry.request.key,
            "protocol_hash": protocol.hash,
            "metric": score.metric,
            "value": score.value,
            "failure": score.failure,
        }
        for score in protocol.scores(entry.ask, answer)
    ]


def reading_rows(protocol: Protocol, entry: Planned, answer: Answer) -> list[Row]:
    """One row, or none where the protocol reads answers as they stand."""
    reading = protocol.reading(entry.ask, answer)
    if reading is None:
        return []
    return [{"key": entry.request.key, "protocol_hash": protocol.hash, **asdict(reading)}]


def generation_row(
    checkpoint: Checkpoint, engine: str, entry: Planned, generation: Generation
) -> Row:
    ask, request = entry.ask, entry.request
    prompt = request.prompt
    return {
        "key": request.key,
        "fingerprint": checkpoint.fingerprint,
        "item_hash": ask.item.hash,
        "kind": ask.kind,
        "sample": ask.sample,
        "turn": ask.turn,
        "prompt": prompt if isinstance(prompt, str) else _json(prompt),
        "sampling": _json(request.sampling),
        "text": generation.text,
        "finish_reason": generation.finish_reason,
        "prompt_tokens": generation.prompt_tokens,
        "completion_tokens": generation.completion_tokens,
        "cached_tokens": generation.cached_tokens,
        "latency": generation.latency,
        "likelihoods": _json([[one.logprob, one.tokens] for one in generation.likelihoods]),
        "error": generation.error,
        "engine": engine,
        "created_at": datetime.now(UTC),
    }


def checkpoint_row(checkpoint: Checkpoint) -> Row:
    return {
        "fingerprint": checkpoint.fingerprint,
        "name": checkpoint.name,
        "path": str(checkpoint.path) if checkpoint.path else None,
        "url": masked_url(checkpoint.url) if checkpoint.url else None,
        "run": checkpoint.run,
        "step": checkpoint.step,
        "tokens_seen": checkpoint.tokens_seen,
        "parent": checkpoint.parent,
        "mixture": _json(checkpoint.mixture) if checkpoint.mixture else None,
        "parameters": checkpoint.parameters,
        "recorded_at": datetime.now(UTC),
        "phase": checkpoint.phase,
        "learning_rate": checkpoint.learning_rate,
    }


def protocol_row(protocol: Protocol) -> Row:
    return {
        "hash": protocol.hash,
        "id": protocol.id,
        "suite": protocol.suite,
        "definition": _json(dict(protocol.definition)),
    }


def item_row(item: Item) -> Row:
    return {
        "hash": item.hash,
        "id": item.id,
        "genre": item.genre,
        "skill": item.skill,
        "level": item.level,
        "template": item.template,
        "seen": item.seen,
        "cluster": item.cluster,
        "definition": _json(item),
        "dataset": item.dataset or None,
    }


def _json(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False, default=fields_of)
