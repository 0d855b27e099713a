"""The tokenizer keeps text, and the batches keep samples."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

pytest.importorskip("transformers")

from harness.errors import HarnessError
from harness.items.probes.catalogue import FAMILIES
from harness.items.probes.generate import probes
from training.batch import Batch, Encoded, collate
from training.data import (
    Sample,
    boilerplate,
    component_samples,
    encode,
    inventory_texts,
)
from training.health import Recent
from training.mixture import Segment
from training.parts import Part
from training.pretrain_config import DEFAULT_MIXTURE
from training.stream import Share, row_batches
from training.tokenizer import SPECIAL_TOKENS, build_tokenizer, characters, train_tokenizer

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


@pytest.mark.parametrize("kind", ["unigram", "bpe"])
def test_a_trained_tokenizer_loses_no_text(kind: str) -> None:
    texts = [sample.answer for sample in component_samples("text", count=400, level=1, seed=0)]
    tokenizer = train_tokenizer(texts, kind, 500)
    assert 400 < len(tokenizer) <= 500
    known = texts[0]
    assert len(ids(tokenizer, known)) < len(known)
    for text in (known, "𠮷野家と😀、ａ1２b\n\t x  y", "鷗外<0x41></unk>"):
        assert tokenizer.unk_token_id not in ids(tokenizer, text)
        assert tokenizer.decode(ids(tokenizer, text)) == text
    # Digits stand alone; a byte is a last resort.
    assert len(ids(tokenizer, "1234")) == 4
    assert len(ids(tokenizer, "𠮷")) == 4
    again = train_tokenizer(texts, kind, 500)
    assert kind == "unigram" or again.get_vocab() == tokenizer.get_vocab()


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
        assert row.tokens[~row.learned].tolist() == ids(MERGED, prompt)


def test_no_sample_is_no_document() -> None:
    """`held_out: 0` keeps none, and a component may have none that it was not trained on."""
    assert encode([], PLAIN) == []


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


def document(tokens: list[int], given: int) -> Encoded:
    """Tokens of which the first `given` are read and the others learned."""
    return Encoded(np.array(tokens), np.arange(len(tokens)) >= given)


ROWS = st.lists(
    st.tuples(
        st.lists(st.integers(len(SPECIAL_TOKENS), 99), min_size=2, max_size=9),
        st.integers(1, 8),
    ).map(lambda pair: document(pair[0], min(pair[1], len(pair[0]) - 1))),
    min_size=1,
    max_size=6,
)


@given(ROWS)
def test_a_batch_predicts_exactly_the_answers(rows: list[Encoded]) -> None:
    batch = collate(rows, pad=0)
    for index, row in enumerate(rows):
        counted = batch.weights[index] > 0
        assert batch.labels[index][counted].tolist() == row.tokens[row.learned].tolist()
        assert batch.tokens[index][: len(row.tokens) - 1].tolist() == row.tokens[:-1].tolist()
        assert batch.weights[index].sum() == pytest.approx(1)
    assert batch.count == sum(len(each.tokens) for each in rows)


def test_what_is_out_of_the_ordinary_is_an_event() -> None:
    recent = Recent()
    for step in range(40):
        loss, norm = 2.0 - step / 100 + (step % 3) / 50, 1.0 + (step % 2) / 10
        assert recent.event(loss, norm) is None or step < 11
        recent = recent.after(loss, norm)
    assert recent.event(1.7, 1.1) is None
    assert str(recent.event(3.0, 1.0)).startswith("loss spike: 3, ")
    assert str(recent.event(1.6, 30.0)).startswith("gradient spike: 30, ")


def stack(parts: list[Batch]) -> list[list[float]]:
    return [np.concatenate([getattr(part, name) for part in parts]).tolist() for name in ARRAYS]


ARRAYS = ("tokens", "labels", "weights")


@given(ROWS, st.integers(1, 3), st.integers(1, 3))
def test_processes_share_a_batch_without_loss(rows: list[Encoded], world: int, size: int) -> None:
    batch = collate(rows, pad=0).padded(world * size)
    parts = [batch.part(rank, world) for rank in range(world)]
    assert stack(parts) == stack([batch])
    assert stack([piece for part in parts for piece in part.pieces(size)]) == stack([batch])
    assert {len(piece.tokens) for part in parts for piece in part.pieces(size)} == {size}
    assert batch.weights.sum() == pytest.approx(len(rows))


@given(st.integers(0, 11), st.integers(0, 3), st.integers(1, 2))
@settings(max_examples=20)
def test_a_resumed_stream_continues_the_unbroken_one(start: int, seed: int, world: int) -> None:
    long = [document(list(range(n, n + 9)), 3) for n in range(20)]
    short = [document(list(range(n, n + 4)), 1) for n in range(20)]
    parts = [Part("long", "math", long, 180), Part("short", "web", short, 80)]
    segments = [
        Segment(0, 5, "a", {"long": 0.3, "short": 0.7}),
        Segment(5, 7, "b", {"short": 1.0}),
    ]

    def stream(first: int, share: Share) -> list[list[list[int]]]:
        found = row_batches(
            parts,
            segments,
            batch_size=4,
            positions=8,
            pad=0,
            seed=seed,
            start=first,
            share=share,
            window=4,
        )
        return [batch.tokens.tolist() for batch in found]

    whole = stream(0, Share())
    assert len(whole) == 12
    assert stream(start, Share()) == whole[start:]
    shares = [stream(start, Share(rank, world)) for rank in range(world)]
    joined = [[row for part in each for row in part] for each in zip(*shares, strict=True)]
    assert joined == whole[start:]
    assert all(len(row) <= 7 for batch in whole for row in batch)


def test_no_samples_are_no_rows() -> None:
    """As in a run that holds nothing out."""
    assert encode([], PLAIN) == []
