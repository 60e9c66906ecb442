"""Requests for sessions: which are refused and with what, and the proxies and variables that can be asked for."""

from __future__ import annotations

from typing import Any

from chaser_contract import making
from chaser_contract.asking import UNKNOWN
from chaser_contract.promises import promise
from chaser_contract.subject import Subject
from chaser_contract.values import holds, refused


@promise()
def what_cannot_be_is_refused(chaser: Subject) -> None:
    """Each combination that contradicts itself is 400 with the field, an unknown workspace 404, and nothing is made."""
    room = making.workspace(chaser)
    browsers = making.workspace(chaser, session_type="browser")
    before = chaser.ask("list-sessions", expect=200).json["total"]
    ephemeral = {"ephemeral": True}
    proxied = {"mode": "proxy", "proxy": {"url": "http://proxy.example:1"}}
    for body, pointer in (
        ({"workspace": room["name"], "ephemeral": True}, ""),
        ({"workspace": room["name"], "image": "debian"}, "/ephemeral"),
        ({"image": "debian"}, "/ephemeral"),
        ({"session_type": "browser", "image": "debian", **ephemeral}, "/session_type"),
        ({"session_type": "browser"}, ""),
        ({"session_type": "browser", "ephemeral": False}, ""),
        ({"session_type": "vm", **ephemeral}, "/session_type"),
        ({"session_type": "Sandbox", **ephemeral}, "/session_type"),
        ({"session_type": None, **ephemeral}, "/session_type"),
        ({"session_type": "browser", "workspace": room["name"]}, "/session_type"),
        ({"workspace": browsers["name"]}, "/session_type"),
        ({"workspace": ""}, "/workspace"),
        ({"workspace": "x" * 257}, "/workspace"),
        ({"ephemeral": "true"}, "/ephemeral"),
        ({"image": "", **ephemeral}, "/image"),
        ({"image": "-debian", **ephemeral}, "/image"),
        ({"image": "x" * 513, **ephemeral}, "/image"),
        ({"github_repo": "no repository", **ephemeral}, "/github_repo"),
        ({"env": {"1A": "x"}, **ephemeral}, "/env"),
        ({"env": {"A-B": "x"}, **ephemeral}, "/env"),
        ({"env": {"A": 1}, **ephemeral}, "/env/A"),
        ({"env": {"A": None}, **ephemeral}, "/env/A"),
        ({"env": {"A": "\0"}, **ephemeral}, "/env/A"),
        ({"env": {f"A{n}": "" for n in range(257)}, **ephemeral}, "/env"),
        ({"env": {"A": "x" * 131073}, **ephemeral}, "/env"),
        ({"env": {"A": "x" * 65536, "B": "x" * 65536}, **ephemeral}, "/env"),
        ({"proxy": "direct", "network": proxied, **ephemeral}, "/proxy"),
        ({"network": {"mode": "direct", "proxy": proxied["proxy"]}, **ephemeral}, "/network/mode"),
        ({"network": {"mode": "proxy"}, **ephemeral}, "/network/proxy"),
        ({"network": {"mode": "proxy", "proxy": {"url": "us"}}, **ephemeral}, "/network/proxy/url"),
    ):
        with chaser.case():
            refused(chaser.ask("create-session", json=body), 400, "invalid_request", pointer)
    for name in (f"{room['name']}x", UNKNOWN):
        with chaser.case():
            refused(chaser.ask("create-session", json={"workspace": name}), 404, "not_found")
    after = chaser.ask("list-sessions", expect=200)
    after.require(after.json["total"] == before, "a request for a session that is refused makes none")
    for made in (room, browsers):
        chaser.ask("delete-workspace", ws=made["id"], expect=204)


@promise()
def proxies_are_addresses_or_pools(chaser: Subject) -> None:
    """`proxy` is an http, https, socks5 or socks5h URL, `direct`, `free`, `us` or null; anything else is 400."""
    made = []
    for proxy in (
        "direct",
        "free",
        "us",
        "https://proxy.example:8443",
        "socks5://10.0.0.1:1080",
        "socks5h://user:p%40ss@proxy.example:1080",
        "http://[::1]:65535/",
    ):
        with chaser.case():
            answer = chaser.ask("create-session", json={"ephemeral": True, "proxy": proxy}, expect=200)
            made.append(answer.json["id"])
    for wrong in (
        "",
        "eu",
        "US",
        "proxy.example:1080",
        "socks4://proxy.example:1080",
        "ftp://proxy.example",
        "http://proxy.example:0",
        "http://proxy.example:65536",
        "http://",
        7,
    ):
        with chaser.case():
            refused(
                chaser.ask("create-session", json={"ephemeral": True, "proxy": wrong}), 400, "invalid_request", "/proxy"
            )
    older = {"mode": "proxy", "proxy": {"url": "http://proxy.example:1", "username": "me", "password": "it"}}
    answer = chaser.ask("create-session", json={"ephemeral": True, "network": older}, expect=200)
    chaser.ask("bulk-terminate-sessions", json={"ids": [*made, answer.json["id"]]}, expect=200)


@promise()
def variables_have_bounds(chaser: Subject) -> None:
    """256 variables are accepted, names of 256 characters, and values that make less than 128 KiB together."""
    for env in (
        {f"A{n}": "ä\n😀" for n in range(256)},
        {"_" * 256: "x", "lower_Case9": "x" * 130000},
    ):
        with chaser.case():
            made = chaser.ask("create-session", json={"ephemeral": True, "env": env}, expect=200)
            chaser.ask("terminate-session", id=made.json["id"], expect=204)


@promise()
def null_is_as_good_as_nothing(chaser: Subject) -> None:
    """Null for an image, a proxy or a repository is the same as nothing said."""
    wishes: list[dict[str, Any]] = [{"image": None}, {"proxy": None}, {"github_repo": None}, {"env": {}, "image": None}]
    for wish in wishes:
        with chaser.case():
            made = chaser.ask("create-session", json={"ephemeral": True, **wish}, expect=200)
            holds(made, made.json, session_type="sandbox", workspace_id=None, persistence=False)
            chaser.ask("terminate-session", id=made.json["id"], expect=204)
