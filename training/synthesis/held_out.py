"""Gathers every text of an evaluation that no training sample may hold."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from harness.errors import HarnessError
from harness.items.fastchat import QUESTION_FILES, load_fastchat_items
from harness.items.humaneval import load_code_file
from harness.items.jaster import dataset_items, read_directory, require_sound
from harness.items.jsonl import LineError, decode, json_object, numbered_lines, raise_faults
from harness.items.load import find_evalset, find_home, list_evalsets, load_evalset, load_items
from harness.items.m_ifeval import load_m_ifeval
from harness.items.probes.generate import probes
from harness.items.schema import FormatRule, Item
from harness.protocols.catalogue import PROBES_PER_LEVEL
from harness.protocols.jaster_suite import OWN, open_jaster
from harness.store.asked import all_imports, all_items

# The sets that this project ships; without any one of them a check would be blind to it.
SHIPPED = ("basics", "code-ja", "if-ja", "mt-bench-ja")
# `質問：…`, `文1：…`: Jaster's inputs name their parts.
_FIELD = re.compile(r"(?m)^[^\s：:]{1,8}[：:](.+)$")
# What other benchmarks' files call a question, such as GSM8K's or those of lm-eval tasks.
_QUESTION = ("question", "problem", "prompt", "input", "instruction", "text")
# A part of an input shorter than this is a phrase that anybody may write.
LEAST_FIELD = 20


@dataclass(frozen=True)
class HeldOut:
    """One text of an item.

    item, suite  whose it is
    text         a turn, a reference answer, a reference program
    cluster      texts of one cluster may share a passage, which makes it no boilerplate
    generated    from a template that training data may share: only the whole text counts
    """

    item: str
    suite: str
    text: str
    cluster: str
    generated: bool = False


def texts_of(item: Item, suite: str) -> Iterator[HeldOut]:
    """The texts of an item: its turns, its references, its program, and of a Jaster input each
    part that is long enough to be recognised. Few-shots and instructions are asked of everybody
    and are not held out."""
    parts = [*item.turns, *item.references]
    if item.code is not None:
        parts.append(item.code.reference)
    if item.dataset:
        fields = (one for turn in item.turns for one in _FIELD.findall(turn))
        parts += [one for one in fields if len(one) >= LEAST_FIELD]
    generated = item.template is not None
    # The turns of one item stand on their own as well, so a text is a cluster with its copies.
    for part in dict.fromkeys(parts):
        if part.strip():
            yield HeldOut(item.id, suite, part, item.cluster or item.id, generated)


def shipped(seeds: Sequence[int] = (0,)) -> list[HeldOut]:
    """All of this project's own evaluation: every evalset, Jaster in our words, and the probes
    that `--suite probes` asks at these seeds.

    Raises HarnessError where a set is missing, faulty or empty.
    """
    names = list_evalsets()
    if missing := [name for name in SHIPPED if name not in names]:
        raise HarnessError(
            f"decontamination: the evalset {missing[0]} is not part of this installation, so that "
            "samples cannot be checked against it; install it again"
        )
    sets = [(name, load_evalset(find_evalset(name)).items) for name in names]
    sets.append((OWN, open_jaster(f"jaster:{find_home(OWN)}", limit=-1).items))
    sets += [("probes", tuple(probes(per_level=PROBES_PER_LEVEL, seed=seed))) for seed in seeds]
    if empty := [name for name, items in sets if not items]:
        raise HarnessError(f"decontamination: {empty[0]} holds no item; install it again")
    return [text for name, items in sets for item in items for text in texts_of(item, name)]


def stored(store: Path) -> list[HeldOut]:
    """What was ever asked from a store, and the benchmarks that were imported into it.

    Raises HarnessError where an imported benchmark is no longer at its place.
    """
    texts = [text for suite, item in all_items(store) for text in texts_of(item, suite)]
    for name, path in all_imports(store).items():
        if name.endswith("/references"):  # they come with their questions
            continue
        texts += from_path(path)
    return texts


def from_path(path: Path) -> list[HeldOut]:
    """The items of a benchmark on disk: an evalset of ours, a Jaster directory, FastChat's
    questions, a file of HumanEval, JHumanEval, MBPP or M-IFEval, a JSONL file of items, or one of
    objects with a question (GSM8K).

    Raises HarnessError when none of its readers can read it.
    """
    if not path.exists():
        raise HarnessError(
            f"{path}: not there, so that samples cannot be checked against it; import it again or "
            "pass its new place"
        )
    readers: tuple[Callable[[Path], Iterable[Item]], ...]
    if path.is_dir():
        asks = any((path / name).is_file() for name in QUESTION_FILES)
        readers = (load_fastchat_items,) if asks else (_evalset, _jaster)
    elif path.name.endswith(".gz"):
        readers = (load_code_file,)
    else:
        readers = (load_items, load_fastchat_items, load_code_file, load_m_ifeval, _questions)
    faults = []
    for reader in readers:
        try:
            items = list(reader(path))
        except HarnessError as error:
            faults.append(str(error).split("\n", 1)[0])
            continue
        if items:
            return [text for item in items for text in texts_of(item, path.stem)]
    raise HarnessError(
        f"{path}: no benchmark that can be read, so that samples cannot be checked against it: "
        + "; ".join(faults or ["it holds no item"])
    )


def _evalset(path: Path) -> Sequence[Item]:
    return load_evalset(path).items


def _questions(path: Path) -> list[Item]:
    """Objects that call their question by a common name; every line must have one."""
    items, faults = [], []
    for number, line in numbered_lines(path):
        try:
            raw = json_object(decode(line, number))
            asked = "\n".join(raw[name] for name in _QUESTION if isinstance(raw.get(name), str))
            if not asked.strip():
                raise LineError(f"no question, expected text in one of {', '.join(_QUESTION)}")
        except LineError as fault:
            faults.append(f"{path}:{number}: {fault}")
            continue
        items.append(Item(f"{path.stem}/{number}", "", (asked,), "", FormatRule("free"), "judge"))
    raise_faults(faults)
    return items


def _jaster(path: Path) -> list[Item]:
    """Both splits that protocols ask."""
    directory = read_directory(path)
    require_sound(directory)
    return [
        item
        for found in directory.found
        for file in (found.asked, found.dev)
        if file is not None and found.dataset is not None
        for item in dataset_items(
            found,
            file,
            category=found.dataset.category,
            metric=found.dataset.metric,
            shots=0,
            limit=None,
            prefix="" if file is found.asked else "dev/",
        )
    ]
