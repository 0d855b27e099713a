"""Extraction probes whose answer is a JSON object: profiles, event announcements, order sheets."""

from __future__ import annotations

import json
from datetime import timedelta
from typing import Any

from harness.items.probes.extraction_fields import full_names
from harness.items.probes.extraction_values import random_date, written_amount, written_date
from harness.items.probes.family import Draw, Family, Problem
from harness.items.probes.pools import (
    CITIES,
    COMPANIES,
    EVENTS,
    GOODS,
    HOBBIES,
    JOBS,
    SURNAMES,
    VENUES,
)
from harness.items.schema import FormatRule, JsonType

TYPE_NAMES: dict[JsonType, str] = {
    "string": "文字列",
    "integer": "整数",
    "number": "数値",
    "boolean": "真偽値",
    "strings": "文字列の配列",
    "integers": "整数の配列",
}


def json_problem(
    name: str, text: str, keys: dict[str, JsonType], values: dict[str, Any], notes: str = ""
) -> Problem:
    """A problem that asks for `keys` of a text; `notes` explains how values are to be written.

    Slots: text, schema (keys with types in words), shape (an object with types for values), notes.
    """
    answer = {key: values[key] for key in keys}
    shape = ", ".join(f'"{key}": {TYPE_NAMES[kind]}' for key, kind in keys.items())
    facts = json.dumps(values, ensure_ascii=False, sort_keys=True)
    return Problem(
        slots={
            "text": text,
            "schema": "、".join(f"{key}（{TYPE_NAMES[kind]}）" for key, kind in keys.items()),
            "shape": "{" + shape + "}",
            "notes": notes,
        },
        content=f"{name}|{facts}|{','.join(sorted(keys))}",
        answer=json.dumps(answer, ensure_ascii=False),
        format=FormatRule(kind="json", keys=keys),
        metric="json",
    )


def _profile(draw: Draw, level: int) -> Problem:
    count = (2, 3, 4, 5, 6)[level - 1]
    name = draw.entity(SURNAMES) if level == 1 else full_names(draw, 1)[0]
    age = draw.randrange(24, 80)
    city, other_city = draw.entities(CITIES, 2)
    job = draw.entity(JOBS)
    company, old_company = draw.entities(COMPANIES, 2)
    hobbies = draw.entities(HOBBIES, 3 if level >= 4 else 2)
    height = draw.randrange(1450, 1900) / 10
    licence, pets = draw.random() < 0.5, draw.randrange(1, 6)
    every: dict[str, tuple[JsonType, Any, tuple[str, ...]]] = {
        "年齢": ("integer", age, (f"年齢は{age}歳です。", f"今年で{age}歳になりました。")),
        "出身": ("string", city, (f"出身は{city}です。", f"{city}で生まれました。")),
        "職業": ("string", job, (f"職業は{job}です。", f"{job}として働いています。")),
        "勤務先": ("string", company, (f"勤務先は{company}です。", f"{company}に勤めています。")),
        "趣味": (
            "strings",
            hobbies,
            (f"趣味は{'と'.join(hobbies)}です。", f"休日は{'、'.join(hobbies)}を楽しんでいます。"),
        ),
        "身長": ("number", height, (f"身長は{height}センチです。", f"背丈は{height}cmあります。")),
        "運転免許": (
            "boolean",
            licence,
            ("運転免許を持っています。", "車の免許はすでに取りました。")
            if licence
            else ("運転免許は持っていません。", "車の免許はまだありません。"),
        ),
        "猫の数": ("integer", pets, (f"猫を{pets}匹飼っています。", f"家には猫が{pets}匹います。")),
    }
    fields = ["年齢", *draw.sample([key for key in every if key != "年齢"], count - 2)]
    keys: dict[str, JsonType] = {"氏名": "string"}
    keys |= {key: every[key][0] for key in fields}
    values: dict[str, Any] = {"氏名": name} | {key: every[key][1] for key in fields}
    if level == 1:
        text = draw.choice(
            (f"{name}です。{age}歳です。", f"名前は{name}、年齢は{age}歳。", f"{name}（{age}歳）")
        )
        return json_problem("profile", text, keys, values)
    sentences = [draw.choice(every[key][2]) for key in draw.sample(fields, len(fields))]
    if level >= 3:  # what else is told: fields that nobody asks for, and other people
        spare = [key for key in every if key not in fields and key not in ("出身", "勤務先")]
        for key in draw.sample(spare, min(level - 2, len(spare))):
            sentences.insert(draw.randrange(len(sentences) + 1), draw.choice(every[key][2]))
    if level >= 4:
        sibling = draw.choice(("兄", "姉", "弟", "妹"))
        years = age + draw.randrange(1, 12) * (1 if sibling in ("兄", "姉") else -1)
        sentences.append(
            draw.choice(
                (
                    f"{years}歳の{sibling}は{other_city}に住んでいます。",
                    f"なお、{sibling}は{years}歳で、{other_city}で暮らしています。",
                )
            )
        )
        values |= {"兄弟姉妹": [sibling, years, other_city]}
    if level == 5:
        sentences.append(f"以前は{old_company}に籍を置いていました。")
        values |= {"以前": old_company}
    opening = draw.choice(
        (f"{name}と申します。", f"はじめまして、{name}です。", f"私は{name}です。")
    )
    notes = "「趣味」は文中の順に並べます。" if "趣味" in keys else ""
    if "身長" in keys:
        notes += "「身長」の単位はセンチメートルです。"
    return json_problem("profile", opening + "".join(sentences), keys, values, notes)


PROFILE = Family(
    name="extraction/profile",
    version=1,
    templates=(
        "{text}\n{shape}の形のJSONだけを書いてください。{notes}",
        "{text}\n次のキーを持つJSONオブジェクトだけを出力してください：{schema}。{notes}",
        "自己紹介から{schema}を読み取り、JSONオブジェクト一つだけで答えてください。{notes}\n{text}",
        "下の文を{shape}というJSONにまとめてください。JSON以外は書かないこと。{notes}\n{text}",
        "【自己紹介】{text}\n【出力】キーが{schema}のJSONのみ。{notes}",
        "{text}\nこの人の情報をJSONにしてください。キーは{schema}です。説明は不要です。{notes}",
        "名簿システムに登録します。\n{text}\n{shape}の形式に従い、JSONだけを返してください。{notes}",
        "{text}\n抽出項目：{schema}\n{notes}上の項目をキーとするJSONオブジェクトだけで回答すること。",
        "人物データを作ってください。元の文：{text}\n必要なキーと型：{schema}\n{notes}出力はJSON一つだけです。",
    ),
    problem=_profile,
)

EVENT_NOTES = {
    "日付": "「日付」はYYYY-MM-DDの形です。",
    "開始": "「開始」は24時間制のHH:MMの形です。",
    "参加費": "「参加費」の単位は円で、無料なら0です。",
}


def _clock(draw: Draw, hour: int, minute: int) -> str:
    """A time of day in one of four notations."""
    half = "半" if minute == 30 else f"{minute}分" if minute else ""
    twelve = f"{'午前' if hour < 12 else '午後'}{hour if hour <= 12 else hour - 12}時{half}"
    if hour == 12:
        twelve = f"午後0時{half}" if minute else "正午"
    return draw.choice((f"{hour}時{half}", f"{hour}:{minute:02}", twelve))


def _event(draw: Draw, level: int) -> Problem:
    event, venue = draw.entity(EVENTS), draw.entity(VENUES)
    places = draw.randrange(8, 200)
    day = random_date(draw)
    hour, minute = draw.randrange(9, 20), draw.choice((0, 15, 30, 45))
    end = hour + draw.choice((1, 2, 3))
    fee = draw.choice((0, draw.randrange(2, 60) * 50))
    booking = draw.random() < 0.5
    money = "無料" if fee == 0 else written_amount(draw, fee, 1)
    every: dict[str, tuple[JsonType, Any, tuple[str, ...]]] = {
        "行事名": ("string", event, ()),
        "定員": ("integer", places, (f"定員は{places}名です。", f"{places}人まで参加できます。")),
        "会場": ("string", venue, (f"会場は{venue}です。", f"場所は{venue}になります。")),
        "日付": (
            "string",
            day.isoformat(),
            (
                f"日取りは{written_date(draw, day, min(level, 3))}です。",
                f"{written_date(draw, day, min(level, 3))}に行います。",
            ),
        ),
        "開始": (
            "string",
            f"{hour:02}:{minute:02}",
            (
                f"{_clock(draw, hour, minute)}に始まり、{_clock(draw, end, minute)}に終わります。",
                f"開始は{_clock(draw, hour, minute)}です。",
            ),
        ),
        "参加費": ("integer", fee, (f"参加費は{money}です。", f"参加費：{money}。")),
        "予約必要": (
            "boolean",
            booking,
            ("事前の予約が必要です。", "ご予約のうえお越しください。")
            if booking
            else ("予約はいりません。", "予約なしで参加できます。"),
        ),
    }
    if level == 1:
        text = draw.choice((f"{event}、定員{places}名。", f"{event}（定員{places}名）"))
        keys: dict[str, JsonType] = {"行事名": "string", "定員": "integer"}
        return json_problem("event", text, keys, {"行事名": event, "定員": places})
    count = (2, 3, 4, 6)[level - 2]
    fields = draw.sample([key for key in every if key != "行事名"], count)
    keys = {key: every[key][0] for key in every if key in ("行事名", *fields)}
    values: dict[str, Any] = {key: every[key][1] for key in keys}
    sentences = [draw.choice(every[key][2]) for key in fields]
    if level >= 4:  # another event, and a deadline beside the day
        other_event, other_venue = draw.entity(EVENTS), draw.entity(VENUES)
        while other_event == event:
            other_event = draw.entity(EVENTS)
        last = day - timedelta(days=draw.randrange(7, 30))
        sentences.insert(
            draw.randrange(len(sentences) + 1),
            f"詳しい内容は{written_date(draw, last, 2)}にお知らせします。",
        )
        sentences.append(
            f"なお、{other_event}は{other_venue}で{draw.randrange(200, 400)}人を集めました。"
        )
        values |= {"知らせ": last.isoformat(), "終了": [other_event, other_venue]}
    opening = draw.choice(
        (f"{event}を開きます。", f"{event}のご案内です。", f"このたび{event}を催します。")
    )
    notes = "".join(note for key, note in EVENT_NOTES.items() if key in keys)
    return json_problem("event", opening + "".join(sentences), keys, values, notes)


EVENT = Family(
    name="extraction/event",
    version=1,
    templates=(
        "{text}\n{shape}の形のJSONだけを書いてください。{notes}",
        "{text}\nお知らせの内容を、キーが{schema}のJSONオブジェクトだけで出力してください。{notes}",
        "次の案内から{schema}を読み取り、JSONだけで答えてください。{notes}\n{text}",
        "案内文を{shape}というJSONに直してください。JSON以外は書かないこと。{notes}\n{text}",
        "【案内】{text}\n【出力するキー】{schema}\n{notes}JSONオブジェクト一つだけを書いてください。",
        "{text}\nこの行事を予定表に入れます。{schema}をキーとするJSONだけを返してください。{notes}",
        "掲示板の張り紙です。「{text}」\n{shape}の形式でJSONのみを出力すること。{notes}",
        "{text}\n項目：{schema}\n{notes}項目をキーにしたJSONで回答（JSONのみ）：",
        "行事データを一件作成します。キーと型は{schema}です。{notes}出力はJSONだけにしてください。\n{text}",
    ),
    problem=_event,
)


def _order(draw: Draw, level: int) -> Problem:
    count = (1, 1, 2, 3, 4)[level - 1]
    goods = draw.entities(tuple(GOODS), count)
    numbers = draw.sample(range(2, 60), count)
    prices = [draw.randrange(5, 90) * 10 for _ in goods]
    customer, day = draw.entity(COMPANIES), random_date(draw)
    values: dict[str, Any]
    if count == 1:
        keys: dict[str, JsonType] = {"品名": "string", "数量": "integer"}
        values = {"品名": goods[0], "数量": numbers[0]}
        line = f"{goods[0]}を{numbers[0]}{GOODS[goods[0]]}"
        text = draw.choice((f"{line}注文します。", f"{line}ください。", f"{line}お願いします。"))
        if level == 1:
            return json_problem("order", text, keys, values)
        keys = {"注文者": "string", **keys, "単価": "integer"}
        values |= {"注文者": customer, "単価": prices[0]}
        text = draw.choice(
            (
                f"{customer}です。{text}単価は{prices[0]}円でよろしいでしょうか。",
                f"{customer}より注文書をお送りします。{text}1{GOODS[goods[0]]}{prices[0]}円とのこと、"
                "承知しました。",
            )
        )
        return json_problem("order", text, keys, values, "「単価」の単位は円です。")
    total = sum(number * price for number, price in zip(numbers, prices, strict=True))
    asked = [
        f"{name}を{number}{GOODS[name]}（1{GOODS[name]}{price}円）"
        for name, number, price in zip(goods, numbers, prices, strict=True)
    ]
    text = draw.choice((f"{customer}です。", f"お世話になっております。{customer}です。"))
    text += draw.choice(
        (
            f"{'、'.join(asked)}注文します。",
            f"注文は次のとおりです。{'、'.join(asked)}。",
            f"{'、'.join(asked)}お願いいたします。",
        )
    )
    keys = {"注文者": "string", "品名": "strings", "数量": "integers"}
    values = {"注文者": customer, "品名": list(goods), "数量": list(numbers), "単価": prices}
    notes = "「品名」と「数量」は文中の順に並べます。"
    if level == 5:  # one line is withdrawn, another changes
        gone, changed = draw.sample(range(count), 2)
        number = draw.choice([n for n in range(2, 60) if n not in numbers])
        unit = GOODS[goods[changed]]
        later = [
            f"{goods[gone]}は取り消します。",
            f"{goods[changed]}は{number}{unit}に変更してください。",
        ]
        draw.shuffle(later)
        text += draw.choice(("その後の連絡：", "追伸。", "訂正があります。")) + "".join(later)
        values |= {"取消": goods[gone], "変更": f"{goods[changed]}{numbers[changed]}>{number}"}
        numbers[changed] = number
        kept = [index for index in range(count) if index != gone]
        values["品名"] = [goods[index] for index in kept]
        values["数量"] = [numbers[index] for index in kept]
        notes += "取り消しと変更を反映させます。"
    elif level >= 3:
        keys["合計"] = "integer"
        values["合計"] = total
        text += f"合計は{total:,}円です。"
        notes += "「合計」の単位は円です。"
    if level >= 4:
        keys["納品日"] = "string"
        values["納品日"] = day.isoformat()
        sent = day - timedelta(days=draw.randrange(5, 30))
        values["発注日"] = sent.isoformat()
        text += draw.choice(
            (
                f"納品は{written_date(draw, day, level)}を希望します。",
                f"{written_date(draw, day, level)}までに納品をお願いします。",
            )
        )
        text += f"発注日：{written_date(draw, sent, 2)}。"
        notes += "「納品日」はYYYY-MM-DDの形です。"
    return json_problem("order", text, keys, values, notes)


ORDER = Family(
    name="extraction/order",
    version=1,
    templates=(
        "{text}\n{shape}の形のJSONだけを書いてください。{notes}",
        "{text}\n注文の内容を、キーが{schema}のJSONオブジェクトだけで出力してください。{notes}",
        "次の注文から{schema}を読み取り、JSONだけで答えてください。{notes}\n{text}",
        "注文文を{shape}というJSONに直してください。JSON以外は書かないこと。{notes}\n{text}",
        "【注文】{text}\n【出力するキー】{schema}\n{notes}JSONオブジェクト一つだけを書いてください。",
        "{text}\n受注システム用に、{schema}をキーとするJSONだけを返してください。{notes}",
        "注文のメールが届きました。\n{text}\n{shape}の形式で、JSONのみを出力すること。{notes}",
        "{text}\n項目：{schema}\n{notes}項目をキーにしたJSONで回答（JSONのみ）：",
        "伝票を起こします。必要なキーと型は{schema}です。{notes}出力はJSON一つだけです。\n{text}",
    ),
    problem=_order,
)
