"""The arena's ratings against a suite's genre scores, over the models that have both."""

from __future__ import annotations

from pathlib import Path

from harness.arena.correlation import Agreement, kendall, spearman
from harness.arena.ratings import rate
from harness.errors import HarnessError
from harness.report.standings import boards
from harness.store.battles import Selection, load_table

OVERALL = "all genres"


def agreements(
    path: Path, selection: Selection, suite: str, level: float = 0.95
) -> list[Agreement]:
    """Spearman and Kendall of ratings with the mean over genres, then with each genre.

    Models are matched by name: the checkpoint's name is the model's in its battles.

    Raises HarnessError where the suite has no evaluations, or fewer than three of its models are
    rated.
    """
    made, _ = boards(path, suites=[suite], every_checkpoint=True)
    if not made:
        raise HarnessError(f"{path}: no evaluation of {suite} yet; `harness eval --suite {suite}`")
    ratings = {row.model: row.rating for row in rate(load_table(path, selection)).rows}
    measured = {one.name: one.measured for one in made[0].standings if one.name in ratings}
    if len(measured) < 3:
        raise HarnessError(
            f"{len(measured)} of the {len(ratings)} rated models were measured on {suite} "
            f"({', '.join(one.name for one in made[0].standings[:5])} were); a correlation takes "
            "three or more: names must be equal in battles and evaluations"
        )
    columns: dict[str, dict[str, float]] = {
        OVERALL: {name: one.score.mean for name, one in measured.items()}
    }
    for genre in made[0].genres:
        columns[genre] = {
            name: one.genres[genre].mean for name, one in measured.items() if genre in one.genres
        }
    found = []
    for genre, scores in columns.items():
        pair = [ratings[name] for name in scores], list(scores.values())
        found.append(Agreement(genre, spearman(*pair, level), kendall(*pair, level)))
    return found
