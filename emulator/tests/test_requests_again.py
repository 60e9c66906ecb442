"""A request of the journal made once more: by the lines that are copied, and by the emulator itself."""

from __future__ import annotations

import contextlib
import os
import shlex
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import chaser_sdk
import httpx
import pytest
from chaser_emulator.server import Running
from emulators import http_of
from people import ok, person, refused

Json = dict[str, Any]


@pytest.fixture(autouse=True)
def empty(emulator: Running) -> Iterator[None]:
    """A journal with nothing in it."""
    with http_of(emulator) as one:
        ok(one.delete("/_emulator/requests"))
        yield


def newest(client: httpx.Client) -> Json:
    """The last exchange, in full."""
    [one] = ok(client.get("/_emulator/requests", params={"limit": 1}))["requests"]
    found: Json = ok(client.get(f"/_emulator/requests/{one['number']}"))
    return found


def lines_of(client: httpx.Client, exchange: Json) -> Json:
    found: Json = ok(client.get(f"/_emulator/requests/{exchange['number']}/lines"))
    return found


def what(exchange: Json) -> tuple[Any, ...]:
    """What an exchange asked for, and how it was answered."""
    kind = exchange["request_headers"].get("content-type", "").partition(";")[0]
    body = exchange.get("request_body")
    if isinstance(body, str) and body.endswith("bytes]") and kind == "multipart/form-data":
        body = kind
    account = exchange["request_headers"].get("x-chaser-account")
    return (
        exchange["method"], exchange["path"], sorted(exchange.get("query", "").split("&")), kind, body, account,
        exchange.get("status"), exchange.get("code"),
    )  # fmt: skip


def typed(line: str, emulator: Running, folder: Path, **names: str) -> str:
    """What a shell says in which a line is pasted."""
    environment = {"PATH": os.environ["PATH"], "CHASER_API_KEY": emulator.api_key, **names}
    done = subprocess.run(
        ["bash", "-c", line], env=environment, cwd=folder, capture_output=True, timeout=60, check=True
    )
    return done.stdout.decode("utf-8", "replace")


def called(lines: Json, emulator: Running, folder: Path, monkeypatch: pytest.MonkeyPatch, **names: str) -> Any:
    """What a call of the SDK answers, after the lines before it; what it raises is an answer, too."""
    for name, value in {"CHASER_API_KEY": emulator.api_key, **names}.items():
        monkeypatch.setenv(name, value)
    monkeypatch.chdir(folder)
    known: Json = {}
    exec(lines["sdk_setup"], known)  # noqa: S102 - what the emulator offers to be pasted
    try:
        return eval(lines["sdk"], known)  # noqa: S307
    except chaser_sdk.errors.ChaserApiError as error:
        return error


MADE: list[tuple[str, str, Json]] = [
    ("GET", "/v1/sessions?limit=5", {}),
    ("GET", "/v1/sessions?limit=5&limit=7&colour=red%20green", {}),
    ("GET", "/v1/sessions/nothing%2Fhere/../x", {}),
    ("GET", "/v1/audit/events?limit=3&status=success", {}),
    ("GET", "/v1/nothing/[a]/{b}?x=$HOME&y='\"`", {}),
    ("POST", "/v1/sessions", {"json": {"session_type": "sandbox", "ephemeral": True}}),
    ("POST", "/v1/workspaces", {"json": {"session_type": "sandbox", "name": 'it\'s $HOME `id` \\ "é"\n'}}),
    ("POST", "/v1/keys", {"json": {"name": "ci", "scopes": ["jobs:read"]}}),
    ("POST", "/v1/keys", {}),
    ("POST", "/v1/keys", {"json": {"name": None}}),
    ("POST", "/v1/jobs", {"json": {"kind": "exec"}}),
    ("POST", "/v1/jobs", {"json": {"kind": "exec", "input": {"command": "true", "from": [1, 2.5, None]}}}),
    ("POST", "/v1/exec", {"json": {"command": "true", "class": 1}}),
    ("POST", "/v1/exec", {"content": b"@file", "headers": {"content-type": "text/plain"}}),
    ("POST", "/v1/exec", {"data": {"command": "a b&c", "x": "@y"}}),
    ("DELETE", "/v1/sessions/5b1f6c1e-2d4a-4b5f-9c3d-8e7f6a5b4c3d?force=true", {}),
    ("PATCH", "/v1/sessions", {"json": [1, "a"]}),
    ("GET", "/v1/workspaces", {"headers": {"x-chaser-account": "personal"}}),
    ("GET", "/v1/workspaces", {"headers": {"x-chaser-account": "nobody's"}}),
    ("GET", "/v1/workspaces", {"headers": {"authorization": None}}),
    ("GET", "/api-docs/openapi.json", {"headers": {"authorization": None}}),
]


@pytest.mark.parametrize("made", MADE, ids=[f"{at}-{method}" for at, (method, _path, _more) in enumerate(MADE)])
def test_both_lines_make_the_same_request(
    made: tuple[str, str, Json],
    emulator: Running,
    client: httpx.Client,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    method, path, more = made
    headers = {name: value for name, value in more.get("headers", {}).items() if value is not None}
    request = client.build_request(method, emulator.url, **(more | {"headers": headers}))
    if "authorization" in more.get("headers", {}):
        del request.headers["authorization"]
    request.url = httpx.URL(emulator.url).copy_with(raw_path=path.encode())
    client.send(request)
    exchange = newest(client)
    lines = lines_of(client, exchange)
    typed(lines["curl"], emulator, tmp_path)
    again = newest(client)
    assert again["number"] == exchange["number"] + 1
    assert what(again) == what(exchange), lines["curl"]
    called(lines, emulator, tmp_path, monkeypatch)
    again = newest(client)
    assert again["number"] == exchange["number"] + 2
    assert what(again) == what(exchange), lines["sdk"]
    if "authorization" in request.headers:
        assert {one["name"] for one in lines["needs"]} == {"CHASER_API_KEY"}


def test_secrets_are_variables_in_both_lines(
    emulator: Running, client: httpx.Client, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    secret = 'of "two" $words'
    stored = {"name": "token", "value": secret}
    client.put("/v1/assistants/credentials", json=stored)
    exchange = newest(client)
    lines = lines_of(client, exchange)
    assert "words" not in str(lines)
    [variable] = [one["name"] for one in lines["needs"] if one["name"] != "CHASER_API_KEY"]
    assert variable == "CHASER_SECRET_VALUE"
    typed(lines["curl"], emulator, tmp_path, **{variable: secret.replace('"', '\\"')})
    curl = newest(client)
    called(lines, emulator, tmp_path, monkeypatch, **{variable: secret})
    sdk = newest(client)
    sent = emulator.world.journal.find()
    assert what(curl) == what(sdk) == what(exchange)
    assert [httpx.Response(200, content=one.sent).json() for one in sent] == [stored] * 3


def test_the_key_of_another_caller_is_another_variable(
    emulator: Running, client: httpx.Client, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    ada = person(emulator)
    with http_of(emulator, ada.key) as hers:
        ok(hers.get("/v1/sessions"))
    exchange = newest(client)
    lines = lines_of(client, exchange)
    assert ada.key not in str(lines)
    assert [one["name"] for one in lines["needs"]] == ["CHASER_KEY_OF_CALLER"]
    typed(lines["curl"], emulator, tmp_path, CHASER_KEY_OF_CALLER=ada.key)
    called(lines, emulator, tmp_path, monkeypatch, CHASER_KEY_OF_CALLER=ada.key)
    callers = {one.key_id for one in emulator.world.journal.find()}
    assert callers == {exchange["key_id"]}


@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
def test_a_file_that_was_sent_is_to_be_put_there(
    emulator: Running, client: httpx.Client, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    session = ok(client.post("/v1/sessions", json={"ephemeral": True}))["id"]
    content = b"\x00a secret file;"
    form = {"path": "/workspace/a;b"}
    ok(client.post(f"/v1/sessions/{session}/upload", data=form, files={"file": ("x.bin", content)}))
    exchange = newest(client)
    lines = lines_of(client, exchange)
    [file] = [one["name"] for one in lines["needs"] if one["kind"] == "file"]
    assert file == f"file-of-{len(content)}-bytes"
    assert "secret" not in str(lines)
    (tmp_path / file).write_bytes(content)
    assert "200 OK" in typed(lines["curl"], emulator, tmp_path)
    called(lines, emulator, tmp_path, monkeypatch)
    assert client.get(f"/v1/sessions/{session}/download", params=form).content == content
    download = lines_of(client, newest(client))
    assert called(download, emulator, tmp_path, monkeypatch) == content


def test_bodies_that_were_not_kept_and_no_text_are_files(client: httpx.Client) -> None:
    client.post("/v1/workspaces", json={"session_type": "sandbox", "name": "x" * 70_000})
    size = newest(client)["request_headers"]["content-length"]
    assert f"@body-of-{size}-bytes" in lines_of(client, newest(client))["curl"]
    client.post("/v1/workspaces", content=b"\x00\xff", headers={"content-type": "application/x-thing"})
    lines = lines_of(client, newest(client))
    assert "body-of-2-bytes" in lines["curl"]
    assert "body-of-2-bytes" in lines["sdk"]


def test_lines_of_a_websocket_say_whether_it_opens(emulator: Running, client: httpx.Client, tmp_path: Path) -> None:
    from websockets.sync.client import connect

    session = ok(client.post("/v1/sessions", json={"ephemeral": True}))["id"]
    address = emulator.url.replace("http", "ws") + f"/v1/sessions/{session}/pty?access_token={emulator.api_key}"
    with connect(address, proxy=None) as terminal:
        terminal.recv()
    lines = lines_of(client, newest(client))
    assert "sdk" not in lines
    assert emulator.api_key not in str(lines)
    with contextlib.suppress(subprocess.CalledProcessError):
        # It is cut off by curl, which calls that a failure.
        typed(lines["curl"].replace("--max-time 5", "--max-time 0.5"), emulator, tmp_path)
    assert (newest(client)["status"], newest(client)["upgraded"]) == (101, True)


def test_the_lines_of_what_is_not_kept_are_not_found(client: httpx.Client) -> None:
    refused(client.get("/_emulator/requests/99999999/lines"), 404, "not_found")


# Again, by the emulator


def replay(client: httpx.Client, exchange: Json, **wish: Any) -> Json:
    found: Json = ok(client.post(f"/_emulator/requests/{exchange['number']}/replay", json=wish))
    return found


def test_a_request_is_sent_again_as_it_was_by_who_made_it(emulator: Running, client: httpx.Client) -> None:
    ada = person(emulator)
    with http_of(emulator, ada.key) as hers:
        made = ok(hers.post("/v1/workspaces", json={"session_type": "sandbox", "name": "twice"}))
        exchange = newest(client)
        again = replay(client, exchange)
        assert len(ok(hers.get("/v1/workspaces"))) == 2 or again["request"]["status"] >= 400
    request = again["request"]
    assert request["number"] == exchange["number"] + 1
    for name in ("method", "path", "operation", "request_body", "account_id", "principal_id", "key_id"):
        assert request[name] == exchange[name], name
    assert again["untrue"] == []
    places = {(one["in"], one["place"]) for one in again["differences"]}
    assert ("body", "/id") in places or ("status", "") in places
    assert made["id"] in str(again["differences"])


def test_what_a_replay_does_is_another_request(client: httpx.Client) -> None:
    ok(client.get("/v1/sessions"))
    again = replay(client, newest(client), path="/v1/sessions?limit=900")
    assert (again["request"]["status"], again["request"]["code"]) == (400, "invalid_request")
    assert again["request"]["query"] == "limit=900"
    [status] = [one for one in again["differences"] if one["in"] == "status"]
    assert (status["before"], status["after"]) == (200, 400)
    rule = {"operations": ["list-sessions"], "error": "internal_error", "times": 1}
    fault = ok_made(client.post("/_emulator/faults", json=rule))["id"]
    assert replay(client, again["request"], path="/v1/sessions")["request"]["fault"] == fault
    client.delete("/_emulator/faults")


def ok_made(response: httpx.Response) -> Json:
    assert response.status_code == 201, response.text
    found: Json = response.json()
    return found


def test_secrets_are_sent_again_and_shown_to_nobody(emulator: Running, client: httpx.Client) -> None:
    stored = {"name": "token", "value": "hunter2-hunter2"}
    client.put("/v1/assistants/credentials", json=stored)
    exchange = newest(client)
    again = replay(client, exchange)
    shown = {**exchange["request_body"], "name": "other"}
    changed = replay(client, exchange, value=shown)
    assert "hunter2" not in str([again, changed])
    bodies = [httpx.Response(200, content=one.sent).json() for one in emulator.world.journal.find()]
    assert bodies == [stored, stored, {**stored, "name": "other"}]
    # To what they were meant for alone.
    elsewhere = client.post(
        f"/_emulator/requests/{exchange['number']}/replay", json={"path": "/v1/keys", "method": "POST"}
    )
    refused(elsewhere, 409, "cannot_be_repeated")
    told = replay(client, exchange, path="/v1/keys", method="POST", value=shown)
    assert told["request"]["request_body"]["value"] == "[hidden]"
    assert b"hunter2" not in (emulator.world.journal.find()[-1].sent or b"")


def test_the_bytes_of_a_form_are_sent_again(client: httpx.Client) -> None:
    session = ok(client.post("/v1/sessions", json={"ephemeral": True}))["id"]
    form = {"path": "/workspace/file"}
    ok(client.post(f"/v1/sessions/{session}/upload", data=form, files={"file": b"\x00\x01"}))
    upload = newest(client)
    ok(client.post(f"/v1/sessions/{session}/upload", data=form, files={"file": b"other"}))
    assert replay(client, upload)["request"]["status"] == 200
    assert client.get(f"/v1/sessions/{session}/download", params=form).content == b"\x00\x01"


def test_what_cannot_be_repeated_truly_is_said(emulator: Running, client: httpx.Client) -> None:
    client.post("/v1/workspaces", json={"session_type": "sandbox", "name": "x" * 70_000})
    long = newest(client)
    path = f"/_emulator/requests/{long['number']}/replay"
    assert "not kept" in refused(client.post(path, json={}), 409, "cannot_be_repeated")["message"]
    assert replay(client, long, value={"session_type": "sandbox"})["request"]["status"] == 200
    client.get("/v1/sessions", headers={"authorization": "Bearer sk_nobodys", "cookie": "a=b"})
    unknown = newest(client)
    again = replay(client, unknown)
    assert again["request"]["status"] == 401
    assert ["credential" in one or "cookie" in one for one in again["untrue"]] == [True, True]
    assert replay(client, unknown, caller="world")["request"]["status"] == 200
    client.get("/v1/sessions")
    assert replay(client, newest(client), caller="nobody")["request"]["status"] == 401


def test_a_revoked_key_makes_no_request_again(client: httpx.Client, emulator: Running) -> None:
    with http_of(emulator, ok(client.post("/v1/keys", json={"name": "short-lived"}))["key"]) as other:
        ok(other.get("/v1/sessions"))
    exchange = newest(client)
    ok(client.delete(f"/v1/keys/{exchange['key_id']}"))
    answer = client.post(f"/_emulator/requests/{exchange['number']}/replay", json={})
    assert "caller" in refused(answer, 409, "cannot_be_repeated")["message"]


@pytest.mark.parametrize(
    "wish",
    [
        {"path": "v1/sessions"}, {"path": "/_emulator/clock"}, {"path": "/%5Femulator/clock"},
        {"headers": {"host": "evil.example"}}, {"headers": {"a b": "c"}}, {"headers": {"a": "b\nc"}},
        {"value": 1, "text": "x"}, {"caller": "root"}, {"within": 0}, {"headers": {"x": "☃"}},
    ],
    ids=["path", "control", "spelled", "host", "name", "line", "two", "caller", "within", "letter"],
)  # fmt: skip
def test_wishes_that_make_no_sense_are_refused(wish: Json, client: httpx.Client) -> None:
    ok(client.get("/v1/sessions"))
    refused(client.post(f"/_emulator/requests/{newest(client)['number']}/replay", json=wish), 400, "invalid_request")


def test_an_answer_is_waited_for_no_longer_than_one_wants(client: httpx.Client) -> None:
    rule = {"operations": ["list-sessions"], "latency": 60}
    ok(client.get("/v1/sessions"))
    exchange = newest(client)
    ok_made(client.post("/_emulator/faults", json=rule))
    again = replay(client, exchange, within=0.05)
    assert again["untrue"] == ["after 0.05 s it was still under way, and was given up"]
    assert "status" not in again["request"]
    client.delete("/_emulator/faults")


# Finding


def test_requests_are_found_by_what_is_in_them(client: httpx.Client) -> None:
    def numbers(**given: Any) -> list[int]:
        found = ok(client.get("/_emulator/requests", params=given))["requests"]
        return [one["number"] for one in found]

    ok(client.post("/v1/keys", json={"name": "Blue-Whale é"}))
    whale = newest(client)
    client.put("/v1/assistants/credentials", json={"name": "token", "value": "hunter2-hunter2"})
    client.get("/v1/nothing?q=whale")
    nothing = newest(client)
    assert numbers(search="blue-whale") == [whale["number"]]
    assert numbers(search="WHALE") == [whale["number"], nothing["number"]]
    assert numbers(search="whale é") == [whale["number"]]
    assert numbers(search=whale["request_id"]) == [whale["number"]]
    assert numbers(search="hunter2") == []
    assert numbers(search="not_found") == [nothing["number"]]
    assert numbers(status_class="4xx", code="not_found") == [nothing["number"]]
    assert numbers(status_class="5xx") == numbers(fault="*") == []
    [brief, *_] = ok(client.get("/_emulator/requests", params={"brief": True, "search": "Blue"}))["requests"]
    assert "request_headers" not in brief
    assert brief["account_id"] == whale["account_id"]
    assert ok(client.get("/_emulator/requests/count", params={"search": "whale"}))["count"] == 2


def test_a_line_is_typed_as_a_command_too(
    emulator: Running, client: httpx.Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    from chaser_emulator.cli import commands
    from click.testing import CliRunner

    ok(client.get("/v1/sessions"))
    number = str(newest(client)["number"])
    monkeypatch.setenv("CHASER_API_URL", emulator.url)
    monkeypatch.setenv("CHASER_API_KEY", emulator.api_key)
    told = CliRunner().invoke(commands, ["requests", "lines", number])
    assert shlex.quote(f"{emulator.url}/v1/sessions") in told.output
    done = CliRunner().invoke(commands, ["requests", "replay", number, "--path", "/v1/sessions?limit=1"])
    assert done.exit_code == 0, done.output
    assert newest(client)["query"] == "limit=1"
