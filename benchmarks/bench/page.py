"""docs/benchmarks.md, written from the results that are kept in `benchmarks/results`."""

from __future__ import annotations

import re
import statistics
import textwrap
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from benchmarks.bench.claims import Claim
from benchmarks.bench.measure import ratio, spread

INTRODUCTION = """\
# Benchmarks

    make bench                # every claim below, in turn
    make bench ONLY=ratings   # one of them, by its name

Written by that command from `benchmarks/results`, one file a claim; the text at the end apart.
*ratio* is the peer's median divided by ours, of rounds that alternate within one run: above 1 we
are faster or smaller. Behind it stand the smallest and the greatest ratio of a round. Other work
ran on the machine beside (the load before each run is given): read the ratios, not the seconds, and
where the rounds differ much, the ratio of processor seconds in the last column. A plus behind a
commit: files of it had been changed."""

PROCESSOR = "s of processor"
UNEXPLAINED = "**Not explained.**"


def page(claims: Sequence[Claim], kept: Mapping[str, Mapping[str, Any]], studies: str) -> str:
    """The whole page. `kept` holds the content of each claim's file by the claim's name; claims
    that were never measured are named as such."""
    machines = list(dict.fromkeys(machine(run) for one in kept.values() for run in one["runs"]))
    parts = [INTRODUCTION, _machines(machines)]
    for claim in claims:
        section = _section(claim, kept.get(claim.name, {"runs": []}), machines)
        parts += [f"## {claim.heading}", *section]
    parts += [*_memory(claims, kept), *_slower(claims, kept), studies.strip()]
    return "\n\n".join(part for part in parts if part) + "\n"


def machine(run: Mapping[str, Any]) -> str:
    """What the run was measured on, in one sentence."""
    on = run["machine"]
    memory = f"{on['memory_gib']:.0f} GiB"
    versions = ", ".join(f"{name} {version}" for name, version in run["versions"].items())
    return f"{on['processor']}, {on['cores']} cores, {memory}, {on['gpu']}; {versions}"


def _machines(machines: Sequence[str]) -> str:
    if len(machines) == 1:
        return wrapped(f"Measured on: {machines[0]}.")
    return listed(f"Machine {number}: {text}." for number, text in enumerate(machines, 1))


def _section(claim: Claim, kept: Mapping[str, Any], machines: Sequence[str]) -> Iterator[str]:
    runs, failed = kept["runs"], kept.get("failed")
    if failed:
        yield wrapped(f"The run of {failed['at']} failed: {failed['why']}.")
    if not runs:
        yield f"Not measured yet: `make bench ONLY={claim.name}`."
        return
    yield f"    {runs[0]['command']}"
    yield wrapped(claim.told)
    yield table(
        ("", "harness", "peer", "peer's", "ratio", "of processor"),
        (cells for run in runs for cells in _cells(run, "" if run is runs[0] else run["at"])),
    )
    if runs[0]["checks"]:
        yield wrapped(" ".join(runs[0]["checks"]))
    for peer, why in runs[0]["missing"].items():
        before = any(peer_is(row, peer) for run in runs[1:] for row in run["rows"])
        old = " Its rows above are those of an earlier run." if before else ""
        yield wrapped(f"{peer} was not measured: {why}.{old}")
    at = "; ".join(
        f"{run['at']}, commit {run['commit']}, load {run['load']:.1f}"
        + (f", machine {machines.index(machine(run)) + 1}" if len(machines) > 1 else "")
        for run in runs
    )
    yield wrapped(f"Measured {at}.")


def _cells(run: Mapping[str, Any], at: str) -> Iterator[tuple[str, ...]]:
    """The table's lines of a run: one for each thing and peer, with the ratio of processor seconds
    beside that of seconds."""
    units: dict[tuple[str, str], dict[str, Mapping[str, Any]]] = {}
    for row in run["rows"]:
        units.setdefault((row["what"], row["peer"]), {})[row["unit"]] = row
    for (what, peer), rows in units.items():
        processor = rows.pop(PROCESSOR, None) if "s" in rows else None
        for unit, row in rows.items():
            if unit != "MiB":
                name = f"{peer} ({at})" if at else peer
                other = told(processor) if processor and unit == "s" else ""
                yield what, value(row, "ours"), name, value(row, "theirs"), told(row), other


def _memory(claims: Sequence[Claim], kept: Mapping[str, Mapping[str, Any]]) -> list[str]:
    """The peaks of all claims in one table."""
    rows = [
        (claim.name, row["what"], value(row, "ours"), row["peer"], value(row, "theirs"),
         told(row))
        for claim in claims
        for row in _rows(kept.get(claim.name))
        if row["unit"] == "MiB"
    ]  # fmt: skip
    if not rows:
        return []
    headings = ("", "", "harness", "peer", "peer's", "ratio")
    text = "Peaks of resident memory of the same processes, the largest of all rounds."
    return ["## Memory", text, table(headings, rows)]


def _slower(claims: Sequence[Claim], kept: Mapping[str, Mapping[str, Any]]) -> list[str]:
    """Every row in which the peer is faster or smaller, with the reason."""
    lines = [
        f"{claim.name}, {row['what']}, {row['unit']}, {row['peer']}: ratio {told(row)}. "
        + reason(claim, row)
        for claim in claims
        for row in _rows(kept.get(claim.name))
        if ratio(row) < 1
    ]
    if not lines:
        return ["## Where a peer is ahead", "Nowhere in the tables above."]
    return ["## Where a peer is ahead", listed(lines)]


def reason(claim: Claim, row: Mapping[str, Any]) -> str:
    """Why the peer of a row is ahead: the first explanation whose words are all in the row."""
    words = set(f"{row['what']} {row['peer']} {row['unit']}".replace(",", " ").split())
    found = (why for key, why in claim.explained.items() if set(key.split()) <= words)
    return next(found, UNEXPLAINED)


def peer_is(row: Mapping[str, Any], name: str) -> bool:
    """Whether a row is about the peer of that name, whatever its version."""
    return str(row["peer"]).split()[0] == name


def _rows(kept: Mapping[str, Any] | None) -> list[dict[str, Any]]:
    return [row for run in kept["runs"] for row in run["rows"]] if kept else []


def told(row: Mapping[str, Any]) -> str:
    """`2.32 (2.25–2.40)`: the ratio, and those of the rounds."""
    ends = spread(row)
    return f"{ratio(row):.2f}" + (f" ({ends[0]:.2f}–{ends[1]:.2f})" if ends else "")


def value(row: Mapping[str, Any], side: str) -> str:
    """The median of a side with its unit, three digits."""
    median = statistics.median(row[side])
    return f"{median:,.0f} {row['unit']}" if median >= 100 else f"{median:#.3g} {row['unit']}"


def table(headings: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """A Markdown table; texts to the left, numbers to the right."""
    left = {"", "peer"}
    marks = ("---" if heading in left else "--:" for heading in headings)
    lines = [f"| {' | '.join(headings)} |", f"|{'|'.join(marks)}|"]
    lines += [f"| {' | '.join(cell.replace('|', '/') for cell in row)} |" for row in rows]
    return "\n".join(lines)


def wrapped(text: str, indent: str = "") -> str:
    """A paragraph of lines of 100 characters, the first of which begins with `indent`."""
    return textwrap.fill(
        text,
        100,
        initial_indent=indent,
        subsequent_indent=" " * len(indent),
        break_long_words=False,
        break_on_hyphens=False,
    )


def listed(items: Iterable[str]) -> str:
    return "\n".join(wrapped(item, "- ") for item in items)


def without_paths(text: str) -> str:
    """A message without this machine's paths: only the last name of each stays."""
    return re.sub(r"(?:~|\.{0,2})(?:/[^\s/:,;'\"]+)+/([^\s/:,;'\"]+)", r"\1", text)
