"""A request as a call of the official SDK for Python: by its method, or by its request for any path."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal
from urllib.parse import parse_qsl

from chaser_emulator.errors import ApiError
from chaser_emulator.explaining import sdk
from chaser_emulator.explaining.asking import FORM, JSON, KEY, SELECTOR, Ask
from chaser_emulator.shell import File
from chaser_emulator.spec import Operation
from chaser_emulator.validation import parse_json

_AUTHORIZATION, _TYPE = "authorization", "content-type"
_OF_THE_SDK = (_AUTHORIZATION, SELECTOR, "accept", "accept-encoding", "connection", "content-length")
"""Headers that the SDK sends by itself, or nobody has to."""


@dataclass(frozen=True)
class Json:
    """A body of JSON, in which names such as `$CHASER_SECRET_TOKEN` stand for what is not shown."""

    value: Any


@dataclass(frozen=True)
class Text:
    """A body of text with such names in it."""

    value: str


Content = bytes | Json | Text | File | Mapping[str, str | File] | None


@dataclass(frozen=True)
class Sent:
    """A request that was made. `target` is path and query; headers go by their names in lower case.

    `content` is what it carried: the very bytes, or what stands for them; a mapping is a form.
    """

    method: str
    target: str
    headers: Mapping[str, str] = field(default_factory=dict)
    content: Content = None


def line(
    operation: Operation | None,
    sent: Sent,
    parameters: Mapping[str, str],
    *,
    own: str = KEY,
    named: Mapping[str, str] | None = None,
    answer: Literal["json", "bytes"] = "json",
) -> str | None:
    """A call of `client`, a `ChaserClient` with the key that `own` stands for; None where the SDK cannot make it.

    `parameters` are those of the path, decoded. `named` are expressions of Python for the names in the request.
    """
    names = _Names(named or {})
    said = _by_method(operation, sent, parameters, names) or _by_path(sent, names, answer)
    credential = sent.headers.get(_AUTHORIZATION)
    if said is None or credential == f"Bearer {own}":
        return said
    # Another caller than `client` is.
    token = "None"  # noqa: S105 - nobody's
    if credential is not None and credential.startswith("Bearer "):
        token = names.text(credential.removeprefix("Bearer "))
    return said.replace("client.", f"client.with_token({token}).", 1)


@dataclass(frozen=True)
class _Names:
    """What stands for names, as expressions."""

    known: Mapping[str, str]

    def text(self, value: str) -> str:
        """An expression for a text with names in it."""
        # The longest first: one may begin like another.
        found = sorted((name for name in self.known if name in value), key=len, reverse=True)
        if not found:
            return repr(value)
        parts = re.split("(" + "|".join(map(re.escape, found)) + ")", value)
        return " + ".join(self.known.get(part) or repr(part) for part in parts if part)

    def value(self, value: Any) -> str:
        """An expression for a JSON value with names in it."""
        if isinstance(value, str):
            return self.text(value)
        if isinstance(value, Mapping):
            return "{" + ", ".join(f"{name!r}: {self.value(one)}" for name, one in value.items()) + "}"
        if isinstance(value, list):
            return "[" + ", ".join(map(self.value, value)) + "]"
        return repr(value)


def _by_method(operation: Operation | None, sent: Sent, parameters: Mapping[str, str], names: _Names) -> str | None:
    if operation is None:
        return None
    path, _, query = sent.target.partition("?")
    media_type = sent.headers.get(_TYPE, "").partition(";")[0].strip().lower() or None
    body: Any = None
    match sent.content:
        case None:
            if operation.body is not None:
                # The method would send an empty object.
                return None
            media_type = None
        case bytes() as raw if media_type == JSON:
            try:
                body = parse_json(raw)
            except ApiError:
                return None
        case Json(value) if media_type == JSON:
            body = value
        case Mapping() as parts if media_type == FORM:
            body = {name: f"@{one.name}" if isinstance(one, File) else one for name, one in parts.items()}
        case _:
            return None
    selected = {SELECTOR: sent.headers[SELECTOR]} if SELECTOR in sent.headers else {}
    others = [name for name in sent.headers if name not in (*_OF_THE_SDK, _TYPE)]
    pairs = tuple(parse_qsl(query, keep_blank_values=True))
    if others or len(dict(pairs)) < len(query.split("&") if query else ()):
        return None
    ask = Ask(sent.method, path, pairs, selected, body, media_type)
    return sdk.line(operation.id, ask, parameters, names.value)


def _by_path(sent: Sent, names: _Names, answer: Literal["json", "bytes"]) -> str | None:
    """For what no method of the SDK sends: it can be asked for any path."""
    words = [repr(sent.method), names.text(sent.target)]
    headers = {name: one for name, one in sent.headers.items() if name not in _OF_THE_SDK}
    credential = sent.headers.get(_AUTHORIZATION, "Bearer ")
    if not credential.startswith("Bearer "):
        headers[_AUTHORIZATION] = credential
    match sent.content:
        case bytes() as raw:
            words.append(f"body={raw!r}")
        case Text(text):
            words.append(f"body=({names.text(text)}).encode()")
        case File(name):
            words.append(f"body=open({name!r}, 'rb').read()")
        case Json(value):
            words.append(f"json_body={names.value(value)}")
            headers.pop(_TYPE, None)
        case Mapping():
            return None
    if headers:
        words.append(f"headers={names.value(headers)}")
    account = f".with_account({names.text(sent.headers[SELECTOR])})" if SELECTOR in sent.headers else ""
    if answer == "json":
        return f"client{account}._request_json({', '.join(words)})"
    if sent.method == "GET" and sent.content is None:
        return f"client{account}._request_bytes({', '.join(words)})"
    return None
