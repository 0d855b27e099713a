"""Loading a checkpoint runs no code of its own and fetches nothing."""

from __future__ import annotations

import json
import pickle
import shutil
from collections.abc import Callable
from contextlib import nullcontext
from pathlib import Path
from typing import Any

import pytest

from harness.checkpoint import discover
from harness.engines.prompt import load_renderer, load_tokenizer
from harness.engines.types import Message
from harness.errors import HarnessError


class Bomb:
    """Writes a file where it is unpickled."""

    def __init__(self, mark: Path) -> None:
        self.mark = mark

    def __reduce__(self) -> tuple[Any, ...]:
        return Path.touch, (self.mark,)


@pytest.fixture
def hostile(tiny_checkpoint: Path, tmp_path: Path) -> Path:
    """A copy of a whole checkpoint, with code beside it that leaves a mark where it runs."""
    directory = tmp_path / "hostile"
    shutil.copytree(tiny_checkpoint, directory)
    code = f"from pathlib import Path\nPath({str(tmp_path / 'mark')!r}).touch()\n"
    for name in ("configuration_evil.py", "modeling_evil.py", "tokenization_evil.py"):
        (directory / name).write_text(code + "class Evil: pass\n", encoding="utf-8")
    (directory / "custom_generate").mkdir()
    (directory / "custom_generate" / "generate.py").write_text(
        code + "def generate(*given, **named): pass\n", encoding="utf-8"
    )
    return directory


def change(path: Path, **entries: Any) -> None:
    stated = json.loads(path.read_text(encoding="utf-8")) | entries
    path.write_text(json.dumps(stated), encoding="utf-8")


AUTO_MAP = {
    "AutoConfig": "configuration_evil.Evil",
    "AutoModelForCausalLM": "modeling_evil.Evil",
    "AutoTokenizer": ["tokenization_evil.Evil", "tokenization_evil.Evil"],
}


def known(directory: Path) -> None:
    change(directory / "config.json", auto_map=AUTO_MAP)
    change(directory / "tokenizer_config.json", auto_map=AUTO_MAP)


def unknown(directory: Path) -> None:
    change(directory / "config.json", auto_map=AUTO_MAP, model_type="evil")
    change(directory / "tokenizer_config.json", auto_map=AUTO_MAP, tokenizer_class="Evil")


@pytest.mark.parametrize("hide", [known, unknown])
def test_auto_map_runs_nothing(
    hostile: Path, hide: Callable[[Path], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whoever sits at the terminal is not even asked: a yes would run the code."""
    import torch

    from harness.engines.pretrained import load_model

    def asked(prompt: str = "") -> str:
        raise AssertionError(f"asked at the terminal: {prompt}")

    monkeypatch.setattr("builtins.input", asked)
    hide(hostile)
    (found,) = discover(str(hostile))
    faults = [pytest.raises(HarnessError) if hide is unknown else nullcontext() for _ in range(2)]
    with faults[0]:
        load_model(hostile, torch.float32, torch.device("cpu"))
    with faults[1]:
        load_tokenizer(hostile)
        load_renderer(hostile)([Message("user", "一")])
    assert not (hostile.parent / "mark").exists()
    assert found.path == hostile


def test_pickles_beside_weights_are_left_alone(hostile: Path) -> None:
    import torch

    from harness.engines.pretrained import load_model

    mark = hostile.parent / "mark"
    for name in ("pytorch_model.bin", "training_args.bin", "optimizer.pt", "rng_state.pth"):
        (hostile / name).write_bytes(pickle.dumps(Bomb(mark)))
    discover(str(hostile))
    load_model(hostile, torch.float32, torch.device("cpu"))
    assert not mark.exists()


def test_pickled_weights_alone_are_refused_and_never_run(hostile: Path) -> None:
    import torch

    from harness.engines.pretrained import load_model

    mark = hostile.parent / "mark"
    (hostile / "model.safetensors").unlink()
    (hostile / "pytorch_model.bin").write_bytes(pickle.dumps(Bomb(mark)))
    with pytest.raises(HarnessError, match=r"pickled weights only .*--allow-pickle"):
        discover(str(hostile))
    # Allowed, they are read by torch's restricted unpickler, which takes tensors only.
    assert discover(str(hostile), allow_pickle=True)
    with pytest.raises(HarnessError, match="cannot load the model"):
        load_model(hostile, torch.float32, torch.device("cpu"))
    assert not mark.exists()


def test_an_adapter_on_whole_weights_is_refused(hostile: Path) -> None:
    """It would be added by one engine and not by another, and is not in the fingerprint."""
    (hostile / "adapter_config.json").write_text(
        json.dumps({"base_model_name_or_path": "somewhere/else"}), encoding="utf-8"
    )
    with pytest.raises(HarnessError, match=r"whole weights and a LoRA adapter.*move"):
        discover(str(hostile))


@pytest.mark.parametrize("value", ["someone/kernels", {"text": "someone/kernels:run"}])
def test_code_from_a_hub_is_refused(hostile: Path, value: object) -> None:
    change(hostile / "config.json", attn_implementation=value)
    with pytest.raises(HarnessError, match=r"asks for code from a hub.*remove"):
        discover(str(hostile))


def test_every_load_is_restricted() -> None:
    """No call in the source loads from a directory without saying that its code stays unrun."""
    root = Path(__file__).parents[1]
    calls = 0
    for file in [*(root / "harness").rglob("*.py"), *(root / "training").rglob("*.py")]:
        text = file.read_text(encoding="utf-8")
        assert "trust_remote_code=True" not in text
        for piece in text.split(".from_pretrained(")[1:]:
            calls += 1
            given = piece.split("\n\n", 1)[0]
            assert "FILES_ONLY" in given or "weights_only(" in given, (file, piece[:80])
    assert calls >= 10
