"""Looking: all that a caller can see of an account without an id, to be held against the same at another time."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any

from chaser_contract.client import Client
from chaser_contract.document import JSON

_VOLATILE = frozenset({"last_used_at", "updated_at", "attempts", "last_error", "last_http_status"})
"""What using a thing changes of it, and what goes on by itself."""

_UNSTEADY = frozenset(
    {
        # What it says of usage goes on with time, as that of storage does on real engines.
        "get-billing-summary",
        "get-openapi-document", "swagger-ui",
        # It takes what it begins, or leads elsewhere.
        "get-codex-login-url", "start-google-login", "start-github-login",
    }
)  # fmt: skip


def looked(client: Client, *without: str) -> dict[str, Any]:
    """By operation what each list answers that can be asked for without knowing anything."""
    document = client.document
    return {
        one.id: _steady(_told(client, one.id))
        for one in document.operations.values()
        if one.method == "GET"
        and "{" not in one.path
        and one.secured
        and one.id not in _UNSTEADY
        and one.id not in without
        and not any(parameter.required for parameter in one.parameters)
        and JSON in one.responses[one.success].content
    }


def differences(before: Mapping[str, Any], after: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """The operations that answer something else than before, and what."""
    for name, value in after.items():
        if before.get(name) != value:
            yield name, f"before: {_short(before.get(name))}; after: {_short(value)}"


def _told(client: Client, operation_id: str) -> Any:
    answer = client.ask(operation_id)
    # A personal account has no service accounts, and says so.
    return answer.json if answer.status < 400 else answer.status


def _steady(value: Any) -> Any:
    if isinstance(value, list):
        return [_steady(one) for one in value]
    if isinstance(value, dict):
        return {name: _steady(one) for name, one in value.items() if name not in _VOLATILE}
    return value


def _short(value: Any) -> str:
    text = json.dumps(value, ensure_ascii=False)
    return text if len(text) <= 400 else f"{text[:400]}…"
