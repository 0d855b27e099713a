"""What came of a closed loop in words: a few of them, and one sentence with its figures."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from harness.report.loop import LoopRound, ProofGain
from harness.report.page.headline import Tone

# Genres and rounds that one sentence names.
_NAMED = 3
_COUNTS = ("No", "One", "Two", "Three", "Four", "Five", "Six", "Seven", "Eight", "Nine")


@dataclass(frozen=True)
class LoopVerdict:
    """What came of a loop: in a few words, and in one sentence with its figures."""

    short: str
    tone: Tone
    sentence: str


def loop_verdict(rounds: Sequence[LoopRound], gains: Sequence[ProofGain]) -> LoopVerdict:
    """What synthesis raised and what fell, beyond noise on the proof items, and what was rolled
    back."""
    ended = [one for one in rounds if one.made and one.outcome != "under way"]
    kept = [one for one in ended if one.standing != one.began]
    gone = [one for one in rounds if one.outcome == "rolled back"]
    up = [one for one in gains if one.state == "ahead"]
    down = sorted((one for one in gains if one.state == "lags"), key=lambda one: one.gain)
    tone: Tone = "good" if up and not down else "bad" if down and not up else "unsure"
    if not ended:
        short = "nothing was synthesized yet"
        count = len([one for one in rounds if not one.made and one.outcome != "under way"])
        sentence = f"{_count(count, 'round')} of given data, and none of synthesis so far"
    elif not kept:
        short = "no round of synthesis was kept"
        sentence = f"{_count(len(ended), 'round')} of synthesis, of which none was kept"
    elif not gains:
        short = "what synthesis did was not measured"
        sentence = (
            f"{_count(len(kept), 'round')} of synthesis, before and after which no proof items "
            "were asked in the same way"
        )
    else:
        rose = _listed([_name(one, gains) for one in up]) or "nothing beyond noise"
        fell = _listed([_name(one, gains) for one in down])
        short = f"synthesis raised {rose}" + (f", {fell} fell" if fell else "")
        told = _listed([_change(one, gains, at == 0) for at, one in enumerate(up)])
        sentence = (
            f"{_count(len(kept), 'round')} of synthesis raised "
            f"{told or 'nothing beyond noise on the proof items'}"
        )
        if down:
            lost = _listed([_change(one, gains, at == 0) for at, one in enumerate(down)])
            sentence += f"; below where it began: {lost}"
    if gone:
        names = _listed([one.phase for one in gone], "round")
        were = "was" if len(gone) == 1 else "were"
        short += f"; {names} {were} rolled back"
        sentence += f"; {'; '.join(_rolled_back(one) for one in gone[:_NAMED])}"
        if len(gone) > _NAMED:
            sentence += f"; {len(gone) - _NAMED} more were rolled back"
    return LoopVerdict(short, tone, sentence + ".")


def label(suite: str, genre: str, among: Sequence[tuple[str, str]]) -> str:
    """A genre's name; with its suite where several suites have one of that name."""
    return genre if sum(other == genre for _, other in among) < 2 else f"{genre} ({suite})"


def minus(text: str) -> str:
    """With minus signs as wide as a figure; hyphens stay."""
    return re.sub(r"(?<!\w)-(?=[0-9.])", "−", text)


def _name(one: ProofGain, gains: Sequence[ProofGain]) -> str:
    return label(one.suite, one.genre, [(each.suite, each.genre) for each in gains])


def _change(one: ProofGain, gains: Sequence[ProofGain], first: bool) -> str:
    """As "math by 62 points (51 to 73)"; of a fall its size."""
    sign = 1 if one.gain > 0 else -1
    low, high = sorted((sign * one.low, sign * one.high))
    digits = 0 if abs(one.gain * one.factor) >= 10 else 1
    size, least, most = (
        minus(f"{value * one.factor:.{digits}f}") for value in (abs(one.gain), low, high)
    )
    points = " points" if first else ""
    return f"{_name(one, gains)} by {size}{points} ({least} to {most})"


def _rolled_back(one: LoopRound) -> str:
    told = f"{one.phase} was rolled back"
    if not one.critical:
        return told
    worst = one.critical[0]
    change = minus(f"{100 * worst['change']:+.0f}")
    return f"{told}: {worst['genre']} {change} points at step {worst['step']:,}"


def _count(number: int, noun: str) -> str:
    word = _COUNTS[number] if number < len(_COUNTS) else f"{number:,}"
    return f"{word} {noun}" if number == 1 else f"{word} {noun}s"


def _listed(names: Sequence[str], noun: str = "genre") -> str:
    """As "a, b and c"; nothing for none."""
    shown = list(names[:_NAMED])
    if len(names) > _NAMED:
        more = len(names) - _NAMED
        shown.append(f"{more} more {noun}" + ("s" if more > 1 else ""))
    if len(shown) < 2:
        return "".join(shown)
    return f"{', '.join(shown[:-1])} and {shown[-1]}"
