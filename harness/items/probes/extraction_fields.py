"""Extraction probes that copy one value: a field, a contact, the outcome of a change."""

from __future__ import annotations

from collections.abc import Callable

from harness.items.probes.family import Draw, Family, Problem
from harness.items.probes.pools import (
    CITIES,
    COMPANIES,
    DEPARTMENTS,
    GIVEN_NAMES,
    HOBBIES,
    JOBS,
    SURNAMES,
    VENUES,
)
from harness.items.schema import FormatRule


def full_names(draw: Draw, count: int) -> list[str]:
    """Different full names; no two share a surname or a given name."""
    surnames, given = draw.entities(SURNAMES, count), draw.entities(GIVEN_NAMES, count)
    return [a + b for a, b in zip(surnames, given, strict=True)]


def _numbers(low: int, high: int) -> Callable[[Draw, int], list[str]]:
    return lambda draw, count: [str(value) for value in draw.sample(range(low, high), count)]


def _pool(pool: tuple[str, ...]) -> Callable[[Draw, int], list[str]]:
    return lambda draw, count: draw.entities(pool, count)


# What a record may say, and how to draw different values of it. No number of one field can be
# mistaken for one of another within a text.
NUMBERS: dict[str, Callable[[Draw, int], list[str]]] = {
    "年齢": _numbers(24, 80),
    "身長": _numbers(140, 195),
    "番号": _numbers(200, 1000),
    "受付番号": _numbers(10000, 100000),
    "部屋番号": _numbers(1001, 2000),
}
WORDS: dict[str, Callable[[Draw, int], list[str]]] = {
    "出身": _pool(CITIES),
    "部署": _pool(DEPARTMENTS),
    "趣味": _pool(HOBBIES),
    "職業": _pool(JOBS),
    "勤務先": _pool(COMPANIES),
}
FIELDS = NUMBERS | WORDS


def _record(record: dict[str, str], style: int) -> str:
    pairs = list(record.items())
    return (
        " ".join(f"{key}：{value}" for key, value in pairs),
        "、".join(f"{key}は{value}" for key, value in pairs) + "。",
        "／".join(f"{key}={value}" for key, value in pairs),
        "\n".join(f"{key}：{value}" for key, value in pairs),
        "\n".join(f"・{key}…{value}" for key, value in pairs),
        "［" + "］［".join(f"{key} {value}" for key, value in pairs) + "］",
    )[style]


def _field(draw: Draw, level: int) -> Problem:
    count = (1, 1, 1, 2, 4)[level - 1]
    if level == 1:
        labels = draw.sample(list(NUMBERS), draw.randrange(1, 3))
    else:
        labels = draw.sample(list(FIELDS), (3, 5, 4, 4)[level - 2])
    # 番号 is part of two other labels; one kind of number is enough.
    kinds = [label for label in labels if label.endswith("番号")]
    labels = [label for label in labels if label not in kinds[1:]]
    columns = {"名前": draw.entities(SURNAMES, count)}
    columns |= {label: FIELDS[label](draw, count) for label in labels}
    order = list(columns)
    if level >= 2:
        draw.shuffle(order)
    records = [{label: columns[label][row] for label in order} for row in range(count)]
    style = draw.randrange(3) if level == 1 else draw.randrange(6)
    text = ("\n\n" if style in (3, 4) else "\n").join(_record(r, style) for r in records)
    target = draw.choice(labels) if level == 1 else draw.choice(order)
    row = draw.randrange(count)
    asked = target
    if count > 1:
        target = draw.choice(labels)
        if level == 4:
            asked = f"{columns['名前'][row]}さんの{target}"
        else:
            key = draw.choice([label for label in order if label != target])
            asked = f"{key}が{columns[key][row]}の人の{target}"
    answer = columns[target][row]
    facts = sorted(";".join(f"{k}={v}" for k, v in sorted(r.items())) for r in records)
    return Problem(
        slots={"record": text, "asked": asked},
        content=f"field|{'|'.join(facts)}|{asked}",
        answer=answer,
        format=FormatRule(kind="span", max_chars=20, verbatim=True),
        metric="exact",
    )


FIELD = Family(
    name="extraction/field",
    version=1,
    templates=(
        "{record}\n{asked}だけを書き抜いてください。",
        "{record}\n{asked}は何ですか。その値だけを答えてください。",
        "次の記録から{asked}を書き抜き、それだけを答えてください。\n{record}",
        "{asked}だけを答えてください。\n{record}",
        "【記録】\n{record}\n【抜き出すもの】{asked}（値だけを書く）",
        "{record}\nここから{asked}を抜き出してください。説明や見出しは不要です。",
        "台帳の写しです。\n{record}\n{asked}を、書かれているとおりに一つだけ答えてください。",
        "{record}\n問い：{asked}\n答え（値のみ）：",
        "{record}\n上の内容で{asked}に当たる部分をそのまま写し、ほかには何も書かないこと。",
    ),
    problem=_field,
)


def _digits(draw: Draw, count: int) -> str:
    return "".join(draw.choices("0123456789", k=count))


def _phone(*areas: str) -> Callable[[Draw], str]:
    return lambda draw: f"{draw.choice(areas)}-{_digits(draw, 4)}"


# Exchanges 000 and 0000 are assigned to nobody.
LANDLINES = ("03-0000", "06-0000", "045-000", "052-000", "011-000")
phone = _phone(*LANDLINES, "090-0000", "080-0000")
fax = _phone(*LANDLINES)
MAILBOXES = (
    *("info", "sales", "office", "support", "desk", "contact"),
    *("hello", "order", "staff", "event", "guide", "reply"),
)


def mail(draw: Draw) -> str:
    """A mail address within the domains reserved for examples."""
    local = draw.choice(MAILBOXES) + draw.choice(("", ".", "-", "_")) + _digits(draw, 3)
    return f"{local}@{draw.choice(('example.jp', 'example.com'))}"


CONTACTS: dict[str, Callable[[Draw], str]] = {
    "電話番号": phone,
    "FAX番号": fax,
    "メールアドレス": mail,
    # 000 is no postal district.
    "郵便番号": lambda draw: f"000-{_digits(draw, 4)}",
}
CONTACT_WORDS = {
    "電話番号": ("お電話は{}までお願いします。", "電話番号は{}です。", "電話（{}）でも承ります。"),
    "FAX番号": ("FAXは{}です。", "FAXの場合は{}へお送りください。", "FAX番号は{}になります。"),
    "メールアドレス": (
        "メールは{}あてにお送りください。",
        "メールアドレスは{}です。",
        "メールでのご連絡は{}へどうぞ。",
    ),
    "郵便番号": ("郵便番号は{}です。", "郵送先は〒{}です。", "書類は〒{}までお送りください。"),
}


def _contact(draw: Draw, level: int) -> Problem:
    count = (1, 1, 1, 2, 3)[level - 1]
    # Level 1 leaves the long mail addresses out.
    known = [label for label in CONTACTS if level > 1 or label != "メールアドレス"]
    labels = draw.sample(known, (2, 2, 4, 3, 3)[level - 1])
    people = draw.entities(SURNAMES, count)
    values: dict[tuple[int, str], str] = {}
    while len(set(values.values())) < count * len(labels):
        values = {(who, label): CONTACTS[label](draw) for who in range(count) for label in labels}
    person, label = draw.randrange(count), draw.choice(labels)
    facts = [f"{people[who]}:{key}={value}" for (who, key), value in values.items()]
    if level == 1:
        draw.shuffle(labels)
        text = " ".join(f"{key}：{values[0, key]}" for key in labels)
        asked = label
        facts = [f"{key}={value}" for (_, key), value in values.items()]
    else:
        paragraphs = []
        changed = draw.choice(labels) if level == 5 else None
        for who, name in enumerate(people):
            role, desk = draw.entity(COMPANIES), draw.entity(DEPARTMENTS)
            opening = draw.choice(
                (
                    f"{role}の{name}です。",
                    f"{role}{desk}の{name}と申します。",
                    f"担当は{role}の{name}です。",
                )
            )
            sentences = []
            for key in draw.sample(labels, len(labels)):
                sentence = draw.choice(CONTACT_WORDS[key]).format(values[who, key])
                if key == changed:
                    old = CONTACTS[key](draw)
                    while old in values.values():
                        old = CONTACTS[key](draw)
                    sentence = draw.choice(
                        (
                            f"{key}は先月までの{old}から{values[who, key]}に変わりました。",
                            f"{key}は{values[who, key]}です（以前の{old}は使えません）。",
                        )
                    )
                    facts.append(f"{name}:old {key}={old}")
                sentences.append(sentence)
            if level >= 3:
                number = f"{draw.randrange(1000, 10000)}-{_digits(draw, 4)}"
                at = draw.randrange(len(sentences) + 1)
                sentences.insert(at, f"お問い合わせ番号は{number}です。")
            paragraphs.append(opening + "".join(sentences))
        text = "\n".join(paragraphs)
        asked = f"{people[person]}さんの{label}" if count > 1 else label
        if changed == label:
            asked = f"{people[person]}さんの現在の{label}"
    return Problem(
        slots={"text": text, "asked": asked},
        content=f"contact|{'|'.join(sorted(facts))}|{asked}",
        answer=(answer := values[person, label]),
        accept=(f"〒{answer}",) if f"〒{answer}" in text else (),
        format=FormatRule(kind="span", max_chars=40, verbatim=True),
        metric="exact",
    )


CONTACT = Family(
    name="extraction/contact",
    version=1,
    templates=(
        "{text}\n{asked}だけを書き抜いてください。",
        "{text}\n{asked}を、書かれているとおりに答えてください。ほかの言葉は不要です。",
        "次の文面から{asked}だけを抜き出してください。\n{text}",
        "{asked}だけを答えてください。\n\n{text}",
        "【連絡文】\n{text}\n【抜き出すもの】{asked}\n【答え方】その文字列だけ",
        "{text}\nこの中の{asked}をそのまま写してください。前後に何も付けないこと。",
        "受信した文面：\n{text}\n\n{asked}を知りたいです。その部分だけを返してください。",
        "{text}\n問い：{asked}は？\n答え（文字列のみ）：",
        "名簿に{asked}を書き写します。\n{text}\n写すべき文字列だけを出力してください。",
    ),
    problem=_contact,
)

CHANGEABLE: dict[str, Callable[[Draw, int], list[str]]] = {
    "会場": _pool(VENUES),
    "担当者": _pool(SURNAMES),
    "集合場所": _pool(tuple(f"{city[:-1]}駅" for city in CITIES)),
    "発注先": _pool(COMPANIES),
    "講師": full_names,
}


def _changes(draw: Draw, level: int) -> Problem:
    subjects = draw.sample(list(CHANGEABLE), (1, 1, 2, 2, 3)[level - 1])
    asked = subjects[0]
    chains: dict[str, list[str]] = {}
    for subject in subjects:
        length = 2 if level <= 3 else draw.randrange(3, 5)
        chains[subject] = CHANGEABLE[subject](draw, length)
        if level == 5 and draw.random() < 0.6:
            chains[subject].append(chains[subject][0])  # back to the first plan
    wanted = "new" if level == 1 or draw.random() < 0.6 else "old"
    paragraphs: list[str] = []
    for subject, chain in chains.items():
        first, second = chain[0], chain[1]
        if level == 1:
            paragraphs.append(f"{subject}は{first}から{second}に変わった。")
            break
        text = draw.choice(
            (
                f"{subject}は当初{first}の予定でしたが、{second}に変更されました。",
                f"{subject}を{first}から{second}に変更します。",
                f"{subject}についてお知らせします。{second}に決まりました。最初の案は{first}でした。",
                f"{first}としていた{subject}は、都合により{second}になりました。",
            )
        )
        for later in chain[2:]:
            if later == first:
                text += draw.choice(
                    (
                        f"しかし検討の結果、{subject}は最初の案に戻すことになりました。",
                        f"ところが、{subject}は結局はじめの案どおりとなりました。",
                    )
                )
            else:
                text += draw.choice(
                    (
                        f"その後、{subject}はさらに{later}に改められました。",
                        f"しかし再度見直しがあり、{subject}は{later}となりました。",
                    )
                )
        paragraphs.append(text)
    draw.shuffle(paragraphs)
    question = f"最初に予定されていた{asked}" if wanted == "old" else f"最終的な{asked}"
    if level == 1:
        question = f"新しい{asked}"
    facts = sorted(f"{subject}={'>'.join(chain)}" for subject, chain in chains.items())
    return Problem(
        slots={"text": "\n".join(paragraphs), "asked": question},
        content=f"changes|{'|'.join(facts)}|{wanted} {asked}",
        answer=chains[asked][0 if wanted == "old" else -1],
        format=FormatRule(kind="span", max_chars=20, verbatim=True),
        metric="exact",
    )


CHANGES = Family(
    name="extraction/changes",
    version=1,
    templates=(
        "{text}\n{asked}だけを書き抜いてください。",
        "{text}\n{asked}はどれですか。文中の言葉だけで答えてください。",
        "次の知らせを読み、{asked}だけを答えてください。\n{text}",
        "{asked}を答えてください。文中の名前だけを書くこと。\n{text}",
        "【お知らせ】\n{text}\n【問い】{asked}\n【答え方】文中の語をそのまま一つ",
        "{text}\n以上から、{asked}を抜き出してください。余計な言葉は付けないでください。",
        "変更の経緯：{text}\n確認したいのは{asked}です。その名前だけを返してください。",
        "{text}\n{asked}＝（　）\n（　）に入る語だけを書いてください。",
        "予定表を直します。\n{text}\n{asked}として書き入れるべき語だけを出力してください。",
    ),
    problem=_changes,
)
