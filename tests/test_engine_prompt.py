"""Rendering and tokenising: what text and which tokens a checkpoint is asked with."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from harness.engines.prompt import (
    PLAIN_STOP,
    load_renderer,
    load_tokenizer,
    plain_frame,
    render_served,
)
from harness.engines.task import Task, encode_continuation, prepare
from harness.engines.types import Generation, Message, Request, Sampling
from harness.errors import HarnessError
from tests.conftest import ALPHABET

TALK = (Message("system", "日本"), Message("user", "山"), Message("assistant", "川"))


def test_chat_template_is_used_and_opens_the_answer(tiny_checkpoint: Path) -> None:
    rendered = load_renderer(tiny_checkpoint)([*TALK, Message("user", "人")])
    assert (
        rendered.prompt == "<s>[system]日本</s>[user]山</s>[assistant]川</s>[user]人</s>[assistant]"
    )
    assert not rendered.special_tokens
    assert rendered.stop == ()


def test_base_checkpoint_gets_the_plain_frame(tiny_base_checkpoint: Path) -> None:
    rendered = load_renderer(tiny_base_checkpoint)([*TALK, Message("user", "人")])
    assert rendered.prompt == (
        "日本\n\n### 指示:\n山\n\n### 応答:\n川\n\n### 指示:\n人\n\n### 応答:\n"
    )
    assert rendered.special_tokens
    assert rendered.stop == PLAIN_STOP


def test_served_models_get_messages() -> None:
    assert render_served(TALK).prompt == TALK


def test_begin_token_occurs_once_either_way(
    tiny_checkpoint: Path, tiny_base_checkpoint: Path
) -> None:
    for path in (tiny_checkpoint, tiny_base_checkpoint):
        rendered = load_renderer(path)([Message("user", "山")])
        tokenizer = load_tokenizer(path)
        request = Request("k", rendered.prompt, special_tokens=rendered.special_tokens)
        task = prepare(request, tokenizer, 512)
        assert isinstance(task, Task)
        assert task.prompt.count(tokenizer.bos_token_id) == 1


def test_system_text_moves_into_the_user_message_where_the_template_refuses_it(
    tiny_checkpoint: Path, tmp_path: Path
) -> None:
    path = tmp_path / "strict"
    shutil.copytree(tiny_checkpoint, path)
    (path / "chat_template.jinja").write_text(
        "{% if messages[0]['role'] == 'system' %}{{ raise_exception('no system role') }}{% endif %}"
        "{% for m in messages %}{{ '[' + m['role'] + ']' + m['content'] }}{% endfor %}"
    )
    render = load_renderer(path)
    assert render(TALK[:2]).prompt == "[user]日本\n\n山"
    (path / "chat_template.jinja").write_text("{{ raise_exception('no system role') }}")
    with pytest.raises(HarnessError, match="no system role"):
        load_renderer(path)(TALK)


def test_a_template_that_prints_the_date_renders_the_same_every_day(
    tiny_checkpoint: Path, tmp_path: Path
) -> None:
    path = tmp_path / "dated"
    shutil.copytree(tiny_checkpoint, path)
    (path / "chat_template.jinja").write_text("{{ strftime_now('%Y-%m-%d') }} {{ date_string }}")
    assert load_renderer(path)(TALK).prompt == "2024-07-26 26 Jul 2024"


def test_a_directory_without_tokenizer_is_a_sentence(tmp_path: Path) -> None:
    with pytest.raises(HarnessError, match=r"tokenizer\.json"):
        load_renderer(tmp_path)(TALK)
    with pytest.raises(HarnessError, match="no such directory"):
        load_renderer(tmp_path / "nowhere")(TALK)


@settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.lists(st.text(ALPHABET, min_size=1, max_size=9), min_size=1, max_size=5))
def test_plain_frame_holds_every_turn_in_order_and_ends_open(texts: list[str]) -> None:
    roles = ("user", "assistant")
    frame = plain_frame([Message(roles[i % 2], text) for i, text in enumerate(texts)])
    assert frame.endswith("### 応答:\n")
    position = 0
    for text in texts:
        position = frame.index(text, position) + len(text)


def test_continuation_tokens_hold_no_blank_of_the_tokenizers_own(tmp_path: Path) -> None:
    """A tokenizer in the manner of SentencePiece puts a blank before what it encodes."""
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers
    from transformers import PreTrainedTokenizerFast

    vocabulary = {token: i for i, token in enumerate(["<unk>", "▁", "\n", "ア", "イ"])}
    raw = Tokenizer(models.Unigram([(token, -1.0) for token in vocabulary], unk_id=0))
    raw.pre_tokenizer = pre_tokenizers.Metaspace(prepend_scheme="always", split=False)
    raw.decoder = decoders.Metaspace()
    tokenizer = PreTrainedTokenizerFast(tokenizer_object=raw, unk_token="<unk>")
    assert tokenizer.encode("アイ", add_special_tokens=False) == [1, 3, 4]
    assert encode_continuation(tokenizer, "アイ") == (3, 4)


@settings(deadline=None)
@given(size=st.integers(0, 40), new=st.integers(0, 60), context=st.integers(2, 40))
def test_prepare_never_exceeds_the_context(
    tiny_checkpoint: Path, size: int, new: int, context: int
) -> None:
    request = Request("k", "あ" * size, Sampling(max_tokens=new))
    task = prepare(request, load_tokenizer(tiny_checkpoint), context)
    if isinstance(task, Generation):
        assert task.finish_reason == "error"
        assert task.error
        assert size == 0 or size >= context or new == 0
    else:
        assert 1 <= task.max_tokens <= new
        assert len(task.prompt) + task.max_tokens <= context
        assert task.max_tokens == min(new, context - size)
