"""The page on which a checkout is paid or cancelled, in place of a payment provider's; and the same for programs."""

from __future__ import annotations

from typing import Any
from urllib.parse import parse_qs, urlencode, urlsplit, urlunsplit

from starlette.requests import Request
from starlette.responses import JSONResponse, RedirectResponse, Response
from starlette.routing import Route

from chaser_emulator import billing, uploads
from chaser_emulator.control.pages import page
from chaser_emulator.control.reading import Reading
from chaser_emulator.errors import ApiError, invalid_field
from chaser_emulator.spec import Spec
from chaser_emulator.store import Row
from chaser_emulator.store import billing as rows
from chaser_emulator.world import World

_TEMPLATE = "checkout.html"
_MOST_FIELDS = 16
_OUTCOMES = (rows.PAID, rows.CANCELED)
_COMPLETE = {
    "type": "object",
    "required": ["outcome"],
    "additionalProperties": False,
    "properties": {"outcome": {"type": "string", "enum": list(_OUTCOMES)}},
}


def routes(world: World, spec: Spec) -> list[Route]:
    """GET and POST /checkout/{id}, for people; POST /checkout/{id}/complete, for programs."""
    reading = Reading(spec)
    ways_on = {rows.PAID: world.settings.checkout_success_url, rows.CANCELED: world.settings.checkout_cancel_url}

    def shown(request: Request, row: Row, status: int = 200, problem: str | None = None) -> Response:
        return page(request, _TEMPLATE, status, leads_to=ways_on.values(), problem=problem, **_words(row))

    async def found(request: Request) -> Row:
        checkout_id = request.path_params["id"]
        row = await rows.checkout(world.store, checkout_id)
        if row is None:
            raise ApiError("not_found", f"there is no checkout {checkout_id!r}")
        return row

    # One route: two for one path would each name only their own method in a 405.
    async def show_or_send(request: Request) -> Response:
        for_people = request.method == "POST" or "text/html" in request.headers.get("accept", "")
        try:
            row = await found(request)
        except ApiError as error:
            if not for_people:
                raise
            return page(request, "missing.html", spec.error_status[error.code], text="There is no such checkout.")
        if request.method != "POST":
            return shown(request, row) if for_people else JSONResponse(_info(row))
        outcome = await _sent(request)
        try:
            done = await billing.complete(world, row, outcome)
        except ApiError as error:
            now = await found(request)
            problem = "It had ended before, and nothing has changed."
            return shown(request, now, spec.error_status[error.code], problem)
        # See other: a reload of what comes next sends nothing again.
        way_on = ways_on[outcome]
        target = _with_id(way_on, done["id"]) if way_on else request.scope["path"].rpartition("/")[2]
        return RedirectResponse(target, 303, {"Cache-Control": "no-store"})

    async def complete(request: Request) -> Response:
        row = await found(request)
        body = await reading.body(request, _COMPLETE)
        return JSONResponse(_info(await billing.complete(world, row, body["outcome"])))

    return [
        Route("/checkout/{id}", show_or_send, methods=["GET", "POST"]),
        Route("/checkout/{id}/complete", complete, methods=["POST"]),
    ]


async def _sent(request: Request) -> str:
    """Which button was pressed. Raises ApiError for anything but the page's own form."""
    media_type = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    raw = await uploads.read_json(request)
    if media_type != "application/x-www-form-urlencoded":
        raise ApiError("unsupported_media_type", "the page sends a form; POST …/complete takes JSON")
    try:
        sent = parse_qs(raw.decode("utf-8", "replace"), max_num_fields=_MOST_FIELDS).get("outcome", [])
    except ValueError:
        raise ApiError("invalid_request", f"the body is no form of at most {_MOST_FIELDS} fields") from None
    if len(sent) != 1 or sent[0] not in _OUTCOMES:
        raise invalid_field("/outcome", f"must be {' or '.join(_OUTCOMES)}")
    return sent[0]


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
