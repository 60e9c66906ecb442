"""The runtime state of an assistant: any JSON, as it was written, and no write that is lost unseen."""

from __future__ import annotations

import json
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import httpx
import pytest
from assistants import Json, create, path_of, read
from emulators import emulator_on, http_of
from people import Organization, ok, refused

LIMIT = 256 * 1024


def get(client: httpx.Client, assistant: Json) -> Json:
    state: Json = ok(client.get(path_of(assistant, "runtime-state")))
    return state


def put(client: httpx.Client, assistant: Json, **body: Any) -> httpx.Response:
    return client.put(path_of(assistant, "runtime-state"), json=body)


def put_raw(client: httpx.Client, assistant: Json, state: str) -> httpx.Response:
    """A write of JSON as it is spelt."""
    content = f'{{"state": {state}}}'.encode()
    headers = {"Content-Type": "application/json"}
    return client.put(path_of(assistant, "runtime-state"), content=content, headers=headers)


def test_nothing_is_remembered_at_first(organization: Organization) -> None:
    assert get(organization.owner, create(organization.owner)) == {"state": None, "version": 0}


def test_a_write_replaces_all_and_counts(organization: Organization) -> None:
    made = create(organization.owner)
    first = ok(put(organization.owner, made, state={"greeted": ["ada"], "deep": {"a": 1}}))
    assert first == {"state": {"greeted": ["ada"], "deep": {"a": 1}}, "version": 1, "updated_at": first["updated_at"]}
    second = ok(put(organization.member, made, state={"greeted": []}, version=1))
    assert (second["state"], second["version"]) == ({"greeted": []}, 2)
    assert second["updated_at"] > first["updated_at"]
    assert get(organization.owner, made) == second
    third = ok(put(organization.owner, made, state=None))
    assert (third["state"], third["version"]) == (None, 3)
    assert get(organization.owner, made) == third
    # What it remembers is no change of the assistant.
    assert read(organization.owner, made) == made


@pytest.mark.parametrize(
    "state",
    [
        "null",
        "false",
        "0",
        "-0.0",
        '""',
        "[]",
        "{}",
        "123456789012345678901234567890",
        "-9223372036854775809",
        "1" + "0" * 4000,
        "0.1",
        "1e308",
        "5e-324",
        '"\\u0000 \\ud83e\\udd89 Straße \\u2028 \\\\ \\""',
        '{"": {"a/b~c": [null, true, [[]]]}, "state": {"version": 5}}',
        "[" * 60 + "]" * 60,
    ],
)
def test_any_json_comes_back_as_it_was(organization: Organization, state: str) -> None:
    made = create(organization.owner)
    ok(put_raw(organization.owner, made, state))
    assert repr(get(organization.owner, made)["state"]) == repr(json.loads(state))


@pytest.mark.parametrize("state", ["1e400", "[-1e999]", "NaN", "Infinity", '"\\ud800"', "[" * 64 + "]" * 64, "01"])
def test_what_could_not_come_back_is_refused(organization: Organization, state: str) -> None:
    made = create(organization.owner)
    refused(put_raw(organization.owner, made, state), 400, "invalid_json")
    assert get(organization.owner, made)["version"] == 0


@pytest.mark.parametrize(
    ("body", "pointer"),
    [
        ({}, "/state"),
        ({"version": 0}, "/state"),
        ({"state": 1, "version": -1}, "/version"),
        ({"state": 1, "version": None}, "/version"),
        ({"state": 1, "version": "0"}, "/version"),
        ({"state": 1, "version": 0.5}, "/version"),
        ({"state": 1, "version": 2**53}, "/version"),
    ],
)
def test_a_write_that_makes_no_sense_names_the_field(organization: Organization, body: Json, pointer: str) -> None:
    made = create(organization.owner)
    error = refused(put(organization.owner, made, **body), 400, "invalid_request")
    assert [problem["pointer"] for problem in error["details"]] == [pointer]


@pytest.mark.parametrize("letter", ["a", "ü", "🦉", '"', "\n"])
def test_a_state_may_have_so_many_bytes_and_no_more(organization: Organization, letter: str) -> None:
    made = create(organization.owner)
    size = len(json.dumps(letter, ensure_ascii=False).encode()) - 2
    fits = letter * ((LIMIT - 2) // size)
    largest = fits + "a" * (LIMIT - 2 - size * len(fits))
    assert ok(put(organization.owner, made, state=largest))["state"] == largest
    error = refused(put(organization.owner, made, state=largest + "a"), 413, "payload_too_large")
    assert error["details"] == {"limit": LIMIT}
    assert get(organization.owner, made)["state"] == largest


def test_spaces_and_escapes_of_the_writer_do_not_count(organization: Organization) -> None:
    made = create(organization.owner)
    loose = "[" + ",".join(" " * 20 + "\\u0061".join(['"', '"']) for _ in range(60000)) + "]"
    assert len(loose) > 4 * LIMIT
    assert len(ok(put_raw(organization.owner, made, loose))["state"]) == 60000


def test_a_write_against_another_version_is_refused(organization: Organization) -> None:
    made = create(organization.owner)
    assert refused(put(organization.owner, made, state=1, version=1), 409, "conflict")["details"] == {"version": 0}
    written = ok(put(organization.owner, made, state=1, version=0))
    assert refused(put(organization.owner, made, state=2, version=0), 409, "conflict")["details"] == {"version": 1}
    assert get(organization.owner, made) == written


def test_of_writes_against_one_version_at_once_one_wins(organization: Organization) -> None:
    made = create(organization.owner)
    for version in range(3):
        with ThreadPoolExecutor(8) as pool:
            answers = list(pool.map(lambda n: put(organization.owner, made, state=n, version=version), range(8)))  # noqa: B023
        [winner] = [answer.json() for answer in answers if answer.status_code == 200]
        assert [answer.status_code for answer in answers].count(409) == 7
        assert get(organization.owner, made) == winner
        assert winner["version"] == version + 1


def test_writes_without_a_version_all_go_through(organization: Organization) -> None:
    made = create(organization.owner)
    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(lambda n: ok(put(organization.owner, made, state=n)), range(8)))
    assert sorted(answer["version"] for answer in answers) == list(range(1, 9))
    [last] = [answer for answer in answers if answer["version"] == 8]
    assert get(organization.owner, made) == last


def test_assistants_remember_apart_and_across_a_restart(tmp_path: Path) -> None:
    with emulator_on("scripted", data_dir=tmp_path) as one, http_of(one) as client:
        first, second = create(client), create(client)
        kept = ok(put(client, first, state={"greeted": ["ada"]}))
        assert get(client, second)["version"] == 0
    with emulator_on("scripted", data_dir=tmp_path) as one, http_of(one) as client:
        assert get(client, first) == kept
        refused(put(client, first, state=1, version=0), 409, "conflict")
