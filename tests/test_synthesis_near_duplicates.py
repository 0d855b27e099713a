"""Near-duplicates: what is a copy, that the first is kept, and that rounds share an index."""

from __future__ import annotations

import random
import unicodedata
from pathlib import Path

import numpy as np
import pytest
from datasketch import MinHash
from hypothesis import given, settings
from hypothesis import strategies as st

from harness.errors import HarnessError
from training.synthesis.grams import (
    folded,
    masked,
    prefix_sums,
    spaced,
    stretches,
    window_starts,
    windows,
)
from training.synthesis.near_duplicates import NearDuplicates, jaccard

# Characters that normalisation treats in different ways: full width, half-width kana with its
# marks, combining marks, several characters from one, surrogates, white space, Hangul jamo.
ODD = "aＡａ１9ｶﾞガか\u3099\u309a…㌔①½ﬁ\u3000 \n\t\u0301é\ud800\u1100\u1161\U0002f81f𠮷ーー。、-"
TEXTS = st.text(st.sampled_from(ODD) | st.characters(), max_size=40)


def words(draw: random.Random, count: int) -> str:
    """Text in which 5-grams hardly repeat, of about `count` characters."""
    letters = [chr(code) for code in (*range(0x3042, 0x3093), *range(0x4E00, 0x4F00))]
    return "".join(draw.choices(letters, k=count))


def altered(text: str, draw: random.Random, edits: int) -> str:
    changed = list(text)
    for place in draw.sample(range(len(text)), edits):
        changed[place] = "ヱ"
    return "".join(changed)


@given(st.lists(TEXTS, max_size=6))
@settings(max_examples=300, deadline=None)
def test_the_table_normalises_as_unicodedata_does(texts: list[str]) -> None:
    expected = [" ".join(unicodedata.normalize("NFKC", text).split()) for text in texts]
    assert spaced(texts).texts() == expected


@given(st.lists(st.text("ab1２。 カか", max_size=12), max_size=6), st.integers(1, 6))
@settings(deadline=None)
def test_equal_stretches_have_equal_hashes_and_only_those(texts: list[str], size: int) -> None:
    codes = folded(texts)
    sums = prefix_sums(codes)
    inside = np.flatnonzero(window_starts(codes, size))
    assert len(inside) == int(np.maximum(codes.lengths - size + 1, 0).sum())
    whole = "".join(codes.texts())
    by_text = {}
    for start, value in zip(inside.tolist(), windows(sums, size)[inside].tolist(), strict=True):
        assert by_text.setdefault(whole[start : start + size], value) == value
    assert len(set(by_text.values())) == len(by_text)
    again = stretches(sums, inside, inside + size)
    assert again.tolist() == windows(sums, size)[inside].tolist()


def test_folding_and_masking() -> None:
    texts = ["カタカナ と ＡＢＣ、１，２３４円！", "34-12は？", "34/12は？"]
    assert folded(texts).texts() == ["かたかなとabc1234円", "34-12は", "34/12は"]
    assert masked(folded(texts)).texts() == ["かたかなとabc0円", "0-0は", "0/0は"]
    assert masked(folded(["1", "2"])).texts() == ["0", "0"]


def test_similarity_is_that_of_sets_of_five_characters() -> None:
    # By hand: abcde bcdef cdefg against abcde bcdef cdefh.
    assert jaccard("abcdefg", "abcdefh") == 0.5
    assert jaccard("あいうえお", "ｱいうえお") == 0.0
    assert jaccard("ＡＢＣ　ＤＥＦ", "ABC\n DEF ") == 1.0
    assert jaccard("あ", "あ") == 1.0
    assert jaccard("", "") == 1.0


def test_the_first_is_kept_and_copies_name_it() -> None:
    draw = random.Random(0)
    first, other = words(draw, 300), words(draw, 300)
    copy, far = altered(first, draw, 4), altered(first, draw, 40)
    assert jaccard(first, copy) > 0.8 > jaccard(first, far)
    index = NearDuplicates()
    assert index.admit([first, other, copy, far, f"　{first}\n"]) == [None, None, 0, None, 0]
    assert len(index) == 3
    assert index.admit([copy, other]) == [0, 1]


def test_a_copy_of_a_dropped_copy_is_measured_against_what_was_kept() -> None:
    draw = random.Random(1)
    first = words(draw, 300)
    second = altered(first, draw, 6)
    third = altered(second, draw, 9)
    assert jaccard(first, second) > 0.8
    assert jaccard(second, third) > 0.7 > jaccard(first, third)
    assert NearDuplicates(0.7).admit([first, second, third]) == [None, 0, None]


@given(st.integers(0, 50), st.lists(st.integers(1, 60), min_size=1, max_size=5))
@settings(max_examples=25, deadline=None)
def test_answers_do_not_depend_on_the_calls(seed: int, sizes: list[int]) -> None:
    draw = random.Random(seed)
    bases = [words(draw, 60) for _ in range(5)]
    texts = [altered(draw.choice(bases), draw, draw.randint(0, 6)) for _ in range(200)]
    whole, parts = NearDuplicates(), NearDuplicates()
    expected = whole.admit(texts)
    found: list[int | None] = []
    while len(found) < len(texts):
        size = sizes[len(found) % len(sizes)]
        found += parts.admit(texts[len(found) : len(found) + size])
    assert found == expected
    assert parts.texts == whole.texts
    assert parts.report() == whole.report()


def test_recall_at_the_threshold_and_exact_precision() -> None:
    draw = random.Random(2)
    bases = [words(draw, 300) for _ in range(1500)]
    # Ten edits of 300 characters leave a Jaccard similarity of about .7, seven of about .8.
    near = [altered(text, draw, draw.randint(3, 10)) for text in bases]
    index = NearDuplicates()
    assert index.admit(bases) == [None] * len(bases)
    found = index.admit(near)
    alike = [jaccard(one, other) for one, other in zip(bases, near, strict=True)]
    copies = [value >= 0.8 for value in alike]
    hits = sum(found[row] == row for row, copy in enumerate(copies) if copy)
    print(f"recall {hits}/{sum(copies)}, {len(copies) - sum(copies)} below the threshold")
    assert sum(copies) > 500
    assert hits >= 0.99 * sum(copies)
    assert all(found[row] is None for row, copy in enumerate(copies) if not copy)


def test_signatures_estimate_as_those_of_datasketch() -> None:
    """Both estimate the same similarity; the texts are alike to a known degree."""
    from training.synthesis import near_duplicates as ours

    draw = random.Random(3)
    first = words(draw, 300)
    second = altered(first, draw, 20)
    plain, _ = ours.sign([first, second])
    theirs = []
    for text in plain:
        sketch = MinHash(num_perm=128)
        sketch.update_batch([text[start : start + 5].encode() for start in range(len(text) - 4)])
        theirs.append(sketch)
    codes = spaced([first, second])
    tokens = windows(prefix_sums(codes), 5)[window_starts(codes, 5)]
    digests = ours._digests(tokens, np.cumsum(codes.lengths - 4))
    estimate = float((digests[0] == digests[1]).mean())
    assert abs(estimate - jaccard(first, second)) < 0.15
    assert abs(theirs[0].jaccard(theirs[1]) - estimate) < 0.25


def test_drills_of_one_template_are_copies_only_when_equal() -> None:
    drills = [
        f"{n}個のりんごを{m}人で等しく分けます。1人分はいくつですか。"
        for n in range(90, 99)
        for m in (3, 4)
    ]
    assert sum(one is not None for one in NearDuplicates().admit(drills)) > 0
    index = NearDuplicates()
    assert index.admit(drills, [1.0] * len(drills)) == [None] * len(drills)
    assert index.admit(drills, [1.0] * len(drills)) == list(range(len(drills)))
    assert index.admit([drills[3].replace("1人分", "一人分")]) == [None]
    assert index.admit([drills[3] + "　"]) == [3]


def test_thousands_of_texts_of_one_template_stay_fast_and_right() -> None:
    draw = random.Random(4)
    frame = words(draw, 40)
    texts = [frame + words(draw, 12) for _ in range(3000)]
    index = NearDuplicates()
    found = index.admit(texts)
    kept = [text for text, copied in zip(texts, found, strict=True) if copied is None]
    assert len(kept) > 2900
    assert index.admit(kept[:50]) == list(range(50))


def test_the_closest_kept_pairs_are_reported_closest_first() -> None:
    draw = random.Random(5)
    first = words(draw, 200)
    index = NearDuplicates()
    index.admit([first, altered(first, draw, 9), altered(first, draw, 14), words(draw, 200)])
    pairs = index.report()
    assert [pair.earlier for pair in pairs[:1]] == [0]
    assert pairs == sorted(pairs, key=lambda pair: -pair.similarity)
    for pair in pairs:
        assert pair.similarity < 0.8
        assert pair.similarity == jaccard(index.texts[pair.number], index.texts[pair.earlier])


def test_a_later_round_sees_the_texts_of_earlier_ones(tmp_path: Path) -> None:
    draw = random.Random(6)
    texts = [words(draw, 100) for _ in range(40)] + ["", "\ud800", "𠮷野家"]
    index = NearDuplicates(0.75)
    index.admit(texts[:20])
    index.admit(texts[20:])
    index.save(tmp_path / "rounds" / "index.npz")
    again = NearDuplicates.load(tmp_path / "rounds" / "index.npz")
    assert again.threshold == 0.75
    assert again.texts == index.texts
    assert again.admit([altered(texts[7], draw, 2), words(draw, 100)]) == [7, None]
    assert [path.name for path in (tmp_path / "rounds").iterdir()] == ["index.npz"]


@pytest.mark.parametrize("content", [b"", b"nothing of ours", b"PK\x03\x04 torn"])
def test_a_file_that_is_no_index_is_refused(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "index.npz"
    path.write_bytes(content)
    with pytest.raises(HarnessError, match="index of near-duplicates"):
        NearDuplicates.load(path)


def test_an_empty_index_and_no_texts(tmp_path: Path) -> None:
    index = NearDuplicates()
    assert index.admit([]) == []
    index.save(tmp_path / "index.npz")
    assert NearDuplicates.load(tmp_path / "index.npz").admit(["", ""]) == [None, 0]


@pytest.mark.parametrize("threshold", [0.0, -1.0, 1.5, float("nan")])
def test_a_threshold_that_is_no_similarity_is_refused(threshold: float) -> None:
    with pytest.raises(HarnessError, match="threshold"):
        NearDuplicates(threshold)
