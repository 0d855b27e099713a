"""The tokenizer keeps text, and the batches keep samples."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

pytest.importorskip("transformers")

from harness.errors import HarnessError
from harness.items.probes.catalogue import FAMILIES
from harness.items.probes.generate import probes
from training.data import (
    Encoded,
    Sample,
    batches,
    boilerplate,
    collate,
    component_samples,
    encode,
    inventory_texts,
)
from training.pretrain import DEFAULT_MIXTURE
from training.tokenizer import SPECIAL_TOKENS, build_tokenizer, characters

TEXTS = inventory_texts()
PHRASES = list(boilerplate(component_samples("math", count=200, level=1, seed=0)))
PLAIN = build_tokenizer(TEXTS)
MERGED = build_tokenizer(TEXTS, PHRASES, merges=200)


def ids(tokenizer: object, text: str) -> list[int]:
    return tokenizer(text, add_special_tokens=False)["input_ids"]  # type: ignore[operator]


@given(st.text(alphabet=st.sampled_from(characters(TEXTS)), max_size=60))
@settings(max_examples=100, deadline=None)
def test_text_round_trips(text: str) -> None:
    for tokenizer in (PLAIN, MERGED):
        assert tokenizer.decode(ids(tokenizer, text)) == text
        assert tokenizer.unk_token_id not in ids(tokenizer, text)
    assert len(ids(PLAIN, text)) == len(text)


def test_merges_shorten_instructions_but_leave_digits_and_names_alone() -> None:
    assert len(MERGED) > len(PLAIN)
    instruction = "数字だけで答えてください。"
    assert len(ids(MERGED, instruction)) < len(instruction) / 2
    content = "1234 ABC 佐藤"
    assert len(ids(MERGED, content)) == len(content)


def test_unknown_character_becomes_unk() -> None:
    assert ids(PLAIN, "𠮷") == [PLAIN.unk_token_id]
    assert PLAIN.decode(ids(PLAIN, "a𠮷b"), skip_special_tokens=True) == "ab"


def test_plain_text_gets_bos_and_chat_does_not_get_a_second() -> None:
    assert PLAIN("東京")["input_ids"][0] == PLAIN.bos_token_id
    chat = [{"role": "user", "content": "あ"}, {"role": "assistant", "content": "い"}]
    assert PLAIN.apply_chat_template(chat, tokenize=False) == "<s>問：あ\n答：い</s>"


def test_evaluation_items_have_no_unknown_character() -> None:
    for item in probes(levels=(1,), per_level=8):
        text = item.turns[0] + item.answer
        assert MERGED.unk_token_id not in ids(MERGED, text), item.id


def test_a_prompt_ends_on_a_token_boundary() -> None:
    for item in probes(levels=(1,), per_level=4):
        prompt = MERGED.apply_chat_template(
            [{"role": "user", "content": item.turns[0]}], tokenize=False, add_generation_prompt=True
        )
        (row,) = encode([Sample(item.turns[0], item.answer)], MERGED)
        assert ids(MERGED, prompt + item.answer + "</s>") == row.tokens.tolist()
        assert row.tokens[: row.answer_start].tolist() == ids(MERGED, prompt)


@pytest.mark.parametrize("name", ["text", "copy", "math", "format/copy"])
def test_components_are_reproducible(name: str) -> None:
    first = component_samples(name, count=20, level=1, seed=3)
    assert first == component_samples(name, count=20, level=1, seed=3)
    assert first != component_samples(name, count=20, level=1, seed=4)
    assert len(first) == 20
    assert all(sample.answer and (name == "text") == (not sample.prompt) for sample in first)


def test_the_default_mixture_names_single_families_and_none_of_coding() -> None:
    """Boards say that the demo's run was not trained on coding: docs/training.md."""
    names = set(DEFAULT_MIXTURE) - {"text", "copy"}
    assert names <= {family.name for family in FAMILIES}
    assert not any(name.startswith("coding/") for name in names)


def test_unknown_component_is_named() -> None:
    with pytest.raises(HarnessError, match="poetry"):
        component_samples("poetry", count=1, level=1, seed=0)


ROWS = st.lists(
    st.tuples(
        st.lists(st.integers(len(SPECIAL_TOKENS), 99), min_size=2, max_size=9),
        st.integers(1, 8),
    ).map(lambda pair: Encoded(np.array(pair[0]), min(pair[1], len(pair[0]) - 1))),
    min_size=1,
    max_size=6,
)


@given(ROWS)
def test_a_batch_predicts_exactly_the_answers(rows: list[Encoded]) -> None:
    batch = collate(rows, pad=0)
    place, row = np.divmod(batch.positions, len(rows))
    for position, index, label in zip(place, row, batch.labels, strict=True):
        assert rows[index].tokens[position] == batch.tokens[index, position]
        assert rows[index].tokens[position + 1] == label
    assert len(batch.labels) == sum(len(each.tokens) - each.answer_start for each in rows)
    assert batch.weights.sum() == pytest.approx(1)
    for index in range(len(rows)):
        assert batch.weights[row == index].sum() == pytest.approx(1 / len(rows))
    assert batch.count == sum(len(each.tokens) for each in rows)


@given(ROWS, st.integers(1, 3))
def test_processes_share_a_batch_without_loss(rows: list[Encoded], world: int) -> None:
    rows = rows * world
    batch = collate(rows, pad=0)
    parts = [batch.part(rank, world) for rank in range(world)]
    assert np.array_equal(np.concatenate([part.tokens for part in parts]), batch.tokens)
    assert sum(len(part.labels) for part in parts) == len(batch.labels)
    for part in parts:
        place, row = np.divmod(part.positions, len(part.tokens))
        following = {
            (int(p), int(r)): int(label)
            for p, r, label in zip(place, row, part.labels, strict=True)
        }
        for (p, r), label in following.items():
            if p + 1 < part.tokens.shape[1] and part.tokens[r, p + 1]:
                assert part.tokens[r, p + 1] == label


@given(st.integers(0, 9), st.integers(0, 3))
@settings(max_examples=20)
def test_a_resumed_stream_continues_the_unbroken_one(start: int, seed: int) -> None:
    parts = {
        "long": [Encoded(np.arange(9) + n, 3) for n in range(20)],
        "short": [Encoded(np.arange(4) + n, 1) for n in range(20)],
    }

    def stream(first: int) -> list[list[list[int]]]:
        found = batches(
            parts,
            {"long": 0.3, "short": 0.7},
            batch_size=4,
            pad=0,
            seed=seed,
            start=first,
            window=4,
        )
        return [batch.tokens.tolist() for batch in itertools.islice(found, 12 - first)]

    assert stream(start) == stream(0)[start:]
