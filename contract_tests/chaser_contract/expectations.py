"""The refusals of valid input that are meant, by operation and status, each with its reason (`expectations.yaml`)."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from importlib import resources
from typing import Any

import yaml

# What Schemathesis takes for acceptance of valid data on its own: success, and refusals about who asks for what.
_ACCEPTED = ["2xx", "3xx", "401", "403", "404", "409", "429"]

API, CONTROL = "expectations.yaml", "control_expectations.yaml"
"""Those about Chaser's document, and those about that of the emulator's control plane."""


@dataclass(frozen=True)
class Expectation:
    """`operation` may answer `status` where `check` would call it a finding; None as status switches the check off."""

    operation: str
    check: str
    status: int | None
    reason: str


def load(name: str = API) -> list[Expectation]:
    """Every expectation of one of the documents. Raises ValueError for one without a reason."""
    text = (resources.files(__package__) / name).read_text("utf-8")
    entries = yaml.safe_load(text)
    found = [Expectation(one["operation"], one["check"], one.get("status"), one["reason"]) for one in entries]
    for one in found:
        if not one.reason.strip():
            raise ValueError(f"{one.operation}: an expectation needs a reason")
    return found


def as_config(expectations: Iterable[Expectation]) -> list[dict[str, Any]]:
    """The `operations` of a Schemathesis configuration."""
    by_operation: dict[str, dict[str, Any]] = {}
    for one in expectations:
        checks = by_operation.setdefault(one.operation, {})
        if one.status is None:
            checks[one.check] = {"enabled": False}
        else:
            check = checks.setdefault(one.check, {"expected-statuses": list(_ACCEPTED)})
            check["expected-statuses"].append(str(one.status))
    return [{"include-operation-id": operation, "checks": checks} for operation, checks in by_operation.items()]
