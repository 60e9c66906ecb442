"""Making: what promises are tried on, made as cheaply as the API allows, and what it becomes."""

from __future__ import annotations

import base64
from collections.abc import Mapping
from typing import Any

from chaser_contract.asking import UNKNOWN
from chaser_contract.client import Client
from chaser_contract.subject import Subject
from chaser_contract.waiting import until

LATER = "2099-01-01T00:00:00Z"
"""A moment at which no run is under way any more."""


def session(client: Client | Subject, **said: Any) -> dict[str, Any]:
    """A sandbox that leaves nothing behind, unless something else is said."""
    wish = said or {"session_type": "sandbox", "ephemeral": True}
    made: dict[str, Any] = client.ask("create-session", json=wish, expect=200).json
    return made


def running(client: Client | Subject, **said: Any) -> dict[str, Any]:
    """A session that can be used."""
    made = session(client, **said)
    return ready(client, made["id"])


def ready(client: Client | Subject, session_id: str) -> dict[str, Any]:
    """A session once it can be used."""
    promise = "a session that starts comes to run"
    answer = until(
        lambda: client.ask("get-session", id=session_id, expect=200), lambda one: one["status"] != "starting", promise
    )
    found: dict[str, Any] = answer.json
    answer.require(found["status"] == "running", promise)
    return found


def waiting_job(client: Client | Subject, **said: Any) -> dict[str, Any]:
    """A job whose time does not come."""
    wish = {"kind": "session.terminate", "input": {"session_id": UNKNOWN}, "run_at": LATER, **said}
    made: dict[str, Any] = client.ask("create-job", json=wish, expect=200).json
    return made


def finished_job(client: Client | Subject, job_id: str) -> dict[str, Any]:
    """A job once it is final."""
    found: dict[str, Any] = until(
        lambda: client.ask("get-job", id=job_id, expect=200),
        lambda one: one["status"] in ("completed", "failed", "canceled"),
        "a job that is due comes to its end",
    ).json
    return found


def workspace(chaser: Subject, client: Client | None = None, **said: Any) -> dict[str, Any]:
    """An empty workspace with a name of its own."""
    wish = {"session_type": "sandbox", "name": chaser.name("ws"), **said}
    made: dict[str, Any] = (client or chaser).ask("create-workspace", json=wish, expect=200).json
    return made


def snapshot(chaser: Subject, ws: str, **said: Any) -> dict[str, Any]:
    """A snapshot with a name of its own."""
    wish = {"name": chaser.name("snap"), **said}
    made: dict[str, Any] = chaser.ask("create-workspace-snapshot", ws=ws, json=wish, expect=200).json
    return made


def workspace_of(client: Client | Subject, workspace_id: str) -> dict[str, Any] | None:
    """How the list shows a workspace; None where it does not."""
    listed = client.ask("list-workspaces", expect=200).json
    return next((one for one in listed if one["id"] == workspace_id), None)


def organization(chaser: Subject) -> tuple[Client, dict[str, Any]]:
    """A new organization, and the first user in it; a key that is bound to its account reaches it anywhere."""
    made = chaser.ask("create-organization", json={"name": chaser.name("org")}, expect=200).json["account"]
    return chaser.as_(chaser.api_key, account=made["id"]), made


def person(chaser: Subject, name: str = "person") -> tuple[Client, dict[str, Any]]:
    """Somebody new, who has signed in; on the free plan, as all who register."""
    mail = f"{chaser.name(name)}@example.com"
    wish = {"email": mail, "password": "correct horse battery", "name": name}
    told = chaser.nobody.ask("register", json=wish, headers=world(chaser), expect=200).json
    return chaser.as_(told["access_token"]), told["user"]


def world(chaser: Subject) -> Mapping[str, str]:
    """What leads somebody without a credential into the world of a part."""
    return {} if chaser.emulator is None else {"X-Chaser-World": chaser.emulator.world.id}


def ssh_line(chaser: Subject, comment: str = "") -> str:
    """A public key that nobody has yet, as OpenSSH writes it."""
    data = b"\0\0\0\x0bssh-ed25519\0\0\0\x20" + chaser.random.randbytes(32)
    return f"ssh-ed25519 {base64.b64encode(data).decode()} {comment}".rstrip()


def assistant(chaser: Subject, **said: Any) -> dict[str, Any]:
    """An assistant."""
    wish = {"name": chaser.name("assistant"), **said}
    made: dict[str, Any] = chaser.ask("create-assistant", json=wish, expect=200).json["assistant"]
    return made


def webhook(chaser: Subject, client: Client | None = None, **said: Any) -> dict[str, Any]:
    """A webhook that leads to the emulator's own receiver, under a name of its own (`received`)."""
    name = chaser.name("hook")
    url = f"http://127.0.0.1:9/{name}" if chaser.emulator is None else chaser.emulator.webhooks.url(name)
    told = (client or chaser).ask("create-webhook", json={"url": url, **said}, expect=200).json
    return {**told["webhook"], "signing_secret": told["signing_secret"], "received": name}
