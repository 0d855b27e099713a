"""Corpus BLEU for English and Japanese, and what llm-jp-eval 1.3 computes under that name.

All values are 0.0 to 1.0; times 100 they are the points that sacrebleu prints. sacrebleu and MeCab
come with the extra `mt`.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from functools import lru_cache
from statistics import fmean
from typing import Any

from harness.errors import HarnessError

# MeCab reads UTF-8, which cannot hold what a broken decoder may have left.
_SURROGATE = re.compile("[\ud800-\udfff]")


def bleu_en(predictions: Sequence[str], references: Sequence[str]) -> float:
    """Corpus BLEU of English translations, one reference each: sacrebleu's default (13a tokens,
    exponential smoothing), 0.0 to 1.0; 0.0 for no translations.

    Raises ValueError when the lengths differ, HarnessError when sacrebleu is not installed.
    """
    return _corpus(predictions, references, tokenize="13a")


def bleu_ja(predictions: Sequence[str], references: Sequence[str]) -> float:
    """Corpus BLEU of Japanese translations over MeCab words with the IPA dictionary (sacrebleu's
    ja-mecab), 0.0 to 1.0. Errors as in `bleu_en`; without MeCab see `bleu_ja_char`."""
    return _corpus(predictions, references, tokenize="ja-mecab")


def bleu_ja_char(predictions: Sequence[str], references: Sequence[str]) -> float:
    """Corpus BLEU of Japanese translations over characters: another scale than `bleu_ja`, never to
    be shown under its name. Errors as in `bleu_en`."""
    return _corpus(predictions, references, tokenize="char")


def bleu_en_llmjp13(predictions: Sequence[str], references: Sequence[str]) -> float:
    """What llm-jp-eval 1.3 prints as bleu_en, divided by 100; for compatibility only.

    That code hands sacrebleu one text where a list of texts is wanted, so each character counts as
    a sentence: position by position, up to the shorter text's end, characters are compared, and the
    score of an answer is about the share that agrees, spaces aside. It knows no words, a missing
    end costs nothing, and one dropped letter spoils all that follows. Scores are averaged over
    answers. An empty text makes that code fail; here it counts 0.0.

    Raises ValueError when the lengths differ, HarnessError when sacrebleu is not installed.
    """
    return _llmjp13(predictions, references, "")


def bleu_ja_llmjp13(predictions: Sequence[str], references: Sequence[str]) -> float:
    """What llm-jp-eval 1.3 prints as bleu_ja, divided by 100: as `bleu_en_llmjp13`, each single
    character through MeCab; for compatibility only."""
    return _llmjp13(predictions, references, "ja")


def _corpus(predictions: Sequence[str], references: Sequence[str], tokenize: str) -> float:
    _check(predictions, references)
    if not predictions:
        return 0.0
    scorer = _scorer(tokenize=tokenize)
    score = scorer.corpus_score([*map(_sound, predictions)], [[*map(_sound, references)]])
    return min(1.0, float(score.score) / 100)


def _llmjp13(predictions: Sequence[str], references: Sequence[str], language: str) -> float:
    _check(predictions, references)
    scorer = _scorer(trg_lang=language, effective_order=True)
    scores = [
        scorer.corpus_score([*_sound(prediction)], [[*_sound(reference)]]).score / 100
        if prediction and reference
        else 0.0
        for prediction, reference in zip(predictions, references, strict=True)
    ]
    return min(1.0, fmean(scores)) if scores else 0.0


def _check(predictions: Sequence[str], references: Sequence[str]) -> None:
    if isinstance(predictions, str) or isinstance(references, str):
        raise ValueError("a text where a list of texts is wanted")
    if len(predictions) != len(references):
        raise ValueError(f"{len(predictions)} translations for {len(references)} references")


def _sound(text: str) -> str:
    return _SURROGATE.sub("\ufffd", text)


@lru_cache(maxsize=8)
def _scorer(**options: Any) -> Any:
    try:
        from sacrebleu import BLEU

        return BLEU(**options)
    # sacrebleu raises RuntimeError when MeCab or its dictionary is missing.
    except (ImportError, RuntimeError) as error:
        raise HarnessError(
            f"BLEU needs sacrebleu with MeCab ({error.__class__.__name__} on import); "
            "install both with: pip install 'harness[mt]'"
        ) from error
