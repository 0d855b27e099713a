"""Time of a 4-shot Jaster evaluation against lm-eval's own runner on equivalent tasks.

Same engine (vLLM), same checkpoint, same prompts, greedy; whole processes. Both generate an answer
to each item and score each label of the closed label sets. With lm-eval that is a generation task
and a multiple-choice task for each dataset; here it is `harness eval --suite jaster`.

Usage: python benchmarks/jaster_throughput.py [--directory DIR] [--items 300] [--rounds 3]
           [--model CHECKPOINT] [--json FILE]

DIR is a directory that llm-jp-eval converted and holds jcommonsenseqa, jnli and jsquad; without it
three datasets of our own set stand in. Without --model the checkpoint is a random one of six
layers, width 384 (about 7 million parameters), whose tokens are single characters.
"""

from __future__ import annotations

import argparse
import json
import shutil
import sys
import tempfile
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from benchmarks.bench.measure import Cost, Result, alternate
from benchmarks.bench.peers import here
from benchmarks.eval_throughput import evaluation, plain

DATASETS = ("jcommonsenseqa", "jnli", "jsquad")
OWN = ("mc_commonsense", "nli_everyday", "rc_notices")
CONTEXT = 8192
ENGINE = {"dtype": "float32", "enforce_eager": True, "block_size": 32, "max_model_len": CONTEXT}


def asked(directory: str, datasets: str, count: int) -> list[Any]:
    """The items as the harness asks them."""
    from harness.protocols.jaster_suite import open_jaster

    name = f"jaster:{directory}" if directory else "jaster-ja"
    return list(open_jaster(name, limit=count, datasets=datasets.split(",")).items)


def write_tasks(folder: Path, items: list[Any]) -> list[str]:
    """A generation task for each dataset, and a multiple-choice task where labels are closed."""
    from harness.protocols.jaster import llmjp_prompt

    folder.mkdir()
    names = []
    for dataset in dict.fromkeys(item.dataset for item in items):
        members = [item for item in items if item.dataset == dataset]
        documents = folder / f"{dataset}.jsonl"
        with documents.open("w") as file:
            for item in members:
                row = {"prompt": llmjp_prompt(item, 4), "gold": item.answer}
                file.write(json.dumps(row, ensure_ascii=False) + "\n")
        source = {
            "dataset_path": "json",
            "dataset_kwargs": {"data_files": {"test": str(documents)}},
            "test_split": "test",
            "doc_to_text": "{{prompt}}",
            "target_delimiter": "",
        }
        tasks = [
            source
            | {
                "task": f"{dataset}_generate",
                "output_type": "generate_until",
                "doc_to_target": "{{gold}}",
                "generation_kwargs": {
                    "until": ["</s>"],
                    "max_gen_toks": members[0].max_tokens,
                    "do_sample": False,
                    "temperature": 0.0,
                },
                "metric_list": [{"metric": "exact_match"}],
            }
        ]
        if members[0].format.kind == "choice":
            tasks.append(
                source
                | {
                    "task": f"{dataset}_choice",
                    "output_type": "multiple_choice",
                    "doc_to_choice": list(members[0].format.labels),
                    "doc_to_target": "{{gold}}",
                    "metric_list": [{"metric": "acc"}],
                }
            )
        for task in tasks:
            (folder / f"{task['task']}.yaml").write_text(json.dumps(task, ensure_ascii=False))
            names.append(task["task"])
    return names


def lm_eval(checkpoint: Path, folder: Path, out: Path) -> None:
    """lm-eval's Python interface with only our tasks, its fastest way in."""
    import lm_eval
    from lm_eval.tasks import TaskManager

    tasks = sorted(file.stem for file in folder.glob("*.yaml"))
    results = lm_eval.simple_evaluate(
        model="vllm",
        model_args={
            "pretrained": str(checkpoint),
            "enable_prefix_caching": True,
            "add_bos_token": True,
            **ENGINE,
        },
        tasks=tasks,
        task_manager=TaskManager(include_path=str(folder), include_defaults=False),
        batch_size="auto",
        log_samples=True,
        bootstrap_iters=0,
    )
    assert results is not None
    answers = {
        task.removesuffix("_generate"): [
            sample["resps"][0][0] for sample in sorted(samples, key=lambda one: one["doc_id"])
        ]
        for task, samples in results["samples"].items()
        if task.endswith("_generate")
    }
    out.write_text(json.dumps(answers))


def harness_answers(store: Path) -> tuple[dict[str, list[str]], float]:
    """Answers by dataset in item order, and the share of prompt tokens that the cache supplied."""
    import duckdb

    with duckdb.connect(str(store), read_only=True) as connection:
        rows = connection.execute(
            "SELECT i.dataset, g.text FROM generations g JOIN items i ON i.hash = g.item_hash "
            "WHERE g.kind = 'answer' ORDER BY i.id"
        ).fetchall()
        total = connection.execute(
            "SELECT sum(cached_tokens) / sum(prompt_tokens) FROM generations"
        ).fetchone()
    answers: dict[str, list[str]] = {}
    for dataset, text in rows:
        answers.setdefault(dataset, []).append(text)
    return answers, float(total[0]) if total else 0.0


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--directory", default="")
    parser.add_argument("--items", type=int, default=300)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--model", type=Path)
    parser.add_argument("--json", type=Path)
    parser.add_argument("--lm-eval", nargs=3, type=Path, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.lm_eval:
        lm_eval(*options.lm_eval)
        return
    from tests.conftest import make_checkpoint

    datasets = ",".join(DATASETS if options.directory else OWN)
    directory = str(Path(options.directory).resolve()) if options.directory else ""
    items = asked(directory, datasets, options.items)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        checkpoint = options.model or make_checkpoint(
            folder / "random", context=CONTEXT, heads=12, layers=6, width=384
        )
        tasks = write_tasks(folder / "tasks", items)
        store, out = folder / "store" / "results.duckdb", folder / "answers.json"
        suite = f"jaster:{directory}" if directory else "jaster-ja"

        def ours() -> Cost:
            shutil.rmtree(store.parent, ignore_errors=True)
            store.parent.mkdir()
            command = [sys.executable, "-m", "harness", "eval", str(checkpoint), "--quiet"]
            command += ["--suite", suite, "--datasets", datasets, "--limit", str(options.items)]
            return evaluation([*command, "--engine", "vllm", "--store", str(store)])

        def theirs() -> Cost:
            arguments = [str(checkpoint), str(folder / "tasks"), str(out)]
            return evaluation([sys.executable, __file__, "--lm-eval", *arguments])

        costs = alternate({"harness": ours, "lm-eval": theirs}, options.rounds)
        answers, cached = harness_answers(store)
        others = json.loads(out.read_text())
    equal = sum(
        plain(a) == plain(b)
        for dataset in answers
        for a, b in zip(answers[dataset], others[dataset], strict=True)
    )
    print(f"{len(items)} items of {datasets}, 4-shot, {options.model or 'random checkpoint'}:")
    result, peer = Result(), here("lm-eval")
    result.compare(f"{len(items):,} items", peer, costs["harness"], costs["lm-eval"])
    result.check(f"{len(tasks)} tasks of lm-eval's.")
    result.check(f"{cached:.0%} of our prompt tokens came from the prefix cache.")
    result.check(f"{equal:,} of {len(items):,} answers are equal.")
    if equal < 0.99 * len(items):
        sys.exit(f"lm-eval answered otherwise: {equal} of {len(items)} are equal")
    result.write(options.json)


if __name__ == "__main__":
    main()
