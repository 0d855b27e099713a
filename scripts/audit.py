"""Asks a vulnerability service about every pinned package: `make audit`.

Status 0 where nothing is known against them, 1 where something is that `requirements/audit.txt`
does not allow with a reason. A service that cannot be reached, or does not know the packages, is a
warning that says what was not looked at: no verdict, and no failure.
"""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[1]
PINNED = ROOT / "requirements" / "cpu.txt"
ALLOWED = ROOT / "requirements" / "audit.txt"
# An environment of its own: what audits the packages is none of them.
TOOL = ("tool", "run", "--quiet", "--from", "pip-audit==2.10.1", "pip-audit")
OPTIONS = ("--no-deps", "--disable-pip", "--format", "json", "--progress-spinner", "off")
SECONDS = 600


def allowed(text: str) -> dict[str, str]:
    """{id: reason} of lines `ID reason`; # begins a comment. Raises ValueError for an id without
    a reason."""
    found = {}
    for number, line in enumerate(text.splitlines(), 1):
        name, _, reason = line.partition("#")[0].strip().partition(" ")
        if name and not reason.strip():
            raise ValueError(f"{ALLOWED.name}:{number}: {name} is allowed without a reason")
        if name:
            found[name] = reason.strip()
    return found


def verdict(report: Mapping[str, Any], reasons: Mapping[str, str]) -> tuple[int, list[str]]:
    """The exit status for pip-audit's JSON, and what to print."""
    lines, status, asked, unknown = [], 0, 0, []
    seen = set()
    for package in report["dependencies"]:
        if "skip_reason" in package:
            unknown.append(package["name"])
            continue
        asked += 1
        for fault in package["vulns"]:
            names = {fault["id"], *fault.get("aliases", ())}
            known = sorted(names & reasons.keys())
            seen |= set(known)
            place = f"{package['name']} {package['version']}: {fault['id']}"
            if known:
                lines.append(f"allowed: {place} ({reasons[known[0]]})")
                continue
            status = 1
            mended = ", ".join(fault.get("fix_versions", ())) or "no version yet"
            lines.append(f"vulnerable: {place}, mended in {mended}")
    if asked:
        lines += [f"no longer found: {name}" for name in sorted(reasons.keys() - seen)]
    if unknown:
        some = ", ".join(unknown[:3]) + (", ..." if len(unknown) > 3 else "")
        lines.append(
            f"warning: the service does not know {len(unknown)} of {asked + len(unknown)} packages "
            f"({some}); they were not audited"
        )
    lines.append(f"{asked} packages audited, {'something' if status else 'nothing'} found")
    return status, lines


def main() -> int:
    reasons = allowed(ALLOWED.read_text(encoding="utf-8"))
    uv = Path(sys.executable).with_name("uv")
    try:
        done = subprocess.run(
            [str(uv), *TOOL, *OPTIONS, "--requirement", str(PINNED)],
            capture_output=True,
            text=True,
            timeout=SECONDS,
            check=False,
        )
        report = json.loads(done.stdout)
    except (OSError, subprocess.TimeoutExpired) as error:
        print(f"warning: nothing was audited: {error}")
        return 0
    except ValueError:
        last = (done.stderr.strip().splitlines() or ["it said nothing"])[-1]
        print(f"warning: nothing was audited: no answer from the service ({last[:300]})")
        return 0
    status, lines = verdict(report, reasons)
    print("\n".join(lines))
    return status


if __name__ == "__main__":
    sys.exit(main())
