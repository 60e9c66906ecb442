"""Seeds: files that say what is in a world, all of it or nothing, with each mistake told where it stands."""

from __future__ import annotations

import base64
import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from chaser_emulator.seeding import checking, ready
from chaser_emulator.seeding.inlining import sendable
from chaser_emulator.seeding.problems import SeedError
from chaser_emulator.seeding.text import read
from chaser_emulator.server import Running
from emulators import REAL, EngineChoice, emulator_on, http_of
from people import ok, refused
from seeded import as_key, fresh_world, problems, sow

SHOP = """
clock: 2026-03-01T12:00:00Z
billing: {plan: usage_based, wallet_balance_usd: 12.5}
users:
  - {email: ada@example.com, name: Ada, password: correct horse, plan: team}
  - {email: bob@example.com, plan: free, wallet_balance_usd: 3}
organizations:
  - name: shop
    plan: team
    owner: ada@example.com
    members: [{email: bob@example.com, role: admin}, {email: eve@example.com}]
service_accounts:
  - {name: robot, account: shop, keys: [{name: robot, scopes: [sessions.read]}, {}]}
  - {name: off, account: shop, disabled: true, keys: [{name: off}]}
keys:
  - {name: ada, owner: ada@example.com, account: shop}
  - {name: ada-at-home, owner: ada@example.com}
  - {name: eve, owner: eve@example.com, account: shop, scopes: [workspaces.read]}
  - {name: gone, owner: ada@example.com, account: shop, revoked: true}
workspaces:
  - {name: mine, session_type: sandbox}
  - name: site
    account: shop
    session_type: sandbox
    template: true
    files:
      index.html: <h1>hello</h1>
      img/dot.png: {base64: iVBORw0=}
      /workspace/run.sh: {text: "echo hi", executable: true}
    snapshots:
      - now
      - {name: earlier, files: {index.html: soon}}
  - {name: copy, account: shop, clone_from: site}
stubs:
  - {command: make, output: "built\\n"}
assistants:
  - {name: helper, account: shop, paused: true}
sessions:
  - {name: live, account: shop, workspace: copy, commands: [make, {command: make, background: true}]}
  - {name: over, account: shop, ephemeral: true, status: terminated}
  - name: past
    account: shop
    workspace: site
    created_at: -3h
    ended_at: -2h
    status: failed
jobs:
  - {name: done, account: shop, kind: sandbox.exec, input: {command: make, workspace: copy}}
  - {name: later, account: shop, kind: sandbox.exec, input: {command: make, ephemeral: true}, run_at: +1h}
webhooks:
  - {name: early, account: shop, sink: early, from_start: true, events: [workspace.*]}
  - name: late
    account: shop
    sink: late
    signing_secret: whsec_AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=
faults:
  - {operations: [list-jobs], error: internal_error}
"""


@pytest.fixture
def world(emulator: Running) -> Iterator[httpx.Client]:
    with fresh_world(emulator) as client:
        yield client


@pytest.fixture(scope="module")
def shop(emulator: Running) -> Iterator[tuple[httpx.Client, dict[str, Any]]]:
    """A client of the owner of `shop`, and the ids of what the seed has made."""
    with fresh_world(emulator) as client:
        ids = sow(client, SHOP)
        with http_of(emulator, ids["keys"]["ada"]["api_key"]) as ada:
            yield ada, ids


Shop = tuple[httpx.Client, dict[str, Any]]

# What is there afterwards


def test_people_their_organization_and_its_roles_are_there(shop: Shop) -> None:
    ada, ids = shop
    members = ok(ada.get("/v1/accounts/current/members"))["members"]
    roles = {one["email"]: one["role"] for one in members}
    assert roles == {"ada@example.com": "owner", "bob@example.com": "admin", "eve@example.com": "member"}
    assert ok(ada.get("/v1/accounts/current"))["account"]["id"] == ids["organizations"]["shop"]
    assert {one["user_id"] for one in members} >= {ids["users"][name]["id"] for name in ids["users"]}
    key = ids["keys"]["ada"]["api_key"]
    login = ada.post("/auth/login", json={"email": "ada@example.com", "password": "correct horse"}, headers=as_key(key))
    assert ok(login)["user"]["name"] == "Ada"


def test_keys_work_as_the_seed_says(shop: Shop) -> None:
    ada, ids = shop
    keys = {name: as_key(one["api_key"]) for name, one in ids["keys"].items()}
    assert ok(ada.get("/v1/keys"))["keys"][0]["id"] in {one["id"] for one in ids["keys"].values()}
    assert ok(ada.get("/v1/workspaces", headers=keys["eve"]))
    refused(ada.get("/v1/sessions", headers=keys["eve"]), 403, "insufficient_scope")
    ok(ada.get("/v1/sessions", headers=keys["robot"]))
    ok(ada.get("/v1/workspaces", headers=keys["robot/1"]))
    for name in ("gone", "off"):
        refused(ada.get("/v1/workspaces", headers=keys[name]), 401, "unauthorized")
    home = ok(ada.get("/v1/accounts/current", headers=keys["ada-at-home"]))["account"]
    assert home["id"] == ids["users"]["ada@example.com"]["account_id"]


def test_plans_and_wallets_are_as_the_seed_says(shop: Shop, emulator: Running) -> None:
    ada, _ids = shop
    assert ok(ada.get("/v1/billing/summary"))["plan_code"] == "team"
    with fresh_world(emulator) as client:
        sow(client, "billing: {plan: usage_based, wallet_balance_usd: 12.5}")
        billing = ok(client.get("/v1/billing/summary"))
        assert (billing["pricing_model"], billing["wallet_balance_micros_usd"]) == ("usage_based", 12_500_000)


def test_workspaces_have_their_files_and_snapshots(shop: Shop) -> None:
    ada, ids = shop
    found = {one["name"]: one for one in ok(ada.get("/v1/workspaces"))}
    assert (found["site"]["id"], found["site"]["template"]) == (ids["workspaces"]["site"], True)
    assert set(found) >= {"site", "copy"}
    assert "mine" not in found

    def holds(workspace: str, path: str) -> bytes:
        session = ok(ada.post("/v1/sessions", json={"workspace": workspace}))["id"]
        content = ada.get(f"/v1/sessions/{session}/download", params={"path": path}).content
        ada.delete(f"/v1/sessions/{session}", params={"force": True})
        return content

    assert holds("site", "index.html") == b"<h1>hello</h1>"
    assert holds("site", "img/dot.png") == base64.b64decode("iVBORw0=")
    assert holds("site", "run.sh") == b"echo hi"
    names = {one["id"] for one in ok(ada.get(f"/v1/workspaces/{found['site']['id']}/snapshots"))}
    assert names == {"now", "earlier"}
    ok(ada.post(f"/v1/workspaces/{found['site']['id']}/snapshots/earlier/restore"))
    assert holds("site", "index.html") == b"soon"


def test_sessions_run_or_have_ended_and_their_commands_have_run(shop: Shop) -> None:
    ada, ids = shop
    assert ok(ada.get(f"/v1/sessions/{ids['sessions']['over']}"))["status"] == "terminated"
    past = ok(ada.get(f"/v1/sessions/{ids['sessions']['past']}"))
    assert (past["status"], past["created_at"][:13]) == ("failed", "2026-03-01T09")
    commands = ok(ada.get(f"/v1/sessions/{ids['sessions']['live']}/commands"))["commands"]
    assert [one["command"] for one in commands] == ["make"]


def test_jobs_that_are_due_are_done_and_others_wait(shop: Shop) -> None:
    ada, ids = shop
    done = ok(ada.get(f"/v1/jobs/{ids['jobs']['done']}"))
    assert (done["status"], done["result"]["output"]) == ("completed", "built\n")
    later = ok(ada.get(f"/v1/jobs/{ids['jobs']['later']}"))
    assert (later["status"], later["run_at"][:13]) == ("queued", "2026-03-01T13")


def test_webhooks_hear_nothing_of_the_seed_unless_it_says_so(shop: Shop) -> None:
    ada, ids = shop
    sink = "/_emulator/webhooks/sink"
    early = ok(ada.get(sink, params={"name": "early"}))["received"]
    assert [one["event_type"] for one in early][:3] == ["workspace.created", *["workspace.snapshot.created"] * 2]
    assert all(one["verified"] for one in early)
    assert ids["webhooks"]["late"]["signing_secret"] == "whsec_AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8="
    told = [one["event_type"] for one in ok(ada.get(sink, params={"name": "late"}))["received"]]
    assert not {"workspace.created", "job.queued", "assistant.alert"} & set(told)


def test_the_clock_assistants_and_faults_are_as_the_seed_says(shop: Shop) -> None:
    ada, ids = shop
    clock = ok(ada.get("/_emulator/clock"))
    assert (clock["mode"], clock["now"][:10]) == ("frozen", "2026-03-01")
    [assistant] = ok(ada.get("/v1/assistants"))["assistants"]
    assert (assistant["id"], assistant["status"]) == (ids["assistants"]["helper"], "paused")
    refused(ada.get("/v1/jobs"), 500, "internal_error")
    assert ok(ada.get("/_emulator/faults"))["faults"][0]["id"] == ids["faults"]["0"]


def test_a_chosen_key_works_and_belongs_to_one_world(emulator: Running, world: httpx.Client) -> None:
    text = "keys: [{name: ci, api_key: sk_test_of_the_seed}]\nworkspaces: [{name: demo, session_type: sandbox}]"
    assert sow(world, text)["keys"]["ci"]["api_key"] == "sk_test_of_the_seed"
    with http_of(emulator, "sk_test_of_the_seed") as ci:
        assert [one["name"] for one in ok(ci.get("/v1/workspaces"))] == ["demo"]
    with fresh_world(emulator) as other:
        [told] = problems(other, text)
        assert told.startswith("1:19: keys[0].api_key: selects the world 'w-")
        drawn = sow(other, text, api_keys="drawn")["keys"]["ci"]["api_key"]
        assert drawn != "sk_test_of_the_seed"
        assert len(ok(other.get("/v1/workspaces", headers=as_key(drawn)))) == 1


def test_a_reset_leads_back_to_the_seed(world: httpx.Client) -> None:
    sow(world, "workspaces: [{name: demo, session_type: sandbox, files: {a.txt: a}}]")
    ok(world.delete("/v1/workspaces/demo"))
    ok(world.post("/_emulator/reset"))
    assert [one["name"] for one in ok(world.get("/v1/workspaces"))] == ["demo"]


def test_a_seed_is_added_to_what_is_there_and_not_twice(world: httpx.Client) -> None:
    sow(world, "organizations: [{name: shop}]\nworkspaces: [{name: a, session_type: sandbox}]")
    sow(world, "workspaces: [{name: b, account: shop, session_type: sandbox}]\nsessions: [{workspace: a}]")
    assert problems(world, "organizations: [{name: Shop}]\nworkspaces: [{name: A, session_type: sandbox}]") == [
        "1:18: organizations[0].name: is the name of another organization already",
        "2:15: workspaces[0].name: is the name of another workspace of the account already",
    ]


# Mistakes


def test_every_mistake_is_told_with_its_place(world: httpx.Client) -> None:
    text = """\
workspaces:
  - name: demo
    session_type: sandbox
    fils: {}
  - name: 12
    type: browser
keys:
  - {owner: nobody}
webhooks:
  - {sink: a, url: 'http://localhost:1'}
clock: tomorrow
wrokspaces: []
"""
    assert problems(world, text) == [
        "4:5: workspaces[0].fils: is not known; did you mean files?",
        "5:5: workspaces[1].name: must be a string or null; put it in quotes",
        "5:5: workspaces[1].session_type: is required",
        "6:5: workspaces[1].type: is not known; did you mean session_type?",
        "8:6: keys[0].owner: must be an e-mail address of the plain kind, such as ada@example.com, in ASCII on both "
        "sides of the @",
        "10:5: webhooks[0]: needs either url or sink, and not both",
        "11:1: clock: must be a moment such as 2026-03-01T12:00:00Z, or {mode, at}",
        "12:1: wrokspaces: is not known; did you mean workspaces?",
    ]
    assert ok(world.get("/v1/workspaces")) == []


REFERENCES = {
    "an owner that nobody is": (
        "keys: [{owner: adda@example.com}]\nusers: [{email: ada@example.com}]",
        "1:9: keys[0].owner: there is no user adda@example.com in the seed or the world; did you mean ada@example.com?",
    ),
    "an unknown account": (
        "organizations: [{name: acme}]\nworkspaces: [{session_type: sandbox, account: acne}]",
        "2:38: workspaces[0].account: there is no organization or user 'acne' in the seed or the world; "
        "did you mean acme?",
    ),
    "somebody who does not belong": (
        "users: [{email: a@b.c}]\norganizations: [{name: acme}]\nkeys: [{owner: a@b.c, account: acme}]",
        "3:9: keys[0].owner: does not belong to the account acme",
    ),
    "a session's workspace": (
        "workspaces: [{name: demo, session_type: sandbox}]\nsessions: [{workspace: demon}]",
        "2:13: sessions[0].workspace: there is no workspace 'demon' in this account in the seed or the world; "
        "did you mean demo?",
    ),
    "a workspace of another account": (
        "organizations: [{name: acme}]\nworkspaces: [{name: demo, account: acme, session_type: sandbox}]\n"
        "sessions: [{workspace: demo}]",
        "3:13: sessions[0].workspace: there is no workspace 'demo' in this account in the seed or the world; "
        "there are none",
    ),
    "the source of a copy": (
        "workspaces: [{name: copy, clone_from: none}]",
        "1:27: workspaces[0].clone_from: there is no workspace 'none' in this account in the seed or the world; "
        "there are none",
    ),
    "two users": (
        "users: [{email: a@b.c}, {email: A@B.C}]",
        "1:26: users[1].email: is the address of another user already",
    ),
    "two keys of a name": (
        "keys: [{name: ci}, {name: ci}]",
        "1:21: keys[1].name: is the name of another one of keys already, in line 1",
    ),
    "a service account of a person": (
        "service_accounts: [{name: x, account: developer@localhost}]",
        "1:30: service_accounts[0].account: must be an organization, which alone has them",
    ),
    "a file within a file": (
        "workspaces: [{name: x, session_type: sandbox, files: {a: x, a/b: y}}]",
        '1:61: workspaces[0].files["a/b"]: lies in a, which is a file',
    ),
    "a file outside": (
        "workspaces: [{name: x, session_type: sandbox, files: {../etc/passwd: x}}]",
        '1:55: workspaces[0].files["../etc/passwd"]: lies outside /workspace, beyond which nothing is kept',
    ),
    "the same file": (
        "workspaces: [{name: x, session_type: sandbox, files: {a: x, ./a: y}}]",
        '1:61: workspaces[0].files["./a"]: is the same file as a',
    ),
    "no base64": (
        "workspaces: [{name: x, session_type: sandbox, files: {a: {base64: abc}}}]",
        "1:59: workspaces[0].files.a.base64: is no base64",
    ),
    "a file beside a seed that came over HTTP": (
        "workspaces: [{name: x, session_type: sandbox, files: {a: {from: /etc/passwd}}}]",
        "1:59: workspaces[0].files.a.from: cannot be read: a seed that comes over HTTP has no files beside it; "
        "the command `seed` puts them in",
    ),
    "an end in the future": (
        "sessions: [{ephemeral: true, ended_at: +1h}]",
        "1:30: sessions[0].ended_at: lies after now",
    ),
}


@pytest.mark.parametrize("what", REFERENCES)
def test_what_means_nothing_is_told_before_anything_happens(world: httpx.Client, what: str) -> None:
    text, told = REFERENCES[what]
    assert problems(world, text) == [told]
    assert ok(world.get("/v1/workspaces")) == []


NO_SEEDS: dict[str, tuple[str | bytes, str]] = {
    "a key twice": ("users: []\nusers: []", "2:1: users: stands there twice; first in line 1"),
    "no end": ("users: [1, 2", "2:1: is no YAML: did not find expected ',' or ']'"),
    "a tab": ("users:\n\t- x", "2:1: is no YAML: found character that cannot start any token"),
    "a list": ("- users", "1:1: a mapping is expected, such as `workspaces:`"),
    "two documents": ("{}\n---\n{}", "2:1: a seed is one document; a second one begins here"),
    "a tag": ("users: !!python/name:os.system x", "1:8: has the tag tag:yaml.org,2002:python/name:os.system; "
              "quote what begins with !"),
    "an alias of nothing": ("users: *x", "1:8: *x refers to nothing that is whole before it"),
    "an alias of itself": ("users: &x [*x]", "1:12: *x refers to nothing that is whole before it"),
    "no UTF-8": (b"users: []\n\xff", "2:1: is no UTF-8"),
    "too deep": ("users: " + "[" * 80 + "]" * 80, "1:71: is nested deeper than 64 levels"),
    "a bomb": (
        "a: &a [x,x,x,x,x,x,x,x,x,x]\n"
        + "".join(f"{n}: &{n} [{','.join(['*' + p] * 10)}]\n" for p, n in zip("abcdef", "bcdefg", strict=True)),
        "1:17: has more than 100000 values, those of an alias counted each time",
    ),
}  # fmt: skip


@pytest.mark.parametrize("what", NO_SEEDS)
def test_what_is_no_seed_is_told_with_its_line(what: str) -> None:
    text, told = NO_SEEDS[what]
    with pytest.raises(SeedError) as caught:
        read(text, "s.yaml")
    [line] = str(caught.value).splitlines()
    assert line.startswith("s.yaml:")
    if what == "a bomb":
        assert line.endswith("those of an alias counted each time")
    else:
        assert line == f"s.yaml:{told}"


def test_anchors_and_json_are_as_good_as_anything(world: httpx.Client) -> None:
    sow(world, "workspaces:\n- &a {name: a, session_type: sandbox, files: {x: y}}\n- {<<: *a, name: b}")
    ok(world.post("/_emulator/seed", json={"workspaces": [{"name": "c", "session_type": "sandbox"}]}))
    sow(world, '{\n\t"workspaces": [{"name": "d", "session_type": "sandbox"}]}')
    assert {one["name"] for one in ok(world.get("/v1/workspaces"))} == {"a", "b", "c", "d"}
    sow(world, "# nothing\n")
    sow(world, "workspaces:\nusers:\n")


def test_what_the_api_refuses_half_way_leaves_the_world_as_it_was(world: httpx.Client) -> None:
    sow(world, "workspaces: [{name: before, session_type: sandbox, files: {a: b}}]")
    before = ok(world.get("/v1/audit/events"))
    text = """
clock: 2026-03-01T12:00:00Z
users: [{email: ada@example.com, plan: free}]
stubs: [{command: make}]
sessions: [{name: one, workspace: before, commands: [make]}]
jobs: [{kind: sandbox.exec, input: {command: make, workspace: before}}]
workspaces:
  - {name: mine, session_type: sandbox, files: {c: d}}
  - {name: hers, session_type: sandbox, account: ada@example.com}
"""
    [told] = problems(world, text, 409)
    assert told == "9:5: workspaces[1]: the plan free has no workspaces; change the plan"
    late = text.replace("account: ada@example.com", "").rstrip() + "\nfaults: [{operations: [none-such], error: x}]\n"
    [told] = problems(world, late, 409)
    assert told.startswith("10:")
    assert [one["name"] for one in ok(world.get("/v1/workspaces"))] == ["before"]
    assert ok(world.get("/v1/sessions"))["sessions"] == []
    assert ok(world.get("/v1/jobs"))["total"] == 0
    assert ok(world.get("/_emulator/clock"))["mode"] == "real"
    assert ok(world.get("/_emulator/stubs"))["stubs"] == []
    assert ok(world.get("/v1/audit/events")) == before
    sow(world, text.replace("plan: free", "plan: pro"))


# Where seeds come from


@pytest.mark.parametrize("name", ["broke", "busy", "empty", "team"])
def test_each_ready_seed_is_applied_by_its_name(emulator: Running, name: str) -> None:
    listed = {one["name"]: one["description"] for one in ok(httpx.get(f"{emulator.url}/_emulator/seed/ready"))["seeds"]}
    assert set(listed) == {"broke", "busy", "empty", "team"}
    assert len(listed[name]) > 40
    with fresh_world(emulator) as client:
        ids = ok(client.post(f"/_emulator/seed/ready/{name}"))
        keys = {key: as_key(one["api_key"]) for key, one in ids.get("keys", {}).items()}
        if name == "team":
            assert ok(client.get("/v1/sessions", headers=keys["member"]))["total"] == 1
            refused(client.delete("/v1/workspaces/api", headers=keys["reader"]), 403, "insufficient_scope")
        if name == "busy":
            assert ok(client.get("/v1/sessions", headers=keys["shop"]))["total"] == 15
            assert ok(client.get("/v1/jobs", params={"status": "failed"}, headers=keys["lab"]))["total"] == 3
        if name == "broke":
            new = {"ephemeral": True}
            refused(client.post("/v1/sessions", json=new, headers=keys["wallet"]), 402, "payment_required")
            refused(client.post("/v1/sessions", json=new, headers=keys["free"]), 403, "plan_limit_exceeded")
            more = {"session_type": "sandbox"}
            refused(client.post("/v1/workspaces", json=more, headers=keys["full"]), 403, "plan_limit_exceeded")
            refused(client.get("/v1/workspaces", headers=keys["narrow"]), 403, "insufficient_scope")
            for key in ("revoked", "disabled"):
                refused(client.get("/v1/sessions", headers=keys[key]), 401, "unauthorized")


def test_an_unknown_ready_seed_is_refused_with_those_that_there_are(world: httpx.Client) -> None:
    told = refused(world.post("/_emulator/seed/ready/teem"), 404, "not_found")
    assert told["message"] == "there is no ready seed 'teem'; there are: broke, busy, empty, team"


def test_the_schema_is_one_that_editors_can_use(world: httpx.Client) -> None:
    schema = ok(world.get("/_emulator/seed/schema"))
    assert schema == checking.schema()
    text = json.dumps(schema)
    assert "x-like" not in text
    for name in {part.split('"')[0] for part in text.split('"#/components/schemas/')[1:]}:
        assert name.split("/")[0] in schema["components"]["schemas"]


def test_files_beside_a_seed_are_put_into_its_text(tmp_path: Path) -> None:
    (tmp_path / "logo.png").write_bytes(b"\x00\xff")
    text = "# é\nworkspaces:\n- name: x\n  session_type: sandbox\n  files:\n    logo.png:\n      from: logo.png\n"
    (tmp_path / "s.yaml").write_text(text)
    name, sent = sendable(tmp_path / "s.yaml")
    assert name == str(tmp_path / "s.yaml")
    assert sent.decode() == text.replace("from: logo.png", 'base64: "AP8="')
    (tmp_path / "s.json").write_text('{"workspaces": [{"files": {"a": {"from": "logo.png"}, "b": {"from": "none"}}}]}')
    with pytest.raises(SeedError, match=r"s.json:1:69: workspaces\[0\].files.b.from: cannot be read: No such file"):
        sendable(tmp_path / "s.json")


def _exec(folder: Path, *arguments: str, seed: str = "s.yaml") -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "chaser_emulator.cli", "exec", "--sandbox", "scripted", "--seed", seed, *arguments]
    return subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=60, check=False)


def test_an_emulator_begins_with_its_seed_once_and_takes_more_by_command(tmp_path: Path) -> None:
    (tmp_path / "note.txt").write_text("from beside")
    seed = "workspaces: [{name: demo, session_type: sandbox, files: {a: {from: note.txt}}}]\n"
    (tmp_path / "s.yaml").write_text(seed)
    (tmp_path / "more.yaml").write_text(seed.replace("demo", "more") + "keys: [{name: ci, api_key: sk_test_more}]\n")
    cli = f"{sys.executable} -m chaser_emulator.cli"
    script = f"{cli} seed more.yaml && {cli} seed more.yaml; {cli} seed none; {cli} seed empty; exit 7"
    data = ("--data-dir", str(tmp_path / "data"))
    done = _exec(tmp_path, *data, "--", "sh", "-c", script)
    assert done.returncode == 7, done.stderr
    assert "workspaces  more  " in done.stdout
    assert "keys  ci  " in done.stdout
    assert "chaser-emulator: the seed is refused\nmore.yaml:1:15: workspaces[0].name: is the name of" in done.stderr
    assert "none:1:1: cannot be read: No such file or directory; ready seeds are broke, busy, empty" in done.stderr
    # The file may be gone by the next start, which has its seed already.
    (tmp_path / "s.yaml").unlink()
    again = _exec(tmp_path, *data, "--", "true")
    assert (again.returncode, again.stderr) == (0, "")


def test_a_seed_that_is_wrong_stops_the_start(tmp_path: Path) -> None:
    (tmp_path / "s.yaml").write_text("workspaces: [{nam: x}]")
    done = _exec(tmp_path, "--", "true")
    assert done.returncode == 1
    assert done.stderr.splitlines() == [
        "chaser-emulator: the seed is refused",
        "s.yaml:1:14: workspaces[0].session_type: is required",
        "s.yaml:1:15: workspaces[0].nam: is not known; did you mean name?",
    ]


@pytest.mark.parametrize("engine", REAL)
def test_files_are_on_the_disks_of_real_sandboxes(engine: EngineChoice, tmp_path: Path) -> None:
    text = (
        "workspaces: [{name: demo, session_type: sandbox, snapshots: [v1],"
        ' files: {a.txt: hello, bin/run: {text: "cat a.txt", executable: true}}}]\n'
        "sessions: [{name: s, workspace: demo, commands: [./bin/run > out.txt]}]"
    )
    with emulator_on(engine, data_dir=tmp_path / "data") as emulator, http_of(emulator) as client:
        ids = sow(client, text)
        again = text.replace("demo", "other") + "\nfaults: [{operations: [none-such], error: x}]"
        assert len(problems(client, again, 409)) == 1
        assert [one["name"] for one in ok(client.get("/v1/workspaces"))] == ["demo"]
        body = {"command": "cat out.txt; ls -l bin/run | cut -c1-10; id -un; stat -c %U a.txt"}
        ran = ok(client.post(f"/v1/sessions/{ids['sessions']['s']}/exec", json=body))
        said = ran["output"].splitlines()
        assert said[0] == "hello-rwxr-xr-x"
        assert said[1] == said[2]
        # What is in a workspace outlives the emulator.
        client.post("/v1/workspaces/bulk-delete", json={"all": True, "force": True})


def test_ready_seeds_are_valid_and_choose_no_keys() -> None:
    for name in ready.names():
        found = ready.find_ready(name)
        value = checking.check(read(found.text, found.name))
        assert "api_key" not in json.dumps(value)
