"""All probe families of the genre coding: what short programs do; each answer is proven by running
the program that the question shows in an interpreter of our own."""

from __future__ import annotations

from harness.items.probes.coding_lines import COUNT, FAULT
from harness.items.probes.coding_match import MATCH
from harness.items.probes.coding_recursion import RECURSION
from harness.items.probes.coding_sequences import LIST, STRING
from harness.items.probes.coding_traces import PSEUDOCODE, STRUCTURE
from harness.items.probes.coding_values import CONDITION, VARIABLE
from harness.items.probes.family import Family

CODING: tuple[Family, ...] = (
    VARIABLE,
    CONDITION,
    RECURSION,
    STRING,
    LIST,
    COUNT,
    FAULT,
    MATCH,
    STRUCTURE,
    PSEUDOCODE,
)
