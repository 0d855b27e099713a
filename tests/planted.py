"""Ways in which an evaluation item gets into training data, for the tests of decontamination."""

from __future__ import annotations

import random
import re

# Words that writers spell in either script.
_SPELLINGS = """
次=つぎ 答え=こたえ 下さい=ください 書=か 文=ぶん 言葉=ことば 数=かず 選=えら 人=ひと 何=なに
全部=ぜんぶ 一=いち 二=に 三=さん 四=よん 五=ご 中=なか 上=うえ 下=した 前=まえ 後=あと 時=とき
日=ひ 月=つき 年=ねん 円=えん 正しい=ただしい 説明=せつめい 理由=りゆう 場合=ばあい 場所=ばしょ
名前=なまえ 使=つか 出力=しゅつりょく 関数=かんすう 整数=せいすう 表示=ひょうじ 計算=けいさん
求め=もとめ 示=しめ 持=も 行=ぎょう 間=あいだ 今日=きょう 私=わたし 学校=がっこう 先生=せんせい
子ども=こども 友だち=ともだち 図書館=としょかん 水=みず 朝=あさ 夜=よる 山=やま 川=かわ 花=はな
雨=あめ 食べ=たべ 見=み 来=き 話=はな 読=よ 聞=き 買=か 作=つく 始=はじ 入=い 出=で 高=たか
大=おお 小=ちい 長=なが 新=あたら 早=はや 多=おお 少=すく 良=よ 悪=わる
"""
SPELLINGS = tuple(tuple(pair.split("=")) for pair in _SPELLINGS.split())


def respelled(text: str, draw: random.Random, share: float) -> str:
    """Kanji words written in kana, each place with probability `share`."""
    pattern = "|".join(sorted((re.escape(word) for word, _ in SPELLINGS), key=len, reverse=True))
    kana = dict(SPELLINGS)
    return re.sub(
        pattern, lambda found: kana[found[0]] if draw.random() < share else found[0], text
    )


def renumbered(text: str, draw: random.Random) -> str:
    """Other numbers of as many digits."""
    return re.sub("[0-9]+", lambda found: "".join(str(draw.randint(1, 9)) for _ in found[0]), text)


def widened(text: str) -> str:
    """ASCII in full width."""
    return "".join(chr(ord(mark) + 0xFEE0) if "!" <= mark <= "~" else mark for mark in text)


def spaced_out(text: str, draw: random.Random) -> str:
    """White space of several kinds between characters."""
    return "".join(mark + draw.choice(("", "", "", " ", "　", "\n")) for mark in text)


def katakana(text: str) -> str:
    """Hiragana as katakana."""
    return "".join(chr(ord(mark) + 0x60) if "ぁ" <= mark <= "ゖ" else mark for mark in text)
