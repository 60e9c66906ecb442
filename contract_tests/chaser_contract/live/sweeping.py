"""Sweeping: what ledgers name is removed from a service; what a lost answer was about is looked for in its lists."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import quote, urlencode

import httpx

from chaser_contract.document import Document
from chaser_contract.live import PREFIX
from chaser_contract.live.effects import KINDS, Kind
from chaser_contract.live.ledger import Entry, Ledger
from chaser_contract.live.patience import content_of
from chaser_contract.live.stopping import NotSteady

PASSES = 3
"""How often what could not be removed is tried again, as one thing may hold another."""

_PAUSE = 0.5
_SILENCES = 3
"""After so many requests in a row that are not answered, nobody is there to remove anything."""
_TIMEOUT = 15.0
_PAGE = 200
_MARGIN = timedelta(seconds=2)
"""Dates of HTTP are in whole seconds."""

_AT_MOST = timedelta(seconds=5)
"""How long what was asked for by a run that was killed may have taken to be made."""

_LATE = timedelta(minutes=1)
"""How long after its answer was given up something may still come to be."""

_PAGED = frozenset({"list-sessions", "list-jobs"})
_FINAL = frozenset({"completed", "failed", "canceled"})
OVER = frozenset({"terminated", *_FINAL})
"""States in which a session or a job is no more."""

NOBODY = "nobody"
"""Whose key is none; as long as the service does not let anybody in, there is nothing of theirs."""

Send = Callable[[httpx.Request, str, bool], httpx.Response]
"""How a sweep asks: a request, the operation's id, and whether it may be sent again."""


@dataclass
class Swept:
    """What came of a sweep. `left` is what is there still, or may be; `lasting` what nothing removes."""

    removed: list[str] = field(default_factory=list)
    left: list[str] = field(default_factory=list)
    lasting: list[str] = field(default_factory=list)


class Sweeper:
    """Removes what a ledger names. `keys` are the credentials by whose they are; whose is not there is told.

    What was asked for and never answered is looked for in lists: it is what bears the name that was asked for, or what
    was not there before and was made in the very moment. `alone`: whatever was not there before.
    `ended` hears of each thing that is not there any more.
    """

    def __init__(
        self,
        document: Document,
        url: str,
        send: Send,
        keys: Mapping[str, str],
        *,
        alone: bool = False,
        ended: Callable[[Entry], None] = lambda entry: None,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self._document = document
        self._url = url
        self._send = send
        self._keys = keys
        self._alone = alone
        self._ended = ended
        self._sleep = sleep
        self._silences = 0
        self._lists: dict[tuple[str | None, ...], list[dict[str, Any]] | None] = {}

    def sweep(self, ledger: Ledger, *, last: bool = True) -> Swept:
        """Remove all that may be there, the last one first.

        Before the `last` time, what was never answered and is not there may still come.
        """
        swept = Swept()
        why: dict[int, str] = {}
        self._silences = 0
        for number in range(PASSES if last else 1):
            self._lists.clear()
            for entry in ledger.open:
                self._find(ledger, entry, last=last)
            waiting = [one for one in ledger.open if one.state == "made" and KINDS[one.kind].removal is not None]
            if not waiting:
                break
            if number:
                self._sleep(_PAUSE * number)
            for entry in waiting:
                why[entry.number] = self._remove(ledger, entry)
                if entry.state == "gone":
                    swept.removed.append(entry.said)
        for entry in ledger.open:
            if entry.state == "made" and KINDS[entry.kind].removal is None:
                swept.lasting.append(f"{entry.said}: no operation removes one")
                if last:
                    ledger.became(entry, "lasting")
            elif entry.state == "made":
                swept.left.append(f"{entry.said}: {why.get(entry.number, 'it could not be removed')}")
            elif last:
                swept.left.append(f"{entry.said}: {self._guess(ledger, entry)}")
        return swept

    def there(self, kind: Kind, root: str, account: str | None, path: Mapping[str, str]) -> list[dict[str, Any]] | None:
        """The things of a kind, newest first; None where they cannot be listed."""
        query = {"limit": str(_PAGE)} if kind.listing in _PAGED else {}
        said = {name: value for name, value in path.items() if name in kind.parents}
        response = self._ask(kind.listing, root, account, said, query)
        if response is None:
            return None
        if response.status_code == 404:
            # What they were in is not there any more.
            return []
        if response.status_code != 200:
            return None
        try:
            value = json.loads(content_of(response))
        except ValueError:
            return None
        if kind.name == "channel":
            value = value.get("assistant", value).get("channels", [])
        elif kind.key is not None and isinstance(value, dict):
            value = value.get(kind.key)
        return [one for one in value if isinstance(one, dict)] if isinstance(value, list) else None

    def _find(self, ledger: Ledger, entry: Entry, *, last: bool) -> None:
        """Look for what was asked for, and never answered."""
        if entry.answered:
            return
        kind = KINDS[entry.kind]
        if kind.name == "user":
            return
        if entry.root == NOBODY and last:
            ledger.became(entry, "refused")
        if entry.root == NOBODY:
            return
        where = (kind.name, entry.root, entry.account, *(entry.path.get(name) for name in kind.parents))
        if where not in self._lists:
            self._lists[where] = self.there(kind, entry.root, entry.account, entry.path)
        listed = self._lists[where]
        if listed is None:
            return
        known = (entry.kind, entry.account, entry.root) in ledger.before
        new = self._new(ledger, entry, listed)
        meant = [one for one in new if _is_meant(ledger, entry, kind, one)]
        if not meant and known:
            meant = new if self._alone else _of_the_moment(ledger, entry, kind, new)
        if meant:
            ledger.became(entry, "made", str(meant[0][kind.id]))
        elif last and (known or kind.parents or _is_marked(ledger, entry)) and not self._candidates(ledger, entry, new):
            # It would be there.
            ledger.became(entry, "refused")
            self._ended(entry)

    def _new(self, ledger: Ledger, entry: Entry, listed: Iterable[dict[str, Any]]) -> list[dict[str, Any]]:
        """What was not there before, and is not known to be the run's."""
        kind = KINDS[entry.kind]
        before = ledger.before.get((entry.kind, entry.account, entry.root), frozenset())
        return [
            one
            for one in listed
            if isinstance(one.get(kind.id), str)
            and one[kind.id] not in before
            and not ledger.has(one[kind.id], entry.kind)
            and one.get("status") not in OVER
            and not one.get("revoked")
        ]

    def _candidates(self, ledger: Ledger, entry: Entry, new: Iterable[dict[str, Any]]) -> list[str]:
        """The ids of what may be what was asked for, for all that is known."""
        kind = KINDS[entry.kind]
        if _is_marked(ledger, entry) or kind.parents:
            return []
        begin, end = _moment(entry)
        return [
            one[kind.id]
            for one in new
            if (not entry.names or _is_named(entry, kind, one))
            and ((made := _time(one.get("created_at"))) is None or begin <= made <= end + _LATE)
        ]

    def _remove(self, ledger: Ledger, entry: Entry) -> str:
        """Remove one; the answer is why it could not be."""
        kind = KINDS[entry.kind]
        if entry.kind == "job":
            self._after(ledger, entry)
            if entry.state == "gone":
                return ""
        path = {name: value for name, value in entry.path.items() if name in kind.parents}
        path[kind.parameter] = entry.id or ""
        response = self._ask(str(kind.removal), entry.root, entry.account, path, kind.query or {})
        if response is None:
            return self._unasked(entry)
        if response.status_code < 300 or response.status_code in (404, 410):
            ledger.became(entry, "gone")
            self._ended(entry)
        elif entry.kind == "job":
            self._after(ledger, entry)
        if entry.state == "gone":
            return ""
        return f"{kind.removal} answered {response.status_code} {content_of(response)[:200].decode('utf-8', 'replace')}"

    def _after(self, ledger: Ledger, entry: Entry) -> None:
        """A job that has ended needs no end; a session that it left is one more to be removed."""
        response = self._ask("get-job", entry.root, entry.account, {"id": entry.id or ""}, {})
        if response is None or response.status_code != 200:
            return
        try:
            job = json.loads(content_of(response))
        except ValueError:
            return
        result = job.get("result")
        session = result.get("session_id") if isinstance(result, dict) else None
        if isinstance(session, str) and not ledger.has(session) and session not in json.dumps(job.get("input")):
            made = ledger.ask(entry.operation, "session", entry.root, account=entry.account)
            ledger.became(made, "made", session)
        if job.get("status") in _FINAL:
            ledger.became(entry, "gone")
            self._ended(entry)

    def _guess(self, ledger: Ledger, entry: Entry) -> str:
        """What is told of something that was never answered, and cannot be told from what others make."""
        kind = KINDS[entry.kind]
        said = "it was never answered, and has no name by which it could be told"
        listed = self.there(kind, entry.root, entry.account, entry.path) if kind.name != "user" else None
        new = self._candidates(ledger, entry, self._new(ledger, entry, listed or []))
        if not new:
            return said
        return f"{said}; it may be {' or '.join(new)}: --alone removes it where nobody else uses the account"

    def _ask(
        self, operation_id: str, root: str, account: str | None, path: Mapping[str, str], query: Mapping[str, str]
    ) -> httpx.Response | None:
        """The answer; None where there is none, or no credential."""
        key = self._keys.get(root)
        if key is None:
            return None
        operation = self._document.operation(operation_id)
        target = operation.path
        for name, value in path.items():
            target = target.replace(f"{{{name}}}", quote(value, safe=""))
        headers = {"Authorization": f"Bearer {key}", "Accept": "application/json"}
        if account is not None:
            headers["X-Chaser-Account"] = account
        address = f"{self._url}{target}" + (f"?{urlencode(query)}" if query else "")
        timeout = {"timeout": dict.fromkeys(("connect", "read", "write", "pool"), _TIMEOUT)}
        request = httpx.Request(operation.method, address, headers=headers, extensions=timeout)
        if self._silences >= _SILENCES:
            return None
        try:
            response = self._send(request, operation_id, True)
        except (NotSteady, httpx.TransportError):
            self._silences += 1
            return None
        self._silences = 0
        return response

    def _unasked(self, entry: Entry) -> str:
        if entry.root not in self._keys:
            return f"it belongs to {entry.root}, whose key is not there"
        return "the service did not answer"


def _is_meant(ledger: Ledger, entry: Entry, kind: Kind, listed: Mapping[str, Any]) -> bool:
    """Whether something in a list is what was asked for, beyond doubt."""
    if kind.parents and all(ledger.has(value) for name, value in entry.path.items() if name in kind.parents):
        # Whatever is in something of the run's is of the run.
        return True
    if kind.name == "session":
        return ledger.has(str(listed.get("workspace_id")), "workspace")
    if kind.name == "job":
        text = json.dumps(listed.get("input"))
        return _marked(ledger, text) or any(one.id and one.id in text for one in ledger.entries.values())
    return _is_marked(ledger, entry) and _is_named(entry, kind, listed)


def _of_the_moment(ledger: Ledger, entry: Entry, kind: Kind, new: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """What was made in the moment in which it was asked for, as it was; none where that may be another's."""
    begin, end = _moment(entry)
    found = [
        one
        for one in new
        if (made := _time(one.get("created_at"))) is not None
        and begin <= made <= end
        and (not entry.names or _is_named(entry, kind, one))
    ]
    # More that were made then than were asked for are not all of the run's.
    rivals = [
        other
        for other in ledger.entries.values()
        if not other.answered and other.kind == entry.kind and _moment(other)[0] <= end and _moment(other)[1] >= begin
    ]
    return found if len(found) <= len(rivals) else []


def _moment(entry: Entry) -> tuple[datetime, datetime]:
    begun = _time(entry.at) or datetime.now(UTC)
    given_up = _time(entry.until) or begun + _AT_MOST
    return begun - _MARGIN, given_up + _MARGIN


def _time(text: Any) -> datetime | None:
    try:
        moment = datetime.fromisoformat(text)
    except (ValueError, TypeError):
        return None
    return moment if moment.tzinfo is not None else moment.replace(tzinfo=UTC)


def _is_named(entry: Entry, kind: Kind, listed: Mapping[str, Any]) -> bool:
    return any(listed.get(name) in entry.names for name in kind.names if listed.get(name))


def _is_marked(ledger: Ledger, entry: Entry) -> bool:
    return any(_marked(ledger, name) for name in entry.names)


def _marked(ledger: Ledger, text: str) -> bool:
    return f"{PREFIX}{ledger.run}-" in text
