"""Standard Webhooks 1.0: the form of a signing secret, and the headers that sign a delivery (H3, H4).

https://github.com/standard-webhooks/standard-webhooks/blob/main/spec/standard-webhooks.md
"""

from __future__ import annotations

import base64
import hashlib
import hmac
from collections.abc import Mapping

PREFIX = "whsec_"

TOLERANCE = 300
"""Seconds that the signed time of a delivery may be from the receiver's, as libraries have it."""

EVENT_HEADER = "X-Chaser-Event"
DELIVERY_HEADER = "X-Chaser-Delivery"


def preview(secret: str) -> str:
    """What is shown of a secret once its webhook exists: enough to recognise it by."""
    return f"{PREFIX}…{secret[-4:]}"


def headers(secret: str, event_id: str, timestamp: int, body: bytes) -> dict[str, str]:
    """The three headers of the standard. `timestamp` is the moment of the attempt in seconds since 1970."""
    key = base64.b64decode(secret.removeprefix(PREFIX))
    signed = f"{event_id}.{timestamp}.".encode() + body
    signature = base64.b64encode(hmac.new(key, signed, hashlib.sha256).digest()).decode("ascii")
    return named(event_id, timestamp, f"v1,{signature}")


def named(event_id: str, timestamp: int, signature: str) -> dict[str, str]:
    """The same three of a signature that there is already."""
    return {"webhook-id": event_id, "webhook-timestamp": str(timestamp), "webhook-signature": signature}


def verify(secret: str, sent: Mapping[str, str], body: bytes, now: float) -> str | None:
    """What is wrong with a signed request, or None: its signature fits, and its time is within five minutes of `now`.

    `sent` are its headers, with names in small letters.
    """
    missing = [name for name in ("webhook-id", "webhook-timestamp", "webhook-signature") if name not in sent]
    if missing:
        return f"the header {missing[0]} is missing"
    try:
        signed_at = int(sent["webhook-timestamp"])
    except ValueError:
        return "the header webhook-timestamp is no number of seconds"
    right = headers(secret, sent["webhook-id"], signed_at, body)["webhook-signature"]
    offered = sent["webhook-signature"].split(" ")
    if not any(hmac.compare_digest(one.encode(), right.encode()) for one in offered):
        return "no signature fits the webhook's secret"
    if abs(now - signed_at) > TOLERANCE:
        return f"it was signed {abs(now - signed_at):.0f} s from now; {TOLERANCE} s are accepted"
    return None
