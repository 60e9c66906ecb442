"""`logs`: what happens in a world, a line for each, now or as it happens."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from http.client import HTTPException, HTTPResponse
from typing import Any

import click

from chaser_emulator.operating.asking import Asked, ask
from chaser_emulator.operating.places import Place

_PATIENCE = 5.0
"""Seconds that an emulator may be away, as while it resets its world."""


def watch(place: Place, *, follow: bool, after: int, as_json: bool) -> None:
    """Print what is remembered, then with `follow` what happens, until the emulator is gone."""
    away_since: float | None = None
    while True:
        try:
            answer = ask(place, _asked(after, follow=follow))
        except click.ClickException:
            if away_since is None or time.monotonic() - away_since > _PATIENCE:
                raise
            time.sleep(0.2)
            continue
        away_since = None
        with answer:
            for number, kind, data in _read(answer):
                after = number
                click.echo(_as_json(number, kind, data) if as_json else line(kind, data))
        if not follow:
            return
        # The world was reset, or is gone; the numbers of a new one begin anew.
        away_since = time.monotonic()
        time.sleep(0.2)


def _asked(after: int, *, follow: bool) -> Asked:
    return Asked("GET", "/events", [("follow", "true" if follow else "false")], {"Last-Event-ID": str(after)})


def _read(answer: HTTPResponse) -> Iterator[tuple[int, str, dict[str, Any]]]:
    """Number, kind and data of each event, until the stream ends or breaks off."""
    number, kind = 0, ""
    try:
        for raw in answer:
            name, _, value = raw.decode().rstrip("\r\n").partition(": ")
            if name == "id":
                number = int(value)
            elif name == "event":
                kind = value
            elif name == "data":
                yield number, kind, json.loads(value)
    except (OSError, HTTPException, ValueError):
        return


def _as_json(number: int, kind: str, data: dict[str, Any]) -> str:
    return json.dumps({"id": number, "event": kind, **data}, ensure_ascii=False)


def line(kind: str, data: dict[str, Any]) -> str:
    """What happened, for people."""
    match kind:
        case "exchange":
            ended = " ".join(str(data[name]) for name in ("status", "code") if name in data) or "no answer"
            fault = f" (fault {data['fault']})" if "fault" in data else ""
            text = (
                f"{data['method']} {data['path']} -> {ended}{fault} in {data['duration_ms']:g} ms  {data['request_id']}"
            )
        case "event":
            state = f" is {data['status']}" if "status" in data else ""
            text = f"{data['type']}: {data['resource_type']} {data['resource_id']}{state}"
        case "due":
            text = f"due: {data['what']} {data['id']}"
        case "clock":
            text = f"the clock shows {data['now']} ({data['mode']})"
        case "delivery":
            reason = f": {data['last_error']}" if "last_error" in data else ""
            text = f"delivery {data['id']} is {data['status']}, attempts so far: {data['attempts']}{reason}"
        case "received":
            what, answer = data.get("event_type", "something"), data.get("status", "too late")
            text = f"the sink got {what} at {data['name']}, and answered {answer}"
        case "control":
            text = f"steered: {data['operation']}"
        case _:
            text = f"{kind}: {json.dumps(data, ensure_ascii=False)}"
    at = data.get("at", data.get("now", ""))
    return f"{at[:23]:23}  {text}"
