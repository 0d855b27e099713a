"""The answers of the genre reasoning of `mt-bench-ja`, found by going through every possible world
or every possible play: nothing here follows the arguments that the references write down."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from functools import cache
from itertools import combinations, count, permutations, product
from typing import Any

Answer = tuple[Any, Any]


def round_table() -> Answer:
    def seatings(pair_rule: Callable[[int, int], bool]) -> Iterator[dict[str, int]]:
        """Places go round to the right of somebody who looks at the centre; 青木 sits at 0."""
        for order in permutations("馬千土江福"):
            at = {"青": 0} | {name: place for place, name in enumerate(order, 1)}
            beside = {1, 5}
            if (
                at["千"] == 3
                and pair_rule(at["馬"], at["土"])
                and (at["馬"] - at["千"]) % 6 in beside
                and (at["江"] - at["千"]) % 6 not in beside
            ):
                yield at

    (at,) = seatings(lambda b, d: d == (b + 1) % 6)
    (across,) = [name for name, place in at.items() if place == (at["福"] + 3) % 6]
    apart = list(seatings(lambda b, d: (b - d) % 6 not in {1, 5}))
    return {"土": "土井さん"}[across], len(apart)


def last_cake() -> Answer:
    people = ("春樹", "夏美", "秋人", "冬子")

    def eaters(liars: int) -> set[str]:
        found: set[str] = set()
        for eater, honest in product(people, product((True, False), repeat=4)):
            spring, summer, autumn, winter = honest
            said = (eater in ("夏美", "秋人"), eater != "夏美", not winter, eater != "春樹")
            if said == (spring, summer, autumn, winter) and honest.count(False) == liars:
                found.add(eater)
        return found

    (alone,) = eaters(1)
    possible = eaters(2)
    assert set(people) - possible == {"秋人"}
    return f"{alone}さん", "、".join(one for one in people if one in possible)


def library_duty() -> Answer:
    people = ("佐々木", "田村", "中川", "西田", "野口")

    def plans(pair_rule: Callable[[int], bool]) -> list[tuple[str, ...]]:
        return [
            plan
            for plan in permutations(people)
            for day in [dict(zip(plan, range(5), strict=True))]
            if day["西田"] - day["佐々木"] == 2
            and day["田村"] not in (0, 4)
            and pair_rule(day["中川"] - day["野口"])
            and day["佐々木"] != 0
        ]

    (only,) = plans(lambda gap: gap == 1)
    return "、".join(only), len(plans(lambda gap: abs(gap) != 1))


def loan_cards() -> Answer:
    """A card must be turned when one of the hidden sides that it may have breaks the rule."""
    cards = {"①": (True, None), "②": (False, None), "③": (None, "赤"), "④": (None, "青")}

    def needed(broken: Callable[[bool, str], bool]) -> set[str]:
        return {
            name
            for name, (long, colour) in cards.items()
            if any(
                broken(one_long, one_colour)
                for one_long in ([True, False] if long is None else [long])
                for one_colour in (["赤", "青"] if colour is None else [colour])
            )
        }

    first = {"ア": "①", "イ": "①③", "ウ": "①④", "エ": "①③④", "オ": "①②③④"}
    second = {"ア": "①", "イ": "③", "ウ": "①③", "エ": "②③", "オ": "②④"}
    must = needed(lambda long, colour: long and colour != "赤")
    may = needed(lambda long, colour: colour == "赤" and not long)
    (one,) = [label for label, names in first.items() if set(names) == must]
    (two,) = [label for label, names in second.items() if set(names) == may]
    return one, two


def oil_jars() -> Answer:
    def fewest(sizes: tuple[int, int, int], goal: tuple[int, int, int]) -> int:
        reached, moves = {(sizes[0], 0, 0)}, 0
        while goal not in reached:
            moves += 1
            for state, (source, target) in product(list(reached), permutations(range(3), 2)):
                poured = min(state[source], sizes[target] - state[target])
                after = list(state)
                after[source] -= poured
                after[target] += poured
                reached.add((after[0], after[1], after[2]))
        return moves

    return fewest((12, 7, 4), (6, 6, 0)), fewest((12, 7, 5), (6, 6, 0))


def hats() -> Answer:
    """Worlds are hats; after each call those where others would have raised a hand fall away."""

    def told(worlds: set[str], world: str) -> tuple[bool, ...]:
        return tuple(
            len({w[child] for w in worlds if w[:child] + w[child + 1 :] == seen}) == 1
            for child in range(len(world))
            for seen in [world[:child] + world[child + 1 :]]
        )

    def silent_once(children: int) -> tuple[set[str], dict[str, int]]:
        worlds = {"".join(w) for w in product("RW", repeat=children)} - {
            "R" * children,
            "W" * children,
        }
        left = {world for world in worlds if not any(told(worlds, world))}
        return left, {world: sum(told(left, world)) for world in left}

    four, hands = silent_once(4)
    (red,) = {world.count("R") for world in four if hands[world] == 4}
    (raised,) = set(silent_once(5)[1].values())
    return red, 5 - raised


def football() -> Answer:
    schools = "東西南北"
    games = list(combinations(schools, 2))

    def tables(points: tuple[int, ...]) -> list[dict[tuple[str, str], int]]:
        found = []
        for results in product((3, 1, 0), repeat=len(games)):
            total: Counter[str] = Counter()
            for (home, away), result in zip(games, results, strict=True):
                total[home] += result
                total[away] += {3: 0, 1: 1, 0: 3}[result]
            if tuple(total[school] for school in schools) == points:
                found.append(dict(zip(games, results, strict=True)))
        return found

    (only,) = tables((7, 4, 3, 2))
    beaten = [away for (home, away), result in only.items() if home == "南" and result == 3]
    beaten += [home for (home, away), result in only.items() if away == "南" and result == 0]
    (loser,) = beaten
    return f"{loser}中", len(tables((7, 4, 4, 1)))


def microphone() -> Answer:
    """Minutes after 14:00, when nothing had been begun; one start must fit all sightings."""
    walk = {"体育館": 4, "図書室": 3, "校庭": 6}
    seen = {
        "石川": [(2, "体育館"), (13, "図書室")],
        "大西": [(5, "校庭"), (21, "体育館")],
        "小林": [(-10, "図書室"), (8, "校庭")],
        "森": [(5, "図書室"), (12, "体育館")],
    }

    def suspects(work: int) -> list[str]:
        return [
            name
            for name, places in seen.items()
            if any(
                all(
                    minute + walk[place] <= start or start + work + walk[place] <= minute
                    for minute, place in places
                )
                for start in range(0, 18 - work + 1)
            )
        ]

    (only,) = suspects(5)
    return only, "、".join(suspects(3))


def fishing() -> Answer:
    thrown = {("A", "港"): 80, ("B", "港"): 20, ("A", "磯"): 20, ("B", "磯"): 80}
    caught = {("A", "港"): 60, ("B", "港"): 16, ("A", "磯"): 4, ("B", "磯"): 24}
    rate = {key: caught[key] / thrown[key] for key in thrown}
    better = all(rate["B", place] > rate["A", place] for place in ("港", "磯"))
    total = {bait: sum(n for key, n in caught.items() if key[0] == bait) for bait in "AB"}
    assert (total, better) == ({"A": 64, "B": 40}, True)
    gain = sum(50 * (rate["B", place] - rate["A", place]) for place in ("港", "磯"))
    return "イ", round(gain, 9)


def new_year_dishes() -> Answer:
    """In steps of five minutes: the shortest of all starts, dishes begun in any order."""
    length = {"黒豆": 18, "昆布巻き": 12, "煮しめ": 11, "栗きんとん": 7, "伊達巻": 5, "田作り": 3}

    def shortest(before: Sequence[tuple[str, str]], apart: Sequence[tuple[str, str]]) -> int:
        return 5 * next(end for end in count(18) if fits({}, end, tuple(before), tuple(apart)))

    def fits(start: dict[str, int], end: int, before: Any, apart: Any) -> bool:
        left = [dish for dish in length if dish not in start]
        if not left:
            return True
        dish = left[0]
        for moment in range(end - length[dish] + 1):
            tried = start | {dish: moment}
            if allowed(tried, dish, before, apart) and fits(tried, end, before, apart):
                return True
        return False

    def allowed(start: dict[str, int], new: str, before: Any, apart: Any) -> bool:
        def overlap(a: str, b: str) -> bool:
            return start[a] < start[b] + length[b] and start[b] < start[a] + length[a]

        if any(a in start and b in start and start[a] + length[a] > start[b] for a, b in before):
            return False
        if any(a in start and b in start and overlap(a, b) for a, b in apart):
            return False
        others = [dish for dish in start if dish != new and overlap(dish, new)]
        return not any(overlap(a, b) and meet(start, a, b, new) for a, b in combinations(others, 2))

    def meet(start: dict[str, int], *dishes: str) -> bool:
        return max(start[d] for d in dishes) < min(start[d] + length[d] for d in dishes)

    return shortest([], []), shortest(
        [("昆布巻き", "煮しめ"), ("黒豆", "栗きんとん")], [("黒豆", "煮しめ")]
    )


def go_stone_game() -> Answer:
    @cache
    def wins(stones: int, last_wins: bool) -> bool:
        """Whether who is to move wins; without stones the other has just taken the last."""
        if stones == 0:
            return not last_wins
        return any(not wins(stones - n, last_wins) for n in (1, 3, 4) if n <= stones)

    def good(last_wins: bool) -> list[int]:
        return [n for n in (1, 3, 4) if not wins(25 - n, last_wins)]

    (only,) = good(True)
    return only, ", ".join(map(str, good(False)))


def iroha() -> Answer:
    order = "いろはにほへとちりぬるをわかよたれそつねならむうゐのおくやま"
    order += "けふこえてあさきゆめみしゑひもせす"
    assert len(set(order)) == len(order) == 47

    def written(word: str, steps: Sequence[int]) -> str:
        places = (order.index(c) + step for c, step in zip(word, steps, strict=True))
        return "".join(order[place % 47] for place in places)

    (step,) = [n for n in range(47) if written("さくら", [n] * 3) == "めけゐ"]
    assert written("はつゆき", [step] * 4) == "へらしみ"
    assert written("あきまつり", [1, -2, 3, -4, 5]) == "さあこよか"
    return written("へらしみ", [-step] * 4), written("さあこよか", [-1, 2, -3, 4, -5])


REASONING: dict[str, Callable[[], Answer]] = {
    f"mt-reasoning-{number:02d}": solve
    for number, solve in enumerate(
        (
            round_table,
            last_cake,
            library_duty,
            loan_cards,
            oil_jars,
            hats,
            football,
            microphone,
            fishing,
            new_year_dishes,
            go_stone_game,
            iroha,
        ),
        1,
    )
}
