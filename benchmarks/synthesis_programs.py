"""Samples a second of the programmatic generators, on one core, and how many of them differ.

Per generator and genre, or family and level: candidates a second, samples among them, different
samples (by their messages) and different questions, share of worked solutions. No teacher is asked.

Usage: python benchmarks/synthesis_programs.py [--count 1000] [--seed 0]
"""

from __future__ import annotations

import argparse
import sys
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from harness.gaps.plan import Line
from training.synthesis.code_problems import code_program
from training.synthesis.drills import drill
from training.synthesis.premises import premise_change
from training.synthesis.program import program
from training.synthesis.types import Generator, Order, Sample

# Generator, and a genre or a family with its level: the smallest families repeat themselves first.
ROWS: tuple[tuple[str, Generator, str], ...] = (
    ("program", program, "math"),
    ("program", program, "reasoning"),
    ("program", program, "coding"),
    ("program", program, "extraction"),
    ("program", program, "format"),
    ("drill", drill, "format"),
    ("premise_change", premise_change, "math"),
    ("premise_change", premise_change, "reasoning"),
    ("premise_change", premise_change, "extraction"),
    ("code_program", code_program, "coding"),
    ("program", program, "math/weekday 1"),
    ("program", program, "math/era 1"),
)


def is_worked(sample: Sample) -> bool:
    """Whether the answer is more than the bare answer, or a program explained."""
    if sample.item is not None and sample.item.code is not None:
        return sample.item.code.kind == "explain"
    return sample.messages[-1].content != sample.answer


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0] if __doc__ else "")
    parser.add_argument("--count", type=int, default=1000)
    parser.add_argument("--seed", type=int, default=0)
    arguments = parser.parse_args()
    print("| generator | of | candidates/s | samples | different | questions | worked |")
    print("|---|---|---:|---:|---:|---:|---:|")
    for name, generator, what in ROWS:
        skill, _, level = what.partition(" ")
        genre = skill.split("/")[0]
        named = skill if "/" in skill else ""
        line = Line(genre, named, int(level) if level else None, arguments.count)
        list(generator(Order(line, arguments.seed + 1, 0, 2), lambda prompts: []))  # imports
        start = time.process_time(), time.perf_counter()
        order = Order(line, arguments.seed, 0, arguments.count)
        made = list(generator(order, lambda prompts: []))
        # The sandbox works in processes of its own, so coding problems are timed by the clock.
        spent = (
            time.perf_counter() - start[1]
            if name == "code_program"
            else time.process_time() - start[0]
        )
        samples = [one for one in made if isinstance(one, Sample)]
        worked = sum(is_worked(one) for one in samples)
        print(
            f"| {name} | {what} | {len(made) / spent:.0f} | {len(samples)} "
            f"| {len({one.id for one in samples})} | {len({one.prompt for one in samples})} "
            f"| {worked / len(samples):.0%} |"
        )


if __name__ == "__main__":
    main()
