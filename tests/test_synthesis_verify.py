"""Proofs made anew: what programs and teachers get right passes, and of the wrong answers planted
among it none does, whatever the sample says of itself."""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import replace

import pytest

from harness.engines.types import Message
from harness.errors import HarnessError
from harness.gaps.plan import Line
from harness.items.check import Constraint
from harness.items.code_task import CodeTask, CodeTest
from harness.items.probes.catalogue import FAMILIES
from harness.items.probes.generate import training_samples
from harness.items.schema import PROBE_GENRES, FormatRule, Item
from harness.protocols.catalogue import code_runner
from training.synthesis.catalogue import generator
from training.synthesis.program import program
from training.synthesis.supply import no_teacher
from training.synthesis.types import Method, Order, Origin, Proof, Sample
from training.synthesis.verify import agreement, prove, prove_math

Corruption = Callable[[Sample], Sample | None]

LINES = (
    *(Line(genre, "", None, 30, generator="program") for genre in PROBE_GENRES),
    *(Line(genre, "", None, 15, generator="drill") for genre in PROBE_GENRES),
    *(
        Line(genre, "", None, 15, generator="premise_change")
        for genre in ("math", "reasoning", "extraction")
    ),
)
BY_TEACHER = Origin("written@1", 0, 0, teacher="teacher")


def made() -> Iterator[tuple[Line, Sample]]:
    for line in LINES:
        for one in generator(line.generator)(Order(line, 3, 0, line.samples), no_teacher):
            if isinstance(one, Sample):
                yield line, one


def other(answer: str, item: Item) -> str:
    """Another answer of the same form."""
    if item.format.kind == "choice":
        return next(label for label in item.format.labels if label != answer)
    if re.fullmatch(r"-?[0-9]+", answer):
        return str(int(answer) + 1)
    if re.fullmatch(r"-?[0-9]+\.[0-9]+", answer):
        return f"{float(answer) + 0.5:g}"
    if item.format.kind == "json":
        fields = json.loads(answer)
        key = next(iter(fields))
        value = fields[key]
        fields[key] = value + 1 if isinstance(value, (int, float)) else f"{value}子"
        return json.dumps(fields, ensure_ascii=False)
    return f"{answer}子"


def with_reply(sample: Sample, reply: str, **fields: object) -> Sample:
    return replace(
        sample,
        messages=(*sample.messages[:-1], Message("assistant", reply)),
        **fields,  # type: ignore[arg-type]
    )


def wrong_reply(sample: Sample) -> Sample | None:
    """Only what the assistant says is wrong."""
    assert sample.item is not None
    reply, wrong = sample.messages[-1].content, other(sample.answer, sample.item)
    return with_reply(sample, wrong if reply == sample.answer else reply + f"\n答え：{wrong}")


def wrong_throughout(sample: Sample) -> Sample | None:
    """Reply, bare answer and the item's gold agree upon a wrong answer."""
    assert sample.item is not None
    wrong = other(sample.answer, sample.item)
    item = replace(sample.item, answer=wrong, accept=())
    return with_reply(sample, wrong, answer=wrong, item=item)


def accepts_all(sample: Sample) -> Sample | None:
    """The right gold stands there, and a wrong one is accepted beside it."""
    assert sample.item is not None
    wrong = other(sample.answer, sample.item)
    item = replace(sample.item, accept=(*sample.item.accept, wrong))
    return with_reply(sample, wrong, answer=wrong, item=item)


def another_question(sample: Sample) -> Sample | None:
    """The right answer to a question that was changed."""
    assert sample.item is not None
    asked = sample.messages[-2].content
    changed = re.sub(r"(?<![0-9])[0-9]+(?=[^0-9]*$)", lambda one: str(int(one[0]) + 1), asked)
    if changed == asked or sample.origin.generator.startswith(("drill", "premise")):
        return None
    item = replace(sample.item, turns=(*sample.item.turns[:-1], changed))
    messages = (*sample.messages[:-2], Message("user", changed), sample.messages[-1])
    return replace(sample, messages=messages, item=item)


def wrong_before(sample: Sample) -> Sample | None:
    """The first of two answers is wrong."""
    if not sample.origin.generator.startswith("premise"):
        return None
    assert sample.item is not None
    wrong = Message("assistant", f"答え：{other(sample.answer, sample.item)}0")
    return replace(sample, messages=(sample.messages[0], wrong, *sample.messages[2:]))


CORRUPTIONS: tuple[Corruption, ...] = (
    wrong_reply,
    wrong_throughout,
    accepts_all,
    another_question,
    wrong_before,
)


def test_what_programs_make_is_proven() -> None:
    methods: Counter[Method] = Counter()
    for line, sample in made():
        found = prove(sample, line)
        assert found.proven, (found, sample.messages)
        methods[found.method] += 1
    assert methods.total() > 200
    assert methods["solver"] > 100


def test_five_hundred_wrong_answers_of_programs_are_found() -> None:
    planted: Counter[str] = Counter()
    for line, sample in made():
        for corrupt in CORRUPTIONS:
            wrong = corrupt(sample)
            if wrong is None:
                continue
            assert wrong.proof.passed  # as the generator claims
            assert not prove(wrong, line).passed, (corrupt.__name__, wrong)
            planted[corrupt.__name__] += 1
    assert min(planted.values()) > 20
    assert planted.total() >= 500


def test_an_answer_is_not_taken_for_that_of_another_candidate() -> None:
    """Question and answer of candidate 1 under the number of candidate 0."""
    line = LINES[0]
    first, second = list(program(Order(line, 3, 0, 2), no_teacher))
    assert isinstance(first, Sample)
    assert isinstance(second, Sample)
    assert prove(second, line).passed
    assert not prove(replace(second, origin=first.origin), line).passed
    assert not prove(second, replace(line, purpose="uniform")).passed
    assert not prove(second).passed  # nothing says where it comes from


@pytest.mark.parametrize("family", FAMILIES, ids=lambda family: family.name)
def test_items_of_the_training_stream_are_proven_by_their_ids(family: object) -> None:
    for item in training_samples([family], count=2, seed=5):  # type: ignore[list-item]
        sample = Sample(
            item.genre,
            item.skill,
            item.level,
            (Message("user", item.turns[0]), Message("assistant", item.answer)),
            item.answer,
            Proof("solver", True),
            Origin("other@1", 0, 0),
            item,
        )
        assert prove(sample).proven
        wrong = wrong_throughout(sample)
        assert wrong is not None
        assert not prove(wrong).passed


TASK = CodeTask(
    "function",
    "total",
    "calls",
    (
        CodeTest(args=([1, 2, 3],), expected=6),
        CodeTest(args=([],), expected=0),
        CodeTest(args=([-5, 5, 7],), expected=7),
    ),
)
CODE_ITEM = Item(
    "coding/total",
    "coding",
    ("リストの合計を返す関数 total を書いてください。",),
    "",
    FormatRule("free"),
    "code",
    code=TASK,
)
RIGHT_PROGRAM = "def total(values):\n    return sum(values)\n"
WRONG_PROGRAMS = (
    "def total(values):\n    return sum(values) + 1\n",
    "def total(values):\n    return len(values)\n",
    "def total(values):\n    return 6\n",
    "def total(values):\n    return abs(sum(values)) if values else 1\n",
    "def total(values):\n    raise ValueError\n",
    "def total(values):\n    while True:\n        pass\n",
    "def sum_of(values):\n    return sum(values)\n",
    "class Equal(int):\n    __eq__ = lambda *a: True\n\ndef total(values):\n    return Equal(1)\n",
    "import sys\n\ndef total(values):\n    sys.exit(0)\n",
    "total = sum\ndel total\n",
)


def of_code(program: str, proof: Proof) -> Sample:
    messages = (
        Message("user", CODE_ITEM.turns[0]),
        Message("assistant", f"```python\n{program}```"),
    )
    return Sample("coding", "", None, messages, "", proof, BY_TEACHER, CODE_ITEM)


def test_programs_are_run_whatever_is_said_of_them() -> None:
    runner = code_runner()
    if runner is None:
        pytest.skip("no sandbox works here")
    claims = [Proof(method, True) for method in ("execution", "agreement", "unproven")]  # type: ignore[arg-type]
    for claim in claims:
        assert prove(of_code(RIGHT_PROGRAM, claim), None, runner) == Proof(
            "execution", True, "3 tests passed"
        )
    for wrong in WRONG_PROGRAMS:
        found = prove(of_code(wrong, claims[0]), None, runner)
        assert (found.method, found.passed) == ("execution", False), wrong


def test_a_program_without_a_sandbox_is_an_error_not_a_pass() -> None:
    with pytest.raises(HarnessError, match="doctor"):
        prove(of_code(RIGHT_PROGRAM, Proof("execution", True)))


def test_constraints_are_checked_as_they_stand() -> None:
    rule = Constraint("ja:letters:no_katakana", {})
    item = Item(
        "i/1",
        "instruction",
        ("春について、カタカナを使わずに書いてください。",),
        "",
        FormatRule("free"),
        "constraints",
        constraints=(rule,),
    )
    messages = (Message("user", item.turns[0]), Message("assistant", "春には桜が咲きます。"))
    sample = Sample("writing", "", None, messages, "", Proof("judged", True), BY_TEACHER, item)
    assert prove(sample) == Proof("rules", True, "1 rules kept")
    assert not prove(with_reply(sample, "春にはチューリップが咲きます。")).passed


NUMBER = Item(
    "math/w", "math", ("12に3を足すといくつですか。",), "15", FormatRule("integer"), "number"
)


def of_teacher(reply: str, method: Method, answer: str = "15", passed: bool = True) -> Sample:
    messages = (Message("user", NUMBER.turns[0]), Message("assistant", reply))
    return Sample("math", "", None, messages, answer, Proof(method, passed), BY_TEACHER, NUMBER)


def test_a_teachers_claim_stands_only_where_the_reply_comes_to_the_answer() -> None:
    assert prove(of_teacher("12+3=15なので、答えは15です。", "agreement")).proven
    assert not prove(of_teacher("12+3=16なので、答えは16です。", "agreement")).passed
    assert not prove(of_teacher("答えは15です。", "agreement", answer="16")).passed
    assert not prove(of_teacher("答えは15です。", "agreement", passed=False)).passed
    # A solver's or a rule's proof would be repeatable, and cannot be repeated.
    assert not prove(of_teacher("答えは15です。", "solver")).passed
    assert not prove(of_teacher("答えは15です。", "rules")).passed
    assert not prove(of_teacher("答えは15です。", "judged")).proven


def test_without_an_item_nothing_is_proven_by_program() -> None:
    open_ended = replace(of_teacher("どうぞ。", "solver", answer=""), item=None)
    assert prove(open_ended).method == "unproven"
    assert not prove(open_ended).proven
    document = replace(open_ended, proof=Proof("document", True))
    assert prove(document).proven


def test_agreement_counts_replies_that_come_to_the_answer() -> None:
    replies = ["答えは15です。", "15", "１５", "16です。"]
    assert agreement(NUMBER, "15", replies, least=0.75) == Proof(
        "agreement", True, "3 of 4 replies agree"
    )
    assert not agreement(NUMBER, "15", replies, least=0.8).passed
    assert not agreement(NUMBER, "16", replies).passed
    assert not agreement(NUMBER, "15", ["15"]).passed  # one reply agrees with nobody


def test_math_is_equal_by_value() -> None:
    assert prove_math("したがって、答えは $\\frac{1}{2}$ です。", "0.5").passed
    assert not prove_math("したがって、答えは $\\frac{1}{3}$ です。", "0.5").passed
    assert not prove_math("分かりません。", "0.5").passed
