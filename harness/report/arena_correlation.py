"""The arena's ratings against a suite's genre scores, over the models that have both."""

from __future__ import annotations

from pathlib import Path

from harness.arena.correlation import Agreement, kendall, spearman
from harness.arena.ratings import rate
from harness.errors import HarnessError
from harness.report.judged import judged_boards
from harness.report.standings import boards
from harness.store.battles import Selection, load_table

OVERALL = "all genres"

# score by model, by genre; OVERALL among the genres
Columns = dict[str, dict[str, float]]


def agreements(
    path: Path, selection: Selection, suite: str, level: float = 0.95
) -> list[Agreement]:
    """Spearman and Kendall of ratings with the mean over genres, then with each genre; of a suite
    that several judges have rated, for each judge.

    Models are matched by name: the checkpoint's name is the model's in its battles.

    Raises HarnessError where the suite has no scores, or fewer than three of its models are rated.
    """
    found = _verified(path, suite) or _judged(path, suite)
    if not found:
        raise HarnessError(f"{path}: no evaluation of {suite} yet; `harness eval --suite {suite}`")
    ratings = {row.model: row.rating for row in rate(load_table(path, selection)).rows}
    measured = sorted({name for columns in found.values() for name in columns[OVERALL]})
    made = []
    for judge, columns in found.items():
        both = [name for name in columns[OVERALL] if name in ratings]
        if len(both) < 3:
            continue
        for genre, scores in columns.items():
            names = [name for name in both if name in scores]
            pair = [ratings[name] for name in names], [scores[name] for name in names]
            label = f"{genre} ({judge})" if len(found) > 1 else genre
            made.append(Agreement(label, spearman(*pair, level), kendall(*pair, level)))
    if not made:
        raise HarnessError(
            f"fewer than three of the {len(ratings)} rated models were measured on {suite} "
            f"({', '.join(measured[:5])} were): names must be equal in battles and evaluations"
        )
    return made


def _verified(path: Path, suite: str) -> dict[str, Columns]:
    """Strict scores of a suite that rules decide."""
    made, _ = boards(path, suites=[suite], every_checkpoint=True)
    if not made:
        return {}
    board = made[0]
    columns = {OVERALL: {one.name: one.measured.score.mean for one in board.standings}}
    for genre in board.genres:
        columns[genre] = {
            one.name: one.measured.genres[genre].mean
            for one in board.standings
            if genre in one.measured.genres
        }
    return {"": columns}


def _judged(path: Path, suite: str) -> dict[str, Columns]:
    """Ratings of a suite that judges decide, by judge."""
    made, _ = judged_boards(path, suites=[suite], every_checkpoint=True)
    found: dict[str, Columns] = {}
    for board in made:
        rated = {
            one.scores.evaluation.checkpoint: one.scores.ratings
            for one in board.standings
            if one.scores.ratings is not None
        }
        if board.judge is None or not rated:
            continue
        judge, prompts = board.judge
        columns = {OVERALL: {name: one.score.mean for name, one in rated.items()}}
        for genre in board.genres:
            columns[genre] = {
                name: one.genres[genre].mean for name, one in rated.items() if genre in one.genres
            }
        found[f"{judge}, prompts {prompts[:8]}"] = columns
    return found
