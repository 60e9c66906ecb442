"""provoke(operation, code): arrange what it takes, and send the request that is refused, or hand it to the user."""

from __future__ import annotations

import difflib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

from starlette.types import ASGIApp

from chaser_emulator.clock import new_hex
from chaser_emulator.errors import ApiError, Problem, invalid, invalid_field
from chaser_emulator.inward import Answer
from chaser_emulator.provoking import absent, callers, engines, limits, malformed, states
from chaser_emulator.provoking.arrangements import By, arrangement_of
from chaser_emulator.provoking.reasons import REASONS
from chaser_emulator.provoking.requests import ApiRequest, send
from chaser_emulator.provoking.stage import Stage, open_stage
from chaser_emulator.spec import Operation, Spec

if TYPE_CHECKING:
    from chaser_emulator.world import World

ARRANGERS = (absent, callers, engines, limits, malformed, states)
"""The modules whose import fills the table of arrangements."""


@dataclass(frozen=True)
class Pair:
    """A refusal that the document declares; `by` is None and `reason` says why where nothing leads to it."""

    operation: str
    code: str
    status: int
    by: By | None
    reason: str | None

    def info(self) -> dict[str, Any]:
        shown: dict[str, Any] = {"operation": self.operation, "code": self.code, "status": self.status}
        shown |= {"possible": self.by is not None}
        return shown | ({"by": self.by} if self.reason is None else {"reason": self.reason})


@dataclass(frozen=True)
class Provoked:
    """A refusal that came about, or that comes about once the user's client sends the request (`answer` is None).

    `arranged` says in words what was done for it; `id` is also the request id of what was sent.
    """

    id: str
    pair: Pair
    arranged: list[str]
    request: ApiRequest
    answer: Answer | None

    def info(self) -> dict[str, Any]:
        pair = self.pair
        shown: dict[str, Any] = {"id": self.id, "operation": pair.operation, "code": pair.code, "status": pair.status}
        shown |= {"by": pair.by, "arranged": self.arranged, "request": self.request.info(whole=self.answer is None)}
        if self.answer is None:
            return shown
        answer = {
            "status": self.answer.status,
            "headers": {name: value for name, value in self.answer.headers.items() if name != "content-length"},
            "body": self.answer.json(),
        }
        return shown | {"request_id": self.id, "response": answer}


@dataclass(frozen=True)
class Provoking:
    """What it takes to provoke refusals: the application that is asked, and the document that it is asked by."""

    app: ASGIApp
    spec: Spec

    def pair(self, operation_id: str, code: str) -> Pair:
        """A refusal of the document. Raises ApiError `invalid_request` for one that it does not have."""
        operation = operation_of(self.spec, operation_id)
        codes = operation.codes
        if code not in codes:
            listed = ", ".join(sorted(codes)) or "nothing"
            raise invalid_field("/code", f"is no refusal of {operation.id}, which refuses with {listed}")
        return _pair(operation, code, codes[code])

    async def provoke(
        self,
        world: World,
        operation_id: str,
        code: str,
        *,
        sent: bool = True,
        path: Mapping[str, str] | None = None,
        account: str | None = None,
    ) -> Provoked:
        """Arrange a refusal, and send the request that meets it.

        All of that happens in an account that is made for it, and what was broken or started is undone afterwards; with
        `path`, which names what the request is to be about, in the account of the world's own client, or in that other
        `account` of its, by id or name. With `sent` False
        that account's state is arranged, and stays so until `undo`; the user's client is then refused. What stands
        already is answered again, under the same name.

        Raises ApiError `invalid_request` for a refusal that the document does not have, `cannot_be_provoked` with the
        reason for one that nothing leads to, and `invalid_state` where the world is in no state to arrange it.
        """
        pair = self.pair(operation_id, code)
        operation = self.spec.operations[pair.operation]
        if pair.by is None:
            raise ApiError("cannot_be_provoked", f"{pair.operation} with {code}: {pair.reason}")
        given = _given(operation, path or {})
        if not sent and not given and (known := _standing(world, pair, account)) is not None:
            return known
        name = f"provoked-{new_hex(12)}"
        own = not sent or bool(given) or account is not None
        try:
            stage, request = await self._arranged(
                world, pair, own=own, name=name, sent=sent, given=given, account=account
            )
        except ApiError as error:
            if error.code != "invalid_state" or pair.by != "request" or sent or given or account is not None:
                raise
            # The account of the user's client is in no state for it, and such a request is refused in any.
            stage, request = await self._arranged(world, pair, own=False, name=name, sent=sent)
        if not sent:
            world.planned.standing[name] = Standing(pair, stage, request, account)
            return Provoked(name, pair, stage.arranged, request, None)
        try:
            answer = await send(self.app, request, base_url=world.lifecycle.base_url, request_id=name)
        finally:
            await stage.strike()
        _require(pair, stage, answer)
        return Provoked(name, pair, stage.arranged, request, answer)

    async def _arranged(
        self,
        world: World,
        pair: Pair,
        *,
        own: bool,
        name: str,
        sent: bool,
        given: Mapping[str, str] | None = None,
        account: str | None = None,
    ) -> tuple[Stage, ApiRequest]:
        """A stage on which all is arranged, and the request that is refused; nothing is left where that fails."""
        operation = self.spec.operations[pair.operation]
        arrangement = arrangement_of(operation, pair.code)
        assert arrangement is not None  # noqa: S101 - the caller looked
        stage = await open_stage(
            world,
            self.spec,
            operation,
            own=own,
            request_id=name if sent else None,
            given=given or {},
            account=account,
        )
        try:
            return stage, self._named(world, await arrangement.arrange(stage))
        except BaseException:
            await stage.strike()
            raise

    @staticmethod
    def _named(world: World, request: ApiRequest) -> ApiRequest:
        """The request with the name of its world, which no credential may tell."""
        return request.with_headers(X_Chaser_World=world.id)


@dataclass(frozen=True)
class Standing:
    """A refusal that is arranged, and waits for the user's client."""

    pair: Pair
    stage: Stage
    request: ApiRequest
    account: str | None

    async def strike(self) -> None:
        await self.stage.strike()

    def info(self, name: str) -> dict[str, Any]:
        return {"id": name, **self.pair.info(), "arranged": self.stage.arranged}


def _standing(world: World, pair: Pair, account: str | None) -> Provoked | None:
    """What is arranged already for any request of the user's client."""
    for name, standing in world.planned.standing.items():
        if not isinstance(standing, Standing) or pair.by != "state":
            continue
        if (standing.pair, standing.account) == (pair, account):
            return Provoked(name, pair, standing.stage.arranged, standing.request, None)
    return None


async def undo(world: World, name: str) -> None:
    """Undo what was arranged and stands. Raises ApiError `not_found`."""
    standing = world.planned.standing.pop(name, None)
    if standing is None:
        raise ApiError("not_found", f"nothing is arranged under {name[:80]!r}")
    await standing.strike()


def pairs(spec: Spec) -> list[Pair]:
    """Every refusal of every operation of the document."""
    found = []
    for operation in spec.operations.values():
        found += [_pair(operation, code, status) for code, status in operation.codes.items()]
    return found


def _pair(operation: Operation, code: str, status: int) -> Pair:
    reason = REASONS.get((operation.id, code))
    arrangement = arrangement_of(operation, code)
    if reason is None and arrangement is None:
        reason = "Nothing in the emulator is known to lead to it."
    by = arrangement.by if reason is None and arrangement is not None else None
    return Pair(operation.id, code, status, by, reason)


def operation_of(spec: Spec, operation_id: str, *, location: Literal["body", "query"] = "body") -> Operation:
    """The operation of this id, also as a Python name. Raises ApiError `invalid_request` with those that are near."""
    found = spec.operations.get(operation_id) or spec.operations.get(operation_id.replace("_", "-"))
    if found is None:
        near = difflib.get_close_matches(operation_id, spec.operations, n=3, cutoff=0.5)
        meant = f"; {' or '.join(near)} may be meant" if near else ""
        pointer = "/operation" if location == "body" else "operation"
        raise invalid([Problem(location, pointer, f"is no operation of the document{meant}")])
    return found


def _given(operation: Operation, path: Mapping[str, str]) -> dict[str, str]:
    known = [parameter.name for parameter in operation.parameters if parameter.location == "path"]
    for name in path:
        if name not in known:
            listed = " and ".join(known) or "none"
            raise invalid_field(f"/path/{name}", f"is no parameter in the path of {operation.id}, which has {listed}")
    return dict(path)


def _require(pair: Pair, stage: Stage, answer: Answer) -> None:
    """Raise ApiError `invalid_state` unless the answer is what was wanted."""
    body = answer.json()
    code = body.get("code") if isinstance(body, dict) else None
    if (answer.status, code) != (pair.status, pair.code):
        came = f"answered {answer.status} {code or ''}".rstrip() if answer.status else "cut the connection"
        wanted, arranged = f"{pair.status} {pair.code}", "; ".join(stage.arranged)
        raise ApiError(
            "invalid_state",
            f"{pair.operation} {came} in place of {wanted}, though this was arranged: {arranged}",
            details={"status": answer.status, "body": body},
        )
