"""A comparison as JUnit XML, so that any CI shows it among its tests."""

from __future__ import annotations

import re
from xml.etree import ElementTree

from harness.regression.compare import MetricVerdict
from harness.report.comparison import Report
from harness.report.comparison_table import settling

# What XML 1.0 cannot hold, not even escaped.
_FORBIDDEN = re.compile("[^\t\n\r\u0020-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


def junit(report: Report) -> bytes:
    """One test suite for each suite, one test case for each critical metric and for each other one
    that regressed, and the gate itself as a test case.

    A critical metric that regressed is a failure; one that must be proven and is not, an error; an
    inconclusive one that may pass, and a regression of an advisory metric, skipped with its words.
    """
    comparison = report.comparison
    root = ElementTree.Element("testsuites", name="harness compare")
    for compared in comparison.suites:
        suite = ElementTree.SubElement(root, "testsuite", name=compared.pair.suite)
        for one in compared.verdicts:
            if one.settings.critical or one.verdict == "regressed":
                _case(suite, one)
        _count(suite)
    gate = ElementTree.SubElement(root, "testsuite", name="gate")
    case = ElementTree.SubElement(gate, "testcase", classname="harness", name="gate", time="0")
    if comparison.gate.outcome != "pass":
        kind = "failure" if comparison.gate.outcome == "regression" else "error"
        told = ElementTree.SubElement(case, kind, message=comparison.gate.outcome)
        told.text = _clean("\n".join(comparison.gate.reasons))
    _count(gate)
    for name in ("tests", "failures", "errors", "skipped"):
        root.set(name, str(sum(int(suite.get(name, "0")) for suite in root)))
    ElementTree.indent(root)
    return bytes(ElementTree.tostring(root, encoding="utf-8", xml_declaration=True)) + b"\n"


def _case(suite: ElementTree.Element, one: MetricVerdict) -> None:
    measured, decision = one.measured, one.decision
    case = ElementTree.SubElement(
        suite,
        "testcase",
        classname=_clean(f"{measured.suite}.{measured.metric}"),
        name=_clean(measured.place),
        time="0",
    )
    told = _clean(
        f"{one.verdict}: {decision.change:+.4f} ({decision.low:+.4f} to {decision.high:+.4f}), "
        f"p {one.p:.3g}, {measured.change.n} items, margin {decision.margin:g}"
    )
    kind = None
    if one.settings.critical and one.verdict == "regressed":
        kind = "failure"
    elif one.settings.critical and one.unproven and one.settings.unproven == "block":
        kind = "error"
    elif one.verdict in ("inconclusive", "regressed"):
        kind = "skipped"
    if kind:
        wanted = settling(one)
        message = f"{told}; would settle it: {wanted}" if wanted else told
        ElementTree.SubElement(case, kind, message=_clean(message))
    else:
        ElementTree.SubElement(case, "system-out").text = told


def _count(suite: ElementTree.Element) -> None:
    """The attributes that readers of JUnit add up."""
    suite.set("tests", str(len(suite.findall("testcase"))))
    for name, tag in (("failures", "failure"), ("errors", "error"), ("skipped", "skipped")):
        suite.set(name, str(len(suite.findall(f"testcase/{tag}"))))
    suite.set("time", "0")


def _clean(text: str) -> str:
    return _FORBIDDEN.sub("\ufffd", text)
