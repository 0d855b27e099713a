"""The steps for datatrove, with documents of its shape."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from training.synthesis.corpus import decontaminated, shingles
from training.synthesis.decontaminate import Decontamination
from training.synthesis.held_out import HeldOut


@dataclass
class Document:
    text: str
    metadata: dict[str, Any] = field(default_factory=dict)


def test_documents_that_hold_an_item_are_left_out_and_the_rest_keep_their_order() -> None:
    item = "水車小屋の主人は、雨の日に何を数えていましたか。"
    check = Decontamination([HeldOut("own/1", "own", item, "own/1")])
    documents = [Document(f"{number}番目の話です。") for number in range(2500)]
    documents[7].text += item
    documents[2100].text += item.replace("、", " ")
    kept = list(decontaminated(check)(iter(documents), 0, 4))
    assert kept == [one for place, one in enumerate(documents) if place not in (7, 2100)]


@given(st.text("あいアｱ１1 \n", max_size=20), st.text("あいアｱ１1 \n", max_size=20))
@settings(deadline=None)
def test_shingles_are_equal_where_five_characters_are(one: str, other: str) -> None:
    def grams(text: str) -> set[str]:
        from training.synthesis.grams import spaced

        plain = spaced([text]).texts()[0]
        return {plain[start : start + 5] for start in range(max(len(plain) - 4, 1))}

    first, second = set(shingles(one).ravel().tolist()), set(shingles(other).ravel().tolist())
    assert shingles(one).ndim == 2
    assert len(first) == len(grams(one))
    assert len(first & second) == len(grams(one) & grams(other))
