"""Format probes on trivial content with one short answer (copying, labels, yes or no, numbers),
and the table of all format families."""

from __future__ import annotations

from harness.items.probes.family import Draw, Family, Problem
from harness.items.probes.format_shapes import SHAPES
from harness.items.probes.words import CATEGORIES, GOODS, PEOPLE, PLACES, SYMBOLS, WORDS
from harness.items.schema import FormatRule


def _copy(draw: Draw, level: int) -> Problem:
    """Copy exactly. 1: a word. 2: a word and a number. 3: three words joined. 4: a code with
    symbols. 5: a sentence."""
    if level == 1:
        text = draw.entity(WORDS)
    elif level == 2:
        text = f"{draw.entity(WORDS)}{draw.randint(10, 999)}"
    elif level == 3:
        text = draw.choice(["と", "・", "、"]).join(draw.entities(WORDS, 3))
    elif level == 4:
        a, b = draw.entities(WORDS, 2)
        code = f"{draw.choice('ABCDEFGHKMNPRSTXYZ')}-{draw.randint(1000, 9999)}"
        text = draw.choice([f"{code}/{a}:{b}", f"{a}_{code}_{b}", f"[{code}] {a}<{b}>"])
    else:
        a, b = draw.entities(list(GOODS), 2)
        text = (
            f"{draw.entity(PEOPLE)}さんは{draw.randint(1, 11)}時{draw.randint(10, 59)}分に"
            f"{draw.entity(PLACES)}で{a}を{draw.randint(2, 9)}{GOODS[a]}、"
            f"{b}を{draw.randint(2, 9)}{GOODS[b]}買った。"
        )
    rule = FormatRule("span", max_chars=80, verbatim=True)
    return Problem({"text": text}, text, text, rule, "exact")


# Level: the labels that may be used, and how the answer must be written.
_CHOICE_FORMS: dict[int, tuple[tuple[str, ...], str]] = {
    1: (("A", "B", "C"), "記号1文字"),
    2: (("A", "B", "C", "D"), "A〜Dの記号1文字"),
    3: (("ア", "イ", "ウ", "エ", "オ"), "ア〜オのカタカナ1文字"),
    4: (("(1)", "(2)", "(3)", "(4)", "(5)", "(6)"), "「(2)」のようにかっこを付けた番号"),
    5: (("A", "B", "C", "D", "E", "F"), "2つの記号を「A,B」のようにABC順にコンマでつないだもの"),
}


def _choice(draw: Draw, level: int) -> Problem:
    """Name the option that belongs to a category. 1: one of three. 2: one of four. 3: one of
    five, in kana. 4: one of six, a number in brackets. 5: two of six, joined by a comma."""
    labels, form = _CHOICE_FORMS[level]
    right = 2 if level == 5 else 1
    category, *others = draw.sample(list(CATEGORIES), len(labels) - right + 1)
    longest = 6 if level == 1 else 99
    pools = {name: [w for w in CATEGORIES[name] if len(w) <= longest] for name in CATEGORIES}
    hits = draw.entities(pools[category], right)
    options = hits + [draw.entity(pools[other]) for other in others]
    draw.shuffle(options)
    answer = ",".join(
        label for label, option in zip(labels, options, strict=True) if option in hits
    )
    rule = (
        FormatRule("pattern", pattern="[A-F],[A-F]")
        if level == 5
        else FormatRule("choice", labels=labels)
    )
    slots = {
        "ask": f"{category}はどれ{'とどれ' if level == 5 else ''}ですか。",
        "options": "\n".join(f"{a} {b}" for a, b in zip(labels, options, strict=True)),
        "form": form,
    }
    content = f"choice {category} {sorted(options)}"
    return Problem(slots, content, answer, rule, "exact")


def _digit_label(draw: Draw, level: int) -> Problem:
    """Answer with digits 0 to 4. 1: count a symbol among up to six. 2: among up to twelve, of
    three kinds. 3: the label of a word. 4: of two words, joined. 5: of three words, in brackets."""
    if level <= 2:
        kinds = draw.entities(SYMBOLS, level + 1)
        count = draw.randint(0, 4)
        rest = draw.randint(1, 3) if level == 1 else draw.randint(5, 8)
        shown = [kinds[0]] * count + [draw.choice(kinds[1:]) for _ in range(rest)]
        draw.shuffle(shown)
        text = "".join(shown)
        slots = {"q": f"「{text}」に{kinds[0]}はいくつありますか。", "form": "0〜4の数字1つ"}
        rule = FormatRule("choice", labels=("0", "1", "2", "3", "4"))
        return Problem(slots, f"count {kinds[0]} {text}", str(count), rule, "exact")
    categories = draw.sample(list(CATEGORIES), 5)
    labels = draw.choices(range(5), k=level - 2)
    words = [draw.entity(CATEGORIES[categories[label]]) for label in labels]
    scheme = "、".join(f"{label}={category}" for label, category in enumerate(categories))
    listed = "".join(f"「{word}」" for word in words)
    slots = {
        "q": f"{scheme}とします。{listed}の番号を順に答えてください。"
        if level > 3
        else f"{scheme}とします。{listed}の番号はどれですか。",
        "form": {
            3: "0〜4の数字1つ",
            4: "2つの番号を「0,1」のようにコンマでつないだもの",
            5: "3つの番号を「[0,1,2]」の形にしたもの",
        }[level],
    }
    digits = ",".join(map(str, labels))
    content = f"labels {categories} {words}"
    if level == 3:
        rule = FormatRule("choice", labels=("0", "1", "2", "3", "4"))
        return Problem(slots, content, digits, rule, "exact")
    if level == 4:
        return Problem(
            slots, content, digits, FormatRule("pattern", pattern="[0-4],[0-4]"), "exact"
        )
    rule = FormatRule("pattern", pattern=r"\[[0-4],[0-4],[0-4]\]")
    return Problem(slots, content, f"[{digits}]", rule, "exact")


def _yes_no(draw: Draw, level: int) -> Problem:
    """1: はい or いいえ, on a word's category. 2: the same on two numbers. 3: ○ or × on both at
    once. 4: YES or NO on both. 5: three answers, joined by commas."""
    if level == 5:
        claims = [_claim_on_word(draw), _claim_on_numbers(draw), _claim_on_word(draw)]
        questions = "".join(f"({n}){claim}ですか。" for n, (claim, _) in enumerate(claims, 1))
        return Problem(
            {
                "q": questions,
                "form": "3つの答えを「はい」か「いいえ」で、順に半角コンマでつないだもの",
            },
            f"yes-no {[claim for claim, _ in claims]}",
            ",".join("はい" if truth else "いいえ" for _, truth in claims),
            FormatRule("pattern", pattern="(はい|いいえ)(,(はい|いいえ)){2}"),
            "exact",
        )
    yes, no = {3: ("○", "×"), 4: ("YES", "NO")}.get(level, ("はい", "いいえ"))
    if level == 1:
        claim, truth = _claim_on_word(draw)
    elif level == 2:
        claim, truth = _claim_on_numbers(draw)
    else:
        either, truth = level == 4 and draw.random() < 0.5, draw.random() < 0.5
        # Redrawn until the whole is as likely true as false.
        while True:
            (first, one), (second, other) = _claim_on_word(draw), _claim_on_numbers(draw)
            if ((one or other) if either else (one and other)) == truth:
                break
        claim = f"{first}{'であるか、または' if either else 'であり、しかも'}{second}"
    return Problem(
        {"q": f"{claim}ですか。", "form": f"「{yes}」か「{no}」"},
        f"yes-no {claim}",
        yes if truth else no,
        FormatRule("choice", labels=(yes, no)),
        "exact",
    )


def _claim_on_word(draw: Draw) -> tuple[str, bool]:
    own, other = draw.sample(list(CATEGORIES), 2)
    truth = draw.random() < 0.5
    return f"{draw.entity(CATEGORIES[own])}は{own if truth else other}", truth


def _claim_on_numbers(draw: Draw) -> tuple[str, bool]:
    a, b = draw.sample(range(10, 999), 2)
    if draw.random() < 0.5:
        return f"{a}は{b}より大きい", a > b
    return f"{a}は{b}より小さい", a < b


_ENTAILMENT = ("entailment", "contradiction", "neutral")
_ENTAILMENT_FORMS: dict[int, tuple[tuple[str, str, str], str]] = {
    1: (("含意", "矛盾", "中立"), "含意・矛盾・中立のどれか"),
    2: (_ENTAILMENT, "entailment、contradiction、neutralのどれか"),
    3: (("E", "C", "N"), "E（含意）、C（矛盾）、N（中立）のどれか1文字"),
    4: (
        ("[含意]", "[矛盾]", "[中立]"),
        "含意・矛盾・中立のどれかを半角の角かっこ[]で囲んだもの",
    ),
    5: (
        _ENTAILMENT,
        "仮説1と仮説2への答え（entailment、contradiction、neutralのどれか）を"
        "順に半角コンマでつないだもの",
    ),
}


def _entailment(draw: Draw, level: int) -> Problem:
    """Whether a premise entails a hypothesis. 1 and 2: of counted things. 3 and 4: of what
    somebody bought. 5: two hypotheses."""
    labels, form = _ENTAILMENT_FORMS[level]
    if level <= 2:
        pool = [good for good in GOODS if len(good) <= 3]
        (good, other), (n, m) = draw.entities(pool, 2), draw.sample(range(2, 30), 2)
        premise = f"{good}は{n}{GOODS[good]}だけある。"
        hypotheses = [
            f"{good}は{n}{GOODS[good]}ある。" if level == 2 else premise,
            f"{good}は{m}{GOODS[good]}だけある。",
            f"{other}は{m}{GOODS[other]}だけある。",
        ]
    else:
        person, place = f"{draw.entity(PEOPLE)}さん", draw.entity(PLACES)
        good = draw.entity(list(GOODS))
        n = draw.randint(2, 9)
        premise = f"{person}はきのう、{place}の店で{good}を{n}{GOODS[good]}買った。"
        hypotheses = [
            draw.choice([f"{person}はきのう{place}にいた。", f"{person}は{good}を買った。"]),
            draw.choice(
                [
                    f"{person}はきのう何も買わなかった。",
                    f"{person}はまだ{place}に行ったことがない。",
                ]
            ),
            draw.choice(
                [f"{person}は{place}に住んでいる。", f"{person}は{good}を友だちに贈った。"]
            ),
        ]
    if level < 5:
        index = draw.randrange(3)
        hypothesis, answer = f"仮説: {hypotheses[index]}", labels[index]
        rule = FormatRule("choice", labels=labels)
    else:
        pair = draw.sample(range(3), 2)
        hypothesis = "\n".join(f"仮説{n}: {hypotheses[index]}" for n, index in enumerate(pair, 1))
        answer = ",".join(labels[index] for index in pair)
        either = "|".join(labels)
        rule = FormatRule("pattern", pattern=f"({either}),({either})")
    slots = {"premise": f"前提: {premise}", "hypothesis": hypothesis, "form": form}
    return Problem(slots, f"nli {premise} {hypothesis}", answer, rule, "exact")


_FULL_WIDTH = str.maketrans("0123456789,", "０１２３４５６７８９，")


def _bare_number(draw: Draw, level: int) -> Problem:
    """A number without comma or unit, from 1: "37円". 2: "12,500円". 3: the same in full-width
    digits. 4: "3万2千円". 5: "1億2300万円"."""
    unit = draw.choice(["円", "人", "個", "冊", "台", "枚"])
    if level == 1:
        value = draw.randint(2, 999)
        text = f"{value}{unit}"
    elif level in (2, 3):
        value = draw.randint(1000, 999_999 if level == 2 else 9_999_999)
        text = f"{value:,}{unit}"
        text = text.translate(_FULL_WIDTH) if level == 3 else text
    elif level == 4:
        tens, thousands = draw.randint(1, 99), draw.randint(2, 9)
        value = tens * 10_000 + thousands * 1000
        text = f"{tens}万{thousands}千{unit}"
    else:
        hundreds, tens = draw.randint(1, 99), draw.randint(2, 9999)
        value = hundreds * 100_000_000 + tens * 10_000
        text = f"{hundreds}億{tens}万{unit}"
    return Problem({"v": text}, f"number {value}", str(value), FormatRule("integer"), "number")


_SHORT = (
    Family(
        "format/copy",
        1,
        (
            "「{text}」とだけ書いてください。",
            "次の言葉をそのまま書き写してください。\n{text}",
            "{text}\n上の行と同じ文字だけを書いてください。",
            "「{text}」を一字も変えずに、それだけ書いてください。",
            "かぎかっこの中をそのまま答えてください。かぎかっこは不要です。「{text}」",
            "余計な言葉を付けずに復唱してください。「{text}」",
            "返事は「{text}」だけにしてください。",
            "「{text}」という文字列だけを返してください。",
            "そっくり同じに書き写しなさい（ほかには何も書かない）。\n{text}",
        ),
        _copy,
    ),
    Family(
        "format/choice",
        1,
        (
            "{ask}\n{options}\n{form}だけを書いてください。",
            "{ask}{form}だけで答えてください。\n{options}",
            "問題: {ask}\n{options}\n答え（{form}）:",
            "次から選び、{form}だけを書きなさい。{ask}\n{options}",
            "{options}\n{ask}答えは{form}だけです。",
            "選択肢:\n{options}\n{ask}{form}のみ書いてください。",
            "{ask}\n{options}\n説明は不要です。{form}だけ返してください。",
            "{options}\n上のうち、{ask}{form}だけを答えてください。",
            "{ask}解答は{form}だけとします。\n{options}",
        ),
        _choice,
    ),
    Family(
        "format/digit_label",
        1,
        (
            "{q}{form}だけを書いてください。",
            "{q}\n答えは{form}だけです。",
            "問題: {q}\n答え（{form}）:",
            "{q}{form}だけで答えてください。",
            "次の問いの答えとして、{form}だけを書きなさい。\n{q}",
            "{q}単位や説明は書かず、{form}だけを返してください。",
            "{q}\n{form}以外は書かないでください。",
            "{form}だけで答える問題です。{q}",
            "{q}答えとして{form}だけを出力してください。",
        ),
        _digit_label,
    ),
    Family(
        "format/yes_no",
        1,
        (
            "{q}{form}だけを書いてください。",
            "{q}\n答えは{form}だけです。",
            "質問: {q}\n回答（{form}）:",
            "{q}理由は書かず、{form}だけで答えてください。",
            "次の質問に、{form}だけで答えなさい。\n{q}",
            "答えるときは{form}だけを書くこと。{q}",
            "{q}{form}だけを返してください。",
            "教えてください。{q}返事は{form}だけで。",
            "{q}\n{form}のほかには何も書かないでください。",
        ),
        _yes_no,
    ),
    Family(
        "format/entailment",
        1,
        (
            "{premise}\n{hypothesis}\n{form}だけを書いてください。",
            "{form}だけで答えてください。\n{premise}\n{hypothesis}",
            "{premise}\n{hypothesis}\n関係（{form}）:",
            "{premise}\n{hypothesis}\n答えは{form}だけです。",
            "{premise}\n{hypothesis}\nこの関係を{form}だけで表しなさい。",
            "{premise}\n{hypothesis}\n説明なしで、{form}だけ書いて。",
            "{premise}\n{hypothesis}\n関係は？{form}だけ返して。",
            "{form}だけを返してください。\n{premise}\n{hypothesis}",
            "{premise}\n{hypothesis}\n{form}のほかは書かないこと。",
        ),
        _entailment,
    ),
    Family(
        "format/bare_number",
        1,
        (
            "「{v}」の数を、コンマも単位もない半角数字だけで書いてください。",
            "「{v}」を半角数字だけで書いてください。単位とコンマは不要です。",
            "次の数量から単位とコンマを除き、半角数字だけを書きなさい。\n{v}",
            "{v}は、単位なし・コンマなしの半角数字だとどう書きますか。それだけ答えてください。",
            "表計算に入れます。「{v}」を半角数字だけにしてください（コンマ・単位なし）。",
            "{v}\nこの数を、0〜9の半角数字だけで書いてください。",
            "「{v}」の単位を取り、区切りのない半角数字だけを返してください。",
            "数値だけが要ります。「{v}」を、記号も単位も付けず半角数字で書いてください。",
            "{v} → 半角数字のみ（コンマと単位は付けない）:",
        ),
        _bare_number,
    ),
)

FORMAT: tuple[Family, ...] = (*_SHORT, *SHAPES)
