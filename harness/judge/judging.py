"""Has answers judged while others are still generated, and keeps every judgment at once.

Invariants:
- A call is known by its content: judge, prompt hash, messages, sampling, repeat. What the store
  or a call in flight answers is never asked again; a failed request is owed again.
- A judgment is durable as soon as it has arrived; a kill loses the calls in flight and no other.
- Money: a call that could take the spending beyond the budget is not made.
"""

from __future__ import annotations

import json
import threading
from collections import Counter, deque
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path

from harness.engines.types import Generation, Request, Sampling
from harness.items.schema import Item
from harness.judge.budget import Budget
from harness.judge.calls import JudgeDownError, NoStructureError
from harness.judge.prompts import JudgePrompt, PromptSet, Rendered, read, render
from harness.judge.reading import PairReading, Preference
from harness.judge.types import SAMPLING, Judge, JudgeProgress, Shown, Wanted, call_key
from harness.store import write
from harness.store.judgments import KnownJudgment, known_judgments

# A judge that fails this many calls in a row is not asked for the rest.
MOST_FAILURES = 8
REQUEST_FAILURE = "request"
_WIN: dict[Preference, float] = {"A": 1.0, "tie": 0.5, "B": 0.0}


@dataclass(frozen=True)
class _Call:
    wanted: Wanted
    prompt: JudgePrompt
    rendered: Rendered
    request: Request


class Judging:
    """Judges what it is offered, in threads of its own, until it is closed.

    repeats         how often each answer is judged; first_repeat: the number of the first time
    structured      whether a verdict is asked for as JSON where judge and prompt can
    sampling        of the judge, in every protocol SAMPLING
    rejudge_failed  ask again where an earlier reply could not be read
    """

    def __init__(
        self,
        store: Path,
        judge: Judge,
        prompts: PromptSet,
        *,
        repeats: int = 1,
        first_repeat: int = 0,
        structured: bool = True,
        sampling: Sampling = SAMPLING,
        budget: Budget | None = None,
        rejudge_failed: bool = False,
        report: Callable[[JudgeProgress], None] = lambda progress: None,
    ) -> None:
        self.store = store
        self.judge = judge
        self.prompts = prompts
        self.repeats = range(first_repeat, first_repeat + repeats)
        self.rejudge_failed = rejudge_failed
        self.sampling = sampling
        self.structured = structured
        self._budget = budget or Budget(None, None)
        self.report = report
        # What is known: attempts so far and whether the last one gave a rating, by key.
        self._known = known_judgments(store, judge.name)
        self._fresh: set[str] = set()  # asked in this run
        self._links: dict[str, list[Wanted]] = {}  # of calls in flight
        self._rows: list[dict[str, list[write.Row]]] = []
        self._lock = threading.Lock()
        self._counts: Counter[str] = Counter()
        self._failures: Counter[str] = Counter()
        self._in_a_row = 0
        self._fault: str | None = None
        self._calls = ThreadPoolExecutor(judge.concurrency, thread_name_prefix="judge")
        self._committer = ThreadPoolExecutor(1, thread_name_prefix="judgments")
        self._faults: deque[BaseException] = deque()
        self._held: list[Wanted] = []  # until the engine that answers is gone

    @property
    def progress(self) -> JudgeProgress:
        with self._lock:
            counts = self._counts
            wanted, reused, asked = counts["wanted"], counts["reused"], counts["asked"]
            return JudgeProgress(
                wanted,
                reused,
                asked,
                wanted - reused - asked,
                dict(self._failures),
                counts["prompt_tokens"],
                counts["completion_tokens"],
                self._budget.spent if self._budget.price else None,
                self._fault,
            )

    def offer(
        self,
        evaluation: str,
        answer: str,
        item: Item,
        answers: Sequence[str],
        reference: bool,
        draw: int = 0,
    ) -> None:
        """Wants an answer rated; returns at once. Parameters as in `Shown` and `Wanted`.

        draw  the number of the answer, where equal answers to a question are to be judged apart
        """
        shown = Shown(evaluation, answer, tuple(answers))
        for repeat in self.repeats:
            self._offer(Wanted(item, shown, reference, repeat + draw * len(self.repeats)))

    def offer_pair(self, item: Item, shown: Shown, rival: Shown, reference: bool) -> None:
        """Wants two answers compared, in both orders; returns at once."""
        for repeat in self.repeats:
            for swapped in (False, True):
                self._offer(Wanted(item, shown, reference, repeat, rival, swapped))

    def _offer(self, wanted: Wanted) -> None:
        with self._lock:
            self._counts["wanted"] += 1
        if self.judge.overlaps:
            self._calls.submit(self._guarded, wanted)
        else:
            self._held.append(wanted)

    def close(self, *, cancel: bool = False) -> JudgeProgress:
        """Waits for every judgment (`cancel`: for those in flight alone) and makes them durable.

        Raises what a thread failed by, e.g. HarnessError where the store cannot be written.
        """
        for wanted in () if cancel else self._held:
            self._calls.submit(self._guarded, wanted)
        try:
            self._calls.shutdown(wait=True, cancel_futures=cancel)
        except BaseException:  # Ctrl-C: what is in flight is paid for, what waits is not asked
            self._calls.shutdown(wait=True, cancel_futures=True)
            raise
        finally:
            self._committer.shutdown(wait=True)
            self._flush()
        write.ingest(self.store)
        if self._faults:
            raise self._faults[0]
        return self.progress

    def _guarded(self, wanted: Wanted) -> None:
        try:
            self._judge(wanted)
        except BaseException as error:
            self._faults.append(error)
            self._fault = self._fault or str(error)
        self.report(self.progress)

    def _judge(self, wanted: Wanted) -> None:
        prompt = self.prompts.prompt(wanted.turn, wanted.reference, wanted.rival is not None)
        forms = [self._call(wanted, prompt, structured) for structured in self._forms(prompt)]
        with self._lock:
            for call in forms:
                if self._is_settled(call.request.key):
                    self._counts["reused"] += 1
                    self._rows.append(self._links_of([wanted], call.request.key))
                    return
            if self._fault is not None:
                return
            call = forms[0]
            key = call.request.key
            if key in self._links:  # the same content is being asked at this moment
                self._links[key].append(wanted)
                self._counts["reused"] += 1
                return
            self._links[key] = [wanted]
        try:
            self._ask(call)
        except NoStructureError:
            self._ask_in_words(wanted, prompt, key)
        except JudgeDownError as error:
            self._drop(key)
            self._fault = self._fault or str(error)

    def _forms(self, prompt: JudgePrompt) -> tuple[bool, ...]:
        """Whether to ask for structure, first choice first; either may be in the store."""
        if not self.structured or not prompt.verdict.schema:
            return (False,)
        return (True, False) if self.judge.structured else (False, True)

    def _call(self, wanted: Wanted, prompt: JudgePrompt, structured: bool) -> _Call:
        item = wanted.item
        rendered = render(
            prompt, item.turns, wanted.candidates, item.references, item.rubric, structured
        )
        key = call_key(self.judge.name, prompt.hash, rendered, self.sampling, wanted.repeat)
        return _Call(wanted, prompt, rendered, Request(key, rendered.messages, self.sampling))

    def _is_settled(self, key: str) -> bool:
        known = self._known.get(key)
        if known is None or known.failure == REQUEST_FAILURE:
            return False
        return known.failure is None or not self.rejudge_failed or key in self._fresh

    def _ask_in_words(self, wanted: Wanted, prompt: JudgePrompt, structured_key: str) -> None:
        call = self._call(wanted, prompt, False)
        key = call.request.key
        with self._lock:
            links = self._links.pop(structured_key)
            if key in self._links:
                self._links[key] += links
                self._counts["reused"] += 1
                return
            self._links[key] = links
        try:
            self._ask(call)
        except JudgeDownError as error:
            self._drop(key)
            self._fault = self._fault or str(error)

    def _drop(self, key: str) -> None:
        with self._lock:
            shared = len(self._links.pop(key, ())) - 1
            self._counts["reused"] -= max(0, shared)

    def _ask(self, call: _Call) -> None:
        reserved = self._budget.reserve(call.request)
        if reserved is None:
            self._drop(call.request.key)
            return
        reply: Generation | None = None
        try:
            reply = self.judge.ask(call.request, call.rendered.schema)
        finally:
            nothing = Generation(call.request.key, "", "error")
            cost = self._budget.settle(reserved, reply or nothing)
        self._keep(call, reply, cost)

    def _keep(self, call: _Call, reply: Generation, cost: float | None) -> None:
        value, failure = _verdict(call, reply)
        key = call.request.key
        known = self._known.get(key)
        attempt = 0
        if known is not None:
            attempt = known.attempt + (known.failure != REQUEST_FAILURE)
        row: write.Row = {
            "key": key,
            "attempt": attempt,
            "judge": self.judge.name,
            "prompt": f"{self.prompts.id}/{call.prompt.key}",
            "prompt_hash": call.prompt.hash,
            "repeat": call.wanted.repeat,
            "messages": json.dumps(
                [asdict(one) for one in call.rendered.messages], ensure_ascii=False
            ),
            "sampling": json.dumps(asdict(call.request.sampling)),
            "text": reply.text,
            "value": value,
            "failure": failure,
            "error": reply.error,
            "prompt_tokens": reply.prompt_tokens,
            "completion_tokens": reply.completion_tokens,
            "cost": cost,
            "latency": reply.latency,
            "place": self.judge.place,
            "created_at": datetime.now(UTC),
        }
        with self._lock:
            links = self._links.pop(key)
            self._known[key] = KnownJudgment(attempt, failure)
            self._fresh.add(key)
            self._rows.append({"judgments": [row], **self._links_of(links, key)})
            self._counts["asked"] += 1
            self._counts["prompt_tokens"] += reply.prompt_tokens
            self._counts["completion_tokens"] += reply.completion_tokens
            if failure is not None:
                self._failures[failure] += 1
            self._in_a_row = self._in_a_row + 1 if failure == REQUEST_FAILURE else 0
            if self._in_a_row >= MOST_FAILURES and self._fault is None:
                self._fault = (
                    f"{self.judge.place}: {self._in_a_row} judge calls in a row failed (the last: "
                    f"{reply.error}); mend that and repeat the command"
                )
        self._committer.submit(self._guarded_flush)

    def _links_of(self, wanted: Sequence[Wanted], key: str) -> dict[str, list[write.Row]]:
        """Rows that say what a judgment is of."""
        links: dict[str, list[write.Row]] = {"judged": [], "paired": []}
        for one in wanted:
            common = {
                "judge": self.judge.name,
                "prompt_set": self.prompts.hash,
                "repeat": one.repeat,
                "key": key,
            }
            shown, rival = one.shown, one.rival
            if rival is None:
                place = {"evaluation": shown.evaluation, "answer": shown.answer}
                links["judged"].append(common | place)
            else:
                pair = {
                    "evaluation_a": shown.evaluation,
                    "evaluation_b": rival.evaluation,
                    "answer_a": shown.answer,
                    "answer_b": rival.answer,
                    "swapped": one.swapped,
                }
                links["paired"].append(common | pair)
        return links

    def _guarded_flush(self) -> None:
        try:
            self._flush()
        except BaseException as error:
            self._faults.append(error)
            self._fault = self._fault or str(error)

    def _flush(self) -> None:
        with self._lock:
            batches, self._rows = self._rows, []
        merged: dict[str, list[write.Row]] = {}
        for batch in batches:
            for table, rows in batch.items():
                merged.setdefault(table, []).extend(rows)
        write.spool(self.store, merged)


def _verdict(call: _Call, reply: Generation) -> tuple[float | None, str | None]:
    """(rating, or share of a win for what was shown first; failure class); one of them is None."""
    if reply.finish_reason == "error":
        return None, REQUEST_FAILURE
    found = read(call.prompt, call.rendered, reply.text, reply.finish_reason)
    if not isinstance(found, PairReading):
        return found.rating, found.failure
    return (None if found.verdict is None else _WIN[found.verdict]), found.failure
