"""Prompts for a teacher and the patterns that read its replies, both from one YAML file."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from functools import cached_property, lru_cache
from importlib import resources
from pathlib import Path
from typing import Any

from harness.engines.types import Message
from harness.errors import HarnessError
from harness.items.schema import content_hash
from harness.judge.prompt_files import read_yaml
from harness.judge.prompts import field_names, fill
from training.synthesis.types import Prompt

# Raised whenever `reading.read` can read a reply differently: it is part of a prompt's hash.
READER_VERSION = 1


@dataclass(frozen=True)
class Form:
    """What a reply has to look like.

    ask       how it is asked for; put in where a prompt has {form}
    pattern   regular expression that the whole reply matches ("." is any character); its named
              groups are the fields
    once      patterns that occur exactly once in a reply, such as the labels of its parts
    limits    fewest and most characters by field; every field has them
    japanese  fields that have to be Japanese prose that does not loop
    """

    ask: str
    pattern: str
    limits: Mapping[str, tuple[int, int]]
    once: tuple[str, ...] = ()
    japanese: tuple[str, ...] = ()

    @cached_property
    def compiled(self) -> re.Pattern[str]:
        return re.compile(self.pattern, re.DOTALL)


@dataclass(frozen=True)
class TeacherPrompt:
    """One way to ask a teacher, with the form of its reply.

    name          file, prompt and form: "questions/persona/problem"
    system, user  texts with fields in braces; {form} stands in `user` already
    max_tokens, temperature   as in `Prompt`
    """

    name: str
    system: str
    user: str
    form: Form
    max_tokens: int
    temperature: float

    @cached_property
    def label(self) -> str:
        """The name with the beginning of the hash of all that can change what is asked or read,
        for `Origin.template`."""
        return f"{self.name}@{content_hash([READER_VERSION, asdict(self)])[:12]}"

    def ask(self, seed: int, fields: Mapping[str, str], earlier: Sequence[Message] = ()) -> Prompt:
        """One question: `fields` filled in, after `earlier` turns of the dialogue."""
        user = Message("user", fill(self.user, fields))
        messages = (Message("system", fill(self.system, fields)), *earlier, user)
        return Prompt(messages, self.max_tokens, self.temperature, seed=seed)


@lru_cache(maxsize=256)
def teacher_prompt(file: str, name: str, form: str = "") -> TeacherPrompt:
    """A prompt of `prompts/FILE.yaml`, in one of its forms; the first one by default.

    Raises HarnessError for a name that is not there, or a file whose parts do not fit together.
    """
    raw = prompt_file(file)
    try:
        prompt = raw["prompts"][name]
        form = form or prompt["forms"][0]
        if form not in prompt["forms"]:
            raise KeyError(form)
        shape = _form(**raw["forms"][form])
        user = re.sub(r"\{form\}", lambda _: shape.ask, prompt["user"])
        made = TeacherPrompt(
            f"{file}/{name}/{form}",
            prompt["system"],
            user,
            shape,
            int(prompt["max_tokens"]),
            float(prompt.get("temperature", 0.7)),
        )
        named = set(shape.compiled.groupindex)
    except (KeyError, TypeError, AttributeError, re.error) as error:
        raise HarnessError(
            f"teacher prompts {file}.yaml: {name}/{form} is missing or incomplete ({error}); "
            "compare it with questions.yaml"
        ) from None
    if named != set(shape.limits) or not set(shape.japanese) <= named:
        raise HarnessError(
            f"teacher prompts {file}.yaml: form {form} reads {', '.join(sorted(named))} and has "
            f"limits for {', '.join(sorted(shape.limits))}; give each field its limits"
        )
    return made


@lru_cache(maxsize=16)
def prompt_file(file: str) -> Any:
    """All of `prompts/FILE.yaml`, for what stands there beside prompts and forms."""
    home = Path(str(resources.files("training.synthesis"))) / "prompts"
    return read_yaml(home / f"{file}.yaml")


def fields_of(prompt: TeacherPrompt) -> set[str]:
    """The fields that `TeacherPrompt.ask` has to be given."""
    return field_names(prompt.user) | field_names(prompt.system)


def _form(
    *,
    ask: str,
    pattern: str,
    limits: dict[str, list[int]],
    once: Sequence[str] = (),
    japanese: Sequence[str] = (),
) -> Form:
    sized = {name: (least, most) for name, (least, most) in limits.items()}
    return Form(ask, pattern, sized, tuple(once), tuple(japanese))
