"""What most tests start from: an emulator without processes, and clients of it."""

from __future__ import annotations

from collections.abc import Iterator

import httpx
import pytest
from chaser_emulator.server import Running
from chaser_sdk import ChaserClient
from emulators import emulator_on, http_of, sdk_of
from people import Organization, organization_of


# One a module: a start takes 30 ms and a stop six times that, so tests share it and make organizations of their own.
@pytest.fixture(scope="module")
def emulator() -> Iterator[Running]:
    with emulator_on("scripted") as one:
        yield one


@pytest.fixture
def client(emulator: Running) -> Iterator[httpx.Client]:
    """Plain HTTP with the key of the first user, who acts in their personal account unless a header says otherwise."""
    with http_of(emulator) as one:
        yield one


@pytest.fixture
def sdk(emulator: Running) -> ChaserClient:
    """The official client with the same key."""
    return sdk_of(emulator)


@pytest.fixture
def organization(emulator: Running) -> Iterator[Organization]:
    """A fresh organization with people in every role."""
    with organization_of(emulator) as one:
        yield one
