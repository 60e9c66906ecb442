"""The document: it is served as it is bundled, and says of rights, surfaces, audit and codes what is ruled."""

from __future__ import annotations

import json
from typing import Any

from chaser_contract import rights
from chaser_contract.broken import Broken
from chaser_contract.promises import promise
from chaser_contract.subject import Subject


@promise(writes=False)
def the_document_is_served_as_it_is(chaser: Subject) -> None:
    """GET /api-docs/openapi.json, which takes no credential, is the document, with the server's own URL first."""
    for client in (chaser.nobody, chaser.client):
        answer = client.ask("get-openapi-document", expect=200)
        served, bundled = answer.json, json.loads(json.dumps(chaser.document.spec.document))
        answer.require(
            served.get("openapi") == "3.1.0" and served.get("info", {}).get("title") == "Chaser Core API",
            "the document is OpenAPI 3.1.0, called Chaser Core API",
        )
        if chaser.emulator is not None:
            url = served["servers"][0]["url"]
            answer.require(url.rstrip("/") == chaser.url, "the server's own URL comes first", f"it is {url}")
            for part in ("paths", "components"):
                where = _difference(served.get(part), bundled[part], f"#/{part}")
                answer.require(where is None, "what is served is the bundled document", f"it differs at {where}")


def _difference(one: Any, other: Any, pointer: str) -> str | None:
    """Where two values differ first."""
    if isinstance(one, dict) and isinstance(other, dict):
        for name in [*other, *(key for key in one if key not in other)]:
            if name not in one or name not in other:
                return f"{pointer}/{name}"
            if (found := _difference(one[name], other[name], f"{pointer}/{name}")) is not None:
                return found
        return None
    return None if one == other else pointer


@promise(writes=False)
def the_page_to_read_it_is_there(chaser: Subject) -> None:
    """GET /swagger-ui is a page of HTML for everybody."""
    answer = chaser.nobody.ask("swagger-ui", expect=200)
    answer.require(answer.headers.get("content-type", "").startswith("text/html"), "the page is HTML")
    answer.require(b"<html" in answer.body.lower(), "the page is one of HTML")


@promise(writes=False)
def rights_are_as_ruled(chaser: Subject) -> None:
    """Each operation needs the scope and the roles that are ruled, is counted on its surface, and audited."""
    for operation in chaser.document.operations.values():
        audit = None if operation.audit is None else (operation.audit.action, operation.audit.resource_type)
        for what, said, ruled in (
            ("the scope", operation.scope, rights.scope_of(operation)),
            ("the roles", operation.roles, rights.roles_of(operation)),
            ("being closed to service accounts", not operation.service_accounts, rights.is_of_people(operation)),
            ("the surface", operation.rate, rights.surface_of(operation)),
            ("the audited action", audit, rights.AUDITED.get(operation.id)),
        ):
            with chaser.case():
                if said != ruled:
                    raise Broken(f"{operation.id}: {what} is {ruled}", f"it is {said}", pointer=operation.pointer)


@promise(writes=False)
def codes_are_as_ruled(chaser: Subject) -> None:
    """The codes of refusals are one closed list, each with one status."""
    ruled = {code: status for status, codes in rights.CODES.items() for code in codes.split()}
    said = dict(chaser.document.spec.error_status)
    if said != ruled:
        differ = {
            code: (said.get(code), ruled.get(code)) for code in {*said, *ruled} if said.get(code) != ruled.get(code)
        }
        raise Broken("the document has the codes that are ruled, with their statuses", f"{differ} differ")
    for operation in chaser.document.operations.values():
        with chaser.case():
            _its_own(operation.id, operation.codes, ruled, operation.pointer, secured=operation.secured)


def _its_own(name: str, codes: Any, ruled: dict[str, int], pointer: str, *, secured: bool) -> None:
    wrong = {code: status for code, status in codes.items() if ruled.get(code) != status}
    if wrong:
        raise Broken(f"{name}: each code has its status", f"{wrong}", pointer=f"{pointer}/responses")
    if secured and not {"unauthorized", "account_mismatch", "not_found"} <= codes.keys():
        raise Broken(f"{name}: it may refuse a credential and an account", f"{sorted(codes)}", pointer=pointer)


@promise(writes=False)
def kinds_tools_and_scopes_are_as_ruled(chaser: Subject) -> None:
    """There are fourteen scopes, nine kinds of jobs and eighteen tools, each with its scope."""
    spec = chaser.document.spec
    for what, said, ruled in (
        ("scopes", sorted(spec.scopes), sorted(rights.SCOPES)),
        ("scopes of kinds of jobs", dict(spec.scopes_of("JobKind")), rights.KINDS),
        ("scopes of tools", dict(spec.scopes_of("McpToolName")), rights.TOOLS),
    ):
        with chaser.case():
            if said != ruled:
                raise Broken(f"the document has the {what} that are ruled", f"{said} is not {ruled}")
