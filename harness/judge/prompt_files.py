"""Reads files of judge prompts: the project's own YAML, FastChat's JSONL, llm-jp-judge's YAML."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

from harness.errors import HarnessError
from harness.items.jsonl import LineError, decode, json_object, numbered_lines, raise_faults
from harness.judge.prompts import (
    PROMPT_KEYS,
    JudgePrompt,
    PromptKey,
    PromptSet,
    VerdictRule,
    field_names,
)

# FastChat's names for the eight prompts.
OFFICIAL_KEYS: dict[str, PromptKey] = {
    "single-v1": "single",
    "single-math-v1": "single-reference",
    "single-v1-multi-turn": "single-multi-turn",
    "single-math-v1-multi-turn": "single-reference-multi-turn",
    "pair-v2": "pairwise",
    "pair-math-v1": "pairwise-reference",
    "pair-v2-multi-turn": "pairwise-multi-turn",
    "pair-math-v1-multi-turn": "pairwise-reference-multi-turn",
}
# What the judge is to print: the rating, in Stability's file by its Japanese name; or a letter.
_OUTPUTS = {"[[rating]]": False, "[[評価]]": False, "[[A]]": True}
_FRAME_FIELDS = {"boundary", "rubric", "verdict"}


def own_prompts(path: Path) -> PromptSet:
    """The prompts of a YAML file of the project's layout (`prompts/harness-1.yaml` shows it)."""
    raw = read_yaml(path)
    try:
        parts: dict[str, str] = raw["parts"]
        verdicts = {name: _verdict(**rule) for name, rule in raw["verdicts"].items()}
        prompts = {
            key: JudgePrompt(
                key,
                _with_parts(one["system"], parts),
                _with_parts(one["user"], parts),
                verdicts[one["verdict"]],
                raw["framing"],
                raw["limit"],
                raw["rubric"],
            )
            for key, one in raw["prompts"].items()
        }
        loaded = PromptSet(raw["id"], raw["version"], prompts)
    except (KeyError, TypeError, AttributeError) as error:
        raise HarnessError(
            f"{path}: incomplete ({error}); compare it with harness-1.yaml"
        ) from None
    faults = [
        f"{path}: prompt {key}: {fault}"
        for key, prompt in prompts.items()
        if (fault := _fault(prompt, _FRAME_FIELDS)) is not None
    ]
    raise_faults(faults)
    return loaded


def official_prompts(path: Path) -> PromptSet:
    """See `prompts.load_official_prompts`."""
    if path.suffix in (".yaml", ".yml"):
        return _llm_jp(path)
    prompts: dict[PromptKey, JudgePrompt] = {}
    faults: list[str] = []
    for number, line in numbered_lines(path):
        try:
            prompt = _fastchat(json_object(decode(line, number)))
            if prompt.key in prompts:
                raise LineError(f"the prompt {prompt.key} was given already; remove one of them")
        except LineError as fault:
            faults.append(f"{path}:{number}: {fault}")
            continue
        prompts[prompt.key] = prompt
    if not prompts and not faults:
        faults.append(f"{path}:1: no prompt, expected one JSON object a line")
    raise_faults(faults)
    return PromptSet(path.stem, 1, prompts)


def _fastchat(raw: dict[str, Any]) -> JudgePrompt:
    name, system, user, output = (
        _text(raw, key) for key in ("name", "system_prompt", "prompt_template", "output_format")
    )
    if name not in OFFICIAL_KEYS:
        raise LineError(f"`name` is {name!r}, expected one of {', '.join(OFFICIAL_KEYS)}")
    key = OFFICIAL_KEYS[name]
    if output not in _OUTPUTS or _OUTPUTS[output] != key.startswith("pairwise"):
        raise LineError(f"`output_format` is {output!r}, expected [[rating]] or [[A]] after `name`")
    prompt = JudgePrompt(key, system, user, VerdictRule("fastchat"), "none")
    if (fault := _fault(prompt)) is not None:
        raise LineError(fault)
    return prompt


def _llm_jp(path: Path) -> PromptSet:
    prompts: dict[PromptKey, JudgePrompt] = {}
    faults: list[str] = []
    for name, raw in read_yaml(path).items():
        try:
            if name not in OFFICIAL_KEYS or not isinstance(raw, dict):
                raise LineError(f"expected prompts named {', '.join(OFFICIAL_KEYS)}")
            pattern = _text(raw, "regex")
            if re.compile(pattern).groups < 1:
                raise LineError("`regex` has no group, expected one around the rating")
            # llm-jp-judge takes the first match; its pattern is the scale.
            rule = VerdictRule("first-match", pattern)
            prompt = JudgePrompt(
                OFFICIAL_KEYS[name],
                _text(raw, "system_prompt"),
                _text(raw, "prompt_template"),
                rule,
                "none",
            )
            if (fault := _fault(prompt)) is not None:
                raise LineError(fault)
        except re.error as error:
            faults.append(f"{path}: {name}: `regex` is not a regular expression ({error})")
        except LineError as error:
            faults.append(f"{path}: {name}: {error}")
        else:
            prompts[prompt.key] = prompt
    raise_faults(faults)
    return PromptSet(path.stem, 1, prompts)


def _fault(prompt: JudgePrompt, more: set[str] = frozenset()) -> str | None:  # type: ignore[assignment]
    """What is wrong with a prompt's fields, as a phrase, or None."""
    if prompt.key not in PROMPT_KEYS:
        return f"not known, expected one of {', '.join(PROMPT_KEYS)}"
    wanted = _expected(prompt) | more
    used = field_names(prompt.system) | field_names(prompt.user)
    if unknown := used - wanted:
        return f"unknown field {{{min(unknown)}}}, expected {', '.join(sorted(wanted))}"
    shown = {name for name in wanted if name.startswith("answer")} | more
    if missing := shown - used:
        return f"the field {{{min(missing)}}} is missing"
    return None


def _expected(prompt: JudgePrompt) -> set[str]:
    turns = [""] if prompt.turns == 1 else ["_1", "_2"]
    names = ("answer_a", "answer_b") if prompt.is_pairwise else ("answer",)
    fields = {f"{name}{turn}" for name in ("question", *names) for turn in turns}
    references = {f"ref_answer_{turn}" for turn in range(1, prompt.turns + 1)}
    return fields | (references if prompt.needs_reference else set())


def _verdict(**rule: Any) -> VerdictRule:
    scale = rule.pop("scale", None)
    return VerdictRule(scale=tuple(scale) if scale else None, **rule)


def _with_parts(text: str, parts: dict[str, str]) -> str:
    return re.sub(r"\{(\w+)\}", lambda match: parts.get(match[1], match[0]), text)


def _text(raw: dict[str, Any], name: str) -> str:
    value = raw.get(name)
    if not isinstance(value, str):
        raise LineError(f"`{name}` is missing or no text")
    return value


def read_yaml(path: Path) -> dict[str, Any]:
    """The mapping of a YAML file. Raises HarnessError that names the line of a fault."""
    import yaml

    from harness.yaml_file import NO_VALUE

    try:
        raw = yaml.safe_load(path.read_text("utf-8"))
    except FileNotFoundError:
        raise HarnessError(f"{path}: no such file; check the path") from None
    except (OSError, UnicodeDecodeError) as error:
        raise HarnessError(f"{path}: cannot be read ({error}); check the path") from None
    except RecursionError:
        raise HarnessError(f"{path}:1: nested too deep to be read; mend the file") from None
    except NO_VALUE as error:
        mark = getattr(error, "problem_mark", None)
        line = f":{mark.line + 1}" if mark else ""
        problem = getattr(error, "problem", None) or "not YAML"
        raise HarnessError(f"{path}{line}: broken YAML, {problem}; mend the file") from None
    if not isinstance(raw, dict) or not raw:
        raise HarnessError(f"{path}:1: no mapping, expected keys and values")
    return raw
