"""One request to the control plane of an emulator."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from http.client import HTTPException, HTTPResponse
from typing import IO, Any
from urllib.error import HTTPError, URLError
from urllib.parse import quote, urlencode, urlsplit
from urllib.request import OpenerDirector, ProxyHandler, Request, build_opener

import click

from chaser_emulator.operating.places import Place
from chaser_emulator.options import is_loopback

_PATIENCE = 900.0
"""Seconds to wait for an answer: a clock that is moved may wait for what it has started."""


@dataclass(frozen=True)
class Asked:
    """A request to the control plane: a body is JSON, or the bytes of an open file with their media type."""

    method: str
    path: str
    query: list[tuple[str, str]] = field(default_factory=list)
    headers: Mapping[str, str] = field(default_factory=dict)
    json: Any = None
    file: IO[bytes] | None = None
    media_type: str = "application/json"


def ask(place: Place, asked: Asked, *, patience: float = _PATIENCE) -> HTTPResponse:
    """The answer, with its body still to be read. Raises ClickException for a refusal, with the fields it names."""
    url = f"{place.url}/_emulator{asked.path}" + (f"?{urlencode(asked.query)}" if asked.query else "")
    headers = {**place.headers(), **asked.headers}
    data: Any = None
    if asked.file is not None:
        data, headers["Content-Type"] = asked.file, asked.media_type
    elif asked.json is not None:
        data, headers["Content-Type"] = json.dumps(asked.json).encode(), "application/json"
    elif asked.method != "GET":
        data = b""
    request = Request(url, data, headers, method=asked.method)  # noqa: S310 - http or https, as place_of looked
    try:
        answer: HTTPResponse = _opener(place.url).open(request, timeout=patience)
    except HTTPError as error:
        with error:
            raise click.ClickException(_refusal(error.code, error.read(), place.url)) from None
    except (URLError, HTTPException, OSError) as error:
        reason = getattr(error, "reason", error)
        raise click.ClickException(f"no emulator answers at {place.url}: {reason}") from None
    return answer


def filled(path: str, values: Mapping[str, str]) -> str:
    """A path of the document with its parameters, each as one segment."""
    for name, value in values.items():
        path = path.replace("{" + name + "}", quote(value, safe=""))
    return path


def _opener(url: str) -> OpenerDirector:
    # This machine is reached without the proxies of the environment.
    return build_opener(ProxyHandler({})) if is_loopback(urlsplit(url).hostname or "") else build_opener()


def _refusal(status: int, raw: bytes, url: str) -> str:
    """What an answer refuses, in one line."""
    try:
        body = json.loads(raw)
        message, details = str(body["message"]), body.get("details")
    except (ValueError, KeyError, TypeError):
        return f"{url} answers {status}, and not as an emulator would"
    if isinstance(details, list) and len(details) > 1:
        each = [f"{one['in']} {one['pointer']} {one['message']}" for one in details]
        return "; ".join(" ".join(text.split()) for text in each)
    return "\n".join(" ".join(line.split()) for line in message.splitlines())
