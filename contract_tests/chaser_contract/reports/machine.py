"""The report for programs: JSON with every part, every finding and every status that was seen."""

from __future__ import annotations

import base64
import json
from typing import Any

from chaser_contract import evidence
from chaser_contract.document import bundled
from chaser_contract.exchanges import Exchange
from chaser_contract.findings import Finding
from chaser_contract.reports.lines import again_line, curl_line, sdk_line
from chaser_contract.running import Report

VERSION = 1
"""Of the form; it grows with a field that changes its meaning."""


def written(report: Report) -> str:
    """The text of the file."""
    return json.dumps(as_json(report), indent=2, ensure_ascii=False) + "\n"


def as_json(report: Report) -> dict[str, Any]:
    """The report as JSON. Times are RFC 3339, durations seconds."""
    where = report.where
    return {
        "version": VERSION,
        "url": report.url,
        "profile": where.profile,
        "sandbox": where.sandbox if where.url is None else None,
        "seed": where.seed,
        "examples": where.examples,
        "begun": report.begun.isoformat(),
        "seconds": round(report.seconds, 3),
        "exit_code": report.exit_code,
        "requests": sum(outcome.requests for outcome in report.outcomes),
        "accepted": [
            finding_info(one, report) | {"owner": entry.owner, "date": entry.date.isoformat(), "reason": entry.reason}
            for one, entry in report.accepted
        ],
        "notes": report.notes,
        "left": report.left,
        "findings": [finding_info(one, report) for one in report.findings],
        "parts": [
            {
                "name": outcome.part,
                "status": outcome.status,
                "reason": outcome.reason,
                "requests": outcome.requests,
                "seconds": round(outcome.seconds, 3),
                "findings": len(outcome.findings),
            }
            for outcome in report.outcomes
        ],
        "operations": {
            row.operation: row.info() for row in evidence.of_run(bundled(), report.seen, live=where.profile == "live")
        },
    }


def finding_info(finding: Finding, report: Report) -> dict[str, Any]:
    """One finding as JSON."""
    return {
        "promise": finding.promise,
        "came": finding.came,
        "pointer": finding.pointer,
        "operation": finding.operation,
        "kind": finding.kind,
        "part": finding.part,
        "repeats": finding.repeats,
        "curl": curl_line(finding, report.url),
        "sdk": sdk_line(bundled(), finding.exchange),
        "again": again_line(report.where, finding.part),
        "steps": [_step(one) for one in finding.steps],
    }


def _step(exchange: Exchange) -> dict[str, Any]:
    return {
        "operation": exchange.operation,
        "method": exchange.method,
        "target": exchange.target,
        "request_headers": dict(exchange.request_headers),
        "request_body": _text(exchange.request_body),
        "status": exchange.status,
        "headers": dict(exchange.headers),
        "body": _text(exchange.body),
        "seconds": round(exchange.seconds, 4),
        "trouble": exchange.trouble,
    }


def _text(raw: bytes) -> str | dict[str, str]:
    try:
        return raw.decode()
    except UnicodeDecodeError:
        return {"base64": base64.b64encode(raw).decode()}
