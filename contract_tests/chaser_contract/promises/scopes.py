"""Scopes: what a key may do is what its scopes name, on every operation, kind of job and tool."""

from __future__ import annotations

import json
from typing import Any

from chaser_contract import making, rights
from chaser_contract.arranging import Arranged
from chaser_contract.asking import Asking
from chaser_contract.client import Answer, Client
from chaser_contract.promises import promise
from chaser_contract.rights import DYNAMIC, FULL, KINDS, SCOPES, TOOLS
from chaser_contract.subject import Subject

Keys = dict[str, Client]


def keys_of(arranged: Arranged, *, robots: bool = False) -> Keys:
    """A key with each scope alone, by that scope, and `full` one without any."""
    made = arranged.new_service_account_key if robots else arranged.new_key
    keys = {scope: made(scopes=[scope]) for scope in SCOPES} | {FULL: made()}
    return {scope: arranged.chaser.as_(key["key"]) for scope, key in keys.items()}


def refused(answer: Answer, required: str | None = None) -> None:
    """It needs a scope that the key has not, which it says."""
    answer.must_be(403, "insufficient_scope", because="to a key without its scope")
    if required is not None:
        told = answer.json.get("details", {}).get("required")
        answer.require(told == required, f"`details.required` is {required}", f"it is {told}")


def _in_organization(chaser: Subject) -> Arranged:
    return Arranged(chaser, Arranged(chaser).in_organization)


@promise()
def a_key_does_what_its_scope_names_and_nothing_else(chaser: Subject) -> None:
    """Each operation is open to a key with its scope alone, and closed to keys with any other, and with all others."""
    arranged = _in_organization(chaser)
    keys = keys_of(arranged)
    others = {
        scope: chaser.as_(arranged.new_key(scopes=[one for one in SCOPES if one != scope])["key"]) for scope in SCOPES
    }
    everything = chaser.as_(arranged.new_key(scopes=list(SCOPES))["key"])
    for asking in arranged.every(lambda one: one.secured and rights.scope_of(one) not in (None, DYNAMIC)):
        scope = str(rights.scope_of(asking.operation))
        if asking.operation.id == "create-key":
            # A key gives no key what it may not do itself (A19).
            asking = asking.but(json={"scopes": ["keys.write"]})
        for name, client in keys.items():
            if name not in (scope, FULL):
                with chaser.case():
                    refused(asking.by(client), scope)
        with chaser.case():
            refused(asking.by(everything if scope == FULL else others[scope]), scope)
        with chaser.case():
            answer = asking.by(keys[scope])
            answer.must_be(asking.status, asking.code, because=f"to a key with {scope} alone")


@promise()
def a_key_without_scopes_does_everything(chaser: Subject) -> None:
    """A key that was made without scopes, with null or with an empty list, may do everything."""
    arranged = _in_organization(chaser)
    made = [arranged.new_key(), arranged.new_key(scopes=None), arranged.new_key(scopes=[])]
    for key in made:
        chaser.require(
            key["full_access"] is True and key["scopes"] == [],
            "create-key: a key without scopes has full access", f"it is {key['full_access']} {key['scopes']}",
        )  # fmt: skip
    clients = [chaser.as_(key["key"]) for key in made]
    for number, asking in enumerate(arranged.every(lambda one: one.secured)):
        with chaser.case():
            answer = asking.by(clients[number % len(clients)])
            answer.must_be(asking.status, asking.code, because="to a key without scopes")


@promise()
def what_needs_no_scope_is_open_to_every_key(chaser: Subject) -> None:
    """Operations without a scope answer a key with any scope."""
    arranged = _in_organization(chaser)
    keys = keys_of(arranged)
    for asking in arranged.every(lambda one: one.secured and rights.scope_of(one) is None):
        for name, client in keys.items():
            with chaser.case():
                answer = asking.by(client)
                answer.must_be(asking.status, asking.code, because=f"to a key with {name}, as it needs no scope")


def inputs(arranged: Arranged) -> dict[str, Any]:
    """An input for each kind of job."""
    workspace, session = arranged.workspace["id"], arranged.session["id"]
    return {
        "sandbox.exec": {"ephemeral": True, "command": "echo hello"},
        "pipeline.run": {"workspace": workspace, "steps": [{"command": "echo hello"}]},
        "browser.action": {"session_id": session, "steps": [{"method": "Page.enable"}]},
        "browser.scrape": {"session_id": session, "url": "http://127.0.0.1:9/"},
        "github.runner": {"repo": "contract/repository", "workflow_job_id": 815},
        "session.terminate": {"session_id": session},
        "session.bulk_terminate": {"ids": [session]},
        "workspace.delete": {"workspace": workspace},
        "workspace.bulk_delete": {"ids": [workspace]},
    }


@promise()
def a_job_needs_the_scope_of_what_it_does(chaser: Subject) -> None:
    """Queueing, cancelling and retrying a job take the scope of its kind."""
    arranged = _in_organization(chaser)
    keys = keys_of(arranged)
    for kind, given in inputs(arranged).items():
        scope, body = KINDS[kind], {"kind": kind, "input": given, "run_at": making.LATER}
        with chaser.case():
            job = arranged.make("create-job", json=body)["id"]
            asked = [
                arranged.asking("create-job", json=body),
                arranged.asking("cancel-job", path={"id": job}),
                arranged.asking("retry-job", path={"id": job}),
            ]
            for asking in asked:
                for name, client in keys.items():
                    if name not in (scope, FULL):
                        refused(asking.by(client), scope)
                asking.by(keys[scope]).must_be(200, because=f"to a key with {scope}, for {kind}")
            arranged.client.ask("cancel-job", id=job)


@promise()
def a_pipeline_needs_the_scopes_of_its_steps(chaser: Subject) -> None:
    """A pipeline takes the scope of its kind, and that of each step's kind besides."""
    arranged = _in_organization(chaser)
    steps = inputs(arranged)
    for kind in ("session.terminate", "workspace.delete", "sandbox.exec"):
        wanted = sorted({KINDS["pipeline.run"], KINDS[kind]})
        given = {
            "workspace": arranged.workspace["id"],
            "steps": [{"command": "echo x"}, {"kind": kind, "input": steps[kind]}],
        }
        body = {"kind": "pipeline.run", "input": given, "run_at": making.LATER}
        with chaser.case():
            full = chaser.as_(arranged.new_key(scopes=wanted)["key"])
            job = full.ask("create-job", json=body).must_be(200, because=f"to a key with {wanted}").json["id"]
            for missing in wanted:
                rest = [scope for scope in SCOPES if scope != missing]
                client = chaser.as_(arranged.new_key(scopes=rest)["key"])
                refused(client.ask("create-job", json=body), missing)
                refused(client.ask("cancel-job", id=job), missing)
            full.ask("cancel-job", id=job, expect=200)


@promise()
def a_tool_needs_the_scope_of_what_it_does(chaser: Subject) -> None:
    """A tool of MCP is refused to a key without its scope, in its result; listing and greeting need none."""
    arranged = _in_organization(chaser)
    keys = keys_of(arranged)
    for name, client in keys.items():
        for method in ("tools/list", "ping"):
            with chaser.case():
                answer = client.ask("mcp-handler", json={"jsonrpc": "2.0", "id": 1, "method": method}, expect=200)
                answer.require("result" in answer.json, f"{method} needs no scope, here to a key with {name}")
                if method == "tools/list":
                    listed = {tool["name"] for tool in answer.json["result"]["tools"]}
                    answer.require(listed == set(TOOLS), "every key sees every tool", f"it sees {sorted(listed)}")
    for tool, scope in TOOLS.items():
        for name, client in keys.items():
            if name not in (scope, FULL):
                with chaser.case():
                    _tool_refused(client, tool, scope)
        with chaser.case():
            _tool_let_in(keys[scope], tool, scope)


def call(client: Client, tool: str, arguments: dict[str, Any]) -> Answer:
    params = {"name": tool, "arguments": arguments}
    return client.ask(
        "mcp-handler", json={"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": params}, expect=200
    )


def _told(answer: Answer) -> dict[str, Any]:
    """The refusal in a tool's result."""
    result = answer.json.get("result", {})
    if not result.get("isError"):
        return {}
    try:
        said = json.loads(result["content"][0]["text"])
    except ValueError:
        return {}
    return said if isinstance(said, dict) else {}


def _tool_refused(client: Client, tool: str, scope: str) -> None:
    answer = call(client, tool, {})
    told = _told(answer)
    answer.require(
        (told.get("code"), (told.get("details") or {}).get("required")) == ("insufficient_scope", scope),
        f"the tool {tool} is refused to a key without {scope}, as insufficient_scope",
    )


def _tool_let_in(client: Client, tool: str, scope: str) -> None:
    answer = call(client, tool, {"session_id": 5} if tool == "terminal" else {})
    answer.require(
        _told(answer).get("code") not in ("insufficient_scope", "forbidden"),
        f"the tool {tool} is open to a key with {scope}",
    )


@promise()
def a_service_account_does_what_its_scope_names(chaser: Subject) -> None:
    """Keys of service accounts are held to their scopes as those of people are; what is of people is closed to them."""
    arranged = _in_organization(chaser)
    keys = keys_of(arranged, robots=True)
    for asking in arranged.every(lambda one: one.secured and rights.scope_of(one) != DYNAMIC):
        scope = rights.scope_of(asking.operation)
        if rights.is_of_people(asking.operation):
            for client in (keys[FULL], keys["keys.write"]):
                with chaser.case():
                    asking.by(client).must_be(403, "forbidden", because="to a service account")
            continue
        if asking.operation.roles is not None:
            # A service account has no role.
            with chaser.case():
                asking.by(keys[FULL]).must_be(403, "forbidden", because="to a service account, which has no role")
            continue
        with chaser.case():
            _wrong_and_right(asking, keys, scope)


def _wrong_and_right(asking: Asking, keys: Keys, scope: str | None) -> None:
    if scope is not None:
        wrong = "audit.read" if scope != "audit.read" else "keys.read"
        refused(asking.by(keys[wrong]), scope)
    answer = asking.by(keys[FULL] if scope in (None, FULL) else keys[str(scope)])
    answer.must_be(asking.status, asking.code, because=f"to a service account with {scope}")


@promise()
def tools_of_people_are_closed_to_service_accounts(chaser: Subject) -> None:
    """The tools for assistants and the vault are refused to a service account when they are called; it sees them."""
    arranged = _in_organization(chaser)
    robot = chaser.as_(arranged.new_service_account_key()["key"])
    for tool, scope in TOOLS.items():
        with chaser.case():
            answer = call(robot, tool, {"session_id": 5} if tool == "terminal" else {})
            code = _told(answer).get("code")
            if scope == FULL:
                answer.require(code == "forbidden", f"the tool {tool} is refused to a service account, as forbidden")
            else:
                answer.require(code not in ("forbidden", "insufficient_scope"), f"{tool} is open to a service account")


@promise()
def no_key_gives_more_than_it_has(chaser: Subject) -> None:
    """A scoped key makes keys with its own scopes at most; a scope that does not exist is 400 unknown_scope."""
    arranged = Arranged(chaser)
    client = chaser.as_(arranged.new_key(scopes=["keys.write", "sessions.read"])["key"])
    wider: list[tuple[dict[str, Any], str]] = [
        ({}, "full"), ({"scopes": None}, "full"), ({"scopes": []}, "full"),
        ({"scopes": ["sessions.write"]}, "sessions.write"),
        ({"scopes": ["keys.write", "sessions.read", "files.read"]}, "files.read"),
    ]  # fmt: skip
    for body, missing in wider:
        with chaser.case():
            refused(client.ask("create-key", json=body), missing)
    narrower: list[list[str]] = [["keys.write"], ["sessions.read"], ["keys.write", "sessions.read"]]
    for scopes in narrower:
        with chaser.case():
            made = client.ask("create-key", json={"scopes": scopes}, expect=200)
            made.require(sorted(made.json["scopes"]) == sorted(scopes), f"the key has the scopes {scopes}")
            made.require(made.json["full_access"] is False, "a key with scopes has no full access")
    for unknown in (["nothing.read"], ["keys.write", "sessions"], ["SESSIONS.READ"], ["full"], [""]):
        with chaser.case():
            answer = arranged.client.ask("create-key", json={"scopes": unknown})
            answer.must_be(400, "unknown_scope", because=f"to the scopes {unknown}")
