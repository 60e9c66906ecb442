"""Refusals of what is sent: no JSON, another type, too much of it, or one thing that the document does not accept."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Any

from chaser_emulator import uploads
from chaser_emulator.errors import ApiError
from chaser_emulator.provoking.arrangements import arranges
from chaser_emulator.provoking.needs_of_sandboxes import FILE
from chaser_emulator.provoking.requests import ApiRequest
from chaser_emulator.provoking.stage import Stage
from chaser_emulator.provoking.valid import request_for
from chaser_emulator.validation import validator_of

_JSON = "application/json"
_FORM = "multipart/form-data"
_TOO_LONG = "x" * 257
_ENVELOPE = 2**17
"""Bytes that a form may have beside its file."""

_ODD: tuple[Any, ...] = ({"provoked": []}, "", -1, None, [{}])
"""Values of which most fields accept none."""


@arranges("invalid_json", by="request")
async def with_broken_json(stage: Stage) -> ApiRequest:
    request = await request_for(stage)
    stage.say("the body breaks off")
    return replace(request, content=(request.sent or b"{")[:-1] or b"{", media_type=_JSON)


@arranges("unsupported_media_type", by="request")
async def with_another_type(stage: Stage) -> ApiRequest:
    request = await request_for(stage)
    stage.say("the body says that it is plain text")
    return replace(request, content=request.sent or b"{}", media_type="text/plain")


@arranges("payload_too_large", by="request")
async def with_too_much(stage: Stage) -> ApiRequest:
    """White space is JSON as well, so nothing but the size is wrong."""
    request = await request_for(stage)
    if request.form is not None:
        size = uploads.FILE_LIMIT + _ENVELOPE
        stage.say(f"the file has {size} bytes")
        return replace(request, form={**request.form, "file": bytes(size)})
    size = uploads.JSON_LIMIT + 1
    stage.say(f"the body is followed by spaces, up to {size} bytes")
    return replace(request, content=(request.sent or b"{}").ljust(size), media_type=_JSON)


@arranges("payload_too_large", "download-session-file")
async def of_too_large_a_file(stage: Stage) -> ApiRequest:
    request = await request_for(stage)
    await stage.write_file(request.path["id"], FILE, bytes(uploads.FILE_LIMIT + 1))
    return request


@arranges("invalid_request", by="request")
async def with_one_thing_wrong(stage: Stage) -> ApiRequest:
    """The first change of a good request, of its body, its query or its path, that the document does not accept."""
    request = await request_for(stage)
    for changed, what in (*_of_body(stage, request), *_of_query(stage, request), *_of_path(request)):
        stage.say(what)
        return changed
    raise ApiError("cannot_be_provoked", f"{stage.operation.id} accepts whatever it is sent")


@arranges(
    "invalid_request", "start-google-login", "start-github-login", "get-codex-login-url", by="request"
)  # fmt: skip
async def leading_elsewhere(stage: Stage) -> ApiRequest:
    stage.say("the sign-in is to lead to another machine")
    return replace(await request_for(stage), query={"redirect_uri": "https://elsewhere.example/"})


@arranges("unknown_scope", by="request")
async def with_unknown_scope(stage: Stage) -> ApiRequest:
    stage.say("there is no scope provoked.read")
    return (await request_for(stage)).with_body(scopes=["provoked.read"])


@arranges("unknown_event", by="request")
async def with_unknown_event(stage: Stage) -> ApiRequest:
    stage.say("there is no event provoked.happened")
    return (await request_for(stage)).with_body(events=["provoked.happened"])


@arranges("unknown_job_kind", by="request")
async def with_unknown_kind(stage: Stage) -> ApiRequest:
    stage.say("there are no jobs of the kind provoked.job")
    return (await request_for(stage)).with_body(kind="provoked.job")


def _of_body(stage: Stage, request: ApiRequest) -> Iterator[tuple[ApiRequest, str]]:
    body = stage.operation.body
    if body is None:
        return
    if request.form is not None:
        for name in request.form:
            left = {key: value for key, value in request.form.items() if key != name}
            if _refused(stage, body.content[_FORM], dict.fromkeys(left, "")):
                # A form without parts would be no form.
                yield replace(request, form=left or {"provoked": "x"}), f"the form has no {name}"
        return
    whole = request.body or {}
    for name in [*body.content[_JSON].get("properties", {}), *whole]:
        for odd in _ODD:
            if _refused(stage, body.content[_JSON], {**whole, name: odd}):
                yield replace(request, body={**whole, name: odd}), f"the body has {json.dumps(odd)} for {name}"
    for name in whole:
        left = {key: value for key, value in whole.items() if key != name}
        if _refused(stage, body.content[_JSON], left):
            yield replace(request, body=left), f"the body has no {name}"
    if _refused(stage, body.content[_JSON], [whole]):
        yield replace(request, body=[whole]), "the body is a list"


def _refused(stage: Stage, schema: Mapping[str, Any], body: Any) -> bool:
    """Whether the document refuses a body for nothing but its form."""
    try:
        validator_of(stage.spec).body(schema, body)
    except ApiError as error:
        return error.code == "invalid_request"
    return False


def _of_query(stage: Stage, request: ApiRequest) -> Iterator[tuple[ApiRequest, str]]:
    for parameter in stage.operation.parameters:
        if parameter.location != "query":
            continue
        for odd in ("provoked?", " "):
            _, problems, _ = validator_of(stage.spec).parameters(stage.operation, "query", [(parameter.name, odd)])
            if any(problem.pointer == parameter.name for problem in problems):
                yield replace(request, query={**request.query, parameter.name: odd}), f"{parameter.name} is {odd!r}"


def _of_path(request: ApiRequest) -> Iterator[tuple[ApiRequest, str]]:
    for name in request.path:
        yield request.with_path(**{name: _TOO_LONG}), f"{name} in the path has {len(_TOO_LONG)} characters"
