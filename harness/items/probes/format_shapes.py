"""Format probes whose answer has a shape: lines, JSON, dates, brackets, repetition, letter case."""

from __future__ import annotations

import json
import re
from datetime import date, timedelta

from harness.items.probes.family import Draw, Family, Problem
from harness.items.probes.words import CATEGORIES, ENGLISH, GOODS, PEOPLE, PLACES, WORDS
from harness.items.schema import FormatRule, JsonType

_SHORT_WORDS = [word for word in WORDS if len(word) <= 4]


def _lines(draw: Draw, level: int) -> Problem:
    """One word per line. 1: two in the given order. 2: four. 3: four reversed. 4: four sorted by
    their numbers. 5: only those of one category, out of six."""
    if level == 1:
        words = draw.entities(_SHORT_WORDS, 2)
        order, wanted = "この順に", words
    elif level in (2, 3):
        words = draw.entities(WORDS, 4)
        order, wanted = ("この順に", words) if level == 2 else ("逆の順に", words[::-1])
    elif level == 4:
        names = draw.entities(WORDS, 4)
        ranks = draw.sample(range(1, 100), 4)
        words = [f"{name}={rank}" for name, rank in zip(names, ranks, strict=True)]
        order = "数の小さい順に、数を除いて"
        wanted = [name for _, name in sorted(zip(ranks, names, strict=True))]
    else:
        category, other = draw.sample(list(CATEGORIES), 2)
        # A pool may hold as few as four words of one split.
        size = draw.randint(2, 4)
        hits = draw.entities(CATEGORIES[category], size)
        words = hits + draw.entities(CATEGORIES[other], min(4, 6 - size))
        draw.shuffle(words)
        order = f"{category}だけを、元の順に"
        wanted = [word for word in words if word in hits]
    return Problem(
        {"words": "、".join(words), "order": order},
        f"lines {order} {words}",
        "\n".join(wanted),
        FormatRule("lines", count=len(wanted)),
        "exact",
    )


def _json(draw: Draw, level: int) -> Problem:
    """1: one string. 2: a string and an integer. 3: and a boolean. 4: and a list of strings.
    5: and a list of integers."""
    if level == 1:
        value: dict[str, object] = {"word": draw.entity(_SHORT_WORDS)}
    else:
        value = {"name": draw.entity(PEOPLE), "age": draw.randint(10, 89)}
    if level >= 3:
        value["member"] = draw.random() < 0.5
    if level >= 4:
        value["items"] = draw.entities(list(GOODS), 2)
    if level == 5:
        value["scores"] = [draw.randint(0, 100) for _ in range(3)]
        value["city"] = draw.entity(PLACES)
    kinds: dict[str, JsonType] = {
        "word": "string", "name": "string", "age": "integer", "member": "boolean",
        "items": "strings", "scores": "integers", "city": "string",
    }  # fmt: skip
    spec = "、".join(
        f"{key}が{json.dumps(entry, ensure_ascii=False)}" for key, entry in value.items()
    )
    return Problem(
        {"spec": spec},
        f"json {spec}",
        json.dumps(value, ensure_ascii=False),
        FormatRule("json", keys={key: kinds[key] for key in value}),
        "json",
    )


_DATE = r"\d{4}-\d{2}-\d{2}"
_DATE_SHAPES = (
    ("YYYY/MM/DD", "%Y/%m/%d", r"\d{4}/\d{2}/\d{2}"),
    ("YYYYMMDD", "%Y%m%d", r"\d{8}"),
    ("DD.MM.YYYY", "%d.%m.%Y", r"\d{2}\.\d{2}\.\d{4}"),
    ("MM/DD/YYYY", "%m/%d/%Y", r"\d{2}/\d{2}/\d{4}"),
)


def _date(draw: Draw, level: int) -> Problem:
    """1: YYYY-MM-DD. 2: other orders and separators. 3: a 24-hour time. 4: date and time joined.
    5: a span of two dates."""
    day = date(1950, 1, 1) + timedelta(draw.randrange(36_500))
    hour, minute = draw.randint(1, 11), draw.randint(1, 59)
    afternoon = draw.random() < 0.5
    clock = f"{'午後' if afternoon else '午前'}{hour}時{minute}分"
    iso_clock = f"{hour + 12 * afternoon:02}:{minute:02}"
    if level == 1:
        given, shape, answer, pattern = _written(day), "YYYY-MM-DD", day.isoformat(), _DATE
    elif level == 2:
        shape, code, pattern = draw.choice(_DATE_SHAPES)
        given, answer = _written(day), day.strftime(code)
    elif level == 3:
        seconds = draw.randint(1, 59)
        given, shape = f"{clock}{seconds}秒", "HH:MM:SS（24時間制）"
        answer, pattern = f"{iso_clock}:{seconds:02}", r"\d{2}:\d{2}:\d{2}"
    elif level == 4:
        given, shape = f"{_written(day)}{clock}", "YYYY-MM-DDTHH:MM（24時間制）"
        answer, pattern = f"{day}T{iso_clock}", rf"{_DATE}T\d{{2}}:\d{{2}}"
    else:
        end = day + timedelta(draw.randint(1, 400))
        given, shape = f"{_written(day)}から{_written(end)}まで", "YYYY-MM-DD/YYYY-MM-DD"
        answer, pattern = f"{day}/{end}", f"{_DATE}/{_DATE}"
    rule = FormatRule("pattern", pattern=pattern)
    return Problem({"v": given, "shape": shape}, f"date {given}", answer, rule, "exact")


def _written(day: date) -> str:
    return f"{day.year}年{day.month}月{day.day}日"


_BRACKETS = ("【】", "[]", "()", "<>", "《》", "{}")


def _bracket(draw: Draw, level: int) -> Problem:
    """1: one word in brackets. 2: two words, each. 3: one word in two kinds, nested. 4: three
    words, each, joined by hyphens. 5: two words in tags."""
    outer, inner = draw.sample(_BRACKETS, 2)
    a, b, c, d = outer[0], outer[1], inner[0], inner[1]
    body = f"[^{re.escape(a + b)}]+"
    wrapped = re.escape(a) + body + re.escape(b)
    words = draw.entities(_SHORT_WORDS if level == 1 else WORDS, (1, 2, 1, 3, 2)[level - 1])
    if level == 1:
        how, answer, pattern = f"{outer}で囲んで", f"{a}{words[0]}{b}", wrapped
    elif level == 2:
        how, pattern = f"それぞれ{outer}で囲み、間を空けずに並べて", wrapped * 2
        answer = "".join(f"{a}{word}{b}" for word in words)
    elif level == 3:
        how = f"まず{inner}で囲み、その外側をさらに{outer}で囲んで"
        answer = f"{a}{c}{words[0]}{d}{b}"
        pattern = re.escape(a + c) + ".+" + re.escape(d + b)
    elif level == 4:
        how = f"それぞれ{outer}で囲み、半角ハイフン「-」でつないで"
        answer, pattern = "-".join(f"{a}{word}{b}" for word in words), f"{wrapped}(-{wrapped}){{2}}"
    else:
        tag = draw.choice(["item", "word", "name", "li", "td", "b"])
        how = f"それぞれ<{tag}>と</{tag}>で囲み、間を空けずに並べて"
        answer = "".join(f"<{tag}>{word}</{tag}>" for word in words)
        pattern = f"(<{tag}>[^<>]+</{tag}>){{2}}"
    slots = {"words": "".join(f"「{word}」" for word in words), "how": how}
    rule = FormatRule("pattern", pattern=pattern)
    return Problem(slots, f"bracket {how} {words}", answer, rule, "exact")


def _times(draw: Draw, level: int) -> Problem:
    """1: a word twice or three times. 2: four to seven times. 3: joined by a separator. 4: two
    words in turn. 5: once on the first line, twice on the second, and so on."""
    if level == 4:
        first, second = draw.entities(WORDS, 2)
        count = draw.randint(2, 4)
        return Problem(
            {
                "word": f"{first}」「{second}",
                "how": f"この順に交互に{count}回ずつ、半角コンマで区切って",
            },
            f"times {first} {second} {count}",
            ",".join([first, second] * count),
            FormatRule("pattern", pattern=rf"([^,]+),([^,]+)(,\1,\2){{{count - 1}}}"),
            "exact",
        )
    word = draw.entity(_SHORT_WORDS if level == 1 else WORDS)
    if level == 5:
        count = draw.randint(3, 5)
        return Problem(
            {"word": word, "how": f"1行目に1回、2行目に2回というように、{count}行目まで"},
            f"stairs {word} {count}",
            "\n".join(word * line for line in range(1, count + 1)),
            FormatRule("lines", count=count),
            "exact",
        )
    times = draw.randint(*{1: (2, 3), 2: (4, 7), 3: (3, 6)}[level])
    if level == 3:
        mark, name = draw.choice(
            [(",", "半角コンマ"), ("-", "半角ハイフン"), ("/", "半角スラッシュ")]
        )
        how, answer = f"{times}回、{name}で区切って", mark.join([word] * times)
        pattern = rf"([^{mark}]+)({mark}\1){{{times - 1}}}"
    else:
        how, answer = f"{times}回続けて", word * times
        pattern = rf"(.+)\1{{{times - 1}}}"
    rule = FormatRule("pattern", pattern=pattern)
    return Problem({"word": word, "how": how}, f"times {word} {how}", answer, rule, "exact")


def _letter_case(draw: Draw, level: int) -> Problem:
    """1: one word in capitals. 2: two words in small letters. 3: capitals at the head of three
    words. 4: joined by _ or -. 5: camelCase or PascalCase."""
    words = draw.entities(ENGLISH, level if level < 4 else level - 1)
    text, variants = " ".join(words), []
    if level == 1:
        variants = [("すべて大文字で", text.upper(), "[A-Z]+")]
    elif level == 2:
        text = text.upper()
        variants = [("すべて小文字で", text.lower(), "[a-z]+ [a-z]+")]
    elif level == 3:
        variants = [("各単語の頭だけを大文字にして", text.title(), "[A-Z][a-z]+( [A-Z][a-z]+){2}")]
    elif level == 4:
        variants = [
            ("すべて大文字にし、空白を_に替えて", "_".join(words).upper(), "[A-Z]+(_[A-Z]+){2}"),
            ("小文字のまま、空白を-に替えて", "-".join(words), "[a-z]+(-[a-z]+){2}"),
        ]
    else:
        pascal = "".join(word.title() for word in words)
        variants = [
            ("PascalCaseの形で", pascal, "([A-Z][a-z]+){4}"),
            ("camelCaseの形で", pascal[0].lower() + pascal[1:], "[a-z]+([A-Z][a-z]+){3}"),
        ]
    how, answer, pattern = draw.choice(variants)
    rule = FormatRule("pattern", pattern=pattern)
    return Problem({"text": text, "how": how}, " ".join(words), answer, rule, "exact")


SHAPES: tuple[Family, ...] = (
    Family(
        "format/lines",
        1,
        (
            "{words}\n{order}、1行に1つずつ書いてください。",
            "言葉の一覧: {words}\n{order}、1行1語で書いてください。",
            "{words}\n以上を書き出します。{order}、1行に1つずつ並べてください。",
            "次の言葉があります。{words}\n{order}、番号を付けずに1行に1つ書きなさい。",
            "{order}、改行で区切って書いてください。記号は不要です。\n{words}",
            "一覧を作ります。{order}、1行に1つずつ書いてください。\n{words}",
            "{words}\n{order}、縦に並べてください（1行に1つ、印なし）。",
            "1行に1語だけ書く形式です。{order}並べてください。\n{words}",
            "「{words}」という一覧から、{order}、1つずつ改行して書いてください。",
        ),
        _lines,
    ),
    Family(
        "format/json",
        1,
        (
            "{spec}であるJSONオブジェクトだけを書いてください。",
            "JSONオブジェクトを1つだけ書いてください。{spec}という内容です。",
            "次の内容をJSONだけで書きなさい。\n{spec}",
            "{spec}のとき、これを表すJSONオブジェクトだけを書いてください。",
            "説明なしで、JSONだけを出力してください。内容は{spec}です。",
            "{spec}\n上の内容をキーと値のJSONにしてください。JSON以外は不要です。",
            "{spec}。これをJSONオブジェクトに直し、それだけを返してください。",
            "返事はJSONオブジェクト1つだけです。{spec}という内容にしてください。",
            "プログラムで読みます。{spec}というJSONだけを返してください。",
        ),
        _json,
    ),
    Family(
        "format/date",
        1,
        (
            "{v}を{shape}の形で書いてください。ほかは書かないでください。",
            "「{v}」を{shape}形式だけで答えてください。",
            "次を{shape}の形に直し、それだけを書きなさい。\n{v}",
            "{v} → {shape}（この形だけで答える）:",
            "形式は{shape}です。「{v}」をこの形式だけで書いてください。",
            "{v}を記録します。{shape}の形だけを書いてください。",
            "{v}は{shape}ではどう書きますか。それだけ書いてください。",
            "「{v}」を{shape}で表したものだけを返してください。",
            "{v}\n{shape}に変換して、結果だけを書いてください。",
        ),
        _date,
    ),
    Family(
        "format/bracket",
        1,
        (
            "{words}を{how}、それだけを書いてください。",
            "{words}を{how}書いてください。ほかの文字は不要です。",
            "かぎかっこの中の言葉を{how}書きなさい。\n{words}",
            "{words}の中身を{how}答えてください。それ以外は不要です。",
            "言葉: {words}\n{how}、結果だけを書いてください。",
            "{words}からかぎかっこを外し、{how}書いてください。",
            "{words}のかぎかっこの中だけを{how}返してください。",
            "次の言葉を{how}、その結果だけを返してください。{words}",
            "{words}\n上の言葉を{how}書いてください（かぎかっこは除く）。",
        ),
        _bracket,
    ),
    Family(
        "format/times",
        1,
        (
            "「{word}」を{how}書いてください。",
            "「{word}」を{how}書き、ほかは書かないでください。",
            "次の言葉を{how}書きなさい。\n「{word}」",
            "{how}、「{word}」とだけ書いてください。",
            "「{word}」を{how}繰り返し書いてください。かぎかっこは不要です。",
            "言葉: 「{word}」\n{how}書いてください（言葉のみ）。",
            "かぎかっこの中を{how}書いてください。「{word}」",
            "「{word}」を{how}並べたものだけを返してください。",
            "{how}書く練習です。「{word}」だけを書いてください。",
        ),
        _times,
    ),
    Family(
        "format/letter_case",
        1,
        (
            "「{text}」を{how}書いてください。",
            "{text}を{how}、それだけ書いてください。",
            "次の英語を{how}書きなさい。答えだけを書くこと。\n{text}",
            "英語: {text}\n{how}書いてください（説明なし）。",
            "「{text}」を{how}書き直し、結果だけを書いてください。",
            "{text} を{how}書くとどうなりますか。その文字だけ答えてください。",
            "「{text}」を{how}書いたものだけを返してください。",
            "{how}書いてください。ほかの言葉は不要です。\n{text}",
            "{text}\n上の英語だけを{how}書き写してください。",
        ),
        _letter_case,
    ),
)
