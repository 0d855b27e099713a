"""This process's one pool of sandboxes, and the weakest level at which it may run anything."""

from __future__ import annotations

import atexit
import os
import threading
from collections.abc import Sequence

from harness.errors import HarnessError
from harness.sandbox.levels import best_level
from harness.sandbox.pool import Pool
from harness.sandbox.runner import sandbox_runner
from harness.sandbox.types import LEVELS, Level
from harness.scoring.code.types import CodeOutcome, CodeRun, Runner

# What `--sandbox` and the environment say: processes that this one starts keep to it too.
LEAST_VARIABLE = "HARNESS_SANDBOX"

_lock = threading.Lock()
_pool: Pool | None = None


def require(level: Level) -> None:
    """From now on programs are run at this level or a stronger one, or not at all.

    Raises HarnessError where no such level works here.
    """
    best_level(level)
    os.environ[LEAST_VARIABLE] = level


def least_level() -> Level:
    """The weakest level that is allowed: any, unless HARNESS_SANDBOX or `require` says more.

    Raises HarnessError for a level that there is not.
    """
    named = os.environ.get(LEAST_VARIABLE) or LEVELS[-1]
    for level in LEVELS:
        if level == named:
            return level
    raise HarnessError(f"{LEAST_VARIABLE}={named}: expected one of {', '.join(LEVELS)}")


def shared_runner() -> Runner:
    """Runs programs in this process's pool, made when the first one comes; its sandboxes end with
    the process.

    Raises HarnessError where no level that is allowed works here.
    """
    best_level(least_level())

    def run(runs: Sequence[CodeRun]) -> Sequence[CodeOutcome]:
        return sandbox_runner(_shared_pool())(runs)

    return run


def _shared_pool() -> Pool:
    global _pool
    with _lock:
        if _pool is None:
            _pool = Pool(best_level(least_level()))
            atexit.register(_pool.close)
        return _pool
