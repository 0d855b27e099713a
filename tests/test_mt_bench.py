"""The MT-Bench protocols: what is asked at which settings, and what is decided by rule."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import msgspec
import pytest

from harness.items.check import Check
from harness.items.schema import GENRES, FormatRule, Item
from harness.protocols.catalogue import protocol_from
from harness.protocols.mt_bench import NAMES, VARIANTS, MtBench, MtBenchName
from harness.protocols.types import Answer, Ask
from harness.scoring.code.types import CodeOutcome

ITEM = Item(
    "mt/1",
    "math",
    ("6人に7個ずつ配ると、いくつ要りますか。", "半分は？"),
    "",
    FormatRule("free"),
    "judge",
    checks=(Check(math="42"), None),
)


def only(protocol: MtBench, item: Item = ITEM, samples: int = 1, seed: int = 0) -> Ask:
    return next(iter(protocol.requests([item], samples, seed)))


# Written out from the table of protocols, not from the code.
SETTINGS: list[tuple[MtBenchName, str, float, int, float, float]] = [
    ("lm-sys", "writing", 0.7, 1024, 1.0, 1.0),
    ("lm-sys", "roleplay", 0.7, 1024, 1.0, 1.0),
    ("lm-sys", "extraction", 0.0, 1024, 1.0, 1.0),
    ("lm-sys", "math", 0.0, 1024, 1.0, 1.0),
    ("lm-sys", "coding", 0.0, 1024, 1.0, 1.0),
    ("lm-sys", "reasoning", 0.0, 1024, 1.0, 1.0),
    ("lm-sys", "stem", 0.1, 1024, 1.0, 1.0),
    ("lm-sys", "humanities", 0.1, 1024, 1.0, 1.0),
    ("nejumi-v3", "writing", 0.7, 1024, 1.0, 1.0),
    ("nejumi-v4", "stem", 0.1, 1024, 1.0, 1.0),
    ("swallow-2025", "math", 0.0, 1024, 1.0, 1.0),
    ("stability-2023", "writing", 0.5, 512, 0.9, 1.1),
    ("stability-2023", "roleplay", 0.5, 512, 0.9, 1.1),
    ("stability-2023", "extraction", 0.2, 512, 0.9, 1.1),
    ("stability-2023", "stem", 0.2, 512, 0.9, 1.1),
    ("stability-2023", "humanities", 0.2, 512, 0.9, 1.1),
    ("stability-2023", "reasoning", 0.1, 512, 0.9, 1.1),
    ("stability-2023-full", "math", 0.1, 512, 0.9, 1.1),
    ("stability-2023-full", "coding", 0.1, 512, 0.9, 1.1),
]


@pytest.mark.parametrize(("name", "genre", "temperature", "tokens", "top_p", "penalty"), SETTINGS)
def test_generation_settings_by_genre(
    name: MtBenchName, genre: str, temperature: float, tokens: int, top_p: float, penalty: float
) -> None:
    sampling = only(MtBench(name), replace(ITEM, genre=genre)).sampling
    assert sampling.temperature == temperature
    assert sampling.max_tokens == tokens
    assert (sampling.top_p, sampling.repetition_penalty) == (top_p, penalty)
    assert (sampling.seed is None) == (temperature == 0)


def test_every_protocol_knows_every_genre_and_has_a_hash_of_its_own() -> None:
    for name in NAMES:
        for genre in GENRES:
            assert only(MtBench(name), replace(ITEM, genre=genre)).messages[0].role == "user"
    assert len({MtBench(name).hash for name in NAMES}) == len(NAMES)
    assert len({MtBench(name).id for name in NAMES}) == len(NAMES)
    assert MtBench("lm-sys").id == "mt-bench/lm-sys"
    assert MtBench("nejumi-v4").id == "mt-bench-ja/nejumi-v4"
    assert MtBench().id == "mt-bench-ja/harness-1"
    assert MtBench(evalset="own").suite == "own"


def test_a_stored_definition_gives_the_same_protocol_back() -> None:
    for name in NAMES:
        protocol = MtBench(name)
        stored = msgspec.json.decode(msgspec.json.encode(dict(protocol.definition)))
        assert protocol_from(stored) == protocol
        assert protocol_from(stored).hash == protocol.hash


def test_our_own_is_greedy_unless_several_answers_are_drawn() -> None:
    assert only(MtBench()).sampling.temperature == 0
    first, second = MtBench().requests([ITEM], 2, 0)
    assert first.sampling.temperature == 0.7
    assert first.sampling.seed != second.sampling.seed


def test_one_answer_does_not_depend_on_the_users_seed() -> None:
    item = replace(ITEM, genre="writing")
    assert only(MtBench("lm-sys"), item, seed=1) == only(MtBench("lm-sys"), item, seed=2)
    several = [only(MtBench("swallow-2025"), item, 5, seed).sampling.seed for seed in (1, 2)]
    assert several[0] != several[1]


def test_the_second_turn_follows_the_models_own_first() -> None:
    second = MtBench("lm-sys").follow_up(only(MtBench("lm-sys")), Answer("42個です。", "stop"))
    assert second is not None
    assert [one.role for one in second.messages] == ["user", "assistant", "user"]
    assert [one.content for one in second.messages[1:]] == ["42個です。", "半分は？"]
    assert second.turn == 1
    assert MtBench("lm-sys").follow_up(second, Answer("21", "stop")) is None


def test_stability_asks_the_first_turn_alone() -> None:
    protocol = MtBench("stability-2023")
    assert protocol.follow_up(only(protocol), Answer("はい", "stop")) is None


@pytest.mark.parametrize(
    ("name", "answer", "carried"),
    [
        ("lm-sys", "<think>x</think>" + "あ" * 9000, "<think>x</think>" + "あ" * 9000),
        ("swallow-2025", "<think>x</think>" + "あ" * 9000, "あ" * 8192),
        ("swallow-2025", "あ" * 8192, "あ" * 8192),
        ("nejumi-v4", "あ" * 9000, "あ" * 9000),
        ("harness-1", "<think>x</think>\n\nはい", "はい"),
    ],
)
def test_what_the_second_turn_sees_of_the_first(
    name: MtBenchName, answer: str, carried: str
) -> None:
    protocol = MtBench(name)
    second = protocol.follow_up(only(protocol), Answer(answer, "stop"))
    assert second is not None
    assert second.messages[1].content == carried


def test_a_turn_with_a_check_is_decided_and_another_is_not() -> None:
    def verified(ask: Ask, text: str, protocol: MtBench) -> dict[str, float]:
        scores = protocol.scores(ask, Answer(text, "stop"))
        return {one.metric: one.value for one in scores if one.metric == "verified"}

    protocol = MtBench()
    first = only(protocol)
    second = replace(first, turn=1)
    assert verified(first, "答えは42個です。", protocol) == {"verified": 1.0}
    assert verified(first, "答えは40個です。", protocol) == {"verified": 0.0}
    assert verified(second, "答えは21個です。", protocol) == {}
    code: Any = {
        "kind": "function",
        "entry_point": "f",
        "checks": "calls",
        "tests": [{"args": [], "expected": 1}],
    }
    coding = only(protocol, replace(ITEM, checks=(msgspec.convert({"code": code}, Check), None)))
    program = "```python\ndef f():\n    return 1\n```"
    assert verified(coding, program, protocol) == {}
    running = MtBench(runner=lambda runs: [CodeOutcome("passed", 1) for _ in runs])
    assert verified(coding, program, running) == {"verified": 1.0}


def test_judges_of_record_and_scales() -> None:
    assert {name: one.judge for name, one in VARIANTS.items()} == {
        "lm-sys": "gpt-4",
        "stability-2023": "gpt-4",
        "stability-2023-full": "gpt-4",
        "nejumi-v3": "gpt-4o-2024-05-13",
        "nejumi-v4": "gpt-4.1-2025-04-14",
        "swallow-2025": "gpt-4o-2024-08-06",
        "harness-1": None,
    }
    assert {name for name, one in VARIANTS.items() if one.lowest == 0} == {"nejumi-v4"}
    assert {name for name, one in VARIANTS.items() if one.shown == 10} == {
        "nejumi-v3",
        "swallow-2025",
    }
    assert VARIANTS["swallow-2025"].answers == 5
    assert VARIANTS["stability-2023"].dropped == ("math", "coding")
