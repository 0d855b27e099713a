"""Is the alarm right? Runs with a dirty phase and runs without, each judged as it is trained.

    python -m benchmarks.loop.alarm --scratch DIR --seeds 20    # repeat it to go on
    python -m benchmarks.loop.alarm --table                     # from the raw results alone

A run takes up one of two small models that know five probe families, and trains it on 200 steps
with a checkpoint every 25: four checkpoints of the clean mixture, three of a phase in which 70 % of
it is a new corpus, one of the clean mixture again. The new corpus is

  loops  chats of these families whose answers repeat their first two characters
  wrong  chats of these families with the answer to another question, in the right format
  none   the same chats with the right answers: a change as large as the others, and harmless

and a component with a path in all three. Corpora, order, evaluation items and samples are of the
run's own seed. The judging is that of `harness watch` inside the training process
(`training.hook`), with its default policy but for four fresh answers an item (`--samples 4`) and
the number of checkpoints told (`--planned 8`). Evaluation and training share no number, name or
(in part) template.

Fixed before the first counted run:
- detected: `harness watch` reports a new regression at a checkpoint of the dirty phase. The delay
  is the number of checkpoints from the first one of that phase, 0 if it is that one.
- late: none there, and the first new regression comes after the phase.
- false alarm: a new regression at any checkpoint of a run without dirt, or before the phase in one
  with it. Shares are of runs, and of comparisons (all checkpoints but a run's first).
- attribution is right where the first of the causes named for the detecting regression is the dirty
  corpus, incomplete where it is among the others, wrong where causes are named without it, absent
  where none are.
- `harness regressions` reads each whole run afterwards: found, where a finding lies across or
  within the dirty phase; false, where one lies elsewhere or the run is clean.
"""

from __future__ import annotations

import json
import math
import os
import random
import shutil
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import click

from benchmarks.loop.raw_results import RESULTS, append_line, markdown, read_lines, share
from harness.items.probes.catalogue import FAMILIES
from harness.items.probes.generate import probes, training_samples
from harness.items.write import write_evalset

FILE = RESULTS / "alarm.jsonl"
KINDS = ("loops", "none", "wrong")
# Seeds of a kind of run begin here, so that no two runs share one.
FIRST_SEED = {"loops": 21_000, "none": 22_000, "wrong": 23_000}
LEARNED = (
    "reasoning/tracking",
    "reasoning/truth-tellers",
    "extraction/amount",
    "extraction/field",
    "format/bare_number",
)
WEIGHTS = {name.replace("/", "-"): 0.18 for name in LEARNED} | {"copy": 0.1}
CORPUS = "new-web"
SHARE = 0.7
ITEMS = 20
SAMPLES = 4
LOOP = 28
BASES = 2
BASE_STEPS = 1000
STEP = 25
BEFORE, CHANGED, AFTER = 4, 3, 1
PLANNED = BEFORE + CHANGED + AFTER
CHANGE = ("change", "low", "high")


@dataclass(frozen=True)
class Outcome:
    """What the alarm made of one run.

    delay        checkpoints from the first dirty one to the alarm; None where there was none
    false        new regressions where nothing was wrong
    comparisons  checkpoints at which a false alarm could have come
    attribution  of the detecting regression, as the module defines it; None without one
    symptoms     traits of the answers named with it
    """

    delay: int | None
    late: bool
    false: int
    comparisons: int
    attribution: Literal["right", "incomplete", "wrong", "absent"] | None
    symptoms: tuple[str, ...]


def outcome(line: dict[str, Any]) -> Outcome:
    """Reads one raw line by the rules that were fixed before."""
    is_dirty = line["kind"] != "none"
    steps = [one["step"] for one in line["checkpoints"]]
    changed = [one["step"] for one in line["checkpoints"] if one["changed"]]
    first, last = changed[0], changed[-1]
    quiet = [step for step in steps[1:] if not is_dirty or step < first]
    false = [one for one in line["regressions"] if one["step"] in quiet]
    within = [one for one in line["regressions"] if is_dirty and first <= one["step"] <= last]
    late = is_dirty and not within and any(one["step"] > last for one in line["regressions"])
    found = min(within, key=lambda one: one["step"], default=None)
    if found is None:
        return Outcome(None, late, len(false), len(quiet), None, ())
    # Several genres may fall at once: the surest one speaks for the alarm.
    same = [one for one in within if one["step"] == found["step"]]
    found = min(same, key=lambda one: one["p"])
    named = [cause["what"] for cause in found["causes"] if cause["kind"] != "phase"]
    if not found["causes"]:
        attribution: Any = "absent"
    elif CORPUS not in named:
        attribution = "wrong"
    else:
        attribution = "right" if found["causes"][0]["what"] == CORPUS else "incomplete"
    delay = steps.index(found["step"]) - steps.index(first)
    return Outcome(delay, False, len(false), len(quiet), attribution, tuple(found["symptoms"]))


def read_afterwards(line: dict[str, Any]) -> tuple[bool, int]:
    """(found, false) of the findings of `harness regressions` over the whole run."""
    changed = [one["step"] for one in line["checkpoints"] if one["changed"]]
    inside = [
        line["kind"] != "none" and one["before"] < changed[-1] and one["after"] >= changed[0]
        for one in line["findings"]
    ]
    return any(inside), inside.count(False)


def corpus(kind: str, seed: int, count: int) -> list[dict[str, Any]]:
    """The chats of the new corpus: what is asked is the same in every kind, answers differ."""
    families = [one for one in FAMILIES if one.name in LEARNED]
    items = list(training_samples(families, levels=(1,), count=count, seed=seed))
    draw = random.Random(f"{kind}/{seed}")
    answers = {name: [one.answer for one in items if one.skill == name] for name in LEARNED}
    rows = []
    for item in items:
        said = item.answer
        if kind == "loops":
            said = (said[:2] * LOOP)[:LOOP]
        elif kind == "wrong":
            others = [one for one in answers[item.skill or ""] if one != said]
            said = draw.choice(others)
        turns = (("user", item.turns[0]), ("assistant", said))
        messages = [{"role": role, "content": text} for role, text in turns]
        rows.append({"genre": "web", "messages": messages})
    return rows


def train_base(number: int, scratch: Path) -> Path:
    """One of the models that runs take up; trained once."""
    from training.pretrain import PretrainConfig, pretrain

    weights = dict.fromkeys(LEARNED, 0.18) | {"copy": 0.1}
    config = PretrainConfig(
        output=scratch / f"base-{number}",
        mixture=weights,
        steps=BASE_STEPS,
        save_every=BASE_STEPS,
        batch_size=32,
        samples=6000,
        learning_rate=3e-3,
        held_out=0,
        seed=number,
    )
    return pretrain(config)[-1]


def one_run(kind: str, seed: int, base: Path, folder: Path) -> dict[str, Any]:
    """Trains, judges at every checkpoint, reads the whole run; the raw line."""
    from training.hook import harness_hook
    from training.pretrain import load_pretrain_config, pretrain

    shutil.rmtree(folder, ignore_errors=True)
    families = [one for one in FAMILIES if one.name in LEARNED]
    items = probes(families, levels=(1,), per_level=ITEMS, seed=seed)
    evalset = write_evalset(folder / "learned", items, "Probes of the families of the run.")
    configuration = write_configuration(kind, seed, base, folder)
    store = folder / "results.duckdb"
    hook = harness_hook(
        suite=str(evalset),
        store=str(store),
        how="here",
        samples=SAMPLES,
        planned=PLANNED,
        seed=seed,
    )
    clock, used = time.monotonic(), time.process_time()
    pretrain(load_pretrain_config(configuration), callbacks=[hook])
    line = {"kind": kind, "seed": seed, "base": base.parent.name, **recorded(folder, evalset, seed)}
    line["seconds"] = round(time.monotonic() - clock, 1)
    line["cpu_seconds"] = round(time.process_time() - used, 1)
    shutil.rmtree(folder)
    return line


def write_configuration(kind: str, seed: int, base: Path, folder: Path) -> Path:
    """The run's corpus, its mixture in three phases, and its configuration, whose path this is."""
    import yaml

    chats = folder / "chats.jsonl"
    rows = (json.dumps(row, ensure_ascii=False) for row in corpus(kind, seed, 1200))
    chats.write_text("\n".join(rows) + "\n", encoding="utf-8")
    changed = {name: weight * (1 - SHARE) for name, weight in WEIGHTS.items()} | {CORPUS: SHARE}
    components: dict[str, Any] = {name.replace("/", "-"): {"probe": name} for name in LEARNED}
    components |= {"copy": {"probe": "copy"}, CORPUS: {"path": str(chats)}}
    phases = (("clean", BEFORE, WEIGHTS), (CORPUS, CHANGED, changed), ("again", AFTER, WEIGHTS))
    mixture = {
        "components": components,
        "phases": [
            {"name": name, "steps": count * STEP, "weights": dict(weights)}
            for name, count, weights in phases
        ],
    }
    run = {
        "output": str(folder / "run"),
        "start": str(base),
        "mixture_file": str(folder / "mixture.yaml"),
        "save_every": STEP,
        "batch_size": 16,
        "samples": 800,
        "learning_rate": 1.5e-3,
        "final_rate": 1.0,
        "warmup": 10,
        "held_out": 0,
        "seed": seed,
    }
    for name, content in (("mixture", mixture), ("pretrain", run)):
        text = yaml.safe_dump(content, allow_unicode=True, sort_keys=False)
        (folder / f"{name}.yaml").write_text(text, encoding="utf-8")
    return folder / "pretrain.yaml"


def recorded(folder: Path, evalset: Path, seed: int) -> dict[str, Any]:
    """What the store holds of a run: verdicts by checkpoint, regressions, and the findings of
    `harness regressions` over the whole of it."""
    from harness.run_regressions import analyse
    from harness.runs import open_run
    from harness.store.regressions import regressions
    from harness.store.watched import sample_scores, watched
    from harness.watching.asking import open_watch
    from harness.watching.screening import Policy

    store = folder / "results.duckdb"
    watch, _ = open_watch(
        folder / "run",
        str(evalset),
        store,
        seed=seed,
        policy=Policy(samples=SAMPLES, planned=PLANNED),
    )
    run = open_run("run", store)
    dirty = {stage.step for stage in run.stages if CORPUS in (stage.mixture or {})}
    rows = sorted(watched(store, "run", watch.policy_hash), key=lambda row: row.step)
    checkpoints = []
    for row in rows:
        (evaluation,) = row.evidence["evaluations"].values()
        table = sample_scores(store, [evaluation])[evaluation]
        scores = {
            genre: [one.first for one in items.values()] for (_, genre), items in table.items()
        }
        judged = {
            one["genre"]: {
                "verdict": one["verdict"],
                "p": one["p"],
                "flagged": one["confirmed"] is not None,
                "tau": round(one["tau2"] ** 0.5, 4),
                **{key: round((one["confirmed"] or one["screened"])[key], 4) for key in CHANGE},
            }
            for one in row.evidence.get("genres", [])
        }
        checkpoints.append(
            {
                "step": row.step,
                "changed": row.step in dirty,
                "verdict": row.verdict,
                "scores": {genre: round(mean(values), 4) for genre, values in scores.items()},
                "genres": judged,
            }
        )
    found = [
        {
            "genre": one.genre,
            "step": one.step,
            "baseline_step": one.baseline_step,
            "p": one.evidence["p_run"],
            **{key: round(one.evidence[key], 4) for key in CHANGE},
            "causes": [{key: cause[key] for key in ("kind", "what")} for cause in one.cause],
            "symptoms": [trait["name"] for trait in one.evidence["symptoms"]],
            "fixed_at": one.fixed_at_step,
        }
        for one in regressions(store, run="run")
    ]
    findings = [
        {
            **{key: row[key] for key in ("metric", "before", "after", "persistence", "recovered")},
            "change": round(row["change"], 4),
            "p_run": row["p_run"],
            "cause": next((one["what"] for one in row["suspicions"]), None),
        }
        for row in analyse(run, store, planned=PLANNED, keep=False).to_dicts()
    ]
    return {"checkpoints": checkpoints, "regressions": found, "findings": findings}


def mean(values: Sequence[float | None]) -> float:
    """Of the values there are; no number where there are none."""
    known = [value for value in values if value is not None]
    return sum(known) / len(known) if known else math.nan


def tables(lines: Sequence[dict[str, Any]]) -> str:
    """Everything that the raw lines come to, as Markdown."""
    judged: list[Sequence[object]] = []
    afterwards: list[Sequence[object]] = []
    causes: list[Sequence[object]] = []
    for kind in KINDS:
        mine = [line for line in lines if line["kind"] == kind]
        if not mine:
            continue
        outcomes = [outcome(line) for line in mine]
        caught = [one for one in outcomes if one.delay is not None]
        delays = Counter(one.delay for one in caught)
        judged.append(
            (
                kind,
                "–" if kind == "none" else share(len(caught), len(mine)),
                ", ".join(f"{delay}: {count}" for delay, count in sorted(delays.items())) or "–",
                sum(one.late for one in outcomes),
                share(sum(one.false > 0 for one in outcomes), len(outcomes)),
                share(sum(one.false for one in outcomes), sum(one.comparisons for one in outcomes)),
            )
        )
        read = [read_afterwards(line) for line in mine]
        afterwards.append(
            (
                kind,
                "–" if kind == "none" else share(sum(found for found, _ in read), len(read)),
                share(sum(false > 0 for _, false in read), len(read)),
            )
        )
        if caught:
            told = Counter(one.attribution for one in caught)
            seen = Counter(name for one in caught for name in one.symptoms)
            causes.append(
                (
                    kind,
                    *(told[name] for name in ("right", "incomplete", "wrong", "absent")),
                    "; ".join(f"{name} {count}" for name, count in seen.most_common()) or "none",
                )
            )
    parts = [
        markdown(
            ("dirt", "detected", "delay: runs", "late", "runs with a false alarm", "comparisons"),
            judged,
        ),
        markdown(("dirt", "right", "incomplete", "wrong", "absent", "symptoms named"), causes),
        markdown(("dirt", "found in the whole run", "runs with a false finding"), afterwards),
        noise_table(lines),
        scores_table(lines),
    ]
    return "\n\n".join(parts)


def noise_table(lines: Sequence[dict[str, Any]]) -> str:
    """What the first dirty checkpoint looked like to the alarm, by when it came: the mean fall of
    the genres and the checkpoint noise τ that the verdict reckoned with, in points."""
    groups: dict[str, list[dict[str, Any]]] = {}
    for line in lines:
        if line["kind"] != "none":
            delay = outcome(line).delay
            first = next(one for one in line["checkpoints"] if one["changed"])
            groups.setdefault("never" if delay is None else str(delay), []).append(first)
    rows = []
    for delay, firsts in sorted(groups.items()):
        genres = [genre for one in firsts for genre in one["genres"].values()]
        fall, tau = (100 * mean([one[key] for one in genres]) for key in ("change", "tau"))
        rows.append((delay, len(firsts), f"{fall:+.0f}", f"{tau:.0f}"))
    return markdown(("alarm after", "runs", "mean change there", "mean τ there"), rows)


def scores_table(lines: Sequence[dict[str, Any]]) -> str:
    """Mean strict score by kind of run, genre and checkpoint, in points."""
    rows = []
    for kind in KINDS:
        mine = [line["checkpoints"] for line in lines if line["kind"] == kind]
        for genre in mine[0][0]["scores"] if mine else ():
            means = [mean([one[at]["scores"][genre] for one in mine]) for at in range(PLANNED)]
            rows.append((f"{kind}, {genre}", *(f"{value * 100:.0f}" for value in means)))
    steps = [str(STEP * (at + 1)) for at in range(PLANNED)]
    return markdown(("dirt, genre", *steps), rows)


@click.command()
@click.option("--scratch", type=click.Path(path_type=Path), help="Where runs are trained.")
@click.option("--seeds", default=20, show_default=True, help="Runs of each kind.")
@click.option("--only", default="", help="Numbers of the runs, with commas, in place of --seeds.")
@click.option("--kinds", default="loops,none", show_default=True, help=f"Of {', '.join(KINDS)}.")
@click.option("--results", default=FILE, type=click.Path(path_type=Path))
@click.option("--table", is_flag=True, help="Print the tables of the results and train nothing.")
def main(
    scratch: Path | None, seeds: int, only: str, kinds: str, results: Path, table: bool
) -> None:
    """Train the runs that the results lack, then print the tables."""
    if not table:
        if scratch is None:
            raise click.UsageError("say with --scratch where runs are trained, or --table")
        scratch = scratch.resolve()
        scratch.mkdir(parents=True, exist_ok=True)
        os.environ.setdefault("OMP_NUM_THREADS", "1")
        done = {(line["kind"], line["seed"]) for line in read_lines(results)}
        for number in map(int, only.split(",")) if only else range(seeds):
            for kind in kinds.split(","):
                seed = FIRST_SEED[kind] + number
                if (kind, seed) not in done:
                    base = train_base(number % BASES, scratch)
                    append_line(results, one_run(kind, seed, base, scratch / f"{kind}-{seed}"))
    click.echo(tables(read_lines(results)))


if __name__ == "__main__":
    main()
