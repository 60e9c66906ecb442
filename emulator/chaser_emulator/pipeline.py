"""The steps of one request, from top to bottom: admission, validation, the handler, the check of its reply."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import AsyncIterator, Callable, Mapping
from typing import Any, NoReturn

import anyio
from starlette.datastructures import UploadFile
from starlette.requests import ClientDisconnect, HTTPConnection, Request
from starlette.responses import JSONResponse, Response
from starlette.types import Receive, Scope, Send
from starlette.websockets import WebSocket, WebSocketDisconnect

from chaser_emulator import admission, events, observing, origins, sandbox, uploads
from chaser_emulator.acting import Acting
from chaser_emulator.clock import new_request_id
from chaser_emulator.errors import ApiError, Problem, Rule, invalid
from chaser_emulator.faults import Answered, calling
from chaser_emulator.journal import Exchange, exchange_of
from chaser_emulator.operations import Call, Handler, Refusal, Reply, Upgrade
from chaser_emulator.paths import decode_segment
from chaser_emulator.redaction import Redaction
from chaser_emulator.sandbox_refusals import of_sandbox
from chaser_emulator.selection import is_over, world_at
from chaser_emulator.spec import Operation, Spec
from chaser_emulator.streams import Stream
from chaser_emulator.urls import base_url
from chaser_emulator.validation import Validator, parse_json

_log = logging.getLogger(__name__)

_JSON = "application/json"
_FORM = "multipart/form-data"

_ACCOUNT = "account"
"""In the query of a browser's WebSocket: what X-Chaser-Account says elsewhere."""


class Endpoint:
    """Every operation of one path. An ASGI application, so that the path's 405 can name every method."""

    def __init__(self, pipeline: Pipeline, operations: Mapping[str, Operation]) -> None:
        self._pipeline = pipeline
        self._operations = operations

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        socket = scope["type"] == "websocket"
        operation = self._operations.get("GET" if socket else scope["method"])
        async with self._pipeline.noted(scope, receive, send, operation) as (receive, send):
            if socket:
                await self._pipeline.upgrade(scope, receive, send, self._operations["GET"])
            else:
                await self._answer(scope, receive, send, operation)

    async def _answer(self, scope: Scope, receive: Receive, send: Send, operation: Operation | None) -> None:
        request = Request(scope, receive, send)
        if operation is None:
            allow = ", ".join(sorted(self._operations))
            error = ApiError(
                "method_not_allowed", f"{request.method} is not offered here; {allow} is", headers={"Allow": allow}
            )
            await uploads.let_pass(request)
            response: Response = self._pipeline.refusal(error, request)
        else:
            response = await self._pipeline.perform(request, operation)
        await response(scope, receive, send)


class Pipeline:
    """What every request needs, of whichever world: the document, its compiled schemas and the handlers."""

    def __init__(self, spec: Spec, handlers: Mapping[str, Handler], refusals: Mapping[str, Refusal]) -> None:
        self.spec = spec
        self._redaction = Redaction(spec)
        self._handlers = handlers
        self._refusals = refusals
        self._validator = Validator(spec)

    @contextlib.asynccontextmanager
    async def noted(
        self, scope: Scope, receive: Receive, send: Send, operation: Operation | None
    ) -> AsyncIterator[tuple[Receive, Send]]:
        """Keep an exchange in the journal of its world; the block answers on the ends that it is given."""
        if observing.is_look(scope):
            yield receive, send
            return
        journal = world_at(HTTPConnection(scope)).journal
        began = asyncio.get_running_loop().time()
        exchange = journal.begin(scope, operation, self._redaction)
        try:
            yield journal.watched(exchange, receive, send)
        finally:
            journal.end(exchange, began)

    async def perform(self, request: Request, operation: Operation) -> Response:
        """Answer one request; every refusal on the way is rendered and audited here."""
        call = self._call(operation, request)
        limits: dict[str, str] = {}
        form: dict[str, Any] = {}
        try:
            await self._enter(call, limits)
            form = await self._read(call)
            result = await self._ask(call)
            if call.plan is not None:
                call.plan.handled()
            response = self._reply(operation, result)
        except Answered as planned:
            response = planned.response
            limits.clear()
        except ClientDisconnect:
            # Nobody listens any more; what is answered is not sent.
            response = Response(status_code=operation.success)
        except ApiError as error:
            response = await self._refuse(call, error)
        except sandbox.SandboxError as error:
            response = await self._refuse(call, of_sandbox(error))
        except Exception:
            if is_over(request):
                _log.debug("%s was under way in a world that has ended", operation.id, exc_info=True)
                response = self.refusal(_ended(), request)
            else:
                _log.exception("%s %s failed (%s)", request.method, request.url.path, call.request_id)
                response = await self._refuse(call, _internal_error())
        finally:
            if form:
                with anyio.CancelScope(shield=True):
                    await uploads.close_form(form)
        for name, value in limits.items():
            response.headers[name] = value
        return response if call.plan is None else await call.plan.after(response, self._rendering(call))

    async def invoke(
        self,
        who: Acting,
        operation_id: str,
        body: Any = None,
        *,
        path: Mapping[str, str] | None = None,
        query: Mapping[str, Any] | None = None,
    ) -> Any:
        """Perform an operation for a known caller without a request, as jobs and tools do; answers its JSON.

        All is as in `perform` but the credential and the meter, which whoever asks has passed. Raises ApiError.
        """
        operation = self.spec.operations[operation_id]
        world = who.world
        base_url = who.base_url or world.lifecycle.base_url
        call = Call(self.spec, operation, world, None, who.request_id or new_request_id(), base_url)
        call.admit(who.principal, who.account)
        call.path = dict(path or {})
        calling.begin(call)
        try:
            call.plan = world.faults.plan(call)
            if call.plan is not None:
                await call.plan.before({})
            admission.authorise(operation, who.principal, who.account)
            sent = [(name, _text(value)) for name, value in (query or {}).items() if value is not None]
            self._parameters(call, list((path or {}).items()), sent, [])
            if operation.body is not None:
                call.body = {} if body is None and not operation.body.required else body
                self._validator.body(operation.body.content[_JSON], call.body, operation.body.schema_pointer(_JSON))
            result = await self._ask(call)
            if call.plan is not None:
                call.plan.handled()
            reply = result if isinstance(result, Reply) else Reply(result)
            self._check(operation, reply)
        except ApiError as error:
            await self._tell(call, error)
            raise
        except sandbox.SandboxError as error:
            refused = of_sandbox(error)
            await self._tell(call, refused)
            raise refused from error
        except Exception as error:
            _log.exception("%s failed (%s)", operation.id, call.request_id)
            raise _internal_error() from error
        finally:
            calling.end(call)
        if call.plan is not None:
            await call.plan.performed()
        return reply.body

    def _call(self, operation: Operation, request: Request) -> Call:
        world = world_at(request)
        base = base_url(request, world.settings)
        return Call(self.spec, operation, world, request, request.state.request_id, base)

    async def upgrade(self, scope: Scope, receive: Receive, send: Send, operation: Operation) -> None:
        """Answer a request for a WebSocket; a refusal is the plain answer that it would be otherwise (S15)."""
        scheme = "https" if scope["scheme"] == "wss" else "http"
        request = Request({**scope, "type": "http", "method": "GET", "scheme": scheme}, receive)
        websocket = WebSocket(scope, receive, send)
        call = self._call(operation, request)
        async with contextlib.AsyncExitStack() as stack:
            try:
                origins.require_own(request, call.world.settings)
                await self._enter(call, {})
                await self._read(call)
                upgrade = await self._ask(call)
                await stack.enter_async_context(upgrade.held)
                if call.plan is not None:
                    call.plan.handled()
                    if (instead := await call.plan.accepting(self._rendering(call))) is not None:
                        raise Answered(instead)
            except Answered as planned:
                await websocket.send_denial_response(planned.response)
                return
            except ApiError as error:
                await websocket.send_denial_response(await self._refuse(call, error))
                return
            except sandbox.SandboxError as error:
                await websocket.send_denial_response(await self._refuse(call, of_sandbox(error)))
                return
            except Exception:
                _log.exception("%s failed (%s)", request.url.path, call.request_id)
                await websocket.send_denial_response(await self._refuse(call, _internal_error()))
                return
            if call.plan is not None:
                websocket = await stack.enter_async_context(call.plan.dropping(websocket))
            await websocket.accept()
            await converse(websocket, upgrade)

    async def _ask(self, call: Call) -> Any:
        """What the handler of an admitted call answers, unless it is to fail."""
        call.world.planned.break_handler(call)
        return await self._handlers[call.operation.id](call)

    async def _enter(self, call: Call, limits: dict[str, str]) -> None:
        """Admission, and then what is planned for a call, also for one that is not let in."""
        refused: ApiError | None = None
        try:
            await self._admit(call, limits)
        except ApiError as error:
            refused = error
        calling.begin(call)
        if not observing.is_look(call.request.scope):
            call.plan = call.world.faults.plan(call)
        if refused is not None or call.plan is not None:
            await uploads.let_pass(call.request)
        if call.plan is not None:
            await call.plan.before(limits)
        if refused is not None:
            raise refused

    async def _admit(self, call: Call, limits: dict[str, str]) -> None:
        operation, world, headers = call.operation, call.world, call.request.headers
        if not operation.secured:
            return
        authorization, selector = headers.get("authorization"), headers.get("x-chaser-account")
        if authorization is None and operation.upgrades and "access_token" in call.request.query_params:
            # A browser cannot set a header on a WebSocket (S15), so that the account is named beside the token. Chaser
            # has no such parameter; it is for the console.
            query = call.request.query_params
            authorization, selector = f"Bearer {query['access_token']}", query.get(_ACCOUNT, selector)
        # Who is known beforehand made this request once, and it is sent again for them without their credential.
        known: admission.Principal | None = getattr(call.request.state, "caller", None)
        principal = known or await world.admission.principal(world.store, world.clock, authorization)
        account: admission.Account | None = None
        try:
            if operation.selects_account:
                account = await world.admission.account(world.store, principal, selector)
        finally:
            # A request for an account that is not the caller's counts as well, for the caller alone.
            if operation.rate is not None and not observing.is_look(call.request.scope):
                now = world.clock.now().timestamp()
                reading = world.meter.take(operation.rate, principal.id, account.id if account else None, now)
                limits.update(reading.headers())
                if account is None:
                    # Waiting would not help: it is the account that is refused.
                    limits.pop("Retry-After", None)
        call.admit(principal, account)
        if (exchange := exchange_of(call.request.scope)) is not None:
            _tell_who(exchange, principal, account)
        if "Retry-After" in limits:
            wait = limits["Retry-After"]
            raise ApiError("rate_limited", f"too many requests on {operation.rate}; wait {wait} s")
        admission.authorise(operation, principal, account)

    async def _read(self, call: Call) -> dict[str, Any]:
        """Read and check parameters and body into the call; answers the parts of a form, to be closed."""
        operation, request = call.operation, call.request
        path = [(name, decode_segment(value)) for name, value in request.path_params.items()]
        names = {p.name.lower(): p.name for p in operation.parameters if p.location == "header"}
        headers = [(names[key], value) for key, value in request.headers.items() if key in names]
        self._parameters(call, path, request.query_params.multi_items(), headers)
        form: dict[str, Any] = {}
        if operation.body is not None:
            media_type = request.headers.get("content-type", "").partition(";")[0].strip().lower()
            if _FORM in operation.body.content:
                form = await self._form(call, media_type)
            else:
                await self._json(call, media_type)
        return form

    def _parameters(
        self, call: Call, path: list[tuple[str, str]], query: list[tuple[str, str]], headers: list[tuple[str, str]]
    ) -> None:
        """Check the parameters into the call."""
        operation = call.operation
        call.path, problems, _ = self._validator.parameters(operation, "path", path)
        call.query, found, ignored = self._validator.parameters(operation, "query", query)
        problems += found
        if call.http is not None and (exchange := exchange_of(call.http.scope)) is not None:
            read = _ACCOUNT if operation.upgrades else None
            exchange.ignored = [f"query {name}" for name in ignored if name != read]
        call.headers, found, _ = self._validator.parameters(operation, "header", headers)
        # The account was chosen at admission, which is kinder than a schema: spaces and an empty value are fine.
        problems += [problem for problem in found if problem.pointer != "X-Chaser-Account"]
        if problems:
            raise invalid(problems)

    async def _json(self, call: Call, media_type: str) -> None:
        body = call.operation.body
        assert body is not None  # noqa: S101 - the caller looked
        raw = await uploads.read_json(call.request)
        if not raw:
            if body.required:
                rule = Rule(f"{body.pointer}/required", accepted=_JSON)
                raise invalid([Problem("body", "", "is required, as JSON", rule)])
            call.body = {}
            return
        if media_type != _JSON:
            raise ApiError(
                "unsupported_media_type", f"the body must be {_JSON}, not {media_type or 'of no declared type'}"
            )
        call.body = parse_json(raw)
        self._validator.body(body.content[_JSON], call.body, body.schema_pointer(_JSON))

    async def _form(self, call: Call, media_type: str) -> dict[str, Any]:
        body = call.operation.body
        assert body is not None  # noqa: S101 - the caller looked
        if media_type != _FORM:
            await uploads.let_pass(call.request)
            raise ApiError(
                "unsupported_media_type", f"the body must be {_FORM}, not {media_type or 'of no declared type'}"
            )
        form = await uploads.read_form(call.request)
        try:
            shape = {name: "" if isinstance(part, UploadFile) else part for name, part in form.items()}
            self._validator.body(body.content[_FORM], shape, body.schema_pointer(_FORM))
            files = [name for name, part in form.items() if isinstance(part, UploadFile)]
            for name in files:
                node = body.content[_FORM].get("properties", {}).get(name, {})
                if node and node.get("format") != "binary" and "contentMediaType" not in node:
                    raise invalid([Problem("body", f"/{name}", "must be text, not a file")])
        except BaseException:
            await uploads.close_form(form)
            raise
        call.body = form
        return form

    def _reply(self, operation: Operation, result: Any) -> Response:
        if isinstance(result, Upgrade):
            raise ApiError(
                "invalid_request",
                f"{operation.id} is a WebSocket; send Connection: Upgrade and Upgrade: websocket",
                headers={"Upgrade": "websocket"},
            )
        reply = result if isinstance(result, Reply) else Reply(result)
        self._check(operation, reply)
        status = reply.status or operation.success
        if reply.chunks is not None:
            return Stream(reply, status)
        if reply.body is None and not operation.responses[status].content:
            return Response(status_code=status, headers=reply.headers)
        if reply.media_type == _JSON:
            return JSONResponse(reply.body, status, reply.headers)
        return Response(reply.body, status, reply.headers, reply.media_type)

    def _check(self, operation: Operation, reply: Reply) -> None:
        """Hold a reply against the document; one that breaks it is a 500, and the log says how."""
        status = reply.status or operation.success
        response = operation.responses.get(status)
        if response is None:
            _fail(operation, f"status {status} is not declared")
        if reply.media_type != _JSON or reply.chunks is not None:
            if reply.media_type not in response.content:
                _fail(operation, f"{reply.media_type} is not declared for {status}")
        elif (reply.body is not None or response.content) and (
            broken := self._validator.reply(operation, status, reply.body)
        ):
            _fail(operation, broken)

    def _rendering(self, call: Call) -> Callable[[ApiError], Response]:
        """How a refusal looks that is no more than an answer, as what was asked for has been done."""

        def render(error: ApiError) -> Response:
            words = self._refusals.get(call.operation.id)
            if words is not None and (reply := words(call, error)) is not None:
                return self._reply(call.operation, reply)
            return self.refusal(error, call.request)

        return render

    async def _refuse(self, call: Call, error: ApiError) -> Response:
        """Render a refusal that the document declares; anything else is a 500 whose reason is in the log."""
        if call.plan is not None:
            call.plan.refused()
        operation = call.operation
        words = self._refusals.get(operation.id)
        if words is not None and (reply := words(call, error)) is not None:
            if (exchange := exchange_of(call.request.scope)) is not None:
                exchange.error = error
            return self._reply(operation, reply)
        broken = self._validator.reply(operation, self.spec.error_status[error.code], error.body(call.request_id))
        if broken is not None:
            _log.error("%s: the refusal %r breaks the document: %s", operation.id, error.code, broken)
            error = _internal_error()
        if not is_over(call.request):
            await self._tell(call, error)
        return self.refusal(error, call.request)

    async def _tell(self, call: Call, error: ApiError) -> None:
        """Write a refused or failed change into the audit log (H27)."""
        operation, account, principal = call.operation, call.known_account, call.known_principal
        if operation.audit is not None and account is not None and principal is not None:
            # A snapshot is told of under its workspace, as when all goes well.
            resource = call.path.get("ws") or next(reversed([*call.path.values()]), None)
            async with call.store.transaction() as tx:
                await events.audit(
                    tx, call.clock, account.id, call.actor, operation.audit.action, operation.audit.resource_type,
                    resource, error.message, {"code": error.code}, failed=True,
                )  # fmt: skip

    def refusal(self, error: ApiError, request: HTTPConnection) -> Response:
        """The answer that an error is."""
        if (exchange := exchange_of(request.scope)) is not None:
            exchange.error = error
        body = error.body(request.state.request_id)
        return JSONResponse(body, self.spec.error_status[error.code], error.headers)


async def converse(websocket: WebSocket, upgrade: Upgrade) -> None:
    """Talk on an accepted WebSocket to its end; a failure of ours closes it with 1011, and the log says why."""
    try:
        await upgrade.talk(websocket)
    except WebSocketDisconnect:
        return
    except Exception:
        _log.exception("%s failed", websocket.url.path)
        with contextlib.suppress(RuntimeError, WebSocketDisconnect):
            await websocket.close(1011)


def _tell_who(exchange: Exchange, principal: admission.Principal, account: admission.Account | None) -> None:
    exchange.principal_id, exchange.key_id = principal.id, principal.key_id
    exchange.account_id = account.id if account is not None else None


def _text(value: Any) -> str:
    """A value as a query has it."""
    return str(value).lower() if isinstance(value, bool) else str(value)


def _ended() -> ApiError:
    return ApiError("internal_error", "the world was deleted or put back while this was under way")


def _internal_error() -> ApiError:
    return ApiError("internal_error", "the emulator failed; its log says why, under this request id")


def _fail(operation: Operation, broken: str) -> NoReturn:
    _log.error("%s: the reply breaks the document: %s", operation.id, broken)
    raise _internal_error()
