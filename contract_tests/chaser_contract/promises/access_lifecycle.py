"""Who may do what in an organization, against a model: members with roles, service accounts, keys that come and go."""

from __future__ import annotations

from dataclasses import dataclass, field

from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from chaser_contract import making
from chaser_contract.client import Answer, Client
from chaser_contract.promises import promise
from chaser_contract.subject import Subject

_ROLES = st.sampled_from(["owner", "admin", "member"])
_WHO = st.integers(0, 2)


@promise("emulator", stateful=True)
def access_lives_as_a_model_says(chaser: Subject) -> None:
    """Whoever is added, promoted, demoted and removed, whatever key is made and revoked: each may what it should."""
    chaser.machine(lambda: _Access(chaser), steps=20)


@dataclass
class _Person:
    """Somebody of the organization; `role` None once they are no member."""

    client: Client
    id: str
    email: str
    role: str | None = None


@dataclass
class _Key:
    id: str
    client: Client
    scopes: list[str]
    robot: str
    revoked: bool = False


@dataclass
class _Robots:
    """The service accounts, newest first, and all keys they ever had."""

    ids: list[str] = field(default_factory=list)
    keys: list[_Key] = field(default_factory=list)


class _Access(RuleBasedStateMachine):
    """One organization, the first user and two others, and its service accounts."""

    def __init__(self, chaser: Subject) -> None:
        super().__init__()
        self.chaser = chaser
        chaser.steered.reset()
        first, account = making.organization(chaser)
        me = chaser.ask("get-me", expect=200).json["user"]
        self.people = [_Person(first, me["id"], me["email"], "owner")]
        for _ in range(2):
            client, user = making.person(chaser)
            inside = chaser.as_(client.credential, account=account["id"])
            self.people.append(_Person(inside, user["id"], user["email"]))
        self.robots = _Robots()

    # What is done

    @rule(by=_WHO, whom=_WHO, role=st.one_of(st.none(), _ROLES))
    def add(self, by: int, whom: int, role: str | None) -> None:
        actor, other = self.people[by], self.people[whom]
        said = {"email": other.email.upper()} | ({} if role is None else {"role": role})
        answer = actor.client.ask("add-current-member", json=said)
        if self._refused(answer, actor, touches_owner=role == "owner"):
            return
        if other.role is not None:
            answer.must_be(409, "already_exists", because="they are a member already")
            return
        answer.must_be(200, because=f"a member who is {actor.role} may add others")
        other.role = role or "member"
        told = answer.json["member"]
        answer.require(
            (told["user_id"], told["role"]) == (other.id, other.role), "the answer is the new member", f"{told}"
        )

    @rule(by=_WHO, whom=_WHO, role=_ROLES)
    def change(self, by: int, whom: int, role: str) -> None:
        actor, other = self.people[by], self.people[whom]
        answer = actor.client.ask("update-current-member", uid=other.id, json={"role": role})
        if actor.role in ("owner", "admin") and other.role is None:
            answer.require(answer.status in (403, 404), "nobody is found who is no member")
            return
        if self._refused(answer, actor, touches_owner="owner" in (role, other.role)):
            return
        if self._is_last(other) and role != "owner":
            answer.must_be(409, "last_owner", because="an organization keeps an owner")
            return
        answer.must_be(200, because=f"a member who is {actor.role} may change this")
        other.role = role

    @rule(by=_WHO, whom=_WHO)
    def remove(self, by: int, whom: int) -> None:
        actor, other = self.people[by], self.people[whom]
        answer = actor.client.ask("remove-current-member", uid=other.id)
        if actor.role is None:
            answer.must_be(404, "not_found", because="who is no member finds no such account")
            return
        if other.role is None:
            answer.require(answer.status in (403, 404), "nobody is removed who is no member")
            return
        if actor is not other and self._refused(answer, actor, touches_owner=other.role == "owner"):
            return
        if self._is_last(other):
            answer.must_be(409, "last_owner", because="an organization keeps an owner")
            return
        answer.must_be(204, because="owners and admins may remove others, and everybody may leave")
        other.role = None

    @precondition(lambda self: len(self.robots.ids) < 3)
    @rule(by=_WHO)
    def make_robot(self, by: int) -> None:
        actor = self.people[by]
        answer = actor.client.ask("create-current-service-account", json={"name": "robot"})
        if self._refused(answer, actor):
            return
        told = answer.must_be(200, because="owners and admins may").json["service_account"]
        answer.require(told["created_by_user_id"] == actor.id, "a service account tells who made it", f"{told}")
        self.robots.ids.insert(0, told["id"])

    @precondition(lambda self: bool(self.robots.ids))
    @rule(by=_WHO, which=st.integers(0, 2), scopes=st.sampled_from([[], ["sessions.read"], ["workspaces.read"]]))
    def make_key(self, by: int, which: int, scopes: list[str]) -> None:
        actor, robot = self.people[by], self.robots.ids[which % len(self.robots.ids)]
        answer = actor.client.ask("create-current-service-account-key", said=robot, json={"scopes": scopes})
        if self._refused(answer, actor):
            return
        told = answer.must_be(200, because="owners and admins may").json
        answer.require(
            (told["scopes"], told["full_access"], told["service_account"]["id"]) == (scopes, not scopes, robot),
            "the key is what was asked for",
        )
        self.robots.keys.append(_Key(told["id"], self.chaser.as_(told["key"]), scopes, robot))

    @precondition(lambda self: bool(self.robots.keys))
    @rule(by=_WHO, which=st.integers(0, 9))
    def revoke(self, by: int, which: int) -> None:
        actor, key = self.people[by], self.robots.keys[which % len(self.robots.keys)]
        answer = actor.client.ask("revoke-current-service-account-key", said=key.robot, kid=key.id)
        if self._refused(answer, actor):
            return
        if key.robot not in self.robots.ids:
            answer.must_be(404, "not_found", because="the service account is deleted")
            return
        answer.must_be(204, because="owners and admins may, and again is fine")
        key.revoked = True

    @precondition(lambda self: bool(self.robots.ids))
    @rule(by=_WHO, which=st.integers(0, 2))
    def delete_robot(self, by: int, which: int) -> None:
        actor, robot = self.people[by], self.robots.ids[which % len(self.robots.ids)]
        answer = actor.client.ask("delete-current-service-account", said=robot)
        if self._refused(answer, actor):
            return
        answer.must_be(204, because="owners and admins may")
        self.robots.ids.remove(robot)
        for key in self.robots.keys:
            key.revoked = key.revoked or key.robot == robot

    # What is seen

    @invariant()
    def each_may_what_it_should(self) -> None:
        wanted = {one.id: one.role for one in self.people if one.role is not None}
        for one in self.people:
            members = one.client.ask("list-current-members")
            if one.role is None:
                members.must_be(404, "not_found", because="who is no member finds no such account")
                continue
            members.must_be(200, because="every member may see the members")
            told = {each["user_id"]: each["role"] for each in members.json["members"]}
            members.require(told == wanted, "the members are listed with their roles", f"{told}, not {wanted}")
            members.require(
                all(each["owner"] == (each["role"] == "owner") for each in members.json["members"]),
                "`owner` is true for owners",
            )
            robots = one.client.ask("list-current-service-accounts")
            if not self._refused(robots, one):
                ids = [each["id"] for each in robots.must_be(200).json["service_accounts"]]
                robots.require(ids == self.robots.ids, "service accounts are listed, newest first", f"{ids}")
        for key in self.robots.keys[-4:]:
            for operation, scope in (("list-sessions", "sessions.read"), ("list-workspaces", "workspaces.read")):
                answer = key.client.ask(operation)
                if key.revoked:
                    answer.must_be(401, "unauthorized", because="the key is revoked")
                elif key.scopes and scope not in key.scopes:
                    answer.must_be(403, "insufficient_scope", because="the key has another scope")
                else:
                    answer.must_be(200, because="the key may")

    # The model

    def _refused(self, answer: Answer, actor: _Person, *, touches_owner: bool = False) -> bool:
        """Whether somebody may not; then the answer has said so."""
        if actor.role is None:
            answer.must_be(404, "not_found", because="who is no member finds no such account")
        elif actor.role == "member" or (touches_owner and actor.role != "owner"):
            answer.must_be(403, "forbidden", because=f"a member who is {actor.role} may not")
        else:
            return False
        return True

    def _is_last(self, one: _Person) -> bool:
        return one.role == "owner" and [each.role for each in self.people].count("owner") == 1
