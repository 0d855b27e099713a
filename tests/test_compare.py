"""`harness compare`: verdicts against scipy, refusals by name, exit statuses, what it prints."""

from __future__ import annotations

import csv
import io
import json
import math
from collections.abc import Callable, Sequence
from importlib.resources import files
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import jsonschema
import numpy as np
import pytest
from scipy import stats

from harness.cli import main as entry
from harness.store.regressions import regressions, set_status
from tests.comparison_store import PROTOCOL, MadeItem, MadeScores, by_item, keep, rate

Run = Callable[..., tuple[int, str, str]]


@pytest.fixture
def store(tmp_path: Path) -> Path:
    return tmp_path / "results.duckdb"


@pytest.fixture
def compare(
    store: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Run:
    """Runs the command in this process: (exit status, stdout, stderr)."""
    monkeypatch.delenv("GITHUB_STEP_SUMMARY", raising=False)
    monkeypatch.setenv("COLUMNS", "120")

    def run(*arguments: str) -> tuple[int, str, str]:
        line = ["harness", "compare", *arguments, "--store", str(store)]
        monkeypatch.setattr("sys.argv", line)
        with pytest.raises(SystemExit) as end:
            entry.main()
        out, err = capsys.readouterr()
        return int(end.value.code or 0), out, err

    return run


def strict(
    name: str, values: Sequence[float | None], genre: str = "math", **more: Any
) -> MadeScores:
    return MadeScores(name, {"strict": by_item(values, genre)}, **more)


def rows(found: str) -> dict[str, dict[str, Any]]:
    document = json.loads(found)
    return {
        f"{one['genre']}/{one['dataset']}/{one['metric']}": one
        for suite in document["suites"]
        for one in suite["metrics"]
    }


# 40 items: 9 broke, 1 was mended, 30 stayed.
BEFORE = [1] * 9 + [0] + [1] * 20 + [0] * 10
AFTER = [0] * 9 + [1] + [1] * 20 + [0] * 10


def test_binary_items_by_hand(store: Path, compare: Run) -> None:
    keep(store, strict("r/step_1", BEFORE), strict("r/step_2", AFTER))
    status, out, _ = compare("r/step_1", "r/step_2", "--json")
    found = rows(out)["math/all/strict"]
    change = np.array(AFTER) - np.array(BEFORE)
    assert found["n"] == 40
    assert (found["base"], found["candidate"]) == pytest.approx((29 / 40, 21 / 40))
    assert found["change"] == pytest.approx(-0.2)
    # Mid-p of 9 or more heads in 10 throws.
    exact = stats.binomtest(9, 10, alternative="greater").pvalue
    assert found["test"] == "mcnemar"
    assert found["p_drop"] == pytest.approx(exact - stats.binom.pmf(9, 10, 0.5) / 2)
    # Two critical metrics, overall and the genre, with one p: Holm doubles it.
    assert found["p_holm"] == pytest.approx(2 * found["p_drop"])
    t = stats.ttest_1samp(change, 0).confidence_interval(0.9)
    # The adjusted Wald interval is the wider one here.
    assert found["low"] < t.low + 1e-12
    variance = (change.var(ddof=1) * 40 + 2) / 42**2
    reach = stats.t.ppf(0.95, 39) * math.sqrt(max(variance, change.var(ddof=1) / 40))
    assert (found["low"], found["high"]) == pytest.approx((-0.2 - reach, -0.2 + reach))
    # z² (share flipped − margin²) / margin².
    wanted = (stats.norm.ppf(0.95) + stats.norm.ppf(0.8)) ** 2 * (0.25 - 0.0025) / 0.0025
    assert found["items_needed"] == math.ceil(wanted)
    assert found["verdict"] == "regressed"
    assert status == 1


def test_genres_and_datasets_weigh_alike(store: Path, compare: Run) -> None:
    random = np.random.default_rng(3)
    parts = {
        ("NLI", "janli"): 60,
        ("NLI", "jnli"): 90,
        ("QA", "niilc"): 70,
        ("STS", "jsts"): 80,  # stands aside from the mean
    }
    before: dict[MadeItem, list[float | None]] = {}
    after: dict[MadeItem, list[float | None]] = {}
    changes: dict[str, np.ndarray] = {}
    for (genre, dataset), n in parts.items():
        base, cand = random.uniform(0.2, 0.8, n), random.uniform(0.1, 0.9, n)
        changes[dataset] = cand - base
        for number in range(n):
            item = MadeItem(f"{dataset}/{number}", genre, dataset)
            before[item], after[item] = [float(base[number])], [float(cand[number])]
    keep(store, MadeScores("a", {"strict": before}), MadeScores("b", {"strict": after}))
    _, out, _ = compare("a", "b", "--json")
    found = rows(out)
    # Welch's test of one dataset against the other's negative is the test of their mean.
    welch = stats.ttest_ind(changes["janli"], -changes["jnli"], equal_var=False)
    nli = found["NLI/all/strict"]
    assert nli["change"] == pytest.approx((changes["janli"].mean() + changes["jnli"].mean()) / 2)
    assert nli["df"] == pytest.approx(welch.df)
    assert nli["se"] == pytest.approx(abs(nli["change"] / welch.statistic))
    qa = found["QA/niilc/strict"]
    assert qa["p_drop"] == pytest.approx(
        stats.ttest_1samp(changes["niilc"], 0, alternative="less").pvalue
    )
    whole = found["all/all/strict"]
    assert whole["change"] == pytest.approx((nli["change"] + qa["change"]) / 2)
    assert whole["se"] == pytest.approx(math.hypot(nli["se"], qa["se"]) / 2)
    assert whole["n"] == 220
    assert found["STS/jsts/strict"]["n"] == 80


def test_samples_of_an_item_are_one_unit(store: Path, compare: Run) -> None:
    items = [MadeItem(f"m/{number}", cluster=f"passage {number // 2}") for number in range(80)]
    random = np.random.default_rng(0)
    draws = {name: random.integers(0, 2, (80, 4)) for name in "ab"}
    for name, later in (("a", 0), ("b", 1)):
        values = {item: [float(v) for v in draws[name][row]] for row, item in enumerate(items)}
        keep(store, MadeScores(name, {"strict": values}, samples=4, later=later, temperature=0.7))
    _, out, _ = compare("a", "b", "--json")
    found = rows(out)["math/all/strict"]
    passages = (draws["b"] - draws["a"]).mean(axis=1).reshape(40, 2).mean(axis=1)
    assert (found["n"], found["clusters"], found["test"]) == (80, 40, "sign-flip")
    # Clusters of one size: a t-test of their means.
    assert found["se"] == pytest.approx(passages.std(ddof=1) / math.sqrt(40))
    assert found["df"] == pytest.approx(39)


def test_only_common_items_count_and_the_rest_is_listed(store: Path, compare: Run) -> None:
    before = by_item([1.0] * 60)
    after = by_item([1.0] * 50 + [0.0] * 10)
    for number in range(50, 60):
        del after[MadeItem(f"math/{number:03d}")]
    # Not in the baseline, and wrong: were it imputed or unpaired, the change would not be 0.
    after |= {MadeItem(f"new/{number}"): [0.0] for number in range(30)}
    after[MadeItem("math/007")] = [None]
    keep(store, MadeScores("a", {"strict": before}), MadeScores("b", {"strict": after}))
    status, out, _ = compare("a", "b", "--json")
    document = json.loads(out)
    found = rows(out)["all/all/strict"]
    assert (found["n"], found["change"]) == (49, 0.0)
    assert (found["only_base"], found["only_candidate"]) == (11, 30)
    listed = document["suites"][0]["unpaired"]
    assert listed["only_base"] == ["math/007", *(f"math/{n:03d}" for n in range(50, 60))]
    assert len(listed["only_candidate"]) == 30
    assert document["suites"][0]["candidate"]["failed"] == 1
    assert status == 0
    _, page, _ = compare("a", "b")
    assert "1.2% of the requests of CAND failed" in page
    assert "Scored on BASE only and left out: 11 items (math/007" in " ".join(page.split())


def test_what_the_policy_asks_for_and_is_not_there(
    store: Path, compare: Run, tmp_path: Path
) -> None:
    keep(store, strict("a", BEFORE), strict("b", BEFORE, later=1))
    keep(store, strict("c", AFTER, later=2))
    policy = tmp_path / "policy.yaml"

    def under(text: str, cand: str = "b") -> tuple[int, str]:
        policy.write_text(f"version: 1\nrules:\n{text}")
        status, out, _ = compare("a", cand, "--policy", str(policy), "--flips", "0")
        return status, " ".join(out.split())

    wide = '  - match: "*/*/*"\n    margin: 0.3\n    critical: true\n'
    assert under(wide)[0] == 0
    few = wide + "    min_items: 41\n"
    status, page = under(few, "c")
    assert (status, "40 paired items, the policy wants 41" in page) == (2, True)
    assert under(wide, "c")[0] == 1
    status, page = under(wide + '  - match: "math/gsm/strict"\n    critical: true\n')
    assert (status, "math/gsm/strict: critical, and not measured" in page) == (2, True)
    other = wide + '  - match: "math/all/strict"\n    suite: "other"\n    critical: true\n'
    assert under(other)[0] == 2
    status, page = under(wide.replace("true", "false"), "c")
    assert (status, "no metric is critical under this policy" in page) == (2, True)


def test_other_engines_are_named(store: Path, compare: Run) -> None:
    keep(store, strict("a", BEFORE, engine="vllm 1"), strict("b", BEFORE, engine="vllm 2"))
    page = " ".join(compare("a", "b")[1].split())
    assert "Engines differ, which may move scores too: vllm 1, vllm 2." in page


def test_failures_beyond_the_policy_keep_a_pass_away(store: Path, compare: Run) -> None:
    after: list[float | None] = [1.0] * 90 + [None] * 10
    keep(store, strict("a", [1.0] * 100), strict("b", after))
    status, out, _ = compare("a", "b")
    assert status == 2
    assert "10.0% of the requests of b failed, the policy allows 2.0%" in out


def test_a_genre_that_is_missing_keeps_a_pass_away(store: Path, compare: Run) -> None:
    both = by_item([1.0] * 100) | by_item([1.0] * 20, "coding")
    keep(store, MadeScores("a", {"strict": both}), strict("b", [1.0] * 100, later=1))
    status, out, _ = compare("a", "b")
    assert status == 2
    assert "made-up coding: b has no strict here" in out
    # The other way round there is only more to see.
    assert compare("b", "a")[0] == 0


def test_an_unfinished_evaluation_keeps_a_pass_away(store: Path, compare: Run) -> None:
    keep(store, strict("a", [1.0] * 100), strict("b", [1.0] * 80, state="running"))
    status, out, _ = compare("a", "b")
    assert status == 2
    assert "the evaluation of b is not complete (80 of 80 requests)" in out


def test_status_2_where_the_margin_is_not_proven(store: Path, compare: Run) -> None:
    before, after = [1] * 30 + [0] * 30, [0] * 6 + [1] * 24 + [0] * 26 + [1] * 4
    keep(store, strict("a", before), strict("b", after))
    status, out, _ = compare("a", "b", "--json")
    found = rows(out)["all/all/strict"]
    assert (found["verdict"], found["noninferior"], status) == ("inconclusive", False, 2)
    assert (
        f"{found['items_needed']:,} items would find one, 60 are" in json.loads(out)["reasons"][0]
    )
    # A wider margin is proven by the same scores.
    assert compare("a", "b", "--margin", "0.3")[0] == 0
    assert compare("a", "b", "--margin", "all/all/strict=0.3")[0] == 0
    assert compare("a", "b", "--margin", "math/*/*=0.3")[0] == 2


def test_pooled_baselines_are_averaged_by_item(store: Path, compare: Run) -> None:
    first, second = [1, 1, 0, 0] * 10, [1, 0, 0, 1] * 10
    keep(
        store,
        strict("a", first),
        strict("b", second, later=1),
        strict("c", [0.5, 0.5, 0.5, 0.5] * 10, later=2),
    )
    _, out, _ = compare("a,b", "c", "--json")
    found = rows(out)["math/all/strict"]
    change = 0.5 - (np.array(first) + np.array(second)) / 2
    assert found["change"] == pytest.approx(change.mean())
    assert found["se"] >= change.std(ddof=1) / math.sqrt(40) - 1e-12
    assert len(json.loads(out)["suites"][0]["base"]) == 2


def test_checkpoint_noise_from_the_policy(store: Path, compare: Run, tmp_path: Path) -> None:
    keep(store, strict("a", BEFORE), strict("b", AFTER))
    policy = tmp_path / "policy.yaml"
    policy.write_text(
        'version: 1\nrules:\n  - match: "*/*/*"\n    critical: true\n    margin: 0.05\n'
        "    tau: 0.08\n"
    )
    status, out, _ = compare("a", "b", "--policy", str(policy), "--json")
    found = rows(out)["math/all/strict"]
    quiet = rows(compare("a", "b", "--json")[1])["math/all/strict"]
    assert found["se"] == pytest.approx(math.sqrt(quiet["se"] ** 2 + 2 * 0.08**2))
    assert (found["unreachable"], found["items_needed"], status) == (True, None, 2)
    _, page, _ = compare("a", "b", "--policy", str(policy))
    assert "unreachable: checkpoint noise exceeds the margin" in page


def test_checkpoint_noise_from_the_run(store: Path, compare: Run) -> None:
    random = np.random.default_rng(7)
    tau = {"math": 0.05, "coding": 0.05}
    run = []
    hard = {genre: random.uniform(0.3, 0.6, 80) for genre in tau}
    for step in range(13):
        scores: dict[MadeItem, list[float | None]] = {}
        for genre, spread in tau.items():
            luck = spread * random.standard_normal() + 0.01 * step
            own = np.clip(hard[genre] + luck + 0.05 * random.standard_normal(80), 0, 1)
            scores |= by_item(own.tolist(), genre)
        run.append(MadeScores(f"r/{step}", {"strict": scores}, run="r", step=step, later=step))
    keep(store, *run)
    quiet = rows(compare("r/9", "r/12", "--json")[1])
    status, out, _ = compare("r/9", "r/12", "--json", "--noise")
    found = rows(out)
    for place in ("math/all/strict", "coding/all/strict"):
        one = found[place]
        assert 0.02 < one["tau"] < 0.1
        assert one["se"] == pytest.approx(math.sqrt(quiet[place]["se"] ** 2 + 2 * one["tau"] ** 2))
        assert one["verdict"] != "regressed"
    assert status in (0, 2)
    assert "Checkpoint noise is not counted" in " ".join(compare("r/9", "r/12")[1].split())
    status, _, err = compare("r/1", "r/3", "--noise")
    assert (status, "run r has 3 other checkpoints" in err) == (3, True)
    keep(store, strict("alone", [0.5] * 80))
    assert "states no run" in compare("alone", "r/3", "--noise")[2]


@pytest.mark.parametrize(
    ("change", "named"),
    [
        ({"temperature": 0.0}, "sampling: temperature 0.7 → 0.0"),
        ({"frame": "chat"}, "prompt: frame none → chat"),
        ({"judge": "other"}, "judge: judge none → other"),
        ({"dropped": ["math"]}, "items: dropped none → ['math']"),
        ({"scoring": 4}, "version: scoring 3 → 4"),
        ({"odd": {"deep": 1}}, "other: odd.deep none → 1"),
    ],
)
def test_refuses_across_protocols_and_names_the_difference(
    store: Path, compare: Run, change: dict[str, Any], named: str
) -> None:
    keep(store, strict("a", BEFORE), strict("b", AFTER, protocol=PROTOCOL | change))
    status, _, err = compare("a", "b")
    assert status == 3
    assert named in err
    assert "never compared" in err
    assert ("harness score" in err) == ("scoring" in change)


def test_takes_evaluations_of_one_protocol_where_there_are_any(store: Path, compare: Run) -> None:
    newer = PROTOCOL | {"scoring": 4}
    keep(
        store,
        strict("a", BEFORE),
        strict("a", BEFORE, protocol=newer, later=1),
        strict("b", AFTER, later=2),
        strict("c", AFTER, protocol=newer, later=3),
    )
    for cand in "bc":
        status, out, _ = compare("a", cand, "--json")
        assert status == 1
        suite = json.loads(out)["suites"][0]
        assert suite["base"][0]["checkpoint"] == "a"
    assert compare("b", "c")[0] == 3


def test_refuses_greedy_beside_drawn_answers(store: Path, compare: Run) -> None:
    greedy = strict("a", BEFORE)
    drawn = MadeScores(
        "b",
        {"strict": {item: [*values] * 2 for item, values in by_item(AFTER).items()}},
        samples=2,
        temperature=0.7,
    )
    keep(store, greedy, drawn)
    status, _, err = compare("a", "b")
    assert status == 3
    assert "sampling: temperature 0 → 0.7, 1 → 2 answers an item" in err
    # Where a protocol draws its single answer as well, numbers of samples may differ.
    keep(store, strict("c", BEFORE, temperature=0.7))
    assert compare("c", "b")[0] == 1


def test_names_and_usage(store: Path, compare: Run, tmp_path: Path) -> None:
    first, second = strict("r/step_1", BEFORE), strict("r/step_2", AFTER)
    other = strict("r/step_3", AFTER, suite="other", protocol=PROTOCOL | {"suite": "other"})
    keep(store, first, second, other)
    assert compare(first.id[:10], "r/step_2")[0] == 1
    assert compare(first.fingerprint, second.id)[0] == 1
    for arguments, words in (
        (["r/step_1"], "expected BASE and CAND"),
        (["r/step_1", "r/step_9"], "no evaluation or checkpoint named 'r/step_9'"),
        (["r/step_1", "r/step_1"], "the same evaluation"),
        (["r/step_1", "r/step_3"], "no suite in common: r/step_1 has made-up; r/step_3 has other"),
        (["r/step_1", "r/step_2", "--suite", "x"], "no suite in common among x"),
        (["r/step_1", "r/step_2", "--margin", "-1"], "--margin -1: expected a drop of 0 or more"),
        (["r/step_1", "r/step_2", "--margin", "x=y"], "--margin x=y"),
        (["r/step_1", "r/step_2", "--policy", str(tmp_path / "no")], "cannot read the policy"),
        (["r/step_1", "r/step_2", "--flips", "-1"], "--flips"),
        (["r/step_1", "r/step_2", "--junit", str(tmp_path / "no" / "x")], "cannot write"),
    ):
        status, _, err = compare(*arguments)
        assert status == 3, (arguments, err)
        assert words in err


def test_suites_that_only_one_side_has_are_named(store: Path, compare: Run) -> None:
    other = {"suite": "other", "protocol": PROTOCOL | {"suite": "other"}}
    third = {"suite": "third", "protocol": PROTOCOL | {"suite": "third"}}
    keep(
        store,
        strict("a", BEFORE),
        strict("b", BEFORE),
        strict("a", BEFORE, "coding", **other),
        strict("b", AFTER, "coding", **other),
        strict("a", BEFORE, "stem", **third),
    )
    status, out, _ = compare("a", "b", "--margin", "0.3")
    assert "Only BASE has third: not compared." in out
    assert "other coding/all/strict" in out
    assert status == 1
    assert compare("a", "b", "--suite", "made-up", "--margin", "0.3")[0] == 0


def test_every_form_of_output(store: Path, compare: Run, tmp_path: Path) -> None:
    item = MadeItem("math/000")
    nasty = "Wrong | <script>alert(1)</script>\n\n## 答え\x00\x1b[31m 100% & ]]>"
    keep(
        store,
        strict("a", BEFORE),
        strict("b", AFTER, answers={item: nasty}, failures={item: "language"}),
    )
    junit, summary = tmp_path / "junit.xml", tmp_path / "summary.md"
    summary.write_text("before\n")
    status, out, err = compare(
        "a", "b", "--json", "--junit", str(junit), "--summary", str(summary), "--annotations"
    )
    assert status == 1
    document = json.loads(out)
    schema = json.loads(
        files("harness.report").joinpath("schemas/comparison-1.json").read_text(encoding="utf-8")
    )
    jsonschema.Draft202012Validator.check_schema(schema)
    jsonschema.validate(document, schema)
    (broken, *_), (mended, *_) = (
        [one for one in document["suites"][0]["flips"] if (one["change"] < 0) == fell]
        for fell in (True, False)
    )
    assert (broken["item"], broken["cand_answer"], broken["cand_failure"]) == (
        "math/000",
        nasty,
        "language",
    )
    assert broken["base_answer"] == "答え"
    assert (mended["base"], mended["cand"]) == (0, 1)
    assert (document["suites"][0]["broken"], document["suites"][0]["mended"]) == (9, 1)

    root = ElementTree.fromstring(junit.read_bytes())
    cases = root.findall("testsuite/testcase")
    assert int(root.get("tests", "")) == len(cases) == 3
    assert int(root.get("failures", "")) == len(root.findall("testsuite/testcase/failure")) == 3
    for suite in root:
        assert int(suite.get("tests", "")) == len(suite.findall("testcase"))
    assert all(case.get("name") and case.get("classname") for case in cases)

    text = summary.read_text(encoding="utf-8")
    assert text.startswith("before\n## harness compare: regression")
    assert "<script>" not in text
    lines = err.strip().splitlines()
    assert all(line.startswith("::error title=made-up regressed::") for line in lines)
    assert len(lines) == 2

    table = list(csv.DictReader(io.StringIO(compare("a", "b", "--csv")[1])))
    assert [row["verdict"] for row in table] == ["regressed", "regressed"]
    assert float(table[0]["p_drop"]) > 0
    markdown = compare("a", "b", "--markdown")[1]
    assert "| **strict / math** | 40 | 72.5 | 52.5 | -20.0 |" in markdown
    page = compare("a", "b")[1]
    assert "▼ regressed" in page
    assert "broken  math/000" in page
    assert "\x1b" not in page
    assert "math/000" not in compare("a", "b", "--flips", "0")[1]


@pytest.mark.parametrize("columns", ["60", "80", "200"])
def test_tables_fit_the_terminal(
    store: Path, compare: Run, columns: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    from rich.cells import cell_len

    monkeypatch.setenv("COLUMNS", columns)
    item = MadeItem("math/000")
    keep(store, strict("a", BEFORE), strict("b", AFTER, answers={item: "全角の答え" * 60}))
    _, page, _ = compare("a", "b", "--all")
    assert max(cell_len(line) for line in page.splitlines()) <= int(columns)
    assert "regressed" in page


def test_a_regression_is_recorded_with_its_cause_and_closed_when_mended(
    store: Path, compare: Run
) -> None:
    slow = {item: "repetition" for item in by_item(AFTER) if by_item(AFTER)[item] == [0]}
    keep(
        store,
        strict("r/1", BEFORE, run="r", step=1, mixture={"web": 3, "dialogue": 1}),
        strict(
            "r/2",
            AFTER,
            run="r",
            step=2,
            later=1,
            mixture={"web": 1, "synthetic": 1},
            parent="r/1",
            tokens=2,
            failures=slow,
        ),
        strict("r/3", BEFORE, run="r", step=3, later=2),
    )
    assert compare("r/1", "r/2", "--no-record")[0] == 1
    assert regressions(store) == []
    assert compare("r/1", "r/2")[0] == 1
    assert compare("r/1", "r/2")[0] == 1
    found = {one.place: one for one in regressions(store)}
    assert set(found) == {"all/all/strict", "math/all/strict"}
    one = found["math/all/strict"]
    assert (one.run, one.baseline_step, one.step, one.status) == ("r", 1, 2, "open")
    assert one.evidence["change"] == pytest.approx(-0.2)
    assert {sign["name"] for sign in one.evidence["symptoms"]} >= {"tokens", "failure repetition"}
    assert [(c["source"], c["kind"], c["before"], c["after"]) for c in one.cause] == [
        ("synthetic", "entered", 0.0, 0.5),
        ("dialogue", "left", 0.25, 0.0),
        ("web", "share", 0.75, 0.5),
    ]
    assert one.policy["rules"]
    set_status(store, [one.id], "acknowledged", note="we know")
    # Not yet shown to be within the margin: 40 items that all agree allow a drop of 5 points.
    assert compare("r/1", "r/3", "--margin", "0.05")[0] in (0, 2)
    assert compare("r/1", "r/3", "--margin", "0.1")[0] == 0
    assert {(two.status, two.fixed_at_step) for two in regressions(store)} == {("fixed", 3)}
    assert {two.note for two in regressions(store)} == {None, "we know"}


def test_the_baseline_file_moves_only_on_pass(store: Path, compare: Run, tmp_path: Path) -> None:
    file = tmp_path / "good.json"
    keep(
        store,
        strict("a", BEFORE),
        strict("b", AFTER, later=1),
        strict("c", BEFORE, later=2),
        strict("d", [1 - value for value in BEFORE[:5]] + BEFORE[5:], later=3),
    )
    status, _, err = compare("b", "--baseline", str(file))
    assert (status, "no baseline yet" in err) == (3, True)
    wide = ("--baseline", str(file), "--margin", "0.1")
    assert compare("a", "b", *wide)[0] == 1
    assert not file.exists()
    status, _, err = compare("a", "c", *wide)
    assert (status, "moves to c" in err) == (0, True)
    good = file.read_bytes()
    assert json.loads(good)["checkpoint"] == "c"
    assert compare("b", *wide)[0] == 1
    assert compare("d", *wide)[0] in (1, 2)
    assert file.read_bytes() == good
    status, out, _ = compare("c", *wide)
    assert (status, "is the baseline itself" in out) == (0, True)
    assert compare("a", *wide)[0] == 0
    assert json.loads(file.read_text())["checkpoint"] == "a"
    assert [entry.name for entry in tmp_path.iterdir() if "good" in entry.name] == ["good.json"]


def test_a_baseline_suite_that_the_candidate_lacks_keeps_a_pass_away(
    store: Path, compare: Run, tmp_path: Path
) -> None:
    file = tmp_path / "good.json"
    other = {"suite": "other", "protocol": PROTOCOL | {"suite": "other"}}
    keep(
        store,
        strict("a", BEFORE),
        strict("b", BEFORE),
        strict("b", BEFORE, "coding", **other),
        strict("c", BEFORE, later=1),
    )
    wide = ("--baseline", str(file), "--margin", "0.1")
    # What only the candidate has enters the baseline with it.
    assert compare("a", "b", *wide)[0] == 0
    assert set(json.loads(file.read_text())["evaluations"]) == {"made-up", "other"}
    status, out, _ = compare("c", *wide)
    assert status == 2
    assert "other: the candidate was not evaluated on it" in out


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ("{", "not a baseline"),
        ('{"checkpoint": "a"}', "not a baseline"),
        (
            '{"checkpoint": "a", "fingerprint": "f", "evaluations": {"s": "x"}, "policy": "p", '
            '"version": 2}',
            "version 2",
        ),
        (
            '{"checkpoint": "a", "fingerprint": "f", "evaluations": {"s": "x"}, "policy": "p"}',
            "does not hold the evaluation x",
        ),
    ],
)
def test_a_damaged_baseline_file_is_refused(
    store: Path, compare: Run, tmp_path: Path, content: str, words: str
) -> None:
    keep(store, strict("a", BEFORE))
    file = tmp_path / "good.json"
    file.write_text(content)
    status, _, err = compare("a", "--baseline", str(file))
    assert (status, words in err) == (3, True), err
    assert file.read_text() == content


def test_a_store_that_cannot_be_written_hides_no_regression(
    store: Path, compare: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    keep(store, strict("a", BEFORE), strict("b", AFTER))

    def full(*_: Any, **__: Any) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Path, "rename", full)
    status, out, err = compare("a", "b")
    assert (status, "regressed" in out) == (1, True)
    assert "not recorded: " in err
    assert "No space left on device" in err
    monkeypatch.undo()
    assert regressions(store) == []


def test_a_baseline_that_cannot_be_written_stays_as_it_was(
    store: Path, compare: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "good.json"
    keep(store, strict("a", BEFORE), strict("b", BEFORE, later=1), strict("c", BEFORE, later=2))
    wide = ("--baseline", str(file), "--margin", "0.1")
    assert compare("a", "b", *wide)[0] == 0
    good = file.read_bytes()

    def full(*_: Any) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Path, "replace", full)
    status, _, err = compare("c", *wide)
    assert (status, "cannot write the baseline" in err) == (3, True)
    assert file.read_bytes() == good
    assert sorted(entry.name for entry in tmp_path.iterdir() if "good" in entry.name) == [
        "good.json"
    ]


def test_scores_still_in_the_spool_count(store: Path, compare: Run) -> None:
    from harness.store import database
    from harness.store.write import spool
    from tests.comparison_store import batch

    database.prepare(store)
    for one in (strict("a", BEFORE), strict("b", AFTER)):
        spool(store, batch(one))
    assert compare("a", "b")[0] == 1


def test_a_store_of_something_else_is_refused(store: Path, compare: Run) -> None:
    assert "no store here yet" in compare("a", "b")[2]
    store.write_bytes(b"not a database" * 100)
    status, _, err = compare("a", "b")
    assert (status, "not a DuckDB database file" in err) == (3, True)


def test_a_crash_is_no_regression(
    store: Path, compare: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    keep(store, strict("a", BEFORE), strict("b", AFTER))

    def broken(*_: Any, **__: Any) -> None:
        raise RuntimeError("a bug")

    monkeypatch.setattr("harness.regression.compare.judge_pairs", broken)
    status, _, err = compare("a", "b")
    assert status == entry.BUG
    assert "RuntimeError: a bug" in err


def test_judges_must_agree(store: Path, compare: Run) -> None:
    a, b, c = (MadeScores(name, {"tone": by_item([0.5] * 40)}) for name in "abc")
    keep(store, a, b, c)
    rate(store, a, "judge-1", "prompts", lambda item, repeat: 7.0 + repeat)
    status, _, err = compare("a", "b")
    assert (status, "b has not been judged" in err) == (3, True)
    rate(store, b, "judge-2", "prompts", lambda item, repeat: 5.0)
    status, _, err = compare("a", "b")
    assert status == 3
    assert "judge: judge-1 with prompts prompts → judge-2 with prompts prompts" in err
    rate(store, c, "judge-1", "prompts", lambda item, repeat: 5.0 + 2 * int(item[-1]) % 3)
    status, out, _ = compare("a", "c", "--json")
    found = rows(out)["math/all/rating"]
    assert found["base"] == pytest.approx(7.5)
    assert found["verdict"] == "regressed"
    assert json.loads(out)["suites"][0]["judge"] == "judge-1"
    assert status == 1
    rate(store, c, "judge-2", "prompts", lambda item, repeat: 5.0)
    assert compare("b", "c", "--margin", "1")[0] == 0
    d = MadeScores("d", {"tone": by_item([0.5] * 40)})
    keep(store, d)
    # Two judgments in forty cannot be read.
    rate(store, d, "judge-2", "prompts", lambda item, _: None if item[-2:] in ("05", "06") else 5.0)
    status, out, _ = compare("b", "d", "--margin", "1")
    assert (status, "5.0% of the baseline's items have no rating at d" in out) == (2, True)
    rate(store, a, "judge-2", "prompts", lambda item, repeat: 5.0)
    assert "choose one with --judge" in compare("a", "c")[2]
    assert compare("a", "c", "--judge", "judge-2", "--margin", "1")[0] == 0


def test_what_a_rule_verifies_is_rated_by_it(store: Path, compare: Run) -> None:
    """Our own MT-Bench rates a verified answer 1 or 10, whatever the judge said."""
    protocol = {"protocol": "mt-bench", "name": "harness-1", "lowest": 1}
    made = {}
    for name, right in (("a", 30), ("b", 20)):
        tone = by_item([0.5] * 40) | by_item([0.5] * 20, "writing")
        verified = by_item([1.0] * right + [0.0] * (40 - right))
        made[name] = MadeScores(name, {"length": tone, "verified": verified}, protocol=protocol)
    keep(store, *made.values())
    rate(store, made["a"], "judge", "prompts", lambda item, repeat: 4.0 + repeat)
    rate(store, made["b"], "judge", "prompts", lambda item, repeat: 5.0 + repeat)
    _, out, _ = compare("a", "b", "--json")
    found = rows(out)
    assert found["math/all/rating"]["base"] == pytest.approx(1 + 9 * 30 / 40)
    assert found["math/all/rating"]["change"] == pytest.approx(-9 * 10 / 40)
    assert found["writing/all/rating"]["change"] == pytest.approx(1.0)
    assert found["all/all/rating"]["change"] == pytest.approx((1.0 - 2.25) / 2)
    assert json.loads(out)["suites"][0]["ranking"] == "rating"
    # Lengths are described, not judged.
    assert not any("length" in place for place in found)
