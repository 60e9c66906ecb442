"""Files of workspaces without a session: listed, read, compared with snapshots, measured; on every engine."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import httpx
import pytest
from chaser_emulator.server import Running
from emulators import ENGINES, emulator_on, http_of
from people import Organization, ok, refused
from test_snapshots import put, snap
from test_workspaces import create, session_on, upload

Json = dict[str, Any]


@pytest.fixture(scope="module", params=ENGINES)
def any_emulator(request: pytest.FixtureRequest) -> Iterator[Running]:
    """An emulator on each engine in turn."""
    with emulator_on(request.param) as one:
        yield one


@pytest.fixture
def any_client(any_emulator: Running) -> Iterator[httpx.Client]:
    with http_of(any_emulator) as one:
        yield one


def listed(client: httpx.Client, workspace: str, **query: Any) -> Json:
    found: Json = ok(client.get(f"/_emulator/workspaces/{workspace}/files", params=query))
    return found


def paths(client: httpx.Client, workspace: str, **query: Any) -> list[str]:
    return [one["path"] for one in listed(client, workspace, **query)["entries"]]


def read(client: httpx.Client, workspace: str, path: str, **query: Any) -> httpx.Response:
    return client.get(f"/_emulator/workspaces/{workspace}/file", params={"path": path, **query})


def diff(client: httpx.Client, workspace: str, **query: Any) -> Json:
    found: Json = ok(client.get(f"/_emulator/workspaces/{workspace}/diff", params=query))
    return found


def lines(client: httpx.Client, workspace: str, path: str, **query: Any) -> Json:
    found: Json = ok(client.get(f"/_emulator/workspaces/{workspace}/diff/file", params={"path": path, **query}))
    return found


def shown(found: Json) -> list[tuple[str, str, list[str]]]:
    return [(one["change"], one["path"], one.get("aspects", [])) for one in found["changes"]]


def test_files_are_listed_read_and_compared_without_a_session(any_client: httpx.Client) -> None:
    client = any_client
    workspace = create(client)
    name = workspace["name"]
    session = session_on(client, name)
    upload(client, session, "src/app.py", b"one\ntwo\nthree\n")
    upload(client, session, "src/old.bin", b"\0\1")
    upload(client, session, "notes.txt", b"notes")
    kept = snap(client, name, name="before", force=True)
    upload(client, session, "src/app.py", b"one\n2\nthree\nfour\n")
    upload(client, session, "src/new.txt", b"new\n")
    upload(client, session, "notes.txt", b"NOTES")
    # While the session lives as well as when it has ended.
    for _ in range(2):
        found = listed(client, workspace["id"])
        assert (found["workspace_id"], found["snapshot"], found["path"]) == (workspace["id"], None, "")
        assert [(one["path"], one["kind"], one.get("size")) for one in found["entries"]] == [
            ("notes.txt", "file", 5), ("src", "directory", None),
        ]  # fmt: skip
        assert {one["mode"] for one in found["entries"]} == {"0644", "0755"}
        assert paths(client, name, path="/workspace/src/") == ["app.py", "new.txt", "old.bin"]
        assert paths(client, name, path="src", snapshot=kept["id"]) == ["app.py", "old.bin"]
        assert paths(client, name, recursive=True) == [
            "notes.txt", "src", "src/app.py", "src/new.txt", "src/old.bin",
        ]  # fmt: skip
        answer = read(client, name, "src/app.py")
        assert (answer.content, answer.headers["content-length"]) == (b"one\n2\nthree\nfour\n", "17")
        assert read(client, name, "/workspace/src/app.py", snapshot="BEFORE").content == b"one\ntwo\nthree\n"
        found = diff(client, name, **{"from": "before"})
        assert (found["from"], found["to"], found["truncated"]) == ("before", None, False)
        assert shown(found) == [
            ("changed", "notes.txt", ["content"]),
            ("changed", "src/app.py", ["size", "content"]),
            ("added", "src/new.txt", []),
        ]
        assert (found["added"], found["removed"], found["changed"]) == (1, 0, 2)
        client.delete(f"/v1/sessions/{session}")
    hunk = {
        "before": 1,
        "after": 1,
        "lines": [
            {"kind": "same", "text": "one"},
            {"kind": "removed", "text": "two"},
            {"kind": "added", "text": "2"},
            {"kind": "same", "text": "three"},
            {"kind": "added", "text": "four"},
        ],
    }
    found = lines(client, name, "src/app.py", **{"from": "before"})
    assert (found["change"], found["binary"], found["hunks"]) == ("changed", False, [hunk])
    client.delete(f"/v1/workspaces/{name}")


def test_what_was_never_used_has_nothing_and_takes_nothing(any_client: httpx.Client) -> None:
    client = any_client
    workspace = create(client)
    assert listed(client, workspace["id"])["entries"] == []
    snap(client, workspace["id"], name="empty")
    assert diff(client, workspace["id"], **{"from": "empty"})["changes"] == []
    found = ok(client.get("/_emulator/workspaces/storage"))
    mine = next(one for one in found["workspaces"] if one["id"] == workspace["id"])
    assert mine["used_bytes"] == 0
    assert [one["name"] for one in mine["snapshots"]] == ["empty"]
    client.delete(f"/v1/workspaces/{workspace['id']}")


def test_two_snapshots_are_compared_and_what_was_written_back_is_no_change(local: Running) -> None:
    with http_of(local) as client:
        name = create(client)["name"]
        put(client, name, "f", b"first")
        snap(client, name, name="one")
        put(client, name, "f", b"other")
        snap(client, name, name="two")
        put(client, name, "f", b"first")
        assert shown(diff(client, name, **{"from": "one", "to": "two"})) == [("changed", "f", ["content"])]
        assert diff(client, name, **{"from": "one"})["changes"] == []
        assert diff(client, name, **{"from": "two", "to": "two"})["changes"] == []
        found = lines(client, name, "f", **{"from": "one", "to": "two"})
        assert [(one["kind"], one["text"], one["unended"]) for one in found["hunks"][0]["lines"]] == [
            ("removed", "first", True), ("added", "other", True),
        ]  # fmt: skip
        assert lines(client, name, "f", **{"from": "one"})["change"] == "same"
        client.delete(f"/v1/workspaces/{name}")


def test_links_modes_and_kinds_are_differences_and_times_are_none(local: Running) -> None:
    with http_of(local) as client:
        name = create(client)["name"]
        session = session_on(client, name)
        run(
            client,
            session,
            "mkdir d; echo 1 > f; ln -s f link; echo 2 > turns; echo 3 > gone; echo 4 > touched; mkfifo p",
        )
        snap(client, name, name="before", force=True)
        run(
            client, session,
            "chmod 700 d; chmod 755 f; ln -sfn d link; rm turns gone; mkdir turns; touch -d 2001-01-01 touched; rm p;"
            " touch -r f ref; printf 'odd\\n\\347' > \"$(printf 'odd \\n\\347')\"",
        )  # fmt: skip
        found = diff(client, name, **{"from": "before"})
        assert shown(found) == [
            ("changed", "d", ["mode"]),
            ("changed", "f", ["mode"]),
            ("removed", "gone", []),
            ("changed", "link", ["target"]),
            ("added", "odd \n\N{REPLACEMENT CHARACTER}", []),
            ("removed", "p", []),
            ("added", "ref", []),
            ("changed", "turns", ["kind"]),
        ]
        by_path = {one["path"]: one for one in found["changes"]}
        assert (by_path["d"]["before"]["mode"], by_path["d"]["after"]["mode"]) == ("0755", "0700")
        assert (by_path["link"]["before"]["target"], by_path["link"]["after"]["target"]) == ("f", "d")
        assert diff(client, name, **{"from": "before", "limit": 2})["truncated"] is True
        assert read(client, name, "odd \n\N{REPLACEMENT CHARACTER}").content == b"odd\n\347"
        assert lines(client, name, "turns", **{"from": "before"})["change"] == "removed"
        odd = lines(client, name, "odd \n\N{REPLACEMENT CHARACTER}", **{"from": "before"})
        assert (odd["change"], odd["binary"], odd["hunks"]) == ("added", True, [])
        run(client, session, "mkdir \"$(printf 'folder \\347')\"")
        odd_folder = "folder \N{REPLACEMENT CHARACTER}"
        assert odd_folder in refused(read(client, name, odd_folder), 400, "invalid_request")["message"]
        assert listed(client, name, path=odd_folder)["entries"] == []
        odd_file = client.get(f"/_emulator/workspaces/{name}/files", params={"path": "odd \n\N{REPLACEMENT CHARACTER}"})
        refused(odd_file, 400, "invalid_request")
        refused(read(client, name, "link"), 400, "invalid_request")
        refused(read(client, name, "link/x"), 400, "invalid_request")
        client.delete(f"/v1/workspaces/{name}", params={"force": True})


def test_what_is_written_with_the_same_size_and_time_is_a_change_all_the_same(local: Running) -> None:
    with http_of(local) as client:
        name = create(client)["name"]
        session = session_on(client, name)
        run(client, session, "printf abc > f; touch -d 2020-01-01 f")
        snap(client, name, name="before", force=True)
        run(client, session, "printf abd > f; touch -d 2020-01-01 f")
        assert shown(diff(client, name, **{"from": "before"})) == [("changed", "f", ["content"])]
        client.delete(f"/v1/workspaces/{name}", params={"force": True})


def test_a_file_of_many_lines_is_cut_and_a_large_one_refused(client: httpx.Client) -> None:
    name = create(client)["name"]
    put(client, name, "many", b"a\n" * 6000)
    put(client, name, "large", b"a" * (1_048_576 + 1))
    snap(client, name, name="before")
    put(client, name, "many", b"b\n" * 6000)
    put(client, name, "large", b"b")
    found = lines(client, name, "many", **{"from": "before"})
    assert sum(len(one["lines"]) for one in found["hunks"]) == 5000
    assert found["truncated"] is True
    answer = client.get(f"/_emulator/workspaces/{name}/diff/file", params={"from": "before", "path": "large"})
    assert refused(answer, 413, "payload_too_large")["details"] == {"limit": 1_048_576}


def test_of_many_files_the_nearest_are_listed_and_all_are_counted(client: httpx.Client) -> None:
    name = create(client)["name"]
    session = session_on(client, name)
    for path in ("z/deep/er/f", "a/deep/f", "m"):
        upload(client, session, path, b"")
    found = listed(client, name, recursive=True, limit=3)
    assert [one["path"] for one in found["entries"]] == ["a", "m", "z"]
    assert (found["count"], found["truncated"]) == (8, True)


def test_workspaces_of_other_accounts_are_found_and_a_name_of_several_is_refused(
    client: httpx.Client, organization: Organization
) -> None:
    theirs = organization.owner
    ours = create(client, name="twice")
    other = create(theirs, name="twice")
    alone = create(theirs, name="alone")
    put(theirs, "alone", "f", b"theirs")
    assert read(client, "Alone", "f").content == b"theirs"
    assert read(client, alone["id"], "f").content == b"theirs"
    problem = refused(client.get("/_emulator/workspaces/twice/files"), 400, "invalid_request")
    assert ours["id"] in problem["message"]
    assert other["id"] in problem["message"]
    assert listed(client, other["id"])["entries"] == []
    found = ok(client.get("/_emulator/workspaces/storage", params={"account_id": organization.id}))
    sizes = {one["name"]: (one["used_bytes"], one["account_id"]) for one in found["workspaces"]}
    assert sizes == {"twice": (0, organization.id), "alone": (6, organization.id)}
    assert found["used_bytes"] == 6


@pytest.mark.parametrize(
    ("where", "query", "status", "code"),
    [
        ("missing/files", {}, 404, "not_found"),
        ("{ws}/files", {"path": "missing"}, 404, "not_found"),
        ("{ws}/files", {"path": "f"}, 400, "invalid_request"),
        ("{ws}/files", {"path": "../.."}, 400, "invalid_request"),
        ("{ws}/files", {"path": "/etc"}, 400, "invalid_request"),
        ("{ws}/files", {"path": "/workspaces"}, 400, "invalid_request"),
        ("{ws}/files", {"path": "a\0b"}, 400, "invalid_request"),
        ("{ws}/files", {"limit": 0}, 400, "invalid_request"),
        ("{ws}/files", {"snapshot": "never"}, 404, "not_found"),
        ("{ws}/file", {}, 400, "invalid_request"),
        ("{ws}/file", {"path": "."}, 400, "invalid_request"),
        ("{ws}/file", {"path": "folder"}, 400, "invalid_request"),
        ("{ws}/file", {"path": "f/"}, 400, "invalid_request"),
        ("{ws}/file", {"path": "f/f"}, 404, "not_found"),
        ("{ws}/file", {"path": "folder/../../etc/passwd"}, 400, "invalid_request"),
        ("{ws}/file", {"path": "a" * 300}, 404, "not_found"),
        ("{ws}/diff", {}, 400, "invalid_request"),
        ("{ws}/diff", {"from": "never"}, 404, "not_found"),
        ("{ws}/diff", {"from": "kept", "to": "never"}, 404, "not_found"),
        ("{ws}/diff/file", {"from": "kept", "path": "folder"}, 400, "invalid_request"),
        ("{ws}/diff/file", {"from": "kept", "path": "never"}, 400, "invalid_request"),
    ],
)
def test_what_is_not_there_or_leads_out_is_refused(
    client: httpx.Client, where: str, query: Json, status: int, code: str
) -> None:
    found = [one for one in client.get("/v1/workspaces").json() if one["name"] == "refusing"]
    if not found:
        create(client, name="refusing")
        put(client, "refusing", "f", b"text")
        put(client, "refusing", "folder/inner", b"text")
        snap(client, "refusing", name="kept")
    refused(client.get(f"/_emulator/workspaces/{where.format(ws='refusing')}", params=query), status, code)


def test_they_are_commands(local: Running, tmp_path: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    from chaser_emulator.cli import commands
    from click.testing import CliRunner

    monkeypatch.setenv("CHASER_API_URL", local.url)
    monkeypatch.setenv("CHASER_API_KEY", local.api_key)
    with http_of(local) as client:
        create(client, name="commanded")
        put(client, "commanded", "src/f", b"before\n")
        snap(client, "commanded", name="kept")
        put(client, "commanded", "src/f", b"after\n")

        def said(*words: str) -> str:
            result = CliRunner().invoke(commands, ["workspaces", *words])
            assert result.exit_code == 0, result.output
            return result.output

        assert '"src"' in said("files", "commanded")
        assert '"f"' in said("files", "commanded", "src", "--snapshot", "kept")
        said("read", "commanded", "src/f", str(tmp_path / "f"))
        assert (tmp_path / "f").read_bytes() == b"after\n"
        assert '"changed": 1' in said("diff", "commanded", "kept")
        assert '"before"' in said("lines", "commanded", "kept", "src/f")
        assert '"commanded"' in said("storage")


def run(client: httpx.Client, session: str, command: str) -> None:
    """Run a command that succeeds."""
    done = ok(client.post(f"/v1/sessions/{session}/exec", json={"command": command}))
    assert done["exit_code"] == 0, done
