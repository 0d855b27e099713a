"""BLEU under its four names, and COMET present, absent and failing."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from harness.errors import HarnessError
from harness.scoring import bleu
from harness.scoring.comet import comet_scores

EN = ["the cat sat on the mat today", "it rains"]
EN_GOLD = ["the cat sat on the mat", "it rains"]
JA = ["猫がマットの上に座った。", "雨が降る。"]
JA_GOLD = ["猫がマットに座った。", "雨が降る。"]


@pytest.fixture
def sacrebleu() -> None:
    for module in ("sacrebleu", "MeCab", "ipadic"):
        pytest.importorskip(module)


@pytest.mark.usefixtures("sacrebleu")
def test_bleu_equals_sacrebleu_called_with_lists() -> None:
    from sacrebleu import BLEU

    assert bleu.bleu_en(EN, EN_GOLD) == BLEU().corpus_score(EN, [EN_GOLD]).score / 100
    scorer = BLEU(trg_lang="ja")
    assert bleu.bleu_ja(JA, JA_GOLD) == scorer.corpus_score(JA, [JA_GOLD]).score / 100
    assert bleu.bleu_ja_char(JA, JA_GOLD) != bleu.bleu_ja(JA, JA_GOLD)
    assert bleu.bleu_en(EN_GOLD, EN_GOLD) == bleu.bleu_ja(JA_GOLD, JA_GOLD) == 1.0
    assert bleu.bleu_en([], []) == bleu.bleu_en_llmjp13([], []) == 0.0


@pytest.mark.usefixtures("sacrebleu")
@pytest.mark.parametrize(
    ("prediction", "gold", "value"),
    [
        ("x", "x", 1.0),
        ("abcd", "abcx", 0.75),
        ("the cat sat on the mat, and more", "the cat sat on the mat", 1.0),  # the rest is not seen
        ("he cat", "the cat", 0.0),  # one letter dropped shifts all others
        ("", "the cat", 0.0),
        ("the cat", "", 0.0),
    ],
)
def test_bleu_llmjp13_compares_characters_by_position(
    prediction: str, gold: str, value: float
) -> None:
    from sacrebleu import BLEU

    assert bleu.bleu_en_llmjp13([prediction], [gold]) == pytest.approx(value)
    if prediction and gold:
        # The call as llm-jp-eval 1.3 makes it: texts where lists are wanted.
        literal = BLEU(effective_order=True).corpus_score(prediction, [gold]).score / 100
        assert bleu.bleu_en_llmjp13([prediction], [gold]) == pytest.approx(literal)


@pytest.mark.usefixtures("sacrebleu")
def test_bleu_llmjp13_is_a_mean_over_answers() -> None:
    assert bleu.bleu_ja_llmjp13(["猫が", "犬"], ["猫は", "鳥"]) == pytest.approx(0.25)


@pytest.mark.usefixtures("sacrebleu")
@settings(deadline=None, max_examples=40)
@given(st.lists(st.tuples(st.text(max_size=20), st.text(max_size=20)), max_size=3))
def test_bleu_is_a_share_for_any_text(pairs: list[tuple[str, str]]) -> None:
    predictions, golds = [a + "\ud800" for a, _ in pairs], [b for _, b in pairs]
    for metric in (bleu.bleu_en, bleu.bleu_ja, bleu.bleu_ja_char, bleu.bleu_en_llmjp13,
                   bleu.bleu_ja_llmjp13):  # fmt: skip
        assert 0.0 <= metric(predictions, golds) <= 1.0


def test_bleu_refuses_what_llm_jp_eval_did() -> None:
    with pytest.raises(ValueError, match="a list of texts is wanted"):
        bleu.bleu_en("the cat", ["the cat"])
    with pytest.raises(ValueError, match="1 translations for 2 references"):
        bleu.bleu_en(["a"], ["a", "b"])


@pytest.fixture
def checkpoint(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A checkpoint file and an environment in which `comet` is a stub that scores by length."""
    (tmp_path / "comet.py").write_text(
        "class Model:\n"
        "    def predict(self, rows, batch_size, gpus, progress_bar):\n"
        "        print('Predicting')\n"
        "        self.scores = [len(row['mt']) / len(row['ref']) for row in rows]\n"
        "        return self\n"
        "def load_from_checkpoint(path):\n"
        "    if open(path).read() != 'good':\n"
        "        raise OSError('bad magic')\n"
        "    return Model()\n"
    )
    path = tmp_path / "model.ckpt"
    path.write_text("good")
    monkeypatch.setenv("HARNESS_COMET_MODEL", str(path))
    monkeypatch.setenv("HARNESS_COMET_PYTHON", sys.executable)
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    return path


@pytest.mark.usefixtures("checkpoint")
def test_comet_scores_come_back_in_order() -> None:
    scores = comet_scores(["a", "b"], ["猫", "犬\ud800"], ["猫", "犬が走る"])
    assert scores == [1.0, 0.5]
    assert comet_scores([], [], []) == []
    with pytest.raises(ValueError, match="1 sources, 1 predictions, 2 references"):
        comet_scores(["a"], ["b"], ["c", "d"])


def test_comet_says_how_to_mend_what_is_missing(
    checkpoint: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    checkpoint.write_text("bad")
    with pytest.raises(HarnessError, match=r"COMET failed .*bad magic"):
        comet_scores(["a"], ["b"], ["c"])
    monkeypatch.delenv("HARNESS_COMET_PYTHON")
    with pytest.raises(HarnessError, match=r"uv pip install --python .* unbabel-comet"):
        comet_scores(["a"], ["b"], ["c"])
    monkeypatch.setenv("HARNESS_COMET_PYTHON", "/nowhere/python")
    with pytest.raises(HarnessError, match="is no file"):
        comet_scores(["a"], ["b"], ["c"])
    checkpoint.unlink()
    with pytest.raises(HarnessError, match=r"HARNESS_COMET_MODEL is .*download"):
        comet_scores(["a"], ["b"], ["c"])
    monkeypatch.delenv("HARNESS_COMET_MODEL")
    with pytest.raises(HarnessError, match="HARNESS_COMET_MODEL is not set"):
        comet_scores(["a"], ["b"], ["c"])
