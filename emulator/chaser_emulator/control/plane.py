"""The routes of the control plane, made from its document, and the steps of one request to it."""

from __future__ import annotations

import importlib
import logging
import pkgutil
from collections.abc import Mapping
from typing import Any, NoReturn

from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect, HTTPConnection, Request
from starlette.responses import JSONResponse, Response
from starlette.routing import BaseRoute, Mount, Route, Router
from starlette.types import Receive, Scope, Send

from chaser_emulator import assembly, callers, sandbox, spec, uploads
from chaser_emulator.admission import unauthorized
from chaser_emulator.control import console
from chaser_emulator.control.operations import CONTROL, ControlCall
from chaser_emulator.errors import ApiError, Problem, invalid
from chaser_emulator.keywords import DocumentError
from chaser_emulator.operations import Reply
from chaser_emulator.paths import decode_segment
from chaser_emulator.sandbox_refusals import of_sandbox
from chaser_emulator.selection import HEADER, is_over, world_at
from chaser_emulator.spec import Operation, Spec
from chaser_emulator.streams import Stream
from chaser_emulator.urls import base_url
from chaser_emulator.validation import Validator, parse_json
from chaser_emulator.world import World
from chaser_emulator.worlds import Worlds

_log = logging.getLogger(__name__)

_JSON = "application/json"


def load() -> Spec:
    """Import every handler and compile the document. Raises DocumentError unless each operation has one handler."""
    package = importlib.import_module("chaser_emulator.control")
    for module in pkgutil.iter_modules(package.__path__):
        importlib.import_module(f"{package.__name__}.{module.name}")
    return spec.load(CONTROL, assembly.CONTROL)


class Plane:
    """All operations of the control plane; refusals have the form of the API's."""

    def __init__(self, api: Spec) -> None:
        self._api = api
        self._spec = load()
        self._validator = Validator(self._spec)
        own = self._spec.error_status
        if others := [code for code in own.keys() & api.error_status.keys() if own[code] != api.error_status[code]]:
            raise DocumentError(f"codes that have another status in Chaser's own document: {sorted(others)}")
        self._status: Mapping[str, int] = {**api.error_status, **own}
        paths: dict[str, dict[str, Operation]] = {}
        for operation in self._spec.operations.values():
            paths.setdefault(operation.path, {})[operation.method] = operation
        # Fixed words before parameters, as for the API.
        ordered = sorted(paths, key=lambda path: [segment.startswith("{") for segment in path.split("/")])
        routes: list[BaseRoute] = [Route(path, _Endpoint(self, paths[path])) for path in ordered]
        routes.append(Mount(console.ASSETS, console.Assets()))
        self._router = Router(routes, redirect_slashes=False)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        try:
            await self._router(scope, receive, send)
        except HTTPException:
            connection = HTTPConnection(scope)
            error = ApiError("not_found", f"there is nothing at {connection.url.path}")
            await self.refusal(error, connection)(scope, receive, send)

    async def perform(self, request: Request, operation: Operation) -> Response:
        """Answer one request."""
        try:
            call = await self._read(request, operation)
            response = self._answer(operation, await CONTROL[operation.id](call))
            _tell(call)
            return response
        except ClientDisconnect:
            # Nobody listens any more; what is answered is not sent.
            return Response(status_code=operation.success)
        except ApiError as error:
            return self._refuse(operation, request, error)
        except sandbox.SandboxError as error:
            return self._refuse(operation, request, of_sandbox(error))
        except Exception:
            if is_over(request):
                _log.debug("%s was under way in a world that has ended", operation.id, exc_info=True)
                text = "the world was deleted or put back while this was under way"
                return self._refuse(operation, request, ApiError("not_found", text))
            _log.exception("%s failed (%s)", operation.id, request.state.request_id)
            return self._refuse(operation, request, _internal_error())

    async def _read(self, request: Request, operation: Operation) -> ControlCall:
        """The call that a request is. Raises ApiError for whatever the document does not accept."""
        worlds: Worlds = request.state.worlds
        trusted = callers.is_this_machine(request) or callers.shows_key(request, worlds.api_key)
        if operation.marks.get("x-reach") == "process" and not trusted:
            raise unauthorized()
        path = [(name, decode_segment(value)) for name, value in request.path_params.items()]
        names = {p.name.lower(): p.name for p in operation.parameters if p.location == "header"}
        sent = [(names[key], value) for key, value in request.headers.items() if key in names]
        in_path, in_vain, _ = self._validator.parameters(operation, "path", path)
        query, found, unknown = self._validator.parameters(operation, "query", request.query_params.multi_items())
        problems = [*in_vain, *found]
        headers, found, _ = self._validator.parameters(operation, "header", sent)
        problems += found
        if unknown and not operation.marks.get("x-open-query"):
            known = ", ".join(p.name for p in operation.parameters if p.location == "query") or "no parameter"
            problems += [Problem("query", name[:100], f"is not known; {known} is accepted") for name in unknown]
        world = _meant(request, worlds, headers.get(HEADER) or query.get("world"), trusted=trusted)
        if in_vain and operation.method != "PUT":
            # What cannot be the name of anything names nothing; a PUT may make what it names.
            raise ApiError("not_found", f"there is nothing here: {in_vain[0].pointer} {in_vain[0].message}")
        if problems:
            raise invalid(problems)
        call = ControlCall(
            self._spec, self._api, operation, world, worlds, request,
            base_url(request, world.settings), in_path, query, headers,
        )  # fmt: skip
        await self._body(call)
        return call

    async def _body(self, call: ControlCall) -> None:
        body = call.operation.body
        if body is None:
            return
        if call.media_type in body.content and call.media_type != _JSON:
            # A form, a file or a stream, which its handler reads.
            return
        if _JSON not in body.content or call.media_type not in (_JSON, ""):
            raise self._unsupported(call)
        raw = await uploads.read_json(call.request)
        if not raw:
            if body.required:
                raise invalid([Problem("body", "", "is required, as JSON")])
            call.body = {}
            return
        if not call.media_type:
            # A page of another site can send a form without asking, but no JSON.
            raise self._unsupported(call)
        call.body = parse_json(raw)
        self._validator.body(body.content[_JSON], call.body)

    def _unsupported(self, call: ControlCall) -> ApiError:
        assert call.operation.body is not None  # noqa: S101 - the caller looked
        accepted = " or ".join(call.operation.body.content)
        given = call.media_type or "of no declared type"
        return ApiError("unsupported_media_type", f"the body must be {accepted}, not {given}")

    def _answer(self, operation: Operation, result: Any) -> Response:
        """The response that a handler's result is, held against the document."""
        if isinstance(result, Response):
            self._declared(operation, result.status_code, result.media_type or "")
            return result
        reply = result if isinstance(result, Reply) else Reply(result)
        status = reply.status or operation.success
        if reply.chunks is not None:
            self._declared(operation, status, reply.media_type)
            return Stream(reply, status)
        if reply.media_type != _JSON:
            self._declared(operation, status, reply.media_type)
            return Response(reply.body, status, reply.headers, reply.media_type)
        if status in operation.responses and reply.body is None and not operation.responses[status].content:
            return Response(status_code=status, headers=reply.headers)
        if broken := self._validator.reply(operation, status, reply.body):
            _fail(operation, broken)
        return JSONResponse(reply.body, status, reply.headers)

    def _declared(self, operation: Operation, status: int, media_type: str) -> None:
        response = operation.responses.get(status)
        if response is None:
            _fail(operation, f"status {status} is not declared")
        plain = media_type.partition(";")[0]
        if response.content and plain not in response.content:
            _fail(operation, f"{plain or 'no media type'} is not declared for {status}")

    def _refuse(self, operation: Operation, request: Request, error: ApiError) -> Response:
        """Render a refusal that the document declares; anything else is a 500 whose reason is in the log."""
        status, body = self._status[error.code], error.body(request.state.request_id)
        broken = self._validator.reply(operation, status, body)
        if broken is not None:
            _log.error("%s: the refusal %r breaks the document: %s", operation.id, error.code, broken)
            error = _internal_error()
        return self.refusal(error, request)

    def refusal(self, error: ApiError, connection: HTTPConnection) -> Response:
        """The answer that an error is."""
        return JSONResponse(error.body(connection.state.request_id), self._status[error.code], error.headers)


class _Endpoint:
    """Every operation of one path. An ASGI application, so that the path's 405 can name every method."""

    def __init__(self, plane: Plane, operations: Mapping[str, Operation]) -> None:
        self._plane = plane
        self._operations = operations

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        request = Request(scope, receive, send)
        # The server leaves the body of an answer to HEAD out.
        operation = self._operations.get("GET" if request.method == "HEAD" else request.method)
        if operation is None:
            offered = [*self._operations, *(["HEAD"] if "GET" in self._operations else [])]
            allow = ", ".join(sorted(offered))
            error = ApiError(
                "method_not_allowed", f"{request.method} is not offered here; {allow} is", headers={"Allow": allow}
            )
            response = self._plane.refusal(error, request)
        else:
            response = await self._plane.perform(request, operation)
        await response(scope, receive, send)


def _meant(request: Request, worlds: Worlds, named: str | None, *, trusted: bool) -> World:
    """The world that a request is about: here what it names counts more than the key that a client sends by itself.

    Raises ApiError for a name that no world has, and `forbidden` for who may not reach that world.
    """
    world = world_at(request)
    if named is None or named == world.id:
        return world
    if not trusted:
        raise ApiError("forbidden", f"the key is that of world {world.id!r}, and {named[:80]!r} is meant")
    world = request.state.world = worlds.get(named)
    return world


def _tell(call: ControlCall) -> None:
    """Let those who watch know that a call may have changed what they see; the clock tells of itself."""
    operation = call.operation
    if operation.method == "GET" or operation.tag == "clock":
        return
    concerned = call.worlds.all() if operation.marks.get("x-world") == "none" else [call.world]
    for world in concerned:
        world.happenings.steered(operation.id, operation.tag)


def _internal_error() -> ApiError:
    return ApiError("internal_error", "the emulator failed; its log says why, under this request id")


def _fail(operation: Operation, broken: str) -> NoReturn:
    _log.error("%s: the reply breaks the document: %s", operation.id, broken)
    raise _internal_error()
