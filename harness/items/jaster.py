"""Reads a directory in the layout of llm-jp-eval 1.3, and names the file and line of every fault.

    DIR/{train,dev,test}/NAME.json      (or DIR/evaluation/{train,dev,test}/NAME.json)
    {"instruction": str, "output_length": int, "metrics": [str], "few_shots": [...],
     "samples": [{"input": str, "output": str}]}

Our own sets add `category`, `format` (a FormatRule) and, in a sample, `accept`.
"""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from harness.errors import HarnessError
from harness.items.jaster_datasets import DATASETS, METRIC_NAMES, Dataset
from harness.items.jaster_file import SplitFile, read_split_file
from harness.items.schema import FormatRule, Item, Metric, content_hash

SPLITS = ("train", "dev", "test")
MAX_FAULTS = 20


@dataclass(frozen=True)
class Found:
    """A dataset of a directory.

    split    which split is asked: test, or dev where there is no test
    asked    its file; None where that is malformed
    train    the file that the few-shots come from; None where there is none
    dev      for protocols that ask a second split
    dataset  what is known of it: our table's entry, or what the file itself says
    faults   `file:line: what is wrong, what was expected`; with any, the dataset is not usable
    """

    name: str
    split: str
    asked: SplitFile | None
    train: SplitFile | None
    dev: SplitFile | None
    dataset: Dataset | None
    faults: tuple[str, ...]

    @property
    def repeated(self) -> int:
        """Samples that ask and answer the same as an earlier one; each counts, as it does in
        llm-jp-eval."""
        samples = self.asked.samples if self.asked else ()
        return len(samples) - len({(one.input, one.output) for one in samples})


@dataclass(frozen=True)
class JasterDirectory:
    """What a directory holds: `missing` are datasets of the protocol that it lacks; `hash` changes
    with any byte of any file that was read."""

    path: Path
    found: tuple[Found, ...]
    missing: tuple[str, ...]
    hash: str


def read_directory(path: Path, names: Sequence[str] = ()) -> JasterDirectory:
    """Reads and validates every dataset of a directory, or only those named.

    Raises HarnessError when it is no directory of this layout, or lacks a named dataset. Faults
    inside files do not raise: they stand in `Found.faults`.
    """
    root = _root(path)
    present = sorted({file.stem for split in ("test", "dev") for file in _files(root, split)})
    if not present:
        raise HarnessError(f"{path}: {root}/test and {root}/dev hold no *.json file")
    if lacking := [name for name in names if name not in present]:
        raise HarnessError(f"{path}: no dataset {', '.join(lacking)}; it has {', '.join(present)}")
    found = tuple(_read_dataset(root, name) for name in dict.fromkeys(names or present))
    missing = tuple(name for name, one in DATASETS.items() if one.official and name not in present)
    digests = [
        [one.name, kind, file.hash]
        for one in found
        for kind, file in (("asked", one.asked), ("train", one.train), ("dev", one.dev))
        if file is not None
    ]
    return JasterDirectory(path, found, missing, content_hash(digests))


def require_sound(directory: JasterDirectory) -> None:
    """Raises HarnessError with the faults of all datasets, if there are any."""
    faults = [fault for one in directory.found for fault in one.faults]
    if faults:
        shown = faults[:MAX_FAULTS]
        if len(faults) > MAX_FAULTS:
            shown.append(f"... and {len(faults) - MAX_FAULTS} more faults")
        raise HarnessError("\n".join(shown))


def dataset_items(
    found: Found,
    file: SplitFile,
    *,
    category: str,
    metric: Metric,
    shots: int,
    limit: int | None,
    prefix: str = "",
) -> list[Item]:
    """The first `limit` samples of a file as items, each with the first `shots` of train.

    Raises HarnessError when train has fewer samples than `shots`.
    """
    assert found.dataset is not None
    samples = found.train.samples if found.train else ()
    if len(samples) < shots:
        where = found.train.path if found.train else file.path.parents[1] / "train" / file.path.name
        raise HarnessError(
            f"{where}: {len(samples)} samples, but {shots} few-shots were asked for; add samples "
            f"to the file, or ask with --shots {len(samples)}"
        )
    examples = tuple((one.input, one.output) for one in samples[:shots])
    copies: Counter[tuple[str, str]] = Counter()
    items = []
    for number, sample in enumerate(file.samples[:limit], 1):
        content = (sample.input, sample.output)
        items.append(
            Item(
                id=f"{prefix}{found.name}/{number:05d}",
                genre=category,
                turns=(sample.input,),
                answer=sample.output,
                format=found.dataset.format,
                metric=metric,
                accept=sample.accept,
                skill=found.name,
                cluster=_cluster(found.name, sample.input),
                dataset=found.name,
                instruction=file.instruction,
                shots=examples,
                max_tokens=file.output_length,
                copy=copies[content],
            )
        )
        copies[content] += 1
    return items


def _cluster(name: str, text: str) -> str:
    """Questions about one passage are not independent, nor is a question asked twice."""
    head, separator, _ = text.rpartition("\n質問：")
    shared = head if separator and head.startswith("文章：") else text
    return f"{name}/{hashlib.sha256(shared.encode()).hexdigest()[:12]}"


def _root(path: Path) -> Path:
    """The folder that holds the splits."""
    if not path.is_dir():
        raise HarnessError(f"{path}: no such directory; expected one that llm-jp-eval converted")
    for root in (path, path / "evaluation"):
        if (root / "test").is_dir() or (root / "dev").is_dir():
            return root
    if path.name in ("test", "dev", "train"):
        return _root(path.parent)
    raise HarnessError(
        f"{path}: holds neither test/ nor dev/ nor evaluation/; expected the layout that "
        "llm-jp-eval's preprocess_dataset.py writes: evaluation/{train,dev,test}/NAME.json"
    )


def _files(root: Path, split: str) -> list[Path]:
    return sorted((root / split).glob("*.json"))


def _read_dataset(root: Path, name: str) -> Found:
    faults: list[str] = []
    files: dict[str, SplitFile | None] = {}
    for split in SPLITS:
        path = root / split / f"{name}.json"
        files[split] = read_split_file(path, faults) if path.exists() else None
    split = "test" if (root / "test" / f"{name}.json").exists() else "dev"
    asked = files[split]
    dataset = None
    if asked is not None:
        try:
            dataset = _known(name, asked)
        except ValueError as fault:
            faults.append(f"{asked.path}:{fault}")
    return Found(name, split, asked, files["train"], files["dev"], dataset, tuple(faults))


def _known(name: str, file: SplitFile) -> Dataset:
    """What a dataset is: the table's entry; else as its file says."""
    if name in DATASETS:
        return DATASETS[name]
    known = [METRIC_NAMES[metric] for metric in file.metrics if metric in METRIC_NAMES]
    if not known:
        raise ValueError(
            f"1: none of the metrics {', '.join(file.metrics)} is known, expected one of "
            f"{', '.join(METRIC_NAMES)}"
        )
    category = file.category or "other"
    # A list of entries where a set is compared, otherwise one line of text.
    rule = file.format or FormatRule("lines" if known[0] == "set_f1" else "span")
    return Dataset(name, category, file.output_length, known[0], rule)
