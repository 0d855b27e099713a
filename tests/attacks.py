"""Programs that try to get out of the sandbox, to harm what is around it, or to cheat its tests,
each with the verdict that is right for it. They stand in `tests/attacks/*.txt`, each under a line

    ### NAME (CHECKS): WHAT IT TRIES -> VERDICT

"passed" is right where an attack comes to nothing and the program does all the same what it was
asked: to print "ok" (no CHECKS), or to have a function `double` that doubles ("calls": 21 and 4;
"assert-file": 21).

`python -m tests.attacks LEVEL` runs them at another level of the sandbox and says which of them end
otherwise than at level strict, for which the verdicts were written.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from typing import cast, get_args

from harness.items.code_task import CodeTest, TestKind
from harness.scoring.code.types import VERDICTS, CodeLimits, CodeRun, Verdict

GROUPS = ("processes", "memory", "output", "files", "network", "kernel", "cheats")
LIMITS = CodeLimits(seconds=2.0, memory=256 * 1024 * 1024, output=256 * 1024)

_TESTS: dict[TestKind, tuple[CodeTest, ...]] = {
    "stdio": (CodeTest(stdin="", stdout="ok\n"),),
    "calls": (CodeTest(args=(21,), expected=42), CodeTest(args=(4,), expected=8)),
    "assert-file": (CodeTest(source="assert abs(double(21) - 42) == 0\nassert all([1])"),),
}
# What `@SYSCALL@` stands for: a way to make any system call from Python.
_SYSCALL = """
import ctypes, errno, os
libc = ctypes.CDLL(None, use_errno=True)
def call(number, *arguments):
    if libc.syscall(number, *arguments) < 0:
        raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))
"""


@dataclass(frozen=True)
class Attack:
    """One attack; its `group` is the file that it stands in."""

    group: str
    name: str
    what: str
    source: str
    verdict: Verdict
    checks: TestKind = "stdio"

    def run(self, **places: str) -> CodeRun:
        """The attack with `@NAME@` in its program replaced by what `places` says of NAME."""
        source = self.source.replace("@SYSCALL@", _SYSCALL)
        for name, text in places.items():
            source = source.replace(f"@{name}@", text)
        entry_point = "double" if self.checks == "calls" else ""
        return CodeRun(source, self.checks, _TESTS[self.checks], entry_point, limits=LIMITS)


def _read(group: str) -> list[Attack]:
    text = (Path(__file__).with_name("attacks") / f"{group}.txt").read_text(encoding="utf-8")
    head = re.compile(r"^### ([\w-]+)(?: \(([\w-]+)\))?: (.+) -> ([\w ]+)\n", re.MULTILINE)
    found = []
    _, *parts = head.split(text)
    for name, checks, what, verdict, source in zip(*[iter(parts)] * 5, strict=True):
        kind = checks or "stdio"
        if verdict not in VERDICTS or kind not in get_args(TestKind):
            raise ValueError(f"{group}.txt: {name} has no verdict or checks of the closed set")
        found.append(
            Attack(group, name, what, source, cast(Verdict, verdict), cast(TestKind, kind))
        )
    return found


ATTACKS = tuple(attack for group in GROUPS for attack in _read(group))


def _main(level: str) -> None:
    from harness.sandbox import LEVELS, Pool
    from harness.sandbox.runner import sandbox_runner

    places = {"HOST": "/root", "PORT": "80", "ABSTRACT": "x", "CLONE": "56", "BPF": "321"}
    with Pool(LEVELS[LEVELS.index(level)]) as pool:  # type: ignore[arg-type]
        outcomes = sandbox_runner(pool)([attack.run(**places) for attack in ATTACKS])
    others = 0
    for attack, found in zip(ATTACKS, outcomes, strict=True):
        if found.verdict != attack.verdict:
            others += 1
            print(f"{attack.name}: {found.verdict}, not {attack.verdict} ({found.detail[:80]})")
    print(f"level {level}: {len(ATTACKS) - others} of {len(ATTACKS)} as at level strict")


if __name__ == "__main__":
    import sys

    _main(sys.argv[1])
