"""Opens what `harness watch` needs: suites, and an engine that asks one checkpoint at a time."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from harness.errors import HarnessError
from harness.watching.judging import Log, Watch
from harness.watching.screening import Policy

if TYPE_CHECKING:
    from harness.checkpoint import Checkpoint
    from harness.engines.select import EngineName
    from harness.engines.types import Engine
    from harness.items.schema import Item
    from harness.protocols.types import Protocol


def open_watch(
    directory: Path,
    suites: str,
    store: Path,
    *,
    engine: EngineName = "auto",
    limit: int | None = None,
    seed: int = 0,
    policy: Policy | None = None,
    log: Log = lambda line: None,
    **settings: Any,
) -> tuple[Watch, Asker]:
    """A watch over a run's directory, and its asker, which the caller closes.

    suites    names with commas between, as `harness eval` takes them
    settings  other fields of `Watch`: settle, allow_pickle, notify
    """
    from harness.protocols.catalogue import open_suite
    from harness.store.database import prepare
    from harness.store.queries import imported

    prepare(store)
    jaster = imported(store, "jaster")
    names = [name.strip() for name in suites.split(",") if name.strip()]
    asker = Asker(engine, store, seed, log)
    watch = Watch(
        directory,
        tuple(open_suite(name, limit=limit, seed=seed, imported=jaster) for name in names),
        store,
        asker.ask,
        policy or Policy(),
        seed,
        log=log,
        **settings,
    )
    return watch, asker


class Asker:
    """Asks checkpoints through one engine at a time, which is opened only if something is owed and
    stays open while the same checkpoint is asked."""

    def __init__(
        self, engine: EngineName, store: Path, seed: int, log: Callable[[str], None]
    ) -> None:
        self.name = engine
        self.store = store
        self.seed = seed
        self.log = log
        self.path: Path | None = None
        self.fingerprint = ""
        self.engine: Engine | None = None

    def ask(
        self, checkpoint: Checkpoint, protocol: Protocol, items: Sequence[Item], samples: int
    ) -> str:
        """The evaluation's id. Raises HarnessError where every request failed."""
        from harness.engines.prompt import load_renderer
        from harness.evaluate import evaluate

        assert checkpoint.path is not None
        # Other weights under the same path are another checkpoint.
        if (checkpoint.path, checkpoint.fingerprint) != (self.path, self.fingerprint):
            self.close()
            self.path, self.fingerprint = checkpoint.path, checkpoint.fingerprint
        result = evaluate(
            checkpoint,
            protocol,
            items,
            store=self.store,
            render=load_renderer(checkpoint.path),
            open_engine=self.opened,
            samples=samples,
            seed=self.seed,
        )
        count = result.progress
        if count.failed:
            if not count.done:
                raise HarnessError(
                    f"all {count.failed} requests failed; `harness show {result.evaluation[:12]}` "
                    "says why"
                )
            self.log(
                f"{checkpoint.name}: {count.failed} of {count.planned} requests failed; their "
                "items are left out"
            )
        return result.evaluation

    def opened(self) -> Engine:
        from harness.engines.select import open_engine

        if self.engine is None:
            self.engine = open_engine(self.name, path=self.path, url=None, model=None).engine
        return self.engine

    def close(self) -> None:
        if self.engine is not None:
            self.engine.close()
        self.engine = None
