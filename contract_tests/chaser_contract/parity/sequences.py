"""Sequences of calls, drawn by Hypothesis: wishes that know nothing of each other, joined to steps by the links.

A wish that needs something (a session to run a command in) takes what an earlier step has made, and where none has, a
step that makes it comes before it. So any part of a sequence is one by itself, which is what lets it shrink.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from chaser_emulator.spec import Operation
from hypothesis import strategies as st

from chaser_contract.document import JSON, Document
from chaser_contract.parity.bodies import (
    FIELDS,
    Wanted,
    examples_of,
    harmless,
    pointed,
    wanted,
    without_browsers,
    without_repositories,
)
from chaser_contract.parity.linking import linked, links_of
from chaser_contract.parity.steps import FIRST, MISSING, NOBODY, NOTHING, PEER, WRONG, Ref, Step
from chaser_contract.parity.values import Values

LEFT_OUT = {
    "connect-browser": "a WebSocket",
    "connect-browser-target": "a WebSocket",
    "open-session-pty": "a WebSocket",
    "swagger-ui": "a page for people",
    "get-openapi-document": "that is compared by `drift`",
    "start-google-login": "it leads away from the API",
    "start-github-login": "it leads away from the API",
}
"""What no sequence calls, and why."""

NARROW = "narrow"
"""A caller of sequences: who has a key of the first user's with a few scopes, made on the way."""

_OF_FORGES = ("import-workspace", "list-github-repositories")

_NO_LOOKS = ("get-codex-login-url", "list-github-repositories", "list-job-kinds")

_FEWEST = 4
"""Wishes that a sequence has at least, beside what it begins with; what shows a difference is shortened further."""

_FORM = "multipart/form-data"
_BYTES = [b"first line\n", b"", bytes(range(256))]

_RAW = [(b"{", JSON), (b"[]", JSON), (b"", JSON), (b"{}", "text/plain")]

_MAKING: Mapping[str, Any] = {
    "create-session": {"session_type": "sandbox", "ephemeral": True},
    "create-workspace": {"session_type": "sandbox", "name": "my-app"},
    "create-organization": {"name": "acme"},
    "add-current-member": {"email": "peer@example.com"},
    "exec-session": {"command": "echo hello", "background": True},
    "create-job": {"kind": "session.terminate", "input": {"session_id": MISSING}, "run_at": "2099-01-01T00:00:00Z"},
    "create-webhook": {"url": "http://127.0.0.1:9/hook"},
}
"""What is sent where a step only makes what another needs; for the rest it is the document's first example."""


@dataclass(frozen=True)
class Wish:
    """A call as it is drawn. `lost` asks for something that there is not, `back` for older things than the newest."""

    operation: str
    query: Mapping[str, Any] = field(default_factory=dict)
    json: Any = NOTHING
    file: bytes | None = None
    caller: str = FIRST
    back: int = 0
    lost: bool = False
    in_organization: bool = False
    raw: tuple[bytes, str] | None = None
    """Bytes of a media type, in place of a body in JSON."""


_NARROW = Wish("create-key", json={"name": "narrow", "scopes": ["sessions.read", "workspaces.write"]})


class Sequences:
    """The sequences of one document. `callers` are those that take turns with the first one, where they can.

    Without `browsers` no session is one: for targets of which one has none. Without `forges` nothing is taken from a
    repository: for targets that look for them in different places. `allowed` says what a real service may be asked.
    """

    def __init__(
        self,
        document: Document,
        callers: Sequence[str] = (NARROW, NOBODY, WRONG),
        *,
        browsers: bool = True,
        forges: bool = True,
        allowed: Callable[[Operation], bool] = lambda operation: True,
    ) -> None:
        self._document = document
        self._values = Values(document.spec.document)
        self._callers = list(callers)
        self._browsers = browsers
        self._forges = forges
        self._allowed = allowed
        self._links = links_of(document)
        self._wish = functools.cache(self._drawn)

    def strategy(self, most: int) -> st.SearchStrategy[list[Step]]:
        """Sequences of at most so many wishes; what they need, and a look at what became of it, come on top.

        Each is about one or two things that the API has, so that its calls have to do with each other.
        """
        by_tag: dict[str, list[str]] = {}
        for one in self._document.operations.values():
            if one.id in LEFT_OUT or (not self._browsers and one.tag == "browser") or not self._allowed(one):
                continue
            if self._forges or one.id not in _OF_FORGES:
                by_tag.setdefault(one.tag, []).append(one.id)
        everything = [one for tag in by_tag.values() for one in tag]

        def about(tags: list[str]) -> st.SearchStrategy[list[Wish]]:
            near = [one for tag in tags for one in by_tag[tag]]
            making = [one for one in near if self._document.operations[one].method == "POST"]
            operation = st.one_of(*map(st.sampled_from, [near, near, near, making or near, everything]))
            wishes = st.lists(operation.flatmap(self._wish), min_size=min(_FEWEST, most), max_size=most)
            return st.builds(lambda begun, more: [*begun, *more][:most], self._beginning(near), wishes)

        tags = st.lists(st.sampled_from(sorted(by_tag)), min_size=1, max_size=2, unique=True)
        return tags.flatmap(about).map(lambda wishes: [*self.joined(wishes), *self._looks(wishes)])

    def _beginning(self, near: Sequence[str]) -> st.SearchStrategy[list[Wish]]:
        """A few things of what a sequence is about, so that there are several to be told apart, and put in order."""
        sources = {source for links in self._links.values() for source, _ in links}
        makers = [one for one in near if one in sources and self._document.operations[one].method == "POST"]
        if not makers:
            return st.just([])
        several = st.builds(
            lambda maker, count: [_named(self._maker(maker, FIRST), number) for number in range(count)],
            st.sampled_from(makers),
            st.sampled_from([3, 2, 1, 0]),
        )
        return st.lists(several, min_size=1, max_size=2).map(lambda groups: [one for group in groups for one in group])

    def _looks(self, wishes: Sequence[Wish]) -> list[Step]:
        """What shows, at the end of a sequence, what it has left: every list of what it was about, and the log."""
        tags = {self._document.operations[wish.operation].tag for wish in wishes} | {"audit"}
        return [
            Step(one.id)
            for one in self._document.operations.values()
            if one.method == "GET"
            and self._allowed(one)
            and one.tag in tags
            and one.secured
            and "{" not in one.path
            and one.id not in _NO_LOOKS
        ]

    def _drawn(self, operation_id: str) -> st.SearchStrategy[Wish]:
        operation = self._document.operations[operation_id]
        return st.builds(
            Wish,
            operation=st.just(operation_id),
            query=self._query(operation),
            json=self._json(operation),
            file=st.sampled_from(_BYTES) if self._is_form(operation) else st.none(),
            # The first choices are what a sequence shrinks to.
            caller=st.sampled_from([FIRST] * 10 + self._callers) if operation.secured else st.just(NOBODY),
            back=st.sampled_from([0, 0, 0, 1, 2]),
            lost=st.sampled_from([False] * 6 + [True]),
            in_organization=st.sampled_from([False] * 15 + [True]) if operation.selects_account else st.just(False),
            raw=st.sampled_from([None] * 20 + _RAW) if operation.body is not None else st.none(),
        )

    def _query(self, operation: Operation) -> st.SearchStrategy[dict[str, Any]]:
        strategies = {}
        for one in operation.parameters:
            if one.location != "query":
                continue
            if one.name in FIELDS:
                strategies[one.name] = wanted(FIELDS[one.name])
            else:
                strategies[one.name] = self._values.input(one.schema, one.name)
        needed = {one.name for one in operation.parameters if one.location == "query" and one.required}
        free = sorted(set(strategies) - needed)
        some = st.lists(st.sampled_from(free), max_size=2, unique=True) if free else st.just([])
        return some.flatmap(lambda names: st.fixed_dictionaries({name: strategies[name] for name in [*needed, *names]}))

    def _json(self, operation: Operation) -> st.SearchStrategy[Any]:
        if operation.body is None:
            return st.just(NOTHING)
        media_type = _FORM if self._is_form(operation) else JSON
        schema = operation.body.content[media_type]
        examples = examples_of(self._document, operation, media_type)
        if self._is_form(operation):
            return st.fixed_dictionaries({"path": st.sampled_from(["/workspace/a.txt", "/workspace/b/c.bin"])})
        body = st.builds(pointed, self._values.body(schema, examples), st.integers(0, 2), st.booleans())
        body = body.map(harmless)
        if not self._browsers:
            body = body.map(without_browsers)
        if not self._forges:
            body = body.map(without_repositories)
        return body if operation.body.required else st.one_of(st.just(NOTHING), body)

    @staticmethod
    def _is_form(operation: Operation) -> bool:
        return operation.body is not None and _FORM in operation.body.content

    def joined(self, wishes: Sequence[Wish]) -> list[Step]:
        """Steps that carry out wishes in their order, with what they need before them."""
        steps: list[Step] = []
        for wish in wishes:
            self._carry_out(wish, steps)
        return steps

    def _carry_out(self, wish: Wish, steps: list[Step]) -> int:
        operation = self._document.operations[wish.operation]
        account = None
        caller: str | Ref = wish.caller
        if caller == NARROW:
            caller = self._made(Wanted(((_NARROW.operation, "/key"),), wish.back), FIRST, steps)
        if wish.in_organization:
            account = self._made(Wanted((("create-organization", "/account/id"),), wish.back), wish.caller, steps)
        query, body = (self._settled(part, wish.caller, steps) for part in (wish.query, wish.json))
        path = self._path(operation, wish, steps)
        content, media_type = wish.raw or (None, None)
        steps.append(
            Step(
                operation.id, path, query, json=NOTHING if wish.raw else body, content=content, media_type=media_type,
                file=None if wish.raw else wish.file, caller=caller, account=account,
            )
        )  # fmt: skip
        return len(steps) - 1

    def _path(self, operation: Operation, wish: Wish, steps: list[Step]) -> dict[str, Any]:
        names = [one.name for one in operation.parameters if one.location == "path"]
        links = [one for one in self._links.get(operation.id, []) if set(names) <= set(one[1])]
        if not names or wish.lost or not links:
            return dict.fromkeys(names, MISSING)
        found = [
            (place, parameters)
            for place, step in enumerate(steps)
            for source, parameters in links
            if step.operation == source
        ]
        if found:
            place, parameters = found[-1 - wish.back % len(found)]
        else:
            source, parameters = links[0]
            if not self._allowed(self._document.operations[source]):
                return dict.fromkeys(names, MISSING)
            place = self._carry_out(self._maker(source, wish.caller), steps)
        return {name: linked(parameters[name], place, steps[place]) for name in names}

    def _maker(self, operation_id: str, caller: str) -> Wish:
        caller = PEER if caller == PEER else FIRST
        operation = self._document.operations[operation_id]
        if operation_id == _NARROW.operation:
            return _NARROW
        body = _MAKING.get(operation_id, NOTHING)
        if body is NOTHING and operation.body is not None:
            media_type = _FORM if self._is_form(operation) else JSON
            body = next(iter(examples_of(self._document, operation, media_type)), {})
        if self._is_form(operation):
            return Wish(operation_id, json={"path": "/workspace/a.txt"}, file=_BYTES[0], caller=caller)
        return Wish(operation_id, json=body, caller=caller)

    def _settled(self, value: Any, caller: str, steps: list[Step]) -> Any:
        if isinstance(value, Wanted):
            return self._made(value, caller, steps)
        if isinstance(value, Mapping):
            return {name: self._settled(part, caller, steps) for name, part in value.items()}
        if isinstance(value, list):
            return [self._settled(part, caller, steps) for part in value]
        return value

    def _made(self, wanted: Wanted, caller: str, steps: list[Step]) -> Ref | str:
        found = [
            Ref(place, pointer)
            for place, step in enumerate(steps)
            for source, pointer in wanted.sources
            if step.operation == source
        ]
        if found:
            return found[-1 - wanted.back % len(found)]
        source, pointer = wanted.sources[0]
        if not self._allowed(self._document.operations[source]):
            return MISSING
        return Ref(self._carry_out(self._maker(source, caller), steps), pointer)


def _named(wish: Wish, number: int) -> Wish:
    """A wish for another one of the same kind, under a name of its own."""
    if number == 0 or not isinstance(wish.json, Mapping) or "name" not in wish.json:
        return wish
    return replace(wish, json={**wish.json, "name": f"{wish.json['name']}-{number + 1}"})
