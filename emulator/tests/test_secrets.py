"""Secrets stay where they belong: planted ones are looked for in everything that the emulator writes or tells."""

from __future__ import annotations

import io
import json
import subprocess
import sys
import uuid
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import httpx
import pytest
from people import ok
from receivers import Receiver, receiving
from test_exec import until


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    with receiving() as one:
        yield one


def secret(name: str) -> str:
    return f"planted-{name}-{uuid.uuid4().hex}"


class Seen:
    """Every secret by what it is, and every text in which none may be."""

    def __init__(self) -> None:
        self.secrets: dict[str, str] = {}
        self.texts: dict[str, str] = {}

    def plant(self, name: str, value: str | None = None) -> str:
        self.secrets[name] = value or secret(name)
        return self.secrets[name]

    def found(self) -> list[str]:
        texts = self.texts.items()
        return [f"{name} in {where}" for name, value in self.secrets.items() for where, text in texts if value in text]


def refusals(client: httpx.Client, seen: Seen) -> None:
    """Requests that carry secrets and are refused: what is said of them must not repeat those."""
    bad = [
        client.post("/auth/login", json={"email": "ada@example.com", "password": seen.plant("wrong password")}),
        client.post("/auth/register", json={"email": "no address", "password": seen.plant("refused password")}),
        client.post("/auth/register", json={"email": "a@example.com", "password": seen.plant("long password") * 9}),
        client.get("/v1/sessions", headers={"Authorization": f"Bearer sk_{seen.plant('unknown key')}"}),
        client.get(f"/v1/sessions/none/pty?access_token={seen.plant('unknown token')}"),
        client.get(f"/auth/google/callback?state={seen.plant('unknown state')}&code={seen.plant('unknown code')}"),
        client.post(
            "/auth/codex/callback",
            json={"state": "s", "code": seen.plant("codex code"), "code_verifier": seen.plant("verifier") + "x" * 20},
        ),
        client.put(
            "/v1/assistants/credentials",
            json={"name": "n", "value": seen.plant("refused credential"), "assistant_id": str(uuid.uuid4())},
        ),
        client.put("/v1/assistants/credentials", json={"name": 7, "value": seen.plant("invalid credential")}),
        client.post("/v1/webhooks", json={"url": f"http://ada:{seen.plant('password of an address')}@127.0.0.1/"}),
        client.post(
            "/v1/sessions",
            json={"ephemeral": True, "proxy": f"http://ada:{seen.plant('proxy password')}@127.0.0.1:1", "image": 7},
        ),
        client.post("/v1/exec", json={"env": {"TOKEN": seen.plant("refused variable")}}),
    ]
    for number, answer in enumerate(bad):
        assert answer.status_code >= 400
        seen.texts[f"refusal {number}"] = answer.text


def sign_in(client: httpx.Client, seen: Seen) -> None:
    """Through the page that stands in for a provider."""
    page = client.get("/auth/github/login").headers["location"]
    query = parse_qs(urlsplit(page).query)
    seen.plant("state", query["state"][0])
    shown = client.get(page)
    assert shown.status_code == 200
    form = {name: values[0] for name, values in query.items()} | {"email": "grace@example.com"}
    back = client.post(page, data=form).headers["location"]
    seen.plant("code", parse_qs(urlsplit(back).query)["code"][0])
    seen.plant("access token of a sign-in", ok(client.get(back))["access_token"])


def story(client: httpx.Client, seen: Seen, receiver: Receiver) -> None:
    """A day on which each secret is used as it is meant."""
    ok(client.post("/_emulator/clock", json={"mode": "real"}))
    seen.plant("signing secret", ok(client.post("/v1/webhooks", json={"url": receiver.url}))["signing_secret"])
    credentials = {"email": "ada@example.com", "password": seen.plant("password")}
    seen.plant("access token", ok(client.post("/auth/register", json=credentials))["access_token"])
    seen.plant("second access token", ok(client.post("/auth/login", json=credentials))["access_token"])
    signed_in = {"Authorization": f"Bearer {seen.secrets['access token']}"}
    ok(client.get("/v1/accounts", headers=signed_in))
    sign_in(client, seen)
    begun = ok(client.get("/auth/codex/login-url"))
    seen.plant("codex state", begun["state"])
    seen.plant("codex verifier", begun["code_verifier"])
    key = seen.plant("key", ok(client.post("/v1/keys", json={"name": "ci"}))["key"])
    ok(client.get("/v1/keys", headers={"Authorization": f"Bearer {key}"}))
    assistant = ok(client.post("/v1/assistants", json={"name": "helper", "config": {}}))["assistant"]
    ok(client.put("/v1/assistants/credentials", json={"name": "bot", "value": seen.plant("credential")}))
    ask = {"assistant_id": assistant["id"], "name": "bot"}
    assert ok(client.post("/v1/assistants/resolve-credential", json=ask))["value"] == seen.secrets["credential"]
    session = ok(
        client.post("/v1/sessions", json={"ephemeral": True, "env": {"TOKEN": seen.plant("session variable")}})
    )
    run = {"command": "true", "env": {"TOKEN": seen.plant("variable")}, "stdin": seen.plant("input")}
    ok(client.post(f"/v1/sessions/{session['id']}/exec", json=run))
    ok(client.post(f"/v1/sessions/{session['id']}/exec", json=run | {"background": True}))
    ok(client.delete(f"/v1/sessions/{session['id']}?force=true"))
    # It fails, as there are no browsers here, and the log says so.
    proxy = f"http://ada:{seen.plant('proxy-of-a-session')}@127.0.0.1:1"
    ok(client.post("/v1/sessions", json={"session_type": "browser", "ephemeral": True, "proxy": proxy}))
    refusals(client, seen)


def look_around(client: httpx.Client, seen: Seen) -> None:
    """All that the control plane tells of what has happened."""
    exchanges = ok(client.get("/_emulator/requests", params={"limit": 1000}))["requests"]
    assert len(exchanges) > 30
    for brief in exchanges:
        number = brief["number"]
        seen.texts[f"exchange {number}"] = client.get(f"/_emulator/requests/{number}").text
        if brief.get("status", 0) >= 400:
            for form in ("application/json", "text/plain"):
                told = client.get("/_emulator/explain", params={"number": number}, headers={"Accept": form})
                assert told.status_code == 200, told.text
                seen.texts[f"explanation {number} as {form}"] = told.text
    assert any("[hidden]" in text for text in seen.texts.values())
    seen.texts["diff"] = client.get("/_emulator/state/diff").text
    seen.texts["sink"] = client.get("/_emulator/webhooks/sink").text
    with client.stream("GET", "/_emulator/events", headers={"Last-Event-ID": "0"}) as events:
        for line in events.iter_lines():
            seen.texts["events"] = seen.texts.get("events", "") + line
            if len(seen.texts["events"]) > 5000:
                break
    answer = client.post("/_emulator/state/save", json={"disks": True})
    assert answer.status_code == 200, answer.text
    seen.texts["a saved state"] = answer.content.decode("latin-1")
    with zipfile.ZipFile(io.BytesIO(answer.content)) as saved:
        for name in saved.namelist():
            seen.texts[f"{name} of a saved state"] = saved.read(name).decode("latin-1")


def test_no_secret_is_told_logged_or_kept_in_the_clear(tmp_path: Path, receiver: Receiver) -> None:
    ready, log, seen = tmp_path / "ready", tmp_path / "log", Seen()
    own = seen.plant("the emulator's own key", f"sk_{uuid.uuid4().hex}")
    command = [sys.executable, "-m", "chaser_emulator.cli", "--port", "0", "--sandbox", "scripted"]
    command += ["--data-dir", str(tmp_path / "data"), "--ready-file", str(ready), "--log-level", "debug"]
    with log.open("wb") as output:
        environment = {"CHASER_EMULATOR_API_KEY": own, "PATH": "/usr/bin:/bin"}
        process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=output, env=environment, cwd=tmp_path)
    try:
        until(lambda: ready.exists() or process.poll() is not None, 30)
        address = json.loads(ready.read_text())["url"]
        with httpx.Client(base_url=address, headers={"Authorization": f"Bearer {own}"}, timeout=60) as client:
            story(client, seen, receiver)
            until(lambda: _settled(client), 30)
            seen.texts["the audit log"] = client.get("/v1/audit/events", params={"limit": 500}).text
            seen.texts["deliveries"] = client.get("/v1/webhooks/deliveries", params={"limit": 200}).text
            seen.texts["webhooks"] = client.get("/v1/webhooks").text
            seen.texts["keys"] = client.get("/v1/keys").text
            look_around(client, seen)
    finally:
        process.terminate()
        process.wait(10)
    assert len(receiver.got) >= 5
    assert "session.exec" in seen.texts["the audit log"]
    seen.texts["what the receiver got"] = "\n".join(
        f"{one.line} {one.headers} {one.body.decode()}" for one in receiver.got
    )
    seen.texts["the log"] = log.read_text()
    for file in (tmp_path / "data").glob("chaser.db*"):
        seen.texts[file.name] = file.read_bytes().decode("latin-1")
    assert "browser" in seen.texts["the log"]
    assert seen.found() == []


def _settled(client: httpx.Client) -> bool:
    found: list[dict[str, Any]] = ok(client.get("/v1/webhooks/deliveries", params={"status": "pending"}))["deliveries"]
    return not found
