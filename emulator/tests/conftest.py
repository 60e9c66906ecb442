"""What most tests start from: an emulator without processes, and clients of it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

import httpx
import pytest
from chaser_emulator.server import Running
from chaser_sdk import ChaserClient
from emulators import emulator_on, http_of, sdk_of
from people import Organization, organization_of
from seeded import fresh_world

if TYPE_CHECKING:
    from playwright.sync_api import Browser


# One a module: a start takes 30 ms and a stop six times that, so tests share it and make organizations of their own.
@pytest.fixture(scope="module")
def emulator() -> Iterator[Running]:
    with emulator_on("scripted") as one:
        yield one


@pytest.fixture(scope="module")
def local() -> Iterator[Running]:
    """An emulator in which commands really run, on this machine."""
    with emulator_on("local") as one:
        yield one


@pytest.fixture(scope="module")
def http(local: Running) -> Iterator[httpx.Client]:
    """Plain HTTP of the one in which commands really run."""
    with http_of(local) as one:
        yield one


@pytest.fixture
def client(emulator: Running) -> Iterator[httpx.Client]:
    """Plain HTTP with the key of the first user, who acts in their personal account unless a header says otherwise."""
    with http_of(emulator) as one:
        yield one


@pytest.fixture
def world(emulator: Running) -> Iterator[httpx.Client]:
    """A world of its own, whose clock stands still."""
    with fresh_world(emulator, clock={"mode": "frozen", "at": "2026-03-01T12:00:00Z"}) as client:
        yield client


@pytest.fixture
def sdk(emulator: Running) -> ChaserClient:
    """The official client with the same key."""
    return sdk_of(emulator)


@pytest.fixture
def organization(emulator: Running) -> Iterator[Organization]:
    """A fresh organization with people in every role."""
    with organization_of(emulator) as one:
        yield one


# Not one for all: while it runs, nothing else of this thread may run an event loop of its own.
@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """Chromium without a window."""
    from consoles import a_browser

    with a_browser() as one:
        yield one
