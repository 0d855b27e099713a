"""All probe families of the genre extraction: what is asked for stands in the text."""

from __future__ import annotations

from harness.items.probes.extraction_fields import CHANGES, CONTACT, FIELD
from harness.items.probes.extraction_json import EVENT, ORDER, PROFILE
from harness.items.probes.extraction_tables import PEOPLE, TABLE_CELL, TABLE_ROWS
from harness.items.probes.extraction_values import AMOUNT, DATE
from harness.items.probes.family import Family

EXTRACTION: tuple[Family, ...] = (
    FIELD,
    CONTACT,
    CHANGES,
    DATE,
    AMOUNT,
    TABLE_CELL,
    TABLE_ROWS,
    PEOPLE,
    PROFILE,
    EVENT,
    ORDER,
)
