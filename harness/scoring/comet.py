"""COMET scores of translations, from a checkpoint that the user has on disk.

Beside its neighbours this module is no pure function: it loads a model. unbabel-comet wants older
versions of numpy and transformers than harness, so it usually lives in an environment of its own,
which `HARNESS_COMET_PYTHON` names and which is called as a separate process.
"""

from __future__ import annotations

import importlib.util
import json
import os
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

from harness.errors import HarnessError

MODEL_VARIABLE = "HARNESS_COMET_MODEL"
PYTHON_VARIABLE = "HARNESS_COMET_PYTHON"
_BATCH = 8

_GET_MODEL = (
    "download Unbabel/wmt22-comet-da (`huggingface-cli download Unbabel/wmt22-comet-da`) and run "
    f"`export {MODEL_VARIABLE}=.../checkpoints/model.ckpt`"
)
_GET_COMET = (
    "`uv venv comet-venv && uv pip install --python comet-venv/bin/python unbabel-comet && "
    f"export {PYTHON_VARIABLE}=$PWD/comet-venv/bin/python`"
)
# Scores leave on a line of their own: Lightning prints what it likes.
_MARK = "harness-comet-scores "
_PROGRAM = f"""
import json, sys
from comet import load_from_checkpoint
job = json.load(sys.stdin)
model = load_from_checkpoint(job["model"])
found = model.predict(job["rows"], batch_size={_BATCH}, gpus=job["gpus"], progress_bar=False)
print()
print({_MARK!r} + json.dumps([float(score) for score in found.scores]))
"""


def comet_scores(
    sources: Sequence[str], predictions: Sequence[str], references: Sequence[str], gpus: int = 0
) -> list[float]:
    """The COMET score of each translation, about 0.0 to 1.0 for wmt22-comet-da, which llm-jp-eval
    and Nejumi average; the checkpoint is the file that HARNESS_COMET_MODEL names.

    gpus  how many GPUs the model may use; 0 scores on the CPU

    Raises ValueError when the lengths differ, and HarnessError with the command that mends it when
    the checkpoint or unbabel-comet is missing or fails: the score is then missing, and not 0.
    """
    if not len(sources) == len(predictions) == len(references):
        raise ValueError(
            f"{len(sources)} sources, {len(predictions)} predictions, {len(references)} references"
        )
    model, python = _model(), _python()
    rows = [
        {"src": source, "mt": prediction, "ref": reference}
        for source, prediction, reference in zip(sources, predictions, references, strict=True)
    ]
    if not rows:
        return []
    job = json.dumps({"model": str(model), "rows": rows, "gpus": gpus}, ensure_ascii=False)
    # Lone surrogates, which no tokenizer takes, become question marks.
    ran = subprocess.run(
        [python, "-c", _PROGRAM], input=job.encode("utf-8", "replace"), capture_output=True
    )
    lines = ran.stdout.decode("utf-8", "replace").splitlines()
    told = [line for line in lines if line.startswith(_MARK)]
    if ran.returncode or not told:
        last = ran.stderr.decode("utf-8", "replace").strip().splitlines()[-1:]
        raise HarnessError(
            f"COMET failed with {model} ({' '.join(last) or 'no message'}); try it alone with: "
            f"{python} -c 'from comet import load_from_checkpoint as load; load(\"{model}\")'"
        )
    scores: list[float] = json.loads(told[-1].removeprefix(_MARK))
    return scores


def _model() -> Path:
    named = os.environ.get(MODEL_VARIABLE, "")
    if not named:
        raise HarnessError(
            f"COMET needs a checkpoint and {MODEL_VARIABLE} is not set; {_GET_MODEL}"
        )
    if not Path(named).is_file():
        raise HarnessError(f"{MODEL_VARIABLE} is {named}, which is no file; {_GET_MODEL}")
    return Path(named)


def _python() -> str:
    named = os.environ.get(PYTHON_VARIABLE, "")
    if named and not Path(named).is_file():
        raise HarnessError(f"{PYTHON_VARIABLE} is {named}, which is no file; {_GET_COMET}")
    if not named and importlib.util.find_spec("comet") is None:
        raise HarnessError(f"COMET needs unbabel-comet, which is not installed; {_GET_COMET}")
    return named or sys.executable
