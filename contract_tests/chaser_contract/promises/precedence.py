"""Precedence: of two things that are wrong with a request the earlier one in the order of all requests is told."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from itertools import combinations
from typing import Any

from chaser_emulator.meter import Limits
from chaser_emulator.spec import Operation

from chaser_contract.arranging import Arranged
from chaser_contract.asking import UNKNOWN, Asking
from chaser_contract.client import Client
from chaser_contract.document import JSON
from chaser_contract.promises import promise
from chaser_contract.subject import Subject

UNAUTHORIZED, ACCOUNT, RATE, SCOPE, FORM, MISSING = "credential", "account", "rate", "scope", "form", "resource"
ORDER = (UNAUTHORIZED, ACCOUNT, RATE, SCOPE, FORM, MISSING)
"""What can be wrong, in the order in which it is told."""

ANSWERS: dict[str, tuple[int, tuple[str, ...]]] = {
    UNAUTHORIZED: (401, ("unauthorized",)),
    ACCOUNT: (403, ("account_mismatch",)),
    RATE: (429, ("rate_limited",)),
    SCOPE: (403, ("insufficient_scope",)),
    FORM: (400, ("invalid_request", "invalid_json")),
    MISSING: (404, ("not_found",)),
}


@dataclass(frozen=True)
class Callers:
    """Callers with something wrong. All keys are bound to the organization that everything is made in."""

    right: Client
    scoped: dict[str, Client]
    """For each scope a key that has another one alone."""
    busy: dict[str, str] | None
    """The headers that lead to where every bucket is empty."""

    def of(self, faults: set[str], operation: Operation) -> Client:
        client = self.scoped[str(operation.scope)] if SCOPE in faults else self.right
        if UNAUTHORIZED in faults:
            client = replace(client, credential=None)
        # A key that is bound to one account, with another account of its user.
        return replace(client, account="personal") if ACCOUNT in faults else client


@promise("emulator")
def of_two_faults_the_earlier_is_told(chaser: Subject) -> None:
    """401 comes before the account's 403 and 404, then 429, 403 for a scope, 400 and 415, and 404 and 409 at last."""
    organization = Arranged(chaser).in_organization
    arranged = Arranged(chaser, organization)
    callers = replace(_callers(chaser, arranged), busy=None)
    askings = list(arranged.every(lambda one: one.secured and one.selects_account))
    with _busy(chaser) as busy:
        callers = replace(callers, busy=busy)
        for asking in askings:
            for earlier, later in combinations(_faults(asking), 2):
                with chaser.case():
                    _tried(callers, asking, earlier, later)


def _tried(callers: Callers, asking: Asking, earlier: str, later: str) -> None:
    operation, faults = asking.operation, {earlier, later}
    if operation.scope == "dynamic" and SCOPE in faults:
        # Which scope it takes is in the body, or in what the path names.
        return
    if FORM in faults:
        asking = _malformed(asking)
    if MISSING in faults:
        asking = asking.but(path=asking.unknown(*[name for name in asking.path if name not in ("target", "guid")]))
    answer = asking.by(callers.of(faults, operation), headers=(callers.busy or {}) if RATE in faults else {})
    status, codes = ANSWERS[earlier]
    if earlier == FORM and operation.id == "mcp-handler":
        codes = ()
    because = f"to a request with a wrong {earlier} and a wrong {later}"
    answer.must_be(status, because=because)
    answer.require(not codes or answer.code in codes, f"it answers {status} {codes[:1]} {because}")


def _faults(asking: Asking) -> list[str]:
    """What can be wrong with requests for an operation, in order."""
    operation = asking.operation
    return [
        one
        for one in ORDER
        if one in (UNAUTHORIZED, ACCOUNT)
        or (one == RATE and operation.rate is not None)
        or (one == SCOPE and operation.scope is not None)
        or (one == FORM and (operation.body is not None or _bounded(operation) is not None))
        or (one == MISSING and bool(asking.path))
    ]


def _malformed(asking: Asking) -> Asking:
    operation = asking.operation
    if operation.body is None:
        return asking.but(query={**(asking.query or {}), str(_bounded(operation)): "x"})
    if JSON in operation.body.content:
        return asking.but(content=b'{"a": ', media_type=JSON)
    return asking.but(files={"nothing": (None, b"of it")})


def _bounded(operation: Operation) -> str | None:
    """A parameter of the query that does not take every text."""
    kinds = ("integer", "boolean")
    found = (one for one in operation.parameters if one.location == "query" and one.schema.get("type") in kinds)
    return next((one.name for one in found), None)


@promise("emulator")
def a_media_type_is_told_after_a_scope_and_before_what_is_missing(chaser: Subject) -> None:
    """415 comes after 401, 403 and 429, and before 404."""
    organization = Arranged(chaser).in_organization
    arranged = Arranged(chaser, organization)
    callers = _callers(chaser, arranged)
    for asking in arranged.every(lambda one: one.body is not None and one.secured):
        wrong = asking.but(content=b"{}", media_type="text/plain")
        for fault in (UNAUTHORIZED, ACCOUNT, SCOPE):
            if fault == SCOPE and asking.operation.scope in (None, "dynamic"):
                continue
            with chaser.case():
                status, codes = ANSWERS[fault]
                answer = wrong.by(callers.of({fault}, asking.operation))
                answer.must_be(status, codes[0], because=f"before 415, to a wrong {fault}")
        if asking.path:
            with chaser.case():
                answer = wrong.but(path=wrong.unknown()).by(callers.right)
                answer.must_be(415, "unsupported_media_type", because="before 404")


@promise()
def a_role_is_told_before_the_form_and_what_is_missing(chaser: Subject) -> None:
    """403 forbidden for a member of an organization, or a service account, comes before 400 and 404."""
    arranged = Arranged(chaser, Arranged(chaser).in_organization)
    member = arranged.new_person("member")
    robot = chaser.as_(arranged.new_service_account_key()["key"])
    for asking in arranged.every(lambda one: one.roles is not None or not one.service_accounts):
        callers = {"a member": member} if asking.operation.roles is not None else {}
        callers |= {"a service account": robot} if not asking.operation.service_accounts else {}
        for who, client in callers.items():
            wrong = [asking]
            if asking.operation.body is not None:
                wrong.append(_malformed(asking))
            if asking.path:
                wrong.append(asking.but(path=asking.unknown()))
            for one in wrong:
                with chaser.case():
                    one.by(client).must_be(403, "forbidden", because=f"to {who}, whatever is wrong besides")


@promise()
def a_wrong_form_is_told_before_a_limit_of_the_plan(chaser: Subject) -> None:
    """400 comes before 402 and 403 for what an account may have, where the request is wrong as well."""
    user = chaser.as_(Arranged(chaser).new_user()["access_token"])
    wrong: list[dict[str, Any]] = [{"session_type": "nothing"}, {"ephemeral": "yes"}]
    for model in ("free", "usage_based"):
        user.ask("update-billing-account", json={"pricing_model": model}, expect=200)
        for body in wrong:
            with chaser.case():
                answer = user.ask("create-session", json=body)
                answer.must_be(400, "invalid_request", because=f"on the plan {model}, to {body}")
        with chaser.case():
            answer = user.ask("create-workspace", json={"name": "a b"})
            answer.must_be(400, "invalid_request", because=f"on the plan {model}, to a name that no workspace can have")


def _callers(chaser: Subject, arranged: Arranged) -> Callers:
    schema = chaser.document.spec.document["components"]["schemas"]["Scope"]
    scopes: list[str] = schema["enum"]
    others = {scope: scopes[(number + 1) % len(scopes)] for number, scope in enumerate(scopes)} | {"full": scopes[0]}
    keys = {other: chaser.as_(arranged.new_key(scopes=[other])["key"]) for other in set(others.values())}
    return Callers(chaser.as_(arranged.new_key()["key"]), {scope: keys[other] for scope, other in others.items()}, None)


@contextmanager
def _busy(chaser: Subject) -> Iterator[dict[str, str]]:
    """A fork in which the caller may ask once on each surface, and has done so."""
    fork = chaser.steered.fork(rate_limit=Limits(per_principal=1, per_account=10_000, window=3600))
    try:
        headers = {"X-Chaser-World": fork.world.id}
        surfaces: dict[str, Asking] = {}
        arranged = Arranged(chaser)
        for operation in chaser.document.operations.values():
            if operation.rate is not None and operation.rate not in surfaces:
                path = dict.fromkeys(_parameters(operation), UNKNOWN)
                surfaces[operation.rate] = arranged.asking(operation.id, path=path)
        for asking in surfaces.values():
            asking.by(chaser.client, headers=headers)
        yield headers
    finally:
        fork.delete()


def _parameters(operation: Operation) -> list[str]:
    return [one.name for one in operation.parameters if one.location == "path"]
