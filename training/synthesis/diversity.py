"""How different samples are: distinct n-grams, spread of their vectors, evenness of draws."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

# Width of a sample's vector of hashed 3-grams: collisions of a 300-character text are few.
WIDTH = 4096
_GRAM = 3


def distinct(texts: Sequence[str], n: int) -> float:
    """Distinct character n-grams divided by all n-grams of the texts (distinct-n, Li et al. 2016,
    of characters, since Japanese has no spaces); 0.0 where no text is n long."""
    grams = Counter(text[at : at + n] for text in texts for at in range(len(text) - n + 1))
    total = sum(grams.values())
    return len(grams) / total if total else 0.0


def spread(texts: Sequence[str]) -> float:
    """1 less the mean cosine between the hashed character 3-gram counts of two different texts:
    0.0 where all are equal, 1.0 where no two share a 3-gram. It sees words, not meaning.

    With unit vectors u the mean over pairs is (|Σu|² - n) / (n (n - 1)), so no pair is formed.
    """
    vectors = [vector for text in texts if (vector := _vector(text)) is not None]
    n = len(vectors)
    if n < 2:
        return 0.0
    total = np.sum(vectors, axis=0)
    return float(1.0 - (total @ total - n) / (n * (n - 1)))


def evenness(values: Sequence[str]) -> float:
    """Shannon entropy of the values divided by its maximum over those that occur: 1.0 where each
    is as common as the others, and for a single one."""
    counts = Counter(values)
    if len(counts) < 2:
        return 1.0
    shares = [count / len(values) for count in counts.values()]
    return -sum(share * math.log(share) for share in shares) / math.log(len(counts))


def _vector(text: str) -> npt.NDArray[np.float64] | None:
    """Unit vector of a text's 3-gram counts, shape (WIDTH,); None for one shorter than that."""
    codes = np.frombuffer(text.encode("utf-32-le", "surrogatepass"), dtype=np.uint32)
    if len(codes) < _GRAM:
        return None
    codes = codes.astype(np.uint64)
    hashes = codes[:-2] * np.uint64(0x9E3779B97F4A7C15)
    hashes ^= codes[1:-1] * np.uint64(0xC2B2AE3D27D4EB4F)
    hashes ^= codes[2:] * np.uint64(0x165667B19E3779F9)
    places = (hashes * np.uint64(0x9FB21C651E98DF25)) >> np.uint64(52)
    counts = np.bincount(places.astype(np.int64), minlength=WIDTH).astype(np.float64)
    unit: npt.NDArray[np.float64] = counts / np.linalg.norm(counts)
    return unit
