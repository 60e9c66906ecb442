"""Lists without pages: all there is, newest first, as its creation answered; what is taken away is missing at once."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from chaser_contract import making
from chaser_contract.client import Answer, Client
from chaser_contract.promises import promise
from chaser_contract.subject import Subject
from chaser_contract.waiting import until


@dataclass(frozen=True)
class Listing:
    """A list, and how to make what it lists and take it away; `items` is the key it stands under, None for a bare list.

    `path` are the parameters of its path, and `id` is what its items are told apart by.
    """

    operation: str
    items: str | None
    make: Callable[[], dict[str, Any]]
    remove: Callable[[dict[str, Any]], Answer] | None = None
    client: Client | None = None
    path: dict[str, Any] = field(default_factory=dict)
    id: str = "id"
    more: int = 0
    """How many more there may be in all: enough to see that the list is not cut."""

    def ask(self, chaser: Subject, **query: Any) -> Answer:
        return (self.client or chaser).ask(self.operation, query=query or None, expect=200, **self.path)

    def found(self, answer: Answer) -> list[dict[str, Any]]:
        listed: list[dict[str, Any]] = answer.json if self.items is None else answer.json[self.items]
        return listed


@promise()
def workspaces_are_all_listed(chaser: Subject) -> None:
    """Every workspace is in the list, newest first, until it is deleted."""
    _complete(
        chaser,
        Listing(
            "list-workspaces", None,
            lambda: making.workspace(chaser),
            lambda one: chaser.ask("delete-workspace", ws=one["id"]),
            more=40,
        ),
    )  # fmt: skip


@promise()
def snapshots_are_all_listed(chaser: Subject) -> None:
    """Every snapshot of a workspace is in its list, newest first, until it is deleted; up to 100 of them."""
    disk, other = making.workspace(chaser)["id"], making.workspace(chaser)["id"]
    making.snapshot(chaser, other)
    _complete(
        chaser,
        Listing(
            "list-workspace-snapshots", None,
            lambda: making.snapshot(chaser, disk),
            lambda one: chaser.ask("delete-workspace-snapshot", ws=disk, name=one["id"]),
            path={"ws": disk}, more=12,
        ),
    )  # fmt: skip


@promise()
def api_keys_are_all_listed(chaser: Subject) -> None:
    """Every key of the caller is in the list, newest first, also those that are revoked."""
    _complete(
        chaser,
        Listing(
            "list-keys", "keys",
            lambda: _without(chaser.ask("create-key", json={"name": chaser.name("key")}, expect=200).json, "key"),
            more=120,
        ),
    )  # fmt: skip


@promise()
def ssh_keys_are_all_listed(chaser: Subject) -> None:
    """Every SSH key of the caller is in the list, newest first, until it is deleted."""
    _complete(
        chaser,
        Listing(
            "list-ssh-keys", "keys",
            lambda: chaser.ask("create-ssh-key", json={"public_key": making.ssh_line(chaser)}, expect=200).json["key"],
            lambda one: chaser.ask("delete-ssh-key", id=one["id"]),
            more=120,
        ),
    )  # fmt: skip


@promise()
def webhooks_are_all_listed(chaser: Subject) -> None:
    """Every webhook is in the list, newest first and without its secret, until it is deleted; at most 20."""
    here = Listing(
        "list-webhooks", "webhooks",
        lambda: _without(making.webhook(chaser, description=chaser.name("hook")), "signing_secret", "received"),
        lambda one: chaser.ask("delete-webhook", id=one["id"]),
    )  # fmt: skip
    _complete(chaser, here)
    if chaser.emulator is None:
        return
    while len(here.found(here.ask(chaser))) < 20:
        here.make()
    full = here.found(here.ask(chaser))
    refused = chaser.ask("create-webhook", json={"url": "http://127.0.0.1:9/"})
    refused.must_be(409, "conflict", because="there are 20 webhooks")
    chaser.require(
        here.found(here.ask(chaser)) == full, "create-webhook: a refusal changes nothing", "the list is another one"
    )
    chaser.ask("delete-webhook", id=full[0]["id"], expect=204)
    here.make()


@promise("emulator")
def assistants_are_all_listed(chaser: Subject) -> None:
    """Every assistant is in the list, newest first, as it is read by itself."""
    _complete(chaser, Listing("list-assistants", "assistants", lambda: making.assistant(chaser), more=12))


@promise("emulator")
def channels_are_all_listed(chaser: Subject) -> None:
    """Every channel of an assistant is told with it, newest first, until it is unbound."""
    owner = making.assistant(chaser)["id"]

    def bind() -> dict[str, Any]:
        said = {"channel_type": "discord", "channel_id": chaser.name("channel")}
        bound: dict[str, Any] = chaser.ask("add-assistant-channel", id=owner, json=said, expect=200).json
        return bound

    def channels() -> list[dict[str, Any]]:
        told: list[dict[str, Any]] = chaser.ask("get-assistant", id=owner, expect=200).json["assistant"]["channels"]
        return told

    made = [bind() for _ in range(4)][::-1]
    chaser.require(channels() == made, "get-assistant: channels are told newest first", f"{channels()}, not {made}")
    chaser.ask("remove-assistant-channel", id=owner, bid=made[1]["id"], expect=204)
    del made[1]
    chaser.require(channels() == made, "get-assistant: an unbound channel is not told", f"{channels()}, not {made}")


@promise("emulator")
def accounts_are_all_listed(chaser: Subject) -> None:
    """Every account of the caller is in the list, newest first, the personal one with them."""
    _complete(chaser, Listing("list-accounts", "accounts", lambda: making.organization(chaser)[1], more=30))
    listed = chaser.ask("list-accounts", expect=200)
    personal = [one for one in listed.json["accounts"] if one["personal"]]
    listed.require(len(personal) == 1, "one account is the personal one")


@promise("emulator")
def members_are_all_listed(chaser: Subject) -> None:
    """Every member is in the list, newest first, until they are removed."""
    client, _ = making.organization(chaser)

    def add() -> dict[str, Any]:
        said = {"email": f"{chaser.name('member')}@example.com", "role": "admin"}
        added: dict[str, Any] = client.ask("add-current-member", json=said, expect=200).json["member"]
        return added

    _complete(
        chaser,
        Listing(
            "list-current-members", "members", add,
            lambda one: client.ask("remove-current-member", uid=one["user_id"]),
            client=client, id="user_id", more=30,
        ),
    )  # fmt: skip


@promise("emulator")
def service_accounts_and_their_keys_are_all_listed(chaser: Subject) -> None:
    """Service accounts and their keys are in their lists, newest first; revoked keys stay, deleted accounts do not."""
    client, _ = making.organization(chaser)

    def create() -> dict[str, Any]:
        said = {"name": chaser.name("robot")}
        made: dict[str, Any] = client.ask("create-current-service-account", json=said, expect=200).json[
            "service_account"
        ]
        return made

    _complete(
        chaser,
        Listing(
            "list-current-service-accounts", "service_accounts", create,
            lambda one: client.ask("delete-current-service-account", said=one["id"]),
            client=client, more=25,
        ),
    )  # fmt: skip
    robot = create()["id"]

    def add() -> dict[str, Any]:
        said = {"name": chaser.name("key"), "scopes": ["exec.write"]}
        told = client.ask("create-current-service-account-key", said=robot, json=said, expect=200)
        return _without(told.json, "key", "service_account")

    keys = Listing(
        "list-current-service-account-keys", "keys", add, client=client, path={"said": robot}, more=25
    )  # fmt: skip
    _complete(chaser, keys)
    newest = keys.found(keys.ask(chaser))[0]
    client.ask("revoke-current-service-account-key", said=robot, kid=newest["id"], expect=204)
    after = keys.found(keys.ask(chaser))[0]
    chaser.require(
        _without(after, "revoked") == newest and "revoked" in after,
        "list-current-service-account-keys: a revoked key stays in the list, with the time", f"{after}, was {newest}",
    )  # fmt: skip


@promise()
def background_commands_are_all_listed(chaser: Subject) -> None:
    """Every background command of a session is in its list, newest first, and none of another session."""
    here, other = (making.running(chaser)["id"] for _ in range(2))
    made: list[str] = []
    for session in (here, other, here, here):
        said = {"command": f"echo {chaser.name('said')}", "background": True}
        told = chaser.ask("exec-session", id=session, json=said, expect=200).json
        made[:0] = [told["command_id"]] if session == here else []
    chaser.ask("exec-session", id=here, json={"command": "echo waited for"}, expect=200)
    listed = chaser.ask("list-session-commands", id=here, query={"limit": 1}, expect=200)
    found = [one["command_id"] for one in listed.json["commands"]]
    listed.require(found == made, "background commands are listed newest first, and only they", f"{found}, not {made}")
    for one in made:
        until(
            lambda one=one: chaser.ask("get-session-command", id=here, cid=one, expect=200),  # type: ignore[misc]
            lambda told: told["status"] == "exited",
            "a command that ends is told as ended",
        )
    for told in chaser.ask("list-session-commands", id=here, expect=200).json["commands"]:
        alone = chaser.ask("get-session-command", id=here, cid=told["command_id"], expect=200)
        alone.require(
            _without(alone.json, "output") == told, "a command is read as it is listed, with its output", f"{told}"
        )


def _complete(chaser: Subject, listing: Listing) -> None:
    """A list has all that was made, newest first, as it was told when it was made, and lacks what was removed."""
    name = listing.operation
    before = listing.found(listing.ask(chaser))
    made = [listing.make() for _ in range(5)][::-1]
    # Nothing cuts it: what would be a page elsewhere is no parameter here.
    for query in ({}, {"limit": 1, "offset": 1}):
        answer = listing.ask(chaser, **query)
        found = listing.found(answer)
        ids = [one[listing.id] for one in found]
        wanted = [one[listing.id] for one in (*made, *before)]
        answer.require(ids == wanted, "everything is listed, newest first", f"{ids}, not {wanted}")
        for told, listed in zip(made, found, strict=False):
            differs = {key for key in told if told[key] is not None and listed.get(key) != told[key]}
            answer.require(not differs, "what is listed is what its creation answered", f"other are {sorted(differs)}")
    if listing.remove is not None:
        for index in (3, 0, 1):
            gone = made.pop(index)
            listing.remove(gone).must_be(204)
            answer = listing.ask(chaser)
            ids = [one[listing.id] for one in listing.found(answer)]
            wanted = [one[listing.id] for one in (*made, *before)]
            answer.require(
                ids == wanted, "what is removed is missing at once, and nothing else", f"{ids}, not {wanted}"
            )
    if chaser.emulator is not None:
        made[:0] = [listing.make() for _ in range(listing.more)][::-1]
        answer = listing.ask(chaser)
        ids = [one[listing.id] for one in listing.found(answer)]
        wanted = [one[listing.id] for one in (*made, *before)]
        answer.require(ids == wanted, "everything is listed, however much", f"{len(ids)} of {len(wanted)}")
    chaser.require(bool(made), f"{name}: something is left", "nothing is")


def _without(told: dict[str, Any], *names: str) -> dict[str, Any]:
    return {key: value for key, value in told.items() if key not in names}
