"""How far a budget goes: tokens a day, tokens a parameter, epochs, memory. Pure arithmetic.

Every number is an estimate from published formulae; what they leave out is said beside each.
"""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any

from harness.errors import HarnessError

# Hoffmann et al. 2022 ("Chinchilla"), table 3: compute-optimal training sees about 20 tokens a
# parameter.
CHINCHILLA_TOKENS_PER_PARAMETER = 20
# Muennighoff et al. 2023, "Scaling Data-Constrained Language Models": up to four epochs repeated
# tokens are worth nearly as much as new ones; R* of equation 5 as fitted there.
EPOCHS_WORTH_NEW_DATA = 4
REPEATS_HALF_LIFE = 15.387756

# Peak dense bfloat16 TFLOP/s of one accelerator, without sparsity, from the makers' data sheets:
# NVIDIA A100, H100, H200, HGX B200, L4, L40S, RTX 4090 (ADA whitepaper), AMD Instinct MI300X.
PEAK_TFLOPS = {
    "A100": 312.0,
    "H100": 989.4,
    "H100-PCIE": 756.0,
    "H200": 989.4,
    "B200": 2250.0,
    "L4": 121.0,
    "L40S": 362.0,
    "RTX4090": 165.2,
    "MI300X": 1307.4,
}
GIB = 1024**3
_UNITS = {"": 1.0, "K": 1e3, "M": 1e6, "B": 1e9, "G": 1e9, "T": 1e12}


@dataclass(frozen=True)
class Shape:
    """A Llama-style decoder, as far as cost depends on it.

    parameters    stored weights;  active: those that each token passes through
    feed_forward  inner width of the gated feed-forward layer
    """

    parameters: float
    active: float
    layers: int
    width: int
    feed_forward: int
    vocabulary: int = 128_256

    def upcycled(self, experts: int, chosen: int) -> Shape:
        """The mixture of experts made by copying this model's feed-forward layers, of which each
        token passes through `chosen` (Komatsuzaki et al. 2023, "Sparse Upcycling"). Routers are
        left out: width · experts a layer."""
        each = 3 * self.width * self.feed_forward * self.layers
        return replace(
            self,
            parameters=self.parameters + (experts - 1) * each,
            active=self.active + (chosen - 1) * each,
        )


def shape_of(parameters: float, vocabulary: int = 128_256) -> Shape:
    """A shape for a number of parameters: that of a published Llama where one is within 15 %, else
    one with width 128 · layers and feed-forward 3.5 · width, which has about 13 · layers · width²
    weights besides its embeddings (attention with grouped queries 2.5, feed-forward 10.5)."""
    for known in _LLAMAS:
        if abs(known.parameters / parameters - 1) <= 0.15:
            return replace(known, parameters=parameters, active=parameters)
    layers = max(2, round((parameters / (13 * 128**2)) ** (1 / 3)))
    width = max(128, 64 * round(math.sqrt(parameters / (13 * layers)) / 64))
    return Shape(parameters, parameters, layers, width, int(3.5 * width), vocabulary)


# Llama 3.2 1B and 3B, Llama 3.1 8B and 70B, Llama 2 13B, from their config.json.
_LLAMAS = (
    Shape(1.24e9, 1.24e9, 16, 2048, 8192),
    Shape(3.21e9, 3.21e9, 28, 3072, 8192),
    Shape(8.03e9, 8.03e9, 32, 4096, 14336),
    Shape(13.0e9, 13.0e9, 40, 5120, 13824, 32_000),
    Shape(70.6e9, 70.6e9, 80, 8192, 28672),
)


@dataclass(frozen=True)
class Budget:
    """Machines and time.

    tflops  peak of one accelerator;  mfu: the share of it that training reaches
    """

    gpus: int
    tflops: float
    mfu: float
    hours: float

    @property
    def flops(self) -> float:
        """Useful FLOP in all."""
        return self.gpus * self.tflops * 1e12 * self.mfu * self.hours * 3600


@dataclass(frozen=True)
class Corpus:
    """What there is to learn from, in tokens.

    unique           of the corpus;  synthetic: of synthetic data
    synthetic_share  of all tokens seen, how many are synthetic
    seen             tokens that the starting checkpoint has seen before
    """

    unique: float
    synthetic: float = 0.0
    synthetic_share: float = 0.0
    seen: float = 0.0


@dataclass(frozen=True)
class Layout:
    """How training is spread out, for memory.

    context      tokens of a sequence;  micro_batch: sequences at once on a GPU
    tensor, pipeline  parallel sizes;  recompute: whether activations are computed again
    """

    context: int = 4096
    micro_batch: int = 1
    tensor: int = 1
    pipeline: int = 1
    recompute: bool = False


@dataclass(frozen=True)
class PlanRow:
    """What one size of model comes to within a budget.

    tokens            seen within the budget;  tokens_per_day
    tokens_per_parameter  of the active ones, with what was seen before
    chinchilla        how many times the compute-optimal number of tokens that is
    epochs, synthetic_epochs  over the corpus and over the synthetic data
    effective_tokens  what the tokens are worth as new ones
    flops             of training;  days_for_chinchilla: until 20 tokens a parameter
    memory            GiB on each GPU
    notes             warnings, one phrase each
    """

    model: str
    parameters: float
    active: float
    flops_per_token: float
    tokens_per_day: float
    tokens: float
    flops: float
    tokens_per_parameter: float
    chinchilla: float
    days_for_chinchilla: float
    epochs: float
    synthetic_epochs: float | None
    effective_tokens: float
    memory: float
    notes: tuple[str, ...]

    def to_dict(self) -> dict[str, Any]:
        """Plain values."""
        return asdict(self) | {"notes": "; ".join(self.notes)}


def amount(text: str) -> float:
    """A number with a unit: "8B", "1.5T", "300M", "20e9". Raises HarnessError for anything else."""
    found = re.fullmatch(r"\s*([0-9.]+(?:[eE][+-]?[0-9]+)?)\s*([KMBGTkmbgt]?)\s*", text)
    try:
        value = float(found[1]) * _UNITS[found[2].upper()] if found else math.nan
    except ValueError:
        value = math.nan
    if not (math.isfinite(value) and value > 0):
        raise HarnessError(f"{text!r} is no amount; write 8B, 1.5T, 300M or 20e9")
    return value


def written(value: float) -> str:
    """A number with a unit, three digits: 8.03B."""
    for unit in ("T", "B", "M", "K"):
        if value >= _UNITS[unit] * 0.9995:
            return f"{value / _UNITS[unit]:.3g}{unit}"
    return f"{value:.3g}"


def training_flops_per_token(shape: Shape, context: int) -> float:
    """FLOP of forward and backward for one token: 6 · N + 12 · layers · width · context, N the
    weights that it passes through (Chowdhery et al. 2022, "PaLM", appendix B). The attention term
    counts every pair of tokens, as is the custom; a causal kernel does half of it."""
    return 6 * shape.active + 12 * shape.layers * shape.width * context


def effective_tokens(unique: float, seen: float) -> float:
    """What `seen` tokens drawn from `unique` ones are worth as new tokens.

    U + U · R* · (1 − exp(−R / R*)) with R = seen / unique − 1 repetitions (Muennighoff et al. 2023,
    equation 5, R* = 15.4); `seen` itself up to one epoch.
    """
    if seen <= unique:
        return seen
    repeats = seen / unique - 1
    return unique + unique * REPEATS_HALF_LIFE * (1 - math.exp(-repeats / REPEATS_HALF_LIFE))


def memory_gib(shape: Shape, layout: Layout, gpus: int) -> float:
    """GiB on one GPU in Megatron-Core with bfloat16, float32 gradients and the distributed Adam.

    State: 6 + 12 / d bytes for each weight of the GPU's part, d the data-parallel processes (the
    table in Megatron-Core's documentation of the distributed optimizer). Activations: 34 bytes ·
    context · micro-batch · width a layer with sequence parallelism and an attention kernel that
    keeps no matrix, 2 bytes with full recomputation (Korthikanti et al. 2022, equations 4 and 6);
    the first pipeline stage holds those of all micro-batches in flight, that is of every layer.
    Logits: 6 bytes a token and vocabulary entry. Fragments and the allocator's reserve are left
    out: leave a tenth free.
    """
    shards = layout.tensor * layout.pipeline
    parallel = max(1, gpus // shards)
    state = shape.parameters / shards * (6 + 12 / parallel)
    tokens = layout.context * layout.micro_batch
    a_layer = tokens * shape.width * (2 if layout.recompute else 34 / layout.tensor)
    logits = tokens * shape.vocabulary * 6 / layout.tensor
    return (state + a_layer * shape.layers + logits) / GIB


def plan(
    models: Sequence[tuple[str, Shape]], corpus: Corpus, budget: Budget, layout: Layout
) -> list[PlanRow]:
    """A row for each model, in the order given."""
    return [_row(name, shape, corpus, budget, layout) for name, shape in models]


def _row(name: str, shape: Shape, corpus: Corpus, budget: Budget, layout: Layout) -> PlanRow:
    per_token = training_flops_per_token(shape, layout.context)
    tokens = budget.flops / per_token
    per_day = tokens / budget.hours * 24
    enough = CHINCHILLA_TOKENS_PER_PARAMETER * shape.active
    total = tokens + corpus.seen
    natural, synthetic = (
        tokens * (1 - corpus.synthetic_share),
        tokens * corpus.synthetic_share,
    )
    epochs = natural / corpus.unique
    synthetic_epochs = synthetic / corpus.synthetic if corpus.synthetic else None
    worth = effective_tokens(corpus.unique, natural)
    if corpus.synthetic:
        worth += effective_tokens(corpus.synthetic, synthetic)
    notes = []
    if total < enough:
        notes.append(f"undertrained: {written(enough)} tokens are 20 a parameter")
    for what, count in (("corpus", epochs), ("synthetic data", synthetic_epochs or 0.0)):
        if count > EPOCHS_WORTH_NEW_DATA:
            notes.append(f"{count:.1f} epochs over the {what}: beyond 4 repeating pays less")
    return PlanRow(
        model=name,
        parameters=shape.parameters,
        active=shape.active,
        flops_per_token=per_token,
        tokens_per_day=per_day,
        tokens=tokens,
        flops=budget.flops,
        tokens_per_parameter=total / shape.active,
        chinchilla=total / enough,
        days_for_chinchilla=max(0.0, enough - corpus.seen) / per_day,
        epochs=epochs,
        synthetic_epochs=synthetic_epochs,
        effective_tokens=worth,
        memory=memory_gib(shape, layout, budget.gpus),
        notes=tuple(notes),
    )


def advice(rows: Sequence[PlanRow]) -> list[str]:
    """Which size to train: enough tokens come before parameters.

    The largest model that sees at least 20 tokens for each parameter it computes with. Where none
    does, the smallest, and the sentence says so. A smaller model than that sees more tokens, is
    cheaper to serve and to align, and loses little; if its capacity runs out later, it can be
    upcycled to a mixture of experts without starting again.
    """
    if not rows:
        return []
    by_size = sorted(rows, key=lambda row: row.active)
    enough = [row for row in by_size if row.chinchilla >= 1]
    if not enough:
        least = by_size[0]
        return [
            f"No size sees 20 tokens a parameter; {least.model} comes nearest "
            f"({least.tokens_per_parameter:.1f}). Take a smaller model or more hours: tokens come "
            "before parameters."
        ]
    best = enough[-1]
    sentences = [
        f"{best.model} is the largest that sees enough: {best.tokens_per_parameter:.0f} tokens a "
        f"parameter, {best.chinchilla:.1f} times Chinchilla's 20."
    ]
    if len(enough) > 1:
        smaller = enough[-2]
        sentences.append(
            f"In doubt prefer {smaller.model}: it sees {smaller.tokens / best.tokens:.1f} times "
            "the tokens in the same hours, and can be upcycled to a mixture of experts later."
        )
    if too_large := [row.model for row in by_size if row.chinchilla < 1]:
        sentences.append(
            f"{', '.join(too_large)}: too few tokens for the size; upcycling a smaller model that "
            "has seen enough is the cheaper way to more parameters."
        )
    if best.effective_tokens < 0.9 * best.tokens:
        sentences.append(
            f"Its {written(best.tokens)} tokens repeat the data so often that they are worth "
            f"{written(best.effective_tokens)} new ones: more data pays more than more hours."
        )
    return sentences


def finetune_memory_gib(
    shape: Shape, *, context: int, at_once: int, lora_rank: int, recompute: bool, frozen_bytes: int
) -> float:
    """GiB of one process that fine-tunes without sharding.

    All weights: 16 bytes each (float32 weights, gradients and Adam's two moments). LoRA: the frozen
    weights at `frozen_bytes`, and 16 bytes for each of the adapter's: rank · (in + out) of the
    seven matrices of a layer, with key and value a quarter of the width. Activations and logits as
    in `memory_gib`.
    """
    narrow = shape.width // 4
    in_and_out = (
        4 * shape.width + 2 * (shape.width + narrow) + 3 * (shape.width + shape.feed_forward)
    )
    adapter = lora_rank * in_and_out * shape.layers
    state = shape.parameters * frozen_bytes + 16 * adapter if lora_rank else 16 * shape.parameters
    tokens = context * at_once
    activations = tokens * shape.width * (2 if recompute else 34) * shape.layers
    return (state + activations + tokens * shape.vocabulary * 6) / GIB


def peak_flops(processes: int) -> float | None:
    """Peak FLOP/s of this machine's accelerators of one kind, over all `processes`; None on a CPU
    or where the kind is not in the table."""
    import torch

    if not torch.cuda.is_available():
        return None
    device = torch.cuda.get_device_name().upper().replace(" ", "")
    for name in sorted(PEAK_TFLOPS, key=len, reverse=True):
        if all(part in device for part in name.split("-")):
            return PEAK_TFLOPS[name] * 1e12 * processes
    return None
