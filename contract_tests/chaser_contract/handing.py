"""A report is handed to the emulator that a run was about, whose console shows it; to one on this machine alone."""

from __future__ import annotations

import ipaddress
import json
from typing import Any

import httpx

from chaser_contract.reports import machine
from chaser_contract.running import Report

_PATH = "/_emulator/contract/report"
_PATIENCE = 10.0

_LONGEST = 4000
"""Characters of a body that are handed over; the file of `--json` has all."""

_UNKNOWN = (404, 405)
"""What an emulator answers that knows of no reports."""


def hand_over(report: Report) -> str | None:
    """Hand a report over, and answer what came of it in one line; None where there is nobody to take it."""
    where = report.where
    if where.url is None or where.profile == "live" or not is_on_this_machine(report.url):
        return None
    headers = {"Content-Type": "application/octet-stream"}
    if where.api_key is not None:
        headers["Authorization"] = f"Bearer {where.api_key}"
    try:
        text = json.dumps(_shortened(machine.as_json(report)))
        with httpx.Client(timeout=_PATIENCE, trust_env=False) as client:
            answer = client.put(report.url + _PATH, content=text.encode(), headers=headers)
    except httpx.HTTPError as error:
        return f"the emulator did not take the report: {error or type(error).__name__}"
    if answer.status_code in _UNKNOWN:
        return None
    if answer.status_code != httpx.codes.OK:
        return f"the emulator did not take the report: {answer.status_code} {answer.text[:200]}"
    return f"the report is at {report.url}/_emulator/#/contract"


def is_on_this_machine(url: str) -> bool:
    """Whether an address leads to this machine, whatever is known of names elsewhere."""
    host = httpx.URL(url).host
    if host == "localhost" or host.endswith(".localhost"):
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def _shortened(told: dict[str, Any]) -> dict[str, Any]:
    for finding in (*told["findings"], *told["accepted"]):
        for step in finding["steps"]:
            for name in ("request_body", "body"):
                if isinstance(step[name], str) and len(step[name]) > _LONGEST:
                    step[name] = f"{step[name][:_LONGEST]}… ({len(step[name])} characters)"
    return told
