"""Alerts of assistants: told to webhooks once in a window, when usage goes past a threshold."""

from __future__ import annotations

from chaser_contract import making
from chaser_contract.promises import promise
from chaser_contract.subject import Subject
from chaser_contract.values import frozen, holds, passed
from chaser_contract.waiting import until


@promise("emulator")
def a_window_has_its_seconds(chaser: Subject) -> None:
    """What was used in the last `window_seconds` counts, and what was used before them does not."""
    alert = {"metric": "tokens", "threshold": 100, "window_seconds": 3600}
    for seconds, sent in ((3599.5, 1), (3600.5, 0)):
        with chaser.case():
            frozen(chaser)
            made = making.assistant(chaser, config={"alerts": [alert]})
            hook = making.webhook(chaser, events=["assistant.alert"])
            for quantity in (100, 1):
                body = {"kind": "tokens", "quantity": quantity}
                told = chaser.ask("create-assistant-usage-event", id=made["id"], json=body, expect=200)
                passed(chaser, seconds=seconds)
            listed = chaser.ask("list-webhook-deliveries", query={"webhook_id": hook["id"]}, expect=200)
            count = len(listed.json["deliveries"])
            why = f"100 tokens, and one more after {seconds} s, are {sent} alerts past 100 in an hour"
            told.require(count == sent, why, f"{count} came")
            chaser.ask("delete-webhook", id=hook["id"], expect=204)


@promise("emulator")
def an_alert_is_sent_once_in_a_window(chaser: Subject) -> None:
    """Usage that goes past a threshold sends `assistant.alert` once in each window; at the threshold it does not."""
    alert = {"metric": "tokens", "threshold": 100, "window_seconds": 3600}
    made = making.assistant(chaser, config={"alerts": [alert]})
    frozen(chaser)
    hook = making.webhook(chaser, events=["assistant.alert"])
    for hours, kind, quantity, sent in (
        (0, "tokens", 100, 0),
        (0, "tool_call", 1000, 0),
        (0, "tokens", 0.5, 1),
        (0, "tokens", 1000, 1),
        (2, "tokens", 100, 1),
        (0, "tokens", 1, 2),
    ):
        passed(chaser, hours=hours, microseconds=1)
        body = {"kind": kind, "quantity": quantity}
        chaser.ask("create-assistant-usage-event", id=made["id"], json=body, expect=200)
        query = {"webhook_id": hook["id"]}
        told = until(
            lambda query=query: chaser.ask("list-webhook-deliveries", query=query, expect=200),  # type: ignore[misc]
            lambda found, sent=sent: len(found["deliveries"]) >= sent,  # type: ignore[misc]
            f"after {quantity} {kind} there are {sent} alerts",
        )
        count = len(told.json["deliveries"])
        told.require(count == sent, "an alert is sent once in a window, past its threshold", f"{count}, not {sent}")
    payload = told.json["deliveries"][0]["payload"]
    holds(told, payload, "payload", type="assistant.alert", resource_id=made["id"])
