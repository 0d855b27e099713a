"""A hostile chat template reads nothing, changes nothing, and is stopped when it does not end."""

from __future__ import annotations

import json
import shutil
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from harness.engines import template
from harness.engines.prompt import load_renderer, load_tokenizer
from harness.engines.template import (
    TEMPLATE_DAY,
    EndlessTemplateError,
    TemplateError,
    TemplateProcess,
)
from harness.engines.types import Message
from harness.errors import HarnessError

TALK = (Message("system", "日本"), Message("user", "山<&>"), Message("assistant", "川"))


@pytest.fixture(scope="module")
def process() -> TemplateProcess:
    return TemplateProcess()


@pytest.mark.parametrize(
    "text",
    [
        "{{ ''.__class__.__mro__[1].__subclasses__() }}",
        "{{ messages.__init__.__globals__ }}",
        "{{ strftime_now.__self__.__class__ }}",
        "{{ raise_exception.__globals__['json'] }}",
        "{{ self._TemplateReference__context }}",
        "{{ cycler.__init__.__globals__.os.environ }}",
        "{{ lipsum.__globals__['os'].popen('id').read() }}",
        "{{ '{0.__class__}'.format(messages) }}",
        "{{ ('{0.__class__}'|format(messages)) and '{0.__class__}'.format_map({'0': 1}) }}",
        "{{ messages|attr('__class__') }}",
        "{% set x = messages.append({'role': 'user', 'content': 'mine'}) %}{{ messages }}",
        "{% include '/etc/passwd' %}",
        "{% import 'os' as os %}{{ os }}",
        "{{ messages[0].update(content='mine') }}",
    ],
)
def test_nothing_of_python_is_reached(process: TemplateProcess, text: str) -> None:
    try:
        shown = process.render(text, {}, TALK)
    except TemplateError:
        return
    for trace in ("class", "root:", "uid=", "module", "mine", "HOME"):
        assert trace not in shown


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("{% for a in range(99999) %}{% for b in range(99999) %}{% endfor %}{% endfor %}", "end"),
        ("{% set n = namespace(x='xx') %}{% for a in range(60) %}{% set n.x = n.x ~ n.x %}"
         "{% endfor %}", "memory"),
        ("{{ 'x' * 2000000000 }}", "memory"),
        ("{{ 'x' * 20000000 }}", "characters"),
        ("{% for a in range(200) %}{{ 'x' * 100000 }}{% endfor %}", "characters"),
        ("{{ 9 ** (9 ** 9) }}", "end"),
        ("{{ '%2000000000d' % 1 }}", "memory"),
    ],
)  # fmt: skip
def test_what_does_not_end_is_stopped(monkeypatch: pytest.MonkeyPatch, text: str, why: str) -> None:
    if why == "end":  # on a busy machine a GiB is not filled in two seconds
        monkeypatch.setattr(template, "SECONDS", 2.0)
    process = TemplateProcess()
    process.render("", {}, TALK)
    began = time.monotonic()
    with pytest.raises(EndlessTemplateError, match=why):
        process.render(text, {}, TALK)
    assert time.monotonic() - began < 60
    # The next one is rendered.
    assert process.render("{{ messages[1].content }}", {}, TALK) == "山<&>"


def test_a_recursive_macro_is_a_fault_and_not_a_crash(process: TemplateProcess) -> None:
    with pytest.raises(TemplateError, match="recursion"):
        process.render("{% macro f() %}{{ f() }}{% endmacro %}{{ f() }}", {}, TALK)


def test_an_endless_template_is_one_sentence(
    tiny_checkpoint: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(template, "SECONDS", 1.0)
    path = tmp_path / "endless"
    shutil.copytree(tiny_checkpoint, path)
    (path / "chat_template.jinja").write_text(
        "{% for a in range(99999) %}{% for b in range(99999) %}{% endfor %}{% endfor %}"
    )
    with pytest.raises(HarnessError, match=r"its chat template did not end .*mend the template"):
        load_renderer(path)(TALK)


@pytest.mark.parametrize("learned_from", ["chats", "pairs", "mixture"])
def test_training_stops_an_endless_template(
    tiny_checkpoint: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, learned_from: str
) -> None:
    from training.chat_data import Dialogue, Preference
    from training.chat_tokens import encode_dialogue, encode_pair, open_tokenizer
    from training.data import Sample, encode

    monkeypatch.setattr(template, "SECONDS", 1.0)
    (endless := tmp_path / "endless.jinja").write_text(
        "{% for a in range(99999) %}{% for b in range(99999) %}{% endfor %}{% endfor %}"
    )
    tokenizer = open_tokenizer(tiny_checkpoint, endless)
    read: dict[str, Callable[[], object]] = {
        "chats": lambda: encode_dialogue(Dialogue(TALK, "", "d:3"), tokenizer, "answers"),
        "pairs": lambda: encode_pair(Preference(TALK[:2], "川", "海", "", "d:3"), tokenizer),
        "mixture": lambda: encode([Sample("山", "川")], tokenizer),
    }
    with pytest.raises(HarnessError, match=r": the chat template did not end .* was stopped"):
        read[learned_from]()


@pytest.mark.parametrize(
    "text",
    [
        "{{ bos_token }}{% for m in messages %}\n  {% if m.role == 'user' %}{% continue %}"
        "{% endif %}\n{{ m | tojson }}\n{% endfor %}\n",
        "{%- for m in messages %}{{ m.content | tojson(indent=2) }}{% if loop.index == 2 %}"
        "{% break %}{% endif %}{% endfor %}",
        "{% generation %}{% set x = 1 %}{{ messages[-1].content }}{% endgeneration %}{{ x }}",
        "{{ strftime_now('%Y-%m-%d') }} {{ date_string }} {{ tools is none }} {{ documents }}",
        "{{ messages | map(attribute='role') | join(',') }}{{ eos_token }}"
        "{% if add_generation_prompt %}>{% endif %}{{ undefined_thing }}",
        "{% set ns = namespace(n=0) %}{% for m in messages %}{% set ns.n = ns.n + 1 %}"
        "{% endfor %}{{ ns.n }}{{ messages[1:] | length }}{{ messages[0].content.strip() }}",
        "{% macro say(m) %}<{{ m.role|upper }}>{% endmacro %}{% for m in messages %}{{ say(m) }}"
        "{% endfor %}{{ '%s!' % 'ok' }}{{ messages[0]['content'][::-1] }}",
    ],
)
def test_prompts_are_those_of_transformers(
    tiny_checkpoint: Path, tmp_path: Path, text: str
) -> None:
    path = tmp_path / "same"
    shutil.copytree(tiny_checkpoint, path)
    (path / "chat_template.jinja").write_text(text, encoding="utf-8")
    expected = load_tokenizer(path).apply_chat_template(
        [{"role": one.role, "content": one.content} for one in TALK],
        add_generation_prompt=True,
        tokenize=False,
        date_string=TEMPLATE_DAY.strftime("%d %b %Y"),
        strftime_now=TEMPLATE_DAY.strftime,
    )
    assert load_renderer(path)(TALK).prompt == expected


def test_templates_by_name_take_the_default(tiny_checkpoint: Path, tmp_path: Path) -> None:
    path = tmp_path / "two"
    shutil.copytree(tiny_checkpoint, path)
    (path / "chat_template.jinja").unlink(missing_ok=True)
    config = json.loads((path / "tokenizer_config.json").read_text(encoding="utf-8"))
    config["chat_template"] = [
        {"name": "default", "template": "plain {{ messages[0].content }}"},
        {"name": "tool_use", "template": "tools"},
    ]
    (path / "tokenizer_config.json").write_text(json.dumps(config), encoding="utf-8")
    assert load_renderer(path)(TALK).prompt == "plain 日本"
