"""A report of many flipped items: size of its file, time to build it, and time until it can be used
in a real browser, beside the same answers as one plain table.

    python benchmarks/report_size.py --items 20000

The peer is what pandas' `DataFrame.to_html` would give (one row an answer, all in the document):
the usual way to look at answers. Both are opened in the same headless Chromium in turn.
"""

from __future__ import annotations

import argparse
import html
import os
import shutil
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from harness.report.page.gather import gather
from harness.report.page.render import write
from harness.store.database import connect
from tests.comparison_store import MadeScores, by_item, keep

GENRES = ("math", "reasoning", "extraction", "coding")
SENTENCE = "三つの箱のうち二つ目に入っている球の数を数えて、理由とともに答えてください。"


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--items", type=int, default=5_000)
    parser.add_argument("--rounds", type=int, default=3)
    wanted = parser.parse_args()
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
        print(f"{page.rows.count:,} flipped items with two answers each")
        print(f"build: {built:.1f} s, of which reading the store and comparing {gathered:.1f} s")
        print(
            f"size: {size(ours):.2f} MB; as one table {size(plain):.2f} MB, "
            f"{size(plain) / size(ours):.1f} times as much"
        )
        seconds = interactive({"ours": ours, "plain": plain}, wanted.rounds)
        if seconds:
            print(
                f"until it can be used: {seconds['ours']:.2f} s; as one table "
                f"{seconds['plain']:.2f} s, {seconds['plain'] / seconds['ours']:.1f} times as long"
            )


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
    with connect(store, read_only=True) as connection:
        rows = connection.execute(
            "SELECT i.id, i.genre, c.name, g.text FROM generations g "
            "JOIN items i ON i.hash = g.item_hash JOIN checkpoints c "
            "USING (fingerprint) ORDER BY ALL"
        ).fetchall()
    lines = ("<tr>" + "".join(f"<td>{html.escape(one)}</td>" for one in row) for row in rows)
    output.write_text(
        "<!DOCTYPE html><meta charset=utf-8><title>t</title><table>" + "\n".join(lines),
        encoding="utf-8",
    )


def size(path: Path) -> float:
    return path.stat().st_size / 1e6


def interactive(pages: dict[str, Path], rounds: int) -> dict[str, float]:
    """Seconds from opening until the main thread answers with rows laid out: the best of rounds."""
    executable = shutil.which("chromium") or shutil.which("google-chrome")
    if executable is None:
        print("no Chromium here: the time in a browser is not measured")
        return {}
    from playwright.sync_api import sync_playwright

    arguments = ["--no-sandbox"] if os.geteuid() == 0 else []
    best = dict.fromkeys(pages, float("inf"))
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=executable, args=arguments)
        for _ in range(rounds):
            for name, path in pages.items():
                page = browser.new_page()
                begun = time.perf_counter()
                page.goto(path.as_uri(), timeout=300_000)
                page.locator(".row, tr").first.wait_for(timeout=300_000)
                page.evaluate("document.body.offsetHeight")
                best[name] = min(best[name], time.perf_counter() - begun)
                page.close()
        browser.close()
    return best


if __name__ == "__main__":
    main()
