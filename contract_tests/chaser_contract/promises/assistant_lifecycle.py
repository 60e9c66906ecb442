"""Assistants and what is asked of their configuration, against a model: approvals, channels, credentials, state."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from chaser_contract.promises import promise
from chaser_contract.promises.configurations import CONFIGS, JSON, PATCHES, merged, same
from chaser_contract.subject import Subject
from chaser_contract.values import unlike


@promise("emulator", stateful=True)
def assistants_live_as_a_model_says(chaser: Subject) -> None:
    """Whatever is changed, proposed, approved, denied, bound and written: every reader sees just that."""
    chaser.machine(lambda: _Assistants(chaser), steps=25)


@dataclass
class _Change:
    told: dict[str, Any]
    status: str = "pending"


@dataclass
class _Assistant:
    id: str
    name: str
    workspace: str
    config: dict[str, Any]
    version: int = 1
    status: str = "active"
    channels: list[dict[str, Any]] = field(default_factory=list)
    changes: list[_Change] = field(default_factory=list)
    state: Any = None
    writes: int = 0
    used: dict[str, float] = field(default_factory=lambda: {"tokens": 0, "tool_call": 0, "session": 0})


_WHICH = st.integers(0, 2)


class _Assistants(RuleBasedStateMachine):
    """The assistants of one account, who share channels and credentials."""

    def __init__(self, chaser: Subject) -> None:
        super().__init__()
        self.chaser = chaser
        chaser.steered.reset()
        self.user = chaser.ask("get-me", expect=200).json["user"]["id"]
        self.all: list[_Assistant] = []
        self.vault: dict[tuple[str | None, str], str] = {}

    # What is done

    @precondition(lambda self: len(self.all) < 3)
    @rule(config=st.one_of(st.none(), CONFIGS), name=st.sampled_from(["helper", "ü", "x" * 128]))
    def make(self, config: dict[str, Any] | None, name: str) -> None:
        said: dict[str, Any] = {"name": name} if config is None else {"name": name, "config": config}
        told = self.chaser.ask("create-assistant", json=said, expect=200).json["assistant"]
        self.all.append(_Assistant(told["id"], name, told["workspace_id"], config or {}))
        self._is(self.all[-1], told)

    @precondition(lambda self: bool(self.all))
    @rule(
        which=_WHICH,
        name=st.sampled_from([None, "other", "again"]),
        patch=st.one_of(st.none(), PATCHES),
    )
    def change(self, which: int, name: str | None, patch: dict[str, Any] | None) -> None:
        one = self._at(which)
        said = ({} if name is None else {"name": name}) | ({} if patch is None else {"config": patch})
        told = self.chaser.ask("update-assistant", id=one.id, json=said, expect=200).json["assistant"]
        one.name = name or one.name
        self._patched(one, patch or {})
        self._is(one, told)

    @precondition(lambda self: bool(self.all))
    @rule(which=_WHICH, rests=st.booleans())
    def rest(self, which: int, rests: bool) -> None:
        one = self._at(which)
        one.status = "paused" if rests else "active"
        operation = "pause-assistant" if rests else "resume-assistant"
        self._is(one, self.chaser.ask(operation, id=one.id, expect=200).json["assistant"])

    @precondition(lambda self: bool(self.all))
    @rule(which=_WHICH, patch=PATCHES, reason=st.sampled_from([None, "", "because"]))
    def propose(self, which: int, patch: dict[str, Any], reason: str | None) -> None:
        one = self._at(which)
        said = {"patch": patch} | ({} if reason is None else {"reason": reason})
        answer = self.chaser.ask("create-assistant-config-change-request", id=one.id, json=said, expect=200)
        told = answer.json
        wanted = {
            **said,
            "id": told["id"],
            "status": "pending",
            "proposed_by": self.user,
            "created_at": told["created_at"],
        }
        answer.require(same(told, wanted), "a change that is asked for waits for a decision", unlike(told, wanted))
        one.changes.append(_Change(told))

    @precondition(lambda self: any(one.changes for one in self.all))
    @rule(which=_WHICH, turn=st.integers(0, 5), approves=st.booleans(), elsewhere=st.booleans())
    def decide(self, which: int, turn: int, approves: bool, elsewhere: bool) -> None:
        having = [one for one in self.all if one.changes]
        one = having[which % len(having)]
        change = one.changes[turn % len(one.changes)]
        operation = f"{'approve' if approves else 'deny'}-assistant-config-change-request"
        if elsewhere and len(self.all) > 1:
            other = next(each for each in self.all if each is not one)
            self.chaser.ask(operation, id=other.id, rid=change.told["id"]).must_be(
                404, "not_found", because="the request is about another assistant"
            )
        answer = self.chaser.ask(operation, id=one.id, rid=change.told["id"])
        if change.status != "pending":
            answer.must_be(409, "invalid_state", because=f"the request is {change.status} already")
            return
        answer.must_be(200, because="the request waits for a decision")
        change.status = "approved" if approves else "denied"
        told = answer.json
        wanted = {
            **change.told, "status": change.status, "decided_by": self.user, "decided_at": told.get("decided_at"),
        }  # fmt: skip
        answer.require(same(told, wanted), "the answer is the request as it was decided", unlike(told, wanted))
        if approves:
            self._patched(one, change.told["patch"])

    @precondition(lambda self: bool(self.all))
    @rule(which=_WHICH, kind=st.sampled_from(["telegram", "discord"]), channel=st.sampled_from(["-100", "Abc", "abc"]))
    def bind(self, which: int, kind: str, channel: str) -> None:
        one = self._at(which)
        said = {"channel_type": kind, "channel_id": channel}
        answer = self.chaser.ask("add-assistant-channel", id=one.id, json=said)
        if self._bound(kind, channel) is not None:
            answer.must_be(409, "already_exists", because="a channel belongs to one assistant")
            return
        answer.must_be(200, because="no assistant is bound to the channel")
        answer.require(
            {name: answer.json.get(name) for name in said} == said and "credential_name" not in answer.json,
            "the binding is what was asked for",
        )
        one.channels.insert(0, answer.json)

    @precondition(lambda self: any(one.channels for one in self.all))
    @rule(which=_WHICH, turn=st.integers(0, 3))
    def unbind(self, which: int, turn: int) -> None:
        having = [one for one in self.all if one.channels]
        one = having[which % len(having)]
        binding = one.channels.pop(turn % len(one.channels))
        self.chaser.ask("remove-assistant-channel", id=one.id, bid=binding["id"], expect=204)
        self.chaser.ask("remove-assistant-channel", id=one.id, bid=binding["id"]).must_be(
            404, "not_found", because="the channel is unbound already"
        )

    @rule(kind=st.sampled_from(["telegram", "discord"]), channel=st.sampled_from(["-100", "Abc", "abc"]))
    def resolve(self, kind: str, channel: str) -> None:
        answer = self.chaser.ask("resolve-assistant-channel", json={"channel_type": kind, "channel_id": channel})
        found = self._bound(kind, channel)
        if found is None:
            answer.must_be(404, "not_found", because="no assistant is bound to the channel")
            return
        answer.must_be(200, because="an assistant is bound to the channel")
        answer.require(answer.json == found, "a channel leads to who is bound to it", f"{answer.json}, not {found}")

    @precondition(lambda self: bool(self.all))
    @rule(
        which=st.one_of(st.none(), _WHICH), name=st.sampled_from(["bot", "Bot"]), value=st.text(min_size=1, max_size=5)
    )
    def store(self, which: int | None, name: str, value: str) -> None:
        value = value.replace("\0", "0")
        owner = None if which is None else self._at(which).id
        said = {"name": name, "value": value} | ({} if owner is None else {"assistant_id": owner})
        answer = self.chaser.ask("store-assistant-credential", json=said, expect=200)
        told = answer.json["credential"]
        answer.require(
            (told["name"], told.get("assistant_id")) == (name, owner) and "value" not in told,
            "the answer says what was stored, without its value",
        )
        self.vault[owner, name] = value

    @precondition(lambda self: bool(self.all))
    @rule(which=_WHICH, name=st.sampled_from(["bot", "Bot", "none"]))
    def look_up(self, which: int, name: str) -> None:
        one = self._at(which)
        answer = self.chaser.ask("resolve-assistant-credential", json={"assistant_id": one.id, "name": name})
        value = self.vault.get((one.id, name), self.vault.get((None, name)))
        if value is None:
            answer.must_be(404, "not_found", because="nothing is stored under the name")
            return
        answer.must_be(200, because="something is stored under the name")
        answer.require(
            answer.json == {"name": name, "value": value},
            "the assistant's own credential is found, else the one of the account", "it is another one",
        )  # fmt: skip

    @precondition(lambda self: bool(self.all))
    @rule(which=_WHICH, state=JSON, version=st.sampled_from([None, 0, -1, 1]))
    def remember(self, which: int, state: Any, version: int | None) -> None:
        one = self._at(which)
        said = {"state": state} | ({} if version is None else {"version": max(one.writes + version, 0)})
        answer = self.chaser.ask("put-assistant-runtime-state", id=one.id, json=said)
        if said.get("version", one.writes) != one.writes:
            answer.must_be(409, "conflict", because="the version is not the current one")
            return
        answer.must_be(200, because="no version was named, or the current one")
        one.state, one.writes = state, one.writes + 1

    @precondition(lambda self: bool(self.all))
    @rule(which=_WHICH, kind=st.sampled_from(["tokens", "tool_call", "session"]), quantity=st.integers(0, 10**6))
    def use(self, which: int, kind: str, quantity: int) -> None:
        one = self._at(which)
        said = {"kind": kind, "quantity": quantity}
        self.chaser.ask("create-assistant-usage-event", id=one.id, json=said, expect=200)
        one.used[kind] += quantity

    # What is seen

    @invariant()
    def every_reader_sees_it(self) -> None:
        listed = self.chaser.ask("list-assistants", expect=200).json["assistants"]
        self.chaser.require(
            [one["id"] for one in listed] == [one.id for one in reversed(self.all)],
            "list-assistants: all assistants are listed, newest first", f"{[one['id'] for one in listed]}",
        )  # fmt: skip
        for told, one in zip(listed, reversed(self.all), strict=True):
            self._is(one, told)
        if self.all:
            one = self.all[-1]
            read = self.chaser.ask("get-assistant", id=one.id, expect=200)
            read.require(read.json["assistant"] == listed[0], "an assistant is read as it is listed")
            state = self.chaser.ask("get-assistant-runtime-state", id=one.id, expect=200)
            state.require(
                same(state.json["state"], one.state) and state.json["version"] == one.writes
                and ("updated_at" in state.json) == (one.writes > 0),
                "the state is what was written last, its version how often", f"{state.json}, not {one.state!r}",
            )  # fmt: skip
            usage = self.chaser.ask("list-assistant-usage-events", id=one.id, query={"limit": 1}, expect=200)
            usage.require(usage.json["totals"] == one.used, "usage is summed by kind", f"{usage.json}, not {one.used}")

    # The model

    def _at(self, which: int) -> _Assistant:
        return self.all[which % len(self.all)]

    def _bound(self, kind: str, channel: str) -> dict[str, str] | None:
        for one in self.all:
            for each in one.channels:
                if (each["channel_type"], each["channel_id"]) == (kind, channel):
                    return {"assistant_id": one.id, "binding_id": each["id"]}
        return None

    def _patched(self, one: _Assistant, patch: dict[str, Any]) -> None:
        after = merged(one.config, patch)
        one.version += not same(after, one.config)
        one.config = after

    def _is(self, one: _Assistant, told: dict[str, Any]) -> None:
        wanted = {
            "id": one.id, "name": one.name, "status": one.status, "config": one.config, "config_version": one.version,
            "workspace_id": one.workspace, "channels": one.channels,
        }  # fmt: skip
        seen = {name: told.get(name) for name in wanted}
        self.chaser.require(
            same(seen, wanted), "get-assistant: an assistant is as it was made and changed", unlike(seen, wanted)
        )
