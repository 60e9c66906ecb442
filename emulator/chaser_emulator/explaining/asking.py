"""A request as it can be made again: read from an exchange, changed in places, told as JSON and as a line of curl."""

from __future__ import annotations

import email.parser
import email.policy
import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any
from urllib.parse import parse_qsl, quote, urlencode

from chaser_emulator import shell
from chaser_emulator.errors import ApiError
from chaser_emulator.explaining.jsontext import lenient
from chaser_emulator.explaining.places import Change, changes
from chaser_emulator.journal import Exchange
from chaser_emulator.paths import decode_segment
from chaser_emulator.spec import Operation, Spec
from chaser_emulator.validation import parse_json

JSON, FORM = "application/json", "multipart/form-data"
KEY = "$CHASER_API_KEY"
"""What stands for the key of the world, which is never shown."""

CALLERS = "$CHASER_KEY_OF_CALLER"
"""What stands for the credential of a caller who came with another one."""

OTHERS = "$CHASER_KEY_OF_ANOTHER"
"""What stands for the key of somebody who may do what the caller may not."""

_CREDENTIAL = "authorization"
SELECTOR = "x-chaser-account"
"""The header that selects an account."""

_SHOWN = (_CREDENTIAL, SELECTOR, "content-type", "origin")
_NOBODY = 401


@dataclass(frozen=True)
class Ask:
    """One request. `path` is encoded as it is sent; a name after `$` stands for what an earlier request answered.

    `media_type` None means that there is no body. The body of a form is its fields by name; `@name` is a file. `takes`
    are pointers into the answer, by the names that later requests call what is found there by.
    """

    method: str
    path: str
    query: tuple[tuple[str, str], ...] = ()
    headers: Mapping[str, str] = field(default_factory=dict)
    body: Any = None
    media_type: str | None = None
    takes: Mapping[str, str] = field(default_factory=dict)

    @property
    def target(self) -> str:
        """Path and query."""
        return self.path + (f"?{urlencode(self.query, safe='$/:,[]')}" if self.query else "")

    def with_header(self, name: str, value: str | None) -> Ask:
        """The same with another header, or (None) without it."""
        others = {key: text for key, text in self.headers.items() if key != name}
        return replace(self, headers=others if value is None else {**others, name: value})

    def with_query(self, name: str, value: str | None) -> Ask:
        """The same with one value of a parameter, or (None) without it."""
        others = tuple((key, text) for key, text in self.query if key != name)
        return replace(self, query=others if value is None else (*others, (name, value)))

    def with_body(self, body: Any) -> Ask:
        """The same with another JSON body."""
        return replace(self, body=body, media_type=JSON).with_header("content-type", JSON)

    def with_form(self, fields: Mapping[str, str]) -> Ask:
        """The same with a form; `@name` is a file."""
        return replace(self, body=dict(fields), media_type=FORM).with_header("content-type", FORM)

    def at_path(self, operation: Operation, parameters: Mapping[str, str]) -> Ask:
        """The same operation on something else."""
        return replace(self, path=path_of(operation, parameters))

    def as_key(self, name: str = KEY) -> Ask:
        """The same with another credential."""
        return self.with_header(_CREDENTIAL, f"Bearer {name}").with_query("access_token", None)

    def info(self) -> dict[str, Any]:
        """Its JSON."""
        shown: dict[str, Any] = {"method": self.method, "path": self.target, "headers": dict(self.headers)}
        if self.media_type is not None:
            shown["body"] = self.body
        if self.takes:
            shown["takes"] = dict(self.takes)
        return shown

    def curl(self, base_url: str) -> str:
        """A line for a shell in which CHASER_API_KEY is set."""
        body: shell.Body = None
        if self.media_type == FORM:
            parts = self.body if isinstance(self.body, Mapping) else {}
            body = {name: shell.File(one[1:]) if one.startswith("@") else one for name, one in parts.items()}
        elif self.media_type is not None:
            body = json.dumps(self.body, ensure_ascii=False)
        headers = [
            (_TITLES.get(name, name), value)
            for name, value in self.headers.items()
            if not (self.media_type == FORM and name == "content-type")
        ]
        said = [
            self.target,
            *self.headers.values(),
            *(map(str, body.values()) if isinstance(body, Mapping) else [body]),
        ]
        names = {name for one in said if isinstance(one, str) for name in _LATER.findall(one)}
        line = shell.curl(self.method, base_url + self.target, headers, body, names=names)
        taken = [f"{name}=$({line} | jq -r {shell.word(_jq(pointer))})" for name, pointer in self.takes.items()]
        return taken[0] if taken else line


_TITLES = {_CREDENTIAL: "Authorization", SELECTOR: "X-Chaser-Account", "content-type": "Content-Type"}


_LATER = re.compile(r"\$CHASER_[A-Z_]+")


def _jq(pointer: str) -> str:
    return "".join(f".{part}" for part in pointer.strip("/").split("/"))


def path_of(operation: Operation, parameters: Mapping[str, str]) -> str:
    """The path of an operation with these values in it."""
    path = operation.path
    for name, value in parameters.items():
        path = path.replace(f"{{{name}}}", quote(value, safe="$" if value.startswith("$") else ""))
    return path


@dataclass(frozen=True)
class Asked:
    """What an exchange asked for.

    `parameters` are those of the path, decoded; `whole` False means that the body was too long to be kept; `broken` is
    the refusal of a body that is no JSON.
    """

    ask: Ask
    parameters: Mapping[str, str]
    whole: bool = True
    broken: ApiError | None = None


def asked(exchange: Exchange, spec: Spec, own_key: str | None) -> Asked:
    """The request of an exchange, with its secrets still in it; `own_key` is the id of the world's key."""
    operation = spec.operations.get(exchange.operation or "")
    headers = {name: value for name, value in exchange.request_headers.items() if name in _SHOWN}
    if _CREDENTIAL in headers and exchange.status != _NOBODY:
        known = exchange.principal_id is not None and exchange.key_id != own_key
        headers[_CREDENTIAL] = f"Bearer {CALLERS if known else KEY}"
    query = tuple(parse_qsl(exchange.query, keep_blank_values=True))
    ask = Ask(exchange.method, exchange.path, query, headers)
    parameters = {name: decode_segment(value) for name, value in exchange.path_parameters.items()}
    declared = exchange.request_headers.get("content-type", "")
    media_type = declared.partition(";")[0].strip().lower()
    raw = exchange.sent
    if raw is None:
        return Asked(replace(ask, body="@the body that was sent", media_type=media_type or JSON), parameters, False)
    if not raw:
        return Asked(ask.with_header("content-type", None), parameters)
    if media_type == FORM:
        return Asked(ask.with_form(_form(declared, raw)), parameters)
    broken = None
    try:
        body = parse_json(raw)
    except ApiError as error:
        broken = error
        body = _as_fields(raw) if "=" in raw[:200].decode("latin-1") and raw[:1] not in b"{[" else lenient(raw)
    wanted = operation.body.content if operation is not None and operation.body is not None else {}
    return Asked(replace(ask, body=body, media_type=media_type or next(iter(wanted), JSON)), parameters, True, broken)


def _as_fields(raw: bytes) -> Any:
    """What a form in an address's manner says, as JSON would."""
    return dict(parse_qsl(raw.decode("utf-8", "replace"), keep_blank_values=True))


@dataclass(frozen=True)
class Part:
    """A part of a multipart form; `filename` is that of a file, None for a text."""

    content: bytes
    filename: str | None = None

    @property
    def is_file(self) -> bool:
        return bool(self.filename)

    @property
    def text(self) -> str:
        return self.content.decode("utf-8", "replace")


def parts_of(declared: str, raw: bytes) -> dict[str, Part]:
    """The parts of a multipart form by their names; of several with one name the first."""
    head = f"Content-Type: {declared}\r\n\r\n".encode("latin-1", "replace")
    message = email.parser.BytesParser(policy=email.policy.HTTP).parsebytes(head + raw)
    parts: dict[str, Part] = {}
    for part in message.iter_parts() if message.is_multipart() else ():
        name = part.get_param("name", header="content-disposition")
        if isinstance(name, str):
            content = part.get_payload(decode=True)
            parts.setdefault(name, Part(content if isinstance(content, bytes) else b"", part.get_filename()))
    return parts


def _form(declared: str, raw: bytes) -> dict[str, str]:
    """Texts, and files by `@name`."""
    parts = parts_of(declared, raw)
    return {name: f"@{part.filename}" if part.is_file else part.text for name, part in parts.items()}


def differences(before: Ask, after: Ask, *, rewritten: bool = False) -> list[Change]:
    """What was changed to make one request the other; `rewritten` where the first had no JSON for a body."""
    found: list[Change] = []
    if before.method != after.method:
        found.append(Change("method", "", before.method, after.method))
    if before.path != after.path:
        found.append(Change("path", "", before.path, after.path))
    found += _named("query", before.query, after.query)
    found += _named("header", tuple(before.headers.items()), tuple(after.headers.items()))
    if after.media_type is None:
        return found + ([Change("body", "", kind="removed")] if before.media_type is not None else [])
    if rewritten:
        return [*found, Change("body", "", None, after.body, "rewritten")]
    if before.media_type is None:
        return [*found, Change("body", "", None, after.body, "added")]
    return found + changes(before.body, after.body)


def _named(location: Any, before: Sequence[tuple[str, str]], after: Sequence[tuple[str, str]]) -> list[Change]:
    found = []
    for name in dict.fromkeys([*(name for name, _ in before), *(name for name, _ in after)]):
        old = [value for key, value in before if key == name]
        new = [value for key, value in after if key == name]
        if old == new:
            continue
        one, other = (values[0] if len(values) == 1 else values for values in (old, new))
        kind: Any = "added" if not old else "removed" if not new else "changed"
        found.append(Change(location, name, one, other, kind))
    return found
