"""Runs one evaluation: plan, generate, score, store; resumable by repeating the same command.

Invariants:
- A request is known by its content key: checkpoint fingerprint, item hash, rendered prompt,
  sampling settings, sample index. What the store already answers is never asked again; an error
  is owed again.
- Every batch is durable before it counts as done (`store.write.spool`), so that a kill at any
  instant loses at most the batch in hand.
- planned = done + failed at the end, counted from the store's rows.
- Where the checkpoint's files were replaced meanwhile, this call's answers are taken back and the
  evaluation is void: nobody knows which weights gave them.
"""

from __future__ import annotations

import json
import logging
import time
from collections import Counter, deque
from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path

from harness.checkpoint import Checkpoint
from harness.engines.prompt import Rendered, Renderer
from harness.engines.types import Engine, Generation, Request
from harness.errors import HarnessError
from harness.evaluation_rows import (
    Planned,
    Told,
    checkpoint_row,
    generation_row,
    item_row,
    protocol_row,
    reading_rows,
    request_row,
    score_rows,
)
from harness.items.schema import Item, content_hash
from harness.protocols.types import Answer, Ask, Protocol
from harness.replaced import replaced
from harness.scoring.code.score import HarnessFaultError
from harness.store import database, queries, write
from harness.store.void import void_answers

log = logging.getLogger(__name__)

# A batch is committed when it is this large or this old, whichever comes first.
BATCH_ROWS = 256
BATCH_SECONDS = 2.0


@dataclass(frozen=True)
class Progress:
    """Where an evaluation stands; counts of requests."""

    planned: int
    reused: int
    done: int
    failed: int
    prompt_tokens: int = 0
    cached_tokens: int = 0
    completion_tokens: int = 0


@dataclass(frozen=True)
class Result:
    """What one call of `evaluate` did."""

    evaluation: str
    progress: Progress
    engine: str
    seconds: float


Report = Callable[[Progress], None]


def evaluation_id(
    fingerprint: str, protocol: Protocol, items: Sequence[Item], samples: int, seed: int
) -> str:
    """The same checkpoint, protocol, items, samples and seed are the same evaluation."""
    # Greedy answers do not depend on a seed, so neither does their evaluation.
    effective = seed if samples > 1 else 0
    return content_hash([fingerprint, protocol.hash, items_hash(items), samples, effective])


def items_hash(items: Sequence[Item]) -> str:
    """Identity of a set of items, whatever their order."""
    return content_hash(sorted(item.hash for item in items))


def prepare_request(ask: Ask, checkpoint: Checkpoint, render: Renderer) -> Planned:
    """Renders an ask by the checkpoint's template and gives it its content key."""
    if ask.completion is None:
        prompt = render(ask.messages)
    else:
        prompt = Rendered(ask.completion, special_tokens=True)
    sampling = replace(ask.sampling, stop=(*ask.sampling.stop, *prompt.stop))
    key = content_hash(
        [
            checkpoint.fingerprint,
            ask.item.hash,
            prompt.prompt,
            sampling,
            ask.sample,
            ask.continuations,
        ]
    )
    return Planned(
        ask,
        Request(key, prompt.prompt, sampling, prompt.special_tokens, ask.continuations),
    )


def evaluate(
    checkpoint: Checkpoint,
    protocol: Protocol,
    items: Sequence[Item],
    *,
    store: Path,
    render: Renderer,
    open_engine: Callable[[], Engine],
    samples: int = 1,
    seed: int = 0,
    report: Report = lambda progress: None,
    told: Told | None = None,
) -> Result:
    """Asks the checkpoint every item and stores every answer and score.

    render       turns messages into the text this checkpoint reads
    open_engine  called only when something is owed
    samples      answers per item; more than one are drawn at the protocol's temperature
    report       told of progress after every answer
    told         told of every answer, whether new or stored already, once it is durable; from the
                 thread that commits, so it must not take long

    Raises HarnessError where the store cannot be written, where the checkpoint was replaced on the
    way, or as `open_engine` does.
    """
    started = time.monotonic()
    database.prepare(store)
    write.ingest(store)
    run = _Run(checkpoint, protocol, store, render, samples, seed, report, told)
    run.begin(items)
    try:
        if run.owed:
            run.generate(open_engine())
    finally:
        run.finish()
    return Result(run.id, run.progress, run.engine, time.monotonic() - started)


class _Run:
    """The moving parts of one call of `evaluate`: a queue of owed requests, a batch in hand, and
    one thread that commits batches while the engine generates."""

    def __init__(
        self,
        checkpoint: Checkpoint,
        protocol: Protocol,
        store: Path,
        render: Renderer,
        samples: int,
        seed: int,
        report: Report,
        told: Told | None,
    ) -> None:
        self.told = told
        self.stored: list[tuple[Planned, Answer]] = []
        self.checkpoint = checkpoint
        self.protocol = protocol
        self.store = store
        self.render = render
        self.samples = samples
        self.seed = seed
        self.report = report
        self.engine = ""
        self.settled = False
        self.progress = Progress(0, 0, 0, 0)
        self.owed: dict[str, Planned] = {}
        self.asked: list[str] = []
        self.requests: list[write.Row] = []
        self.answers: list[tuple[Planned, Generation]] = []
        self.committed_at = time.monotonic()
        self.committer = ThreadPoolExecutor(1, thread_name_prefix="commit")
        self.commits: deque[Future[None]] = deque()

    def begin(self, items: Sequence[Item]) -> None:
        """Plans every request, finds what is answered already, and records the evaluation."""
        self.items = items
        self.readings: list[write.Row] = []
        self.id = evaluation_id(
            self.checkpoint.fingerprint, self.protocol, items, self.samples, self.seed
        )
        before = queries.evaluations(self.store, "e.id = ?", [self.id])
        self.started_at = before[0].started_at if before else datetime.now(UTC)
        if before and before[0].engine:
            self.engine = before[0].engine
        asks = list(self.protocol.requests(items, self.samples, self.seed))
        complete = bool(before) and before[0].state == "complete"
        if complete and self.told is None and self._is_answered(asks, before[0].planned):
            self.settled = True
            self._count(planned=before[0].planned, reused=before[0].planned, done=before[0].planned)
            self.report(self.progress)
            return
        rescored = self._plan(asks)
        self.settled = complete and not self.owed and not rescored
        if not self.settled:
            rows = {"requests": self.requests, "scores": rescored, "readings": self.readings}
            self._record("running", 0, 0, {}, rows)
        self.requests, self.readings = [], []
        self._tell_stored(rescored)
        self.report(self.progress)

    def _tell_stored(self, rescored: Sequence[write.Row]) -> None:
        """Tells of the answers that the store had already, with scores old and new."""
        if self.told is None:
            return
        keys = [entry.request.key for entry, _ in self.stored]
        scores = queries.scores_by_key(
            self.store, self.checkpoint.fingerprint, keys, self.protocol.hash
        )
        for row in rescored:
            scores.setdefault(row["key"], {})[row["metric"]] = row["value"]
        for entry, answer in self.stored:
            self.told(self.id, entry, answer, scores.get(entry.request.key, {}))
        self.stored = []

    def _is_answered(self, asks: Sequence[Ask], planned: int) -> bool:
        """Whether the store answers every request of an evaluation that was complete: nothing need
        be rendered, and no tokenizer loaded, to see that nothing is owed."""
        stored = queries.stored_answers(self.store, self.id)
        answers = [one for one in stored if one.finish_reason != "error"]
        first = Counter((one.item_hash, one.sample, one.kind) for one in answers if one.turn == 0)
        return len(answers) == planned and first == Counter(
            (ask.item.hash, ask.sample, ask.kind) for ask in asks
        )

    def _plan(self, asks: Sequence[Ask]) -> list[write.Row]:
        """Follows each ask as far as the store answers it; the first open one is owed. Returns
        scores of stored answers that this protocol had not scored yet."""
        rescored: list[write.Row] = []
        while asks:
            planned = [prepare_request(ask, self.checkpoint, self.render) for ask in asks]
            known = queries.answered(
                self.store,
                self.checkpoint.fingerprint,
                [entry.request.key for entry in planned],
                self.protocol.hash,
            )
            further: list[Ask] = []
            for entry in planned:
                self.requests.append(request_row(self.id, entry))
                stored = known.get(entry.request.key)
                if stored is None:
                    self.owed[entry.request.key] = entry
                    self._count(planned=1)
                    continue
                self._count(planned=1, reused=1, done=1)
                self.engine = self.engine or stored.engine
                answer = Answer(stored.text, stored.finish_reason, stored.likelihoods)
                if self.told is not None:
                    self.stored.append((entry, answer))
                if not stored.scored:
                    rescored += score_rows(self.protocol, entry, answer)
                    self.readings += reading_rows(self.protocol, entry, answer)
                if follow_up := self.protocol.follow_up(entry.ask, answer):
                    further.append(follow_up)
            asks = further
        return rescored

    def generate(self, engine: Engine) -> None:
        """Streams every owed request through the engine, committing batches as they finish."""
        self.engine = engine.description
        # Neighbours in text share the longest prefixes, which a prefix cache computes once.
        order = sorted(self.owed.values(), key=lambda entry: str(entry.request.prompt))
        queue = deque(entry.request for entry in order)
        for generation in engine.generate(queue):
            entry = self.owed.pop(generation.key)
            self.asked.append(generation.key)
            self.answers.append((entry, generation))
            failed = generation.finish_reason == "error"
            self._count(
                done=int(not failed),
                failed=int(failed),
                prompt_tokens=generation.prompt_tokens,
                cached_tokens=generation.cached_tokens,
                completion_tokens=generation.completion_tokens,
            )
            if not failed:
                answer = Answer(generation.text, generation.finish_reason)
                if follow_up := self.protocol.follow_up(entry.ask, answer):
                    queue.append(self._owe(follow_up))
            self._commit_when_due()
            self.report(self.progress)
        used = self.progress
        log.info(
            "%s of %s prompt tokens came from the prefix cache",
            f"{used.cached_tokens:,}",
            f"{used.prompt_tokens:,}",
        )

    def _owe(self, ask: Ask) -> Request:
        entry = prepare_request(ask, self.checkpoint, self.render)
        self.owed[entry.request.key] = entry
        self.requests.append(request_row(self.id, entry))
        self._count(planned=1)
        return entry.request

    def _commit_when_due(self) -> None:
        age = time.monotonic() - self.committed_at
        if len(self.answers) >= BATCH_ROWS or age >= BATCH_SECONDS:
            self._commit()

    def _commit(self) -> None:
        answers, requests = self.answers, self.requests
        self.answers, self.requests = [], []
        self.committed_at = time.monotonic()
        while self.commits and self.commits[0].done():
            self.commits.popleft().result()
        if answers or requests:
            self.commits.append(self.committer.submit(self._write, answers, requests))

    def _write(
        self, answers: Sequence[tuple[Planned, Generation]], requests: Sequence[write.Row]
    ) -> None:
        scores: list[write.Row] = []
        readings: list[write.Row] = []
        settled: list[tuple[Planned, Generation]] = []
        news: list[tuple[Planned, Answer, dict[str, float]]] = []
        for entry, generation in answers:
            if generation.finish_reason != "error":
                answer = Answer(
                    generation.text,
                    generation.finish_reason,
                    tuple((item.logprob, item.tokens) for item in generation.likelihoods),
                )
                try:
                    fresh = score_rows(self.protocol, entry, answer)
                    readings += reading_rows(self.protocol, entry, answer)
                    scores += fresh
                    news.append((entry, answer, {row["metric"]: row["value"] for row in fresh}))
                except HarnessFaultError as fault:
                    # Nothing was learnt about the answer: failed, and owed again.
                    generation = replace(generation, finish_reason="error", error=str(fault))
            settled.append((entry, generation))
        rows = [
            generation_row(self.checkpoint, self.engine, entry, generation)
            for entry, generation in settled
        ]
        batch = {"requests": requests, "generations": rows, "scores": scores, "readings": readings}
        write.spool(self.store, batch)
        if self.told is not None:
            for entry, answer, by_metric in news:
                self.told(self.id, entry, answer, by_metric)

    def finish(self) -> None:
        """Commits what is in hand and closes the books, also on the way out of an error."""
        self._commit()
        self.committer.shutdown(wait=True)
        for commit in self.commits:
            commit.result()
        if self.settled:
            return
        write.ingest(self.store)
        changed = self._replaced()
        if changed:
            void_answers(self.store, self.id, self.asked)
        done, failed, failures = queries.counts(self.store, self.id)
        whole = done + failed == self.progress.planned and not self.owed
        self.progress = replace(self.progress, done=done, failed=failed)
        state = "void" if changed else "complete" if whole else "running"
        self._record(state, done, failed, failures, {})
        write.ingest(self.store)
        if changed:
            raise HarnessError(
                f"{self.checkpoint.path}: replaced while it was evaluated ({changed} is another "
                f"file now); the {len(self.asked)} answers of this call were taken back and "
                f"evaluation {self.id[:12]} is void: repeat the command for what is there now"
            )

    def _replaced(self) -> str | None:
        one = self.checkpoint
        if one.path is None or not one.stamp or not self.asked:
            return None
        return replaced(one.path, one.stamp, one.fingerprint)

    def _count(self, **more: int) -> None:
        self.progress = replace(
            self.progress, **{name: getattr(self.progress, name) + n for name, n in more.items()}
        )

    def _record(
        self,
        state: str,
        done: int,
        failed: int,
        failures: dict[str, int],
        rows: dict[str, list[write.Row]],
    ) -> None:
        """Writes the evaluation's own row, and once at the start what it refers to."""
        evaluation: write.Row = {
            "id": self.id,
            "fingerprint": self.checkpoint.fingerprint,
            "protocol_hash": self.protocol.hash,
            "items_hash": items_hash(self.items),
            "suite": self.protocol.suite,
            "items": len(self.items),
            "samples": self.samples,
            "seed": self.seed,
            "engine": self.engine or None,
            "state": state,
            "planned": self.progress.planned,
            "done": done,
            "failed": failed,
            "failures": json.dumps(failures),
            "started_at": self.started_at,
            "finished_at": datetime.now(UTC) if state == "complete" else None,
        }
        batch = {"evaluations": [evaluation], **rows}
        if rows:
            batch |= {
                "checkpoints": [checkpoint_row(self.checkpoint)],
                "protocols": [protocol_row(self.protocol)],
                "items": [item_row(item) for item in self.items],
            }
        write.spool(self.store, batch)
