"""`make bench`: the page from its results, what happens to a peer or a script that fails, and how
costs are measured."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from benchmarks.bench import peers
from benchmarks.bench.__main__ import PAGE, RESULTS, STUDIES, merged, renew
from benchmarks.bench.claims import CLAIMS, Claim
from benchmarks.bench.measure import ROOT, Contender, Cost, Result, alternate, process, ratio
from benchmarks.bench.page import UNEXPLAINED, page, reason, without_paths

CLAIM = Claim("ratings", "Ratings against somebody", "x.py", "--rounds 3", "What is compared.")
MACHINE = {"processor": "Made-up CPU", "cores": 2, "memory_gib": 8, "gpu": "no GPU"}


def row(peer: str = "somebody 1.2", unit: str = "s", **values: Any) -> dict[str, Any]:
    made = {"what": "a fit", "peer": peer, "unit": unit, "ours": [1.0, 2.0, 4.0]}
    return made | {"theirs": [3.0, 5.0, 8.0]} | values


def run(*rows: dict[str, Any], **values: Any) -> dict[str, Any]:
    made = {"at": "2026-05-04", "commit": "abc1234", "command": CLAIM.command, "load": 1.25}
    made |= {"machine": MACHINE, "versions": {"Python": "3.11.7"}, "rows": list(rows)}
    return made | {"checks": [], "missing": {}} | values


def shown(*runs: dict[str, Any], claim: Claim = CLAIM, **kept: Any) -> str:
    return page([claim], {claim.name: {"runs": list(runs), **kept}}, "## Studies\n")


def test_a_row_shows_medians_and_the_ratio_with_its_rounds() -> None:
    text = shown(run(row(), checks=["All were equal."]))
    assert "| a fit | 2.00 s | somebody 1.2 | 5.00 s | 2.50 (2.00–3.00) |  |" in text
    assert "    python benchmarks/x.py --rounds 3\n" in text
    assert "All were equal." in text
    assert "Measured on: Made-up CPU, 2 cores, 8 GiB, no GPU; Python 3.11.7." in text
    assert "Measured 2026-05-04, commit abc1234, load 1.2." in text
    assert text.endswith("## Studies\n")


def test_processor_seconds_stand_beside_seconds() -> None:
    processor = row(unit="s of processor", theirs=[4.0, 8.0, 16.0])
    text = shown(run(row(), processor))
    assert (
        "| a fit | 2.00 s | somebody 1.2 | 5.00 s | 2.50 (2.00–3.00) | 4.00 (4.00–4.00) |" in text
    )
    alone = shown(run(processor))
    assert "| 2.00 s of processor | somebody 1.2 | 8.00 s of processor | 4.00 " in alone


def test_memory_stands_in_a_table_of_its_own() -> None:
    text = shown(run(row(), row(unit="MiB", ours=[100.0], theirs=[250.0])))
    section, memory = text.split("## Memory")
    assert "MiB" not in section
    line = "| ratings | a fit | 100 MiB | somebody 1.2 | 250 MiB | 2.50 |"
    assert line in memory


def test_a_peer_that_is_ahead_is_named_with_the_reason() -> None:
    slow = row(ours=[10.0, 10.0, 10.0])
    assert "1.2: ratio 0.50 (0.30–0.80). **Not explained.**" in shown(run(slow))
    explained = replace(CLAIM, explained={"somebody": "It does less."})
    assert "1.2: ratio 0.50 (0.30–0.80). It does less." in shown(run(slow), claim=explained)
    other = replace(CLAIM, explained={"somebody MiB": "It holds less."})
    assert reason(other, slow) == UNEXPLAINED
    assert reason(other, slow | {"unit": "MiB"}) == "It holds less."
    assert "Nowhere in the tables above." in shown(run(row()))


def test_a_missing_peer_keeps_its_earlier_rows_with_their_date() -> None:
    first = run(row("one 1.0"), row("two 2.0"), at="2026-01-02")
    missing = {"two": "no wheel in /home/me/.cache/two/w.whl"}
    second = run(row("one 1.1"), missing=missing)
    kept = merged({"runs": [first]}, second)
    assert [[one["peer"] for one in each["rows"]] for each in kept["runs"]] == [
        ["one 1.1"],
        ["two 2.0"],
    ]
    text = shown(*kept["runs"])
    assert "| two 2.0 (2026-01-02) |" in text
    assert "one 1.0" not in text
    assert "two was not measured: no wheel in w.whl. Its rows above are those of an" in text
    assert "/home" not in json.dumps(kept)
    # It stays over a further run without it, and goes when the peer is back.
    again = merged(kept, second)
    assert [each["at"] for each in again["runs"]] == ["2026-05-04", "2026-01-02"]
    back = merged(again, run(row("one 1.1"), row("two 2.1")))
    assert len(back["runs"]) == 1


def test_a_peer_that_was_never_there_is_named() -> None:
    text = shown(run(row(), missing={"two": "no such distribution"}))
    assert "two was not measured: no such distribution.\n" in text


def test_a_script_that_fails_leaves_the_earlier_result(tmp_path: Path) -> None:
    claim = replace(CLAIM, script="no_such_script.py")
    file = tmp_path / "ratings.json"
    file.write_text(json.dumps({"runs": [run(row())]}))
    assert not renew(claim, tmp_path)
    kept = json.loads(file.read_text())
    assert kept["runs"] == [run(row())]
    assert "no_such_script.py" in kept["failed"]["why"]
    assert str(ROOT) not in kept["failed"]["why"]
    text = shown(*kept["runs"], failed=kept["failed"])
    assert f"The run of {kept['failed']['at']} failed: " in text
    assert "| 2.50 (2.00–3.00) |  |" in text


def test_a_claim_that_was_never_measured_is_named() -> None:
    assert "Not measured yet: `make bench ONLY=ratings`." in page([CLAIM], {}, "")
    failed = shown(failed={"at": "2026-05-04", "why": "no space left"})
    assert "The run of 2026-05-04 failed: no space left." in failed
    assert "Not measured yet: `make bench ONLY=ratings`." in failed


def test_what_the_installer_says_is_one_line() -> None:
    errors = (
        "error: No solution found\n  cause: Because there is no version of peer==9.\n"
        "  cause: something deeper\n\nhint: try another\n"
    )
    assert peers.told(errors) == "No solution found: Because there is no version of peer==9"
    assert peers.told("") == ""


def test_a_peer_that_cannot_be_installed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(peers, "HOME", tmp_path)
    monkeypatch.setitem(peers.PEERS, "nobody", ("no-such-peer-of-ours==1.0",))
    monkeypatch.setenv("UV_OFFLINE", "1")
    with pytest.raises(peers.MissingPeerError):
        peers.python_of("nobody")
    assert peers.named("nobody") == "no-such-peer-of-ours 1.0"
    assert not (tmp_path / "nobody" / "installed").exists()


def test_a_peer_of_our_own_environment() -> None:
    assert peers.here("numpy").startswith("numpy ")
    with pytest.raises(peers.MissingPeerError, match="make install"):
        peers.here("no-such-peer-of-ours")


@pytest.mark.parametrize(
    ("text", "clean"),
    [
        ("cannot read /home/me/x/y.py: no", "cannot read y.py: no"),
        ("'/opt/simple/two' not found", "'two' not found"),
        ("~/a/b and ../c/d", "b and d"),
        ("12 MB/s, and/or 3/4", "12 MB/s, and/or 3/4"),
    ],
)
def test_messages_lose_their_paths(text: str, clean: str) -> None:
    assert without_paths(text) == clean


def test_the_page_is_that_of_the_results_kept() -> None:
    kept = {file.stem: json.loads(file.read_text()) for file in RESULTS.glob("*.json")}
    assert PAGE.read_text() == page(CLAIMS, kept, STUDIES.read_text())
    assert set(kept) <= {claim.name for claim in CLAIMS}
    written = PAGE.read_text() + json.dumps(kept)
    assert not re.search(r"/(home|root|tmp|opt|usr|work|Users)/", written)


def test_whatever_is_slower_than_a_peer_is_explained() -> None:
    for claim in CLAIMS:
        file = RESULTS / f"{claim.name}.json"
        runs = json.loads(file.read_text())["runs"] if file.exists() else []
        for one in (one for each in runs for one in each["rows"] if ratio(one) < 1):
            assert reason(claim, one) != UNEXPLAINED, (claim.name, one)


@pytest.mark.parametrize("claim", CLAIMS, ids=lambda claim: claim.name)
def test_every_script_knows_its_arguments(claim: Claim) -> None:
    command = [sys.executable, str(ROOT / "benchmarks" / claim.script), "--help"]
    told = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    for argument in (*re.findall(r"--[a-z-]+", claim.arguments), "--json"):
        assert f"{argument} " in told


def test_an_unknown_claim_is_refused() -> None:
    command = [sys.executable, "-m", "benchmarks.bench", "--only", "nothing"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 2
    assert "ratings" in done.stderr


def test_the_memory_of_a_process_is_its_own() -> None:
    ballast = bytearray(400 << 20)
    small, printed = process([sys.executable, "-c", "print('here')"])
    large, _ = process([sys.executable, "-c", "bytearray(b'x') * (200 << 20)"])
    assert printed == "here\n"
    assert small.memory < 100 < 200 < large.memory < 300
    assert small.wall > 0 < small.processor
    assert len(ballast) == 400 << 20


def test_a_process_that_fails_ends_the_script() -> None:
    with pytest.raises(SystemExit, match=r"(?s)ended with 7:.*sorry"):
        process([sys.executable, "-c", "import sys; print('sorry'); sys.exit(7)"])
    assert process([sys.executable, "-c", "import sys; sys.exit(7)"], statuses=(7,))[1] == ""


def test_contenders_work_when_they_are_told() -> None:
    program = (
        "from benchmarks.bench.measure import serve\n"
        "made = []\n"
        "def work():\n"
        "    print('noise on standard output')\n"
        "    made.append(1)\n"
        "    return len(made)\n"
        "serve(work, lambda last: {'rounds': last})\n"
    )
    contender = Contender([sys.executable, "-c", program], warm_ups=1)
    costs = alternate({"one": contender.round}, 3)["one"]
    assert contender.finish() == {"rounds": 4}
    assert len(contender.warm_ups) == 1
    assert all(cost.wall >= 0 < cost.memory for cost in costs)


def test_a_contender_that_dies_ends_the_script() -> None:
    with pytest.raises(SystemExit, match="ended with 3"):
        Contender([sys.executable, "-c", "raise SystemExit(3)"])


def test_rounds_go_back_and_forth() -> None:
    order: list[str] = []

    def way(name: str) -> Cost:
        order.append(name)
        return Cost(len(order), 0, 0)

    costs = alternate({name: lambda name=name: way(name) for name in "abc"}, 3)  # type: ignore[misc]
    assert "".join(order) == "abccbaabc"
    assert [cost.wall for cost in costs["a"]] == [1, 6, 7]


def test_a_result_is_written_as_the_runner_reads_it(tmp_path: Path) -> None:
    result = Result()
    costs = [Cost(1.0, 0.5, 100.0), Cost(3.0, 0.7, 120.0)]
    result.compare("work", "peer 1", costs, [Cost(2.0, 1.0, 60.0)])
    result.check("It was so.")
    result.lacks("other", "no wheel")
    result.write(tmp_path / "result.json")
    found = json.loads((tmp_path / "result.json").read_text())
    assert [(one["unit"], one["ours"], one["theirs"]) for one in found["rows"]] == [
        ("s", [1.0, 3.0], [2.0]),
        ("s of processor", [0.5, 0.7], [1.0]),
        ("MiB", [120.0], [60.0]),
    ]
    assert (found["checks"], found["missing"]) == (["It was so."], {"other": "no wheel"})
    assert [ratio(one) for one in found["rows"]] == pytest.approx([1.0, 1 / 0.6, 0.5])
