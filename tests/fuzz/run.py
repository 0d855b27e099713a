"""`make fuzz`: every parser under a coverage-guided fuzzer (atheris), one after the other.

    python -m tests.fuzz.run --seconds 3600             all of them, an equal share of the time each
    python -m tests.fuzz.run --seconds 60 --target plan

A fault does not end the run: it is counted once by its kind and place, and the bytes that cause it
are kept in `fuzz-faults/`. Status 1 where there was any.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import subprocess
import sys
import tempfile
import time
import traceback
from pathlib import Path
from typing import Any

FAULTS = Path("fuzz-faults")
# Seconds that one input may take, and MiB that the parser may.
_SLOWEST = 60
_MEMORY = 4096
_LONGEST = 16_384


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--seconds", type=int, default=3600)
    parser.add_argument("--target", action="append", default=[])
    parser.add_argument("--one", help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.one:
        _fuzz(given.one, given.seconds)
        return 0
    from tests.fuzz.targets import TARGETS

    names = given.target or list(TARGETS)
    share = max(1, given.seconds // len(names))
    inputs = failed = 0
    for name in names:
        runs, faults = _one(name, share)
        inputs += runs
        failed += len(faults)
        print(f"{name}: {runs:,} inputs, {len(faults)} kinds of fault", flush=True)
        for fault in faults:
            print(f"  {fault}", flush=True)
    print(f"{len(names)} parsers, {inputs:,} inputs, {failed} kinds of fault")
    return 1 if failed else 0


def _one(name: str, seconds: int) -> tuple[int, list[str]]:
    """Inputs tried, and the kinds of fault; in a process of its own, which may be stopped."""
    with tempfile.TemporaryDirectory() as folder:
        told = Path(folder) / "told.json"
        done = subprocess.run(
            [sys.executable, "-m", "tests.fuzz.run", "--one", name, "--seconds", str(seconds)],
            env={**os.environ, "FUZZ_TOLD": str(told), "PYTHONHASHSEED": "0"},
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            text=True,
            check=False,
        )
        found: dict[str, Any] = json.loads(told.read_text()) if told.exists() else {}
    faults = [f"{kind} ({count} times)" for kind, count in found.get("faults", {}).items()]
    if done.returncode:
        last = [line for line in done.stderr.splitlines() if line.strip()][-3:]
        faults.append(f"stopped with status {done.returncode}: {' | '.join(last)[:500]}")
    return int(found.get("inputs", 0)), faults


def _fuzz(name: str, seconds: int) -> None:
    """The process: libFuzzer's loop around one parser."""
    import atheris

    with atheris.instrument_imports(include=["harness", "training"]):
        from tests.fuzz.check import feed
        from tests.fuzz.targets import TARGETS

        target = TARGETS[name]
        for seed in target.seeds:  # the parser's own imports
            feed(target, seed)
    told = Path(os.environ["FUZZ_TOLD"])
    counts: dict[str, int] = {}
    inputs = 0
    noted = time.monotonic()

    def note() -> None:
        told.write_text(json.dumps({"inputs": inputs, "faults": counts}))

    def try_one(data: bytes) -> None:
        nonlocal inputs, noted
        inputs += 1
        try:
            feed(target, data)
        except Exception as error:
            kind = _kind(error)
            if kind not in counts:
                _keep(name, kind, data)
            counts[kind] = counts.get(kind, 0) + 1
            note()
        # libFuzzer ends the process without a word to us.
        if time.monotonic() - noted > 0.5:
            noted = time.monotonic()
            note()

    corpus = Path(tempfile.mkdtemp())
    for number, seed in enumerate(target.seeds):
        (corpus / str(number)).write_bytes(seed)
    note()
    atheris.Setup(
        [
            sys.argv[0],
            f"-max_total_time={seconds}",
            f"-timeout={_SLOWEST}",
            f"-rss_limit_mb={_MEMORY}",
            f"-max_len={_LONGEST}",
            f"-artifact_prefix={corpus}/",
            str(corpus),
        ],
        try_one,
    )
    atheris.Fuzz()


def _kind(error: Exception) -> str:
    """The exception and the place of ours that let it through."""
    ours = [
        frame
        for frame in traceback.extract_tb(error.__traceback__)
        if f"{os.sep}harness{os.sep}" in frame.filename
        or f"{os.sep}training{os.sep}" in frame.filename
    ]
    place = f"{Path(ours[-1].filename).name}:{ours[-1].name}" if ours else "check"
    return f"{type(error).__name__} in {place}: {str(error)[:80]!r}"


def _keep(name: str, kind: str, data: bytes) -> None:
    FAULTS.mkdir(exist_ok=True)
    digest = hashlib.sha256(kind.encode()).hexdigest()[:12]
    (FAULTS / f"{name.replace(' ', '-')}-{digest}").write_bytes(data)


if __name__ == "__main__":
    sys.exit(main())
