"""The datasets of Jaster: category, output length, metrics, and the format each asks for.

Source: llm-jp-eval 1.3, `src/llm_jp_eval/datasets/` (instructions, metrics, output lengths, label
sets) and the categories of its `utils.py`. mgsm is Nejumi's.
"""

from __future__ import annotations

from dataclasses import dataclass

from harness.items.schema import FormatRule


@dataclass(frozen=True)
class Dataset:
    """One dataset.

    name           as its file is called, without .json
    category       NLI, QA, RC, MC, HE, EL, FA, MR, MT, STS, or CL (grammaticality)
    output_length  new tokens that an answer may take
    metric         what counts, by the name under which it is stored
    in_average     whether llm-jp-eval 1.3 has it in its category's mean and so in AVG
    format         what the instruction asks the raw answer to look like
    secondary      metrics shown beside
    """

    name: str
    category: str
    output_length: int
    metric: str
    in_average: bool
    format: FormatRule
    secondary: tuple[str, ...] = ()


_TERNARY = FormatRule("choice", labels=("entailment", "contradiction", "neutral"))
_LETTERS = FormatRule("choice", labels=("A", "B", "C", "D"))
_BINARY = FormatRule("choice", labels=("0", "1"))
_NUMBER = FormatRule("number")
_SPAN = FormatRule("span")

_BULLET = r"(?![-・*•●][ 　]?|[0-9]+[.)）] )"
_NE_TYPES = "組織名|人名|地名|固有物名|日付表現|時刻表現|金額表現|割合表現"
_CASES = "ガ|デ|ト|ニ|ヘ|ヲ|カラ|マデ|ヨリ"
# An entity reaches to the first sign of a type; one atomic group each, so that a long wrong answer
# is refused in linear time.
_ENTITY = rf"(?>(?:(?![(（](?:{_NE_TYPES})[)）])[^\n])+[(（](?:{_NE_TYPES})[)）])"


def _lines(line: str) -> FormatRule:
    """One or more lines that each match a pattern."""
    return FormatRule("pattern", pattern=rf"(?>{line})(?:\n(?>{line}))*+")


# 建設事業受注高 negative
_CHABSA = _lines(rf"{_BULLET}[^\n]+ (?:positive|neutral|negative)")
# 出雲大社（組織名） ケッペン（人名）: all on one line
_WIKI_NER = FormatRule("pattern", pattern=rf"{_ENTITY}(?: {_ENTITY})*+")
# 国津神の -> 神で、
_WIKI_DEPENDENCY = _lines(rf"{_BULLET}[^\n]+ -> [^\n]+")
# 登場する ガ：神 ニ：日本神話
_WIKI_PAS = _lines(rf"{_BULLET}[^\n]+? (?:{_CASES})[：:][^\n]+")
# オランダ南ホラント州 同州
_WIKI_COREFERENCE = _lines(rf"{_BULLET}[^ \n]+(?: [^ \n]+)+")
# One line without kanji and katakana; Latin letters and digits occur in the gold readings.
_WIKI_READING = FormatRule("pattern", pattern=r"[^\n々㐀-鿿ァ-ヺｦ-ﾝ]+")
# A translation may well be one quoted sentence, so it is no span.
_ONE_LINE = FormatRule("pattern", pattern=r"[^\n]+")

_EXACT, _CHAR, _SET = "exact_match", "char_f1_llmjp", "set_f1_llmjp"
_BESIDE_CHAR = ("char_f1", "exact_match")
_BESIDE_SET = ("set_f1",)
_TO_JA = ("bleu_ja", "bleu_ja_llmjp13")
_TO_EN = ("bleu_en", "bleu_en_llmjp13")

_TABLE = (
    Dataset("jamp", "NLI", 3, _EXACT, True, _TERNARY),
    Dataset(
        "janli",
        "NLI",
        7,
        _EXACT,
        True,
        FormatRule("choice", labels=("entailment", "non-entailment")),
    ),
    Dataset("jnli", "NLI", 3, _EXACT, True, _TERNARY),
    Dataset(
        "jsem",
        "NLI",
        3,
        _EXACT,
        True,
        FormatRule("choice", labels=("yes", "no", "unknown", "undef")),
    ),
    Dataset("jsick", "NLI", 3, _EXACT, True, _TERNARY),
    Dataset("jemhopqa", "QA", 15, _CHAR, True, _SPAN, _BESIDE_CHAR),
    # Several answers are joined by commas on one line.
    Dataset("niilc", "QA", 180, _CHAR, True, _SPAN, _BESIDE_CHAR),
    Dataset("jsquad", "RC", 25, _CHAR, True, FormatRule("span", verbatim=True), _BESIDE_CHAR),
    Dataset(
        "jcommonsenseqa",
        "MC",
        1,
        _EXACT,
        True,
        FormatRule("choice", labels=("0", "1", "2", "3", "4")),
    ),
    Dataset("mmluen", "HE", 1, _EXACT, True, _LETTERS),
    Dataset("jmmlu", "HE", 1, _EXACT, True, _LETTERS),
    Dataset("chabsa", "EL", 191, _SET, True, _CHABSA, _BESIDE_SET),
    Dataset("wiki_reading", "FA", 512, _CHAR, True, _WIKI_READING, _BESIDE_CHAR),
    # set_f1 compares lines and these entities share one: it is an exact match of the whole.
    Dataset("wiki_ner", "FA", 256, _SET, True, _WIKI_NER, _BESIDE_SET),
    Dataset("wiki_coreference", "FA", 256, _SET, True, _WIKI_COREFERENCE, _BESIDE_SET),
    Dataset("wiki_dependency", "FA", 512, _SET, True, _WIKI_DEPENDENCY, _BESIDE_SET),
    Dataset("wiki_pas", "FA", 512, _SET, True, _WIKI_PAS, _BESIDE_SET),
    Dataset("mawps", "MR", 10, _EXACT, True, _NUMBER, ("float_match",)),
    Dataset("mgsm", "MR", 10, _EXACT, False, _NUMBER, ("float_match",)),
    Dataset("alt-e-to-j", "MT", 250, "comet", True, _ONE_LINE, _TO_JA),
    Dataset("alt-j-to-e", "MT", 500, "comet", True, _ONE_LINE, _TO_EN),
    Dataset("wikicorpus-e-to-j", "MT", 300, "comet", True, _ONE_LINE, _TO_JA),
    Dataset("wikicorpus-j-to-e", "MT", 550, "comet", True, _ONE_LINE, _TO_EN),
    # The instruction wants 0.0 to 5.0 and, a sentence on, whole numbers: both obey.
    Dataset("jsts", "STS", 3, "pearson", False, _NUMBER, ("spearman",)),
    # llm-jp-eval has JCoLA as two files; `jcola` is for teams that converted it as one.
    Dataset("jcola", "CL", 1, _EXACT, False, _BINARY),
    Dataset("jcola-in-domain", "CL", 1, _EXACT, False, _BINARY),
    Dataset("jcola-out-of-domain", "CL", 1, _EXACT, False, _BINARY),
    Dataset("jblimp", "CL", 1, _EXACT, False, FormatRule("choice", labels=("a", "b"))),
)

DATASETS: dict[str, Dataset] = {dataset.name: dataset for dataset in _TABLE}

# The nine categories whose unweighted mean is AVG.
CATEGORIES = ("NLI", "QA", "RC", "MC", "HE", "EL", "FA", "MR", "MT")
