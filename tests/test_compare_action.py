"""The composite action: its script, run as a workflow runs it."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.comparison_store import AFTER, BEFORE, MadeScores, by_item, keep

ROOT = Path(__file__).parent.parent
ACTION = ROOT / ".github" / "actions" / "compare" / "action.yml"


@pytest.fixture
def place(tmp_path: Path) -> Path:
    keep(
        tmp_path / "results.duckdb",
        MadeScores("good", {"strict": by_item(BEFORE)}),
        MadeScores("bad", {"strict": by_item(AFTER)}, later=1),
        MadeScores("same", {"strict": by_item(BEFORE)}, later=2),
    )
    return tmp_path


def run(place: Path, **inputs: str) -> tuple[int, dict[str, str], str]:
    """(exit status, outputs, stderr) of the action's step."""
    action: dict[str, Any] = yaml.safe_load(ACTION.read_text(encoding="utf-8"))
    assert set(inputs) <= set(action["inputs"])
    values = {
        name: str(inputs.get(name, given.get("default", "")))
        for name, given in action["inputs"].items()
    }
    values["harness"] = f"{sys.executable} -m harness"
    (step,) = action["runs"]["steps"]
    variables = {
        name: values[text.removeprefix("${{ inputs.").removesuffix(" }}")]
        for name, text in step["env"].items()
    }
    outputs, summary = place / "outputs", place / "summary.md"
    outputs.write_text("")
    done = subprocess.run(
        # As GitHub runs `shell: bash`.
        ["bash", "--noprofile", "--norc", "-eo", "pipefail", "-c", step["run"]],
        cwd=place,
        env={
            "PATH": os.environ["PATH"],
            "HOME": str(place),
            "PYTHONPATH": str(ROOT),
            "GITHUB_OUTPUT": str(outputs),
            "GITHUB_STEP_SUMMARY": str(summary),
            **variables,
        },
        capture_output=True,
        text=True,
        check=False,
    )
    found = dict(line.split("=", 1) for line in outputs.read_text().splitlines())
    return done.returncode, found, done.stderr


def test_a_regression_fails_the_step_and_is_told(place: Path) -> None:
    status, outputs, err = run(place, base="good", candidate="bad")
    assert (status, outputs["outcome"], outputs["status"]) == (1, "regression", "1")
    assert "::error title=made-up regressed::" in err
    assert json.loads((place / outputs["json"]).read_text())["outcome"] == "regression"
    assert (place / outputs["junit"]).read_text().startswith("<?xml")
    assert "harness compare: regression" in (place / "summary.md").read_text()


def test_a_pass_moves_the_baseline(place: Path) -> None:
    status, outputs, _ = run(
        place, base="good", candidate="same", baseline="good.json", margin="0.1"
    )
    assert (status, outputs["outcome"]) == (0, "pass")
    assert json.loads((place / "good.json").read_text())["checkpoint"] == "same"


def test_inconclusive_and_errors(place: Path) -> None:
    status, outputs, _ = run(place, base="good", candidate="same", margin="0.001")
    assert (status, outputs["outcome"]) == (2, "inconclusive")
    status, outputs, _ = run(
        place, base="good", candidate="same", margin="0.001", inconclusive="pass"
    )
    assert (status, outputs["outcome"]) == (0, "inconclusive")
    nasty = "none'; touch pwned; echo '"
    status, outputs, err = run(place, base="good", candidate=nasty)
    assert (status, outputs["outcome"]) == (3, "error")
    assert "no evaluation or checkpoint named" in err
    assert not (place / "pwned").exists()
