"""`harness compare`: verdicts against scipy, refusals by name, and what the gate makes of them."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from scipy import stats

from tests.comparison_store import (
    AFTER,
    BEFORE,
    PROTOCOL,
    MadeItem,
    MadeScores,
    Run,
    by_item,
    command,
    keep,
    rate,
    rows,
    strict,
)


@pytest.fixture
def store(tmp_path: Path) -> Path:
    return tmp_path / "results.duckdb"


@pytest.fixture
def compare(
    store: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Run:
    return command(store, monkeypatch, capsys)


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
        f"{found['items_needed']:,} items would find one, there are 60"
        in json.loads(out)["reasons"][0]
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
