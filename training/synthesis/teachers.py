"""Teachers: checkpoints through an engine that is handed thousands of questions at once, or models
behind an OpenAI-compatible server."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Protocol

from harness.engines.prompt import Renderer
from harness.engines.ray import RayCluster
from harness.engines.select import EngineName
from harness.engines.serving import EngineThread
from harness.engines.types import Engine, Generation, Request, Sampling
from harness.errors import HarnessError
from harness.judge.calls import ServedJudge
from harness.judge.local import rendered
from harness.masking import masked_url
from training.synthesis.licences import Licence, checkpoint_licence, stated, unknown
from training.synthesis.types import Prompt


@dataclass(frozen=True)
class About:
    """Who a teacher is.

    name      what its samples bear;  place  its directory or URL
    identity  fingerprint: other weights, or another address, are another teacher
    licence   of its texts, as far as it is stated
    """

    name: str
    place: str
    identity: str
    licence: Licence

    def to_dict(self) -> dict[str, Any]:
        """For lineage: without the place, which is a path of this machine or an address."""
        plain = asdict(self)
        del plain["place"]
        return plain


class Teacher(Protocol):
    """What answers questions. `submit` returns at once; the reply's finish_reason is "error" where
    there is none, and the future fails where none can be had any more."""

    @property
    def about(self) -> About: ...

    def submit(self, key: str, prompt: Prompt) -> Future[Generation]: ...

    def withdraw(self) -> None:
        """Cancels what has been submitted and not begun."""

    def close(self) -> None: ...


class LocalTeacher:
    """A checkpoint. All questions that wait are one queue, from which its engine takes as many as
    it has room for: vLLM batches them itself."""

    def __init__(self, about: About, render: Renderer, open_engine: Callable[[], Engine]) -> None:
        self.about = about
        self._render = render
        self._engine = EngineThread(open_engine, "teacher")

    def submit(self, key: str, prompt: Prompt) -> Future[Generation]:
        return self._engine.submit(lambda: rendered(_request(key, prompt), self._render))

    def withdraw(self) -> None:
        self._engine.withdraw()

    def close(self) -> None:
        self._engine.close()


class ServedTeacher:
    """A served model, asked as a judge is: retries with back-off, a pace, calls at once."""

    def __init__(self, about: About, server: ServedJudge) -> None:
        self.about = about
        self._server = server
        self._calls = ThreadPoolExecutor(server.concurrency, thread_name_prefix="teacher")
        self._begun: set[Future[Generation]] = set()

    def submit(self, key: str, prompt: Prompt) -> Future[Generation]:
        future = self._calls.submit(self._server.ask, _request(key, prompt))
        self._begun.add(future)
        future.add_done_callback(self._begun.discard)
        return future

    def withdraw(self) -> None:
        for future in list(self._begun):
            future.cancel()

    def close(self) -> None:
        self._calls.shutdown(wait=True, cancel_futures=True)
        self._server.close()


def open_teacher(
    target: str,
    *,
    licence: str | None = None,
    engine: EngineName = "auto",
    max_length: int | None = None,
    tensor_parallel_size: int = 1,
    concurrency: int = 32,
    per_minute: float | None = None,
    timeout: float = 600.0,
    cluster: RayCluster | None = None,
) -> Teacher:
    """The teacher that a target names: a checkpoint directory, or `openai:URL#MODEL`.

    licence      as the user states it; otherwise a checkpoint's files are read
    engine, max_length, tensor_parallel_size  of a checkpoint, see `open_engine`
    concurrency, per_minute, timeout          of a server, see `ServedJudge`
    cluster      where replicas of a checkpoint run, its `gpus` in place of tensor_parallel_size

    Raises HarnessError where there is no such checkpoint, or no server answers.
    """
    from harness.checkpoint import discover
    from harness.engines.prompt import load_renderer
    from harness.engines.select import open_engine, open_spread

    found = discover(target)
    if len(found) != 1:
        raise HarnessError(f"--teacher {target}: {len(found)} checkpoints there, name one of them")
    (one,) = found
    if one.path is None:
        assert one.url is not None
        if cluster is not None:
            raise HarnessError(f"--on ray spreads a checkpoint, and {target} is a served model")
        place = masked_url(one.url)
        terms = stated(licence, model=one.name) if licence else unknown(place, one.name)
        server = ServedJudge(
            one.url,
            one.model,
            concurrency=concurrency,
            per_minute=per_minute,
            timeout=timeout,
            role="teacher",
        )
        return ServedTeacher(About(one.name, place, one.fingerprint, terms), server)
    path: Path = one.path
    terms = stated(licence, model=one.name) if licence else checkpoint_licence(path, one.name)

    def opened() -> Engine:
        if cluster is not None:
            same = one.fingerprint
            return open_spread(
                engine, cluster, path=path, fingerprint=same, max_length=max_length
            ).engine
        return open_engine(
            engine,
            path=path,
            max_length=max_length,
            tensor_parallel_size=tensor_parallel_size,
        ).engine

    about = About(one.name, str(path), one.fingerprint, terms)
    return LocalTeacher(about, load_renderer(path), opened)


def _request(key: str, prompt: Prompt) -> Request:
    sampling = Sampling(prompt.temperature, prompt.top_p, prompt.max_tokens, seed=prompt.seed)
    return Request(key, tuple(prompt.messages), sampling)
