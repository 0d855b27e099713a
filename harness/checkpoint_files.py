"""What a Hugging Face checkpoint directory must hold, checked without loading a weight.

Nothing here imports torch or transformers: a safetensors header is a length and a JSON object, and
a tokenizer's ids are in its JSON. Every fault is one `HarnessError` that names the file and the
cure, so that it surfaces before an engine is started.
"""

from __future__ import annotations

import json
import math
import re
import struct
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec

from harness.errors import HarnessError

INDEX = "model.safetensors.index.json"
SINGLE = "model.safetensors"
PICKLE_SUFFIXES = (".bin", ".pt", ".pth", ".ckpt")
# One of these groups is enough to build a tokenizer.
TOKENIZERS = (
    ("tokenizer.json",),
    ("vocab.json", "merges.txt"),
    ("tokenizer.model",),
    ("spiece.model",),
    ("vocab.txt",),
)

# The safetensors format allows headers of at most 100 MB.
_LARGEST_HEADER = 100_000_000
_MOST_AXES = 64
_BITS = {
    **{"BOOL": 8, "U8": 8, "I8": 8, "F8_E4M3": 8, "F8_E5M2": 8, "F8_E8M0": 8},
    **{"U16": 16, "I16": 16, "F16": 16, "BF16": 16, "U32": 32, "I32": 32, "F32": 32},
    **{"U64": 64, "I64": 64, "F64": 64, "C64": 64},
}
_INPUT_EMBEDDING = re.compile(
    r"(?:^|\.)(?:embed_tokens|tok_embeddings|word_embeddings|wte|embed_in)\.weight$"
)
_CONTEXT_KEYS = ("max_position_embeddings", "n_positions", "max_seq_len", "seq_length")


class Tensor(msgspec.Struct, frozen=True):
    """One entry of a safetensors header; offsets are bytes from the end of the header."""

    dtype: str
    shape: list[int]
    data_offsets: tuple[int, int]


@dataclass(frozen=True)
class CheckpointFiles:
    """A directory that passed every check.

    config         the parsed config.json
    weights        weight files in name order
    tensors        by name, from the safetensors headers; empty for pickled weights
    tokenizer      the files that make up the tokenizer, in name order
    chat_template  whether the tokenizer carries one
    """

    directory: Path
    config: Mapping[str, Any]
    weights: tuple[Path, ...]
    tensors: Mapping[str, Tensor]
    tokenizer: tuple[Path, ...]
    chat_template: bool

    @property
    def parameters(self) -> int | None:
        """Number of stored weights; tied ones count once, as they are stored once."""
        if not self.tensors:
            return None
        return sum(math.prod(tensor.shape) for tensor in self.tensors.values())

    @property
    def context_length(self) -> int | None:
        for key in _CONTEXT_KEYS:
            value = _text_config(self.config).get(key)
            if isinstance(value, int) and value > 0:
                return value
        return None


def inspect(directory: Path, *, allow_pickle: bool = False) -> CheckpointFiles:
    """Check a checkpoint directory and say what it holds.

    Raises HarnessError when config, weights or tokenizer are missing, damaged, incomplete, do not
    fit each other, or when the weights are pickled and `allow_pickle` is false.
    """
    config = read_json(directory / "config.json")
    if "model_type" not in config:
        raise HarnessError(
            f"{directory / 'config.json'} has no `model_type`, which names the architecture; "
            "copy the config.json that belongs to these weights"
        )
    _refuse_what_is_elsewhere(directory, config)
    weights = _weight_files(directory, allow_pickle)
    tensors: dict[str, Tensor] = {}
    if weights[0].suffix == ".safetensors":
        headers = {path: read_safetensors_header(path) for path in weights}
        _check_index(directory, headers)
        for path, header in headers.items():
            if twice := next((name for name in header if name in tensors), None):
                raise HarnessError(
                    f"{path}: tensor {twice!r} is also in another shard; remove the shards of the "
                    "older save or copy the checkpoint again"
                )
            tensors.update(header)
    tokenizer = _tokenizer_files(directory)
    _check_vocabulary(directory, config, tensors)
    return CheckpointFiles(
        directory=directory,
        config=config,
        weights=weights,
        tensors=tensors,
        tokenizer=tokenizer,
        chat_template=has_chat_template(directory),
    )


def _refuse_what_is_elsewhere(directory: Path, config: Mapping[str, Any]) -> None:
    """Raises HarnessError where libraries would add to the checkpoint what is no part of its
    identity: compiled code from a hub, or an adapter on top of whole weights."""
    for key in ("attn_implementation", "_attn_implementation", "experts_implementation"):
        for name in _strings(config.get(key)):
            if "/" in name:
                raise HarnessError(
                    f"{directory / 'config.json'} asks for code from a hub ({key}: {name!r}), "
                    f"which is never loaded; remove {key} from it"
                )
    if (directory / "adapter_config.json").is_file() and (directory / SINGLE).is_file():
        raise HarnessError(
            f"{directory} holds whole weights and a LoRA adapter, and libraries disagree on what "
            "that means; move adapter_config.json and adapter_model.* away, or merge them"
        )


def _strings(value: object) -> list[str]:
    values = list(value.values()) if isinstance(value, dict) else [value]
    return [one for one in values if isinstance(one, str)]


def read_json(path: Path) -> dict[str, Any]:
    """Read a file that must hold one JSON object."""
    try:
        value = json.loads(path.read_bytes())
        json.dumps(value, ensure_ascii=False).encode()
    except FileNotFoundError:
        raise HarnessError(
            f"{path.parent} has no {path.name}; if the checkpoint is still being written wait for "
            "it, otherwise copy the file from the model it was trained from"
        ) from None
    except UnicodeEncodeError:
        raise HarnessError(
            f"{path} holds half of a surrogate pair, which no text has; save the file again"
        ) from None
    except (ValueError, RecursionError) as error:  # endless digits, endless nesting
        where = f":{error.lineno}" if isinstance(error, json.JSONDecodeError) else ""
        raise HarnessError(
            f"{path}{where} is not valid JSON ({error}); copy or save the file again"
        ) from None
    except OSError as error:
        raise HarnessError(f"{path} cannot be read: {error.strerror}") from None
    if not isinstance(value, dict):
        raise HarnessError(f"{path} holds {_json_kind(value)}, expected a JSON object")
    return value


def read_safetensors_header(path: Path) -> dict[str, Tensor]:
    """The tensors that a safetensors file declares, after checking that the file holds them all.

    The layout is 8 bytes of little-endian header length, the JSON header, then the data, which the
    tensors must cover without gap, overlap or rest. Only the header is read.
    """
    again = "copy or save it again"
    try:
        size = path.stat().st_size
        with path.open("rb") as file:
            start = file.read(8)
            if start.startswith(b"version "):
                raise HarnessError(
                    f"{path} is a Git LFS pointer, not weights; run `git lfs pull` in its clone"
                )
            length = struct.unpack("<Q", start)[0] if len(start) == 8 else 0
            if len(start) == 8 and 2 <= length <= _LARGEST_HEADER and 8 + length > size:
                raise HarnessError(
                    f"{path} is cut off: its header alone takes {8 + length:,} bytes and the file "
                    f"has {size:,}; {again}"
                )
            raw = file.read(length) if 2 <= length <= _LARGEST_HEADER else b""
    except OSError as error:
        raise HarnessError(f"{path} cannot be read: {error.strerror}") from None
    if len(start) < 8:
        raise HarnessError(
            f"{path} is cut off: it has {size} bytes and its header alone takes more; {again}"
        )
    try:
        entries = msgspec.json.decode(raw, type=dict[str, msgspec.Raw])
        entries.pop("__metadata__", None)
        header = {name: msgspec.json.decode(entry, type=Tensor) for name, entry in entries.items()}
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise HarnessError(
            f"{path} is not a safetensors file: its header cannot be read ({error}); {again}"
        ) from None
    if not header:
        raise HarnessError(f"{path} holds no tensor; {again}")
    _check_layout(path, header, size - 8 - length)
    return header


def _check_layout(path: Path, header: Mapping[str, Tensor], data: int) -> None:
    end = 0
    for name, tensor in sorted(header.items(), key=lambda entry: entry[1].data_offsets):
        begin, stop = tensor.data_offsets
        bits = _BITS.get(tensor.dtype)
        # A product of many numbers would take hours.
        elements = math.prod(tensor.shape) if len(tensor.shape) <= _MOST_AXES else -1
        wrong_size = elements < 0 or (bits is not None and elements * bits // 8 != stop - begin)
        if begin != end or stop < begin or min(tensor.shape, default=0) < 0 or wrong_size:
            raise HarnessError(
                f"{path}: the header is damaged at tensor {name!r} ({tensor.dtype} "
                f"{tensor.shape} in bytes {begin} to {stop}); copy or save the file again"
            )
        end = stop
    if end != data:
        fault = "is cut off" if data < end else "is longer than its header says"
        raise HarnessError(
            f"{path} {fault}: the header describes {end:,} bytes of weights and {data:,} follow "
            "it; if it is still being written wait for it, otherwise copy or save it again"
        )


def _weight_files(directory: Path, allow_pickle: bool) -> tuple[Path, ...]:
    index = directory / INDEX
    if index.exists():
        names = sorted(set(_weight_map(index).values()))
        for name in names:
            if not (directory / name).is_file():
                raise HarnessError(
                    f"{index} names {name}, which is missing; if the checkpoint is still being "
                    "written wait for it, otherwise copy that file too"
                )
        return tuple(directory / name for name in names)
    if (directory / SINGLE).is_file():
        return (directory / SINGLE,)
    names = sorted(path.name for path in directory.iterdir() if path.is_file())
    shards = [name for name in names if re.fullmatch(r"model-\d+-of-\d+\.safetensors", name)]
    if shards:
        raise HarnessError(
            f"{directory} holds {shards[0]} but no {INDEX}, which is written last; wait for it or "
            "copy it too"
        )
    if "adapter_model.safetensors" in names or "adapter_config.json" in names:
        raise HarnessError(
            f"{directory} holds a LoRA adapter only; merge it into its base model "
            "(peft: merge_and_unload) and save the result"
        )
    pickled = [name for name in names if is_weight_file(name) and name.endswith(PICKLE_SUFFIXES)]
    if pickled and allow_pickle:
        return tuple(directory / name for name in pickled)
    if pickled:
        raise HarnessError(
            f"{directory} holds pickled weights only ({pickled[0]}), and unpickling can run any "
            "code; save them as safetensors, or pass --allow-pickle if you trust "
            "their origin"
        )
    raise HarnessError(
        f"{directory} has a config.json but no weights, expected {SINGLE} or {INDEX} with its "
        "shards; if the checkpoint is still being written wait for it"
    )


def is_weight_file(name: str) -> bool:
    """Whether a file of this name holds a model's weights, pickled or not; what trainers leave
    beside them (optimizer, random states, arguments) does not."""
    companions = ("optimizer", "scheduler", "training_args", "rng_state", "scaler")
    return name.endswith((".safetensors", *PICKLE_SUFFIXES)) and not name.startswith(companions)


def _weight_map(index: Path) -> dict[str, str]:
    weight_map = read_json(index).get("weight_map")
    if not isinstance(weight_map, dict) or not weight_map:
        raise HarnessError(f"{index} has no `weight_map` from tensors to files; copy it again")
    for tensor, name in weight_map.items():
        # A pickle that an index names would be loaded as if it were none.
        if (
            not isinstance(name, str)
            or Path(name).name != name
            or not name.endswith(".safetensors")
        ):
            raise HarnessError(
                f"{index} places tensor {tensor!r} in {name!r}, expected a file name in the same "
                "directory that ends in .safetensors; copy it again"
            )
    return weight_map


def _check_index(directory: Path, headers: Mapping[Path, Mapping[str, Tensor]]) -> None:
    index = directory / INDEX
    if not index.exists():
        return
    for tensor, name in _weight_map(index).items():
        if tensor not in headers[directory / name]:
            raise HarnessError(
                f"{index} places tensor {tensor!r} in {name}, which does not hold it; index and "
                "shards come from different saves: copy the checkpoint again"
            )


def _tokenizer_files(directory: Path) -> tuple[Path, ...]:
    for group in TOKENIZERS:
        if all((directory / name).is_file() for name in group):
            extra = ("tokenizer_config.json", "special_tokens_map.json", "added_tokens.json")
            found = {directory / name for name in (*group, *extra) if (directory / name).is_file()}
            return tuple(sorted(found))
    raise HarnessError(
        f"{directory} has no tokenizer (tokenizer.json, or vocab.json with merges.txt, or "
        "tokenizer.model); save the training tokenizer into it with `save_pretrained`"
    )


class _AddedToken(msgspec.Struct):
    id: int
    content: str = ""


class _Model(msgspec.Struct):
    # BPE and WordPiece map a token to its id; Unigram lists (token, score) in id order.
    vocab: dict[str, int] | list[msgspec.Raw] = {}


class _Tokenizer(msgspec.Struct):
    model: _Model
    added_tokens: list[_AddedToken] = []


def largest_token_id(directory: Path) -> tuple[int, str] | None:
    """The largest id that the tokenizer can produce and its token, or None where its vocabulary
    is in a binary file (SentencePiece) that only its library reads."""
    path = directory / "tokenizer.json"
    if not path.is_file():
        path = directory / "vocab.json"
        if not path.is_file():
            return None
    try:
        if path.name == "vocab.json":
            vocabulary = msgspec.json.decode(path.read_bytes(), type=dict[str, int])
            tokens = [(number, token) for token, number in vocabulary.items()]
        else:
            tokenizer = msgspec.json.decode(path.read_bytes(), type=_Tokenizer)
            vocab = tokenizer.model.vocab
            if isinstance(vocab, dict):
                tokens = [(number, token) for token, number in vocab.items()]
            else:
                tokens = [(len(vocab) - 1, str(bytes(vocab[-1]), "utf-8"))] if vocab else []
            tokens += [(token.id, token.content) for token in tokenizer.added_tokens]
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise HarnessError(
            f"{path} is not a tokenizer ({error}); save the training tokenizer again"
        ) from None
    if not tokens:
        raise HarnessError(f"{path} has an empty vocabulary; save the training tokenizer again")
    return max(tokens)


def _check_vocabulary(
    directory: Path, config: Mapping[str, Any], tensors: Mapping[str, Tensor]
) -> None:
    declared = _text_config(config).get("vocab_size")
    rows = next(
        (
            (name, tensor.shape[0])
            for name, tensor in sorted(tensors.items())
            if _INPUT_EMBEDDING.search(name) and len(tensor.shape) == 2
        ),
        None,
    )
    if rows is not None and isinstance(declared, int) and declared != rows[1]:
        raise HarnessError(
            f"{directory / 'config.json'} says `vocab_size` {declared} but tensor {rows[0]!r} has "
            f"{rows[1]} rows; put the number of rows into config.json"
        )
    limit = rows[1] if rows is not None else declared
    largest = largest_token_id(directory)
    if isinstance(limit, int) and largest is not None and largest[0] >= limit:
        raise HarnessError(
            f"{directory}: the tokenizer does not fit the weights: token {largest[1]!r} has id "
            f"{largest[0]}, and the model embeds ids 0 to {limit - 1}; copy the tokenizer that the "
            "model was trained with"
        )


def has_chat_template(directory: Path) -> bool:
    """Whether a checkpoint says how messages become text."""
    if any((directory / name).is_file() for name in ("chat_template.jinja", "chat_template.json")):
        return True
    config = directory / "tokenizer_config.json"
    return config.is_file() and bool(read_json(config).get("chat_template"))


def _text_config(config: Mapping[str, Any]) -> Mapping[str, Any]:
    # Multimodal models keep their language model's settings one level down.
    nested = config.get("text_config")
    return nested if isinstance(nested, dict) else config


def _json_kind(value: object) -> str:
    return {list: "a list", str: "a string", type(None): "null"}.get(type(value), "a number")
