"""Processes answers and checks their format as Nejumi Leaderboard 4 does for Jaster datasets.

Source: wandb/llm-leaderboard, `scripts/evaluator/jaster.py` and
`scripts/evaluator/evaluate_utils/{formatter,metrics}.py`.
"""

from __future__ import annotations

from harness.items.schema import FormatRule
from harness.scoring.normalise import nfkc

_NLI = frozenset({"jamp", "janli", "jnli", "jsem", "jsick"})
_QA = frozenset({"jemhopqa", "jsquad", "niilc"})
_STRIPPED = frozenset({"jcommonsenseqa", "commonsensemoralja", "mawps"})
_HEADERS = ("応答:", "回答:", "答え:")

_TERNARY = FormatRule("choice", labels=("entailment", "contradiction", "neutral"))
_LETTERS = FormatRule("choice", labels=("A", "B", "C", "D"))
_BINARY = FormatRule("choice", labels=("0", "1"))
_NUMBER = FormatRule("number")

# The rule that Nejumi checks for each dataset, as a rule of ours; None where it checks nothing.
NEJUMI_FORMATS: dict[str, FormatRule | None] = {
    "aio": None,
    "alt-e-to-j": None,
    "alt-j-to-e": None,
    "commonsensemoralja": _BINARY,
    "jamp": _TERNARY,
    "janli": FormatRule("choice", labels=("entailment", "non-entailment")),
    "jblimp": FormatRule("choice", labels=("a", "b")),
    "jcola-in-domain": _BINARY,
    "jcola-out-of-domain": _BINARY,
    "jcommonsenseqa": FormatRule("choice", labels=("0", "1", "2", "3", "4")),
    "jemhopqa": None,
    "jmmlu": _LETTERS,
    "jnli": _TERNARY,
    "jsem": FormatRule("choice", labels=("yes", "no", "unknown", "undef")),
    "jsick": _TERNARY,
    "jsquad": None,
    "kuci": FormatRule("choice", labels=("0", "1", "2", "3")),
    "mawps": _NUMBER,
    "mgsm": _NUMBER,
    "mmlu_prox_ja": _LETTERS,
    "niilc": None,
}


def nejumi_prediction(raw: str, dataset: str) -> tuple[str, str]:
    """The extracted and the normalised prediction of a raw answer.

    First by dataset: NLI answers are stripped and made lower case; of QA answers `応答:`, `回答:`
    and `答え:` (half-width colon) are deleted wherever they stand, and the rest is stripped and
    made lower case, while gold answers are not; jcommonsenseqa, mawps and commonsensemoralja are
    stripped; all others, jmmlu and mgsm too, stay. Then for all: cut at the first blank line,
    strip, drop apostrophes and then quotation marks at the ends, strip, NFKC.

    Where nothing was stripped first, an answer that begins with a blank line is empty.
    """
    text = raw
    if dataset in _NLI:
        text = text.strip().lower()
    elif dataset in _QA:
        for header in _HEADERS:
            text = text.replace(header, "")
        text = text.strip().lower()
    elif dataset in _STRIPPED:
        text = text.strip()
    extracted = text.split("\n\n", 1)[0].strip().strip("'").strip('"').strip()
    return extracted, nfkc(extracted)


def nejumi_format(processed: str, dataset: str) -> float | None:
    """Nejumi's controllability of one answer: 1.0 when it obeys, 0.0 when not, None where Nejumi
    checks nothing.

    processed  the normalised prediction: Nejumi looks at that, not at the raw answer, so that
               `Ａ` and `"A"` obey there and do not under the same rule on the raw text
    Numbers (mawps, mgsm) are whatever Python's float() takes, 1e3 and inf too; the rule of
    `NEJUMI_FORMATS` is narrower. Raises KeyError for a dataset that Nejumi does not have.
    """
    rule = NEJUMI_FORMATS[dataset]
    if rule is None:
        return None
    if rule.kind == "number":
        try:
            float(processed)
        except ValueError:
            return 0.0
        return 1.0
    return float(processed in rule.labels)
