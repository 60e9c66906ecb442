"""Arranged: for each operation a request that is right in every way, about things that were made for it over the API.

    arranged = Arranged(chaser)
    asking = arranged.request_of("set-workspace-name")      # a workspace is there, and the new name is free
    asking.by(chaser.client).must_be(asking.status, asking.code)
    asking.by(chaser.peer).must_be(404)                     # the same request by somebody else
    asking.but(json={"name": "a/b"}).by(chaser.client)      # with something wrong in it
    asking.but(path=asking.unknown("ws")).by(chaser.client)

    for asking in arranged.every(lambda operation: operation.scope == "full"): ...

A request that is refused has changed nothing, so one asking serves for many refusals; what an operation uses up
(deletes, ends, decides) is fresh in each `request_of`, what it only looks at or changes is shared. `Arranged(chaser,
client)` makes everything as another caller, and in the account that this one names. What needs an organization is made
in one of the caller's, which `asking.account` names: `by` sends it along for a client that names no account.

`asking.status` is the lowest success, but where no engine has what it takes (a browser) or a plain request is no
handshake: then `status` and `code` are those of the refusal that says so, the last one on the way.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import replace
from functools import cached_property
from typing import Any
from urllib.parse import parse_qsl, urlsplit

from chaser_emulator.spec import Operation
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from chaser_contract import making, valid_requests
from chaser_contract.asking import Asking
from chaser_contract.broken import NotTried
from chaser_contract.client import Client
from chaser_contract.sandboxes import ended
from chaser_contract.subject import Subject
from chaser_contract.targets import PASSWORD, PEER
from chaser_contract.valid_requests import REPOSITORY

NOWHERE = "http://127.0.0.1:9/"
"""An address where nobody listens."""

_CARRIED = ("state", "code_challenge", "redirect_uri", "world")
"""What a provider's page gets from its address, and sends along with what is chosen there."""


def signed_in_peer(chaser: Subject) -> Client:
    """The other user with an access token, which is bound to no account. Raises NotTried where their key is all."""
    chaser.steered  # noqa: B018 - nobody knows a password elsewhere
    told = chaser.nobody.ask("login", json={"email": PEER, "password": PASSWORD}, expect=200).json
    return chaser.as_(told["access_token"])


class Arranged:
    """Makes what requests are about, as one caller; what can be shared is made once."""

    def __init__(self, chaser: Subject, client: Client | None = None) -> None:
        self.chaser: Subject = chaser
        self.client: Client = chaser.client if client is None else client

    def request_of(self, operation_id: str) -> Asking:
        """A right request, with what it is about made for it. Raises NotTried where the target has no such thing."""
        return self.asking(operation_id, **valid_requests.REQUESTS[operation_id](self))

    def every(self, which: Callable[[Operation], object] = bool) -> Iterator[Asking]:
        """A right request for each operation that is meant; what cannot be made is told, and the next one comes."""
        for operation in self.chaser.document.operations.values():
            if not which(operation):
                continue
            made: list[Asking] = []
            with self.chaser.case(), suppress(NotTried):
                made.append(self.request_of(operation.id))
            self.chaser.begin()
            yield from made

    def asking(self, operation_id: str, **request: Any) -> Asking:
        """A request for an operation, answered with its success where nothing else is said."""
        operation = self.chaser.document.operation(operation_id)
        return Asking(**{"operation": operation, "status": operation.success, **request})

    def make(self, operation_id: str, **request: Any) -> Any:
        """The JSON of a success."""
        return self.client.ask(operation_id, **request).must_be(200).json

    # What is shared

    @cached_property
    def organization(self) -> str:
        """The id of the account that the caller names, else of an organization of theirs."""
        if self.client.account is not None:
            return self.client.account
        made = str(self.make("create-organization", json={"name": self.chaser.name("org")})["account"]["id"])
        if self.client.ask("get-current-account", headers={"X-Chaser-Account": made}).status == 403:
            raise NotTried("it takes a credential that is bound to no account, such as an access token")
        return made

    @cached_property
    def in_organization(self) -> Client:
        return replace(self.client, account=self.organization)

    @cached_property
    def workspace(self) -> dict[str, Any]:
        return self.new_workspace()

    @cached_property
    def session(self) -> dict[str, Any]:
        """A sandbox that runs."""
        return self.new_session()

    @cached_property
    def assistant(self) -> dict[str, Any]:
        made = self.make("create-assistant", json={"name": self.chaser.name("assistant"), "config": {"a": 1}})
        return dict(made["assistant"])

    @cached_property
    def finished(self) -> dict[str, Any]:
        """A command in the background that has ended."""
        command = self.new_command("echo hello")
        ended(self.client, command["id"], command["cid"])
        return command

    @cached_property
    def service_account(self) -> dict[str, Any]:
        return self.new_service_account()

    @cached_property
    def can_import(self) -> bool:
        """Whether the target has the repository of ours, as an emulator of this process does."""
        found = self.client.ask("list-github-repositories")
        known = found.json["repositories"] if found.status == 200 else []
        return REPOSITORY in [f"{one['account_login']}/{one['name']}" for one in known]

    # What is fresh

    def new_workspace(self, **fields: Any) -> dict[str, Any]:
        body = {"name": self.chaser.name("workspace"), "session_type": "sandbox", **fields}
        return dict(self.make("create-workspace", json=body))

    def new_snapshot(self) -> str:
        name = self.chaser.name("snapshot")
        self.make("create-workspace-snapshot", ws=self.workspace["id"], json={"name": name})
        return name

    def new_session(self, **fields: Any) -> dict[str, Any]:
        made = self.make("create-session", json=fields or {"ephemeral": True})
        return making.ready(self.client, made["id"])

    def new_command(self, command: str = "sleep 1000") -> dict[str, Any]:
        """A command in the background of the shared session, which runs for longer than a run does."""
        body = {"command": command, "background": True}
        made = self.make("exec-session", id=self.session["id"], json=body)
        return {"id": self.session["id"], "cid": made["command_id"]}

    def new_member(self) -> str:
        body = {"email": f"{self.chaser.name('member')}@example.com", "role": "member"}
        made = self.in_organization.ask("add-current-member", json=body, expect=200).json
        return str(made["member"]["user_id"])

    def new_person(self, role: str) -> Client:
        """Somebody new with a role in the organization, acting there as who has signed in."""
        user = self.new_user()
        body = {"email": user["email"], "role": role}
        self.in_organization.ask("add-current-member", json=body, expect=200)
        return self.chaser.as_(user["access_token"], account=self.organization)

    def new_service_account(self) -> dict[str, Any]:
        body = {"name": self.chaser.name("robot")}
        return dict(
            self.in_organization.ask("create-current-service-account", json=body, expect=200).json["service_account"]
        )

    def new_service_account_key(self, **fields: Any) -> dict[str, Any]:
        said = self.service_account["id"]
        return dict(self.in_organization.ask("create-current-service-account-key", said=said, json=fields).json)

    def new_key(self, **fields: Any) -> dict[str, Any]:
        return dict(self.make("create-key", json={"name": self.chaser.name("key"), **fields}))

    def new_ssh_key(self) -> str:
        """The line of a public key that nobody has."""
        key = Ed25519PrivateKey.from_private_bytes(self.chaser.random.randbytes(32))
        return key.public_key().public_bytes(Encoding.OpenSSH, PublicFormat.OpenSSH).decode()

    def new_webhook(self, *events: str, url: str = NOWHERE) -> dict[str, Any]:
        return dict(self.make("create-webhook", json={"url": url, "events": list(events)})["webhook"])

    def new_delivery(self) -> str:
        """The id of a delivery that waits, to where nobody listens."""
        hook = self._hook
        self.make("set-workspace-name", ws=self.workspace["id"], json={"name": self.chaser.name("workspace")})
        found = self.make("list-webhook-deliveries", query={"webhook_id": hook["id"]})["deliveries"]
        return str(found[0]["id"])

    def new_job(self) -> str:
        """The id of a job that waits for a day that no run sees."""
        return str(self.make("create-job", json=self.job())["id"])

    def new_channel(self) -> dict[str, Any]:
        return dict(self.make("add-assistant-channel", id=self.assistant["id"], json=self.channel()))

    def new_change(self) -> str:
        body = {"patch": {"b": 2}, "reason": "because"}
        made = self.make("create-assistant-config-change-request", id=self.assistant["id"], json=body)
        return str(made["id"])

    def new_credential(self) -> dict[str, Any]:
        body = {"name": self.chaser.name("credential"), "value": "hidden", "assistant_id": self.assistant["id"]}
        self.make("store-assistant-credential", json=body)
        return body

    def new_user(self) -> dict[str, Any]:
        """Somebody who has just registered: their `email`, and the answer's `access_token` and `user`."""
        email = f"{self.chaser.name('user')}@example.com"
        told = self.chaser.nobody.ask("register", json={"email": email, "password": PASSWORD}, expect=200).json
        return {**told, "email": email}

    def returned(self, provider: str, page: str, email: str | None = None) -> dict[str, str]:
        """The query that a browser brings back from a provider's page. Raises NotTried where no page stands in."""
        self.chaser.steered  # noqa: B018 - only an emulator has such pages
        query = dict(parse_qsl(urlsplit(page).query))
        form: dict[str, str] = {name: query[name] for name in _CARRIED if name in query}
        form["email"] = email or f"{self.chaser.name('user')}@example.com"
        answer = self.chaser.http.post(f"/_emulator/sign-in/{provider}", data=form)
        return {
            name: value
            for name, value in parse_qsl(urlsplit(answer.headers["location"]).query)
            if name in ("state", "code")
        }

    def started(self, provider: str) -> str:
        """The address of a provider's page, where a sign-in has just begun."""
        return self.chaser.nobody.ask(f"start-{provider}-login", expect=302).headers["location"]

    @cached_property
    def _hook(self) -> dict[str, Any]:
        return self.new_webhook("workspace.renamed")

    def channel(self) -> dict[str, Any]:
        return {"channel_type": "telegram", "channel_id": self.chaser.name("channel")}

    def job(self) -> dict[str, Any]:
        return {"kind": "sandbox.exec", "input": {"ephemeral": True, "command": "echo hello"}, "run_at": making.LATER}
