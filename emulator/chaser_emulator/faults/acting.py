"""What a rule does to one call: before anything has happened, inside the handler, and to the answer."""

from __future__ import annotations

import asyncio
import contextlib
import math
from collections.abc import AsyncIterator, Callable
from typing import TYPE_CHECKING

from starlette.responses import JSONResponse, Response
from starlette.websockets import WebSocket

from chaser_emulator.admission import unauthorized
from chaser_emulator.errors import ApiError
from chaser_emulator.faults import effects
from chaser_emulator.faults.answered import Answered, PlannedFailure
from chaser_emulator.faults.connections import Dripping, Late, NoAnswer, Truncated, give_up
from chaser_emulator.faults.sockets import Dropping
from chaser_emulator.journal import exchange_of
from chaser_emulator.meter import Reading

if TYPE_CHECKING:
    from chaser_emulator.faults.registry import Planned
    from chaser_emulator.operations import Call

_UNKNOWN = ("unauthorized", "account_mismatch")
"""Refusals of callers whom nobody knows then: no limits are told, and no audit log has them."""

Render = Callable[[ApiError], Response]


class Plan:
    """The effect of one rule on one call. The pipeline calls `before`, `handled` and `after` on its way."""

    def __init__(self, planned: Planned, call: Call) -> None:
        self._planned = planned
        self._call = call
        self._effect = planned.fault.effect
        self._raised = self._taken_back = False
        self._note(planned.fault.id)

    async def before(self, limits: dict[str, str]) -> None:
        """Act before the call is read; `limits` are the headers of the meter. Raises what stops the call."""
        match self._effect:
            case effects.Error(when="before") as wanted:
                error = self._error(wanted)
                if wanted.code in _UNKNOWN:
                    self._call.dismiss()
                    limits.clear()
                limits.pop("Retry-After", None)
                limits.update(self._limits(wanted))
                # Last, so that what the rule says itself is what is sent.
                for name in wanted.headers:
                    for known in [each for each in limits if each.lower() == name.lower()]:
                        del limits[known]
                raise error
            case effects.Answer(when="before") as wanted:
                raise Answered(_answer(wanted))
            case effects.Cut(when="before") as wanted:
                raise Answered(NoAnswer(wanted, self._planned.over, self._call.http))
            case effects.Raise(when="before") as wanted:
                raise PlannedFailure(wanted.message)
            case effects.Latency(when="before") as wanted:
                await self._wait(wanted)

    def handled(self) -> None:
        """Act inside the handler, which has done everything."""
        if isinstance(self._effect, effects.Raise) and self._effect.when == "after":
            self._raised = True
            raise PlannedFailure(self._effect.message)

    async def after(self, response: Response, render: Render) -> Response:
        """What is answered instead of, or with, an answer."""
        effect = self._effect
        if _replaces(effect) and response.status_code >= 400:
            # Nothing was committed, so there is no answer to lose.
            self._take_back()
            return response
        match effect:
            case effects.Error(when="after") as wanted:
                await give_up(response)
                return self._rendered(wanted, response, render)
            case effects.Answer(when="after") as wanted:
                await give_up(response)
                return _answer(wanted)
            case effects.Cut(when="after") as wanted:
                await give_up(response)
                return NoAnswer(wanted, self._planned.over)
            case effects.Raise(when="after") if not self._raised:
                self._take_back()
            case effects.Truncate() as wanted:
                return Truncated(response, wanted, self._take_back)
            case effects.Slow() as wanted:
                return Dripping(response, wanted, self._planned.over)
            case effects.Latency(when="after") as wanted:
                return Late(response, lambda: self._wait(wanted))
        return response

    async def performed(self) -> None:
        """Act after an operation that was performed without a request. Raises ApiError."""
        match self._effect:
            case effects.Error(when="after") as wanted:
                raise self._error(wanted)
            case effects.Latency(when="after") as wanted:
                await self._wait(wanted)

    async def accepting(self, render: Render) -> Response | None:
        """Act between the handler and the acceptance of a WebSocket; answers what is answered instead, if anything."""
        match self._effect:
            case effects.Error(when="after") as wanted:
                return self._rendered(wanted, Response(), render)
            case effects.Answer(when="after") as wanted:
                return _answer(wanted)
            case effects.Cut(when="after") as wanted:
                return NoAnswer(wanted, self._planned.over)
            case effects.Latency(when="after") as wanted:
                await self._wait(wanted)
        return None

    @contextlib.asynccontextmanager
    async def dropping(self, websocket: WebSocket) -> AsyncIterator[WebSocket]:
        """The WebSocket to talk on, which is dropped in the midst of it where that is planned."""
        if not isinstance(self._effect, effects.Drop):
            yield websocket
            return
        drop = Dropping(self._effect, websocket, self._take_back)
        async with drop.at_work():
            yield drop.websocket

    def refused(self) -> None:
        """The call was refused before the effect had its turn."""
        if isinstance(self._effect, effects.Drop) or _replaces(self._effect):
            self._take_back()

    def _take_back(self) -> None:
        """There was nothing to act on."""
        if not self._taken_back:
            self._taken_back = True
            self._planned.take_back()
            self._note(None)

    def _note(self, fault_id: str | None) -> None:
        """Tell the journal which rule had a hand in this exchange."""
        if self._call.http is not None and (exchange := exchange_of(self._call.http.scope)) is not None:
            exchange.fault = fault_id

    async def _wait(self, latency: effects.Latency) -> None:
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(self._planned.seconds(latency)):
                await self._planned.over.wait()

    def _error(self, wanted: effects.Error) -> ApiError:
        """The refusal as the API itself would make it."""
        spec, operation = self._call.spec, self._call.operation
        message = wanted.message or spec.document["x-error-codes"][wanted.code]["description"].strip()
        details, headers = wanted.details, dict(wanted.headers)
        if wanted.code == "unauthorized":
            headers = unauthorized().headers | headers
        elif wanted.code == "insufficient_scope" and details is None:
            details = {"required": operation.scope if operation.scope not in (None, "dynamic") else "full"}
        return ApiError(wanted.code, message, details=details, headers=headers)

    def _limits(self, wanted: effects.Error) -> dict[str, str]:
        """The headers of the meter for a caller whose bucket is empty."""
        call, rate = self._call, self._call.operation.rate
        if wanted.code != "rate_limited" or rate is None:
            return {}
        limits = call.world.meter.surfaces.get(rate, call.world.meter.default)
        now = call.clock.now().timestamp()
        retry_after = 1 if wanted.retry_after is None else wanted.retry_after
        reset = math.ceil(now + max(limits.window, retry_after))
        return Reading("principal", limits.per_principal, 0, reset, retry_after).headers()

    def _rendered(self, wanted: effects.Error, instead_of: Response, render: Render) -> Response:
        response = render(self._error(wanted))
        if wanted.code not in _UNKNOWN:
            for name, value in instead_of.headers.items():
                if name.startswith("x-ratelimit-"):
                    response.headers.setdefault(name, value)
        for name, value in self._limits(wanted).items():
            if name.lower() not in {each.lower() for each in wanted.headers}:
                response.headers[name] = value
        return response


def _replaces(effect: effects.Effect) -> bool:
    """Whether it takes the place of the answer to a change that was made."""
    return isinstance(effect, effects.Error | effects.Answer | effects.Cut) and effect.when == "after"


def _answer(wanted: effects.Answer) -> Response:
    if wanted.body is None or isinstance(wanted.body, str):
        return Response(wanted.body, wanted.status, wanted.headers)
    return JSONResponse(wanted.body, wanted.status, wanted.headers)
