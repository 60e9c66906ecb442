"""Paths of strangers: neither `..`, nor a link, nor an odd name reaches what is not the sandbox's own."""

from __future__ import annotations

from pathlib import Path

import pytest
from boxes import (  # noqa: F401 - fixtures are found by import
    Box,
    box_fixture,
    open_box,
    real_client_fixture,
    real_emulator_fixture,
    refused,
)
from chaser_emulator.server import Running
from emulators import REAL, EngineChoice, emulator_on, http_of

CLIMBING = [
    "../secret",
    "..//secret",
    "./../secret",
    "a/../../secret",
    "/workspace/../secret",
    "/workspace/a/../../secret",
    "../../../../../../etc/passwd",
    "..",
    "a/..",
    "/..",
]
NAMELESS = ["", ".", "/", "a/", "/workspace/", "nul\0inside", "x" * 256, "x/" * 2100 + "x"]


@pytest.mark.parametrize("path", CLIMBING + NAMELESS)
def test_a_path_that_climbs_or_names_nothing_is_refused_both_ways(box: Box, path: str) -> None:
    refused(box.download(path), 400, "invalid_request")
    refused(box.upload(path, b"x"), 400, "invalid_request")
    assert box.run("ls -A") == ""


@pytest.mark.parametrize("end", [".", "..", "./."])
def test_a_path_that_ends_in_dots_names_a_folder(box: Box, end: str) -> None:
    for path in (f"a/{end}", f"a/b/{end}"):
        refused(box.upload(path, b"x"), 400, "invalid_request")
    assert box.run("ls -A; mkdir -p a/b") == ""
    for path in (f"a/{end}", f"a/b/{end}"):
        refused(box.download(path), 400, "invalid_request")
        refused(box.upload(path, b"x"), 400, "invalid_request")


LINKS = """
ln -s /etc folder
ln -s /etc/passwd file
ln -s .. up
ln -s ../etc/passwd climbing
ln -s /workspace/../etc/passwd roundabout
ln -s loop loop
ln -s a b; ln -s b a
ln -s folder chained
mkdir deep; ln -s ../../etc deep/out
"""
THROUGH_LINKS = [
    "folder/passwd",
    "file",
    "up/etc/passwd",
    "climbing",
    "roundabout",
    "loop",
    "a",
    "chained/passwd",
    "deep/out/passwd",
    "deep/../file",
]


def test_a_link_that_leads_out_is_refused_both_ways(box: Box) -> None:
    box.run(LINKS)
    before = box.run("ls -la --time-style=full-iso /etc/passwd .; cat /etc/passwd")
    for path in THROUGH_LINKS:
        refused(box.download(path), 400, "invalid_request")
        refused(box.upload(path, b"stolen"), 400, "invalid_request")
    for path in ("folder/new", "up/new", "chained/new", "deep/out/new"):
        refused(box.upload(path, b"new"), 400, "invalid_request")
    assert box.run("ls -la --time-style=full-iso /etc/passwd .; cat /etc/passwd") == before
    assert box.run("find / -xdev -name new -not -path '/proc/*' 2>/dev/null; :") == ""


def test_a_link_that_stays_inside_is_followed(box: Box) -> None:
    box.put("folder/real.txt", b"1")
    box.run("ln -s real.txt folder/near; ln -s folder other; ln -s /workspace/folder/real.txt far")
    for path in ("folder/near", "other/real.txt", "far", "other/near", "other/../folder/real.txt"):
        assert box.get(path) == b"1"
    box.put("other/second.txt", b"2")
    assert box.run("cat folder/second.txt; test -L other && echo link") == "2link\n"


@pytest.mark.parametrize("engine", REAL)
def test_another_workspace_and_the_host_are_out_of_reach(engine: EngineChoice, tmp_path: Path) -> None:
    secret = tmp_path / "host-secret"
    secret.write_text("host")
    with emulator_on(engine, data_dir=tmp_path / "data") as emulator, http_of(emulator) as client:
        try:
            other = client.post("/v1/workspaces", json={"session_type": "sandbox", "name": "other"}).json()["id"]
            client.post("/v1/workspaces", json={"session_type": "sandbox", "name": "mine"})
            owner, mine = open_box(emulator, client, "other"), open_box(emulator, client, "mine")
            owner.put("secret", b"theirs")
            database = emulator.world.store.path
            mine.run(
                f"ln -s ../{other}/secret one; ln -s {tmp_path}/data/workspaces/{other}/secret two;"
                f"ln -s {secret} three; ln -s {database} four; ln -s /proc/1/root/{secret} five;"
                "ln -s /proc/1/environ six"
            )
            for name in ("one", "two", "three", "four", "five", "six"):
                refused(mine.download(name), 400, "invalid_request")
                refused(mine.upload(name, b"x"), 400, "invalid_request")
            # The same places by their own paths are not there, as no command of the sandbox sees them.
            for path in (str(secret), str(database), f"{tmp_path}/data/workspaces/{other}/secret"):
                assert mine.download(path).status_code in (400, 404)
            assert secret.read_text() == "host"
            assert owner.get("secret") == b"theirs"
        finally:
            client.post("/v1/workspaces/bulk-delete", json={"all": True, "force": True})


@pytest.mark.parametrize(
    "segment", ["..%2F..%2Fetc", "%2e%2e", "..%5C..", "a%00b", "%2F", "*", "%25", "'%20OR%20'1'='1"]
)
def test_an_odd_segment_of_a_url_names_nothing(real_emulator: Running, segment: str) -> None:
    with http_of(real_emulator) as client:
        for method, path in (
            ("GET", f"/v1/sessions/{segment}/download?path=/etc/passwd"),
            ("DELETE", f"/v1/workspaces/{segment}"),
            ("PUT", f"/v1/workspaces/{segment}/template"),
        ):
            answer = client.request(method, path, json={"template": True} if method == "PUT" else None)
            # The client itself takes dots out of a path, and then it is the path that is not there.
            assert answer.status_code in (400, 404, 405), (path, answer.text)
        assert client.get("/v1/workspaces").json() == []
