"""The table of parsers: what each is fed, and whole examples to begin from."""

from __future__ import annotations

import json
import struct
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[2]


@dataclass(frozen=True)
class Target:
    """A parser and its food.

    read   called with a folder of its own, in which `file` holds the bytes; may raise HarnessError
           and nothing else, and then leaves the folder as it was
    seeds  bytes that it reads without a fault
    """

    file: str
    read: Callable[[Path, Path], object]
    seeds: tuple[bytes, ...]


def _lines(*records: Mapping[str, Any]) -> bytes:
    return "\n".join(json.dumps(one, ensure_ascii=False) for one in records).encode()


def _json(value: object) -> bytes:
    return json.dumps(value, ensure_ascii=False).encode()


def _first(path: str, lines: int = 2) -> bytes:
    return b"\n".join((ROOT / path).read_bytes().split(b"\n")[:lines])


def _example(name: str) -> bytes:
    return (ROOT / "docs" / "examples" / name).read_bytes()


def _finetune(name: str) -> bytes:
    """An example that starts from a directory which is there."""
    lines = _example(name).split(b"\n")
    return b"\n".join(b"model: /" if line.startswith(b"model:") else line for line in lines)


# --- items


def _items(folder: Path, file: Path) -> object:
    from harness.items.load import load_items

    return load_items(file)


def _code(folder: Path, file: Path) -> object:
    from harness.items.humaneval import load_code_file

    return load_code_file(file)


def _m_ifeval(folder: Path, file: Path) -> object:
    from harness.items.m_ifeval import load_m_ifeval

    return load_m_ifeval(file)


def _jaster(folder: Path, file: Path) -> object:
    from harness.items.jaster import read_directory, require_sound

    (folder / "test").mkdir(exist_ok=True)
    (folder / "test" / "made.json").write_bytes(file.read_bytes())
    directory = read_directory(folder)
    require_sound(directory)
    return directory


def _questions(folder: Path, file: Path) -> object:
    from harness.items.fastchat import load_fastchat_items

    return load_fastchat_items(file, None)


def _answers(folder: Path, file: Path) -> object:
    from harness.items.fastchat import load_fastchat_answers

    return load_fastchat_answers(file)


def _judgments(folder: Path, file: Path) -> object:
    from harness.items.fastchat import load_fastchat_judgments

    return load_fastchat_judgments(file)


# --- checkpoints


def _checkpoint(name: str) -> Callable[[Path, Path], object]:
    """A whole checkpoint in which one file is the fuzzer's."""

    def read(folder: Path, file: Path) -> object:
        from harness.checkpoint_files import inspect
        from harness.fingerprint import fingerprint

        for other, content in CHECKPOINT.items():
            if other != name:
                (folder / other).write_bytes(content)
        return fingerprint(inspect(folder), cache=folder / ".cache" / "fingerprints.json")

    return read


def _lineage(folder: Path, file: Path) -> object:
    from harness.checkpoint import read_lineage

    return read_lineage(folder)


def _weights() -> bytes:
    header = _json(
        {
            "model.embed_tokens.weight": {
                "dtype": "F32",
                "shape": [3, 2],
                "data_offsets": [0, 24],
            },
            "__metadata__": {"format": "pt"},
        }
    )
    return struct.pack("<Q", len(header)) + header + bytes(24)


CHECKPOINT: dict[str, bytes] = {
    "config.json": _json(
        {"model_type": "llama", "vocab_size": 3, "max_position_embeddings": 64, "text_config": None}
    ),
    "tokenizer_config.json": _json(
        {"tokenizer_class": "PreTrainedTokenizerFast", "chat_template": "{{ messages }}"}
    ),
    "tokenizer.json": _json(
        {
            "model": {"type": "WordLevel", "vocab": {"a": 0, "日": 1}},
            "added_tokens": [{"id": 2, "content": "</s>"}],
        }
    ),
    "generation_config.json": _json({"eos_token_id": [1, 2]}),
    "model.safetensors": _weights(),
}
_LINEAGE = _json(
    {
        "run": "demo",
        "step": 600,
        "tokens_seen": 1,
        "parent": "0" * 64,
        "mixture": {"web": 0.5},
        "phase_tokens": {"web": {"a": 1}},
    }
)
_TRAINER = _json({"global_step": 3, "log_history": [{"learning_rate": 0.1}, {"loss": 1}]})


# --- judges


def _rating(folder: Path, file: Path) -> object:
    from harness.judge.reading import read_pairwise, read_rating

    text = file.read_bytes().decode("utf-8", "replace")
    return [
        (
            read_rating(text, scale, variant, boundary="▼▲", quoted=(text[:20],)),
            read_pairwise(text, variant, boundary="▼▲", quoted=(text[:20],)),
        )
        for scale in ((1, 10), None)
        for variant in ("harness-1", "fastchat", "first-match")
    ]


def _judge_prompts(folder: Path, file: Path) -> object:
    from harness.judge.prompts import load_official_prompts

    return load_official_prompts(file)


# --- logs


def _battles(folder: Path, file: Path) -> object:
    from harness.arena.logs import read_log

    return read_log(file)


def _scores(folder: Path, file: Path) -> object:
    from harness.import_scores import read_scores

    return read_scores(file)


def _table(folder: Path, file: Path) -> object:
    from harness.import_table import read_table

    return read_table(file)


def _training(folder: Path, file: Path) -> object:
    from harness.import_training import read_log

    return read_log(file, "run")


def _outputs(layout: str) -> Callable[[Path, Path], object]:
    """Only what is faulty ends before the store; a sound log is not written there each time."""

    def read(folder: Path, file: Path) -> object:
        from unittest.mock import patch

        from harness import import_outputs

        # Read, checked and turned into items, generations and scores; not written.
        with (
            patch.object(import_outputs.database, "prepare"),
            patch.object(import_outputs.write, "ingest"),
            patch.object(import_outputs.write, "spool"),
            patch.object(import_outputs.queries, "answered", return_value={}),
        ):
            return import_outputs.import_outputs(
                file, layout, store=folder / "s.duckdb", checkpoint="m", dataset="jnli"
            )

    return read


_BATTLE = {"model_a": "x", "model_b": "y", "winner": "model_a", "question_id": 1, "tstamp": 1.7e9}
_JUDGED = {
    "model_1": "x",
    "model_2": "y",
    "g1_winner": "model_1",
    "g2_winner": "tie",
    "question_id": 3,
}
_RESULTS = {
    "results": {"jcommonsenseqa": {"acc,none": 0.5, "acc_stderr,none": 0.01}},
    "n-shot": {"jcommonsenseqa": 3},
    "n-samples": {"jcommonsenseqa": {"original": 10, "effective": 10}},
    "higher_is_better": {"jcommonsenseqa": {"acc": True}},
    "versions": {"jcommonsenseqa": 1.1},
    "config": {"model": "hf", "model_args": "pretrained=/c/tiger/step_2000,dtype=float32"},
    "model_name": "/c/tiger/step_2000",
}
_SAMPLE = {
    "doc_id": 0,
    "doc": {"q": "x"},
    "target": "neutral",
    "arguments": {"gen_args_0": {"arg_0": "前提：あ", "arg_1": {"until": []}}},
    "resps": [["neutral"]],
    "filtered_resps": ["neutral"],
}
_PANDAS = {
    "columns": ["run_name", "target_dataset", "num_few_shots", "input", "pred", "true"],
    "data": [["m", "jnli", 0, "前提：あ", "neutral", "neutral"]],
}


# --- configurations


def _yaml(module: str, function: str) -> Callable[[Path, Path], object]:
    def read(folder: Path, file: Path) -> object:
        from importlib import import_module

        return getattr(import_module(module), function)(file)

    return read


def _baseline(folder: Path, file: Path) -> object:
    from harness.regression.baseline import read_baseline

    return read_baseline(file)


def _dialogues(kind: str) -> Callable[[Path, Path], object]:
    def read(folder: Path, file: Path) -> object:
        from training.chat_data import Source, dialogues, preferences

        load = dialogues if kind == "dialogues" else preferences
        return load((Source(path=str(file)),), held_out=0.0, seed=0)

    return read


def _round(folder: Path, file: Path) -> object:
    from training.synthesis.lineage import read_round

    return read_round(folder)


_PLAN = b"""version: 1
student: demo/step_1
fingerprint: ab12
target: best
policy: learnable
round: 1
seed: 0
lines:
  - {genre: math, skill: math/ratio, level: 3, samples: 12, purpose: gap}
  - {genre: extraction, samples: 3, purpose: gap, generator: drill, settings: {shapes: fence}}
advice: [weak]
"""
_GOALS = b"version: 1\ngoals:\n  - {suite: basics, genre: math, goal: 0.6}\n"

TARGETS: dict[str, Target] = {
    "items": Target(
        "items.jsonl",
        _items,
        (
            _first("evalsets/basics/math.jsonl"),
            _first("evalsets/code-ja/function.jsonl"),
            _first("evalsets/if-ja/items.jsonl"),
            _first("evalsets/mt-bench-ja/math.jsonl"),
        ),
    ),
    "code items": Target(
        "code.jsonl",
        _code,
        (
            _lines(
                {
                    "task_id": "HumanEval/0",
                    "prompt": "def add(a, b):\n    '''加える'''\n",
                    "entry_point": "add",
                    "canonical_solution": "    return a + b\n",
                    "test": "def check(f):\n    assert f(1, 2) == 3\n",
                }
            ),
            _lines(
                {
                    "task_id": 1,
                    "text": "足し算",
                    "code": "def add(a, b):\n    return a + b",
                    "test_list": ["assert add(1, 2) == 3"],
                    "test_setup_code": "",
                    "challenge_test_list": [],
                }
            ),
        ),
    ),
    "m-ifeval items": Target(
        "input.jsonl",
        _m_ifeval,
        (
            _lines(
                {
                    "key": 1,
                    "prompt": "書いて",
                    "instruction_id_list": ["ja:length_constraints:number_letters"],
                    "kwargs": [{"num_letters": 3, "relation": "以上"}],
                }
            ),
        ),
    ),
    "jaster": Target(
        "given.json",
        _jaster,
        (
            _json(
                {
                    "instruction": "答えて",
                    "output_length": 5,
                    "metrics": ["exact_match"],
                    "samples": [{"input": "一", "output": "二"}],
                }
            ),
        ),
    ),
    "fastchat questions": Target(
        "question.jsonl",
        _questions,
        (
            _lines(
                {"question_id": 1, "category": "math", "turns": ["一", "二"], "reference": ["三"]}
            ),
        ),
    ),
    "fastchat answers": Target(
        "model.jsonl",
        _answers,
        (
            _lines(
                {
                    "question_id": 1,
                    "answer_id": "x",
                    "model_id": "m",
                    "choices": [{"index": 0, "turns": ["三", "四"]}],
                    "tstamp": 1.0,
                }
            ),
        ),
    ),
    "fastchat judgments": Target(
        "gpt-4_single.jsonl",
        _judgments,
        (
            _lines(
                {
                    "question_id": 1,
                    "model": "m",
                    "judge": ["gpt-4", "single-v1"],
                    "user_prompt": "p",
                    "judgment": "[[7]]",
                    "score": 7,
                    "turn": 1,
                    "tstamp": 1.0,
                }
            ),
        ),
    ),
    **{name: Target(name, _checkpoint(name), (content,)) for name, content in CHECKPOINT.items()},
    "weights index": Target(
        "model.safetensors.index.json",
        _checkpoint("model.safetensors.index.json"),
        (_json({"weight_map": {"model.embed_tokens.weight": "model.safetensors"}}),),
    ),
    "lineage": Target("lineage.json", _lineage, (_LINEAGE,)),
    "trainer state": Target("trainer_state.json", _lineage, (_TRAINER,)),
    "judge replies": Target(
        "reply.txt",
        _rating,
        (
            "よい。\n評価：[[7]]".encode(),
            b'{"rating": 8, "verdict": "A"}',
            b"> [[3]]\n```\n[[4]]\n```\nFinal verdict: [[A]]\nRating: **8/10**",
        ),
    ),
    "judge prompts": Target(
        "judge_prompts.jsonl",
        _judge_prompts,
        (
            _lines(
                {
                    "name": "single-v1",
                    "type": "single",
                    "system_prompt": "You judge.",
                    "prompt_template": "[Question]\n{question}\n[Answer]\n{answer}",
                    "description": "d",
                    "category": "general",
                    "output_format": "[[rating]]",
                }
            ),
        ),
    ),
    "battles as lines": Target("log.jsonl", _battles, (_lines(_BATTLE, _JUDGED),)),
    "battles as a document": Target(
        "log.json",
        _battles,
        (
            _json([_BATTLE]),
            _json(
                {"matches": [{"model1_id": "x", "model2_id": "y", "question_id": 1, "score": 1}]}
            ),
        ),
    ),
    "battles as CSV": Target(
        "log.csv", _battles, (b"model_a,model_b,winner,time\nx,y,model_a,2026-01-01T00:00:00Z\n",)
    ),
    "scores as CSV": Target(
        "scores.csv", _scores, (b"run,step,task,metric,value,stderr\nr,1,jnli,acc,0.5,0.1\n",)
    ),
    "scores of lm-eval": Target("results.json", _scores, (_json(_RESULTS),)),
    "published table": Target(
        "table.csv",
        _table,
        (b"model,jnli,jsts\nm,0.5,0.6\n", b"model,group,metric,value\nm,jaster,acc,50\n"),
    ),
    "published YAML": Target(
        "table.yaml",
        _table,
        (b"- name: m\n  id: o/m\n  results:\n    jaster: {acc: 50, jnli: -}\n",),
    ),
    "training log": Target(
        "training_log.jsonl",
        _training,
        (_lines({"step": 1, "loss": 2.5, "time": 3.0, "losses": {"web": 2.0}}),),
    ),
    "outputs of lm-eval": Target(
        "samples_jnli_2026.jsonl", _outputs("lm-eval-samples"), (_lines(_SAMPLE),)
    ),
    "outputs as a table": Target("table.json", _outputs("llm-jp-eval-table"), (_json(_PANDAS),)),
    "outputs as lines": Target(
        "log.jsonl",
        _outputs("jsonl"),
        (_lines({"dataset": "jnli", "input": "前", "prediction": "n", "gold": "n"}),),
    ),
    "plan": Target("plan.yaml", _yaml("harness.gaps.plan_file", "load_plan"), (_PLAN,)),
    "goals": Target("goals.yaml", _yaml("harness.gaps.goals", "load_goals"), (_GOALS,)),
    "policy": Target(
        "policy.yaml",
        _yaml("harness.regression.policy_file", "load_policy"),
        ((ROOT / "harness/regression/default_policy.yaml").read_bytes(),),
    ),
    "baseline": Target(
        "baseline.json",
        _baseline,
        (
            _json(
                {
                    "checkpoint": "m",
                    "fingerprint": "f",
                    "evaluations": {"basics": "e"},
                    "policy": "p",
                }
            ),
        ),
    ),
    "mixture": Target(
        "mixture.yaml",
        _yaml("training.mixture", "load_mixture"),
        (_example("mixture-tiny.yaml"), _example("mixture-8b.yaml")),
    ),
    "pretrain": Target(
        "pretrain.yaml",
        _yaml("training.pretrain_config", "load_pretrain_config"),
        (_example("pretrain-tiny.yaml"), _example("pretrain-8b.yaml")),
    ),
    "sft": Target(
        "sft.yaml", _yaml("training.sft", "load_sft_config"), (_finetune("sft-tiny.yaml"),)
    ),
    "dpo": Target(
        "dpo.yaml", _yaml("training.dpo", "load_dpo_config"), (_finetune("dpo-tiny.yaml"),)
    ),
    "dialogues": Target(
        "chat.jsonl",
        _dialogues("dialogues"),
        (
            _lines(
                {
                    "messages": [
                        {"role": "user", "content": "一"},
                        {"role": "assistant", "content": "二"},
                    ]
                }
            ),
        ),
    ),
    "preferences": Target(
        "pairs.jsonl",
        _dialogues("preferences"),
        (_lines({"prompt": "一", "chosen": "二", "rejected": "三"}),),
    ),
    "round of synthesis": Target("lineage.json", _round, (_json({"format": 1, "shards": []}),)),
}
