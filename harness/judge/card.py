"""The judge's card: what calibration found, as a record and as a page of Markdown."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

from harness.judge.calibration import (
    Consistency,
    Drift,
    PositionBias,
    Rated,
    SwappedPair,
    agreement_with,
    length_bias,
    noise,
    position_bias,
    self_consistency,
)
from harness.statistics.agreement import Agreement, Interval
from harness.statistics.components import Slope, VarianceSplit
from harness.statistics.means import Estimate


@dataclass(frozen=True)
class JudgeCard:
    """What is known of a judge under one set of prompts; None where it was not measured.

    judge, prompts  the judge's name; id and hash of its prompts: another text is another judge
    ratings         verdicts that were asked for; failures: those not read, by class
    agreement       with humans or other judges, by their name
    length          slope on log2 of length; `length_against` the same less that reference's
                    ratings, which tells bias from merit
    drift           against the ratings of the same frozen answers before
    """

    judge: str
    prompts: str
    ratings: int
    failures: Mapping[str, int]
    consistency: Consistency | None = None
    position: PositionBias | None = None
    length: Slope | None = None
    length_against: Slope | None = None
    agreement: Mapping[str, Agreement] = field(default_factory=dict)
    noise: VarianceSplit | None = None
    drift: Drift | None = None

    @property
    def failure_rate(self) -> float:
        return sum(self.failures.values()) / self.ratings if self.ratings else 0.0

    def to_dict(self) -> dict[str, Any]:
        """Plain values for JSON; infinite and undefined numbers become None."""
        plain = _plain({**asdict(self), "failure_rate": self.failure_rate})
        assert isinstance(plain, dict)
        return plain

    def markdown(self) -> str:
        """The card as a page: each finding with its interval and what it means."""
        rows = [row for part in _PARTS for row in part(self)]
        head = [
            f"# Judge card: {self.judge}",
            "",
            f"Prompts {self.prompts}. {self.ratings} verdicts asked for, "
            f"{_share(self.failure_rate)} not readable{_classes(self.failures)}.",
            "",
            "| what | found | in words |",
            "|---|---|---|",
        ]
        missing = [name for name, value in _parts_of(self) if not value]
        tail = ["", f"Not measured: {', '.join(missing)}."] if missing else []
        cells = [f"| {' | '.join(_cell(one) for one in row)} |" for row in rows]
        return "\n".join([*head, *cells, *tail]) + "\n"


def calibrate(
    judge: str,
    prompts: str,
    rated: Sequence[Rated],
    pairs: Sequence[SwappedPair] = (),
    references: Mapping[str, Mapping[tuple[str, str], float]] | None = None,
    drifted: Drift | None = None,
    level: float = 0.95,
) -> JudgeCard:
    """A judge's card from its verdicts.

    rated       all judgings, unreadable ones too; several of one answer for consistency, several
                answers to a question for length and generation noise
    pairs       comparisons in both orders
    references  ratings by (question, answer) of humans or other judges, by name; the first one
                that overlaps is what length bias is measured against
    """
    named = references or {}
    told = {name: agreement_with(rated, one, level) for name, one in named.items()}
    agreement = {name: one for name, one in told.items() if one is not None}
    against = next((named[name] for name in agreement), None)
    failures = Counter(one.failure or "no rating" for one in rated if one.rating is None)
    return JudgeCard(
        judge=judge,
        prompts=prompts,
        ratings=len(rated),
        failures=dict(sorted(failures.items())),
        consistency=self_consistency(rated, level),
        position=position_bias(pairs, level),
        length=length_bias(rated, level=level),
        length_against=length_bias(rated, against, level) if against else None,
        agreement=agreement,
        noise=noise(rated),
        drift=drifted,
    )


_Row = tuple[str, str, str]


def _parts_of(card: JudgeCard) -> list[tuple[str, object]]:
    return [
        ("self-consistency", card.consistency),
        ("position bias", card.position),
        ("length bias", card.length),
        ("agreement", card.agreement),
        ("variance by source", card.noise),
        ("drift", card.drift),
    ]


def _consistency(card: JudgeCard) -> list[_Row]:
    found = card.consistency
    if found is None:
        return []
    return [
        (
            "equal on repeat",
            _percent(found.exact),
            f"pairs of ratings of one answer; {found.ratings} ratings of {found.answers} answers",
        ),
        (
            "sd on repeat",
            f"{found.sd:.2f} points{_limits(found.sd_interval)}",
            f"widest {found.widest:.3g}; the mean over these answers moves by "
            f"±{found.sd_of_mean:.2f} when only the judging is repeated",
        ),
    ]


def _position(card: JudgeCard) -> list[_Row]:
    found = card.position
    if found is None:
        return []
    low, high = found.first_advantage.low, found.first_advantage.high
    words = "no bias shown" if low <= 0 <= high else "the place decides"
    return [
        (
            "changed when swapped",
            _percent(found.changed),
            f"of {found.pairs} pairs, {found.unread} more not readable in both orders",
        ),
        (
            "advantage of the first place",
            _points(found.first_advantage),
            f"{words}; the first place won both times in {found.both_first} pairs, the second in "
            f"{found.both_second}",
        ),
    ]


def _length(card: JudgeCard) -> list[_Row]:
    rows: list[_Row] = []
    for name, slope, caution in (
        ("twice as long", card.length, "; longer answers may be better"),
        ("twice as long, less the reference", card.length_against, ""),
    ):
        if slope is not None:
            words = "no bias shown" if slope.low <= 0 <= slope.high else "length counts"
            rows.append(
                (
                    name,
                    f"{slope.slope:+.2f} points [{slope.low:+.2f}, {slope.high:+.2f}]",
                    f"{words}{caution}; {slope.n} answers within {slope.groups} questions",
                )
            )
    return rows


def _agreement(card: JudgeCard) -> list[_Row]:
    rows: list[_Row] = []
    for name, found in card.agreement.items():
        rows += [
            (f"weighted kappa, {name}", _bootstrap(found.weighted_kappa), "quadratic weights"),
            (f"kappa, {name}", _bootstrap(found.kappa), f"equal in {_share(found.exact.value)}"),
            (f"Spearman, {name}", _bootstrap(found.spearman), "order of the answers"),
            (
                f"difference, {name}",
                _bootstrap(found.difference, sign=True),
                f"judge less reference, {found.n} answers to {found.clusters} questions",
            ),
        ]
    return rows


def _noise(card: JudgeCard) -> list[_Row]:
    found = card.noise
    if found is None:
        return []
    parts = (
        ("questions", found.questions, found.mean_variance_of_questions),
        ("answers to a question", found.generation, found.mean_variance_of_generation),
        ("judgings of an answer", found.judge, found.mean_variance_of_judge),
    )
    return [
        (
            f"sd between {name}",
            "not told apart" if variance is None else f"{math.sqrt(variance):.2f} points",
            "" if share is None else f"±{math.sqrt(share):.3f} in the mean of all",
        )
        for name, variance, share in parts
    ]


def _drift(card: JudgeCard) -> list[_Row]:
    found = card.drift
    if found is None:
        return []
    return [
        (
            "canary",
            f"{found.verdict}, {_points(found.difference)}",
            f"margin ±{found.margin:g}; {_share(found.changed)} of {found.difference.n} frozen "
            "answers rated otherwise than before",
        )
    ]


_PARTS = (_consistency, _position, _length, _agreement, _noise, _drift)


def _percent(one: Estimate) -> str:
    return f"{_share(one.mean)} [{_share(one.low)}, {_share(one.high)}]"


def _points(one: Estimate) -> str:
    return f"{one.mean:+.2f} [{one.low:+.2f}, {one.high:+.2f}]"


def _bootstrap(one: Interval | None, sign: bool = False) -> str:
    if one is None:
        return "undefined: one rating throughout"
    form = "+.2f" if sign else ".2f"
    return f"{one.value:{form}}{_limits(one, form)}"


def _limits(one: Interval | None, form: str = ".2f") -> str:
    if one is None or one.low is None or one.high is None:
        return ""
    return f" [{one.low:{form}}, {one.high:{form}}]"


def _share(value: float) -> str:
    return f"{100 * value:.1f} %"


def _classes(failures: Mapping[str, int]) -> str:
    told = ", ".join(f"{name} {count}" for name, count in failures.items())
    return f" ({told})" if told else ""


def _cell(text: str) -> str:
    return text.replace("|", "\\|").replace("\n", " ")


def _plain(value: object) -> object:
    if isinstance(value, Mapping):
        return {str(key): _plain(one) for key, one in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(one) for one in value]
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    return value
