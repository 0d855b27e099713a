"""Does verification help? One demand met by a fallible teacher, as it answers and as proven.

    python -m benchmarks.loop.verification --work runs/loop
    python -m benchmarks.loop.verification --table

Needs the seeds' students and plans of `benchmarks.loop.targeting` in the same --work. Fixed before
the reported seeds were run:

- The demand is the `frontier` plan's lines for genres that lag, at `--samples` in all (that policy
  asks for what the student, and so a teacher little better, gets right at times; a trial of 60
  steps with the `gap` plan had a teacher that could prove nothing of the sums it was asked). The
  questions are `synthesize`'s, `POOL` times as many as are wanted, so that enough are left.
- The teacher is a real checkpoint that errs: the seed's `uniform` arm, which has seen a little of
  everything. It answers each question once, at temperature `--temperature`; its wrong answers are
  its own, at its own rate. Nothing is planted.
- Arms, equal in steps, rows and samples of every line:
  `unverified`  the first questions of each line, with the teacher's answers as they are;
  `proven`      the first questions of each line whose answer `training.synthesis.verify` proves;
  `exact`       the questions of `unverified`, with the program's right answers: what verification
                could give at most, had the teacher known everything.
  Of every line as many samples are taken as are proven there, `--samples` at most.
- The student goes on from the same base, 60 % of the rows from these samples, 40 % replay, and is
  asked the same proof items as in `targeting`. Primary: `lagging`, `proven` against `unverified`.
"""

from __future__ import annotations

import argparse
import warnings
from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from benchmarks.loop.experiment import (
    PROOF,
    Results,
    ask,
    draw_sets,
    marks,
    read_lines,
    steer,
    timed,
)
from benchmarks.loop.student import SHARE, train
from benchmarks.loop.tables import print_verification
from benchmarks.loop.targeting import RESULTS as TARGETING
from benchmarks.loop.targeting import corpus_of, make_plan, synthesized, trained_base
from harness.checkpoint import discover
from harness.engines.types import Message
from harness.gaps.plan import Plan
from harness.items.write import write_items
from training.synthesis.shards import Row, read_shard, write_shard

RESULTS = TARGETING.with_name("verification.jsonl")
ARMS = ("unverified", "proven", "exact")
POLICY = "frontier"
# Questions asked of the teacher for each sample that is wanted.
POOL = 3
# Settings that are those of `targeting`.
SHARED = ("base", "first_steps", "steering", "proof", "goal")
# New tokens of an answer; the longest right one is far shorter.
_TOKENS = 24


def run_seed(seed: int, work: Path, results: Results) -> None:
    """Everything of one seed that `results` does not hold yet."""
    if all(results.find(seed, arm) for arm in ARMS):
        return
    told = results.settings
    home = corpus_of(work, told["base"]).with_name(f"seed-{seed}")
    base = next(
        one
        for one in read_lines(TARGETING)
        if (one["seed"], one["arm"]) == (seed, "base")
        and all(told[name] == one["settings"][name] for name in SHARED)
    )
    sets = draw_sets(seed, told["steering"], told["proof"])
    start = trained_base(work, told["base"], told["first_steps"])
    teacher = next((home / "uniform").glob("step_*"))
    shards, about = prepared(seed, start, teacher, home, set(base["lagging"]), told)
    if results.find(seed, "base") is None:
        results.add(
            seed, "base", **{name: base[name] for name in ("strict", "lagging", "steering")}
        )
    for arm in ARMS:
        if results.find(seed, arm) is not None:
            continue
        with timed(f"seed {seed} {arm}: train") as spent:
            last = train(
                home / f"verification-{arm}",
                corpus_of(work, told["base"]),
                steps=told["steps"],
                seed=seed,
                start=start,
                added=shards[arm],
                share=SHARE,
            )
        with timed(f"seed {seed} {arm}: prove"):
            asked = ask(last, PROOF, sets.proof, home / "proof.duckdb")
        results.add(seed, arm, strict=marks(asked.strict), spent=spent, **about)


def prepared(
    seed: int, start: Path, teacher: Path, home: Path, lagging: set[str], told: Any
) -> tuple[dict[str, Path], dict[str, Any]]:
    """The three arms' shards, and what the raw results keep of the teacher."""
    from training.synthesis.decontaminate import Decontamination

    store, folder = home / "steering.duckdb", home / "verification"
    (student,) = discover(str(start))
    plan = make_plan(store, steer(student, store, told["goal"]), POLICY, told["samples"], seed)
    lines = demanded(plan, lagging, told["samples"])
    sets = draw_sets(seed, told["steering"], told["proof"])
    against = Decontamination.build(store, [write_items(home / "proof.jsonl", sets.proof)])
    wide = tuple(replace(line, samples=POOL * line.samples) for line in lines)
    # A seed of its own: the teacher has seen none of these questions because of this plan.
    asked = replace(plan, lines=wide, seed=seed + 10_000)
    shard, _ = synthesized(asked, folder / "questions", against)
    rows = read_shard(shard)
    with timed(f"seed {seed}: the teacher answers {len(rows)} questions"):
        replies = answers(teacher, rows, told["temperature"], seed)
    arms, about = sorted_out(asked, rows, replies, [line.samples for line in lines])
    shards = {}
    for arm, kept in arms.items():
        shards[arm] = folder / f"{arm}.parquet"
        write_shard(shards[arm], kept, {"arm": arm, "seed": seed})
    return shards, about


def demanded(plan: Plan, lagging: set[str], samples: int) -> list[Any]:
    """The plan's gap lines of lagging genres, scaled to `samples` together."""
    lines = [
        line
        for line in plan.lines
        if line.genre in lagging and line.purpose == "gap" and line.skill
    ]
    total = sum(line.samples for line in lines)
    return [replace(line, samples=round(samples * line.samples / total)) for line in lines]


def answers(teacher: Path, rows: Sequence[Row], temperature: float, seed: int) -> list[str]:
    """The teacher's answer to each row's question; "" where it did not end."""
    from collections import deque

    from harness.engines.prompt import load_renderer
    from harness.engines.select import open_engine
    from harness.engines.types import Request, Sampling

    render = load_renderer(teacher)
    queue = deque(
        Request(
            str(index),
            (prompt := render(row.sample.messages[:1])).prompt,
            Sampling(temperature, 1.0, _TOKENS, seed=seed * 1_000_000 + index, stop=prompt.stop),
            prompt.special_tokens,
        )
        for index, row in enumerate(rows)
    )
    engine = open_engine("transformers", path=teacher, batch_size=256).engine
    try:
        found = {one.key: one for one in engine.generate(queue)}
    finally:
        engine.close()
    ended = [found[str(index)] for index in range(len(rows))]
    return [one.text if one.finish_reason == "stop" else "" for one in ended]


def sorted_out(
    plan: Plan, rows: Sequence[Row], replies: Sequence[str], wanted: Sequence[int]
) -> tuple[dict[str, list[Row]], dict[str, Any]]:
    """Rows of each arm, of every line equally many, and the teacher's rates by skill.

    An answer counts as proven where `training.synthesis.verify.prove` proves the sample with it.
    """
    from training.synthesis.verify import prove

    tried: Counter[str] = Counter()
    right: Counter[str] = Counter()
    answered: dict[int, list[tuple[Row, Row, bool]]] = defaultdict(list)
    for row, reply in zip(rows, replies, strict=True):
        if not reply.strip():
            continue
        messages = (*row.sample.messages[:-1], Message("assistant", reply))
        told = replace(row, sample=replace(row.sample, messages=messages))
        proven = prove(told.sample, plan.lines[row.line]).passed
        tried[row.sample.skill] += 1
        right[row.sample.skill] += proven
        answered[row.line].append((row, told, proven))
    arms: dict[str, list[Row]] = {arm: [] for arm in ARMS}
    for number, triples in sorted(answered.items()):
        proofs = [told for _, told, proven in triples if proven]
        count = min(wanted[number], len(proofs))
        arms["proven"] += proofs[:count]
        arms["unverified"] += [told for _, told, _ in triples[:count]]
        arms["exact"] += [row for row, _, _ in triples[:count]]
    wrong = sum(
        told.sample.messages[-1] != row.sample.messages[-1]
        for told, row in zip(arms["unverified"], arms["exact"], strict=True)
    )
    about = {
        "teacher": {skill: {"answers": tried[skill], "proven": right[skill]} for skill in tried},
        "kept": dict(Counter(row.sample.skill for row in arms["exact"])),
        "wrong_in_unverified": wrong,
    }
    return arms, about


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--seeds", default="21,22,23,24,25")
    parser.add_argument("--steps", type=int, default=250)
    parser.add_argument("--samples", type=int, default=2000)
    parser.add_argument("--temperature", type=float, default=1.0)
    for name, value in (("base", 2), ("first-steps", 1400), ("steering", 24), ("proof", 40)):
        parser.add_argument(f"--{name}", type=int, default=value, help="As in `targeting`.")
    parser.add_argument("--goal", type=float, default=0.8)
    parser.add_argument("--work", type=Path, default=Path("runs/loop"))
    parser.add_argument("--results", type=Path, default=RESULTS)
    parser.add_argument("--table", action="store_true", help="Print the table; train nothing.")
    options = parser.parse_args()
    if not options.table:
        names = ("steps", "samples", "temperature", *SHARED)
        results = Results(options.results, {name: getattr(options, name) for name in names})
        warnings.filterwarnings("ignore", module=r"megatron\.")
        for seed in map(int, options.seeds.split(",")):
            run_seed(seed, options.work, results)
    print_verification(read_lines(options.results), ARMS, "unverified")


if __name__ == "__main__":
    main()
