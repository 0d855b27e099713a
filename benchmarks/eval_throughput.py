"""Wall time of `harness eval` against the bare engine and against lm-eval, on the same prompts.

Prints ratios of whole processes, start-up included, as a user meets them; each round runs every
contender once, in turn, and the medians are compared. The engine is vLLM in all of them, with the
same settings; the checkpoint is a tiny random Llama, so that the engine's own work is small and
everything around it shows.

  generate  1,000 short items, greedy, 16 tokens at most
  choice    1,000 four-label items behind a shared preamble: a generated answer and the
            log-likelihood of each label (what a format-versus-knowledge split asks for)

Usage: python benchmarks/eval_throughput.py [--items 1000] [--rounds 3] [--json FILE]
"""

from __future__ import annotations

import argparse
import json
import re
import shutil
import sys
import tempfile
from functools import partial
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from benchmarks.bench.measure import Cost, Result, alternate, process
from benchmarks.bench.peers import here

PREAMBLE = "「学問と文章の問題」を次の指示に応じて答える。" * 12
LABELS = ["A", "B", "C", "D"]
TOKENS = 16
CONTEXT = 512
ENGINE = {"dtype": "float32", "enforce_eager": True, "block_size": 32, "max_model_len": CONTEXT}


def write_items(path: Path, count: int, choice: bool) -> None:
    """An evalset file: sums to generate, or four-label questions behind a shared preamble."""
    with path.open("w") as file:
        for number in range(count):
            a, b = 10 + number % 45, 10 + number // 45
            turn = f"{a}+{b}は? 数字で答える。"
            item: dict[str, Any] = {
                "id": f"{path.stem}/{number}",
                "genre": "math",
                "turns": [turn],
                "answer": str(a + b),
                "format": {"kind": "integer"},
                "metric": "number",
            }
            if choice:
                item |= {
                    "turns": [f"{PREAMBLE}\n問題:{turn}\nA:{a}\nB:{a + b}\nC:{b}\nD:0\n"],
                    "answer": "B",
                    "format": {"kind": "choice", "labels": LABELS},
                    "metric": "exact",
                }
            file.write(json.dumps(item, ensure_ascii=False) + "\n")


def rendered(checkpoint: Path, items: Path) -> list[str]:
    from harness.engines.prompt import load_renderer
    from harness.engines.types import Message

    render = load_renderer(checkpoint)
    turns = [json.loads(line)["turns"][0] for line in items.read_text().splitlines()]
    return [str(render((Message("user", turn),)).prompt) for turn in turns]


def bare(checkpoint: Path, items: Path, out: Path) -> None:
    """vLLM's own offline interface: all prompts at once, answers to a file."""
    from vllm import LLM, SamplingParams

    prompts = rendered(checkpoint, items)
    engine = LLM(str(checkpoint), enable_prefix_caching=True, **ENGINE)
    tokenizer = engine.get_tokenizer()
    inputs = [
        {"prompt_token_ids": tokenizer.encode(prompt, add_special_tokens=False)}
        for prompt in prompts
    ]
    outputs = engine.generate(inputs, SamplingParams(temperature=0.0, max_tokens=TOKENS))
    out.write_text(json.dumps([output.outputs[0].text for output in outputs]))


def lm_eval(checkpoint: Path, items: Path, out: Path) -> None:
    """lm-eval's Python interface with only our tasks, its fastest way in (with its own task
    index it starts up to a minute later)."""
    import lm_eval
    from lm_eval.tasks import TaskManager

    folder = items.parent / "tasks"
    tasks = ["generate", "choice"] if "choice" in items.stem else ["generate"]
    manager = TaskManager(include_path=str(folder), include_defaults=False)
    results = lm_eval.simple_evaluate(
        model="vllm",
        model_args={
            "pretrained": str(checkpoint),
            "enable_prefix_caching": True,
            # The rendered prompts begin with the BOS token already.
            "add_bos_token": False,
            **ENGINE,
        },
        tasks=tasks,
        task_manager=manager,
        batch_size="auto",
        log_samples=True,
        bootstrap_iters=0,
    )
    assert results is not None
    samples = sorted(results["samples"]["generate"], key=lambda one: one["doc_id"])
    out.write_text(json.dumps([one["resps"][0][0] for one in samples]))


def write_tasks(folder: Path, checkpoint: Path, items: Path) -> None:
    """The same rendered prompts as lm-eval tasks over a local file."""
    folder.mkdir(exist_ok=True)
    documents = folder / "documents.jsonl"
    with documents.open("w") as file:
        for prompt in rendered(checkpoint, items):
            file.write(json.dumps({"prompt": prompt}, ensure_ascii=False) + "\n")
    source = {
        "dataset_path": "json",
        "dataset_kwargs": {"data_files": {"test": str(documents)}},
        "test_split": "test",
        "doc_to_text": "{{prompt}}",
        "target_delimiter": "",
    }
    generate = source | {
        "task": "generate",
        "output_type": "generate_until",
        "doc_to_target": "B",
        "generation_kwargs": {
            "until": ["</s>"],
            "max_gen_toks": TOKENS,
            "do_sample": False,
            "temperature": 0.0,
        },
        "metric_list": [{"metric": "exact_match"}],
    }
    choice = source | {
        "task": "choice",
        "output_type": "multiple_choice",
        "doc_to_choice": LABELS,
        "doc_to_target": 1,
        "metric_list": [{"metric": "acc"}],
    }
    for task in (generate, choice):
        (folder / f"{task['task']}.yaml").write_text(json.dumps(task, ensure_ascii=False))


ON_CPU = {
    "VLLM_ENABLE_V1_MULTIPROCESSING": "0",
    "VLLM_CPU_KVCACHE_SPACE": "1",
    "VLLM_NO_USAGE_STATS": "1",
    "VLLM_LOGGING_LEVEL": "ERROR",
}


def evaluation(command: list[str]) -> Cost:
    """A whole process that holds an engine, as it is set on CPU."""
    return process(command, environment=ON_CPU)[0]


def harness_answers(store: Path, items: Path) -> list[str]:
    import duckdb

    with duckdb.connect(str(store), read_only=True) as connection:
        rows = connection.execute(
            "SELECT i.id, g.text FROM generations g JOIN items i ON i.hash = g.item_hash "
            "WHERE g.kind = 'answer'"
        ).fetchall()
    order = [json.loads(line)["id"] for line in items.read_text().splitlines()]
    answers = dict(rows)
    return [answers[name] for name in order]


def run_workload(workload: str, count: int, rounds: int, result: Result) -> None:
    from tests.conftest import make_checkpoint

    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        checkpoint = make_checkpoint(folder / "checkpoint", context=CONTEXT)
        items = folder / f"{workload}.jsonl"
        write_items(items, count, choice=workload == "choice")
        write_tasks(folder / "tasks", checkpoint, items)
        own = [sys.executable, __file__, "--checkpoint", str(checkpoint), "--file", str(items)]
        peers = {"lm_eval": here("lm-eval")}
        if workload == "generate":
            peers["bare"] = here("vllm")

        store = folder / "store" / "results.duckdb"

        def ours() -> Cost:
            shutil.rmtree(store.parent, ignore_errors=True)
            store.parent.mkdir()
            command = [sys.executable, "-m", "harness", "eval", str(checkpoint)]
            command += ["--suite", str(items), "--engine", "vllm", "--quiet"]
            return evaluation([*command, "--store", str(store)])

        def peer(name: str) -> Cost:
            return evaluation([*own, "--run", name, "--out", str(folder / f"{name}.json")])

        ways = {"harness": ours} | {name: partial(peer, name) for name in peers}
        costs = alternate(ways, rounds)
        answers = harness_answers(store, items)
        print(f"{workload}, {count} items, whole processes:")
        for name, label in peers.items():
            result.compare(f"{workload}, {count:,} items", label, costs["harness"], costs[name])
        for name, label in peers.items():
            theirs = json.loads((folder / f"{name}.json").read_text())
            equal = sum(plain(a) == plain(b) for a, b in zip(answers, theirs, strict=True))
            result.check(f"{workload}: {equal:,} of {count:,} answers equal {label}'s.")
            # Rounding may turn an answer where two tokens are equally likely, no more than that.
            if equal < 0.99 * count:
                sys.exit(f"{label} answered otherwise: {equal} of {count} are equal")


def plain(answer: str) -> str:
    """An answer without the special tokens that lm-eval leaves in its text."""
    return re.sub(r"<s>|</s>|<unk>|<pad>|\[(system|user|assistant)\]", "", answer).strip()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--items", type=int, default=1000)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--json", type=Path)
    parser.add_argument("--run", choices=["bare", "lm_eval"], help=argparse.SUPPRESS)
    for name in ("--checkpoint", "--file", "--out"):
        parser.add_argument(name, type=Path, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.run:
        {"bare": bare, "lm_eval": lm_eval}[options.run](
            options.checkpoint, options.file, options.out
        )
        return
    result = Result()
    for workload in ("generate", "choice"):
        run_workload(workload, options.items, options.rounds, result)
    result.write(options.json)


if __name__ == "__main__":
    main()
