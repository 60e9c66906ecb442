"""From another machine: the control plane, sign-ins and registering are for who knows the emulator's key."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from urllib.parse import parse_qs, urlsplit

import httpx
import psutil
import pytest
from chaser_emulator.server import Running
from emulators import emulator_on
from people import ok, refused

KEY = "sk_a_key_of_ones_own"


def address() -> str:
    """An address of this machine that is not loopback, by which it is another machine to itself."""
    for addresses in psutil.net_if_addrs().values():
        for one in addresses:
            if one.family == socket.AF_INET and not one.address.startswith("127."):
                return str(one.address)
    pytest.skip("this machine has no address but loopback")


@pytest.fixture(scope="module")
def emulator() -> Iterator[Running]:
    with emulator_on("scripted", host="0.0.0.0", api_key=KEY) as one:
        yield one


@pytest.fixture
def far(emulator: Running) -> Iterator[httpx.Client]:
    """A client on another machine, without a key."""
    with httpx.Client(base_url=f"http://{address()}:{urlsplit(emulator.url).port}", timeout=60) as one:
        yield one


def test_from_another_machine_the_control_plane_wants_the_emulators_key(far: httpx.Client, emulator: Running) -> None:
    refused(far.get("/_emulator/clock"), 401, "unauthorized")
    refused(far.get("/_emulator/clock", headers={"Authorization": "Bearer sk_another"}), 401, "unauthorized")
    ok(far.get("/_emulator/clock", headers={"Authorization": f"Bearer {KEY}"}))
    ok(httpx.get(f"{emulator.url}/_emulator/clock"))


def test_nobody_elsewhere_signs_in_as_whoever_they_like(far: httpx.Client) -> None:
    page = far.get("/auth/google/login").headers["location"]
    shown = far.get(page)
    assert shown.status_code == 200
    assert "developer@localhost" not in shown.text
    form = {name: values[0] for name, values in parse_qs(urlsplit(page).query).items()}
    form["email"] = "developer@localhost"
    for wrong in ({}, {"key": ""}, {"key": "sk_another"}, {"key": "schlüssel"}):
        answer = far.post(page, data=form | wrong)
        assert (answer.status_code, "location" in answer.headers) == (400, False)
    back = far.post(page, data=form | {"key": KEY}).headers["location"]
    assert ok(far.get(back))["user"]["email"] == "developer@localhost"


def test_nobody_elsewhere_registers_and_runs_commands_here(far: httpx.Client) -> None:
    credentials = {"email": "ada@example.com", "password": "correct horse"}
    refused(far.post("/auth/register", json=credentials), 403, "forbidden")
    ok(far.post("/auth/register", json=credentials, headers={"Authorization": f"Bearer {KEY}"}))
    ok(far.post("/auth/login", json=credentials))


def test_registration_can_be_opened_to_other_machines() -> None:
    with emulator_on("scripted", host="0.0.0.0", api_key=KEY, open_registration=True) as one:
        url = f"http://{address()}:{urlsplit(one.url).port}/auth/register"
        ok(httpx.post(url, json={"email": "ada@example.com", "password": "correct horse"}))


def test_from_another_machine_a_key_opens_its_own_world_and_no_other(far: httpx.Client, emulator: Running) -> None:
    made = ok(httpx.post(f"{emulator.url}/_emulator/worlds", json={"id": "theirs"}))
    theirs, own = ({"Authorization": f"Bearer {key}"} for key in (made["api_key"], KEY))
    ok(far.post("/_emulator/clock", json={"mode": "frozen"}, headers=theirs))
    assert ok(far.get("/_emulator/clock", headers=own))["mode"] == "real"
    # The emulator's own key reaches every world by its name.
    assert ok(far.get("/_emulator/clock", headers=own | {"X-Chaser-World": "theirs"}))["mode"] == "frozen"
    refused(far.post("/_emulator/reset", headers=theirs | {"X-Chaser-World": "default"}), 403, "forbidden")
    refused(far.post("/_emulator/reset?world=default", headers=theirs), 403, "forbidden")
    refused(far.get("/_emulator/clock", headers={"X-Chaser-World": "theirs"}), 401, "unauthorized")
    for path in ("worlds", "worlds/default"):
        refused(far.get(f"/_emulator/{path}", headers=theirs), 401, "unauthorized")
    refused(far.delete("/_emulator/worlds/theirs", headers=theirs), 401, "unauthorized")
    assert len(ok(far.get("/_emulator/worlds", headers=own))["worlds"]) == 2
    assert far.delete("/_emulator/worlds/theirs", headers=own).status_code == 204
