"""The report of a run that a closed loop trains: what came of it, said first and said truly."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest
import yaml
from click.testing import CliRunner
from scipy.stats import t as student

from harness.gaps.measure import State
from harness.report.loop import ProofGain, first_and_last, loop_rounds, stored_gains
from harness.report.page.gather import Page, gather
from harness.report.page.loop import LoopSection, loop_section
from harness.report.page.loop_words import loop_verdict
from harness.report.page.palette import LIGHT
from harness.report.page.render import to_html, write
from harness.store.database import prepare
from harness.store.loops import loop_stages
from harness.store.regressions import record as record_regressions
from tests.browser import open_file, serious_findings
from tests.loop_store import BROKE, ITEMS, RUN, fingerprint, made_loop, regression


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("loop") / "results.duckdb"
    made_loop(path)
    return path


@pytest.fixture(scope="module")
def page(store: Path) -> Page:
    return gather(store, [RUN])


@pytest.fixture(scope="module")
def page_file(page: Page, store: Path) -> Path:
    path = store.with_name("cub.html")
    write(page, path)
    return path


@pytest.fixture(scope="module")
def drawn(page: Page) -> LoopSection:
    assert page.loop is not None
    return page.loop


def words(svg: str) -> list[str]:
    return [node.text for node in ElementTree.fromstring(svg).iter() if node.text]


def test_one_sentence_says_what_came_of_it(drawn: LoopSection) -> None:
    told = drawn.verdict
    assert told.tone == "good"
    assert told.short == "synthesis raised math and coding; crawl was rolled back"
    found = re.fullmatch(
        r"Two rounds of synthesis raised math by 65 points \((\d+) to (\d+)\) and coding by 40 "
        r"\((\d+) to (\d+)\); crawl was rolled back: math −31 points at step 1,500\.",
        told.sentence,
    )
    assert found is not None
    # Every item that moved went from wrong to right, so a change has a binomial variance.
    ends = [float(one) for one in found.groups()]
    for gain, low, high in ((0.65, ends[0], ends[1]), (0.40, ends[2], ends[3])):
        error = (gain * (1 - gain) / (ITEMS - 1)) ** 0.5
        half = 100 * error * float(student.ppf(0.95, ITEMS - 1))
        assert abs(100 * gain - half - low) < 1
        assert abs(100 * gain + half - high) < 1


def change(genre: str, points: float, state: State, suite: str = "proof") -> ProofGain:
    """From 50 to as many points more, give or take 5."""
    gain = points / 100
    return ProofGain(
        suite, genre, "strict", 60, 0.5, 0.5 + gain, gain, gain - 0.05, gain + 0.05, state
    )


NOISE = change("math", 2, "within noise")


@pytest.mark.parametrize(
    ("gains", "short", "sentence", "tone"),
    [
        (
            [NOISE],
            "synthesis raised nothing beyond noise",
            "raised nothing beyond noise on the proof items;",
            "unsure",
        ),
        (
            [NOISE, change("writing", -40, "lags")],
            "synthesis raised nothing beyond noise, writing fell",
            "raised nothing beyond noise on the proof items; below where it began: writing by 40 "
            "points (35 to 45);",
            "bad",
        ),
        (
            [change("math", 7.5, "ahead"), NOISE, change("writing", -40, "lags")],
            "synthesis raised math (proof), writing fell",
            "raised math (proof) by 7.5 points (2.5 to 12.5); below where it began: writing by 40",
            "unsure",
        ),
        (
            [change(genre, 20, "ahead") for genre in ("a", "b", "c", "d", "e")],
            "synthesis raised a, b, c and 2 more genres",
            "raised a by 20 points (15 to 25), b by 20 (15 to 25), c by 20 (15 to 25) and 2 more "
            "genres;",
            "good",
        ),
        ([], "what synthesis did was not measured", "no proof items were asked", "unsure"),
    ],
)
def test_it_is_said_where_nothing_rose_or_something_fell(
    store: Path, gains: list[ProofGain], short: str, sentence: str, tone: str
) -> None:
    rounds = loop_rounds(loop_stages(store, RUN))
    told = loop_verdict(rounds, gains)
    assert told.short == f"{short}; crawl was rolled back"
    assert sentence in told.sentence
    assert told.tone == tone


def test_a_loop_that_has_not_synthesized_says_so(store: Path) -> None:
    record = [row for row in loop_stages(store, RUN) if row.round < 3]
    assert first_and_last(record) is None
    assert stored_gains(store, record) == []
    told = loop_verdict(loop_rounds(record), [])
    assert told.sentence == (
        "Two rounds of given data, and none of synthesis so far; crawl was rolled back: math −31 "
        "points at step 1,500."
    )
    under_way = [row for row in record if row.stage != "roll back"]
    assert loop_rounds(under_way)[-1].outcome == "under way"
    assert "rolled back" not in loop_verdict(loop_rounds(under_way), []).sentence


def test_made_rounds_of_which_none_was_kept(store: Path) -> None:
    record = [row for row in loop_stages(store, RUN) if row.round in (1, 3)]
    back = {"standing": record[4].outputs["standing"], "why": ""}
    record[-1] = replace(record[-1], stage="roll back", outputs=back)
    assert first_and_last(record) is None
    told = loop_verdict(loop_rounds(record), [])
    assert told.short == "no round of synthesis was kept; round-3 was rolled back"


def test_genres_that_lagged_come_first_and_rollbacks_stand_aside(drawn: LoopSection) -> None:
    found = drawn
    order = [one.title.removeprefix("proof: ").partition(",")[0] for one in found.figures]
    assert order == ["math", "coding", "reasoning", "writing"]
    math, *_, writing = found.figures
    assert "round 1, step 1,000: 15.0 % (" in math.alt
    assert "round 2, rolled back, step 1,500: 5.0 % (" in math.alt
    assert "round 4, step 2,000: 80.0 % (" in math.alt
    assert "Samples: 1,200 in round 3, 700 in round 4." in math.alt
    assert {"1,200", "700", "given"} <= set(words(math.svg))
    # What was rolled back is hollow: filled with the ground.
    hollow = [
        node
        for node in ElementTree.fromstring(math.svg).iter()
        if node.get("stroke") == LIGHT["bad"] and node.get("fill") == LIGHT["ground"]
    ]
    assert len(hollow) == 1
    assert {"0"} < set(words(writing.svg))


def test_rounds_are_read_from_the_record(store: Path, drawn: LoopSection) -> None:
    web, crawl, third, fourth = loop_rounds(loop_stages(store, RUN))
    assert [one.outcome for one in (web, crawl, third, fourth)] == [
        "kept", "rolled back", "kept", "kept",
    ]  # fmt: skip
    assert web.mixture == {"wiki": 0.75, "books": 0.25}
    assert crawl.standing == web.standing == third.began
    assert crawl.trained.fingerprint == fingerprint(1)
    assert crawl.marked == {"web-dump": BROKE}
    assert crawl.verdict == "regressed to step 1,500"
    assert third.synthetic == pytest.approx(0.6)
    assert third.samples == {"math": 1200, "coding": 600}
    assert third.learned["math"].per_thousand == pytest.approx(0.25)
    assert third.learned["writing"].per_thousand is None
    assert fourth.hours == pytest.approx((5400 + 7 * 180) / 3600)
    assert drawn.spent == "2,000,000 tokens, 3,600 synthesized samples, 7.1 hours"


def test_a_rollback_into_a_round_keeps_its_beginning(store: Path) -> None:
    """The checkpoint that it went back to was asked everything after the round's end."""
    record = loop_stages(store, RUN)
    middle = {"path": "", "step": 1250, "fingerprint": "middle", "tokens": 0}
    last = record.pop()
    rows = [row for row in record if row.round == 4]
    ended = replace(last, stage="roll back", outputs={"standing": middle})
    asked = replace(rows[-2], inputs={"checkpoint": "middle"}, number=last.number + 1)
    found = [*record, ended, asked]
    assert loop_rounds(found)[-1].outcome == "rolled back"
    assert loop_rounds(found)[-1].standing.step == 1250
    ends = first_and_last(found)
    assert ends is not None
    assert [one.step for one in ends] == [1000, 1250]


def test_an_old_record_does_not_tell_what_proves(tmp_path: Path) -> None:
    path = tmp_path / "results.duckdb"
    made_loop(path, named=False)
    found = loop_section(path, RUN, ["proof", "steer"])
    assert found is not None
    assert found.suites == ()
    assert {one.suite for one in found.gains} == {"proof", "steer"}
    assert "math (proof) by 65 points" in found.verdict.sentence
    assert len(found.figures) == 8


def test_the_page_opens_with_the_loop(page: Page) -> None:
    html = to_html(page)
    assert html.index("<h1>") < html.index('id="loop"') < html.index("<svg")
    assert html.index('id="loop-title"') < html.index('id="run-title"') < html.index('id="suite-0"')
    assert page.figures[0].alt.startswith("math on proof.")
    assert "rolled back to step 1,000" in html
    assert "Marked, and left out from then on: web-dump" in html
    assert "math +30.0 ± 9.8, +25.0 a thousand" in html
    assert "synthesized 60 %" in html


def test_of_other_suites_nothing_is_drawn_as_proof(store: Path) -> None:
    found = loop_section(store, RUN, ["steer"])
    assert found is not None
    assert found.figures == ()


def told_of_rollback(page: Page, of: str = "") -> None:
    (sentence,) = [one for one in page.headline.sentences if "rolled back" in one and of in one]
    assert sentence == (
        "steer math regressed by 31.2 points (22.3 to 40.1) at step 1,500, rolled back to 1,000. "
        f"Suspect: {BROKE}."
    )
    assert page.headline.verdict == f"{RUN}: no regression in 3 checkpoints that stand"
    # What it was taken back from is of another run by now, and no rival.
    assert not any(panel.rivals for panel in page.subject.panels)


def test_what_a_run_was_taken_back_from_is_told_on_its_page(page: Page) -> None:
    told_of_rollback(page)


def test_it_is_told_of_a_run_without_a_loop(tmp_path: Path) -> None:
    path = tmp_path / "results.duckdb"
    made_loop(path, told=False)
    # Found over the whole run, before it was taken back: without an interval.
    whole = replace(regression(), policy={"rule": "trajectory"}, policy_hash="t", genre="coding")
    record_regressions(path, [replace(whole, evidence={"change": -0.05}, cause=[])])
    page = gather(path, [RUN])
    assert page.loop is None
    assert 'id="loop"' not in to_html(page)
    assert page.headline.sentences[0] == (
        "steer coding regressed by 5.0 points at step 1,500, rolled back to 1,000."
    )
    told_of_rollback(page, "steer math")


def test_what_was_rolled_back_has_a_report_of_its_own(store: Path) -> None:
    page = gather(store, [f"{RUN}/rolled_back/round-02"], suites=["steer"])
    assert page.loop is None
    assert any(one.startswith("steer: 28.") for one in page.headline.sentences)


def test_the_page_is_valid(page_file: Path) -> None:
    import html5lib

    text = page_file.read_text(encoding="utf-8")
    html5lib.HTMLParser(strict=True).parse(text)
    ids = re.findall(r'\bid="([^"]+)"', text)
    assert len(ids) == len(set(ids))


@pytest.mark.parametrize(("width", "dark"), [(1280, False), (820, True), (390, False)])
def test_the_page_in_a_browser(page_file: Path, width: int, dark: bool) -> None:
    with open_file(page_file, width=width, dark=dark) as watched:
        page = watched.page
        page.wait_for_selector(".row")
        assert watched.faults == []
        assert page.evaluate("document.documentElement.scrollWidth") <= width
        assert page.locator("#loop svg[role=img]").count() == 4
        assert page.locator("#loop .came").inner_text().startswith("Two rounds of synthesis")
        assert serious_findings(page) == []


def loop_file(folder: Path) -> Path:
    """A LOOP.yaml whose run is RUN."""
    phase = {"name": "web", "steps": 10, "weights": {"copy": 1.0}}
    files: dict[str, Any] = {
        "mixture.yaml": {"components": {"copy": {"probe": "copy"}}, "phases": [phase]},
        "pretrain.yaml": {
            "output": str(folder / RUN),
            "mixture_file": "mixture.yaml",
            "final_rate": 1.0,
            "warmup": 5,
        },
        "loop.yaml": {
            "train": {"config": "pretrain.yaml", "steps": 10},
            "evaluate": {"steer": "probes:1", "proof": "basics", "limit": 20},
            "synthesize": {"samples": 100},
            "rounds": 2,
        },
    }
    for name, content in files.items():
        (folder / name).write_text(yaml.safe_dump(content), encoding="utf-8")
    return folder / "loop.yaml"


def test_the_status_of_a_loop_has_the_same_gains(
    store: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from training.cli.loop import command

    file = loop_file(tmp_path)
    monkeypatch.chdir(tmp_path)
    result = CliRunner().invoke(command, ["status", str(file), "--store", str(store)])
    assert result.exit_code == 0, result.output
    assert "proof items, step 1,000 → step 2,000:" in result.output
    gains = stored_gains(store, loop_stages(store, RUN))
    assert [one.genre for one in gains][:2] == ["math", "coding"]
    for one in gains:
        assert f"{100 * one.gain:+5.1f} ({100 * one.low:+.1f} to" in result.output


def test_a_measurement_records_what_steers_and_what_proves(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from training.loop import stages
    from training.loop.config import load_loop
    from training.loop.state import Point, Round, State

    file = loop_file(tmp_path)
    monkeypatch.chdir(tmp_path)
    ran: list[Any] = []
    monkeypatch.setattr(stages, "run_command", lambda what, command: ran.append(command))
    prepare(tmp_path / "results.duckdb")
    loop = load_loop(file, tmp_path / "results.duckdb")
    state = State(standing=Point("somewhere", 10, "f" * 64))
    inputs, outputs = stages.measure(loop, state, Round(1, "web", False))
    assert inputs == {"checkpoint": "f" * 64}
    assert outputs["steer"] == ["probes"]
    assert outputs["proof"] == ["basics"]
    assert len(ran) == 1
