"""What is sent for a delivery: its body, and every header, the signature's own three included."""

from __future__ import annotations

import json
from collections.abc import Mapping

from chaser_emulator.resources import event_payload
from chaser_emulator.store import Row
from chaser_emulator.webhooks import signing

USER_AGENT = "chaser-webhooks"


def body_of(row: Row) -> bytes:
    """The body, the same at each attempt."""
    return json.dumps(event_payload(row), separators=(",", ":")).encode()


def headers_of(row: Row, signed: Mapping[str, str]) -> dict[str, str]:
    """Headers with those of a signature."""
    return {
        "User-Agent": USER_AGENT,
        "Accept": "*/*",
        "Content-Type": "application/json",
        signing.EVENT_HEADER: row["event_type"],
        signing.DELIVERY_HEADER: row["id"],
        **signed,
    }
