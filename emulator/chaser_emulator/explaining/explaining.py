"""From an exchange of the journal to its explanation: the step, the rules, the remedy, and what nobody reads."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from chaser_emulator.assembly import METHODS
from chaser_emulator.errors import ApiError
from chaser_emulator.explaining import sdk
from chaser_emulator.explaining.asking import FORM, SELECTOR, Ask, Asked, asked, differences
from chaser_emulator.explaining.broken import broken_rules
from chaser_emulator.explaining.explanation import Explanation, Line, Step
from chaser_emulator.explaining.mending import Menders
from chaser_emulator.explaining.places import Change
from chaser_emulator.explaining.remedies import bodies, things
from chaser_emulator.explaining.remedies.case import Case, Remedy
from chaser_emulator.explaining.remedies.choosing import remedy
from chaser_emulator.explaining.remedies.missing import parameters_of, uploaded
from chaser_emulator.explaining.repairing import NoWay
from chaser_emulator.explaining.unread import what_nobody_reads
from chaser_emulator.faults import effects
from chaser_emulator.journal import Exchange
from chaser_emulator.redaction import HIDDEN
from chaser_emulator.spec import Operation, Spec
from chaser_emulator.store import identity
from chaser_emulator.validation import validator_of
from chaser_emulator.world import World

_STEPS: Mapping[str, Step] = {
    "unauthorized": "authentication",
    "invalid_credentials": "authentication",
    "account_mismatch": "account",
    "rate_limited": "rate limit",
    "insufficient_scope": "scope",
    "forbidden": "scope",
    "method_not_allowed": "routing",
    "invalid_json": "validation",
    "invalid_request": "validation",
    "unknown_scope": "validation",
    "unknown_event": "validation",
    "unknown_job_kind": "validation",
    "unsupported_media_type": "validation",
    "payload_too_large": "validation",
    "sandbox_unavailable": "sandbox",
    "bad_gateway": "sandbox",
    "gateway_timeout": "sandbox",
    "internal_error": "emulator",
}
_BEFORE_THE_STATE = ("routing", "authentication", "account", "rate limit", "scope", "validation")
_OF_ORGANIZATIONS = ("/v1/accounts/current/members", "/v1/accounts/current/service-accounts")


async def explain(world: World, exchange: Exchange, spec: Spec, base_url: str | None = None) -> Explanation:
    """Why an exchange was refused, and what would have passed; of one that was not refused, what of it nobody read.

    `base_url` is where the lines for a shell lead to.
    """
    operation = spec.operations.get(exchange.operation or "")
    own_key = await _own_key(world)
    was = asked(exchange, spec, own_key)
    error = exchange.error or _answered_error(exchange, spec)
    target = exchange.path + (f"?{exchange.query}" if exchange.query else "")
    unread = what_nobody_reads(spec, operation, was, exchange)
    plain = Explanation(
        number=exchange.number,
        request_id=exchange.request_id,
        at=exchange.at,
        asked=f"{exchange.method} {target}",
        summary=_unrefused(exchange),
        operation=exchange.operation,
        status=exchange.status,
        fault=_fault(world, exchange),
        ignored=[one for one, _near in unread],
        hints=[f"{near} instead of {one}" for one, near in unread if near is not None],
    )
    teller = _Teller(spec, exchange, base_url or world.lifecycle.base_url or "http://localhost:8000")
    if plain.fault is not None and plain.fault.get("decides", True):
        return _of_fault(teller, plain, was, error)
    if error is None:
        return plain
    menders = Menders(spec, validator_of(spec), world.clock.now())
    case = Case(world, spec, menders, exchange, operation, error, was, own_key, dict(error.state))
    step = _step(error, operation)
    found = _with_file(case, await _completed(case, step, await remedy(case)))
    explained = replace(
        plain,
        code=error.code,
        message=error.message,
        summary=_summary(step, error),
        step=step,
        rules=broken_rules(spec, operation or _of_another_method(spec, was.ask), error, was),
        state={name: value for name, value in case.state.items() if value is not None},
    )
    return teller.with_remedy(explained, was, found)


async def _own_key(world: World) -> str | None:
    row = await identity.credential(world.store, world.api_key)
    return str(row["id"]) if row is not None else None


def _answered_error(exchange: Exchange, spec: Spec) -> ApiError | None:
    """The refusal that an answer is, where nobody raised one: planned ones come so."""
    body = exchange.response_body
    if (exchange.status or 0) < 400 or not isinstance(body, Mapping) or body.get("code") not in spec.error_status:
        return None
    return ApiError(str(body["code"]), str(body.get("message", "")), details=body.get("details"))


def _step(error: ApiError, operation: Operation | None) -> Step:
    if error.code == "not_found" and operation is None:
        return "routing"
    if error.code == "not_found" and error.message.startswith("X-Chaser-Account"):
        return "account"
    return _STEPS.get(error.code, "state")


def _unrefused(exchange: Exchange) -> str:
    if exchange.upgraded:
        return "Nothing was refused: the WebSocket was opened."
    if exchange.status is None:
        return "It was not answered." if exchange.done else "It is still being answered."
    return f"Nothing was refused: it was answered with {exchange.status}."


_WORDS: Mapping[Step, str] = {
    "routing": "No route takes it",
    "authentication": "The credential was refused",
    "account": "The account was refused",
    "rate limit": "The rate limit refused it",
    "scope": "The caller may not do this",
    "validation": "Its form was refused",
    "state": "It was well formed, and the state of things refused it",
    "sandbox": "The sandbox refused it, or what stands behind it",
    "fault": "A planned fault answered it",
    "emulator": "The emulator failed",
}


def _summary(step: Step, error: ApiError) -> str:
    more = len(error.problems) - 1
    others = f" (and {more} more)" if more > 0 else ""
    return f"{_WORDS[step]}: {error.message}{others}."


def _of_another_method(spec: Spec, ask: Ask) -> Operation | None:
    """Any operation of a path that is there but takes another method."""
    found = (parameters_of(spec, replace(ask, method=method.upper())) for method in METHODS)
    return next((known[0] for known in found if known is not None), None)


# Faults


def _fault(world: World, exchange: Exchange) -> dict[str, Any] | None:
    """The planned fault that had a hand in it, and whether it was the one to answer."""
    if exchange.fault is None:
        return None
    for planned in world.faults:
        if planned.fault.id == exchange.fault:
            slow = isinstance(planned.fault.effect, effects.Latency)
            return {**planned.info(), "decides": not slow}
    return {"id": exchange.fault, "removed": True, "decides": True}


def _of_fault(teller: _Teller, plain: Explanation, was: Asked, error: ApiError | None) -> Explanation:
    fault_id = (plain.fault or {}).get("id")
    told = "it was never answered" if plain.status is None else f"it was answered with {plain.status}"
    summary = f"{_WORDS['fault']}: rule {fault_id} had its turn, and {told}."
    explained = replace(plain, summary=summary, step="fault")
    if error is not None:
        explained = replace(explained, code=error.code, message=error.message)
    gone = (plain.fault or {}).get("removed")
    remove = Ask("DELETE", f"/_emulator/faults/{fault_id}", headers={"x-chaser-world": teller.exchange.world})
    return teller.with_remedy(explained, was, Remedy(was.ask, () if gone else (remove,)))


# The way on


async def _completed(case: Case, step: Step, found: Remedy) -> Remedy:
    """A remedy that goes all the way: what is mended first must be well formed too, and name what is there."""
    ask = found.passes
    if ask is None or step not in _BEFORE_THE_STATE:
        return found
    known = parameters_of(case.spec, ask)
    if known is None:
        return found
    operation, path = known
    account = await _account_of(case, ask)
    inner = replace(case, operation=operation, asked=replace(case.asked, ask=ask), acting_in=account)
    ask, organization = await _in_organization(inner, operation, ask)
    if organization or ask is not inner.ask:
        # A new one has nothing in it yet.
        account = "" if organization else ask.headers[SELECTOR]
        inner = replace(inner, asked=replace(case.asked, ask=ask), acting_in=account)
    parameters, first = await things.settled(inner, path)
    if parameters != path:
        ask = ask.at_path(operation, parameters)
    try:
        ask = case.menders.request(operation, ask, parameters)
    except NoWay:
        return replace(found, passes=None, why_not="its form is wrong as well, and nothing near it was found")
    redirect = dict(ask.query).get("redirect_uri")
    if redirect is not None and redirect != dict(case.ask.query).get("redirect_uri"):
        # An address of this machine is always on the list.
        ask = ask.with_query("redirect_uri", "http://localhost:3000/callback")
    ask, more = await bodies.settled(inner, case.ask.body, ask)
    return replace(found, passes=ask, first=(*found.first, *organization, *first, *more))


def _with_file(case: Case, found: Remedy) -> Remedy:
    """A remedy whose download finds in another session what it looks for."""
    known = parameters_of(case.spec, found.passes) if found.passes is not None else None
    if known is None or found.passes is None or known[0].id != "download-session-file":
        return found
    same = known[1] == dict(case.asked.parameters) and found.passes.query == case.ask.query
    if same or any(ask.path.endswith("/upload") for ask in found.first):
        return found
    return replace(found, first=(*found.first, uploaded(case, found.passes, known[1])))


async def _in_organization(case: Case, operation: Operation, ask: Ask) -> tuple[Ask, tuple[Ask, ...]]:
    """The request in an organization where it works on none but those."""
    if not operation.path.startswith(_OF_ORGANIZATIONS) or operation.id == "list-current-members":
        return ask, ()
    row = await case.one("SELECT kind FROM accounts WHERE id = ?", case.account_id)
    if row is None or row["kind"] != identity.PERSONAL:
        return ask, ()
    other = await case.one(
        """SELECT account_id FROM members WHERE role = 'owner' AND account_id <> ?1
           AND user_id = (SELECT user_id FROM members WHERE account_id = ?1) LIMIT 1""",
        case.account_id,
    )
    if other is not None:
        return ask.with_header(SELECTOR, str(other["account_id"])), ()
    made = case.beside("POST", "/v1/accounts/organizations", {"name": "acme"}, CHASER_ACCOUNT_ID="/account/id")
    return ask.with_header(SELECTOR, "$CHASER_ACCOUNT_ID"), (made.with_header(SELECTOR, None),)


async def _account_of(case: Case, ask: Ask) -> str:
    """The account that a request will act in; none where that is still to be made."""
    selector = ask.headers.get(SELECTOR, "")
    if selector.startswith("$CHASER_"):
        return ""
    if case.exchange.account_id is not None:
        return case.exchange.account_id
    row = await case.one(
        "SELECT id FROM accounts WHERE id = ? OR name = ? ORDER BY id = ? DESC LIMIT 1",
        selector.lower(), selector, selector.lower(),
    )  # fmt: skip
    if row is None:
        row = await case.one("SELECT account_id AS id FROM keys WHERE id = ?", case.exchange.key_id or "")
    return str(row["id"]) if row is not None and row["id"] else case.world.account_id


class _Teller:
    """Puts requests into words, without what is secret in them."""

    def __init__(self, spec: Spec, exchange: Exchange, base_url: str) -> None:
        self._spec = spec
        self.exchange = exchange
        self._base_url = base_url

    def with_remedy(self, explained: Explanation, was: Asked, found: Remedy) -> Explanation:
        """The explanation with what helps."""
        if found.passes is None:
            return replace(explained, why_not=found.why_not, note=found.note)
        return replace(
            explained,
            first=[self.line(ask) for ask in found.first],
            passes=self.line(found.passes),
            changes=self.changes(explained, was, found.passes),
            note=found.note,
            wait_seconds=found.wait_seconds,
            acts_as=found.acts_as,
        )

    def changes(self, explained: Explanation, was: Asked, passes: Ask) -> list[Change]:
        """What is different; of secrets only that they are."""
        broken = was.broken is not None
        told = differences(self.shown(was.ask), self.shown(passes), rewritten=broken)
        known = {(change.location, change.place) for change in told}
        if not broken:
            for change in differences(was.ask, passes):
                if change.location == "body" and ("body", change.place) not in known and change.place:
                    told.append(replace(change, before=HIDDEN, after=HIDDEN))
        if not told and explained.step == "validation" and passes.media_type is not None:
            kind = "a form with each part once" if passes.media_type == FORM else "JSON"
            told.append(Change("body", "", kind, self.shown(passes).body, "rewritten"))
        return told

    def shown(self, ask: Ask) -> Ask:
        """A request as it may be told."""
        known = parameters_of(self._spec, ask)
        # What is a secret in either of the two is one: it may have come to another operation than it was meant for.
        body = self.exchange.hidden(ask.body)
        return replace(ask, body=self.exchange.hidden(body, known[0]) if known is not None else body)

    def line(self, ask: Ask) -> Line:
        """A request with what is typed to make it."""
        ask = self.shown(ask)
        known = parameters_of(self._spec, ask)
        call = sdk.line(known[0].id, ask, known[1]) if known is not None else None
        return Line(ask, ask.curl(self._base_url), call)
