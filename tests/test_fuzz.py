"""Mangled files at every parser: a HarnessError or a value, never a traceback.

`make fuzz` feeds the same table from a coverage-guided fuzzer for as long as one likes."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.fuzz.check import feed
from tests.fuzz.targets import TARGETS

# Values that parsers stumble over.
ODD: list[Any] = [
    *(None, True, False, 0, -1, 10**30, 1e308, -0.0, "", "x", "日本", "\ud800", "\x00", "\n"),
    *([], {}, [[]], [{}], {"": ""}, [None], {"a": None}, "1", 0.5, 2**63, "../../etc/passwd"),
    *(float("nan"), float("inf"), ["x"] * 3, {"id": "x"}, "9" * 5000, {"x": {"y": {"z": []}}}),
]
JUNK = [
    *(b"", b"\n", b"\x00", b"\xff\xfe", b"\xef\xbb\xbf", b"[" * 100_000, b'{"a":' * 50_000),
    *(b"null", b"[]", b"{}", b'"', b"1e400", b"NaN", b"9" * 6000, b"a: &x [*x, *x]"),
    *(b"&a [*a]", b"!!python/object/apply:os.getcwd []", b"- " * 20_000, b"<<: 1", b"? [a]\n: b"),
    *(b"\r\n,,\r\n", b'"a,b', b"a,a\n1,2\n", b"\xed\xa0\x80", b"%YAML 9.9\n---\n", b"2026-99-99"),
    b"{" * 3000,
    b"a: " + b"[" * 3000,
    "\u2028\u0085".encode(),
]


def places(value: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    """Where a JSON value can be changed, the whole of it included."""
    found = [path]
    if isinstance(value, dict):
        for key, inner in value.items():
            found += places(inner, (*path, key))
    elif isinstance(value, list):
        for number, inner in enumerate(value):
            found += places(inner, (*path, number))
    return found


def changed(value: Any, path: tuple[Any, ...], new: Any, drop: bool) -> Any:
    if not path:
        return new
    head, *rest = path
    copy = dict(value) if isinstance(value, dict) else list(value)
    if drop and not rest:
        del copy[head]
    else:
        copy[head] = changed(value[head], tuple(rest), new, drop)
    return copy


@st.composite
def mangled(draw: st.DrawFn, seeds: tuple[bytes, ...]) -> bytes:
    """A seed with one value of one of its lines changed, or with bytes cut, put in or doubled."""
    seed = draw(st.sampled_from(seeds))
    how = draw(st.sampled_from(("value", "value", "value", "bytes", "junk", "text")))
    if how == "junk":
        junk = draw(st.sampled_from(JUNK))
        at = draw(st.integers(0, len(seed)))
        return draw(st.sampled_from((junk, seed + b"\n" + junk, seed[:at] + junk + seed[at:])))
    if how == "text":
        return draw(st.text(max_size=40)).encode("utf-8", "surrogatepass")
    if how == "value":
        lines = seed.split(b"\n") if not seed.startswith(b"{\n") else [seed]
        number = draw(st.integers(0, len(lines) - 1))
        try:
            value = json.loads(lines[number])
        except ValueError:
            how = "bytes"
        else:
            place = draw(st.sampled_from(places(value)))
            new = draw(st.sampled_from(ODD))
            drop = draw(st.booleans())
            lines[number] = json.dumps(changed(value, place, new, drop)).encode()
            return b"\n".join(lines)
    start = draw(st.integers(0, len(seed)))
    end = draw(st.integers(start, min(len(seed), start + 40)))
    put = draw(
        st.binary(max_size=6) | st.sampled_from([b"", *(json.dumps(o).encode() for o in ODD)])
    )
    return seed[:start] + put + seed[end:]


@pytest.mark.parametrize("name", TARGETS)
def test_seeds_are_read(name: str) -> None:
    """A seed that is refused at once would leave the parser behind it untried."""
    for seed in TARGETS[name].seeds:
        assert feed(TARGETS[name], seed)


@pytest.mark.parametrize("name", TARGETS)
@settings(
    max_examples=150, deadline=None, suppress_health_check=list(HealthCheck), derandomize=False
)
@given(data=st.data())
def test_mangled_files_are_a_sentence(name: str, data: st.DataObject) -> None:
    target = TARGETS[name]
    feed(target, data.draw(mangled(target.seeds)))


@pytest.mark.parametrize("name", TARGETS)
def test_junk_is_a_sentence(name: str) -> None:
    target = TARGETS[name]
    for junk in JUNK:
        feed(target, junk)
        feed(target, target.seeds[0] + b"\n" + junk)


@pytest.mark.parametrize(
    ("name", "data"),
    [
        ("scores as CSV", b'"run,step'),  # the heading itself is broken
        ("published table", b'"model,jnli'),
        ("scores as CSV", b"run,step,task,metric,value,stderr\nr,1" + b"0" * 400 + b",t,acc,1,0\n"),
        (
            "scores of lm-eval",
            b'{"results": {"t": {"acc": 1' + b"0" * 400 + b'}}, "model_name": "a/step_1"}',
        ),
        ("battles as lines", b'{"model1_id": "x", "model2_id": "y", "score": []}'),
        ("battles as lines", b'{"type": "leftvote", "models": 1, "states": [1, 2]}'),
        ("battles as lines", b'{"model_a": "x", "model_b": "y", "winner": "tie", "conv_a": [1]}'),
        ("battles as a document", b'[{"model_a": "\\ud800", "model_b": "y", "winner": "tie"}]'),
        ("training log", b'{"step": 1, "loss": 1' + b"0" * 400 + b"}"),
        ("training log", b'{"step": 1' + b"0" * 30 + b"}"),
        ("weights index", b'{"weight_map": {"a": "pytorch_model.bin"}}'),
        ("lineage", b'{"step": 1' + b"0" * 30 + b"}"),
        ("config.json", b'{"model_type": "\\ud800"}'),
        ("config.json", b'{"model_type": ' + b"9" * 5000 + b"}"),
        ("plan", b"version: !!timestamp x\n"),
        ("plan", b"version: !!bool maybe\n"),
        ("plan", b"round: " + b"9" * 5000 + b"\n"),
        ("goals", b'version: "\\ud800"\n'),
        ("sft", b"output: !!int ''\n"),
        ("mixture", b"components: &a [*a]\nphases: []\n"),
    ],
)
def test_what_was_once_a_traceback_or_worse(name: str, data: bytes) -> None:
    """Found by reading and by fuzzing; each is refused with a sentence."""
    assert not feed(TARGETS[name], data) or name == "scores of lm-eval"
