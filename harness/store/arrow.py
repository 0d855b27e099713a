"""Columns of Arrow tables as NumPy arrays."""

from __future__ import annotations

from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray


def numbers(column: pa.ChunkedArray | pa.Array) -> NDArray[Any]:
    """The values of a column of numbers without nulls, to be read only.

    pyarrow's own `to_numpy` imports pandas first where it is installed, a quarter of a second.
    """
    whole = column.combine_chunks() if isinstance(column, pa.ChunkedArray) else column
    return np.from_dlpack(whole)
