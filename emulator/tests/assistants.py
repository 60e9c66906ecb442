"""What tests of assistants start from: an assistant, and every operation as a request that is well formed."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import httpx
from chaser_emulator import spec
from people import ok

Json = dict[str, Any]

ASSISTANTS = "/v1/assistants"
CREDENTIALS = f"{ASSISTANTS}/credentials"
RESOLVE_CREDENTIAL = f"{ASSISTANTS}/resolve-credential"
RESOLVE_CHANNEL = f"{ASSISTANTS}/resolve-channel"


def create(client: httpx.Client, name: str = "helper", **config: Any) -> Json:
    """A new assistant with this configuration."""
    made: Json = ok(client.post(ASSISTANTS, json={"name": name, "config": config}))["assistant"]
    return made


def path_of(assistant: Json, *rest: str) -> str:
    """The address of an assistant, or of something of it."""
    return "/".join((ASSISTANTS, assistant["id"], *rest))


def read(client: httpx.Client, assistant: Json) -> Json:
    """The assistant as it is now."""
    found: Json = ok(client.get(path_of(assistant)))["assistant"]
    return found


def patch(client: httpx.Client, assistant: Json, **fields: Any) -> Json:
    """The assistant with these fields changed."""
    changed: Json = ok(client.patch(path_of(assistant), json=fields))["assistant"]
    return changed


def bind(client: httpx.Client, assistant: Json, channel_id: str, channel_type: str = "telegram", **more: Any) -> Json:
    """A new channel binding."""
    body = {"channel_type": channel_type, "channel_id": channel_id} | more
    bound: Json = ok(client.post(path_of(assistant, "channels"), json=body))
    return bound


def propose(client: httpx.Client, assistant: Json, change: Json, **more: Any) -> Json:
    """A new config change request."""
    body = {"patch": change} | more
    asked: Json = ok(client.post(path_of(assistant, "config-change-requests"), json=body))
    return asked


def decide(client: httpx.Client, assistant: Json, change: Json, decision: str) -> httpx.Response:
    """The answer to approving or denying a request."""
    return client.post(path_of(assistant, "config-change-requests", change["id"], decision))


def use(client: httpx.Client, assistant: Json, quantity: float, kind: str = "tokens", **more: Any) -> Json:
    """A new usage event."""
    body = {"kind": kind, "quantity": quantity} | more
    event: Json = ok(client.post(path_of(assistant, "usage-events"), json=body))["event"]
    return event


def used(client: httpx.Client, assistant: Json, **query: Any) -> Json:
    """Events and totals."""
    found: Json = ok(client.get(path_of(assistant, "usage-events"), params=query))
    return found


def totals(tokens: float = 0, tool_call: float = 0, session: float = 0) -> Json:
    return {"tokens": tokens, "tool_call": tool_call, "session": session}


@dataclass(frozen=True)
class Shot:
    """One operation as a request; `body` None where it takes none."""

    operation_id: str
    method: str
    path: str
    body: Any

    def by(self, client: httpx.Client, **more: Any) -> httpx.Response:
        """The answer to it, with other arguments than its JSON where given."""
        arguments = {"json": self.body} if self.body is not None and not more else {}
        return client.request(self.method, self.path, **arguments | more)


def shots(ids: Mapping[str, str]) -> list[Shot]:
    """Every operation with the first example of its body, and these ids (`id`, `bid`, `rid`) in path and body."""
    found = []
    for operation in spec.load().operations.values():
        if operation.tag != "assistants":
            continue
        body = None
        if operation.body is not None:
            node = spec.load().document["paths"][operation.path][operation.method.lower()]
            [first, *_] = node["requestBody"]["content"]["application/json"]["examples"].values()
            body = dict(first["value"])
            if "assistant_id" in body:
                body["assistant_id"] = ids["id"]
        path = re.sub(r"\{(\w+)\}", lambda match: ids[match[1]], operation.path)
        found.append(Shot(operation.id, operation.method, path, body))
    return found
