"""What the Jaster protocols know of each dataset: category, length, metric, output format.

Categories, output lengths and metrics are those of llm-jp-eval 1.3; the format rules say what its
instructions ask for in a way that a program can check.
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
    official       one of the datasets of llm-jp-eval 1.3
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

_THREE_WAYS = FormatRule("choice", labels=("entailment", "contradiction", "neutral"))
_TWO_WAYS = FormatRule("choice", labels=("entailment", "non-entailment"))
_LETTERS = FormatRule("choice", labels=("A", "B", "C", "D"))
_ZERO_OR_ONE = FormatRule("choice", labels=("0", "1"))
_LINE = FormatRule("span")
# A translation, or a text with its readings, may have lines of its own.
_TEXT = FormatRule("pattern", pattern=r"[\s\S]+")


def _each_line(pattern: str) -> FormatRule:
    return FormatRule("pattern", pattern=rf"(?:{pattern})(?:\n(?:{pattern}))*")


_TABLE = (
    Dataset("jamp", "NLI", 3, "exact", _THREE_WAYS),
    Dataset("janli", "NLI", 7, "exact", _TWO_WAYS),
    Dataset("jnli", "NLI", 3, "exact", _THREE_WAYS),
    Dataset(
        "jsem", "NLI", 3, "exact", FormatRule("choice", labels=("yes", "no", "unknown", "undef"))
    ),
    Dataset("jsick", "NLI", 3, "exact", _THREE_WAYS),
    Dataset("jemhopqa", "QA", 15, "char_f1_llmjp", _LINE),
    Dataset("niilc", "QA", 180, "char_f1_llmjp", _LINE),
    Dataset("jsquad", "RC", 25, "char_f1_llmjp", _LINE),
    Dataset(
        "jcommonsenseqa", "MC", 1, "exact", FormatRule("choice", labels=("0", "1", "2", "3", "4"))
    ),
    Dataset("mmluen", "HE", 1, "exact", _LETTERS),
    Dataset("jmmlu", "HE", 1, "exact", _LETTERS),
    Dataset(
        "chabsa", "EL", 191, "set_f1", _each_line(r"[^\n]*[^\s] (?:positive|neutral|negative)")
    ),
    Dataset("wiki_reading", "FA", 512, "char_f1_llmjp", _TEXT),
    # One line of 固有表現（種類） parted by spaces; a text without any has an empty gold.
    Dataset(
        "wiki_ner", "FA", 256, "set_f1", FormatRule("pattern", pattern=r"[^\n]+（[^（）\n]+）")
    ),
    Dataset("wiki_coreference", "FA", 256, "set_f1", _each_line(r"[^\s]+(?: [^\s]+)+")),
    Dataset("wiki_dependency", "FA", 512, "set_f1", _each_line(r"[^\n]+ -> [^\n]+")),
    Dataset("wiki_pas", "FA", 512, "set_f1", _each_line(r"[^\n]+ [^\s：]+：[^\n]+")),
    Dataset("mawps", "MR", 10, "exact", FormatRule("number")),
    Dataset("alt-e-to-j", "MT", 250, "comet", _TEXT),
    Dataset("alt-j-to-e", "MT", 500, "comet", _TEXT),
    Dataset("wikicorpus-e-to-j", "MT", 300, "comet", _TEXT),
    Dataset("wikicorpus-j-to-e", "MT", 550, "comet", _TEXT),
    Dataset("jsts", "STS", 3, "pearson", FormatRule("number")),
    Dataset("jcola", "CL", 1, "exact", _ZERO_OR_ONE),
    Dataset("jblimp", "CL", 1, "exact", FormatRule("choice", labels=("a", "b"))),
)

DATASETS: dict[str, Dataset] = {
    **{
        one.name: Dataset(
            one.name, one.category, one.output_length, one.metric, one.format, official=True
        )
        for one in _TABLE
    },
    # Nejumi's further ones.
    "mgsm": Dataset("mgsm", "other", 10, "exact", FormatRule("number")),
    "jcola-in-domain": Dataset("jcola-in-domain", "CL", 1, "exact", _ZERO_OR_ONE),
    "jcola-out-of-domain": Dataset("jcola-out-of-domain", "CL", 1, "exact", _ZERO_OR_ONE),
    "commonsensemoralja": Dataset("commonsensemoralja", "other", 1, "exact", _ZERO_OR_ONE),
}
