"""The report for CI servers: JUnit XML, a test for each part."""

from __future__ import annotations

import re
from xml.etree import ElementTree

from chaser_contract.reports.lines import told
from chaser_contract.running import Report

_NOT_XML = re.compile(r"[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


def written(report: Report) -> str:
    """The text of the file."""
    counted = {
        status: sum(outcome.status == status for outcome in report.outcomes)
        for status in ("failed", "error", "skipped")
    }
    attributes = {
        "name": "chaser-contract",
        "tests": str(len(report.outcomes)),
        "failures": str(counted["failed"]),
        "errors": str(counted["error"]),
        "skipped": str(counted["skipped"]),
        "time": f"{report.seconds:.3f}",
        "timestamp": report.begun.isoformat(timespec="seconds"),
    }
    root = ElementTree.Element("testsuites", attributes)
    suite = ElementTree.SubElement(root, "testsuite", attributes)
    properties = ElementTree.SubElement(suite, "properties")
    for name, value in (("seed", str(report.where.seed)), ("url", report.url), ("profile", report.where.profile)):
        ElementTree.SubElement(properties, "property", {"name": name, "value": value})
    for outcome in report.outcomes:
        subject, _, name = outcome.part.partition(".")
        case = ElementTree.SubElement(
            suite, "testcase", {"classname": subject, "name": name, "time": f"{outcome.seconds:.3f}"}
        )
        if outcome.status == "skipped":
            ElementTree.SubElement(case, "skipped", {"message": _legal(outcome.reason)})
        elif outcome.status == "error":
            last = outcome.reason.strip().rpartition("\n")[2]
            ElementTree.SubElement(case, "error", {"message": _legal(last)}).text = _legal(outcome.reason)
        elif outcome.findings:
            first = outcome.findings[0]
            more = f" (and {len(outcome.findings) - 1} more)" if len(outcome.findings) > 1 else ""
            failure = ElementTree.SubElement(case, "failure", {"message": _legal(first.promise + more)})
            failure.text = _legal("\n\n".join(told(one, report.url) for one in outcome.findings))
    ElementTree.indent(root)
    return '<?xml version="1.0" encoding="UTF-8"?>\n' + ElementTree.tostring(root, encoding="unicode") + "\n"


def _legal(text: str) -> str:
    """Text without the characters that XML has no form for."""
    return _NOT_XML.sub("�", text)
