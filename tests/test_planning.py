"""`harness plan`: golden values worked out by hand, and what must hold for any plan."""

from __future__ import annotations

import json

import pytest
from click.testing import CliRunner
from hypothesis import given
from hypothesis import strategies as st

from harness.cli.main import harness
from harness.errors import HarnessError
from training.planning import (
    Budget,
    Corpus,
    Layout,
    Shape,
    advice,
    amount,
    effective_tokens,
    finetune_memory_gib,
    memory_gib,
    plan,
    shape_of,
    training_flops_per_token,
    written,
)

LLAMA_8B = Shape(8.03e9, 8.03e9, 32, 4096, 14336)


def test_flops_of_a_token() -> None:
    # 6 · 8.03e9 = 48.18e9; 12 · 32 · 4096 · 8192 = 12,884,901,888
    assert training_flops_per_token(LLAMA_8B, 8192) == pytest.approx(61_064_901_888)


def test_tokens_a_day_and_chinchilla() -> None:
    # 64 · 989.4e12 · 0.4 · 86,400 s = 2.188394496e21 FLOP; over 61.064901888e9: 35.837e9 tokens.
    day = Budget(64, 989.4, 0.4, 24)
    assert day.flops == pytest.approx(2.188394496e21)
    (row,) = plan([("8B", LLAMA_8B)], Corpus(100e9), day, Layout(context=8192))
    assert row.tokens_per_day == row.tokens == pytest.approx(35.8372e9, rel=1e-5)
    assert row.tokens_per_parameter == pytest.approx(4.46291, rel=1e-5)
    assert row.chinchilla == pytest.approx(0.223146, rel=1e-5)
    # 20 · 8.03e9 = 160.6e9 tokens, at 35.8372e9 a day.
    assert row.days_for_chinchilla == pytest.approx(4.48138, rel=1e-5)
    assert row.epochs == pytest.approx(0.358372, rel=1e-5)
    assert row.notes == ("undertrained: 161B tokens are 20 a parameter",)


def test_what_the_start_has_seen_counts() -> None:
    (row,) = plan(
        [("8B", LLAMA_8B)], Corpus(100e9, seen=15e12), Budget(64, 989.4, 0.4, 24), Layout()
    )
    assert row.tokens_per_parameter > 15e12 / 8.03e9
    assert row.days_for_chinchilla == 0
    assert row.notes == ()


def test_upcycling_eight_billion_eight_times() -> None:
    # A layer's experts: 3 · 4096 · 14336 = 176,160,768; 32 layers: 5,637,144,576 an expert.
    shape = LLAMA_8B.upcycled(8, 2)
    assert shape.parameters == pytest.approx(8.03e9 + 7 * 5_637_144_576)  # 47.49e9, "8x8B"
    assert shape.active == pytest.approx(8.03e9 + 5_637_144_576)


def test_repeated_tokens_are_worth_less() -> None:
    # R = 3: 100 + 100 · 15.387756 · (1 − e^(−3 / 15.387756)) = 100 + 1538.7756 · 0.177133
    assert effective_tokens(100, 400) == pytest.approx(372.57, abs=0.01)
    assert effective_tokens(100, 80) == 80
    # Muennighoff et al.: up to four epochs nearly as good as new, at forty hardly more is gained.
    assert effective_tokens(100, 400) / 400 > 0.9
    assert effective_tokens(100, 4000) / 4000 < 0.45


def test_epochs_beyond_four_are_told() -> None:
    budget = Budget(64, 989.4, 0.4, 240)
    corpus = Corpus(unique=50e9, synthetic=2e9, synthetic_share=0.1)
    (row,) = plan([("8B", LLAMA_8B)], corpus, budget, Layout(context=8192))
    assert row.synthetic_epochs == pytest.approx(358.372e9 * 0.1 / 2e9, rel=1e-4)
    assert row.epochs == pytest.approx(358.372e9 * 0.9 / 50e9, rel=1e-4)
    assert row.notes == (
        "6.5 epochs over the corpus: beyond 4 repeating pays less",
        "17.9 epochs over the synthetic data: beyond 4 repeating pays less",
    )


def test_memory_of_eight_billion_on_64_gpus() -> None:
    # State 8e9 · (6 + 12/64) = 49.5e9 bytes = 46.10 GiB; activations 4096 · 4096 · 34 · 32 =
    # 17 GiB; logits 4096 · 128256 · 6 bytes = 2.94 GiB.
    shape = Shape(8e9, 8e9, 32, 4096, 14336)
    assert memory_gib(shape, Layout(), 64) == pytest.approx(66.04, abs=0.01)
    # Tensor parallel 8: 8e9 / 8 · (6 + 12/8) = 7.5e9 bytes; activations and logits an eighth.
    assert memory_gib(shape, Layout(tensor=8), 64) == pytest.approx(6.985 + 2.125 + 0.367, abs=0.01)
    # Recomputed: 2 bytes a token and layer.
    assert memory_gib(shape, Layout(recompute=True), 64) == pytest.approx(50.04, abs=0.01)


def test_memory_of_fine_tuning() -> None:
    shape = Shape(8e9, 8e9, 32, 4096, 14336, 128_256)
    settings = {"context": 2048, "at_once": 1, "recompute": True, "frozen_bytes": 2}
    # 16 · 8e9 bytes = 119.21 GiB; activations 2048 · 4096 · 2 · 32 = 0.5; logits 1.468.
    assert finetune_memory_gib(shape, lora_rank=0, **settings) == pytest.approx(121.18, abs=0.01)
    # The frozen weights 14.90 GiB; rank 16: 16 · (4 · 4096 + 2 · 5120 + 3 · 18432) · 32 layers =
    # 41,943,040 weights of 16 bytes, 0.625 GiB.
    assert finetune_memory_gib(shape, lora_rank=16, **settings) == pytest.approx(17.49, abs=0.01)


def test_amounts() -> None:
    assert [amount(one) for one in ("8B", "1.5T", "300M", "20e9", "7k")] == [
        8e9,
        1.5e12,
        3e8,
        2e10,
        7e3,
    ]
    for wrong in ("", "8 billion", "-1B", "B", "0", "1.2.3B", "1e999"):
        with pytest.raises(HarnessError, match="is no amount"):
            amount(wrong)


@given(st.floats(1, 1e15))
def test_what_is_written_is_read_again(value: float) -> None:
    assert amount(written(value)) == pytest.approx(value, rel=0.01)


@given(st.floats(1e6, 2e12))
def test_a_shape_has_about_its_parameters(parameters: float) -> None:
    shape = shape_of(parameters)
    body = shape.layers * (2.5 * shape.width**2 + 3 * shape.width * shape.feed_forward)
    assert 0.2 * parameters < body < 1.8 * parameters
    assert shape.parameters == shape.active == parameters


@given(unique=st.floats(1, 1e12), seen=st.floats(1, 1e13), more=st.floats(1.01, 10))
def test_more_tokens_are_never_worth_less(unique: float, seen: float, more: float) -> None:
    assert effective_tokens(unique, seen) <= seen
    assert effective_tokens(unique, seen * more) >= effective_tokens(unique, seen)
    assert effective_tokens(unique * more, seen) >= effective_tokens(unique, seen) * (1 - 1e-9)


@given(hours=st.floats(1, 1e4), gpus=st.integers(1, 4096), size=st.floats(1e8, 1e11))
def test_advice_names_a_size_that_sees_enough_where_there_is_one(
    hours: float, gpus: int, size: float
) -> None:
    models = [(f"m{n}", shape_of(size * 2**n)) for n in range(3)]
    rows = plan(models, Corpus(1e13), Budget(gpus, 500, 0.4, hours), Layout())
    assert [row.tokens for row in rows] == sorted((row.tokens for row in rows), reverse=True)
    enough = [row for row in rows if row.chinchilla >= 1]
    first = advice(rows)[0]
    if enough:
        assert first.startswith(f"{enough[-1].model} is the largest that sees enough")
    else:
        assert first.startswith("No size sees 20 tokens a parameter; m0 comes nearest")


ARGUMENTS = ["plan", "--tokens", "500B", "--gpus", "64", "--hours", "720", "--size", "1B,8B,70B"]


def test_the_command_prints_a_table_and_advice() -> None:
    shown = CliRunner().invoke(harness, [*ARGUMENTS, "--experts", "8"])
    assert shown.exit_code == 0, shown.output
    for name in ("1B", "8x1B", "8B", "8x8B", "70B"):
        assert f"\n {name} " in shown.output
    assert "tokens are 20 a parameter" in shown.output
    assert "upcycl" in shown.output


@pytest.mark.parametrize("kind", ["json", "csv", "markdown"])
def test_the_command_for_machines(kind: str) -> None:
    shown = CliRunner().invoke(harness, [*ARGUMENTS, f"--{kind}"])
    assert shown.exit_code == 0
    if kind == "json":
        rows = json.loads(shown.output)
        assert [row["model"] for row in rows] == ["1B", "8B", "70B"]
        assert rows[1]["chinchilla"] == pytest.approx(rows[1]["tokens"] / (20 * 8e9))
    else:
        assert len(shown.output.splitlines()) == {"csv": 4, "markdown": 5}[kind]


@pytest.mark.parametrize(
    ("arguments", "fault"),
    [
        (["--gpu", "H900"], r"--gpu H900 is not in the table \(A100, "),
        (["--tensor", "3"], "--tensor 3 times --pipeline 1 does not divide --gpus 64"),
        (["--size", "big"], "'big' is no amount"),
        (["--experts", "2", "--chosen", "3"], "--chosen 3 is more than --experts 2"),
    ],
)
def test_what_cannot_be_planned(arguments: list[str], fault: str) -> None:
    shown = CliRunner().invoke(harness, [*ARGUMENTS, *arguments])
    assert isinstance(shown.exception, HarnessError)
    import re

    assert re.search(fault, str(shown.exception))
