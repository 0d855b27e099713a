"""The loader of items and evalsets: what it reads, and the file:line it names for every fault."""

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from harness.errors import HarnessError
from harness.items.jsonl import MAX_FAULTS
from harness.items.load import (
    EvalSet,
    find_evalset,
    list_evalsets,
    load_evalset,
    load_items,
)
from harness.items.schema import FormatRule, Item

GOOD: dict[str, Any] = {
    "id": "own/001",
    "genre": "math",
    "turns": ["3たす9はいくつですか。半角数字だけで答えてください。"],
    "answer": "12",
    "format": {"kind": "integer"},
    "metric": "number",
    "skill": "math/addition",
}
CARD = """---
name: own
version: 3
licence: CC-BY-4.0
made-by: us
reviewed: once
---
# Own
"""


def line(**changes: Any) -> str:
    """GOOD as a JSON line, with fields changed or (given None) left out."""
    item = {**GOOD, **changes}
    return json.dumps({k: v for k, v in item.items() if v is not None}, ensure_ascii=False)


def write(path: Path, *lines: str | bytes) -> Path:
    path.write_bytes(b"".join((x if isinstance(x, bytes) else x.encode()) + b"\n" for x in lines))
    return path


def faults(path: Path) -> list[str]:
    with pytest.raises(HarnessError) as caught:
        load_items(path)
    return str(caught.value).split("\n")


def test_reads_items_in_order_and_skips_blank_lines(tmp_path: Path) -> None:
    rule = {"kind": "json", "keys": {"名": "string", "数": "strings"}}
    path = write(
        tmp_path / "a.jsonl",
        line(),
        "",
        "  \t",
        line(id="2", format=rule, metric="json", answer="{}", accept=["x"], level=3, cluster="c"),
    )
    first, second = load_items(path)
    assert first == Item(
        id="own/001",
        genre="math",
        turns=tuple(GOOD["turns"]),
        answer="12",
        format=FormatRule("integer"),
        metric="number",
        skill="math/addition",
    )
    assert second.format.keys == {"名": "string", "数": "strings"}
    assert (second.accept, second.level, second.cluster) == (("x",), 3, "c")


def test_crlf_and_line_separators_inside_strings_are_read(tmp_path: Path) -> None:
    path = tmp_path / "a.jsonl"
    path.write_bytes((line(turns=["一\u2028二\x85三"]) + "\r\n").encode())
    assert load_items(path)[0].turns == ("一\u2028二\x85三",)


def test_hash_is_stable_and_covers_what_is_asked_and_scored(tmp_path: Path) -> None:
    (item,) = load_items(write(tmp_path / "a.jsonl", line()))
    assert item.hash == "c3a9d38b08e9da557565298054f33f1cbbfe9be8563d4a46864d91bced57d1c6"
    same, answer, turn, rule = load_items(
        write(
            tmp_path / "b.jsonl",
            line(id="x", genre="stem", skill="other", level=2, cluster="c"),
            line(id="y", answer="13"),
            line(id="z", turns=["3たす9は?"]),
            line(id="w", format={"kind": "number"}),
        )
    )
    assert same.hash == item.hash
    assert len({item.hash, answer.hash, turn.hash, rule.hash}) == 4


@pytest.mark.parametrize(
    ("bad", "fault"),
    [
        (line()[:-1], "broken JSON at column"),
        ("[1]", "a JSON list is no item, expected a JSON object"),
        ("null", "a JSON NoneType is no item"),
        ("9" * 5000, "unreadable JSON"),
        ("[" * 100_000, "unreadable JSON"),
        (line(answer=12), "wrong value: expected `str`, got `int` - at `$.answer`"),
        (line(turns="text"), "wrong value: expected `array`, got `str` - at `$.turns`"),
        (line(level=True), "wrong value: expected `int"),
        (line(format={"kind": "letter"}), "wrong value: invalid enum value 'letter'"),
        (line(format={"kind": "json", "keys": {"a": "text"}}), "invalid enum value 'text'"),
        (line(format="integer"), "wrong value: expected `object`, got `str` - at `$.format`"),
        (line(metric="bleu"), "wrong value: invalid enum value 'bleu'"),
        (line(acept=["x"]), "unknown field 'acept', expected only an item's fields; did you mean"),
        (
            line(format={"kind": "choice", "label": ["a", "b"]}),
            "unknown field 'format.label', expected only an item's fields; did you mean "
            "`format.labels`?",
        ),
        (line(answer=None, metric=None), "missing `answer`, `metric`, expected at least `id`"),
        (line(format={}), "missing `format.kind`, expected at least `format.kind`"),
        ('{"id":"a","id":"b"}', "field 'id' occurs twice, expected it once"),
        (line(id="other"), "duplicate content, first seen at "),
        (line(answer="13"), "duplicate id 'own/001', first seen at "),
        (line(genre="cooking"), "`genre` is 'cooking', expected one of writing, roleplay"),
        (line(level=9), "`level` is 9, expected 1 to 5"),
        (line(turns=[]), "`turns` holds no text"),
        (line(format={"kind": "choice"}), "`format.labels` needs two or more"),
        (line(format={"kind": "pattern", "pattern": "("}), "is not a regular expression"),
        (line(format={"kind": "pattern", "pattern": "a{99999999999}"}), "not a regular expression"),
        (line(id="@").replace("@", "\\ud800"), "half of a surrogate pair"),
        (line(id="甲").encode("cp932"), "is not UTF-8, expected UTF-8 text; convert the file"),
    ],
)
def test_a_fault_names_its_line(tmp_path: Path, bad: str | bytes, fault: str) -> None:
    path = write(tmp_path / "items.jsonl", line(), "", bad)
    (message,) = faults(path)
    assert message.startswith(f"{path}:3: ")
    assert fault in message


def test_duplicates_name_the_first_place(tmp_path: Path) -> None:
    path = write(tmp_path / "a.jsonl", line(), line(id="b", answer="1"), line(answer="2"))
    assert faults(path) == [
        f"{path}:3: duplicate id 'own/001', first seen at {path}:1; expected a unique id"
    ]


def test_byte_order_mark_is_named_with_its_cure(tmp_path: Path) -> None:
    path = write(tmp_path / "a.jsonl", b"\xef\xbb\xbf" + line().encode())
    (message,) = faults(path)
    assert message.startswith(f"{path}:1: the file starts with a byte order mark")
    assert "UTF-8 without BOM" in message


@pytest.mark.parametrize("content", [b"", b"\n \n\n"])
def test_empty_file(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "a.jsonl"
    path.write_bytes(content)
    assert faults(path) == [f"{path}:1: the file holds no item, expected one JSON object a line"]


def test_all_faults_are_named_up_to_the_limit(tmp_path: Path) -> None:
    path = write(tmp_path / "a.jsonl", line(), *["{"] * (MAX_FAULTS + 5))
    messages = faults(path)
    assert [m.split(" ")[0] for m in messages[:-1]] == [
        f"{path}:{n}:" for n in range(2, MAX_FAULTS + 2)
    ]
    assert messages[-1] == "... and 5 more faults"
    assert len(faults(write(tmp_path / "b.jsonl", *["{"] * MAX_FAULTS))) == MAX_FAULTS


def test_a_missing_file_and_a_directory(tmp_path: Path) -> None:
    assert "no such file" in faults(tmp_path / "none.jsonl")[0]
    assert "is a directory" in faults(tmp_path)[0]


ROBUST = settings(
    max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)


@ROBUST
@given(data=st.binary(max_size=200))
def test_garbage_raises_nothing_but_harness_error(tmp_path: Path, data: bytes) -> None:
    path = tmp_path / "a.jsonl"
    path.write_bytes(data)
    with pytest.raises(HarnessError):
        load_items(path)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner),
    max_leaves=5,
)
FIELDS = st.sampled_from([*GOOD, "accept", "level", "template", "seen", "cluster", "extra"])
RULE = st.fixed_dictionaries(
    {"kind": st.sampled_from(["choice", "span", "pattern", "json", "lines", "x"])},
    optional={
        "labels": st.lists(st.text(max_size=2)) | JSON,
        "pattern": st.text(max_size=8) | st.sampled_from(["(" * 5000, "[", "a{9}{9}"]) | JSON,
        "keys": JSON,
        "max_chars": JSON,
    },
)


@ROBUST
@given(changes=st.dictionaries(FIELDS, JSON, max_size=3), rule=RULE | JSON)
def test_a_mutated_item_loads_or_raises_harness_error(
    tmp_path: Path, changes: dict[str, Any], rule: Any
) -> None:
    path = tmp_path / "a.jsonl"
    path.write_text(json.dumps({**GOOD, "format": rule, **changes}) + "\n")
    message = ""
    try:
        (item,) = load_items(path)
    except HarnessError as error:
        message = str(error)
    if message:
        assert message.startswith(f"{path}:1: ")
        message.encode()
    else:
        assert len(item.hash) == 64


@ROBUST
@given(
    answers=st.lists(
        st.text(st.characters(exclude_categories=["Cs"]), min_size=1).filter(str.strip),
        min_size=1,
        max_size=5,
        unique=True,
    )
)
def test_what_is_written_is_read_back(tmp_path: Path, answers: list[str]) -> None:
    path = tmp_path / "a.jsonl"
    write(path, *(line(id=str(n), answer=answer) for n, answer in enumerate(answers)))
    items = load_items(path)
    assert [item.answer for item in items] == answers
    assert len({item.hash for item in items}) == len(answers)


def own_set(folder: Path, card: str | None = CARD, **files: list[str]) -> Path:
    folder.mkdir()
    if card is not None:
        (folder / "card.md").write_text(card)
    for name, lines in files.items():
        write(folder / f"{name}.jsonl", *lines)
    return folder


def test_an_evalset_of_several_files(tmp_path: Path) -> None:
    one, two = line(id="1"), line(id="2", answer="7")
    evalset = load_evalset(own_set(tmp_path / "own", b=[two], a=[one]))
    assert (evalset.name, evalset.version, evalset.licence) == ("own", "3", "CC-BY-4.0")
    assert [item.id for item in evalset.items] == ["1", "2"]
    assert evalset.card == CARD
    # The hash sees content and ids, not files, order or card.
    moved = load_evalset(own_set(tmp_path / "moved", CARD + "\nmore", items=[two, one]))
    assert moved.hash == evalset.hash
    renamed = load_evalset(own_set(tmp_path / "renamed", items=[line(id="1b"), two]))
    fewer = load_evalset(own_set(tmp_path / "fewer", items=[one]))
    assert len({evalset.hash, renamed.hash, fewer.hash}) == 3


def test_duplicates_are_found_across_the_files_of_a_set(tmp_path: Path) -> None:
    folder = own_set(tmp_path / "own", a=[line()], b=[line(answer="1"), line(id="x")])
    with pytest.raises(HarnessError) as caught:
        load_evalset(folder)
    assert str(caught.value).split("\n") == [
        f"{folder / 'b.jsonl'}:1: duplicate id 'own/001', first seen at {folder / 'a.jsonl'}:1; "
        "expected a unique id",
        f"{folder / 'b.jsonl'}:2: duplicate content, first seen at {folder / 'a.jsonl'}:1; "
        "expected each question once; remove one",
    ]


def test_a_bare_file_is_a_set_without_a_card(tmp_path: Path) -> None:
    evalset = load_evalset(write(tmp_path / "mine.jsonl", line()))
    assert evalset == EvalSet("mine", "", evalset.items, "", "", evalset.hash)


@pytest.mark.parametrize(
    ("card", "fault"),
    [
        ("# Own\n", ":1: starts with '# Own', expected `---` and a header with name, version"),
        ("", ":1: starts with ''"),
        ("---\nname: own\n", ":1: the header has no end"),
        (CARD.replace("version: 3", "version"), ":3: 'version' is no header line"),
        (CARD.replace("version: 3", "version:"), ":3: 'version:' is no header line"),
        (CARD.replace("licence", "license"), ":4: 'license: CC-BY-4.0' is no header line"),
        (CARD.replace("version: 3", "name: x"), ":3: `name` occurs twice, expected it once"),
        (CARD.replace("reviewed: once\n", ""), ":6: the header ends without reviewed"),
    ],
)
def test_a_faulty_card_names_its_line(tmp_path: Path, card: str, fault: str) -> None:
    folder = own_set(tmp_path / "own", card, items=[line()])
    with pytest.raises(HarnessError) as caught:
        load_evalset(folder)
    assert str(caught.value).startswith(f"{folder / 'card.md'}{fault}")


def test_a_set_without_card_or_items(tmp_path: Path) -> None:
    with pytest.raises(HarnessError, match=r"card\.md: missing, expected a card"):
        load_evalset(own_set(tmp_path / "a", None, items=[line()]))
    with pytest.raises(HarnessError, match=r"holds no \*\.jsonl file"):
        load_evalset(own_set(tmp_path / "b"))
    folder = own_set(tmp_path / "c", items=[line()])
    (folder / "card.md").write_bytes(b"---\n\x83\x84\n")
    with pytest.raises(HarnessError, match=r"card\.md:2: not UTF-8"):
        load_evalset(folder)


def test_find_evalset(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert "basics" in list_evalsets()
    assert find_evalset("basics").name == "basics"
    folder = own_set(tmp_path / "own", items=[line()])
    assert find_evalset(str(folder)) == folder
    assert find_evalset(str(folder / "items.jsonl")) == folder / "items.jsonl"
    # A folder of the same name in the working directory does not shadow a set of ours.
    (tmp_path / "basics").mkdir()
    monkeypatch.chdir(tmp_path)
    assert find_evalset("basics") != Path("basics")
    for name in ("basic", "", "a\0b", "x" * 5000):
        with pytest.raises(HarnessError, match=r"no evalset .* expected one of .*basics"):
            find_evalset(name)


def test_what_is_written_is_read_again(tmp_path: Path) -> None:
    from harness.items.probes.generate import probes
    from harness.items.write import write_evalset

    found = probes(levels=(1, 2), per_level=2)
    evalset = load_evalset(write_evalset(tmp_path / "mine", found, "Probes."))
    assert evalset.name == "mine"
    assert list(evalset.items) == found
