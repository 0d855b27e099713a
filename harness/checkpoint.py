"""Checkpoints: finding them under a path or a URL, and where each comes from (lineage)."""

from __future__ import annotations

import base64
import http.client
import json
import os
import re
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Annotated, Any, TypeVar

import msgspec

from harness.checkpoint_files import CheckpointFiles, inspect, is_weight_file
from harness.errors import HarnessError
from harness.fingerprint import Progress, fingerprint
from harness.items.schema import content_hash
from harness.masking import masked, masked_url, without_user
from harness.replaced import Stamp, stamp

LINEAGE = "lineage.json"
NO_CHAT_TEMPLATE = "The tokenizer has no chat template: items are asked as plain completions."

_T = TypeVar("_T")
# As much as the store's integers hold.
Count = Annotated[int, msgspec.Meta(ge=0, le=2**63 - 1)]
_STEP = re.compile(r"(?:step|global_step|checkpoint|iter)[_-]?([0-9]{1,18})")
_EXPECTED = (
    "expected a Hugging Face checkpoint directory, a run directory with step_* children, or "
    "openai:http://host:port/v1#model"
)
_SERVER_TIMEOUT = 10.0
# Bytes of a server's list of models.
_LARGEST_LIST = 16_000_000


@dataclass(frozen=True)
class Checkpoint:
    """Weights at a training step, or a served model.

    name             what tables show: "demo/step_000600", "model@host:port"
    fingerprint      SHA-256 (hex) of the content; of URL and model for a served model
    path             the directory, None for a served model
    url, model       base URL (".../v1") and model id of a served model
    run, step, tokens_seen, parent, mixture, phase, learning_rate
                     lineage as far as it is stated; parent is a fingerprint
    parameters       number of stored weights
    context_length   tokens that prompt and answer may take together
    has_chat_template  whether items can be asked as chat
    notes            one sentence each, for the user
    stamp            how the files lay when they were hashed, see `replaced`
    """

    name: str
    fingerprint: str
    path: Path | None
    url: str | None = None
    model: str | None = None
    run: str | None = None
    step: int | None = None
    tokens_seen: int | None = None
    parent: str | None = None
    mixture: dict[str, float] | None = None
    phase: str | None = None
    learning_rate: float | None = None
    parameters: int | None = None
    context_length: int | None = None
    has_chat_template: bool = False
    notes: tuple[str, ...] = ()
    stamp: Stamp = field(default=(), compare=False)


class Lineage(msgspec.Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """The content of `lineage.json`, which a trainer writes beside the weights; all optional.

    parent         fingerprint of the checkpoint that training started or resumed from
    mixture        weight of each data source since then
    phase          name of the part of the schedule: "web", "anneal"
    learning_rate  at this step
    shards         SHA-256 of the files behind each name in the mixture
    component_tokens, genre_tokens
                   what the run learned from so far, by data source and by genre
    phase_tokens   the same by phase, then by data source
    """

    run: Annotated[str, msgspec.Meta(min_length=1)] | None = None
    step: Count | None = None
    tokens_seen: Count | None = None
    parent: Annotated[str, msgspec.Meta(pattern="^[0-9a-f]{64}$")] | None = None
    mixture: dict[str, Annotated[float, msgspec.Meta(ge=0)]] | None = None
    phase: Annotated[str, msgspec.Meta(min_length=1)] | None = None
    learning_rate: Annotated[float, msgspec.Meta(ge=0)] | None = None
    shards: dict[str, Annotated[str, msgspec.Meta(pattern="^[0-9a-f]{64}$")]] | None = None
    component_tokens: dict[str, Count] | None = None
    genre_tokens: dict[str, Count] | None = None
    phase_tokens: dict[str, dict[str, Count]] | None = None


class _Logged(msgspec.Struct):
    learning_rate: float | None = None


class _TrainerState(msgspec.Struct):
    # Written by transformers' Trainer; it has many more fields.
    global_step: Count | None = None
    num_input_tokens_seen: Count | None = None
    log_history: list[_Logged] = []


def discover(
    target: str,
    *,
    allow_pickle: bool = False,
    cache: Path | None = None,
    progress: Progress | None = None,
) -> tuple[Checkpoint, ...]:
    """The checkpoints that a target names, a run's in the order of their steps.

    target is a Hugging Face directory, a run directory whose children are named step_N,
    checkpoint-N, iter_N or global_stepN, or `openai:URL#MODEL` for a served model (without #MODEL
    the only one served). Children with any other name (a trainer's temporary directories) are
    passed over; so is a Megatron child whose step also exists converted.

    allow_pickle  accept weights that are loaded by unpickling
    cache         where file hashes are remembered (default: `fingerprint.default_cache`)
    progress      called as (file, bytes hashed, bytes in all)

    Raises HarnessError, naming the file and the cure, for a target that is none of these and for
    any checkpoint in it that is damaged or incomplete.
    """
    if target.startswith("openai:"):
        return (_served(target.removeprefix("openai:")),)
    directories, notes = _directories(target)
    found = []
    for directory in directories:
        files = inspect(directory, allow_pickle=allow_pickle)
        lay = stamp(files)
        identity = fingerprint(files, cache=cache, progress=progress)
        found.append(replace(_checkpoint(files, identity, notes), stamp=lay))
    return tuple(found)


def targets_in(target: str) -> tuple[str, ...]:
    """A target for each checkpoint that `discover` would find, without reading any weights.

    Raises HarnessError for a target that is none.
    """
    if target.startswith("openai:"):
        return (target,)
    return tuple(map(str, _directories(target)[0]))


def _directories(target: str) -> tuple[list[Path], tuple[str, ...]]:
    """The directories of a target's checkpoints, and what the user should know of them."""
    path = Path(target).expanduser().resolve()
    if not path.exists():
        raise HarnessError(f"{target} does not exist, {_EXPECTED}")
    if path.is_file():
        raise HarnessError(_what_file_is(path))
    children = step_children(path)
    if not _looks_like_checkpoint(path, children):
        if not children:
            raise HarnessError(_what_directory_is(path))
        return _pick_children(path, children), ()
    notes: tuple[str, ...] = ()
    if children:
        notes = (
            f"Its {len(children)} step directories are not part of this target: name "
            "one of them to evaluate it.",
        )
    return [path], notes


def read_lineage(directory: Path) -> Lineage:
    """What is stated about a checkpoint's origin: `lineage.json`, then `trainer_state.json`, then
    the names of the directory (step) and of its parent (run). Names never identify a checkpoint:
    that is the fingerprint's part."""
    stated = _decode(directory / LINEAGE, Lineage) or Lineage()
    trainer = _decode(directory / "trainer_state.json", _TrainerState) or _TrainerState()
    named = _STEP.fullmatch(directory.name)
    step = int(named[1]) if named else None
    if trainer.global_step is not None:
        step = trainer.global_step
    rates = [entry.learning_rate for entry in trainer.log_history if entry.learning_rate]
    return Lineage(
        run=stated.run or (directory.parent.name or None if named else None),
        step=step if stated.step is None else stated.step,
        # The Trainer writes 0 when it was not asked to count.
        tokens_seen=stated.tokens_seen or trainer.num_input_tokens_seen or None,
        parent=stated.parent,
        mixture=stated.mixture,
        phase=stated.phase,
        learning_rate=rates[-1] if stated.learning_rate is None and rates else stated.learning_rate,
        shards=stated.shards,
        component_tokens=stated.component_tokens,
        genre_tokens=stated.genre_tokens,
        phase_tokens=stated.phase_tokens,
    )


def write_lineage(directory: Path, lineage: Lineage) -> Path:
    """Write `lineage.json` into a checkpoint directory, at once or not at all."""
    path = directory / LINEAGE
    unfinished = directory / f".{LINEAGE}.{os.getpid()}"
    unfinished.write_bytes(msgspec.json.format(msgspec.json.encode(lineage), indent=2) + b"\n")
    unfinished.replace(path)
    return path


def _decode(path: Path, kind: type[_T]) -> _T | None:
    if not path.is_file():
        return None
    try:
        return msgspec.json.decode(path.read_bytes(), type=kind)
    except msgspec.ValidationError as error:
        raise HarnessError(f"{path} does not state a lineage: {error}; correct it") from None
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise HarnessError(f"{path} is not valid JSON ({error}); write it again") from None


def _checkpoint(files: CheckpointFiles, identity: str, notes: tuple[str, ...]) -> Checkpoint:
    directory = files.directory
    lineage = read_lineage(directory)
    label = _label(directory)
    if not files.chat_template:
        notes = (NO_CHAT_TEMPLATE, *notes)
    return Checkpoint(
        name=f"{lineage.run}/{label}" if lineage.run and lineage.run != label else label,
        fingerprint=identity,
        path=directory,
        run=lineage.run,
        step=lineage.step,
        tokens_seen=lineage.tokens_seen,
        parent=lineage.parent,
        mixture=lineage.mixture,
        phase=lineage.phase,
        learning_rate=lineage.learning_rate,
        parameters=files.parameters,
        context_length=files.context_length,
        has_chat_template=files.chat_template,
        notes=notes,
    )


def _label(directory: Path) -> str:
    # A hub cache keeps models--ORG--NAME/snapshots/COMMIT; the commit says nothing in a table.
    holder = directory.parent.parent.name
    if directory.parent.name == "snapshots" and holder.startswith("models--"):
        return holder.removeprefix("models--").replace("--", "/")
    return directory.name


def step_children(path: Path) -> list[tuple[int, Path]]:
    """(step, directory) of a run directory's children that are named for a step, by step; whether
    each holds a complete checkpoint is for `discover` to say."""
    children = []
    for child in path.iterdir():
        named = _STEP.fullmatch(child.name)
        if named and child.is_dir():
            children.append((int(named[1]), child))
    return sorted(children)


def _looks_like_checkpoint(path: Path, children: list[tuple[int, Path]]) -> bool:
    if _is_megatron(path):
        return False
    weights = any(is_weight_file(child.name) for child in path.iterdir() if child.is_file())
    # A trainer may leave a config.json beside the step directories.
    return weights or (not children and (path / "config.json").exists())


def _pick_children(path: Path, children: list[tuple[int, Path]]) -> list[Path]:
    converted = {step for step, child in children if not _is_megatron(child)}
    if not converted:
        raise HarnessError(
            f"{path} holds Megatron checkpoints only ({children[0][1].name}, ...); convert them "
            "to Hugging Face directories first (training/convert.py)"
        )
    directories = []
    for step, child in children:
        if not _is_megatron(child):
            directories.append(child)
        elif step not in converted:
            raise HarnessError(
                f"{child} is a Megatron checkpoint and its step has not been converted; convert "
                "it to a Hugging Face directory first (training/convert.py)"
            )
    return directories


def _is_megatron(path: Path) -> bool:
    if (path / "config.json").exists():
        return False
    return any(
        child.name.startswith("mp_rank_") or child.suffix == ".distcp" or child.name == "common.pt"
        for child in path.iterdir()
    )


def _what_file_is(path: Path) -> str:
    with path.open("rb") as file:
        magic = file.read(4)
    if magic == b"GGUF" or path.suffix == ".gguf":
        return (
            f"{path} is a GGUF file; turn it into a checkpoint directory with "
            f"`harness checkpoint import-gguf {path} DIRECTORY`"
        )
    return f"{path} is a file, {_EXPECTED}"


def _what_directory_is(path: Path) -> str:
    names = sorted(child.name for child in path.iterdir())
    if not names:
        return f"{path} is empty, {_EXPECTED}"
    if _is_megatron(path) or "latest_checkpointed_iteration.txt" in names:
        return (
            f"{path} is a Megatron checkpoint; convert it to a Hugging Face directory first "
            "(training/convert.py)"
        )
    if gguf := next((name for name in names if name.endswith(".gguf")), None):
        return _what_file_is(path / gguf)
    shown = ", ".join(names[:3]) + (", ..." if len(names) > 3 else "")
    return f"{path} has no config.json and no step directories (it holds {shown}), {_EXPECTED}"


def _served(address: str) -> Checkpoint:
    url, _, wanted = address.partition("#")
    url = url.rstrip("/")
    # The address with its password is for asking; everything else sees it without.
    shown = masked_url(url)
    try:
        parts = urllib.parse.urlsplit(url)
        host = (parts.hostname or "") + (f":{parts.port}" if parts.port else "")
    except ValueError:
        host = ""
    if not host or not url.startswith(("http://", "https://")):
        raise HarnessError(
            f"openai:{masked_url(address)} is not the address of a server, expected "
            "openai:http://host:port/v1#model"
        )
    served = _models(url)
    if not served:
        raise HarnessError(f"{shown} serves no model; start the server with one")
    if not wanted and len(served) > 1:
        raise HarnessError(
            f"{shown} serves {len(served)} models; choose one by adding # and its name: "
            f"{', '.join(sorted(served))}"
        )
    model = wanted or next(iter(served))
    if model not in served:
        raise HarnessError(
            f"{shown} does not serve {model!r}; it serves {', '.join(sorted(served))}"
        )
    entry = served[model]
    # `created` and permission ids change with every request.
    lasting = {key: entry.get(key) for key in ("id", "root", "parent", "owned_by", "max_model_len")}
    length = entry.get("max_model_len")
    return Checkpoint(
        name=f"{model}@{host}",
        fingerprint=content_hash(
            {"url": masked_url(without_user(url)[0]), "model": model, "served": lasting}
        ),
        path=None,
        url=url,
        model=model,
        context_length=length if isinstance(length, int) else None,
        has_chat_template=True,
        notes=(
            "Its identity is the server's address and the model's name: if other weights are "
            "served under them, evaluate under another name.",
        ),
    )


def _models(url: str) -> dict[str, Mapping[str, Any]]:
    """GET {url}/models: the entries of the served models by id."""
    address, user = without_user(url)
    place = f"{masked_url(url)}/models"
    request = urllib.request.Request(f"{address}/models", headers={"Accept": "application/json"})
    key = os.environ.get("OPENAI_API_KEY")
    if user is not None:
        encoded = base64.b64encode(urllib.parse.unquote(user).encode()).decode()
        request.add_unredirected_header("Authorization", f"Basic {encoded}")
    elif key:
        # Another host, to which this one may point, has no business with the key.
        request.add_unredirected_header("Authorization", f"Bearer {key}")
    try:
        with urllib.request.urlopen(request, timeout=_SERVER_TIMEOUT) as response:
            answer = json.loads(response.read(_LARGEST_LIST))
        return {str(entry["id"]): entry for entry in answer["data"]}
    except urllib.error.HTTPError as error:
        cure = {
            401: "set OPENAI_API_KEY",
            403: "set OPENAI_API_KEY",
            404: "give the base URL, which usually ends in /v1",
        }.get(error.code, "look into the server's log")
        raise HarnessError(f"{place} answered with status {error.code}; {cure}") from None
    except (ValueError, KeyError, TypeError, RecursionError):
        raise HarnessError(
            f"{place} did not answer with a list of models; give the base URL of an "
            "OpenAI-compatible server, which usually ends in /v1"
        ) from None
    except (OSError, http.client.HTTPException) as error:
        reason = masked(str(getattr(error, "reason", None) or error))
        raise HarnessError(
            f"no server answers at {place} ({reason}); start it, or correct host and port"
        ) from None
