"""Media types: a body is of the type that is declared, is JSON where it says so, and is no larger than accepted."""

from __future__ import annotations

import json
from typing import Any

from chaser_emulator.spec import Operation

from chaser_contract.arranging import Arranged
from chaser_contract.asking import Asking
from chaser_contract.client import Answer
from chaser_contract.document import JSON
from chaser_contract.promises import promise
from chaser_contract.subject import Subject

_FORM = "multipart/form-data"

OTHER_TYPES = (
    "text/plain", "application/x-www-form-urlencoded", "multipart/form-data; boundary=x", "application/xml",
    "application/octet-stream", "text/json", "application/jsonp", "application/json-patch+json", "json", "*/*",
)  # fmt: skip

NO_JSON = {
    "cut off": b'{"a": ', "with a comma too many": b'{"a": 1,}', "of one quote": b"'a'", "a word": b"nul",
    "two": b"{} {}",
    "no UTF-8": b'{"a": "\xff"}', "not a number": b'{"a": NaN}', "infinite": b'{"a": Infinity}', "a form": b"a=1&b=2",
}  # fmt: skip

JSON_LIMIT = 2 * 2**20
FILE_LIMIT = 16 * 2**20


def takes(media_type: str, operation: Operation) -> bool:
    return operation.body is not None and media_type in operation.body.content


@promise()
def a_json_body_of_another_type_is_refused(chaser: Subject) -> None:
    """A JSON body that is declared as anything else, or as nothing, is 415 unsupported_media_type."""
    for asking in Arranged(chaser).every(lambda one: takes(JSON, one)):
        body = json.dumps(asking.json).encode()
        for media_type in (None, *OTHER_TYPES):
            with chaser.case():
                answer = asking.but(content=body, media_type=media_type).by(chaser.client)
                answer.must_be(415, "unsupported_media_type", because=f"to a body of type {media_type}")
        with chaser.case():
            asking.by(chaser.client).must_be(asking.status, asking.code, because="once the type is right")


@promise()
def a_form_of_another_type_is_refused(chaser: Subject) -> None:
    """An upload that is no multipart form is 415 unsupported_media_type."""
    for asking in Arranged(chaser).every(lambda one: takes(_FORM, one)):
        for media_type in (None, JSON, "text/plain", "application/x-www-form-urlencoded", "multipart/mixed"):
            with chaser.case():
                answer = asking.but(content=b"{}", media_type=media_type).by(chaser.client)
                answer.must_be(415, "unsupported_media_type", because=f"to a body of type {media_type}")


@promise()
def json_may_be_declared_in_any_case_and_with_parameters(chaser: Subject) -> None:
    """`application/json` is that in any case, and with a charset behind it."""
    for asking in Arranged(chaser).every(lambda one: takes(JSON, one)):
        body = json.dumps(asking.json).encode()
        for number, media_type in enumerate(("application/json; charset=utf-8", "Application/JSON")):
            # What an operation uses up is there for one of them alone.
            with chaser.case():
                answer = asking.but(content=body, media_type=media_type).by(chaser.client)
                read = answer.status not in (415, 400) or (answer.status, answer.code) == (asking.status, asking.code)
                answer.require(read, f"a body of type {media_type} is accepted")
                if number == 0:
                    answer.must_be(asking.status, asking.code, because=f"to a body of type {media_type}")


@promise()
def what_is_no_json_is_refused(chaser: Subject) -> None:
    """A body that is no JSON is 400 invalid_json, whatever is wrong with it."""
    for asking in Arranged(chaser).every(lambda one: takes(JSON, one)):
        for what, body in NO_JSON.items():
            with chaser.case():
                answer = asking.but(content=body, media_type=JSON).by(chaser.client)
                _no_json(answer, f"to JSON that is {what}")


def _no_json(answer: Answer, because: str) -> None:
    if answer.operation.id != "mcp-handler":
        answer.must_be(400, "invalid_json", because=because)
        return
    # MCP refuses in the words of JSON-RPC (M3).
    answer.must_be(400, because=because)
    answer.require(answer.json.get("error", {}).get("code") == -32700, "what is no JSON is the error -32700")


@promise()
def an_absent_body_is_refused_where_one_is_needed(chaser: Subject) -> None:
    """No body at all is 400 invalid_request where one is required, and fine where none is."""
    for asking in Arranged(chaser).every(lambda one: takes(JSON, one)):
        for media_type in (None, JSON):
            with chaser.case():
                answer = asking.but(content=b"", media_type=media_type).by(chaser.client)
                body = asking.operation.body
                if body is not None and not body.required:
                    answer.require(answer.status != 400, "its body may be left out")
                elif asking.operation.id != "mcp-handler":
                    answer.must_be(400, "invalid_request", because="to an empty body")
                    answer.require(
                        answer.json["details"][0]["in"] == "body" and answer.json["details"][0]["pointer"] == "",
                        "`details` says that the body is missing",
                    )


@promise()
def what_is_no_object_is_refused(chaser: Subject) -> None:
    """A body that is JSON and no object is 400 invalid_request, about the body as a whole."""
    others: list[Any] = [[], [{}], "a text", 5, None, True]
    for asking in Arranged(chaser).every(lambda one: takes(JSON, one)):
        for body in others:
            with chaser.case():
                answer = asking.but(json=body).by(chaser.client)
                if asking.operation.id == "mcp-handler":
                    answer.must_be(400, because=f"to the body {body!r}")
                    answer.require(answer.json.get("error", {}).get("code") == -32600, "no request is the error -32600")
                    continue
                answer.must_be(400, "invalid_request", because=f"to the body {body!r}")
                answer.require(answer.json["details"][0]["pointer"] == "", "`details` is about the body as a whole")


@promise()
def a_json_body_that_is_too_large_is_refused(chaser: Subject) -> None:
    """A JSON body of up to 2 MiB is read, and one byte more is 413 payload_too_large, which says the limit."""
    for asking in Arranged(chaser).every(lambda one: takes(JSON, one)):
        with chaser.case():
            _too_large(
                asking.but(content=_padded(asking, JSON_LIMIT + 1), media_type=JSON).by(chaser.client), JSON_LIMIT
            )
        with chaser.case():
            answer = asking.but(content=_padded(asking, JSON_LIMIT), media_type=JSON).by(chaser.client)
            answer.must_be(asking.status, asking.code, because="to a body of exactly 2 MiB")


def _padded(asking: Asking, size: int) -> bytes:
    """The body with white space behind it."""
    return json.dumps(asking.json).encode().ljust(size)


def _too_large(answer: Answer, limit: int) -> None:
    answer.must_be(413, "payload_too_large", because="to a body that is too large")
    answer.require(answer.json.get("details", {}).get("limit") == limit, f"`details.limit` is {limit}")


@promise()
def a_file_that_is_too_large_is_refused(chaser: Subject) -> None:
    """A file of up to 16 MiB arrives whole, and one byte more is 413 payload_too_large and leaves nothing."""
    arranged = Arranged(chaser)
    session, path = arranged.session["id"], "/workspace/large.bin"
    for size, status in ((FILE_LIMIT, 200), (FILE_LIMIT + 1, 413)):
        content = bytes(size)
        with chaser.case():
            answer = chaser.ask(
                "upload-session-file",
                id=session,
                files={"path": (None, f"{path}.{size}".encode()), "file": ("large.bin", content)},
            )
            if status == 413:
                _too_large(answer, FILE_LIMIT)
                there = chaser.ask("download-session-file", id=session, query={"path": f"{path}.{size}"})
                there.must_be(404, "not_found", because="for a file that was too large to be taken")
            else:
                answer.must_be(200).require(answer.json["size"] == size, f"the size of a file is told, here {size}")
                there = chaser.ask("download-session-file", id=session, query={"path": f"{path}.{size}"}, expect=200)
                there.require(there.body == content, "a file of 16 MiB comes back whole", f"{len(there.body)} bytes")
