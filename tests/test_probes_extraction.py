"""Extraction probes: every answer is found again in the prompt by another reading of it."""

from __future__ import annotations

import json
import re
import time
from datetime import date, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.items.probes import pools
from harness.items.probes.extraction import EXTRACTION
from harness.items.probes.extraction_values import era_date, kanji_number
from harness.items.probes.family import Draw, Family, in_evaluation
from tests.probe_checks import SPLITS, accepted, some

FAMILY = {family.name.split("/")[1]: family for family in EXTRACTION}


@pytest.mark.parametrize("family", EXTRACTION, ids=lambda family: family.name)
def test_problems_differ(family: Family) -> None:
    for level in range(1, 6):
        assert len({problem.content for problem in accepted(family, level, "training", 60)}) > 50


def test_problems_come_fast() -> None:
    start = time.process_time()
    count = 0
    for family in EXTRACTION:
        for level in range(1, 6):
            draw = Draw("speed", "evaluation")
            for _ in range(10):
                family.problem(draw, level)
                count += 1
    assert (time.process_time() - start) / count < 0.005


def test_pools_serve_both_splits_and_hold_no_name_within_a_name() -> None:
    for name, pool in vars(pools).items():
        if not name.isupper() or name == "LETTERS":
            continue
        entries = list(pool)
        assert len(entries) == len(set(entries))
        assert sum(map(in_evaluation, entries)) >= 8, name
        assert not [(a, b) for a in entries for b in entries if a != b and a in b], name
    assert not set(pools.SURNAMES) & set(pools.GIVEN_NAMES)


@pytest.mark.parametrize("split", SPLITS)
def test_entities_belong_to_the_split(split: str) -> None:
    known = [*pools.COMPANIES, *pools.EVENTS, *pools.VENUES]
    for family in EXTRACTION:
        for problem in accepted(family, 5, split, 10):  # type: ignore[arg-type]
            found = [entity for entity in known if entity in "".join(problem.slots.values())]
            assert all(in_evaluation(entity) == (split == "evaluation") for entity in found)


# --- one value ---


def _records(text: str) -> list[dict[str, str]]:
    """Records in any of the six styles."""
    if "\n\n" in text or re.fullmatch(r"(・?\S+[：…]\S+\n?)+", text):
        blocks = [block.split("\n") for block in text.split("\n\n")]
    else:
        blocks = [re.split(r"[ 、／]|］［", line.strip("。［］")) for line in text.split("\n")]
        if "［" in text:
            blocks = [re.findall(r"［([^］]+)］", line) for line in text.split("\n")]
    records = []
    for block in blocks:
        pairs = [re.split(r"[：＝=…は ]", part.strip("・"), maxsplit=1) for part in block]
        records.append(dict(pairs))
    return records


def test_field_is_read_from_its_record() -> None:
    for problem in some(FAMILY["field"]):
        records, asked = _records(problem.slots["record"]), problem.slots["asked"]
        if m := re.fullmatch(r"(\S+)が(\S+)の人の(\S+)", asked):
            answers = [record[m[3]] for record in records if record[m[1]] == m[2]]
        elif m := re.fullmatch(r"(\S+)さんの(\S+)", asked):
            answers = [record[m[2]] for record in records if record["名前"] == m[1]]
        else:
            answers = [record[asked] for record in records]
        assert answers == [problem.answer]


PATTERNS = {
    "電話番号": r"(?:0\d{1,2}-000|0[3689]0?-0000)-\d{4}",
    "FAX番号": r"(?:0\d{1,2}-000|0[36]-0000)-\d{4}",
    "メールアドレス": r"[a-z]+[._-]?\d+@example\.(?:jp|com)",
    "郵便番号": r"(?<![\d-])000-\d{4}",
}


def test_contacts_are_fictional_and_found_once() -> None:
    for problem in some(FAMILY["contact"]):
        text, asked = problem.slots["text"], problem.slots["asked"]
        label = next(label for label in PATTERNS if asked.endswith(label))
        assert re.fullmatch(PATTERNS[label], problem.answer)
        assert text.count(problem.answer) == 1
        numbers = re.findall(r"0\d+-\d+-\d+", text)
        assert all(re.fullmatch(r"0\d+-0000?-\d{4}", number) for number in numbers)
        assert text.count("@") == len(re.findall(r"@example\.(?:jp|com)(?![\w.])", text, re.ASCII))
        if "さん" in asked:
            name = asked.split("さん")[0]
            paragraph = next(line for line in text.split("\n") if name in line)
            assert problem.answer in paragraph
        if "現在" in asked:
            assert not re.search(rf"(先月までの|以前の){re.escape(problem.answer)}", text)


def test_changes_end_where_the_text_says() -> None:
    for problem in some(FAMILY["changes"]):
        asked = re.fullmatch(r"(新しい|最終的な|最初に予定されていた)(\S+)", problem.slots["asked"])
        assert asked is not None
        subject = asked[2]
        text = next(line for line in problem.slots["text"].split("\n") if subject in line)
        head, *rest = text.strip("。").split("。")
        if head.endswith("お知らせします"):
            head = f"{head}。{rest.pop(0)}。{rest.pop(0)}"
        first, second = next(
            (m["old"], m["new"])
            for pattern in (
                rf"{subject}は(?P<old>\S+)から(?P<new>\S+)に変わった",
                rf"{subject}は当初(?P<old>\S+)の予定でしたが、(?P<new>\S+)に変更されました",
                rf"{subject}を(?P<old>\S+)から(?P<new>\S+)に変更します",
                r"\S+。(?P<new>\S+)に決まりました。最初の案は(?P<old>\S+)でした",
                rf"(?P<old>\S+)としていた{subject}は、都合により(?P<new>\S+)になりました",
            )
            if (m := re.fullmatch(pattern, head))
        )
        chain = [first, second]
        for sentence in rest:
            if "最初の案に戻す" in sentence or "はじめの案どおり" in sentence:
                chain.append(first)
            else:
                pattern = rf"\S*{subject}は(?:さらに)?(\S+)(?:に改められました|となりました)"
                chain.append(re.fullmatch(pattern, sentence)[1])
        assert problem.answer == (chain[0] if asked[1].startswith("最初") else chain[-1])


# --- normalised values ---


def _read_date(text: str) -> date:
    text = text.translate(str.maketrans("０１２３４５６７８９", "0123456789"))
    if m := re.search(r"(令和|平成)(元|\d+)年(\d+)月(\d+)日", text):
        year = {"令和": 2018, "平成": 1988}[m[1]] + (1 if m[2] == "元" else int(m[2]))
        return date(year, int(m[3]), int(m[4]))
    m = re.search(r"(\d{4})[年/.](\d+)[月/.](\d+)", text)
    return date(int(m[1]), int(m[2]), int(m[3]))


DATE_CUES = {
    "申込締切": "お申し込みの締切は",
    "開催日": "開催日は",
    "契約日": "契約を結んだのは",
    "発行日": "この文書は",
    "納品日": "納品は",
    "支払期限": "お支払いは",
    "説明会の日": "説明会は",
    "点検日": "設備の点検は",
}


def test_dates_are_normalised() -> None:
    for problem in some(FAMILY["date"]):
        text, asked = problem.slots["text"], problem.slots["asked"]
        if "：" in text:
            assert text.startswith(f"{asked}：")
            assert problem.answer == _read_date(text).isoformat()
            continue

        def told(label: str, text: str = text) -> date:
            rest = text[text.index(DATE_CUES[label]) + len(DATE_CUES[label]) :]
            rest = rest.split("。")[0]
            for base in DATE_CUES:
                if rest.startswith(f"{base}の"):
                    words = rest[len(base) + 1 :]
                    if words.startswith(("翌日", "前日")):
                        return told(base) + timedelta(days=1 if words[0] == "翌" else -1)
                    m = re.match(r"(\d+)(日|週間)(前|後)", words)
                    days = int(m[1]) * (7 if m[2] == "週間" else 1)
                    return told(base) + timedelta(days=days if m[3] == "後" else -days)
            return _read_date(rest)

        assert problem.answer == told(asked).isoformat()


@given(st.dates(date(1989, 1, 8), date(2099, 12, 31)))
def test_era_dates_are_read_back(day: date) -> None:
    assert _read_date(era_date(day)) == day


def test_eras_change_on_the_first_of_may() -> None:
    assert era_date(date(2019, 4, 30)) == "平成31年4月30日"
    assert era_date(date(2019, 5, 1)) == "令和元年5月1日"
    assert era_date(date(1989, 1, 8)) == "平成元年1月8日"


def _read_kanji(text: str) -> int:
    total = part = digit = 0
    for character in text:
        if character in "一二三四五六七八九":
            digit = "〇一二三四五六七八九".index(character)
        elif character == "万":
            total, part, digit = (part + digit) * 10_000, 0, 0
        else:
            part += (digit or 1) * {"十": 10, "百": 100, "千": 1000}[character]
            digit = 0
    return total + part + digit


@given(st.integers(1, 99_999_999))
def test_kanji_numbers_are_read_back(value: int) -> None:
    assert _read_kanji(kanji_number(value)) == value


def test_kanji_numbers_read_as_people_write_them() -> None:
    assert kanji_number(23_500) == "二万三千五百"
    assert kanji_number(11_110) == "一万千百十"
    assert kanji_number(300_008) == "三十万八"


def _read_amount(text: str) -> int:
    text = text.translate(str.maketrans("０１２３４５６７８９，", "0123456789,")).replace(",", "")
    if m := re.search(r"(\d+)万(\d*)円", text):
        return int(m[1]) * 10_000 + int(m[2] or 0)
    if m := re.search(r"¥(\d+)|(\d+)円", text):
        return int(m[1] or m[2])
    return _read_kanji(re.search(r"([一二三四五六七八九十百千万]+)円", text)[1])


def test_amounts_are_normalised() -> None:
    for problem in some(FAMILY["amount"]):
        text, asked = problem.slots["text"], problem.slots["asked"]
        if m := re.fullmatch(r"(\d+月の)(\S+)", asked):
            text = next(line for line in text.split("\n") if line.startswith(m[1]))
            text, asked = text[len(m[1]) :], m[2]
        rest = text[text.rindex(asked) :].split("。")[0]
        assert problem.answer == str(_read_amount(rest))


# --- tables and lists ---


def _table(text: str) -> list[dict[str, str]]:
    lines = [line for line in text.split("\n") if not line.startswith("| ---")]
    separator = next(s for s in (" | ", "｜", " / ", "\t", ",", "　") if s in lines[0])
    cells = [line.removeprefix("| ").removesuffix(" |").split(separator) for line in lines]
    return [dict(zip(cells[0], row, strict=True)) for row in cells[1:]]


def test_table_cells_are_looked_up() -> None:
    for problem in some(FAMILY["table-cell"]):
        rows, asked = _table(problem.slots["table"]), problem.slots["asked"]
        key = next(iter(rows[0]))
        if m := re.fullmatch(r"(\S+)の値が最も(大きい|小さい)行の(\S+)", asked):
            best = (max if m[2] == "大きい" else min)(int(row[m[1]]) for row in rows)
            answers = [row[m[3]] for row in rows if int(row[m[1]]) == best]
        elif m := re.fullmatch(r"(\S+)が(\S+)の行の(\S+)", asked):
            answers = [row[m[3]] for row in rows if row[m[1]] == m[2]]
        else:
            answers = [
                row[column]
                for row in rows
                for column in row
                if f"{row[key]}の{column}" == asked and column != key
            ]
        assert answers == [problem.answer]


def _meets(row: dict[str, str], words: str) -> bool:
    for condition in words.split("で、"):
        m = re.fullmatch(r"(\w+?)が(\S+)", condition)
        value = row[m[1]]
        if bound := re.fullmatch(r"(\d+)(?:点|歳|円)(以上|以下)", m[2]):
            low = bound[2] == "以上"
            met = int(value) >= int(bound[1]) if low else int(value) <= int(bound[1])
        else:
            met = (value != m[2].removesuffix("以外")) == m[2].endswith("以外")
        if not met:
            return False
    return True


def test_table_rows_are_filtered_and_ordered() -> None:
    for problem in some(FAMILY["table-rows"]):
        rows = _table(problem.slots["table"])
        words, key = re.fullmatch(r"(\S+)の(?:人|商品)の(\S+)", problem.slots["asked"]).groups()
        chosen = [row for row in rows if _meets(row, words)]
        if m := re.fullmatch(r"(\S+)の(高い|低い|安い)順に", problem.slots["order"]):
            column = m[1]
            chosen.sort(key=lambda row: int(row[column]), reverse=m[2] == "高い")
        else:
            assert problem.slots["order"] == "表の上から順に"
        assert 0 < len(chosen) < len(rows)
        assert problem.answer == "\n".join(row[key] for row in chosen)


def test_people_are_listed() -> None:
    for problem in some(FAMILY["people"]):
        words = problem.slots["asked"].removesuffix("の人")
        rows: dict[str, dict[str, str]] = {}
        for sentence in problem.slots["text"].strip("。").split("。"):
            age = re.search(r"(\d+)歳", sentence)[1]
            if m := re.fullmatch(r"(\w)は\d+歳", sentence):
                rows[m[1]] = {"年齢": age}
            elif m := re.match(r"(\S+?)さんは(\S+?)さんと(\S+?)が同じで", sentence):
                rows[m[1]] = {**rows[m[2]], "年齢": age}
            else:
                name, place = next(
                    (m["name"], m["place"])
                    for pattern in (
                        r"(?P<name>\S+)さんは(?P<place>\S+?)(の出身で|に所属する|に勤める)",
                        r"(?P<place>\S+)で生まれ育った(?P<name>\S+)さんは",
                        r"(?P<place>\S+)で働く(?P<name>\S+)さんは",
                        r"(?P<name>\S+)さん（\d+歳）の(?:出身|部署|勤務先)は(?P<place>\S+)です",
                        r"(?P<place>\S+?[部課室])の(?P<name>\S+)さんは",
                    )
                    if (m := re.match(pattern, sentence))
                )
                rows[name] = dict.fromkeys(("出身", "部署", "勤務先"), place) | {"年齢": age}
        chosen = [name for name, row in rows.items() if _meets(row, words)]
        assert problem.answer.split("\n") == chosen
        assert 0 < len(chosen) < len(rows)


# --- JSON ---


@pytest.mark.parametrize("key", ["profile", "event", "order"])
def test_json_gold_is_told_by_the_text_and_asked_by_the_prompt(key: str) -> None:
    for problem in some(FAMILY[key]):
        value = json.loads(problem.answer)
        text = problem.slots["text"].translate(str.maketrans("０１２３４５６７８９", "0123456789"))
        for name, told in value.items():
            assert f'"{name}": ' in problem.slots["shape"]
            assert f"{name}（" in problem.slots["schema"]
            if name in ("日付", "納品日"):
                assert "YYYY-MM-DD" in problem.slots["notes"]
            elif isinstance(told, list):
                assert all(str(entry) in text for entry in told)
            elif isinstance(told, bool):
                no = re.search(r"いりません|予約なし|持っていません|まだありません", text)
                assert told is (no is None)
            elif isinstance(told, str) and name != "開始":
                assert told in text
            elif isinstance(told, float):
                assert str(told) in text
            elif isinstance(told, int) and told:
                assert re.search(rf"(?<![\d,]){told:,}(?![\d,])|(?<!\d){told}(?!\d)", text)
            elif told == 0:
                assert "無料" in text


def test_events_are_read() -> None:
    for problem in some(FAMILY["event"], 2, 3, 4, 5):
        value, text = json.loads(problem.answer), problem.slots["text"]
        if "日付" in value:
            sentence = next(
                s for s in text.split("。") if s.startswith("日取りは") or s.endswith("に行います")
            )
            assert value["日付"] == _read_date(sentence).isoformat()
        if "開始" in value:
            sentence = next(s for s in text.split("。") if "始まり" in s or s.startswith("開始は"))
            clock = sentence.split("に始まり")[0].removeprefix("開始は")
            m = re.match(r"(午前|午後)?(\d+)(?:時|:)(\d+|半)?|正午", clock)
            hour = 12 if m[0] == "正午" else int(m[2]) + (12 if m[1] == "午後" else 0)
            minute = 30 if m[3] == "半" else int(m[3] or 0)
            assert value["開始"] == f"{hour:02}:{minute:02}"


def test_orders_are_read_with_their_corrections() -> None:
    for problem in some(FAMILY["order"], 3, 4, 5):
        value, text = json.loads(problem.answer), problem.slots["text"]
        lines = re.findall(r"(?:。|、)([^。、]+?)を(\d+).（1.(\d+)円）", text)
        counts = {name: int(number) for name, number, _ in lines}
        if "合計" in value:
            assert value["合計"] == sum(int(number) * int(price) for _, number, price in lines)
        for name in re.findall(r"([^。：]+?)は取り消します", text):
            del counts[name]
        for name, number in re.findall(r"([^。：]+?)は(\d+).に変更してください", text):
            counts[name] = int(number)
        assert value["品名"] == list(counts)
        assert value["数量"] == list(counts.values())
        if "納品日" in value:
            sentence = next(s for s in text.split("。") if "納品は" in s or "までに納品" in s)
            assert value["納品日"] == _read_date(sentence).isoformat()
