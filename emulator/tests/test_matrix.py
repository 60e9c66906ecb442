"""Who may do what: every operation with every kind of caller, decided by the document and held against the answers."""

from __future__ import annotations

import re
import uuid
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from typing import Any

import httpx
import pytest
from chaser_emulator import assembly
from chaser_emulator.meter import Limits
from chaser_emulator.server import Running
from emulators import emulator_on, http_of
from people import Organization, ok, organization_of, refused

DOCUMENT = assembly.assemble()
NODES = {node["operationId"]: (path, method, node) for path, method, node in assembly.operations(DOCUMENT)}
SCOPES: tuple[str, ...] = tuple(DOCUMENT["components"]["schemas"]["Scope"]["enum"])
KINDS: dict[str, str] = DOCUMENT["components"]["schemas"]["JobKind"]["x-scopes"]
TOOLS: dict[str, str] = DOCUMENT["components"]["schemas"]["McpToolName"]["x-scopes"]
ADMISSION = frozenset({"unauthorized", "insufficient_scope", "forbidden", "account_mismatch"})
PASSWORD = "a password for tests"


@dataclass(frozen=True)
class Caller:
    """Somebody with a credential: `scopes` None is full access, `role` None a service account's."""

    client: httpx.Client
    service_account: bool = False
    scopes: frozenset[str] | None = None
    role: str | None = None
    foreign: str | None = None
    """The code that choosing this account is refused with."""

    def may(self, scope: str) -> bool:
        return self.scopes is None or scope in self.scopes


@pytest.fixture(scope="module")
def emulator() -> Iterator[Running]:
    with emulator_on("scripted", rate_limit=Limits(enabled=False)) as one:
        yield one


@pytest.fixture(scope="module")
def company(emulator: Running) -> Iterator[Organization]:
    with organization_of(emulator) as one:
        yield one


@pytest.fixture(scope="module")
def callers(emulator: Running, company: Organization) -> Iterator[dict[str, Caller]]:
    """Every kind of caller there is, each acting in the same organization or trying to."""
    with ExitStack() as stack:

        def client(key: str, account: str | None = None) -> httpx.Client:
            return stack.enter_context(http_of(emulator, key, account))

        found: dict[str, Caller] = {}
        for role in ("owner", "admin", "member"):
            found[role] = Caller(getattr(company, role), role=role)
            found[f"{role} by access token"] = Caller(client(token(emulator, company, role), company.id), role=role)
        for scope in SCOPES:
            made = ok(company.owner.post("/v1/keys", json={"scopes": [scope]}))["key"]
            found[f"key with {scope}"] = Caller(client(made), scopes=frozenset({scope}), role="owner")
        robot = ok(company.owner.post("/v1/accounts/current/service-accounts", json={"name": "robot"}))
        keys = f"/v1/accounts/current/service-accounts/{robot['service_account']['id']}/keys"
        found["service account"] = Caller(client(ok(company.owner.post(keys, json={}))["key"]), service_account=True)
        for scope in SCOPES:
            made = ok(company.owner.post(keys, json={"scopes": [scope]}))["key"]
            scoped = Caller(client(made), service_account=True, scopes=frozenset({scope}))
            found[f"service account with {scope}"] = scoped
        outsider = company.people["outsider"].key
        found["somebody else"] = Caller(client(outsider, company.id), role="owner", foreign="not_found")
        bound = ok(company.outsider.post("/v1/keys", json={}))["key"]
        found["somebody else by a bound key"] = Caller(client(bound, company.id), role="owner", foreign="not_found")
        own = ok(client(company.people["owner"].key).post("/v1/keys", json={}))["key"]
        found["a key of another account"] = Caller(client(own, company.id), role="owner", foreign="account_mismatch")
        yield found


def token(emulator: Running, company: Organization, role: str) -> str:
    """The access token of a new member of the organization."""
    email = f"{uuid.uuid4().hex[:12]}@example.com"
    with httpx.Client(base_url=emulator.url) as client:
        signed_in = ok(client.post("/auth/register", json={"email": email, "password": PASSWORD}))
    ok(company.owner.post("/v1/accounts/current/members", json={"email": email, "role": role}))
    return str(signed_in["access_token"])


def decision(node: dict[str, Any], caller: Caller) -> str | None:
    """The code that the document has the caller refused with, or None where it lets them in."""
    if not node.get("security", DOCUMENT["security"]):
        return None
    if caller.foreign is not None and node.get("x-account") != "none":
        return caller.foreign
    if caller.service_account and not node.get("x-service-account", True):
        return "forbidden"
    scope = node.get("x-scope", "none")
    if (scope == "full" and caller.scopes is not None) or (scope in SCOPES and not caller.may(scope)):
        return "insufficient_scope"
    # A service account has no role, and what is for some roles alone is not for it.
    if "x-roles" in node and caller.role not in node["x-roles"]:
        return "forbidden"
    return None


def send(client: httpx.Client, operation_id: str) -> httpx.Response:
    """A request that changes nothing, whoever is let in: its body is no JSON, and what it names does not exist."""
    path, method, node = NODES[operation_id]
    address = re.sub(r"\{[^}]*\}", str(uuid.uuid4()), path)
    if "requestBody" not in node:
        return client.request(method, address, follow_redirects=False)
    return client.request(method, address, content=b"{", headers={"Content-Type": "application/json"})


# What only a look at the resource can tell, and the document therefore leaves to the operation.
BY_RESOURCE = {("remove-current-member", "member"): "forbidden"}


@pytest.mark.parametrize("operation_id", sorted(NODES))
def test_the_document_decides_who_is_let_in(callers: dict[str, Caller], operation_id: str) -> None:
    _path, _method, node = NODES[operation_id]
    wrong = []
    for name, caller in callers.items():
        wanted = decision(node, caller) or BY_RESOURCE.get((operation_id, caller.role or ""))
        answer = send(caller.client, operation_id)
        # What is no request at all, MCP refuses in the words of JSON-RPC, which have no such code.
        code = answer.json().get("code") if answer.status_code >= 400 else None
        if wanted is not None:
            good = code == wanted and answer.status_code == status_of(wanted)
        else:
            good = code not in ADMISSION or not node.get("security", DOCUMENT["security"])
        if not good:
            wrong.append(f"{name}: {wanted or 'let in'} by the document, {answer.status_code} {code} in truth")
    assert not wrong


def status_of(code: str) -> int:
    return int(DOCUMENT["x-error-codes"][code]["status"])


@pytest.mark.parametrize("operation_id", sorted(name for name in NODES if NODES[name][2].get("security") != []))
def test_nobody_is_let_in_without_a_credential(emulator: Running, operation_id: str) -> None:
    with httpx.Client(base_url=emulator.url) as client:
        refused(send(client, operation_id), 401, "unauthorized")


def inputs(kind: str) -> dict[str, Any]:
    """An input that the document gives for a kind."""
    schemas = DOCUMENT["components"]["schemas"]
    chain = schemas["JobInputOfKind"]
    while chain["if"]["properties"]["kind"]["const"] != kind:
        if "if" not in chain["else"]:
            raise AssertionError(f"no input for {kind}")
        chain = chain["else"]
    name = chain["then"]["properties"]["input"]["$ref"].rpartition("/")[2]
    example: dict[str, Any] = schemas[name]["examples"][0]
    return example


def body_of(kind: str) -> dict[str, Any]:
    found = {"workspace": "none", "steps": [{"command": "true"}]} if kind == "pipeline.run" else inputs(kind)
    return {"kind": kind, "input": found, "run_at": "2100-01-01T00:00:00Z"}


@pytest.mark.parametrize("kind", KINDS)
def test_the_document_decides_who_queues_cancels_and_retries_a_kind_of_job(
    callers: dict[str, Caller], company: Organization, kind: str
) -> None:
    wrong = []

    def look(name: str, what: str, caller: Caller, answer: httpx.Response) -> None:
        wanted = "not_found" if caller.foreign == "not_found" else caller.foreign
        if wanted is None and not caller.may(KINDS[kind]):
            wanted = "insufficient_scope"
        code = None if answer.status_code == 200 else answer.json()["code"]
        if code != wanted:
            wrong.append(f"{name} may not {what}: {code}" if code else f"{name} may {what}, which is {wanted}")

    for name, caller in callers.items():
        look(name, "queue", caller, caller.client.post("/v1/jobs", json=body_of(kind)))
        job = f"/v1/jobs/{ok(company.owner.post('/v1/jobs', json=body_of(kind)))['id']}"
        look(name, "cancel", caller, caller.client.post(f"{job}/cancel"))
        company.owner.post(f"{job}/cancel")
        look(name, "retry", caller, caller.client.post(f"{job}/retry"))
        company.owner.post(f"{job}/cancel")
    assert not wrong


@pytest.mark.parametrize("tool", TOOLS)
def test_the_document_decides_who_calls_a_tool(callers: dict[str, Caller], tool: str) -> None:
    wrong = []
    for name, caller in callers.items():
        if caller.foreign is not None:
            continue
        wanted = None
        if caller.service_account and TOOLS[tool] == "full":
            wanted = "forbidden"
        elif not (caller.scopes is None if TOOLS[tool] == "full" else caller.may(TOOLS[tool])):
            wanted = "insufficient_scope"
        # Arguments that no tool takes: whoever may call it is told so.
        request = {"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": {"name": tool, "arguments": {"x": []}}}
        answer = ok(caller.client.post("/v1/mcp", json=request))
        code = next((code for code in sorted(ADMISSION) if f'"{code}"' in str(answer).replace("'", '"')), None)
        if code != wanted:
            wrong.append(f"{name}: {wanted or 'let in'} by the document, in truth {answer}")
    assert not wrong
