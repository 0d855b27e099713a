"""A report of many flipped items: size of its file, time to build it, and time until it can be used
in a real browser, beside the same answers as one plain table.

The peer is the usual way to look at answers, one HTML table of them all, as pandas'
`DataFrame.to_html` writes it. Both are opened in the same headless Chromium in turn.

Usage: python benchmarks/report_size.py [--items 5000] [--rounds 3] [--json FILE]
"""

from __future__ import annotations

import argparse
import os
import shutil
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from benchmarks.bench.measure import Result
from benchmarks.bench.peers import here
from harness.report.page.gather import gather
from harness.report.page.render import write
from harness.store.database import connect
from tests.comparison_store import MadeScores, by_item, keep

GENRES = ("math", "reasoning", "extraction", "coding")
SENTENCE = "三つの箱のうち二つ目に入っている球の数を数えて、理由とともに答えてください。"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--items", type=int, default=5_000)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--json", type=Path)
    wanted = parser.parse_args()
    result, peer = Result(), here("pandas")
    with tempfile.TemporaryDirectory() as folder:
        store = Path(folder) / "results.duckdb"
        fill(store, wanted.items)
        begun = time.perf_counter()
        page = gather(store, ["new"], base="old")
        gathered = time.perf_counter() - begun
        ours = Path(folder) / "ours.html"
        write(page, ours)
        built = time.perf_counter() - begun
        plain = Path(folder) / "plain.html"
        write_plain(store, plain)
        assert page.rows is not None
        what = f"{page.rows.count:,} flipped items with two answers each"
        result.add(f"{what}: the file", peer, "MB", [size(ours)], [size(plain)])
        seconds = interactive({"ours": ours, "plain": plain}, wanted.rounds)
        if seconds:
            result.add("until it can be used", peer, "s", seconds["ours"], seconds["plain"])
        result.check(
            f"Ours was built in {built:.1f} s, of which {gathered:.1f} s went into reading the "
            "store and comparing."
        )
    result.write(wanted.json)


def fill(store: Path, items: int) -> None:
    """Two evaluations in which every item flips."""
    each = items // len(GENRES)
    for later, (name, value) in enumerate((("old", 0.0), ("new", 1.0))):
        rows: dict[Any, list[float | None]] = {}
        for number, genre in enumerate(GENRES):
            # Half of the genres break, half are mended.
            score = value if number % 2 else 1.0 - value
            rows |= by_item([score] * each, genre)
        answers = {
            item: f"{name}: {SENTENCE * (1 + at % 7)} 答えは{at}です。"
            for at, item in enumerate(rows)
        }
        keep(store, MadeScores(name, {"strict": rows}, answers=answers, later=later))


def write_plain(store: Path, output: Path) -> None:
    import pandas as pd

    with connect(store, read_only=True) as connection:
        rows = connection.execute(
            "SELECT i.id, i.genre, c.name, g.text FROM generations g "
            "JOIN items i ON i.hash = g.item_hash JOIN checkpoints c "
            "USING (fingerprint) ORDER BY ALL"
        ).fetchall()
    table = pd.DataFrame(rows, columns=["item", "genre", "checkpoint", "answer"])
    with pd.option_context("display.max_colwidth", None):
        text = table.to_html(index=False, border=0)
    output.write_text(f"<!DOCTYPE html><meta charset=utf-8><title>t</title>{text}")


def size(path: Path) -> float:
    return path.stat().st_size / 1e6


def interactive(pages: dict[str, Path], rounds: int) -> dict[str, list[float]]:
    """Seconds of each round from opening until the main thread answers with rows laid out."""
    executable = shutil.which("chromium") or shutil.which("google-chrome")
    if executable is None:
        print("no Chromium here: the time in a browser is not measured")
        return {}
    from playwright.sync_api import sync_playwright

    arguments = ["--no-sandbox"] if os.geteuid() == 0 else []
    seconds: dict[str, list[float]] = {name: [] for name in pages}
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=executable, args=arguments)
        for _ in range(rounds):
            for name, path in pages.items():
                page = browser.new_page()
                begun = time.perf_counter()
                page.goto(path.as_uri(), timeout=300_000)
                page.locator(".row, tr").first.wait_for(timeout=300_000)
                page.evaluate("document.body.offsetHeight")
                seconds[name].append(time.perf_counter() - begun)
                page.close()
        browser.close()
    return seconds


if __name__ == "__main__":
    main()
