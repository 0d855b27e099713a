"""What the sandbox is given and what it says: programs, limits, and how each run of one ended."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal, get_args

Language = Literal["python", "javascript", "cpp", "bash"]
LANGUAGES: tuple[Language, ...] = get_args(Language)

Level = Literal["strict", "container", "namespaces", "limited"]
# From the strongest to the weakest; docs/sandbox.md says what each does not protect against.
LEVELS: tuple[Level, ...] = get_args(Level)

Ending = Literal[
    "normal", "error", "timeout", "memory", "output limit", "forbidden", "harness fault"
]


@dataclass(frozen=True)
class Limits:
    """What one step of a program may use, all its processes together unless said otherwise.

    cpu        seconds of processor time
    wall       seconds of real time; more than `cpu`, so that a busy machine fails no program
    memory     bytes of address space of each process, and of resident memory of all of them
    output     bytes of standard output and standard error together
    file       bytes of one file
    processes  processes and threads
    """

    cpu: float = 5.0
    wall: float = 15.0
    memory: int = 512 * 1024 * 1024
    output: int = 1024 * 1024
    file: int = 32 * 1024 * 1024
    processes: int = 64


@dataclass(frozen=True)
class Step:
    """One fresh start of a program. At most one of:

    stdin   text that it reads; nothing where this is None too
    args    JSON values that `Program.entry_point` is called with, once the program has run
    source  text in the program's language that is run after the program, in the same module, and
            sees the built-in functions as they were before the program
    """

    stdin: str | None = None
    args: tuple[Any, ...] | None = None
    source: str | None = None


@dataclass(frozen=True)
class Program:
    """Untrusted text to be run once for each step, each time in a clean process and directory.

    setup        Python text that is run before the program, in its module
    entry_point  the function that steps with `args` call: Python and JavaScript
    """

    source: str
    language: Language = "python"
    steps: tuple[Step, ...] = (Step(),)
    entry_point: str = ""
    setup: str = ""
    limits: Limits = Limits()


@dataclass(frozen=True)
class Execution:
    """How one step ended.

    ending       "normal" when the program ran to its end; then the rest says what came of it.
                 "harness fault" says that it was not tried, and nothing about the program
    detail       one line for people: an exception, a signal, the limit that was hit
    stdout       what it printed, up to the limit; undecodable bytes are replaced
    stderr       the end of what it wrote there
    value        what the called function returned, as JSON text; None where nothing was called or
                 where it returned no JSON value (`detail` then names its type)
    seconds      real time
    cpu_seconds  processor time of the program and of its children that it waited for
    killed       whether a SIGKILL ended it that the sandbox did not send: its own, or the machine's
    """

    ending: Ending
    detail: str = ""
    stdout: str = ""
    stderr: str = ""
    value: str | None = None
    seconds: float = 0.0
    cpu_seconds: float = 0.0
    killed: bool = False
