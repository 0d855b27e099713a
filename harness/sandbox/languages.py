"""What each language needs in order to be run: commands, file names, and the zygote's job."""

from __future__ import annotations

import json
import shutil
from dataclasses import asdict
from typing import Any

from harness.errors import HarnessError
from harness.sandbox.types import Language, Limits, Program

_FILES: dict[Language, str] = {
    "javascript": "solution.js",
    "cpp": "solution.cpp",
    "bash": "solution.sh",
}
_TOOLS: dict[Language, tuple[str, str]] = {
    "javascript": ("node", "apt-get install nodejs"),
    "cpp": ("g++", "apt-get install g++"),
    "bash": ("bash", "apt-get install bash"),
}
_COMPILE_LIMITS = Limits(
    cpu=30.0, wall=90.0, memory=2 * 1024**3, output=4 * 1024**2, file=64 * 1024**2
)

# Appended to a JavaScript program; the zygote puts a word for `@DONE@`. What JSON has no form for
# is an error, since JSON.stringify would make it null, {} or nothing.
_JS_CALL = """
;require("fs").writeSync(3, JSON.stringify({value: JSON.stringify(
  %s(...JSON.parse(%s)), (_, x) => {
    const odd = ["undefined", "function", "symbol"].includes(typeof x)
      || (typeof x === "number" && !Number.isFinite(x)) || x instanceof Map || x instanceof Set;
    if (odd) throw new TypeError("the value is no JSON value");
    return x;
  })}) + "\\n");
"""
_JS_DONE = """
;require("fs").writeSync(3, JSON.stringify({done: "@DONE@"}) + "\\n");
"""


def tool(language: Language) -> str | None:
    """The interpreter or compiler of a language here, or None; Python is the sandbox's own."""
    return "python" if language == "python" else shutil.which(_TOOLS[language][0])


def job(program: Program, others: int = 0) -> dict[str, Any]:
    """What the zygote is told of a program.

    others  processes that the kernel counts against the program's though they are not its own

    Raises HarnessError for a language that is not installed here, for one outside /usr, which the
    sandbox does not show, and for a kind of step that the language does not have.
    """
    steps = [_step(program, position) for position in range(len(program.steps))]
    made: dict[str, Any] = {
        "language": program.language,
        "source": program.source,
        "setup": program.setup,
        "entry_point": program.entry_point,
        "steps": steps,
        "limits": asdict(program.limits),
        "others": others,
    }
    if program.language == "python":
        return made
    found = tool(program.language)
    name, fix = _TOOLS[program.language]
    if found is None:
        raise HarnessError(f"{name} is not installed; {fix}")
    if not found.startswith(("/usr/", "/bin/")):
        raise HarnessError(f"{found} lies outside /usr, where no sandbox shows it; {fix}")
    made["file"] = _FILES[program.language]
    if program.language == "cpp":
        made["compile"] = [found, "-std=c++20", "-O2", "-pipe", "-o", "solution", made["file"]]
        made["compile_limits"] = asdict(_COMPILE_LIMITS)
        made["binary"] = "solution"
        made["command"] = ["./solution"]
    elif program.language == "javascript":
        # V8 reserves far more address space than it uses; resident memory is watched instead.
        made["address_space"] = -1
        megabytes = max(16, program.limits.memory // 1024**2)
        made["command"] = [found, f"--max-old-space-size={megabytes}", made["file"]]
    else:
        made["command"] = [found, "--noprofile", "--norc", made["file"]]
    return made


def _step(program: Program, position: int) -> dict[str, Any]:
    step = program.steps[position]
    made = asdict(step)
    if program.language == "python" or (step.args is None and step.source is None):
        return made
    if program.language != "javascript":
        raise HarnessError(
            f"steps[{position}] of a {program.language} program calls or tests a function; "
            "programs of this language are given standard input alone"
        )
    if step.args is not None:
        quoted = json.dumps(json.dumps(step.args))
        made["append"] = _JS_CALL % (program.entry_point, quoted)
    else:
        made["append"] = f"\n{step.source}{_JS_DONE}"
    return made
