"""The stages of a loop: what each does, as a function from where the loop is to hashes and values.

Each may be killed and done again: commands resume, files appear by rename, rows have keys.
"""

from __future__ import annotations

import getpass
import sys
import time
from collections.abc import Callable, Mapping
from dataclasses import asdict, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from harness.errors import HarnessError
from training.loop.commands import HARNESS, launched, run_command
from training.loop.config import Loop
from training.loop.mixing import next_mixture, write_round
from training.loop.state import Point, Round, State

if TYPE_CHECKING:
    from harness.gaps.plan import Line, Plan

# (hashes that went in, hashes and values that came out)
Done = tuple[dict[str, str], dict[str, Any]]
Stage = Callable[[Loop, State, Round], Done]

_LOOK = 2.0


def plan(loop: Loop, state: State, now: Round) -> Done:
    """Gaps on the steering items, and the plan that would close them."""
    from harness.gaps.measure import measure_gaps
    from harness.gaps.next_round import next_round
    from harness.gaps.plan_file import write_plan
    from harness.gaps.policies import Share
    from harness.gaps.target import find_sides
    from harness.items.schema import content_hash
    from training.loop.suites import suite_names

    wanted = loop.config.synthesize
    student = state.standing.fingerprint
    steer = suite_names(loop, loop.config.evaluate.steer)
    gaps = measure_gaps(loop.store, find_sides(loop.store, student, wanted.target, steer))
    made = next_round(
        loop.store,
        gaps,
        wanted.samples,
        policy=wanted.policy,
        share=Share(keep=wanted.keep, least=wanted.least),
        seed=loop.config.seed,
        number=now.number,
    )
    made = replace(made, lines=tuple(settled(line, wanted.settings) for line in made.lines))
    write_plan(_plan_file(loop, now), made, replace=True)
    return {"student": student, "target": content_hash(gaps.target)}, {
        "plan": content_hash(made),
        "wanted": made.samples,
        "lagging": {
            one.place.genre: [round(one.gap, 4), round(one.low, 4), round(one.high, 4)]
            for one in gaps.genres
            if one.state == "lags"
        },
        "demand": _demand(made),
    }


def synthesize(loop: Loop, state: State, now: Round) -> Done:
    """The plan's samples, by `harness synthesize`."""
    from harness.gaps.plan_file import load_plan
    from training.synthesis.lineage import read_round
    from training.synthesis.run import round_home
    from training.synthesis.shards import file_hash

    made = load_plan(_plan_file(loop, now))
    output = loop.home / "synthesized"
    command = [*HARNESS, "synthesize", str(_plan_file(loop, now)), "--output", str(output)]
    command += ["--store", str(loop.store), *loop.config.synthesize.options]
    run_command(f"synthesize of round {now.number}", command)
    done = read_round(round_home(output, made))
    if not done.complete:
        raise HarnessError(
            f"{done.home}: stopped before its end ({done.lineage['stopped']}); give "
            "synthesize.options more, and repeat `harness loop`"
        )
    if not done.shards:
        raise HarnessError(f"{done.home}: no sample was kept; its card.md says why")
    kept: dict[str, int] = {}
    for line in done.lineage["lines"]:
        name = f"{line['genre']}\t{line['skill']}"
        kept[name] = kept.get(name, 0) + int(line["kept"])
    return {"plan": str(now.done["plan"]["plan"])}, {
        "home": str(done.home),
        "shards": {path.name: file_hash(path) for path in done.shards},
        "kept": kept,
        "samples": int(done.lineage["counts"]["kept"]),
    }


def mixture(loop: Loop, state: State, now: Round) -> Done:
    """The mixture that ends in this round's phase, and the run's settings."""
    from harness.items.schema import content_hash

    made = next_mixture(loop, state, now)
    write_round(loop, now, made)
    shards = now.done.get("synthesize", {}).get("shards", {})
    return {"standing": state.standing.fingerprint, **shards}, {
        "mixture": content_hash(made.settings()),
        "phase": asdict(made.phases[-1]),
        "components": made.settings()["components"],
    }


def approve(loop: Loop, state: State, now: Round) -> Done:
    """Waits until a person has said yes or no by `harness loop approve`."""
    from training.loop.approval import read_answer

    wanted = str(now.done["mixture"]["mixture"])
    while (answer := read_answer(loop, now, wanted)) is None:
        time.sleep(_LOOK)
    return {"mixture": wanted}, answer


def train(loop: Loop, state: State, now: Round) -> Done:
    """Trains the run to the end of this round's phase."""
    from harness.checkpoint import discover
    from training.run_directory import checkpoints

    settings = loop.round_home(now.number) / "pretrain.yaml"
    launch = loop.config.train.launch or sys.executable
    run_command(
        f"train of round {now.number}",
        launched(launch, ["-m", "training.pretrain", "--config", str(settings)]),
    )
    _take_log(loop)
    found = [discover(str(path))[0] for path in checkpoints(loop.base.output)]
    points = [
        Point(str(one.path), one.step or 0, one.fingerprint, one.tokens_seen or 0)
        for one in found
        if (one.step or 0) > state.standing.step
    ]
    if not points:
        raise HarnessError(
            f"{loop.base.output}: the round of phase {now.phase!r} left no checkpoint; look at its "
            "training_log.jsonl"
        )
    return {
        "mixture": str(now.done["mixture"]["mixture"]),
        "standing": state.standing.fingerprint,
    }, {
        "checkpoints": [asdict(point) for point in points],
        "tokens": points[-1].tokens - state.standing.tokens,
    }


def measure(loop: Loop, state: State, now: Round) -> Done:
    """Asks the round's last checkpoint, or the standing one, everything: items that steer and items
    that prove."""
    from training.loop.suites import judge_dollars, suite_names

    evaluate = loop.config.evaluate
    point = now.trained[-1] if now.trained else state.standing
    before = judge_dollars(loop.store)
    command = [*HARNESS, "eval", point.path, "--suite", f"{evaluate.steer},{evaluate.proof}"]
    command += ["--engine", evaluate.engine, "--seed", str(evaluate.seed), "--no-board"]
    command += ["--store", str(loop.store), *evaluate.options]
    command += [] if evaluate.limit is None else ["--limit", str(evaluate.limit)]
    run_command(f"measure of round {now.number}", launched(evaluate.launch, command))
    return {"checkpoint": point.fingerprint}, {
        "step": point.step,
        "steer": suite_names(loop, evaluate.steer),
        "proof": suite_names(loop, evaluate.proof),
        "dollars": judge_dollars(loop.store) - before,
    }


def learn(loop: Loop, state: State, now: Round) -> Done:
    """Records what the round's samples bought on the steering items, for later plans."""
    from harness.gaps.plan_file import load_plan
    from harness.gaps.record import record_round
    from training.loop.suites import suite_names

    counts = {
        tuple(name.split("\t", 1)): count for name, count in now.done["synthesize"]["kept"].items()
    }
    _, gains = record_round(
        loop.store,
        load_plan(_plan_file(loop, now)),
        state.standing.fingerprint,
        now.trained[-1].fingerprint,
        samples={(genre, skill): count for (genre, skill), count in counts.items()},
        suites=suite_names(loop, loop.config.evaluate.steer),
    )
    return {
        "before": state.standing.fingerprint,
        "after": now.trained[-1].fingerprint,
        "plan": str(now.done["plan"]["plan"]),
    }, {
        "gains": {
            one.genre: {"gain": round(one.gain, 4), "se": round(one.se, 4), "samples": one.samples}
            for one in gains
            if not one.skill
        }
    }


def keep(loop: Loop, state: State, now: Round) -> Done:
    """The round's last checkpoint is what the next one builds on."""
    last = now.trained[-1]
    done = now.done["mixture"]
    phases = [asdict(each) for each in (*state.phases, _phase(loop, now))]
    return {"checkpoint": last.fingerprint}, {
        "standing": asdict(last),
        "phases": phases,
        "components": done["components"],
    }


def roll_back(loop: Loop, state: State, now: Round) -> Done:
    """Takes the run back to the last checkpoint before a critical regression, and marks what the
    verdict suspects."""
    from harness.store.watched import mark_rolled_back
    from training.extend import roll_back as take_back

    verdict = now.done["judge"]
    step = int(verdict["back_to"])
    points = {point.step: point for point in (state.standing, *now.trained)}
    name = loop.round_home(now.number).name
    take_back(loop.base.output, step, name)
    _take_log(loop)
    away = [one.fingerprint for one in now.trained]
    mark_rolled_back(loop.store, loop.run, away, step, f"rolled_back/{name}")
    phases = list(state.phases)
    components = {}
    done = step - state.standing.step
    if done > 0:  # the beginning of the phase was good
        phases.append(replace(_phase(loop, now), steps=done, tokens=0))
        components = now.done["mixture"]["components"]
    return {"checkpoint": now.trained[-1].fingerprint}, {
        "standing": asdict(points[step]),
        "phases": [asdict(each) for each in phases],
        "components": components,
        "marked": verdict["suspects"],
        "why": "; ".join(one["sentence"] for one in verdict["critical"]),
    }


def _phase(loop: Loop, now: Round) -> Any:
    from training.mixture import Phase

    return Phase(**now.done["mixture"]["phase"])


def _plan_file(loop: Loop, now: Round) -> Path:
    home = loop.round_home(now.number)
    home.mkdir(parents=True, exist_ok=True)
    return home / "plan.yaml"


def settled(line: Line, settings: Mapping[str, str]) -> Line:
    """A line with the loop's settings; one that names its generator has all that it wants."""
    return line if line.generator else replace(line, settings={**settings, **line.settings})


def _demand(made: Plan) -> dict[str, int]:
    counts: dict[str, int] = {}
    for line in made.lines:
        counts[line.genre] = counts.get(line.genre, 0) + line.samples
    return counts


def _take_log(loop: Loop) -> None:
    from harness.import_training import import_training

    import_training(loop.base.output, store=loop.store)


def person() -> str:
    """Who is at the keyboard, as far as the system knows."""
    try:
        return getpass.getuser()
    except (KeyError, OSError):
        return "somebody"
