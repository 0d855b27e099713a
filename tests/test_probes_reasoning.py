"""Reasoning probes: every answer is proved again from the prompt's own words."""

from __future__ import annotations

import re
import time
from collections import Counter
from itertools import combinations, pairwise, permutations, product

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from harness.items.probes.family import Draw, Family, Problem, in_evaluation
from harness.items.probes.pools import GIVEN_NAMES, OBJECTS, PREDICATES
from harness.items.probes.reasoning import REASONING
from harness.items.probes.reasoning_logic import Categorical, Premises
from harness.items.probes.reasoning_order import SCALES
from harness.items.probes.reasoning_state import Fact, kinship
from tests.probe_checks import SPLITS, accepted, some

FAMILY = {family.name.split("/")[1]: family for family in REASONING}


@pytest.mark.parametrize("family", REASONING, ids=lambda family: family.name)
def test_no_label_can_be_guessed(family: Family) -> None:
    for level in range(1, 6):
        problems = list(accepted(family, level, "training", 90))
        labels = problems[0].format.labels
        counts = Counter(problem.answer for problem in problems)
        if labels:
            assert set(counts) == set(labels)
            assert min(counts.values()) >= 90 * 0.4 / len(labels)
        assert len({problem.content for problem in problems}) > 60


@pytest.mark.parametrize("split", SPLITS)
def test_entities_belong_to_the_split(split: str) -> None:
    pool = [*GIVEN_NAMES, *OBJECTS, *PREDICATES]
    for family in REASONING:
        for problem in accepted(family, 4, split, 10):  # type: ignore[arg-type]
            text = "".join(problem.slots.values())
            found = [entity for entity in pool if entity in text]
            assert all(in_evaluation(entity) == (split == "evaluation") for entity in found)


def test_problems_come_fast() -> None:
    start = time.process_time()
    count = 0
    for family in REASONING:
        for level in range(1, 6):
            draw = Draw("speed", "evaluation")
            for _ in range(10):
                family.problem(draw, level)
                count += 1
    assert (time.process_time() - start) / count < 0.005


# --- ordering and transitivity: parse the sentences, try every order ---


def _order_clue(sentence: str) -> tuple[str, tuple[str, ...], int]:
    """A sentence as (kind, names, number), with positions counted from the most."""
    for scale in SCALES:
        more, less = re.escape(scale.more), re.escape(scale.less)
        for words, sign in ((more, 1), (less, -1)):
            other = less if sign == 1 else more
            if m := re.fullmatch(rf"(\S+?)は(\S+?)より{words}", sentence):
                return "before", m.groups()[::sign], 0
            if m := re.fullmatch(rf"(\S+?)は(\S+?)より{words}が、(\S+?)よりは{other}", sentence):
                middle, first, second = m.groups()
                ends = (second, first) if sign == 1 else (first, second)
                return "between", (ends[0], middle, ends[1]), 0
            if m := re.fullmatch(rf"{words}順に並べると、(\S+?)のすぐ次は(\S+?)だ", sentence):
                return "next", m.groups()[::sign], 0
            if m := re.fullmatch(
                rf"{words}順に並べると、(\S+?)と(\S+?)の間にはちょうど1人いる", sentence
            ):
                return "gap", m.groups(), 0
            if m := re.fullmatch(rf"{words}ほうから(\d)番目は(\S+?)ではない", sentence):
                return ("not", (m[2],), int(m[1]) - 1 if sign == 1 else -int(m[1]))
        for words, place in ((scale.most, 0), (scale.least, -1)):
            if m := re.fullmatch(rf"{re.escape(words)}のは(\S+?)ではない", sentence):
                return "not", (m[1],), place
    raise AssertionError(f"not understood: {sentence}")


def _order_holds(clue: tuple[str, tuple[str, ...], int], order: tuple[str, ...]) -> bool:
    kind, names, number = clue
    at = [order.index(name) for name in names]
    if kind == "not":
        return at[0] != number % len(order)
    if kind == "next":
        return at[1] == at[0] + 1
    if kind == "gap":
        return abs(at[0] - at[1]) == 2
    return at == sorted(at)


def _order_parse(text: str) -> tuple[list[str], list[tuple[str, tuple[str, ...], int]]]:
    sentences = text.strip("。").split("。")
    named: set[str] = set()
    if m := re.fullmatch(r"(\S+)の\d人は、\S+がみな違う", sentences[0]):
        named = set(m[1].split("、"))
        sentences = sentences[1:]
    clues = [_order_clue(sentence) for sentence in sentences]
    return sorted(named.union(*(clue[1] for clue in clues))), clues


def test_ordering_has_one_order_and_no_idle_clue() -> None:
    for problem in some(FAMILY["ordering"]):
        names, clues = _order_parse(problem.slots["clues"])

        def orders(kept: list[tuple[str, tuple[str, ...], int]], names: list[str] = names) -> list:
            return [o for o in permutations(names) if all(_order_holds(c, o) for c in kept)]

        found = orders(clues)
        assert len(found) == 1
        assert all(len(orders([c for c in clues if c is not gone])) > 1 for gone in clues)
        question = problem.slots["question"]
        answers = []
        for scale in SCALES:
            answers += [found[0][0]] * (question == f"{scale.most}のはだれですか。")
            answers += [found[0][-1]] * (question == f"{scale.least}のはだれですか。")
            for words, step in ((scale.more, 1), (scale.less, -1)):
                if m := re.fullmatch(
                    rf"{re.escape(words)}ほうから(\d)番目はだれですか。", question
                ):
                    answers.append(found[0][::step][int(m[1]) - 1])
        assert answers == [problem.answer]


def test_transitivity_follows_from_every_order() -> None:
    for problem in some(FAMILY["transitivity"]):
        names, clues = _order_parse(problem.slots["clues"])
        claim = _order_clue(problem.slots["claim"])
        assert {frozenset(claim[1])}.isdisjoint(frozenset(clue[1]) for clue in clues)
        truths = {
            _order_holds(claim, order)
            for order in permutations(names)
            if all(_order_holds(clue, order) for clue in clues)
        }
        expected = {(True,): "はい", (False,): "いいえ", (False, True): "不明"}
        assert problem.answer == expected[tuple(sorted(truths))]


# --- seating ---

SEAT = r"(\S+?)"


def _seat_holds(sentence: str, seats: tuple[str, ...]) -> bool:
    """Whether a sentence is true of people from left to right, or clockwise."""
    n, at = len(seats), seats.index

    def place(words: str) -> int:
        if words in ("一番左", "一番右"):
            return 0 if words == "一番左" else n - 1
        side, number = words[0], int(words[3])
        return number - 1 if side == "左" else n - number

    if m := re.fullmatch(rf"{SEAT}の真向かいは{SEAT}だ", sentence):
        return (at(m[1]) + n // 2) % n == at(m[2])
    if m := re.fullmatch(rf"{SEAT}から(反?)時計回りに(\d)つ先の席は{SEAT}だ", sentence):
        return (at(m[1]) + (-1 if m[2] else 1) * int(m[3])) % n == at(m[4])
    if m := re.fullmatch(rf"{SEAT}のすぐ([左右])隣は{SEAT}だ", sentence):
        return at(m[3]) - at(m[1]) == (1 if m[2] == "右" else -1)
    if m := re.fullmatch(rf"{SEAT}は{SEAT}より([左右])にいる", sentence):
        return (at(m[1]) < at(m[2])) == (m[3] == "左")
    if m := re.fullmatch(rf"{SEAT}と{SEAT}の間にはちょうど1人いる", sentence):
        return abs(at(m[1]) - at(m[2])) == 2
    if m := re.fullmatch(rf"{SEAT}は端にいる", sentence):
        return at(m[1]) in (0, n - 1)
    if m := re.fullmatch(rf"{SEAT}は(一番.|[左右]から\d番目)(だ|ではない)", sentence):
        return (at(m[1]) == place(m[2])) == (m[3] == "だ")
    raise AssertionError(f"not understood: {sentence}")


def _neighbours(sentence: str, seats: tuple[str, ...], ring: bool) -> bool | None:
    if m := re.fullmatch(rf"{SEAT}と{SEAT}は隣どうし(だ|ではない)", sentence):
        distance = abs(seats.index(m[1]) - seats.index(m[2]))
        near = distance == 1 or (ring and distance == len(seats) - 1)
        return near == (m[3] == "だ")
    return None


def test_seating_has_one_arrangement() -> None:
    for problem in some(FAMILY["seating"]):
        header, *sentences = problem.slots["clues"].strip("。").split("。")
        ring = "円卓" in header
        question = problem.slots["question"].removesuffix("はだれですか。")
        if not sentences:  # level 1 says the row outright
            names = re.fullmatch(r"左から(\S+)の順に座っている", header)[1].split("、")
            found = [tuple(names)]
        else:
            names = header.split("の")[0].split("、")
            found = []
            for seats in permutations(names):
                if ring and seats[0] != names[0]:
                    continue
                if all(
                    near
                    if (near := _neighbours(s, seats, ring)) is not None
                    else _seat_holds(s, seats)
                    for s in sentences
                ):
                    found.append(seats)
        assert len(found) == 1
        right = [
            name
            for name in names
            if _seat_holds(
                f"{name}は{question}だ" if question[0] in "左右一" else f"{question}は{name}だ",
                found[0],
            )
        ]
        assert right == [problem.answer]
        assert problem.answer not in question


# --- schedule ---


def test_schedule_has_one_roster() -> None:
    week = "月火水木金"
    for problem in some(FAMILY["schedule"], count=12):
        text = problem.slots["clues"].strip("。")
        header, *sentences = text.split("。")
        people = header.split("が")[0].split("、")
        duties: list[str] = []
        if "から" in header:
            first, last = re.search(r"が(.)曜日から(.)曜日まで", header).groups()
            days = week[week.index(first) : week.index(last) + 1]
        else:
            days = re.search(r"が(\S+)に1日ずつ", header)[1].replace("・", "")
        if sentences[0].startswith("また4人は"):
            duties = re.fullmatch(r"また4人は、(\S+)を1人1つずつ受け持つ", sentences.pop(0))[
                1
            ].split("、")
        found = []
        for roster in permutations(range(len(days)), len(people)):
            for roles in permutations(range(len(days)), len(duties)):
                on = dict(zip(people, roster, strict=True))
                on |= {f"{duty}の人": day for duty, day in zip(duties, roles, strict=True)}

                def true(sentence: str, on: dict[str, int] = on, days: str = days) -> bool:
                    if m := re.fullmatch(r"(\w)は(.)曜日", sentence):
                        return on[m[1]] == days.index(m[2])
                    if m := re.fullmatch(r"(\S+)の当番は(.)曜日(だ|ではない)", sentence):
                        return (on[m[1]] == days.index(m[2])) == (m[3] == "だ")
                    if m := re.fullmatch(r"(\S+)の当番は(.)曜日か(.)曜日だ", sentence):
                        return on[m[1]] in (days.index(m[2]), days.index(m[3]))
                    if m := re.fullmatch(r"(\S+)の当番は(\S+)の当番の(次|前)の日だ", sentence):
                        return on[m[1]] - on[m[2]] == (1 if m[3] == "次" else -1)
                    if m := re.fullmatch(r"(\S+)の当番は(\S+)の当番より(先|後)だ", sentence):
                        gap = on[m[1]] - on[m[2]]
                        return gap < 0 if m[3] == "先" else gap > 0
                    m = re.fullmatch(r"(\S+)は(\S+係)(だ|ではない)", sentence)
                    return (on[m[1]] == on[f"{m[2]}の人"]) == (m[3] == "だ")

                if all(true(sentence) for sentence in sentences):
                    found.append(on)
        assert len(found) == 1
        question = problem.slots["question"].removesuffix("はだれですか。")
        day = found[0].get(f"{question}の人", -1)
        if day < 0:
            day = days.index(question[0])
        assert [name for name in people if found[0][name] == day] == [problem.answer]


# --- logic ---


def test_truth_tellers_have_one_solution() -> None:
    for problem in some(FAMILY["truth-tellers"]):
        rule, text = problem.slots["clues"].split("。", 1)
        assert "言う" in rule
        text = re.sub(r"\S+?は、それぞれ正直者かうそつきのどちらかだ。", "", text)
        spoken = re.findall(r"([^。「」]+?)は「([^」]+)」と言った。", text)
        facts = re.sub(r"[^。「」]+?は「[^」]+」と言った。", "", text).strip("。")
        names = sorted(
            {speaker for speaker, _ in spoken}
            | {problem.slots["name"]}
            | set(re.findall(r"(\S+?)は(?:正直者|うそつき)だ", facts))
        )

        def true(said: str, speaker: str, honest: dict[str, bool]) -> bool:
            if m := re.fullmatch(r"(\d)人のうち、うそつきはちょうど(\d)人だ", said):
                assert int(m[1]) == len(honest)
                return list(honest.values()).count(False) == int(m[2])
            if m := re.fullmatch(r"私と(\S+)は、どちらも正直者か、どちらもうそつきだ", said):
                return honest[speaker] == honest[m[1]]
            if m := re.fullmatch(r"(\S+)と(\S+)は二人ともうそつきだ", said):
                return not honest[m[1]] and not honest[m[2]]
            if m := re.fullmatch(r"(\S+)と(\S+)の少なくとも一人はうそつきだ", said):
                return not honest[m[1]] or not honest[m[2]]
            m = re.fullmatch(r"(\S+)は(正直者|うそつき)だ", said)
            return honest[m[1]] == (m[2] == "正直者")

        found = []
        for values in product((True, False), repeat=len(names)):
            honest = dict(zip(names, values, strict=True))
            if (not facts or true(facts, "", honest)) and all(
                true(said, speaker, honest) == honest[speaker] for speaker, said in spoken
            ):
                found.append(honest)
        assert len(found) == 1
        assert problem.answer == ("正直者" if found[0][problem.slots["name"]] else "うそつき")


def _categorical(sentence: str) -> tuple[str, str, str]:
    positive = lambda text: text[:-3] + "いる" if text.endswith("いない") else text  # noqa: E731
    for pattern, form in (
        (r"すべての(\S)は(\S)だ", "all"),
        (r"どの(\S)も(\S)ではない", "none"),
        (r"ある(\S)は(\S)だ", "some"),
        (r"ある(\S)は(\S)ではない", "some_not"),
    ):
        if m := re.fullmatch(pattern, sentence):
            return form, m[1], m[2]
    if m := re.fullmatch(r"(\S+)人はみな、(\S+)", sentence):
        if m[1].endswith("いない"):  # contraposition
            assert m[2].endswith("いない")
            return "all", positive(m[2]), positive(m[1])
        return "all", m[1], m[2]
    if m := re.fullmatch(r"(\S+)人はだれも、(\S+)", sentence):
        assert m[2].endswith("いない")
        return "none", m[1], positive(m[2])
    m = re.fullmatch(r"(\S+)人の中に、(\S+)人がいる", sentence)
    return ("some_not" if m[2].endswith("いない") else "some"), m[1], positive(m[2])


def _true_in(world: tuple[frozenset[str], ...], statement: tuple[str, str, str]) -> bool:
    form, a, b = statement
    if form in ("all", "some_not"):
        return any(a in kind and b not in kind for kind in world) == (form == "some_not")
    return any(a in kind and b in kind for kind in world) == (form == "some")


def _worlds(terms: list[str]) -> list[tuple[frozenset[str], ...]]:
    kinds = [frozenset(kind) for n in range(len(terms) + 1) for kind in combinations(terms, n)]
    return [world for n in range(len(kinds) + 1) for world in combinations(kinds, n)]


def test_syllogism_holds_in_every_world_or_none_or_some() -> None:
    for problem in some(FAMILY["syllogism"], 1, 2, count=40):
        premises = [_categorical(s) for s in problem.slots["premises"].strip("。").split("。")]
        claim = _categorical(problem.slots["claim"])
        terms = sorted({term for _, *pair in [*premises, claim] for term in pair})
        possible = [w for w in _worlds(terms) if all(_true_in(w, p) for p in premises)]
        for existence in (False, True):
            kept = [
                world
                for world in possible
                if not existence or all(any(term in kind for kind in world) for term in terms)
            ]
            truths = tuple(sorted({_true_in(world, claim) for world in kept}))
            expected = {(True,): "はい", (False,): "いいえ", (False, True): "どちらともいえない"}
            assert problem.answer == expected[truths]


@settings(max_examples=200, deadline=None)
@given(
    st.lists(
        st.tuples(
            st.sampled_from(("all", "none", "some", "some_not")),
            st.permutations((0, 1, 2)),
        ),
        min_size=1,
        max_size=4,
    ),
    st.booleans(),
)
def test_entailment_agrees_with_enumeration(
    drawn: list[tuple[str, list[int]]], existence: bool
) -> None:
    statements = [Categorical(form, pair[0], pair[1]) for form, pair in drawn]
    premises, claim = statements[:-1], statements[-1]

    def text(statement: Categorical) -> tuple[str, str, str]:
        return statement.form, str(statement.a), str(statement.b)

    kept = [
        world
        for world in _worlds(["0", "1", "2"])
        if all(_true_in(world, text(premise)) for premise in premises)
        and (not existence or all(any(t in kind for kind in world) for t in "012"))
    ]
    truths = {_true_in(world, text(claim)) for world in kept}
    if not truths:
        with pytest.raises(ValueError, match="contradict"):
            Premises.of(premises, 3, existence)
        return
    expected = None if len(truths) == 2 else truths.pop()
    assert Premises.of(premises, 3, existence).entail(claim) is expected


def test_deeper_syllogisms_agree_with_the_solver_on_their_text() -> None:
    for problem in some(FAMILY["syllogism"], 3, 4, 5, count=25):
        parsed = [_categorical(s) for s in problem.slots["premises"].strip("。").split("。")]
        parsed.append(_categorical(problem.slots["claim"]))
        terms = sorted({term for _, *pair in parsed for term in pair})
        *premises, claim = (Categorical(f, terms.index(a), terms.index(b)) for f, a, b in parsed)
        verdict = Premises.of(premises, len(terms), existence=False).entail(claim)
        expected = {True: "はい", False: "いいえ", None: "どちらともいえない"}
        assert problem.answer == expected[verdict]


class _Truth:
    """A truth value with material implication as >>."""

    def __init__(self, value: bool) -> None:
        self.value = value

    def __and__(self, other: _Truth) -> _Truth:
        return _Truth(self.value and other.value)

    def __or__(self, other: _Truth) -> _Truth:
        return _Truth(self.value or other.value)

    def __rshift__(self, other: _Truth) -> _Truth:
        return _Truth(not self.value or other.value)

    def __invert__(self) -> _Truth:
        return _Truth(not self.value)


def _evaluate(text: str, values: dict[str, bool]) -> bool:
    text = text.replace("（", "(").replace("）", ")")
    while "でない" in text:  # a letter or a bracket before でない is negated
        end = text.index("でない")
        start = end - 1
        if text[start] == ")":
            depth = 0
            while True:
                depth += {")": 1, "(": -1}.get(text[start], 0)
                if depth == 0:
                    break
                start -= 1
        text = f"{text[:start]}(~{text[start:end]}){text[end + 3 :]}"
    for word, operator in (("かつ", "&"), ("または", "|"), ("ならば", ">>")):
        text = text.replace(word, operator)
    return eval(text, {name: _Truth(value) for name, value in values.items()}).value


def test_compound_statements_are_evaluated() -> None:
    for problem in some(FAMILY["compound"]):
        facts, claim = problem.slots["facts"], problem.slots["claim"]
        counts = dict(re.findall(r"(?:^|、)([^、。]+?)が(\d+)", facts.split("。")[0]))

        def true(atom: str, counts: dict[str, str] = counts) -> bool:
            if m := re.fullmatch(r"(\S+)の数は(\S+)の数より多い", atom):
                return int(counts[m[1]]) > int(counts[m[2]])
            m = re.fullmatch(r"(\S+)は(\d+).(以上ある|以下だ)", atom)
            if m[3] == "以上ある":
                return int(counts[m[1]]) >= int(m[2])
            return int(counts[m[1]]) <= int(m[2])

        values = {name: true(atom) for name, atom in re.findall(r"([PQRS])：([^。]+)。", facts)}
        if values:
            formula = re.fullmatch(r"「(\S+)」", claim)[1]
        else:
            atoms = re.findall(r"「([^」]+)」", claim)
            values = {"PQ"[i]: true(atom) for i, atom in enumerate(atoms)}
            formula = claim
            for i, atom in enumerate(atoms):
                formula = formula.replace(f"「{atom}」", "PQ"[i], 1)
        assert problem.answer == ("正しい" if _evaluate(formula, values) else "誤り")


# --- states ---


def test_tracking_is_simulated() -> None:
    for problem in some(FAMILY["tracking"]):
        header, *sentences = problem.slots["story"].strip("。").split("。")
        header = header.removesuffix("を持っている")
        if sentences and sentences[0].endswith("に渡した"):
            name, thing = header.split("が")
            holds = {name: thing}
        else:
            holds = dict(part.split("は", 1) for part in header.split("、"))
        for sentence in sentences:
            if m := re.fullmatch(r"(\S+)は(\S+)に渡した", sentence):
                holds[m[2]] = holds.pop(m[1])
            elif m := re.fullmatch(r"(\S+)と(\S+)が持ち物を交換した", sentence):
                first = m[1]
                if m2 := re.fullmatch(r"(\S+)を持っている人", first):
                    first = next(name for name, thing in holds.items() if thing == m2[1])
                assert first != m[2]
                holds[first], holds[m[2]] = holds[m[2]], holds[first]
            else:
                ring = sentence.split("：")[1].split("→")
                assert ring[0] == ring[-1]
                assert set(ring) == set(holds)
                old = dict(holds)
                for giver, taker in pairwise(ring):
                    holds[taker] = old[giver]
        owners = [name for name, thing in holds.items() if thing == problem.slots["thing"]]
        assert owners == [problem.answer]


def test_direction_is_turned() -> None:
    vectors = {"北": 1j, "東": 1, "南": -1j, "西": -1}
    turns = {"右へ90度": -1j, "左へ90度": 1j, "180度": -1}
    for problem in some(FAMILY["direction"]):
        facing: complex = 0
        for sentence in problem.slots["story"].strip("。").split("。"):
            if m := re.fullmatch(r"\S+は([東西南北])を向いている", sentence):
                facing = vectors[m[1]]
            elif m := re.search(r"(右の方角|左の方角|反対の方角)を向いている", sentence):
                facing *= {"右": -1j, "左": 1j, "反": -1}[m[1][0]]
            else:
                steps = re.fullmatch(r"\S+?は(\S+)向きを変えた", sentence)[1].split("、続いて")
                for step in steps:
                    facing *= turns[step]
        assert facing == vectors[problem.answer]


def _relatives(facts: list[tuple[str, str, str]], word: str, of: str) -> set[str]:
    """Who is the `word` of someone, by walking up and down between sibling groups."""
    group = {name: frozenset([name]) for a, b, _ in facts for name in (a, b)}

    def merge(a: str, b: str) -> None:
        joined = group[a] | group[b]
        for name in joined:
            group[name] = joined

    children: dict[str, set[str]] = {name: set() for name in group}
    for a, b, relation in facts:
        if relation in "兄弟姉妹":
            merge(a, b)
        else:
            parent, child = (a, b) if relation in "父母" else (b, a)
            children[parent].add(child)
    for _ in group:
        for offspring in children.values():
            for a, b in combinations(offspring, 2):
                merge(a, b)
        for offspring in children.values():
            for child in list(offspring):
                offspring |= group[child]

    def up(names: set[str]) -> set[str]:
        return {p for p, offspring in children.items() if offspring & names}

    def down(names: set[str]) -> set[str]:
        return {child for name in names for child in children[name]}

    def beside(names: set[str]) -> set[str]:
        return {other for name in names for other in group[name] if other != name}

    one = {of}
    found = {
        "父": up(one),
        "祖父": up(up(one)),
        "曽祖父": up(up(up(one))),
        "おじ": beside(up(one)),
        "おい": down(beside(one)),
        "いとこ": down(beside(up(one))),
        "孫": down(down(one)),
    }
    male = {"母": "父", "祖母": "祖父", "曽祖母": "曽祖父", "おば": "おじ", "めい": "おい"}
    female = {a: relation in "母娘姉妹" for a, _, relation in facts}
    people = found[male.get(word, word)]
    if word in ("いとこ", "孫"):
        return people
    assert not any(name not in female for name in people)
    return {name for name in people if female[name] == (word in male)}


def test_kinship_names_the_only_such_relative() -> None:
    for problem in some(FAMILY["kinship"]):
        facts = re.findall(
            r"(\S+?)は(\S+?)の(父|母|息子|娘|兄|姉|弟|妹)だ。", problem.slots["facts"]
        )
        assert "".join(f"{a}は{b}の{word}だ。" for a, b, word in facts) == problem.slots["facts"]
        of, word = re.fullmatch(r"(\S+?)の(\S+)はだれですか。", problem.slots["question"]).groups()
        assert _relatives(facts, word, of) == {problem.answer}
        assert not any({a, b} == {of, problem.answer} for a, b, _ in facts)


def test_kinship_leaves_out_whom_nobody_calls_man_or_woman() -> None:
    facts = [Fact(1, "息子", 0), Fact(2, "息子", 1)]  # 0 may be grandfather or grandmother
    found = kinship(facts)
    assert not found["祖父"]
    assert not found["祖母"]
    assert found["孫"] == {(2, 0)}
    assert kinship([*facts, Fact(0, "姉", 3)])["祖母"] == {(0, 2)}


def test_rules_follow_from_examples_of_equal_length() -> None:
    """Where some example is as long as the query and its characters differ, the example alone says
    which place each character comes from."""
    checked = 0
    for problem in some(FAMILY["rule"]):
        query = problem.slots["query"]
        examples = [part.split("→") for part in problem.slots["examples"].split("、")]
        assert all(before != after for before, after in examples)
        for before, after in examples:
            if len(before) == len(query) and len(set(before)) == len(before):
                places = [before.index(character) for character in after]
                assert "".join(query[place] for place in places) == problem.answer
                checked += 1
    assert checked > 200


def test_answers_do_not_stand_first_too_often() -> None:
    """No name family can be solved by copying the first or the last name of the text."""
    for key in ("ordering", "seating", "schedule", "tracking", "kinship"):
        problems: list[Problem] = list(some(FAMILY[key], 3, 4, 5))
        first = 0
        for problem in problems:
            text = "".join(problem.slots.values())
            names = [name for name in GIVEN_NAMES if name in text]
            first += min(names, key=text.index) == problem.answer
        assert first < 0.5 * len(problems)
