"""The process that renders chat templates under limits; `engines.template` starts it.

A template is a program that came with a checkpoint. Jinja's sandbox keeps it from Python's insides,
but not from looping for ever or filling the memory: that only a process of its own does. This one
imports nothing but Jinja, so that it starts in a tenth of a second.
"""

from __future__ import annotations

import json
from functools import lru_cache
from typing import Any, NoReturn

from jinja2 import Template, TemplateError, nodes
from jinja2.ext import Extension
from jinja2.parser import Parser
from jinja2.sandbox import ImmutableSandboxedEnvironment

from harness.engines.template import TEMPLATE_DAY
from harness.line_worker import serve

_MEMORY = 2**30
# Characters of a prompt: beyond any context.
_LONGEST = 16_000_000


class _Generation(Extension):
    """`{% generation %}` marks what the assistant says, for training; a prompt ignores it."""

    tags = {"generation"}  # noqa: RUF012

    def parse(self, parser: Parser) -> nodes.Node:
        line = next(parser.stream).lineno
        body = parser.parse_statements(("name:endgeneration",), drop_needle=True)
        return nodes.Scope(body, lineno=line)


@lru_cache(maxsize=4)
def _compiled(template: str) -> Template:
    """The template in the environment that transformers defines for chat templates."""
    environment = ImmutableSandboxedEnvironment(
        trim_blocks=True,
        lstrip_blocks=True,
        extensions=[_Generation, "jinja2.ext.loopcontrols"],
    )
    environment.filters["tojson"] = _to_json
    environment.globals["raise_exception"] = _refuse
    return environment.from_string(template)


def _to_json(
    value: Any,
    ensure_ascii: bool = False,
    indent: int | None = None,
    separators: tuple[str, str] | None = None,
    sort_keys: bool = False,
) -> str:
    return json.dumps(
        value,
        ensure_ascii=ensure_ascii,
        indent=indent,
        separators=separators,
        sort_keys=sort_keys,
    )


def _refuse(message: str) -> NoReturn:
    raise TemplateError(message)


def _reply(question: dict[str, Any]) -> dict[str, Any]:
    try:
        text = _compiled(question["template"]).render(
            **question["tokens"],
            messages=question["messages"],
            tools=None,
            documents=None,
            add_generation_prompt=question["open"],
            date_string=TEMPLATE_DAY.strftime("%d %b %Y"),
            strftime_now=TEMPLATE_DAY.strftime,
        )
    except MemoryError:
        return {"reason": "memory"}
    except Exception as error:  # a template may raise anything
        return {"error": str(error)[:10_000] or type(error).__name__}
    return {"text": text} if len(text) <= _LONGEST else {"reason": "long"}


if __name__ == "__main__":
    serve(_reply, memory=_MEMORY)
