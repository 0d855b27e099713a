"""What the Jaster protocols know of each dataset: category, length, metric, output format.

Source: llm-jp-eval 1.3, `src/llm_jp_eval/datasets/` (what its instructions ask for, metrics, output
lengths, label sets) and the categories of its `utils.py`; mgsm and commonsensemoralja are Nejumi's.
The format rules put into a program's terms what the instructions say in words.
"""

from __future__ import annotations

from dataclasses import dataclass

from harness.items.schema import FormatRule, Metric


@dataclass(frozen=True)
class Dataset:
    """One dataset.

    category       NLI, QA, ... (`schema.JASTER_CATEGORIES`), or STS, CL, other: outside the average
    output_length  new tokens that an answer may take; a file of the user's own may say otherwise
    metric         the protocol's own: what `strict` scores
    format         what a raw answer must look like
    official       one of the 25 datasets of llm-jp-eval 1.3
    """

    name: str
    category: str
    output_length: int
    metric: Metric
    format: FormatRule
    official: bool = False


# llm-jp-eval's names of metrics in its files. Its char_f1 is a token-sort ratio (see
# `scoring.char_f1_llmjp`); the first known name of a file is the one that `strict` scores.
METRIC_NAMES: dict[str, Metric] = {
    "exact_match": "exact",
    "char_f1": "char_f1_llmjp",
    "set_f1": "set_f1",
    "pearson": "pearson",
    "comet_wmt22": "comet",
}

_BULLET = r"(?![-・*•●][ 　]?|[0-9]+[.)）] )"
_NE_TYPES = "組織名|人名|地名|固有物名|日付表現|時刻表現|金額表現|割合表現"
_CASES = "ガ|デ|ト|ニ|ヘ|ヲ|カラ|マデ|ヨリ"
# An entity reaches to the first sign of a type; one atomic group each, so that a long wrong answer
# is refused in linear time.
_ENTITY = rf"(?>(?:(?![(（](?:{_NE_TYPES})[)）])[^\n])+[(（](?:{_NE_TYPES})[)）])"


def _choice(*labels: str) -> FormatRule:
    return FormatRule("choice", labels=labels)


def _pattern(pattern: str) -> FormatRule:
    return FormatRule("pattern", pattern=pattern)


def _lines(line: str) -> FormatRule:
    """One or more lines that each match a pattern."""
    return _pattern(rf"(?>{line})(?:\n(?>{line}))*+")


_THREE_WAYS = _choice("entailment", "contradiction", "neutral")
_LETTERS = _choice("A", "B", "C", "D")
_NUMBER = FormatRule("number")
_SPAN = FormatRule("span")
# A translation may well be one quoted sentence, so it is no span.
_ONE_LINE = _pattern(r"[^\n]+")

_OFFICIAL = (
    Dataset("jamp", "NLI", 3, "exact", _THREE_WAYS),
    Dataset("janli", "NLI", 7, "exact", _choice("entailment", "non-entailment")),
    Dataset("jnli", "NLI", 3, "exact", _THREE_WAYS),
    Dataset("jsem", "NLI", 3, "exact", _choice("yes", "no", "unknown", "undef")),
    Dataset("jsick", "NLI", 3, "exact", _THREE_WAYS),
    Dataset("jemhopqa", "QA", 15, "char_f1_llmjp", _SPAN),
    # Several answers are joined by commas on one line.
    Dataset("niilc", "QA", 180, "char_f1_llmjp", _SPAN),
    # Some golds carry quotes; and words that are not of the passage are a wrong answer, no wrong
    # form.
    Dataset("jsquad", "RC", 25, "char_f1_llmjp", FormatRule("line")),
    Dataset("jcommonsenseqa", "MC", 1, "exact", _choice("0", "1", "2", "3", "4")),
    Dataset("mmluen", "HE", 1, "exact", _LETTERS),
    Dataset("jmmlu", "HE", 1, "exact", _LETTERS),
    # 建設事業受注高 negative
    Dataset(
        "chabsa",
        "EL",
        191,
        "set_f1",
        _lines(rf"{_BULLET}[^\n]+ (?:positive|neutral|negative)"),
    ),
    # No kanji and no katakana; Latin letters and digits occur in the gold readings.
    Dataset("wiki_reading", "FA", 512, "char_f1_llmjp", _pattern(r"[^\n々㐀-鿿ァ-ヺｦ-ﾝ]+")),
    # 出雲大社（組織名） ケッペン（人名）: one line, so set_f1 is an exact match of the whole.
    Dataset("wiki_ner", "FA", 256, "set_f1", _pattern(rf"{_ENTITY}(?: {_ENTITY})*+")),
    # オランダ南ホラント州 同州
    Dataset("wiki_coreference", "FA", 256, "set_f1", _lines(rf"{_BULLET}[^ \n]+(?: [^ \n]+)+")),
    # 国津神の -> 神で、
    Dataset("wiki_dependency", "FA", 512, "set_f1", _lines(rf"{_BULLET}[^\n]+ -> [^\n]+")),
    # 登場する ガ：神 ニ：日本神話
    Dataset("wiki_pas", "FA", 512, "set_f1", _lines(rf"{_BULLET}[^\n]+? (?:{_CASES})[：:][^\n]+")),
    Dataset("mawps", "MR", 10, "exact", _NUMBER),
    Dataset("alt-e-to-j", "MT", 250, "comet", _ONE_LINE),
    Dataset("alt-j-to-e", "MT", 500, "comet", _ONE_LINE),
    Dataset("wikicorpus-e-to-j", "MT", 300, "comet", _ONE_LINE),
    Dataset("wikicorpus-j-to-e", "MT", 550, "comet", _ONE_LINE),
    # The instruction wants 0.0 to 5.0 and, a sentence on, whole numbers: both obey.
    Dataset("jsts", "STS", 3, "pearson", _NUMBER),
    Dataset("jcola", "CL", 1, "exact", _choice("0", "1")),
    Dataset("jblimp", "CL", 1, "exact", _choice("a", "b")),
)
_FURTHER = (
    Dataset("mgsm", "other", 10, "exact", _NUMBER),
    # llm-jp-eval and Nejumi convert JCoLA as two files; `jcola` is for teams that have it as one.
    Dataset("jcola-in-domain", "CL", 1, "exact", _choice("0", "1")),
    Dataset("jcola-out-of-domain", "CL", 1, "exact", _choice("0", "1")),
    Dataset("commonsensemoralja", "other", 1, "exact", _choice("0", "1")),
)

DATASETS: dict[str, Dataset] = {
    **{
        one.name: Dataset(one.name, one.category, one.output_length, one.metric, one.format, True)
        for one in _OFFICIAL
    },
    **{one.name: one for one in _FURTHER},
}
