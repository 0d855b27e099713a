"""The units that answers carry: what each measures, and its size in the base unit of that.

Case counts (mW, MW). Calories measure nothing but themselves: what a calorie is in joules depends
on the book (4.184, 4.19, 4.2)."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction


@dataclass(frozen=True)
class Unit:
    """A unit of measurement or a counter.

    measures   (dimension, size) pairs; several where the word is ambiguous (度, 分, t)
    droppable  whether a bare number of the same value says the same; not for the letters t, s, h
               and a, which are likelier variables
    """

    measures: tuple[tuple[str, Fraction], ...]
    droppable: bool = True


_TABLE = """
time 1: 秒 秒間 sec secs second seconds
time 60: 分 分間 min mins minute minutes
time 3600: 時間 hr hrs hour hours
time 86400: 日 日間 day days
time 604800: 週 週間 week weeks
months 1: か月 ヶ月 ケ月 カ月 ヵ月 箇月 か月間 ヶ月間 ケ月間 カ月間 ヵ月間 month months
months 12: 年 年間 か年 year years
length 1: m メートル meter meters metre metres
length 1/100: cm センチ センチメートル
length 1/1000: mm ミリメートル
length 1/1000000: μm マイクロメートル
length 1000: km キロメートル
area 1: m^2 平方メートル 平米
area 1/10000: cm^2 平方センチメートル
area 1/1000000: mm^2 平方ミリメートル
area 1000000: km^2 平方キロメートル
area 100: アール
area 10000: ha ヘクタール
volume 1: cm^3 cc mL ml ミリリットル 立方センチメートル シーシー
volume 10: cL cl センチリットル
volume 100: dL dl デシリットル
volume 1000: L l リットル
volume 1000000: m^3 kL kl 立方メートル キロリットル
volume 1/1000: mm^3 立方ミリメートル
mass 1: g グラム gram grams
mass 1/1000: mg ミリグラム
mass 1000: kg キログラム
mass 1000000: トン
speed 1: m/s m/秒 秒速m 毎秒m 秒速メートル 毎秒メートル
speed 1/60: m/min m/分 分速m 毎分m 分速メートル 毎分メートル
speed 1/3600: m/h m/時 時速m 毎時m
speed 5/18: km/h km/時 km/時間 時速km 毎時km 時速キロ 時速キロメートル 毎時キロメートル
speed 50/3: km/min km/分 分速km 毎分km
speed 1000: km/s km/秒 秒速km 毎秒km
speed 1/100: cm/s cm/秒 秒速cm 毎秒cm
ratio 1: 倍
ratio 1/10: 割
ratio 1/100: % パーセント percent
angle 1: 度
temperature 1: 度 度C
yen 1: 円 ¥ yen
dollars 1: ドル $ dollar dollars
dollars 1/100: セント cent cents
euros 1: ユーロ €
density 1: g/cm^3
density 1/1000: kg/m^3
m/s^2 1: m/s^2 m/s²
mol/L 1: mol/L mol/l
g/mol 1: g/mol
L/min 1: L/分 L/min 毎分L
個 1: 個 こ コ ケ ヶ つ ツ
個 12: ダース
人 1: 人 名 にん
回 1: 回 度 回目
匹 1: 匹 ひき
頭 1: 頭
羽 1: 羽
本 1: 本
枚 1: 枚
冊 1: 冊
台 1: 台
杯 1: 杯
皿 1: 皿
袋 1: 袋
箱 1: 箱
足 1: 足
軒 1: 軒
着 1: 着
組 1: 組 クラス
束 1: 束
株 1: 株
缶 1: 缶
粒 1: 粒
輪 1: 輪
脚 1: 脚
通 1: 通
通り 1: 通り とおり
点 1: 点
歳 1: 歳 才
番目 1: 番目 番
位 1: 位
階 1: 階
歩 1: 歩
語 1: 語
問 1: 問
桁 1: 桁 けた
ページ 1: ページ 頁 page pages
文字 1: 文字 字
種類 1: 種類
段 1: 段
キロ 1: キロ
ポイント 1: ポイント
V 1: V ボルト
V 1/1000: mV ミリボルト
V 1000: kV キロボルト
A 1: A アンペア
A 1/1000: mA ミリアンペア
W 1: W ワット
W 1/1000: mW ミリワット
W 1000: kW キロワット
W 1000000: MW メガワット
W 1000000000: GW ギガワット
Ω 1: Ω オーム
Ω 1000: kΩ キロオーム
Ω 1000000: MΩ メガオーム
N 1: N ニュートン
N 1000: kN キロニュートン
Pa 1: Pa パスカル N/m^2
Pa 100: hPa ヘクトパスカル
Pa 1000: kPa キロパスカル
Pa 1000000: MPa メガパスカル
J 1: J ジュール
J 1000: kJ キロジュール
J 1000000: MJ メガジュール
J 3600: Wh ワット時
J 3600000: kWh kwh KWh KWH kW・h kW·h kW*h kW時 キロワット時 キロワットアワー
J 3600000000: MWh メガワット時
J 3600000000000: GWh ギガワット時
cal 1: cal カロリー
cal 1000: kcal キロカロリー
Hz 1: Hz ヘルツ
Hz 1000: kHz キロヘルツ
Hz 1000000: MHz メガヘルツ
Hz 1000000000: GHz ギガヘルツ
mol 1: mol モル
"""
# After 割, 分 and 厘 are hundredths and thousandths.
_AMBIGUOUS = {
    "分": ("ratio", Fraction(1, 100)),
    "厘": ("ratio", Fraction(1, 1000)),
    "t": ("mass", Fraction(10**6)),
    "s": ("time", Fraction(1)),
    "h": ("time", Fraction(3600)),
    "a": ("area", Fraction(100)),
}


def _units() -> dict[str, Unit]:
    measures: dict[str, list[tuple[str, Fraction]]] = {}
    for line in _TABLE.strip().splitlines():
        head, _, names = line.partition(": ")
        dimension, size = head.split()
        for name in names.split():
            measures.setdefault(name, []).append((dimension, Fraction(size)))
    for name, measure in _AMBIGUOUS.items():
        measures.setdefault(name, []).append(measure)
    return {name: Unit(tuple(found), name not in ("t", "s", "h", "a"))
            for name, found in measures.items()}  # fmt: skip


UNITS = _units()
HALVED = {"時間", "分", "日", "年", "か月", "ヶ月", "カ月", "週間", "個", "倍", "キロ", "ダース"}


def unit(name: str) -> Unit | None:
    """The unit of that name; a katakana or Latin word that is no known one counts itself."""
    if (found := UNITS.get(name)) is not None:
        return found
    word = name.strip()
    latin = len(word) >= 3 and word.isascii() and word.isalpha()
    katakana = len(word) >= 2 and all("ァ" <= character <= "ー" for character in word)
    if latin or katakana:
        return Unit(((word.lower().removesuffix("s"), Fraction(1)),))
    return None
