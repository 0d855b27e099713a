"""Mutants of `code-ja` that no input which the prompt allows can tell from the reference: for each
problem why, and which, as `line:column: mistake`. Each was looked at by hand."""

from __future__ import annotations

EQUIVALENT: dict[str, tuple[str, tuple[str, ...]]] = {
    "complete/001": (
        "the branch before has taken that month already",
        (
            "4:8: 6 -1",
            "6:8: 9 -1",
        ),
    ),
    "complete/005": (
        "all counts grow alike, so the greatest stays the greatest",
        (
            "5:44: 1 +1",
            "5:39: 0 +1",
            "5:39: 0 -1",
        ),
    ),
    "complete/011": (
        "the length of December is never summed",
        (
            "2:60: 31 +1",
            "2:60: 31 -1",
        ),
    ),
    "complete/013": (
        "one more place in a table that nobody reads",
        ("2:28: 1 +1",),
    ),
    "complete/015": (
        "sizes shifted or scaled alike, a table larger than read, size[i][j] the larger of two",
        (
            "3:36: range argument 0 +1",
            "3:14: 0 +1",
            "3:14: 0 -1",
            "3:24: 1 +1",
            "3:46: 1 +1",
            "7:51: 1 +1",
            "17:44: 1 -1",
        ),
    ),
    "complete/016": (
        "left and right swapped, no other move leads above row 0",
        (
            "12:29: Add → Sub",
            "20:16: 0 -1",
        ),
    ),
    "explain/006": (
        "a holiday is no day for its own substitute",
        ("5:31: 1 -1",),
    ),
    "explain/009": (
        "any first range is replaced by one that was found",
        ("4:13: 1 -1",),
    ),
    "explain/013": (
        "one more row that nobody reads, a cell that is covered is passed over",
        (
            "2:34: range argument 0 +1",
            "18:37: 1 +1",
            "18:37: 1 -1",
            "22:37: 1 -1",
        ),
    ),
    "fix/002": (
        "the second half compares the same pairs again",
        ("3:36: 2 -1",),
    ),
    "fix/011": (
        "one more place in a table that nobody reads",
        ("2:27: 1 +1",),
    ),
    "fix/013": (
        "a height is never below itself",
        ("5:18: range argument 0 +1",),
    ),
    "fix/014": (
        "one more member of nobody's group",
        ("2:19: range argument 0 +1",),
    ),
    "fix/016": (
        "a rest below 0 stays below 0 and counts nothing",
        (
            "7:45: Lt → LtE",
            "7:52: 0 +1",
            "7:52: 0 -1",
        ),
    ),
    "function/005": (
        "never reached for the years that the prompt allows",
        ("6:5: return None",),
    ),
    "function/016": (
        "only the values 1, 10, 100, 1000 and 1, 10^4, 10^8 occur there",
        (
            "14:38: 1 +1",
            "14:73: 1 +1",
        ),
    ),
    "program/006": (
        "the list has one entry",
        ("7:14: 0 -1",),
    ),
    "program/009": (
        "the list has one entry",
        ("14:13: 0 -1",),
    ),
    "program/013": (
        "no way has 0 steps or less, directions mirrored, any number but 0 means a key",
        (
            "11:11: 1 +1",
            "28:17: GtE → Gt",
            "18:18: Add → Sub",
            "18:26: Add → Sub",
            "28:27: 0 +1",
            "24:26: 1 +1",
        ),
    ),
    "program/014": (
        "no word fits before the text begins or after it ends, equal options are one",
        (
            "6:12: range argument 0 -1",
            "6:12: range argument 1 +1",
            "6:33: 1 +1",
            "12:33: Lt → LtE",
            "9:20: 0 -1",
        ),
    ),
    "program/015": (
        "a show does not end before it begins, nor the last one before any other begins",
        (
            "13:14: range argument 0 +1",
            "13:14: range argument 1 -1",
        ),
    ),
    "program/016": (
        "amounts are 1 or more; the list has one entry",
        (
            "12:33: 0 -1",
            "25:33: 0 -1",
        ),
    ),
}
