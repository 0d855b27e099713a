"""Questions that ask for the working: statements of every family without an order to answer in
one word, and what stands in that order's place."""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import dataclass

from harness.errors import HarnessError
from harness.items.probes.family import Problem
from training.synthesis.traces.trace import Trace

Draw = random.Random

_SITUATION = (
    "{situation}{target}は何{unit}になるでしょうか。",
    "{situation}{target}が何{unit}になるかを考えてください。",
    "問題です。{situation}{target}を求めてください。",
    "{situation}\n{target}（{unit}）を求めてください。",
)
_CLUES = (
    "{clues}{question}",
    "{clues}\n{question}",
    "次の手がかりから考えましょう。\n{clues}\n{question}",
    "{clues}\nこれらの条件をすべて満たすように考えたとき、{question}",
)
_PROGRAM = (
    "次のPythonのプログラムは何を表示しますか。\n```python\n{program}\n```",
    "```python\n{program}\n```\nこのコードの出力を考えてください。",
    "{program}\nこのPythonのプログラムの出力を求めてください。",
    "次のPythonコードを実行した結果を予想してください。\n{program}",
)
_JSON = (
    "{text}\nこの文から{schema}を取り出し、JSONにまとめてください。{notes}",
    "次の文を読み、{shape}の形のJSONを作ってください。{notes}\n{text}",
    "{text}\n{schema}をキーとするJSONを作りたいです。{notes}",
)

# Statements of a family's problem, str.format texts over the problem's slots. They end where the
# family's own templates go on to demand a format.
STATEMENTS: dict[str, tuple[str, ...]] = {
    "math/arithmetic": (
        "{e}を計算してください。",
        "{e}の答えはいくつになりますか。",
        "次の計算をしてください。\n{e}",
        "{e}はどう計算すればよいですか。",
    ),
    "math/decimal": (
        "{e}を計算し、整数か小数で求めてください。",
        "{e}はいくつになりますか。分数は使わずに表してください。",
        "次の計算をしてください。答えは整数か小数で表します。\n{e}",
    ),
    "math/equation": (
        "{e}を満たすxの値を求めてください。",
        "次の方程式を解いて、xの値を求めてください。\n{e}",
        "{e}のとき、xはいくつになりますか。",
    ),
    "math/sequence": (
        "{s}の次に来る数を求めてください。",
        "あるきまりで、{s}と数が並んでいます。次の数はいくつになりますか。",
        "次の数列のきまりを見つけ、続きの数を1つ求めてください。\n{s}",
    ),
    "math/average": _SITUATION,
    "math/counting": (
        "{situation}{target}は何{unit}ありますか。",
        "{situation}{target}が何{unit}あるか数えてください。",
        "数え上げの問題です。{situation}{target}は何{unit}になるでしょうか。",
    ),
    "math/ratio": _SITUATION,
    "math/word_problem": _SITUATION,
    "math/unit": (
        "{x}は{ask}ですか。",
        "{x}が{ask}になるかを求めてください。",
        "単位を換算する問題です。{x}は{ask}にあたりますか。",
    ),
    "math/weekday": (
        "{situation}{target}は何曜日ですか。",
        "{situation}{target}の曜日を求めてください。",
        "曜日を考える問題です。{situation}{target}は何曜日になりますか。",
    ),
    "math/days": (
        "{end}は{start}の何日後ですか。",
        "{start}から数えて、{end}は何日後になりますか。",
        "{start}の何日後が{end}になるかを求めてください。",
    ),
    "math/era": ("{q}。", "元号の問題です。{q}。", "年を換算してください。{q}。"),
    "reasoning/ordering": _CLUES,
    "reasoning/seating": _CLUES,
    "reasoning/schedule": _CLUES,
    "reasoning/transitivity": (
        "{clues}「{claim}」は正しいですか。決まらないときは「不明」とします。",
        "{clues}\nこのとき「{claim}」といえるかどうかを、はい・いいえ・不明のどれかで判断してください。",
        "次のことがわかっています。{clues}\n「{claim}」は、正しい（はい）、誤り（いいえ）、"
        "決まらない（不明）のどれになりますか。",
    ),
    "reasoning/truth-tellers": (
        "{clues}{name}は「正直者」と「うそつき」のどちらですか。",
        "{clues}\n{name}が正直者かうそつきかを判断してください。",
        "論理の問題です。{clues}\n{name}は正直者でしょうか、うそつきでしょうか。",
    ),
    "reasoning/syllogism": (
        "{premises}このとき「{claim}」は正しいですか。"
        "はい・いいえ・どちらともいえない のどれかを選んでください。",
        "前提は次のとおりです。{premises}\n「{claim}」といえるかどうかを、"
        "はい・いいえ・どちらともいえない から選んで判断してください。",
    ),
    "reasoning/compound": (
        "{facts}\n{claim}は正しいですか、誤りですか。",
        "{facts}\n{claim}が「正しい」か「誤り」かを判断してください。",
        "次のことがわかっています。{facts}\n{claim}の正誤を調べてください。",
    ),
    "reasoning/tracking": (
        "{story}今、{thing}を持っているのはだれですか。",
        "{story}\n最後に{thing}を持っている人を求めてください。",
        "次のできごとを順に追ってください。\n{story}\n{thing}は最後にだれが持っていますか。",
    ),
    "reasoning/direction": (
        "{story}{name}は今どの方角を向いていますか。東・西・南・北で考えてください。",
        "{story}\n{name}が最後に向いている方角は、東西南北のどれですか。",
    ),
    "reasoning/kinship": (
        "{facts}{question}",
        "{facts}\n{question}",
        "家族の関係を考える問題です。{facts}\n{question}",
    ),
    "reasoning/rule": (
        "{examples}。同じ規則で「{query}」を変えるとどうなりますか。",
        "次の例から規則を見つけ、「{query}」に当てはめてください。\n例：{examples}",
        "{examples}という書きかえの規則を見抜いて、「{query}」がどうなるかを求めてください。",
    ),
    "coding/variable": (
        "次のPythonのプログラムを実行した後、変数{asked}の値はいくつになりますか。\n```python\n{program}\n```",
        "{program}\nこのPythonのコードが終わったときの変数{asked}の値を求めてください。",
        "```python\n{program}\n```\n変数{asked}は最後にいくつになりますか。",
    ),
    "coding/condition": _PROGRAM,
    "coding/recursion": _PROGRAM,
    "coding/string": _PROGRAM,
    "coding/list": _PROGRAM,
    "coding/count": (
        "次のPythonのプログラム（左は行番号）で、{asked}行目は何回実行されますか。\n{program}",
        "{program}\nこのプログラムの{asked}行目が実行される回数を求めてください。",
    ),
    "coding/fault": (
        "次のPythonのプログラム（左は行番号）は「{wanted}」と表示するはずですが、1行だけ間違っています。\n"
        "{program}\n直し方の候補は次のとおりで、正しいのは1つだけです。\n{changes}\n"
        "直すべき行の番号はどれですか。",
        "{program}\nこのプログラムに「{wanted}」と表示させたいのですが、1行に誤りがあります。\n"
        "{changes}\nこのうち正しい直し方はどれか、行番号で答えてください。",
    ),
    "coding/match": (
        "「{wanted}」と表示するPythonのコードは、A〜Dのどれですか。\n{options}",
        "{options}\nこの4つのうち「{wanted}」と表示するものを選んでください。",
    ),
    "coding/structure": (
        "{operations}\n{asked}は何ですか。",
        "次の操作を順に行います。{operations}\n{asked}を求めてください。",
    ),
    "coding/pseudocode": (
        "次の擬似コードが表示する数を求めてください。{notes}\n{program}",
        "{program}\nこの手順は何を表示しますか。{notes}",
    ),
    "extraction/field": (
        "{record}\n{asked}は何ですか。",
        "次の記録から{asked}を探してください。\n{record}",
    ),
    "extraction/contact": (
        "{text}\n{asked}は何ですか。",
        "次の文面から{asked}を探してください。\n{text}",
    ),
    "extraction/changes": (
        "{text}\n{asked}はどれですか。",
        "次の知らせを読み、{asked}が何かを考えてください。\n{text}",
    ),
    "extraction/date": (
        "{text}\n{asked}はいつですか。日付はYYYY-MM-DDの形で表してください。",
        "次の文から{asked}を読み取り、YYYY-MM-DDの形で示してください。\n{text}",
    ),
    "extraction/amount": (
        "{text}\n{asked}は何円ですか。",
        "次の文から{asked}の金額（円）を読み取ってください。\n{text}",
    ),
    "extraction/table-cell": (
        "{table}\n\nこの表で、{asked}は何ですか。",
        "次の表から{asked}を探してください。\n{table}",
    ),
    "extraction/table-rows": (
        "{table}\n\n{asked}をすべて、{order}一行に一つずつ挙げてください。",
        "次の表から{asked}をすべて選び、{order}一行に一つずつ並べてください。\n{table}",
    ),
    "extraction/people": (
        "{text}\n{asked}をすべて、一行に一人ずつ敬称なしで挙げてください。",
        "次の文から{asked}を全員選び、一行に一人ずつ敬称を付けずに並べてください。\n{text}",
    ),
    "extraction/profile": _JSON,
    "extraction/event": _JSON,
    "extraction/order": _JSON,
}

# What asks for the working, by genre.
WORKING: dict[str, tuple[str, ...]] = {
    "math": (
        "途中の式も書いてください。",
        "求め方を順に説明してください。",
        "どのように求めたかがわかるように、式と説明を書いてください。",
        "一つずつ計算しながら説明してください。",
        "解き方もあわせて教えてください。",
        "途中の計算を省かずに書いてください。",
    ),
    "reasoning": (
        "考えた順に理由を説明してください。",
        "どのように判断したかも書いてください。",
        "推論の道筋も示してください。",
        "一歩ずつ考えて説明してください。",
        "わかることから順に書いてください。",
    ),
    "coding": (
        "実行の流れを順に説明してください。",
        "値がどう変わるかを追いながら説明してください。",
        "一行ずつたどって説明してください。",
        "そう考えた理由も書いてください。",
    ),
    "extraction": (
        "根拠になる部分も示してください。",
        "どこからわかるかも説明してください。",
        "読み取りの手順も書いてください。",
    ),
}


@dataclass(frozen=True)
class Closing:
    """How a worked solution ends: what the question says of it, and the last lines themselves."""

    asks: tuple[str, ...]
    end: Callable[[Draw, Trace], str]


def _marked(draw: Draw, trace: Trace) -> str:
    block = "\n" in trace.answer or trace.answer.startswith("{")
    return f"答え：{chr(10) if block else ''}{trace.answer}"


def _stated(draw: Draw, trace: Trace) -> str:
    return f"答えは{trace.answer}です。"


def _boxed(draw: Draw, trace: Trace) -> str:
    lead = draw.choice(("したがって、答えは", "よって、求める値は", "以上より、答えは"))
    return f"{lead}\\boxed{{{trace.answer}}}です。"


def _said(draw: Draw, trace: Trace) -> str:
    lead = draw.choice(("したがって、", "よって、", "以上から、", "つまり、"))
    return f"{lead}{trace.said or f'答えは{trace.answer}'}です。"


MARKED = Closing(
    (
        "説明の後に改行し、「答え：」に続けて最終的な答えを書いてください。",
        "結びの行は「答え：」で始め、答えだけを添えてください。",
        "締めくくりに「答え：」と書き、その後に答えだけを置いてください。",
        "説明を終えたら、「答え：」の後に結論だけを書いてください。",
    ),
    _marked,
)
STATED = Closing(
    (
        "最後は「答えは○○です。」という一文でまとめてください。",
        "終わりに「答えは○○です。」と書いてください。",
        "説明の最後を「答えは○○です。」で結んでください。",
    ),
    _stated,
)
BOXED = Closing(
    (
        "最終的な答えは \\boxed{} の中に書いてください。",
        "結論の値を \\boxed{} で囲んでください。",
    ),
    _boxed,
)
SAID = Closing(("",), _said)


def closings(problem: Problem, trace: Trace) -> list[Closing]:
    """The ways in which a solution may end, by the form of its answer; likelier ones twice."""
    if "\n" in trace.answer or problem.format.kind == "json":
        return [MARKED]
    if problem.format.kind in ("integer", "number"):
        return (
            [MARKED, MARKED, STATED, BOXED, SAID, SAID] if trace.said else [MARKED, STATED, BOXED]
        )
    # です reads as a part of a bare text.
    return [MARKED, MARKED, STATED] if problem.format.kind != "pattern" else [MARKED]


def traced_question(draw: Draw, family: str, problem: Problem, closing: Closing) -> str:
    """A question of the problem that asks for the working, and for the closing.

    Raises HarnessError for a family without statements.
    """
    if family not in STATEMENTS:
        raise HarnessError(f"no question with working for {family!r}, add it to STATEMENTS")
    statement = draw.choice(STATEMENTS[family]).format_map(problem.slots)
    order = draw.choice(WORKING[family.split("/")[0]]) + draw.choice(closing.asks)
    if "\n" not in statement and draw.random() < 0.5:
        return statement + order
    if draw.random() < 0.3:
        return f"{order}\n{statement}"
    return f"{statement}\n{order}"


def traced_answer(draw: Draw, trace: Trace, closing: Closing) -> str:
    """The working and its end, a step a line."""
    gap = "\n\n" if draw.random() < 0.25 else "\n"
    return "\n".join(trace.steps) + gap + closing.end(draw, trace)
