"""The pages that stand in for Google, GitHub and OpenAI: somebody says who they are, and goes back with a code."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any
from urllib.parse import parse_qs, urlencode, urlsplit, urlunsplit

from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import Route

from chaser_emulator import callers, uploads
from chaser_emulator.clock import new_token
from chaser_emulator.control.pages import page
from chaser_emulator.errors import ApiError
from chaser_emulator.logins import CLIENT, PROVIDERS
from chaser_emulator.spec import Spec
from chaser_emulator.store import Row, logins
from chaser_emulator.world import World

_LISTED = 20
_FORM = "application/x-www-form-urlencoded"
_CHALLENGE = re.compile(r"[A-Za-z0-9_-]{43}")
_FIXED = {"response_type": "code", "client_id": CLIENT, "code_challenge_method": "S256"}


def routes(world: World, spec: Spec) -> list[Route]:
    """GET and POST /sign-in/{provider}."""
    address = re.compile(spec.document["components"]["schemas"]["EmailAddress"]["pattern"])

    async def sign_in(request: Request) -> Response:
        provider = request.path_params["provider"]
        if provider not in PROVIDERS:
            raise ApiError("not_found", f"there is no sign-in page for {provider[:64]!r}")
        if request.method == "POST":
            # A program may send no more than an address to the address that it was led to.
            return await choose(request, provider, {**request.query_params, **await _form(request)})
        return await show(request, provider)

    async def under_way(provider: str, state: str) -> Row | None:
        return await logins.under_way(world.store, provider, state, world.clock.timestamp())

    async def show(request: Request, provider: str) -> Response:
        given = request.query_params
        login = await under_way(provider, given.get("state", ""))
        if login is None:
            return _over(request, provider)
        # To another address than that of the start it would be a way to anywhere for whoever follows a link.
        wanted = _FIXED | {"redirect_uri": login["callback"]}
        wrong = [name for name, value in wanted.items() if given.getlist(name) != [value]]
        if not _CHALLENGE.fullmatch(given.get("code_challenge", "")):
            wrong.append("code_challenge")
        if wrong:
            return _over(request, provider, f"The address of this page has been changed: {', '.join(sorted(wrong))}.")
        return await offer(request, provider, given["state"], given["code_challenge"])

    async def offer(
        request: Request, provider: str, state: str, code_challenge: str, typed: str = "", problem: str = ""
    ) -> Response:
        # From elsewhere anybody could be the first user, to whom all belongs, and see who else is here.
        near = callers.is_this_machine(request)
        users = await logins.known_users(world.store, _LISTED + 1) if near else []
        return page(
            request,
            "sign_in.html",
            400 if problem else 200,
            # From its own callback it goes on to the address that the start named, and wherever that leads.
            leads_to=("http:", "https:"),
            **_names(provider),
            action=provider,
            state=state,
            code_challenge=code_challenge,
            ask_key=not near,
            users=users[:_LISTED],
            more=len(users) > _LISTED,
            typed=typed,
            problem=problem,
        )

    async def choose(request: Request, provider: str, form: Mapping[str, str]) -> Response:
        state, email = form.get("state", ""), form.get("email", "").strip()
        login = await under_way(provider, state)
        if login is None or not _CHALLENGE.fullmatch(form.get("code_challenge", "")):
            return _over(request, provider)
        if "cancel" in form:
            return _back(login["callback"], {"error": "access_denied", "state": state})
        if len(email) > 254 or address.fullmatch(email) is None:
            problem = "This is no e-mail address." if email else "An e-mail address is needed."
            return await offer(request, provider, state, form["code_challenge"], email[:254], problem)
        if not callers.is_this_machine(request) and not callers.is_key(form.get("key", ""), world.settings.api_key):
            problem = "From another machine the emulator's own API key is needed."
            return await offer(request, provider, state, form["code_challenge"], email, problem)
        code = new_token()
        async with world.store.transaction() as tx:
            await logins.chosen(tx, state, email=email, code=code, code_challenge=form["code_challenge"])
        return _back(login["callback"], {"code": code, "state": state})

    return [Route("/sign-in/{provider}", sign_in, methods=["GET", "POST"])]


def _names(provider: str) -> dict[str, Any]:
    name = PROVIDERS[provider]
    return {"provider": name, "title": f"Connect {name}" if provider == "codex" else f"Sign in with {name}"}


def _over(request: Request, provider: str, reason: str = "") -> Response:
    text = reason or "This sign-in is unknown, over, or older than 10 minutes. Start it again where you came from."
    return page(request, "sign_in.html", 400, **_names(provider), over=text)


def _back(callback: str, answer: Mapping[str, str]) -> Response:
    parts = urlsplit(callback)
    query = "&".join(filter(None, (parts.query, urlencode(answer))))
    headers = {"Cache-Control": "no-store", "Referrer-Policy": "no-referrer"}
    return RedirectResponse(urlunsplit(parts._replace(query=query)), 303, headers)


async def _form(request: Request) -> dict[str, str]:
    """The first value of each field. Raises ApiError for what is no form."""
    raw = await uploads.read_json(request)
    media_type = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if media_type != _FORM:
        raise ApiError("unsupported_media_type", f"the body must be {_FORM}, not {media_type or 'of no declared type'}")
    try:
        fields = parse_qs(raw.decode(), keep_blank_values=True, max_num_fields=16, errors="strict")
    except ValueError:
        raise ApiError("invalid_request", "the body is no form in UTF-8 of at most 16 fields") from None
    return {name: values[0] for name, values in fields.items()}
