"""Eight processes on one store under random kills, for a minute: see tests/many_at_once.py."""

from __future__ import annotations

from pathlib import Path

import pytest

pytest.importorskip("starlette")
pytest.importorskip("openai")
pytest.importorskip("transformers")

from tests.many_at_once import run


@pytest.mark.slow
@pytest.mark.timeout(1800)
def test_no_process_fails_and_no_row_is_lost_or_doubled(tmp_path: Path) -> None:
    found = run(1.0, tmp_path)
    assert found.faults == (), "\n".join(found.lines)
