"""A quality card as a page of Markdown; samples are untrusted text and stay text."""

from __future__ import annotations

import html
import re
import unicodedata
from collections.abc import Iterator, Mapping, Sequence

from training.synthesis.card import Card
from training.synthesis.types import Sample

_BAR = 30
_ROLES = {"system": "システム", "user": "ユーザー", "assistant": "アシスタント"}


def card_page(card: Card) -> str:
    """The card as Markdown."""
    parts = (_head, _yield, _lines, _diversity, _shape, _dropped, _closest, _shown)
    return "\n".join(line for part in parts for line in part(card)) + "\n"


def _head(card: Card) -> Iterator[str]:
    lineage = card.lineage
    counts = lineage["counts"]
    yield f"# Round {lineage['round']}: {_inline(lineage['student'])}"
    yield ""
    target, policy = _inline(lineage["target"] or "no target"), _inline(lineage["policy"])
    plan = lineage["plan"][:12]
    yield f"Against {target}, policy {policy}, plan `{plan}`, seed {lineage['seed']}."
    yield ""
    yield from _table(["what", "value"], list(_facts(card)))
    if not lineage["complete"]:
        yield ""
        yield (
            f"**Not complete**: {_inline(lineage['stopped'])}. {counts['kept']:,} of "
            f"{counts['wanted']:,} samples are there; the same command goes on."
        )
    yield ""


def _facts(card: Card) -> Iterator[list[str]]:
    lineage, counts = card.lineage, card.lineage["counts"]
    yield ["samples", f"{counts['kept']:,} of {counts['wanted']:,} wanted"]
    kept = _share(counts["kept"], counts["tried"])
    yield ["candidates", f"{counts['tried']:,}, of which {kept} were kept"]
    yield ["proven", f"{card.proven:.1%} of the samples"]
    yield ["time", f"{lineage['seconds']:,.1f} s, {card.per_second:,.1f} samples/s"]
    teacher = lineage["teacher"]
    if teacher is None:
        yield ["teacher", "none: programs alone"]
        return
    licence = teacher["licence"]
    yield ["teacher", f"{_inline(teacher['name'])} (`{teacher['identity'][:12]}`)"]
    source = f", says {_inline(licence['source'])}" if licence["source"] else ""
    yield ["its licence", f"{_inline(licence['name'])}{source}"]
    if licence["warning"]:
        yield ["warning", _inline(licence["warning"])]
    spent = lineage["spent"]
    tokens = spent["prompt_tokens"] + spent["completion_tokens"]
    yield ["replies", f"{spent['replies']:,}, {tokens:,} tokens"]
    if spent["cost"] is not None:
        yield ["cost", f"{spent['cost']:,.4f}"]


def _yield(card: Card) -> Iterator[str]:
    tried = card.lineage["counts"]["tried"]
    rows = [["candidates", "", f"{tried:,}", ""]]
    before = tried
    for stage in card.stages:
        passed = _share(stage.left, before)
        rows.append([_inline(stage.name), f"{stage.dropped:,}", f"{stage.left:,}", passed])
        before = stage.left
    yield "## Yield"
    yield ""
    yield from _table(["stage", "dropped", "left", "passed"], rows)
    evalsets = ", ".join(f"{name} ({count:,})" for name, count in card.lineage["evalsets"].items())
    yield ""
    yield f"Compared with every item of {_inline(evalsets)}."
    yield ""


def _lines(card: Card) -> Iterator[str]:
    rows = [
        [
            _inline(line["skill"] or line["genre"]),
            "" if line["level"] is None else str(line["level"]),
            line["purpose"],
            _inline(line["generator"]),
            f"{line['wanted']:,}",
            f"{line['kept']:,}",
            f"{line['tried']:,}",
            line["ended"],
        ]
        for line in card.lineage["lines"]
    ]
    names = ["skill", "level", "purpose", "generator", "wanted", "kept", "tried", "ended"]
    yield "## Lines"
    yield ""
    yield from _table(names, rows)
    yield ""


def _diversity(card: Card) -> Iterator[str]:
    yield "## Diversity"
    yield ""
    yield f"On {card.measured:,} samples, {card.characters:,.0f} characters long on average."
    yield ""
    rows = [[f"distinct-{n} (characters)", f"{value:.3f}"] for n, value in card.distinct.items()]
    rows.append(["spread (1 - mean cosine of hashed character 3-grams)", f"{card.spread:.3f}"])
    rows += [
        [f"persona: {_inline(part)}", f"{values:,} values, evenness {even:.2f}"]
        for part, (values, even) in card.personas.items()
    ]
    yield from _table(["measure", "value"], rows)
    yield ""


def _shape(card: Card) -> Iterator[str]:
    for title, counts in (
        ("Difficulty", card.levels),
        ("Genres", card.genres),
        ("Verified by", card.methods),
    ):
        yield f"## {title}"
        yield ""
        yield from _histogram(counts)
        yield ""


def _histogram(counts: Mapping[str, int]) -> Iterator[str]:
    most = max(counts.values(), default=1)
    rows = [
        [_inline(name), f"{count:,}", "█" * max(1, round(_BAR * count / most))]
        for name, count in counts.items()
    ]
    yield from _table(["", "samples", ""], rows)


def _dropped(card: Card) -> Iterator[str]:
    examples = card.lineage["examples"]
    if not examples:
        return
    yield "## Dropped, for example"
    for stage, shown in examples.items():
        for reason, text in shown:
            yield ""
            yield f"{_inline(stage)}: {_inline(reason)}"
            yield from _fenced(text)
    yield ""


def _closest(card: Card) -> Iterator[str]:
    if not card.lineage["closest"]:
        return
    yield "## Kept, and closest to something else"
    for one in card.lineage["closest"]:
        yield ""
        yield f"{one['similarity']:.0%} like {_inline(one['like'][:200])}:"
        yield from _fenced(one["text"])
    yield ""


def _shown(card: Card) -> Iterator[str]:
    yield f"## {len(card.shown)} samples drawn at random"
    for number, sample in enumerate(card.shown, start=1):
        level = "" if sample.level is None else f", level {sample.level}"
        yield ""
        yield f"### {number}. {_inline(sample.skill or sample.genre)}{level}"
        yield ""
        yield f"{_inline(_told(sample))}"
        for message in sample.messages:
            yield ""
            yield f"{_ROLES[message.role]}:"
            yield from _fenced(message.content)


def _told(sample: Sample) -> str:
    proof, origin = sample.proof, sample.origin
    word = "proven" if proof.proven else "verified" if proof.passed else "failed"
    detail = f" ({proof.detail})" if proof.detail else ""
    return f"{word} by {proof.method}{detail}; {origin.generator}, {sample.id[:12]}"


def _table(names: Sequence[str], rows: Sequence[Sequence[str]]) -> Iterator[str]:
    yield "| " + " | ".join(names) + " |"
    yield "|" + "---|" * len(names)
    for row in rows:
        yield "| " + " | ".join(row) + " |"


def _fenced(text: str) -> Iterator[str]:
    """A code block that the text cannot end."""
    shown = _visible(text)
    longest = max((len(run) for run in re.findall(r"`+", shown)), default=0)
    fence = "`" * max(3, longest + 1)
    yield f"{fence}text"
    yield shown
    yield fence


def _inline(text: str) -> str:
    """A text in a line of Markdown or a table's cell: no markup of it acts."""
    one_line = " ".join(_visible(text).split())
    return re.sub(r"([\\`*_{}\[\]#|~!])", r"\\\1", html.escape(one_line, quote=False))


def _visible(text: str) -> str:
    """A text whose control, direction and surrogate characters are written out; line breaks and
    tabs stay."""
    return "".join(
        one
        if one in "\n\t" or unicodedata.category(one) not in ("Cc", "Cf", "Cs")
        else f"‹U+{ord(one):04X}›"
        for one in text
    )


def _share(part: int, whole: int) -> str:
    return f"{part / whole:.1%}" if whole else ""
