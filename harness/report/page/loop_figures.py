"""Figures of a closed loop: one genre's score over the rounds, and what was synthesized for it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from harness.report.loop import LoopRound, ProofGain
from harness.report.page.curves import Point
from harness.report.page.drawing import Figure, to_svg
from harness.report.page.loop_words import minus
from harness.report.page.palette import LIGHT

_WIDTH, _HEIGHT, _BARS = 300, 140, 34
# Pixels left of a plot, so that scores and samples share their rounds.
_MARGIN = 30
# Pixels above the tallest bar, where its number stands.
_NUMBER = 14
_TONES = {"ahead": "good", "lags": "bad"}


@dataclass(frozen=True)
class Spot:
    """A measured checkpoint, at the round that trained it."""

    round: int
    point: Point


@dataclass(frozen=True)
class Progress:
    """One genre of one suite over the rounds of a loop.

    unit     "%" or the name of another scale, whose highest value is `highest`
    kept     what stood after a round;  gone: what was rolled back
    samples  synthesized for the genre, by round that was made
    gain     from before synthesis to the last that was kept, where both were measured
    """

    name: str
    suite: str
    genre: str
    unit: str
    highest: float | None
    kept: tuple[Spot, ...]
    gone: tuple[Spot, ...]
    samples: Mapping[int, int]
    gain: ProofGain | None


def shared_domain(found: Sequence[Progress]) -> tuple[float, float]:
    """Lowest and highest score of one scale that genres share, with a little air."""
    points = [spot.point for one in found for spot in (*one.kept, *one.gone)]
    low, high = min(one.low for one in points), max(one.high for one in points)
    air = max(0.06 * (high - low), 1e-9)
    highest = max((one.highest for one in found if one.highest is not None), default=None)
    top = high + air if highest is None else min(high + air, 1.03 * highest)
    return max(0.0, low - air) if low >= 0 else low - air, top


def progress_figure(
    one: Progress,
    rounds: Sequence[LoopRound],
    domain: tuple[float, float],
    most: int,
    name: str,
) -> Figure:
    """Scores with their intervals over the rounds; beneath them the samples of each round.

    domain  of the scores;  most: samples of the tallest bar, over all genres
    """
    import altair as alt

    ends = [0.5, rounds[-1].number + 0.5]
    scale = alt.Scale(domain=ends, nice=False, padding=0)
    ticks = alt.Axis(
        values=[each.number for each in rounds], format="d", grid=False, title="round", titleY=20
    )
    bare = alt.Axis(labels=False, ticks=False, title=None, grid=False)
    x = alt.X("round:Q", scale=scale, axis=bare if most else ticks)
    scores = alt.layer(*_scores(one, rounds, domain, x)).properties(width=_WIDTH, height=_HEIGHT)
    parts = [scores]
    if most:
        under = alt.X("round:Q", scale=scale, axis=ticks)
        parts.append(_samples(one, most, under).properties(width=_WIDTH, height=_BARS))
    chart = alt.vconcat(*parts, spacing=6).properties(
        title=alt.TitleParams(
            one.name,
            subtitle=_subtitle(one),
            subtitleFontSize=12,
            subtitleColor=LIGHT[_TONES.get(one.gain.state, "muted") if one.gain else "muted"],
        )
    )
    return Figure(name, f"{one.suite}: {one.genre}, round by round", _told(one), to_svg(chart))


def _scores(
    one: Progress, rounds: Sequence[LoopRound], domain: tuple[float, float], x: Any
) -> list[Any]:
    import altair as alt

    scale = alt.Scale(domain=list(domain), nice=False, clamp=True)
    axis = alt.Axis(tickCount=4, minExtent=_MARGIN)
    y = alt.Y("mean:Q", scale=scale, title=None, axis=axis)
    low = alt.Y("low:Q", scale=scale, title=None, axis=axis)
    layers: list[Any] = []
    given = [each.number for each in rounds if not each.made]
    if given and len(given) < len(rounds):
        ground = alt.Chart(alt.Data(values=[{"round": 0.5, "last": given[-1] + 0.5}]))
        layers.append(ground.mark_rect(color=LIGHT["phase"]).encode(x=x, x2="last:Q"))
        words = ground.mark_text(
            align="left", baseline="top", dx=4, dy=4, fontSize=10, color=LIGHT["muted"]
        )
        layers.append(words.encode(x=x, y=alt.value(0), text=alt.value("given")))
    for spot in one.gone:
        before = [each for each in one.kept if each.round < spot.round][-1:]
        branch = alt.Chart(alt.Data(values=[_row(each) for each in (*before, spot)]))
        layers.append(
            branch.mark_line(color=LIGHT["bad"], strokeDash=[4, 3], strokeWidth=1.5).encode(
                x=x, y=y
            )
        )
    kept = alt.Chart(alt.Data(values=[_row(spot) for spot in one.kept]))
    gone = alt.Chart(alt.Data(values=[_row(spot) for spot in one.gone]))
    layers.append(kept.mark_line(color=LIGHT["subject"], strokeWidth=2).encode(x=x, y=y))
    for base, colour in ((gone, LIGHT["bad"]), (kept, LIGHT["subject"])):
        layers.append(base.mark_rule(color=colour, strokeWidth=1.5).encode(x=x, y=low, y2="high:Q"))
    layers.append(
        gone.mark_point(
            filled=True, fill=LIGHT["ground"], stroke=LIGHT["bad"], strokeWidth=2, size=52,
            opacity=1,
        ).encode(x=x, y=y)
    )  # fmt: skip
    layers.append(
        kept.mark_point(filled=True, color=LIGHT["subject"], size=52, opacity=1).encode(x=x, y=y)
    )
    return layers


def _samples(one: Progress, most: int, x: Any) -> Any:
    import altair as alt

    rows = [
        {"round": number, "samples": count, "number": f"{count:,}"}
        for number, count in one.samples.items()
    ]
    base = alt.Chart(alt.Data(values=rows))
    # The tallest bar leaves room for its number.
    scale = alt.Scale(domain=[0, most * _BARS / (_BARS - _NUMBER)], nice=False)
    axis = alt.Axis(
        labels=False, ticks=False, domain=False, grid=False, minExtent=_MARGIN, title=None
    )
    y = alt.Y("samples:Q", scale=scale, axis=axis)
    bars = base.mark_bar(color=LIGHT["rival3"], width=16).encode(x=x, y=y)
    numbers = base.mark_text(baseline="bottom", dy=-2, fontSize=10, color=LIGHT["muted"])
    return alt.layer(bars, numbers.encode(x=x, y=y, text="number:N"))


def _row(spot: Spot) -> dict[str, float]:
    point = spot.point
    return {"round": spot.round, "mean": point.mean, "low": point.low, "high": point.high}


def _subtitle(one: Progress) -> str:
    gain = one.gain
    if gain is None:
        return " "
    change, low, high = (
        minus(f"{gain.factor * value:+.1f}") for value in (gain.gain, gain.low, gain.high)
    )
    told = f"{change} ({low} to {high})"
    return told if gain.state in _TONES else f"{told}, {gain.state}"


def _told(one: Progress) -> str:
    unit = " %" if one.unit == "%" else ""
    spots = sorted(
        [(spot.round, spot.point, "") for spot in one.kept]
        + [(spot.round, spot.point, ", rolled back") for spot in one.gone],
        key=lambda each: each[0],
    )
    scores = "; ".join(
        f"round {number}{gone}, step {point.step:,}: {point.mean:.1f}{unit} ({point.low:.1f} to "
        f"{point.high:.1f})"
        for number, point, gone in spots
    )
    made = ", ".join(f"{count:,} in round {number}" for number, count in one.samples.items())
    return f"{one.name} on {one.suite}. {scores}." + (f" Samples: {made}." if made else "")
