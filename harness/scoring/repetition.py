"""Detects degenerate answers: a passage that a model repeats over and over."""

from __future__ import annotations

import re

import numpy as np
import numpy.typing as npt

# A loop of a short passage must come round four times, of a long one (a whole prompt block) two
# and a half times, and cover 30 characters: normal lists and refrains do not.
SHORT_PERIOD, SHORT_TIMES = 50, 4
LONG_PERIOD, LONG_TIMES = 200, 2.5
LEAST_COVERED = 30
# Of a longer text only this much of its end is looked at: a loop goes on to the end.
LONGEST_READ = 200_000
# Share of an answer in loops from which it counts as repetitive.
THRESHOLD = 0.3
_RULER = re.compile(r"[-=_*#~.|+:─━═＝ー \n]*")


def repetition(text: str) -> float:
    """Share of a text's characters that lie in loops, 0.0 to 1.0.

    A loop is a stretch of at least 30 characters that repeats with a period of at most 50
    characters four or more times, or with one of 51 to 200 two and a half or more times. White
    space at both ends is not counted.
    """
    text = text[-LONGEST_READ:].strip()
    return float(_in_loops(text).mean()) if len(text) >= LEAST_COVERED else 0.0


def is_repetitive(text: str) -> bool:
    """Whether an answer has degenerated: 30 % of it is in loops, or it ends in one (other than a
    drawn rule such as -----)."""
    text = text[-LONGEST_READ:].strip()
    if len(text) < LEAST_COVERED:
        return False
    covered = _in_loops(text)
    if covered.mean() >= THRESHOLD:
        return True
    if not covered[-1]:
        return False
    start = len(text) - int(np.argmin(covered[::-1]))
    return _RULER.fullmatch(text, start) is None


def _in_loops(text: str) -> npt.NDArray[np.bool_]:
    """For each character, whether it lies in a loop; O(200 · length)."""
    codes = np.frombuffer(text.encode("utf-32-le", "surrogatepass"), dtype=np.uint32)
    depth = np.zeros(len(codes) + 1, dtype=np.int64)  # +1 where a loop starts, -1 behind its end
    for period in range(1, min(LONG_PERIOD, int(len(codes) / LONG_TIMES)) + 1):
        times = SHORT_TIMES if period <= SHORT_PERIOD else LONG_TIMES
        least = max(times * period, LEAST_COVERED)
        same = codes[period:] == codes[:-period]
        # Too few places for a loop, as nearly always.
        if np.count_nonzero(same) + period < least:
            continue
        edges = np.flatnonzero(np.diff(same, prepend=False, append=False))
        starts, ends = edges[::2], edges[1::2]
        # `same` over [start, end) means that [start, end + period) has this period.
        length = ends - starts + period
        loops = length >= least
        np.add.at(depth, starts[loops], 1)
        np.add.at(depth, ends[loops] + period, -1)
    return np.cumsum(depth[:-1]) > 0
