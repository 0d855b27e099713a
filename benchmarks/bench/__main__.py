"""Runs the claims' scripts and writes docs/benchmarks.md from what they measured.

Usage: python -m benchmarks.bench [--only NAME ...] [--render]

A script that fails does not stop the others: the result that was kept stays, and the page says so.
A peer that cannot be had keeps its earlier rows, with their date.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import shlex
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping
from datetime import UTC, datetime
from importlib import metadata
from pathlib import Path
from typing import Any

from benchmarks.bench.claims import CLAIMS, Claim
from benchmarks.bench.measure import ENVIRONMENT, ROOT
from benchmarks.bench.page import page, peer_is, without_paths

RESULTS = ROOT / "benchmarks" / "results"
PAGE = ROOT / "docs" / "benchmarks.md"
STUDIES = ROOT / "benchmarks" / "studies.md"
PACKAGES = ("vllm", "torch", "transformers", "duckdb", "numpy")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--only", nargs="+", choices=[claim.name for claim in CLAIMS])
    parser.add_argument("--render", action="store_true", help="write the page and measure nothing")
    options = parser.parse_args()
    failed = []
    for claim in CLAIMS:
        if not options.render and claim.name in (options.only or [claim.name]):
            print(f"== {claim.name}: {claim.command}", flush=True)
            began = time.monotonic()
            if not renew(claim):
                failed.append(claim.name)
            print(f"  {time.monotonic() - began:.0f} s", flush=True)
            write_page()
    write_page()
    if failed:
        sys.exit(f"failed: {', '.join(failed)}")


def renew(claim: Claim, results: Path = RESULTS) -> bool:
    """Runs a claim's script and keeps its result; False when it failed."""
    file = results / f"{claim.name}.json"
    kept = json.loads(file.read_text()) if file.exists() else {"runs": []}
    run = {
        "at": f"{datetime.now(UTC):%Y-%m-%d}",
        "commit": commit(),
        "command": claim.command,
        "load": os.getloadavg()[0],
        "machine": machine(),
        "versions": versions(),
    }
    found, why = measured(claim)
    if found is None:
        print(f"  failed: {why}", flush=True)
        kept["failed"] = {"at": run["at"], "why": without_paths(why)}
    else:
        kept = merged(kept, {**run, **found})
    file.parent.mkdir(exist_ok=True)
    file.write_text(json.dumps(kept, indent=1, ensure_ascii=False) + "\n")
    return found is not None


def measured(claim: Claim) -> tuple[dict[str, Any] | None, str]:
    """(the script's result, ""), or (None, why there is none)."""
    with tempfile.TemporaryDirectory() as folder:
        out = Path(folder) / "result.json"
        command = [sys.executable, str(ROOT / "benchmarks" / claim.script)]
        command += [*shlex.split(claim.arguments), "--json", str(out)]
        try:
            done = subprocess.run(
                command,
                env={**os.environ, **ENVIRONMENT},
                stderr=subprocess.PIPE,
                text=True,
                timeout=60 * claim.minutes,
            )
        except subprocess.TimeoutExpired:
            return None, f"it took more than {claim.minutes} minutes"
        if done.returncode:
            print(done.stderr[-3000:], flush=True)
            lines = done.stderr.split("\n")
            return None, next((line for line in reversed(lines) if line.strip()), "no reason given")
        return json.loads(out.read_text()), ""


def merged(kept: Mapping[str, Any], run: Mapping[str, Any]) -> dict[str, Any]:
    """The new run first; behind it what earlier ones hold of the peers that it misses."""
    run = {**run, "missing": {name: without_paths(why) for name, why in run["missing"].items()}}
    runs, wanted = [run], set(run["missing"])
    for earlier in kept["runs"]:
        rows = [row for row in earlier["rows"] if any(peer_is(row, peer) for peer in wanted)]
        if rows:
            runs.append({**earlier, "rows": rows})
            wanted -= {peer for peer in wanted if any(peer_is(row, peer) for row in rows)}
    return {"runs": runs}


def write_page(results: Path = RESULTS, to: Path = PAGE) -> None:
    kept = {file.stem: json.loads(file.read_text()) for file in sorted(results.glob("*.json"))}
    to.write_text(page(CLAIMS, kept, STUDIES.read_text()))


def machine() -> dict[str, Any]:
    """Processor, cores, memory and GPU."""
    cpu = Path("/proc/cpuinfo").read_text() if Path("/proc/cpuinfo").exists() else ""
    models = [line.split(":", 1)[1].strip() for line in cpu.splitlines() if "model name" in line]
    pages = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    return {
        "processor": models[0] if models else platform.machine(),
        "cores": len(os.sched_getaffinity(0)),
        "memory_gib": round(pages / 2**30),
        "gpu": gpu(),
    }


def gpu() -> str:
    command = ["nvidia-smi", "--query-gpu=name", "--format=csv,noheader"]
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=True)
    except (OSError, subprocess.SubprocessError):
        return "no GPU"
    return ", ".join(done.stdout.split("\n")).strip(", ") or "no GPU"


def versions() -> dict[str, str]:
    """Python's and those of the packages that are here."""
    found = {"Python": platform.python_version()}
    for name in PACKAGES:
        try:
            found[name] = metadata.version(name)
        except metadata.PackageNotFoundError:
            continue
    return found


def commit() -> str:
    """The commit that is checked out, with a plus when files differ from it."""

    def git(*words: str) -> str:
        return subprocess.run(
            ["git", "-C", str(ROOT), *words], capture_output=True, text=True
        ).stdout.strip()

    changed = git("status", "--porcelain", "--untracked-files=no", "--", "benchmarks", "harness",
                  "training", ":!benchmarks/results")  # fmt: skip
    return git("rev-parse", "--short", "HEAD") + ("+" if changed else "")


if __name__ == "__main__":
    main()
