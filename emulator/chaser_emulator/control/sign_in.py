"""The pages that stand in for Google, GitHub and OpenAI: somebody says who they are, and goes back with a code."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any
from urllib.parse import parse_qs, urlencode, urlsplit, urlunsplit

from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from chaser_emulator import callers, uploads
from chaser_emulator.clock import new_token
from chaser_emulator.control.operations import ControlCall, control
from chaser_emulator.control.pages import FORM_KEY, form_key, is_of_page, page
from chaser_emulator.errors import ApiError
from chaser_emulator.logins import CLIENT, PROVIDERS
from chaser_emulator.store import Row, logins

_LISTED = 20
_CHALLENGE = re.compile(r"[A-Za-z0-9_-]{43}")
_FIXED = {"response_type": "code", "client_id": CLIENT, "code_challenge_method": "S256"}


@control("get-sign-in")
async def get_sign_in(call: ControlCall) -> Response:
    """The page on which somebody chooses who they are."""
    given = call.request.query_params
    login = await _under_way(call, given.get("state", ""))
    if login is None:
        return _over(call)
    # To another address than that of the start it would be a way to anywhere for whoever follows a link.
    wanted = _FIXED | {"redirect_uri": login["callback"]}
    wrong = [name for name, value in wanted.items() if given.getlist(name) != [value]]
    if not _CHALLENGE.fullmatch(given.get("code_challenge", "")):
        wrong.append("code_challenge")
    if wrong:
        return _over(call, f"The address of this page has been changed: {', '.join(sorted(wrong))}.")
    return await _offer(call, given["state"], given["code_challenge"])


@control("submit-sign-in")
async def submit_sign_in(call: ControlCall) -> Response:
    """Go back to Chaser as whoever was chosen."""
    # A program may send no more than an address to the address that it was led to.
    form = {**call.request.query_params, **await _form(call.request)}
    world = call.world
    state, email = form.get("state", ""), form.get("email", "").strip()
    login = await _under_way(call, state)
    if login is None or not _CHALLENGE.fullmatch(form.get("code_challenge", "")):
        return _over(call)
    if not is_of_page(call, form.get(FORM_KEY, "")):
        problem = "Another page has sent that. Who you are is chosen here."
        return await _offer(call, state, form["code_challenge"], problem=problem)
    if "cancel" in form:
        return _back(login["callback"], {"error": "access_denied", "state": state})
    address = call.api.document["components"]["schemas"]["EmailAddress"]["pattern"]
    if len(email) > 254 or re.fullmatch(address, email) is None:
        problem = "This is no e-mail address." if email else "An e-mail address is needed."
        return await _offer(call, state, form["code_challenge"], email[:254], problem)
    if not callers.is_this_machine(call.request) and not callers.is_key(form.get("key", ""), world.settings.api_key):
        problem = "From another machine the emulator's own API key is needed."
        return await _offer(call, state, form["code_challenge"], email, problem)
    code = new_token()
    async with world.store.transaction() as tx:
        await logins.chosen(tx, state, email=email, code=code, code_challenge=form["code_challenge"])
    return _back(login["callback"], {"code": code, "state": state})


async def _under_way(call: ControlCall, state: str) -> Row | None:
    return await logins.under_way(call.world.store, call.path["provider"], state, call.world.clock.timestamp())


async def _offer(call: ControlCall, state: str, code_challenge: str, typed: str = "", problem: str = "") -> Response:
    # From elsewhere anybody could be the first user, to whom all belongs, and see who else is here.
    near = callers.is_this_machine(call.request)
    users = await logins.known_users(call.world.store, _LISTED + 1) if near else []
    return page(
        call.request,
        "sign_in.html",
        400 if problem else 200,
        # From its own callback it goes on to the address that the start named, and wherever that leads.
        leads_to=("http:", "https:"),
        **_names(call.path["provider"]),
        action=call.path["provider"] + (f"?{urlencode(call.world.selector)}" if call.world.selector else ""),
        state=state,
        code_challenge=code_challenge,
        form_key=form_key(call),
        ask_key=not near,
        users=users[:_LISTED],
        more=len(users) > _LISTED,
        typed=typed,
        problem=problem,
    )


def _names(provider: str) -> dict[str, Any]:
    name = PROVIDERS[provider]
    return {"provider": name, "title": f"Connect {name}" if provider == "codex" else f"Sign in with {name}"}


def _over(call: ControlCall, reason: str = "") -> Response:
    text = reason or "This sign-in is unknown, over, or older than 10 minutes. Start it again where you came from."
    return page(call.request, "sign_in.html", 400, **_names(call.path["provider"]), over=text)


def _back(callback: str, answer: Mapping[str, str]) -> Response:
    parts = urlsplit(callback)
    query = "&".join(filter(None, (parts.query, urlencode(answer))))
    headers = {"Cache-Control": "no-store", "Referrer-Policy": "no-referrer"}
    return RedirectResponse(urlunsplit(parts._replace(query=query)), 303, headers)


async def _form(request: Request) -> dict[str, str]:
    """The first value of each field. Raises ApiError for what is no form."""
    raw = await uploads.read_json(request)
    try:
        fields = parse_qs(raw.decode(), keep_blank_values=True, max_num_fields=16, errors="strict")
    except ValueError:
        raise ApiError("invalid_request", "the body is no form in UTF-8 of at most 16 fields") from None
    return {name: values[0] for name, values in fields.items()}
