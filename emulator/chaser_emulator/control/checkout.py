"""The page on which a checkout is paid or cancelled, in place of a payment provider's; and the same for programs."""

from __future__ import annotations

from typing import Any
from urllib.parse import parse_qs, urlencode, urlsplit, urlunsplit

from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from chaser_emulator import billing, uploads
from chaser_emulator.control.operations import ControlCall, control
from chaser_emulator.control.pages import FORM_KEY, form_key, is_of_page, page
from chaser_emulator.errors import ApiError, invalid_field
from chaser_emulator.store import Row
from chaser_emulator.store import billing as rows
from chaser_emulator.world import World

_TEMPLATE = "checkout.html"
_MOST_FIELDS = 16
_OUTCOMES = (rows.PAID, rows.CANCELED)


@control("list-checkouts")
async def list_checkouts(call: ControlCall) -> dict[str, Any]:
    """All that were started, or those of one account."""
    found = await rows.checkouts(call.world.store, call.query.get("account_id"))
    return {"checkouts": [_info(row) for row in found]}


@control("get-checkout")
async def get_checkout(call: ControlCall) -> Response | dict[str, Any]:
    """The page for people, the checkout as JSON for programs."""
    for_people = "text/html" in call.request.headers.get("accept", "")
    try:
        row = await _found(call)
    except ApiError as error:
        if for_people:
            return _missing(call, error)
        raise
    return _page(call, row) if for_people else _info(row)


@control("submit-checkout")
async def submit_checkout(call: ControlCall) -> Response:
    """What a button of the page does."""
    try:
        row = await _found(call)
    except ApiError as error:
        return _missing(call, error)
    outcome, key = await _sent(call.request)
    if not is_of_page(call, key):
        problem = "Another page has sent that, and nothing has changed."
        return _page(call, row, call.api.error_status["forbidden"], problem)
    try:
        done = await billing.complete(call.world, row, outcome)
    except ApiError as error:
        problem = "It had ended before, and nothing has changed."
        return _page(call, await _found(call), call.api.error_status[error.code], problem)
    # See other: a reload of what comes next sends nothing again.
    way_on = _ways_on(call.world)[outcome]
    itself = f"{call.request.scope['path'].rpartition('/')[2]}?{call.request.url.query}".rstrip("?")
    target = _with_id(way_on, done["id"]) if way_on else itself
    return RedirectResponse(target, 303, {"Cache-Control": "no-store"})


@control("complete-checkout")
async def complete_checkout(call: ControlCall) -> dict[str, Any]:
    """The same for programs."""
    return _info(await billing.complete(call.world, await _found(call), call.body["outcome"]))


async def _found(call: ControlCall) -> Row:
    checkout_id = call.path["id"]
    row = await rows.checkout(call.world.store, checkout_id)
    if row is None:
        raise ApiError("not_found", f"there is no checkout {checkout_id!r}")
    return row


def _missing(call: ControlCall, error: ApiError) -> Response:
    status = call.api.error_status[error.code]
    return page(call.request, "missing.html", status, text="There is no such checkout.")


def _page(call: ControlCall, row: Row, status: int = 200, problem: str | None = None) -> Response:
    ways_on = _ways_on(call.world).values()
    return page(
        call.request, _TEMPLATE, status, leads_to=ways_on, problem=problem, form_key=form_key(call), **_words(row)
    )


def _ways_on(world: World) -> dict[str, str | None]:
    """Where a checkout leads, by how it ends."""
    return {rows.PAID: world.settings.checkout_success_url, rows.CANCELED: world.settings.checkout_cancel_url}


async def _sent(request: Request) -> tuple[str, str]:
    """Which button was pressed, and the key of the form. Raises ApiError for anything but the page's own form."""
    raw = await uploads.read_json(request)
    try:
        form = parse_qs(raw.decode("utf-8", "replace"), max_num_fields=_MOST_FIELDS)
    except ValueError:
        raise ApiError("invalid_request", f"the body is no form of at most {_MOST_FIELDS} fields") from None
    sent = form.get("outcome", [])
    if len(sent) != 1 or sent[0] not in _OUTCOMES:
        raise invalid_field("/outcome", f"must be {' or '.join(_OUTCOMES)}")
    return sent[0], form.get(FORM_KEY, [""])[0]


def _with_id(address: str, checkout_id: str) -> str:
    """An address of the settings that says which checkout it is about."""
    parts = urlsplit(address)
    said = urlencode({"checkout_session_id": checkout_id})
    return urlunsplit(parts._replace(query=f"{parts.query}&{said}" if parts.query else said))


def _info(row: Row) -> dict[str, Any]:
    """A checkout as the control plane shows it to programs; fields that do not apply are absent."""
    told = ("id", "account_id", "status", "mode", "plan_code", "created_at", "completed_at")
    info = {name: row[name] for name in told if row[name] is not None}
    return info if row["amount_micros"] is None else info | {"amount_micros_usd": row["amount_micros"]}


def _words(row: Row) -> dict[str, Any]:
    """What the page says of a checkout."""
    topup = row["mode"] == billing.TOPUP
    return {
        "id": row["id"],
        "state": row["status"],
        "account": row["name"],
        "kind": row["kind"],
        "topup": topup,
        "plan": row["plan_code"],
        "amount": billing.shown(row["amount_micros"]) if topup else None,
    }
