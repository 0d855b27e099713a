"""What `make audit` makes of a vulnerability service's answers."""

from __future__ import annotations

import importlib.util
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

ROOT = Path(__file__).parents[1]


@pytest.fixture(scope="module")
def audit() -> ModuleType:
    spec = importlib.util.spec_from_file_location("audit", ROOT / "scripts" / "audit.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def package(name: str, *vulns: dict[str, Any]) -> dict[str, Any]:
    return {"name": name, "version": "1.0", "vulns": list(vulns)}


FAULT = {"id": "PYSEC-1", "aliases": ["CVE-1"], "fix_versions": ["1.1"]}


def test_a_vulnerability_fails_unless_it_is_allowed(audit: ModuleType) -> None:
    report = {"dependencies": [package("a"), package("b", FAULT)]}
    status, lines = audit.verdict(report, {})
    assert status == 1
    assert lines[0] == "vulnerable: b 1.0: PYSEC-1, mended in 1.1"
    status, lines = audit.verdict(report, {"CVE-1": "never called", "CVE-2": "old"})
    assert status == 0
    assert lines[:2] == ["allowed: b 1.0: PYSEC-1 (never called)", "no longer found: CVE-2"]


def test_a_service_that_knows_nothing_is_a_warning(audit: ModuleType) -> None:
    report = {"dependencies": [{"name": "a", "skip_reason": "not found"}]}
    status, lines = audit.verdict(report, {"CVE-1": "never called"})
    assert status == 0
    assert lines[0].startswith("warning: the service does not know 1 of 1 packages (a)")
    assert lines[1].startswith("0 packages audited")


def test_nothing_is_allowed_without_a_reason(audit: ModuleType) -> None:
    assert audit.allowed("# none\nCVE-1 never called # since 2025\n\n") == {"CVE-1": "never called"}
    with pytest.raises(ValueError, match=r"audit\.txt:1: CVE-1 is allowed without a reason"):
        audit.allowed("CVE-1\n")
    audit.allowed((ROOT / "requirements" / "audit.txt").read_text(encoding="utf-8"))


def test_no_tool_is_a_warning_and_no_failure(
    audit: ModuleType, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("sys.executable", "/nowhere/python")
    assert audit.main() == 0
    assert "warning: nothing was audited" in capsys.readouterr().out
