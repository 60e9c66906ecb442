"""Guard: stands before a real service, and lets through what a run may ask, as often and as fast as it may."""

from __future__ import annotations

import signal
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from types import FrameType
from typing import Any
from urllib.parse import urlsplit

import httpx
from chaser_emulator.spec import Operation

from chaser_contract.document import Document
from chaser_contract.live import Live, effects
from chaser_contract.live import ledger as ledgers
from chaser_contract.live.budget import SMALLEST_TOPUP, Budget
from chaser_contract.live.effects import KINDS, MAKES
from chaser_contract.live.ledger import Entry, Ledger
from chaser_contract.live.ownership import Ownership, body_of, names_of, not_allowed
from chaser_contract.live.patience import NOT_SENDABLE, Patience, content_of, moment_of
from chaser_contract.live.stopping import BudgetSpent, NotAllowed, NotSteady
from chaser_contract.live.sweeping import NOBODY, OVER, Sweeper, Swept

FIRST, PEER = "first", "peer"
"""Whose something is: the user whose key a run was given, or the other one."""

_SAFE = frozenset({"GET", "HEAD", "OPTIONS"})


class Guard(httpx.BaseTransport):
    """The transport of a run on a real service. It may be used by several threads, and raises what `stopping` has."""

    def __init__(
        self, live: Live, document: Document, url: str, transport: httpx.BaseTransport, keys: dict[str, str]
    ) -> None:
        self.live = live
        self.budget = Budget(live.limits)
        place = live.ledger or ledgers.folder() / f"{live.run}.jsonl"
        self.ledger: Ledger = ledgers.begin(place, live.run, url)
        self.swept = Swept()
        self._document = document
        self._url = urlsplit(url)
        self._owner = Ownership(self.ledger, live.prefix)
        self._patience = Patience(transport, self.budget.request, self.budget.wait)
        self._steadfast = Patience(transport, self.budget.turn, time.sleep)
        self._keys = dict(keys)
        self._roots: dict[str, tuple[str, str | None]] = {key: (root, None) for root, key in keys.items()}
        self._sweeper = Sweeper(document, url, self._sweeping, self._keys, alone=live.alone, ended=self._swept)
        self._lock = threading.RLock()
        self._clock_known = False

    @property
    def spent(self) -> str | None:
        """Why the rest of the run is skipped; None while it goes on."""
        return self.budget.spent

    @property
    def troubles(self) -> dict[str, int]:
        """What the service did that passes by itself, and how often."""
        return dict(self._patience.troubles + self._steadfast.troubles)

    def allows(self, operation: Operation) -> bool:
        """Whether a run may call an operation at all."""
        return effects.allowed(operation, self.live.allow)

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        operation = self._operation(request)
        if operation is None:
            self._elsewhere(request)
            return self._patience.send(request, None, again=True)
        body = body_of(request.read())
        if effects.reads(operation) or self._owner.reads(operation, body):
            if operation.method != "GET" and not self.allows(operation):
                raise not_allowed(operation)
            response = self._patience.send(request, operation, again=operation.method in _SAFE)
            self._set_clock(response)
            self._learn(operation, request, response)
            return response
        return self._change(request, operation, body)

    def sweep(self, *, last: bool = False) -> Swept:
        """Remove what the run has made so far; what is left is tried again with the next sweep, but for the last."""
        with self._lock:
            swept = self._sweeper.sweep(self.ledger, last=last)
            self.swept.removed += swept.removed
            self.swept.left, self.swept.lasting = swept.left, swept.lasting
        return self.swept

    def close(self) -> None:
        self.ledger.close()

    # Requests

    def _operation(self, request: httpx.Request) -> Operation | None:
        path = request.url.raw_path.decode("ascii").partition("?")[0]
        if request.url.netloc.decode("ascii") != self._url.netloc or not path.startswith(self._url.path):
            return None
        return self._document.operation_at(request.method, path.removeprefix(self._url.path))

    def _elsewhere(self, request: httpx.Request) -> None:
        """What is no operation: only to be looked at, or behind the gateway of the run's own session."""
        at = f"{request.url.host}{request.url.path}"
        own = any(one.id in at for one in list(self.ledger.entries.values()) if one.kind == "session" and one.id)
        if request.url.path.startswith("/_emulator"):
            raise NotAllowed("a real service has no control plane")
        if own or (request.url.host == self._url.hostname and request.method in _SAFE):
            return
        raise NotAllowed(f"{request.method} {at} is no operation, and may change anything")

    def _change(self, request: httpx.Request, operation: Operation, body: Any) -> httpx.Response:
        if not self.allows(operation):
            raise not_allowed(operation)
        account = request.headers.get("x-chaser-account")
        path = self._parameters(operation, request)
        self._owner.check(operation, path, body, account)
        if operation.id == "create-billing-checkout":
            self._pay(body)
        entry, running = self._ask(request, operation, path, body)
        try:
            response = self._patience.send(request, operation, again=False)
        except NOT_SENDABLE:
            if entry is not None:
                self._refused(entry, running)
            raise
        except (BudgetSpent, NotSteady) as error:
            # Only what was not carried out is waited for with a budget.
            if entry is not None and isinstance(error, NotSteady) and error.done:
                self.ledger.became(entry, "lost")
            elif entry is not None:
                self._refused(entry, running)
            raise
        self._answered(request, operation, response, entry, running)
        return response

    def _parameters(self, operation: Operation, request: httpx.Request) -> dict[str, str]:
        path = request.url.raw_path.decode("ascii").partition("?")[0].removeprefix(self._url.path)
        return self._document.parameters_of(operation, path)

    def _pay(self, body: Any) -> None:
        said = body if isinstance(body, dict) else {}
        if said.get("mode") == "subscription":
            raise NotAllowed("create-billing-checkout of a subscription has no price in the table")
        amount = said.get("amount_usd")
        self.budget.commit(float(amount) if isinstance(amount, (int, float)) and amount > 0 else SMALLEST_TOPUP)

    # What is made

    def _ask(
        self, request: httpx.Request, operation: Operation, path: dict[str, str], body: Any
    ) -> tuple[Entry | None, bool]:
        """Note what is about to be made, and that a session begins to run, if one may."""
        kind_name = MAKES[operation.id][0] if operation.id in MAKES else None
        arguments = body
        if operation.id == "mcp-handler" and isinstance(body, dict) and isinstance(body.get("params"), dict):
            kind_name = "workspace" if "workspace" in str(body["params"].get("name")) else "session"
            arguments = body["params"].get("arguments")
        if kind_name is None:
            return None, False
        root, bound = self._caller(request)
        account = request.headers.get("x-chaser-account") or bound
        kind = KINDS[kind_name]
        self._look_before(kind_name, root, account, path)
        with self._lock:
            entry = self.ledger.ask(
                operation.id, kind_name, root, account=account, path=path, names=names_of(kind.names, arguments)
            )
            running = kind_name == "session" or (kind_name == "job" and _runs_now(body))
            if running:
                try:
                    self.budget.session_begins(_key(entry))
                except BudgetSpent:
                    self.ledger.became(entry, "refused")
                    raise
        return entry, running

    def _look_before(self, kind: str, root: str, account: str | None, path: dict[str, str]) -> None:
        """Note what there is of a kind before the first is made, by which an answer that is lost may be found again."""
        if KINDS[kind].parents or kind in ("user", "member") or (kind, account, root) in self.ledger.before:
            return
        listed = self._sweeper.there(KINDS[kind], root, account, path)
        if listed is not None:
            found = frozenset(str(one.get(KINDS[kind].id)) for one in listed)
            self.ledger.was_there(kind, account, root, found)

    def _answered(
        self, request: httpx.Request, operation: Operation, response: httpx.Response, entry: Entry | None, running: bool
    ) -> None:
        status = response.status_code
        if entry is not None and 400 <= status < 500:
            self._refused(entry, running)
        elif entry is not None and status >= 500:
            self.ledger.became(entry, "lost")
        if status >= 400:
            return
        said = body_of(content_of(response))
        if entry is not None:
            self._made(request, operation, said, entry)
        self._removed(operation, request, said)
        self._learn(operation, request, response)

    def _made(self, request: httpx.Request, operation: Operation, said: Any, entry: Entry) -> None:
        if operation.id == "mcp-handler":
            identifier = _of_tool(said, entry.kind)
        else:
            identifier = effects.id_in(said, MAKES[operation.id][1])
        if identifier is None:
            if operation.id == "mcp-handler":
                self._refused(entry, True)
            return
        if identifier in self.ledger.before.get((entry.kind, entry.account, entry.root), ()):
            # One that was there before the run is answered with; it is not the run's.
            self._refused(entry, True)
            return
        known = self.ledger.has(identifier, entry.kind)
        self.ledger.became(entry, "refused" if known else "made", None if known else identifier)
        self.budget.session_known(_key(entry), identifier)
        if operation.id == "exec-sandbox" and not said.get("background") and said.get("ephemeral"):
            # It ended with its command; that it is not there is looked at with the next sweep.
            self.budget.session_ended(identifier)
        for secret, root in ((effects.id_in(said, ("key",)), None), (effects.id_in(said, ("access_token",)), entry.id)):
            if secret is not None:
                self._know(request, secret, entry, root)

    def _know(self, request: httpx.Request, secret: str, entry: Entry, user: str | None) -> None:
        """Whose a credential is that was made on the way."""
        if user is None:
            root, bound = self._caller(request)
            self._roots[secret] = (root, request.headers.get("x-chaser-account") or bound)
        else:
            self._roots[secret] = (f"user {user}", None)
            self._keys[f"user {user}"] = secret

    def _refused(self, entry: Entry, running: bool) -> None:
        self.ledger.became(entry, "refused")
        if running:
            self.budget.session_refused(_key(entry))

    def _removed(self, operation: Operation, request: httpx.Request, said: Any) -> None:
        kind = effects.removes(operation)
        gone: list[str] = []
        if kind is not None:
            gone = [self._parameters(operation, request)[kind.parameter]]
        elif operation.id == "bulk-terminate-sessions" and isinstance(said, dict):
            gone = [_id_of(one) for one in said.get("terminated") or ()]
        elif operation.id == "bulk-delete-workspaces" and isinstance(said, dict):
            gone = [_id_of(one) for one in said.get("results") or () if isinstance(one, dict) and one.get("deleted")]
        for identifier in gone:
            self._ended(identifier)

    def _swept(self, entry: Entry) -> None:
        self.budget.session_ended(_key(entry))
        self.budget.session_ended(entry.id or "")

    def _ended(self, identifier: str) -> None:
        self.ledger.gone(identifier)
        self.budget.session_ended(identifier)

    def _learn(self, operation: Operation, request: httpx.Request, response: httpx.Response) -> None:
        """What an answer tells of what the run has made: that it has ended, or what belongs to it."""
        if response.status_code != 200:
            return
        if operation.id in ("get-session", "get-job"):
            said = body_of(content_of(response))
            if isinstance(said, dict) and said.get("status") in OVER:
                identifier = str(said.get("id"))
                self.budget.session_ended(identifier)
                if operation.id == "get-session":
                    self.ledger.gone(identifier)
        elif operation.id == "list-webhook-deliveries":
            said = body_of(content_of(response))
            for one in said.get("deliveries", []) if isinstance(said, dict) else []:
                if self.ledger.has(str(one.get("webhook_id")), "webhook"):
                    self._owner.learn(str(one.get("id")))
        elif operation.id == "replay-webhook-delivery":
            delivery = effects.id_in(body_of(content_of(response)), ("delivery", "id"))
            if delivery is not None:
                self._owner.learn(delivery)

    def _set_clock(self, response: httpx.Response) -> None:
        moment = moment_of(response.headers.get("date", ""))
        if moment is not None:
            # A date is cut to its second, and may be told for longer: the greatest difference is the nearest.
            skew = (moment - datetime.now(UTC)).total_seconds()
            self.ledger.skew = skew if not self._clock_known else max(skew, self.ledger.skew)
            self._clock_known = True

    def _caller(self, request: httpx.Request) -> tuple[str, str | None]:
        """Who asks, and the account that their key is bound to, as far as the run knows."""
        token = request.headers.get("authorization", "").removeprefix("Bearer ")
        return self._roots.get(token, (NOBODY, None))

    def _sweeping(self, request: httpx.Request, operation_id: str, again: bool) -> httpx.Response:
        return self._steadfast.send(request, self._document.operation(operation_id), again=again)


def _key(entry: Entry) -> str:
    return f"#{entry.number}"


def _id_of(value: Any) -> str:
    return str(value.get("id")) if isinstance(value, dict) else str(value)


def _runs_now(body: Any) -> bool:
    """Whether a job may run something before it is swept: one for another day does not."""
    said: Any = body.get("run_at") if isinstance(body, dict) else None
    with suppress(ValueError, TypeError, AttributeError):
        moment = datetime.fromisoformat(said.replace("Z", "+00:00"))
        return (moment - datetime.now(UTC)).total_seconds() < 24 * 3600
    return True


def _of_tool(said: Any, kind: str) -> str | None:
    """What a tool has made, or used."""
    found = said.get("result", {}) if isinstance(said, dict) else {}
    found = found.get("structuredContent", {}) if isinstance(found, dict) else {}
    return (effects.id_in(found, ("session_id",)) if kind == "session" else None) or effects.id_in(found, ("id",))


@contextmanager
def guarding(
    live: Live, document: Document, url: str, transport: httpx.BaseTransport, keys: dict[str, str]
) -> Iterator[Guard]:
    """A guard until the block ends, whatever ends it, and all that its run made is removed."""
    guard = Guard(live, document, url, transport, keys)
    with _signals():
        try:
            yield guard
        finally:
            with _undisturbed():
                guard.sweep(last=True)
                guard.close()


@contextmanager
def _signals() -> Iterator[None]:
    """Let what ends a process end the run as Ctrl-C does, so that it is swept."""

    def stop(number: int, frame: FrameType | None) -> None:
        raise KeyboardInterrupt

    with _handled(stop, signal.SIGTERM, signal.SIGHUP):
        yield


@contextmanager
def _undisturbed() -> Iterator[None]:
    """Let nothing end the process for as long as it removes what was made; it is not long."""

    def later(number: int, frame: FrameType | None) -> None:
        sys.stderr.write("removing what the run has made; a moment\n")

    with _handled(later, signal.SIGTERM, signal.SIGHUP, signal.SIGINT):
        yield


@contextmanager
def _handled(handler: Any, *signals: signal.Signals) -> Iterator[None]:
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = {one: signal.signal(one, handler) for one in signals}
    try:
        yield
    finally:
        for one, old in before.items():
            signal.signal(one, old)
