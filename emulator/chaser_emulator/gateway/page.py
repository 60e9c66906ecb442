"""The pages of a session's gateway for people: its listening ports, and what went wrong; without script, one file."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Mapping, Sequence
from html import escape
from typing import Any

from starlette.responses import HTMLResponse

_STYLE = """
:root { color-scheme: light dark; --text: #1d2430; --soft: #5b6575; --line: #d9dee6; --card: #fff; --ground: #f4f6f9;
  --accent: #0b57d0; }
@media (prefers-color-scheme: dark) { :root { --text: #e6e9ef; --soft: #a3adbd; --line: #343c49; --card: #1b2029;
  --ground: #12161d; --accent: #8ab4ff; } }
* { box-sizing: border-box; }
body { margin: 0; background: var(--ground); color: var(--text); font: 1rem/1.5 system-ui, sans-serif; }
main { max-width: 44rem; margin: 0 auto; padding: 3rem 1.25rem; }
h1 { font-size: 1.5rem; line-height: 1.25; margin: 0 0 .25rem; }
h2 { font-size: 1.125rem; margin: 2rem 0 0; }
p { margin: .5rem 0; }
.soft { color: var(--soft); overflow-wrap: anywhere; }
ul { list-style: none; margin: .75rem 0 1.5rem; padding: 0; display: grid; gap: .75rem; }
li { background: var(--card); border: 1px solid var(--line); border-radius: .75rem; padding: 1rem 1.25rem; }
li strong { font-size: 1.125rem; font-variant-numeric: tabular-nums; }
a { color: var(--accent); overflow-wrap: anywhere; }
a:focus-visible { outline: 3px solid var(--accent); outline-offset: 3px; border-radius: .125rem; }
code { font: .9375em ui-monospace, monospace; }
.status { border: 1px solid var(--line); border-radius: 1rem; padding: .125rem .625rem; font-size: .875rem; }
"""
_HASH = base64.b64encode(hashlib.sha256(_STYLE.encode()).digest()).decode()
_HEADERS = {
    "Content-Security-Policy": (
        f"default-src 'none'; style-src 'sha256-{_HASH}'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
    ),
    "Cache-Control": "no-store",
    "Referrer-Policy": "no-referrer",
    "Vary": "Accept",
    "X-Content-Type-Options": "nosniff",
}


def index_page(index: Mapping[str, Any]) -> HTMLResponse:
    """The index of a session, as `index` holds it for programs."""
    session_id = escape(index["session_id"])
    body = [
        f"<h1>A {escape(index['session_type'])} session</h1>",
        f'<p class="soft"><code>{session_id}</code> <span class="status">{escape(index["status"])}</span></p>',
    ]
    if index["ports"]:
        body.append("<h2>Listening ports</h2><ul>")
        body += [_port(entry) for entry in index["ports"]]
        body.append("</ul>")
    else:
        body.append(
            "<p>Nothing in this session listens on a port yet. Start a server in it, and load this page again.</p>"
        )
    return _page("Chaser session", body)


def _port(entry: Mapping[str, Any]) -> str:
    by_path = escape(entry["url"])
    first = escape(entry.get("root_url", entry["url"]))
    lines = [f'<li><strong>{entry["port"]}</strong> <a href="{first}">{first}</a>']
    if first != by_path:
        lines.append(f'<br><span class="soft">also <a href="{by_path}">{by_path}</a></span>')
    return "".join([*lines, "</li>"])


def error_page(status: int, message: str, request_id: str, headers: Mapping[str, str]) -> HTMLResponse:
    """A refusal, for a person."""
    titles = {404: "Nothing here", 502: "Nothing answers", 503: "Not available", 504: "No answer in time"}
    title = titles.get(status, "That did not work")
    sentence = message[:1].upper() + message[1:] + ("" if message.endswith(".") else ".")
    body = [
        f"<h1>{title}</h1>",
        f"<p>{escape(sentence)}</p>",
        f'<p class="soft">{status}, request <code>{escape(request_id)}</code></p>',
    ]
    return _page(title, body, status, headers)


def _page(title: str, body: Sequence[str], status: int = 200, headers: Mapping[str, str] | None = None) -> HTMLResponse:
    text = (
        '<!doctype html><html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f"<title>{escape(title)}</title><style>{_STYLE}</style></head><body><main>{''.join(body)}</main></body></html>"
    )
    return HTMLResponse(text, status, {**_HEADERS, **(headers or {})})
