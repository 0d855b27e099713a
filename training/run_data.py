"""What a pretraining run reads: its tokenizer, its parts, and its stream from any position on."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec

from harness.errors import HarnessError
from training.architecture import Architecture, from_hugging_face_config
from training.batch import Batch, collate
from training.data import Sample, boilerplate, component_samples, inventory_texts
from training.documents import is_indexed, read_documents, texts_of
from training.mixture import Mixture, Rollback, Segment, segments
from training.parts import Part, Reading, cut, held_out_by_genre, read_parts
from training.pretrain_config import PretrainConfig, steps_of
from training.stream import Share, block_batches, blocks_needed, row_batches
from training.tokenizer import (
    CHAT_PREFIX,
    CHAT_SUFFIX,
    build_tokenizer,
    save_tokenizer,
    train_tokenizer,
)

if TYPE_CHECKING:
    from training.indexed import Blocks

ROLLBACKS = "rollbacks.json"
# Characters that a tokenizer is trained on; more change it little.
_TOKENIZER_CHARACTERS = 50_000_000
_LOOK = 0.5


@dataclass(frozen=True)
class RunData:
    """Everything that a run reads, the same in every process.

    shape      of the model, whose vocabulary is the tokenizer's or the starting checkpoint's
    parts      documents by component and genre
    steps      of each phase
    rollbacks  so far, oldest first
    """

    config: PretrainConfig
    mixture: Mixture
    tokenizer: Any
    shape: Architecture
    parts: tuple[Part, ...]
    steps: tuple[int, ...]
    rollbacks: tuple[Rollback, ...]

    @property
    def total(self) -> int:
        """Optimizer steps in all."""
        return sum(self.steps)

    @property
    def segments(self) -> tuple[Segment, ...]:
        return segments(self.mixture, self.steps, self.rollbacks)

    @property
    def passed_over(self) -> int:
        """By how much the data is ahead of the steps: what was read before rollbacks."""
        return sum(rollback.at - rollback.to for rollback in self.rollbacks)

    def segment(self, step: int) -> Segment:
        """That of the batch which takes the weights from `step` to the next one."""
        position = step + self.passed_over
        return next(each for each in self.segments if position < each.start + each.steps)

    def batches(self, step: int, share: Share) -> Iterator[Batch]:
        """This process's batches from that after `step` on."""
        config, start = self.config, step + self.passed_over
        if not config.length:
            return row_batches(
                self.parts,
                self.segments,
                batch_size=config.batch_size,
                positions=self.shape.positions,
                pad=self.tokenizer.pad_token_id or 0,
                seed=config.seed,
                start=start,
                share=share,
            )
        return block_batches(
            self.parts,
            self._blocks(),
            self.segments,
            batch_size=config.batch_size,
            start=start,
            share=share,
            reset=config.reset,
        )

    def _blocks(self) -> dict[str, Blocks]:
        import torch

        from training.indexed import Blocks

        blocks = {
            part.key: Blocks(part, self.config.length, self.config.seed) for part in self.parts
        }
        needed = blocks_needed(self.parts, self.segments, self.config.batch_size)
        if torch.distributed.get_rank() == 0:
            for name, count in needed.items():
                blocks[name].prepare(count)
        torch.distributed.barrier()
        for name, count in needed.items():
            blocks[name].prepare(count)
        return blocks

    def held_out(self) -> dict[str, Batch]:
        """A batch of documents by genre that is never trained on."""
        most = self.config.length + 1 if self.config.length else self.shape.positions
        rows = held_out_by_genre(self.parts, self.config.held_out)
        pad = self.tokenizer.pad_token_id or 0
        # Packed runs may cut sequences into equal parts, so theirs are all of one length.
        return {
            genre: collate([cut(row, most) for row in found], pad, length=self.config.length)
            for genre, found in rows.items()
        }


def open_run_data(config: PretrainConfig, *, first: bool) -> RunData:
    """Reads, generates or indexes everything; the `first` process does what is done once."""
    mixture = config.mixtures()
    tokenizer = _tokenizer(config, mixture, first)
    shape = _shape(config, tokenizer)
    reading = Reading(
        level=config.level,
        samples=config.samples,
        seed=config.seed,
        held_out=config.held_out,
        share=config.held_out_share,
        indexed=bool(config.length),
        vocabulary=shape.vocabulary,
    )
    parts = read_parts(mixture.components, tokenizer, reading, first=first)
    return RunData(
        config,
        mixture,
        tokenizer,
        shape,
        tuple(parts),
        tuple(steps_of(config, mixture)),
        read_rollbacks(config.output),
    )


def _shape(config: PretrainConfig, tokenizer: Any) -> Architecture:
    if config.start is not None:
        found = from_hugging_face_config(config.start)
        if len(tokenizer) > found.vocabulary:
            raise HarnessError(
                f"the tokenizer has {len(tokenizer)} tokens and {config.start} has "
                f"{found.vocabulary} rows for them: use the checkpoint's own tokenizer"
            )
        if config.length > found.positions:
            raise HarnessError(
                f"length is {config.length} and {config.start} takes {found.positions} positions"
            )
        return found
    return architecture(config, len(tokenizer))


def architecture(config: PretrainConfig, vocabulary: int) -> Architecture:
    """The shape of a model that starts from nothing."""
    return Architecture(
        vocabulary=vocabulary,
        width=config.width,
        layers=config.layers,
        heads=config.heads,
        groups=config.groups,
        head_size=config.head_size,
        feed_forward=config.feed_forward,
        positions=config.positions,
        rope_theta=config.rope_theta,
        tied=config.tied,
        experts=config.experts,
        top_k=config.top_k,
    )


def _tokenizer(config: PretrainConfig, mixture: Mixture, first: bool) -> Any:
    """The run's tokenizer, kept in its directory, where a resumed run finds it."""
    from harness.engines.prompt import load_tokenizer

    place = config.output / "tokenizer"
    if first and not place.is_dir():
        partial = place.with_name(".partial_tokenizer")
        tokenizer = _make_tokenizer(config, mixture)
        positions = tokenizer.model_max_length if config.start else config.positions
        save_tokenizer(tokenizer, partial, positions)
        partial.rename(place)
    while not place.is_dir():
        time.sleep(_LOOK)
    return load_tokenizer(place)


def _make_tokenizer(config: PretrainConfig, mixture: Mixture) -> Any:
    from harness.engines.prompt import load_tokenizer

    if config.tokenizer in ("unigram", "bpe"):
        texts = list(_texts(config, mixture))
        return train_tokenizer(texts, config.tokenizer, config.vocabulary)
    if config.tokenizer not in ("", "characters"):
        return load_tokenizer(Path(config.tokenizer))
    if config.start is not None:
        return load_tokenizer(config.start)
    return _character_tokenizer(config, mixture)


def _character_tokenizer(config: PretrainConfig, mixture: Mixture) -> Any:
    samples = _probe_samples(config, mixture)
    texts = [text for part in samples for each in part for text in (each.prompt, each.answer)]
    # A few samples of each component show its instructions, whatever the component's weight.
    questions = [sample for part in samples for sample in part[:1000]]
    frame = [CHAT_PREFIX, CHAT_SUFFIX] * len(questions)
    return build_tokenizer(
        [*texts, *inventory_texts(), *_file_texts(mixture)],
        [*frame, *boilerplate(questions)],
        config.merges,
    )


def _probe_samples(config: PretrainConfig, mixture: Mixture) -> list[list[Sample]]:
    probes = sorted(each.probe for each in mixture.components.values() if each.probe)
    return [
        component_samples(name, count=config.samples, level=config.level, seed=config.seed)
        for name in probes
    ]


def _texts(config: PretrainConfig, mixture: Mixture) -> Iterator[str]:
    for part in _probe_samples(config, mixture):
        for sample in part:
            yield from filter(None, (sample.prompt, sample.answer))
    yield from _file_texts(mixture)


def _file_texts(mixture: Mixture) -> Iterator[str]:
    """Texts of the components that have files, as many characters of each as the others'."""
    files = {
        name: component
        for name, component in sorted(mixture.components.items())
        if component.path and not is_indexed(component)
    }
    for name, component in files.items():
        yield from texts_of(read_documents(name, component), _TOKENIZER_CHARACTERS // len(files))


def read_rollbacks(output: Path) -> tuple[Rollback, ...]:
    """The rollbacks of a run so far."""
    path = output / ROLLBACKS
    if not path.is_file():
        return ()
    try:
        return tuple(msgspec.json.decode(path.read_bytes(), type=list[Rollback]))
    except msgspec.DecodeError as error:
        raise HarnessError(f"{path} cannot be read ({error}); restore it") from None


def write_rollbacks(output: Path, rollbacks: Sequence[Rollback]) -> None:
    partial = output / f".{ROLLBACKS}"
    partial.write_text(json.dumps([asdict(each) for each in rollbacks], indent=2), "utf-8")
    partial.replace(output / ROLLBACKS)
