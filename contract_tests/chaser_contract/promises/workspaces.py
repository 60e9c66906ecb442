"""Workspaces: what a new one and a copy are, their names, what is refused, and how they are deleted."""

from __future__ import annotations

import re
from typing import Any

from chaser_contract import making
from chaser_contract.asking import UNKNOWN
from chaser_contract.client import Answer
from chaser_contract.promises import promise
from chaser_contract.subject import Subject
from chaser_contract.values import ABSENT, equals, frozen, holds, is_at, is_uuid, lacks, refused, unchanged

_NOTHING_YET = ("image", "source_workspace_id", "github_repo", "active_session_id", "last_session_id")


@promise()
def a_new_one_is_what_was_asked_for(chaser: Subject) -> None:
    """A new workspace has the name, the type, the image and the mark that were asked for, is idle, and is listed so."""
    for wish, wanted in (
        ({"session_type": "sandbox"}, {"template": False, "image": None}),
        ({"session_type": "browser", "image": None, "template": None}, {"template": False, "image": None}),
        ({"session_type": "sandbox", "image": "debian:12", "template": True}, {"template": True, "image": "debian:12"}),
        ({"session_type": "browser", "template": False, "clone_from": None}, {"template": False, "image": None}),
    ):
        with chaser.case():
            name = chaser.name("Ws.1_x")
            made = chaser.ask("create-workspace", json={**wish, "name": name}, expect=200)
            is_uuid(made, made.json, "id")
            holds(made, made.json, name=name, session_type=wish["session_type"], template=wanted["template"])
            holds(made, made.json, persistence=True, status="idle", assistant_home=False)
            equals(made, made.json.get("image"), wanted["image"], "`image` is the one that was asked for")
            lacks(made, made.json, *_NOTHING_YET[1:])
            listed = chaser.ask("list-workspaces", expect=200)
            equals(listed, _shown(listed, made.json["id"]), made.json, "a workspace is listed as it was made")
            chaser.ask("delete-workspace", ws=made.json["id"], expect=204)


@promise("emulator")
def is_made_now(chaser: Subject) -> None:
    """A workspace's `created_at` is the moment of the clock at which it was asked for, also of a copy."""
    then = frozen(chaser)
    made = chaser.ask("create-workspace", json={"session_type": "sandbox", "name": "first"}, expect=200)
    first = is_at(made, made.json, "created_at", then)
    copy = chaser.ask("create-workspace", json={"clone_from": "first"}, expect=200)
    copy.require(is_at(copy, copy.json, "created_at", then) > first, "a copy is younger than its source")


@promise()
def a_name_is_made_up(chaser: Subject) -> None:
    """A workspace for which no name is given gets one of the form `adjective-noun-1234`, another one each time."""
    seen = set()
    for wish in ({}, {"name": None}, {}, {}):
        made = chaser.ask("create-workspace", json={"session_type": "sandbox", **wish}, expect=200)
        fits = re.fullmatch(r"[a-z]+-[a-z]+-[0-9]{4}", made.json["name"])
        made.require(fits, "a name that is made up has the form `adjective-noun-1234`", made.json["name"])
        seen.add(made.json["name"])
        chaser.ask("delete-workspace", ws=made.json["id"], expect=204)
    chaser.require(len(seen) == 4, "create-workspace: names that are made up differ", str(seen))


@promise()
def names_are_of_a_form(chaser: Subject) -> None:
    """A name is 1 to 64 letters, digits, dots, underscores and hyphens, not a UUID; anything else is 400."""
    room = making.workspace(chaser)
    suffix = f"{chaser.random.getrandbits(40):010x}"
    for good in (f"a{suffix}", f"9{suffix}", f"Z._-{suffix}", f"{suffix}{'x' * (64 - len(suffix))}", f"{suffix}-"):
        with chaser.case():
            made = chaser.ask("create-workspace", json={"session_type": "sandbox", "name": good}, expect=200)
            holds(made, made.json, name=good)
            chaser.ask("delete-workspace", ws=good, expect=204)
            named = chaser.ask("set-workspace-name", ws=room["id"], json={"name": good}, expect=200)
            equals(named, named.json, {"id": room["id"], "name": good}, "the answer has the id and the new name")
    before = chaser.ask("list-workspaces", expect=200).json
    for bad in ("", "x" * 65, "-a", ".a", "_a", "a b", "a/b", "ä", "a\n", "a:b", " a", UNKNOWN, room["id"], 7):
        with chaser.case():
            wish = {"session_type": "sandbox", "name": bad}
            refused(chaser.ask("create-workspace", json=wish), 400, "invalid_request", "/name")
            renamed = chaser.ask("set-workspace-name", ws=room["id"], json={"name": bad})
            refused(renamed, 400, "invalid_request", "/name")
            if isinstance(bad, str):
                kept = chaser.ask("create-workspace-snapshot", ws=room["id"], json={"name": bad})
                refused(kept, 400, "invalid_request", "/name")
    refused(chaser.ask("set-workspace-name", ws=room["id"], json={}), 400, "invalid_request", "/name")
    listed = chaser.ask("list-workspaces", expect=200)
    equals(listed, listed.json, before, "what is refused changes no workspace")
    chaser.ask("delete-workspace", ws=room["id"], expect=204)


@promise()
def names_are_taken_in_any_case(chaser: Subject) -> None:
    """A name that another workspace has, in whatever case, is 409 name_taken for a new one, a copy and a rename."""
    one, other = making.workspace(chaser), making.workspace(chaser)
    before = chaser.ask("list-workspaces", expect=200).json
    for name in (one["name"], one["name"].upper(), one["name"].title()):
        with chaser.case():
            wish = {"session_type": "browser", "name": name}
            refused(chaser.ask("create-workspace", json=wish), 409, "name_taken")
            copy = chaser.ask("create-workspace", json={"clone_from": other["id"], "name": name})
            refused(copy, 409, "name_taken")
            refused(chaser.ask("set-workspace-name", ws=other["id"], json={"name": name}), 409, "name_taken")
    listed = chaser.ask("list-workspaces", expect=200)
    equals(listed, listed.json, before, "a request for a name that is taken changes no workspace")
    own = chaser.ask("set-workspace-name", ws=one["id"], json={"name": one["name"].upper()}, expect=200)
    holds(own, own.json, name=one["name"].upper())
    chaser.ask("delete-workspace", ws=one["id"], expect=204)
    freed = chaser.ask("set-workspace-name", ws=other["id"], json={"name": one["name"]}, expect=200)
    holds(freed, freed.json, name=one["name"])
    chaser.ask("delete-workspace", ws=other["id"], expect=204)


@promise("peer")
def names_are_taken_within_an_account(chaser: Subject) -> None:
    """Two accounts can have a workspace of the same name, and each means its own by it."""
    mine = making.workspace(chaser)
    theirs = chaser.peer.ask(
        "create-workspace", json={"session_type": "browser", "name": mine["name"], "template": True}, expect=200
    )
    holds(theirs, theirs.json, name=mine["name"])
    chaser.ask("delete-workspace", ws=mine["name"], expect=204)
    kept = making.workspace_of(chaser.peer, theirs.json["id"])
    equals(theirs, kept, theirs.json, "a workspace of another account of the same name stays")
    chaser.peer.ask("delete-workspace", ws=mine["name"], expect=204)


@promise()
def it_is_renamed(chaser: Subject) -> None:
    """A new name holds from then on and the old one no more; without a name a workspace goes by its id."""
    room = making.workspace(chaser)
    name = chaser.name("Renamed")
    renamed = chaser.ask("set-workspace-name", ws=room["name"].upper(), json={"name": name}, expect=200)
    equals(renamed, renamed.json, {"id": room["id"], "name": name}, "the answer has the id and the new name")
    listed = chaser.ask("list-workspaces", expect=200)
    unchanged(listed, _shown(listed, room["id"]), {**room, "name": name})
    missing = chaser.ask("set-workspace-template", ws=room["name"], json={"template": True})
    refused(missing, 404, "not_found")
    cleared = chaser.ask("set-workspace-name", ws=name.lower(), json={"name": None}, expect=200)
    equals(cleared, cleared.json, {"id": room["id"], "name": None}, "the answer has the id and null for no name")
    listed = chaser.ask("list-workspaces", expect=200)
    unchanged(listed, _shown(listed, room["id"]), {**room, "name": room["id"]})
    refused(chaser.ask("delete-workspace", ws=name), 404, "not_found")
    back = chaser.ask("set-workspace-name", ws=room["id"], json={"name": room["name"]}, expect=200)
    holds(back, back.json, name=room["name"])
    refused(chaser.ask("set-workspace-name", ws=UNKNOWN, json={"name": name}), 404, "not_found")
    chaser.ask("delete-workspace", ws=room["name"], expect=204)


@promise()
def it_is_a_template_or_none(chaser: Subject) -> None:
    """The mark of a template is set and taken away, told and listed; it hinders neither sessions nor copies."""
    room = making.workspace(chaser)
    for template in (True, True, False, True):
        marked = chaser.ask("set-workspace-template", ws=room["name"], json={"template": template}, expect=200)
        equals(marked, marked.json, {"id": room["id"], "template": template}, "the answer has the id and the mark")
        listed = chaser.ask("list-workspaces", expect=200)
        unchanged(listed, _shown(listed, room["id"]), {**room, "template": template})
    for bad in ({}, {"template": None}, {"template": "true"}, {"template": 1}):
        refused(chaser.ask("set-workspace-template", ws=room["id"], json=bad), 400, "invalid_request", "/template")
    refused(chaser.ask("set-workspace-template", ws="nothing", json={"template": True}), 404, "not_found")
    made = making.running(chaser, workspace=room["id"])
    chaser.ask("terminate-session", id=made["id"], expect=204)
    copy = chaser.ask("create-workspace", json={"clone_from": room["id"]}, expect=200)
    holds(copy, copy.json, template=False, source_workspace_id=room["id"])
    for one in (copy.json, room):
        chaser.ask("delete-workspace", ws=one["id"], expect=204)


@promise()
def a_copy_takes_after_its_source(chaser: Subject) -> None:
    """A copy has the type and the image of its source, names it, and has neither its name, its mark nor its life."""
    source = making.workspace(chaser, image="debian:12", template=True)
    for selector, wish in ((source["id"], {}), (source["name"].upper(), {"template": True, "session_type": None})):
        with chaser.case():
            name = chaser.name("copy")
            copy = chaser.ask("create-workspace", json={"clone_from": selector, "name": name, **wish}, expect=200)
            holds(copy, copy.json, name=name, session_type="sandbox", image="debian:12", status="idle")
            holds(copy, copy.json, source_workspace_id=source["id"], template=wish.get("template", False))
            lacks(copy, copy.json, "active_session_id", "last_session_id")
            copy.require(copy.json["id"] != source["id"], "a copy is another workspace")
            chaser.ask("set-workspace-template", ws=copy.json["id"], json={"template": True}, expect=200)
            listed = chaser.ask("list-workspaces", expect=200)
            unchanged(listed, _shown(listed, source["id"]), source)
            chaser.ask("delete-workspace", ws=copy.json["id"], expect=204)
    used = making.workspace(chaser)
    chaser.ask("terminate-session", id=making.running(chaser, workspace=used["id"])["id"], expect=204)
    copy = chaser.ask("create-workspace", json={"clone_from": used["id"]}, expect=200)
    lacks(copy, copy.json, "active_session_id", "last_session_id", "image", "github_repo")
    for one in (copy.json, used):
        chaser.ask("delete-workspace", ws=one["id"], expect=204)
    browser = making.workspace(chaser, session_type="browser")
    copy = chaser.ask("create-workspace", json={"clone_from": browser["id"]}, expect=200)
    holds(copy, copy.json, session_type="browser")
    for one in (copy.json, browser, source):
        chaser.ask("delete-workspace", ws=one["id"], expect=204)


@promise()
def what_cannot_be_is_refused(chaser: Subject) -> None:
    """A workspace without a type, a browser with an image, a copy with a type of its own are 400; no source is 404."""
    source = making.workspace(chaser)
    before = chaser.ask("list-workspaces", expect=200).json
    copied = {"clone_from": source["id"]}
    for body, pointer in (
        ({}, "/session_type"),
        ({"session_type": None}, "/session_type"),
        ({"name": chaser.name()}, "/session_type"),
        ({"session_type": "vm"}, "/session_type"),
        ({"session_type": "SANDBOX"}, "/session_type"),
        ({"session_type": "browser", "image": "debian"}, "/session_type"),
        ({"session_type": "sandbox", "image": ""}, "/image"),
        ({"session_type": "sandbox", "image": "a b"}, "/image"),
        ({"session_type": "sandbox", "image": "x" * 513}, "/image"),
        ({"session_type": "sandbox", "template": "yes"}, "/template"),
        ({"session_type": "sandbox", **copied}, "/session_type"),
        ({"image": "debian", **copied}, "/image"),
        ({"clone_from": ""}, "/clone_from"),
    ):
        with chaser.case():
            refused(chaser.ask("create-workspace", json=body), 400, "invalid_request", pointer)
    for missing in (UNKNOWN, chaser.name()):
        refused(chaser.ask("create-workspace", json={"clone_from": missing}), 404, "not_found")
    listed = chaser.ask("list-workspaces", expect=200)
    equals(listed, listed.json, before, "what is refused makes no workspace")
    chaser.ask("delete-workspace", ws=source["id"], expect=204)


@promise()
def one_in_use_is_not_touched(chaser: Subject) -> None:
    """While a session lives on it, a workspace is neither copied, deleted nor kept: 409 workspace_active."""
    room = making.workspace(chaser)
    kept = chaser.ask("create-workspace-snapshot", ws=room["id"], json={"name": "before"}, expect=200)
    made = making.running(chaser, workspace=room["id"])
    for answer in (
        chaser.ask("create-workspace", json={"clone_from": room["name"]}),
        chaser.ask("delete-workspace", ws=room["name"]),
        chaser.ask("delete-workspace", ws=room["name"], query={"force": False}),
        chaser.ask("create-workspace-snapshot", ws=room["name"], json={}),
        chaser.ask("create-workspace-snapshot", ws=room["name"]),
        chaser.ask("restore-workspace-snapshot", ws=room["name"], name="before", json={}),
        chaser.ask("restore-workspace-snapshot", ws=room["name"], name="before", json={"force": False}),
        chaser.ask("delete-workspace-snapshot", ws=room["name"], name="before"),
    ):
        with chaser.case():
            refused(answer, 409, "workspace_active")
    read = chaser.ask("get-session", id=made["id"], expect=200)
    holds(read, read.json, status="running")
    listed = chaser.ask("list-workspace-snapshots", ws=room["id"], expect=200)
    equals(listed, listed.json, [kept.json], "what is refused changes no snapshot")
    renamed = chaser.ask("set-workspace-name", ws=room["id"], json={"name": chaser.name()}, expect=200)
    chaser.ask("set-workspace-template", ws=renamed.json["name"], json={"template": True}, expect=200)
    again = chaser.ask("create-session", json={"workspace": renamed.json["name"]}, expect=200)
    holds(again, again.json, id=made["id"], workspace_id=room["id"])
    chaser.ask("terminate-session", id=made["id"], expect=204)
    chaser.ask("delete-workspace", ws=room["id"], expect=204)


def _shown(listed: Answer, workspace_id: str) -> dict[str, Any]:
    """How a list shows a workspace."""
    found: Any = next((one for one in listed.json if one["id"] == workspace_id), ABSENT)
    listed.require(found is not ABSENT, "a workspace is listed")
    shown: dict[str, Any] = found
    return shown
