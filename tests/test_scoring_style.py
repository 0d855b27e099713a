"""Style of an answer: the register of its sentences, and the other measures."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from harness.scoring.style import Measure, Politeness, ending, politeness, sentences, style_measures

POLITE = """
京都は古都です。
京都は古都でした。
明日は晴れるでしょう。
駅まで歩きます。
駅まで歩きました。
駅までは歩きません。
駅までは歩きませんでした。
駅まで歩きましょう。
こちらをご覧ください。
こちらを御覧下さい。
お気をつけくださいませ。
いらっしゃいませ。
ありがとうございます。
よろしくお願いいたします。
これはペンですか？
楽しいですね！
そうですよね。
行きますよ。
分かりましたか
難しいのですが。
難しいのですけれど…
便利ですし。
存じませんので。
高くないです。
食べたいです😊
それがいいと思います（笑）
大丈夫ですって。
""".strip().splitlines()
PLAIN = """
京都は古都だ。
京都は古都だった。
明日は晴れるだろう。
京都は古都である。
京都は古都であった。
難しいのである。
そうなのだ。
駅まで歩く。
駅まで歩いた。
本を読んだ。
駅まで歩かない。
駅まで歩かなかった。
音が聞こえる。
人が集まる。
例を示す。
鳥が飛ぶ。
本を読む。
水を注ぐ。
時を待つ。
人が死ぬ。
そう思う。
景色が美しい。
値段が高い。
食べたい。
可能性がある。
人間らしい。
グロい
行くよ。
そうだね。
いいな。
本当なのか？
行くのか
だめだよね。
やめろよ。
次の問いに答えよ。
例を三つ挙げよ。
静かにしろ。
前を見ろ。
そんなことを言うな。
一緒に行こう。
試してみよう。
そうするしかないだろう。
それではないか。
雨が降るから。
行ったけど。
""".strip().splitlines()
NEITHER = """
東京都
東京。
結果は以下の通り
おはよう。
ありがとう！
こんにちは。
はい。
いいえ。
三つ。
約5つ
10人くらい。
大きな違い。
重要な問い。
次のよう
急いで。
例えば、
高く、美しく
美しさ。
スマートフォン
It is a pen.
1234
食べながら
大切な
あなた。
静かに
おそらく
おやすみなさい。
""".strip().splitlines()


@pytest.mark.parametrize("sentence", POLITE)
def test_polite(sentence: str) -> None:
    assert ending(sentence) == "polite"


@pytest.mark.parametrize("sentence", PLAIN)
def test_plain(sentence: str) -> None:
    assert ending(sentence) == "plain"


@pytest.mark.parametrize("sentence", NEITHER)
def test_neither(sentence: str) -> None:
    assert ending(sentence) == "neither"


def test_what_is_not_the_writers_own_prose() -> None:
    text = """# 見出しである

彼は「もう行くよ。」と言いました（そう書いてある）。それは『坊っちゃん』の一節です。

- 速く走る
- 静かに待つ
1. 手順を読む。
2. 手順を守ります。よく考える

> 引用した文である。

| 表 | 中身だ |

```python
# 注釈である。
```
`x` は変数です。次のとおりです：
"""
    assert list(sentences(text)) == [
        "彼はと言いました",
        "それはの一節です",
        "手順を読む",
        "手順を守ります",
        "は変数です",
        "次のとおりです:",
    ]


@pytest.mark.parametrize(
    ("text", "register", "consistency"),
    [
        ("晴れです。暑いです。", "polite", 1.0),
        ("晴れだ。暑い。", "plain", 1.0),
        ("晴れです。暑い。", "mixed", 0.5),
        ("晴れです。" * 9 + "暑い。", "polite", 0.9),
        ("晴れです。" * 8 + "暑い。", "mixed", 8 / 9),
        ("東京。大阪。", "none", None),
        ("Hello. This is fine.", "none", None),
        ("", "none", None),
    ],
)
def test_register(text: str, register: str, consistency: float | None) -> None:
    found = politeness(text)
    assert found.register == register
    assert found.consistency == pytest.approx(consistency)


def test_measures() -> None:
    measures = {
        one.metric: one.value for one in style_measures("東京です。OK だ。", finish_reason="length")
    }
    assert measures == {
        "japanese": pytest.approx(5 / 7),
        "politeness": 0.5,
        "polite": 0.5,
        "repetition": 0.0,
        "truncated": 1.0,
        "length": 10.0,
    }


def test_code_is_not_taken_for_another_language() -> None:
    (japanese, *_) = style_measures("こう書きます。\n```python\nprint('hello world')\n```")
    assert japanese == Measure("japanese", 1.0)
    (japanese, *_) = style_measures("```python\nprint(1)\n```")
    assert japanese == Measure("japanese", None)


def test_loops_and_lengths() -> None:
    measures = {one.metric: one.value for one in style_measures("はい、そうです。" * 50)}
    assert measures["repetition"] == 1.0
    assert measures["length"] == 400
    assert measures["truncated"] is None


@settings(max_examples=300, deadline=None)
@given(
    st.one_of(
        st.text(max_size=300),
        st.lists(
            st.sampled_from(
                [*POLITE, *PLAIN, *NEITHER, "「", "」", "```", "\n", "- ", "1. ", "> "]
            ),
            max_size=12,
        ).map("".join),
    )
)
def test_any_text_has_measures_within_their_ranges(text: str) -> None:
    for one in style_measures(text, "stop"):
        if one.metric == "length":
            assert one.value is not None
            assert 0 <= one.value <= len(text)
        elif one.value is not None:
            assert 0 <= one.value <= 1
    found = politeness(text)
    assert found.consistency is None or 0.5 <= found.consistency <= 1
    assert found.polite + found.plain + found.neither == len(list(sentences(text)))


@settings(max_examples=200, deadline=None)
@given(
    st.lists(st.sampled_from([one for one in POLITE if "。" in one]), max_size=6),
    st.lists(st.sampled_from([one for one in PLAIN if "。" in one]), max_size=6),
)
def test_registers_add_up_however_the_sentences_are_joined(
    polite: list[str], plain: list[str]
) -> None:
    expected = Politeness(len(polite), len(plain), 0)
    assert politeness("".join([*polite, *plain])) == expected
    assert politeness("\n".join([*plain, *polite])) == expected


def test_long_texts_take_linear_time() -> None:
    for text in (
        "「" * 100_000,
        "(" * 100_000,
        "ー" * 100_000,
        "あ…" * 50_000,
        "“" * 50_000,
        "\\[" * 50_000,
    ):
        assert len(style_measures(text)) == 6
