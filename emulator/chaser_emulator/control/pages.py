"""What all pages beside the console share: templates, their stylesheet, and what they may do in a browser."""

from __future__ import annotations

import hmac
import re
from collections.abc import Iterable
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from starlette.requests import Request
from starlette.responses import FileResponse, HTMLResponse, Response

from chaser_emulator.assembly import served_from
from chaser_emulator.control.operations import ControlCall, control

if TYPE_CHECKING:
    from jinja2 import Environment

_FOLDER = Path(__file__).parent
_HOST = re.compile(r"[A-Za-z0-9.-]+(:[0-9]+)?")


def page(
    request: Request, template: str, status: int = 200, *, leads_to: Iterable[str | None] = (), **values: Any
) -> HTMLResponse:
    """The page that a template beside this module makes of `values`, all of which it escapes.

    The page loads stylesheets and nothing else, and runs no script. `leads_to` are the addresses outside to which
    what its forms send may be redirected: a browser stops every other.
    """
    text = _templates().get_template(template).render(values, up=_way_up(request))
    sources = ["'self'", *sorted({_source(address) for address in leads_to if address})]
    policy = (
        "default-src 'none'; style-src 'self'; img-src 'self' data:; base-uri 'none'; frame-ancestors 'none'; "
        f"form-action {' '.join(sources)}"
    )
    headers = {
        "Cache-Control": "no-store",
        "Content-Security-Policy": policy,
        # Not `no-referrer`: with it a browser sends `Origin: null` along with a form, which is refused as foreign.
        "Referrer-Policy": "same-origin",
    }
    return HTMLResponse(text, status, headers)


FORM_KEY = "form_key"
"""The field of a form that says which page it is of."""


def form_key(call: ControlCall) -> str:
    """What a form of this page carries; a preview of a sandbox, though of this origin, cannot read the page."""
    return hmac.new(call.world.api_key.encode(), call.request.scope["path"].encode(), "sha256").hexdigest()


def is_of_page(call: ControlCall, given: str) -> bool:
    """Whether what was sent is of the page itself, or of a program, behind which there is no page."""
    if "sec-fetch-site" not in call.request.headers and "origin" not in call.request.headers:
        return True
    return hmac.compare_digest(given.encode(), form_key(call).encode())


@control("get-style")
async def get_style(_call: ControlCall) -> Response:
    """The stylesheet of the pages beside the console."""
    return FileResponse(_FOLDER / "style.css", headers={"Cache-Control": "no-cache"})


@control("get-control-document")
async def get_control_document(call: ControlCall) -> dict[str, Any]:
    """The document of the control plane, with this server's own address first."""
    return served_from(call.spec.document, f"{call.base_url}/_emulator")


@cache
def _templates() -> Environment:
    # Loaded with the first page: most emulators never show one.
    from jinja2 import Environment, FileSystemLoader, StrictUndefined

    return Environment(
        loader=FileSystemLoader(_FOLDER),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )


def _way_up(request: Request) -> str:
    """The relative way to the root of the control plane, which is right behind a proxy with a path of its own, too."""
    inside = request.scope["path"].removeprefix(request.scope.get("root_path", ""))
    return "../" * (inside.count("/") - 1) or "./"


def _source(address: str) -> str:
    """What a policy calls the place of an address: its origin, or its scheme where no policy can say more."""
    parts = urlsplit(address)
    host = parts.netloc.rpartition("@")[2]
    # A policy knows no IPv6 addresses, and must not take words of an odd address for its own.
    return f"{parts.scheme}://{host}" if _HOST.fullmatch(host) else f"{parts.scheme}:"
