"""Explanations for tests: asked for over the control plane, and the requests in them made as they stand."""

from __future__ import annotations

import asyncio
import json
import re
from dataclasses import dataclass, field
from typing import Any

import httpx
from chaser_emulator.clock import new_secret_key
from chaser_emulator.server import Running
from chaser_emulator.store import identity
from chaser_emulator.world import World
from people import ok

_NAME = re.compile(r"\$CHASER_[A-Z_]+")


def explained(client: httpx.Client, refused: httpx.Response | str, world: str | None = None) -> dict[str, Any]:
    """The explanation of an answer, found by its request id."""
    request_id = refused if isinstance(refused, str) else refused.headers["x-request-id"]
    headers = {} if world is None else {"X-Chaser-World": world}
    found: dict[str, Any] = ok(client.get("/_emulator/explain", params={"request_id": request_id}, headers=headers))
    return found


@dataclass
class Replay:
    """Makes the requests of an explanation; what they answer goes by its name in those that follow."""

    emulator: Running
    world: World
    exchange: dict[str, Any]
    names: dict[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.names["$CHASER_API_KEY"] = self.world.api_key

    def passes(self, explanation: dict[str, Any]) -> httpx.Response:
        """The answer to the request that is to pass, after those before it."""
        for before in explanation.get("first", []):
            answer = self.send(before, explanation)
            assert answer.status_code < 300, (before, answer.text)
            for name, pointer in before.get("takes", {}).items():
                self.names[f"${name}"] = _at(answer.json(), pointer)
        return self.send(explanation["passes"], explanation)

    def send(self, request: dict[str, Any], explanation: dict[str, Any]) -> httpx.Response:
        """The answer to one of the requests; of a stream its beginning."""
        headers = {name: self._filled(value, explanation) for name, value in request["headers"].items()}
        sent: dict[str, Any] = {}
        if "body" in request:
            body = json.loads(self._filled(json.dumps(request["body"]), explanation))
            if headers.get("content-type") == "multipart/form-data":
                del headers["content-type"]
                parts = {n: (v[1:], b"a file") if v.startswith("@") else (None, v) for n, v in body.items()}
                sent = {"files": parts}
            else:
                sent = {"content": json.dumps(body)}
        url = self.emulator.url + self._filled(request["path"], explanation)
        with httpx.stream(request["method"], url, headers=headers, timeout=60, **sent) as answer:
            if "event-stream" not in answer.headers.get("content-type", ""):
                answer.read()
            return answer

    def _filled(self, text: str, explanation: dict[str, Any]) -> str:
        return _NAME.sub(lambda found: self._named(found.group(), explanation), text)

    def _named(self, name: str, explanation: dict[str, Any]) -> str:
        if name not in self.names:
            assert name in ("$CHASER_KEY_OF_CALLER", "$CHASER_KEY_OF_ANOTHER"), f"nothing has answered {name}"
            email = explanation["acts_as"]["email"] if name == "$CHASER_KEY_OF_ANOTHER" else None
            self.names[name] = self._key(email)
        return self.names[name]

    def _key(self, email: str | None) -> str:
        """Another key of a user, or one like that of the caller."""

        async def make() -> str:
            secret, at = new_secret_key(), self.world.clock.timestamp()
            async with self.world.store.transaction() as tx:
                if email is not None:
                    user = await tx.one("SELECT id FROM users WHERE email = ?", email)
                    assert user is not None
                    await identity.add_key(tx, secret, at=at, account_id=None, user_id=user["id"])
                    return secret
                known = await tx.one("SELECT * FROM keys WHERE id = ?", self.exchange["key_id"])
                assert known is not None
                await identity.add_key(
                    tx,
                    secret,
                    at=at,
                    account_id=known["account_id"],
                    user_id=known["user_id"],
                    service_account_id=known["service_account_id"],
                    scopes=json.loads(known["scopes"]),
                )
                return secret

        return asyncio.run_coroutine_threadsafe(make(), self.emulator.loop).result(60)


def _at(value: Any, pointer: str) -> str:
    for part in pointer.strip("/").split("/"):
        value = value[int(part)] if isinstance(value, list) else value[part]
    return str(value)
