"""Where the time of one `harness eval` goes: the engine's own work, and everything else by name.

A checkpoint of two random layers is asked short items: sums, labels (a generated answer and the
log-likelihood of each label), JSON, passages, a second turn here and there, and three few-shot
datasets in Jaster's layout. The engine's own work is small then, and everything around it shows.

The functions that mark the parts (PARTS) are timed in place, each without what it calls of the
others, on every thread. Seconds on the clock of the main thread add up to the whole process; the
other threads and processes work beside it. On a busy machine look at the CPU seconds.

Usage: python benchmarks/eval_profile.py [--engine vllm] [--items 5000] [--again] [--json]

With --again the same command runs a second time, when nothing is owed any more.
"""

from __future__ import annotations

import argparse
import functools
import importlib.machinery
import json
import os
import resource
import subprocess
import sys
import tempfile
import threading
import time
from collections import defaultdict
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

ENGINE = "the engine: its answers"
LOADING = "the engine: loading"
CLOSING = "the engine: closing"
TOKENISING = "the engine: tokenising"
TOKENIZER = "the engine: its tokenizer"
ENGINE_IMPORTS = "the engine: imports"
IMPORTS = "imports, all others"
OTHER = "the rest: queue, progress, Python's start"
# module -> attribute -> part. The attribute is timed as it is seen in that module.
PARTS: dict[str, dict[str, str]] = {
    "vllm.v1.engine.llm_engine": {"LLMEngine.step": ENGINE, "LLMEngine.add_request": ENGINE},
    "harness.engines.vllm": {
        "VllmEngine.__init__": LOADING,
        "VllmEngine.close": CLOSING,
        "prepare": TOKENISING,
    },
    "harness.engines.transformers": {
        "TransformersEngine.__init__": LOADING,
        "TransformersEngine.close": CLOSING,
        "TransformersEngine._answer": ENGINE,
        "TransformersEngine._score": ENGINE,
        "prepare": TOKENISING,
    },
    "harness.engines.prompt": {"_load_tokenizer": TOKENIZER},
    "harness.engines.template": {"TemplateProcess.render": "chat templates"},
    "harness.protocols.catalogue": {"open_suite": "reading items"},
    "harness.checkpoint": {"discover": "reading the checkpoint"},
    "harness.evaluate": {
        "prepare_request": "content keys",
        "request_row": "rows",
        "generation_row": "rows",
        "item_row": "rows",
        "score_rows": "scoring",
        "reading_rows": "scoring",
        "items_hash": "content keys",
        "replaced": "fingerprint at the end",
    },
    "harness.store.write": {"spool": "spool", "ingest": "intake"},
    "harness.store.database": {"prepare": "making the store"},
    "harness.store.queries": {
        "answered": "asking the store",
        "counts": "asking the store",
        "evaluations": "asking the store",
    },
    "harness.cli.eval": {"_print_boards": "boards"},
}


class Clock:
    """Seconds by part and thread: on the clock and of CPU, without the parts within. What the
    engine imports is a part of its own."""

    def __init__(self) -> None:
        self.spent: dict[tuple[str, str], list[float]] = defaultdict(lambda: [0, 0.0, 0.0])
        self.local = threading.local()

    def time(self, part: str, function: Callable[..., Any]) -> Callable[..., Any]:
        @functools.wraps(function)
        def timed(*arguments: Any, **named: Any) -> Any:
            stack = self.local.__dict__.setdefault("stack", [[0.0, 0.0, ""]])
            here = part
            if part == IMPORTS and stack[-1][2] in (LOADING, TOKENIZER, ENGINE_IMPORTS):
                here = ENGINE_IMPORTS
            stack.append([0.0, 0.0, here])
            wall, cpu = time.perf_counter(), time.thread_time()
            try:
                return function(*arguments, **named)
            finally:
                wall, cpu = time.perf_counter() - wall, time.thread_time() - cpu
                within = stack.pop()
                stack[-1][0] += wall
                stack[-1][1] += cpu
                entry = self.spent[threading.current_thread().name, here]
                entry[0] += 1
                entry[1] += wall - within[0]
                entry[2] += cpu - within[1]

        return timed

    def watch_imports(self) -> None:
        """Times the execution of modules, and the parts of a module once it is there."""
        for loader in (
            importlib.machinery.SourceFileLoader,
            importlib.machinery.ExtensionFileLoader,
        ):
            execute = self.time(IMPORTS, loader.exec_module)

            def exec_module(
                own: Any, module: ModuleType, execute: Callable[..., Any] = execute
            ) -> None:
                execute(own, module)
                for name, part in PARTS.get(module.__name__, {}).items():
                    *holder, last = name.split(".")
                    place = getattr(module, holder[0]) if holder else module
                    setattr(place, last, self.time(part, getattr(place, last)))

            loader.exec_module = exec_module  # type: ignore[method-assign, assignment]


def since_start() -> float:
    """Seconds since this process began, as the kernel counts (hundredths)."""
    ticks = int(Path("/proc/self/stat").read_text().rsplit(")", 1)[1].split()[19])
    return time.clock_gettime(time.CLOCK_BOOTTIME) - ticks / os.sysconf("SC_CLK_TCK")


def profiled(out: Path, arguments: list[str]) -> None:
    """Is `harness ARGUMENTS` in this process, and writes what it took before it ends."""
    clock = Clock()
    clock.watch_imports()
    from harness.cli import main as cli

    run = cli.main

    def timed() -> None:
        try:
            run()
        finally:
            own = resource.getrusage(resource.RUSAGE_SELF)
            spent = {
                "seconds": since_start(),
                "main_cpu": time.thread_time(),
                "cpu": own.ru_utime + own.ru_stime,
                "parts": [[*name, *times] for name, times in clock.spent.items()],
            }
            out.write_text(json.dumps(spent))

    sys.argv = ["harness", *arguments]
    cli.main = timed
    cli.program()


def mixed_item(number: int) -> dict[str, Any]:
    """One of five kinds in turn; no two are alike."""
    a, b = 10 + number % 83, 10 + number // 83
    item: dict[str, Any] = {"id": f"mixed/{number}", "genre": "math", "metric": "exact"}
    match number % 5:
        case 0:
            return item | {
                "turns": [f"{a}+{b}は? 数字で答える。"],
                "answer": str(a + b),
                "format": {"kind": "integer"},
                "metric": "number",
            }
        case 1:
            return item | {
                "genre": "reasoning",
                "turns": [f"{b}人の中の問題{a}。\nA:{a}\nB:{a + b}\nC:{b}\nD:0\n文字で答える。"],
                "answer": "B",
                "format": {"kind": "choice", "labels": ["A", "B", "C", "D"]},
            }
        case 2:
            return item | {
                "genre": "extraction",
                "turns": [f"東京の山川は{a}円、{b}個。nとkをJSONで答える。"],
                "answer": json.dumps({"n": a, "k": b}),
                "format": {"kind": "json", "keys": {"n": "integer", "k": "integer"}},
                "metric": "json",
            }
        case 3:
            return item | {
                "genre": "extraction",
                "turns": [f"「{a}年、日本の大学で学問の文章を{b}回」から場所を答える。"],
                "answer": "日本の大学",
                "format": {"kind": "span", "max_chars": 20, "verbatim": True},
                "metric": "char_f1",
            }
        case _:
            return item | {
                "turns": [f"{a}に{b}を足す。", "2倍にする。数字で答える。"],
                "answer": str(2 * (a + b)),
                "format": {"kind": "integer"},
                "metric": "number",
            }


def write_mixed(path: Path, count: int) -> None:
    rows = (json.dumps(mixed_item(number), ensure_ascii=False) for number in range(count))
    path.write_text("".join(f"{row}\n" for row in rows))


def write_datasets(folder: Path, count: int) -> None:
    """Three few-shot datasets: a closed label set, a span, a number."""
    asked: dict[str, tuple[str, int, str, Callable[[int, int], tuple[str, str]]]] = {
        "jcommonsenseqa": (
            "正しい番号を答える。",
            1,
            "exact_match",
            lambda a, b: (f"質問:{a}番の人\n選択肢:0.東,1.京,2.{b},3.山,4.川", str(b % 5)),
        ),
        "jsquad": (
            "文章から答えを抜き出す。",
            25,
            "char_f1",
            lambda a, b: (f"文章:{a}年に大学で学んだ人は{b}人。質問:年", f"{a}年"),
        ),
        "mawps": (
            "数字だけを答える。",
            10,
            "exact_match",
            lambda a, b: (f"{a}円の{b}個", str(a * b)),
        ),
    }
    for place, (name, (instruction, length, metric, make)) in enumerate(asked.items()):
        size = len(range(place, count, len(asked)))
        for split, first, number in (("test", 0, size), ("train", size, 8)):
            samples = [
                dict(zip(("input", "output"), make(10 + i % 83, 10 + i // 83), strict=True))
                for i in range(first, first + number)
            ]
            file = folder / split / f"{name}.json"
            file.parent.mkdir(parents=True, exist_ok=True)
            head = {"instruction": instruction, "output_length": length, "metrics": [metric]}
            file.write_text(json.dumps(head | {"samples": samples}, ensure_ascii=False))


def measure(folder: Path, arguments: list[str]) -> dict[str, Any]:
    """One `harness eval` as a process: seconds of the whole, CPU of all processes, parts."""
    out = folder / "spent.json"
    environment = {
        **os.environ,
        "OMP_NUM_THREADS": os.environ.get("OMP_NUM_THREADS", "1"),
        "HF_HUB_OFFLINE": "1",
    }
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    began = time.perf_counter()
    command = [sys.executable, __file__, "--run", str(out), *arguments]
    done = subprocess.run(command, env=environment, capture_output=True, text=True)
    seconds = time.perf_counter() - began
    if done.returncode:
        sys.exit(f"harness {' '.join(arguments)} failed:\n{done.stderr[-3000:]}")
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    spent: dict[str, Any] = json.loads(out.read_text())
    everything = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return spent | {"whole": seconds, "whole_cpu": everything, "said": done.stderr}


def report(spent: dict[str, Any]) -> None:
    """The table: the main thread's parts, which add up, and what worked beside it."""
    parts = spent["parts"]
    main = [row[1:] for row in parts if row[0] == "MainThread"]
    rest_cpu = spent["main_cpu"] - sum(row[3] for row in main)
    main.append([OTHER, 1, spent["whole"] - sum(row[2] for row in main), rest_cpu])
    print(f"{'':<52}{'calls':>8}{'seconds':>9}{'CPU':>8}")
    for part, calls, wall, cpu in sorted(
        main, key=lambda row: (row[0][:10] != ENGINE[:10], -row[2])
    ):
        print(f"  {part:<50}{calls:>8}{wall:>9.2f}{cpu:>8.2f}")
    engine = [
        sum(row[place] for row in main if row[0].startswith("the engine")) for place in (2, 3)
    ]
    others = spent["main_cpu"] - engine[1]
    print(f"  {'main thread, the engine':<58}{engine[0]:>9.2f}{engine[1]:>8.2f}")
    print(f"  {'main thread, all else':<58}{spent['whole'] - engine[0]:>9.2f}{others:>8.2f}")
    print("  beside it:")
    for thread, part, calls, wall, cpu in sorted(parts, key=lambda row: -row[4]):
        if thread != "MainThread":
            print(f"    {f'{part} ({thread})':<48}{calls:>8}{wall:>9.2f}{cpu:>8.2f}")
    ended = spent["whole_cpu"] - spent["cpu"]
    print(f"    {'threads, all':<65}{spent['cpu'] - spent['main_cpu']:>8.2f}")
    print(f"    {'processes that it started, and its own end':<65}{ended:>8.2f}")
    print(f"  {'whole':<58}{spent['whole']:>9.2f}{spent['whole_cpu']:>8.2f}", flush=True)


def main() -> None:
    if sys.argv[1:2] == ["--run"]:
        profiled(Path(sys.argv[2]), sys.argv[3:])
        return
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--engine", default="vllm", choices=["vllm", "transformers"])
    parser.add_argument("--items", type=int, default=5000)
    parser.add_argument("--again", action="store_true")
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--directory", type=Path, help="keeps the store and the items there")
    options = parser.parse_args()
    from tests.conftest import make_checkpoint

    with tempfile.TemporaryDirectory() as name:
        folder = options.directory or Path(name)
        folder.mkdir(exist_ok=True)
        checkpoint = make_checkpoint(folder / "checkpoint", context=1024)
        few_shot = options.items * 3 // 10
        write_mixed(folder / "mixed.jsonl", options.items - few_shot)
        write_datasets(folder / "datasets", few_shot)
        suites = f"{folder / 'mixed.jsonl'},jaster:{folder / 'datasets'}"
        arguments = ["eval", str(checkpoint), "--suite", suites, "--limit", "-1"]
        arguments += ["--engine", options.engine, "--store", str(folder / "results.duckdb")]
        for run in ("first", "again")[: 1 + options.again]:
            spent = measure(folder, arguments)
            if options.json:
                print(json.dumps({"run": run, "items": options.items, **spent}))
                continue
            print(f"\n{options.items} items, {options.engine}, {run} run:")
            report(spent)


if __name__ == "__main__":
    main()
