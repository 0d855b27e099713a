"""The HTML report: its verdict, its figures, and that nothing a model wrote is more than text."""

from __future__ import annotations

import base64
import gzip
import json
import re
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import numpy as np
import pytest

from harness.errors import HarnessError
from harness.report.page.curves import TOTAL, collect
from harness.report.page.gather import Page, gather
from harness.report.page.palette import COLOURS, themed
from harness.report.page.render import save_figures, to_html, write
from harness.store.database import connect
from tests.browser import open_file, serious_findings
from tests.comparison_store import MadeScores, by_item, keep
from tests.test_regressions_cli import command as regressions_command

STEPS = 14
HOSTILE = {
    "script": "<script>window.hacked = 1</script></script><script>alert(1)</script>",
    "handler": '<img src=x onerror="window.hacked = 1"><svg onload="window.hacked = 1">',
    "ansi": "\x1b[31m赤\x1b[0m\x07",
    "turned": "前\u202eうしろ\u2066中",
    "long": "同" * 1_000_000,
    "template": "{{ 7 * 7 }} {% raw %} ${1} \\u003cscript\\u003e",
    "entity": "&lt;b&gt; &amp; \"quoted\" 'single'",
}


def made_run(store: Path, *, dirty: bool = True, items: int = 80) -> None:
    """Fourteen checkpoints of `tiger`, which grow; at steps 800 to 1000 dirty text costs math and
    reasoning half of their points. With them a rival by the same items."""
    random = np.random.default_rng(5)
    difficulty = {genre: random.random(items) for genre in ("math", "reasoning", "extraction")}

    def scores(skill: float, hurt: float) -> dict[Any, list[float | None]]:
        return {
            item: values
            for genre, hard in difficulty.items()
            for item, values in by_item(
                [float(skill - (hurt if genre != "extraction" else 0.0) > one) for one in hard],
                genre,
            ).items()
        }

    made = []
    for number in range(STEPS):
        bad = dirty and number in (8, 9, 10)
        rows = scores(0.35 + 0.03 * number, 0.35 if bad else 0.0)
        made.append(
            MadeScores(
                f"tiger/step_{number * 100}",
                {"strict": rows},
                run="tiger",
                step=number * 100,
                mixture={"web": 0.4, "dirty-web": 0.6} if bad else {"web": 1.0},
                failures={item: "knowledge" for item, (value,) in rows.items() if value == 0.0},
                later=number,
            ),
        )
    keep(store, *made, MadeScores("lion", {"strict": scores(0.8, 0.0)}, later=1))


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("report") / "results.duckdb"
    made_run(path)
    return path


@pytest.fixture(scope="module")
def tiger(store: Path) -> Page:
    return gather(store, ["tiger"])


@pytest.fixture(scope="module")
def page_file(store: Path) -> Path:
    path = store.with_name("tiger.html")
    write(gather(store, ["tiger", "lion"]), path)
    return path


def test_the_verdict_comes_first_and_names_the_place(tiger: Page) -> None:
    assert tiger.headline.tone == "unsure"
    assert "broke between steps 700 and 800" in tiger.headline.verdict
    assert "recovered by step 1,100" in tiger.headline.verdict
    assert any("dirty-web entered the mixture" in one for one in tiger.headline.sentences)
    html = to_html(tiger)
    assert html.index("<h1>") < html.index("<svg")


def test_a_run_without_a_fault_is_said_to_have_none(tmp_path: Path) -> None:
    path = tmp_path / "results.duckdb"
    made_run(path, dirty=False)
    told = gather(path, ["tiger"]).headline
    assert told.tone == "good"
    assert told.verdict == "tiger: no regression in 14 checkpoints"


def test_curves_are_the_stored_means(store: Path) -> None:
    (panel,) = collect(store, ["tiger", "lion"]).panels
    assert [curve.genre for curve in panel.curves] == [TOTAL, "reasoning", "math", "extraction"]
    with connect(store, read_only=True) as connection:
        wanted = connection.execute(
            "SELECT c.step, 100 * avg(s.value) FROM evaluations e JOIN checkpoints c "
            "USING (fingerprint) JOIN requests r ON r.evaluation = e.id "
            "JOIN scores s USING (key) JOIN items i ON i.hash = r.item_hash "
            "WHERE i.genre = 'math' AND c.run = 'tiger' GROUP BY 1 ORDER BY 1"
        ).fetchall()
    math = next(curve for curve in panel.curves if curve.genre == "math")
    assert [(one.step, pytest.approx(one.mean)) for one in math.points] == wanted
    assert all(one.low <= one.mean <= one.high for one in math.points)
    assert [one.name for one in panel.rivals] == ["lion"]


def test_the_break_is_marked_where_it_was(tiger: Page) -> None:
    (section,) = tiger.sections
    assert section.total is not None
    texts = [node.text for node in ElementTree.fromstring(section.total.svg).iter() if node.text]
    assert "broke" in texts
    assert "recovered" in texts
    assert section.mixture is not None
    assert section.heat is not None


def test_over_tokens_where_they_are_known(tmp_path: Path) -> None:
    store = tmp_path / "results.duckdb"
    made_run(store, items=20)
    with pytest.raises(HarnessError, match="does not say how many tokens"):
        gather(store, ["tiger"], tokens=True)
    with connect(store) as connection:
        connection.execute("UPDATE checkpoints SET tokens_seen = 1000 * step * step")
    page = gather(store, ["tiger"], tokens=True)
    (section,) = page.sections
    assert section.panel.place(300) == 90_000_000
    assert section.panel.place(150) == pytest.approx((10_000_000 + 40_000_000) / 2)
    assert section.total is not None
    texts = [node.text for node in ElementTree.fromstring(section.total.svg).iter() if node.text]
    assert "tokens" in texts
    assert "1B" in texts


def test_an_evaluation_alone_and_a_checkpoint_beside_a_rival(store: Path) -> None:
    alone = gather(store, ["lion"])
    assert alone.compared is None
    assert alone.rows is not None
    assert alone.rows.sides == ("lion",)
    beside = gather(store, ["lion", "tiger/step_1300"])
    assert beside.compared == ("tiger/step_1300", "lion")
    assert to_html(beside).count("<tr>") > 4


def test_unknown_names_are_refused(store: Path) -> None:
    with pytest.raises(HarnessError, match="no evaluation or checkpoint named 'puma'"):
        gather(store, ["puma"])
    with pytest.raises(HarnessError, match="puma"):
        gather(store, ["tiger"], base="puma")
    with pytest.raises(HarnessError, match="no evaluation of nothing"):
        gather(store, ["tiger"], suites=["nothing"])


def test_all_flips_are_packed_with_both_answers(store: Path) -> None:
    page = gather(store, ["tiger"], base="tiger/step_700", suites=["made-up"])
    assert page.rows is not None
    rows = json.loads(gzip.decompress(base64.b64decode(page.rows.payload)))
    assert len(rows["item"]) == page.rows.count > 10
    assert set(rows["verdict"]) == {"mended"}  # The last step is past the fault.
    assert {len(pair) for pair in rows["answer"]} == {2}


def test_html_is_valid_and_whole(page_file: Path) -> None:
    import html5lib

    text = page_file.read_text(encoding="utf-8")
    html5lib.HTMLParser(strict=True).parse(text)
    ids = re.findall(r'\bid="([^"]+)"', text)
    assert len(ids) == len(set(ids))
    # Nothing is fetched: no address but the names of XML's own languages.
    addresses = set(re.findall(r"https?://[^\"'\s<)]+", text))
    assert addresses <= {"http://www.w3.org/2000/svg", "http://www.w3.org/1999/xlink"}


@pytest.mark.parametrize(("width", "dark"), [(1280, False), (820, True), (390, False)])
def test_the_page_in_a_browser(page_file: Path, width: int, dark: bool) -> None:
    with open_file(page_file, width=width, dark=dark) as watched:
        page = watched.page
        page.wait_for_selector(".row")
        assert watched.faults == []
        assert [url for url in watched.requests if not url.startswith(("file:", "data:"))] == []
        assert page.evaluate("document.documentElement.scrollWidth") <= width
        assert serious_findings(page) == []


def test_answers_are_filtered_by_genre_verdict_failure_and_text(store: Path) -> None:
    from playwright.sync_api import expect

    path = store.with_name("filters.html")
    write(gather(store, ["tiger"], base="tiger/step_100"), path)
    with open_file(path) as watched:
        page = watched.page
        page.wait_for_selector(".row")
        shown = page.locator("#shown")
        page.select_option("select[name=genre]", "extraction")
        expect(shown).not_to_have_text(shown.inner_text())
        genres = page.locator(".row header span:nth-child(2)").all_inner_texts()
        assert set(genres) == {"made-up / extraction"}
        page.select_option("select[name=genre]", "")
        page.fill("input[name=text]", "MATH/003")
        expect(shown).to_have_text(re.compile("^[01] of"))
        page.fill("input[name=text]", "no such text")
        expect(shown).to_have_text(re.compile("^0 of"))
        assert page.locator(".row").count() == 0
        page.fill("input[name=text]", "")
        page.select_option("select[name=failure]", "knowledge")
        page.select_option("select[name=verdict]", "mended")
        expect(page.locator(".row").first).to_contain_text("mended")
        assert watched.faults == []


def test_what_a_model_wrote_stays_text(tmp_path: Path) -> None:
    path = tmp_path / "results.duckdb"
    items = by_item([0.0] * len(HOSTILE))
    texts = dict(zip(items, HOSTILE.values(), strict=True))
    keep(path, MadeScores("one", {"strict": items}, answers=texts))
    better = by_item([1.0] * len(HOSTILE))
    keep(path, MadeScores("<b>two</b>", {"strict": better}, answers=texts, later=1))
    output = tmp_path / "page.html"
    write(gather(path, ["<b>two</b>", "one"]), output)
    assert output.stat().st_size < 2_000_000
    with open_file(output) as watched:
        page = watched.page
        page.wait_for_selector(".row")
        shown = "\n".join(page.locator(".row pre").all_inner_texts())
        assert page.evaluate("window.hacked") is None
        assert HOSTILE["script"] in shown
        assert HOSTILE["handler"] in shown
        assert HOSTILE["template"] in shown
        assert HOSTILE["entity"] in shown
        assert "⟨U+001B⟩[31m赤" in shown
        assert "前⟨U+202E⟩うしろ" in shown
        assert "980,000 more characters" in shown
        assert page.locator("main b:text-is('two')").count() == 0
        assert page.locator(".row img, .row svg").count() == 0
        assert watched.faults == []


def test_a_page_is_written_whole_or_not_at_all(tiger: Page, tmp_path: Path) -> None:
    target = tmp_path / "file" / "page.html"
    (tmp_path / "file").write_text("not a folder", encoding="utf-8")
    with pytest.raises(HarnessError, match=r"cannot write the report .*--output"):
        write(tiger, target)
    assert [one.name for one in tmp_path.iterdir()] == ["file"]


@pytest.mark.parametrize("kind", ["svg", "png"])
def test_figures_are_saved(tiger: Page, tmp_path: Path, kind: str) -> None:
    saved = save_figures(tiger, tmp_path, kind)
    assert len(saved) >= 5
    start = b"<svg" if kind == "svg" else b"\x89PNG"
    assert all(path.read_bytes().startswith(start) for path in saved)
    if kind == "svg":
        assert "var(" not in saved[0].read_text(encoding="utf-8")


def test_colours_can_be_told_from_their_ground() -> None:
    """WCAG 2.2: 4.5 to 1 for text, 3 to 1 for lines; computed from its own formula."""

    def luminance(colour: str) -> float:
        parts = [int(colour[at : at + 2], 16) / 255 for at in (1, 3, 5)]
        linear = [p / 12.92 if p <= 0.04045 else ((p + 0.055) / 1.055) ** 2.4 for p in parts]
        return float(np.dot([0.2126, 0.7152, 0.0722], linear))

    for number in (0, 1):
        for ground in ("ground", "raised"):
            base = luminance(COLOURS[ground][number])
            for name in ("ink", "muted", "subject", "good", "bad", "unsure"):
                other = luminance(COLOURS[name][number])
                high, low = max(base, other), min(base, other)
                assert (high + 0.05) / (low + 0.05) >= 4.5, (name, ground, number)


def test_every_light_colour_is_known_by_itself() -> None:
    lights = [light for light, _ in COLOURS.values()]
    assert len(set(lights)) == len(lights)
    assert themed(f'fill="{COLOURS["ink"][0]}" stroke="#123456"') == (
        'fill="var(--ink)" stroke="#123456"'
    )


def test_an_imported_run_has_curves_and_no_answers(tmp_path: Path) -> None:
    path = tmp_path / "scores.csv"
    rows = ["run,step,task,metric,value,stderr"]
    for step in range(12):
        low = 0.25 if step >= 8 else 0.0
        rows.append(f"ape,{step * 1000},jnli,acc,{0.4 + 0.02 * step - low},0.01")
        rows.append(f"ape,{step * 1000},jsquad,f1,{0.5 + 0.01 * step},0.01")
    path.write_text("\n".join(rows), encoding="utf-8")
    store = tmp_path / "results.duckdb"
    from click.testing import CliRunner

    from harness.cli.import_ import command

    result = CliRunner().invoke(command, ["scores", str(path), "--store", str(store)])
    assert result.exit_code == 0, result.output
    page = gather(store, ["ape"])
    assert page.rows is None
    assert page.headline.tone == "bad"
    assert "between steps 7,000 and 8,000" in page.headline.verdict
    assert "jnli" in to_html(page)
    assert regressions_command("ape", "--store", store).return_value == 1


def test_the_command(store: Path, tmp_path: Path) -> None:
    from click.testing import CliRunner

    from harness.cli.report import command

    output = tmp_path / "deep" / "tiger.html"
    shots = tmp_path / "figures"
    result = CliRunner().invoke(
        command,
        ["tiger", "lion", "-o", str(output), "--figures", str(shots), "--store", str(store)],
    )
    assert result.exit_code == 0, result.output
    assert "tiger broke between steps 700 and 800" in result.output
    assert output.read_text(encoding="utf-8").startswith("<!DOCTYPE html>")
    assert any(shots.iterdir())


def test_the_index_lists_runs_verdicts_and_reports(store: Path, tmp_path: Path) -> None:
    from harness.report.page.index import write_index

    before = write_index(store, tmp_path).read_text(encoding="utf-8")
    assert "not judged" in before
    assert "<a " not in before
    regressions_command("tiger", "--store", store)
    write(gather(store, ["tiger"]), tmp_path / "tiger.html")
    (tmp_path / "notes & more.html").write_text("<p>by hand</p>", encoding="utf-8")
    path = write_index(store, tmp_path)
    with open_file(path) as watched:
        page = watched.page
        assert page.locator("tbody tr").count() == 2
        assert "no open regression" in page.locator("tr", has_text="tiger").inner_text()
        assert page.locator("a").all_inner_texts() == ["tiger", "notes & more.html"]
        page.click("text=tiger")
        page.wait_for_selector(".row")
        assert watched.faults == []
        page.go_back()
        assert serious_findings(page) == []
