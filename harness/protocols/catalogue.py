"""The suites a user can name on the command line, and the items each of them asks."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

import msgspec

from harness.errors import HarnessError
from harness.items.humaneval import load_code_file
from harness.items.load import find_evalset, load_evalset
from harness.items.m_ifeval import load_m_ifeval
from harness.items.probes.generate import probes
from harness.items.schema import Item
from harness.protocols.code import Code, require_code
from harness.protocols.instruction_following import InstructionFollowing
from harness.protocols.jaster import VARIANTS, Jaster
from harness.protocols.jaster_suite import is_jaster, open_jaster
from harness.protocols.mt_bench import MtBench, require_judged
from harness.protocols.mt_bench_suite import PREFIX, official_items, official_name
from harness.protocols.short_answer import ShortAnswer
from harness.protocols.types import Protocol
from harness.scoring.code.types import Runner
from harness.scoring.constraints import RULES, has_tokenizer

PROBES_PER_LEVEL = 4


@dataclass(frozen=True)
class Suite:
    """A protocol and the items it asks.

    note     one sentence for the user where something is to be told
    samples  answers per item that the protocol prescribes, unless the user wants others
    """

    protocol: Protocol
    items: tuple[Item, ...]
    note: str = ""
    samples: int = 1


def open_suite(
    name: str,
    *,
    limit: int | None = None,
    seed: int = 0,
    shots: int | None = None,
    datasets: Sequence[str] = (),
    imported: tuple[Path, str] | None = None,
    official: Mapping[str, tuple[Path, str]] | None = None,
) -> Suite:
    """The suite of a name as typed: `probes`, `probes:LEVELS` (`probes:1`, `probes:1-3`), an
    evalset of this project (`basics`, `if-ja`, `code-ja`), `if-ja:PATH` (a file of M-IFEval's),
    `code:PATH` (a file of HumanEval's, JHumanEval's or MBPP's), `mt-bench:PROTOCOL` (official
    questions), a path to an evalset of the user's, or `jaster` (see `jaster_suite.open_jaster`).

    limit  this many items, spread evenly over genres, skills and levels; -1 for all. Jaster: the
           first ones of each dataset, 100 where it is None
    seed   of generated items; written ones ignore it
    shots, datasets, imported   for Jaster alone
    official  for `mt-bench:PROTOCOL` alone: path and hash of what was imported, by part
    Raises HarnessError for an unknown name or a faulty evalset.
    """
    if limit is not None and limit != -1 and limit < 1:
        raise HarnessError(f"--limit {limit}: expected at least one item, or -1 for all")
    if is_jaster(name):
        opened = open_jaster(name, imported=imported, limit=limit, shots=shots, datasets=datasets)
        return Suite(opened.protocol, opened.items, opened.note)
    limit = None if limit == -1 else limit
    items: Sequence[Item]
    if name.startswith(PREFIX):
        judged = MtBench(official_name(name), runner=code_runner())
        items = official_items(name, judged.variant, official or {})
        return Suite(judged, tuple(spread(items, limit)), samples=judged.variant.answers)
    head, _, argument = name.partition(":")
    if head == "probes":
        items = probes(levels=_levels(name, argument), per_level=PROBES_PER_LEVEL, seed=seed)
        protocol: Protocol = ShortAnswer("probes")
    elif head == "if-ja" and argument:
        items = load_m_ifeval(Path(argument))
        protocol = _instruction_following(name, head, items)
    elif head == "code" and argument:
        items = load_code_file(Path(argument))
        protocol = Code(head, runner=code_runner())
    else:
        evalset = load_evalset(find_evalset(name))
        items = evalset.items
        if any(item.code for item in items):
            require_code(name, items)
            protocol = Code(evalset.name, runner=code_runner())
        elif any(item.metric == "judge" for item in items):
            require_judged(name, items)
            protocol = MtBench(evalset=evalset.name, runner=code_runner())
        elif any(item.constraints for item in items):
            protocol = _instruction_following(name, evalset.name, items)
        else:
            protocol = ShortAnswer(evalset.name, choice=True)
    return Suite(protocol, tuple(spread(items, limit)))


def code_runner() -> Runner | None:
    """What runs the programs of coding suites: this process's sandbox, or None where no level of
    it works here. Which levels will do is `harness.sandbox.require`'s question."""
    from harness.sandbox import best_level, shared_runner

    try:
        best_level()
    except HarnessError:
        return None
    return shared_runner()


def protocol_from(definition: Mapping[str, Any]) -> Protocol:
    """The protocol that a stored definition describes, as this version asks and scores it.

    Raises HarnessError for one that this version does not know.
    """
    kinds: dict[str, type[ShortAnswer | InstructionFollowing | Jaster | Code | MtBench]] = {
        "short-answer": ShortAnswer,
        "instruction-following": InstructionFollowing,
        "code": Code,
        "mt-bench": MtBench,
    }
    kinds |= {f"jaster/{name}": Jaster for name in VARIANTS}
    kind = kinds.get(str(definition.get("protocol")))
    if kind is None:
        raise HarnessError(
            f"the store names a protocol {definition.get('protocol')!r} that this version does not "
            f"know (it knows {', '.join(kinds)}); upgrade harness"
        )
    names = {field.name for field in fields(kind)}
    known = {key: definition[key] for key in definition if key in names}
    if kind is Code or kind is MtBench:  # msgspec cannot take in a type that holds a function
        return kind(**known, runner=code_runner())
    try:
        return msgspec.convert(known, kind)
    except msgspec.ValidationError as error:
        raise HarnessError(
            f"the store's protocol {definition.get('protocol')!r} lacks something ({error}); it "
            "was written by another program: name another file with --store"
        ) from None


def _instruction_following(name: str, suite: str, items: Sequence[Item]) -> InstructionFollowing:
    plain = [item.id for item in items if not item.constraints]
    if plain:
        raise HarnessError(
            f"--suite {name}: {len(plain)} of {len(items)} items have no `constraints` (the first "
            f"is {plain[0]}); keep items with and without in evalsets of their own"
        )
    by_word = [one.id for item in items for one in item.constraints if RULES[one.id].tokenizer]
    if by_word and not has_tokenizer():
        raise HarnessError(
            f"--suite {name}: {by_word[0]} needs M-IFEval's tokenizer, which is not installed; "
            "install it with: pip install 'harness[m-ifeval]'"
        )
    return InstructionFollowing(suite)


def _levels(name: str, argument: str) -> tuple[int, ...]:
    if not argument:
        return (1, 2, 3, 4, 5)
    found = re.fullmatch(r"([1-5])(?:-([1-5]))?", argument)
    if found is None or (found[2] and found[2] < found[1]):
        raise HarnessError(
            f"--suite {name}: levels are one digit or a range within 1 to 5, e.g. probes:1-3"
        )
    return tuple(range(int(found[1]), int(found[2] or found[1]) + 1))


def spread(items: Sequence[Item], limit: int | None) -> list[Item]:
    """The first `limit` items when genres, within them skills, and within those levels take
    turns; within a cell by content hash, so that a larger limit only adds items.

    Raises HarnessError for a limit below one.
    """
    if limit is None or limit >= len(items):
        return list(items)
    if limit < 1:
        raise HarnessError(f"--limit {limit}: expected at least one item")
    return _take_turns(items, ("genre", "skill", "level"))[:limit]


def _take_turns(items: Sequence[Item], keys: tuple[str, ...]) -> list[Item]:
    if not keys:
        return sorted(items, key=lambda item: item.hash)
    cells: dict[object, list[Item]] = defaultdict(list)
    for item in items:
        cells[getattr(item, keys[0])].append(item)
    ordered = [_take_turns(cells[cell], keys[1:]) for cell in sorted(cells, key=str)]
    longest = max(map(len, ordered), default=0)
    return [cell[turn] for turn in range(longest) for cell in ordered if turn < len(cell)]
