"""Supervised fine-tuning: what has loss, packing, adapters, lineage, resuming, bad input."""

from __future__ import annotations

import dataclasses
import itertools
import json
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("trl")

from harness.checkpoint import discover, read_lineage
from harness.errors import HarnessError
from tests.conftest import make_checkpoint
from tests.finetune_runs import chat, losses, sums, write_jsonl
from training.chat_data import Dialogue, Source, dialogues, read_dialogue
from training.chat_tokens import IGNORED, encode_dialogue, open_tokenizer
from training.sft import SftConfig, check_packing, sft


@pytest.fixture(scope="module")
def base(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_checkpoint(tmp_path_factory.mktemp("base") / "chat")


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return sums(tmp_path_factory.mktemp("data") / "sums.jsonl")


def config(output: Path, base: Path, data: Path, **changes: Any) -> SftConfig:
    settings: dict[str, Any] = {
        "steps": 6,
        "save_every": 3,
        "batch_size": 8,
        "learning_rate": 1e-3,
        "max_length": 128,
        **changes,
    }
    return SftConfig(output=output, model=base, data=(Source(str(data)),), **settings)


def test_loss_is_on_every_answer_with_its_end(base: Path) -> None:
    tokenizer = open_tokenizer(base, None)
    turns = [("user", "日本"), ("assistant", "東京"), ("user", "1"), ("assistant", "2")]
    row = {"messages": [{"role": role, "content": text} for role, text in turns]}
    encoded = encode_dialogue(read_dialogue(row, "x:1"), tokenizer, "answers")
    # The template of tests.conftest, read by hand.
    written = ["<s>", "[user]", "日", "本", "</s>", "[assistant]", "東", "京", "</s>"]
    written += ["[user]", "1", "</s>", "[assistant]", "2", "</s>"]
    learned = [6, 7, 8, 13, 14]
    assert tokenizer.convert_ids_to_tokens(encoded.input_ids) == written
    assert [i for i, label in enumerate(encoded.labels) if label != IGNORED] == learned
    assert [encoded.labels[i] for i in learned] == [encoded.input_ids[i] for i in learned]


def test_loss_on_all_is_on_all(base: Path) -> None:
    tokenizer = open_tokenizer(base, None)
    encoded = encode_dialogue(read_dialogue(chat("1+1", "2"), "x:1"), tokenizer, "all")
    assert encoded.labels == encoded.input_ids


def test_plain_text_and_a_prompt_with_its_completion(base: Path) -> None:
    tokenizer = open_tokenizer(base, None)
    text = encode_dialogue(read_dialogue({"text": "日本"}, "x:1"), tokenizer, "answers")
    assert tokenizer.convert_ids_to_tokens(text.input_ids) == ["<s>", "日", "本", "</s>"]
    assert text.labels == [IGNORED, *text.input_ids[1:]]
    row = {"prompt": "日", "completion": "本"}
    pair = encode_dialogue(read_dialogue(row, "x:1"), tokenizer, "answers")
    assert pair.input_ids == text.input_ids
    assert pair.labels == [IGNORED, IGNORED, *text.input_ids[2:]]


def test_a_template_that_rewrites_earlier_turns_leaves_loss_on_the_last_answer(
    base: Path, tmp_path: Path
) -> None:
    template = tmp_path / "t.jinja"
    template.write_text(
        "{% for m in messages %}[{{ m['role'] }}]{% if loop.last or m['role'] == 'user' %}"
        "{{ m['content'] }}{% endif %}{{ eos_token }}{% endfor %}"
        "{% if add_generation_prompt %}[assistant]{% endif %}"
    )
    tokenizer = open_tokenizer(base, template)
    turns = [("user", "1"), ("assistant", "2"), ("user", "3"), ("assistant", "4")]
    row = {"messages": [{"role": role, "content": text} for role, text in turns]}
    encoded = encode_dialogue(read_dialogue(row, "x:1"), tokenizer, "answers")
    tokens = tokenizer.convert_ids_to_tokens(encoded.input_ids)
    learned = [tokens[i] for i, label in enumerate(encoded.labels) if label != IGNORED]
    assert learned == ["4", "</s>"]
    assert "2" not in tokens


def test_a_template_without_an_end_is_refused(base: Path, tmp_path: Path) -> None:
    template = tmp_path / "t.jinja"
    template.write_text(
        "{% for m in messages %}[{{ m['role'] }}]{{ m['content'] }}{% endfor %}"
        "{% if add_generation_prompt %}[assistant]{% endif %}"
    )
    tokenizer = open_tokenizer(base, template)
    with pytest.raises(HarnessError, match=r"sums\.jsonl:7: .*would not learn to stop"):
        encode_dialogue(read_dialogue(chat("1", "2"), "sums.jsonl:7"), tokenizer, "answers")


def packed_losses(base: Path, rows: list[Dialogue]) -> tuple[list[float], list[float]]:
    """The loss of each sample alone, and of each within one packed row, by TRL's own collator."""
    import torch
    from transformers import AutoModelForCausalLM
    from trl.trainer.sft_trainer import DataCollatorForLanguageModeling

    tokenizer = open_tokenizer(base, None)
    model = AutoModelForCausalLM.from_pretrained(base, dtype=torch.float32)
    encoded = [encode_dialogue(row, tokenizer, "answers") for row in rows]

    def sample_losses(batch: dict[str, Any], sizes: list[int]) -> list[float]:
        labels = batch.pop("labels")
        with torch.no_grad():
            logits = model(**batch, use_cache=False).logits
        each = torch.nn.functional.cross_entropy(
            logits[0, :-1], labels[0, 1:], reduction="none", ignore_index=IGNORED
        )
        # The target at place i is token i + 1.
        bounds = [0, *torch.tensor(sizes).cumsum(0).tolist()]
        return [
            float(each[max(0, start - 1) : end - 1].sum())
            for start, end in itertools.pairwise(bounds)
        ]

    collate = DataCollatorForLanguageModeling(pad_token_id=0, padding_free=True)
    alone = [
        sample_losses(
            {"input_ids": torch.tensor([one.input_ids]), "labels": torch.tensor([one.labels])},
            [len(one.input_ids)],
        )[0]
        for one in encoded
    ]
    sizes = [len(one.input_ids) for one in encoded]
    row = {
        "input_ids": [token for one in encoded for token in one.input_ids],
        "labels": [label for one in encoded for label in one.labels],
        "seq_lengths": sizes,
    }
    batch = collate([row])
    # Of what the collator adds, the positions alone say where samples begin.
    packed = {name: batch[name] for name in ("input_ids", "labels", "position_ids")}
    return alone, sample_losses(packed, sizes)


def test_packed_and_unpacked_samples_have_equal_losses(base: Path) -> None:
    rows = [
        read_dialogue(chat(a, b), "x:1")
        for a, b in [("1+2", "3"), ("日本の山", "山"), ("5", "55555")]
    ]
    alone, packed = packed_losses(base, rows)
    assert packed == pytest.approx(alone, rel=1e-5)
    assert min(alone) > 0


def test_packing_is_refused_where_samples_would_see_each_other(base: Path) -> None:
    import torch
    from transformers import AutoModelForCausalLM

    model = AutoModelForCausalLM.from_pretrained(base, dtype=torch.float32)
    check_packing(model, base)

    class Leaky(torch.nn.Module):
        """A model that takes no notice of positions that start again."""

        config = model.config
        device = model.device

        def forward(self, position_ids: Any = None, **inputs: Any) -> Any:
            return model(**inputs)

    with pytest.raises(HarnessError, match="lets packed samples see each other; set packing: fal"):
        check_packing(Leaky(), base)


def test_a_run_leaves_checkpoints_with_lineage(base: Path, data: Path, tmp_path: Path) -> None:
    result = sft(config(tmp_path / "run", base, data, held_out=0.2))
    assert [path.name for path in result.checkpoints] == ["step_000003", "step_000006"]
    assert result.stopped == ""
    start = discover(str(base))[0]
    first, second = discover(str(tmp_path / "run"))
    assert (first.run, first.step, first.phase) == ("run", 3, "sft")
    assert (first.parent, second.parent) == (start.fingerprint, first.fingerprint)
    assert first.mixture == {"sums.jsonl": 1.0}
    assert first.fingerprint != second.fingerprint
    assert 0 < (first.tokens_seen or 0) < (second.tokens_seen or 0)
    shards = read_lineage(tmp_path / "run" / "step_000003").shards or {}
    assert list(shards) == ["sums.jsonl"]
    log = [json.loads(line) for line in (tmp_path / "run/training_log.jsonl").open()]
    assert [line["step"] for line in log if "loss" in line] == [1, 2, 3, 4, 5, 6]
    assert {name for line in log for name in line.get("genre_losses", {})} == {"math", "writing"}


def test_the_loss_falls_on_what_is_trained(base: Path, data: Path, tmp_path: Path) -> None:
    sft(config(tmp_path / "run", base, data, steps=60, save_every=60, learning_rate=3e-3))
    curve = losses(tmp_path / "run")
    assert sum(curve[step] for step in range(56, 61)) < 0.6 * sum(
        curve[step] for step in range(1, 6)
    )


def test_packing_trains_to_the_same_end(base: Path, data: Path, tmp_path: Path) -> None:
    # One row holds the whole batch: the same samples a step, packed or not.
    rows = [json.loads(line) for line in data.open()][:8]
    few = write_jsonl(tmp_path / "few.jsonl", rows)
    plain = config(tmp_path / "plain", base, few, steps=4, save_every=4)
    sft(plain)
    packed = dataclasses.replace(
        plain, output=tmp_path / "packed", packing=True, batch_size=1, max_length=200
    )
    sft(packed)
    apart, together = losses(tmp_path / "plain"), losses(tmp_path / "packed")
    assert together == pytest.approx(apart, rel=1e-4)


def test_an_adapter_merges_to_the_same_logits(base: Path, data: Path, tmp_path: Path) -> None:
    import torch
    from peft import PeftModel
    from transformers import AutoModelForCausalLM

    sft(config(tmp_path / "run", base, data, lora_rank=4, learning_rate=1e-2))
    final = tmp_path / "run" / "step_000006"
    tokens = torch.arange(8, 40)[None]
    with torch.no_grad():
        merged = AutoModelForCausalLM.from_pretrained(final, dtype=torch.float32)(tokens).logits
        start = AutoModelForCausalLM.from_pretrained(base, dtype=torch.float32)
        before = start(tokens).logits
        apart = PeftModel.from_pretrained(start, str(final / "adapter"))(tokens).logits
    assert torch.allclose(merged, apart, atol=1e-4, rtol=1e-4)
    assert (merged - before).abs().max() > 0.1
    names = {path.name for path in final.iterdir()}
    assert "adapter_config.json" not in names
    assert discover(str(final))[0].parameters == discover(str(base))[0].parameters


def test_weights_keep_the_precision_of_their_checkpoint(
    base: Path, data: Path, tmp_path: Path
) -> None:
    import torch
    from safetensors.torch import load_file
    from transformers import AutoModelForCausalLM, AutoTokenizer

    half = tmp_path / "half"
    AutoModelForCausalLM.from_pretrained(base, dtype=torch.bfloat16).save_pretrained(half)
    AutoTokenizer.from_pretrained(base).save_pretrained(half)
    sft(config(tmp_path / "run", half, data, steps=1))
    final = tmp_path / "run" / "step_000001"
    kinds = {tensor.dtype for tensor in load_file(final / "model.safetensors").values()}
    assert kinds == {torch.bfloat16}
    assert json.loads((final / "config.json").read_text())["dtype"] == "bfloat16"


def test_a_run_goes_on_where_it_stopped(base: Path, data: Path, tmp_path: Path) -> None:
    """Stopped by a hook, then repeated: the curve and weights of an unbroken run."""
    whole = config(tmp_path / "whole" / "run", base, data, lora_rank=2, lora_dropout=0.1)
    sft(whole)
    parted = dataclasses.replace(whole, output=tmp_path / "parted" / "run")
    stopped = sft(parted, [lambda path, step, tokens: "stop" if step == 3 else "continue"])
    assert stopped.stopped == "stop at step 3"
    assert [path.name for path in stopped.checkpoints] == ["step_000003"]
    sft(parted)
    assert losses(parted.output) == losses(whole.output)
    prints = [[one.fingerprint for one in discover(str(c.output))] for c in (whole, parted)]
    assert prints[0] == prints[1]
    log = (parted.output / "training_log.jsonl").read_bytes()
    assert [path.name for path in sft(parted).checkpoints] == ["step_000003", "step_000006"]
    assert (parted.output / "training_log.jsonl").read_bytes() == log, "a complete run trained on"


def test_a_rollback_goes_on_from_the_good_checkpoint_in_another_order(
    base: Path, data: Path, tmp_path: Path
) -> None:
    asked: list[int] = []

    def hook(path: Path, step: int, tokens: int) -> Any:
        asked.append(step)
        return ("rollback", 2) if asked == [2, 4] else "continue"

    run = config(tmp_path / "run", base, data, steps=6, save_every=2, keep_states=3)
    result = sft(run, [hook])
    assert asked == [2, 4, 4, 6]
    assert [path.name for path in result.checkpoints] == [f"step_{step:06d}" for step in (2, 4, 6)]
    aside = run.output / "rolled_back" / "1" / "step_000004"
    again = run.output / "step_000004"
    assert discover(str(aside))[0].fingerprint != discover(str(again))[0].fingerprint
    assert read_lineage(again).parent == discover(str(run.output / "step_000002"))[0].fingerprint
    assert sorted(losses(run.output)) == [1, 2, 3, 4, 5, 6]


def test_other_settings_and_other_data_are_refused(base: Path, data: Path, tmp_path: Path) -> None:
    run = config(tmp_path / "run", base, data, steps=1)
    sft(run)
    with pytest.raises(HarnessError, match="seed 0, not 1"):
        sft(dataclasses.replace(run, seed=1))
    changed = write_jsonl(tmp_path / "sums.jsonl", [chat("1", "1")])
    with pytest.raises(HarnessError, match="belongs to a run with data"):
        sft(dataclasses.replace(run, data=(Source(str(changed)),)))


def test_a_loss_that_is_no_number_stops_the_run(base: Path, data: Path, tmp_path: Path) -> None:
    run = config(tmp_path / "run", base, data, learning_rate=1e30, schedule="constant", clip=1e30)
    with pytest.raises(HarnessError, match=r"the loss became nan at step \d+; nothing was saved"):
        sft(run)
    log = [json.loads(line) for line in (tmp_path / "run/training_log.jsonl").open()]
    assert log[-1]["event"] == "loss nan"
    assert len(list((tmp_path / "run").glob("step_*"))) == 0


def test_weights_and_held_out_samples(tmp_path: Path) -> None:
    first = write_jsonl(tmp_path / "a.jsonl", [chat(f"a{n}", "x") for n in range(40)])
    second = write_jsonl(tmp_path / "b.jsonl", [chat(f"b{n}", "x") for n in range(40)])
    sources = (Source(str(first), weight=2.0), Source(str(second), weight=0.5))
    data = dialogues(sources, held_out=0.0, seed=0)
    assert len(data.train) == 100
    assert data.mixture == {"a.jsonl": 0.8, "b.jsonl": 0.2}
    aside = dialogues(sources, held_out=0.25, seed=1)
    kept = {row.key for row in aside.train}
    assert 5 < len(aside.held_out["all"]) < 40
    assert not kept & {row.key for row in aside.held_out["all"]}
    # What is held out hangs on its content alone: not on the seed, nor on the file it stands in.
    both = write_jsonl(
        tmp_path / "both.jsonl",
        [json.loads(line) for path in (second, first) for line in path.open()],
    )
    other = dialogues((Source(str(both)),), held_out=0.25, seed=2)
    assert {row.key for row in other.held_out["all"]} == {row.key for row in aside.held_out["all"]}


def test_synthesis_shards_are_read(tmp_path: Path) -> None:
    import pyarrow as pa
    import pyarrow.parquet as pq

    rows = [chat("1+1", "2", genre="math", proof="solver") | {"answer": "2"}]
    pq.write_table(pa.Table.from_pylist(rows), tmp_path / "shard.parquet")
    data = dialogues((Source(str(tmp_path / "*.parquet"), name="round-1"),), held_out=0, seed=0)
    (only,) = data.train
    assert [(one.role, one.content) for one in only.messages] == [
        ("user", "1+1"),
        ("assistant", "2"),
    ]
    assert only.genre == "math"
    assert data.mixture == {"round-1": 1.0}


BAD_ROWS = {
    "no `messages`": '{"question": "1", "answer": "2"}',
    "the last message is not the assistant's": '{"messages": [{"role": "user", "content": "1"}]}',
    "expected user and assistant in turn": '{"messages": [{"role": "assistant", "content": "1"}]}',
    "a message of role 'tool'": '{"messages": [{"role": "tool", "content": "1"}]}',
    "broken JSON at column": '{"messages": [',
    "the chat is empty": '{"messages": []}',
    "`completion` is empty": '{"prompt": "1", "completion": ""}',
}


@pytest.mark.parametrize("fault", BAD_ROWS)
def test_a_bad_row_is_told_with_its_line(fault: str, tmp_path: Path) -> None:
    path = tmp_path / "bad.jsonl"
    path.write_text(json.dumps(chat("1", "2")) + "\n" + BAD_ROWS[fault] + "\n")
    with pytest.raises(HarnessError, match=rf"bad\.jsonl:2: .*{fault}") as told:
        dialogues((Source(str(path)),), held_out=0, seed=0)
    assert "\n" not in str(told.value)


def test_files_that_are_missing_or_empty(tmp_path: Path) -> None:
    with pytest.raises(HarnessError, match=r"gone\.jsonl: no such file"):
        dialogues((Source(str(tmp_path / "gone.jsonl")),), held_out=0, seed=0)
    (tmp_path / "empty.jsonl").write_text("\n")
    with pytest.raises(HarnessError, match=r"empty.jsonl: holds no sample"):
        dialogues((Source(str(tmp_path / "empty.jsonl")),), held_out=0, seed=0)
    with pytest.raises(HarnessError, match=r"holds no \.jsonl or \.parquet"):
        dialogues((Source(str(tmp_path / "*.parquet")),), held_out=0, seed=0)
    (tmp_path / "torn.parquet").write_bytes(b"PAR1 and no more")
    with pytest.raises(HarnessError, match=r"torn\.parquet: not a readable Parquet file"):
        dialogues((Source(str(tmp_path / "torn.parquet")),), held_out=0, seed=0)


def test_a_shard_with_wrong_columns(tmp_path: Path) -> None:
    import pyarrow as pa
    import pyarrow.parquet as pq

    pq.write_table(pa.table({"question": ["1"]}), tmp_path / "wrong.parquet")
    with pytest.raises(HarnessError, match=r"has no column `messages` \(it has question\)"):
        dialogues((Source(str(tmp_path / "wrong.parquet")),), held_out=0, seed=0)
    pq.write_table(pa.table({"messages": pa.array([], pa.string())}), tmp_path / "none.parquet")
    with pytest.raises(HarnessError, match=r"none\.parquet: holds no sample"):
        dialogues((Source(str(tmp_path / "none.parquet")),), held_out=0, seed=0)


def test_a_tokenizer_of_another_language(base: Path, tmp_path: Path) -> None:
    greek = write_jsonl(tmp_path / "greek.jsonl", [chat("αβγδ", "εζηθ")] * 4)
    with pytest.raises(HarnessError, match="of the data's tokens are unknown to its tokenizer"):
        sft(config(tmp_path / "run", base, greek))
    assert not (tmp_path / "run").exists()


def test_samples_that_do_not_fit(base: Path, data: Path, tmp_path: Path) -> None:
    with pytest.raises(HarnessError, match="all 48 samples are longer than max_length 4"):
        sft(config(tmp_path / "run", base, data, max_length=4))
