"""Standard Webhooks 1.0: the form of a signing secret, and the headers that sign a delivery (H3, H4).

https://github.com/standard-webhooks/standard-webhooks/blob/main/spec/standard-webhooks.md
"""

from __future__ import annotations

import base64
import hashlib
import hmac

PREFIX = "whsec_"

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
    return {"webhook-id": event_id, "webhook-timestamp": str(timestamp), "webhook-signature": f"v1,{signature}"}
