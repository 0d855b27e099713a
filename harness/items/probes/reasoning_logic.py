"""Reasoning probes about what follows: truth-tellers and liars, syllogisms."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from itertools import product
from typing import NamedTuple

from harness.items.probes.family import Draw, Family, Problem
from harness.items.probes.pools import LETTERS, PREDICATES
from harness.items.probes.reasoning_order import people
from harness.items.schema import FormatRule

ROLES = ("正直者", "うそつき")


class Said(NamedTuple):
    """What someone says (speaker None: a fact): a kind, the people it is about, a number.

    honest, liar  the one person is that       same     speaker and that person are of one kind
    both          both people are liars        any      at least one of the two is a liar
    count         exactly `number` of all people are liars
    """

    speaker: int | None
    kind: str
    about: tuple[int, ...] = ()
    number: int = 0


def _said_is_true(said: Said, honest: Sequence[bool]) -> bool:
    lies = [not honest[person] for person in said.about]
    if said.kind == "honest":
        return not lies[0]
    if said.kind == "liar":
        return lies[0]
    if said.kind == "same":
        assert said.speaker is not None
        return honest[said.speaker] is honest[said.about[0]]
    if said.kind == "both":
        return all(lies)
    if said.kind == "any":
        return any(lies)
    return list(honest).count(False) == said.number


def honesty(statements: Sequence[Said], n: int) -> list[tuple[bool, ...]]:
    """Every way for n people to be honest or not under which exactly the honest speak the truth."""
    return [
        honest
        for honest in product((True, False), repeat=n)
        if all(
            _said_is_true(said, honest) is (said.speaker is None or honest[said.speaker])
            for said in statements
        )
    ]


def _said_text(said: Said, names: list[str]) -> str:
    who = [names[person] for person in said.about]
    text = {
        "honest": "{0}は正直者だ",
        "liar": "{0}はうそつきだ",
        "same": "私と{0}は、どちらも正直者か、どちらもうそつきだ",
        "both": "{0}と{1}は二人ともうそつきだ",
        "any": "{0}と{1}の少なくとも一人はうそつきだ",
        "count": f"{len(names)}人のうち、うそつきはちょうど{said.number}人だ",
    }[said.kind].format(*who)
    return f"{text}。" if said.speaker is None else f"{names[said.speaker]}は「{text}」と言った。"


def _truth_tellers(draw: Draw, level: int) -> Problem:
    n = (2, 3, 3, 4, 5)[level - 1]
    names = people(draw, level, n)
    wanted = draw.random() < 0.5
    while True:
        statements: list[Said] = []
        if level <= 2:  # a chain: one person's role is known, each speaks about the next
            statements.append(Said(None, draw.choice(("honest", "liar")), (0,)))
            for speaker in range(n - 1):
                kind = draw.choice(("honest", "liar"))
                statements.append(Said(speaker, kind, (speaker + 1,)))
        else:
            if level == 3 or draw.random() < 0.4:
                statements.append(Said(None, "count", (), draw.randrange(1, n)))
            kinds = ["honest", "liar"] if level == 3 else ["honest", "liar", "same", "both", "any"]
            for speaker in range(n):
                kind = draw.choice(kinds)
                others = [person for person in range(n) if person != speaker]
                about = tuple(sorted(draw.sample(others, 2 if kind in ("both", "any") else 1)))
                statements.append(Said(speaker, kind, about))
        solutions = honesty(statements, n)
        if len(solutions) == 1 and (level <= 2 or wanted in solutions[0]):
            break
    roles = solutions[0]
    asked = n - 1
    if level >= 3:
        asked = draw.choice([person for person in range(n) if roles[person] is wanted])
    text = "".join(_said_text(said, names) for said in statements)
    rule = "正直者は本当のこと、うそつきはうそだけを言う。"
    if level == 1:
        rule = "正直者は必ず真実を言う。" if roles[0] else "うそつきは必ずうそを言う。"
    if level >= 3:
        text = f"{'、'.join(names)}は、それぞれ正直者かうそつきのどちらかだ。{text}"
    facts = sorted(
        f"{'' if said.speaker is None else names[said.speaker]}:{said.kind}"
        f"({','.join(sorted(names[person] for person in said.about))}){said.number}"
        for said in statements
    )
    return Problem(
        slots={
            "clues": rule + text,
            "name": names[asked],
        },
        content=f"truth|{n}|{';'.join(facts)}|{names[asked]}",
        answer=ROLES[0] if roles[asked] else ROLES[1],
        format=FormatRule(kind="choice", labels=ROLES),
        metric="exact",
    )


TRUTH_TELLERS = Family(
    name="reasoning/truth-tellers",
    version=1,
    templates=(
        "{clues}{name}は「正直者」か「うそつき」か、一語で答えてください。",
        "{clues}\n{name}はどちらですか。「正直者」か「うそつき」とだけ書いてください。",
        "{clues}では、{name}は何者ですか。正直者・うそつきのどちらか一語で答えてください。",
        "{name}は正直者ですか、うそつきですか。どちらか一語だけで答えてください。\n{clues}",
        "【話】{clues}\n【問い】{name}はどちらか。「正直者」「うそつき」のいずれか一語のみを書くこと。",
        "論理クイズです。{clues}{name}の正体を「正直者」か「うそつき」の一語で答えてください。",
        "{clues}{name}について正しいほうを選び、その語だけを書いてください。\n正直者／うそつき",
        "次の話から判断してください。\n{clues}\n{name}＝？（正直者、うそつきのどちらかを記入）",
        "{clues}さて、{name}は信用できる正直者なのか、それともうそつきなのか。"
        "「正直者」または「うそつき」とだけ返答してください。",
    ),
    problem=_truth_tellers,
)

CERTAINTY = ("はい", "いいえ", "どちらともいえない")


FORMS = ("all", "none", "some", "some_not")


class Categorical(NamedTuple):
    """A statement about two sets: all, none, some or some_not of `a` are in `b`."""

    form: str
    a: int
    b: int


@cache
def _kinds_in(terms: int) -> tuple[int, ...]:
    """For each term the kinds that belong to it, as bits."""
    return tuple(
        sum(1 << kind for kind in range(1 << terms) if kind >> term & 1) for term in range(terms)
    )


def _area(statement: Categorical, terms: int) -> int:
    """The kinds whose existence a statement denies (all, none) or asserts (some, some_not)."""
    a, b = _kinds_in(terms)[statement.a], _kinds_in(terms)[statement.b]
    return a & b if statement.form in ("none", "some") else a & ~b


@dataclass(frozen=True)
class Premises:
    """What some categorical statements about `terms` sets allow.

    A world is the set of the kinds of things that exist, a kind being a subset of the terms (one
    bit of an integer here). Universal premises forbid kinds; existential ones, and with
    `existence` also each term, demand one of several kinds.
    """

    terms: int
    allowed: int
    demands: tuple[int, ...]

    @staticmethod
    def of(statements: Sequence[Categorical], terms: int, existence: bool) -> Premises:
        """Raises ValueError when no world satisfies the statements."""
        allowed = (1 << (1 << terms)) - 1
        demands = list(_kinds_in(terms)) if existence else []
        for statement in statements:
            if statement.form in ("all", "none"):
                allowed &= ~_area(statement, terms)
            else:
                demands.append(_area(statement, terms))
        demands = [demand & allowed for demand in demands]
        if not all(demands):
            raise ValueError("the premises contradict each other")
        return Premises(terms, allowed, tuple(demands))

    def entail(self, claim: Categorical) -> bool | None:
        """Whether a claim holds in every world (True), in none (False), or in some only (None).

        An allowed kind can be added to any world. So "none of these kinds exist" holds everywhere
        if and only if none of them is allowed, and fails everywhere if and only if some demand can
        be met by them alone.
        """
        area = _area(claim, self.terms)
        empty: bool | None = None
        if not area & self.allowed:
            empty = True
        elif any(not demand & ~area for demand in self.demands):
            empty = False
        if empty is None or claim.form in ("all", "none"):
            return empty
        return not empty


def _categorical_text(draw: Draw, statement: Categorical, words: list[str], level: int) -> str:
    a, b = words[statement.a], words[statement.b]
    if level == 1:
        texts = {"all": "すべての{a}は{b}だ", "none": "どの{a}も{b}ではない"}
        texts |= {"some": "ある{a}は{b}だ", "some_not": "ある{a}は{b}ではない"}
        return texts[statement.form].format(a=a, b=b)
    not_a, not_b = a[:-2] + "いない", b[:-2] + "いない"
    if statement.form == "all":
        if level >= 4 and draw.random() < 0.4:
            return f"{not_b}人はみな、{not_a}"
        return f"{a}人はみな、{b}"
    if statement.form == "none":
        return f"{a}人はだれも、{not_b}"
    return f"{a}人の中に、{b if statement.form == 'some' else not_b}人がいる"


def _syllogism(draw: Draw, level: int) -> Problem:
    terms = (3, 3, 4, 5, 5)[level - 1]
    words = draw.sample(LETTERS, terms) if level == 1 else draw.entities(PREDICATES, terms)
    wanted = draw.choice((True, False, None))
    forms = ["all", "all", "none"] if level == 1 else ["all", "all", "none", "some", "some_not"]
    while True:
        pairs = [(draw.randrange(b), b) for b in range(1, terms)]
        if level == 5:  # one premise more than a tree needs
            spare = [(a, b) for b in range(terms) for a in range(b) if (a, b) not in pairs]
            pairs.append(draw.choice(spare))
        premises = [
            Categorical(draw.choice(forms), *(pair if draw.random() < 0.5 else pair[::-1]))
            for pair in pairs
        ]
        try:
            # Does "all A are B" say that there are A? The answer must not hang on it.
            readings = [Premises.of(premises, terms, existence) for existence in (True, False)]
        except ValueError:
            continue
        claims = [
            claim
            for a, b in product(range(terms), repeat=2)
            if a != b and (min(a, b), max(a, b)) not in pairs
            for claim in (Categorical(form, a, b) for form in FORMS)
            if all(reading.entail(claim) is wanted for reading in readings)
        ]
        if claims:
            break
    claim = draw.choice(claims)
    draw.shuffle(premises)

    def canonical(statement: Categorical) -> str:
        pair = [words[statement.a], words[statement.b]]
        if statement.form in ("none", "some"):
            pair.sort()
        return f"{statement.form}({','.join(pair)})"

    return Problem(
        slots={
            "premises": "".join(
                f"{_categorical_text(draw, premise, words, level)}。" for premise in premises
            ),
            "claim": _categorical_text(draw, claim, words, min(level, 3)),
        },
        content=f"syllogism|{';'.join(sorted(map(canonical, premises)))}|{canonical(claim)}",
        answer=CERTAINTY[(True, False, None).index(wanted)],
        format=FormatRule(kind="choice", labels=CERTAINTY),
        metric="exact",
    )


SYLLOGISM = Family(
    name="reasoning/syllogism",
    version=1,
    templates=(
        "{premises}「{claim}」は正しいですか。はい・いいえ・どちらともいえない から一つ答えて。",
        "{premises}\nこのとき「{claim}」は正しいですか。"
        "「はい」「いいえ」「どちらともいえない」のどれかだけを書いてください。",
        "前提：{premises}\n結論：{claim}。\n結論は正しいですか。"
        "はい／いいえ／どちらともいえない、から一つだけ答えてください。",
        "「{claim}」は正しいですか。次の前提だけから判断し、"
        "はい、いいえ、どちらともいえない、のいずれかで答えてください。\n{premises}",
        "【前提】{premises}\n【主張】{claim}。\n必ず正しければ「はい」、必ず誤りなら「いいえ」、"
        "決められなければ「どちらともいえない」とだけ書くこと。",
        "{premises}ここまでがすべて本当だとします。「{claim}」も本当ですか。"
        "答えは はい・いいえ・どちらともいえない の中から一つだけ。",
        "仮定：{premises}\n質問：「{claim}」は正しいか。\n"
        "回答（はい、いいえ、どちらともいえない のうち一つ）：",
        "{premises}以上の文だけを信じる人に「{claim}」は正しいかと聞きました。"
        "正しい返事を「はい」「いいえ」「どちらともいえない」から選び、それだけを書いてください。",
        "「{claim}」という文の正誤を、次の情報だけで判定せよ。{premises}"
        "出力は「はい」「いいえ」「どちらともいえない」のいずれか。",
    ),
    problem=_syllogism,
)
