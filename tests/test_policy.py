"""Policies: which rule counts, and every fault with its file and line."""

from __future__ import annotations

from pathlib import Path

import pytest

from harness.errors import HarnessError
from harness.regression.policy import Policy, Rule
from harness.regression.policy_file import default_policy_text, load_policy, read_policy


def test_the_last_rule_to_state_a_setting_counts() -> None:
    policy = read_policy(
        """
version: 1
alpha: 0.01
rules:
  - match: "*/*/*"
    margin: 0.05
    min_items: 30
  - match: ["math/*/strict", "coding/*/strict"]
    critical: true
    margin: 0.02
  - match: "math/gsm/strict"
    suite: "jaster*"
    power: 0.9
    tau: 0.01
    unproven: pass
""",
        "p.yaml",
    )
    math = policy.settings("jaster", "math/gsm/strict")
    assert (math.margin, math.critical, math.min_items) == (0.02, True, 30)
    assert (math.alpha, math.power, math.tau, math.unproven) == (0.01, 0.9, 0.01, "pass")
    other = policy.settings("probes", "math/gsm/strict")
    assert (other.power, other.tau, other.unproven) == (0.8, 0.0, "block")
    writing = policy.settings("probes", "writing/all/rating")
    assert (writing.critical, writing.margin) == (False, 0.05)
    assert policy.named() == []
    assert Policy((Rule(("math/all/strict", "*/all/x"), critical=True),)).named() == [
        ("*", "math/all/strict")
    ]


def test_the_hash_covers_what_decides_and_nothing_else(tmp_path: Path) -> None:
    text = default_policy_text()
    file = tmp_path / "policy.yaml"
    file.write_text(text.replace("# What `harness compare`", "# Our own: what"), encoding="utf-8")
    assert load_policy(file).hash == load_policy(None).hash
    file.write_text(text.replace("alpha: 0.05", "alpha: 0.01"), encoding="utf-8")
    assert load_policy(file).hash != load_policy(None).hash
    assert load_policy(None, ["0.02"]).hash != load_policy(None).hash


def test_the_default_policy() -> None:
    policy = load_policy(None)
    whole = policy.settings("probes", "all/all/strict")
    genre = policy.settings("probes", "math/all/strict")
    part = policy.settings("jaster", "NLI/jnli/strict")
    assert (whole.critical, whole.unproven) == (True, "block")
    assert (genre.critical, genre.unproven) == (True, "pass")
    assert part.critical is False
    assert policy.settings("mt-bench-ja", "all/all/rating").margin == 0.5


def test_margins_of_the_command_line() -> None:
    policy = load_policy(None, ["0.02", "*/*/rating=1"])
    assert policy.settings("x", "all/all/strict").margin == 0.02
    assert policy.settings("x", "all/all/rating").margin == 1
    for wrong in ("-0.1", "nan", "inf", "five", "a/b/c=", ""):
        with pytest.raises(HarnessError, match="--margin"):
            load_policy(None, [wrong])


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "p.yaml:1: an empty policy"),
        ("rules: [", "p.yaml:1: not valid YAML"),
        ("- 1", "p.yaml:1: expected a policy"),
        ("alpha: 0.05", "p.yaml:1: a policy states its version"),
        ("version: 2", "p.yaml:1: version is 2, expected 1"),
        ("version: true", "p.yaml:1: version is True"),
        ("version: 1\nalpha: 2", "p.yaml:2: alpha is 2, expected a level between 0 and 0.5"),
        ("version: 1\nalpha: .nan", "p.yaml:2: alpha is nan"),
        ("version: 1\nmax_failed: '5%'", "p.yaml:2: max_failed is '5%'"),
        ("version: 1\nversion: 1", "p.yaml:2: 'version' stands twice"),
        ("version: 1\nmargins: 1", "p.yaml:2: 'margins' is no setting here; there are version,"),
        ("version: 1\n? [a]\n: 1", "p.yaml:2: 'a list or mapping' is no setting"),
        ("version: 1\nrules: []", "p.yaml:2: rules is [], expected a list of rules"),
        ("version: 1\nrules:\n  - 3", "p.yaml:3: expected a rule"),
        ("version: 1\nrules:\n  - margin: 1", "p.yaml:3: a rule says which metrics it is for"),
        ('version: 1\nrules:\n  - match: "a/b"', "p.yaml:3: match is 'a/b', expected GENRE/"),
        (
            'version: 1\nrules:\n  - match: "a/b/c"\n    margn: 1',
            "p.yaml:4: 'margn' is no setting here; there are match,",
        ),
        (
            'version: 1\nrules:\n  - match: "a/b/c"\n    critical: "yes"',
            "p.yaml:4: critical is 'yes', expected true or false",
        ),
        (
            'version: 1\nrules:\n  - match: "a/b/c"\n    min_items: 0.5',
            "p.yaml:4: min_items is 0.5, expected a whole number",
        ),
        ("version: 1\nalpha: !!python/object/apply:os.getcwd []", "p.yaml:2: not a plain value"),
        ("version: 1\nalpha: 2001-99-99", "p.yaml:2: not a plain value"),
    ],
)
def test_faults_name_file_and_line(text: str, words: str) -> None:
    with pytest.raises(HarnessError) as fault:
        read_policy(text, "p.yaml")
    assert str(fault.value).startswith(words)


def test_unreadable_files(tmp_path: Path) -> None:
    with pytest.raises(HarnessError, match="cannot read the policy"):
        load_policy(tmp_path / "none.yaml")
    with pytest.raises(HarnessError, match="cannot read the policy"):
        load_policy(tmp_path)
    file = tmp_path / "policy.yaml"
    file.write_bytes(b"\xff\xfe\x00")
    with pytest.raises(HarnessError, match="not UTF-8"):
        load_policy(file)
