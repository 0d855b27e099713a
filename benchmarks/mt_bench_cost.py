"""What judging a full MT-Bench run costs, in calls and in what they send, against FastChat's.

FastChat's `gen_judgment.py` asks the judge once for every question and turn, and does so again
whenever it is started again: it keeps no record of what is answered. The harness is run as it is,
with a judge that answers at once and counts; FastChat's calls are counted from its rule. Both
have the same answers and the same official prompts, so a call is the same text.

  full     one run from nothing
  again    the same command a second time
  killed   a run that is killed half way, and started again
  ours     our own mt-bench-ja, where a rule decides some turns and no judge is asked

Usage: python benchmarks/mt_bench_cost.py DIR --answers FILE [--judge-prompts FILE]
       [--references FILE] [--tokenizer DIR] [--evalset mt-bench-ja]
DIR has FastChat's layout; FILE is a model's answers, both turns. Sizes are characters, and tokens
of a Hugging Face tokenizer where one is named.
"""

from __future__ import annotations

import argparse
import tempfile
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from harness.engines.types import Generation, Request
from harness.items.fastchat import load_fastchat_answers, load_fastchat_items
from harness.items.load import find_evalset, list_evalsets, load_evalset
from harness.items.schema import Item
from harness.judge.calls import JudgeDownError
from harness.judge.judging import Judging
from harness.judge.prompts import PromptSet, render
from harness.judge.rate import prompts_for
from harness.protocols.mt_bench import MtBench
from harness.store import database

Size = Callable[[str], int]
Answers = Mapping[str, tuple[str, ...]]


@dataclass
class CountingJudge:
    """Answers at once; counts calls and what they send. Goes down after `limit` calls."""

    size: Size
    limit: int | None = None
    calls: int = 0
    sent: int = 0
    name: str = "counting"
    place: str = "here"
    concurrency: int = 1
    structured: bool = False
    overlaps: bool = True
    lock: threading.Lock = field(default_factory=threading.Lock)

    def ask(self, request: Request, schema: Mapping[str, Any] | None = None) -> Generation:
        with self.lock:
            if self.limit is not None and self.calls >= self.limit:
                raise JudgeDownError("killed")
            self.calls += 1
            self.sent += sum(self.size(one.content) for one in request.prompt)  # type: ignore[union-attr]
        return Generation(request.key, "Rating: [[7]]", "stop")

    def close(self) -> None:
        pass


def offered(
    store: Path,
    judge: CountingJudge,
    protocol: MtBench,
    prompts: PromptSet,
    items: list[Item],
    answers: Answers,
    decided: Callable[[Item, int], bool] = lambda item, turn: False,
) -> None:
    judging = Judging(store, judge, prompts, structured=False)
    for item in items:
        turns = answers[item.id]
        for turn in range(len(turns)):
            if not decided(item, turn):
                reference = protocol.against_reference(item, turn)
                judging.offer("e", f"{item.id}/{turn}", item, turns[: turn + 1], reference)
    judging.close()


def fastchat(
    protocol: MtBench, prompts: PromptSet, items: list[Item], answers: Answers, size: Size
) -> tuple[int, int]:
    """(calls, what they send): one call for each question and turn."""
    sent = calls = 0
    for item in items:
        turns = answers[item.id]
        for turn in range(len(turns)):
            prompt = prompts.prompt(turn, protocol.against_reference(item, turn))
            shown = render(prompt, item.turns, [turns[: turn + 1]], item.references)
            sent += sum(size(one.content) for one in shown.messages)
            calls += 1
    return calls, sent


def line(name: str, theirs: tuple[int, int], ours: tuple[int, int]) -> None:
    share = f"{ours[1] / theirs[1]:.2f}" if theirs[1] else "–"
    print(
        f"{name:8} FastChat {theirs[0]:4} calls {theirs[1]:10,}   harness {ours[0]:4} calls "
        f"{ours[1]:10,}   ratio {share}"
    )


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("directory", type=Path, nargs="?")
    parser.add_argument("--answers", type=Path)
    parser.add_argument("--references", type=Path)
    parser.add_argument("--judge-prompts", type=Path)
    parser.add_argument("--tokenizer", type=Path)
    parser.add_argument("--evalset", default="mt-bench-ja")
    chosen = parser.parse_args()
    if chosen.directory is None or chosen.answers is None:
        print("not run: it needs the user's official questions and answers (see --help)")
        return
    size, unit = sizer(chosen.tokenizer)
    protocol = MtBench("nejumi-v3")
    prompts = prompts_for(
        protocol, chosen.judge_prompts or chosen.directory / "judge_prompts.jsonl"
    )
    references = chosen.references or chosen.directory / "reference_answer" / "gpt-4.jsonl"
    items = list(load_fastchat_items(chosen.directory, references))
    rows = load_fastchat_answers(chosen.answers)
    answers = {row.question: row.turns for row in rows if row.choice == 0}
    once = fastchat(protocol, prompts, items, answers, size)
    print(f"{len(items)} questions, {unit} sent")
    with tempfile.TemporaryDirectory() as folder:
        store = Path(folder) / "full.duckdb"
        database.prepare(store)
        judge = CountingJudge(size)
        offered(store, judge, protocol, prompts, items, answers)
        line("full", once, (judge.calls, judge.sent))
        again = CountingJudge(size)
        offered(store, again, protocol, prompts, items, answers)
        line("again", once, (again.calls, again.sent))

        store = Path(folder) / "killed.duckdb"
        database.prepare(store)
        half = once[0] // 2
        first = CountingJudge(size, limit=half)
        offered(store, first, protocol, prompts, items, answers)
        second = CountingJudge(size)
        offered(store, second, protocol, prompts, items, answers)
        theirs = (once[0] + half, once[1] + first.sent)
        line("killed", theirs, (first.calls + second.calls, first.sent + second.sent))
        if chosen.evalset in list_evalsets() or Path(chosen.evalset).is_dir():
            ours(chosen.evalset, Path(folder), size)
    print("Ratios are of what is sent, harness to FastChat.")


def ours(evalset: str, folder: Path, size: Size) -> None:
    """Our own items with their references for answers; where a turn has none, its question."""
    protocol, prompts = MtBench(), prompts_for(MtBench(), None)
    items = list(load_evalset(find_evalset(evalset)).items)
    answers = {
        one.id: tuple(
            (one.references[turn] if one.references else "") or text
            for turn, text in enumerate(one.turns)
        )
        for one in items
    }

    def decided(item: Item, turn: int) -> bool:
        check = item.checks[turn] if item.checks else None
        return check is not None and not check.constraints

    store = folder / "ours.duckdb"
    database.prepare(store)
    judge = CountingJudge(size)
    offered(store, judge, protocol, prompts, items, answers, decided)
    every = fastchat(protocol, prompts, items, answers, size)
    line("ours", every, (judge.calls, judge.sent))


def sizer(tokenizer: Path | None) -> tuple[Size, str]:
    if tokenizer is None:
        return len, "characters"
    from tokenizers import Tokenizer

    loaded = Tokenizer.from_file(str(tokenizer / "tokenizer.json"))
    return lambda text: len(loaded.encode(text).ids), f"tokens of {tokenizer.name}"


if __name__ == "__main__":
    main()
