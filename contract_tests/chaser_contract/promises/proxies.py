"""Proxies: programs in a session find the one that it was asked to use where they look for it."""

from __future__ import annotations

from typing import Any

from chaser_contract import making
from chaser_contract.promises import promise
from chaser_contract.subject import Subject
from chaser_contract.values import equals

_SHOW = 'printf "%s|" "$ALL_PROXY" "$HTTP_PROXY" "$HTTPS_PROXY" "$all_proxy" "$http_proxy" "$https_proxy"'

_URL = "http://proxy.example:3128"


@promise("commands")
def a_session_has_its_proxy_in_its_variables(chaser: Subject) -> None:
    """The proxy of a session is in the variables by which programs find one, with its credentials; `direct` is none."""
    cases: list[tuple[dict[str, Any], str]] = [
        ({"proxy": _URL}, _URL),
        ({"proxy": "socks5h://user:pass@proxy.example:1080"}, "socks5h://user:pass@proxy.example:1080"),
        ({"proxy": "direct"}, ""),
        ({"network": {"mode": "proxy", "proxy": {"url": _URL}}}, _URL),
        (
            {"network": {"mode": "proxy", "proxy": {"url": _URL, "username": "user", "password": "pass"}}},
            "http://user:pass@proxy.example:3128",
        ),
        ({"env": {"HTTP_PROXY": "http://own.example:1", "MINE": "1"}}, ""),
    ]
    for said, wanted in cases:
        with chaser.case():
            one = making.running(chaser, ephemeral=True, **said)
            ran = chaser.ask("exec-session", id=one["id"], json={"command": _SHOW}, expect=200)
            found = ran.json["output"].split("|")[:-1]
            expected = [wanted] * 6
            if "env" in said:
                expected[1] = "http://own.example:1"
            equals(ran, found, expected, "the variables for proxies say what the session was asked for")
            test = chaser.ask("self-test-session", id=one["id"], expect=200)
            proxy = test.json["runtime"].get("proxy", {})
            equals(test, proxy.get("all_proxy", ""), wanted, "a self-test tells the proxy")
            chaser.ask("terminate-session", id=one["id"], query={"force": True}, expect=204)
