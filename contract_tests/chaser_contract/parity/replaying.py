"""Replaying: a recording asked again of another Chaser, with that one's ids and keys, and compared answer by answer."""

from __future__ import annotations

import re
import time
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any
from urllib.parse import quote

import httpx
from chaser_emulator.spec import Operation

from chaser_contract.document import Document
from chaser_contract.exchanges import Exchange
from chaser_contract.hiding import NOT_KEPT, PLACEHOLDER, Hiding
from chaser_contract.parity.answers import Answers, Difference, Pair
from chaser_contract.parity.cassettes import Cassette
from chaser_contract.parity.comparing import common_fields, holds_moving, looks, moves
from chaser_contract.parity.ignoring import Known
from chaser_contract.parity.normalising import Names, body_of, places, raws
from chaser_contract.parity.sides import addresses_of
from chaser_contract.parity.steps import MISSING, at
from chaser_contract.subject import Subject
from chaser_contract.targets import Target

_PAUSE, _PATIENCE, _LONG_PATIENCE = 0.02, 1.0, 15.0

_NOT_SENT = frozenset(
    {
        "connection", "host", "content-length", "transfer-encoding", "accept-encoding", "user-agent", "x-chaser-world",
        "x-request-id",
    }
)  # fmt: skip
_WRONG = "sk_0000000000000000000000000000000000000000"
_HIDDEN_INPUT = ("env", "stdin", "input")


@dataclass
class Replay:
    """What came of a replay: the differences, how many answers were compared, and what was left out, by reason."""

    differences: list[Difference] = field(default_factory=list)
    compared: int = 0
    left_out: Counter[str] = field(default_factory=Counter)


def replay(cassette: Cassette, document: Document, target: Target, known: Sequence[Known] = ()) -> Replay:
    """Ask everything again, in a world of its own where the target is an emulator, and compare."""
    found = Replay()
    with target.subject("replay") as subject:
        live = _Live(document, subject, cassette, known)
        for number, entry in enumerate(cassette.entries):
            following = cassette.entries[number + 1] if number + 1 < len(cassette.entries) else None
            reason = live.why_not(entry, following)
            if reason is not None:
                found.left_out[reason] += 1
                continue
            found.compared += 1
            found.differences += live.take(number, entry)
    return found


class _Live:
    """The Chaser that is asked again: what it has said for what was said in the recording."""

    def __init__(self, document: Document, subject: Subject, cassette: Cassette, known: Sequence[Known]) -> None:
        self._document = document
        self._subject = subject
        self._there: dict[str, str] = {}
        self._secrets: dict[str, str] = {}
        self._hiding = Hiding(document, first=10**6)
        self._keys = [key for key in (subject.api_key, subject.peer_key) if key is not None]
        self._without_keys = not any("authorization" in entry.request_headers for entry in cassette.entries)
        self._answers = Answers(
            document,
            Names(addresses_of(cassette.url)),
            Names(addresses_of(subject.url)),
            known,
            wordings=cassette.of_emulator and subject.emulator is not None,
        )

    def why_not(self, entry: Exchange, following: Exchange | None) -> str | None:
        """Why an exchange is not asked again, if so."""
        if entry.operation is None:
            return "requests of no operation of the document"
        if entry.status is None:
            return "requests that got no answer"
        if self._document.operation(entry.operation).upgrades:
            return "WebSockets"
        if entry.request_body == NOT_KEPT.encode():
            return "requests whose body was not kept"
        if self._is_asked_again(entry, following):
            return "questions that were asked again at once, until their answer changed"
        if self._is_of_somebody_unknown(entry):
            return "requests of somebody whose key nobody has (--peer-key is another user's)"
        return None

    @staticmethod
    def _is_asked_again(entry: Exchange, following: Exchange | None) -> bool:
        if following is None or entry.method != "GET" or not holds_moving(entry):
            return False
        same = (following.method, following.target) == (entry.method, entry.target)
        return same and following.request_headers.get("authorization") == entry.request_headers.get("authorization")

    def _is_of_somebody_unknown(self, entry: Exchange) -> bool:
        found = PLACEHOLDER.search(entry.request_headers.get("authorization", ""))
        if found is None or found[0] in self._secrets:
            return False
        if entry.status == 401:
            self._knows(found[0], _WRONG[: -len(str(len(self._secrets)))] + str(len(self._secrets)))
        elif self._keys:
            self._knows(found[0], self._keys.pop(0))
        return found[0] not in self._secrets

    def take(self, number: int, entry: Exchange) -> list[Difference]:
        """Ask what was asked, learn what stands for what, and compare."""
        operation = self._document.operation(str(entry.operation))
        request = self._request(entry)
        answer = self._subject.client.send(request, operation)
        if operation.method == "GET":
            answer = self._once_alike(operation, entry, answer, request)
        else:
            self._settle(operation, answer, request)
        pair = self._pair(entry, answer, operation)
        left_out = common_fields(pair, [])
        if any(PLACEHOLDER.search(str(_field(entry, name))) for name in _HIDDEN_INPUT):
            # What a command makes of an input that was removed is another thing.
            left_out |= {"output", "output_bytes"}
        difference = self._answers.difference(number, operation, pair, left_out)
        return [] if difference is None else [difference]

    def _once_alike(self, operation: Operation, entry: Exchange, answer: Exchange, request: httpx.Request) -> Exchange:
        """The answer to a question, asked until it is the recorded one, or nothing changes any more."""
        begun = time.monotonic()
        while self._answers.foreseen(operation, self._pair(entry, answer, operation)) is not None:
            patience = _LONG_PATIENCE if holds_moving(answer) and not holds_moving(entry) else _PATIENCE
            if time.monotonic() - begun > patience:
                break
            time.sleep(_PAUSE)
            again = httpx.Request(request.method, request.url, headers=request.headers)
            answer = self._subject.client.send(again, operation)
        return answer

    def _settle(self, operation: Operation, answer: Exchange, request: httpx.Request) -> None:
        """Wait until what a request has made has come to rest, as who was recorded may have waited."""
        if not 200 <= (answer.status or 0) < 300:
            return
        path = self._document.parameters_of(operation, request.url.raw_path.decode().partition("?")[0])
        for other, look in looks(self._document, operation.id):
            if other != "get-session":
                continue
            values = {name: _expressed(expression, answer, path) for name, expression in look.items()}
            if MISSING in values.values():
                continue
            client = self._subject.as_(_bearer(request), account=request.headers.get("x-chaser-account"))
            deadline = time.monotonic() + _LONG_PATIENCE
            asked = client.request(self._document.operation(other), values)
            while moves(client.send(asked), other) and time.monotonic() < deadline:
                time.sleep(_PAUSE)

    def _pair(self, entry: Exchange, answer: Exchange, operation: Operation) -> Pair:
        """Both answers without secrets, after what the new one says for what the recorded one said is learnt."""
        self._learn(entry, answer)
        hidden = self._hiding.hidden(replace(answer, operation=operation.id, request_headers={}, request_body=b""))
        return entry, hidden

    def _learn(self, entry: Exchange, answer: Exchange) -> None:
        if entry.status != answer.status:
            return
        told = {place: value for place, value in places(body_of(entry)) if isinstance(value, str)}
        for place, value in places(body_of(answer)):
            if isinstance(value, str) and place in told:
                self._stands_for(place, told[place], value)
        if "location" in entry.headers and "location" in answer.headers:
            self._stands_for("", entry.headers["location"], answer.headers["location"])

    def _stands_for(self, place: str, said: str, says: str) -> None:
        if PLACEHOLDER.fullmatch(said):
            self._knows(said, says)
            return
        before, after = raws(said), raws(says)
        if [kind for kind, _ in before] == [kind for kind, _ in after]:
            for (_, old), (_, new) in zip(before, after, strict=True):
                self._there.setdefault(old, new)
        if not before and said != says and re.search(r"(^|/|_)id$", place):
            self._there.setdefault(said, says)

    def _knows(self, placeholder: str, value: str) -> None:
        self._secrets.setdefault(placeholder, value)
        self._hiding.know(value, placeholder)

    def _request(self, entry: Exchange) -> httpx.Request:
        headers = {
            name: self._text(value) for name, value in entry.request_headers.items() if name.lower() not in _NOT_SENT
        }
        if self._without_keys and entry.operation and self._document.operation(entry.operation).secured:
            headers.setdefault("authorization", f"Bearer {self._subject.api_key}")
        return httpx.Request(
            entry.method,
            self._subject.url + self._text(entry.target, quoted=True),
            headers=headers,
            content=self._text(entry.request_body.decode("latin-1")).encode("latin-1") if entry.request_body else None,
        )

    def _text(self, text: str, *, quoted: bool = False) -> str:
        """What was sent, with the ids and secrets of the one that is asked now."""
        text = PLACEHOLDER.sub(lambda match: _quoted(self._secret(match[0]), quoted), text)
        there = {**{quote(old, safe=""): quote(new, safe="") for old, new in self._there.items()}, **self._there}
        if not there:
            return text
        names = "|".join(re.escape(old) for old in sorted(there, key=len, reverse=True))
        return re.sub(names, lambda match: there[match[0]], text)

    def _secret(self, placeholder: str) -> str:
        """The secret that a placeholder stands for now; one that the caller made up is made up again."""
        if placeholder not in self._secrets:
            number = placeholder.rpartition("_")[2]
            # It is a password, base64, and whatever else is asked of a text.
            self._knows(placeholder, f"replayed{number.zfill(8)}")
        return self._secrets[placeholder]


def _quoted(text: str, quoted: bool) -> str:
    return quote(text, safe="") if quoted else text


def _field(entry: Exchange, name: str) -> Any:
    sent = entry.sent_json
    return sent.get(name) if isinstance(sent, Mapping) else None


def _bearer(request: httpx.Request) -> str | None:
    return request.headers.get("authorization", "").partition(" ")[2] or None


def _expressed(expression: str, answer: Exchange, path: Mapping[str, str]) -> str:
    if expression.startswith("$response.body#"):
        return str(at(body_of(answer), expression.removeprefix("$response.body#")))
    return path.get(expression.removeprefix("$request.path."), MISSING)
