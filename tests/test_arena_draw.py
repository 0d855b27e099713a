"""Who meets whom on the voting page, what items are drawn, how fast anybody may go, and what cannot
be served."""

from __future__ import annotations

import socket
from collections import Counter
from pathlib import Path
from random import Random

import pytest
from click.testing import CliRunner
from hypothesis import given
from hypothesis import strategies as st

pytest.importorskip("starlette")

from harness.arena.types import Battle, Outcome
from harness.cli.main import harness
from harness.errors import HarnessError
from harness.store import battles, database
from harness.voting.draw import draw_pair, of_item, open_pool
from harness.voting.rates import Buckets, Rate
from harness.voting.serve import Place, bind, check_place, hosts
from harness.voting.words import choose_language

MODELS = ("a", "b", "c", "d")


@pytest.fixture
def store(tmp_path: Path) -> Path:
    path = tmp_path / "results.duckdb"
    database.prepare(path)
    return path


def hold(store: Path, pairs: dict[tuple[str, str], tuple[int, int]]) -> None:
    """So many wins of either over the other, on prompts of their own."""
    made: list[Battle] = []
    for (a, b), counts in pairs.items():
        outcomes: tuple[Outcome, Outcome] = ("a", "b")
        for outcome, count in zip(outcomes, counts, strict=True):
            for _ in range(count):
                n = len(made)
                made.append(Battle(f"{a}{b}{n}", "people", a, b, outcome, f"p{n}", "s", n))
    battles.add(store, made)


def drawn(store: Path, times: int, playing: list[tuple[str, str]] | None = None) -> Counter[str]:
    random = Random(1)
    return Counter(
        "-".join(sorted(draw_pair(store, MODELS, playing or [], random))) for _ in range(times)
    )


def test_at_first_everybody_meets_everybody_on_either_side(store: Path) -> None:
    random = Random(0)
    held: list[tuple[str, str]] = []
    for _ in range(60):
        held.append(draw_pair(store, MODELS, held, random))
    met = Counter("".join(sorted(pair)) for pair in held)
    assert set(met) == {"ab", "ac", "ad", "bc", "bd", "cd"}
    assert min(met.values()) >= 5
    left = Counter(pair[0] for pair in held)
    assert all(one != other for one, other in held)
    assert min(left[model] for model in MODELS) >= 5


def test_pairs_in_doubt_come_up_and_settled_ones_do_not(store: Path) -> None:
    hold(store, {("a", "b"): (20, 20), ("b", "c"): (90, 10), ("a", "c"): (90, 10)})
    found = drawn(store, 40)
    assert sum(count for pair, count in found.items() if "d" in pair) >= 20  # never seen so far
    hold(store, {("c", "d"): (95, 5), ("a", "d"): (99, 1)})
    assert set(drawn(store, 20)) == {"a-b"}


def test_battles_of_models_that_are_not_served_do_not_matter(store: Path) -> None:
    hold(store, {("a", "x"): (3, 1), ("x", "y"): (5, 5)})
    assert {name for pair in drawn(store, 30) for name in pair.split("-")} == set(MODELS)


def test_two_models_meet_each_other(store: Path) -> None:
    random = Random(0)
    pairs = {draw_pair(store, ("m", "n"), [("m", "n")] * 9, random) for _ in range(30)}
    assert pairs == {("m", "n"), ("n", "m")}


def test_items_come_from_the_evalset_and_genre_asked_for() -> None:
    pool = open_pool(["mt-bench-ja", "basics"])
    item = pool.draw("mt-bench-ja", "coding", Random(0))
    assert item is not None
    assert item.genre == "coding"
    assert pool.find(item.hash) == ("mt-bench-ja", item)
    assert of_item("mt-bench-ja", item).prompt == item.turns[0]
    assert pool.draw("mt-bench-ja", "nosuch", Random(0)) is None
    assert pool.draw("nosuch", "", Random(0)) is None
    assert pool.find("0" * 64) is None
    with pytest.raises(HarnessError, match="no evalset"):
        open_pool(["nosuch"])


@given(
    st.integers(1, 10),
    st.floats(1, 120),
    st.lists(st.floats(0, 30), min_size=1, max_size=60),
)
def test_a_bucket_gives_its_burst_and_its_rate_and_no_more(
    burst: int, minute: float, waits: list[float]
) -> None:
    buckets = Buckets(Rate(burst, minute))
    now, given_ = 0.0, 0
    for wait in waits:
        now += wait
        answer = buckets.take("k", now)
        given_ += answer == 0
        assert given_ <= burst + now * minute / 60 + 1e-6
        if answer:
            later = Buckets(buckets.rate)
            later._held = buckets._held.copy()
            assert later.take("k", now + answer + 1e-6) == 0
    assert buckets.take("somebody else", now) == 0


@pytest.mark.parametrize(
    ("place", "token", "words"),
    [
        (Place(), None, None),
        (Place(host="::1"), None, None),
        (Place(host="localhost"), None, None),
        (Place(host="0.0.0.0"), None, "--token"),
        (Place(host="10.0.0.7"), None, "--token"),
        (Place(host="arena.team"), None, "--token"),
        (Place(names=("arena.team",)), None, "--token"),
        (Place(proxy="127.0.0.1"), None, "--token"),
        (Place(host="0.0.0.0", open_door=True), None, None),
        (Place(host="0.0.0.0"), "a-long-enough-token", None),
        (Place(), "short", "12 or more"),
    ],
)
def test_what_others_reach_wants_a_token(
    place: Place, token: str | None, words: str | None
) -> None:
    if words is None:
        check_place(place, token)
        return
    with pytest.raises(HarnessError, match=words):
        check_place(place, token)


def test_the_names_that_are_served() -> None:
    assert "0.0.0.0" not in hosts(Place(host="0.0.0.0"))
    assert {"10.0.0.7", "arena.team", "127.0.0.1"} <= set(
        hosts(Place(host="10.0.0.7", names=("arena.team",)))
    )


@pytest.mark.parametrize(
    ("query", "cookie", "accepted", "wanted"),
    [
        (None, None, None, "ja"),
        ("en", "ja", "ja", "en"),
        ("fr", "en", "ja", "en"),
        (None, "x", "en-US,en;q=0.9,ja;q=0.8", "en"),
        (None, None, "fr;q=1,ja;q=0.5,en;q=0.6", "en"),
        (None, None, "ja;q=x,;q=,,*", "ja"),
        (None, None, "de", "ja"),
    ],
)
def test_the_language_is_the_first_that_is_here(
    query: str | None, cookie: str | None, accepted: str | None, wanted: str
) -> None:
    assert choose_language(query, cookie, accepted) == wanted


@given(st.text(max_size=40))
def test_any_accept_language_will_do(accepted: str) -> None:
    assert choose_language(None, None, accepted) in ("ja", "en")


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["a", "b", "--host", "0.0.0.0"], "no token is wanted"),
        (["a", "b", "--token", "short"], "12 or more"),
        (["a", "b", "--items", "nosuch"], "no evalset"),
        (["a", "b", "--items", ""], "a does not exist"),
        (["{one}"], "a battle takes two"),
        (["{one}", "{one}"], "named twice"),
    ],
)
def test_what_cannot_be_served_is_a_sentence(
    arguments: list[str], words: str, tiny_checkpoint: Path, tmp_path: Path
) -> None:
    given_ = [argument.format(one=tiny_checkpoint) for argument in arguments]
    command = ["arena", "serve", *given_, "--store", str(tmp_path / "s.duckdb")]
    with pytest.raises(HarnessError, match=words):
        CliRunner().invoke(harness, command, catch_exceptions=False)
    assert not (tmp_path / "s.duckdb").exists()


def test_a_port_that_is_taken_is_a_sentence() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        place = Place(port=taken.getsockname()[1])
        with pytest.raises(HarnessError, match="choose another with --host and --port"):
            bind(place)
