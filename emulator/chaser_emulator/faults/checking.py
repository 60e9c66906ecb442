"""Refuses rules that could never match or never act in a world, each with a sentence that says why."""

from __future__ import annotations

import difflib
import fnmatch
import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

from chaser_emulator.errors import invalid_field
from chaser_emulator.faults import effects
from chaser_emulator.faults.reaching import REACHED
from chaser_emulator.faults.rule import Fault
from chaser_emulator.spec import Operation, Spec
from chaser_emulator.store import Reader, Row, identity

_TABLES: Mapping[str, tuple[str, str]] = {
    "sessions": ("sessions", "session"),
    "jobs": ("jobs", "job"),
    "webhooks": ("webhooks", "webhook"),
    "deliveries": ("deliveries", "delivery"),
    "assistants": ("assistants", "assistant"),
    "service-accounts": ("service_accounts", "service account"),
    "ssh-keys": ("ssh_keys", "SSH key"),
    "commands": ("commands", "command"),
    "keys": ("keys", "API key"),
    "members": ("users", "user"),
}
"""The table and the word of what a path names, by what stands before its parameter. (Workspaces have names, too, and
one that does not exist yet may get the name.)"""

_CLOSE, _VERY_CLOSE = 0.6, 0.85


async def checked(fault: Fault, spec: Spec, reader: Reader, earlier: Iterable[Fault], pointer: str = "") -> Fault:
    """The rule with ids for names and operations for wildcards. Raises ApiError `invalid_request`.

    `earlier` are the rules that are asked before it, without those that are spent.
    """
    fault = await _whose(fault, reader, pointer)
    if fault.layer == "webhook":
        fault = await _events(fault, spec, reader, pointer)
    else:
        fault = replace(fault, operations=_operations(fault, spec, pointer))
        await _require_resources(fault, spec, reader, pointer)
    for other in earlier:
        if other.always and other.covers(fault):
            raise invalid_field(
                pointer,
                f"would never act: the rule {other.id} comes first and always acts on what this one matches; "
                "remove it, limit it by calls or times, or add this one before it",
            )
    return fault


async def _whose(fault: Fault, reader: Reader, pointer: str) -> Fault:
    """Find the account by id or name, and the key by id, name or secret."""
    account = key = None
    if fault.account is not None:
        found = await reader.all(
            "SELECT id, name FROM accounts WHERE id = ? OR name = ?", fault.account.lower(), fault.account
        )
        exact = [row for row in found if row["id"] == fault.account.lower()] or found
        if len(exact) > 1:
            raise invalid_field(
                f"{pointer}/account", f"{len(exact)} accounts have this name; their ids are {_listed(exact, 'id')}"
            )
        if not exact:
            known = await reader.all("SELECT id, name FROM accounts ORDER BY created_at LIMIT 6")
            raise invalid_field(
                f"{pointer}/account",
                f"there is no account {fault.account!r} in this world; there are {_listed(known, 'name')}",
            )
        account = str(exact[0]["id"])
    if fault.key is not None:
        row = await _key(fault.key, reader, f"{pointer}/key")
        if account is not None:
            await _require_together(row, account, reader, f"{pointer}/key")
        key = str(row["id"])
    return replace(fault, account=account, key=key)


async def _key(given: str, reader: Reader, pointer: str) -> Row:
    found = await reader.all(
        "SELECT * FROM keys WHERE id = ? OR secret_hash = ? OR name = ?",
        given.lower(),
        identity.hash_of(given),
        given,
    )
    exact = [row for row in found if row["name"] != given] or found
    usable = [row for row in exact if row["revoked_at"] is None]
    if not exact:
        shown = "with this secret" if given.startswith("sk_") else repr(given)
        raise invalid_field(pointer, f"there is no API key {shown} in this world; its id, name or secret is accepted")
    if not usable:
        raise invalid_field(pointer, "the API key is revoked, so no call with it is let in")
    if len(usable) > 1:
        raise invalid_field(pointer, f"{len(usable)} API keys have this name; their ids are {_listed(usable, 'id')}")
    return usable[0]


async def _require_together(key: Row, account: str, reader: Reader, pointer: str) -> None:
    bound = key["account_id"]
    member = key["user_id"] is None or await identity.account_of(reader, key["user_id"], account) is not None
    if bound not in (None, account) or not member:
        raise invalid_field(pointer, "the API key cannot act in the account of this rule")


# Operations


@dataclass(frozen=True)
class _Needs:
    """One thing that an operation must have for the rule to act on it, and the words for one that has it not."""

    fits: Callable[[Operation], bool]
    otherwise: Callable[[Operation], str]


def _operations(fault: Fault, spec: Spec, pointer: str) -> frozenset[str]:
    needs = _needs(fault, spec)
    if not fault.selectors:
        able = [each for each in spec.operations.values() if _lacks(each, needs) is None]
        if not able:
            raise invalid_field(pointer, f"would never act: {_why_none(spec.operations.values(), needs)}")
        return frozenset(each.id for each in able)
    selected: set[str] = set()
    for selector in fault.selectors:
        found = _selected(selector, spec, f"{pointer}/operations")
        able = [each for each in found if _lacks(each, needs) is None]
        if not able:
            why = _lacks(found[0], needs) if len(found) == 1 else _why_none(found, needs)
            raise invalid_field(f"{pointer}/operations", f"{selector} would never have this fault: {why}")
        selected.update(each.id for each in able)
    return frozenset(selected)


def _selected(selector: str, spec: Spec, pointer: str) -> list[Operation]:
    """What a selector names: an operation, those of a tag, or those that a wildcard fits."""
    tags = {operation.tag for operation in spec.operations.values()}
    wanted = selector.removeprefix("tag:")
    if wanted in spec.operations and wanted == selector:
        return [spec.operations[wanted]]
    if wanted in tags:
        return [each for each in spec.operations.values() if each.tag == wanted]
    found = [each for each in spec.operations.values() if fnmatch.fnmatchcase(each.id, selector)]
    if found:
        return found
    if any(mark in selector for mark in "*?["):
        raise invalid_field(pointer, f"no operation fits {selector!r}; an operationId, a tag or a wildcard is accepted")
    hint = _meant(_kebab(selector), [*spec.operations, *tags]) or (
        "an operationId, a tag or a wildcard such as *-session is accepted"
    )
    raise invalid_field(pointer, f"there is no operation {selector!r}; {hint}")


def _meant(given: str, known: Iterable[str]) -> str | None:
    """A question, where there are names like the one that was given: one that is nearly the same, or some."""
    names = list(known)
    close = difflib.get_close_matches(given, names, 1, _VERY_CLOSE) or difflib.get_close_matches(
        given, names, 3, _CLOSE
    )
    return f"did you mean {' or '.join(close)}?" if close else None


def _kebab(name: str) -> str:
    """`createSession` and `create_session` as the document writes it."""
    spaced = "".join(f"-{letter.lower()}" if letter.isupper() else letter for letter in name)
    return spaced.replace("_", "-").replace(" ", "-").strip("-")


def _needs(fault: Fault, spec: Spec) -> list[_Needs]:
    needs = []
    if fault.account is not None:
        needs.append(_Needs(lambda each: each.selects_account, lambda each: f"{each.id} acts in no account"))
    if fault.key is not None:
        needs.append(_Needs(lambda each: each.secured, lambda each: f"{each.id} takes no key"))
    needs += [_parameter(name) for name in fault.path]
    return [*needs, *_needs_of_effect(fault.effect, spec)]


def _parameter(name: str) -> _Needs:
    return _Needs(lambda each: f"{{{name}}}" in each.path, lambda each: f"the path {each.path} has no parameter {name}")


_BODY = [
    _Needs(lambda each: not each.upgrades, lambda each: f"{each.id} is a WebSocket, which drop ends"),
    _Needs(lambda each: _has_body(each), lambda each: f"{each.id} answers without a body"),
]


def _needs_of_effect(effect: effects.Effect, spec: Spec) -> list[_Needs]:
    match effect:
        case effects.Error(code=code):
            if code not in spec.error_status:
                hint = _meant(code, spec.error_status) or f"{', '.join(spec.error_status)} are"
                raise invalid_field("/error", f"{code!r} is no code of the document; {hint}")
            return [
                _Needs(
                    lambda each: code in each.codes,
                    lambda each: f"the document declares no {code} for {each.id}, only {', '.join(each.codes)}",
                )
            ]
        case effects.Truncate(events=None) | effects.Slow():
            return _BODY
        case effects.Truncate():
            return [
                *_BODY,
                _Needs(_has_events, lambda each: f"{each.id} sends no events, so there is nothing to count"),
            ]
        case effects.Drop():
            return [_Needs(lambda each: each.upgrades, lambda each: f"{each.id} is no WebSocket")]
        case effects.Engine(on=on):
            return [
                _Needs(
                    lambda each: not on.isdisjoint(REACHED.get(each.id, frozenset())),
                    lambda each: _reaches_not(each, on),
                )
            ]
        case _:
            return []


def _reaches_not(operation: Operation, on: frozenset[str]) -> str:
    if operation.id not in REACHED:
        return f"{operation.id} never reaches the engine"
    done = ", ".join(sorted(REACHED[operation.id]))
    return f"{operation.id} has the engine do {done}, not {', '.join(sorted(on))}"


def _has_body(operation: Operation) -> bool:
    return any(response.content for status, response in operation.responses.items() if status < 400)


def _has_events(operation: Operation) -> bool:
    return any("text/event-stream" in response.content for response in operation.responses.values())


def _lacks(operation: Operation, needs: Iterable[_Needs]) -> str | None:
    """Why the rule can never act on an operation; None: it can."""
    return next((each.otherwise(operation) for each in needs if not each.fits(operation)), None)


def _why_none(operations: Iterable[Operation], needs: Sequence[_Needs]) -> str:
    """The first thing that none of them has."""
    listed = list(operations)
    for need in needs:
        if not any(need.fits(each) for each in listed):
            return (
                f"none of its operations can ({need.otherwise(listed[0])})"
                if len(listed) > 1
                else need.otherwise(listed[0])
            )
    return "no operation has all that it asks for"


async def _require_resources(fault: Fault, spec: Spec, reader: Reader, pointer: str) -> None:
    """Refuse ids in the path that nothing has: ids are drawn, so nothing will have them."""
    for name, value in fault.path.items():
        kinds = {_TABLES.get(_before(spec.operations[each].path, name)) for each in fault.operations}
        if None in kinds or not kinds:
            continue
        for table, _word in sorted(kind for kind in kinds if kind is not None):
            row = await reader.one(f"SELECT * FROM {table} WHERE id = ?", value.lower())  # noqa: S608 - our own names
            if row is not None and (
                fault.account is None or "account_id" not in row.keys() or row["account_id"] in (None, fault.account)  # noqa: SIM118
            ):
                break
        else:
            words = " or ".join(sorted(kind[1] for kind in kinds if kind is not None))
            where = "in the account of this rule" if fault.account is not None else "in this world"
            raise invalid_field(f"{pointer}/path/{name}", f"there is no {words} {value!r} {where}")


def _before(path: str, parameter: str) -> str:
    parts = path.split("/")
    return parts[parts.index(f"{{{parameter}}}") - 1]


# Deliveries


async def _events(fault: Fault, spec: Spec, reader: Reader, pointer: str) -> Fault:
    known: list[str] = spec.document["components"]["schemas"]["WebhookEventType"]["enum"]
    selected: set[str] = set()
    for selector in fault.events or ("*",):
        found = [each for each in known if fnmatch.fnmatchcase(each, selector)]
        if not found:
            hint = _meant(selector, known) or f"{', '.join(known)} are"
            raise invalid_field(f"{pointer}/events", f"{selector!r} is no type of event; {hint}")
        selected.update(found)
    if fault.webhook_id is not None:
        at = f"{pointer}/webhook_id"
        row = await reader.one("SELECT * FROM webhooks WHERE id = ?", fault.webhook_id.lower())
        if row is None or row["deleted_at"] is not None:
            raise invalid_field(at, f"there is no webhook {fault.webhook_id!r} in this world")
        if fault.account not in (None, row["account_id"]):
            raise invalid_field(at, "the webhook belongs to another account than the rule")
        wanted = json.loads(row["events"])
        if not any(fnmatch.fnmatchcase(each, one) for each in selected for one in wanted):
            raise invalid_field(at, f"the webhook gets none of these events, only {', '.join(wanted)}")
        fault = replace(fault, webhook_id=str(row["id"]))
    return replace(fault, event_types=frozenset(selected))


def _listed(rows: Iterable[Row], column: str) -> str:
    return ", ".join(str(row[column]) for row in rows)
