"""The console: the page that a browser opens, and what it may do there."""

from __future__ import annotations

import secrets
from functools import cache
from pathlib import Path
from string import Template

from starlette.responses import HTMLResponse, Response
from starlette.staticfiles import StaticFiles
from starlette.types import Scope

from chaser_emulator.control.operations import ControlCall, control

FOLDER = Path(__file__).parent.parent / "console"
"""Its page, styles and scripts."""

BROUGHT = FOLDER / "vendor" / "brought.json"
"""There when the component of the terminal is (emulator/assets.py)."""

ASSETS = "/console"
"""Where its styles and scripts are, below the control plane."""


@control("open-console")
async def open_console(_call: ControlCall) -> Response:
    """The page. What it shows it asks for by itself, with the key that it is given."""
    nonce = secrets.token_urlsafe(16)
    policy = (
        "default-src 'none'; script-src 'self'; "
        # The terminal writes a stylesheet of its own, which carries this word.
        f"style-src 'self' 'nonce-{nonce}'; "
        "img-src 'self' data: blob:; connect-src 'self'; font-src 'self'; base-uri 'none'; form-action 'none'; "
        "frame-ancestors 'none'; require-trusted-types-for 'script'; trusted-types 'none'"
    )
    # All else that a browser is to know is in every answer of the control plane.
    headers = {"Cache-Control": "no-store", "Content-Security-Policy": policy}
    # Its component is of others, and is there only where it was brought in with the distribution.
    terminal = "full" if BROUGHT.is_file() else "plain"
    return HTMLResponse(_page().substitute(nonce=nonce, terminal=terminal), headers=headers)


class Assets(StaticFiles):
    """The styles and scripts, which a browser asks for anew as often as it likes: most times they have not changed."""

    def __init__(self) -> None:
        super().__init__(directory=FOLDER)

    async def get_response(self, path: str, scope: Scope) -> Response:
        response = await super().get_response(path, scope)
        response.headers["Cache-Control"] = "no-cache"
        return response


@cache
def _page() -> Template:
    return Template((FOLDER / "index.html").read_text(encoding="utf-8"))
